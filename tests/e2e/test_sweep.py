"""Sweeping the demo AWS: what a run of two days ago left goes, and nothing else changes by a byte.

The demo AWS has no clusters, so cluster snapshots are made on moto alone, without the demo around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from demo_world import MASTER, PASSWORD, REGION, SCRATCH, SOURCE, gone, instance_in, snapshot_in, until
from moto.server import ThreadedMotoServer
from product import Product

from restorecheck.config import load
from restorecheck.fence import Entrance, Fence, Role
from restorecheck.ports import fence_of
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


def reasons(swept: Swept) -> dict[str, str]:
    return {piece.target.name: piece.reason for piece in swept.of(State.SHARED)}


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


@pytest.mark.long
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


@pytest.mark.long
def test_a_share_that_a_lost_run_left_is_told_and_not_taken_back(product: Product, fence: Fence):
    product.world.snapshot("shop", "weekly")
    product.world.snapshot("shop", "nightly")
    product.world.share("weekly")
    held = product.estate()
    swept = sweep(fence, PLACES, datetime.now(UTC), act=True)
    assert (states(swept), swept.blind, swept.leaked) == ({("snapshot", "production", State.SHARED)}, (), False)
    assert "by one whose records were lost" in reasons(swept)["weekly"]
    assert product.estate() == held


@pytest.mark.long
def test_a_share_that_a_run_of_today_copied_from_says_so(product: Product, fence: Fence):
    world = product.world
    world.snapshot("shop", "weekly")
    world.share("weekly")
    now = datetime.now(UTC).replace(microsecond=0)
    run = run_id("shop-db", now)
    permit = fence.permit(
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region=REGION,
        began=now,
        expires=now + timedelta(hours=24),
        run_id=run,
        check="shop-db",
    )
    fence.hand(Role.SCRATCH, SCRATCH, REGION, permit).call(
        "rds",
        "CopyDBSnapshot",
        SourceDBSnapshotIdentifier=permit.arn("snapshot", SOURCE, "weekly"),
        TargetDBSnapshotIdentifier=scratch_name(run),
        CopyTags=False,
        Tags=permit.tags("snapshot", SCRATCH),
        KmsKeyId=world.scratch_key,
    )
    for _ in range(2):  # while it is being copied, and after
        swept = sweep(fence, PLACES, now, act=True)
        assert states(swept) == {("snapshot", "lab", State.LEASED), ("snapshot", "production", State.SHARED)}
        assert "in use by a run that may still be going on" in reasons(swept)["weekly"]
        snapshot_in(world.scratch_rds, scratch_name(run))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Fence, Any]]:
    """A fence around two accounts of moto, and RDS as somebody who may do anything in the scratch account."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        role = "arn:aws:iam::{}:role/restorecheck".format
        sts = boto3.client("sts", region_name=REGION, endpoint_url=url)
        got = sts.assume_role(RoleArn=role(SCRATCH), RoleSessionName="test")["Credentials"]
        rds = boto3.client(
            "rds",
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["SessionToken"],
        )
        sources, scratches = ({a: Entrance(a, role(a))} for a in (SOURCE, SCRATCH))
        yield Fence(sources, scratches, endpoint_url=url), rds
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    finally:
        server.stop()


@pytest.mark.long
def test_a_final_snapshot_of_a_runs_cluster_is_kept_and_told(bare: tuple[Fence, Any]):
    fence, rds = bare
    for cluster, snapshot in (("restorecheck-shop-db-20261101t0300z", "rds-final-1"), ("theirs", "rds-final-2")):
        rds.create_db_cluster(
            DBClusterIdentifier=cluster,
            Engine="aurora-postgresql",
            MasterUsername=MASTER,
            MasterUserPassword=PASSWORD,
        )
        rds.create_db_cluster_snapshot(DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier=snapshot)
    swept = sweep(fence, PLACES, datetime.now(UTC), act=True)
    assert swept.blind == ()
    kept, piece = swept.pieces
    assert (kept.target.kind, kept.state) == ("cluster", State.KEPT)  # named like a run's, and without its tags
    assert (piece.target.name, piece.state) == ("rds-final-1", State.KEPT)
    assert piece.reason.endswith("--db-cluster-snapshot-identifier rds-final-1")
    left = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert {"rds-final-1", "rds-final-2"} <= {s["DBClusterSnapshotIdentifier"] for s in left}
    assert piece.target.arn in {s["DBClusterSnapshotArn"] for s in left}
