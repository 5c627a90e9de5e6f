"""One answer against one expectation: the finding, in words that need no other page.

Whatever could not be answered or compared is an error of that assertion with its own words, never a pass: NULL, no
row, several rows, several columns, a type that does not fit, NaN, infinity. Nothing here decides about a whole run.
"""

from __future__ import annotations

from datetime import datetime

from restorecheck.assertions import words
from restorecheck.assertions.comparison import SCALES, judge_value
from restorecheck.assertions.digest import hidden_kind, sealed
from restorecheck.assertions.looking import DAMAGE, judge_examined
from restorecheck.assertions.ruling import Circumstances, Ruling, error, failed, finite, incomparable, mismatch, passed
from restorecheck.assertions.sameness import same_rows
from restorecheck.failures import KINDS
from restorecheck.model import Answer, Assertion, Cell, Expectation, Finding, Known, Outcome, Probe
from restorecheck.model.probes import PROBES

_NEVER_ONLY_A_WARNING = DAMAGE
"""An operator may find an expectation unimportant; damage that was met on the way there is not his to play down."""


def judge(
    assertion: Assertion,
    answer: Answer,
    *,
    backup_time: datetime,
    asked_at: datetime,
    salt: str,
    known: Known | None = None,
) -> Finding:
    """Return the finding of one assertion. Never raises, whatever the answer holds.

    `backup_time` and `asked_at` are aware times; `salt` is the one that the digests in the answer were made with;
    `known` is what the assertion came to at the time that it is held against. The message does not repeat the
    assertion's name.
    """
    around = Circumstances(assertion, backup_time, asked_at, salt, known)
    try:
        expected = words.expected(assertion)
    except (ArithmeticError, ValueError):
        expected = "something that cannot be read"
    try:
        ruling = _ruling(answer, around)
    except (ArithmeticError, ValueError, OverflowError):
        ruling = error("not readable", "the answer or the expectation is in a form that cannot be read", "internal")
    outcome = ruling.outcome
    wrong = outcome not in (Outcome.PASS, Outcome.LEARNING)
    if assertion.severity == "warn" and wrong and ruling.kind not in _NEVER_ONLY_A_WARNING:
        outcome = Outcome.WARN
    return Finding(
        name=assertion.name,
        outcome=outcome,
        expected=expected,
        observed=ruling.observed,
        message=ruling.message,
        kind=ruling.kind,
        seconds=answer.seconds,
        runbook=assertion.runbook,
        value=_value(answer),
    )


def _value(answer: Answer) -> str | None:
    """Return the one number that was answered, or the seconds of the one duration; baselines are made of these."""
    if answer.error or answer.more or (answer.rows, answer.columns, len(answer.cells)) != (1, 1, 1):
        return None
    [cell] = answer.cells
    try:
        return cell.text if cell.kind in ("number", "duration") and finite(cell) else None
    except ArithmeticError:
        return None


def _ruling(answer: Answer, around: Circumstances) -> Ruling:
    expect = around.assertion.expect
    if answer.error or answer.kind:
        return error(
            "not answered",
            answer.error or "the question was not answered",
            answer.kind if answer.kind in KINDS else "unknown-answer",
        )
    if flaw := _flaw(around.assertion):
        return error("not compared", flaw, "config")
    if around.assertion.probe is not None or expect.exist_in or expect.covers:
        if answer.examined is None:
            return error("nothing told", "the answer does not say what was looked at", "internal")
        return judge_examined(answer.examined, around)
    if expect.no_rows:
        return _no_rows(answer)
    if expect.same_as is not None:
        return same_rows(answer, around)
    if answer.columns > 1:
        return error(
            words.count(answer.columns, "column"),
            f"the query answers {answer.columns:,} columns where one is meant: select only the value to be judged",
        )
    if expect.members is not None:
        return _members(answer, expect.members, around.salt)
    if not answer.rows:
        return error("no row", "the query answered no row where one value was meant", "no-answer")
    if answer.rows > 1 or answer.more:
        return error("several rows", "the query answers several rows where one value is meant: aggregate, or use `set`")
    if len(answer.cells) != 1 or answer.columns != 1:
        return error("no value", "the answer holds one row but not one value", "internal")
    return judge_value(answer.cells[0], around)


