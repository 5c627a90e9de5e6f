"""`restorecheck serve` with a witness of every step and every call that it really makes. A program of its own.

WITNESS names the file; its lines are `event|life|run|step|monotonic`, a life being one process until it ends or begins
anew. OWN: by how many seconds this process's time of day is wrong. HOLD: a file with `step|before` or
`step|unrecorded`; whoever comes there first removes it, says `held`, and stays there until the file of that name and
`.go` is there. LATE_END: so many seconds pass between being lost and beginning anew.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from restorecheck import logs
from restorecheck.durable import Json
from restorecheck.engines import dbos
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.service import serve, serving

T = TypeVar("T")
LIFE = f"{os.getpid()}-{secrets.token_hex(3)}"
WITNESS = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
HOLD = Path(os.environ.get("HOLD", "/nowhere"))


class OffClock(WallClock):
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(os.environ.get("OWN", "0")))


def tell(event: str, run: str = "-", step: str = "-") -> None:
    """One line is one write, so lines of several processes do not mix."""
    os.write(WITNESS, f"{event}|{LIFE}|{run}|{step}|{time.monotonic()}\n".encode())


async def hold(run: str, step: str, edge: str) -> None:
    try:
        if HOLD.read_text() != f"{step}|{edge}":
            return
        HOLD.unlink()
    except FileNotFoundError:
        return
    tell("held", run, step)
    while not HOLD.with_suffix(".go").exists():
        await asyncio.sleep(0.02)


class Witnessed(dbos.DbosDurable):
    _step = "-"

    async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        ran = False

        async def seen() -> Json:
            nonlocal ran
            ran, self._step = True, name
            tell("started", self.run_id, name)
            await hold(self.run_id, name, "before")
            envelope = await act()
            await hold(self.run_id, name, "unrecorded")
            return envelope

        envelope = await super()._record(name, seen)
        if ran:
            tell("finished", self.run_id, name)
        return envelope

    async def _call(self, fn: Callable[[], T]) -> T:
        step = self._step

        def seen() -> T:
            tell("called", self.run_id, step)
            return fn()

        return await super()._call(seen)


class Lingering(serving.Service):
    def _begin_anew(self, why: str) -> NoReturn:
        tell("lost")
        time.sleep(float(os.environ.get("LATE_END", "0")))
        super()._begin_anew(why)


def main() -> None:
    tell("born")
    dbos.DbosDurable = Witnessed  # type: ignore[misc]  # in this process, which is there for nothing else
    serving.Service = Lingering  # type: ignore[misc]  # as above
    told: Any = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    logs.configure(fmt="json")
    try:
        code = serve(Path("config.toml"), clock=OffClock(), listen=told["--listen"])
    except RestorecheckError as e:
        logs.get("service").error("service.failed", why=e.message)
        code = 2
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
