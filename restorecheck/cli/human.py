"""Times and sizes as a person reads them on a screen. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from restorecheck.assertions.words import duration as exact


def duration(seconds: float | None) -> str:
    """Return "41 s", "12 min 3 s", "3 h 20 min" or "4 d 2 h"; a dash for None."""
    return "-" if seconds is None else exact(Decimal(round(seconds)))


def moment(at: datetime) -> str:
    """Return a time to the minute, with its zone."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def size(count: int) -> str:
    """Return a number of bytes in its largest unit: "512 B", "3.1 GiB"."""
    number, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if number < 1000:  # 1,000 KiB reads worse than 0.98 MiB
            break
        number, unit = number / 1024, larger
    return f"{count} B" if unit == "B" else f"{number:.3g} {unit}"
