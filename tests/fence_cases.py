"""A permit of a run, a permit of a sweep, and what they may touch: the starting point of the fence's tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from restorecheck.fence import TAG_CHECK, TAG_EXPIRES, TAG_MANAGED, TAG_RESOURCE, TAG_RUN, Permit, Target

SOURCE, SCRATCH, OTHER = "111111111111", "222222222222", "333333333333"
REGION = "eu-central-1"
BEGAN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
EXPIRES = BEGAN + timedelta(hours=24)
RUN = "orders-db-20261121t0300z"
NAME = f"restorecheck-{RUN}"

RUN_PERMIT = Permit(
    source_accounts=frozenset({SOURCE}),
    scratch_accounts=frozenset({SCRATCH}),
    source_account=SOURCE,
    scratch_account=SCRATCH,
    region=REGION,
    began=BEGAN,
    expires=EXPIRES,
    run_id=RUN,
    check="orders-db",
    instance="orders",
    cluster="shop",
)
SWEEP_PERMIT = replace(RUN_PERMIT, run_id="", check="", instance="", cluster="", began=EXPIRES + timedelta(hours=1))


def arn(kind: str, account: str, name: str = NAME, region: str = REGION) -> str:
    return f"arn:aws:rds:{region}:{account}:{kind}:{name}"


def tags_of(resource: str, run: str = RUN, expires: datetime = EXPIRES) -> dict[str, str]:
    return {
        TAG_MANAGED: "true",
        TAG_RUN: run,
        TAG_CHECK: "orders-db",
        TAG_RESOURCE: resource,
        TAG_EXPIRES: expires.isoformat(timespec="seconds"),
    }


def tags_as_sent(resource: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags_of(resource).items()]


def instance(**changes: Any) -> Target:
    resource = arn("db", SCRATCH)
    good = Target(
        kind="db",
        account=SCRATCH,
        name=NAME,
        arn=resource,
        tags=tags_of(resource),
        status="available",
        created=BEGAN + timedelta(minutes=9),
        deletion_protection=False,
        replicas=0,
    )
    return replace(good, **changes)


def snapshot(account: str = SCRATCH, **changes: Any) -> Target:
    resource = arn("snapshot", account)
    good = Target(
        kind="snapshot",
        account=account,
        name=NAME,
        arn=resource,
        tags=tags_of(resource),
        status="available",
        created=BEGAN + timedelta(minutes=5),
        snapshot_type="manual",
        instance="orders",
    )
    return replace(good, **changes)


def cluster(**changes: Any) -> Target:
    resource = arn("cluster", SCRATCH)
    good = Target(
        kind="cluster",
        account=SCRATCH,
        name=NAME,
        arn=resource,
        tags=tags_of(resource),
        status="available",
        created=BEGAN + timedelta(minutes=7),
        deletion_protection=False,
        replicas=0,
        members=frozenset({NAME}),
    )
    return replace(good, **changes)


def cluster_snapshot(account: str = SCRATCH, **changes: Any) -> Target:
    resource = arn("cluster-snapshot", account)
    good = replace(
        snapshot(account),
        kind="cluster-snapshot",
        arn=resource,
        tags=tags_of(resource),
        instance=None,
        cluster="shop",
    )
    return replace(good, **changes)


def owners_cluster_snapshot(**changes: Any) -> Target:
    """A manual snapshot that the owner of the source made, of the cluster under test."""
    good = cluster_snapshot(SOURCE, name="before-migration", arn=arn("cluster-snapshot", SOURCE, "before-migration"))
    return replace(good, tags={}, created=BEGAN - timedelta(days=3), **changes)


def owners_snapshot(**changes: Any) -> Target:
    """A manual snapshot that the owner of the source made, of the instance under test."""
    good = snapshot(SOURCE, name="before-migration", arn=arn("snapshot", SOURCE, "before-migration"), tags={})
    return replace(good, created=BEGAN - timedelta(days=3), **changes)


BORROWING_PERMIT = replace(RUN_PERMIT, borrowed="before-migration")

RESTORE: dict[str, Any] = {
    "DBInstanceIdentifier": NAME,
    "DBSnapshotIdentifier": NAME,
    "DBInstanceClass": "db.t4g.medium",
    "DBSubnetGroupName": "restorecheck",
    "VpcSecurityGroupIds": ["sg-0123456789abcdef0"],
    "PubliclyAccessible": False,
    "MultiAZ": False,
    "BackupRetentionPeriod": 0,
    "DeletionProtection": False,
    "AutoMinorVersionUpgrade": False,
    "CopyTagsToSnapshot": False,
    "EnableIAMDatabaseAuthentication": False,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "Tags": tags_as_sent(arn("db", SCRATCH)),
}


def copy_call(account: str) -> dict[str, Any]:
    return {
        "SourceDBSnapshotIdentifier": "rds:orders-2026-11-21-02-10",
        "TargetDBSnapshotIdentifier": NAME,
        "CopyTags": False,
        "Tags": tags_as_sent(arn("snapshot", account)),
        "KmsKeyId": "arn:aws:kms:eu-central-1:111111111111:key/1",
    }


SHARE: dict[str, Any] = {"DBSnapshotIdentifier": NAME, "AttributeName": "restore", "ValuesToAdd": [SCRATCH]}
UNSHARE: dict[str, Any] = {"DBSnapshotIdentifier": NAME, "AttributeName": "restore", "ValuesToRemove": [SCRATCH]}
DELETE_INSTANCE: dict[str, Any] = {
    "DBInstanceIdentifier": NAME,
    "SkipFinalSnapshot": True,
    "DeleteAutomatedBackups": True,
}
DELETE_SNAPSHOT: dict[str, Any] = {"DBSnapshotIdentifier": NAME}
PASSWORD: dict[str, Any] = {"DBInstanceIdentifier": NAME, "MasterUserPassword": "s3cret", "ApplyImmediately": True}

RESTORE_CLUSTER: dict[str, Any] = {
    "DBClusterIdentifier": NAME,
    "SnapshotIdentifier": arn("cluster-snapshot", SOURCE),
    "Engine": "aurora-postgresql",
    "EngineVersion": "16.6",
    "DBSubnetGroupName": "restorecheck",
    "VpcSecurityGroupIds": ["sg-0123456789abcdef0"],
    "KmsKeyId": "arn:aws:kms:eu-central-1:222222222222:key/1",
    "DeletionProtection": False,
    "CopyTagsToSnapshot": False,
    "BackupRetentionPeriod": 1,
    "EnableIAMDatabaseAuthentication": False,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 2.0},
    "Tags": tags_as_sent(arn("cluster", SCRATCH)),
}
ADD_INSTANCE: dict[str, Any] = {
    "DBInstanceIdentifier": NAME,
    "DBClusterIdentifier": NAME,
    "DBInstanceClass": "db.serverless",
    "Engine": "aurora-postgresql",
    "PubliclyAccessible": False,
    "AutoMinorVersionUpgrade": False,
    "Tags": tags_as_sent(arn("db", SCRATCH)),
}


def cluster_copy_call(account: str) -> dict[str, Any]:
    return {
        "SourceDBClusterSnapshotIdentifier": "rds:shop-2026-11-21-02-10",
        "TargetDBClusterSnapshotIdentifier": NAME,
        "CopyTags": False,
        "Tags": tags_as_sent(arn("cluster-snapshot", account)),
    }


_SHARED_CLUSTER: dict[str, Any] = {"DBClusterSnapshotIdentifier": NAME, "AttributeName": "restore"}
SHARE_CLUSTER: dict[str, Any] = {**_SHARED_CLUSTER, "ValuesToAdd": [SCRATCH]}
UNSHARE_CLUSTER: dict[str, Any] = {**_SHARED_CLUSTER, "ValuesToRemove": [SCRATCH]}
DELETE_CLUSTER: dict[str, Any] = {
    "DBClusterIdentifier": NAME,
    "SkipFinalSnapshot": True,
    "DeleteAutomatedBackups": True,
}
DELETE_CLUSTER_SNAPSHOT: dict[str, Any] = {"DBClusterSnapshotIdentifier": NAME}
CLUSTER_PASSWORD: dict[str, Any] = {
    "DBClusterIdentifier": NAME,
    "MasterUserPassword": "s3cret",
    "ApplyImmediately": True,
}
