"""A container engine without a daemon: podman with runc, its images and containers in a directory of its own.

It runs as root, needs no systemd and no bridge, and what it makes is gone with the directory. Images are built on a
Debian that debootstrap makes, because no registry of images is asked here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from requirements import need

ROOT = Path(__file__).parents[2]
BASE = "localhost/debian:trixie-slim"
HARDENED = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
LOCAL = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--no-healthcheck")
"""What this machine needs besides: it may have lower limits than podman asks for, and nothing that runs timers."""


class Engine:
    """podman, below one directory."""

    def __init__(self, home: Path) -> None:
        self._home = home
        conf = home / "storage.conf"
        conf.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{home}/graph"\nrunroot = "{home}/run"\n')
        self._environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(conf)}

    @property
    def command(self) -> str:
        return "podman --runtime runc"

    @property
    def environment(self) -> dict[str, str]:
        return self._environment

    def ask(self, *arguments: str | Path, within: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command.split(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
            env=self._environment,
        )

    def __call__(self, *arguments: str | Path, within: float = 120) -> str:
        done = self.ask(*arguments, within=within)
        assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def build(self, target: str, **arguments: str) -> str:
        """Build a target of our Dockerfile, and return the image's name."""
        chosen = [f"--build-arg={name}={value}" for name, value in {"BASE": BASE, **arguments}.items()]
        image = f"localhost/restorecheck-{target}"
        self(
            "build", "--isolation=chroot", "--format=docker", "--layers", *chosen, *self._lent(), f"--target={target}",
            f"--tag={image}", ROOT, within=800,
        )  # fmt: skip
        return image

    def base(self) -> None:
        """Make a Debian to build on."""
        context = self._home / "base"
        context.mkdir()
        subprocess.run(
            ["debootstrap", "--variant=minbase", "trixie", context / "root"],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=400,
        )
        subprocess.run(["tar", "--numeric-owner", "-C", context / "root", "-cf", context / "root.tar", "."], check=True)
        shutil.rmtree(context / "root")
        (context / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        self("build", "--isolation=chroot", "--format=docker", f"--tag={BASE}", context, within=200)
        shutil.rmtree(context)

    def _lent(self) -> list[str]:
        """Return what lends the certificates that this machine trusts to pip, if it says which."""
        trusted = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        if not trusted:
            return []
        (self._home / "pip.conf").write_text("[global]\ncert = /run/lent.crt\n")
        return [f"--volume={trusted}:/run/lent.crt:ro", f"--volume={self._home}/pip.conf:/etc/pip.conf:ro"]

    @contextmanager
    def running(self, name: str, *options: str) -> Iterator[str]:
        """Run a container in the background; at the end it is removed, with its volumes."""
        try:
            self("run", "--detach", f"--name={name}", *LOCAL, *options)
            yield name
        finally:
            self.ask("rm", "--force", "--time=1", "--volumes", name)

    def inside(self, name: str, *command: str) -> str:
        return self("exec", name, *command)

    def python(self, name: str, text: str) -> str:
        return self.inside(name, "python", "-c", textwrap.dedent(text))

    def until(self, name: str, *command: str, within: float = 60) -> str:
        """Run a command in a container until it succeeds, and return what it printed."""
        end = time.monotonic() + within
        while (done := self.ask("exec", name, *command)).returncode:
            assert time.monotonic() < end, f"{command}: {done.stderr}\n{self.ask('logs', name)}"
            time.sleep(0.2)
        return done.stdout

    def stopped(self, name: str) -> tuple[int, float]:
        """Stop a container as an engine does, and return its exit code and the seconds that it took."""
        began = time.monotonic()
        self("stop", "--time=40", name)
        return int(self("inspect", "--format={{.State.ExitCode}}", name)), time.monotonic() - began


@contextmanager
def engine(home: Path) -> Iterator[Engine]:
    """Yield an engine below a directory, which is removed at the end."""
    need(os.geteuid() == 0, "images are built as root here")
    for program in ("podman", "runc", "debootstrap"):
        need(shutil.which(program), f"{program} is not installed")
    home.mkdir(parents=True)
    it = Engine(home)
    try:
        it.base()
        yield it
    finally:
        it.ask("rm", "--all", "--force", "--time=1")
        it.ask("volume", "prune", "--force")
        it.ask("rmi", "--all", "--force")
        subprocess.run(["umount", "-q", home / "graph" / "overlay"], check=False)
        shutil.rmtree(home, ignore_errors=True)
