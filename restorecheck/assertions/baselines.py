"""What an answer is held against when no constant was declared: earlier runs, and what somebody accepted. Pure.

Which runs may count is decided where they are kept: only runs without a failing finding, or a baseline would follow the
loss that it is there to show. Here, nothing older than an acceptance is looked at, and nothing that answered another
question than the one that is asked now.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext

from restorecheck.assertions.digest import canonical
from restorecheck.model import (
    Against,
    Answers,
    Assertion,
    Cell,
    Check,
    Finding,
    Known,
    Measure,
    Measured,
)

PRECISION = 1000
"""Digits: more than any answer has, so that arithmetic with answers is exact."""


@dataclass(frozen=True, slots=True)
class Past:
    """What one assertion came to in an earlier run that may be a baseline."""

    run_id: str
    at: datetime  # the time of that run
    measured: Measured


@dataclass(frozen=True, slots=True)
class Accepted:
    """What somebody declared to be right."""

    at: datetime  # when that was said
    actor: str
    measured: Measured


def known(
    check: Check, history: Mapping[str, Sequence[Past]], accepted: Mapping[str, Accepted], now: datetime
) -> tuple[Known, ...]:
    """Return what is known for each assertion that is held against its past; nothing for one that still learns.

    `history` and `accepted` are by the name of the assertion. Of `history`, the newest comes first, and there must be
    as many runs as a baseline looks back. `now` is the time of the run that will be judged.
    """
    found = (
        _known(assertion, history.get(assertion.name, ()), accepted.get(assertion.name), now)
        for assertion in check.assertions
    )
    return tuple(one for one in found if one is not None)


_WHOLE = frozenset({"", "learning", "assertion-failed", "no-baseline"})
"""Kinds of findings whose answer was whole. With damage, or what was not looked at, nothing is to be compared."""


def measured(findings: Iterable[Finding], answers: Answers, check: Check) -> tuple[Measured, ...]:
    """Return what was measured: of every assertion whose answer was whole.

    Only those that passed or learn are baselines of later runs, which the store sees to; what failed is here so that an
    operator can accept it.
    """
    judged = {f.name: f for f in findings if f.by == "check"}
    given = {a.name: a for a in answers.answers}
    kept = []
    for assertion in check.assertions:
        finding, answer = judged.get(assertion.name), given.get(assertion.name)
        if finding is None or answer is None or answer.error or finding.kind not in _WHOLE:
            continue
        looked = answer.examined
        one = Measured(
            assertion.name,
            value=finding.value,
            fingerprint=answer.fingerprint,
            measures=looked.measures if looked else (),
            lines=looked.lines if looked else (),
            question=question(assertion),
        )
        if one.value is not None or one.fingerprint or one.measures or one.lines:
            kept.append(one)
    return tuple(kept)


def question(assertion: Assertion) -> str:
    """Return what tells one question from another, as 16 hex digits.

    A query that was changed, or a look at other tables, is another question: what the old one came to is nothing to
    compare with, and a table that is left out now is not one that vanished.
    """
    probe = assertion.probe
    asks = (
        " ".join(assertion.sql.split()),
        assertion.database,
        None if probe is None else (probe.name, probe.tables, probe.exclude, probe.required, probe.role),
    )
    return hashlib.sha256(json.dumps(asks).encode()).hexdigest()[:16]


def same_question(assertion: Assertion, measured: Measured) -> bool:
    """Say whether something was measured by the question that is asked now. One that does not say is believed."""
    return measured.question in ("", question(assertion))


def _against(assertion: Assertion) -> Against | None:
    return assertion.expect.of or assertion.expect.same_as


def _known(assertion: Assertion, history: Sequence[Past], accepted: Accepted | None, now: datetime) -> Known | None:
    against = _against(assertion)
    if against is None or against.kind == "reference":
        return None
    if accepted is not None:
        history = [past for past in history if past.at > accepted.at]
    fitting = [(p.at, p.measured) for p in history if _fits(assertion, p.measured)]
    if accepted is not None and _fits(assertion, accepted.measured):
        if against.kind == "accepted":
            return Known(assertion.name, against, accepted.at, 1, accepted.measured)
        fitting.append((accepted.at, accepted.measured))
    if against.kind == "median":
        fitting = fitting[: against.runs or 1]
    if against.kind == "max":
        fitting = [(at, one) for at, one in fitting if at >= now - (against.span or timedelta(0))]
    if not fitting or against.kind == "accepted":
        return None
    newest, first = fitting[0]
    if against.kind == "previous":
        return Known(assertion.name, against, newest, 1, first)
    of = _median if against.kind == "median" else max
    return Known(assertion.name, against, newest, len(fitting), _merged(assertion, [one for _, one in fitting], of))


def _fits(assertion: Assertion, one: Measured) -> bool:
    """Say whether something measured can be compared as this assertion wants it."""
    if not same_question(assertion, one):
        return False
    if assertion.probe is not None:
        return bool(one.measures or one.lines)
    return one.value is not None if assertion.expect.of else bool(one.fingerprint)


def _merged(assertion: Assertion, several: Sequence[Measured], of: Callable[[list[Decimal]], Decimal]) -> Measured:
    """Return the one number of several runs, and of each table that any of them knew.

    A table that left has failed when it did, and somebody accepted that: then no run that knew it is among these.
    """
    values = [Decimal(one.value) for one in several if one.value is not None]
    rows: dict[str, list[Decimal]] = {}
    for measure in (m for one in several for m in one.measures):
        if measure.rows is not None:
            rows.setdefault(measure.object, []).append(Decimal(measure.rows))
    return Measured(
        assertion.name,
        value=canonical(Cell("number", str(of(values)))) if values else None,
        measures=tuple(Measure(name, int(of(rows[name]))) for name in sorted(rows)),
        question=question(assertion),
    )


def _median(values: list[Decimal]) -> Decimal:
    with localcontext(prec=PRECISION):
        return statistics.median(values)
