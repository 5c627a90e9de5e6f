"""The sender, against a store in a file and receivers that misbehave, in virtual time: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alerts_fixtures import notice
from monitoring import Catcher, Reply, catching, nobody

from restorecheck.alerts.http import Http
from restorecheck.alerts.receivers.choosing import receiver_of
from restorecheck.alerts.receivers.interface import DeliveryError, Sent
from restorecheck.alerts.sender import LEASE, Sender, timer_of
from restorecheck.config.receivers import Alertmanager, AnyReceiver, Secret, Webhook
from restorecheck.errors import StoreError
from restorecheck.model import Notice, Turn
from restorecheck.store import Delivery, Routed, Store
from restorecheck.store.tables import TIMERS

BEGAN = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


class Hours:
    """One clock for the store and the sender: it stands still until somebody turns it."""

    def __init__(self) -> None:
        self.at = BEGAN.timestamp()

    def __call__(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def turn(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Fake:
    """A receiver that does as it is told: what it answers is taken from a script, whose last word is repeated."""

    script: list[Sent | Exception] = field(default_factory=lambda: [Sent(acknowledged=True)])
    sent: list[Notice] = field(default_factory=list)
    stood: list[list[Notice]] = field(default_factory=list)

    def _next(self) -> Sent:
        word = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(word, Exception):
            raise word
        return word

    def send(self, one: Notice) -> Sent:
        self.sent.append(one)
        return self._next()

    def resend(self, notices: Sequence[Notice]) -> Sent:
        self.stood.append(list(notices))
        return self._next()


@dataclass
class World:
    """A store, its clock, receivers, and what was told to the log."""

    store: Store
    hours: Hours
    receivers: tuple[AnyReceiver, ...] = ()
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    fakes: dict[str, Fake] = field(default_factory=dict)

    def make(self, declared: AnyReceiver) -> Any:
        if declared.name in self.fakes:
            return self.fakes[declared.name]
        http = Http(now=self.hours.now, deadline=60)
        return receiver_of(declared, lambda: pytest.fail("no topic here"), http=http, now=self.hours.now)

    def sender(self, me: str = "me", store: Any = None, draw: float = 1.0) -> Sender:
        def tell(event: str, **said: Any) -> None:
            self.told.append((event, said))

        fence: Any = None
        return Sender(store or self.store, self.hours, me, tell, fence, make=self.make, draw=lambda: draw)

    def put(self, *notices: Notice, to: Sequence[str] = ("hook",), after: float = 0) -> None:
        wait = timedelta(seconds=after)
        deliveries = tuple(Delivery(receiver, one, wait) for one in notices for receiver in to)
        self.store.notices.route(lambda *_: Routed(deliveries=deliveries))

    def round(self, sender: Sender) -> None:
        sender.round(self)  # type: ignore[arg-type] - all that it asks of a configuration
        assert sender.settle(20)

    def left(self) -> dict[str, int]:
        return {name: one.count for name, one in self.store.notices.pending().items()}

    def events(self, name: str) -> list[dict[str, Any]]:
        return [said for event, said in self.told if event == name]

    def fake(self, name: str, *script: Sent | Exception) -> Fake:
        self.receivers += (Webhook(name, Secret("http://127.0.0.1")),)
        self.fakes[name] = Fake(list(script) or [Sent(acknowledged=True)])
        return self.fakes[name]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    hours = Hours()
    store = Store.open(f"sqlite:///{tmp_path}/store.sqlite", clock=hours)
    yield World(store, hours)
    store.close()


@pytest.fixture
def catcher(world: World) -> Iterator[Catcher]:
    with catching() as made:
        world.receivers += (Webhook("hook", Secret(made.url)),)
        yield made


def users(turn: Turn = Turn.FIRING, number: int = 1) -> Notice:
    return notice(turn, number, id=f"users-db:{turn}:{number}", key="restorecheck/run/users-db", check="users-db")


# --- the ordinary case -----------------------------------------------------------------------------------------------


def test_what_is_due_is_sent_once_in_order_and_noted(world: World, catcher: Catcher):
    world.put(notice(), notice(Turn.REPEATED), notice(Turn.RESOLVED), users())
    sender = world.sender()
    for _ in range(3):
        world.round(sender)
    mine = [p.key for p in catcher.posts if "orders" in p.key]
    assert mine == [notice().id, notice(Turn.REPEATED).id, notice(Turn.RESOLVED).id]
    assert set(catcher.taken().values()) == {1}
    assert len(catcher.posts) == 4
    assert world.left() == {}
    assert [said["acknowledged"] for said in world.events("notice.sent")] == [False] * 4


def test_what_is_not_due_yet_is_not_sent_yet(world: World, catcher: Catcher):
    world.put(notice(), after=300)
    sender = world.sender()
    world.round(sender)
    assert catcher.posts == []
    world.hours.turn(301)
    world.round(sender)
    assert len(catcher.posts) == 1


def test_two_replicas_send_nothing_twice(world: World, catcher: Catcher):
    world.put(*(replace(notice(number=n), key=f"restorecheck/run/{n}") for n in range(20)))
    senders = [world.sender(me) for me in ("a", "b")]
    for sender in senders:
        sender.round(world)  # type: ignore[arg-type]
    assert all(sender.settle(20) for sender in senders)
    assert sorted(catcher.taken().values()) == [1] * 20


def test_what_a_receiver_proves_is_kept(world: World):
    world.fake("hook", Sent(acknowledged=True, said="one replica was out"))
    world.put(notice())
    world.round(world.sender())
    assert world.store.notices.proven() == {"hook": BEGAN}
    assert world.events("notice.sent")[0]["why"] == "one replica was out"


# --- receivers that misbehave ----------------------------------------------------------------------------------------


def test_one_that_hangs_keeps_no_other_waiting_and_is_asked_once(world: World, catcher: Catcher):
    with catching() as stuck:
        stuck.behave = lambda path, body: Reply(manner="hang")
        world.receivers = (Webhook("stuck", Secret(stuck.url)), *world.receivers)
        world.put(notice(), users(), to=("stuck", "hook"))
        sender = world.sender()
        sender.round(world)  # type: ignore[arg-type]
        stuck.wait(lambda posts: len(posts) == 1)
        catcher.wait(lambda posts: len(posts) == 2)  # and nobody has released the other one
        sender.round(world)  # type: ignore[arg-type]
        assert not sender.settle(0.05)
        assert len(stuck.posts) == 1
        stuck.behave = lambda path, body: Reply()
        stuck.released.set()
        assert sender.settle(20)
        world.hours.turn(6)
        world.round(sender)
        assert set(stuck.taken().values()) == {1}
        assert len(stuck.taken()) == 2
    assert world.left() == {}


def test_a_server_that_recovers_gets_everything_once(world: World, catcher: Catcher):
    answers = iter([Reply(500), Reply(503), Reply(manner="break")])
    catcher.behave = lambda path, body: next(answers, Reply())
    world.put(notice())
    sender = world.sender()
    for _ in range(30):
        world.round(sender)
        world.hours.turn(5)
    assert [p.reply.status for p in catcher.posts if not p.reply.manner] == [500, 503, 200]
    assert catcher.taken() == {notice().id: 1}
    assert [said["reason"] for said in world.events("notice.failed")] == ["server-error", "server-error", "refused"]
    counted = world.store.counters.all()
    assert counted["notifications_failed"] == {("hook", "server-error"): 2, ("hook", "refused"): 1}
    assert counted["notifications"] == {("hook",): 4}


def dated(world: World) -> str:
    return format_datetime(world.hours.now() + timedelta(seconds=600), usegmt=True)


@pytest.mark.parametrize("how", [lambda world: "600", dated])
def test_who_says_how_long_to_wait_is_left_alone_for_so_long_with_everything(
    world: World, catcher: Catcher, how: Callable[[World], str]
):
    catcher.behave = lambda path, body: Reply(429, headers={"Retry-After": how(world)})
    world.put(notice())
    sender = world.sender(draw=0.0)
    world.round(sender)
    world.put(users())
    for _ in range(59):
        world.hours.turn(10)
        world.round(sender)
    assert len(catcher.posts) == 1
    catcher.behave = lambda path, body: Reply()
    world.hours.turn(10)
    world.round(sender)
    assert catcher.taken() == {notice().id: 1, users().id: 1}


def test_an_hour_in_which_every_connection_is_refused_loses_nothing(world: World, catcher: Catcher, tmp_path: Path):
    address = tmp_path / "address"
    address.write_text(nobody())
    world.receivers += (Webhook("away", Secret(file=address)),)
    sender = world.sender(draw=0.5)
    world.put(notice(), users(), to=("away", "hook"))
    for minute in range(0, 60, 2):
        if minute == 30:
            world.put(notice(Turn.REPEATED, 2), notice(Turn.RESOLVED), to=("away", "hook"))
        world.round(sender)
        world.hours.turn(120)
    away = [said for said in world.events("notice.failed") if said["receiver"] == "away"]
    assert len(away) > 20
    assert {said["reason"] for said in away} == {"refused"}
    assert world.left() == {"away": 4}
    assert sum(catcher.taken().values()) == 4  # the other one heard of all at once
    catcher.posts.clear()
    address.write_text(catcher.url)
    for _ in range(6):
        world.round(sender)
        world.hours.turn(60)
    assert world.left() == {}
    assert set(catcher.taken().values()) == {1}
    order = [p.json["alerts"][0]["annotations"]["turn"] for p in catcher.posts if "orders" in p.key]
    assert order == ["firing", "repeated", "resolved"]


def test_after_a_day_nobody_tries_any_more_and_it_is_told(world: World):
    fake = world.fake("hook", DeliveryError("rejected", "http://127.0.0.1 answered 404", "mend the address"))
    world.put(notice())
    sender = world.sender()
    for minutes in [5] * 12 + [60] * 22 + [5] * 14:
        world.round(sender)
        world.hours.turn(60 * minutes)
    assert len(fake.sent) == 12 + 22 + 12 + 1  # every five minutes when somebody looks: a person may mend it
    [dead] = world.events("notice.dead")
    assert (dead["reason"], dead["hint"]) == ("rejected", "mend the address")
    assert world.left() == {}
    [given_up] = world.store.notices.dead(BEGAN)
    assert (given_up.receiver, given_up.reason, given_up.why) == ("hook", "rejected", "http://127.0.0.1 answered 404")


def test_a_bug_in_a_receiver_is_told_without_its_text_and_tried_no_oftener_than_it_may(world: World):
    fake = world.fake("hook", ValueError("s3cr3t"))
    world.put(notice())
    sender = world.sender()
    for _ in range(5):
        world.round(sender)
    assert len(fake.sent) == 1
    [said] = world.events("notice.failed")
    assert said["reason"] == "configuration"
    assert "ValueError" in said["why"]
    assert "s3cr3t" not in str(world.told)


# --- crashes and the store -------------------------------------------------------------------------------------------


class Failing:
    """A store of which one thing fails so many times; the rest is the real one."""

    def __init__(self, store: Store, what: str, times: int = 1) -> None:
        self._store, self._what, self.times = store, what, times
        self.timers, self.notices = store.timers, self

    def __getattr__(self, name: str) -> Any:
        if name == self._what and self.times:
            return self._fail
        return getattr(self._store.notices, name)

    def _fail(self, *args: Any, **more: Any) -> Any:
        self.times -= 1
        raise StoreError("the database went away")


def test_who_dies_between_sending_and_noting_has_it_sent_again_after_its_lease(world: World, catcher: Catcher):
    world.put(notice())
    world.round(world.sender("dies", Failing(world.store, "delivered")))
    assert world.events("notices.not-kept") == [{"receiver": "hook", "why": "the database went away"}]
    other = world.sender("other")
    world.round(other)
    assert len(catcher.posts) == 1
    world.hours.turn(LEASE + 1)
    world.round(other)
    world.round(other)
    assert [p.key for p in catcher.posts] == [notice().id] * 2  # by which the receiver knows it again
    assert world.left() == {}


def test_who_is_too_late_says_that_it_may_have_been_sent_twice(world: World):
    fake = world.fake("hook")
    world.put(notice())
    slow = world.sender("slow")

    def send(one: Notice) -> Sent:
        if not fake.sent:
            fake.sent.append(one)
            world.hours.turn(LEASE + 1)
            world.round(world.sender("quick"))
        else:
            fake.sent.append(one)
        return Sent(acknowledged=False)

    fake.send = send  # type: ignore[method-assign]
    world.round(slow)
    assert len(fake.sent) == 2
    assert len(world.events("notice.late")) == 1


def test_a_thread_whose_store_breaks_is_followed_by_another(world: World, catcher: Catcher):
    world.put(notice())
    broken = Failing(world.store, "claim", times=1)
    sender = world.sender(store=broken)
    world.round(sender)
    assert catcher.posts == []
    world.round(sender)
    assert len(catcher.posts) == 1


def test_a_receiver_that_cannot_even_be_made_is_told(world: World, catcher: Catcher):
    world.put(notice())
    sender = world.sender()
    sender._make = partial(int, "x")  # type: ignore[assignment]
    world.round(sender)
    [said] = world.events("notices.failed")
    assert said["receiver"] == "hook"
    assert world.left() == {"hook": 1}


# --- receivers that are gone -----------------------------------------------------------------------------------------


def test_what_waits_for_a_receiver_that_is_gone_is_given_up_but_not_before_others_may_know_it(world: World):
    world.put(notice(), to=("gone",))
    sender = world.sender()
    world.hours.turn(300)
    world.put(users(), to=("gone",))
    world.round(sender)
    assert world.left() == {"gone": 2}
    world.hours.turn(301)
    world.round(sender)
    assert world.left() == {"gone": 1}
    [dead] = world.events("notice.dead")
    assert (dead["receiver"], dead["reason"]) == ("gone", "configuration")
    world.hours.turn(600)
    world.round(sender)
    assert world.left() == {}


def test_who_does_not_know_a_receiver_gives_nothing_up_while_another_serves_who_may(world: World):
    world.store.replicas.join("other", "serve", "host", 1, "1")
    world.put(notice(), to=("gone",))
    sender = world.sender()
    for _ in range(23):
        world.hours.turn(3600)
        world.round(sender)
        assert world.left() == {"gone": 1}
        assert world.store.notices.receivers_with_work() == ["gone"]  # and it keeps the other from nothing
    world.hours.turn(3600)
    world.round(sender)
    assert world.left() == {}


def test_what_somebody_else_has_taken_meanwhile_is_no_trouble(world: World, monkeypatch: pytest.MonkeyPatch):
    world.put(notice(), to=("gone",))
    monkeypatch.setattr(world.store.notices, "pending", dict)
    world.round(world.sender())
    assert world.told == []


# --- what stands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pager(world: World) -> Fake:
    world.receivers += (Alertmanager("pager", ("http://127.0.0.1",)),)
    world.fakes["pager"] = Fake()
    return world.fakes["pager"]


def standing(world: World, *notices: Notice) -> None:
    """Make these stand: episodes that are open, and notices that arrived."""
    world.store.notices.route(
        lambda *_: Routed(
            episodes=tuple(_episode(one) for one in notices),
            deliveries=tuple(Delivery("pager", one) for one in notices),
        )
    )


def _episode(one: Notice) -> Any:
    from restorecheck.model import Episode  # noqa: PLC0415 - used here alone

    return Episode(one.key, one.about, one.check, one.since, one.count, one.at, ("pager",), one)


def test_what_stands_is_told_every_minute_by_one_replica(world: World, pager: Fake):
    standing(world, notice(), users())
    senders = [world.sender(me) for me in ("a", "b")]
    for _ in range(31):
        for sender in senders:
            world.round(sender)
        world.hours.turn(20)
    assert len(pager.sent) == 2
    assert 8 <= len(pager.stood) <= 11  # in ten minutes
    assert {tuple(one.check for one in stood) for stood in pager.stood} == {("orders-db", "users-db")}


def test_a_receiver_whose_name_is_as_long_as_it_may_be_has_a_timer_of_its_own():
    names = ["pager", "p" * 57, "p" * 58, "p" * 64, "p" * 63 + "q"]
    timers = [timer_of(name) for name in names]
    assert timers[0] == "resend:pager"
    assert len(set(timers)) == len(names)
    assert all(len(timer) <= TIMERS.c.name.type.length for timer in timers)


def test_where_nothing_stands_nothing_is_told(world: World, pager: Fake):
    sender = world.sender()
    for _ in range(5):
        world.round(sender)
        world.hours.turn(60)
    assert pager.stood == []


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (
            DeliveryError("refused", "http://127.0.0.1 refused the connection"),
            "http://127.0.0.1 refused the connection",
        ),
        (Sent(acknowledged=False, said="one replica was out"), "one replica was out"),
    ],
)
def test_that_it_did_not_work_is_told_and_tried_again(world: World, pager: Fake, word: Any, why: str):
    standing(world, notice())
    sender = world.sender()
    world.round(sender)
    pager.script = [word]
    world.hours.turn(61)
    world.round(sender)
    assert [said["why"] for said in world.events("notices.not-resent")] == [why]
    pager.script = [Sent(acknowledged=True)]
    world.hours.turn(61)
    world.round(sender)
    assert len(pager.stood) == 2


def test_one_that_cannot_tell_it_again_is_not_asked(world: World, pager: Fake):
    class Mute:
        def send(self, one: Notice) -> Sent:
            return Sent(acknowledged=False)

    standing(world, notice())
    world.fakes["pager"] = Mute()  # type: ignore[assignment]
    sender = world.sender()
    world.round(sender)
    world.hours.turn(61)
    world.round(sender)
    assert world.left() == {}


# --- one shot --------------------------------------------------------------------------------------------------------


def test_one_shot_sends_until_nothing_is_left(world: World, catcher: Catcher):
    world.put(notice(), users())
    assert world.sender().drain(world, 20) == {}  # type: ignore[arg-type]
    assert len(catcher.posts) == 2


def test_one_shot_says_what_is_left_when_the_time_is_up(world: World, catcher: Catcher):
    catcher.behave = lambda path, body: Reply(404)
    world.put(notice())
    assert world.sender().drain(world, 0.3) == {"hook": 1}  # type: ignore[arg-type]
    assert len(catcher.posts) == 1


def test_it_makes_receivers_itself(world: World, catcher: Catcher):
    world.put(notice())
    fence: Any = None
    sender = Sender(world.store, world.hours, "me", lambda event, **said: None, fence)
    world.round(sender)
    assert len(catcher.posts) == 1
