"""What a process tells, round by round: on a real store, with a clock that is set by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from journal import SkipClock
from store_places import AT, Hands, entry, report, sqlite_place
from workflow.scripted import check

from restorecheck.alerts import telling
from restorecheck.alerts.telling import EVERY, SETTLED, TRIAL_LASTS, Telling, trials
from restorecheck.config import Config, State
from restorecheck.config.receivers import Heartbeat, Notify, Secret, Webhook
from restorecheck.errors import StoreError
from restorecheck.model import Miss, Notice, Turn, Verdict
from restorecheck.store import Store

RECEIVERS = (
    Webhook("hook", Secret("https://x")),
    Webhook("pager", Secret("https://x")),
    Heartbeat("alive", Secret("https://x")),
    Heartbeat("deadman", Secret("https://x")),
)
NOTIFY = Notify(service=("pager",), heartbeat="alive", escalate_after=99)


class Office:
    """One Telling, what it logged, and a sender that takes everything."""

    def __init__(self, store: Store, hands: Hands, home: Path) -> None:
        self.store, self.hands, self.clock = store, hands, SkipClock(AT)
        self.told: list[tuple[str, dict[str, Any]]] = []
        orders = check(receivers=("pager", "deadman"), schedule="0 3 * * *")
        state = State(home, None, home / "key")
        self.config = Config(home / "config.toml", state, (), (), (orders,), receivers=RECEIVERS, notify=NOTIFY)
        self.telling = self.another()

    def another(self, name: str = "me") -> Telling:
        return Telling(self.store, self.clock, self.tell, name)

    def tell(self, event: str, **facts: Any) -> None:
        self.told.append((event, facts))

    def later(self, seconds: float) -> None:
        self.hands.now += seconds
        self.clock.skip(seconds)

    def round(self, seconds: float = EVERY) -> list[tuple[str, Notice]]:
        """Do a round a little later and return what reached whom, without trials and the ping of the service."""
        self.later(seconds)
        self.telling.round(self.config)
        found = self.sent()
        return [(r, n) for r, n in found if n.turn is not Turn.PASSED or n.check] if found else []

    def sent(self, *receivers: str) -> list[tuple[str, Notice]]:
        found = []
        for name in receivers or [r.name for r in RECEIVERS]:
            while due := self.store.notices.claim(name, "sender", 60):
                for one in due:
                    found.append((name, one.notice))
                    assert self.store.notices.delivered(one.id, "sender", acknowledged=True)
        return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store in which nothing is: to make one takes longer than to copy it."""
    home = tmp_path_factory.mktemp("empty")
    place = sqlite_place(home)
    place.open()
    place.close()
    return home


@pytest.fixture
def office(tmp_path: Path, empty: Path) -> Iterator[Office]:
    shutil.copytree(empty, tmp_path, dirs_exist_ok=True)
    place, hands = sqlite_place(tmp_path), Hands(AT.timestamp())
    made = Office(place.open(hands), hands, tmp_path)
    made.telling.round(made.config)
    made.sent()
    made.later(TRIAL_LASTS.total_seconds())
    made.sent()
    made.told.clear()
    yield made
    place.close()


def said(told: list[tuple[str, Notice]]) -> list[tuple[str, str]]:
    return [(receiver, notice.turn.value) for receiver, notice in told]


def test_a_failing_run_is_told_and_logged_once(office: Office):
    office.store.proofs.save(report(hours=-24))
    office.store.proofs.save(report(verdict=Verdict.UNPROVEN))
    told = office.round()
    assert said(told) == [("pager", "firing"), ("deadman", "passed"), ("deadman", "firing")]
    assert told[0][1].last_pass == report(hours=-24).ended
    assert office.round() == []
    assert [event for event, _ in office.told] == ["run-ended", "run-ended"]
    assert office.told[1][1]["verdict"] == "unproven"


def test_a_pass_that_came_later_is_not_the_last_one_before(office: Office):
    office.store.proofs.save(report(verdict=Verdict.UNPROVEN))
    office.store.proofs.save(report(hours=1))
    fired, resolved = [notice for receiver, notice in office.round() if receiver == "pager"]
    assert (fired.last_pass, resolved.last_pass) == (None, report(hours=1).ended)


def test_two_replicas_tell_what_happened_once(office: Office):
    office.store.proofs.save(report(verdict=Verdict.UNPROVEN))
    other = office.another("other")
    other.round(office.config)
    assert said(office.round()) == [("pager", "firing"), ("deadman", "firing")]
    assert [event for event, _ in office.told].count("run-ended") == 1


