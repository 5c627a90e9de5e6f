"""One process among those that run checks: who it is, that it lives, and who of the others does not any more.

On one machine the kernel is the witness: a replica holds a file lock for as long as it lives, however it ends. Over a
shared database it is the database's clock: a replica is heard of every `heartbeat`, and one that was not heard of for
`takeover` is dead. A replica that cannot make itself heard ends itself in half that time, before anybody takes its
runs, and begins nothing from then on (`lapsed`); so no step runs twice at once. The time of day of the machines plays
no part. On Lambda no process stays: all functions together are one replica of a fixed name, heard of at every tick.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import IO, Literal, Protocol

from restorecheck import __version__
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Replica

Role = Literal["serve", "run"]

FUNCTIONS = "lambda"
"""The name of all functions on Lambda together. No process has it: their names end in a number and eight digits."""

TICKING = timedelta(minutes=15)
"""For how long after a tick the functions are said to live."""

ABANDONED = timedelta(days=8)
"""After how long without a tick others may take the runs of the functions. Lambda goes on with executions whether or
not anybody ticks, so it is longer than any may last (docs/lambda.md): else a run would be run twice at once."""


class Register(Protocol):
    """What the store keeps of replicas."""

    def join(self, id: str, role: Role, host: str, pid: int, version: str) -> None:  # noqa: A002
        """Enter a replica."""

    def beat(self, id: str) -> bool:  # noqa: A002
        """Say that it lives; False: others took it for dead."""

    def all(self) -> list[Replica]:
        """Return all that are entered."""

    def bury(self, id: str, older_than: float) -> bool:  # noqa: A002
        """Strike out one that was not heard of for so many seconds."""

    def leave(self, id: str) -> None:  # noqa: A002
        """Strike it out."""


class Membership(Protocol):
    """How this process is one replica among others."""

    @property
    def id(self) -> str:
        """Its name; no other process ever has it."""

    def join(self, role: Role) -> None:
        """Enter the register, and stay in it."""

    def dead(self) -> list[str]:
        """Strike out those that do not live any more, and return their names."""

    def lapsed(self) -> bool:
        """Say that others may have what this one had: it must begin nothing any more, and never may again."""

    def leave(self) -> None:
        """Leave the register: what this one had is free."""


def elapsed() -> float:
    """Return seconds that only go forward, also while this process is stopped or its machine sleeps.

    What time.monotonic reads stands still while a machine is suspended. [man 2 clock_gettime, CLOCK_BOOTTIME]
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def new_name() -> str:
    """Return a name for this process that no other has or had."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")[:24] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


class LocalMembership:
    """A replica among the processes of one machine that share a state directory."""

    def __init__(self, register: Register, directory: Path) -> None:
        self.id, self._register, self._directory = new_name(), register, directory
        self._held: IO[str] | None = None

    def join(self, role: Role) -> None:
        """See Membership.join. The lock comes first: who is in the register and holds none is dead."""
        self._held = _locked(self._path(self.id))
        self._register.join(self.id, role, socket.gethostname(), os.getpid(), __version__)

    def dead(self) -> list[str]:
        """See Membership.dead."""
        found = []
        for replica in self._register.all():
            path = self._path(replica.id)
            if replica.id == self.id or (lock := _locked(path)) is None:
                continue
            self._register.leave(replica.id)
            path.unlink(missing_ok=True)
            lock.close()
            found.append(replica.id)
        return found

    def lapsed(self) -> bool:
        """See Membership.lapsed. A lock is held for as long as the process is there."""
        return False

    def leave(self) -> None:
        """See Membership.leave."""
        with contextlib.suppress(StoreError):
            self._register.leave(self.id)
        self._path(self.id).unlink(missing_ok=True)
        if self._held:
            self._held.close()

    def _path(self, name: str) -> Path:
        return self._directory / _lock_name(name)


def sole_service(directory: Path) -> IO[str]:
    """Hold the lock of the one service of a state directory. Raises RestorecheckError `config` if there is another."""
    held = _locked(directory / "serve.lock")
    if held is None:
        raise RestorecheckError(
            f"another `restorecheck serve` uses {directory.parent} already",
            'one is enough for a directory; for several, write state = "postgresql://…"',
            kind="config",
        )
    return held


class SharedMembership:
    """A replica among processes on many machines that share a database."""

    def __init__(
        self,
        register: Register,
        *,
        heartbeat: timedelta,
        takeover: timedelta,
        lost: Callable[[str], None],
        monotonic: Callable[[], float] = elapsed,
    ) -> None:
        """`lost` is called, once and from a thread of ours, when this process must not go on; it must end it."""
        self.id, self._register = new_name(), register
        self._heartbeat, self._takeover = heartbeat.total_seconds(), takeover.total_seconds()
        self._lost, self._monotonic, self._ending = lost, monotonic, threading.Lock()
        self._heard, self._left = -math.inf, threading.Event()

    def join(self, role: Role) -> None:
        """See Membership.join."""
        asked = self._monotonic()  # from before the call: what counts is when the database may have heard us at most
        self._register.join(self.id, role, socket.gethostname(), os.getpid(), __version__)
        self._heard = asked
        for body in (self._beat, self._watch):
            threading.Thread(target=body, name=f"replica{body.__name__}", daemon=True).start()

    def dead(self) -> list[str]:
        """See Membership.dead."""
        return _buried(self._register, self.id, self._takeover)

    def lapsed(self) -> bool:
        """See Membership.lapsed. Asks nobody, so it may be asked before every call."""
        return self._monotonic() - self._heard > self._takeover / 2

    def leave(self) -> None:
        """See Membership.leave."""
        self._left.set()
        with contextlib.suppress(StoreError):
            self._register.leave(self.id)

    def _beat(self) -> None:
        while not self._left.wait(self._heartbeat):
            asked = self._monotonic()
            try:
                known = self._register.beat(self.id)
            except StoreError:  # the watch knows for how long this may go on
                continue
            if not known and not self._left.is_set():
                self._give_up("the others took this process for dead")
                return
            if self.lapsed():  # also if it is heard again now: what it did not begin meanwhile would never go on
                self._give_up(self._silence())
                return
            self._heard = asked

    def _watch(self) -> None:
        """Apart from the beat, which may hang in a call to a database that does not answer."""
        while not self._left.wait(min(self._heartbeat, 1.0)):
            if self.lapsed():
                self._give_up(self._silence())
                return

    def _silence(self) -> str:
        return f"the store was not reached for {self._monotonic() - self._heard:.0f} s"

    def _give_up(self, why: str) -> None:
        with self._ending:  # the beat and the watch may find it at the same moment
            if self._left.is_set():
                return
            self._left.set()
        self._heard = -math.inf
        self._lost(why)


class FunctionMembership:
    """All functions on Lambda together, as one replica: who ticks enters again, and nobody ever leaves.

    Two ticks at once are the same replica, which is as it should be: what they begin is named after its run, and Lambda
    begins nothing twice under one name.
    """

    id = FUNCTIONS

    def __init__(self, register: Register, takeover: timedelta) -> None:
        self._register, self._takeover = register, takeover.total_seconds()

    def join(self, role: Role) -> None:
        """See Membership.join. This is its heartbeat, too."""
        self._register.join(self.id, role, "aws-lambda", 0, __version__)

    def dead(self) -> list[str]:
        """See Membership.dead."""
        return _buried(self._register, self.id, self._takeover)

    def lapsed(self) -> bool:
        """See Membership.lapsed. A tick is over long before that."""
        return False

    def leave(self) -> None:
        """See Membership.leave. Its executions go on, so it stays."""


def living(replicas: Iterable[Replica], directory: Path | None, takeover: timedelta) -> list[Replica]:
    """Return those of the register that live, as their witness says it, and strike out nobody.

    `directory` holds the locks of the processes of one machine; None: they share a database.
    """
    if directory is None:
        return [replica for replica in replicas if replica.seconds <= _silence(replica.id, takeover, TICKING)]
    return [replica for replica in replicas if _is_held(directory / _lock_name(replica.id))]


def _buried(register: Register, me: str, takeover: float) -> list[str]:
    """Strike out who was not heard of for too long, and return their names."""
    allowed = [(r, _silence(r.id, timedelta(seconds=takeover), ABANDONED)) for r in register.all() if r.id != me]
    return [r.id for r, most in allowed if r.seconds > most and register.bury(r.id, most)]


def _silence(name: str, takeover: timedelta, functions: timedelta) -> float:
    return (functions if name == FUNCTIONS else takeover).total_seconds()


def _lock_name(name: str) -> str:
    return f"replica-{name}.lock"


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    if (lock := _locked(path)) is None:
        return True
    lock.close()
    return False


def _locked(path: Path) -> IO[str] | None:
    """Hold a lock until the file is closed or this process ends, however it ends; None: somebody else holds it."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
