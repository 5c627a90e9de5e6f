"""The workflow over a scripted cloud: what every failure does to verdict, teardown and proof."""

from dataclasses import replace
from datetime import timedelta

import pytest
from journal import Journal, JournalDurable, SkipClock
from workflow.conftest import Run
from workflow.scripted import BUILT, NOW, POINT, RUN, Cloud, ScriptedPorts, check, failing, verify

from restorecheck.durable import decode, encode
from restorecheck.engines.inline import InlineDurable
from restorecheck.errors import SourceError
from restorecheck.model import Against, Assertion, Cell, Expectation, Known, Level, Measured, Outcome, Report, Verdict

pytest_plugins = ("store_fixtures",)


def test_a_good_backup_passes_and_nothing_is_left(run: Run):
    cloud = Cloud()
    report = run(cloud)
    assert report.verdict is Verdict.PASSED
    assert report.failure is None
    assert cloud.pieces == {}
    assert cloud.made == list(BUILT)
    assert cloud.reports == {RUN: report}
    assert report.leaked == ()
    assert not report.refused


def test_the_steps_and_their_order_are_these():
    """The step sequence is an interface: changing it needs a new engines.dbos.STEPS."""
    durable = InlineDurable(RUN, SkipClock(NOW))
    verify(durable, ScriptedPorts(Cloud()))
    there = [n for name in BUILT for n in (name, f"{name}: wait")]
    back = [n for name in reversed(BUILT) for n in (f"drop {name}", f"drop {name}: wait")]
    assert [p.name for p in durable.phases] == ["plan", "find", *there, "examine", *back, "prove", "record"]


def test_rows_that_vanished_are_broken(run: Run):
    report = run(Cloud(rows="41"))
    assert report.verdict is Verdict.BROKEN
    assert report.failure is not None
    assert report.failure.kind == "assertion-failed"
    assert "41" in report.failure.message
    assert "1,000" in report.failure.message


@pytest.mark.parametrize("place", ["find", *(f"{w} {n}" for n in BUILT for w in ("begin", "look")), "examine"])
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("quota", Verdict.UNPROVEN), ("incompatible-restore", Verdict.BROKEN), ("never heard of", Verdict.UNPROVEN)],
)
def test_a_failure_anywhere_has_its_verdict_and_leaves_nothing(run: Run, place: str, kind: str, verdict: Verdict):
    cloud = Cloud(faults={place: [failing(kind)]})
    report = run(cloud)
    assert report.verdict is verdict
    assert report.failure is not None
    assert report.failure.kind == kind
    assert report.failure.phase == place.rpartition(" ")[2]
    assert report.failure.hint
    assert cloud.pieces == {}
    assert report.leaked == ()


def test_a_bug_of_ours_is_unproven_and_torn_down(run: Run):
    cloud = Cloud(faults={"look restore": [ZeroDivisionError("oops")]})
    report = run(cloud)
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "internal")
    assert cloud.pieces == {}


def test_a_retryable_error_is_tried_again_where_it_may_help(run: Run):
    throttled = [failing("throttled", retryable=True)] * 3
    cloud = Cloud(faults={"find": [*throttled, failing("throttled", retryable=True)]})
    assert run(cloud).failure.kind == "throttled"  # for ever: five tries, then it is a failure

    class Once(list):
        def pop(self, index=-1):
            return super().pop(index)

    cloud = Cloud()
    tries = []

    def trip(what: str) -> None:
        if what == "begin restore" and len(tries) < 2:
            tries.append(what)
            raise failing("throttled", retryable=True)

    cloud.trip = trip
    assert run(cloud).verdict is Verdict.PASSED
    assert tries == ["begin restore"] * 2


def test_what_is_not_retryable_is_not_tried_again(run: Run):
    cloud = Cloud()
    tries = []

    def trip(what: str) -> None:
        if what == "begin restore":
            tries.append(what)
            raise failing("quota")

    cloud.trip = trip
    assert run(cloud).failure.kind == "quota"
    assert tries == ["begin restore"]


