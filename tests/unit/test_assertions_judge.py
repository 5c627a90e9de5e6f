from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.assertions import canonical, digest, judge, sealed
from restorecheck.failures import KINDS
from restorecheck.model import Answer, Assertion, Cell, Expectation, Finding, Outcome, Verdict

SALT = "salt of the run"
BACKUP = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
ASKED = BACKUP + timedelta(days=1)
TRUE = Cell("bool", "true")
COUNT = "select count(*) from orders"


def number(text: object) -> Cell:
    return Cell("number", str(text))


def span(**parts: float) -> Cell:
    return Cell("duration", f"{timedelta(**parts).total_seconds():f}")


def at(moment: datetime, *, naive: bool = False) -> Cell:
    return Cell("time", (moment.replace(tzinfo=None) if naive else moment).isoformat(), naive=naive)


def one(cell: Cell) -> Answer:
    return Answer("a", rows=1, columns=1, cells=(cell,))


def several(*cells: Cell, more: bool = False) -> Answer:
    return Answer("a", rows=len(cells), more=more, columns=1, cells=cells)


def asked(expect: Expectation, answer: Answer, sql: str = "select x from t", **rest: object) -> Finding:
    assertion = Assertion("a", sql, expect, **rest)  # type: ignore[arg-type]
    return judge(assertion, answer, backup_time=BACKUP, asked_at=ASKED, salt=SALT)


def text(value: str) -> Cell:
    return sealed(Cell("text", value), SALT)


AGE = Expectation(at_most=span(minutes=15), before="backup")

