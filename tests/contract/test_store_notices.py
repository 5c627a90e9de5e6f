"""What must be told is decided once, in one transaction; and of each trouble every receiver is told in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from store_places import AT, Hands, Place, at_once, episode, notice

from restorecheck.errors import StoreError
from restorecheck.model import About, Episode, Notice, Symptom, Turn, Verdict
from restorecheck.store import Delivery, Due, Event, Fate, Pending, Routed, Store

pytest_plugins = ("store_fixtures",)


@pytest.fixture
def place(empty_place: Place) -> Place:
    return empty_place


def send(store: Store, *notices: Notice, to: Sequence[str] = ("ops",), **more: object) -> Routed:
    """Route so that these notices are to be sent."""
    deliveries = tuple(Delivery(receiver, one) for one in notices for receiver in to)
    return store.notices.route(lambda *_: Routed(deliveries=deliveries, **more))


def claimed(store: Store, receiver: str = "ops", me: str = "me", lease: float = 60, limit: int = 10) -> list[Due]:
    return store.notices.claim(receiver, me, lease, limit)


def arrive(store: Store, receiver: str = "ops", acknowledged: bool = True) -> list[Notice]:
    """Deliver all that can be delivered, one round of claims after the other."""
    arrived = []
    while due := claimed(store, receiver):
        for one in due:
            assert store.notices.delivered(one.id, "me", acknowledged=acknowledged)
            arrived.append(one.notice)
    return arrived


def states(place: Place) -> list[tuple[object, ...]]:
    return place.sql("SELECT notice_id, state FROM deliveries ORDER BY id")


# --- routing ----------------------------------------------------------------------------------------------------------


def test_what_is_decided_is_kept_whole(place: Place, store: Store) -> None:
    store.outbox.put("run-ended", "one", {"n": 1})
    store.outbox.put("run-ended", "two", {"n": 2})
    seen: list[tuple[list[Event], dict[str, Episode], datetime]] = []

    def decide(events: list[Event], episodes: dict[str, Episode], now: datetime) -> Routed:
        seen.append((events, episodes, now))
        return Routed(
            handled=(events[0].id,),
            episodes=(episode(),),
            deliveries=(Delivery("ops", notice()), Delivery("boss", notice())),
            counts=(("runs_told", 2, ("b",)), ("runs_told", 1, ("a",))),
        )

    routed = store.notices.route(decide)
    ((events, episodes, now),) = seen
    assert [e.key for e in events] == ["one", "two"]
    assert (episodes, routed.handled) == ({}, (events[0].id,))
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=60)
    other = place.open()
    assert other.notices.episodes() == [episode()]
    assert [e.key for e in other.outbox.pending()] == ["two"]
    assert other.counters.all() == {"runs_told": {("a",): 1.0, ("b",): 2.0}}
    assert other.notices.pending().keys() == {"ops", "boss"}


def test_a_notice_and_an_episode_come_back_whole(store: Store) -> None:
    full = notice(
        verdict=Verdict.BROKEN,
        about=About.RUN,
        kind="assertion-failed",
        symptoms=(Symptom("orders", "at least 1", 'odd \0 \ud800 é "', "too few"),),
        recovery_point="rds:orders-1",
        recovery_point_at=AT,
        last_pass=AT - timedelta(days=1, microseconds=1),
        hold=timedelta(hours=27, microseconds=3),
        owner="data team",
    )
    lasting = replace(episode(), notice=full, escalated=True, removed=True, receivers=("ops", "boss"))
    send(store, full, episodes=(lasting,))
    assert store.notices.episodes() == [lasting]
    assert [due.notice for due in claimed(store)] == [full]


def test_an_episode_is_replaced_and_closed_by_its_key(store: Store) -> None:
    send(store, episodes=(episode(), episode("users-db")))
    send(store, episodes=(episode(count=2),))
    assert store.notices.episodes() == [episode(count=2), episode("users-db")]
    send(store, closed=(episode().key,))
    assert store.notices.episodes() == [episode("users-db")]


def test_a_decision_that_fails_changes_nothing(place: Place, store: Store) -> None:
    store.outbox.put("run-ended", "one", {})
    send(store, notice(), episodes=(episode(),))

    def decide(*_: object) -> Routed:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.notices.route(decide)
    assert len(store.outbox.pending()) == 1
    bad = replace(notice(n=1), at="not a time")
    with pytest.raises(ValueError, match="not a time"):
        send(store, notice(n=2), bad, episodes=(episode(count=9),), closed=(episode().key,), handled=(1,))
    assert store.notices.episodes() == [episode()]
    assert len(store.outbox.pending()) == 1
    assert states(place) == [(notice().id, "pending")]


def test_what_the_store_cannot_keep_undoes_all_of_it(place: Place, store: Store) -> None:
    store.outbox.put("run-ended", "one", {})
    (event,) = store.outbox.pending()
    place.sql("ALTER TABLE counters RENAME TO elsewhere")
    try:
        with pytest.raises(StoreError):
            send(store, notice(), handled=(event.id,), episodes=(episode(),), counts=(("runs_told", 1, ()),))
    finally:
        place.sql("ALTER TABLE elsewhere RENAME TO counters")
    assert store.outbox.pending() == [event]
    assert (store.notices.episodes(), store.notices.pending()) == ([], {})


def test_events_come_in_the_order_in_which_they_happened_and_so_many_at_most(place: Place, store: Store) -> None:
    for n in range(4):
        store.outbox.put("t", str(n), {})
    place.sql("UPDATE outbox SET next_try = next_try + 86400 WHERE key = '0'")  # what an earlier release postponed
    seen: list[list[str]] = []

    def decide(events: list[Event], *_: object) -> Routed:
        seen.append([e.key for e in events])
        return Routed(handled=tuple(e.id for e in events))

    store.notices.route(decide, limit=3)
    store.notices.route(decide)
    assert seen == [["0", "1", "2"], ["3"]]
    assert store.notices.route(decide).handled == ()


def test_while_nothing_is_wanted_nobody_is_kept_waiting(place: Place, store: Store) -> None:
    send(store, episodes=(episode(),))
    asked: list[dict[str, Episode]] = []

    def decide(events: list[Event], episodes: dict[str, Episode], _: datetime) -> Routed:
        asked.append(episodes)
        return Routed(episodes=tuple(episodes.values()))  # as they are

    with place.open()._database.write():  # in SQLite nobody else can write now
        assert store.notices.route(decide) == Routed(episodes=(episode(),))
    assert asked == [{episode().key: episode()}]
    send(store, notice(Turn.REPEATED), episodes=(episode(count=2),))  # and a repeat needs no event
    assert store.notices.pending().keys() == {"ops"}


def test_of_those_who_route_at_once_each_event_is_handled_by_one(place: Place, store: Store) -> None:
    for n in range(12):
        store.outbox.put("t", str(n), {})

    def decide(events: list[Event], episodes: dict[str, Episode], _: datetime) -> Routed:
        some = events[:4]
        before = episodes[episode().key].count if episodes else 0
        return Routed(
            handled=tuple(e.id for e in some),
            episodes=(episode(count=before + len(some)),),
            deliveries=tuple(Delivery("ops", notice(n=int(e.key))) for e in some),
            counts=(("handled", len(some), ()),),
        )

    others = [place.open() for _ in range(3)]
    works = [lambda s=s: s.notices.route(decide).handled for s in others]
    handled = [event for some in at_once(*works) for event in some]
    assert len(handled) == len(set(handled)) == 12
    assert store.notices.episodes() == [episode(count=12)]
    assert store.notices.pending()["ops"].count == 12
    assert store.counters.all() == {"handled": {(): 12.0}}


def test_nobody_routes_while_another_does(place: Place, store: Store) -> None:
    store.outbox.put("t", "one", {})
    other, done = place.open(), threading.Event()
    seen: list[tuple[int, int]] = []

    def second(events: list[Event], episodes: dict[str, Episode], _: datetime) -> Routed:
        seen.append((len(events), len(episodes)))
        return Routed(closed=tuple(episodes))

    def wait_and_route() -> None:
        other.notices.route(second)
        done.set()

    thread = threading.Thread(target=wait_and_route)

    def first(events: list[Event], *_: object) -> Routed:
        thread.start()
        assert not done.wait(0.3)
        return Routed(handled=tuple(e.id for e in events), episodes=(episode(),))

    store.notices.route(first)
    thread.join(30)
    assert seen == [(0, 1)]
    assert store.notices.episodes() == []


def test_a_notice_is_sent_to_a_receiver_once_however_often_it_is_decided(place: Place, store: Store) -> None:
    send(store, notice(), notice())
    assert arrive(store) == [notice()]
    send(store, notice(), to=("ops", "boss"))
    assert claimed(store) == []
    assert [due.notice for due in claimed(store, "boss")] == [notice()]


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_what_is_claimed_is_whole_and_mine_alone(place: Place, store: Store) -> None:
    send(store, notice())
    (one,) = claimed(store)
    assert (one.notice, one.receiver, one.attempts, one.next_try) == (notice(), "ops", 0, one.created)
    other = place.open()
    assert claimed(other, me="you") == claimed(store) == []
    assert not other.notices.delivered(one.id, "you", acknowledged=True)
    assert not other.notices.failed(one.id, "you", reason="timeout", why="", after=0)
    assert not other.notices.give_up(one.id, "you", reason="timeout", why="")
    assert store.notices.delivered(one.id, "me", acknowledged=False)
    assert not store.notices.delivered(one.id, "me", acknowledged=False)
    assert not store.notices.failed(one.id, "me", reason="timeout", why="", after=0)
    assert store.notices.pending() == {}
    assert store.counters.all() == {"notifications": {("ops",): 1.0}}


def test_a_resolve_never_overtakes_what_it_resolves(place: Place, store: Store) -> None:
    send(store, notice(), notice(Turn.RESOLVED), notice(check="users-db"))
    first, other = claimed(store)
    assert (first.notice, other.notice) == (notice(), notice(check="users-db"))
    assert store.notices.failed(first.id, "me", reason="timeout", why="", after=300)
    assert store.notices.delivered(other.id, "me", acknowledged=True)
    assert claimed(store) == []  # its time has come, but not its turn
    place.later(300)
    (again,) = claimed(store)
    assert (again.notice, again.attempts) == (notice(), 1)
    assert claimed(store) == []
    store.notices.delivered(again.id, "me", acknowledged=True)
    assert [due.notice for due in claimed(store)] == [notice(Turn.RESOLVED)]


def test_what_one_receiver_refuses_keeps_no_other_waiting(store: Store) -> None:
    send(store, notice(), notice(Turn.RESOLVED), to=("ops", "boss"))
    (one,) = claimed(store)
    store.notices.failed(one.id, "me", reason="refused", why="", after=3600)
    assert arrive(store, "boss") == [notice(), notice(Turn.RESOLVED)]


def test_what_is_given_up_lets_the_next_have_its_turn(store: Store) -> None:
    send(store, notice(), notice(Turn.RESOLVED))
    (one,) = claimed(store)
    assert store.notices.give_up(one.id, "me", reason="rejected", why="404")
    assert arrive(store) == [notice(Turn.RESOLVED)]
    (dead,) = store.notices.dead(AT - timedelta(days=365))
    assert (dead.id, dead.receiver, dead.notice, dead.attempts) == (one.id, "ops", notice(), 1)
    assert (dead.reason, dead.why) == ("rejected", "404")
    assert store.notices.dead(dead.at - timedelta(milliseconds=1)) == [dead]
    assert store.notices.dead(dead.at + timedelta(seconds=1)) == []


def test_so_many_are_claimed_at_most_the_oldest_first(store: Store) -> None:
    notices = [notice(check=f"c{n}") for n in range(5)]
    send(store, *notices)
    assert [due.notice for due in claimed(store, limit=2)] == notices[:2]
    assert [due.notice for due in claimed(store)] == notices[2:]


def test_a_crash_between_claim_and_delivery_is_made_up_for_when_the_lease_is_over(place: Place, store: Store) -> None:
    send(store, notice())
    (lost,) = claimed(store, me="dead", lease=60)
    place.later(59)
    assert claimed(store) == []
    assert store.notices.receivers_with_work() == []
    place.later(1)
    assert store.notices.receivers_with_work() == ["ops"]
    (again,) = claimed(store)
    assert again.id == lost.id
    assert not store.notices.delivered(lost.id, "dead", acknowledged=True)  # who was only slow learns of it
    assert store.notices.delivered(again.id, "me", acknowledged=True)


def test_who_is_slow_but_was_not_replaced_has_delivered(place: Place, store: Store) -> None:
    send(store, notice())
    (one,) = claimed(store)
    place.later(120)
    assert store.notices.delivered(one.id, "me", acknowledged=True)
    assert claimed(store) == []


def test_of_those_who_claim_at_once_each_gets_what_no_other_has(place: Place, store: Store) -> None:
    for n in range(8):
        send(store, notice(check=f"c{n}"), notice(Turn.RESOLVED, f"c{n}"))

    def work(me: str) -> list[Notice]:
        mine, got = place.open(), []
        while due := claimed(mine, me=me, limit=3):
            for one in due:
                assert mine.notices.delivered(one.id, me, acknowledged=True)
                got.append(one.notice)
        return got

    shares = at_once(*[lambda me=f"r{n}": work(me) for n in range(3)])
    got = [one.id for share in shares for one in share]
    assert len(got) == len(set(got)) == 16
    assert store.notices.pending() == {}
    ended = place.sql("SELECT key, turn FROM deliveries ORDER BY key, ended, id")
    assert [turn for _, turn in ended] == ["firing", "resolved"] * 8
    assert store.counters.all() == {"notifications": {("ops",): 16.0}}


def test_a_failed_try_waits_and_says_why(place: Place, store: Store) -> None:
    send(store, notice())
    (one,) = claimed(store)
    assert store.notices.failed(one.id, "me", reason="server-error", why="500 \0 " + "x" * 9999, after=30)
    ((reason, why),) = place.sql("SELECT reason, why FROM deliveries")
    assert reason == "server-error"
    assert why == "500 \ufffd " + "x" * 494
    assert claimed(store) == []
    place.later(29)
    assert store.notices.receivers_with_work() == []
    place.later(1)
    (again,) = claimed(store)
    assert (again.attempts, again.created, again.id) == (1, again.created, one.id)
    assert again.next_try - again.created == pytest.approx(timedelta(seconds=30), abs=timedelta(seconds=20))
    assert store.notices.give_up(again.id, "me", reason="rejected", why="")
    assert store.counters.all() == {
        "notifications": {("ops",): 2.0},
        "notifications_failed": {("ops", "server-error"): 1.0, ("ops", "rejected"): 1.0},
    }


def test_what_arrives_at_last_forgets_why_it_failed(place: Place, store: Store) -> None:
    send(store, notice())
    (one,) = claimed(store)
    store.notices.failed(one.id, "me", reason="timeout", why="no answer", after=-5)  # at once
    assert arrive(store) == [notice()]
    assert place.sql("SELECT state, reason, why, attempts FROM deliveries") == [("delivered", None, None, 2)]


def test_a_delivery_may_have_to_wait_before_its_first_try(place: Place, store: Store) -> None:
    late = Delivery("ops", notice(), timedelta(minutes=5))
    store.notices.route(lambda *_: Routed(deliveries=(late,)))
    assert claimed(store) == []
    place.later(300)
    assert arrive(store) == [notice()]


def test_who_has_work_is_known_by_any_clock(place: Place, store: Store) -> None:
    assert store.notices.receivers_with_work() == []
    send(store, notice(), notice(Turn.RESOLVED), to=("ops", "boss", "quiet"))
    arrive(store, "quiet")
    assert store.notices.receivers_with_work() == ["boss", "ops"]
    (one,) = claimed(store)
    store.notices.failed(one.id, "me", reason="timeout", why="", after=300)
    assert store.notices.receivers_with_work() == ["boss"]
    soon = datetime.now(UTC) + timedelta(seconds=400)
    assert store.notices.receivers_with_work(soon) == ["boss", "ops"]


def test_a_clock_that_was_set_back_holds_nothing_up(place: Place, store: Store) -> None:
    send(store, notice(), notice(check="users-db"))
    (one,) = claimed(store, limit=1)
    place.later(-7200)  # all of it lies ahead now, also the end of a claim whose owner is dead
    assert store.notices.receivers_with_work() == ["ops"]
    assert [due.id for due in claimed(store, me="you")] == [one.id, one.id + 1]


def test_a_clock_that_was_set_back_lets_nobody_be_tried_again_and_again(place: Place, store: Store) -> None:
    send(store, notice())
    place.later(-7200)
    (one,) = claimed(store)
    assert store.notices.failed(one.id, "me", reason="refused", why="no", after=300)
    assert store.notices.receivers_with_work() == []
    assert claimed(store) == []
    place.later(-7200 + 301)
    assert len(claimed(store)) == 1


def test_what_nobody_can_read_keeps_what_comes_after_it_in_reach(place: Place, store: Store) -> None:
    send(store, *(notice(check=f"db-{n}") for n in range(25)))
    place.sql("""UPDATE deliveries SET notice = '{}' WHERE key <> 'restorecheck/run/db-24'""")
    assert [due.notice.check for due in claimed(store, limit=1)] == ["db-24"]


def test_a_lease_has_an_end(place: Place, store: Store) -> None:
    send(store, notice())
    claimed(store, me="dead", lease=1e9)
    place.later(601)
    assert len(claimed(store)) == 1


# --- what is worth nothing any more -----------------------------------------------------------------------------------


def test_a_repeat_is_superseded_by_a_newer_one_and_nothing_else_is(place: Place, store: Store) -> None:
    fire, resolve, told = notice(), notice(Turn.RESOLVED), notice(Turn.TOLD)
    again = [notice(Turn.REPEATED, n=n) for n in range(3)]
    other = notice(Turn.REPEATED, "users-db")
    send(store, fire, again[0], other)
    send(store, again[0], to=("boss",))
    send(store, again[1])
    assert states(place) == [
        (fire.id, "pending"),
        (again[0].id, "superseded"),
        (other.id, "pending"),
        (again[0].id, "pending"),  # somebody else's
        (again[1].id, "pending"),
    ]
    send(store, again[2], resolve, notice(n=1), told)
    assert arrive(store) == [fire, other, again[2], resolve, notice(n=1), told]
    assert arrive(store, "boss") == [again[0]]


@pytest.mark.parametrize("newer", [Turn.BEGAN, Turn.PASSED, Turn.FIRING])
def test_the_start_of_a_run_that_has_ended_is_not_told(store: Store, newer: Turn) -> None:
    send(store, notice(Turn.BEGAN), notice(Turn.BEGAN, "users-db"))
    send(store, notice(newer, n=1))
    assert arrive(store) == [notice(Turn.BEGAN, "users-db"), notice(newer, n=1)]


@pytest.mark.parametrize("end", [Turn.PASSED, Turn.FIRING])
def test_an_end_is_told_whatever_comes_after_it(store: Store, end: Turn) -> None:
    send(store, notice(end))
    send(store, notice(Turn.BEGAN), notice(Turn.PASSED, n=1), notice(Turn.FIRING, n=1))
    assert arrive(store) == [notice(end), notice(Turn.PASSED, n=1), notice(Turn.FIRING, n=1)]


def test_what_is_being_sent_is_not_superseded_before_it_is_known_how_that_went(place: Place, store: Store) -> None:
    began, passed = notice(Turn.BEGAN), notice(Turn.PASSED)
    send(store, began)
    (sending,) = claimed(store)
    send(store, passed)
    assert claimed(store) == []  # the start could arrive after the end
    assert store.notices.failed(sending.id, "me", reason="timeout", why="", after=3600)
    assert states(place) == [(began.id, "superseded"), (passed.id, "pending")]
    assert arrive(store) == [passed]


def test_what_a_crashed_sender_had_claimed_is_superseded_when_its_lease_is_over(place: Place, store: Store) -> None:
    again = [notice(Turn.REPEATED, n=n) for n in range(2)]
    send(store, again[0])
    (lost,) = claimed(store, me="dead")
    send(store, again[1])
    place.later(60)
    assert arrive(store) == [again[1]]
    assert not store.notices.delivered(lost.id, "dead", acknowledged=True)
    assert states(place) == [(again[0].id, "superseded"), (again[1].id, "delivered")]


# --- what is known of it ----------------------------------------------------------------------------------------------


def test_what_waits_is_known_by_receiver(place: Place, store: Store) -> None:
    send(store, notice(), to=("ops", "boss"))
    place.later(600)
    send(store, notice(Turn.RESOLVED))
    arrive(store, "boss")
    (waits,) = store.notices.pending().items()
    assert waits[0] == "ops"
    assert waits[1].count == 2
    age = datetime.now(UTC) - waits[1].oldest
    assert timedelta(seconds=599) < age < timedelta(seconds=660)
    assert isinstance(waits[1], Pending)


def test_what_proves_a_receiver_is_the_newest_that_it_acknowledged(place: Place, store: Store) -> None:
    assert store.notices.proven() == {}
    send(store, notice(), to=("ops", "boss", "deaf"))
    arrive(store)
    arrive(store, "boss")
    arrive(store, "deaf", acknowledged=False)
    place.later(3600)
    first = store.notices.proven()
    assert first.keys() == {"ops", "boss"}
    assert store.notices.arrived().keys() == {"ops", "boss", "deaf"}
    send(store, notice(n=1), notice(n=1, check="users-db"), to=("ops", "boss"))
    arrive(store)
    arrive(store, "boss", acknowledged=False)
    second = store.notices.proven()
    assert second["boss"] == first["boss"]
    assert second["ops"] - first["ops"] > timedelta(seconds=3590)
    arrived = store.notices.arrived()
    assert arrived["ops"] == second["ops"]
    assert arrived["boss"] > second["boss"]


def test_what_became_of_a_notice_is_known_by_receiver(store: Store) -> None:
    send(store, notice(), notice(check="users-db"), to=("ops", "boss", "chat", "mail"))
    arrive(store, "boss")
    (failing, _), (dead, _) = claimed(store, "ops"), claimed(store, "mail")
    store.notices.failed(failing.id, "me", reason="timeout", why="no answer", after=60)
    store.notices.give_up(dead.id, "me", reason="rejected", why="404")
    this = notice().id
    assert store.notices.fates([this, "unknown"]) == [
        Fate(this, "boss", arrived=True, acknowledged=True, ended=True, reason="", why=""),
        Fate(this, "chat", arrived=False, acknowledged=False, ended=False, reason="", why=""),
        Fate(this, "mail", arrived=False, acknowledged=False, ended=True, reason="rejected", why="404"),
        Fate(this, "ops", arrived=False, acknowledged=False, ended=False, reason="timeout", why="no answer"),
    ]


def test_what_stands_is_the_newest_that_arrived_of_every_open_episode(store: Store) -> None:
    def standing(receiver: str = "ops") -> list[Notice]:
        return store.notices.standing(receiver, timedelta(minutes=15))

    assert standing() == []
    send(
        store,
        notice(),
        notice(check="users-db"),
        notice(Turn.TOLD, "c"),
        episodes=(episode(), episode("users-db"), episode("c")),
    )
    assert standing() == []  # nothing has arrived
    arrive(store)
    assert standing() == [notice(), notice(check="users-db")]
    assert standing("boss") == []
    send(store, notice(Turn.REPEATED))
    assert standing() == [notice(), notice(check="users-db")]
    arrive(store)
    assert standing() == [notice(Turn.REPEATED), notice(check="users-db")]


def test_a_resolve_stands_for_a_while(place: Place, store: Store) -> None:
    def standing() -> list[Notice]:
        return store.notices.standing("ops", timedelta(minutes=15))

    send(store, notice(), episodes=(episode(),))
    arrive(store)
    send(store, notice(Turn.RESOLVED), closed=(episode().key,))
    assert standing() == []  # what is not told as wrong any more, and not yet as right
    arrive(store)
    assert standing() == [notice(Turn.RESOLVED)]
    place.later(840)
    assert standing() == [notice(Turn.RESOLVED)]
    place.later(120)
    assert standing() == []


def test_a_resolve_is_not_said_again_once_it_is_wrong_again(store: Store) -> None:
    def standing() -> list[Notice]:
        return store.notices.standing("ops", timedelta(minutes=15))

    send(store, notice(), episodes=(episode(),))
    arrive(store)
    send(store, notice(Turn.RESOLVED), closed=(episode().key,))
    arrive(store)
    send(store, notice(n=1), episodes=(episode(),))
    assert standing() == []
    arrive(store)
    assert standing() == [notice(n=1)]
    send(store, notice(Turn.RESOLVED, n=1), notice(n=2), closed=(episode().key,))
    (one,) = claimed(store)
    store.notices.delivered(one.id, "me", acknowledged=True)
    assert standing() == []  # the next is under way


def test_what_is_to_be_sent_later_waits_only_from_then_on(place: Place, store: Store) -> None:
    later = Delivery("ops", notice(), timedelta(minutes=5))
    store.notices.route(lambda *_: Routed(deliveries=(later,)))
    assert (store.notices.pending(), claimed(store)) == ({}, [])
    place.later(300)
    assert store.notices.pending()["ops"].count == 1
    [one] = claimed(store)
    store.notices.failed(one.id, "me", reason="timeout", why="", after=300)
    assert store.notices.pending()["ops"].count == 1  # it has been tried: it waits, though its next turn is to come


def test_what_replaces_a_key_ends_what_waits_of_it_and_nothing_else(place: Place, store: Store) -> None:
    old, sending, other = notice(), notice(Turn.RESOLVED), notice(check="users-db")
    send(store, sending, to=("boss",))
    [held] = claimed(store, "boss")
    send(store, old, other, to=("ops",))
    new = notice(n=1)
    send(store, new, to=("ops", "boss"), replaced=(new.key,))
    assert [due.notice for due in claimed(store)] == [other, new]
    assert claimed(store, "boss") == []  # what is being sent comes first
    assert store.notices.delivered(held.id, "me", acknowledged=True)
    assert [due.notice for due in claimed(store, "boss")] == [new]
    assert states(place)[:3] == [(sending.id, "delivered"), (old.id, "superseded"), (other.id, "pending")]
    store.notices.route(lambda *_: Routed(replaced=(new.key,)))
    assert states(place)[-1][1] == "pending"  # somebody is sending it


# --- what another release wrote, and what may be forgotten ------------------------------------------------------------


def test_what_a_newer_release_wrote_is_left_to_it(place: Place, store: Store) -> None:
    send(store, notice(check="a"), notice(check="b"), episodes=(episode("a"), episode("b")))
    newer = "REPLACE(CAST({0} AS TEXT), '\"run\"', '\"moon\"')"
    cast = "" if place.sqlite else "::json"
    for table, column, key in (("deliveries", "notice", "a"), ("episodes", "episode", "a")):
        place.sql(f"UPDATE {table} SET {column} = {newer.format(column)}{cast} WHERE key = 'restorecheck/run/{key}'")
    assert store.notices.episodes() == [episode("b")]
    assert [due.notice for due in claimed(store)] == [notice(check="b")]
    assert store.notices.pending()["ops"].count == 2  # and its age is seen


def test_old_deliveries_are_forgotten_but_never_what_stands_proves_or_waits(place: Place, store: Store) -> None:
    send(store, notice(), notice(Turn.REPEATED), notice(check="users-db"), episodes=(episode(), episode("users-db")))
    arrive(store)
    send(store, notice(check="gone"), notice(Turn.RESOLVED, "gone"), notice(Turn.TOLD))
    arrive(store, acknowledged=False)
    send(store, notice(check="dead"), notice(Turn.REPEATED, "dead"), to=("boss",))
    send(store, notice(Turn.REPEATED, "dead", 1), to=("boss",))
    (one,) = claimed(store, "boss")
    store.notices.give_up(one.id, "me", reason="rejected", why="")
    counted = store.counters.all()
    before = datetime.now(UTC) - timedelta(days=90)
    store.prune(before)
    assert len(states(place)) == 9  # all of it is young
    place.later(100 * 86400)
    proven, arrived = store.notices.proven(), store.notices.arrived()
    store.prune(before)
    assert states(place) == [
        (notice(Turn.REPEATED).id, "delivered"),
        (notice(check="users-db").id, "delivered"),
        (notice(Turn.RESOLVED, "gone").id, "delivered"),  # the newest that arrived
        (notice(Turn.REPEATED, "dead", 1).id, "pending"),
    ]
    assert (store.notices.proven(), store.counters.all()) == (proven, counted)
    assert len(store.notices.standing("ops", timedelta(minutes=15))) == 2

    send(store, closed=(episode().key, episode("users-db").key))
    store.prune(before)
    assert [state for _, state in states(place)] == ["delivered", "delivered", "pending"]  # one proves, one arrived
    assert (store.notices.proven(), store.notices.arrived()) == (proven, arrived)


def test_in_sqlite_leases_go_by_the_clock_that_was_given(place: Place) -> None:
    clock = Hands(AT.timestamp())
    store = place.open(clock)
    send(store, notice())
    assert len(claimed(store, lease=60)) == 1
    clock.now += 60
    assert len(claimed(store, lease=60)) == (1 if place.sqlite else 0)  # PostgreSQL has a clock of its own
