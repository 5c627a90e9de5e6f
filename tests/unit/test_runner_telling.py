"""What `restorecheck run` tells of its runs before it ends, and what it does when it cannot. The runs are made up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from demo_world import until
from monitoring import Catcher, Reply, catching, nobody
from notified import Home, Said, make_home
from store_places import Place, report

from restorecheck import runner as running
from restorecheck.alerts.http import Http
from restorecheck.alerts.sender import Sender
from restorecheck.alerts.telling import Telling, trials
from restorecheck.cli import running as command
from restorecheck.engines.clock import WallClock
from restorecheck.engines.dbos import BrokenOff, Taken
from restorecheck.errors import StoreError
from restorecheck.model import Verdict
from restorecheck.runner import Runner
from restorecheck.store import Routed, Store

PASSED, BROKEN, UNPROVEN = Verdict.PASSED, Verdict.BROKEN, Verdict.UNPROVEN


@dataclass
class Engine:
    """Ends every run at once with the verdict that the test wants."""

    verdict: Verdict = PASSED
    store: Store | None = None
    runs: list[str] = field(default_factory=list)

    def take(self, run_id: str) -> Taken:
        assert self.store is not None
        ended = report(run_id.rpartition("-")[0], len(self.runs), self.verdict)
        self.store.proofs.save(replace(ended, run_id=run_id))
        self.runs.append(run_id)
        return Taken.BEGUN

    def here(self) -> set[str]:
        return set()

    def broken_off(self, run_id: str) -> BrokenOff | None:
        return None

    def start(self) -> None:
        """Nothing has to be started."""

    close = start


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("template")).path


@pytest.fixture
def home(tmp_path: Path, template: Path) -> Home:
    return make_home(tmp_path, template)


@pytest.fixture
def hook(home: Home) -> Iterator[Catcher]:
    with catching() as made:
        home.receivers({"hook": ("webhook", made.url)}, told=("hook",))
        yield made


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()

    def of(runner: Runner, membership: Any) -> Engine:
        del membership
        made.store = runner.store
        return made

    monkeypatch.setattr(Runner, "_engine", of)
    monkeypatch.setattr(command, "cancel_on_signals", lambda runner: None)
    return made


def ran(home: Home, *arguments: str) -> Said:
    return home.asked("run", "orders-db", *arguments)


def told(hook: Catcher) -> list[tuple[str, str, str]]:
    alerts = [post.json["alerts"][0] for post in hook.posts]
    return [(a["labels"]["alertname"], a["labels"].get("verdict", ""), a["status"]) for a in alerts]


def test_a_failing_night_is_told_and_the_next_good_one_is_its_end(home: Home, hook: Catcher, engine: Engine) -> None:
    assert (ran(home).code, told(hook)) == (0, [])
    engine.verdict = BROKEN
    assert ran(home).code == 1
    failed = ("RestoreCheckFailed", "broken", "firing")
    assert told(hook) == [failed]
    engine.verdict = PASSED
    said = ran(home)
    assert (said.code, "told" in said.err) == (0, False)
    assert told(hook) == [failed, ("RestoreCheckFailed", "broken", "resolved")]
    assert {post.json["alerts"][0]["labels"]["check"] for post in hook.posts} == {"orders-db"}
    with home.store() as store:
        assert (store.notices.pending(), store.notices.episodes()) == ({}, [])


def test_what_a_run_by_hand_has_to_say_is_no_part_of_its_object(home: Home, hook: Catcher, engine: Engine) -> None:
    engine.verdict = UNPROVEN
    said = ran(home, "--json")
    assert (said.code, said.json["exit_code"]) == (3, 3)
    assert [one["verdict"] for one in said.json["reports"]] == ["unproven"]
    assert told(hook) == [("RestoreCheckFailed", "unproven", "firing")]


@pytest.mark.parametrize("verdict", [PASSED, BROKEN])
def test_a_heartbeat_hears_of_the_start_or_at_least_of_the_end(home: Home, engine: Engine, verdict: Verdict) -> None:
    with catching() as made:
        home.receivers({"alive": ("heartbeat", f"{made.url}/{{check}}")}, told=("alive",))
        engine.verdict = verdict
        ran(home)
        paths = [post.path.partition("?")[0] for post in made.posts]
    assert paths[-1] == ("/orders-db" if verdict is PASSED else "/orders-db/fail")
    assert set(paths[:-1]) <= {"/orders-db/start"}


def test_who_hangs_is_named_and_makes_no_run_longer_than_it_may(
    home: Home, hook: Catcher, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.TELLING <= 15
    monkeypatch.setattr(running, "TELLING", 0.5)
    monkeypatch.setitem(Http.__init__.__kwdefaults__, "deadline", 60.0)
    hook.behave = lambda path, body: Reply(manner="hang")
    engine.verdict = BROKEN
    began = time.monotonic()
    said = ran(home)
    assert time.monotonic() - began < 40  # the receiver itself would be waited for a minute
    assert said.code == 1
    assert "hook could not be told yet: 1 notice waits for it; `restorecheck notify` shows more" in said.prose


def test_what_could_not_be_told_is_told_by_the_next_run(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TELLING", 0.3)
    home.receivers({"hook": ("webhook", nobody())}, told=("hook",))
    engine.verdict = BROKEN
    assert "1 notice waits" in ran(home).prose
    with catching() as hook:
        home.receivers({"hook": ("webhook", hook.url)}, told=("hook",))
        place = Place(home.load().state.store_url)
        until(lambda: place.sql("SELECT attempts FROM deliveries WHERE claimed_by IS NULL") == [(1,)])
        place.sql("UPDATE deliveries SET next_try = 0, created = created - 60")
        monkeypatch.setattr(running, "TELLING", 15.0)
        engine.verdict = PASSED
        assert "told" not in ran(home).prose
        assert [status for _, _, status in told(hook)] == ["firing", "resolved"]


def test_the_end_of_a_trial_that_is_to_come_keeps_no_run_waiting(
    home: Home, hook: Catcher, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TELLING", 60.0)
    with home.store() as store:
        drafts = trials(home.load(), WallClock().now())
        store.notices.route(lambda *_: Routed(deliveries=drafts))
    began = time.monotonic()
    said = ran(home)
    assert time.monotonic() - began < running.TELLING / 2
    assert "told" not in said.prose
    assert told(hook) == [("RestoreCheckTest", "", "firing")]


def test_an_alertmanager_is_told_again_what_stands_by_each_run(home: Home, engine: Engine) -> None:
    """Also if the run has nothing new to say: it may have lost what it was told."""

    def slow(path: str, body: bytes) -> Reply:
        time.sleep(0.3)
        return Reply(200, b"[]")

    with catching() as made:
        home.receivers({"am": ("alertmanager", made.url)}, told=("am",))
        engine.verdict = BROKEN
        ran(home)
        Place(home.load().state.store_url).sql("DELETE FROM timers")  # a minute later
        made.posts.clear()
        made.behave = slow
        assert ran(home).code == 1
        again = [post.json for post in made.posts if post.method == "POST"]
    assert [[alert["labels"]["alertname"] for alert in alerts] for alerts in again] == [["RestoreCheckFailed"]]


def test_without_receivers_nothing_is_sent_and_nothing_is_news_to_the_first(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as alone:
        alone.setattr(Sender, "round", lambda *_: pytest.fail("there is nobody to send to"))
        engine.verdict = BROKEN
        said = ran(home)
        assert (said.code, "told" in said.prose) == (1, False)
    with catching() as hook:
        home.receivers({"hook": ("webhook", hook.url)}, told=("hook",))
        engine.verdict = PASSED
        ran(home)
        assert hook.posts == []


WHY = {StoreError: "the store cannot be reached", KeyError: "KeyError at "}


@pytest.mark.parametrize("why", [StoreError("the store cannot be reached"), KeyError("row")])
def test_that_nobody_could_be_told_hides_no_verdict(
    home: Home, hook: Catcher, engine: Engine, why: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise why

    monkeypatch.setattr(Telling, "round", fails)
    engine.verdict = BROKEN
    said = ran(home)
    assert said.code == 1
    assert "broken" in said.out
    assert f"nobody could be told: {WHY[type(why)]}" in said.prose
    assert "'row'" not in said.prose
    assert hook.posts == []
    with home.store() as store:
        assert [event.topic for event in store.outbox.pending()][-1] == "run-ended"
