"""A wait that lasts for several invocations: what is recorded of it between two of them, and one round of looks.

The state is plain JSON: when the first look was taken, and in the end the envelope of the whole wait. A round looks
until it is done, or until the next look is better taken in another invocation. Knows no SDK, and sleeps nowhere.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from restorecheck.durable import Clock, Json, Look, Wait, perform, poll
from restorecheck.engines.inline import HEARS
from restorecheck.engines.invocation import Invocation, beside
from restorecheck.errors import RestorecheckError
from restorecheck.model.invocations import LARGEST, OPERATIONS, RESERVE

RARELY = 10
"""Once the reserve is all that is left, a wait of the way back looks so many times more rarely."""

ELSEWHERE = "ask for less, or run this check in the container, which has no such limit"

LAST = timedelta(hours=1)
"""How long the last look may be tried: an invocation that dies in it is made again at once, and without end."""

UNSEEN: Json = {"began": None, "afresh": False, "overran": False, "last": None, "nap": 1, "envelope": None}
"""The state of a wait before its first look."""


class _Nap(BaseException):
    """The wait goes on in another invocation. No Exception, so that nobody takes it for the failure of a look."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = max(1, math.ceil(seconds))  # AWS knows whole seconds, and no zero


class _Overran(BaseException):
    """A look was still busy when the invocation came to its end."""


@dataclass
class Rounds:
    """One wait, as far as this invocation sees it."""

    wait: Wait
    invocation: Invocation
    clock: Clock
    forward: bool  # a wait of the way there: it may be given up
    used: int  # operations of this run before the wait
    heed: Callable[[], None]
    started: Callable[[], None]
    saw: Callable[[str], None]
    overran: bool = False  # in this invocation: a thread is still busy
    _attempt: int = 0

    def round(self, state: Json, attempt: int, probe: Callable[[], Look]) -> Json:
        """Look until done, or until it is time for another invocation, and return the next state. Never raises."""
        self._attempt = attempt
        if state["overran"]:
            return self._ended(state, _late(self.clock.now()))
        if not state["afresh"] and not self.invocation.roomy:
            return {**state, "afresh": True, "nap": 1}
        now = self.clock.now()
        if self.wait.left(now) <= 0:
            last = self._last(state)
            if last is None:  # late: recorded before it is taken, for a look that kills its process records nothing
                return {**state, "last": now.isoformat(), "nap": 1}
            if now - last > LAST:
                return self._ended(state, _unseen(now))
        if state["began"] is None:
            self.started()
            state = {**state, "began": now.isoformat()}
        try:
            envelope = asyncio.run(perform(lambda: self._looking(probe), type(None), self.clock, _nothing))
        except _Nap as e:
            then = self.clock.now() + timedelta(seconds=e.seconds)
            tried = then.isoformat() if self.wait.left(then) <= 0 else None
            return {**state, "afresh": False, "last": tried, "nap": e.seconds}
        except _Overran:
            self.overran = True
            return {**state, "overran": True, "nap": 1}
        return self._ended(state, fitting(envelope))

    def _last(self, state: Json) -> datetime | None:
        """Return since when the last look is tried; None: not yet.

        Where a process died in a look, the state may be gone too (it is, in the SDK's local runner), but not the count.
        """
        if state == UNSEEN and self._attempt > 1:
            return self.wait.deadline
        return datetime.fromisoformat(state["last"]) if state["last"] else None

    async def _looking(self, probe: Callable[[], Look]) -> None:
        async def look() -> Look:
            return await self._watched(probe)

        await poll(look, self.wait, self.clock, heed=self.heed, nap=self._nap, saw=self.saw)

    async def _watched(self, probe: Callable[[], Look]) -> Look:
        task = beside(probe)
        while not task.done():
            await moment(task, self.invocation)
            if not task.done() and self.invocation.left <= 0:
                task.cancel()
                raise _Overran
        return task.result()

    async def _nap(self, seconds: float) -> None:
        if not seconds and self.invocation.roomy:
            return
        if self.used + self._attempt >= OPERATIONS - RESERVE:
            if self.forward:
                raise _too_often(self._attempt)
            seconds = max(self.wait.every.total_seconds(), 1.0) * RARELY
        raise _Nap(seconds)

    def _ended(self, state: Json, envelope: Json) -> Json:
        began = state["began"] or envelope["started"]
        # on another machine the time of day may be a little earlier: no wait took less than no time
        ended = max(began, envelope["ended"], key=datetime.fromisoformat)
        return {**state, "envelope": {**envelope, "started": began, "ended": ended, "operations": self._attempt + 1}}


async def moment(task: asyncio.Future[Any], invocation: Invocation) -> None:
    """Wait until a task is done, but no longer than a cancel may go unheard and this invocation goes on."""
    await asyncio.wait({task}, timeout=min(HEARS, max(invocation.left, 0.0)))


def failure(kind: str, message: str, hint: str, at: datetime) -> dict[str, Json]:
    """Return the envelope of a failure that took no time."""
    failed = {"kind": kind, "message": message, "hint": hint}
    return {"failed": failed, "started": at.isoformat(), "ended": at.isoformat()}


def fitting(envelope: Json) -> Json:
    """Return an envelope that can be recorded: this one, or one that says that it is too large."""
    size = len(json.dumps(envelope)) + 200  # what is added to it
    if size <= LARGEST:
        return envelope
    message = f"the result of this step has {size:,} bytes, and one record of Lambda holds {LARGEST:,}"
    said = {"kind": "limit", "message": message, "hint": ELSEWHERE}
    return {"failed": said, "started": envelope["started"], "ended": envelope["ended"]}


def _late(at: datetime) -> Json:
    message = "one look took longer than an invocation of Lambda, which has 15 minutes at most"
    return failure("deadline", message, ELSEWHERE, at)


def _unseen(at: datetime) -> Json:
    message = f"the time allowed for this ran out, and for {LAST} no look came to its end: they end their invocations"
    return failure("deadline", message, f"look at the function's log; give it more memory, {ELSEWHERE}", at)


def _too_often(looks: int) -> RestorecheckError:
    return RestorecheckError(
        f"after {looks:,} looks, nearly all of the {OPERATIONS:,} operations that Lambda allows a run are used up",
        "write a longer limits.poll; `restorecheck check-config --target lambda` says which",
        kind="deadline",
    )


def _nothing() -> None:
    """Heed nobody."""
