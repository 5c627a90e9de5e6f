"""A small world in which every metric of the catalogue has a value, and its parts for tests that need one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from store_places import AT, report

from restorecheck.config import Config, State
from restorecheck.config.receivers import Heartbeat, Secret, Webhook
from restorecheck.config.resolved import Prices, ScratchAccount, SourceAccount
from restorecheck.fence import Role, Target
from restorecheck.metrics.standing import Facts, Kept, Process
from restorecheck.model import (
    Assertion,
    Cell,
    Check,
    Expectation,
    Finding,
    Limits,
    Outcome,
    Phase,
    Placement,
    Probe,
    RdsSource,
    RecoveryPoint,
    Report,
    S3ObjectsSource,
    SnapshotKind,
    Verdict,
)
from restorecheck.store import Pending
from restorecheck.sweep import Blind, Piece, Place, Swept, noted
from restorecheck.sweep.swept import State as PieceState

PRODUCTION, SCRATCH, REGION = "111111111111", "222222222222", "eu-central-1"
NOW = AT + timedelta(hours=9)
SOME = Expectation(at_least=Cell("number", "1"))


def orders(**more: Any) -> Check:
    """Return a check of a database that declares all that can be declared."""
    made = Check(
        "orders-db",
        RdsSource(PRODUCTION, REGION, "orders-prod", "shop"),
        Placement(SCRATCH, REGION),
        Limits(),
        (
            Assertion("orders", "select 1", SOME),
            Assertion("users", "select 1", SOME, severity="warn"),
            Assertion("whole", "", Expectation(), probe=Probe("readable")),
        ),
        timedelta(hours=25),
        timedelta(hours=2),
        schedule="0 3 * * *",
        critical=True,
        owner="team-payments",
        retention=timedelta(days=35),
    )
    return replace(made, **more)


def files(**more: Any) -> Check:
    """Return a check of objects without a schedule."""
    source = S3ObjectsSource(PRODUCTION, REGION, "invoices")
    made = Check(
        "files", source, Placement(SCRATCH, REGION), Limits(), (), timedelta(hours=1), timedelta(hours=1), restores=True
    )
    return replace(made, **more)


def configured(home: Path, *checks: Check, **more: Any) -> Config:
    """Return a configuration with two accounts, two receivers and prices in USD."""
    made = Config(
        home / "config.toml",
        State(home / "state", None, home / "key"),
        (SourceAccount("production", PRODUCTION, "role", (REGION, "eu-west-1")),),
        (ScratchAccount("lab", SCRATCH, "role", (Placement(SCRATCH, REGION),), Limits(), 3),),
        checks or (orders(), files()),
        prices=Prices("USD", budget=Decimal(50)),
        receivers=(Heartbeat("deadman", Secret("https://hc.example/KEY/{check}")), Webhook("ops", Secret("https://x"))),
    )
    return replace(made, **more)


def point(**more: Any) -> RecoveryPoint:
    """Return a recovery point of an instance; a newer one was there as well."""
    made = RecoveryPoint(
        "rds:orders-prod-1",
        "arn:aws:rds:eu-central-1:111111111111:snapshot:rds:orders-prod-1",
        SnapshotKind.AUTOMATED,
        AT - timedelta(hours=4),
        AT - timedelta(hours=1),
        "postgres",
        "16.4",
        "postgres",
        encrypted=True,
        data_time=AT - timedelta(hours=5),
        size_gib=20,
    )
    return replace(made, **more)


def ran(hours: int = 0, verdict: Verdict = Verdict.PASSED, check: str = "orders-db", **more: Any) -> Report:
    """Return the report of a whole run."""
    one = report(check, hours, verdict)
    steps = ("plan", "find", "share", "share: wait", "restore", "restore: wait", "open", "examine")
    steps += ("drop instance", "drop instance: wait", "unshare", "prove", "record")
    minute = timedelta(minutes=1)
    phases = tuple(Phase(n, one.started + i * minute, one.started + (i + 1) * minute) for i, n in enumerate(steps))
    findings = (
        Finding("orders", Outcome.PASS, "at least 1", "2", seconds=0.5, value="2"),
        Finding("users", Outcome.WARN, "at least 9", "3", "too few", "assertion-failed", seconds=0.25, value="3"),
        Finding("whole", Outcome.PASS, "no damage", "12 tables", seconds=7.0),
        Finding("rpo", Outcome.PASS, "25h", "3h"),
        Finding("databases", Outcome.PASS, "shop", "shop", by="source"),
    )
    return replace(one, phases=phases, findings=findings, point=point(), restore_seconds=300.0, **more)


def swept(*pieces: Piece, blind: tuple[str, ...] = (), tripped: str = "") -> Swept:
    """Return a sweep that looked in every place of `configured`; in the `blind` regions of production in vain."""
    owners = tuple(Place(Role.SOURCE, PRODUCTION, region, "production") for region in (REGION, "eu-west-1"))
    places = (*owners, Place(Role.SCRATCH, SCRATCH, REGION, "lab"))
    unseen = tuple(Blind(place, "snapshots", "may not") for place in owners if place.region in blind)
    return Swept(True, places, pieces, unseen, tripped)


def piece(kind: Any = "db", state: PieceState = PieceState.KEPT, account: str = SCRATCH, region: str = REGION) -> Piece:
    """Return one piece of ours."""
    role = Role.SCRATCH if account == SCRATCH else Role.SOURCE
    name = f"restorecheck-{kind}"
    return Piece(Place(role, account, region), Target(kind, account, name, f"arn:{name}", {}, "available", AT), state)


def fill(store: Any) -> None:
    """Put into a store what makes every metric that is derived from it have a value."""
    for hours, verdict in ((0, Verdict.PASSED), (24, Verdict.BROKEN), (48, Verdict.PASSED)):
        store.proofs.save(ran(hours, verdict))
    store.counters.add("estimated_cost_usd", 1.25, "orders-db")
    store.counters.add("notifications", 3, "ops")
    store.counters.add("notifications_failed", 1, "ops", "timeout")
    store.first_seen.note("check", ["orders-db", "files"])
    store.first_seen.note("receiver", ["deadman", "ops"])
    store.notes.set("sweep", noted(swept(piece()), AT.isoformat(), None))


def facts(config: Config, kept: Kept, now: Any = NOW) -> Facts:
    """Return a moment of a serving process."""
    return Facts(config, now, "1.2.3", kept, Process(now, reload_worked=True, loaded=AT))


WAITING = Pending(2, AT - timedelta(minutes=20))
