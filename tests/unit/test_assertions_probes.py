"""What a probe looked at, against what it was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from restorecheck.assertions import judge, verdict, words
from restorecheck.model import (
    Against,
    Answer,
    Assertion,
    Cell,
    Examined,
    Expectation,
    Finding,
    Flaw,
    Outcome,
    Probe,
    Unseen,
    Verdict,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
ZERO = Expectation(equals=Cell("number", "0"))
THREE = Expectation(at_most=Cell("number", "3"))
ORPHANS = Flaw("public.lines", "2 rows reference nothing")
DAMAGED = Flaw("public.orders", "invalid page in block 7", "data-damaged")
OWED = Unseen("public.big", "the time was over")
METHOD = Unseen("public.shape_idx", "amcheck knows no GiST index", owed=False)


def judged(answer: Answer | Examined, expect: Expectation = ZERO, probe: str = "readable", **rest: object) -> Finding:
    assertion = Assertion("a", "", expect, probe=Probe(probe), **rest)  # type: ignore[arg-type]
    given = Answer("a", examined=answer) if isinstance(answer, Examined) else answer
    return judge(assertion, given, backup_time=NOW, asked_at=NOW, salt="s")


def test_a_probe_that_found_nothing_wrong_says_how_much_it_examined():
    finding = judged(Examined("table", 41, rows=1943200, bytes=824 << 20))
    assert (finding.outcome, finding.expected) == (Outcome.PASS, "no violation")
    assert finding.observed == "41 tables, 1,943,200 rows, 824 MiB; no violation"
    assert finding.value is None
    assert judged(Examined("index", 2), probe="indexes").observed == "2 indexes; no violation"


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "1 byte"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5 GiB"), (3000 << 50, "3,000 PiB")],
)
def test_amounts_are_in_their_largest_unit(n: int, text: str):
    assert words.size(n) == text


@pytest.mark.parametrize(
    "looked", [Examined("table", 0), Examined("table", -1), Examined("table", 0, unseen=(METHOD,))]
)
def test_nothing_examined_is_never_a_pass(looked: Examined):
    finding = judged(looked)
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "nothing-examined")
    assert finding.message.startswith("no table was looked at")
    assert ("GiST" in finding.message) == bool(looked.unseen)
    assert verdict([finding], restores=False)[0] is Verdict.UNPROVEN


def test_nothing_examined_because_nothing_could_be_is_said_so():
    assert judged(Examined("table", 0, unseen=(OWED,), owed=1)).kind == "could-not-look"


def test_a_violation_fails_and_is_named():
    finding = judged(Examined("foreign key", 3, flawed=1, flaws=(ORPHANS,)), probe="foreign_keys")
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "assertion-failed")
    assert finding.message == "public.lines: 2 rows reference nothing"
    assert finding.observed == "3 foreign keys; 1 violation"


def test_the_first_violations_are_named_and_the_others_counted():
    twenty = tuple(Flaw(f"t{n}", "bad") for n in range(20))
    first = "t0: bad; t1: bad; t2: bad; t3: bad; t4: bad; and 15 more"
    assert judged(Examined("table", 90, flawed=20, flaws=twenty)).message == first
    assert judged(Examined("table", 90, flawed=40, flaws=twenty)).message == f"{first} (40 violations in all)"
    assert judged(Examined("table", 90, flawed=2)).message == "2 violations in all"


def test_so_many_violations_may_be_allowed():
    finding = judged(Examined("table", 9, flawed=3), THREE)
    assert (finding.outcome, finding.expected) == (Outcome.PASS, "at most 3 violations")
    assert finding.observed == "9 tables; 3 violations"
    assert judged(Examined("table", 9, flawed=4), THREE).outcome is Outcome.FAIL
    # one that is not counted is counted here
    assert judged(Examined("table", 9, flaws=(ORPHANS,))).outcome is Outcome.FAIL


@pytest.mark.parametrize("kind", ["data-damaged", "connection-lost"])
def test_damage_is_never_allowed_and_never_only_a_warning(kind: str):
    flaw = Flaw("public.orders", "it broke off", kind)
    looked = Examined("table", 9, flawed=2, flaws=(ORPHANS, flaw))
    finding = judged(looked, THREE, severity="warn")
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, kind)
    assert finding.message == "public.orders: it broke off; public.lines: 2 rows reference nothing"


def test_a_violation_that_only_warns_is_a_warning():
    finding = judged(Examined("table", 9, flawed=1, flaws=(ORPHANS,)), severity="warn")
    assert finding.outcome is Outcome.WARN


def test_a_kind_that_says_more_is_kept_and_one_that_nobody_knows_still_fails():
    missing = Flaw("postgis", "it is not there", "missing-object")
    assert judged(Examined("extension", 1, flawed=1, flaws=(missing,)), probe="extensions").kind == "missing-object"
    strange = Flaw("x", "?", "of tomorrow")
    finding = judged(Examined("table", 1, flawed=1, flaws=(strange,)))
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "assertion-failed")


def test_a_flaw_that_somebody_took_back_is_no_failure_and_no_pass():
    """The server broke off, and the instance's own events say why."""
    flaw = Flaw("public.orders", "the instance was restarted by AWS", "interfered")
    finding = judged(Examined("table", 9, flawed=1, flaws=(flaw,)))
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "interfered")
    assert finding.message == "public.orders: the instance was restarted by AWS"
    both = judged(Examined("table", 9, flawed=2, flaws=(flaw, DAMAGED)))
    assert (both.outcome, both.kind) == (Outcome.FAIL, "data-damaged")


