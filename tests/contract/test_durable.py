"""One suite for every engine: what `durable.Durable` promises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demo_world import until
from journal import Journal, JournalDurable, SkipClock
from local_lambda import lived
from store_places import postgres_place
from workflow.scripted import check

from restorecheck.durable import Durable, Look
from restorecheck.engines.dbos import DbosEngine, Taken
from restorecheck.engines.inline import InlineDurable
from restorecheck.errors import RestorecheckError, SourceError, StepFailedError
from restorecheck.model import Cell, Expectation, Failure, Plan, Report, Verdict

RUN = "orders-db-20261121t0300z"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
FAR = NOW + timedelta(days=1)
Body = Callable[[Durable], Awaitable[str]]

IN_ONE_PROCESS = ["inline", "journal", "dbos", pytest.param("dbos on postgresql", marks=pytest.mark.long)]
"""Engines whose waits last as long as a process; a clock that only goes forward tells them how long that is."""

pytest_plugins = ("store_fixtures",)


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
    cancel: Callable[[], None]


def _as_report(durable: Durable, text: str) -> Report:
    return Report(durable.run_id, "orders-db", Verdict.UNPROVEN, NOW, NOW, Failure("internal", "body", text))


@pytest.fixture(params=[*IN_ONE_PROCESS, "lambda"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock, watcher, asked = SkipClock(NOW), Watcher(), threading.Event()
    if request.param == "inline":
        inline = lambda body: asyncio.run(body(InlineDurable(RUN, clock, watcher, asked.is_set)))  # noqa: E731
        yield Bench(inline, clock, watcher, asked.set)
    elif request.param == "journal":
        journal = Journal()
        make = lambda: JournalDurable(RUN, journal, clock, watcher, asked.is_set)  # noqa: E731
        yield Bench(lambda body: asyncio.run(body(make())), clock, watcher, asked.set)
    elif request.param == "lambda":
        yield Bench(lambda body: _on_lambda(body, clock, watcher, asked), clock, watcher, asked.set)
    else:
        url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
        if request.param == "dbos on postgresql":
            url = postgres_place(request.getfixturevalue("store_server")).url
        yield from _on_dbos(url, clock, watcher)


def _on_lambda(body: Body, clock: SkipClock, watcher: Watcher, asked: threading.Event) -> str:
    async def verify(durable: Durable) -> Report:
        return _as_report(durable, await body(durable))

    ended = lived(RUN, verify, clock, watcher, asked.is_set)
    assert ended.report is not None, ended.error
    text: str = ended.report["failure"]["message"]
    return text


def _on_dbos(url: str, clock: SkipClock, watcher: Watcher) -> Iterator[Bench]:
    bodies: list[Body] = []

    async def verify(durable: Durable) -> Report:
        return _as_report(durable, await bodies[0](durable))

    engine = DbosEngine(url, verify, clock, watcher, name="one", every=0.05)
    engine.start()

    def execute(body: Body) -> str:
        bodies.append(body)
        assert engine.take(RUN) is Taken.BEGUN
        report = until(lambda: engine.report(RUN))
        assert report.failure is not None
        return report.failure.message

    yield Bench(execute, clock, watcher, lambda: engine.cancel(RUN))
    engine.close()


def test_a_value_comes_back_as_it_was(bench: Bench):
    plan = Plan(RUN, check(), NOW)

    async def body(durable: Durable) -> str:
        assert durable.run_id == RUN
        back = await durable.step("plan", lambda: plan, of=Plan)
        cells = await durable.step("cells", lambda: (Cell("number", "1.50"), Cell("null")), of=tuple[Cell, ...])
        nothing = await durable.step("nothing", lambda: None, of=type(None))
        return f"{back == plan} {cells} {nothing}"

    assert bench.execute(body) == f"True {(Cell('number', '1.50'), Cell('null'))} None"


@pytest.mark.parametrize(
    ("error", "kind", "message", "hint"),
    [
        (RestorecheckError("said so", "h", kind="quota"), "quota", "said so", "h"),
        (SourceError("said so"), "unknown-answer", "said so", ""),
    ],
)
def test_a_failure_arrives_as_data(bench: Bench, error: Exception, kind: str, message: str, hint: str):
    def fail() -> None:
        raise error

    async def body(durable: Durable) -> str:
        try:
            await durable.step("one", fail, of=type(None))
        except StepFailedError as e:
            return f"{e.step}|{e.kind}|{e.message}|{e.hint}"
        return "no failure"

    assert bench.execute(body) == f"one|{kind}|{message}|{hint}"


def test_an_error_that_nobody_foresaw_is_named_without_its_text_which_may_be_a_row(bench: Bench):
    def fail() -> None:
        raise KeyError("jane@example.com")

    async def body(durable: Durable) -> str:
        try:
            await durable.step("one", fail, of=type(None))
        except StepFailedError as e:
            return f"{e.kind}|{e.message}"
        return "no failure"

    kind, message = bench.execute(body).split("|")
    assert kind == "internal"
    assert message.startswith("KeyError at ")
    assert "jane" not in message


def test_one_attempt_unless_more_are_given_and_only_for_what_may_be_retried(bench: Bench):
    calls: list[str] = []

    def fail(name: str, *, retryable: bool) -> Callable[[], None]:
        def act() -> None:
            calls.append(name)
            raise RestorecheckError(name, retryable=retryable)

        return act

    async def body(durable: Durable) -> str:
        for name, retryable, attempts in (("a", True, 1), ("b", False, 3), ("c", True, 3)):
            with pytest.raises(StepFailedError):
                await durable.step(name, fail(name, retryable=retryable), of=type(None), attempts=attempts)
        return "".join(calls)

    assert bench.execute(body) == "abccc"


def test_a_wait_looks_until_it_is_done(bench: Bench):
    looks: list[int] = []

    def probe() -> Look:
        looks.append(1)
        return Look(len(looks) == 3, f"look {len(looks)}")

    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        await durable.until("wait", probe, timedelta(seconds=30), timedelta(hours=1))
        return f"{len(looks)} {[round(p.seconds) for p in durable.phases]}"

    assert bench.execute(body) == "3 [0, 60]"
    assert ("looked", "wait", "look 2") in bench.watcher.events


def test_a_wait_ends_at_its_deadline_and_says_what_it_saw(bench: Bench):
    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        try:
            await durable.until("wait", lambda: Look(False, "creating"), timedelta(seconds=30), timedelta(minutes=5))
        except StepFailedError as e:
            return f"{e.kind}|{e.message}|{round(durable.phases[-1].seconds)}"
        return "no failure"

    kind, message, seconds = bench.execute(body).split("|")
    assert kind == "deadline"
    assert "creating" in message
    assert seconds == "300"


def test_a_wait_whose_look_did_a_piece_of_the_work_goes_on_at_once(bench: Bench):
    looks: list[int] = []

    def work() -> Look:
        looks.append(1)
        return Look(len(looks) == 50, f"{len(looks)} of 50", again=True)

    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        await durable.until("work", work, timedelta(hours=1), timedelta(minutes=5))
        return f"{len(looks)} {round(durable.phases[-1].seconds)}"

    assert bench.execute(body) == "50 0"  # fifty naps would have ended it at its deadline


def test_a_wait_that_works_ends_at_its_deadline_too(bench: Bench):
    def work() -> Look:
        bench.clock.skip(60)
        return Look(done=False, status="1 of many", again=True)

    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        try:
            await durable.until("work", work, timedelta(hours=1), timedelta(minutes=5))
        except StepFailedError as e:
            return f"{e.kind}|{e.message}"
        return "no failure"

    assert bench.execute(body) == "deadline|the time allowed for this ran out; last seen: 1 of many"


def test_a_retryable_error_of_a_probe_is_not_yet_and_another_ends_the_wait(bench: Bench):
    errors: list[Any] = [RestorecheckError("slow down", retryable=True), RestorecheckError("no", kind="quota")]

    def probe() -> Look:
        raise errors.pop(0)

    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        try:
            await durable.until("wait", probe, timedelta(seconds=1), timedelta(minutes=1))
        except StepFailedError as e:
            return e.kind
        return "no failure"

    assert bench.execute(body) == "quota"
    assert ("looked", "wait", "slow down") in bench.watcher.events


def test_a_waiting_run_hears_a_cancel_and_a_teardown_does_not(bench: Bench):
    looks: list[int] = []

    def probe() -> Look:
        looks.append(1)
        bench.cancel()
        return Look(len(looks) >= 4, "creating")

    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        try:
            await durable.until("wait", probe, timedelta(seconds=1), timedelta(minutes=1), by=FAR)
        except StepFailedError as e:
            await durable.until("gone", probe, timedelta(seconds=1), timedelta(minutes=1))
            return f"{e.kind} {len(looks)}"
        return "no failure"

    assert bench.execute(body) == "cancelled 4"


def test_phases_are_the_recorded_times_in_order(bench: Bench):
    async def body(durable: Durable) -> str:
        await durable.step("one", lambda: bench.clock.skip(7), of=type(None))
        with pytest.raises(StepFailedError):
            await durable.step("two", lambda: 1 / 0, of=float)
        return str([(p.name, round(p.seconds)) for p in durable.phases])

    assert bench.execute(body) == str([("one", 7), ("two", 0)])


def test_the_watcher_sees_what_runs_and_what_is_recorded(bench: Bench):
    async def body(durable: Durable) -> str:
        await durable.step("one", lambda: 1, of=int)
        with pytest.raises(StepFailedError):
            await durable.step("two", lambda: int("x"), of=int)
        return ""

    bench.execute(body)
    kinds = [(e[0], e[1]) for e in bench.watcher.events]
    assert kinds == [("started", "one"), ("finished", "one"), ("started", "two"), ("finished", "two")]
    assert bench.watcher.events[1][2] == ""
    assert "ValueError" in bench.watcher.events[3][2]


def test_a_value_of_the_wrong_shape_is_a_failure_and_not_a_surprise_later(bench: Bench):
    async def body(durable: Durable) -> str:
        try:
            await durable.step("one", object, of=Expectation)
        except StepFailedError as e:
            return e.kind
        return "no failure"

    assert bench.execute(body) == "internal"


def test_a_cancelled_run_begins_no_step_of_the_way_there_and_every_step_of_the_way_back(bench: Bench):
    ran: list[str] = []

    async def body(durable: Durable) -> str:
        await durable.step("one", bench.cancel, of=type(None), by=FAR)
        try:
            await durable.step("two", lambda: ran.append("two"), of=type(None), by=FAR)
        except StepFailedError as e:
            await durable.step("back", lambda: ran.append("back"), of=type(None))
            return f"{e.kind} {ran}"
        return "no failure"

    assert bench.execute(body) == "cancelled ['back']"


def test_no_step_of_the_way_there_begins_after_its_time(bench: Bench):
    ran: list[str] = []

    async def body(durable: Durable) -> str:
        by = NOW + timedelta(hours=1)
        await durable.step("one", lambda: bench.clock.skip(3700), of=type(None), by=by)
        try:
            await durable.step("two", lambda: ran.append("two"), of=type(None), by=by)
        except StepFailedError as e:
            await durable.step("back", lambda: ran.append("back"), of=type(None))
            return f"{e.kind} {ran}"
        return "no failure"

    assert bench.execute(body) == "deadline ['back']"


def test_a_wait_of_the_way_there_ends_with_the_whole_run(bench: Bench):
    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        by = durable.phases[-1].ended + timedelta(minutes=2)
        never = lambda: Look(False, "creating")  # noqa: E731
        try:
            await durable.until("wait", never, timedelta(seconds=30), timedelta(hours=5), by=by)
        except StepFailedError as e:
            return f"{e.kind}|{e.message}|{round(durable.phases[-1].seconds)}"
        return "no failure"

    kind, message, seconds = bench.execute(body).split("|")
    assert (kind, seconds) == ("deadline", "120")
    assert "whole run" in message


@pytest.mark.parametrize("bench", IN_ONE_PROCESS, indirect=True)
def test_a_clock_that_is_set_neither_ends_a_wait_nor_makes_a_step_long(bench: Bench):
    looks: list[int] = []

    def probe() -> Look:
        looks.append(1)
        bench.clock.set_forward(timedelta(hours=10) if len(looks) == 1 else timedelta(hours=-20))
        return Look(len(looks) == 4, "creating")

    async def body(durable: Durable) -> str:
        await durable.step("begin", lambda: None, of=type(None))
        await durable.until("wait", probe, timedelta(seconds=30), timedelta(hours=1))
        return f"{len(looks)} {round(durable.phases[-1].seconds)}"

    assert bench.execute(body) == "4 90"
