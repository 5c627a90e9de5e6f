"""Clusters before the fence: what may be called where, and that nothing of theirs stands in for an instance's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fence_cases import (
    BEGAN,
    EXPIRES,
    NAME,
    REGION,
    RUN,
    RUN_PERMIT,
    SCRATCH,
    SOURCE,
    SWEEP_PERMIT,
    arn,
    cluster,
    cluster_snapshot,
    instance,
    snapshot,
    tags_of,
)

from restorecheck.fence import (
    TABLE,
    Effect,
    Permit,
    Role,
    Target,
    target_of_cluster,
    target_of_cluster_snapshot,
    target_of_instance,
    why_not,
)
from restorecheck.fence.decision import why_not_destroy, why_not_share
from restorecheck.fence.table import effect_of

# --- the table ----------------------------------------------------------------------------------------------------


def test_in_a_source_account_nothing_of_a_cluster_is_written_but_its_snapshots():
    writes = {name for name, effect in TABLE[Role.SOURCE]["rds"].items() if effect is not Effect.READ}
    assert {name for name in writes if "Cluster" in name} == {
        "CopyDBClusterSnapshot",
        "ModifyDBClusterSnapshotAttribute",
        "DeleteDBClusterSnapshot",
    }
    assert effect_of(Role.SOURCE, "rds", "DescribeDBClusters") is None  # nobody needs to look at production


@pytest.mark.parametrize(
    "operation", ["CreateDBCluster", "CreateDBClusterSnapshot", "ModifyDBClusterSnapshotAttribute"]
)
def test_a_scratch_account_makes_no_cluster_of_its_own_and_shares_nothing(operation: str):
    assert effect_of(Role.SCRATCH, "rds", operation) is None


@pytest.mark.parametrize("operation", ["RemoveFromGlobalCluster", "DeleteGlobalCluster", "PromoteReadReplicaDBCluster"])
def test_nothing_loosens_a_cluster_from_others_so_that_it_could_be_deleted(operation: str):
    assert all(effect_of(role, "rds", operation) is None for role in Role)


# --- deleting -----------------------------------------------------------------------------------------------------


def test_a_cluster_is_deleted_only_without_instances():
    assert why_not_destroy(cluster(members=frozenset())) is None
    for members in (frozenset({NAME}), None):
        assert why_not_destroy(cluster(members=members)) == "it still has, or may have, instances"


@pytest.mark.parametrize("target", [instance(), snapshot(), cluster_snapshot()])
def test_nothing_else_has_instances(target: Target):
    assert why_not_destroy(target) is None


@pytest.mark.parametrize("permit", [RUN_PERMIT, SWEEP_PERMIT])
def test_an_instance_in_its_own_runs_cluster_may_go(permit: Permit):
    assert why_not(instance(cluster=NAME), permit) is None


def test_an_instance_of_another_runs_cluster_may_not():
    other = "restorecheck-orders-db-20261120t0300z"
    assert why_not(instance(cluster=other), RUN_PERMIT) == f"it is in the cluster {other}, which is not its run's"


@pytest.mark.parametrize(
    ("target", "permit", "reason"),
    [
        (cluster(), replace(SWEEP_PERMIT, began=EXPIRES - timedelta(seconds=1)), "its lease runs until"),
        (cluster(tags=None), SWEEP_PERMIT, "its tags are not known"),
        (cluster(created=BEGAN - timedelta(hours=1)), SWEEP_PERMIT, "older than the run"),
        (cluster(members=frozenset({"theirs"})), SWEEP_PERMIT, "the instance theirs in it is not its run's"),
        (cluster(), replace(RUN_PERMIT, run_id="orders-db-20261120t0300z"), f"it belongs to the run {RUN}"),
        (cluster_snapshot(SOURCE), replace(RUN_PERMIT, source_account=""), "is not one in which"),
    ],
)
def test_what_is_of_a_cluster_is_judged_like_any_other_target(target: Target, permit: Permit, reason: str):
    assert reason in (why_not(target, permit) or "")


# --- one kind is not the other ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        replace(cluster(), kind="db"),
        replace(instance(), kind="cluster", members=frozenset()),
        replace(snapshot(), kind="cluster-snapshot"),
        replace(cluster_snapshot(), kind="snapshot"),
    ],
)
def test_tags_of_one_kind_do_not_count_for_another_of_the_same_name(target: Target):
    assert "not the one that belongs to its name, account and region" in (why_not(target, RUN_PERMIT) or "")


def test_a_permit_for_the_backups_of_an_instance_shares_no_cluster_snapshot_nor_the_other_way_round():
    of_instance, of_cluster = replace(RUN_PERMIT, cluster=""), replace(RUN_PERMIT, instance="")
    assert why_not_share(cluster_snapshot(SOURCE), of_instance) is not None
    assert why_not_share(snapshot(SOURCE), of_cluster) is not None
    assert why_not_share(cluster_snapshot(SOURCE), of_cluster) is None
    borrowing = replace(of_cluster, borrowed="before-migration")
    theirs = snapshot(SOURCE, name="before-migration", arn=arn("snapshot", SOURCE, "before-migration"))
    assert why_not_share(theirs, borrowing) is not None


# --- what AWS described -------------------------------------------------------------------------------------------


def test_a_described_cluster_becomes_a_target():
    resource = arn("cluster", SCRATCH)
    described = {
        "DBClusterIdentifier": NAME,
        "DBClusterArn": resource,
        "Status": "available",
        "ClusterCreateTime": BEGAN + timedelta(minutes=7),
        "DeletionProtection": False,
        "ReadReplicaIdentifiers": [],
        "DBClusterMembers": [{"DBInstanceIdentifier": NAME, "IsClusterWriter": True}],
        "TagList": [{"Key": key, "Value": value} for key, value in tags_of(resource).items()],
    }
    assert target_of_cluster(described, SCRATCH) == cluster()
    replicating = described | {"ReplicationSourceIdentifier": "x", "GlobalClusterIdentifier": "y"}
    assert target_of_cluster(replicating | {"ReadReplicaIdentifiers": ["z"]}, SCRATCH).replicas == 3


def test_what_aws_leaves_out_of_a_cluster_is_not_known():
    target = target_of_cluster({}, SCRATCH)
    assert (target.members, target.replicas, target.deletion_protection, target.tags) == (None, None, None, None)
    assert why_not(target, RUN_PERMIT) is not None
    assert target_of_cluster({"DBClusterMembers": [{}]}, SCRATCH).members == {""}


def test_a_described_cluster_snapshot_says_of_which_cluster_it_is():
    target = target_of_cluster_snapshot({"DBClusterIdentifier": "shop", "SnapshotType": "manual"}, SOURCE)
    assert (target.kind, target.cluster, target.snapshot_type, target.tags) == (
        "cluster-snapshot",
        "shop",
        "manual",
        None,
    )


def test_a_described_instance_says_in_which_cluster_it_is():
    assert target_of_instance({"DBClusterIdentifier": "shop"}, SCRATCH).cluster == "shop"
    assert target_of_instance({}, SCRATCH).cluster is None


@pytest.mark.parametrize("kind", ["cluster", "cluster-snapshot"])
def test_the_arn_is_the_one_that_aws_gives(kind: str):
    expected = f"arn:aws:rds:{REGION}:{SCRATCH}:{kind}:x"
    assert RUN_PERMIT.arn(kind, SCRATCH, "x") == expected  # type: ignore[arg-type]