def test_a_restore_that_never_ends_is_given_up_at_its_limit_and_torn_down(run: Run):
    cloud = Cloud()
    stuck = dict.fromkeys(BUILT, 2)

    def trip(what: str) -> None:
        if what == "look restore":
            cloud.pieces["restore"] = stuck["restore"] + 10_000

    cloud.trip = trip
    report = run(cloud)
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "deadline")
    assert "creating" in report.failure.message
    waited = next(p for p in report.phases if p.name == "restore: wait")
    assert timedelta(minutes=59, seconds=59) < timedelta(seconds=waited.seconds) < timedelta(hours=1, minutes=1)
    assert cloud.pieces == {}


def test_a_cancelled_run_tears_down_and_is_unproven(run: Run):
    cloud = Cloud()
    report = run(cloud, cancelled=lambda: "restore" in cloud.pieces)
    assert (report.verdict, report.failure.kind, report.failure.phase) == (Verdict.UNPROVEN, "cancelled", "restore")
    assert cloud.pieces == {}


def test_what_cannot_be_torn_down_is_leaked_beside_the_verdict_and_the_rest_goes(run: Run):
    cloud = Cloud(faults={"begin drop restore": [failing("permission")]})
    report = run(cloud)
    assert report.verdict is Verdict.PASSED
    assert [left.arn.split(":")[-1] for left in report.leaked] == ["restore"]
    assert set(cloud.pieces) == {"restore"}
    assert any("permission" in note for note in report.notes)


def test_a_teardown_that_was_refused_once_is_asked_for_again_while_it_is_waited_for(run: Run):
    cloud = Cloud()
    refusals = ["begin drop restore"]

    def trip(what: str) -> None:
        if what in refusals:
            refusals.remove(what)
            raise failing("throttled")

    cloud.trip = trip
    report = run(cloud)
    assert (report.verdict, report.leaked, report.notes) == (Verdict.PASSED, (), ())
    assert refusals == []
    assert cloud.pieces == {}


def test_not_being_able_to_look_for_leftovers_is_never_passed(run: Run):
    report = run(Cloud(faults={"prove": [failing("permission")]}))
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "not-proven-gone")


def test_not_being_able_to_look_does_not_hide_that_the_backup_is_broken(run: Run):
    report = run(Cloud(rows="1", faults={"prove": [failing("permission")]}))
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "assertion-failed")


def test_a_refusal_of_the_fence_shows_in_the_report(run: Run):
    for place in ("begin restore", "begin drop restore", "prove"):
        assert run(Cloud(faults={place: [failing("refused")]})).refused, place


def test_without_a_plan_there_is_a_report_all_the_same(run: Run):
    cloud = Cloud(faults={"plan": [failing("config")]})
    report = run(cloud)
    assert (report.verdict, report.check, report.failure.kind) == (Verdict.UNPROVEN, "orders-db", "config")
    assert cloud.reports == {RUN: report}


def test_a_report_that_cannot_be_kept_is_returned_and_says_so(run: Run):
    cloud = Cloud(faults={"record": [failing("internal")]})
    report = run(cloud)
    assert report.verdict is Verdict.PASSED
    assert any(note.startswith("record:") for note in report.notes)


def test_a_newest_point_older_than_the_rpo_is_broken_however_good_its_data(run: Run):
    stale = replace(POINT, created=NOW - timedelta(days=3), newest=NOW - timedelta(days=3))
    report = run(Cloud(point=stale))
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "stale")
    assert report.point_age_seconds == timedelta(days=3).total_seconds()


def test_a_stale_backup_is_broken_also_when_the_restore_could_not_be_tried(run: Run):
    stale = replace(POINT, created=NOW - timedelta(days=3), newest=NOW - timedelta(days=3))
    report = run(Cloud(point=stale, faults={"begin restore": [failing("quota")]}))
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "stale")


def test_an_old_point_picked_on_purpose_is_judged_by_the_newest(run: Run):
    picked = replace(POINT, created=NOW - timedelta(days=30))
    assert run(Cloud(point=picked)).verdict is Verdict.PASSED


def test_a_report_says_how_far_its_proof_goes_and_one_that_broke_off_claims_nothing(run: Run):
    report = run(Cloud())
    assert report.level is Level.ANSWERED
    assert report.proven[0].startswith("answered: ")
    assert report.proven[1:] == ("one of one questions was answered",)
    broken = run(Cloud(faults={"examine": [SourceError("gone", kind="interfered")]}))
    assert (broken.proven, broken.level, broken.measured) == ((), Level.NOTHING, ())