def test_a_run_from_its_beginning_to_its_end(office: Office):
    office.store.ledger.add(entry())
    office.store.ledger.admit("me", lambda due, _: [e.run_id for e in due], AT + timedelta(hours=1))
    assert said(office.round()) == [("deadman", "began")]
    office.store.proofs.save(report())
    assert said(office.round()) == [("deadman", "passed")]


def test_a_trouble_is_repeated_by_time_and_resolved_by_a_pass(office: Office):
    office.store.proofs.save(report(verdict=Verdict.BROKEN))
    office.round()
    assert said(office.round(4 * 3600)) == [("pager", "repeated")]
    office.store.proofs.save(report(hours=5))
    assert said(office.round()) == [("pager", "resolved"), ("deadman", "passed")]


def test_a_pause_in_the_store_silences_repeats(office: Office):
    office.store.proofs.save(report(verdict=Verdict.BROKEN))
    office.round()
    office.store.pauses.pause("orders-db", AT)
    assert said(office.round()) == [("pager", "told")]
    assert office.round(40 * 3600) == []


def test_without_events_the_store_is_asked_every_few_seconds_only(office: Office, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    route = office.store.notices.route
    monkeypatch.setattr(office.store.notices, "route", lambda *a: (asked.append(1), route(*a))[1])
    office.round(EVERY)
    office.round(EVERY / 2)
    assert len(asked) == 1
    office.store.proofs.save(report(verdict=Verdict.BROKEN))
    assert office.round(0.1)  # what happened is told at once
    assert len(asked) == 2


def test_more_than_fits_into_one_transaction_is_told_in_one_round(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(telling, "BATCH", 10)
    misses = [Miss("orders-db", AT - timedelta(days=n), "down") for n in range(25)]
    office.store.ledger.schedule("orders-db", AT, [], misses)
    for n in range(10):
        office.store.proofs.save(report(hours=n, verdict=Verdict.BROKEN))
    told = office.round()
    assert said(told)[:2] == [("pager", "firing"), ("pager", "firing")]
    assert said(told).count(("deadman", "firing")) == 10
    assert office.store.outbox.pending() == []
    assert len(office.told) == 35
    counts = {episode.key: episode.count for episode in office.store.notices.episodes()}
    assert counts == {"restorecheck/missed/orders-db": 25, "restorecheck/run/orders-db": 10}


def test_a_proof_that_comes_between_looking_and_deciding_is_told_in_the_same_round(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    pending = office.store.outbox.pending
    seen: list[list[Any]] = []

    def late(limit: int = 100) -> list[Any]:
        seen.append([] if not seen else pending(limit))
        return seen[-1]

    monkeypatch.setattr(office.store.outbox, "pending", late)
    office.store.proofs.save(report(verdict=Verdict.BROKEN))
    assert said(office.round()) == [("pager", "firing"), ("deadman", "firing")]


def test_a_proof_that_cannot_be_read_is_told_as_unproven(office: Office):
    office.store.proofs.save(report())
    office.store.outbox.put("run-ended", "run-ended:x", {"run": "gone-1", "check": "orders-db"})
    told = office.round()
    assert [(r, n.verdict) for r, n in told if r == "pager"] == [("pager", Verdict.UNPROVEN)]


def test_a_proof_of_another_release_is_told_as_unproven(office: Office, monkeypatch: pytest.MonkeyPatch):
    def strange(run: str) -> Any:
        raise ValueError(run)

    office.store.proofs.save(report())
    monkeypatch.setattr(office.store.proofs, "run", strange)
    assert said(office.round())[0] == ("pager", "firing")


def test_a_store_that_fails_loses_nothing(office: Office, monkeypatch: pytest.MonkeyPatch):
    office.store.proofs.save(report(verdict=Verdict.BROKEN))
    office.later(300)
    with monkeypatch.context() as broken:
        for facet, name in ((office.store.proofs, "run"), (office.store.notices, "route")):

            def fail(*_: Any) -> Any:
                raise StoreError("gone")

            broken.setattr(facet, name, fail)
            with pytest.raises(StoreError):
                office.telling.round(office.config)
    assert office.told == []
    office.telling.round(office.config)
    assert [(r, n.turn, n.key) for r, n in office.sent() if r in {"pager", "alive"}] == [
        ("pager", Turn.FIRING, "restorecheck/run/orders-db"),
        ("alive", Turn.PASSED, "restorecheck/service"),  # whose timer was claimed before the store failed
    ]


def test_what_nobody_knows_is_logged_and_told_to_nobody(office: Office):
    office.store.outbox.put("made-up", "made-up:1", {"why": "because"})
    office.store.outbox.put("made-up", "made-up:2", "text")
    assert office.round() == []
    assert [event for event, _ in office.told] == ["made-up", "notify.unknown-event"] * 2
    assert office.told[0][1] == {"why": "because"}


# --- by time ---------------------------------------------------------------------------------------------------------


def test_what_is_configured_is_noted_when_it_changes(office: Office):
    first = office.store.first_seen.all("check")
    assert list(first) == ["orders-db"]
    assert set(office.store.first_seen.all("receiver")) == {"hook", "pager", "alive", "deadman"}
    office.config = replace(office.config, checks=(*office.config.checks, check(name="users-db")))
    office.round(60)
    found = office.store.first_seen.all("check")
    assert found["orders-db"] == first["orders-db"] < found["users-db"]


def test_every_receiver_is_tried_once_a_week_and_no_heartbeat_with_an_alarm(office: Office):
    week = timedelta(days=7).total_seconds()
    assert office.round(week - 3600) == []
    told = office.round(3600)
    assert said(told) == [("hook", "firing"), ("pager", "firing")]
    assert {n.key for _, n in told} == {"restorecheck/test/hook", "restorecheck/test/pager"}
    assert all(n.severity == "info" for _, n in told)
    assert said(office.round(60)) == []
    assert said(office.round(TRIAL_LASTS.total_seconds())) == [("hook", "resolved"), ("pager", "resolved")]
    assert office.store.notices.episodes() == []


def test_some_receivers_can_be_tried_by_hand(office: Office):
    assert [(d.receiver, d.after) for d in trials(office.config, AT, ["hook"])] == [
        ("hook", timedelta()), ("hook", TRIAL_LASTS),
    ]  # fmt: skip
    assert {d.receiver for d in trials(office.config, AT)} == {"hook", "pager"}


def test_the_service_pings_as_long_as_its_rounds_work(office: Office):
    def pings(seconds: float) -> int:
        office.later(seconds)
        office.telling.round(office.config)
        return len(office.sent("alive"))

    assert pings(300) == 1
    assert pings(60) == 0
    assert pings(240) == 1
    office.later(300)
    office.telling.round(office.config)
    office.later(300)
    office.telling.round(office.config)  # the one before waits still
    assert len(office.sent("alive")) == 1


def test_a_service_without_a_heartbeat_pings_nobody(office: Office):
    office.config = replace(office.config, notify=replace(NOTIFY, heartbeat=""), receivers=())
    office.later(300)
    office.telling.round(office.config)
    assert office.sent() == []


def test_a_receiver_that_fails_is_told_to_the_others_once_this_process_has_had_time(office: Office):
    office.config = replace(office.config, notify=replace(NOTIFY, service=("pager", "hook"), heartbeat=""))
    office.store.proofs.save(report(verdict=Verdict.BROKEN))
    office.telling.round(office.config)
    office.later(12 * 3600)  # nobody served
    office.telling = office.another("after the restart")
    office.telling.round(office.config)
    assert said(office.sent("hook")) == []
    office.later(SETTLED)
    office.telling.round(office.config)
    assert {(r, n.key, n.turn) for r, n in office.sent("hook")} == {
        ("hook", "restorecheck/receiver/pager", Turn.FIRING),
        ("hook", "restorecheck/receiver/deadman", Turn.FIRING),
    }
    office.sent()
    office.later(EVERY)
    office.telling.round(office.config)
    assert {n.turn for _, n in office.sent("hook")} == {Turn.RESOLVED}


def test_a_round_does_not_go_on_for_ever(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(telling, "BATCHES", 1)
    monkeypatch.setattr(telling, "BATCH", 5)
    for n in range(6):
        office.store.outbox.put("made-up", f"made-up:{n}", {})
    office.round()
    assert len(office.store.outbox.pending()) == 1
    office.round(0.1)
    assert office.store.outbox.pending() == []


def test_a_round_with_much_to_tell_ends_and_the_next_one_goes_on(office: Office):
    class Slow(Telling):
        def _log(self, event: Any) -> None:
            super()._log(event)
            office.clock.skip(telling.LONGEST / 40)

    office.telling = Slow(office.store, office.clock, office.tell, "slow")
    for n in range(telling.BATCH + 20):
        office.store.outbox.put("run-began", f"began:{n}", {"run": f"r{n}", "check": "orders-db"})
    office.telling.round(office.config)
    assert len(office.told) == telling.BATCH
    office.telling.round(office.config)
    assert len(office.told) == telling.BATCH + 20


def test_a_proof_that_breaks_whoever_reads_it_is_told_as_unproven(office: Office, monkeypatch: pytest.MonkeyPatch):
    office.store.proofs.save(report(verdict=Verdict.BROKEN))

    def bug(run: str) -> Any:
        raise KeyError(run)

    monkeypatch.setattr(office.store.proofs, "run", bug)
    told = office.round()
    assert [(r, n.turn, n.verdict) for r, n in told if r == "pager"] == [("pager", Turn.FIRING, Verdict.UNPROVEN)]
