"""Times and sizes as a person reads them. Pure."""

from __future__ import annotations

from datetime import datetime


def duration(seconds: float | None) -> str:
    """Return "41 s", "12 min", "3 h 20 min" or "4 d 2 h"; a dash for None."""
    if seconds is None:
        return "–"  # noqa: RUF001 - a dash in a table cell
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 and whole else ""
    for size, unit, rest_size, rest in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            more = whole % size // rest_size
            # Seconds beside many minutes are noise.
            keep = more and not (unit == "min" and whole >= 600)
            return f"{sign}{whole // size} {unit}" + (f" {more} {rest}" if keep else "")
    return f"{sign}{whole} s"


def moment(at: datetime) -> str:
    """Return a time to the minute, with its zone."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
