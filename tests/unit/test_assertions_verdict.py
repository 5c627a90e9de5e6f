from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.assertions import judge_all, objectives, verdict, words
from restorecheck.failures import KINDS, kind
from restorecheck.model import (
    OBJECTIVES,
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
    Measured,
    Observation,
    Outcome,
    Placement,
    Probe,
    RdsSource,
    RecoveryPoint,
    S3DumpSource,
    SnapshotKind,
    Verdict,
)

BACKUP = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
POINT = RecoveryPoint("p", "arn:p", SnapshotKind.MANUAL, BACKUP, BACKUP, "postgres", "18.1", "master", encrypted=True)
CHECK = Check(
    "orders-db",
    RdsSource("111111111111", "eu-central-1", "orders", "shop"),
    Placement("222222222222", "eu-central-1", "g", ("sg",), "key", "db.t4g.micro"),
    Limits(),
    (
        Assertion("present", "select count(*) from orders", Expectation(at_least=Cell("number", "1000"))),
        Assertion("orphans", "select 1", Expectation(no_rows=True)),
    ),
    rpo=timedelta(hours=25),
    rto=timedelta(hours=2),
    runbook="https://runbook.example",
)


def finding(outcome: Outcome, name: str = "a", kind: str = "", message: str = "") -> Finding:
    return Finding(name, outcome, "e", "o", message, kind)


PASS = finding(Outcome.PASS)
FAIL = finding(Outcome.FAIL, "present", "assertion-failed", "41 rows were counted")
WARN = finding(Outcome.WARN, "warned", "assertion-failed", "it is a little late")
LEARNING = finding(Outcome.LEARNING, "new")
LOST = finding(Outcome.ERROR, "read", "data-damaged", "the page is invalid")
BAD_QUESTION = finding(Outcome.ERROR, "asked", "question", "the answer is a text")


def test_every_declared_assertion_has_one_finding_in_order():
    answers = Answers(
        (Answer("orphans", columns=1), Answer("present", rows=1, columns=1, cells=(Cell("number", "41"),))), BACKUP
    )
    found = judge_all(CHECK, answers, POINT, "salt")
    assert [(f.name, f.outcome) for f in found] == [("present", Outcome.FAIL), ("orphans", Outcome.PASS)]


def test_a_missing_answer_is_an_error_and_so_are_two_of_one_name():
    answers = Answers((Answer("orphans", columns=1), Answer("orphans", rows=3), Answer("stranger")), BACKUP)
    found = judge_all(CHECK, answers, POINT, "salt")
    assert [(f.name, f.outcome, f.kind, f.message) for f in found] == [
        ("present", Outcome.ERROR, "internal", "no answer came back for this question"),
        ("orphans", Outcome.ERROR, "internal", "several answers came back under this name"),
    ]
    assert verdict(found, restores=False)[0] is Verdict.UNPROVEN


GOOD = (Answer("present", rows=1, columns=1, cells=(Cell("number", "1000"),)), Answer("orphans", columns=1))


def observed(*seen: Observation, answers: tuple[Answer, ...] = GOOD) -> tuple[Finding, ...]:
    return judge_all(CHECK, Answers(answers, BACKUP, observations=seen), POINT, "salt")


@pytest.mark.parametrize(
    ("seen", "outcome", "says"),
    [
        (Observation("objects", "10", "10"), Outcome.PASS, Verdict.PASSED),
        (Observation("objects", "10", "9", "objects-differ", "one is missing"), Outcome.FAIL, Verdict.BROKEN),
        (Observation("databases", "tables", "none", "empty-database", "it is empty"), Outcome.ERROR, Verdict.UNPROVEN),
        (Observation("read", "10", "0", "a-kind-of-tomorrow", "?"), Outcome.ERROR, Verdict.UNPROVEN),
        (Observation("dump-size", "9", "4", message="half of it", warning=True), Outcome.WARN, Verdict.PASSED),
    ],
)
def test_what_a_source_observes_follows_the_assertions_and_its_kind_says_whose_fault_it_is(
    seen: Observation, outcome: Outcome, says: Verdict
):
    found = observed(seen)
    assert [f.name for f in found] == ["present", "orphans", seen.name]
    assert (found[-1].outcome, found[-1].by, found[-1].message) == (outcome, "source", seen.message)
    assert found[-1].runbook == CHECK.runbook
    assert verdict(found, restores=False)[0] is says