PASSES = {
    "at least, on the bound": (Expectation(at_least=number(1000)), one(number("1000.0"))),
    "at most": (Expectation(at_most=number(5)), one(number(5))),
    "between": (Expectation(at_least=number(1), at_most=number(5)), one(number(3))),
    "exact decimals": (Expectation(equals=number("0.1")), one(number("0.10"))),
    "large numbers are not rounded": (Expectation(at_most=number("9" * 40)), one(number("9" * 40))),
    "true": (Expectation(equals=Cell("bool", "true")), one(Cell("bool", "true"))),
    "text": (Expectation(equals=Cell("text", "CZ")), one(text("CZ"))),
    "equal times in two zones": (
        Expectation(equals=at(BACKUP)),
        one(Cell("time", "2026-11-21T08:30:00+05:30")),
    ),
    "a naive time is UTC": (Expectation(equals=at(BACKUP)), one(at(BACKUP, naive=True))),
    "equal dates": (Expectation(equals=Cell("date", "2026-11-21")), one(Cell("date", "2026-11-21"))),
    "equal durations": (Expectation(equals=span(hours=1)), one(span(seconds=3600))),
    "duration bound": (Expectation(at_most=span(hours=1)), one(span(minutes=59))),
    "time bound": (Expectation(at_least=at(BACKUP)), one(at(BACKUP + timedelta(seconds=1)))),
    "a date against a time": (Expectation(at_most=at(BACKUP)), one(Cell("date", "2026-11-21"))),
    "no rows": (Expectation(no_rows=True), Answer("a", columns=3)),
    "age": (AGE, one(at(BACKUP - timedelta(minutes=15)))),
    "age of a naive time": (AGE, one(at(BACKUP - timedelta(minutes=1), naive=True))),
    "a minute later than the backup": (AGE, one(at(BACKUP + timedelta(seconds=60)))),
    "age of a date": (Expectation(at_most=span(hours=3), before="backup"), one(Cell("date", "2026-11-21"))),
    "age before now": (Expectation(at_most=span(days=1), before="now"), one(at(BACKUP))),
    "old enough": (Expectation(at_least=span(days=1), before="now"), one(at(BACKUP))),
    "set": (Expectation(members=(Cell("text", "CZ"), Cell("text", "SK"))), several(text("SK"), text("CZ"))),
    "a set forgets duplicates": (Expectation(members=(Cell("text", "CZ"),)), several(text("CZ"), text("CZ"))),
    "set of numbers": (
        Expectation(members=(number("1.0"), number(2))),
        several(*(sealed(number(n), SALT) for n in (1, 2))),
    ),
    "the empty set": (Expectation(members=()), Answer("a", columns=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
def test_what_holds_passes(name):
    finding = asked(*PASSES[name])
    assert finding.outcome is Outcome.PASS
    assert (finding.message, finding.kind) == ("", "")
    assert finding.expected
    assert finding.observed


LATER = "later than the backup itself: it is another backup than it says, or something writes into the restored copy"
FAILS = {
    "counted": (
        (Expectation(at_least=number(1000)), one(number(41)), COUNT),
        "41 rows were counted where at least 1,000 were expected",
    ),
    "counted one": (
        (Expectation(at_least=number(1943200)), one(number(1)), "SELECT count(*) AS n FROM t"),
        "1 row was counted where at least 1,943,200 were expected",
    ),
    "a count that is more than counted": (
        (Expectation(at_least=number(1000)), one(number(41)), "select count(*) / 2 from orders"),
        "the answer is 41 where at least 1,000 was expected",
    ),
    "between": (
        (Expectation(at_least=number(1), at_most=number(5)), one(number("5.5"))),
        "the answer is 5.5 where between 1 and 5 was expected",
    ),
    "at most": (
        (Expectation(at_most=number(0)), one(number("0.001"))),
        "the answer is 0.001 where at most 0 was expected",
    ),
    "beyond reading": (
        (Expectation(at_most=number(0)), one(number("1" + "0" * 40))),
        "the answer is 1.000000e+40 where at most 0 was expected",
    ),
    "equals": (
        (Expectation(equals=number(42)), one(number(-41))),
        "the answer is -41 where exactly 42 was expected",
    ),
    "bool": (
        (Expectation(equals=Cell("bool", "true")), one(Cell("bool", "false"))),
        "the answer is false where true was expected",
    ),
    "text": ((Expectation(equals=Cell("text", "CZ")), one(text("SK"))), "the text found is not 'CZ'"),
    "long text": (
        (Expectation(equals=Cell("text", "a\n" + "b" * 50)), one(text("SK"))),
        f"the text found is not 'a {'b' * 38}…'",
    ),
    "duration": (
        (Expectation(at_most=span(hours=1)), one(span(days=3, hours=4, minutes=5))),
        "the answer is 3 d 4 h where at most 1 h was expected",
    ),
    "too short": (
        (Expectation(at_least=span(hours=1)), one(span(seconds=0.25))),
        "the answer is 0.25 s where at least 1 h was expected",
    ),
    "exact duration": (
        (Expectation(equals=span(hours=1)), one(span(seconds=3600.000001))),
        "the answer is 3,600.000001 s where exactly 3,600 s was expected",
    ),
    "time bound": (
        (Expectation(at_least=Cell("date", "2026-11-20")), one(at(BACKUP - timedelta(days=4)))),
        "the time found is 2 d 21 h earlier than 2026-11-20 where at least 2026-11-20 was expected",
    ),
    "exact time": (
        (Expectation(equals=at(BACKUP)), one(at(BACKUP + timedelta(minutes=2)))),
        "the time found is 2 min later than 2026-11-21 03:00:00 UTC, which was expected",
    ),
    "age": (
        (AGE, one(at(BACKUP - timedelta(days=3, hours=4, minutes=5)))),
        "the time found is 3 d 4 h before the backup where at most 15 min was expected",
    ),
    "age, a little over": (
        (AGE, one(at(BACKUP - timedelta(minutes=15, milliseconds=1)))),
        "the time found is 900.001 s before the backup where at most 900 s was expected",
    ),
    "too young": (
        (Expectation(at_least=span(hours=1), before="backup"), one(at(BACKUP + timedelta(seconds=30)))),
        "the time found is 30 s after the backup where at least 1 h was expected",
    ),
    "age before now": (
        (Expectation(at_most=span(hours=1), before="now"), one(at(BACKUP))),
        "the time found is 24 h before now where at most 1 h was expected",
    ),
    "later than the backup": (
        (AGE, one(at(BACKUP + timedelta(seconds=61)))),
        f"the time found is 1 min 1 s {LATER}",
    ),
    "later than the backup, asked before now": (
        (Expectation(at_most=span(days=2), before="now"), one(at(BACKUP + timedelta(hours=2)))),
        f"the time found is 2 h {LATER}",
    ),
    "naive and later": (
        (AGE, one(at(BACKUP + timedelta(hours=1), naive=True))),
        f"the time found is 1 h {LATER} (it has no time zone and was read as UTC: is it local time?)",
    ),
    "one row": ((Expectation(no_rows=True), Answer("a", rows=1)), "1 row was found where there must be none"),
    "rows with evidence": (
        (Expectation(no_rows=True), Answer("a", rows=1_412, sampled=5)),
        "1,412 rows were found where there must be none; the keys of 5 of them are kept as evidence",
    ),
    "rows without the evidence that was wanted": (
        (Expectation(no_rows=True), Answer("a", rows=2, unsampled="the disk is full")),
        "2 rows were found where there must be none; evidence could not be kept: the disk is full",
    ),
    "rows": ((Expectation(no_rows=True), Answer("a", rows=412)), "412 rows were found where there must be none"),
    "many rows": (
        (Expectation(no_rows=True), Answer("a", rows=10_000, more=True)),
        "10,000 rows or more were found where there must be none",
    ),
    "set": (
        (
            Expectation(members=tuple(Cell("text", c) for c in ("CZ", "DE", "SK"))),
            several(text("DE"), text("a"), text("b"), text("c"), Cell("null"), text("a")),
        ),
        "2 of 3 expected values missing: 'CZ', 'SK'; 4 unexpected values (NULL among them)",
    ),
    "set, nothing came back": (
        (Expectation(members=tuple(number(n) for n in range(7))), Answer("a", columns=1)),
        "7 of 7 expected values missing: 0, 1, 2, 3, 4 and 2 more",
    ),
    "set, one too many": (
        (Expectation(members=(TRUE,)), several(sealed(TRUE, SALT), sealed(Cell("bool", "false"), SALT))),
        "1 unexpected value",
    ),
    "set, cut off, but wrong already": (
        (Expectation(members=(Cell("text", "CZ"),)), several(text("CZ"), text("SK"), more=True)),
        "1 unexpected value or more",
    ),
    "the empty set": ((Expectation(members=()), several(text("CZ"))), "1 unexpected value"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILS)
def test_what_does_not_hold_fails_in_plain_words(name):
    arguments, message = FAILS[name]
    finding = asked(*arguments)
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "assertion-failed")
    assert finding.message == message


ERRORS = {
    "null": (
        (Expectation(at_least=number(1)), one(Cell("null"))),
        "no-answer",
        "the answer is NULL where a value was meant; min, max and sum of no rows are NULL",
    ),
    "no row": (
        (Expectation(at_least=number(1)), Answer("a", columns=1)),
        "no-answer",
        "the query answered no row where one value was meant",
    ),
    "two rows": (
        (Expectation(at_least=number(1)), several(number(5), number(6))),
        "question",
        "the query answers several rows where one value is meant: aggregate, or use `set`",
    ),
    "more rows": (
        (Expectation(at_least=number(1)), replace(one(number(5)), more=True)),
        "question",
        "the query answers several rows where one value is meant: aggregate, or use `set`",
    ),
    "columns": (
        (Expectation(at_least=number(1)), Answer("a", columns=3)),
        "question",
        "the query answers 3 columns where one is meant: select only the value to be judged",
    ),
    "columns of a set": (
        (Expectation(members=(number(1),)), Answer("a", columns=2)),
        "question",
        "the query answers 2 columns where one is meant: select only the value to be judged",
    ),
    "text against a number": (
        (Expectation(at_least=number(1)), one(text("5"))),
        "question",
        "the answer is a text where a number is expected: cast it in the query",
    ),
    "bool against a number": (
        (Expectation(equals=number(1)), one(Cell("bool", "true"))),
        "question",
        "the answer is a truth value where a number is expected: cast it in the query",
    ),
    "number against a text": (
        (Expectation(equals=Cell("text", "1")), one(number(1))),
        "question",
        "the answer is a number where a text is expected: cast it in the query",
    ),
    "time against a span": (
        (Expectation(at_most=span(hours=1)), one(at(BACKUP))),
        "question",
        (
            "the answer is a time where a duration is expected: cast it in the query; "
            'say before = "backup" if its age is meant'
        ),
    ),
    "number against a span": (
        (Expectation(at_most=span(hours=1)), one(number(1))),
        "question",
        "the answer is a number where a duration is expected: cast it in the query",
    ),
    "age of a number": (
        (AGE, one(number(1))),
        "question",
        "the answer is a number where a time (its age is judged) is expected: cast it in the query",
    ),
    "other": (
        (Expectation(equals=number(1)), one(Cell("other", "jsonb"))),
        "question",
        "the answer is of type jsonb and cannot be compared with a number: cast it in the query",
    ),
    "nameless": (
        (AGE, one(Cell("other"))),
        "question",
        "the answer is of type unknown and cannot be compared with a duration: cast it in the query",
    ),
    "other in a set": (
        (Expectation(members=()), several(Cell("other", "point"))),
        "question",
        "the answer is of type point and cannot be compared: cast it in the query",
    ),
    "set of another type": (
        (Expectation(members=(Cell("text", "1"),)), several(sealed(number(1), SALT))),
        "question",
        "the answer is a number where a text is expected: cast it in the query",
    ),
    "set beyond the cap": (
        (Expectation(members=(Cell("text", "CZ"),)), several(text("CZ"), text("CZ"), more=True)),
        "question",
        "the query answers more than 2 rows, too many to be sure of a set: use `select distinct`",
    ),
    "NaN": (
        (Expectation(at_least=number(1)), one(number("NaN"))),
        "question",
        "the answer is NaN, which is no number that can be compared",
    ),
    "infinity": (
        (Expectation(at_least=number(1)), one(number("Infinity"))),
        "question",
        "the answer is infinite, which is no number that can be compared",
    ),
    "infinite time": (
        (AGE, one(Cell("time", "-infinity"))),
        "question",
        "the answer is infinite, which is no time that can be compared",
    ),
    "unreadable": (
        (Expectation(at_least=number(1)), one(number("x"))),
        "internal",
        "the answer or the expectation is in a form that cannot be read",
    ),
    "unreadable bool": (
        (Expectation(equals=Cell("bool", "true")), one(Cell("bool", "maybe"))),
        "internal",
        "the answer or the expectation is in a form that cannot be read",
    ),
    "text in clear": (
        (Expectation(equals=Cell("text", "CZ")), one(Cell("text", "CZ"))),
        "internal",
        "the answer or the expectation is in a form that cannot be read",
    ),
    "a row without a value": (
        (Expectation(at_least=number(1)), Answer("a", rows=1, columns=1)),
        "internal",
        "the answer holds one row but not one value",
    ),
    "set without its values": (
        (Expectation(members=(number(1),)), Answer("a", rows=3, columns=1)),
        "internal",
        "the answer does not hold a value for each of its rows",
    ),
    "error": (
        (Expectation(no_rows=True), Answer("a", error="it took too long", kind="timeout")),
        "timeout",
        "it took too long",
    ),
    "error without a sentence": (
        (Expectation(no_rows=True), Answer("a", kind="data-damaged")),
        "data-damaged",
        "the question was not answered",
    ),
    "error of a kind that nobody knows": (
        (Expectation(no_rows=True), Answer("a", error="it broke", kind="")),
        "unknown-answer",
        "it broke",
    ),
    "nothing expected": (
        (Expectation(), one(number(1))),
        "config",
        "the assertion must expect one thing: bounds, `equals`, `set`, `no_rows`, `same_as`, `exist_in`, `covers`",
    ),
    "two things expected": (
        (Expectation(no_rows=True, equals=number(1)), one(number(1))),
        "config",
        "the assertion must expect one thing: bounds, `equals`, `set`, `no_rows`, `same_as`, `exist_in`, `covers`",
    ),
    "an infinite bound": (
        (Expectation(at_least=number("-inf")), one(number(1))),
        "config",
        "the assertion expects a value that nothing can be compared with",
    ),
    "NULL expected": (
        (Expectation(members=(Cell("null"),)), several(Cell("null"))),
        "config",
        "the assertion expects a value that nothing can be compared with",
    ),
    "a text as bound": (
        (Expectation(at_least=Cell("text", "a")), one(text("b"))),
        "config",
        "a text cannot be a bound: it has no order here; use `equals`",
    ),
    "an age in numbers": (
        (Expectation(at_most=number(5), before="now"), one(at(BACKUP))),
        "config",
        '`before` needs bounds that are durations, such as at_most = "15m"',
    ),
    "an exact age": (
        (Expectation(equals=span(hours=1), before="now"), one(at(BACKUP))),
        "config",
        '`before` needs bounds that are durations, such as at_most = "15m"',
    ),
    "an unreadable expectation": (
        (Expectation(at_least=number("x")), one(number(1))),
        "internal",
        "the answer or the expectation is in a form that cannot be read",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_compared_is_an_error_with_its_own_words(name):
    arguments, kind, message = ERRORS[name]
    finding = asked(*arguments)
    assert finding.outcome is Outcome.ERROR
    assert (finding.kind, finding.message) == (kind, message)
    assert kind in KINDS


@pytest.mark.parametrize("name", [*FAILS, *ERRORS])
def test_a_warning_keeps_the_message_and_neither_passes_nor_fails(name):
    arguments = (FAILS | ERRORS)[name][0]
    plain, warned = asked(*arguments), asked(*arguments, severity="warn")
    damage = plain.kind in ("data-damaged", "connection-lost")
    assert warned == (plain if damage else replace(plain, outcome=Outcome.WARN))


def test_an_answer_of_nothing_makes_a_backup_broken_and_a_bad_question_does_not():
    assert KINDS["no-answer"].verdict is Verdict.BROKEN
    assert KINDS["question"].verdict is Verdict.UNPROVEN


def test_the_finding_carries_what_the_report_needs():
    answer = replace(one(number(41)), seconds=1.5)
    finding = asked(Expectation(at_least=number(1), at_most=number(50)), answer, runbook="https://runbook.example")
    assert (finding.name, finding.seconds, finding.runbook) == ("a", 1.5, "https://runbook.example")
    assert (finding.expected, finding.observed) == ("between 1 and 50", "41")


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        (AGE, "at most 15 min before the backup"),
        (Expectation(at_least=span(days=1), at_most=span(days=2), before="now"), "between 24 h and 2 d before now"),
        (Expectation(no_rows=True), "no rows"),
        (Expectation(members=(Cell("text", "CZ"), Cell("bool", "true"))), "exactly the set 'CZ', true"),
        (Expectation(members=()), "the empty set"),
        (Expectation(equals=Cell("date", "2026-11-21")), "exactly 2026-11-21"),
        (Expectation(), "nothing declared"),
        (Expectation(equals=number("x")), "something that cannot be read"),
    ],
)
def test_what_is_expected_is_said(expect, words):
    assert asked(expect, one(number(1))).expected == words


# --- properties -----------------------------------------------------------------------------------------------------

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive ends
texts = st.text(st.characters(codec="utf-8"), max_size=20)
cells = st.one_of(
    decimals.map(number),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "", "1e5", "x", "sNaN"]).map(number),
    moments.map(at),
    moments.map(lambda m: at(m, naive=True)),
    st.dates().map(lambda d: Cell("date", d.isoformat())),
    st.timedeltas().map(lambda t: Cell("duration", str(t.total_seconds()))),
    st.booleans().map(lambda b: Cell("bool", str(b).lower())),
    texts.map(text),
    texts.map(lambda t: Cell("text", t)),
    texts.map(lambda t: Cell("other", t)),
    st.just(Cell("null")),
)
expectations = st.builds(
    Expectation,
    at_least=st.none() | cells,
    at_most=st.none() | cells,
    equals=st.none() | cells,
    members=st.none() | st.lists(cells, max_size=3).map(tuple),
    no_rows=st.booleans(),
    before=st.sampled_from([None, "backup", "now"]),
)
answers = st.builds(
    Answer,
    name=st.just("a"),
    rows=st.integers(0, 3),
    more=st.booleans(),
    columns=st.integers(0, 2),
    cells=st.lists(cells, max_size=3).map(tuple),
    error=st.sampled_from(["", "", "it broke"]),
    kind=st.sampled_from(["", "", "timeout", "nonsense"]),
)


@given(expectations, answers)
def test_whatever_comes_judge_returns_one_finding_and_errors_never_pass(expect, answer):
    finding = asked(expect, answer)
    assert (finding.outcome is Outcome.PASS) == (finding.message == "")
    assert finding.outcome is Outcome.PASS or finding.kind in KINDS
    if answer.error or answer.kind:
        assert finding.outcome is Outcome.ERROR
    if finding.outcome is Outcome.PASS and not expect.no_rows and expect.members is None:
        assert (answer.rows, answer.more, len(answer.cells)) == (1, False, 1)


@given(low=st.none() | decimals, high=st.none() | decimals, value=decimals)
def test_bounds_are_python_s_comparison_of_decimals(low, high, value):
    expect = Expectation(at_least=None if low is None else number(low), at_most=None if high is None else number(high))
    holds = (low is None or value >= low) and (high is None or value <= high) and not (low is None and high is None)
    assert (asked(expect, one(number(value))).outcome is Outcome.PASS) == holds


@given(decimals, decimals)
def test_equal_numbers_are_equal_however_they_are_written(a, b):
    assert (canonical(number(a)) == canonical(number(b))) == (a == b)
    assert Decimal(canonical(number(a))) == a
    assert (asked(Expectation(equals=number(a)), one(number(b))).outcome is Outcome.PASS) == (a == b)


@given(
    moments, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9999)), st.sampled_from(["backup", "now"])
)
def test_ages_are_the_difference_of_instants(moment, bound, before):
    instant = BACKUP if before == "backup" else ASKED
    expect = Expectation(
        at_most=Cell("duration", str(Decimal(bound // timedelta(microseconds=1)) / 1_000_000)), before=before
    )
    holds = moment <= BACKUP + timedelta(seconds=60) and instant - moment <= bound
    assert (asked(expect, one(at(moment))).outcome is Outcome.PASS) == holds


@given(st.sets(texts), st.lists(texts, max_size=10))
def test_sets_are_python_s_sets(meant, found):
    members = tuple(Cell("text", t) for t in meant)
    finding = asked(Expectation(members=members), several(*(text(t) for t in found)))
    assert (finding.outcome is Outcome.PASS) == (meant == set(found))


@given(st.lists(st.text("xyz✓", min_size=8, max_size=12), min_size=1, max_size=5))
def test_no_text_of_the_database_is_in_a_finding(found):
    for expect in (Expectation(members=(Cell("text", "CZ"),)), Expectation(equals=Cell("text", "CZ"))):
        finding = asked(expect, several(*(text(t) for t in found)))
        assert not any(t in repr(finding) for t in found)


def test_digests_depend_on_kind_salt_and_text():
    some = {digest("text", "1", "a"), digest("number", "1", "a"), digest("text", "1", "b"), digest("text", "2", "a")}
    assert len(some) == 4
    assert digest("text", "1", "a") == digest("text", "1", "a")
    assert digest("text", "\udcff", "a").startswith("text:")  # bytes that are no UTF-8


@pytest.mark.parametrize("cell", [Cell("null"), Cell("other", "json"), text("a")])
def test_what_hides_nothing_is_not_sealed_again(cell):
    assert sealed(cell, SALT) is cell


@pytest.mark.parametrize(
    ("kind", "given_text", "expected"),
    [
        ("number", "-0.0", "0"),
        ("number", "1E+3", "1000"),
        ("number", "NaN", "NaN"),
        ("number", "-1.50", "-1.5"),
        ("duration", "60.000", "60"),
        ("time", "2026-11-21T08:30:00+05:30", "2026-11-21T03:00:00+00:00"),
        ("time", "2026-11-21T03:00:00", "2026-11-21T03:00:00+00:00"),
        ("date", "2026-11-21", "2026-11-21"),
        ("bool", "true", "true"),
    ],
)
def test_canonical_texts(kind, given_text, expected):
    assert canonical(Cell(kind, given_text)) == expected


@pytest.mark.parametrize("kind", ["data-damaged", "connection-lost"])
def test_damage_is_never_only_a_warning(kind):
    broken = Answer("a", error="unreadable", kind=kind)
    assert asked(AGE, broken, severity="warn") == asked(AGE, broken)
    assert asked(AGE, broken).outcome is Outcome.ERROR
    assert asked(AGE, replace(broken, kind="timeout"), severity="warn").outcome is Outcome.WARN


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (one(number("41.50")), "41.50"),
        (one(span(minutes=2)), "120.000000"),
        (one(text("jane@example.com")), None),
        (one(number("NaN")), None),
        (one(number("not a number at all")), None),
        (one(Cell("null")), None),
        (several(number(1), number(2)), None),
        (replace(one(number(1)), more=True), None),
        (Answer("a", error="it broke", kind="timeout"), None),
        (Answer("a"), None),
    ],
)
def test_the_number_that_was_measured_is_kept_and_nothing_else(answer: Answer, value: str | None):
    """Baselines are made of it, so it is a number or it is not there."""
    assert asked(Expectation(at_least=number(1)), answer).value == value
