"""The figures of a serving process: always an answer, and soon, whatever the store does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from demo_world import until
from journal import SkipClock
from metrics_world import NOW, configured, files, fill
from store_places import sqlite_place

from restorecheck.errors import StoreError
from restorecheck.fence.traffic import Counted
from restorecheck.metrics import derived
from restorecheck.metrics.standing import Facts, Look
from restorecheck.service import measuring
from restorecheck.service.measuring import Measuring
from restorecheck.service.patience import Patient
from restorecheck.service.serving import Service

CONFIG = """
endpoint_url = "http://127.0.0.1:1"
[source_accounts.production]
id = "111111111111"
role = "arn:aws:iam::111111111111:role/restorecheck"
regions = ["eu-central-1"]
[scratch_accounts.lab]
id = "222222222222"
role = "arn:aws:iam::222222222222:role/restorecheck"
[scratch_accounts.lab.regions.eu-central-1]
bucket = "scratch"
"""
CHECK = """
[check]
name = "files"
rpo = "400d"
rto = "2h"
schedule = "0 3 1 1 *"
restores = true
[source]
type = "s3-objects"
account = "production"
region = "eu-central-1"
bucket = "invoices"
[scratch]
account = "lab"
"""


class Desk:
    """One Measuring, and what it reads."""

    def __init__(self, home: Path, patience: float = 5.0) -> None:
        counted = Counted({"rds:DescribeDBInstances": 4}, {("rds:DescribeDBInstances", "throttled"): 1})
        config = configured(home)
        self.current: Any = SimpleNamespace(config=config, wrong="", loaded_at=NOW, counted=lambda: counted)
        self.health: Any = SimpleNamespace(ticked=None)
        self.measuring = Measuring(self.current, self.health, SkipClock(NOW), patience)

    def values(self) -> dict[str, dict[tuple[str, ...], float]]:
        return {metric.name: dict(values) for metric, values in self.measuring.figures()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    place = sqlite_place(tmp_path)
    store = place.open()
    fill(store)
    yield store
    place.close()


PROCESS = {
    "build_info",
    "store_up",
    "config_last_reload_successful",
    "config_last_reload_success_timestamp_seconds",
    "aws_api_requests",
    "aws_api_request_failures",
}


def test_before_the_store_is_open_the_process_speaks_for_itself(desk: Desk):
    values = desk.values()
    assert values.keys() == PROCESS
    assert values["store_up"] == {(): 0.0}
    assert values["aws_api_requests"] == {("rds:DescribeDBInstances",): 4.0}


def test_with_a_store_everything_is_said(desk: Desk, store: Any):
    desk.measuring.open(store)
    desk.health.ticked = NOW
    values = desk.values()
    assert values["store_up"] == {(): 1.0}
    assert values["run_success"] == {("orders-db",): 1.0}
    assert values["scheduler_last_tick_timestamp_seconds"] == {(): NOW.timestamp()}
    assert 'restorecheck_run_success{check="orders-db"} 1.0\n' in desk.measuring.text()


def test_a_configuration_that_could_not_be_read_again_is_a_figure(desk: Desk):
    desk.current.wrong = "not reloaded"
    assert desk.values()["config_last_reload_successful"] == {(): 0.0}


def test_a_reload_is_seen_at_the_next_scrape(desk: Desk, store: Any):
    desk.measuring.open(store)
    assert len(desk.values()["check_info"]) == 2
    desk.current.config = replace(desk.current.config, checks=(files(),))
    assert [labels[0] for labels in desk.values()["check_info"]] == ["files"]


@pytest.mark.parametrize("error", [StoreError("the disk is full"), KeyError("a bug of ours")])
def test_a_store_that_fails_is_a_figure_and_the_process_still_speaks(
    desk: Desk, store: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
):
    desk.measuring.open(store)

    def fails(self: Look, *_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Look, "kept", fails)
        values = desk.values()
    assert values.keys() == PROCESS
    assert values["store_up"] == {(): 0.0}
    assert desk.values()["store_up"] == {(): 1.0}


def test_a_figure_that_cannot_be_made_does_not_hide_that_the_process_lives(
    desk: Desk, store: Any, monkeypatch: pytest.MonkeyPatch
):
    real: Callable[[Facts], Any] = derived.figures

    def fails(facts: Facts) -> Any:
        if facts.kept is not None:
            raise KeyError("a bug of ours")
        return real(facts)

    monkeypatch.setattr(measuring.derived, "figures", fails)
    desk.measuring.open(store)
    assert desk.values().keys() == PROCESS


def test_a_store_that_hangs_is_not_waited_for_and_costs_one_thread(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
):
    desk, release, calls = Desk(tmp_path, patience=0.05), threading.Event(), []
    real = Look.kept

    def hangs(self: Look, *given: Any) -> Any:
        calls.append(threading.current_thread())
        release.wait(30)
        return real(self, *given)

    monkeypatch.setattr(Look, "kept", hangs)
    desk.measuring.open(store)
    for _ in range(3):
        assert desk.values()["store_up"] == {(): 0.0}
    until(lambda: calls)  # its thread may have been slow to begin
    assert len(calls) == 1
    release.set()
    calls[0].join(30)
    desk.measuring._ask._seconds = 30.0  # type: ignore[union-attr]
    assert desk.values()["store_up"] == {(): 1.0}
    assert len(calls) == 2


def test_who_asks_while_a_call_is_under_way_gets_its_answer():
    begun, release, calls = threading.Event(), threading.Event(), []

    def call() -> int:
        calls.append(1)
        begun.set()
        release.wait(30)
        return len(calls)

    patient, answers = Patient(call, 30.0), []
    threads = [threading.Thread(target=lambda: answers.append(patient())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    release.set()
    for thread in threads:
        thread.join(30)
    assert min(answers) == 1
    assert len(answers) == 4
    assert patient() == len(calls)


def test_what_a_call_raises_is_raised_and_the_next_call_is_made_anew():
    errors = [ValueError("no"), None]

    def call() -> str:
        if error := errors.pop(0):
            raise error
        return "fine"

    patient = Patient(call, 30.0)
    with pytest.raises(ValueError, match="no"):
        patient()
    assert patient() == "fine"


# --- over HTTP --------------------------------------------------------------------------------------------------------


@contextmanager
def served(home: Path, head: str = "") -> Iterator[Callable[[str], tuple[int, str]]]:
    """Serve a configuration in a thread, and give somebody who asks it."""
    (home / "checks").mkdir()
    (home / "checks" / "files.toml").write_text(CHECK)
    (home / "config.toml").write_text(head + CONFIG)
    service = Service(home / "config.toml", listen="127.0.0.1:0")
    thread = threading.Thread(target=service.run)

    def ask(path: str) -> tuple[int, str]:
        with closing(HTTPConnection(service._web.address, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    thread.start()
    try:
        until(lambda: service._web._server is not None)
        yield ask
    finally:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


def test_a_service_exports_its_figures_and_its_runbooks(tmp_path: Path):
    with served(tmp_path) as ask:
        until(lambda: "restorecheck_scheduler_last_tick_timestamp_seconds 1" in ask("/metrics")[1])
        until(lambda: 'restorecheck_check_first_seen_timestamp_seconds{check="files"} 1' in ask("/metrics")[1])
        status, text = ask("/metrics")
        _, listed = ask("/runbooks/")
        assert [ask(path)[0] for path in listed.split()] == [200] * len(listed.split())
    assert status == 200
    assert "restorecheck_store_up 1.0\n" in text
    assert "restorecheck_replicas 1.0\n" in text
    assert 'restorecheck_checks{enabled="true"} 1.0\n' in text
    assert "/runbooks/RestoreCheckFailed\n" in listed


def test_a_service_that_waits_for_its_store_says_so(tmp_path: Path):
    (tmp_path / "service.key").write_text("5e" * 32)
    head = 'state = "postgresql://somebody:very-secret@127.0.0.1:1/none"\nservice_key = "service.key"\n'
    with served(tmp_path, head) as ask:
        status, text = ask("/metrics")
    assert (status, "restorecheck_store_up 0.0\n" in text, "restorecheck_check" in text) == (200, True, False)
    assert "very-secret" not in text