FULL = Observation("dump-restored", "no error", "3 errors", "scratch-full", "no room on the disk", partial=True)


@pytest.mark.parametrize(
    "present",
    [
        Answer("present", rows=1, columns=1, cells=(Cell("number", "0"),)),
        Answer("present", error="there is no such table", kind="missing-object"),
        Answer("present", error="the page is invalid", kind="data-damaged"),
    ],
)
def test_where_only_a_part_could_be_restored_nothing_that_fails_blames_the_backup(present: Answer):
    answers = (present, GOOD[1])
    assert verdict(observed(answers=answers), restores=False)[0] is Verdict.BROKEN
    found = observed(FULL, answers=answers)
    assert [(f.outcome, f.kind) for f in found] == [
        (Outcome.ERROR, "scratch-full"),
        (Outcome.PASS, ""),
        (Outcome.ERROR, "scratch-full"),
    ]
    assert found[0].message.startswith("asked where only a part could be restored: ")
    assert found[0].message.endswith(observed(answers=answers)[0].message)
    decided, failure = verdict(found, restores=False)
    assert (decided, failure and failure.kind) == (Verdict.UNPROVEN, "scratch-full")


ACCEPTED = Against("accepted")
EXTENSIONS = Assertion("installed", "", Expectation(same_as=ACCEPTED), probe=Probe("extensions"))


@pytest.mark.parametrize(
    ("lines", "of_rds", "of_dump"),
    [
        (("citext 1.6", "pg_trgm 1.6"), Outcome.PASS, Outcome.PASS),
        (("citext 1.8", "pg_trgm 1.6"), Outcome.FAIL, Outcome.PASS),  # a newer server restored the dump
        (("pg_trgm 1.6",), Outcome.FAIL, Outcome.FAIL),
        (None, Outcome.ERROR, Outcome.ERROR),
    ],
)
def test_the_version_of_an_extension_is_of_whoever_restores_a_dump(lines, of_rds, of_dump):
    then = Measured("installed", lines=("citext 1.6", "pg_trgm 1.6"))
    looked = None if lines is None else Examined("extension", len(lines), lines=lines)
    answers = Answers((Answer("installed", examined=looked),), BACKUP)
    dump = S3DumpSource("1", "eu-central-1", "dumps", "*", "shop")
    for source, outcome in ((CHECK.source, of_rds), (dump, of_dump)):
        check = replace(CHECK, source=source, assertions=(EXTENSIONS,))
        [found] = judge_all(check, answers, POINT, "salt", (Known("installed", ACCEPTED, BACKUP, 1, then),))
        assert found.outcome is outcome
        [found] = judge_all(check, answers, POINT, "salt", (Known("installed", ACCEPTED),))
        assert found.outcome in (Outcome.LEARNING, Outcome.ERROR)


def test_what_the_source_knows_breaks_also_where_only_a_part_could_be_restored():
    differs = Observation("dump-checksum", "the same", "another", "dump-damaged", "it is not what was written")
    decided, failure = verdict(observed(FULL, differs), restores=False)
    assert (decided, failure and failure.kind) == (Verdict.BROKEN, "dump-damaged")


def test_what_passes_where_only_a_part_could_be_restored_is_not_green():
    assert verdict(observed(FULL), restores=False)[0] is Verdict.UNPROVEN


def test_nothing_that_a_source_observes_makes_a_run_green():
    """Objects were compared and all are there, but every question only warned: nothing that was asked is proven."""
    warned = [replace(f, outcome=Outcome.WARN) for f in observed()]
    good = observed(Observation("objects", "10", "10"))[-1]
    assert verdict([*warned, good], restores=False)[0] is Verdict.UNPROVEN
    assert verdict([good], restores=False)[0] is Verdict.UNPROVEN
    assert verdict([good], restores=True)[0] is Verdict.PASSED
    assert verdict([replace(good, outcome=Outcome.FAIL)], restores=True)[0] is Verdict.BROKEN


