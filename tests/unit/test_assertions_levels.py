"""How far a proof goes, and never farther."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from restorecheck.assertions import level, proven
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
    Flaw,
    Known,
    Level,
    Limits,
    Measure,
    Measured,
    Outcome,
    Placement,
    Probe,
    RdsSource,
    RecoveryPoint,
    SnapshotKind,
    Unseen,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LIVE = Against("reference", reference="live")
POINT = RecoveryPoint("p", "arn:p", SnapshotKind.MANUAL, NOW, NOW, "postgres", "18.1", "master", encrypted=True)
ZERO = Expectation(equals=Cell("number", "0"))
SAME = Expectation(same_as=LIVE)
A, B = Measure("p.a", 3, "fa"), Measure("p.b", 4, "fb")
WHOLE = Examined("table", 2, measures=(A, B))
RECORDED = (Known("all", LIVE, NOW, measured=Measured("all", measures=(A, B))),)


def probe(name: str = "readable", expect: Expectation = ZERO, *, called: str = "all", **rest: object) -> Assertion:
    return Assertion(called, "", expect, probe=Probe(name), **rest)  # type: ignore[arg-type]


def asks(sql: str, called: str = "asked") -> Assertion:
    return Assertion(called, sql, Expectation(no_rows=True))


def check(*assertions: Assertion) -> Check:
    source = RdsSource("111111111111", "eu-central-1", "orders", "shop")
    placement = Placement("222222222222", "eu-central-1")
    return Check("orders-db", source, placement, Limits(), assertions, timedelta(hours=25), timedelta(hours=2))


def finding(name: str, outcome: Outcome = Outcome.PASS, kind: str = "", by: str = "check") -> Finding:
    return Finding(name, outcome, "e", "o", kind=kind, by=by)  # type: ignore[arg-type]


def reached(
    *assertions: Assertion,
    looked: dict[str, Examined] | None = None,
    outcomes: dict[str, Outcome] | None = None,
    seen: tuple[Finding, ...] = (),
    holding: tuple[str, ...] | None = ("shop",),
    source: Level = Level.RESTORED,
    known: tuple[Known, ...] = (),
) -> Level:
    """Return the level of a run whose assertions all passed, but for `outcomes`."""
    told = looked or {}
    answers = Answers(
        tuple(Answer(a.name, examined=told.get(a.name)) for a in assertions), NOW, level=source, holding=holding
    )
    findings = [finding(a.name, (outcomes or {}).get(a.name, Outcome.PASS)) for a in assertions]
    return level(check(*assertions), answers, (*findings, *seen), known)


def test_the_levels_grow_with_what_was_done():
    assert reached() is Level.RESTORED
    assert reached(asks("select 1 from orders")) is Level.ANSWERED
    assert reached(probe(), looked={"all": WHOLE}) is Level.READ
    assert reached(probe(expect=SAME), looked={"all": WHOLE}, known=RECORDED) is Level.EQUAL


def test_a_question_that_reads_nothing_or_did_not_pass_answers_nothing():
    assert reached(asks("select 1")) is Level.RESTORED
    assert reached(probe("schema", called="s")) is Level.RESTORED
    assert reached(probe("row_counts", called="c")) is Level.ANSWERED
    for outcome in set(Outcome) - {Outcome.PASS}:
        assert reached(asks("select 1 from orders"), outcomes={"asked": outcome}) is Level.RESTORED


@pytest.mark.parametrize(
    "looked",
    [
        replace(WHOLE, left_out=1),
        replace(WHOLE, owed=1),
        replace(WHOLE, unseen=(Unseen("p.b", "a lock"),)),
        replace(WHOLE, flawed=1),
        replace(WHOLE, flaws=(Flaw("p.a", "bad"),)),
        replace(WHOLE, count=0),
        None,
    ],
)
def test_what_was_not_read_whole_is_not_read_in_full(looked: Examined | None):
    assert reached(probe(), looked={"all": looked} if looked else {}) is Level.ANSWERED


def test_what_a_method_cannot_look_at_does_not_count():
    foreign = Unseen("p.far", "a foreign table", owed=False)
    assert reached(probe(), looked={"all": replace(WHOLE, unseen=(foreign,), unseen_count=1)}) is Level.READ


@pytest.mark.parametrize(
    ("holding", "expected"),
    [(("shop",), Level.READ), (("shop", "billing"), Level.ANSWERED), ((), Level.ANSWERED), (None, Level.ANSWERED)],
)
def test_every_database_with_tables_must_be_read_and_be_known(holding: tuple[str, ...] | None, expected: Level):
    assert reached(probe(), looked={"all": WHOLE}, holding=holding) is expected


def test_two_databases_are_read_by_two_probes():
    both = (probe(), probe(called="other", database="billing"))
    assert reached(*both, looked={"all": WHOLE, "other": WHOLE}, holding=("shop", "billing")) is Level.READ


def test_a_probe_that_failed_learned_or_is_another_one_reads_nothing_in_full():
    for outcome in set(Outcome) - {Outcome.PASS}:
        assert reached(probe(), looked={"all": WHOLE}, outcomes={"all": outcome}) is Level.RESTORED
    assert reached(probe("row_counts"), looked={"all": WHOLE}) is Level.ANSWERED


def test_a_run_that_breaks_elsewhere_keeps_what_was_answered_only():
    both = (probe(), asks("select 1 from orders"))
    assert reached(*both, looked={"all": WHOLE}, outcomes={"asked": Outcome.FAIL}) is Level.ANSWERED
    wrong = finding("databases", Outcome.ERROR, "missing-object", "source")
    assert reached(*both, looked={"all": WHOLE}, seen=(wrong,)) is Level.ANSWERED
    unknown = finding("databases", Outcome.ERROR, "permission", "source")
    assert reached(*both, looked={"all": WHOLE}, seen=(unknown,)) is Level.READ
    stale = finding("rpo", Outcome.FAIL, "stale")
    assert reached(*both, looked={"all": WHOLE}, seen=(stale,)) is Level.READ  # an old backup is read all the same


@pytest.mark.parametrize("name", ["dump-restored", "dump-complete", "objects-compared"])
@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.ERROR])
def test_what_did_not_all_come_back_is_not_restored(name: str, outcome: Outcome):
    seen = (finding(name, outcome, "environment", "source"),)
    assert reached(asks("select 1 from orders"), seen=seen, source=Level.READ) is Level.NOTHING


def test_a_source_that_read_everything_says_so_as_long_as_nothing_is_broken():
    for one in (Level.READ, Level.EQUAL):
        assert reached(source=one, holding=None) is one
        assert reached(asks("select 1 from x"), source=one, holding=None) is one
        assert reached(asks("select 1 from x"), source=one, outcomes={"asked": Outcome.FAIL}) is Level.RESTORED
        assert reached(probe(), source=one, outcomes={"all": Outcome.ERROR}) is Level.RESTORED
    assert reached(source=Level.ANSWERED) is Level.RESTORED  # who asked what is not the source's to say


@pytest.mark.parametrize(
    ("expect", "looked", "known"),
    [
        (ZERO, WHOLE, RECORDED),
        (Expectation(same_as=Against("accepted")), WHOLE, RECORDED),
        (SAME, WHOLE, ()),
        (SAME, WHOLE, (replace(RECORDED[0], assertion="other"),)),
        (SAME, replace(WHOLE, measures=()), RECORDED),
        (SAME, replace(WHOLE, measures=(A, replace(B, fingerprint=""))), RECORDED),
        (SAME, replace(WHOLE, measures=(A, B, Measure("p.new", 0, "f"))), RECORDED),
        (SAME, replace(WHOLE, measures=(A,)), RECORDED),
        (SAME, replace(WHOLE, count=3), RECORDED),  # one of them has no fingerprint that could be compared
    ],
)
def test_equal_is_only_what_a_reference_knows_all_of(expect: Expectation, looked: Examined, known: tuple[Known, ...]):
    assert reached(probe(expect=expect), looked={"all": looked}, known=known) is Level.READ


def test_a_dump_that_was_restored_whole_is_equal_if_its_rows_are():
    held = probe(expect=SAME)
    assert reached(held, looked={"all": WHOLE}, known=RECORDED, source=Level.READ) is Level.EQUAL
    assert reached(held, looked={"all": WHOLE}, known=RECORDED, source=Level.READ, holding=None) is Level.READ


# --- in words -------------------------------------------------------------------------------------------------------


def told(*assertions: Assertion, point: RecoveryPoint = POINT, **looked: Examined) -> tuple[str, ...]:
    answers = Answers(
        tuple(Answer(a.name, examined=looked.get(a.name)) for a in assertions), NOW, proven=("it was restored",)
    )
    return proven(check(*assertions), answers, point, Level.READ)


def test_the_level_comes_first_then_what_the_source_says():
    first, second = told()
    assert (first.partition(":")[0], second) == ("read in full", "it was restored")
    answers = Answers((), NOW)
    firsts = {proven(check(), answers, POINT, one)[0].partition(":")[0] for one in Level}
    assert firsts == {str(one).partition(":")[0] for one in Level}


@pytest.mark.parametrize(("reached", "said"), [(Level.ANSWERED, True), (Level.READ, False), (Level.EQUAL, False)])
def test_what_was_not_read_is_said_unless_all_of_it_was(reached: Level, said: bool):
    answers = Answers((), NOW, unread=("only what the questions read is proven",))
    assert (answers.unread[0] in proven(check(), answers, POINT, reached)) is said


def test_what_a_probe_remarks_leaves_out_and_cannot_look_at_is_said_once():
    unseen = (Unseen("p.shape_idx", "amcheck knows no GiST index", owed=False),)
    looked = replace(WHOLE, remarks=("2 unlogged tables are empty",), left_out=3, unseen=unseen, unseen_count=2)
    same = replace(WHOLE, remarks=("x", "x"))
    assert told(probe(), probe(called="b"), probe(called="c"), asks("select 1"), all=looked, b=same)[2:] == (
        "all: 2 unlogged tables are empty",
        "all: left out 3 tables",
        "all: did not look at 2: p.shape_idx (amcheck knows no GiST index); and 1 more",
        "b: x",
    )


def test_what_is_to_be_known_of_keys_that_were_compared_is_said_too():
    looked = Examined("key", 3, remarks=("2 keys are NULL",))
    assert told(asks("select key from files"), asked=looked)[2:] == ("asked: 2 keys are NULL",)


def test_a_physical_look_at_a_logical_backup_is_not_taken_for_more_than_it_is():
    dump = replace(POINT, kind=SnapshotKind.DUMP)
    said = "amcheck and counts say nothing about a logical backup: every index and every page was built anew"
    assert said in told(probe("amcheck"), point=dump)
    assert said not in told(probe("amcheck"))
    assert said not in told(probe("readable"), probe("of-tomorrow", called="x"), asks("select 1"), point=dump)


def test_a_dump_is_not_said_to_bring_the_roles_that_a_check_declares():
    dump = replace(POINT, kind=SnapshotKind.DUMP)
    assert any(text.startswith("a dump brings no roles") for text in told(probe("roles"), point=dump))
    assert not any(text.startswith("a dump brings no roles") for text in told(probe("roles")))
