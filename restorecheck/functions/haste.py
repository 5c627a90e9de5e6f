"""Lambda, for as long as a call has time for it: what comes after it must not be killed because Lambda hangs.

Decides nothing about a run: one that was not got to is as it was, and the next tick goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable

from restorecheck.engines.lambda_fleet import Execution, Starter
from restorecheck.errors import RestorecheckError

REST = 60.0
"""Seconds of a call in which Lambda is asked nothing any more, so that notices are sent. Of a short one, a quarter."""


class LateError(RestorecheckError):
    """There is no time left for Lambda, which says nothing about the run."""


class Hurried:
    """A Starter for as long as there is time. See engines.lambda_fleet.Starter; every method raises LateError."""

    def __init__(self, starter: Starter, left: Callable[[], float]) -> None:
        self._starter, self._left, self._rest = starter, left, min(REST, left() / 4)

    def start(self, run_id: str) -> None:
        """See Starter.start."""
        self._in_time().start(run_id)

    def running(self) -> set[str]:
        """See Starter.running."""
        return self._in_time().running()

    def status(self, run_id: str) -> Execution | None:
        """See Starter.status."""
        return self._in_time().status(run_id)

    def _in_time(self) -> Starter:
        if self._left() <= self._rest:
            raise LateError("the time of this call was up", "the next tick goes on with it", kind="deadline")
        return self._starter
