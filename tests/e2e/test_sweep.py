"""Sweeping the demo AWS: what a run of two days ago left goes, and nothing else changes by a byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from demo_world import MASTER, PASSWORD, REGION, SCRATCH, SOURCE, gone, instance_in, snapshot_in, until
from product import Product

from restorecheck.config import load
from restorecheck.fence import Fence, Role
from restorecheck.runner import fence_of
from restorecheck.schedule import run_id, scratch_name
from restorecheck.sweep import Place, State, Swept, sweep

PLACES = (Place(Role.SCRATCH, SCRATCH, REGION, "lab"), Place(Role.SOURCE, SOURCE, REGION, "production"))


@pytest.fixture
def fence(product: Product, monkeypatch: pytest.MonkeyPatch) -> Fence:
    for name, value in product.environment.items():
        monkeypatch.setenv(name, value)
    return fence_of(load(product.home / "config.toml"))


def abandon(product: Product, fence: Fence, began: datetime) -> str:
    """Go as far as a run goes, through the fence, and stop without tearing down."""
    world, run = product.world, run_id("shop-db", began)
    name = scratch_name(run)
    permit = fence.permit(
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region=REGION,
        began=began,
        expires=began + timedelta(hours=24),
        run_id=run,
        check="shop-db",
        instance="shop",
    )
    source = fence.hand(Role.SOURCE, SOURCE, REGION, permit)
    scratch = fence.hand(Role.SCRATCH, SCRATCH, REGION, permit)

    def copied(hand: Any, original: str, account: str, key: str) -> None:
        hand.call(
            "rds",
            "CopyDBSnapshot",
            SourceDBSnapshotIdentifier=original,
            TargetDBSnapshotIdentifier=name,
            CopyTags=False,
            Tags=permit.tags("snapshot", account),
            KmsKeyId=key,
        )
        snapshot_in(world.source_rds if account == SOURCE else world.scratch_rds, name)

    copied(source, "weekly", SOURCE, world.source_key)
    source.call(
        "rds", "ModifyDBSnapshotAttribute", DBSnapshotIdentifier=name, AttributeName="restore", ValuesToAdd=[SCRATCH]
    )
    copied(scratch, permit.arn("snapshot", SOURCE, name), SCRATCH, world.scratch_key)
    scratch.call(
        "rds",
        "RestoreDBInstanceFromDBSnapshot",
        DBInstanceIdentifier=name,
        DBSnapshotIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        PubliclyAccessible=False,
        BackupRetentionPeriod=0,
        DeletionProtection=False,
        CopyTagsToSnapshot=False,
        Tags=permit.tags("db", SCRATCH),
        **world.placement(),
    )
    instance_in(world.scratch_rds, name)
    return name


def states(swept: Swept) -> set[tuple[str, str, State]]:
    return {(piece.target.kind, piece.place.name, piece.state) for piece in swept.pieces}


def everything(state: State) -> set[tuple[str, str, State]]:
    return {("db", "lab", state), ("snapshot", "lab", state), ("snapshot", "production", state)}


def test_what_a_lost_run_left_goes_and_nothing_else_changes(product: Product, fence: Fence):
    product.world.snapshot("shop", "weekly")
    now = datetime.now(UTC).replace(microsecond=0)
    before = product.estate()["theirs"]
    name = abandon(product, fence, now - timedelta(days=2))

    looked = sweep(fence, PLACES, now, act=False)
    assert (states(looked), looked.blind, looked.tripped) == (everything(State.EXPIRED), (), "")
    assert len(product.estate()["ours"]) == 3

    swept = sweep(fence, PLACES, now, act=True)
    assert (states(swept), swept.leaked) == (everything(State.ASKED), False)
    gone(product.world.scratch_rds, name)
    until(lambda: not product.estate()["ours"])
    assert product.estate()["theirs"] == before
    assert sweep(fence, PLACES, now, act=True).pieces == ()


def test_what_a_run_of_today_holds_stays(product: Product, fence: Fence):
    product.world.snapshot("shop", "weekly")
    now = datetime.now(UTC).replace(microsecond=0)
    abandon(product, fence, now)
    held = product.estate()
    assert states(sweep(fence, PLACES, now, act=True)) == everything(State.LEASED)
    assert product.estate() == held


def test_a_database_with_our_name_that_is_not_ours_stays(product: Product, fence: Fence):
    rds = product.world.scratch_rds
    rds.create_db_instance(
        DBInstanceIdentifier="restorecheck-orders-db-20261101t0300z",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername=MASTER,
        MasterUserPassword=PASSWORD,
        BackupRetentionPeriod=0,
    )
    instance_in(rds, "restorecheck-orders-db-20261101t0300z")
    held = product.estate()
    swept = sweep(fence, PLACES, datetime.now(UTC), act=True)
    assert states(swept) == {("db", "lab", State.KEPT)}
    assert swept.leaked
    assert product.estate() == held
