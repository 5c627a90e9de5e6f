"""Times of the past, as the stories of buckets need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from restorecheck.engines.clock import WallClock


def ago(**delta: float) -> datetime:
    """Return a time of whole seconds before now: S3 keeps no fractions."""
    return (datetime.now(UTC) - timedelta(**delta)).replace(microsecond=0)


class Named(WallClock):
    """A clock whose first answer, which names the run, is given."""

    def __init__(self, first: datetime) -> None:
        self._first: datetime | None = first

    def now(self) -> datetime:
        first, self._first = self._first, None
        return first or super().now()
