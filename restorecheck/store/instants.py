"""Times as the store keeps them: seconds since 1970 in UTC, the same number in every database. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds(at: datetime) -> float:
    """Return the seconds since 1970 of an aware time. A double holds microseconds until the year 2255."""
    return at.timestamp()


def moment(since_1970: float) -> datetime:
    """Return the time, in UTC, that `seconds` was given."""
    return datetime.fromtimestamp(since_1970, UTC)
