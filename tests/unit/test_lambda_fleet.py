"""Runs as executions: what becomes of one whose check is not alone, and of one that Lambda knows in another way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lambda_world import FakeLambda, proof

from restorecheck.durable import encode
from restorecheck.engines.lambda_fleet import PATIENCE, Execution, Fleet, Tried
from restorecheck.engines.taking import Taken
from restorecheck.errors import RestorecheckError
from restorecheck.model import Report, Verdict

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
RUN, NEXT, OTHER = "orders-db-20261121t0300z", "orders-db-20261121t0330z", "users-db-20261121t0300z"


def fleet(aws: FakeLambda, kept: dict[str, Report] | None = None, **tried: Tried) -> Fleet:
    records = kept if kept is not None else {}
    return Fleet(
        aws,
        kept=records.get,
        settle=lambda report: records.setdefault(report.run_id, report),
        cancel=lambda run: None,
        tried=tried,
    )


@pytest.fixture
def aws() -> FakeLambda:
    return FakeLambda(lambda: NOW)


def test_a_run_waits_for_an_execution_of_its_check_that_the_ledger_does_not_know(aws: FakeLambda) -> None:
    """The state was made anew while it ran."""
    aws.start(RUN)
    first = fleet(aws)
    first.look([])
    assert [first.take(run) for run in (NEXT, OTHER)] == [Taken.BEGUN, Taken.BEGUN]
    assert (first.start(), aws.begun) == ({}, [RUN, OTHER])
    assert NEXT not in first.here()
    aws.ends(RUN)
    then = fleet(aws)
    then.look([NEXT, OTHER])
    assert [then.take(run) for run in (NEXT, OTHER)] == [Taken.BEGUN, Taken.RESUMED]
    assert (then.start(), aws.begun) == ({}, [RUN, OTHER, NEXT])


def test_a_run_that_began_between_the_two_questions_goes_on(aws: FakeLambda) -> None:
    aws.executions[RUN] = Execution("PENDING", NOW)
    asked: list[str] = []

    def before(operation: str) -> None:
        asked.append(operation)
        if operation == "status":
            aws.executions[RUN] = Execution("RUNNING", NOW)

    aws.before = before
    one = fleet(aws)
    one.look([RUN])
    assert (one.take(RUN), one.here(), asked) == (Taken.RESUMED, {RUN}, ["running", "status"])


@pytest.mark.parametrize(
    ("ended", "kind", "said"),
    [
        (Execution("TIMED_OUT", NOW, NOW + timedelta(hours=9)), "deadline", "it lasted longer"),
        (Execution("STOPPED", NOW), "cancelled", "somebody stopped it"),
        (Execution("FAILED", NOW, error="Runtime.OutOfMemory"), "internal", "it failed: Runtime.OutOfMemory"),
        (Execution("ASLEEP", NOW), "unknown-answer", "ASLEEP"),
        (Execution("SUCCEEDED", NOW, result='{"verdict": "passed"}'), "internal", "no report"),
        (Execution("SUCCEEDED", NOW, result="{"), "internal", "no report"),
        (Execution("SUCCEEDED", NOW), "internal", "no report"),
    ],
)
def test_an_execution_without_a_report_proves_nothing(aws: FakeLambda, ended: Execution, kind: str, said: str) -> None:
    aws.executions[RUN] = ended
    one = fleet(aws)
    one.look([RUN])
    assert one.take(RUN) is Taken.ENDED
    report = one.report(RUN)
    assert report is not None
    assert report.failure is not None
    assert (report.verdict, report.failure.kind, report.check) == (Verdict.UNPROVEN, kind, "orders-db")
    assert said in report.failure.message
    assert (report.started, report.ended) == (NOW, ended.ended or NOW)
    assert "sweep" in report.notes[0]


def test_what_a_run_kept_counts_more_than_what_its_execution_returned(aws: FakeLambda) -> None:
    aws.executions[RUN] = Execution("SUCCEEDED", NOW, result="null")
    kept = proof(RUN, Verdict.BROKEN)
    one = fleet(aws, {RUN: kept})
    one.look([RUN])
    assert one.report(RUN) is kept


@pytest.mark.parametrize(("times", "taken"), [(PATIENCE - 1, Taken.BEGUN), (PATIENCE, Taken.ENDED)])
def test_a_run_that_cannot_be_started_ends_after_so_many_ticks(aws: FakeLambda, times: int, taken: Taken) -> None:
    one = fleet(aws, **{RUN: Tried(times, "permission", "not allowed", NOW.isoformat())})
    one.look([RUN])
    assert one.take(RUN) is taken
    assert one.wanted == ((RUN,) if taken is Taken.BEGUN else ())


@pytest.mark.parametrize("other", [{"run_id": OTHER}, {"check": "users-db"}])
def test_what_is_of_another_run_or_of_another_check_is_no_report_of_this_one(
    aws: FakeLambda, other: dict[str, str]
) -> None:
    aws.executions[RUN] = Execution("SUCCEEDED", NOW, result=json.dumps(encode(replace(proof(RUN), **other), Report)))
    one = fleet(aws)
    one.look([RUN])
    report = one.report(RUN)
    assert report is not None
    assert (report.run_id, report.check, report.verdict) == (RUN, "orders-db", Verdict.UNPROVEN)


def test_a_run_that_never_began_ends_as_what_kept_it_from_it(aws: FakeLambda) -> None:
    at = NOW + timedelta(minutes=20)
    one = fleet(aws, **{RUN: Tried(PATIENCE, "permission", "not allowed", at.isoformat())})
    one.look([RUN])
    report = one.report(RUN)
    assert report is not None
    assert report.failure is not None
    assert (report.started, report.ended, report.failure.kind) == (NOW, at, "permission")
    assert "5 ticks: not allowed" in report.failure.message


def test_a_start_that_fails_keeps_no_other_from_being_made(aws: FakeLambda) -> None:
    failing: list[Any] = [RestorecheckError("throttled", kind="throttled")]

    def before(operation: str) -> None:
        if operation == "start" and failing:
            raise failing.pop()

    aws.before = before
    one = fleet(aws)
    one.look([])
    for run in (RUN, OTHER):
        one.take(run)
    assert list(one.start()) == [RUN]
    assert aws.begun == [OTHER]
    one.forget(RUN)
    assert one.wanted == (OTHER,)


def test_a_bug_that_one_run_meets_does_not_keep_those_behind_it_from_beginning(aws: FakeLambda) -> None:
    class Odd:
        """Lambda, and a bug of ours at one run."""

        def start(self, run_id: str) -> None:
            if run_id == RUN:
                raise KeyError(run_id)
            aws.start(run_id)

        def running(self) -> set[str]:
            return aws.running()

        def status(self, run_id: str) -> Execution | None:
            return aws.status(run_id)

    records: dict[str, Report] = {}
    both = Fleet(Odd(), kept=records.get, settle=lambda report: report, cancel=lambda run: None, tried={})
    both.take(RUN)
    both.take(OTHER)
    failed = both.start()
    assert list(failed) == [RUN]
    assert "KeyError" in failed[RUN].message
    assert "test_lambda_fleet" not in failed[RUN].message
