"""The wall clock, and a flag by which a waiting run hears that it is cancelled."""

from __future__ import annotations

import threading
from datetime import UTC, datetime


class WallClock:
    """The Clock of real runs. `cancel` wakes everybody who waits."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Wait so many seconds, also after a cancel: a teardown waits on."""
        if self._cancelled.is_set():
            threading.Event().wait(seconds)
        else:
            self._cancelled.wait(seconds)

    def cancel(self) -> None:
        """Ask every run to stop waiting and tear down."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Say whether a cancel was asked for."""
        return self._cancelled.is_set()
