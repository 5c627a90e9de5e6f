"""Many who use one store at once: threads, processes, and clocks that are set back."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from store_places import AT, Hands, Place, at_once, entry, report

from restorecheck.model import Entry, Miss
from restorecheck.store import Store

pytest_plugins = ("store_fixtures",)

LATER = AT + timedelta(days=1)
LIMIT = 5
CHECKS = 24


def up_to_limit(waiting: list[Entry], running: list[Entry]) -> list[str]:
    assert len(running) <= LIMIT
    return [e.run_id for e in waiting[: LIMIT - len(running)]]


def test_threads_that_admit_at_once_never_begin_too_many_or_one_twice(place: Place, store: Store) -> None:
    for n in range(CHECKS):
        store.ledger.add(entry(f"c{n}"))
    begun: list[str] = []

    def work(me: str) -> None:
        mine = place.open()
        while mine.ledger.waiting():
            for one in mine.ledger.admit(me, up_to_limit, LATER):
                begun.append(one.run_id)
                mine.proofs.save(report(one.check))

    at_once(*[lambda me=f"r{n}": work(me) for n in range(4)])
    assert sorted(begun) == sorted(entry(f"c{n}").run_id for n in range(CHECKS))
    assert store.ledger.running() == []
    for topic in ("run-began", "run-ended"):
        assert len([e for e in store.outbox.pending() if e.topic == topic]) == CHECKS


ADMIT = """
import sys
from datetime import UTC, datetime
from restorecheck.store import Store
store, me, limit = Store.open(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
def decide(waiting, running):
    assert len(running) <= limit
    return [e.run_id for e in waiting[: limit - len(running)]][:1]
for _ in range(20):
    for e in store.ledger.admit(me, decide, datetime(2027, 1, 1, tzinfo=UTC)):
        print(e.run_id, flush=True)
store.close()
"""


def test_processes_that_admit_at_once_never_begin_too_many(place: Place, store: Store) -> None:
    for n in range(CHECKS):
        store.ledger.add(entry(f"c{n}"))
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", ADMIT, place.url, f"r{n}", str(LIMIT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    begun = []
    for process in processes:
        said, errors = process.communicate(timeout=60)
        assert errors == ""
        begun += said.split()
    assert len(begun) == len(set(begun)) == LIMIT
    assert {e.run_id for e in store.ledger.running()} == set(begun)


def test_nobody_decides_while_another_does(place: Place, store: Store) -> None:
    for n in range(2 * LIMIT):
        store.ledger.add(entry(f"c{n}"))
    other, done = place.open(), threading.Event()

    def wait_and_admit() -> None:
        other.ledger.admit("you", up_to_limit, LATER)
        done.set()

    second = threading.Thread(target=wait_and_admit)

    def decide(waiting: list[Entry], running: list[Entry]) -> list[str]:
        second.start()
        assert not done.wait(1.0)  # it is held up until this one is through
        return up_to_limit(waiting, running)

    assert len(store.ledger.admit("me", decide, LATER)) == LIMIT
    second.join(30)
    assert done.is_set()
    assert store.ledger.owned("you") == []


def test_a_run_that_ends_while_others_decide_is_not_begun(place: Place, store: Store) -> None:
    store.ledger.add(entry())

    def decide(waiting: list[Entry], _: list[Entry]) -> list[str]:
        if not place.sqlite:  # there, nobody can write meanwhile
            place.open().proofs.save(report())
        return [e.run_id for e in waiting]

    assert len(store.ledger.admit("me", decide, LATER)) == (1 if place.sqlite else 0)
    assert len(store.ledger.running()) == (1 if place.sqlite else 0)


def test_of_those_who_claim_a_run_one_gets_it(place: Place, store: Store) -> None:
    for n in range(10):
        run = entry(f"c{n}").run_id
        store.ledger.add(entry(f"c{n}"))
        store.ledger.admit("dead", lambda waiting, _: [e.run_id for e in waiting], LATER)
        got = at_once(*[lambda me=f"r{k}", run=run: store.ledger.claim(run, me, "dead") for k in range(3)])
        assert sorted(got) == [False, False, True]


def test_of_those_who_schedule_one_makes_each_run(store: Store) -> None:
    due = [entry(minutes=n) for n in range(8)]
    missed = [Miss("orders-db", AT - timedelta(hours=n), "down") for n in range(1, 5)]
    new = at_once(*[lambda: store.ledger.schedule("orders-db", LATER, due, missed) for _ in range(3)])
    assert sorted(len(n) for n in new) == [0, 0, 8]
    assert len(store.ledger.missed()) == len(store.outbox.pending()) == 4


def test_a_run_saved_twice_at_once_is_there_once(store: Store) -> None:
    at_once(*[lambda: store.proofs.save(report()) for _ in range(4)])
    assert store.proofs.runs() == [report()]
    assert len(store.outbox.pending()) == 1


def test_all_settle_on_the_same_word(store: Store) -> None:
    got = at_once(*[lambda n=n: store.notes.settle("key", n) for n in range(4)])
    assert len(set(got)) == 1


def test_a_replica_either_beats_or_is_buried(place: Place, store: Store) -> None:
    seen = set()
    for n in range(12):
        store.replicas.join(f"r{n}", "serve", "host", 1, "1")
        place.sql(f"UPDATE replicas SET beat = beat - 100 WHERE id = 'r{n}'")
        works = [lambda n=n: store.replicas.beat(f"r{n}"), lambda n=n: store.replicas.bury(f"r{n}", 50)]
        alive, buried = at_once(*works)
        assert alive is not buried
        assert store.replicas.beat(f"r{n}") is alive
        seen.add(alive)
    assert seen <= {True, False}


def test_a_turn_is_taken_once_in_each_interval(place: Place, store: Store) -> None:
    assert store.timers.last("sweep") is None
    for _ in range(3):
        got = at_once(*[lambda me=f"r{n}": store.timers.claim("sweep", 60, me) for n in range(3)])
        assert sorted(got) == [False, False, True]
        fired = store.timers.last("sweep")
        assert fired
        place.sql("UPDATE timers SET since = since - 30")  # half of it, since real seconds go by as well
        assert not store.timers.claim("sweep", 60, "r9")
        place.sql("UPDATE timers SET since = since - 30")
    assert store.timers.claim("other", 60, "r0")


def test_a_clock_that_was_set_back_gives_no_second_turn_and_no_long_silence(place: Place, store: Store) -> None:
    assert store.timers.claim("sweep", 60, "a")
    place.sql("UPDATE timers SET since = since + 3600")
    assert not store.timers.claim("sweep", 60, "a")  # perhaps nothing has gone by
    assert not store.timers.claim("sweep", 60, "b")
    place.sql("UPDATE timers SET since = since - 60")
    assert store.timers.claim("sweep", 60, "b")  # and not an hour later


def test_in_sqlite_the_stores_clock_is_the_one_that_was_given(place: Place) -> None:
    clock = Hands(1000.0)
    store = place.open(clock)
    store.replicas.join("a", "serve", "host", 1, "1")
    store.timers.claim("sweep", 60, "a")
    clock.now += 60
    if not place.sqlite:
        assert store.replicas.all()[0].seconds < 30  # PostgreSQL has one of its own, whatever ours says
        return
    assert store.replicas.all()[0].seconds == 60
    assert not store.replicas.bury("a", 60)
    assert store.timers.claim("sweep", 60, "a")
    clock.now += 0.5
    assert store.replicas.bury("a", 60)


@pytest.mark.timeout(60)
def test_readers_and_a_writer_do_not_wait_for_each_other(store: Store) -> None:
    store.proofs.save(report())
    with store._database.read() as reading:
        assert len(reading.exec_driver_sql("SELECT run_id FROM runs").all()) == 1
        store.proofs.save(report(hours=1))  # the reader is still in its transaction
        assert len(store.proofs.runs()) == 2
    with store._database.write() as writing:
        writing.exec_driver_sql("DELETE FROM runs")
        assert len(store.proofs.runs()) == 2  # and the writer in its own
