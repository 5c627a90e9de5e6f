"""The engine without records: runs by hand, and the reference that the others must agree with.

Also holds what every engine does around its own recording: `RecordingDurable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from restorecheck.durable import (
    Clock,
    Json,
    Listener,
    Look,
    Silence,
    perform,
    phase_of,
    poll,
    unwrap,
    waiting,
)
from restorecheck.errors import RestorecheckError, StepFailedError
from restorecheck.model import Phase

T = TypeVar("T")

HEARS = 1.0
"""Seconds after which a cancel is heard at the latest."""


def never() -> bool:
    """Say that nobody cancelled."""
    return False


class RecordingDurable:
    """A Durable over one function that runs something once and remembers what it returned: `_record`."""

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        listener: Listener | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._run_id, self._clock, self._cancelled = run_id, clock, cancelled
        self._listener: Listener = listener or Silence()
        self._phases: list[Phase] = []

    async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        """Return the recorded envelope of this step, or act and record. An engine overrides this."""
        del name
        return await act()

    async def _call(self, fn: Callable[[], T]) -> T:
        """Run what may block. An engine with other runs to go on with gives it a thread."""
        return fn()

    @property
    def run_id(self) -> str:
        """The name of this run."""
        return self._run_id

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Every recorded step so far."""
        return tuple(self._phases)

    async def step(
        self,
        name: str,
        fn: Callable[[], T],
        of: type[T],
        attempts: int = 1,
        *,
        by: datetime | None = None,
        abandon: bool = False,
    ) -> T:
        """See Durable.step."""

        async def act() -> Json:
            self._listener.started(self._run_id, name)
            return await perform(call, of, self._clock, lambda: self._heed(by), attempts)

        async def call() -> T:
            return await (self._abandonable(fn, by) if abandon else self._call(fn))

        return await self._kept(name, act, of)

    async def until(
        self,
        name: str,
        probe: Callable[[], Look],
        every: timedelta,
        at_most: timedelta,
        *,
        by: datetime | None = None,
    ) -> None:
        """See Durable.until."""
        wait = waiting(self._phases[-1].ended, every, at_most, by)
        forward = by is not None

        async def look() -> Look:
            return await self._call(probe)

        async def act() -> Json:
            self._listener.started(self._run_id, name)
            return await perform(looking, type(None), self._clock, _nothing)

        async def looking() -> None:
            heed = self._heed_cancel if forward else _nothing
            nap = partial(self._nap, forward=forward)
            await poll(look, wait, self._clock, heed=heed, nap=nap, saw=saw)

        def saw(status: str) -> None:
            self._listener.looked(self._run_id, name, status)

        await self._kept(name, act, type(None))

    async def _kept(self, name: str, act: Callable[[], Awaitable[Json]], of: type[T]) -> T:
        return self._taken(name, await self._record(name, act), of)

    def _taken(self, name: str, envelope: Json, of: type[T]) -> T:
        """Take a recorded envelope as what came of a step."""
        self._phases.append(phase_of(name, envelope))
        try:
            value = unwrap(name, envelope, of)
        except StepFailedError as e:
            self._listener.finished(self._run_id, name, e.message)
            raise
        self._listener.finished(self._run_id, name, "")
        return value

    def _heed(self, by: datetime | None) -> None:
        if by is None:  # a way back: nothing keeps it from being gone
            return
        self._heed_cancel()
        if self._clock.now() > by:
            raise RestorecheckError("the time allowed for the whole run ran out", kind="deadline")

    def _heed_cancel(self) -> None:
        if self._cancelled():
            raise RestorecheckError("the run was cancelled", kind="cancelled")

    async def _nap(self, seconds: float, *, forward: bool) -> None:
        """Sleep, and wake up for a cancel."""
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0 and not (forward and self._cancelled()):
            await self._clock.sleep(min(left, HEARS))

    async def _abandonable(self, fn: Callable[[], T], by: datetime | None) -> T:
        task = asyncio.ensure_future(self._call(fn))
        while not task.done():
            await asyncio.wait({task}, timeout=HEARS)
            if not task.done():
                try:
                    self._heed(by)
                except RestorecheckError:
                    task.add_done_callback(_forget)
                    raise
        return task.result()


class InlineDurable(RecordingDurable):
    """Runs every step at once and keeps nothing: a crash leaves a teardown to the sweep."""


def _nothing() -> None:
    """Heed nobody."""


def _forget(task: asyncio.Future[T]) -> None:
    if not task.cancelled():
        task.exception()  # asked for, so that nobody complains that it was not
