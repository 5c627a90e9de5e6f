"""What becomes of a run's steps in the log: that one begins, what a wait sees when it changes, that one ends.

Knows statuses and messages only, never an answer of a database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from restorecheck.logs.binding import get, names


@dataclass(slots=True)
class _Step:
    name: str
    began: float
    status: str = ""


class LogListener:
    """A Listener that logs the steps of runs. Keeps one small record for each run whose step goes on now."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._steps: dict[str, _Step] = {}
        self._lock = threading.Lock()
        self._log = get("run")

    def started(self, run_id: str, step: str) -> None:
        """Log `step.started`."""
        with self._lock:
            self._steps[run_id] = _Step(step, self._monotonic())
        self._log.info("step.started", **names(None, run_id), step=step)

    def looked(self, run_id: str, step: str, status: str) -> None:
        """Log `step.looked` when the status is another than at the look before."""
        with self._lock:
            known = self._steps.get(run_id)
            if known is None or known.name != step:
                known = self._steps[run_id] = _Step(step, self._monotonic())
            changed, known.status = status != known.status, status
        if changed:
            self._log.info("step.looked", **names(None, run_id), step=step, status=status)

    def finished(self, run_id: str, step: str, failed: str) -> None:
        """Log `step.finished` with its seconds; a step that did not begin here is a replay, of interest to `debug`."""
        with self._lock:
            known = self._steps.pop(run_id, None)
            seconds = round(self._monotonic() - known.began, 3) if known and known.name == step else None
        tell = self._log.debug if seconds is None else self._log.warning if failed else self._log.info
        event = "step.replayed" if seconds is None else "step.finished"
        fields = {"seconds": seconds, "failed": failed or None}
        tell(event, **names(None, run_id), step=step, **{k: v for k, v in fields.items() if v is not None})

    def forget(self, run_id: str) -> None:
        """Forget a run that is over, or that another replica has taken up."""
        with self._lock:
            self._steps.pop(run_id, None)
