"""What is read for a scrape: the same from every process, each proof once, and the schedule not again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from metrics_world import NOW, configured, facts, files, fill, orders, point, ran
from store_places import AT, Hands, Place, entry, sqlite_place

from restorecheck.config import Config
from restorecheck.errors import StoreError
from restorecheck.metrics import derived, exposition, standing
from restorecheck.metrics.standing import Look
from restorecheck.model import Verdict
from restorecheck.replica import LocalMembership
from restorecheck.store import Store

PASSED, BROKEN, UNPROVEN = Verdict.PASSED, Verdict.BROKEN, Verdict.UNPROVEN


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = sqlite_place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open(Hands(AT.timestamp()))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path)


@contextmanager
def reads(store: Store) -> Iterator[list[str]]:
    """Give the run ids whose reports are read."""
    asked: list[str] = []
    real = store.standings.reports

    def reports(run_ids: list[str]) -> object:
        asked.extend(run_ids)
        return real(run_ids)

    store.standings.reports = reports  # type: ignore[method-assign,assignment]
    yield asked
    store.standings.reports = real  # type: ignore[method-assign]


def test_a_new_process_and_another_replica_say_the_same(place: Place, config: Config):
    store = place.open()
    fill(store)
    old = Look(store)
    old.kept(config, NOW)
    store.proofs.save(ran(72, BROKEN))
    texts = {
        exposition.text(derived.figures(facts(config, look.kept(config, NOW))))
        for look in (old, Look(store), Look(place.open()))
    }
    assert len(texts) == 1
    assert 'run_failures_in_a_row{check="orders-db"} 1.0' in texts.pop()


def test_a_proof_is_read_once(store: Store, config: Config):
    one, other = ran(), ran(24)
    store.proofs.save(one)
    look = Look(store)
    with reads(store) as asked:
        for _ in range(3):
            assert set(look.kept(config, NOW).proofs) == {one.run_id}
        store.proofs.save(other)
        look.kept(config, NOW)
        look.kept(config, NOW)
    assert asked == [one.run_id, other.run_id]


def test_a_proof_that_is_replaced_is_read_again(store: Store, config: Config):
    one = ran()
    store.proofs.save(one)
    look = Look(store)
    assert look.kept(config, NOW).proofs[one.run_id].restored_bytes
    later = one.ended + timedelta(minutes=1)
    store.proofs.save(replace(one, ended=later, restore_seconds=None))
    assert look.kept(config, NOW).proofs[one.run_id].restored_bytes is None


def test_what_is_not_needed_any_more_is_forgotten(store: Store, config: Config):
    look = Look(store)
    for hours in range(0, 240, 24):
        store.proofs.save(ran(hours))
        look.kept(config, NOW)
    assert len(look._proofs) == 1


def test_a_proof_that_cannot_be_read_is_asked_for_once_and_stops_nothing(store: Store, place: Place, config: Config):
    store.proofs.save(ran())
    place.sql("UPDATE runs SET report = '{}'")
    look = Look(store)
    with reads(store) as asked:
        assert look.kept(config, NOW).proofs == {}
        kept = look.kept(config, NOW)
    assert asked == [ran().run_id]
    assert derived.figures(facts(config, kept)).of("run_success") == {("orders-db",): 1.0}


def test_of_a_check_whose_newest_runs_found_no_point_older_ones_are_read(store: Store, config: Config):
    good = ran(verdict=BROKEN)
    early = [replace(ran(24 * n, UNPROVEN), point=None) for n in (1, 2)]
    for one in (good, *early):
        store.proofs.save(one)
    kept = Look(store).kept(config, NOW)
    assert set(kept.proofs) == {one.run_id for one in (good, *early)}
    found = derived.figures(facts(config, kept)).of("newest_backup_timestamp_seconds")
    assert found == {("orders-db",): point().newest.timestamp()}


def test_where_backups_are_picked_at_random_every_recent_pass_counts(store: Store, tmp_path: Path):
    config = configured(tmp_path, orders(source=replace(orders().source, pick="random")), files())
    for n in range(3):
        store.proofs.save(ran(24 * n, BROKEN if n == 1 else PASSED))
    assert set(Look(store).kept(config, NOW).proofs) == {ran().run_id, ran(48).run_id}


def test_the_newest_pass_is_read_however_many_failures_came_after_it(store: Store, tmp_path: Path):
    config = configured(tmp_path, orders(source=replace(orders().source, pick="random")), files())
    for n in range(13):
        store.proofs.save(ran(24 * n, BROKEN if n else PASSED))
    made = derived.figures(facts(config, Look(store).kept(config, NOW)))
    assert made.of("recovery_point_timestamp_seconds") == {("orders-db",): (AT - timedelta(hours=5)).timestamp()}
    assert made.of("run_failures_in_a_row")["orders-db",] == 12.0


def test_the_schedule_is_asked_once_until_its_time_has_come(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
):
    asked: list[datetime] = []
    real = standing.upcoming

    def upcoming(checks: list[object], pauses: object, now: datetime, count: int) -> object:
        if checks[0].schedule:  # type: ignore[attr-defined]
            asked.append(now)
        return real(checks, pauses, now, count)  # type: ignore[arg-type]

    monkeypatch.setattr(standing, "upcoming", upcoming)
    look, at = Look(store), datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
    due = at.replace(hour=3)
    assert look.kept(config, at).next_runs == {"orders-db": due}
    assert look.kept(config, due - timedelta(seconds=1)).next_runs == {"orders-db": due}
    assert len(asked) == 1
    assert look.kept(config, due).next_runs == {"orders-db": due + timedelta(days=1)}
    assert look.kept(config, at).next_runs == {"orders-db": due}  # the clock was set back
    store.pauses.pause("orders-db", at)
    assert look.kept(config, at).next_runs == {}
    store.pauses.pause("orders-db", at, at + timedelta(days=2))
    assert look.kept(config, at).next_runs == {"orders-db": due + timedelta(days=2)}
    store.pauses.resume("orders-db")
    assert look.kept(config, at).next_runs == {"orders-db": due}
    changed = replace(config, checks=(orders(schedule="0 4 * * *", jitter=timedelta(hours=1)), files()))
    [found] = look.kept(changed, at).next_runs.values()
    assert at.replace(hour=4) <= found < at.replace(hour=5)


def test_what_waits_what_runs_and_who_serves_is_counted(store: Store, config: Config, tmp_path: Path):
    store.ledger.add(entry("orders-db", 0))
    store.ledger.add(entry("files", 24 * 60))  # tomorrow
    directory = tmp_path / "state" / "locks"
    directory.mkdir(parents=True)
    served, by_hand = LocalMembership(store.replicas, directory), LocalMembership(store.replicas, directory)
    served.join("serve")
    by_hand.join("run")
    store.replicas.join("dead", "serve", "host", 1, "1")
    look = Look(store)
    kept = look.kept(config, NOW)
    assert (kept.queued, kept.replicas) == (1, 1)
    store.ledger.admit(served.id, lambda waiting, running: [e.run_id for e in waiting], NOW)
    kept = look.kept(config, NOW)
    assert (kept.queued, kept.standings["orders-db"].begun) == (0, NOW)
    served.leave()
    by_hand.leave()
    assert look.kept(config, NOW).replicas == 0


def test_a_store_that_fails_is_an_error_and_works_again(store: Store, place: Place, config: Config):
    look = Look(store)
    place.sql("ALTER TABLE runs RENAME TO gone")
    with pytest.raises(StoreError):
        look.kept(config, NOW)
    place.sql("ALTER TABLE gone RENAME TO runs")
    assert look.kept(config, NOW).standings