def test_ages_are_measured_from_the_point_s_own_time_or_from_the_question():
    expect = Expectation(at_most=Cell("duration", "3600"), before="backup")
    check = replace(
        CHECK, assertions=(Assertion("fresh", "q", expect), Assertion("now", "q", replace(expect, before="now")))
    )
    half_past_two = (Cell("time", "2026-11-21T02:30:00+00:00"),)
    answers = Answers(
        tuple(Answer(n, rows=1, columns=1, cells=half_past_two) for n in ("fresh", "now")),
        asked_at=BACKUP + timedelta(hours=6),
    )
    point = replace(POINT, newest=BACKUP + timedelta(days=9))
    assert [f.outcome for f in judge_all(check, answers, point, "salt")] == [Outcome.PASS, Outcome.FAIL]


# --- objectives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "outcome", "kind", "observed", "message"),
    [
        (0.0, Outcome.PASS, "", "0 s old", ""),
        (-90.0, Outcome.PASS, "", "0 s old", ""),  # made after the run began
        (25 * 3600.0, Outcome.PASS, "", "25 h old", ""),
        (
            25 * 3600.0 + 1,
            Outcome.FAIL,
            "stale",
            "25 h old",
            "the newest recovery point is 25 h 1 s old where at most 25 h is allowed",
        ),
        (
            4 * 86400.0 + 7300,
            Outcome.FAIL,
            "stale",
            "4 d 2 h old",
            "the newest recovery point is 4 d 2 h old where at most 25 h is allowed",
        ),
        (None, Outcome.ERROR, "unknown-answer", "not known", "the age of the newest recovery point is not known"),
    ],
)
def test_the_rpo(age, outcome, kind, observed, message):
    rpo = objectives(CHECK, age, 60.0)[0]
    assert (rpo.name, rpo.outcome, rpo.kind, rpo.observed, rpo.message) == ("rpo", outcome, kind, observed, message)
    assert rpo.expected == "at most 25 h old"
    assert rpo.runbook == CHECK.runbook


@pytest.mark.parametrize(
    ("seconds", "outcome", "observed", "message"),
    [
        (7200.0, Outcome.PASS, "2 h", ""),
        (
            7800.0,
            Outcome.WARN,
            "2 h 10 min",
            (
                "the restore took 2 h 10 min where at most 2 h is allowed: "
                "this does not make the backup a bad one, but it comes back later than you promised"
            ),
        ),
        (
            None,
            Outcome.WARN,
            "not measured",
            "the restore time was not measured: the run did not get as far as an answered query",
        ),
    ],
)
def test_the_rto_warns_and_never_breaks(seconds, outcome, observed, message):
    rto = objectives(CHECK, 0.0, seconds)[1]
    assert (rto.name, rto.outcome, rto.kind, rto.observed, rto.message) == ("rto", outcome, "", observed, message)
    assert (rto.expected, rto.seconds) == ("at most 2 h", seconds or 0.0)
    assert verdict([PASS, rto], restores=False) == (Verdict.PASSED, None)


# --- the verdict ----------------------------------------------------------------------------------------------------


def told(findings, *, restores=False):
    outcome, failure = verdict(findings, restores=restores)
    return outcome, failure and failure.kind, failure and failure.message


def test_what_passes_is_green_also_beside_warnings():
    assert told([PASS]) == (Verdict.PASSED, None, None)
    assert told([PASS, WARN, LEARNING]) == (Verdict.PASSED, None, None)


def test_a_failure_breaks_and_is_told():
    assert told([PASS, FAIL]) == (Verdict.BROKEN, "assertion-failed", "present: 41 rows were counted")
    outcome, failure = verdict([FAIL], restores=False)
    assert outcome is Verdict.BROKEN
    assert (failure.phase, failure.hint) == ("judge", KINDS["assertion-failed"].hint)


def test_an_error_that_accuses_the_backup_breaks_and_another_leaves_it_unproven():
    assert told([LOST, PASS]) == (Verdict.BROKEN, "data-damaged", "read: the page is invalid")
    assert told([BAD_QUESTION, PASS]) == (Verdict.UNPROVEN, "question", "asked: the answer is a text")
    assert told([finding(Outcome.ERROR, "a", "")]) == (Verdict.UNPROVEN, "unknown-answer", "a: error")


