"""Single values of the configuration: durations, prices, and what an expectation compares with.

Each reader takes what `tomllib` gave and returns the value, or raises ValueError with a sentence of the form
"what is wrong; what would be right". Nothing here knows of files or keys.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from restorecheck.model import Cell

DURATION_PATTERN = r"^(?=[0-9])([0-9]{1,6}w)?([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,9}(\.[0-9]{1,6})?s)?$"
LONGEST = timedelta(days=3660)
"""Ten years: more is a slip of the pen, and much more overflows a date."""

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9.]+)([wdhms])")
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]+)?")
_LOOSE = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*(w(?:eeks?|ks?)?|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])"
)
_PRICE_EXPONENT = 9  # from a thousand-millionth to thousands of millions: any price of AWS, in any currency
_LARGEST_EXPONENT = 300  # the decimal text of a number must stay readable; DBMS numbers end far below


def shown(value: object) -> str:
    """Return a value as it would look in the file, short enough for a message."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 60 else text[:56] + '…"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    return str(value)


def veiled(value: object) -> str:
    """Return a value as `shown` does, but of an address its scheme alone: it may hold a secret."""
    if isinstance(value, str) and "://" in value:
        return shown(f"{value.partition('://')[0]}://") + "…"
    return shown(value)


def spoken(length: timedelta) -> str:
    """Return a duration as one writes it in the file: up to three days in hours, because objectives are said so."""
    seconds = Decimal(length // timedelta(microseconds=1)) / 1_000_000
    units = "hms" if length <= timedelta(days=3) else "dhms"
    text = ""
    for unit in units[:-1]:
        count, seconds = divmod(seconds, _SECONDS[unit])
        text += f"{count}{unit}" if count else ""
    return text + f"{seconds.normalize():f}s" if seconds or not text else text


def duration(value: object) -> timedelta:
    """Read a duration that must be longer than zero, such as "15m", "25h" or "1h30m"."""
    length = _length(value)
    if not length:
        raise ValueError(f'{shown(value)} is no time at all; write a duration longer than zero, for example "15m"')
    return length


def delay(value: object) -> timedelta:
    """Read a duration that may be zero, such as "0s" or "30m"."""
    return _length(value)


def moment(value: object) -> date | datetime:
    """Read a day or a time on a day, with an offset or without."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain := value.strip()):
        raise ValueError(f"{shown(value)} is text; write the date or time without quotes: {plain}")
    raise ValueError(
        f"{shown(value)} is not a day; write one without quotes, for example 2026-12-24 or 2026-12-24T18:00:00"
    )


def share(value: object) -> float:
    """Read a share of a whole: more than nothing, 1 at most."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{shown(value)} is not a share; write a number, for example 0.5")  # noqa: TRY004 - pydantic takes ValueError
    if Decimal(value).is_nan() or not 0 < value <= 1:
        raise ValueError(f"{_unbounded(value)} is not a share; write a number above 0 and up to 1, for example 0.5")
    return float(value)


def price(value: object) -> Decimal:
    """Read a price, zero or more, in whatever currency the table names."""
    if isinstance(value, str) and _NUMBER.fullmatch(plain := value.strip()):
        raise ValueError(f"{shown(value)} is text; write the number without quotes: {plain}")
    if isinstance(value, dict):  # as `db.t4g.medium = 0.065` gives, its dots making tables
        raise ValueError('a table is not a price; write a number, and a class in quotes: "db.t4g.medium" = 0.065')  # noqa: TRY004 - pydantic takes ValueError
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{shown(value)} is not a price; write a number, for example 0.065")  # noqa: TRY004 - pydantic takes ValueError
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{_unbounded(value)} is not a price; write a number, for example 0.065")
    if number < 0:
        raise ValueError("is below zero, and AWS pays nobody; write 0 or more")
    if number and abs(number.adjusted()) > _PRICE_EXPONENT:
        raise ValueError("is too large or too small for a price; write it as in the price list, for example 0.065")
    return Decimal(_canonical(number))


