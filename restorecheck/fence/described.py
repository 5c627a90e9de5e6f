"""What the fence needs to know of a resource, out of a describe answer. What AWS leaves out is None, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restorecheck.fence.decision import Target
from restorecheck.fence.object_parameters import tags_of


def _tags(described: Mapping[str, Any]) -> dict[str, str] | None:
    tags = described.get("TagList")
    return None if tags is None else {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def target_of_instance(described: Mapping[str, Any], account: str) -> Target:
    """Return what the fence needs to know of an instance in a DescribeDBInstances answer."""
    replicas = described.get("ReadReplicaDBInstanceIdentifiers")
    clusters = described.get("ReadReplicaDBClusterIdentifiers") or []
    return Target(
        kind="db",
        account=account,
        name=described.get("DBInstanceIdentifier", ""),
        arn=described.get("DBInstanceArn"),
        tags=_tags(described),
        status=described.get("DBInstanceStatus"),
        created=described.get("InstanceCreateTime"),
        deletion_protection=described.get("DeletionProtection"),
        replicas=None if replicas is None else len(replicas) + len(clusters),
        cluster=described.get("DBClusterIdentifier"),
    )


def target_of_cluster(described: Mapping[str, Any], account: str) -> Target:
    """Return what the fence needs to know of a cluster in a DescribeDBClusters answer."""
    replicas, members = described.get("ReadReplicaIdentifiers"), described.get("DBClusterMembers")
    # AWS leaves these two out where there is none.
    above = [name for name in ("ReplicationSourceIdentifier", "GlobalClusterIdentifier") if described.get(name)]
    return Target(
        kind="cluster",
        account=account,
        name=described.get("DBClusterIdentifier", ""),
        arn=described.get("DBClusterArn"),
        tags=_tags(described),
        status=described.get("Status"),
        created=described.get("ClusterCreateTime"),
        deletion_protection=described.get("DeletionProtection"),
        replicas=None if replicas is None else len(replicas) + len(above),
        members=None if members is None else frozenset(member.get("DBInstanceIdentifier", "") for member in members),
    )


def target_of_snapshot(described: Mapping[str, Any], account: str) -> Target:
    """Return what the fence needs to know of a snapshot in a DescribeDBSnapshots answer."""
    return Target(
        kind="snapshot",
        account=account,
        name=described.get("DBSnapshotIdentifier", ""),
        arn=described.get("DBSnapshotArn"),
        tags=_tags(described),
        status=described.get("Status"),
        created=described.get("SnapshotCreateTime"),
        snapshot_type=described.get("SnapshotType"),
        instance=described.get("DBInstanceIdentifier"),
    )


def target_of_cluster_snapshot(described: Mapping[str, Any], account: str) -> Target:
    """Return what the fence needs to know of a snapshot in a DescribeDBClusterSnapshots answer."""
    return Target(
        kind="cluster-snapshot",
        account=account,
        name=described.get("DBClusterSnapshotIdentifier", ""),
        arn=described.get("DBClusterSnapshotArn"),
        tags=_tags(described),
        status=described.get("Status"),
        created=described.get("SnapshotCreateTime"),
        snapshot_type=described.get("SnapshotType"),
        cluster=described.get("DBClusterIdentifier"),
    )


def target_of_objects(lease: Mapping[str, Any], account: str, name: str, partition: str) -> Target:
    """Return what the fence needs to know of all below a prefix, in a HeadObject answer for its lease.

    S3 names no ARN: that the lease was written for this very place, its own tag says.
    """
    return Target(
        kind="objects",
        account=account,
        name=name,
        arn=f"arn:{partition}:s3:::{name}",
        tags=tags_of(lease.get("Metadata") or {}),
        status="available",
        created=lease.get("LastModified"),
    )
