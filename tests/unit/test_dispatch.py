"""Bringing runs from the ledger into a process: a real store, an engine and a membership that do as they are told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from journal import SkipClock
from store_places import AT, entry, report, sqlite_place

from restorecheck.dispatch import BACKOFF, PATIENCE, Dispatcher, Places
from restorecheck.engines.dbos import BrokenOff, Taken
from restorecheck.errors import StoreError
from restorecheck.failures import KINDS
from restorecheck.model import Entry, Report, RunState, Verdict
from restorecheck.store import Store

ACCOUNT = "222222222222"
ROOM = Places({ACCOUNT: 40}, 40, {})


@dataclass
class Engine:
    """Runs nothing. What it says of a run is set by the test."""

    says: dict[str, Taken] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    broken: dict[str, BrokenOff] = field(default_factory=dict)
    on: set[str] = field(default_factory=set)
    did: list[tuple[str, str]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)

    def take(self, run_id: str) -> Taken:
        if run_id in self.down:
            raise StoreError("the records cannot be written")
        self.did.append(("take", run_id))
        taken = self.says.get(run_id, Taken.BEGUN)
        if taken in {Taken.BEGUN, Taken.RESUMED}:
            self.on.add(run_id)
        return taken

    def breaks_off(self, run_id: str, *, store: bool) -> None:
        self.on.discard(run_id)
        self.broken[run_id] = BrokenOff("OperationalError" if store else "KeyError: 'x'", store)

    def here(self) -> set[str]:
        return set(self.on)

    def broken_off(self, run_id: str) -> BrokenOff | None:
        return self.broken.pop(run_id, None)

    def report(self, run_id: str) -> Report | None:
        return self.reports.get(run_id)

    def cancel(self, run_id: str) -> None:
        self.did.append(("cancel", run_id))

    def forget(self, run_id: str) -> None:
        self.did.append(("forget", run_id))

    def bury(self, name: str) -> None:
        self.did.append(("bury", name))

    def taken(self) -> list[str]:
        return [run for what, run in self.did if what == "take"]


class Member:
    """A process in the register of the store; who is dead is set by the test."""

    def __init__(self, store: Store, name: str, role: str = "serve") -> None:
        self.id, self._store, self.dying = name, store, list[str]()
        store.replicas.join(name, role, "host", 1, "0")

    def join(self, role: str) -> None:
        raise AssertionError("it has joined already")

    def dead(self) -> list[str]:
        found, self.dying = self.dying, []
        for name in found:
            self._store.replicas.leave(name)
        return found

    def leave(self) -> None:
        self._store.replicas.leave(self.id)


class Desk:
    """One dispatcher with all that it works with."""

    def __init__(self, store: Store, name: str = "me", role: str = "serve", only: frozenset[str] | None = None) -> None:
        self.store, self.engine, self.member, self.clock = store, Engine(), Member(store, name, role), SkipClock(AT)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.dispatcher = Dispatcher(store, self.engine, self.member, self.clock, self._tell, only=only)

    def _tell(self, event: str, **facts: Any) -> None:
        self.told.append((event, facts))

    def events(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        return [one for one in self.told if one[0] in names]

    def round(self, places: Places = ROOM) -> None:
        self.dispatcher.round(places)

    def due(self, *entries: Entry) -> None:
        for one in entries:
            assert self.store.ledger.add(one)

    def state(self, run: Entry) -> tuple[RunState, str | None]:
        found = self.store.ledger.entry(run.run_id)
        assert found is not None
        return found.state, found.owner

    def verdict(self, run: Entry) -> tuple[Verdict, str]:
        """Return the verdict and kind of a run's only report, and that it was told once."""
        kept = self.store.proofs.runs([run.check])
        assert [one.run_id for one in kept] == [run.run_id]
        told = [e for e in self.store.outbox.pending() if e.topic == "run-ended" and e.payload["run"] == run.run_id]
        assert len(told) == 1
        return kept[0].verdict, kept[0].failure.kind if kept[0].failure else ""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without anything in it: to copy one is faster than to make one."""
    place = sqlite_place(tmp_path_factory.mktemp("empty"))
    place.open()
    place.close()
    return Path(place.url.removeprefix("sqlite:///"))


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[Store]:
    place = sqlite_place(tmp_path)
    shutil.copy(empty, place.url.removeprefix("sqlite:///"))
    yield place.open()
    place.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def begun_by(store: Store, run: Entry, owner: str) -> Entry:
    """Bring a run to where another process has it in hand."""
    assert store.ledger.add(run)
    assert store.ledger.admit(owner, lambda waiting, running: [run.run_id], AT + timedelta(hours=1))
    return run


# --- begin -----------------------------------------------------------------------------------------------------------


def test_a_due_run_is_begun_once(desk: Desk):
    run = entry()
    desk.due(run)
    for _ in range(3):
        desk.round()
    assert desk.engine.taken() == [run.run_id]
    assert desk.state(run) == (RunState.RUNNING, "me")
    assert desk.events("run.begun") == [
        ("run.begun", {"check": run.check, "run": run.run_id, "trigger": "schedule"}),
    ]


def test_a_run_waits_for_its_time(desk: Desk):
    run = entry(minutes=5)
    desk.due(run)
    desk.round()
    assert desk.engine.taken() == []
    desk.clock.skip(301)
    desk.round()
    assert desk.engine.taken() == [run.run_id]


def test_there_is_no_more_than_there_is_room_for(desk: Desk):
    runs = [entry(f"db-{n}", minutes=-n) for n in range(4)]
    desk.due(*runs)
    desk.round(Places({ACCOUNT: 2}, 40, {}))
    assert desk.engine.taken() == [runs[3].run_id, runs[2].run_id]
    desk.store.proofs.save(report_of(runs[3]))
    desk.engine.on.discard(runs[3].run_id)
    desk.round(Places({ACCOUNT: 2}, 40, {}))
    assert desk.engine.taken()[2:] == [runs[1].run_id]
    desk.round(Places({ACCOUNT: 40}, 2, {}))
    assert len(desk.engine.taken()) == 3


def test_a_replica_takes_its_share_and_leaves_the_rest(store: Store):
    first, second = Desk(store, "a"), Desk(store, "b")
    Member(store, "by-hand", "run")  # who runs checks by hand serves nobody, and takes no share
    first.due(*(entry(f"db-{n}", minutes=-n) for n in range(7)))
    places = Places({ACCOUNT: 40}, 5, {})
    for _ in range(3):
        first.round(places)
    assert len(first.engine.taken()) == 3  # of five, rounded up
    second.round(places)
    assert len(second.engine.taken()) == 2  # the limit over all holds


def test_the_share_of_one_that_is_alone_is_everything(store: Store):
    desk = Desk(store, "a")
    desk.due(*(entry(f"db-{n}", minutes=-n) for n in range(7)))
    desk.round(Places({ACCOUNT: 40}, 5, {}))
    assert len(desk.engine.taken()) == 5


def test_who_was_asked_for_some_checks_begins_no_other(store: Store):
    serving = Desk(store, "serving")
    hand = Desk(store, "hand", "run", only=frozenset({"mine-db"}))
    mine, other = entry("mine-db"), entry("other-db")
    hand.due(other)
    hand.round()
    assert hand.engine.taken() == []
    hand.due(mine)
    hand.round()
    assert hand.engine.taken() == [mine.run_id]
    serving.round()
    assert serving.engine.taken() == [other.run_id]


def test_who_was_asked_for_some_checks_takes_over_no_other(store: Store):
    hand = Desk(store, "hand", "run", only=frozenset({"mine-db"}))
    mine, other = begun_by(store, entry("mine-db"), "gone"), begun_by(store, entry("other-db"), "gone")
    hand.round()
    assert hand.engine.taken() == [mine.run_id]
    assert hand.state(other) == (RunState.RUNNING, "gone")


def test_a_run_that_another_living_process_keeps_for_itself_is_left_to_it(store: Store):
    serving = Desk(store, "serving")
    hand = Desk(store, "hand", "run", only=frozenset({"orders-db"}))
    run = entry(owner="hand")
    hand.due(run)
    serving.round()
    assert serving.engine.taken() == []
    hand.round()
    assert hand.engine.taken() == [run.run_id]


def test_a_run_that_a_dead_process_kept_for_itself_is_begun_by_who_lives(store: Store):
    serving = Desk(store, "serving")
    serving.due(run := entry(owner="nobody-any-more"))
    serving.round()
    assert serving.engine.taken() == [run.run_id]


# --- take over -------------------------------------------------------------------------------------------------------


def test_the_runs_of_a_dead_process_are_taken_over_and_its_queue_is_buried(desk: Desk):
    Member(desk.store, "other")
    run = begun_by(desk.store, entry(), "other")
    desk.engine.says[run.run_id] = Taken.RESUMED
    desk.round()
    assert desk.engine.did == []  # it lives
    desk.member.dying = ["other"]
    desk.round()
    assert desk.engine.did == [("bury", "other"), ("take", run.run_id)]
    assert desk.state(run) == (RunState.RUNNING, "me")
    assert [name for name, _ in desk.told] == ["replica.dead", "run.taken-over", "run.resumed"]
    assert desk.told[1][1]["replica"] == "other"


def test_the_runs_of_a_process_that_nobody_knows_are_taken_over(desk: Desk):
    run = begun_by(desk.store, entry(), "never-heard-of")
    desk.round()
    assert desk.state(run) == (RunState.RUNNING, "me")
    assert desk.engine.taken() == [run.run_id]


def test_a_run_that_was_let_go_is_taken_over(desk: Desk):
    run = begun_by(desk.store, entry(), "other")
    desk.store.ledger.release("other")
    desk.round()
    assert desk.state(run) == (RunState.RUNNING, "me")
    assert desk.events("run.taken-over")[0][1]["replica"] == "nobody"


def test_the_runs_of_a_living_process_are_left_to_it(desk: Desk):
    Member(desk.store, "other")
    run = begun_by(desk.store, entry(), "other")
    for _ in range(3):
        desk.round()
    assert desk.state(run) == (RunState.RUNNING, "other")
    assert (desk.engine.did, desk.told) == ([], [])


def test_of_two_that_would_take_a_run_over_one_does(store: Store):
    first, second = Desk(store, "a"), Desk(store, "b")
    run = begun_by(store, entry(), "gone")
    for desk in (first, second, first):
        desk.round()
    assert (first.engine.taken(), second.engine.taken()) == ([run.run_id], [])


def test_a_take_over_needs_no_room(desk: Desk):
    """What a dead process made is there already: to go on with it is the way to have it gone."""
    runs = [begun_by(desk.store, entry(f"db-{n}"), "gone") for n in range(3)]
    desk.round(Places({ACCOUNT: 1}, 1, {}))
    assert sorted(desk.engine.taken()) == sorted(run.run_id for run in runs)


# --- cancel ----------------------------------------------------------------------------------------------------------


def test_a_cancel_reaches_a_run_that_goes_on_here(desk: Desk):
    desk.due(run := entry())
    desk.round()
    desk.store.ledger.cancel(run.run_id)
    desk.round()
    assert ("cancel", run.run_id) in desk.engine.did


def test_a_run_that_was_cancelled_while_it_waited_begins_as_cancelled_though_there_is_no_room(desk: Desk):
    desk.due(run := entry())
    desk.store.ledger.cancel(run.run_id)
    desk.round(Places({ACCOUNT: 0}, 0, {}))
    assert desk.engine.did == [("cancel", run.run_id), ("take", run.run_id)]


def test_a_cancel_of_a_run_that_is_taken_over_comes_before_it_goes_on(desk: Desk):
    run = begun_by(desk.store, entry(), "gone")
    desk.store.ledger.cancel(run.run_id)
    desk.round()
    assert desk.engine.did == [("cancel", run.run_id), ("take", run.run_id)]


def test_a_cancel_of_another_process_is_not_heard_here(desk: Desk):
    Member(desk.store, "other")
    run = begun_by(desk.store, entry(), "other")
    desk.store.ledger.cancel(run.run_id)
    desk.round()
    assert desk.engine.did == []


# --- what broke off --------------------------------------------------------------------------------------------------


def test_a_run_that_the_store_broke_off_is_tried_again_for_ever_and_not_at_once(desk: Desk):
    desk.due(run := entry())
    desk.round()
    for tries in range(2, 30):
        desk.engine.breaks_off(run.run_id, store=True)
        desk.round()
        desk.round()
        assert len(desk.engine.taken()) == tries - 1, "at once"
        desk.clock.skip(BACKOFF[-1])
        desk.round()
        assert len(desk.engine.taken()) == tries
    assert desk.state(run) == (RunState.RUNNING, "me")
    assert desk.store.proofs.runs() == []


def test_a_run_that_a_bug_breaks_off_waits_longer_each_time_and_ends_as_internal(desk: Desk):
    desk.due(run := entry())
    desk.round()
    for times in range(1, PATIENCE):
        desk.engine.breaks_off(run.run_id, store=False)
        desk.round()
        desk.clock.skip(BACKOFF[min(times, len(BACKOFF) - 1)] - 0.5)
        desk.round()
        assert len(desk.engine.taken()) == times, "too early"
        desk.clock.skip(1)
        desk.round()
        assert len(desk.engine.taken()) == times + 1
    assert desk.store.proofs.runs() == []
    desk.engine.breaks_off(run.run_id, store=False)
    for _ in range(3):
        desk.round()
        desk.clock.skip(100)
    assert desk.verdict(run) == (Verdict.UNPROVEN, "internal")
    [kept] = desk.store.proofs.runs()
    assert "KeyError" in kept.failure.message
    assert f"{PATIENCE} times" in kept.failure.message
    assert len(desk.engine.taken()) == PATIENCE
    assert [one for one in desk.engine.did if one[0] == "forget"] == [("forget", run.run_id)]
    assert desk.events("run.broke-off")[0][1]["why"] == "KeyError: 'x'"


def test_what_the_store_breaks_off_does_not_count_as_a_bug(desk: Desk):
    desk.due(run := entry())
    desk.round()
    for n in range(2 * PATIENCE):
        desk.engine.breaks_off(run.run_id, store=n % 3 != 0)
        desk.round()
        desk.clock.skip(BACKOFF[-1])
        desk.round()
    assert desk.state(run) == (RunState.RUNNING, "me")


def test_the_bugs_of_a_run_before_do_not_count_for_the_next(desk: Desk):
    desk.due(run := entry())
    desk.round()
    desk.engine.breaks_off(run.run_id, store=False)
    desk.round()
    desk.store.proofs.save(report_of(run))
    desk.round()
    assert desk.dispatcher._again == {}


# --- what cannot go on -----------------------------------------------------------------------------------------------


def test_a_run_of_another_step_sequence_ends_as_other_version(desk: Desk):
    run = begun_by(desk.store, entry(), "gone")
    desk.engine.says[run.run_id] = Taken.FOREIGN
    for _ in range(3):
        desk.round()
    assert desk.verdict(run) == (Verdict.UNPROVEN, "other-version")
    assert desk.engine.did == [("take", run.run_id), ("forget", run.run_id)]
    [kept] = desk.store.proofs.runs()
    assert kept.failure.hint == KINDS["other-version"].hint
    assert kept.started == run.scheduled_for


def test_a_run_whose_records_say_that_it_failed_ends_as_internal(desk: Desk):
    run = begun_by(desk.store, entry(), "gone")
    desk.engine.says[run.run_id] = Taken.FAILED
    for _ in range(3):
        desk.round()
    assert desk.verdict(run) == (Verdict.UNPROVEN, "internal")


def test_a_run_that_ended_before_its_report_was_kept_gets_the_report_of_its_records(desk: Desk):
    run = begun_by(desk.store, entry(), "gone")
    desk.engine.says[run.run_id] = Taken.ENDED
    desk.engine.reports[run.run_id] = report_of(run, Verdict.BROKEN)
    for _ in range(3):
        desk.round()
    assert desk.verdict(run) == (Verdict.BROKEN, "quota")
    assert desk.engine.did == [("take", run.run_id)]


def test_a_run_that_ended_without_any_report_is_internal_and_not_fine(desk: Desk):
    run = begun_by(desk.store, entry(), "gone")
    desk.engine.says[run.run_id] = Taken.ENDED
    for _ in range(3):
        desk.round()
    assert desk.verdict(run) == (Verdict.UNPROVEN, "internal")


def test_a_run_that_nobody_could_begin_at_its_time_does_not_end_before_it_began(desk: Desk):
    """A replica's clock may be behind that of who wrote the run down."""
    run = begun_by(desk.store, entry(minutes=5), "gone")
    desk.engine.says[run.run_id] = Taken.FAILED
    desk.round()
    [kept] = desk.store.proofs.runs()
    assert kept.started <= kept.ended


