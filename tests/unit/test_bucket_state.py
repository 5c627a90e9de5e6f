"""The state in a bucket: what is kept for ever, what is fetched and put back, and what becomes of two who do so."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kept_bucket import KeptBucket
from metrics_world import orders
from store_places import AT, Hands, measuring, report

from restorecheck.durable import decode
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import (
    Against,
    Assertion,
    Check,
    Entry,
    Expectation,
    Measured,
    Report,
    RunState,
    Trigger,
    Verdict,
)
from restorecheck.store import Acceptance
from restorecheck.store.bucket import BucketState, ConflictError, records
from restorecheck.store.bucket.strays import AT_A_TIME
from restorecheck.store.bucket.working_copy import unpack

COPY = records.COPY


@pytest.fixture
def bucket() -> KeptBucket:
    return KeptBucket()


@pytest.fixture
def clock() -> Hands:
    return Hands((AT + timedelta(hours=1)).timestamp())


class Desk:
    """Makes states that work on one bucket, as processes on different machines."""

    def __init__(self, bucket: KeptBucket, home: Path, clock: Hands) -> None:
        self.bucket, self.home, self.clock, self.made = bucket, home, clock, list[BucketState]()

    def state(self) -> BucketState:
        made = BucketState(self.bucket, self.home / str(len(self.made)), self.clock)
        self.made.append(made)
        return made

    def running(self, *reports: Report, due: bool = True) -> None:
        """Commit a working copy in which these runs are under way."""
        state = self.state()
        store = state.open()
        for one in reports:
            store.ledger.schedule(one.check, one.started, [entry(one)], [])
        if due:
            store.ledger.admit("lambda", lambda waiting, running: [e.run_id for e in waiting], AT + timedelta(days=400))
        state.commit()
        state.close()


@pytest.fixture
def desk(bucket: KeptBucket, tmp_path: Path, clock: Hands) -> Iterator[Desk]:
    made = Desk(bucket, tmp_path, clock)
    yield made
    for state in made.made:
        state.close()
    left = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert left == []


def entry(one: Report) -> Entry:
    return Entry(one.run_id, one.check, "222222222222", one.started, one.started, Trigger.SCHEDULE)


# --- the working copy ------------------------------------------------------------------------------------------------


def test_what_was_committed_is_there_for_the_next(desk: Desk):
    one = desk.state()
    store = one.open()
    assert one.remarks == ("there is nothing in s3://bucket/prod yet: a new store begins",)
    store.pauses.pause("orders-db", AT)
    one.commit()
    other = desk.state()
    assert list(other.open().pauses.all()) == ["orders-db"]
    assert other.remarks == ()


def test_what_was_not_committed_is_gone(desk: Desk):
    one = desk.state()
    one.open().pauses.pause("orders-db", AT)
    assert one.open().pauses.all() == {}
    assert desk.bucket.calls("put") == 0


def test_a_copy_that_nobody_changed_is_not_uploaded(desk: Desk):
    desk.running(report())
    before = desk.bucket.calls("put", COPY)
    one = desk.state()
    store = one.open()
    assert len(store.ledger.running()) == 1
    one.commit()
    assert desk.bucket.calls("put", COPY) == before
    store.pauses.pause("orders-db", AT)
    one.commit()
    one.commit()
    assert desk.bucket.calls("put", COPY) == before + 1


def test_a_copy_may_be_committed_again_and_again(desk: Desk):
    one = desk.state()
    store = one.open()
    for n in range(3):
        store.notes.set("n", n)
        one.commit()
    assert desk.state().open().notes.get("n") == 2
    assert len(desk.bucket.versions[COPY]) == 3


def test_what_is_uploaded_is_whole_although_the_log_still_holds_it(desk: Desk, tmp_path: Path):
    one = desk.state()
    store = one.open()
    for n in range(30):
        store.proofs.save(report(hours=n))
    one.commit()
    file = tmp_path / "out.sqlite"
    file.write_bytes(gzip.decompress(desk.bucket.body(COPY)))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (30,)
    file.unlink()


def test_of_two_who_commit_one_begins_again_and_nothing_is_lost(desk: Desk):
    desk.running(report())
    one, other = desk.state(), desk.state()
    mine, theirs = one.open(), other.open()
    mine.pauses.pause("orders-db", AT)
    theirs.pauses.pause("users-db", AT)
    one.commit()
    with pytest.raises(ConflictError, match="somebody else changed the state in s3://bucket/prod") as raised:
        other.commit()
    assert raised.value.retryable
    theirs = other.open()
    assert list(theirs.pauses.all()) == ["orders-db"]
    theirs.pauses.pause("users-db", AT)
    other.commit()
    assert sorted(desk.state().open().pauses.all()) == ["orders-db", "users-db"]


def test_of_two_who_make_the_first_copy_one_begins_again(desk: Desk):
    one, other = desk.state(), desk.state()
    one.open()
    other.open()
    one.commit()
    with pytest.raises(ConflictError):
        other.commit()


def test_two_who_change_the_same_do_not_both_believe_that_it_was_they(desk: Desk):
    desk.running()
    one, other = desk.state(), desk.state()
    for state in (one, other):
        state.open().notes.set("turn", "taken")
    one.commit()
    with pytest.raises(ConflictError):
        other.commit()


def test_an_upload_whose_answer_was_lost_is_not_taken_for_somebody_else_s(desk: Desk):
    desk.running()
    one = desk.state()
    store = one.open()
    store.notes.set("n", 1)
    desk.bucket.lose_answer_of = COPY
    one.commit()
    store.notes.set("n", 2)
    one.commit()
    assert desk.state().open().notes.get("n") == 2


def test_an_upload_that_another_stood_in_the_way_of_and_did_not_end_is_tried_again(desk: Desk):
    desk.running()
    one = desk.state()
    one.open().notes.set("n", 1)
    refused = iter([True])

    def once(operation: str, key: str) -> None:
        if operation == "put" and next(refused, False):
            raise ConflictError("ConditionalRequestConflict")

    desk.bucket.before = once
    one.commit()
    assert desk.state().open().notes.get("n") == 1


def test_an_upload_that_failed_may_be_tried_again(desk: Desk):
    one = desk.state()
    one.open().notes.set("n", 1)
    desk.bucket.down(COPY)
    with pytest.raises(StoreError, match="nobody answers"):
        one.commit()
    desk.bucket.up()
    one.commit()
    assert desk.state().open().notes.get("n") == 1


def test_what_another_thread_writes_during_an_upload_is_kept_the_next_time(desk: Desk):
    desk.running()
    one = desk.state()
    store = one.open()
    store.notes.set("n", 1)
    times = iter(range(2))

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("put", COPY) and next(times, None) == 0:
            store.notes.set("m", 1)

    desk.bucket.before = meanwhile
    one.commit()
    assert desk.state().open().notes.get("m") is None
    one.commit()
    assert desk.state().open().notes.get("m") == 1


def test_nothing_can_be_committed_that_was_not_opened(desk: Desk):
    with pytest.raises(StoreError, match="nothing is open"):
        desk.state().commit()


def test_a_bucket_without_versions_is_refused_by_name(desk: Desk):
    desk.bucket.versioned = False
    state = desk.state()
    for act in (state.open, state.key, lambda: state.put(report())):
        with pytest.raises(RestorecheckError, match="does not keep versions of its objects") as raised:
            act()
        assert raised.value.kind == "config"
    assert desk.bucket.versions == {}


def test_a_copy_of_a_newer_release_is_refused_and_not_made_anew(desk: Desk, tmp_path: Path):
    desk.running(report())
    desk.state().put(report())
    file = tmp_path / "x.sqlite"
    file.write_bytes(gzip.decompress(desk.bucket.body(COPY)))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    desk.bucket.write(COPY, gzip.compress(file.read_bytes()))
    file.unlink()
    with pytest.raises(RestorecheckError, match="was written by a newer restorecheck") as raised:
        desk.state().open()
    assert raised.value.kind == "config"


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_is_the_whole_report_with_what_it_measured(desk: Desk):
    one = replace(report(), measured=(Measured("orders", "10"),))
    desk.state().put(one)
    [key] = desk.bucket.versions
    assert key == "runs/orders-db/orders-db-20261121t0300z.json"
    plain = json.loads(desk.bucket.body(key))
    assert plain["format"] == "restorecheck-run/1"
    assert decode(plain["report"], Report) == one
    assert desk.state().report(one.run_id) == one


def test_the_same_record_again_is_fine_and_another_is_refused(desk: Desk):
    one = report()
    state = desk.state()
    state.put(one)
    desk.state().put(one)
    with pytest.raises(StoreError, match="another report of orders-db-20261121t0300z is kept") as raised:
        state.put(report(verdict=Verdict.BROKEN))
    assert (raised.value.kind, raised.value.retryable) == ("store", False)
    assert len(desk.bucket.versions["runs/orders-db/orders-db-20261121t0300z.json"]) == 1
    assert state.settle(report(verdict=Verdict.BROKEN)) == one


def test_a_record_whose_answer_was_lost_is_there(desk: Desk):
    desk.bucket.lose_answer_of = "runs/orders-db/orders-db-20261121t0300z.json"
    desk.state().put(report())
    assert desk.state().report(report().run_id) == report()


@pytest.mark.parametrize("change", [{"run_id": "../x"}, {"run_id": "orders-db"}, {"check": "users-db"}])
def test_what_is_no_run_of_its_check_is_not_kept(desk: Desk, change: dict[str, str]):
    with pytest.raises(StoreError, match="is not the id of a run of"):
        desk.state().put(replace(report(), **change))
    assert desk.bucket.versions == {}


def test_there_is_no_report_of_a_run_that_nobody_recorded(desk: Desk):
    assert desk.state().report("orders-db-20261121t0300z") is None
    assert desk.state().report("no run") is None


def test_a_record_that_is_damaged_is_named(desk: Desk):
    desk.bucket.write("runs/orders-db/orders-db-20261121t0300z.json", b"{")
    with pytest.raises(StoreError, match="the record of orders-db-20261121t0300z in s3://bucket/prod cannot be used"):
        desk.state().report("orders-db-20261121t0300z")


# --- folding ---------------------------------------------------------------------------------------------------------


def folded(desk: Desk) -> list[Report]:
    state = desk.state()
    store = state.open()
    found = state.fold(store)
    state.commit()
    return found


def test_a_run_that_was_recorded_ends_in_the_copy_and_stands_in_the_index(desk: Desk):
    one, other = report(), report("users-db", verdict=Verdict.UNPROVEN)
    desk.running(one, other)
    run = desk.state()
    run.put(other)
    assert [r.run_id for r in folded(desk)] == [other.run_id]
    run.put(one)
    assert [r.run_id for r in folded(desk)] == [one.run_id]
    assert folded(desk) == []
    store = desk.state().open()
    assert store.ledger.running() == []
    assert store.proofs.run(other.run_id).verdict is Verdict.UNPROVEN
    [line] = json.loads(desk.bucket.body("checks/users-db.json"))["runs"]
    body = desk.bucket.body(f"runs/users-db/{other.run_id}.json")
    version = desk.bucket.versions[f"runs/users-db/{other.run_id}.json"][-1].version
    assert line == {
        "run": other.run_id,
        "verdict": "unproven",
        "kind": "quota",
        "started": "2026-11-21T03:00:00.123457Z",
        "ended": "2026-11-21T03:09:00.123457Z",
        "sha256": hashlib.sha256(body).hexdigest(),
        "version": version,
    }


def test_what_was_folded_and_not_committed_is_folded_again(desk: Desk):
    desk.running(report())
    desk.state().put(report())
    state = desk.state()
    assert len(state.fold(state.open())) == 1  # and here the process dies
    index = desk.bucket.body("checks/orders-db.json")
    assert len(folded(desk)) == 1
    assert desk.bucket.body("checks/orders-db.json") == index
    assert len(desk.bucket.versions["checks/orders-db.json"]) == 1
    events = desk.state().open().outbox.pending()
    assert [e.topic for e in events].count("run-ended") == 1


def test_a_tick_asks_for_the_runs_that_are_under_way_and_for_nothing_else(desk: Desk):
    desk.running(*(report(f"check-{n}") for n in range(4)))
    folded(desk)
    desk.bucket.asked.clear()
    assert folded(desk) == []
    assert (desk.bucket.calls("list"), desk.bucket.calls("get", "runs/")) == (0, 4)


def test_an_index_is_written_beside_others_and_loses_nothing(desk: Desk):
    one, other = report(), report(hours=24)
    desk.running(one)
    desk.state().put(one)
    folded(desk)
    desk.running(other)
    desk.state().put(other)
    before = desk.bucket.body("checks/orders-db.json")
    stands = iter([True])

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("put", "checks/orders-db.json") and next(stands, False):
            line = json.loads(before)["runs"][0] | {
                "run": "orders-db-20261101t0300z",
                "started": "2026-11-01T03:00:00Z",
            }
            plain = json.loads(before)
            desk.bucket.write("checks/orders-db.json", json.dumps(plain | {"runs": [*plain["runs"], line]}).encode())

    desk.bucket.before = meanwhile
    folded(desk)
    runs = json.loads(desk.bucket.body("checks/orders-db.json"))["runs"]
    assert [r["run"] for r in runs] == [other.run_id, one.run_id, "orders-db-20261101t0300z"]


@pytest.mark.parametrize(
    "damage", [b"{", b"[]", b'{"format": "restorecheck-check/1", "check": "users-db", "runs": []}']
)
def test_an_index_that_is_damaged_is_made_anew(desk: Desk, damage: bytes):
    for hours in (0, 24):
        desk.running(report(hours=hours))
        desk.state().put(report(hours=hours))
        if hours:
            desk.bucket.write("checks/orders-db.json", damage)
        folded(desk)
    runs = json.loads(desk.bucket.body("checks/orders-db.json"))["runs"]
    assert [r["run"] for r in runs] == [report(hours=24).run_id, report().run_id]


def test_an_index_has_an_end(desk: Desk):
    many = [report(hours=n) for n in range(records.MOST + 3)]
    lines = records.merged([], [records.line(one, b"", "") for one in many])
    assert [line.run for line in lines[:2]] == [many[-1].run_id, many[-2].run_id]
    assert len(lines) == records.MOST


def test_a_record_that_cannot_be_read_ends_its_run_as_unproven(desk: Desk):
    desk.running(report(), report("users-db"))
    desk.bucket.write(f"runs/orders-db/{report().run_id}.json", b'{"format": "restorecheck-run/2"}')
    desk.state().put(report("users-db"))
    state = desk.state()
    found = {r.check: r for r in state.fold(state.open())}
    failure = found["orders-db"].failure
    assert failure is not None
    assert (found["orders-db"].verdict, failure.kind, failure.phase) == (Verdict.UNPROVEN, "store", "record")
    assert "it is not of the format restorecheck-run/1" in failure.message
    assert found["users-db"].verdict is Verdict.PASSED
    assert state.remarks == (
        f"the record of {report().run_id} cannot be used: it is not of the format restorecheck-run/1",
    )


def test_a_record_of_another_run_is_not_taken_for_this_one(desk: Desk):
    desk.running(report(hours=24))
    desk.bucket.write(f"runs/orders-db/{report(hours=24).run_id}.json", records.written(report()))
    [found] = folded(desk)
    assert (found.run_id, found.verdict) == (report(hours=24).run_id, Verdict.UNPROVEN)


# --- records that nobody waits for -----------------------------------------------------------------------------------


def test_a_record_that_nobody_waits_for_is_found_within_a_day(desk: Desk):
    desk.running(report())
    folded(desk)
    stray = report(hours=-24)
    desk.state().put(stray)
    assert folded(desk) == []
    desk.clock.now += 86_401
    assert [r.run_id for r in folded(desk)] == [stray.run_id]
    assert folded(desk) == []


def test_a_record_that_is_no_news_is_told_to_nobody(desk: Desk):
    desk.running(report(hours=24))
    desk.state().put(report(hours=24))
    for stray in (report(verdict=Verdict.BROKEN), report(hours=48, verdict=Verdict.BROKEN)):
        desk.state().put(stray)
    desk.clock.now = (AT + timedelta(hours=49)).timestamp()
    assert len(folded(desk)) == 3
    told = {e.key for e in desk.state().open().outbox.pending() if e.topic == "run-ended"}
    assert told == {f"run-ended:{report(hours=hours).run_id}" for hours in (24, 48)}


def test_when_the_clock_is_set_back_it_is_looked_at_once(desk: Desk):
    desk.running(report())
    desk.clock.now += 3 * 86_400
    folded(desk)
    desk.clock.now -= 3 * 86_400
    stray = report(hours=-24)
    desk.state().put(stray)
    assert [r.run_id for r in folded(desk)] == [stray.run_id]
    assert folded(desk) == []


def test_what_was_pruned_stays_pruned(desk: Desk):
    for hours in (0, 24, 48):
        desk.running(report(hours=hours))
        desk.state().put(report(hours=hours))
        desk.clock.now = (AT + timedelta(hours=hours + 1)).timestamp()
        folded(desk)
    state = desk.state()
    store = state.open()
    assert store.prune(AT + timedelta(hours=30)) == 2
    state.commit()
    desk.clock.now += 86_401
    assert folded(desk) == []
    assert [r.run_id for r in desk.state().open().proofs.runs()] == [report(hours=48).run_id]
    assert desk.state().report(report().run_id) == report()  # its record is there


def test_some_checks_are_looked_at_in_each_tick(desk: Desk):
    desk.running(*(report(f"check-{n}") for n in range(AT_A_TIME + 5)), due=False)
    looked = []
    for _ in range(3):
        desk.bucket.asked.clear()
        folded(desk)
        looked.append(desk.bucket.calls("list"))
    assert looked == [AT_A_TIME, 5, 0]


# --- lost and damaged ------------------------------------------------------------------------------------------------


def filled(desk: Desk) -> list[Report]:
    """Let three runs end, and be told."""
    made = [report(verdict=Verdict.BROKEN), report(hours=24), report("users-db", hours=2, verdict=Verdict.BROKEN)]
    for one in made:
        desk.running(one)
        desk.state().put(one)
        folded(desk)
    return made


DAMAGE = {
    "lost": None,
    "cut off": lambda body: body[: len(body) // 2],
    "another thing": lambda body: b"hello",
    "empty": lambda body: b"",
    "no database": lambda body: gzip.compress(b"hello" * 1000),
    "a damaged page": lambda body: gzip.compress(_hit(gzip.decompress(body))),
}
SHORT = ("lost", "empty", "a damaged page")


def _hit(data: bytes) -> bytes:
    return data[:8192] + b"\xff" * 4096 + data[12288:]


@pytest.mark.parametrize("what", [pytest.param(w, marks=() if w in SHORT else pytest.mark.long) for w in DAMAGE])
def test_a_copy_that_is_lost_or_damaged_is_made_anew_from_the_records(desk: Desk, what: str):
    made = filled(desk)
    damage = DAMAGE[what]
    if damage is None:
        desk.bucket.lose(COPY)
    else:
        desk.bucket.write(COPY, damage(desk.bucket.body(COPY)))
    state = desk.state()
    store = state.open()
    assert "was made anew from the records of 3 runs" in state.remarks[0]
    assert ("was lost" if damage is None else "is damaged") in state.remarks[0]
    assert {r.run_id: r for r in store.proofs.runs()} == {r.run_id: r for r in made}
    told = [e.key for e in store.outbox.pending()]
    assert told == [f"run-ended:{made[2].run_id}"]  # which still stands; what is over is told by nobody again
    state.commit()
    other = desk.state()
    assert len(other.open().proofs.runs()) == 3
    assert other.remarks == ()


def test_of_two_who_make_a_copy_anew_one_begins_again(desk: Desk):
    filled(desk)
    desk.bucket.write(COPY, b"hello")
    one, other = desk.state(), desk.state()
    one.open()
    other.open()
    one.commit()
    with pytest.raises(ConflictError):
        other.commit()
    assert len(desk.state().open().proofs.runs()) == 3


def test_a_bucket_that_fails_while_a_copy_is_made_anew_leaves_nothing(desk: Desk):
    made = filled(desk)
    desk.bucket.lose(COPY)
    desk.bucket.down(f"runs/orders-db/{made[0].run_id}.json")
    with pytest.raises(StoreError, match="nobody answers"):
        desk.state().open()
    assert COPY not in desk.bucket.versions


def test_a_record_that_was_changed_counts_for_nothing_when_a_copy_is_made_anew(desk: Desk):
    made = filled(desk)
    key = f"runs/users-db/{made[2].run_id}.json"
    desk.bucket.write(key, records.written(replace(made[2], verdict=Verdict.PASSED, failure=None)))
    desk.bucket.write(f"runs/orders-db/{made[0].run_id}.json", b"")
    desk.bucket.lose(COPY)
    state = desk.state()
    kept = {r.run_id: r for r in state.open().proofs.runs()}
    assert kept[made[1].run_id] == made[1]
    assert {kept[made[n].run_id].verdict for n in (0, 2)} == {Verdict.UNPROVEN}
    failure = kept[made[2].run_id].failure
    assert failure is not None
    assert "it is not what was indexed, which was version v" in failure.message
    assert len(state.remarks) == 3


@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_newest_record_that_is_gone_hides_behind_no_older_one(desk: Desk, all_of_them: bool):
    desk.clock.now = (AT + timedelta(hours=26)).timestamp()
    made = [report(hours=hours, verdict=verdict) for hours, verdict in ((0, Verdict.PASSED), (24, Verdict.BROKEN))]
    for one in made:
        desk.running(one)
        desk.state().put(one)
        folded(desk)
    for one in made if all_of_them else made[1:]:
        desk.bucket.lose(f"runs/orders-db/{one.run_id}.json")
    desk.bucket.lose(COPY)
    with pytest.raises(StoreError, match="was lost"):
        desk.state().known(compared(), AT)
    state = desk.state()
    store = state.open()
    assert store.proofs.newest() == {"orders-db": (made[1].started, Verdict.UNPROVEN)}
    assert store.proofs.runs()[0].failure is not None
    assert "it is gone; its index says broken" in str(store.proofs.runs()[0].failure)
    assert len(store.proofs.runs()) == (1 if all_of_them else 2)
    assert [e.key for e in store.outbox.pending()] == [f"run-ended:{made[1].run_id}"]
    assert made[1].run_id in state.remarks[-1]


def test_an_old_record_that_is_gone_is_gone(desk: Desk):
    made = filled(desk)
    desk.bucket.lose(f"runs/orders-db/{made[0].run_id}.json")
    desk.bucket.lose(COPY)
    assert {r.run_id: r for r in desk.state().open().proofs.runs()} == {r.run_id: r for r in made[1:]}


def test_a_run_that_waited_for_long_is_the_newest_although_its_record_cannot_be_read(desk: Desk):
    """Its name says when it was due, and a run by hand was quicker."""
    late, quick = report(), report(hours=2)
    desk.clock.now = (AT + timedelta(hours=9)).timestamp()
    state = desk.state()
    store = state.open()
    store.ledger.schedule("orders-db", AT, [entry(late)], [])
    store.proofs.save(quick)
    store.ledger.admit("lambda", lambda waiting, running: [e.run_id for e in waiting], AT + timedelta(hours=5))
    state.commit()
    desk.bucket.write(f"runs/orders-db/{late.run_id}.json", b"{}")
    folded(desk)
    assert desk.state().open().proofs.newest() == {"orders-db": (AT + timedelta(hours=5), Verdict.UNPROVEN)}
    desk.bucket.lose(COPY)
    assert desk.state().open().proofs.newest()["orders-db"][1] is Verdict.UNPROVEN


# --- the disk --------------------------------------------------------------------------------------------------------


def test_what_a_killed_process_left_on_the_disk_is_removed_and_what_another_works_with_is_not(
    bucket: KeptBucket, tmp_path: Path, clock: Hands
):
    """A function has half a gigabyte, which a killed one leaves to the next call as it was."""
    for name in ("copy-dead.sqlite", "copy-dead.sqlite-wal", "copy-dead.sqlite-journal", "service.key"):
        (tmp_path / name).touch()
    one, other = (BucketState(bucket, tmp_path, clock) for _ in range(2))
    store = one.open()
    store.pauses.pause("orders-db", AT)
    mine = {file.name for file in tmp_path.iterdir()} - {"service.key"}
    assert len({name.partition(".sqlite")[0] for name in mine}) == 1
    assert "copy-dead.sqlite" not in mine
    (tmp_path / "copy-late.sqlite").touch()
    other.open()
    assert not (tmp_path / "copy-late.sqlite").exists()
    assert mine <= {file.name for file in tmp_path.iterdir()}
    one.commit()
    other.close()
    one.close()
    assert [file.name for file in tmp_path.iterdir()] == ["service.key"]
    assert list(BucketState(bucket, tmp_path, clock).open().pauses.all()) == ["orders-db"]


def test_a_disk_that_is_full_is_an_error_of_the_store(tmp_path: Path):
    with pytest.raises(StoreError, match="cannot be written to"):
        unpack(gzip.compress(b"hello"), tmp_path / "gone" / "copy.sqlite")


def test_a_directory_that_cannot_be_made_is_named(bucket: KeptBucket, tmp_path: Path, clock: Hands):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made: "):
        BucketState(bucket, tmp_path / "file", clock).open()


def test_a_run_that_ended_after_a_copy_was_made_anew_is_found_within_an_hour(desk: Desk):
    filled(desk)
    under_way = report("users-db", hours=26)
    desk.running(under_way)
    desk.bucket.lose(COPY)
    folded(desk)
    folded(desk)
    desk.state().put(under_way)
    desk.clock.now = (AT + timedelta(hours=27)).timestamp()
    assert [r.run_id for r in folded(desk)] == [under_way.run_id]


def test_what_earlier_runs_measured_is_there_again(desk: Desk):
    check = compared()
    one = measuring("10")
    desk.running(one)
    desk.state().put(one)
    folded(desk)
    desk.bucket.lose(COPY)
    state = desk.state()
    [known] = state.open().baselines.known(check, AT + timedelta(days=1))
    assert known.measured == Measured("orders", "10")


# --- what runs ask ---------------------------------------------------------------------------------------------------


def compared() -> Check:
    of = Expectation(of=Against("previous"))
    return orders(assertions=(Assertion("orders", "select 1", of),))


def test_a_run_is_given_what_was_measured_before_it(desk: Desk):
    one = measuring("10")
    desk.running(one)
    desk.state().put(one)
    folded(desk)
    state = desk.state()
    [known] = state.known(compared(), AT + timedelta(days=1))
    assert (known.measured, known.error) == (Measured("orders", "10"), "")
    accepting = desk.state()
    store = accepting.open()
    accepted = Acceptance(
        "orders-db", "orders", AT + timedelta(hours=1), "ann", "moved", one.run_id, Measured("orders", "3")
    )
    store.baselines.accept([accepted])
    accepting.commit()
    [known] = state.known(compared(), AT + timedelta(days=1))
    assert known.measured == Measured("orders", "3")


def test_a_check_that_is_compared_with_nothing_costs_nothing(desk: Desk):
    assert desk.state().known(orders(), AT) == ()
    assert desk.bucket.asked == []


def test_a_run_that_cannot_know_what_was_measured_does_not_begin_as_if_nothing_was(desk: Desk):
    assert desk.state().known(compared(), AT) == ()  # nothing was ever kept
    filled(desk)
    desk.bucket.write(COPY, b"hello")
    with pytest.raises(StoreError, match="is damaged"):
        desk.state().known(compared(), AT)
    desk.bucket.lose(COPY)
    with pytest.raises(StoreError, match="was lost"):
        desk.state().known(compared(), AT)


def test_a_run_is_told_to_end_once_and_by_anybody(desk: Desk):
    run, state = report().run_id, desk.state()
    assert not state.cancelled(run)
    state.cancel(run)
    desk.state().cancel(run)
    assert state.cancelled(run)
    assert len(desk.bucket.versions[f"cancel/{run}"]) == 1


def test_the_service_key_is_made_once_for_all(desk: Desk):
    key = desk.state().key()
    assert len(key) == 32
    assert desk.state().key() == key
    assert desk.bucket.body("service.key") == f"{key.hex()}\n".encode()


def test_of_two_who_make_the_key_both_have_that_of_the_first(desk: Desk):
    first = "5e" * 32

    def meanwhile(operation: str, key: str) -> None:
        if operation == "put" and not desk.bucket.versions:
            desk.bucket.write(key, first.encode())

    desk.bucket.before = meanwhile
    assert desk.state().key() == bytes.fromhex(first)


def test_what_is_no_key_is_not_replaced(desk: Desk):
    desk.bucket.write("service.key", b"secret")
    with pytest.raises(RestorecheckError, match=r"service\.key is not a service key") as raised:
        desk.state().key()
    assert raised.value.kind == "config"
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"
    assert len(desk.bucket.versions["service.key"]) == 1


def test_the_run_is_over_for_the_ledger_too(desk: Desk):
    desk.running(report())
    desk.state().put(report())
    folded(desk)
    found = desk.state().open().ledger.entry(report().run_id)
    assert found is not None
    assert found.state is RunState.ENDED
    assert datetime.fromtimestamp(desk.clock.now, UTC) > AT
