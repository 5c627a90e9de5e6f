"""The engine without records: runs by hand, and the reference that the others must agree with.

Also holds what every engine does around its own recording: `RecordingDurable`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
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
)
from restorecheck.errors import StepFailedError
from restorecheck.model import Phase

T = TypeVar("T")


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

    def _record(self, name: str, act: Callable[[], Json]) -> Json:
        """Return the recorded envelope of this step, or act and record. An engine overrides this."""
        del name
        return act()

    @property
    def run_id(self) -> str:
        """The name of this run."""
        return self._run_id

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Every recorded step so far."""
        return tuple(self._phases)

    def step(self, name: str, fn: Callable[[], T], of: type[T], attempts: int = 1) -> T:
        """See Durable.step."""

        def act() -> Json:
            self._listener.started(self._run_id, name)
            return perform(fn, of, self._clock, attempts)

        return self._kept(name, act, of)

    def until(
        self, name: str, probe: Callable[[], Look], every: timedelta, at_most: timedelta, *, heed_cancel: bool = True
    ) -> None:
        """See Durable.until."""
        deadline = self._phases[-1].ended + at_most

        def wait() -> None:
            poll(
                probe,
                clock=self._clock,
                every=every,
                deadline=deadline,
                cancelled=self._cancelled if heed_cancel else never,
                saw=lambda status: self._listener.looked(self._run_id, name, status),
            )

        def act() -> Json:
            self._listener.started(self._run_id, name)
            return perform(wait, type(None), self._clock)

        self._kept(name, act, type(None))

    def _kept(self, name: str, act: Callable[[], Json], of: type[T]) -> T:
        envelope = self._record(name, act)
        self._phases.append(phase_of(name, envelope))
        try:
            value = unwrap(name, envelope, of)
        except StepFailedError as e:
            self._listener.finished(self._run_id, name, e.message)
            raise
        self._listener.finished(self._run_id, name, "")
        return value


class InlineDurable(RecordingDurable):
    """Runs every step at once and keeps nothing: a crash leaves a teardown to the sweep."""