def test_broken_outranks_unproven_and_all_are_named():
    assert told([BAD_QUESTION, LOST, FAIL, PASS]) == (
        Verdict.BROKEN,
        "data-damaged",
        "read: the page is invalid; present: 41 rows were counted; besides, not answered: asked",
    )


def test_a_failure_of_an_odd_kind_is_broken_all_the_same():
    assert told([finding(Outcome.FAIL, "a", "timeout", "m")]) == (Verdict.BROKEN, "assertion-failed", "a: m")


def test_a_stale_backup_is_broken_by_its_own_kind():
    assert told([PASS, *objectives(CHECK, 1e6, 1.0)])[:2] == (Verdict.BROKEN, "stale")
    assert told([PASS, *objectives(CHECK, None, 1.0)])[:2] == (Verdict.UNPROVEN, "unknown-answer")


def test_nothing_asked_is_green_only_if_the_check_says_that_restoring_is_all():
    fine = objectives(CHECK, 0.0, 1.0)
    assert told(fine, restores=True) == (Verdict.PASSED, None, None)
    assert told(fine) == (
        Verdict.UNPROVEN,
        "question",
        "nothing was asked: a check without any assertion proves nothing",
    )
    assert told([])[0] is Verdict.UNPROVEN


@pytest.mark.parametrize("restores", [True, False])
def test_warnings_and_learning_alone_prove_nothing(restores):
    fine = objectives(CHECK, 0.0, 1.0)
    message = "no assertion passed, so nothing is proven: warned: it is a little late"
    assert told([WARN, *fine], restores=restores) == (Verdict.UNPROVEN, "question", message)
    # what only learns will pass by itself, and the run may be the first baseline
    message += "; new: learning"
    assert told([WARN, LEARNING, *fine], restores=restores) == (Verdict.UNPROVEN, "learning", message)


def test_learning_beside_a_pass_passes_and_hides_nothing_else():
    assert told([PASS, LEARNING]) == (Verdict.PASSED, None, None)
    assert told([PASS, LEARNING, FAIL])[0] is Verdict.BROKEN
    assert told([LEARNING, BAD_QUESTION])[:2] == (Verdict.UNPROVEN, "question")


outcomes = st.lists(
    st.builds(
        finding,
        st.sampled_from(Outcome),
        st.sampled_from(["a", "b", *OBJECTIVES]),
        st.sampled_from([*KINDS, "", "nonsense"]),
        st.text(max_size=3),
    ),
    max_size=6,
)


@given(outcomes, st.booleans())
def test_green_means_that_something_passed_and_nothing_is_open(findings, restores):
    result, failure = verdict(findings, restores=restores)
    assert (result is Verdict.PASSED) == (failure is None)
    asked = [f for f in findings if f.name not in OBJECTIVES]
    if result is Verdict.PASSED:
        assert not any(f.outcome in (Outcome.FAIL, Outcome.ERROR) for f in findings)
        assert any(f.outcome is Outcome.PASS for f in asked) or (restores and not asked)
    else:
        assert failure
        assert failure.kind in KINDS
        assert kind(failure.kind).verdict is result
    if any(f.outcome is Outcome.FAIL for f in findings):
        assert result is Verdict.BROKEN


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ("0", "0 s"),
        ("0.0004", "0 s"),
        ("0.25", "0.25 s"),
        ("59.9", "59 s"),
        ("720", "12 min"),
        ("754", "12 min 34 s"),
        ("3600", "1 h"),
        ("3605", "1 h"),
        ("273900", "3 d 4 h"),
        ("86400000", "1,000 d"),
        ("-90", "-1 min 30 s"),
    ],
)
def test_spans_of_time_are_cut_to_two_units(seconds, text):
    assert words.duration(Decimal(seconds)) == text


@given(st.decimals("0", "1e9", places=3), st.decimals("0", "1e9", places=3))
def test_two_spans_that_differ_never_read_the_same(a, b):
    left, right = words.apart(a, b)
    assert (left == right) == (a == b)
