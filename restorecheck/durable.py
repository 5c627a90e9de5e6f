"""The port to a durable engine: steps that are recorded, waits that begin again, failures that travel as data.

An engine runs `perform` inside its own recorded step and hands the envelope to `unwrap`; so values always cross as
JSON and a failure always arrives as `StepFailedError`, whichever engine runs. This module imports no engine, reads no
clock of its own and never touches AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
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

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or earlier when a cancel was asked for."""


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
    """What one look at something that takes time saw. `status` is shown to whoever watches."""

    done: bool
    status: str


class Durable(Protocol):
    """What the workflow asks of an engine."""

    @property
    def run_id(self) -> str:
        """The name of this run; the same on every replay."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Every recorded step so far, with its recorded times: deterministic on replay."""

    def step(self, name: str, fn: Callable[[], T], of: type[T], attempts: int = 1) -> T:
        """Run `fn` once, record its value and return it; on replay return the record without running it.

        `fn` may run again if the process died before the record was written, so it must adopt what it made.
        Raises StepFailedError, also on replay. `attempts` counts only errors that say they are retryable.
        """

    def until(
        self,
        name: str,
        probe: Callable[[], Look],
        every: timedelta,
        at_most: timedelta,
        *,
        heed_cancel: bool = True,
    ) -> None:
        """Look again and again until the probe is done, as one recorded step.

        The deadline counts from the recorded end of the step before, so a restart does not extend it; after a restart
        one last look is always taken. Retryable errors of the probe count as "not yet". Raises StepFailedError with
        kind `deadline`, `cancelled`, or the probe's own.
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


def perform(fn: Callable[[], T], of: type[T], clock: Clock, attempts: int = 1) -> Json:
    """Run `fn` and return an envelope of JSON: its value or its failure, and when it started and ended."""
    started = clock.now()
    for attempt in range(1, attempts + 1):
        try:
            outcome: dict[str, Json] = {"value": encode(fn(), of)}
            break
        except RestorecheckError as e:
            outcome = {"failed": {"kind": e.kind, "message": e.message, "hint": e.hint}}
            if not e.retryable or attempt == attempts:
                break
            clock.wait(min(2.0**attempt, 30.0))
        except Exception as e:  # noqa: BLE001 - a bug of ours must end in a verdict and a teardown, not in a stuck run
            outcome = {"failed": {"kind": "internal", "message": f"{type(e).__name__}: {e}", "hint": ""}}
            break
    return {**outcome, "started": started.isoformat(), "ended": clock.now().isoformat()}


def unwrap(name: str, envelope: Json, of: type[T]) -> T:
    """Return the value in an envelope, or raise the failure in it."""
    if failed := envelope.get("failed"):
        raise StepFailedError(name, failed["kind"], failed["message"], failed["hint"])
    value: T = decode(envelope["value"], of)
    return value


def phase_of(name: str, envelope: Json) -> Phase:
    """Return when the step in an envelope ran."""
    return Phase(name, datetime.fromisoformat(envelope["started"]), datetime.fromisoformat(envelope["ended"]))


def poll(
    probe: Callable[[], Look],
    *,
    clock: Clock,
    every: timedelta,
    deadline: datetime,
    cancelled: Callable[[], bool],
    saw: Callable[[str], None],
) -> None:
    """Look until done. Raises RestorecheckError of kind `deadline` or `cancelled`, or what the probe raised."""
    while True:
        if cancelled():
            raise RestorecheckError("the run was cancelled while it waited", kind="cancelled")
        try:
            look = probe()
        except RestorecheckError as e:
            if not e.retryable:
                raise
            look = Look(done=False, status=e.message)
        saw(look.status)
        if look.done:
            return
        left = (deadline - clock.now()).total_seconds()
        if left <= 0:
            raise RestorecheckError(f"the time allowed for this ran out; last seen: {look.status}", kind="deadline")
        clock.wait(min(every.total_seconds(), left))
