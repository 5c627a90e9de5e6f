"""Statuses that come from a clock: which one a resource shows, given how long ago its journey began.

Pure: no threads, nothing to cancel, and a test can pass any clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

Clock = Callable[[], float]
"""Seconds that only go forward, as `time.monotonic`."""

FOREVER = math.inf


@dataclass(frozen=True, slots=True)
class Timings:
    """How many seconds each phase lasts. A phase never ends before the real work behind it is done."""

    create: float = 2.0
    """An instance is `creating`."""
    backup: float = 1.0
    """An instance with a backup retention above 0 is `backing-up` after it was created or restored."""
    snapshot: float = 1.0
    """A snapshot is `creating`."""
    copy: float = 1.0
    """A copy of a snapshot is `creating`."""
    delete: float = 1.0
    """An instance is `deleting`."""
    password: float = 1.0
    """A new master password is pending; for the later half of it the status is `resetting-master-credentials`."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < FOREVER:
                raise ValueError(f"timing {field.name}: {value!r} is not a number of seconds, 0 or more")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Phases in order, and the status that stands after the last of them."""

    began: float
    phases: tuple[tuple[str, float], ...]
    finally_: str

    def at(self, now: float) -> str:
        """Return the status at a time of the same clock as `began`."""
        end = self.began
        for status, seconds in self.phases:
            end += seconds
            if now < end:
                return status
        return self.finally_

    def delayed(self, seconds: float) -> Timeline:
        """Return the same way with a longer first phase."""
        (status, lasts), *others = self.phases
        return Timeline(self.began, ((status, lasts + seconds), *others), self.finally_)

    def progress(self, now: float) -> int:
        """Return how much of the way is done, in percent; 100 only at its end."""
        total = sum(seconds for _, seconds in self.phases)
        if now >= self.began + total:
            return 100
        return min(99, int(100 * (now - self.began) / total))
