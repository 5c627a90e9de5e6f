"""The same as at another time: rows, tables, definitions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from restorecheck.assertions import judge
from restorecheck.model import (
    Against,
    Answer,
    Assertion,
    Examined,
    Expectation,
    Finding,
    Flaw,
    Known,
    Measure,
    Measured,
    Outcome,
    Probe,
    Unseen,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
YESTERDAY = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
LIVE, PREVIOUS, ACCEPTED = Against("reference", reference="live"), Against("previous"), Against("accepted")


def rows(answer: Answer, measured: Measured | None, to: Against = LIVE) -> Finding:
    known = None if measured is None else Known("a", to, YESTERDAY, 1, measured)
    assertion = Assertion("a", "select * from t", Expectation(same_as=to))
    return judge(assertion, answer, backup_time=NOW, asked_at=NOW, salt="s", known=known)


def looked(now: Examined, then: Measured | None, to: Against = LIVE, probe: str = "readable") -> Finding:
    known = None if then is None else Known("a", to, YESTERDAY, 1, then)
    assertion = Assertion("a", "", Expectation(same_as=to), probe=Probe(probe))
    return judge(assertion, Answer("a", examined=now), backup_time=NOW, asked_at=NOW, salt="s", known=known)


def tables(*measures: Measure, **rest: object) -> Examined:
    return Examined("table", len(measures), measures=measures, rows=7, **rest)  # type: ignore[arg-type]


ANSWER = Answer("a", rows=3, columns=2, fingerprint="f")


def test_the_same_rows_pass_and_others_do_not():
    finding = rows(ANSWER, Measured("a", fingerprint="f"))
    assert (finding.outcome, finding.expected) == (Outcome.PASS, "the same as the reference live")
    assert finding.observed == "3 rows, the same as the reference live of 2026-11-20 03:00 UTC"
    finding = rows(ANSWER, Measured("a", fingerprint="g"))
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "reference-differs")
    assert finding.message == "the rows are not those of the reference live of 2026-11-20 03:00 UTC"
    for to in (PREVIOUS, ACCEPTED):
        assert rows(ANSWER, Measured("a", fingerprint="g"), to).kind == "assertion-failed"


def test_no_rows_are_the_same_as_no_rows():
    assert rows(Answer("a", columns=1, fingerprint="0"), Measured("a", fingerprint="0")).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("answer", "measured", "to", "kind"),
    [
        (Answer("a", rows=3), Measured("a", fingerprint="f"), LIVE, "internal"),
        (Answer("a", rows=3, more=True, fingerprint="f"), Measured("a", fingerprint="f"), LIVE, "question"),
        (ANSWER, Measured("a", "3"), LIVE, "no-reference"),
        (ANSWER, Measured("a", "3"), PREVIOUS, "no-baseline"),
        (ANSWER, None, LIVE, "no-reference"),
    ],
)
def test_rows_that_cannot_be_compared_are_an_error(answer: Answer, measured: Measured | None, to: Against, kind: str):
    finding = rows(answer, measured, to)
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, kind)


def test_what_was_not_accepted_yet_is_learned():
    finding = rows(ANSWER, None, ACCEPTED)
    assert (finding.outcome, finding.kind) == (Outcome.LEARNING, "learning")
    assert "restorecheck accept" in finding.message


A, B = Measure("p.a", 3, "fa"), Measure("p.b", 4, "fb")


def test_every_table_with_its_own_fingerprint_is_the_same():
    finding = looked(tables(A, B), Measured("a", measures=(A, B)))
    assert finding.outcome is Outcome.PASS
    assert finding.observed == "2 tables, 7 rows; the same as the reference live of 2026-11-20 03:00 UTC"


def test_every_difference_of_a_table_is_found_and_named():
    c, gone = Measure("p.c", 1, "fc"), Measure("p.gone", 1, "fg")
    now = tables(
        Measure("p.a", 2, "fx"), Measure("p.b", 4, "fx"), Measure("p.c", None, "fx"), Measure("p.d", None, "x")
    )
    finding = looked(now, Measured("a", measures=(A, B, c, Measure("p.d", None, "y"), gone)))
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "reference-differs")
    assert finding.message == (
        "not as in the reference live of 2026-11-20 03:00 UTC: 5 differences: missing table p.gone; "
        "p.a has 2 rows instead of 3; p.b has as many rows, but not the same; "
        "p.c has as many rows, but not the same; p.d is not the same"
    )


def test_a_table_that_the_reference_lacks_is_told_and_passes():
    finding = looked(tables(A, B), Measured("a", measures=(A,)))
    assert (finding.outcome, finding.observed.endswith("; only here: p.b")) == (Outcome.PASS, True)


def test_a_table_that_is_not_populated_any_more_is_a_difference():
    unseen = Unseen("p.b", "it is not populated", owed=False)
    finding = looked(tables(A, unseen=(unseen,), unseen_count=1), Measured("a", measures=(A, B)))
    assert finding.outcome is Outcome.FAIL
    assert "missing table p.b (it is not populated)" in finding.message


def test_a_table_that_should_have_been_looked_at_is_neither_the_same_nor_other():
    unseen = Unseen("p.b", "permission denied")
    finding = looked(tables(A, unseen=(unseen,), unseen_count=1, owed=1), Measured("a", measures=(A, B)))
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "could-not-look")


@pytest.mark.parametrize("flaws", [(Flaw("p.b", "it was restarted", "interfered"),), ()])
def test_a_table_whose_look_broke_off_is_not_one_that_is_missing(flaws: tuple[Flaw, ...]):
    finding = looked(tables(A, flawed=2 - len(flaws), flaws=flaws), Measured("a", measures=(A, B)))
    assert finding.outcome is (Outcome.ERROR if flaws else Outcome.FAIL)
    assert "missing" not in finding.message


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (A, Measure("p.a", 3)),
        (Measure("p.a", 3), A),
        (A, Measure("p.a", None, "fa")),
        (Measure("p.a", None, "fa"), A),
    ],
)
def test_what_was_not_measured_at_both_times_is_not_called_the_same(now: Measure, then: Measure):
    finding = looked(tables(now), Measured("a", measures=(then,)))
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "no-reference")
    assert "p.a" in finding.message


def test_a_reference_that_measured_nothing_is_no_reference():
    assert looked(tables(A), Measured("a", "5")).kind == "no-reference"
    assert looked(tables(A), Measured("a", "5"), PREVIOUS).kind == "no-baseline"
    assert looked(tables(A), None, PREVIOUS).outcome is Outcome.LEARNING


def test_a_changed_definition_is_shown_line_by_line():
    then = Measured("a", lines=("column p.a.x integer", "column p.a.y text", "table p.a"))
    now = Examined("object", 3, lines=("column p.a.x bigint", "column p.a.y text", "table p.a"))
    finding = looked(now, then, ACCEPTED, "schema")
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "assertion-failed")
    assert finding.message == (
        "not as in what was accepted on 2026-11-20: missing: column p.a.x integer; new: column p.a.x bigint"
    )
    assert looked(Examined("object", 3, lines=then.lines), then, ACCEPTED, "schema").outcome is Outcome.PASS


def test_the_first_lines_are_shown_and_the_others_counted():
    then = Measured("a", lines=tuple(f"table p.t{n}" for n in range(9)))
    finding = looked(Examined("object", 1, lines=("table p.t0",)), then, ACCEPTED, "schema")
    assert finding.message.endswith("missing: table p.t1; table p.t2; table p.t3; table p.t4; table p.t5; and 3 more")
    assert "new" not in finding.message


def test_a_definition_that_could_not_be_looked_at_is_not_one_that_is_missing():
    now = Examined("object", 1, lines=("table p.a",), unseen=(Unseen("p.b", "a lock"),), unseen_count=1, owed=1)
    finding = looked(now, Measured("a", lines=("table p.a", "table p.b")), ACCEPTED, "schema")
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "could-not-look")


def test_damage_is_said_before_any_comparison_and_needs_no_baseline():
    flaw = Flaw("p.a", "invalid page in block 3", "data-damaged")
    for then in (None, Measured("a", measures=(A,))):
        finding = looked(tables(A, flawed=1, flaws=(flaw,)), then, PREVIOUS)
        assert (finding.outcome, finding.kind) == (Outcome.FAIL, "data-damaged")


def test_nothing_examined_is_no_sameness():
    finding = looked(Examined("object", 0), Measured("a", lines=()), PREVIOUS, "schema")
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "nothing-examined")
