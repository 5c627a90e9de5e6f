"""Sizes, portions, capacities and points in time, as a check file says them.

Each reader takes what `tomllib` gave and returns the value, or raises ValueError with a sentence of the form
"what is wrong; what would be right". Nothing here knows of files or keys.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from restorecheck.config.values import DURATION_PATTERN, duration, shown
from restorecheck.model import Portion

SIZE = r"^([0-9]{1,15}(\.[0-9]{1,3})?) ?([kKMGTP]i?)?B$"
SHARE = r"^([0-9]{1,2}(\.[0-9]{1,6})?|100) ?%$"
AWARE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*([Zz]|[+-][0-9]{2}:[0-9]{2})$"  # a TOML time reaches a JSON Schema as text
POINT = f"^now$|{DURATION_PATTERN}|{AWARE}"
MOST_ACU = 256
"""What a cluster may be scaled to; in steps of a half."""

_POWERS = ("", "k", "m", "g", "t", "p")
_LARGEST = 2**60
"""An exbibyte: no bucket that anybody restores holds more, and it fits every integer of a database."""


def size(value: object) -> int:
    """Read a number of bytes, as such or with a unit: "500 GiB", "10 MB"."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{shown(value)} is not a size; {_MEANT}")  # noqa: TRY004 - pydantic takes ValueError
    count = value if isinstance(value, int) else _bytes(value)
    if not 0 < count <= _LARGEST:
        raise ValueError(f"{shown(value)} is not a size that anything has; {_MEANT}")
    return count


_MEANT = 'write a whole number of bytes, or text with a unit, for example "500 GiB" or "10 MB"'


def _bytes(text: str) -> int:
    found = re.match(SIZE, text)
    if not found or text.endswith("\n"):
        raise ValueError(f"{shown(text)} is not a size; {_MEANT}")
    unit = found[3] or ""
    return int(Decimal(found[1]) * (1024 if unit.endswith("i") else 1000) ** _POWERS.index(unit[:1].lower()))


def portion(value: object) -> Portion:
    """Read how many of the objects: "all", a number of them, or a share such as "1%"."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f'{value} of them would prove nothing; write 1 or more, or a share such as "1%"')
        return Portion(count=value)
    if value == "all":
        return Portion()
    if not isinstance(value, str) or not re.match(SHARE, value) or value.endswith("\n"):
        raise ValueError(
            f'{shown(value)} is neither a number nor a share; write for example 1000, "1%" or "all" (in quotes)'
        )
    share = Decimal(value.removesuffix("%").strip())
    if not share:
        raise ValueError(f'{shown(value)} of them would prove nothing; write more than nothing, for example "1%"')
    return Portion() if share == 100 else Portion(share=float(share / 100))


def sample(value: object) -> Portion:
    """Read how many of the objects are restored at all: as `portion`, but not all of them."""
    found = portion(value)
    if found.all:
        raise ValueError(f'{shown(value)} is no sample; write mode = "all" and leave sample out')
    return found


def point(value: object) -> datetime | timedelta:
    """Read a point in time: "now" (an age of zero), an age such as "1h", or a TOML time with an offset."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError(
                f"{value.isoformat()} cannot be expressed in UTC; write a time between the years 1 and 9999"
            ) from None
    if isinstance(value, date):
        moment = value.isoformat() if isinstance(value, datetime) else f"{value.isoformat()}T00:00:00"
        said = f"{value.isoformat()} does not say in which zone"
        raise ValueError(f"{said}; write it with an offset: {moment}Z")  # noqa: TRY004 - pydantic takes ValueError
    if value == "now":
        return timedelta()
    if isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain := value.strip()):
        raise ValueError(f"{shown(value)} is text; write the time without quotes: {plain}")
    if not isinstance(value, str) or not re.match(DURATION_PATTERN, value):
        raise ValueError(
            f'{shown(value)} is not a point in time; write "now", an age such as "1h", '
            "or a time without quotes, for example 2026-11-21T03:00:00Z"
        )
    return duration(value)


def capacity(value: object) -> tuple[float, float]:
    """Read the least and the most ACU of a cluster: steps of a half, 0 to 256, and 1 at least at the upper end."""
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 2 or any(isinstance(n, bool) or not isinstance(n, int | Decimal) for n in numbers):
        raise ValueError(f"{shown(value)} is not a capacity; write the least and the most ACU, for example [0.5, 4]")
    low, high = (Decimal(number) for number in numbers)
    if not all(number.is_finite() and 0 <= number <= MOST_ACU and number * 2 % 1 == 0 for number in (low, high)):
        raise ValueError(f"holds what no capacity can be; write ACU from 0 to {MOST_ACU} in steps of 0.5")
    if low > high or high < 1:
        raise ValueError(
            "lets a cluster have no size; write the least first, and 1 or more as the most, for example [0.5, 4]"
        )
    return float(low), float(high)
