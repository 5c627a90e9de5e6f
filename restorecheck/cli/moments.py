"""Times as an operator types them: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from restorecheck.errors import RestorecheckError

_AGO = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment(text: str, timezone: str = "UTC") -> datetime:
    """Return a date (its beginning) or a time; without an offset it is meant in `timezone`.

    Raises RestorecheckError `config`.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise RestorecheckError(
            f"{text!r} is not a time", "write for example 2026-12-01, or 2026-12-01T06:00", kind="config"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


def since(text: str, now: datetime) -> datetime:
    """Return a time as `moment` does, or so long ago: 90m, 36h, 7d, 2w."""
    if ago := _AGO.fullmatch(text.strip()):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        return moment(text)
    except RestorecheckError as e:
        raise RestorecheckError(e.message, "write how long ago, such as 36h or 7d, or a date", kind="config") from None