def test_a_number_is_held_against_what_the_plan_knew_and_kept_for_later_runs(run: Run):
    previous = Against("previous")
    expect = Expectation(at_least=Cell("number", "0.9"), of=previous)
    grown = check(assertions=(Assertion("present", "select count(*) from orders", expect),))
    first = run(Cloud(), grown)
    assert (first.verdict, first.failure.kind) == (Verdict.UNPROVEN, "learning")
    [measured] = first.measured
    assert (measured.assertion, measured.value) == ("present", "2000")
    known = (Known("present", previous, NOW, 1, measured),)
    assert run(Cloud(known=known), grown).verdict is Verdict.PASSED
    lost = run(Cloud(rows="1799", known=known), grown)
    assert (lost.verdict, lost.failure.kind) == (Verdict.BROKEN, "assertion-failed")
    assert "1,799 is 0.89 of the 2,000 of the run of 2026-11-21" in lost.failure.message


def test_what_a_reference_recorded_comes_with_the_answers(run: Run):
    live = Against("reference", reference="live")
    expect = Expectation(at_least=Cell("number", "1"), of=live)
    held = check(assertions=(Assertion("present", "select count(*) from orders", expect),))
    assert run(Cloud(), held).failure.kind == "no-reference"
    recorded = (Known("present", live, NOW, measured=Measured("present", "2001")),)
    assert run(Cloud(recorded=recorded), held).failure.kind == "reference-differs"
    recorded = (Known("present", live, NOW, measured=Measured("present", "2000")),)
    assert run(Cloud(recorded=recorded), held).verdict is Verdict.PASSED


def test_a_slow_restore_is_a_warning_and_does_not_break_the_backup(run: Run):
    report = run(Cloud(), check(rto=timedelta(seconds=1)))
    assert report.verdict is Verdict.PASSED
    assert [f.outcome for f in report.findings if f.name == "rto"] == [Outcome.WARN]
    assert report.restore_seconds is not None
    assert report.restore_seconds > 1


def test_a_check_that_only_restores_passes_on_an_answer_and_not_without_one(run: Run):
    only = check(assertions=(), restores=True)
    assert run(Cloud(), only).verdict is Verdict.PASSED
    broken = Cloud(faults={"look open": [failing("database-unreachable")]})
    assert run(broken, only).verdict is Verdict.UNPROVEN


def test_a_report_survives_json(run: Run):
    report = run(Cloud(rows="41"))
    assert decode(encode(report, Report), Report) == report


def test_a_replay_of_a_finished_run_runs_nothing_and_says_the_same():
    cloud, journal, clock = Cloud(), Journal(), SkipClock(NOW)
    first = verify(JournalDurable(RUN, journal, clock), ScriptedPorts(cloud))
    made, recorded = list(cloud.made), len(journal.records)
    again = verify(JournalDurable(RUN, journal, clock), ScriptedPorts(cloud))
    assert again == first
    assert cloud.made == made
    assert len(journal.records) == recorded


@pytest.mark.parametrize("place", ["restore", "drop restore"])
def test_aws_that_does_not_answer_for_an_hour_costs_time_and_no_verdict(run: Run, place: str):
    """From the first look at this stage on, nothing answers for an hour: no look, no begin."""
    cloud, clock = Cloud(at_most=timedelta(hours=2)), SkipClock(NOW)
    silent: list[float] = []

    def trip(what: str) -> None:
        if what == f"look {place}" and not silent:
            silent.append(clock.monotonic())
        if silent and clock.monotonic() - silent[0] < 3600:
            raise failing("aws-unavailable", retryable=True)

    cloud.trip = trip  # type: ignore[method-assign]
    report = run(cloud, clock=clock)
    assert report.verdict is Verdict.PASSED
    assert (cloud.pieces, report.leaked) == ({}, ())
    assert (report.ended - report.started) > timedelta(hours=1)


def test_aws_that_does_not_answer_when_a_run_begins_is_unproven_and_nothing_was_made(run: Run):
    cloud = Cloud(faults={"find": [failing("aws-unavailable", retryable=True)]})
    report = run(cloud)
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "aws-unavailable")
    assert cloud.made == []
