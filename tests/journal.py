"""A durable engine in memory that can be killed at any edge of any step, and replays like the real ones."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from restorecheck.durable import Json, Listener
from restorecheck.engines.inline import RecordingDurable, never

Edge = Literal["before", "unrecorded", "after"]


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


class SkipClock:
    """A clock on which waiting takes no time."""

    def __init__(self, now: datetime = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)) -> None:
        self.time = now
        self.passed = 0.0

    def now(self) -> datetime:
        self.skip(0.001)
        return self.time

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.skip(seconds)

    def skip(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.passed += seconds

    def set_forward(self, by: timedelta) -> None:
        """Somebody sets the time of day; no time passes."""
        self.time += by


@dataclass
class Journal:
    """What survives a kill: the records, in order, and where the next kill strikes."""

    records: list[tuple[str, Json]] = field(default_factory=list)
    kill: tuple[int, Edge] | None = None

    def strike(self, place: int, edge: Edge) -> None:
        if self.kill == (place, edge):
            self.kill = None
            raise Killed(f"{edge} record {place}")


class JournalDurable(RecordingDurable):
    """One life of a run over a journal."""

    def __init__(
        self,
        run_id: str,
        journal: Journal,
        clock: SkipClock,
        listener: Listener | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        super().__init__(run_id, clock, listener, cancelled)
        self.journal, self.place = journal, 0

    async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        place, self.place = self.place, self.place + 1
        if place < len(self.journal.records):
            recorded, envelope = self.journal.records[place]
            assert recorded == name, f"replay diverged: step {place} was {recorded!r}, is {name!r}"
            return json.loads(envelope)
        self.journal.strike(place, "before")
        envelope = json.dumps(await act())
        self.journal.strike(place, "unrecorded")
        self.journal.records.append((name, envelope))
        self.journal.strike(place, "after")
        return json.loads(envelope)
