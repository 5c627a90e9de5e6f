"""One tick on Lambda: what is due begins once, what ended is told once, wherever a tick dies."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from journal import Killed
from lambda_world import Call, Town, proof
from monitoring import Catcher, Reply, catching
from store_places import entry

from restorecheck.durable import encode
from restorecheck.engines.lambda_fleet import LEFT, PATIENCE
from restorecheck.errors import AwsError, RestorecheckError, StoreError
from restorecheck.functions import turn
from restorecheck.model import Report, RunState, Verdict
from restorecheck.replica import FUNCTIONS

RUN = "orders-db-20261121t0300z"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


@pytest.fixture(scope="module")
def hook() -> Iterator[Catcher]:
    with catching() as catcher:
        yield catcher


@pytest.fixture
def told(tmp_path: Path, hook: Catcher) -> Town:
    """A town with a receiver; the trial of the receiver lies behind it."""
    hook.posts.clear()
    made = Town(tmp_path, receivers={"hook": hook.url})
    made.tick()
    made.later(1)
    made.tick()
    hook.posts.clear()
    return made


def due(town: Town) -> None:
    """Let the first tick look at the schedules, and the time of a run come."""
    town.tick()
    town.later(5)


def running(town: Town) -> list[str]:
    return [entry.run_id for entry in town.read(lambda store: store.ledger.owned(FUNCTIONS))]


# --- the way of a run ------------------------------------------------------------------------------------------------


def test_what_is_due_begins_and_what_ended_is_kept_and_measured(town: Town):
    due(town)
    assert (town.aws.begun, town.metrics()[-1].get("check")) == ([], "orders-db")
    done = town.tick()
    assert (done.began, done.failed, town.aws.begun) == ((RUN,), [], [RUN])
    town.later(5)
    assert town.tick().began == ()
    assert running(town) == [RUN]
    town.finish(RUN)
    town.later(5)
    assert town.tick().failed == []
    assert (running(town), town.proofs(), town.aws.begun) == ([], {RUN: (Verdict.PASSED, "")}, [RUN])
    of_all, of_check = town.metrics()[-2:]
    assert (of_all["StoreUp"], of_all["ChecksDeclared"], of_all["ConfigurationLoaded"]) == (1, 1, 1)
    assert (of_check["check"], of_check["Broken"], of_check["FailuresInARow"]) == ("orders-db", 0, 0)
    assert of_all["SecondsSinceTick"] < 1


@pytest.mark.long
def test_the_functions_are_a_replica_that_each_tick_is_the_heartbeat_of(town: Town):
    town.tick()
    town.later(5)
    town.tick()
    [replica] = town.read(lambda store: store.replicas.all())
    assert (replica.id, replica.role, replica.seconds < 1) == (FUNCTIONS, "serve", True)


@pytest.mark.long
def test_a_run_that_succeeded_without_a_record_is_kept_from_what_it_returned(town: Town):
    due(town)
    town.tick()
    report = proof(RUN, Verdict.BROKEN)
    town.aws.ends(RUN, result=json.dumps(encode(report, Report)))
    town.tick()
    assert town.proofs() == {RUN: (Verdict.BROKEN, "assertion-failed")}
    assert town.state().report(RUN) == report


@pytest.mark.parametrize(
    ("status", "result", "kind"),
    [
        ("TIMED_OUT", None, "deadline"),
        pytest.param("STOPPED", None, "cancelled", marks=pytest.mark.long),
        pytest.param("FAILED", None, "internal", marks=pytest.mark.long),
        pytest.param("SUCCEEDED", "[]", "internal", marks=pytest.mark.long),
        pytest.param("SUCCEEDED", None, "internal", marks=pytest.mark.long),
        pytest.param("VANISHED", None, "unknown-answer", marks=pytest.mark.long),
    ],
)
def test_an_execution_that_ended_without_a_report_ends_its_run_as_unproven(
    town: Town, status: str, result: str | None, kind: str
):
    due(town)
    town.tick()
    town.aws.ends(RUN, status, result=result, error="MemoryError")
    town.later(5)
    town.tick()
    assert town.proofs() == {RUN: (Verdict.UNPROVEN, kind)}
    kept = town.state().report(RUN)
    assert kept is not None
    assert (kept.notes, kept.failure and kept.failure.phase) == ((LEFT,), "execution")


def test_what_another_run_returned_is_no_report_of_this_one(town: Town):
    due(town)
    town.tick()
    town.aws.ends(RUN, result=json.dumps(encode(proof("orders-db-20261120t0300z"), Report)))
    town.tick()
    assert town.proofs() == {RUN: (Verdict.UNPROVEN, "internal")}


@pytest.mark.long
def test_what_a_run_kept_counts_more_than_how_its_execution_ended(town: Town):
    due(town)
    town.tick()
    # the record comes after this tick has looked for records, and the execution is stopped before its end
    calls: list[str] = []

    def meanwhile(operation: str) -> None:
        if operation == "status":
            calls.append(operation)
            town.state().put(proof(RUN, Verdict.BROKEN))

    town.aws.before = meanwhile
    town.aws.ends(RUN, "STOPPED")
    town.tick()
    assert (town.proofs(), calls) == ({RUN: (Verdict.BROKEN, "assertion-failed")}, ["status"])


def test_a_cancel_reaches_a_run_that_goes_on(town: Town):
    due(town)
    town.tick()
    state = town.state()
    state.open().ledger.cancel(RUN)
    state.commit()
    assert not town.state().cancelled(RUN)
    town.tick()
    assert town.state().cancelled(RUN)


# --- what fails ------------------------------------------------------------------------------------------------------


def refuse(*operations: str, kind: str = "permission"):
    def fail(operation: str) -> None:
        if operation in operations:
            raise AwsError("AccessDenied", f"{operation} is denied", kind=kind, retryable=False)

    return fail


def test_while_lambda_does_not_say_how_runs_are_none_begins_and_everything_else_is_done(told: Town, hook: Catcher):
    told.aws.before = refuse("running")
    told.later(4)
    done = told.tick()
    assert done.failed == ["runs: running is denied"]
    assert told.read(lambda store: [entry.state for entry in store.ledger.waiting()]) == [RunState.DUE]
    assert told.metrics()[-2]["SecondsSinceTick"] < 1
    told.aws.before = lambda operation: None
    assert told.tick().began == (RUN,)


@pytest.mark.long
def test_a_run_that_cannot_be_started_is_tried_again_and_ends_by_name(town: Town):
    due(town)
    town.aws.before = refuse("start")
    for _ in range(PATIENCE):
        done = town.tick()
        assert (done.began, done.failed) == ((), ["start: start is denied"])
        town.later(1)
    assert running(town) == [RUN]
    assert town.tick().failed == []
    assert (running(town), town.proofs()) == ([], {RUN: (Verdict.UNPROVEN, "permission")})
    report = town.state().report(RUN)
    assert report is not None
    assert report.failure is not None
    assert report.failure.message == f"it could not be started in {PATIENCE} ticks: start is denied"


@pytest.mark.long
def test_failures_to_start_count_only_in_a_row(town: Town):
    due(town)
    town.aws.before = refuse("start")
    for _ in range(PATIENCE - 1):
        town.tick()
        town.later(1)
    town.aws.before = lambda operation: None
    assert town.tick().began == (RUN,)
    assert town.read(lambda store: store.notes.get("lambda-starts")) == {}


def test_a_state_that_cannot_be_reached_is_a_figure_and_an_error(town: Town):
    town.bucket.down()
    done = town.tick()
    assert [f.partition(":")[0] for f in done.failed] == ["state"]
    [line] = town.metrics()
    assert line["StoreUp"] == 0
    assert "ChecksBroken" not in line


def test_a_wrong_configuration_is_told_at_every_tick_and_the_last_right_one_goes_on(town: Town):
    due(town)
    town.wrong = RestorecheckError("config.toml:1: wrong", kind="config")
    done = town.tick()
    assert (done.began, done.failed) == ((RUN,), ["configuration: config.toml:1: wrong"])
    assert town.metrics()[-2]["ConfigurationLoaded"] == 0


@pytest.mark.long
def test_a_bug_in_one_chore_keeps_no_other_from_being_done(town: Town, monkeypatch: pytest.MonkeyPatch):
    due(town)
    town.aws.before = lambda operation: 1 // 0  # type: ignore[return-value]
    done = town.tick()
    assert len(done.failed) == 1
    assert done.failed[0].startswith("runs: ")
    assert "ZeroDivisionError" in done.failed[0]
    assert town.metrics()[-2]["StoreUp"] == 1


# --- who is told -----------------------------------------------------------------------------------------------------


def broken(town: Town) -> None:
    """Let a run end as broken, before anybody has noticed."""
    town.later(4)
    assert town.tick().began == (RUN,)
    town.finish(RUN, Verdict.BROKEN)
    town.later(5)


def firing(hook: Catcher) -> list[str]:
    """Return the keys under which a broken check was told, each as often as it arrived."""
    return [
        post.key
        for post in hook.posts
        for alert in post.json["alerts"]
        if alert["labels"]["alertname"] == "RestoreCheckFailed"
    ]


def test_who_is_concerned_is_told_once(told: Town, hook: Catcher):
    broken(told)
    assert told.tick().failed == []
    assert len(firing(hook)) == 1
    told.later(5)
    told.tick()
    assert len(firing(hook)) == 1


def test_a_receiver_that_fails_is_tried_again_by_the_next_tick(told: Town, hook: Catcher):
    broken(told)
    hook.behave = lambda path, body: Reply(503)
    try:
        told.tick()
    finally:
        hook.behave = lambda path, body: Reply()
    assert len(told.events("notice.failed")) == 1
    told.later(5)
    told.tick()
    assert [hook.taken()[key] for key in set(firing(hook))] == [1]


def test_what_was_sent_while_somebody_else_changed_the_state_is_not_sent_again(told: Town, hook: Catcher):
    """An operator pauses a check between the sending and the last commit of a tick."""
    broken(told)

    def operator(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz") and firing(hook):
            told.bucket.before = lambda operation, key: None
            state = told.state()
            state.open().pauses.pause("orders-db", told.clock.time)
            state.commit()
            state.close()

    told.bucket.before = operator
    assert told.tick().failed == []
    assert len(told.events("tick.again")) == 1
    assert list(told.read(lambda store: store.pauses.all())) == ["orders-db"]
    told.later(5)
    told.tick()
    assert len(firing(hook)) == 1


@pytest.mark.long
def test_with_too_little_time_left_notices_wait_for_the_next_tick(told: Town, hook: Catcher):
    broken(told)
    assert told.tick(Call("short", left=14.0)).failed == []
    assert firing(hook) == []
    told.later(5)
    told.tick()
    assert len(firing(hook)) == 1


@pytest.mark.long
def test_ticks_without_a_break_make_a_receiver_that_is_not_reached_a_trouble(told: Town, hook: Catcher):
    """A process that has just begun gives its receivers time: but each tick has just begun."""
    broken(told)
    hook.posts.clear()
    hook.behave = lambda path, body: Reply(500)
    try:
        for _ in range(8):
            told.tick()
            told.later(5)
    finally:
        hook.behave = lambda path, body: Reply()
    keys = [one.key for one in told.read(lambda store: store.notices.episodes())]
    assert any("hook" in key for key in keys), keys


# --- two at once, and killed anywhere --------------------------------------------------------------------------------


def test_of_two_ticks_at_once_one_does_nothing(told: Town, hook: Catcher):
    broken(told)
    inner: list[bool] = []

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz") and told.bucket.calls("put", "store") > count:
            told.bucket.before = lambda operation, key: None
            inner.append(told.tick(Call("other")).busy)

    count = told.bucket.calls("put", "store") + 1
    told.bucket.before = meanwhile  # between the first commit of a tick and its last
    assert told.tick().busy is False
    assert inner == [True]
    assert len(firing(hook)) == 1


def test_of_two_ticks_that_decide_at_once_one_decides_again(town: Town):
    due(town)

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz"):
            town.bucket.before = lambda operation, key: None
            assert town.tick(Call("other")).began == (RUN,)

    town.bucket.before = meanwhile
    done = town.tick()
    assert (done.began, done.busy, town.aws.begun) == ((), False, [RUN])


def test_the_turn_of_a_tick_that_died_ends_with_its_time(town: Town):
    due(town)
    state = town.state()
    turn.take(state.open(), "died", town.clock.time, 120)
    state.commit()
    assert town.tick().busy is True
    town.later(2)
    assert town.tick().busy is False
    state.open()


@pytest.mark.long
def test_a_request_that_lambda_makes_again_goes_on_at_once(town: Town):
    due(town)
    state = town.state()
    turn.take(state.open(), "same", town.clock.time, 300)
    state.commit()
    assert town.tick(Call("same")).began == (RUN,)


@pytest.mark.long
def test_a_turn_taken_by_a_clock_that_was_wrong_holds_nobody_up(town: Town):
    due(town)
    state = town.state()
    turn.take(state.open(), "wrong", town.clock.time + timedelta(days=1), 300)
    state.commit()
    assert town.tick().began == (RUN,)


def story(town: Town, hook: Catcher, die: int) -> tuple[int, dict[str, tuple[Verdict, str]], list[str]]:
    """Let a run begin and end as broken; the `die`-th call to the bucket, to Lambda or for a lock of one tick kills it.

    Return how many calls the tick made, or 0 if it was killed.
    """
    counted = 0

    def strike(*_: object) -> None:
        nonlocal counted
        counted += 1
        if counted == die:
            raise Killed(f"call {die}")

    def ticks() -> int:
        town.bucket.before, town.aws.before = strike, strike
        try:
            town.tick()
        except Killed:
            return 0
        finally:
            town.bucket.before, town.aws.before = lambda operation, key: None, lambda operation: None
        return counted

    town.later(4)
    lived = ticks()
    for _ in range(2):
        town.later(6)
        town.tick()
    assert town.aws.begun == [RUN], die
    town.finish(RUN, Verdict.BROKEN)
    town.later(6)
    counted = 0
    also = ticks()
    for _ in range(2):
        town.later(6)
        town.tick()
    return (max(lived, also), town.proofs(), firing(hook))


@pytest.mark.parametrize("die", range(1, 30))
@pytest.mark.long
def test_killed_at_any_call_nothing_is_lost_and_nothing_begins_twice(told: Town, hook: Catcher, die: int):
    calls, proofs, keys = story(told, hook, die)
    assert proofs == {RUN: (Verdict.BROKEN, "assertion-failed")}
    assert len(set(keys)) == 1
    assert len(keys) <= 2
    assert calls < 29, "there are more calls than this test kills"


def test_killed_before_the_last_commit_a_notice_is_sent_again_under_its_key(told: Town, hook: Catcher):
    broken(told)

    def strike(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz") and firing(hook):
            raise Killed("after the sending")

    told.bucket.before = strike
    with pytest.raises(Killed):
        told.tick()
    told.bucket.before = lambda operation, key: None
    told.later(5)
    told.tick()
    [first, second] = firing(hook)
    assert first == second


# --- what a tick must not say, and not do, when it cannot do what it is for -------------------------------------------


def pinging(town: Town) -> list[str]:
    """Let a ping say that the service lives, and return for whom something waits."""
    town.config = replace(town.config, notify=replace(town.config.notify, heartbeat="life"))
    town.tick()
    return list(town.read(lambda store: store.notices.pending()))


def test_nobody_is_pinged_by_a_tick_that_could_not_begin_anything(town: Town):
    town.aws.before = refuse("running")
    assert pinging(town) == []
    town.aws.before = lambda operation: None
    assert pinging(town) == ["life"]


def test_a_lambda_that_hangs_does_not_take_the_time_for_telling(told: Town, hook: Catcher):
    broken(told)
    call = Call("slow", left=300.0)

    def hang(operation: str) -> None:
        call.left -= 250

    told.aws.before = hang
    told.state().settle(proof(RUN, Verdict.BROKEN))
    state = told.state()
    state.open().ledger.add(replace(entry(), run_id="orders-db-20261121t0301z"))
    state.commit()
    done = told.tick(call)
    assert done.failed == ["start: the time of this call was up"]
    assert len(firing(hook)) == 1


def test_a_run_that_a_tick_did_not_get_to_is_not_one_that_cannot_be_started(town: Town):
    due(town)
    call = Call("short", left=200.0)

    def hang(operation: str) -> None:
        call.left = 50.0

    town.aws.before = hang
    done = town.tick(call)
    assert (done.began, done.failed, town.aws.begun) == ((), ["start: the time of this call was up"], [])
    assert not town.read(lambda store: store.notes.get("lambda-starts"))
    town.aws.before = lambda operation: None
    assert town.tick().began == (RUN,)


def test_a_note_of_another_release_keeps_nothing_from_beginning(town: Town):
    due(town)
    state = town.state()
    state.open().notes.set("lambda-starts", {RUN: {"often": 3}})
    state.commit()
    assert town.tick().began == (RUN,)


def test_ticks_that_come_too_seldom_for_runs_are_told(town: Town):
    town.tick()
    town.later(5)
    town.tick()
    assert town.events("tick.seldom") == []
    town.later(20)
    town.tick()
    [said] = town.events("tick.seldom")
    assert said["why"] == "the tick before was 1200 s ago, and a run is missed after 10m"


def test_what_was_decided_and_could_not_be_kept_was_not_done(town: Town):
    town.tick()

    def full(operation: str, key: str) -> None:
        if operation == "put":
            raise StoreError("no more")

    town.bucket.before = full
    assert town.tick().failed == ["state: no more"]
    [line] = [one for one in town.metrics() if "StoreUp" in one][1:]
    assert (line["StoreUp"], "SecondsSinceTick" in line) == (0, False)


def test_a_bug_in_what_is_not_a_chore_is_heard_and_the_tick_is_measured(town: Town):
    def bug(operation: str, key: str) -> None:
        raise ZeroDivisionError("hunter2")

    town.bucket.before = bug
    [failed] = town.tick().failed
    assert failed.startswith("state: ZeroDivisionError")
    assert town.metrics()[0]["StoreUp"] == 0


def test_figures_that_cannot_be_written_are_heard(town: Town):
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise RuntimeError("hunter2")

    [failed] = town.tick(stream=Closed()).failed
    assert "hunter2" not in failed
    assert town.read(lambda store: store.notes.get("lambda-tick")) is not None


def test_a_start_that_fails_counts_and_one_that_works_forgets_it(town: Town):
    due(town)
    town.aws.before = refuse("start")
    for times in (1, 2):
        assert town.tick().failed == ["start: start is denied"]
        assert town.read(lambda store: store.notes.get("lambda-starts"))[RUN]["times"] == times
        town.later(1)
    town.aws.before = lambda operation: None
    assert town.tick().began == (RUN,)
    assert town.read(lambda store: store.notes.get("lambda-starts")) == {}


def test_a_cancel_that_cannot_be_said_is_an_error(town: Town):
    due(town)
    town.tick()
    state = town.state()
    state.open().ledger.cancel(RUN)
    state.commit()

    def deny(operation: str, key: str) -> None:
        if key.startswith("cancel/"):
            raise StoreError("denied")

    town.bucket.before = deny
    assert town.tick().failed == ["cancel: denied"]


def test_a_call_with_no_time_left_sends_nothing(told: Town, hook: Catcher):
    broken(told)
    done = told.tick(Call("short", left=14.0))
    assert (done.failed, firing(hook)) == ([], [])
    told.later(5)
    told.tick()
    assert len(firing(hook)) == 1


def test_a_state_that_others_change_for_ever_is_an_error(town: Town):
    numbers = iter(range(100))

    def others(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz"):
            town.bucket.before = lambda operation, key: None
            state = town.state()
            state.open().notes.set("other", next(numbers))
            state.commit()
            state.close()
            town.bucket.before = others

    town.bucket.before = others
    [failed] = town.tick().failed
    assert failed.startswith("state: others changed the state each time that this tick was about to keep what it had d")
    assert town.metrics()[0]["StoreUp"] == 0


def test_what_came_of_a_tick_that_cannot_be_written_is_an_error(town: Town):
    due(town)
    numbers = iter(range(100))

    def others(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz") and town.aws.begun:
            town.bucket.before = lambda operation, key: None
            state = town.state()
            state.open().notes.set("other", next(numbers))
            state.commit()
            state.close()
            town.bucket.before = others

    town.bucket.before = others
    done = town.tick()
    assert done.began == (RUN,)
    [failed] = done.failed
    assert failed.startswith("state: others changed the state each time that this tick was about to keep what it had s")
    assert [one["StoreUp"] for one in town.metrics() if "StoreUp" in one] == [1, 0]


def test_clocks_of_two_functions_that_differ_a_little_make_no_break(town: Town):
    state = town.state()
    store, now = state.open(), town.clock.time
    first = turn.take(store, "a", now, 300)
    turn.give_back(store, first)
    assert turn.take(store, "b", now, 300).since == now
    turn.give_back(store, turn.take(store, "b", now + timedelta(minutes=5), 300))
    assert turn.take(store, "c", now + timedelta(minutes=5) - timedelta(seconds=20), 300).since == now
    assert turn.take(store, "d", now - timedelta(hours=1), 300).since == now - timedelta(hours=1)
    state.close()
