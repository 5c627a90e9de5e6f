"""The same as at another time: rows by one fingerprint, tables one by one, definitions line by line. Pure.

A row value is never told, since none comes here. Definitions and the names of tables are, so that a person sees what
changed. What was not fingerprinted at both times is not called the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from restorecheck.assertions import words
from restorecheck.assertions.pairing import Pairs, paired
from restorecheck.assertions.ruling import Circumstances, Other, Ruling, error, failed, other, passed
from restorecheck.model import Answer, Examined, Measure


def same_rows(answer: Answer, around: Circumstances) -> Ruling:
    """Judge whether a query answers the same rows, in whatever order."""
    if answer.more:
        seen = f"{answer.rows:,} rows or more"
        return error(seen, "the query answers more rows than are compared: aggregate, or use the probe `readable`")
    observed = words.count(answer.rows, "row")
    if not answer.fingerprint:
        return error(observed, "the answer came without its fingerprint", "internal")
    base = other(around, observed)
    if isinstance(base, Ruling):
        return base
    if not base.measured.fingerprint:
        return error(observed, f"{base.name} has no fingerprint of the rows", base.lacks)
    if answer.fingerprint != base.measured.fingerprint:
        return failed(observed, f"the rows are not those of {base.name}", base.differs)
    return passed(f"{observed}, the same as {base.name}")


def same_things(looked: Examined, around: Circumstances) -> Ruling:
    """Judge whether a probe measured the same of everything that it measured at another time."""
    observed = words.examined(looked)
    base = other(around, observed)
    return base if isinstance(base, Ruling) else _same(looked, base, observed)


def _same(looked: Examined, base: Other, observed: str) -> Ruling:
    then = base.measured
    if not then.measures and not then.lines:
        return error(observed, f"{base.name} measured nothing of this", base.lacks)
    pairs = paired(then.measures, looked)
    differing, open_ = _held(pairs, looked.unit)
    whole = not looked.owed  # of what could not be looked at, no line is missing
    lines = _lines(then.lines, looked.lines) if then.lines and whole else []
    if differing or lines:
        return failed(observed, f"not as in {base.name}: {'; '.join([*_counted(differing), *lines])}", base.differs)
    if pairs.unknown:
        return error(observed, f"not looked at, and known to {base.name}: {words.named(pairs.unknown)}", base.lacks)
    if open_:
        return error(observed, f"{base.name} has nothing to compare with of {words.named(open_)}", base.lacks)
    return passed(f"{observed}; the same as {base.name}{pairs.told()}")


def _held(pairs: Pairs, unit: str) -> tuple[list[str], list[str]]:
    """Return what differs, in words, and what cannot be told."""
    differing = [f"missing {unit} {m.object}" + (f" ({why})" if why else "") for m, why in pairs.gone]
    open_ = []
    for then, now in pairs.both:
        if said := _differs(then, now):
            differing.append(f"{now.object} {said}")
        elif bool(then.fingerprint) != bool(now.fingerprint) or (then.rows is None) != (now.rows is None):
            open_.append(now.object)
    return differing, open_


def _differs(then: Measure, now: Measure) -> str:
    if then.rows is not None and now.rows is not None and then.rows != now.rows:
        return f"has {words.count(now.rows, 'row')} instead of {then.rows:,}"
    if then.fingerprint and now.fingerprint and then.fingerprint != now.fingerprint:
        return "has as many rows, but not the same" if then.rows is not None else "is not the same"
    return ""


def _counted(differing: Sequence[str]) -> list[str]:
    return [f"{words.count(len(differing), 'difference')}: {words.listed(differing)}"] if differing else []


def _lines(then: Iterable[str], now: Iterable[str]) -> list[str]:
    """Return what is missing and what is new among lines, the first few of each."""
    before, after = Counter(then), Counter(now)
    return [
        f"{word}: {words.listed(sorted(lines.elements()))}"
        for word, lines in (("missing", before - after), ("new", after - before))
        if lines
    ]