def _flaw(assertion: Assertion) -> str:
    """Return what is wrong with the expectation itself, or nothing. The configuration refuses all of this earlier."""
    expect = assertion.expect
    bounded = expect.at_least is not None or expect.at_most is not None
    families = (
        expect.no_rows,
        expect.members is not None,
        expect.equals is not None,
        bounded,
        expect.same_as is not None,
        bool(expect.exist_in),
        bool(expect.covers),
    )
    if sum(families) != 1:
        return (
            "the assertion must expect one thing: bounds, `equals`, `set`, `no_rows`, `same_as`, `exist_in`, `covers`"
        )
    limits = [c for c in (expect.at_least, expect.at_most, expect.equals) if c is not None]
    if any(c.kind in ("null", "other", "digest") or not finite(c) for c in (*limits, *(expect.members or ()))):
        return "the assertion expects a value that nothing can be compared with"
    if expect.equals is None and any(c.kind not in SCALES for c in limits):
        return f"{words.KIND[limits[0].kind]} cannot be a bound: it has no order here; use `equals`"
    if expect.of is not None and (not bounded or expect.before or any(c.kind != "number" for c in limits)):
        return "`of` needs bounds that are ratios, such as at_least = 0.98"
    if expect.before and (not limits or any(c.kind != "duration" for c in limits) or expect.equals is not None):
        return '`before` needs bounds that are durations, such as at_most = "15m"'
    return _flaw_of_probe(assertion.probe, expect) if assertion.probe is not None else ""


def _flaw_of_probe(probe: Probe, expect: Expectation) -> str:
    """Return what a probe cannot be held to."""
    kind = PROBES.get(probe.name)
    if kind is None:
        return f"there is no probe {probe.name}"
    if expect.same_as is not None:
        return "" if kind.compares else f"the probe {probe.name} measures nothing that `same_as` could compare"
    if expect.of is not None:
        return "" if kind.counts else f"the probe {probe.name} counts no rows that `of` could compare"
    limit = expect.equals or expect.at_most
    if not kind.violations or expect.at_least is not None or limit is None or limit.kind != "number":
        return f"the probe {probe.name} cannot be held to this expectation"
    return ""


def _no_rows(answer: Answer) -> Ruling:
    if not answer.rows and not answer.more:
        return passed("no rows")
    found = f"{answer.rows:,} rows or more" if answer.more else words.count(answer.rows, "row")
    were = "was" if answer.rows == 1 and not answer.more else "were"
    kept = f"; the keys of {answer.sampled:,} of them are kept as evidence" if answer.sampled else ""
    if answer.unsampled:
        kept = f"; evidence could not be kept: {answer.unsampled}"
    return failed(found, f"{found} {were} found where there must be none{kept}")


def _members(answer: Answer, members: tuple[Cell, ...], salt: str) -> Ruling:
    """Compare as sets: how often a value occurs does not count, NULL is never expected."""
    if stray := next((c for c in answer.cells if c.kind not in ("digest", "null")), None):
        return incomparable(stray, members[0] if members else None)
    if not answer.more and answer.rows != len(answer.cells):
        return error("no values", "the answer does not hold a value for each of its rows", "internal")
    expected = {sealed(m, salt): m for m in members}
    found = set(answer.cells)
    kinds = {hidden_kind(c) for c in found if c.kind == "digest"}
    meant = {m.kind for m in members}
    if kinds and meant and not kinds & meant:
        return mismatch(words.KIND.get(min(kinds), "something else"), words.KIND[members[0].kind])
    missing = [m for sealed_member, m in expected.items() if sealed_member not in found]
    unexpected = found - expected.keys()
    if answer.more and not unexpected:
        return error(
            f"{answer.rows:,} rows or more",
            f"the query answers more than {answer.rows:,} rows, too many to be sure of a set: use `select distinct`",
        )
    if not missing and not unexpected:
        return passed(words.count(len(found), "value"))
    parts = []
    if missing:
        total = words.count(len(expected), "expected value")
        parts.append(f"{len(missing):,} of {total} missing: {words.values(missing)}")
    if unexpected:
        more = " or more" if answer.more else ""
        null = " (NULL among them)" if any(c.kind == "null" for c in unexpected) else ""
        parts.append(f"{words.count(len(unexpected), 'unexpected value')}{more}{null}")
    observed = f"{len(expected) - len(missing):,} expected, {len(unexpected):,} unexpected"
    return failed(observed, "; ".join(parts))
