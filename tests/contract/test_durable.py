"""One suite for every engine: what `durable.Durable` promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from journal import Journal, JournalDurable, SkipClock
from workflow.scripted import check

from restorecheck.durable import Durable, Look
from restorecheck.engines.dbos import DbosEngine
from restorecheck.engines.inline import InlineDurable
from restorecheck.errors import RestorecheckError, SourceError, StepFailedError
from restorecheck.model import Cell, Expectation, Failure, Plan, Report, Verdict

RUN = "orders-db-20261121t0300z"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
Body = Callable[[Durable], str]


class Watcher:
    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []

    def started(self, run_id: str, step: str) -> None:
        self.events.append(("started", step))

    def looked(self, run_id: str, step: str, status: str) -> None:
        self.events.append(("looked", step, status))

    def finished(self, run_id: str, step: str, failed: str) -> None:
        self.events.append(("finished", step, failed))


@dataclass
class Bench:
    """Runs a body on one engine; the string that it returns is what came of it."""

    execute: Callable[[Body], str]
    clock: SkipClock
    watcher: Watcher
    cancel: list[bool]


def _as_report(durable: Durable, text: str) -> Report:
    return Report(durable.run_id, "orders-db", Verdict.UNPROVEN, NOW, NOW, Failure("internal", "body", text))


@pytest.fixture(params=["inline", "journal", "dbos"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock, watcher, cancel = SkipClock(NOW), Watcher(), [False]
    heard = lambda: cancel[0]  # noqa: E731
    if request.param == "inline":
        yield Bench(lambda body: body(InlineDurable(RUN, clock, watcher, heard)), clock, watcher, cancel)
    elif request.param == "journal":
        journal = Journal()
        make = lambda: JournalDurable(RUN, journal, clock, watcher, heard)  # noqa: E731
        yield Bench(lambda body: body(make()), clock, watcher, cancel)
    else:
        bodies: list[Body] = []
        engine = DbosEngine(
            f"sqlite:///{tmp_path / 'runs.sqlite'}", lambda d: _as_report(d, bodies[0](d)), clock, watcher, heard
        )
        engine.start(["orders-db"])

        def execute(body: Body) -> str:
            bodies.append(body)
            report = engine.begin("orders-db", RUN).report()
            assert report.failure is not None
            return report.failure.message

        yield Bench(execute, clock, watcher, cancel)
        engine.close()


def test_a_value_comes_back_as_it_was(bench: Bench):
    plan = Plan(RUN, check(), NOW)

    def body(durable: Durable) -> str:
        assert durable.run_id == RUN
        back = durable.step("plan", lambda: plan, of=Plan)
        cells = durable.step("cells", lambda: (Cell("number", "1.50"), Cell("null")), of=tuple[Cell, ...])
        nothing = durable.step("nothing", lambda: None, of=type(None))
        return f"{back == plan} {cells} {nothing}"

    assert bench.execute(body) == f"True {(Cell('number', '1.50'), Cell('null'))} None"


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (RestorecheckError("m", "h", kind="quota"), "quota", "h"),
        (SourceError("m"), "unknown-answer", ""),
        (KeyError("m"), "internal", ""),
    ],
)
def test_a_failure_arrives_as_data(bench: Bench, error: Exception, kind: str, hint: str):
    def fail() -> None:
        raise error

    def body(durable: Durable) -> str:
        try:
            durable.step("one", fail, of=type(None))
        except StepFailedError as e:
            return f"{e.step}|{e.kind}|{'m' in e.message}|{e.hint}"
        return "no failure"

    assert bench.execute(body) == f"one|{kind}|True|{hint}"


def test_one_attempt_unless_more_are_given_and_only_for_what_may_be_retried(bench: Bench):
    calls: list[str] = []

    def fail(name: str, *, retryable: bool) -> Callable[[], None]:
        def act() -> None:
            calls.append(name)
            raise RestorecheckError(name, retryable=retryable)

        return act

    def body(durable: Durable) -> str:
        for name, retryable, attempts in (("a", True, 1), ("b", False, 3), ("c", True, 3)):
            with pytest.raises(StepFailedError):
                durable.step(name, fail(name, retryable=retryable), of=type(None), attempts=attempts)
        return "".join(calls)

    assert bench.execute(body) == "abccc"


def test_a_wait_looks_until_it_is_done(bench: Bench):
    looks: list[int] = []

    def probe() -> Look:
        looks.append(1)
        return Look(len(looks) == 3, f"look {len(looks)}")

    def body(durable: Durable) -> str:
        durable.step("begin", lambda: None, of=type(None))
        durable.until("wait", probe, timedelta(seconds=30), timedelta(hours=1))
        return f"{len(looks)} {[round(p.seconds) for p in durable.phases]}"

    assert bench.execute(body) == "3 [0, 60]"
    assert ("looked", "wait", "look 2") in bench.watcher.events


def test_a_wait_ends_at_its_deadline_and_says_what_it_saw(bench: Bench):
    def body(durable: Durable) -> str:
        durable.step("begin", lambda: None, of=type(None))
        try:
            durable.until("wait", lambda: Look(False, "creating"), timedelta(seconds=30), timedelta(minutes=5))
        except StepFailedError as e:
            return f"{e.kind}|{e.message}|{round(durable.phases[-1].seconds)}"
        return "no failure"

    kind, message, seconds = bench.execute(body).split("|")
    assert kind == "deadline"
    assert "creating" in message
    assert seconds == "300"


def test_a_retryable_error_of_a_probe_is_not_yet_and_another_ends_the_wait(bench: Bench):
    errors: list[Any] = [RestorecheckError("slow down", retryable=True), RestorecheckError("no", kind="quota")]

    def probe() -> Look:
        raise errors.pop(0)

    def body(durable: Durable) -> str:
        durable.step("begin", lambda: None, of=type(None))
        try:
            durable.until("wait", probe, timedelta(seconds=1), timedelta(minutes=1))
        except StepFailedError as e:
            return e.kind
        return "no failure"

    assert bench.execute(body) == "quota"
    assert ("looked", "wait", "slow down") in bench.watcher.events


def test_a_waiting_run_hears_a_cancel_and_a_teardown_does_not(bench: Bench):
    looks: list[int] = []

    def probe() -> Look:
        looks.append(1)
        bench.cancel[0] = True
        return Look(len(looks) >= 4, "creating")

    def body(durable: Durable) -> str:
        durable.step("begin", lambda: None, of=type(None))
        try:
            durable.until("wait", probe, timedelta(seconds=1), timedelta(minutes=1))
        except StepFailedError as e:
            durable.until("gone", probe, timedelta(seconds=1), timedelta(minutes=1), heed_cancel=False)
            return f"{e.kind} {len(looks)}"
        return "no failure"

    assert bench.execute(body) == "cancelled 4"


def test_phases_are_the_recorded_times_in_order(bench: Bench):
    def body(durable: Durable) -> str:
        durable.step("one", lambda: bench.clock.wait(7), of=type(None))
        with pytest.raises(StepFailedError):
            durable.step("two", lambda: 1 / 0, of=float)
        return str([(p.name, round(p.seconds)) for p in durable.phases])

    assert bench.execute(body) == str([("one", 7), ("two", 0)])


def test_the_watcher_sees_what_runs_and_what_is_recorded(bench: Bench):
    def body(durable: Durable) -> str:
        durable.step("one", lambda: 1, of=int)
        with pytest.raises(StepFailedError):
            durable.step("two", lambda: int("x"), of=int)
        return ""

    bench.execute(body)
    kinds = [(e[0], e[1]) for e in bench.watcher.events]
    assert kinds == [("started", "one"), ("finished", "one"), ("started", "two"), ("finished", "two")]
    assert bench.watcher.events[1][2] == ""
    assert "invalid literal" in bench.watcher.events[3][2]


def test_a_value_of_the_wrong_shape_is_a_failure_and_not_a_surprise_later(bench: Bench):
    def body(durable: Durable) -> str:
        try:
            durable.step("one", object, of=Expectation)
        except StepFailedError as e:
            return e.kind
        return "no failure"

    assert bench.execute(body) == "internal"
