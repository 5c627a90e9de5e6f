"""What is counted, when things were first seen, and which acts leave an event in their own transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest
from store_places import AT, Place, at_once, entry, report, routed

from restorecheck.errors import StoreError
from restorecheck.model import Entry, Miss, Trigger, Verdict
from restorecheck.store import Store
from restorecheck.store.counters import add

pytest_plugins = ("store_fixtures",)


@pytest.fixture
def place(empty_place: Place) -> Place:
    return empty_place


LATER = AT + timedelta(days=1)


def all_of_them(waiting: list[Entry], running: list[Entry]) -> list[str]:
    return [e.run_id for e in waiting]


# --- counters ---------------------------------------------------------------------------------------------------------


def test_a_counter_goes_up_and_has_a_value_for_all_of_its_labels(place: Place, store: Store) -> None:
    assert store.counters.all() == {}
    store.counters.add("estimated_cost_usd", 0.25, "orders-db")
    store.counters.add("estimated_cost_usd", 0.5, "orders-db")
    store.counters.add("runs", 1, "orders-db", "passed")
    store.counters.add("runs", 1, 'odd ", é', "passed")
    store.counters.add("ticks", 2)
    assert place.open().counters.all() == {
        "estimated_cost_usd": {("orders-db",): 0.75},
        "runs": {("orders-db", "passed"): 1.0, ('odd ", é', "passed"): 1.0},
        "ticks": {(): 2.0},
    }


def test_a_count_is_undone_with_what_it_counts(store: Store) -> None:
    def fail() -> None:
        with store._database.write() as connection:
            add(store._database, connection, "runs", 1, "orders-db", "passed")
            connection.exec_driver_sql("DELETE FROM nowhere")

    with pytest.raises(StoreError):
        fail()
    assert store.counters.all() == {}


def test_those_who_count_at_once_lose_nothing(place: Place, store: Store) -> None:
    def work() -> None:
        mine = place.open()
        for _ in range(10):
            mine.counters.add("runs", 1, "orders-db", "passed")

    at_once(work, work, work)
    assert store.counters.all() == {"runs": {("orders-db", "passed"): 30.0}}


def test_a_run_is_counted_once_however_often_it_is_saved(store: Store) -> None:
    for one in (report(), report(), report(hours=1), report(hours=2, verdict=Verdict.BROKEN)):
        store.proofs.save(one)
    for event in store.outbox.pending():
        routed(store, event)
    store.proofs.save(report())
    at_once(*[lambda: store.proofs.save(report(hours=3))] * 3)
    assert store.counters.all() == {"runs": {("orders-db", "passed"): 3.0, ("orders-db", "broken"): 1.0}}
    store.prune(LATER)
    assert store.counters.all()["runs"] == {("orders-db", "passed"): 3.0, ("orders-db", "broken"): 1.0}


def test_a_miss_is_counted_once(store: Store) -> None:
    missed = [Miss("orders-db", AT + timedelta(hours=n), "down") for n in range(3)]
    for _ in range(2):
        store.ledger.schedule("orders-db", LATER, [], missed)
    store.ledger.schedule(
        "orders-db", LATER, [entry(minutes=600)], [Miss("orders-db", entry(minutes=600).not_before, "down")]
    )
    assert store.counters.all() == {"runs_missed": {("orders-db",): 3.0}}


# --- first seen -------------------------------------------------------------------------------------------------------


def test_what_was_seen_before_keeps_its_time_and_what_comes_back_starts_anew(place: Place, store: Store) -> None:
    store.first_seen.note("check", ["a", "b"])
    place.sql("UPDATE first_seen SET at = 1000")
    store.first_seen.note("check", ["a", "b", "c", "c"])
    store.first_seen.note("receiver", ["a"])
    seen = store.first_seen.all("check")
    assert (seen["a"].timestamp(), seen["b"].timestamp()) == (1000, 1000)
    assert seen["c"] > AT
    assert store.first_seen.all("receiver").keys() == {"a"}
    store.first_seen.forget("check", ["b", "c", "d"])
    assert store.first_seen.all("check") == {"b": seen["b"], "c": seen["c"]}
    store.first_seen.note("check", ["a"])
    assert store.first_seen.all("check")["a"] > AT
    assert store.first_seen.all("receiver").keys() == {"a"}


def test_what_is_known_costs_no_write(place: Place, store: Store) -> None:
    store.first_seen.note("check", ["a"])
    with place.open()._database.write():  # somebody writes meanwhile; in SQLite nobody else can
        store.first_seen.note("check", ["a"])
        store.first_seen.forget("check", ["a"])
    assert store.first_seen.all("check").keys() == {"a"}


def test_those_who_note_at_once_agree(place: Place, store: Store) -> None:
    others = [place.open() for _ in range(3)]
    at_once(*[lambda s=s: s.first_seen.note("check", ["a", "b"]) for s in others])
    assert len(store.first_seen.all("check")) == 2


# --- events -----------------------------------------------------------------------------------------------------------


def test_a_run_that_begins_is_told_with_it(store: Store) -> None:
    first, second = entry("a", trigger=Trigger.CATCH_UP), entry("b")
    for one in (first, second):
        store.ledger.add(one)
    assert store.outbox.pending() == []  # nothing has begun
    store.ledger.admit("me", lambda *_: [first.run_id, "unknown"], LATER)
    store.ledger.admit("me", lambda *_: [], LATER)
    (event,) = store.outbox.pending()
    assert (event.topic, event.key) == ("run-began", f"run-began:{first.run_id}")
    assert event.payload == {"run": first.run_id, "check": "a", "trigger": "catch-up"}


def test_a_begin_that_is_undone_is_not_told(store: Store) -> None:
    store.ledger.add(entry("a"))

    def decide(waiting: list[Entry], running: list[Entry]) -> list[str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.ledger.admit("me", decide, LATER)
    assert store.outbox.pending() == []


def test_every_pause_and_resume_is_told_once(store: Store) -> None:
    store.pauses.pause("a", AT, LATER)
    store.pauses.pause("a", AT, LATER)  # an act of its own, also at the same time
    assert store.pauses.resume("a")
    assert not store.pauses.resume("a")
    store.pauses.pause("a", AT)
    assert store.pauses.resume("a")
    told = store.outbox.pending()
    until = LATER.isoformat()
    assert [(e.topic, e.payload) for e in told] == [
        ("check-paused", {"check": "a", "until": until}),
        ("check-paused", {"check": "a", "until": until}),
        ("check-resumed", {"check": "a", "until": until}),
        ("check-paused", {"check": "a", "until": None}),
        ("check-resumed", {"check": "a", "until": None}),
    ]
    assert len({e.key for e in told}) == 5
