"""What a state directory is, who shares its key, and what `run` refuses before anything begins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from restorecheck.config import Config, State
from restorecheck.dispatch import membership_of
from restorecheck.durable import Silence
from restorecheck.errors import RestorecheckError
from restorecheck.model import Check, Entry, Limits, Placement, RdsSource, Replica, Trigger
from restorecheck.replica import LocalMembership, SharedMembership, living
from restorecheck.runner import Runner, entered
from restorecheck.state import key_of, locks, make_state, open_store, same_key

CHECK = Check(
    "orders-db",
    RdsSource("111111111111", "eu-central-1", "orders", "orders"),
    Placement("222222222222", "eu-central-1", "rc", ("sg-1",), "key", "db.t4g.micro"),
    Limits(),
    (),
    timedelta(hours=25),
    timedelta(hours=2),
    restores=True,
)


def here(home: Path) -> State:
    return State(home / "state", None, home / "state" / "service.key")


def shared(home: Path) -> State:
    return State(None, "postgresql://somebody:secret@127.0.0.1:1/none", home / "service.key")


def lost(why: str) -> NoReturn:
    raise AssertionError(why)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(Config(tmp_path / "config.toml", here(tmp_path), (), (), (CHECK,)), Silence(), lost)
    yield made
    made.close()


# --- the state -------------------------------------------------------------------------------------------------------


def test_a_state_directory_is_for_its_owner_only(tmp_path: Path):
    make_state(here(tmp_path / "a"))
    assert (tmp_path / "a" / "state").stat().st_mode & 0o077 == 0


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(RestorecheckError, match="cannot be made") as e:
        make_state(here(tmp_path / "file"))
    assert e.value.kind == "config"


def test_a_state_in_a_database_needs_no_directory(tmp_path: Path):
    make_state(shared(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_a_directory_is_made_and_that_of_a_shared_state_is_not(tmp_path: Path):
    make_state(here(tmp_path))
    assert key_of(here(tmp_path)) == key_of(here(tmp_path))
    with pytest.raises(RestorecheckError, match="there is no service key") as e:
        key_of(shared(tmp_path))
    assert "openssl rand" in e.value.hint
    assert not (tmp_path / "service.key").exists()


def test_another_key_than_the_runs_were_begun_with_is_refused(tmp_path: Path):
    state = here(tmp_path)
    store = open_store(state)
    same_key(store, state)
    same_key(store, state)
    state.key.unlink()
    with pytest.raises(RestorecheckError, match="is not the service key that this store was begun with") as e:
        same_key(store, state)
    assert e.value.kind == "config"
    store.close()


# --- runs ------------------------------------------------------------------------------------------------------------


def begun(runner: Runner, owner: str) -> Entry:
    at = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    entry = Entry("orders-db-20261121t0300z", "orders-db", "222222222222", at, at, Trigger.SCHEDULE)
    assert runner.store.ledger.add(entry)
    assert runner.store.ledger.admit(owner, lambda waiting, running: [entry.run_id], at)
    return entry


def test_an_unknown_check_is_refused_before_anything(runner: Runner):
    for what in (runner.run, runner.detach):
        with pytest.raises(RestorecheckError, match="there is no check named users-db"):
            what(["orders-db", "users-db"])
    assert runner.store.ledger.waiting() == []
    assert runner.store.replicas.all() == []


def test_a_check_that_a_living_process_runs_is_refused_by_name(runner: Runner, tmp_path: Path):
    other = LocalMembership(runner.store.replicas, tmp_path / "state" / "locks")
    other.join("serve")
    entry = begun(runner, other.id)
    for what in (runner.run, runner.detach):
        with pytest.raises(RestorecheckError, match="orders-db is being run already, by process") as e:
            what(["orders-db"])
        assert entry.run_id in e.value.hint
    assert [replica.id for replica in runner.store.replicas.all()] == [other.id]
    other.leave()


def test_a_run_is_left_to_a_service_once_and_to_nobody_never(runner: Runner, tmp_path: Path):
    with pytest.raises(RestorecheckError, match="nobody serves"):
        runner.detach(["orders-db"])
    other = LocalMembership(runner.store.replicas, tmp_path / "state" / "locks")
    other.join("serve")
    [first] = runner.detach(["orders-db", "orders-db"])
    assert first.trigger is Trigger.HAND
    assert runner.detach(["orders-db"]) == [runner.store.ledger.entry(first.run_id)]  # it waits already
    other.leave()


def test_a_run_of_the_same_second_gets_the_next(runner: Runner):
    first = entered(runner.store, CHECK, None, runner.clock.now())
    runner.store.ledger.admit("me", lambda waiting, running: [first.run_id], first.not_before)
    [entry] = runner.store.ledger.running()
    runner.store.ledger.release("me")
    assert entered(runner.store, CHECK, None, runner.clock.now()) == runner.store.ledger.entry(
        entry.run_id
    )  # nobody has it in hand: it goes on
    assert runner.store.ledger.running()[0].owner is None


def test_a_cancel_is_remembered(runner: Runner):
    assert not runner.cancelled()
    runner.cancel()
    assert runner.cancelled()


def test_the_place_of_the_state_says_who_is_the_witness_of_who_lives(runner: Runner, tmp_path: Path):
    assert isinstance(membership_of(runner.config, runner.store, lost), LocalMembership)
    runner.config = Config(tmp_path / "config.toml", shared(tmp_path), (), (), (CHECK,))
    assert isinstance(membership_of(runner.config, runner.store, lost), SharedMembership)


def test_who_lives_is_said_without_striking_anybody_out(runner: Runner, tmp_path: Path):
    alive = LocalMembership(runner.store.replicas, tmp_path / "state" / "locks")
    alive.join("serve")
    for name in ("killed", "its-lock-is-gone"):
        runner.store.replicas.join(name, "serve", "host", 1, "0")
    (tmp_path / "state" / "locks" / "replica-killed.lock").touch()
    everybody = runner.store.replicas.all()
    seen = living(everybody, locks(runner.config.state), timedelta(minutes=1))
    assert [replica.id for replica in seen] == [alive.id]
    assert [replica.id for replica in runner.store.replicas.all()] == [replica.id for replica in everybody]
    alive.leave()


def test_of_those_that_share_a_database_who_was_heard_of_lives(tmp_path: Path):
    known = [Replica(str(silent), "serve", "host", 1, "0", silent) for silent in (0.0, 59.0, 61.0)]
    assert living(known, locks(shared(tmp_path)), timedelta(minutes=1)) == known[:2]


@pytest.mark.parametrize(("ahead", "waits"), [(timedelta(hours=-1), True), (timedelta(hours=1), False)])
def test_by_hand_means_now_and_not_when_the_jitter_of_a_due_run_is_over(runner: Runner, ahead: timedelta, waits: bool):
    now = runner.clock.now()
    due = Entry("orders-db-20261121t0300z", "orders-db", "222222222222", now, now + ahead, Trigger.SCHEDULE)
    assert runner.store.ledger.add(due)
    taken = entered(runner.store, CHECK, None, runner.clock.now())
    assert (taken.run_id == due.run_id) is waits
    assert waits or (taken.trigger is Trigger.HAND and taken.not_before <= runner.clock.now())


# --- what is told ----------------------------------------------------------------------------------------------------


def test_without_receivers_what_happened_is_history_and_no_news_to_the_first_receiver(runner: Runner):
    for n in range(150):
        runner.store.outbox.put("run-missed", f"missed:{n}", {})
    runner._tell("me")
    assert runner.store.outbox.pending() == []
    assert runner.untold == {}
