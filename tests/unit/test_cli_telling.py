"""`restorecheck notify`, and what `status` says of it: on a real store, with servers that take, refuse or hang."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from monitoring import Catcher, Posted, Reply, catching, nobody
from notified import Home, make_home, wide
from store_places import Place, episode, notice

from restorecheck.alerts.http import Http
from restorecheck.alerts.sender import Sender
from restorecheck.cli import telling
from restorecheck.engines.clock import WallClock
from restorecheck.model import Turn
from restorecheck.replica import LocalMembership
from restorecheck.store import Delivery, Routed, Store

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("template")).path


@pytest.fixture
def home(tmp_path: Path, template: Path) -> Home:
    return make_home(tmp_path, template)


@pytest.fixture
def hook() -> Iterator[Catcher]:
    with catching() as made:
        yield made


@pytest.fixture
def pager() -> Iterator[Catcher]:
    with catching() as made:
        yield made


@pytest.fixture
def two(home: Home, hook: Catcher, pager: Catcher) -> Home:
    home.receivers({"hook": ("webhook", hook.url), "pager": ("webhook", pager.url)})
    return home


def put(store: Store, receiver: str = "hook", turn: Turn = Turn.FIRING, n: int = 0, **more: object) -> None:
    delivery = Delivery(receiver, notice(turn, n=n, **more))
    store.notices.route(lambda *_: Routed(deliveries=(delivery,)))


@contextmanager
def served(home: Home) -> Iterator[None]:
    """Have a process in the register that serves and lives."""
    with home.store() as store:
        member = LocalMembership(store.replicas, home.path / "state" / "locks")
        member.join("serve")
        yield
        member.leave()


def acknowledging(path: str, body: bytes) -> Reply:
    del path
    id_ = json.loads(body)["alerts"][0]["annotations"]["notice_id"]
    return Reply(200, json.dumps({"acknowledged": id_}).encode())


def of_trials(posts: list[Posted]) -> list[tuple[str, str]]:
    alerts = [post.json["alerts"][0] for post in posts]
    return [(one["labels"]["alertname"], one["status"]) for one in alerts]


# --- how telling stands ----------------------------------------------------------------------------------------------


def test_where_nothing_was_ever_told_that_is_said(two: Home) -> None:
    said = two.asked("notify")
    assert said.code == 0
    assert said.out.count("nothing") == 4
    assert said.out.count("never") == 4
    assert "no trouble lasts" in said.out
    shown = two.asked("notify", "--json").json
    assert (shown["command"], shown["exit_code"], shown["troubles"]) == ("notify", 0, [])
    empty = {"waiting": 0, "oldest": None, "given_up": 0, "arrived": None, "proven": None}
    assert shown["receivers"] == [
        {"receiver": "hook", "type": "webhook", **empty},
        {"receiver": "pager", "type": "webhook", **empty},
    ]


def test_what_waits_was_given_up_or_acknowledged_is_shown_by_receiver(two: Home) -> None:
    with two.store() as store:
        for n, receiver in enumerate(["hook", "hook", "pager", "pager", "gone"]):
            put(store, receiver, n=n, check=f"check-{n}")
        dead, proven = (store.notices.claim("pager", "me", 60)) or []
        store.notices.give_up(dead.id, "me", reason="timeout", why="no answer")
        store.notices.delivered(proven.id, "me", acknowledged=True)
    shown = two.asked("notify", "--json").json["receivers"]
    assert [(r["receiver"], r["type"], r["waiting"], r["given_up"]) for r in shown] == [
        ("hook", "webhook", 2, 0),
        ("pager", "webhook", 0, 1),
        ("gone", None, 1, 0),
    ]
    assert [bool(r["oldest"]) for r in shown] == [True, False, True]
    assert abs(datetime.fromisoformat(shown[1]["proven"]) - datetime.now(UTC)) < timedelta(seconds=60)
    text = two.asked("notify").out
    assert "not configured" in text
    assert "1 in 7 days" in text
    assert [r["receiver"] for r in two.asked("notify", "pager", "--json").json["receivers"]] == ["pager"]


def test_troubles_are_shown_as_they_are_called_with_who_was_told(two: Home) -> None:
    one = replace(episode(title="orders-db is broken: [red]enough[/red]: 1 [/]"), since=NOW - timedelta(hours=3))
    quiet = replace(episode("users-db"), receivers=())
    with two.store() as store:
        store.notices.route(lambda *_: Routed(episodes=(one, quiet)))
    text = " ".join(two.asked("notify").out.split())
    said = r"since 3 h( \d+ min)?: " + re.escape("orders-db is broken: [red]enough[/red]: 1 [/] (told: ops)")
    assert re.search(said, text)  # NOW was when this module was read
    assert "(told: nobody yet)" in text
    found = two.asked("notify", "--json").json["troubles"]
    assert [(t["key"], t["about"], t["count"], t["receivers"]) for t in found] == [
        ("restorecheck/run/orders-db", "run", 1, ["ops"]),
        ("restorecheck/run/users-db", "run", 1, []),
    ]


def test_status_names_who_waits_and_that_troubles_last(two: Home) -> None:
    assert "notify" not in two.asked("status").out
    assert [two.asked("status", "--json").json["status"][key] for key in ("untold", "troubles")] == [[], 0]
    noted = replace(episode("users-db"), notice=notice(Turn.TOLD, "users-db"))
    with two.store() as store:
        put(store)
        store.notices.route(lambda *_: Routed(episodes=(episode(), noted)))
    text = " ".join(two.asked("status").out.split())
    assert "1 notice waits for hook, the oldest for " in text
    assert "`restorecheck notify` shows more" in text
    assert "1 trouble lasts: `restorecheck notify`" in text  # of what is only noted nobody is to be told yet
    seen = two.asked("status", "--json").json["status"]
    assert ([(one["receiver"], one["waiting"]) for one in seen["untold"]], seen["troubles"]) == ([("hook", 1)], 1)


# --- a trial ---------------------------------------------------------------------------------------------------------


def test_a_trial_that_all_take_says_so(two: Home, hook: Catcher, pager: Catcher) -> None:
    hook.behave = acknowledging
    said = two.asked("notify", "--test", "--json")
    assert (said.code, said.json["exit_code"]) == (0, 0)
    assert said.json["tried"] == [
        {"receiver": "hook", "type": "webhook", "arrived": True, "acknowledged": True, "reason": "", "why": ""},
        {"receiver": "pager", "type": "webhook", "arrived": True, "acknowledged": False, "reason": "", "why": ""},
    ]
    assert of_trials(hook.posts) == of_trials(pager.posts) == [("RestoreCheckTest", "firing")]
    shown = two.asked("notify", "--json").json["receivers"]
    assert [(bool(r["arrived"]), bool(r["proven"])) for r in shown] == [(True, True), (True, False)]


def test_one_that_refuses_is_named_and_tried_again(two: Home, hook: Catcher, pager: Catcher) -> None:
    pager.behave = lambda path, body: Reply(503)
    said = two.asked("notify", "--test")
    assert said.code == 3
    rows = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert "yes" in rows["hook"]
    assert "no " in rows["pager"]
    assert "server-error" in rows["pager"]
    assert "tried again" in said.prose
    [hooked, paged] = two.asked("notify", "--json").json["receivers"]
    assert (hooked["waiting"], paged["waiting"]) == (0, 1)


def test_what_a_receiver_said_is_printed_as_it_is(two: Home) -> None:
    with two.store() as store:
        put(store, "hook")
        [due] = store.notices.claim("hook", "me", 60)
        store.notices.give_up(due.id, "me", reason="rejected", why="[/oh] [bold]no[/bold]")
        fates = store.notices.fates([due.notice.id])
    fates.append(replace(fates[0], receiver="pager", reason="", why=""))
    with wide(), telling.out.capture() as printed:
        telling._told(two.load(), fates, ["hook"], 3, served=True, as_json=False)
    assert "rejected: [/oh] [bold]no[/bold]" in (text := printed.get())
    assert "another trial took its place" in text


def test_one_that_hangs_keeps_no_other_from_being_told(
    two: Home, hook: Catcher, pager: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PATIENCE", 3.0)
    monkeypatch.setitem(Http.__init__.__kwdefaults__, "deadline", 60.0)
    hook.behave = lambda path, body: Reply(manner="hang")
    began = time.monotonic()
    said = two.asked("notify", "--test", "--json")
    assert time.monotonic() - began < 40
    assert said.code == 3
    assert [(t["receiver"], t["arrived"], t["reason"]) for t in said.json["tried"]] == [
        ("hook", False, ""),
        ("pager", True, ""),
    ]
    assert len(pager.posts) == 1


def test_one_at_which_nobody_listens_is_named_without_its_address(home: Home, hook: Catcher) -> None:
    home.receivers({"hook": ("webhook", hook.url), "pager": ("webhook", f"{nobody()}/secret-key")})
    said = home.asked("notify", "pager", "--test")
    assert said.code == 3
    assert "refused" in said.out
    assert "secret-key" not in said.out + said.err
    assert hook.posts == []


@pytest.mark.parametrize("before", [Reply(200), Reply(404)])
def test_a_second_trial_does_not_wait_for_the_first(two: Home, hook: Catcher, before: Reply) -> None:
    with served(two):  # so that the first has an end to come
        hook.behave = lambda path, body: before
        assert two.asked("notify", "hook", "--test").code == (0 if before.status == 200 else 3)
        hook.behave = lambda path, body: Reply(200)
        said = two.asked("notify", "hook", "--test")
    assert said.code == 0, said.out
    assert of_trials(hook.posts) == [("RestoreCheckTest", "firing")] * 2


@pytest.mark.parametrize(
    ("receivers", "arguments", "message"),
    [
        ({}, ("--test",), "no receiver is declared"),
        ({"hook": "webhook", "pager": "webhook"}, ("--test", "hook", "bell"), "there is no receiver named bell"),
        ({"hook": "webhook"}, ("bell",), "there is no receiver named bell"),
        ({"alive": "heartbeat"}, ("--test",), "heartbeats are not tried"),
        ({"hook": "webhook", "alive": "heartbeat"}, ("--test", "alive"), "heartbeats are not tried"),
    ],
)
def test_what_cannot_be_tried_is_told_before_anything_is_sent(
    home: Home, hook: Catcher, receivers: dict[str, str], arguments: tuple[str, ...], message: str
) -> None:
    home.receivers({name: (type_, f"{hook.url}/{{check}}") for name, type_ in receivers.items()})
    said = home.asked("notify", *arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.prose
    assert "hint:" in said.prose
    assert home.asked("notify", *arguments, "--json").json["error"]["kind"] == "config"
    assert hook.posts == []


def test_without_a_receiver_it_is_said_that_nobody_is_told_and_what_lasts(home: Home) -> None:
    home.receivers({})
    with home.store() as store:
        store.notices.route(lambda *_: Routed(episodes=(episode(title="orders-db is broken"),)))
    said = home.asked("notify")
    assert said.code == 0
    assert "no receiver is declared, so nobody is told anything" in said.prose
    assert "orders-db is broken (told: " in said.out


def test_a_heartbeat_beside_others_is_left_out_and_said(home: Home, hook: Catcher) -> None:
    home.receivers({"hook": ("webhook", hook.url), "alive": ("heartbeat", f"{hook.url}/{{check}}")})
    said = home.asked("notify", "--test")
    assert said.code == 0
    assert "alive is a heartbeat: the ping of the next run proves it" in said.prose
    assert [post.path for post in hook.posts] == ["/"]


# --- beside a service ------------------------------------------------------------------------------------------------


def test_the_end_of_a_trial_is_left_to_a_service_and_to_nobody_else(two: Home, hook: Catcher) -> None:
    said = two.asked("notify", "hook", "--test")
    assert "nobody serves, so its end is not told" in said.prose
    assert turns(two) == ["firing"]
    with served(two):
        said = two.asked("notify", "hook", "--test")
    assert "in 5 minutes the service tells that the trial is over" in said.prose
    assert turns(two) == ["firing", "firing", "resolved"]
    seen = two.asked("notify", "--json").json["receivers"][0]
    assert seen["waiting"] == 0  # its time has not come


def turns(home: Home) -> list[object]:
    """Return what is kept of all notices, sent or not."""
    place = Place(home.load().state.store_url)
    return [turn for (turn,) in place.sql("SELECT turn FROM deliveries ORDER BY id")]


def test_a_service_may_be_the_one_that_sends_it(two: Home, hook: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours finds nothing to claim, as if the service were always quicker."""
    stop = threading.Event()
    with two.store() as store:
        other = Sender(store, WallClock(), "service", lambda *_, **__: None, lambda: pytest.fail("no topic"))
        config, rounds = two.load(), Sender.round

        def serve() -> None:
            while not stop.wait(0.02):
                rounds(other, config)

        monkeypatch.setattr(Sender, "round", lambda self, config: None)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            said = two.asked("notify", "--test", "--json")
        finally:
            stop.set()
            thread.join()
            assert other.settle(10)
    assert said.code == 0
    assert [t["arrived"] for t in said.json["tried"]] == [True, True]
    assert len(hook.posts) == 1


def test_the_command_itself_tries_a_receiver(two: Home, hook: Catcher) -> None:
    command = [sys.executable, "-m", "restorecheck", "notify", "hook", "--test", "-c", str(two.file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "yes" in ran.stdout) == (0, True), ran.stderr
    assert of_trials(hook.posts) == [("RestoreCheckTest", "firing")]
