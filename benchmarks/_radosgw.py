"""A real versioned S3 server for a while: Ceph's gateway, one monitor, one store in memory, in a temporary place.

Needs Debian's radosgw, ceph-mon and ceph-osd, and root. Nothing of it is left when the `with` ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool", "radosgw", "radosgw-admin")
FSID = "6b7f3a52-8f6b-4f4e-9a35-000000000001"

CONFIG = """\
[global]
fsid = {fsid}
mon host = 127.0.0.1:{mon}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
public network = 127.0.0.0/8
ms bind ipv6 = false
ms bind msgr2 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool delete = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
osd max pg per osd hard ratio = 20
osd objectstore = memstore
memstore device bytes = 8589934592
memstore page size = 4096
run dir = {root}/run
admin socket = {root}/run/$name.asok
log file = {root}/log/$name.log
debug ms = 0
debug osd = 0
debug mon = 0
debug rgw = 0

[mon.a]
host = localhost
mon addr = 127.0.0.1:{mon}
mon data = {root}/mon

[osd.0]
osd data = {root}/osd

[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{rgw} tcp_nodelay=1
rgw data = {root}/rgw
rgw enable usage log = false
rgw enable ops log = false
rgw dynamic resharding = false
rgw override bucket index max shards = 1
rgw gc obj min wait = 3600
"""


@dataclass(frozen=True)
class Gateway:
    """Where the server listens, and the keys of its one user."""

    url: str
    access_key: str
    secret_key: str
    missing: tuple[str, ...] = ()


def missing() -> list[str]:
    """Return what this machine lacks to run it."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]


@contextmanager
def running() -> Iterator[Gateway]:
    """Run the server, and remove all of it."""
    root = Path(tempfile.mkdtemp(prefix="restorecheck-radosgw-"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield _start(root, started)
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def _start(root: Path, started: list[subprocess.Popen[bytes]]) -> Gateway:
    mon, rgw = _free_port(), _free_port()
    conf = root / "ceph.conf"
    for name in ("run", "log", "mon", "osd", "rgw"):
        (root / name).mkdir()
    conf.write_text(CONFIG.format(fsid=FSID, mon=mon, rgw=rgw, root=root))
    c = ["-c", str(conf)]

    def run(*argv: str) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr[-800:]}")
        return done.stdout

    def spawn(*argv: str) -> None:
        with (root / "log" / "out").open("ab") as out:
            started.append(subprocess.Popen(argv, stdout=out, stderr=out))

    run("monmaptool", *c, "--create", "--fsid", FSID, "--addv", "a", f"[v1:127.0.0.1:{mon}]", str(root / "monmap"))
    keyring = str(root / "keyring")
    run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("ceph-mon", *c, "--mkfs", "-i", "a", "--monmap", str(root / "monmap"), "--keyring", keyring)
    spawn("ceph-mon", *c, "-f", "-i", "a")
    _wait(lambda: "HEALTH" in run("ceph", *c, "--connect-timeout", "5", "health"), 60)
    run("ceph", *c, "osd", "new", "6b7f3a52-8f6b-4f4e-9a35-000000000002")
    run("ceph-osd", *c, "-i", "0", "--mkfs", "--osd-uuid", "6b7f3a52-8f6b-4f4e-9a35-000000000002")
    spawn("ceph-osd", *c, "-f", "-i", "0")
    _wait(lambda: json.loads(run("ceph", *c, "osd", "stat", "-f", "json"))["num_up_osds"] == 1, 60)
    spawn("radosgw", *c, "-f", "-n", "client.rgw")
    _wait(lambda: _answers(f"http://127.0.0.1:{rgw}/"), 120)
    access, secret = "AKIARESTORECHECKBENCH", "bench-secret-of-this-process-only"
    run(
        "radosgw-admin",
        *c,
        "-n",
        "client.rgw",
        "user",
        "create",
        "--uid=bench",
        "--display-name=bench",
        f"--access-key={access}",
        f"--secret={secret}",
    )
    return Gateway(f"http://127.0.0.1:{rgw}", access, secret)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(done: object, seconds: float) -> None:
    assert callable(done)
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except RuntimeError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError("the S3 server did not come up")
        time.sleep(0.3)
