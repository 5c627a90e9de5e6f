"""What later runs are compared with: which of the past counts, and what is kept of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from restorecheck.assertions.baselines import Accepted, Past, known, measured, question, same_question
from restorecheck.durable import decode, encode
from restorecheck.model import (
    Against,
    Answer,
    Answers,
    Assertion,
    Cell,
    Check,
    Examined,
    Expectation,
    Finding,
    Known,
    Limits,
    Measure,
    Measured,
    Outcome,
    Placement,
    Probe,
    RdsSource,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LOW = Cell("number", "0.98")
PREVIOUS, MEDIAN, ACCEPTED = Against("previous"), Against("median", runs=3), Against("accepted")
MOST = Against("max", span=timedelta(days=10))
LIVE = Against("reference", reference="live")


def assertion(of: Against | None = None, same_as: Against | None = None, **rest: object) -> Assertion:
    if of:
        expect = Expectation(at_least=LOW, of=of)
    else:
        expect = Expectation(same_as=same_as) if same_as else Expectation(no_rows=True)
    return replace(Assertion("a", "select count(*) from t", expect), **rest)  # type: ignore[arg-type]


def check(*assertions: Assertion) -> Check:
    source = RdsSource("111111111111", "eu-central-1", "orders", "shop")
    placement = Placement("222222222222", "eu-central-1")
    return Check("orders-db", source, placement, Limits(), assertions, timedelta(hours=25), timedelta(hours=2))


def past(days: float, **what: object) -> Past:
    return Past(f"run-{days}", NOW - timedelta(days=days), Measured("a", **what))  # type: ignore[arg-type]


def numbers(*pairs: tuple[float, str]) -> list[Past]:
    return [past(days, value=value) for days, value in pairs]


def one(held: Assertion, history: list[Past], accepted: Accepted | None = None) -> Known | None:
    found = known(check(held), {"a": history}, {"a": accepted} if accepted else {}, NOW)
    return found[0] if found else None


def test_the_previous_run_is_the_newest():
    found = one(assertion(PREVIOUS), numbers((1, "10"), (2, "20")))
    assert found == Known("a", PREVIOUS, NOW - timedelta(days=1), 1, Measured("a", "10"))


def test_where_nothing_is_known_nothing_is_made_up():
    held = check(assertion(PREVIOUS), replace(assertion(same_as=LIVE), name="b"), replace(assertion(), name="c"))
    assert known(held, {}, {}, NOW) == ()
    assert known(held, {"b": numbers((1, "2")), "c": numbers((1, "2"))}, {}, NOW) == ()


def test_a_median_is_that_of_the_last_runs_and_exact():
    history = numbers((1, "1"), (2, "4"), (3, "100"), (4, "7"))
    found = one(assertion(MEDIAN), history)
    assert found is not None
    assert (found.runs, found.at, found.measured) == (
        3,
        NOW - timedelta(days=1),
        Measured("a", "4", question=question(assertion(MEDIAN))),
    )
    two = one(assertion(MEDIAN), numbers((1, "1" + "0" * 40), (2, "1")))
    assert two is not None
    assert two.runs == 2
    assert two.measured is not None
    assert two.measured.value == "5" + "0" * 39 + ".5"


def test_a_maximum_is_that_of_its_span():
    found = one(assertion(MOST), numbers((1, "1"), (10, "9"), (11, "100")))
    assert found is not None
    assert found.measured is not None
    assert (found.runs, found.measured.value) == (2, "9")
    assert one(assertion(MOST), numbers((11, "100"))) is None


def test_of_tables_each_has_its_own_median_and_maximum():
    probe = assertion(MEDIAN, probe=Probe("row_counts"), sql="")
    history = [
        past(1, measures=(Measure("x", 5), Measure("y", 1))),
        past(2, measures=(Measure("x", 8),)),
        past(3, measures=(Measure("x", 6), Measure("z", None, "f"))),
    ]
    found = one(probe, history)
    assert found is not None
    assert found.measured is not None
    assert (found.measured.value, found.measured.measures) == (None, (Measure("x", 6), Measure("y", 1)))
    most = one(assertion(MOST, probe=Probe("row_counts"), sql=""), history)
    assert most is not None
    assert most.measured is not None
    assert most.measured.measures == (Measure("x", 8), Measure("y", 1))


def test_what_was_accepted_counts_as_a_run_and_hides_those_before_it():
    accepted = Accepted(NOW - timedelta(days=2), "ada", Measured("a", "50"))
    older = numbers((3, "100"), (4, "100"))
    found = one(assertion(PREVIOUS), older, accepted)
    assert found is not None
    assert (found.at, found.measured) == (accepted.at, accepted.measured)
    newer = one(assertion(PREVIOUS), [*numbers((1, "51")), *older], accepted)
    assert newer is not None
    assert newer.measured == Measured("a", "51")
    for of in (MEDIAN, MOST):
        merged = one(assertion(of), [*numbers((1, "48")), *older], accepted)
        assert merged is not None
        assert merged.measured is not None
        assert (merged.runs, merged.measured.value) == (2, "49" if of is MEDIAN else "50")


def test_accepted_is_what_was_accepted_and_no_run():
    accepted = Accepted(NOW - timedelta(days=2), "ada", Measured("a", fingerprint="f"))
    held = assertion(same_as=ACCEPTED)
    assert one(held, [past(1, fingerprint="g")], accepted) == Known("a", ACCEPTED, accepted.at, 1, accepted.measured)
    assert one(held, [past(1, fingerprint="g")]) is None


@pytest.mark.parametrize(
    ("held", "unfit", "fit"),
    [
        (assertion(PREVIOUS), {"fingerprint": "f"}, {"value": "1"}),
        (assertion(same_as=PREVIOUS), {"value": "1"}, {"fingerprint": "f"}),
        (assertion(PREVIOUS, probe=Probe("row_counts")), {"value": "1"}, {"measures": (Measure("x", 1),)}),
        (assertion(same_as=PREVIOUS, probe=Probe("schema")), {"fingerprint": "f"}, {"lines": ("table x",)}),
    ],
)
def test_a_run_that_measured_something_else_is_passed_over(held: Assertion, unfit: dict, fit: dict):
    found = one(held, [past(1, **unfit), past(2, **fit)])
    assert found is not None
    assert found.at == NOW - timedelta(days=2)
    wrong = Accepted(NOW, "ada", Measured("a", **unfit))
    assert one(held, [past(2, **fit)], wrong) is None


def test_what_another_question_came_to_is_nothing_to_compare_with():
    held = assertion(PREVIOUS)
    assert same_question(held, Measured("a", "1"))
    assert same_question(replace(held, sql="select   count(*)\n from t"), Measured("a", "1", question=question(held)))
    others = (
        replace(held, sql="select count(*) from u"),
        replace(held, database="other"),
        replace(held, probe=Probe("row_counts")),
        replace(held, probe=Probe("row_counts", exclude=("audit.*",))),
    )
    assert len({question(h) for h in (held, *others)}) == 5
    for other in others:
        assert one(held, [past(1, value="1", question=question(other))]) is None


def test_what_is_known_survives_json():
    found = one(assertion(MOST), numbers((1, "1")))
    assert decode(encode(found, Known), Known) == found


# --- what is kept ---------------------------------------------------------------------------------------------------


def kept(answer: Answer | None, outcome: Outcome, kind: str = "", value: str | None = "5", by: str = "check"):
    finding = Finding("a", outcome, "e", "o", kind=kind, value=value, by=by)  # type: ignore[arg-type]
    return measured([finding], Answers((answer,) if answer else (), NOW), check(assertion()))


def test_a_number_a_fingerprint_and_what_a_probe_measured_are_kept():
    question_ = question(assertion())
    assert kept(Answer("a"), Outcome.PASS) == (Measured("a", "5", question=question_),)
    assert kept(Answer("a", fingerprint="f"), Outcome.LEARNING, "learning", None) == (
        Measured("a", fingerprint="f", question=question_),
    )
    looked = Examined("table", 1, measures=(Measure("x", 1),), lines=("table x",))
    assert kept(Answer("a", examined=looked), Outcome.PASS, value=None) == (
        Measured("a", measures=looked.measures, lines=looked.lines, question=question_),
    )


def test_what_failed_is_kept_so_that_it_can_be_accepted():
    assert kept(Answer("a"), Outcome.FAIL, "assertion-failed")
    assert kept(Answer("a"), Outcome.WARN, "assertion-failed")
    assert kept(Answer("a"), Outcome.ERROR, "no-baseline")


def test_what_is_damaged_not_whole_or_empty_is_not_kept():
    for kind in ("data-damaged", "could-not-look", "nothing-examined", "timeout"):
        assert kept(Answer("a"), Outcome.ERROR, kind) == ()
    assert kept(Answer("a", error="lost", kind=""), Outcome.PASS) == ()
    assert kept(Answer("a"), Outcome.PASS, value=None) == ()
    assert kept(None, Outcome.PASS) == ()
    assert kept(Answer("a"), Outcome.PASS, by="source") == ()
