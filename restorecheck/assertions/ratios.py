"""Bounds that are ratios of another time: of one number, or of the rows of each table. Exact, and never of nothing.

A baseline of 0 has no ratio: one number against it is an error. A table that was empty and one that is new are told; a
table that had rows and has none, or is gone, is out of every lower bound.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation, localcontext

from restorecheck.assertions import words
from restorecheck.assertions.baselines import PRECISION
from restorecheck.assertions.digest import canonical
from restorecheck.assertions.pairing import paired
from restorecheck.assertions.ruling import Circumstances, Other, Ruling, error, failed, other, passed
from restorecheck.model import Cell, Examined, Expectation


def judge_ratio(value: Decimal, around: Circumstances) -> Ruling:
    """Judge one number against what it was at another time."""
    expect = around.assertion.expect
    base = other(around, words.number(value))
    if isinstance(base, Ruling):
        return base
    before = _number(base.measured.value)
    if before is None or before <= 0:
        was = "no number" if before is None else words.number(before)
        return error(words.number(value), f"{base.name} has {was} here, and there is no ratio to that", base.lacks)
    ratio, broken = _ratio(value, before, expect)
    if broken:
        message = (
            f"{words.number(value)} is {ratio} of the {words.number(before)} of {base.name} "
            f"({words.bounds(expect)} expected)"
        )
        return failed(words.number(value), message, base.differs)
    return passed(f"{words.number(value)}, {ratio} of the {words.number(before)} of {base.name}")


def judge_counts(looked: Examined, around: Circumstances) -> Ruling:
    """Judge the rows of each table against what they were at another time."""
    observed = words.examined(looked)
    base = other(around, observed)
    return base if isinstance(base, Ruling) else _counted(looked, around, base)


def _counted(looked: Examined, around: Circumstances, base: Other) -> Ruling:
    expect, observed = around.assertion.expect, words.examined(looked)
    pairs = paired(base.measured.measures, looked)
    wrong = [f"{m.object} is gone{_why(why)}, of {words.count(m.rows or 0, 'row')}" for m, why in pairs.gone]
    compared, open_ = len(pairs.gone), list(pairs.unknown)
    for then, now in pairs.both:
        if then.rows is None or now.rows is None or then.rows < 0:
            open_.append(then.object)
            continue
        compared += 1
        if then.rows:
            ratio, broken = _ratio(Decimal(now.rows), Decimal(then.rows), expect)
            if broken:
                wrong.append(f"{then.object} has {words.count(now.rows, 'row')}, {ratio} of {then.rows:,}")
    if wrong:
        of = f"{len(wrong):,} of {words.count(compared, looked.unit)}"
        message = f"{of} against {base.name} ({words.bounds(expect)} expected): {words.listed(wrong)}"
        return failed(observed, message, base.differs)
    if open_:
        message = f"{words.named(open_)}: not known how many rows there are, here or in {base.name}"
        return error(observed, message, "could-not-look")
    if not compared:
        return error(observed, f"nothing here is known to {base.name}{pairs.told()}", base.lacks)
    return passed(f"{observed}; {compared:,} held against {base.name}{pairs.told()}")


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _number(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text or "")
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _ratio(value: Decimal, before: Decimal, expect: Expectation) -> tuple[str, bool]:
    """Return a ratio as a text, and whether it is out of bounds: that is decided exactly, without the division."""
    with localcontext(prec=PRECISION):
        low, high = _bound(expect.at_least), _bound(expect.at_most)
        above = high is not None and value > high * before
        below = low is not None and value < low * before
        ratio = value / before
        if ratio.adjusted() > 30:
            return words.number(ratio), above or below
        places = min(max(2, 1 - ratio.adjusted()), 12) if ratio else 0
        # Cut away from the bound that it breaks, so that it never reads as the bound itself.
        shown = ratio.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING if above else ROUND_FLOOR)
        return words.number(Decimal(canonical(Cell("number", str(shown))))), above or below


def _bound(limit: Cell | None) -> Decimal | None:
    return None if limit is None else Decimal(limit.text)
