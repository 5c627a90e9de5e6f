"""The world of real runs: what a plan records, and how its accounts are entered after they have left the file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from journal import SkipClock

from restorecheck.config import Config, State
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Mode
from restorecheck.model import (
    AnySource,
    AuroraSource,
    Check,
    Entrance,
    Limits,
    Placement,
    RdsSource,
    Report,
    S3DumpSource,
    S3ObjectsSource,
    Verdict,
)
from restorecheck.ports import LivePorts
from restorecheck.sources.aurora import AuroraSnapshots
from restorecheck.sources.rds import RdsSnapshots
from restorecheck.sources.s3_dump import S3Dump
from restorecheck.sources.s3_objects import S3Objects

SOURCE, SCRATCH = "111111111111", "222222222222"
PLACE = Placement(SCRATCH, "eu-central-1", "rc", ("sg-1",), "key", "db.t4g.micro")
CHECK = Check(
    "orders-db",
    RdsSource(SOURCE, "eu-central-1", "orders", "orders"),
    PLACE,
    Limits(),
    (),
    timedelta(hours=25),
    timedelta(hours=2),
    restores=True,
)
RUN = "orders-db-20261121t0300z"


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/restorecheck"


def source(account: str = SOURCE) -> SourceAccount:
    return SourceAccount("production", account, role(account), ("eu-central-1",), "an-external-id")


def scratch(account: str = SCRATCH) -> ScratchAccount:
    return ScratchAccount("lab", account, role(account), (PLACE,), Limits(), 3)


def world(home: Path, *checks: Check, sources: tuple[SourceAccount, ...], scratches: tuple[ScratchAccount, ...]):
    (home / "state").mkdir(exist_ok=True)
    state = State(home / "state", None, home / "state" / "service.key")
    config = Config(home / "config.toml", state, sources, scratches, checks)
    return LivePorts(config, SkipClock())


@pytest.fixture
def ports(tmp_path: Path) -> LivePorts:
    return world(tmp_path, CHECK, sources=(source(),), scratches=(scratch(),))


def test_a_plan_holds_the_check_the_time_and_how_its_accounts_are_entered(ports: LivePorts):
    plan = ports.plan(RUN)
    assert (plan.run_id, plan.check) == (RUN, CHECK)
    assert plan.entrances == (
        Entrance(SOURCE, role(SOURCE), "an-external-id"),
        Entrance(SCRATCH, role(SCRATCH), ""),
    )


@pytest.mark.parametrize(
    ("run", "said"), [("something", "is not a run id"), ("gone-20261121t0300z", "there is no check named gone")]
)
def test_a_run_that_cannot_be_planned_says_why(ports: LivePorts, run: str, said: str):
    with pytest.raises(RestorecheckError, match=said) as e:
        ports.plan(run)
    assert e.value.kind == "config"


def test_a_run_whose_accounts_are_configured_goes_through_the_fence_of_all(ports: LivePorts):
    assert ports._fence_for(ports.plan(RUN)) is ports.fence


@pytest.mark.parametrize("left", [(SOURCE,), (SCRATCH,), (SOURCE, SCRATCH)])
def test_a_run_whose_accounts_have_left_the_file_still_gets_in(ports: LivePorts, tmp_path: Path, left: tuple[str, ...]):
    plan = ports.plan(RUN)
    later = world(
        tmp_path,
        CHECK,
        sources=() if SOURCE in left else (source(),),
        scratches=() if SCRATCH in left else (scratch(),),
    )
    assert later._fence_for(plan) is not later.fence
    assert later.source(plan) is not None


def test_an_account_that_has_changed_sides_is_entered_by_nobody(ports: LivePorts, tmp_path: Path):
    plan = ports.plan(RUN)
    swapped = world(tmp_path, sources=(source(SCRATCH),), scratches=(scratch("333333333333"),))
    assert swapped._fence_for(plan) is swapped.fence


def test_a_plan_without_entrances_is_held_by_the_fence_as_configured(ports: LivePorts, tmp_path: Path):
    plan = replace(ports.plan(RUN), entrances=())
    later = world(tmp_path, sources=(), scratches=())
    assert later._fence_for(plan) is later.fence


def test_a_report_is_given_to_who_keeps_it(ports: LivePorts):
    at = SkipClock().now()
    report = Report(RUN, "orders-db", Verdict.PASSED, at, at)
    ports.record(report)  # nobody does
    kept: list[Report] = []
    LivePorts(ports.config, SkipClock(), kept.append).record(report)
    assert kept == [report]


def test_the_salt_of_a_run_is_its_own_and_the_same_again(ports: LivePorts):
    assert ports.salt(RUN) == ports.salt(RUN) != ports.salt("orders-db-20261122t0300z")


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (RdsSource(SOURCE, "eu-central-1", "orders", "orders"), RdsSnapshots),
        (AuroraSource(SOURCE, "eu-central-1", "orders", "orders"), AuroraSnapshots),
        (S3ObjectsSource(SOURCE, "eu-central-1", "uploads"), S3Objects),
        (S3DumpSource(SOURCE, "eu-central-1", "dumps", "orders/*.dump", "orders"), S3Dump),
        (S3DumpSource(SOURCE, "eu-central-1", "dumps", "orders/*.sql", "orders", engine="mysql"), S3Dump),
    ],
)
def test_each_kind_of_source_is_made_for_a_run_and_for_a_plan(ports: LivePorts, declared: AnySource, kind: type):
    plan = replace(ports.plan(RUN), check=replace(CHECK, source=declared))
    assert type(ports.source(plan)) is kind
    assert type(ports.imagined(plan)) is kind


def test_a_run_has_a_workplace_of_its_own_below_the_configured_one(ports: LivePorts):
    assert ports._workplace(RUN) == ports.config.workplace / f"restorecheck-{RUN}"


def test_a_plan_mode_shares_no_sightings(ports: LivePorts):
    planning = LivePorts(ports.config, SkipClock(), mode=Mode.PLAN)
    assert planning._sightings is None
    assert planning.imagined(planning.plan(RUN)) is not None


def test_evidence_goes_to_the_configured_directory_and_nowhere_without_one(ports: LivePorts, tmp_path: Path):
    assert ports.source(ports.plan(RUN))._reach.world.evidence is None  # type: ignore[attr-defined]
    kept = LivePorts(replace(ports.config, evidence=tmp_path / "evidence"), SkipClock())
    for check in (CHECK, replace(CHECK, source=S3DumpSource(SOURCE, "eu-central-1", "dumps", "*.dump", "orders"))):
        source = kept.source(replace(kept.plan(RUN), check=check))
        assert source._reach.world.evidence("orphans", [{"id": check.source.type}]) == 1  # type: ignore[attr-defined]
        assert check.source.type in (tmp_path / "evidence" / RUN / "orphans.json").read_text()
