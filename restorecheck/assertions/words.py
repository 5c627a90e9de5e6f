"""How numbers, ages and values are worded for a person at 3 a.m.: counts with separators, at most two units of time.

Only what the operator declared is shown in clear; of what a database returned, numbers and spans of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from restorecheck.assertions.digest import canonical, instant
from restorecheck.model import Against, Assertion, Cell, Examined, Expectation, Known

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
    return f"{n:,} {one if n == 1 else many or plural(one)}"


def plural(noun: str) -> str:
    """Return the plural of a thing that is counted."""
    return noun + ("es" if noun.endswith("x") else "s")


def size(n: int) -> str:
    """Return an amount of bytes in its largest binary unit, with at most one decimal: `824 MiB`, `1.5 GiB`."""
    scaled, unit = Decimal(n), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if scaled < 1024:
            break
        scaled, unit = scaled / 1024, larger
    if unit == "bytes":
        return count(n, "byte")
    text = f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:.1f}".removesuffix(".0")
    return f"{text} {unit}"


def listed(texts: Sequence[str], total: int = 0) -> str:
    """Return the first few of some texts, and how many more there are; of `total`, if not all are at hand."""
    more = max(total, len(texts)) - len(texts[:_SHOWN])
    return "; ".join([*texts[:_SHOWN], *([f"and {more:,} more"] if more else [])])


def named(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = len(names) - len(names[:_SHOWN])
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more else "")


def examined(looked: Examined) -> str:
    """Return how much a probe looked at: `41 tables, 1,943,200 rows, 824 MiB`."""
    parts = [count(looked.count, looked.unit)]
    parts += [count(looked.rows, "row")] if looked.rows else []
    parts += [size(looked.bytes)] if looked.bytes else []
    return ", ".join(parts)


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


def against(other: Against) -> str:
    """Return what something is held against, before it is known: `the median of 7 runs`."""
    if other.kind == "previous":
        return "the previous run"
    if other.kind == "median":
        return f"the median of {count(other.runs or 1, 'run')}"
    if other.kind == "max":
        span = duration(Decimal(str(other.span.total_seconds())) if other.span else Decimal(0))
        return f"the highest of {span}"
    return "what was accepted" if other.kind == "accepted" else f"the reference {other.reference}"


def of_known(known: Known) -> str:
    """Return what something was held against, and when that was: `the run of 2026-11-20`."""
    kind = known.against.kind
    if kind == "reference":
        when = f" of {known.at:%Y-%m-%d %H:%M} UTC" if known.at else ""
        return f"the reference {known.against.reference}{when}"
    day = f"{known.at:%Y-%m-%d}" if known.at else "a day that is not known"
    if kind in ("median", "max"):
        word = "median" if kind == "median" else "highest"
        return f"the {word} of {count(known.runs, 'run')} up to {day}"
    return f"the run of {day}" if kind == "previous" else f"what was accepted on {day}"


def expected(assertion: Assertion) -> str:
    """Return what is expected, for the column `expected` of a finding."""
    expect = assertion.expect
    if assertion.probe is None or expect.of is not None or expect.same_as is not None:
        return expectation(expect)
    limit = expect.at_most
    return "no violation" if limit is None else f"at most {value(limit)} violations"


def expectation(expect: Expectation) -> str:
    """Return what is expected of a value, of rows, or of all that a probe measures."""
    if expect.no_rows:
        return "no rows"
    if expect.members is not None:
        return f"exactly the set {values(expect.members)}" if expect.members else "the empty set"
    if expect.equals is not None:
        return f"exactly {value(expect.equals)}"
    if expect.same_as is not None:
        return f"the same as {against(expect.same_as)}"
    if expect.exist_in:
        return f"every key is that of an object of {expect.exist_in}"
    if expect.covers:
        return f"the key of every object of {expect.covers}"
    if expect.at_least is not None or expect.at_most is not None:
        return bounds(expect) + (f" of {against(expect.of)}" if expect.of else "")
    return "nothing declared"
