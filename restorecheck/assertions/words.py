"""How numbers, ages and values are worded for a person at 3 a.m.: counts with separators, at most two units of time.

Only what the operator declared is shown in clear; of what a database returned, numbers and spans of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from restorecheck.assertions.digest import canonical, instant
from restorecheck.model import Cell, Expectation

KIND = {
    "null": "NULL",
    "bool": "a truth value",
    "number": "a number",
    "time": "a time",
    "date": "a date",
    "duration": "a duration",
    "digest": "a text",
    "text": "a text",
}
"""What the value of a cell is called."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_FROM = {86400: 2 * 86400}  # an rpo of 25 h reads better than one of 1 d 1 h
_SHOWN = 5  # declared values that a message lists before it only counts
_LONG = 40  # characters of a declared text


def number(value: Decimal) -> str:
    """Return a number with separators, or with an exponent when it is longer than anybody reads."""
    return f"{value:.6e}" if abs(value.adjusted()) > 30 else f"{value:,f}"


def count(n: int, one: str, many: str = "") -> str:
    """Return a count with its noun in the right number."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: Decimal, units: int = 2) -> str:
    """Return a span of time in its largest units, cut, not rounded: `3 d 4 h`, `12 min`, `0.25 s`."""
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    if rest < 1:
        return f"{sign}{rest:.3f}".rstrip("0").rstrip(".") + " s" if rest >= Decimal("0.001") else "0 s"
    parts: list[str] = []
    whole = int(rest)
    first = next(i for i, (_, size) in enumerate(_UNITS) if whole >= _FROM.get(size, size))
    for name, size in _UNITS[first : first + units]:
        n, whole = divmod(whole, size)
        if n:
            parts.append(f"{n:,} {name}")
    return sign + " ".join(parts)


def apart(a: Decimal, b: Decimal) -> tuple[str, str]:
    """Return two spans of time, with as many units as it takes to tell them apart."""
    for units in (2, 3, 4):
        texts = duration(a, units), duration(b, units)
        if texts[0] != texts[1] or a == b:
            return texts
    return _exactly(a), _exactly(b)


def _exactly(seconds: Decimal) -> str:
    return f"{Decimal(canonical(Cell('duration', str(seconds)))):,f} s"


def value(cell: Cell) -> str:
    """Return a declared value in clear."""
    if cell.kind == "number":
        return number(Decimal(cell.text))
    if cell.kind == "duration":
        return duration(Decimal(cell.text), 4)
    if cell.kind == "time":
        return f"{instant(cell):%Y-%m-%d %H:%M:%S} UTC"
    if cell.kind == "text":
        text = cell.text if len(cell.text) <= _LONG else cell.text[:_LONG] + "…"
        return "'" + text.translate(dict.fromkeys(range(32), " ")) + "'"
    return canonical(cell)


def values(cells: Sequence[Cell]) -> str:
    """Return declared values as a list that ends in a count when it is long."""
    shown = ", ".join(value(c) for c in cells[:_SHOWN])
    return f"{shown} and {len(cells) - _SHOWN:,} more" if len(cells) > _SHOWN else shown


def bounds(expect: Expectation) -> str:
    """Return the bounds: `at least 1,000`, `at most 15 min before the backup`, `between 1 and 5`."""
    low, high = expect.at_least, expect.at_most
    if low is not None and high is not None:
        text = f"between {value(low)} and {value(high)}"
    elif low is not None:
        text = f"at least {value(low)}"
    else:
        text = f"at most {value(high or Cell('null'))}"
    return f"{text} before {moment(expect)}" if expect.before else text


def moment(expect: Expectation) -> str:
    """Return the name of the instant from which ages are measured back."""
    return "the backup" if expect.before == "backup" else "now"


def expectation(expect: Expectation) -> str:
    """Return what is expected, for the column `expected` of a finding."""
    if expect.no_rows:
        return "no rows"
    if expect.members is not None:
        return f"exactly the set {values(expect.members)}" if expect.members else "the empty set"
    if expect.equals is not None:
        return f"exactly {value(expect.equals)}"
    if expect.at_least is not None or expect.at_most is not None:
        return bounds(expect)
    return "nothing declared"
