"""A directory for one scratch server, with a guardian: when this process is gone, however it went, so are both.

The guardian is a small process of its own (`guardian_process.py`) that holds a pipe from us and a lock in it.
A directory whose lock nobody holds is a dead process's leavings; `sweep` removes those and never anything else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from restorecheck.errors import SourceError

PREFIX = "restorecheck-scratch-"
"""How the name of every directory begins that is made, or removed, here."""

_PROGRAM = Path(__file__).with_name("guardian_process.py")
_LOCK = "guardian.lock"
_GATE = ".restorecheck-scratch.lock"  # held while a directory is made, and while directories are swept


@dataclass(frozen=True, slots=True)
class Account:
    """The user that programs run as; negative: ourselves."""

    user: int = -1
    group: int = -1

    def give(self, path: Path) -> None:
        """Make the user the owner of a path."""
        if self.user >= 0:
            os.chown(path, self.user, self.group)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and the last of what it wrote."""

    code: int
    words: str


def bound(command: Sequence[str], account: Account | None = None) -> list[str]:
    """Return a command that runs `command` and dies with the thread that started it, even when we are killed."""
    account = account or Account()
    numbers = [str(n) for n in (os.getpid(), account.user, account.group)]
    return [sys.executable, "-I", "-S", str(_PROGRAM), "bind", *numbers, *command]


class Guarded:
    """A new directory below `inside`, and the guardian that runs one program, or one server, in it at a time."""

    def __init__(self, inside: Path, account: Account, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.account = account
        self._monotonic = monotonic
        self._heard = b""
        self._replies: list[dict[str, Any]] = []
        inside.mkdir(parents=True, exist_ok=True)
        self.directory = inside.resolve() / f"{PREFIX}{secrets.token_hex(6)}"
        with _gate(inside):
            self.directory.mkdir(mode=0o700)
            lock = os.open(self.directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                account.give(self.directory)
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-I", "-S", str(_PROGRAM), "guard", str(lock), str(self.directory)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[lock],  # the lock lives as long as any process has it open
                    env={"LC_ALL": "C"},
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for the service, which then closes the pipe in order
                )
            finally:
                os.close(lock)
        self._ordering = cast("IO[bytes]", self._process.stdin)
        self._replying = cast("IO[bytes]", self._process.stdout)

    @property
    def log(self) -> Path:
        """What the server wrote, its first mebibyte."""
        return self.directory / "log"

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        within: float,
        stop: Callable[[], bool] = lambda: False,
    ) -> Ended:
        """Run a program to its end. Raises SourceError `deadline` (seconds), `cancelled`; then close this."""
        self._order(command, environment, serve=False, signal=9)
        until = self._monotonic() + within
        while (ended := self.ended(0.1)) is None:
            if stop():
                raise SourceError(f"stopped while {Path(command[0]).name} ran", kind="cancelled")
            if self._monotonic() > until:
                raise SourceError(f"{Path(command[0]).name} took longer than {within:.0f} s", kind="deadline")
        return ended

    def serve(self, command: Sequence[str], environment: Mapping[str, str], signal: int) -> None:
        """Start a server; `signal` is what makes it stop at once. What it writes goes to `log`."""
        self._order(command, environment, serve=True, signal=signal)

    def ended(self, seconds: float = 0.0) -> Ended | None:
        """Wait so long for what runs to end; None: it still runs. Raises SourceError if the guardian itself is gone."""
        until = self._monotonic() + seconds
        while True:
            for reply in self._replies:
                if "ended" in reply:
                    self._replies.clear()
                    return Ended(reply["ended"], reply["words"])
            left = until - self._monotonic()
            try:
                if not select.select([self._replying], [], [], max(left, 0.0))[0]:
                    return None
                data = os.read(self._replying.fileno(), 65536)
            except (OSError, ValueError):
                raise SourceError("the scratch server was closed", kind="cancelled") from None
            if not data:
                raise SourceError("the guardian of the scratch server is gone", kind="interfered")
            *lines, self._heard = (self._heard + data).split(b"\n")
            self._replies += [json.loads(line) for line in lines]

    def close(self) -> None:
        """Stop what runs and remove the directory; may be called again."""
        process = self._process
        for pipe in (self._ordering, self._replying):
            with contextlib.suppress(OSError):
                pipe.close()
        process.wait()
        if self.directory.exists():  # the guardian was killed: what it did not do
            sweep(self.directory.parent, only=self.directory.name)

    def _order(self, command: Sequence[str], environment: Mapping[str, str], *, serve: bool, signal: int) -> None:
        order = {
            "command": list(command),
            "environment": dict(environment),
            "serve": serve,
            "signal": signal,
            "user": self.account.user,
            "group": self.account.group,
        }
        self._replies.clear()
        try:
            os.write(self._ordering.fileno(), json.dumps(order).encode() + b"\n")
        except (OSError, ValueError):
            raise SourceError("the guardian of the scratch server is gone", kind="interfered") from None


def sweep(inside: Path, *, only: str | None = None) -> list[str]:
    """Remove the directories below `inside` whose guardian is dead, and return their names.

    A directory is ours by its name, its owner and the lock in it; a link is never followed. A server that outlived its
    guardian is stopped first: by the id in its data directory, and only if that process really works there.
    """
    removed: list[str] = []
    if not inside.is_dir():
        return removed
    with _gate(inside):
        for path in sorted(inside.glob(f"{PREFIX}*")):
            if path.is_symlink() or not path.is_dir() or (only is not None and path.name != only):
                continue
            if path.stat().st_uid not in (os.geteuid(), *((65534,) if os.geteuid() == 0 else ())):
                continue
            with _abandoned(path) as dead:
                if dead:
                    _stop_server(path)
                    shutil.rmtree(path, ignore_errors=True)
                    removed.append(path.name)
    return removed


@contextlib.contextmanager
def _gate(inside: Path) -> Iterator[None]:
    gate = os.open(inside / _GATE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Say whether nobody holds the lock of a directory; inside, we do."""
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:  # made, and its maker died before the lock; or half removed
        yield set(os.listdir(path)) <= {"log"}
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def _stop_server(path: Path) -> None:
    """Kill a server that works in a directory and lost its guardian; by its id, after a look at where it works."""
    for file in (path / "data" / "postmaster.pid", path / "data" / "server.pid"):
        try:
            pid = int(file.read_text().split("\n")[0])
            works = Path(os.readlink(f"/proc/{pid}/cwd"))
        except (OSError, ValueError):
            continue
        if works.is_relative_to(path.resolve()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