# --- a store that does not do what is asked --------------------------------------------------------------------------


def test_a_run_that_was_begun_in_the_ledger_alone_goes_on_in_a_later_round(desk: Desk):
    desk.due(run := entry())
    desk.engine.down = {run.run_id}
    with pytest.raises(StoreError):
        desk.round()
    assert desk.state(run) == (RunState.RUNNING, "me")
    desk.engine.down = set()
    desk.round()
    assert desk.engine.taken() == [run.run_id]


def test_a_run_whose_engine_has_a_bug_does_not_keep_the_others_from_going_on(desk: Desk):
    class Poisoned(Engine):
        def take(self, run_id: str) -> Taken:
            if run_id.startswith("bad-db"):
                raise ValueError("cannot read this")
            return super().take(run_id)

    bad, good = begun_by(desk.store, entry("bad-db"), "gone"), begun_by(desk.store, entry("good-db"), "gone")
    desk = Desk(desk.store, "second")
    desk.dispatcher._engine = desk.engine = Poisoned()
    for _ in range(PATIENCE + 1):
        desk.round()
        desk.clock.skip(BACKOFF[-1])
    assert desk.engine.taken() == [good.run_id]
    assert desk.verdict(bad) == (Verdict.UNPROVEN, "internal")


def report_of(run: Entry, verdict: Verdict = Verdict.PASSED) -> Report:
    made = report(run.check, verdict=verdict)
    return Report(run.run_id, run.check, verdict, made.started, made.ended, made.failure)