def test_what_should_have_been_looked_at_and_was_not_is_an_error():
    finding = judged(Examined("table", 9, unseen=(METHOD, OWED), unseen_count=5, owed=4))
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "could-not-look")
    assert finding.message == "public.big and 3 more could not be looked at: the time was over"
    assert finding.observed == "9 tables; 4 not looked at"
    assert judged(Examined("table", 9, unseen=(OWED,))).message.startswith("public.big could not be looked at")
    assert judged(Examined("table", 9, owed=2)).message == "2 tables could not be looked at"


def test_damage_beside_what_could_not_be_looked_at_is_broken():
    finding = judged(Examined("table", 9, flawed=1, flaws=(DAMAGED,), unseen=(OWED,), owed=1))
    assert (finding.outcome, finding.kind) == (Outcome.FAIL, "data-damaged")


def test_a_known_limit_of_the_method_is_no_error():
    assert judged(Examined("relation", 9, unseen=(METHOD,), unseen_count=1), probe="amcheck").outcome is Outcome.PASS


def test_a_probe_that_could_not_look_at_all_or_says_nothing_is_an_error():
    finding = judged(Answer("a", error="amcheck is not available on this server", kind="could-not-look"))
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "could-not-look")
    assert judged(Answer("a", rows=1, columns=1, cells=(Cell("number", "0"),))).kind == "internal"


@pytest.mark.parametrize(
    ("probe", "expect"),
    [
        ("phrenology", ZERO),
        ("readable", Expectation(at_least=Cell("number", "0"))),
        ("readable", Expectation(at_most=Cell("duration", "0"))),
        ("readable", Expectation(no_rows=True)),
        ("readable", Expectation()),
        ("readable", Expectation(at_least=Cell("number", "1"), of=Against("previous"))),
        ("row_counts", ZERO),
        ("foreign_keys", Expectation(same_as=Against("previous"))),
    ],
)
def test_a_probe_is_held_to_nothing_that_it_cannot_tell(probe: str, expect: Expectation):
    finding = judged(Examined("table", 9), expect, probe)
    assert (finding.outcome, finding.kind) == (Outcome.ERROR, "config")


# --- keys of another store ------------------------------------------------------------------------------------------


def keys(expect: Expectation, answer: Answer) -> Finding:
    return judge(Assertion("a", "select key from files", expect), answer, backup_time=NOW, asked_at=NOW, salt="s")


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        (Expectation(exist_in="uploads"), "every key is that of an object of uploads"),
        (Expectation(covers="uploads"), "the key of every object of uploads"),
    ],
)
def test_keys_of_another_store_are_there_or_they_are_not(expect: Expectation, expected: str):
    finding = keys(expect, Answer("a", rows=1200, examined=Examined("key", 1200)))
    assert (finding.outcome, finding.expected, finding.observed) == (Outcome.PASS, expected, "1,200 keys; no violation")
    flaw = Flaw("uploads", "3 of 1,200 keys are of no object")
    finding = keys(expect, Answer("a", examined=Examined("key", 1200, flawed=3, flaws=(flaw,))))
    assert (finding.outcome, finding.message.startswith("uploads: 3 of 1,200 keys")) == (Outcome.FAIL, True)
    assert keys(expect, Answer("a", examined=Examined("key", 0))).kind == "nothing-examined"
    assert keys(expect, Answer("a", rows=1)).kind == "internal"
