"""Bounds that are ratios of another time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.assertions import judge
from restorecheck.model import (
    Against,
    Answer,
    Assertion,
    Cell,
    Examined,
    Expectation,
    Finding,
    Known,
    Measure,
    Measured,
    Outcome,
    Probe,
    Unseen,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
YESTERDAY = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
PREVIOUS = Against("previous")
LIVE = Against("reference", reference="live")


def number(text: object) -> Cell:
    return Cell("number", str(text))


def held(
    value: object,
    base: object = None,
    *,
    low: str | None = "0.98",
    high: str | None = None,
    of: Against = PREVIOUS,
    known: Known | None = None,
    severity: str = "fail",
    kind: str = "number",
) -> Finding:
    expect = Expectation(at_least=number(low) if low else None, at_most=number(high) if high else None, of=of)
    assertion = Assertion("a", "select count(*) from t", expect, severity=severity)  # type: ignore[arg-type]
    if base is not None:
        known = Known("a", of, YESTERDAY, 1, Measured("a", str(base)))
    answer = Answer("a", rows=1, columns=1, cells=(Cell(kind, str(value)),))  # type: ignore[arg-type]
    return judge(assertion, answer, backup_time=NOW, asked_at=NOW, salt="s", known=known)


def test_a_ratio_within_its_bounds_passes_and_is_told():
    finding = held(1943200, 1983000, low="0.97")
    assert (finding.outcome, finding.value) == (Outcome.PASS, "1943200")
    assert finding.expected == "at least 0.97 of the previous run"
    assert finding.observed == "1,943,200, 0.97 of the 1,983,000 of the run of 2026-11-20"
    assert held(120, 100, low="1.2", high="1.2").outcome is Outcome.PASS


def test_a_ratio_out_of_its_bounds_fails_and_never_reads_as_the_bound():
    finding = held(1943200, 1983000)
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "assertion-failed")
    assert finding.message == ("1,943,200 is 0.97 of the 1,983,000 of the run of 2026-11-20 (at least 0.98 expected)")
    assert "is 1.21 of" in held(12001, 10000, low=None, high="1.2").message
    assert "is 0.97 of" in held(97999999, 100000000).message
    assert "is 0.0012 of" in held(123, 100000).message
    assert "is 0 of the 5" in held(0, 5).message
    assert "is -1 of" in held(-5, 5).message
    assert "e+40 of the 5 " in held("5" + "0" * 40, 5, low=None, high="2").message


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=Decimal("0.001"), max_value=1000),
    st.decimals(allow_nan=False, places=2, min_value=Decimal("0.01"), max_value=3),
)
def test_a_ratio_is_decided_exactly(value: Decimal, base: Decimal, bound: Decimal):
    """Hypothesis: the bound is broken exactly if the value is below bound times base, in whole numbers."""
    broken = int(value * 1000) * 100 < int(bound * 100) * int(base * 1000)
    finding = held(value, base, low=str(bound))
    assert finding.outcome is (Outcome.FAIL if broken else Outcome.PASS)
    if broken:
        assert f"is {bound.normalize():f} of" not in finding.message


@pytest.mark.parametrize("base", ["0", "-5", "x", "NaN", "Infinity"])
def test_a_baseline_that_has_no_ratio_is_an_error_and_never_a_pass(base: str):
    finding = held(0, base)
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "no-baseline")
    assert held(5, base, of=LIVE).kind == "no-reference"


def test_a_baseline_without_a_number_is_an_error():
    known = Known("a", PREVIOUS, YESTERDAY, 1, Measured("a", None, "f"))
    finding = held(5, known=known)
    assert (finding.kind, finding.message) == (
        "no-baseline",
        "the run of 2026-11-20 has no number here, and there is no ratio to that",
    )


@pytest.mark.parametrize("severity", ["fail", "warn"])
def test_without_a_baseline_it_learns_whatever_its_severity(severity: str):
    finding = held(5, severity=severity)
    assert (finding.outcome, finding.kind, finding.value) == (Outcome.LEARNING, "learning", "5")
    assert finding.message == "no earlier run can be compared with yet"
    other = Known("a", PREVIOUS, YESTERDAY, 1, Measured("a", "5", question="another"))
    assert held(5, known=other, severity=severity).outcome is Outcome.LEARNING


def test_a_baseline_that_could_not_be_read_is_an_error():
    finding = held(5, known=Known("a", PREVIOUS, error="the store is damaged"))
    assert (finding.outcome, finding.kind, finding.message) == (
        Outcome.ERROR,
        "no-baseline",
        "the store is damaged",
    )


@pytest.mark.parametrize(
    ("known", "kind", "message"),
    [
        (None, "no-reference", "the reference live recorded nothing of this"),
        (Known("a", LIVE, error="AccessDenied", kind="permission"), "permission", "AccessDenied"),
        (Known("a", LIVE, error="damaged", kind="data-damaged"), "no-reference", "damaged"),
        (Known("a", LIVE, error="?", kind="of tomorrow"), "no-reference", "?"),
        (
            Known("a", LIVE, YESTERDAY),
            "no-reference",
            "the reference live of 2026-11-20 03:00 UTC recorded the answer to another question, or none",
        ),
    ],
)
def test_a_reference_that_is_not_there_is_an_error_that_blames_no_backup(known: Known | None, kind: str, message: str):
    finding = held(5, of=LIVE, known=known)
    assert (finding.outcome, finding.kind, finding.message) == (Outcome.ERROR, kind, message)


def test_a_difference_from_a_reference_has_a_kind_of_its_own():
    assert held(5, 10, of=LIVE).kind == "reference-differs"


def test_only_a_number_has_a_ratio():
    finding = held("5", "5", kind="duration")
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "question")
    assert held("", "5", kind="null").kind == "no-answer"


@pytest.mark.parametrize(
    ("of", "expected", "observed"),
    [
        (Against("median", runs=7), "of the median of 7 runs", "of the median of 3 runs up to 2026-11-20"),
        (Against("median"), "of the median of 1 run", "of the median of 3 runs up to 2026-11-20"),
        (
            Against("max", span=timedelta(days=90)),
            "of the highest of 90 d",
            "of the highest of 3 runs up to 2026-11-20",
        ),
        (Against("max"), "of the highest of 0 s", "of the highest of 3 runs up to 2026-11-20"),
        (Against("accepted"), "of what was accepted", "of what was accepted on 2026-11-20"),
        (LIVE, "of the reference live", "of the reference live of 2026-11-20 03:00 UTC"),
    ],
)
def test_what_is_compared_with_is_named(of: Against, expected: str, observed: str):
    finding = held(5, known=Known("a", of, YESTERDAY, 3, Measured("a", "5")), of=of)
    assert finding.outcome is Outcome.PASS
    assert finding.expected.endswith(expected)
    assert finding.observed.endswith(observed)


def test_a_time_that_is_not_known_is_not_made_up():
    for of, said in ((LIVE, "the reference live"), (PREVIOUS, "the run of a day that is not known")):
        assert held(5, known=Known("a", of, None, 1, Measured("a", "5")), of=of).observed.endswith(said)


@pytest.mark.parametrize(
    "expect",
    [
        Expectation(equals=number(1), of=PREVIOUS),
        Expectation(at_least=number(1), before="now", of=PREVIOUS),
        Expectation(at_least=Cell("duration", "1"), of=PREVIOUS),
        Expectation(no_rows=True, of=PREVIOUS),
    ],
)
def test_a_ratio_needs_bounds_that_are_numbers(expect: Expectation):
    answer = Answer("a", rows=1, columns=1, cells=(number(5),))
    known = Known("a", PREVIOUS, YESTERDAY, 1, Measured("a", "5"))
    finding = judge(Assertion("a", "q", expect), answer, backup_time=NOW, asked_at=NOW, salt="s", known=known)
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "config")


# --- each table -----------------------------------------------------------------------------------------------------


def tables(
    now: dict[str, int | None], then: dict[str, int | None] | None, of: Against = PREVIOUS, **looked: object
) -> Finding:
    expect = Expectation(at_least=number("0.9"), of=of)
    assertion = Assertion("a", "", expect, probe=Probe("row_counts"))
    examined = Examined(
        "table",
        len(now),
        measures=tuple(Measure(n, r) for n, r in now.items()),
        **looked,  # type: ignore[arg-type]
    )
    measured = None if then is None else Measured("a", measures=tuple(Measure(n, r) for n, r in then.items()))
    known = Known("a", of, YESTERDAY, 1, measured) if measured else None
    return judge(assertion, Answer("a", examined=examined), backup_time=NOW, asked_at=NOW, salt="s", known=known)


def test_each_table_is_held_against_its_own_rows():
    finding = tables({"p.a": 95, "p.b": 9, "p.c": 1}, {"p.a": 100, "p.b": 10, "p.c": 0}, rows=105)
    assert finding.outcome is Outcome.PASS
    assert finding.observed == "3 tables, 105 rows; 3 held against the run of 2026-11-20"
    finding = tables({"p.a": 80, "p.b": 0, "p.c": 0}, {"p.a": 100, "p.b": 10, "p.c": 0})
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "assertion-failed")
    assert finding.message == (
        "2 of 3 tables against the run of 2026-11-20 (at least 0.9 expected): "
        "p.a has 80 rows, 0.8 of 100; p.b has 0 rows, 0 of 10"
    )


def test_a_table_that_vanished_fails_and_a_new_one_is_told():
    finding = tables({"p.a": 10, "p.new": 5}, {"p.a": 10, "p.gone": 3})
    assert finding.outcome is Outcome.FAIL
    assert "p.gone is gone, of 3 rows" in finding.message
    finding = tables({"p.a": 10, "p.new": 5}, {"p.a": 10})
    assert (finding.outcome, finding.observed.endswith("; only here: p.new")) == (Outcome.PASS, True)
    assert tables({}, {"p.gone": 3}).outcome is Outcome.FAIL


def test_the_first_tables_are_named_and_the_others_counted():
    finding = tables({"p.z": 1}, {**{f"p.t{n}": 3 for n in range(8)}, "p.z": 1})
    assert finding.message.count("is gone") == 5
    assert finding.message.endswith("; and 3 more")


def test_a_table_that_could_not_be_looked_at_is_not_one_that_vanished():
    owed = Unseen("p.b", "permission denied")
    finding = tables({"p.a": 10}, {"p.a": 10, "p.b": 10}, unseen=(owed,), unseen_count=1, owed=1)
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "could-not-look")
    assert "p.b" in finding.message
    hidden = tables({"p.a": 10}, {"p.a": 10, "p.b": 10}, unseen_count=30, owed=30)
    assert (hidden.outcome, hidden.kind) == (Outcome.ERROR, "could-not-look")
    lost = tables({"p.a": 1}, {"p.a": 10, "p.b": 10}, unseen=(owed,), unseen_count=1, owed=1)
    assert lost.outcome is Outcome.FAIL


def test_a_table_that_has_no_rows_to_look_at_any_more_is_gone_and_the_reason_is_told():
    unseen = Unseen("p.mv", "it is not populated", owed=False)
    finding = tables({"p.a": 10}, {"p.a": 10, "p.mv": 10}, unseen=(unseen,), unseen_count=1)
    assert finding.outcome is Outcome.FAIL
    assert "p.mv is gone (it is not populated), of 10 rows" in finding.message


@pytest.mark.parametrize(("now", "then"), [(None, 5), (5, None), (5, -5)])
def test_rows_that_nobody_counted_are_not_compared(now: int | None, then: int | None):
    finding = tables({"p.a": now}, {"p.a": then})
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "could-not-look")


def test_nothing_to_compare_is_an_error_and_nothing_known_yet_is_learned():
    assert tables({"p.a": 1}, None).outcome is Outcome.LEARNING
    finding = tables({"p.a": 1}, {})
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "no-baseline")
    assert tables({"p.a": 1}, {}, LIVE).kind == "no-reference"
    assert tables({"p.a": 1}, {"p.a": 100}, LIVE).kind == "reference-differs"
