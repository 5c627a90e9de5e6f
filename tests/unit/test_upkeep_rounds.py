"""What is done beside the runs: sweeps on a timer, old things forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demo_world import until
from journal import SkipClock
from store_places import AT, Hands, sqlite_place

from restorecheck.alerts.telling import Telling
from restorecheck.config import Config, State
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.errors import RestorecheckError, SourceError, StoreError
from restorecheck.evidence import MARK as EVIDENCE
from restorecheck.evidence import Evidence
from restorecheck.fence import Fence, Role, Target
from restorecheck.model import Entry, Limits, Placement, Trigger
from restorecheck.store import Store
from restorecheck.sweep import Place, Swept
from restorecheck.sweep.swept import Blind, Piece
from restorecheck.sweep.swept import State as PieceState
from restorecheck.upkeep import DAY, RECORDS, TIDY, Upkeep, places
from restorecheck.workplace import MARK, Workplace

ACCOUNT = "222222222222"
PLACES = tuple(Placement(ACCOUNT, region, "rc", ("sg-1",), "key", "db.t4g.micro") for region in ("eu-1", "eu-2"))


class Records:
    """Remembers up to when it was asked to forget."""

    def __init__(self) -> None:
        self.before: list[datetime] = []

    def prune(self, before: datetime, under_way: object) -> int:
        self.before.append(before)
        return 7


class Office:
    """One Upkeep, and what it told."""

    def __init__(self, store: Store, hands: Hands, home: Path) -> None:
        self.store, self.hands, self.records, self.clock = store, hands, Records(), SkipClock(AT)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.config = Config(home / "config.toml", State(home, None, home / "key"), (), (), ())
        self.fence: Any = Fence({}, {})
        self.upkeep = Upkeep(store, self.records, self.clock, self.tell, "me")

    def tell(self, event: str, **facts: Any) -> None:
        self.told.append((event, facts))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [facts for event, facts in self.told if event == name]

    def round(self) -> None:
        self.upkeep.round(self.config, self.fence)
        if self.upkeep._sweeping:
            self.upkeep._sweeping.join()

    def later(self, seconds: float) -> None:
        self.hands.now += seconds
        self.clock.skip(seconds)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # else root's rounds meet the servers of other tests
    place, hands = sqlite_place(tmp_path), Hands(AT.timestamp())
    yield Office(place.open(hands), hands, tmp_path)
    place.close()


def test_a_sweep_comes_at_once_and_then_on_its_timer(office: Office):
    office.round()
    office.round()
    assert len(office.events("sweep.done")) == 1
    office.later(office.config.service.sweep.total_seconds() + 1)
    office.round()
    assert len(office.events("sweep.done")) == 2
    note = office.store.notes.get("sweep")
    assert note["at"] >= AT.isoformat()
    assert note["summary"] == office.events("sweep.done")[-1]["summary"]


def test_what_a_place_had_left_is_kept_while_nobody_can_look_at_it(office: Office):
    seen, unseen = swept(PieceState.KEPT), swept(PieceState.LEASED)
    blind = replace(unseen, blind=(Blind(unseen.places[0], "instances", "may not"),))
    office.upkeep._keep(seen, "2026-11-21T03:00:00+00:00")
    office.upkeep._keep(blind, "2026-11-21T04:00:00+00:00")
    [place] = office.store.notes.get("sweep")["places"]
    assert (place["seen_whole"], place["left"]) == ("2026-11-21T03:00:00+00:00", {"db": 1})
    office.upkeep._keep(unseen, "2026-11-21T05:00:00+00:00")
    [place] = office.store.notes.get("sweep")["places"]
    assert (place["seen_whole"], place["left"]) == ("2026-11-21T05:00:00+00:00", {})


def dead(office: Office, run: str) -> Path:
    """Return the directory of a run whose process died."""
    path = office.config.workplace / f"restorecheck-{run}"
    path.mkdir(parents=True)
    (path / MARK).write_text(run)
    (path / "00000001").write_bytes(b"half a dump")
    return path


def test_what_dead_processes_left_here_is_removed_and_nothing_else(office: Office):
    office.round()  # nothing is there, and nothing is made
    assert not office.config.workplace.exists()
    left = dead(office, "orders-db-20261120t0300z")
    theirs = office.config.workplace / "thesis"
    theirs.mkdir()
    held = Workplace(office.config.workplace / "restorecheck-shop-db-20261121t0300z", "shop-db-20261121t0300z")
    held.open()
    office.later(TIDY + 1)
    office.round()
    assert [path.name for path in sorted(office.config.workplace.iterdir()) if not path.name.startswith(".")] == [
        held.path.name,
        "thesis",
    ]
    assert office.events("workplace.tidied") == [{"removed": [left.name]}]
    held.remove()


def test_what_a_run_that_is_under_way_downloaded_is_kept_for_it(office: Office):
    entry = Entry("orders-db-20261121t0300z", "orders-db", ACCOUNT, AT, AT, Trigger.SCHEDULE)
    office.store.ledger.running = lambda: [entry]  # type: ignore[method-assign]
    left = dead(office, entry.run_id)
    office.round()
    assert left.exists()


def test_a_workplace_that_cannot_be_tidied_is_told_and_the_rounds_go_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    dead(office, "orders-db-20261120t0300z")

    def fails(self: Workplace) -> None:
        raise SourceError("it could not be removed", kind="interfered")

    monkeypatch.setattr(Workplace, "remove", fails)
    office.round()
    assert office.events("workplace.not-tidied") == [{"why": "it could not be removed"}]
    assert office.records.before, "what comes after it is done all the same"


def evidence(office: Office, run: str, age: timedelta) -> Path:
    """Return where evidence of a run is that was kept so long ago."""
    assert office.config.evidence is not None
    Evidence(office.config.evidence, run).keep("orphans", [{"id": "1"}])
    at = (office.clock.now() - age).timestamp()
    os.utime(office.config.evidence / run / EVIDENCE, (at, at))
    return office.config.evidence / run


def test_evidence_goes_when_its_time_is_over(office: Office, tmp_path: Path):
    office.config = replace(office.config, evidence=tmp_path / "evidence")
    office.round()
    assert office.events("evidence.pruned") == []
    old = evidence(office, "orders-db-20261001t0300z", timedelta(days=30, minutes=1))
    young = evidence(office, "orders-db-20261111t0300z", timedelta(days=29))
    office.later(TIDY + 1)
    office.round()
    assert (old.exists(), young.exists()) == (False, True)
    assert office.events("evidence.pruned") == [{"runs": 1}]


def test_evidence_that_cannot_be_removed_is_told_and_the_rounds_go_on(office: Office, tmp_path: Path):
    office.config = replace(office.config, evidence=tmp_path / "evidence")
    (evidence(office, "orders-db-20261001t0300z", timedelta(days=31)) / "a.json").mkdir()
    dead(office, "orders-db-20261120t0300z")
    office.round()
    [told] = office.events("evidence.not-pruned")
    assert "orders-db-20261001t0300z could not be removed" in told["why"]
    assert office.events("workplace.tidied"), "what comes after it is done all the same"


def test_of_two_processes_one_sweeps(office: Office):
    other = Upkeep(office.store, Records(), office.clock, office.tell, "other")
    other.round(office.config, office.fence)
    until(lambda: office.events("sweep.done"))
    office.round()
    assert len(office.events("sweep.done")) == 1


def swept(*states: PieceState, tripped: str = "") -> Swept:
    place = Place(Role.SCRATCH, ACCOUNT, "eu-1", "lab")
    target = Target("db", ACCOUNT, "restorecheck-x", "arn:x", {}, "available", AT)
    return Swept(True, (place,), tuple(Piece(place, target, state) for state in states), (), tripped)


def telling(office: Office) -> Telling:
    return Telling(office.store, office.clock, office.tell, "me")


def test_a_breaker_that_tripped_is_told_and_so_is_what_nobody_may_delete(office: Office):
    office.upkeep._keep(swept(PieceState.ASKED), "2026-11-21T03:00:00+00:00")
    assert office.store.outbox.pending() == []
    office.upkeep._keep(swept(PieceState.KEPT), "2026-11-21T04:00:00+00:00")
    office.upkeep._keep(swept(PieceState.EXPIRED, tripped="too many"), "2026-11-21T05:00:00+00:00")
    telling(office).round(office.config)
    assert "1 kept" in office.events("scratch-leaked")[0]["summary"]
    assert office.events("sweep-tripped") == [{"why": "too many"}]


def test_that_nothing_is_left_is_told_once_and_only_when_all_was_seen(office: Office):
    talk = telling(office)
    clean, seen = swept(PieceState.ASKED), "2026-11-21T0{}:00:00+00:00"
    office.upkeep._keep(clean, seen.format(3))
    office.upkeep._keep(swept(PieceState.KEPT), seen.format(4))
    talk.round(office.config)
    place = clean.places[0]
    office.upkeep._keep(replace(clean, blind=(Blind(place, "instances", "denied"),)), seen.format(5))
    talk.round(office.config)
    assert office.events("sweep-clean") == []
    assert [one.key for one in office.store.notices.episodes()] == ["restorecheck/leaked"]
    for hour in (6, 7):
        office.upkeep._keep(clean, seen.format(hour))
        talk.round(office.config)
    assert office.events("sweep-clean") == [{}]
    assert office.store.notices.episodes() == []


@pytest.mark.parametrize(
    ("trouble", "event", "why"),
    [
        (StoreError("the disk is full"), "sweep.not-kept", "the disk is full"),
        (RestorecheckError("no way in"), "sweep.failed", "no way in"),
        (KeyError("x"), "sweep.failed", "KeyError"),
    ],
)
def test_a_sweep_that_fails_is_heard_and_comes_again(office: Office, trouble: Exception, event: str, why: str):
    def keep(found: Swept, at: str) -> None:
        raise trouble

    kept, office.upkeep._keep = office.upkeep._keep, keep  # type: ignore[method-assign]
    office.round()
    assert why in office.events(event)[0]["why"]
    office.upkeep._keep = kept  # type: ignore[method-assign]
    office.later(office.config.service.sweep.total_seconds() + 1)
    office.round()
    assert len(office.events("sweep.done")) == 1


def test_what_is_old_is_forgotten_once_a_day(office: Office):
    keep = office.config.service.keep
    office.round()
    office.round()
    assert len(office.events("store.pruned")) == 1
    assert office.events("store.pruned")[0]["records"] == 7
    [before] = office.records.before
    assert abs(before - (AT - RECORDS)) < timedelta(minutes=1)
    office.config = replace(office.config, service=replace(office.config.service, keep=timedelta(days=2)))
    assert keep > timedelta(days=2)
    office.later(DAY + 1)
    office.round()
    assert abs(office.records.before[-1] - (office.clock.now() - timedelta(days=2))) < timedelta(minutes=1)


def test_a_sweep_looks_at_every_region_of_every_account(tmp_path: Path):
    source = SourceAccount("production", "111111111111", "role", ("eu-1", "eu-3"))
    scratch = ScratchAccount("lab", ACCOUNT, "role", PLACES, Limits(), 3)
    config = Config(tmp_path / "config.toml", State(tmp_path, None, tmp_path / "key"), (source,), (scratch,), ())
    assert places(config) == [
        Place(Role.SOURCE, "111111111111", "eu-1", "production"),
        Place(Role.SOURCE, "111111111111", "eu-3", "production"),
        Place(Role.SCRATCH, ACCOUNT, "eu-1", "lab"),
        Place(Role.SCRATCH, ACCOUNT, "eu-2", "lab"),
    ]
