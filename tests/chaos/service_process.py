"""`restorecheck serve` on a clock that skips, with a witness of every step that it really runs. A program of its own.

CLOCK names the file that holds by how many seconds its time of day is ahead, OWN how many more this process is wrong;
every step that begins to run, every one that is recorded, and every refusal of the fence is a line in the file WITNESS.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from restorecheck import logs
from restorecheck.durable import Json
from restorecheck.engines import dbos
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RefusedError, RestorecheckError
from restorecheck.service import serve

AGAIN = 0.05
"""Seconds for which what the file said is believed."""


class FileClock(WallClock):
    """The wall clock, as far off as a file says. What only goes forward is not touched."""

    def __init__(self, path: Path, own: float = 0.0) -> None:
        self._path, self._own = path, timedelta(seconds=own)
        self._offset, self._read = timedelta(0), -AGAIN

    def now(self) -> datetime:
        """Return the time that this process believes in."""
        at = self.monotonic()
        if at - self._read >= AGAIN:
            self._offset, self._read = timedelta(seconds=float(self._path.read_text())), at
        return datetime.now(UTC) + self._offset + self._own


class Witness:
    """Writes what this life of the process does; one line is one write, so lines of several processes do not mix."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._life = f"{os.getpid()}-{secrets.token_hex(3)}"  # a process that begins anew keeps its id

    def tell(self, event: str, run_id: str = "-", step: str = "-") -> None:
        os.write(self._file, f"{event}|{self._life}|{run_id}|{step}\n".encode())


def witnessed(witness: Witness) -> type[dbos.DbosDurable]:
    """Return the Durable of the engine with a witness around its one record of a step."""

    class Witnessed(dbos.DbosDurable):
        async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
            ran = False

            async def seen() -> Json:
                nonlocal ran
                ran = True
                witness.tell("started", self.run_id, name)
                return await act()

            try:
                envelope = await super()._record(name, seen)
            except BaseException:
                witness.tell("broke", self.run_id, name)  # it was not recorded, and is begun again
                raise
            if ran:
                witness.tell("finished", self.run_id, name)
            return envelope

    return Witnessed


def refusing(witness: Witness) -> Callable[..., None]:
    """Return the beginning of a RefusedError that is told to a witness, whoever catches it."""
    before = RefusedError.__init__

    def begin(self: RefusedError, message: str, *more: object, **named: object) -> None:
        witness.tell("refused", " ".join(message.replace("|", "/").split()))
        before(self, message, *more, **named)  # type: ignore[arg-type]  # whatever it is, it is passed on

    return begin


def main() -> None:
    """Serve, as the command does."""
    witness = Witness(Path(os.environ["WITNESS"]))
    RefusedError.__init__ = refusing(witness)  # type: ignore[method-assign]  # as below
    witness.tell("born")
    dbos.DbosDurable = witnessed(witness)  # type: ignore[misc]  # in this process, which is there for nothing else
    logs.configure(fmt="json")
    clock = FileClock(Path(os.environ["CLOCK"]), float(os.environ.get("OWN", "0")))
    try:
        code = serve(Path(sys.argv[1]), clock=clock, listen="127.0.0.1:0")
    except RestorecheckError as e:
        logs.get("service").error("service.failed", why=e.message)
        code = 2
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
