"""What the sweep needs of the fence: cluster snapshots may be listed and judged on both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fence_cases import BEGAN, EXPIRES, REGION, SCRATCH, SOURCE, SWEEP_PERMIT, arn, tags_of

from restorecheck.fence import Effect, Permit, Role, Target, why_not
from restorecheck.fence.decision import why_not_share
from restorecheck.fence.table import effect_of


def a_cluster_snapshot(account: str = SCRATCH, **changes: Any) -> Target:
    resource = arn("cluster-snapshot", account)
    good = Target(
        kind="cluster-snapshot",
        account=account,
        name="restorecheck-orders-db-20261121t0300z",
        arn=resource,
        tags=tags_of(resource),
        status="available",
        created=BEGAN + timedelta(minutes=9),
        snapshot_type="manual",
    )
    return replace(good, **changes)


@pytest.mark.parametrize("role", [Role.SCRATCH, Role.SOURCE])
def test_cluster_snapshots_may_be_listed_on_both_sides(role: Role):
    assert effect_of(role, "rds", "DescribeDBClusterSnapshots") is Effect.READ


@pytest.mark.parametrize("operation", ["DescribeDBSnapshotAttributes", "DescribeDBClusterSnapshotAttributes"])
def test_who_may_see_a_snapshot_can_be_asked_in_a_source_account(operation: str):
    assert effect_of(Role.SOURCE, "rds", operation) is Effect.READ


def test_a_cluster_snapshot_that_is_ours_in_every_clause_and_expired_has_nothing_against_it():
    assert why_not(a_cluster_snapshot(), SWEEP_PERMIT) is None


@pytest.mark.parametrize(
    ("target", "permit", "reason"),
    [
        (a_cluster_snapshot(), replace(SWEEP_PERMIT, began=EXPIRES - timedelta(seconds=1)), "its lease runs until"),
        (a_cluster_snapshot(SOURCE), replace(SWEEP_PERMIT, source_account=""), "is not one in which this run may do"),
        (a_cluster_snapshot(tags=None), SWEEP_PERMIT, "its tags are not known"),
        (a_cluster_snapshot(tags=tags_of(arn("snapshot", SCRATCH))), SWEEP_PERMIT, "does not name it"),
        (a_cluster_snapshot(arn=arn("snapshot", SCRATCH)), SWEEP_PERMIT, "its ARN is"),
        (a_cluster_snapshot(created=None), SWEEP_PERMIT, "does not say when it was created"),
        (a_cluster_snapshot(created=BEGAN - timedelta(hours=1)), SWEEP_PERMIT, "older than the run"),
        (a_cluster_snapshot(snapshot_type="automated"), SWEEP_PERMIT, "not a manual snapshot"),
        (a_cluster_snapshot(snapshot_type=None), SWEEP_PERMIT, "not a manual snapshot"),
        (a_cluster_snapshot(name="rds-final-1"), SWEEP_PERMIT, "its name does not begin with"),
    ],
)
def test_a_cluster_snapshot_is_judged_like_any_other_target(target: Target, permit: Permit, reason: str):
    assert reason in (why_not(target, permit) or "")


def test_a_sweep_shares_no_cluster_snapshot():
    assert "not a snapshot of the cluster" in (why_not_share(a_cluster_snapshot(), SWEEP_PERMIT) or "")


def test_its_arn_is_the_one_that_aws_gives():
    expected = f"arn:aws:rds:{REGION}:{SCRATCH}:cluster-snapshot:x"
    assert SWEEP_PERMIT.arn("cluster-snapshot", SCRATCH, "x") == expected
