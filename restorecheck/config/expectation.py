"""What an assertion expects: that its keys fit together and say one thing. Pure.

A false green is the worst bug: an expectation that is empty, or that nothing could ever contradict or meet, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from restorecheck.config import question, ratios
from restorecheck.config.assert_shape import Expect
from restorecheck.config.values import shown, spoken
from restorecheck.model import Cell, Expectation

_FAMILIES = {
    "bounds": ("at_least", "at_most", "between"),
    "equals": ("equals",),
    "set": ("members",),
    "no_rows": ("no_rows",),
    "same_as": ("same_as",),
    "exist_in": ("exist_in",),
    "covers": ("covers",),
}
"""What can be asked → the keys below `expect` that ask it, as fields."""

_WORDS = {
    "number": "number",
    "duration": "duration",
    "time": "time",
    "date": "date",
    "text": "text",
    "bool": "true or false",
}


def families(expect: Expect) -> list[str]:
    """Return what an expectation asks for: one thing, if it is right."""
    return [family for family, keys in _FAMILIES.items() if any(getattr(expect, key) is not None for key in keys)]


def problems(expect: Expect, sql: str | None, dialect: question.Dialect = "postgres") -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an expectation, each as the key below `expect` (or "") and a sentence."""
    said = families(expect)
    if len(said) != 1:
        yield "", count(said)
    if "bounds" in said:
        yield from _bounds(expect, sql, dialect)
    else:
        yield from unmeasured(expect)
    if expect.members is not None:
        yield from _members(expect.members)
    for key in (key for key in ("exist_in", "covers") if key in said):
        if sql and (columns := question.columns(sql, dialect)) not in (None, 1):
            yield key, f"compares one column of keys, and the query answers with {columns}; select the key alone"


def unmeasured(expect: Expect) -> Iterator[tuple[str, str]]:
    """Yield what is said of bounds where there is none."""
    if expect.before:
        yield "before", 'has nothing to measure; it belongs to bounds that are durations, for example at_most = "15m"'
    if expect.of:
        yield "of", "has nothing to measure; it belongs to bounds that are ratios, for example at_least = 0.98"


def of(expect: Expect) -> Expectation:
    """Return the expectation that a table without problems declares."""
    low, high = expect.between or (expect.at_least, expect.at_most)
    return Expectation(
        at_least=low,
        at_most=high,
        equals=expect.equals,
        members=None if expect.members is None else tuple(expect.members),
        no_rows=bool(expect.no_rows),
        before=expect.before,
        of=expect.of,
        same_as=expect.same_as,
        exist_in=expect.exist_in or "",
        covers=expect.covers or "",
    )


def count(said: list[str]) -> str:
    """Return what is wrong with asking for nothing, or for several things."""
    if said:
        return (
            f"asks for several things ({' and '.join(said)}); write one of them, and a second [[assert]] for the other"
        )
    return (
        "asks for nothing; write one of at_least, at_most, between, equals, set, no_rows, same_as, exist_in and covers"
    )


def _bounds(expect: Expect, sql: str | None, dialect: question.Dialect) -> Iterator[tuple[str, str]]:
    if why := why_no_bounds(expect):
        yield why
        return
    key, bounds = bounds_of(expect)
    if expect.of:
        yield from ratios.problems(expect, bounds, key, sql, dialect)
        return
    yield from _ages(expect, bounds, key, sql, dialect)
    if sql and question.counts(sql, dialect):
        yield from _counts(expect, bounds, key)


def bounds_of(expect: Expect) -> tuple[str, list[Cell]]:
    """Return the bounds, and the key at which to speak of them."""
    if expect.between is not None:
        return "between", list(expect.between)
    single = [bound for bound in (expect.at_least, expect.at_most) if bound]
    return "at_least" if expect.at_least else "at_most", single


def why_no_bounds(expect: Expect) -> tuple[str, str] | None:
    """Return why bounds do not fit together, as a key and a sentence, or None."""
    key, bounds = bounds_of(expect)
    if expect.between is not None and (expect.at_least or expect.at_most):
        return "between", "already says both ends; leave at_least and at_most out"
    if expect.between is not None and len(bounds) != 2:
        return "between", "needs two values; write the lowest and the highest, for example [0, 100]"
    why = _why_not_pair(*bounds) if len(bounds) == 2 else None
    return (key, why) if why else None


def _why_not_pair(low: Cell, high: Cell) -> str | None:
    if low.kind != high.kind:
        return f"compares with a {_WORDS[low.kind]} and a {_WORDS[high.kind]}; write two of the same kind"
    if low.naive != high.naive:
        return "compares with a time in UTC and one without an offset; give both an offset, or neither"
    if _rank(low) > _rank(high):
        return f"lets nothing through, {_said(low)} is more than {_said(high)}; write the lower bound first"
    return None


def _ages(
    expect: Expect, bounds: list[Cell], key: str, sql: str | None, dialect: question.Dialect
) -> Iterator[tuple[str, str]]:
    spans = [bound for bound in bounds if bound.kind == "duration"]
    if expect.before and not spans:
        yield (
            key,
            f'is {_said(bounds[0])}, but before = "{expect.before}" asks for an age; write a duration such as "15m"',
        )
    if spans and not expect.before and sql and (column := question.time_column(sql, dialect)):
        yield (
            "before",
            (
                f"is missing: {column} looks like a time, and {_said(spans[0])} does not say from when; "
                'add before = "backup" (or "now"), or cast the answer (::interval) if it is a span of time'
            ),
        )


def _counts(expect: Expect, bounds: list[Cell], key: str) -> Iterator[tuple[str, str]]:
    if other := next((bound for bound in bounds if bound.kind != "number"), None):
        yield key, f"is {_said(other)}, but the query answers with a count; write a number"
    elif expect.at_least and not expect.at_most and _rank(expect.at_least) <= 0:
        yield key, f"is {_said(expect.at_least)}, and a count is never less; write 1 or more, or it proves nothing"


def _members(members: list[Cell]) -> Iterator[tuple[str, str]]:
    if not members:
        yield "set", "is empty; write the values, or no_rows = true if nothing may come back"
    if twice := next((cell for cell in members if members.count(cell) > 1), None):
        yield "set", f"lists {_said(twice)} twice; write each value once"
    if len(kinds := sorted({_WORDS[cell.kind] for cell in members})) > 1:
        yield "set", f"mixes kinds ({', '.join(kinds)}); a column has one type, write all values in it"


def _rank(cell: Cell) -> Any:
    if cell.kind == "time":
        return datetime.fromisoformat(cell.text)
    return date.fromisoformat(cell.text) if cell.kind == "date" else Decimal(cell.text)


def _said(cell: Cell) -> str:
    if cell.kind == "duration":
        return f'"{spoken(timedelta(seconds=float(cell.text)))}"'
    return shown(cell.text) if cell.kind == "text" else cell.text