def budget(value: object) -> Decimal:
    """Read a price that is more than nothing."""
    if not (amount := price(value)):
        raise ValueError("is zero, which the first restore exceeds; write what restores may cost, for example 50")
    return amount


def bound(value: object) -> Cell:
    """Read what `at_least`, `at_most` and `between` compare with: something that has an order."""
    if isinstance(value, str):
        if re.match(DURATION_PATTERN, value):
            return _seconds(_length(value))
        raise ValueError(_why_not_bound(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal | date):
        raise ValueError(f'{shown(value)} has no order; write a number, a duration such as "15m", or a date or time')  # noqa: TRY004 - pydantic takes ValueError
    return _ordered(value)


def exact(value: object) -> Cell:
    """Read what `equals` and `set` compare with."""
    if isinstance(value, str):
        return Cell("text", value)
    if isinstance(value, bool):
        return Cell("bool", "true" if value else "false")
    if isinstance(value, int | Decimal | date):
        return _ordered(value)
    raise ValueError(
        f"{shown(value)} cannot be compared with a column; write a text, number, true, false, date or time"
    )


def _length(value: object) -> timedelta:
    if not isinstance(value, str):
        raise ValueError(f'{shown(value)} is not a duration; write text with a unit, for example "15m", "25h" or "7d"')  # noqa: TRY004 - pydantic takes ValueError
    if not re.match(DURATION_PATTERN, value) or value.endswith("\n"):
        raise ValueError(f"{shown(value)} is not a duration; {_meant(value)}")
    seconds = sum(Decimal(count) * _SECONDS[unit] for count, unit in _PART.findall(value))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f'{shown(value)} is longer than ten years; write at most "{LONGEST.days}d"')
    return timedelta(microseconds=int(seconds * 1_000_000))


def _meant(text: str) -> str:
    """Return what was probably meant by a text that is not a duration."""
    plain = text.strip().lower()
    plain = plain.removeprefix("p").removeprefix("t") if plain.startswith("p") else plain
    parts = _LOOSE.findall(plain)
    if parts and not _LOOSE.sub("", plain).strip(" ,and"):
        seconds = sum(Decimal(count) * _SECONDS[unit[0]] for count, unit in parts)
        if 0 < seconds <= LONGEST.total_seconds():
            return f'did you mean "{spoken(timedelta(microseconds=int(seconds * 1_000_000)))}"?'
    return 'write whole numbers with the units w, d, h, m and s, for example "15m", "25h" or "1h30m"'


def _why_not_bound(text: str) -> str:
    plain = text.strip()
    if _NUMBER.fullmatch(plain):
        return f"{shown(text)} is text; write the number without quotes: {plain}"
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain):
        return f"{shown(text)} is text; write the date or time without quotes: {plain}"
    return f"{shown(text)} is not a duration, and other text has no order; {_meant(text)}"


def _ordered(value: int | Decimal | date) -> Cell:
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return Cell("date", value.isoformat())
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(
            f"{_unbounded(value)} is not a number that anything can be compared with; write a finite number"
        )
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError(f"this number has more than {_LARGEST_EXPONENT} digits; write a smaller one")
    return Cell("number", _canonical(number))


def _unbounded(value: int | Decimal) -> str:
    """Return nan or inf as TOML writes it."""
    return str(value).lower().removesuffix("inity")


def _canonical(number: Decimal) -> str:
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _instant(value: datetime) -> Cell:
    if value.tzinfo is None:
        return Cell("time", value.isoformat(), naive=True)
    try:
        return Cell("time", value.astimezone(UTC).isoformat())
    except OverflowError:
        raise ValueError(
            f"{value.isoformat()} cannot be expressed in UTC; write a time between the years 1 and 9999"
        ) from None


def _seconds(length: timedelta) -> Cell:
    return Cell("duration", _canonical(Decimal(length // timedelta(microseconds=1)) / 1_000_000))
