"""The workflow on every engine: a test that asks for `run` says what must come of it on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from demo_world import until
from journal import SkipClock
from local_lambda import lived
from store_places import postgres_place
from workflow.scripted import NOW, RUN, Cloud, ScriptedPorts, verify

from restorecheck import verify as workflow
from restorecheck.durable import Durable, decode
from restorecheck.engines.dbos import DbosEngine, Taken
from restorecheck.engines.inline import InlineDurable, never
from restorecheck.model import Check, Report


class Run(Protocol):
    """Runs a check over a cloud to its end."""

    def __call__(
        self,
        cloud: Cloud,
        declared: Check | None = None,
        *,
        cancelled: Callable[[], bool] = never,
        clock: SkipClock | None = None,
    ) -> Report: ...


def _inline(
    cloud: Cloud,
    declared: Check | None = None,
    *,
    cancelled: Callable[[], bool] = never,
    clock: SkipClock | None = None,
) -> Report:
    return verify(InlineDurable(RUN, clock or SkipClock(NOW), None, cancelled), ScriptedPorts(cloud, declared))


def _on_lambda(
    cloud: Cloud,
    declared: Check | None = None,
    *,
    cancelled: Callable[[], bool] = never,
    clock: SkipClock | None = None,
) -> Report:
    body = lambda durable: workflow.verify(durable, ScriptedPorts(cloud, declared))  # noqa: E731
    ended = lived(RUN, body, clock or SkipClock(NOW), None, cancelled)
    assert ended.report is not None, ended.error
    return decode(ended.report, Report)


class _Canceller:
    """Cancels on DBOS, which is told of a cancel and does not ask."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self.cancelled, self.engine = cancelled, None

    def _heed(self) -> None:
        if self.engine is not None and self.cancelled():
            self.engine.cancel(RUN)

    def started(self, run_id: str, step: str) -> None:
        self._heed()

    def looked(self, run_id: str, step: str, status: str) -> None:
        self._heed()

    def finished(self, run_id: str, step: str, failed: str) -> None:
        self._heed()


def _on_dbos(url: str) -> Iterator[Run]:
    engines: list[DbosEngine] = []

    def run(
        cloud: Cloud,
        declared: Check | None = None,
        *,
        cancelled: Callable[[], bool] = never,
        clock: SkipClock | None = None,
    ) -> Report:
        async def body(durable: Durable) -> Report:
            return await workflow.verify(durable, ScriptedPorts(cloud, declared))

        while engines:  # the SDK is one per process, and a test may run the same run again
            _forgotten(engines.pop())
        canceller = _Canceller(cancelled)
        engine = DbosEngine(url, body, clock or SkipClock(NOW), canceller, name="one", every=0.05)
        engines.append(engine)
        canceller.engine = engine
        engine.start()
        assert engine.take(RUN) is Taken.BEGUN
        return until(lambda: engine.report(RUN), 60)

    yield run
    while engines:
        _forgotten(engines.pop())


def _forgotten(engine: DbosEngine) -> None:
    engine.prune(NOW.replace(year=NOW.year + 99), ())
    engine.close()


@pytest.fixture(
    params=[
        "inline",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("lambda", "dbos", "dbos on postgresql")),
    ]
)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Return what runs a check on one engine."""
    if request.param == "inline":
        yield _inline
    elif request.param == "lambda":
        yield _on_lambda
    elif request.param == "dbos":
        yield from _on_dbos(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    else:
        yield from _on_dbos(postgres_place(request.getfixturevalue("store_server")).url)
