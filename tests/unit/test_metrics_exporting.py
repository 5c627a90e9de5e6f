"""Sending figures again and again: each way by itself, and the service hears of trouble alone, once."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from figures_cases import NOW, world

from restorecheck.config.receivers import Exports
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.metrics import pushgateway
from restorecheck.metrics.exporting import Exporter, print_emf
from restorecheck.metrics.figures import Figures


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW + self.seconds, UTC)

    def monotonic(self) -> float:
        return 1000 + self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")


class Told:
    """What was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))


class Service:
    """An exporter with a clock, figures that a test chooses, and what came of it."""

    def __init__(self, **exports: Any) -> None:
        self.clock, self.told, self.out = Hands(), Told(), io.StringIO()
        self.exports = Exports(every=timedelta(minutes=1), **exports)
        self.figures: Callable[[], Figures] = lambda: world("orders-db")
        self.exporter = Exporter(self.read, self.clock, self.told, stream=self.out)

    def read(self) -> Figures:
        return self.figures()

    def round(self, after: float = 0.0, *, wait: bool = True) -> None:
        self.clock.seconds += after
        self.exporter.round(self.exports)
        if wait:
            self.exporter.close(10)


def test_every_way_is_served_at_its_time_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pushed: list[str] = []
    monkeypatch.setattr(pushgateway, "push", lambda url, figures: pushed.append(url))
    service = Service(textfile=tmp_path / "x.prom", pushgateway="http://gateway:9091", emf="shop")
    service.round()
    assert "restorecheck_check_info" in (tmp_path / "x.prom").read_text()
    assert [json.loads(line)["_aws"]["Timestamp"] for line in service.out.getvalue().splitlines()] == [NOW * 1000] * 2
    service.round(59.9)
    assert len(pushed) == 1
    service.round(0.1)
    assert pushed == ["http://gateway:9091"] * 2
    assert len(service.out.getvalue().splitlines()) == 4
    assert service.told.events == []


def test_what_is_not_configured_is_not_even_read():
    service = Service()
    service.figures = lambda: pytest.fail("nobody asked")
    service.round()
    assert service.told.events == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StoreError("the store is gone"), "the store is gone"),
        (RestorecheckError("no room", "make some", kind="config"), "no room"),
        (ValueError("row 7: secret"), "ValueError"),
    ],
)
def test_trouble_is_told_once_when_it_begins_and_once_when_it_ends(tmp_path: Path, error: Exception, why: str):
    service = Service(textfile=tmp_path / "x.prom")
    fine = service.figures

    def raises() -> Figures:
        raise error

    for figures in (fine, raises, raises, raises, fine, fine, raises):
        service.figures = figures
        service.round(60)
    assert [event for event, _ in service.told.events] == ["export.failed", "export.recovered", "export.failed"]
    failed = service.told.events[0][1]
    assert failed["way"] == "textfile"
    assert failed["why"].startswith(why)
    assert "secret" not in str(service.told.events)


def test_a_way_that_hangs_blocks_neither_the_service_nor_another_and_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    going = threading.Event()
    pushes: list[str] = []

    def hangs(url: str, figures: Figures) -> None:
        pushes.append(url)
        assert going.wait(30)

    monkeypatch.setattr(pushgateway, "push", hangs)
    service = Service(textfile=tmp_path / "x.prom", pushgateway="http://gateway:9091")
    try:
        for number in range(4):
            (tmp_path / "x.prom").unlink(missing_ok=True)
            began = time.monotonic()
            service.round(60, wait=False)
            assert time.monotonic() - began < 20
            service.exporter._threads["textfile"].join(60)
            assert (tmp_path / "x.prom").exists(), number
        assert len(pushes) == 1  # never two at the same gateway
        assert [(event, facts["way"]) for event, facts in service.told.events] == [("export.failed", "pushgateway")]
    finally:
        going.set()
    service.exporter.close(10)
    service.round(60)
    assert [event for event, _ in service.told.events] == ["export.failed", "export.recovered"]


def test_closing_does_not_wait_for_a_gateway_that_hangs(monkeypatch: pytest.MonkeyPatch):
    going = threading.Event()
    monkeypatch.setattr(pushgateway, "push", lambda url, figures: going.wait(30))
    service = Service(pushgateway="http://gateway:9091")
    service.round(wait=False)
    began = time.monotonic()
    service.exporter.close(0.05)
    assert time.monotonic() - began < 20
    going.set()
    service.exporter.close(10)


def test_a_machine_that_gives_no_thread_is_trouble_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    service = Service(textfile=tmp_path / "x.prom")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        service.round()
    service.round(60)
    assert [event for event, _ in service.told.events] == ["export.failed", "export.recovered"]


def test_lines_go_to_standard_output_as_it_is_at_that_moment(capsys: pytest.CaptureFixture[str]):
    print_emf("restorecheck", Hands(), None, world("orders-db"))
    out, err = capsys.readouterr()
    assert [json.loads(line).get("check") for line in out.splitlines()] == [None, "orders-db"]
    assert err == ""


def test_a_standard_output_that_nobody_reads_is_trouble(monkeypatch: pytest.MonkeyPatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.raises(RestorecheckError, match="metrics cannot be written to standard output: I/O") as raised:
        print_emf("restorecheck", Hands(), None, world("orders-db"))
    assert raised.value.retryable
