"""The port to a durable engine: steps that are recorded, waits that begin again, failures that travel as data.

An engine runs `perform` inside its own recorded step and hands the envelope to `unwrap`; so values always cross as
JSON and a failure always arrives as `StepFailedError`, whichever engine runs. This module imports no engine, reads no
clock of its own and never touches AWS.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter

from restorecheck.errors import RestorecheckError, StepFailedError
from restorecheck.model import Phase

T = TypeVar("T")
Json = Any


class Clock(Protocol):
    """Time as a dependency. Real engines use the wall; tests use one that skips."""

    def now(self) -> datetime:
        """Return the time, in UTC, aware."""

    def monotonic(self) -> float:
        """Return seconds that only go forward, whoever sets the clock on the wall."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class Listener(Protocol):
    """Somebody who watches a run. Called from inside the run; must not raise and must not block."""

    def started(self, run_id: str, step: str) -> None:
        """Tell that a step really begins to run (never called for a step that is replayed)."""

    def looked(self, run_id: str, step: str, status: str) -> None:
        """Tell what a wait saw, as AWS words it."""

    def finished(self, run_id: str, step: str, failed: str) -> None:
        """Tell that a step is recorded; `failed` is its message, or empty."""


class Silence:
    """The listener that does nothing."""

    def started(self, run_id: str, step: str) -> None:
        """Do nothing."""

    def looked(self, run_id: str, step: str, status: str) -> None:
        """Do nothing."""

    def finished(self, run_id: str, step: str, failed: str) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at something that takes time saw. `status` is shown to whoever watches.

    `again` says that the look itself did a piece of the work, and that the next piece can be done at once.
    """

    done: bool
    status: str
    again: bool = False


class Durable(Protocol):
    """What the workflow asks of an engine. Steps are awaited, so that a run that waits holds no thread."""

    @property
    def run_id(self) -> str:
        """The name of this run; the same on every replay."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Every recorded step so far, with its recorded times: deterministic on replay."""

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
        """Run `fn` once, record its value and return it; on replay return the record without running it.

        `fn` may block, and may run again if the process died before the record was written, so it must adopt what it
        made. `attempts` counts only errors that say they are retryable. With `by` the step belongs to the way there: it
        does not begin after that time, or once the run is cancelled; without, nothing keeps it from running. `abandon`
        is for what only reads: then a cancel or `by` ends the step while `fn` is still busy, and nobody waits for it.
        Raises StepFailedError, also on replay; its kind is `deadline`, `cancelled`, or the error's own.
        """

    async def until(
        self,
        name: str,
        probe: Callable[[], Look],
        every: timedelta,
        at_most: timedelta,
        *,
        by: datetime | None = None,
    ) -> None:
        """Look again and again until the probe is done, as one recorded step.

        The deadline counts from the recorded end of the step before, so a restart does not extend it; after a restart
        one last look is always taken. `by` is the end of the whole way there, and makes the wait hear a cancel.
        Retryable errors of the probe count as "not yet". Raises StepFailedError with kind `deadline`, `cancelled`, or
        the probe's own.
        """


# --- what engines share -----------------------------------------------------------------------------------------


@cache
def _adapter(of: Any) -> TypeAdapter[Any]:
    return TypeAdapter(of)


def encode(value: Any, of: Any) -> Json:
    """Turn a value of the model into plain JSON data. Raises for a value of another type, instead of guessing."""
    return _adapter(of).dump_python(value, mode="json", warnings="error")


def decode(data: Json, of: Any) -> Any:
    """Turn JSON data back into the value that `encode` was given."""
    return _adapter(of).validate_python(data)


async def perform(
    act: Callable[[], Awaitable[T]], of: type[T], clock: Clock, heed: Callable[[], None], attempts: int = 1
) -> Json:
    """Await `act` and return an envelope of JSON: its value or its failure, and when it started and ended.

    `heed` is called before every attempt and raises if there shall be none. How long it took is measured by the clock
    that only goes forward: somebody who sets the time of day must not make a restore fast.
    """
    started, began = clock.now(), clock.monotonic()
    for attempt in range(1, attempts + 1):
        try:
            heed()
            outcome: dict[str, Json] = {"value": encode(await act(), of)}
            break
        except RestorecheckError as e:
            outcome = {"failed": {"kind": e.kind, "message": e.message, "hint": e.hint}}
            if not e.retryable or attempt == attempts:
                break
            await clock.sleep(min(2.0**attempt, 30.0))
        except Exception as e:  # noqa: BLE001 - a bug of ours must end in a verdict and a teardown, not in a stuck run
            outcome = {"failed": {"kind": "internal", "message": bug(e), "hint": ""}}
            break
    ended = started + timedelta(seconds=clock.monotonic() - began)
    return {**outcome, "started": started.isoformat(), "ended": ended.isoformat()}


def bug(error: BaseException) -> str:
    """Name an error that nobody foresaw, and the place that raised it.

    Not its text: what a library says of a row that it could not read may be the row.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "restorecheck" in frame.filename]
    where = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{where}"


def unwrap(name: str, envelope: Json, of: type[T]) -> T:
    """Return the value in an envelope, or raise the failure in it."""
    if failed := envelope.get("failed"):
        raise StepFailedError(name, failed["kind"], failed["message"], failed["hint"])
    value: T = decode(envelope["value"], of)
    return value


def phase_of(name: str, envelope: Json) -> Phase:
    """Return when the step in an envelope ran."""
    return Phase(name, datetime.fromisoformat(envelope["started"]), datetime.fromisoformat(envelope["ended"]))


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a wait may go on: until which time, how long in all, how often to look."""

    every: timedelta
    at_most: timedelta
    deadline: datetime
    why: str = "the time allowed for this ran out"

    def left(self, now: datetime) -> float:
        """Return the seconds that are left; never more than `at_most`, whatever became of the clock meanwhile."""
        return min(max((self.deadline - now).total_seconds(), 0.0), self.at_most.total_seconds())


def waiting(ended: datetime, every: timedelta, at_most: timedelta, by: datetime | None) -> Wait:
    """Return the wait that begins where the step before ended, and lasts no longer than the way there may."""
    if by is not None and by < ended + at_most:
        return Wait(every, at_most, by, "the time allowed for the whole run ran out")
    return Wait(every, at_most, ended + at_most)


async def poll(
    look: Callable[[], Awaitable[Look]],
    wait: Wait,
    clock: Clock,
    *,
    heed: Callable[[], None],
    nap: Callable[[float], Awaitable[None]],
    saw: Callable[[str], None],
) -> None:
    """Look until done. Raises RestorecheckError of kind `deadline`, what `heed` raises, or what the look raised."""
    left, began = wait.left(clock.now()), clock.monotonic()
    while True:
        heed()
        try:
            seen = await look()
        except RestorecheckError as e:
            if not e.retryable:
                raise
            seen = Look(done=False, status=e.message)
        saw(seen.status)
        if seen.done:
            return
        rest = left - (clock.monotonic() - began)
        if rest <= 0:
            raise RestorecheckError(f"{wait.why}; last seen: {seen.status}", kind="deadline")
        await nap(0.0 if seen.again else min(wait.every.total_seconds(), rest))
