"""What a probe looked at, against what it was asked for: violations, things not looked at, and then any comparison.

Damage that was met is a failure whatever was allowed. Nothing examined is never a pass, and neither is anything that
should have been looked at and was not. Names of tables and numbers only.
"""

from __future__ import annotations

from decimal import Decimal

from restorecheck.assertions import words
from restorecheck.assertions.ratios import judge_counts
from restorecheck.assertions.ruling import Circumstances, Ruling, error, failed, passed
from restorecheck.assertions.sameness import same_things
from restorecheck.failures import KINDS
from restorecheck.model import Examined, Expectation, Flaw, Outcome, Verdict

DAMAGE = frozenset({"data-damaged", "connection-lost"})
"""Flaws that are the storage's, not the data's: no number of them is allowed, and no severity plays them down."""


def judge_examined(looked: Examined, around: Circumstances) -> Ruling:
    """Judge what a probe, or a comparison with the keys of another store, looked at."""
    expect = around.assertion.expect
    flaws = [f for f in looked.flaws if _blames(f)]
    open_ = [f for f in looked.flaws if not _blames(f)]
    flawed = max(looked.flawed, len(looked.flaws)) - len(open_)
    if failure := _violations(looked, flaws, flawed, expect):
        return failure
    compared = _compared(looked, around)
    if compared is not None and compared.outcome is Outcome.FAIL:
        return compared
    if open_:
        return error(words.examined(looked), f"{open_[0].object}: {open_[0].message}", open_[0].kind)
    owed = max(looked.owed, sum(u.owed for u in looked.unseen))
    if owed:
        return _not_looked_at(looked, owed)
    if looked.count <= 0:
        why = "; ".join(f"{u.object}: {u.reason}" for u in looked.unseen[:1])
        message = f"no {looked.unit} was looked at" + (f" ({why})" if why else "")
        return error("nothing examined", message, "nothing-examined")
    if compared is not None:
        return compared
    return passed(f"{words.examined(looked)}; {words.count(flawed, 'violation') if flawed else 'no violation'}")


def _blames(flaw: Flaw) -> bool:
    """Say whether a flaw is the backup's: one whose kind is `unproven` was taken back by whoever knew more."""
    return flaw.kind not in KINDS or KINDS[flaw.kind].verdict is Verdict.BROKEN


def _violations(looked: Examined, flaws: list[Flaw], flawed: int, expect: Expectation) -> Ruling | None:
    """Return the failure if there are more violations than allowed, or damage."""
    damage = [f for f in flaws if f.kind in DAMAGE]
    if not damage and flawed <= _allowed(expect):
        return None
    shown = [f"{f.object}: {f.message}" for f in (*damage, *(f for f in flaws if f.kind not in DAMAGE))]
    worst = next((f.kind for f in (*damage, *flaws) if f.kind in KINDS), "assertion-failed")
    observed = f"{words.examined(looked)}; {words.count(flawed, 'violation')}"
    in_all = f"{words.count(flawed, 'violation')} in all"  # one flaw may stand for many: the rows of one foreign key
    message = words.listed(shown) if shown else in_all
    if shown and flawed > len(flaws):
        message += f" ({in_all})"
    return failed(observed, message, worst)


def _allowed(expect: Expectation) -> Decimal:
    limit = expect.at_most or expect.equals
    return Decimal(0) if limit is None or expect.of is not None else Decimal(limit.text)


def _compared(looked: Examined, around: Circumstances) -> Ruling | None:
    expect = around.assertion.expect
    if expect.of is not None:
        return judge_counts(looked, around)
    return same_things(looked, around) if expect.same_as is not None else None


def _not_looked_at(looked: Examined, owed: int) -> Ruling:
    """Return the error of things that should have been looked at: the first by name, the others by number."""
    first = next((u for u in looked.unseen if u.owed), None)
    if first is None:
        message = f"{words.count(owed, looked.unit)} could not be looked at"
    else:
        message = (
            f"{first.object}{f' and {owed - 1:,} more' if owed > 1 else ''} could not be looked at: {first.reason}"
        )
    return error(f"{words.examined(looked)}; {owed:,} not looked at", message, "could-not-look")
