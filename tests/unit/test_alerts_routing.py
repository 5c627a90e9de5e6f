"""What follows from what happened: who is told, what becomes of episodes, what is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow.scripted import NOW, POINT, check

from restorecheck.alerts.episodes import KEPT_REMOVED
from restorecheck.alerts.routing import LATE, OLD, TOPICS, Ended, Router, Standing
from restorecheck.config import Config, Prices, State
from restorecheck.config.receivers import Heartbeat, Notify, Secret, Webhook
from restorecheck.model import (
    About,
    Check,
    Episode,
    Failure,
    Leftover,
    Notice,
    Pause,
    Phase,
    Report,
    Turn,
    Verdict,
)
from restorecheck.store import Delivery, Event, Pending, Routed

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ORDERS = check(schedule="0 3 * * *", receivers=("pager", "deadman"), owner="shop")
USERS = check(name="users-db", receivers=("hook",))
NOTIFY = Notify(escalate_to=("boss",), service=("pager", "hook"))
RECEIVERS = (
    *(Webhook(name, Secret("https://x")) for name in ("boss", "hook", "pager")),
    Heartbeat("deadman", Secret("https://x")),
)


def config(*checks: Check, **more: Any) -> Config:
    home = Path("/nowhere")
    fields = {"receivers": RECEIVERS, "notify": NOTIFY, **more}
    return Config(home / "config.toml", State(home, None, home / "key"), (), (), checks or (ORDERS, USERS), **fields)


def report(run: str, verdict: Verdict = Verdict.BROKEN, name: str = "orders-db", **more: Any) -> Report:
    failure = None if verdict is Verdict.PASSED else Failure("quota", "restore", "no room", "make room")
    return Report(run, name, verdict, NOW, NOW, failure, POINT, **more)


class World:
    """A store as the router sees it: episodes that stay, and what was sent to whom, each notice once."""

    def __init__(self, made: Config | None = None) -> None:
        self.config, self.now, self.number = made or config(), NOW, 0
        self.episodes: dict[str, Episode] = {}
        self.proofs: dict[str, Ended] = {}
        self.pauses: dict[str, Pause] = {}
        self.pending: dict[str, Pending] = {}
        self.arrived: dict[str, Any] = {}
        self.ids: set[tuple[str, str]] = set()
        self.wanted: str | None = None
        self.counts: list[tuple[str, float, tuple[str, ...]]] = []

    def event(self, topic: str, **payload: Any) -> Event:
        self.number += 1
        return Event(self.number, topic, f"{topic}:{self.number}", payload, self.now)

    def decide(self, *events: Event) -> list[tuple[str, Notice]]:
        """Route, keep what is to be kept, and return what is new: receiver and notice."""
        standing = Standing(self.proofs, self.pauses, self.pending, self.arrived)
        router = Router(self.config, standing)
        routed: Routed = router.decide(list(events), dict(self.episodes), self.now)
        assert router.decide(list(events), dict(self.episodes), self.now) == routed, "it may be asked twice"
        self.wanted, self.counts = router.wanted, self.counts + list(routed.counts)
        self.episodes |= {episode.key: episode for episode in routed.episodes}
        for key in routed.closed:
            del self.episodes[key]
        new = [d for d in routed.deliveries if (d.receiver, d.notice.id) not in self.ids]
        self.ids |= {(d.receiver, d.notice.id) for d in new}
        return [(d.receiver, d.notice) for d in new]

    def ended(self, run: str, verdict: Verdict = Verdict.BROKEN, **more: Any) -> list[tuple[str, Notice]]:
        made = replace(report(run, verdict, **more), started=self.now)
        self.proofs[run] = Ended(made, NOW - 24 * HOUR)
        return self.decide(self.event("run-ended", run=run, check=made.check, verdict=str(verdict)))

    def missed(self, by: str | None = None, reason: str = "down") -> list[tuple[str, Notice]]:
        at = (self.now - HOUR).isoformat()
        return self.decide(
            self.event("run-missed", check="orders-db", scheduled_for=at, reason=reason, caught_up_by=by)
        )

    def later(self, by: timedelta) -> list[tuple[str, Notice]]:
        self.now += by
        return self.decide()


def said(told: list[tuple[str, Notice]]) -> list[tuple[str, str]]:
    return [(receiver, notice.turn.value) for receiver, notice in told]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_failing_run_is_told_to_the_receivers_of_its_check_and_fails_its_heartbeat():
    world = World()
    told = world.ended("r1")
    assert said(told) == [("pager", "firing"), ("deadman", "firing")]
    assert told[0][1].last_pass == NOW - 24 * HOUR
    assert world.episodes["restorecheck/run/orders-db"].receivers == ("pager",)


def test_every_failing_run_fails_the_heartbeat_also_when_people_are_not_told_again():
    world = World()
    world.ended("r1")
    assert said(world.ended("r2")) == [("deadman", "firing")]


def test_a_pass_resolves_and_pings():
    world = World()
    world.ended("r1")
    assert said(world.ended("r2", Verdict.PASSED)) == [("pager", "resolved"), ("deadman", "passed")]
    assert world.episodes == {}
    assert said(world.ended("r3", Verdict.PASSED)) == [("deadman", "passed")]


def test_a_run_that_passed_and_left_something_behind_fails_its_heartbeat():
    world = World()
    left = (Leftover("arn:aws:rds:eu:1:db:restorecheck-x"),)
    told = world.ended("r1", Verdict.PASSED, leaked=left)
    assert said(told) == [("deadman", "firing")]
    assert told[0][1].title == "orders-db passed, and left 1 thing behind"
    assert world.episodes == {}


def test_the_start_of_a_run_is_told_to_heartbeats_alone():
    world = World()
    told = world.decide(world.event("run-began", run="r1", check="orders-db", trigger="schedule"))
    assert said(told) == [("deadman", "began")]
    assert told[0][1].run_id == "r1"
    assert world.decide(world.event("run-began", run="r1", check="users-db", trigger="hand")) == []
    assert world.decide(world.event("run-began", run="r1", check="gone", trigger="hand")) == []


def test_after_three_failures_the_boss_hears_of_it():
    world = World()
    world.ended("r1")
    world.ended("r2")
    assert said(world.ended("r3")) == [("pager", "repeated"), ("boss", "firing"), ("deadman", "firing")]
    assert said(world.ended("r4", Verdict.PASSED))[:2] == [("pager", "resolved"), ("boss", "resolved")]


def test_time_repeats_it_with_its_age():
    world = World()
    world.ended("r1")
    assert world.later(3 * HOUR) == []
    assert said(world.later(HOUR)) == [("pager", "repeated")]


def test_a_run_whose_proof_is_gone_proves_nothing():
    world = World()
    world.proofs["r1"] = Ended(None)
    told = world.decide(world.event("run-ended", run="r1", check="orders-db", verdict="passed"))
    assert said(told) == [("pager", "firing"), ("deadman", "firing")]
    assert told[0][1].verdict is Verdict.UNPROVEN
    assert told[0][1].symptoms[0].message == "the proof of this run cannot be read any more"


def test_a_run_whose_proof_was_not_loaded_waits_and_all_after_it():
    world = World()
    ended = world.event("run-ended", run="r1", check="orders-db")
    standing = Standing({}, {}, {}, {})
    router = Router(world.config, standing)
    routed = router.decide([ended, world.event("scratch-leaked", summary="3")], {}, NOW)
    assert (routed, router.wanted, router.handled) == (Routed(), "r1", [])


def test_the_verdict_of_the_service_is_told_of_a_check_that_is_not_declared():
    world = World(config(USERS))
    told = world.ended("r1")
    assert [(r, n.about) for r, n in told] == [
        ("pager", About.RUN), ("hook", About.RUN), ("pager", About.REMOVED), ("hook", About.REMOVED),
    ]  # fmt: skip


def test_receivers_that_left_the_configuration_are_not_written_to_and_hear_the_end_if_they_come_back():
    world = World()
    world.ended("r1")
    world.config = config(receivers=RECEIVERS[:2])
    assert world.later(4 * HOUR) == []
    world.config = config()
    assert said(world.ended("r2", Verdict.PASSED))[0] == ("pager", "resolved")


# --- what runs cost --------------------------------------------------------------------------------------------------

PRICES = Prices("USD", Decimal("0.73"), Decimal("0.073"), {"db.t4g.micro": Decimal("0.02")})


def phases(*spans: tuple[str, int, int]) -> tuple[Phase, ...]:
    return tuple(Phase(name, NOW + begin * MINUTE, NOW + end * MINUTE) for name, begin, end in spans)


HELD = phases(
    ("plan", 0, 1),
    ("find", 1, 2),
    ("export", 2, 3),
    ("export: wait", 3, 62),
    ("restore", 62, 63),
    ("restore: wait", 63, 80),
    ("examine", 80, 110),
    ("drop instance: wait", 111, 122),
    ("prove", 122, 150),
)


def test_what_a_run_held_is_counted_at_the_configured_prices():
    world = World(config(prices=PRICES))
    point = replace(POINT, size_gib=100)
    made = replace(report("r1"), point=point, phases=HELD)
    world.proofs["r1"] = Ended(made)
    world.decide(world.event("run-ended", run="r1", check="orders-db"))
    [(name, amount, labels)] = world.counts
    assert (name, labels) == ("estimated_cost_usd", ("orders-db",))
    instance = Decimal("0.02") + 100 * Decimal("0.001")  # an hour
    assert amount == pytest.approx(float(instance + 2 * 100 * Decimal("0.0001")))


@pytest.mark.parametrize(
    ("prices", "more"),
    [
        (None, {}),
        (replace(PRICES, currency="EUR"), {}),
        (replace(PRICES, storage_gib_month=None), {}),
        (PRICES, {"point": None}),
        (PRICES, {"point": POINT}),  # of a size that AWS did not tell
        (PRICES, {"phases": phases(("plan", 0, 1), ("find", 1, 2), ("prove", 2, 3))}),
    ],
)
def test_what_is_not_known_is_not_counted(prices: Prices | None, more: dict[str, Any]):
    world = World(config(prices=prices))
    made = replace(report("r1"), **({"point": replace(POINT, size_gib=100), "phases": HELD} | more))
    world.proofs["r1"] = Ended(made)
    assert world.decide(world.event("run-ended", run="r1", check="orders-db"))
    assert world.counts == []


# --- what nobody was there to tell -----------------------------------------------------------------------------------


def test_of_what_nobody_told_for_long_only_what_lasts_is_news():
    world = World()
    events = []
    for n, verdict in enumerate(("broken", "passed", "unproven", "passed", "broken")):
        world.proofs[f"r{n}"] = Ended(report(f"r{n}", Verdict(verdict)))
        events.append(world.event("run-began", run=f"r{n}", check="orders-db", trigger="hand"))
        events.append(world.event("run-ended", run=f"r{n}", check="orders-db", verdict=verdict))
    world.now += OLD + MINUTE
    told = world.decide(*events)
    assert [(r, n.turn, n.run_id) for r, n in told] == [("pager", Turn.FIRING, "r4")]


def test_what_nobody_told_for_an_hour_is_all_told():
    world = World()
    events = []
    for n, verdict in enumerate(("broken", "passed")):
        world.proofs[f"r{n}"] = Ended(report(f"r{n}", Verdict(verdict)))
        events.append(world.event("run-ended", run=f"r{n}", check="orders-db", verdict=verdict))
    world.now += HOUR
    assert said(world.decide(*events)) == [
        ("pager", "firing"), ("pager", "resolved"), ("deadman", "firing"), ("deadman", "passed"),
    ]  # fmt: skip


# --- times that were missed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "reason"), [(None, "down"), (None, "overlapped")])
def test_a_missed_time_that_nobody_makes_up_for_fires(by: str | None, reason: str):
    world = World()
    told = world.missed(by, reason)
    assert said(told) == [("pager", "firing")]
    assert told[0][1].severity == "warning"
    assert said(world.ended("r1", Verdict.PASSED)) == [("pager", "resolved"), ("deadman", "passed")]
    assert world.episodes == {}


def test_a_night_that_is_made_up_for_wakes_nobody():
    world = World()
    assert world.missed("r1") == []
    assert world.missed("r1") == []
    assert world.later(HOUR) == []
    assert said(world.ended("r1", Verdict.PASSED)) == [("deadman", "passed")]
    assert world.episodes == {}


def test_a_weekend_that_one_run_makes_up_for_wakes_nobody_however_long_that_run_lasts():
    world = World()
    for _ in range(3):
        assert world.missed("r1") == []
    assert world.later(5 * HOUR - MINUTE) == []
    told = world.ended("r1")
    assert [n.about for r, n in told if r == "pager"] == [About.RUN]
    assert set(world.episodes) == {"restorecheck/run/orders-db"}


def test_a_night_that_was_made_up_for_by_a_run_that_failed_is_told_as_that_run():
    world = World()
    world.missed("r1")
    told = world.ended("r1")
    assert [(r, n.about) for r, n in told] == [("pager", About.RUN), ("deadman", About.RUN)]
    assert set(world.episodes) == {"restorecheck/run/orders-db"}


def test_a_night_that_is_not_made_up_for_in_time_is_told():
    world = World()
    world.missed("r1")
    assert world.ended("r0")  # another run of the same check
    assert world.later(4 * HOUR)  # of that one
    told = world.later(HOUR)
    assert said(told) == [("pager", "firing")]
    assert told[0][1].title == "orders-db: r1 was to make up for a missed time, and has not ended 5 h later"
    assert said(world.ended("r1")) == [("deadman", "firing")]  # it ends at last, and has not passed
    assert "restorecheck/missed/orders-db" in world.episodes
    assert [t for r, t in said(world.ended("r2", Verdict.PASSED)) if r == "pager"] == ["resolved", "resolved"]


def test_a_run_that_began_before_a_missed_time_does_not_end_that_it_was_missed():
    world = World()
    before = replace(report("r0", Verdict.PASSED), started=NOW - 2 * HOUR)
    world.proofs["r0"] = Ended(before)
    passed = {"run": "r0", "check": "orders-db", "verdict": "passed"}
    assert said(world.missed()) == [("pager", "firing")]
    assert said(world.decide(world.event("run-ended", **passed))) == [("deadman", "passed")]
    assert "restorecheck/missed/orders-db" in world.episodes
    assert said(world.ended("r1", Verdict.PASSED)) == [("pager", "resolved"), ("deadman", "passed")]


def test_a_run_that_began_before_a_missed_time_does_not_let_it_be_forgotten_that_it_is_to_be_made_up_for():
    world = World()
    world.proofs["r0"] = Ended(replace(report("r0", Verdict.PASSED), started=NOW - 2 * HOUR))
    world.missed("r1")
    world.decide(world.event("run-ended", run="r0", check="orders-db", verdict="passed"))
    assert said(world.later(5 * HOUR)) == [("pager", "firing")]  # r1 never ended


def test_a_time_that_is_known_late_as_missed_is_given_its_time_before_it_is_told():
    world = World()
    at = (NOW - 60 * HOUR).isoformat()  # a weekend in which nobody served
    event = world.event("run-missed", check="orders-db", scheduled_for=at, reason="down", caught_up_by="r1")
    assert world.decide(event) == []
    assert world.later(HOUR) == []
    assert world.episodes["restorecheck/missed/orders-db"].since == NOW - 60 * HOUR


# --- pauses, removals ------------------------------------------------------------------------------------------------


def test_a_pause_of_a_failing_check_is_told_and_silences_only_the_repeats():
    world = World()
    world.ended("r1")
    world.pauses["orders-db"] = Pause("orders-db", NOW)
    told = world.decide(world.event("check-paused", check="orders-db", until=None))
    assert [(r, n.about, n.turn) for r, n in told] == [("pager", About.PAUSED, Turn.TOLD)]
    assert world.later(40 * HOUR) == []
    del world.pauses["orders-db"]
    assert said(world.decide(world.event("check-resumed", check="orders-db"))) == [("pager", "repeated")]
    assert said(world.ended("r2", Verdict.PASSED))[0] == ("pager", "resolved")


@pytest.mark.parametrize(("until", "paused"), [(NOW + 40 * HOUR, True), (NOW + 2 * HOUR, False)], ids=["still", "over"])
def test_a_pause_ends_by_itself(until: Any, paused: bool):
    for world in (World(), World(config(replace(ORDERS, paused_until=until), USERS))):
        if world.config.checks[0].paused_until is None:
            world.pauses["orders-db"] = Pause("orders-db", NOW, until)
        world.ended("r1")
        assert bool(world.later(4 * HOUR)) is not paused


def test_a_pause_of_a_check_that_is_well_is_only_logged():
    world = World()
    assert world.decide(world.event("check-paused", check="orders-db", until=None)) == []
    world.missed("r1")
    assert world.decide(world.event("check-paused", check="orders-db", until=None)) == []


def test_a_failing_check_that_leaves_is_told_once_and_never_resolved():
    world = World()
    world.ended("r1")
    world.missed()
    world.config = config(USERS)
    told = world.decide()
    assert [(r, n.about, n.turn) for r, n in told] == [("pager", About.REMOVED, Turn.TOLD)]
    assert told[0][1].title.endswith("while it is broken and a time of its schedule was missed")
    assert world.later(10 * HOUR) == []
    assert len(world.episodes) == 2
    assert world.later(KEPT_REMOVED) == []
    assert world.episodes == {}


def test_a_check_that_comes_back_goes_on_where_it_was():
    world = World()
    world.ended("r1")
    for _ in range(3):  # replicas with an old and a new configuration take turns
        world.config = config(USERS)
        world.decide()
        world.config = config()
        assert world.decide() == []
    assert said(world.later(4 * HOUR)) == [("pager", "repeated")]
    assert said(world.ended("r2", Verdict.PASSED))[0] == ("pager", "resolved")


def test_a_quiet_trouble_of_a_check_that_leaves_goes_without_a_word():
    world = World()
    world.missed("r1")
    world.config = config(USERS)
    assert world.decide() == []
    assert world.later(KEPT_REMOVED) == []
    assert world.episodes == {}


# --- the service -----------------------------------------------------------------------------------------------------


def test_what_is_left_behind_is_told_to_who_cares_for_the_service_until_a_sweep_is_clean():
    world = World()
    told = world.decide(world.event("scratch-leaked", summary="2 pieces"))
    assert said(told) == [("pager", "firing"), ("hook", "firing")]
    assert world.decide(world.event("scratch-leaked", summary="2 pieces")) == []
    assert said(world.later(4 * HOUR)) == [("pager", "repeated"), ("hook", "repeated")]
    assert said(world.decide(world.event("sweep-clean"))) == [("pager", "resolved"), ("hook", "resolved")]
    assert world.decide(world.event("sweep-clean")) == []


def test_a_sweep_that_tripped_is_over_when_one_deletes_again():
    world = World()
    told = world.decide(world.event("sweep-tripped", why="12 of 14 have expired"))
    assert [(r, n.about) for r, n in told] == [("pager", About.SWEEP), ("hook", About.SWEEP)]
    told = world.decide(world.event("scratch-leaked", summary="1 piece"))
    assert [(n.about, n.turn) for r, n in told if r == "pager"] == [
        (About.SWEEP, Turn.RESOLVED), (About.LEAKED, Turn.FIRING),
    ]  # fmt: skip


def test_the_boss_is_not_told_of_the_service():
    world = World()
    for _ in range(5):
        assert "boss" not in [r for r, _ in world.decide(world.event("scratch-leaked", summary="2 pieces"))]


@pytest.mark.parametrize("topic", ["baseline-accepted", "check-resumed", "made-up"])
def test_what_is_only_logged_is_handled(topic: str):
    world = World()
    event = world.event(topic, check="orders-db")
    router = Router(world.config, Standing())
    assert router.decide([event], {}, NOW) == Routed(handled=(event.id,))
    assert (topic in TOPICS) is (topic != "made-up")


# --- receivers -------------------------------------------------------------------------------------------------------


def test_a_receiver_that_is_not_reached_is_told_to_the_others_until_it_is():
    world = World()
    world.pending["pager"] = Pending(2, NOW - LATE + MINUTE)
    assert world.decide() == []
    told = world.later(MINUTE)
    assert said(told) == [("hook", "firing")]
    assert told[0][1].severity == "critical"
    assert said(world.later(4 * HOUR)) == [("hook", "repeated")]
    world.pending.clear()  # given up: it waits no more, and has arrived nowhere
    assert world.later(HOUR) == []
    world.arrived["pager"] = world.now
    assert said(world.decide()) == [("hook", "resolved")]


def test_a_receiver_that_takes_some_and_refuses_one_is_not_well():
    world = World()
    world.pending["pager"] = Pending(1, NOW - LATE)
    world.decide()
    world.arrived["pager"] = NOW + MINUTE
    assert world.later(2 * MINUTE) == []
    assert world.episodes


def test_the_only_receiver_of_the_service_is_told_of_by_any_other_way():
    world = World(config(notify=Notify(service=("pager",))))
    world.pending["pager"] = Pending(1, NOW - HOUR)
    assert said(world.decide()) == [("boss", "firing"), ("hook", "firing")]


def test_a_heartbeat_that_is_not_reached_is_a_trouble_like_any():
    world = World()
    world.pending["deadman"] = Pending(9, NOW - HOUR)
    assert said(world.decide()) == [("pager", "firing"), ("hook", "firing")]


def test_a_receiver_that_leaves_before_it_was_reached_is_told_and_not_resolved():
    world = World()
    world.pending["pager"] = Pending(1, NOW - HOUR)
    world.decide()
    world.config = config(receivers=RECEIVERS[:2])
    told = world.decide()
    assert said(told) == [("hook", "told")]
    assert told[0][1].title == "the receiver pager left the configuration before what waits for it was told"
    assert world.later(HOUR) == []
    assert world.later(KEPT_REMOVED) == []
    assert world.episodes == {}


def test_replicas_that_do_not_know_the_same_receivers_do_not_contradict_each_other_round_by_round():
    world = World()
    world.pending["pager"] = Pending(1, NOW - HOUR)
    told = []
    for n in range(60):
        world.config = config(receivers=RECEIVERS[:2]) if n % 2 else config()
        told += world.later(MINUTE)
    assert said(told) == [("hook", "firing"), ("hook", "told")]
    world.config, world.pending, world.arrived["pager"] = config(), {}, world.now
    assert said(world.decide()) == [("hook", "resolved")]


def test_a_replica_that_does_not_know_a_check_keeps_nobody_from_hearing_of_it_again():
    world = World()
    world.ended("r1")
    told = []
    for n in range(1, 60):
        world.config = config(USERS) if n % 2 else config()
        told += world.later(5 * MINUTE)
    assert said(told) == [("pager", "told"), ("pager", "repeated")]


def test_what_nobody_could_be_told_is_told_as_soon_as_there_is_somebody():
    world = World(config(receivers=()))
    assert world.ended("r1") == []
    assert world.later(MINUTE) == []
    world.config = config()
    assert said(world.later(MINUTE)) == [("pager", "firing")]
    assert world.later(MINUTE) == []


# --- bugs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("run-ended", {}),
        ("run-ended", None),
        ("run-ended", []),
        ("run-missed", {"check": "orders-db", "scheduled_for": "yesterday"}),
        ("scratch-leaked", {}),
        ("run-began", "text"),
    ],
)
def test_an_event_that_cannot_be_told_is_told_as_that_and_keeps_nothing_waiting(topic: str, payload: Any):
    world = World()
    odd = replace(world.event(topic), payload=payload)
    told = world.decide(odd, world.event("sweep-tripped", why="much"))
    assert [(r, n.about, n.turn) for r, n in told if r == "hook"] == [
        ("hook", About.RECEIVER, Turn.TOLD), ("hook", About.SWEEP, Turn.FIRING),
    ]  # fmt: skip
    assert said(told).count(("pager", "told")) == 1
    assert set(world.episodes) == {"restorecheck/sweep"}


def test_a_bug_in_what_time_asks_for_keeps_nothing_that_happens_from_being_told():
    world = World()
    world.ended("r1")
    odd = world.episodes["restorecheck/run/orders-db"]
    world.episodes[odd.key] = replace(odd, told=odd.told.replace(tzinfo=None))  # as nothing of ours writes it
    told = world.decide(world.event("sweep-tripped", why="much"))
    assert said(told) == [("pager", "firing"), ("hook", "firing"), ("pager", "told"), ("hook", "told")]
    assert told[2][1].title.startswith("something happened that could not be told: what lasts")
    assert world.later(HOUR) == []
    assert said(world.later(24 * HOUR))[-2:] == [("pager", "told"), ("hook", "told")]


def test_a_run_that_got_another_verdict_after_all_is_told_as_that():
    world = World()
    world.ended("r1", Verdict.UNPROVEN)
    assert said(world.ended("r1")) == [("pager", "firing"), ("deadman", "firing")]
    assert said(world.ended("r1", Verdict.PASSED)) == [("pager", "resolved"), ("deadman", "passed")]
    assert said(world.ended("r2", Verdict.PASSED)) == [("deadman", "passed")]
    assert said(world.ended("r2")) == [("pager", "firing"), ("deadman", "firing")]


def test_what_is_to_be_sent_anyway_is_sent_first():
    made = report("r1")
    world = World()
    extra = Delivery("hook", world.ended("r1")[0][1])
    routed = Router(config(), Standing({"r1": Ended(made)}), [extra]).decide([], {}, NOW)
    assert routed == Routed(deliveries=(extra,))


# --- whatever happens ------------------------------------------------------------------------------------------------

RUNS = ("passed", "broken", "unproven")
MISSES = ("missed", "overlapped", "made up for")
ACTS = st.sampled_from([*RUNS, *MISSES, "time", "pause", "resume", "leave", "return"])
RUN_KEY, MISSED_KEY = "restorecheck/run/orders-db", "restorecheck/missed/orders-db"


def happens(world: World, n: int, act: str) -> list[tuple[str, Notice]]:
    if act in RUNS:
        return world.ended(f"r{n}", Verdict(act))
    if act in MISSES:
        by = f"r{n + 1}" if act == "made up for" else None
        return world.missed(by, act if act == "overlapped" else "down")
    if act == "pause":
        world.pauses["orders-db"] = Pause("orders-db", world.now)
        return world.decide(world.event("check-paused", check="orders-db", until=None))
    if act == "resume":
        world.pauses.pop("orders-db", None)
        return world.decide(world.event("check-resumed", check="orders-db"))
    if act in ("leave", "return"):
        world.config = config(USERS) if act == "leave" else config()
    return world.decide()


def believes(believed: dict[tuple[str, str], str], told: list[tuple[str, Notice]], act: str) -> None:
    """Hear what is told to people, and complain of what contradicts what they heard before."""
    for receiver, notice in told:
        held, state = (receiver, notice.key), notice.verdict or "missed"
        if receiver == "deadman" or notice.turn is Turn.TOLD:
            continue
        if notice.turn is Turn.FIRING:
            assert believed.get(held) != state
            believed[held] = state
        else:
            assert believed[held] == state
        if notice.turn is Turn.RESOLVED:
            assert act == "passed"
            del believed[held]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(ACTS, st.integers(0, 12 * 60)), max_size=30))
def test_whatever_happens_people_believe_what_is_true(acts: list[tuple[str, int]]):
    world = World()
    believed: dict[tuple[str, str], str] = {}  # receiver and key -> the verdict, or that it was missed
    failing, missed, there, left = "", False, True, False
    for n, (act, minutes) in enumerate(acts):
        world.now += minutes * MINUTE
        told = happens(world, n, act)
        believes(believed, told, act)
        failing = ("" if act == "passed" else act) if act in RUNS else failing
        missed = (missed or act in ("missed", "overlapped")) and act != "passed"
        there = act == "return" or (there and act != "leave")
        left = left or act == "leave"
        beats = [notice.turn.value for receiver, notice in told if receiver == "deadman"]
        assert beats == (["passed" if act == "passed" else "firing"] if there and act in RUNS else [])
        quiet = [e for e in world.episodes.values() if e.notice.turn is Turn.TOLD and not e.removed]
        assert all(world.now - e.told < 5 * HOUR for e in quiet), "nobody is left in the dark"
        assert act != "passed" or not world.episodes
        if not left:  # a check that left is forgotten after a day
            assert believed.get(("pager", RUN_KEY), "") == failing
            assert not missed or ("pager", MISSED_KEY) in believed
            assert act != "passed" or not believed
        believed = {held: state for held, state in believed.items() if held[1] in world.episodes}
