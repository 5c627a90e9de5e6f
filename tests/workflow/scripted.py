"""A cloud of a few dicts behind the Source and Ports contracts, where anything can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from restorecheck import verify as workflow
from restorecheck.durable import Durable, Look
from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import (
    Answer,
    Answers,
    Assertion,
    Cell,
    Check,
    Expectation,
    Known,
    Leftover,
    Limits,
    Placement,
    Plan,
    RdsSource,
    RecoveryPoint,
    Report,
    SnapshotKind,
)
from restorecheck.sources.interface import Stage

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
RUN = "orders-db-20261121t0300z"
BUILT = ("export", "import", "restore", "open")


def check(**changes: object) -> Check:
    """Return a check with one assertion: at least 1,000 rows."""
    values: dict[str, object] = {
        "name": "orders-db",
        "source": RdsSource("111111111111", "eu-central-1", "orders", "orders"),
        "placement": Placement("222222222222", "eu-central-1", "rc", ("sg-1",), "key", "db.t4g.micro"),
        "limits": Limits(),
        "assertions": (
            Assertion("present", "select count(*) from orders", Expectation(at_least=Cell("number", "1000"))),
        ),
        "rpo": timedelta(hours=25),
        "rto": timedelta(hours=2),
    }
    return Check(**(values | changes))  # type: ignore[arg-type]


POINT = RecoveryPoint(
    id="rds:orders-2026-11-21",
    arn="arn:aws:rds:eu-central-1:111111111111:snapshot:rds:orders-2026-11-21",
    kind=SnapshotKind.AUTOMATED,
    created=NOW - timedelta(hours=1),
    newest=NOW - timedelta(hours=1),
    engine="postgres",
    engine_version="18.6",
    master_username="app",
    encrypted=True,
)


@dataclass
class Cloud:
    """What exists, what happened, and what is to go wrong. Survives the death of a run."""

    rows: str = "2000"
    at_most: timedelta = timedelta(hours=1)  # of each stage
    point: RecoveryPoint = POINT
    pieces: dict[str, int] = field(default_factory=dict)  # name -> looks until it is ready
    dropping: dict[str, int] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    faults: dict[str, list[Exception]] = field(default_factory=dict)  # "begin restore", "look restore", "find", ...
    reports: dict[str, Report] = field(default_factory=dict)
    known: tuple[Known, ...] = ()  # to the plan
    recorded: tuple[Known, ...] = ()  # by references
    foreign: dict[str, str] = field(default_factory=lambda: {"production": "untouched"})

    def trip(self, what: str) -> None:
        waiting = self.faults.get(what, [])
        if waiting:
            raise waiting[0] if len(waiting) == 1 else waiting.pop(0)


class ScriptedSource:
    """A Source over the cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def find(self) -> RecoveryPoint:
        self.cloud.trip("find")
        return self.cloud.point

    def _stage(self, name: str) -> Stage:
        def begin() -> None:
            self.cloud.trip(f"begin {name}")
            if name not in self.cloud.pieces:  # a second begin adopts
                self.cloud.pieces[name] = 2
                self.cloud.made.append(name)

        def look() -> Look:
            self.cloud.trip(f"look {name}")
            if name not in self.cloud.pieces:
                raise SourceError(f"{name} vanished", kind="interfered")
            self.cloud.pieces[name] = max(0, self.cloud.pieces[name] - 1)
            done = self.cloud.pieces[name] == 0
            return Look(done, "available" if done else "creating")

        return Stage(name, begin, look, self.cloud.at_most)

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        return [self._stage(name) for name in BUILT]

    def examine(self, point: RecoveryPoint) -> Answers:
        self.cloud.trip("examine")
        assert self.cloud.pieces.get("open") == 0, "asked before it was open"
        answer = Answer("present", rows=1, columns=1, cells=(Cell("number", self.cloud.rows),))
        return Answers(
            (answer,), asked_at=NOW, proven=("one of one questions was answered",), known=self.cloud.recorded
        )

    def _removal(self, name: str) -> Stage:
        def begin() -> None:
            self.cloud.trip(f"begin drop {name}")
            if name in self.cloud.pieces and name not in self.cloud.dropping:
                self.cloud.dropping[name] = 2

        def look() -> Look:
            begin()
            self.cloud.trip(f"look drop {name}")
            if name in self.cloud.dropping:
                self.cloud.dropping[name] -= 1
                if self.cloud.dropping[name] == 0:
                    del self.cloud.dropping[name], self.cloud.pieces[name]
            done = name not in self.cloud.pieces
            return Look(done, "gone" if done else "deleting")

        return Stage(f"drop {name}", begin, look, self.cloud.at_most)

    def teardown(self, point: RecoveryPoint) -> Sequence[Stage]:
        return [self._removal(name) for name in reversed(BUILT)]

    def leftovers(self) -> Sequence[Leftover]:
        self.cloud.trip("prove")
        return [Leftover(f"arn:aws:rds:eu-central-1:222222222222:db:{name}") for name in self.cloud.pieces]


class ScriptedPorts:
    """The Ports of one check over the cloud."""

    def __init__(self, cloud: Cloud, declared: Check | None = None) -> None:
        self.cloud, self.declared = cloud, declared or check()

    def plan(self, run_id: str) -> Plan:
        self.cloud.trip("plan")
        return Plan(run_id, self.declared, NOW, known=self.cloud.known)

    def source(self, plan: Plan) -> ScriptedSource:
        return ScriptedSource(self.cloud)

    def salt(self, run_id: str) -> str:
        return "salt"

    def record(self, report: Report) -> None:
        self.cloud.trip("record")
        self.cloud.reports[report.run_id] = report


def failing(kind: str, *, retryable: bool = False) -> Exception:
    """Return an error as a source raises it."""
    return RestorecheckError(f"AWS said {kind}", kind=kind, retryable=retryable)


def verify(durable: Durable, ports: ScriptedPorts) -> Report:
    """Run the workflow to its end."""
    return asyncio.run(workflow.verify(durable, ports))
