"""A `restorecheck run` that kills itself with SIGKILL at one edge of one step: DIE_AT="step|before|unrecorded|after".

Run as a script in place of the command line; without DIE_AT it is the plain command. Every step that really runs, and
every one that is recorded, is written to the file WITNESS.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

from restorecheck.cli import main
from restorecheck.durable import Json
from restorecheck.engines import dbos

STEP, _, EDGE = os.environ.get("DIE_AT", "").partition("|")
WITNESS = Path(os.environ["WITNESS"])


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def tell(event: str, step: str) -> None:
    with WITNESS.open("a") as file:
        file.write(f"{event} {step}\n")
        file.flush()
        os.fsync(file.fileno())


class Mortal(dbos.DbosDurable):
    async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        if (name, EDGE) == (STEP, "before"):
            die()

        async def witnessed() -> Json:
            tell("ran", name)
            envelope = await act()
            if (name, EDGE) == (STEP, "unrecorded"):
                die()
            return envelope

        envelope = await super()._record(name, witnessed)
        tell("recorded", name)
        if (name, EDGE) == (STEP, "after"):
            die()
        return envelope


dbos.DbosDurable = Mortal  # type: ignore[misc] - in this process, whose only purpose it is to die
sys.argv[0] = "restorecheck"
main()
