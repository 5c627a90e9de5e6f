"""One value against bounds, an exact value or an age: every comparison is exact, and none is made across types."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from restorecheck.assertions import words
from restorecheck.assertions.digest import instant, sealed
from restorecheck.assertions.ratios import judge_ratio
from restorecheck.assertions.ruling import Circumstances, Ruling, error, failed, finite, incomparable, mismatch, passed
from restorecheck.model import Cell, Expectation

LATER_THAN_THE_BACKUP = timedelta(seconds=60)
"""How much later than the backup a time in it may be: clocks differ a little; more means that it is not this backup."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS = re.compile(r"\s*select\s+count\s*\(\s*\*\s*\)\s*(as\s+\w+\s+)?from\b", re.IGNORECASE)
SCALES = {"number": "number", "duration": "duration", "time": "instant", "date": "instant"}
"""What can be ordered, and with what: times and dates are moments on one scale."""


def judge_value(cell: Cell, around: Circumstances) -> Ruling:
    """Judge the one value of an answer."""
    expect = around.assertion.expect
    limit = expect.equals or expect.at_least or expect.at_most
    if cell.kind == "null":
        return error(
            "NULL",
            "the answer is NULL where a value was meant; min, max and sum of no rows are NULL",
            "no-answer",
        )
    if cell.kind == "other":
        return incomparable(cell, limit)
    if cell.kind == "text":  # a text in clear is against the contract, whoever sent it
        raise ValueError(cell.kind)
    if not finite(cell):
        return error("not finite", f"the answer is {_unbounded(cell)}, which is no {_noun(cell)} that can be compared")
    if expect.of is not None:
        if cell.kind != "number":
            return mismatch(words.KIND[cell.kind], "a number")
        return judge_ratio(Decimal(cell.text), around)
    if expect.before:
        return _age(cell, around)
    if expect.equals is not None:
        return _equals(cell, expect.equals, around.salt)
    return _within_bounds(cell, around)


def _unbounded(cell: Cell) -> str:
    return "NaN" if "nan" in cell.text.lower() else "infinite"


def _noun(cell: Cell) -> str:
    return words.KIND[cell.kind].removeprefix("a ")


def _scaled(cell: Cell) -> Decimal:
    """Return an ordered cell on its scale: a number, seconds, or seconds since 1970."""
    if cell.kind in ("time", "date"):
        microseconds = (instant(cell) - _EPOCH) // timedelta(microseconds=1)
        return Decimal(microseconds) / 1_000_000
    return Decimal(cell.text)


def _age(cell: Cell, around: Circumstances) -> Ruling:
    """Judge how long before the backup, or before now, a time is."""
    expect = around.assertion.expect
    if cell.kind not in ("time", "date"):
        return mismatch(words.KIND[cell.kind], "a time (its age is judged)")
    moment = instant(cell)
    ahead = moment - around.backup_time
    zone = " (it has no time zone and was read as UTC: is it local time?)" if cell.naive or cell.kind == "date" else ""
    if ahead > LATER_THAN_THE_BACKUP:
        late = words.duration(_seconds(ahead))
        return failed(
            f"{late} later than the backup",
            f"the time found is {late} later than the backup itself: it is another backup than it says, "
            f"or something writes into the restored copy{zone}",
        )
    age = _seconds((around.backup_time if expect.before == "backup" else around.asked_at) - moment)
    before = words.moment(expect)
    found = f"{words.duration(age)} before {before}" if age >= 0 else f"{words.duration(-age)} after {before}"
    for limit, wrong, name in _limits(expect):
        bound = Decimal(limit.text)
        if wrong(age, bound):
            shown, allowed = words.apart(abs(age), bound)
            where = "before" if age >= 0 else "after"
            return failed(
                found, f"the time found is {shown} {where} {before} where {name} {allowed} was expected{zone}"
            )
    return passed(found)


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1)) / 1_000_000


def _below(value: Decimal, bound: Decimal) -> bool:
    return value < bound


def _above(value: Decimal, bound: Decimal) -> bool:
    return value > bound


def _limits(expect: Expectation) -> list[tuple[Cell, Callable[[Decimal, Decimal], bool], str]]:
    """Return each declared bound with what breaks it and its name."""
    return [
        (limit, wrong, name)
        for limit, wrong, name in ((expect.at_least, _below, "at least"), (expect.at_most, _above, "at most"))
        if limit is not None
    ]


def _within_bounds(cell: Cell, around: Circumstances) -> Ruling:
    expect = around.assertion.expect
    scale = SCALES.get(cell.kind)
    for limit, _, _ in _limits(expect):
        if scale != SCALES[limit.kind]:
            hint = '; say before = "backup" if its age is meant' if scale == "instant" else ""
            ruling = mismatch(words.KIND[cell.kind], words.KIND[limit.kind])
            return replace(ruling, message=ruling.message + hint)
    value = _scaled(cell)
    observed = _shown(cell, value)
    for limit, wrong, _ in _limits(expect):
        if wrong(value, _scaled(limit)):
            return failed(observed, _off(cell, value, limit, around))
    return passed(observed)


def _shown(cell: Cell, value: Decimal) -> str:
    """Return a value for the column `observed`: of a moment nothing, it is a value of a row."""
    if cell.kind == "number":
        return words.number(value)
    return words.duration(value) if cell.kind == "duration" else words.KIND[cell.kind]


def _off(cell: Cell, value: Decimal, limit: Cell, around: Circumstances) -> str:
    """Return what is wrong with a value outside its bounds."""
    bounds = words.bounds(around.assertion.expect)
    if cell.kind == "number":
        if _COUNTS.match(around.assertion.sql):
            were = "was" if value == 1 else "were"
            rows = "row" if value == 1 else "rows"
            return f"{words.number(value)} {rows} {were} counted where {bounds} were expected"
        return f"the answer is {words.number(value)} where {bounds} was expected"
    bound = _scaled(limit)
    if cell.kind == "duration":
        shown, allowed = words.apart(value, bound)
        name = "at least" if value < bound else "at most"
        return f"the answer is {shown} where {name} {allowed} was expected"
    return f"{_distance(value, bound)} {words.value(limit)} where {bounds} was expected"


def _distance(value: Decimal, bound: Decimal) -> str:
    where = "earlier" if value < bound else "later"
    return f"the time found is {words.duration(abs(value - bound))} {where} than"


def _equals(cell: Cell, meant: Cell, salt: str) -> Ruling:
    if meant.kind == "text":
        if cell.kind != "digest":
            return mismatch(words.KIND[cell.kind], "a text")
        if cell == sealed(meant, salt):
            return passed("the expected text")
        return failed("another text", f"the text found is not {words.value(meant)}")
    if cell.kind != meant.kind:
        return mismatch(words.KIND[cell.kind], words.KIND[meant.kind])
    if meant.kind == "bool":
        if cell.text not in ("true", "false"):
            raise ValueError(cell.kind)
        if cell.text == meant.text:
            return passed(cell.text)
        return failed(cell.text, f"the answer is {cell.text} where {meant.text} was expected")
    value, wanted = _scaled(cell), _scaled(meant)
    if value == wanted:
        return passed(_shown(cell, value))
    if meant.kind == "number":
        message = f"the answer is {words.number(value)} where exactly {words.value(meant)} was expected"
    elif meant.kind == "duration":
        shown, exact = words.apart(value, wanted)
        message = f"the answer is {shown} where exactly {exact} was expected"
    else:
        message = f"{_distance(value, wanted)} {words.value(meant)}, which was expected"
    return failed(_shown(cell, value), message)
