"""How snapshots of clusters come to be. Copying, sharing, listing and deleting them is as with those of instances.

Called with the estate's lock held.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from restorecheck.demo.aws.clusters import INHERITED, Cluster
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.instances import tag_map
from restorecheck.demo.aws.rds_snapshots import new_name
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, ClusterSnapshot
from restorecheck.demo.aws.timeline import Timeline

Wire = dict[str, Any]


def create(scope: Scope, asked: Wire) -> ClusterSnapshot:
    """CreateDBClusterSnapshot. Its data is that of the moment of the call: the answer waits for the copy."""
    cluster = scope.estate.cluster(scope.account, scope.region_name, asked["DBClusterIdentifier"])
    if (status := cluster.status(scope.now)) != "available":
        message = f"Cannot create a snapshot because the cluster {cluster.identifier} is {status}."
        raise AwsError("InvalidDBClusterStateFault", message)
    name = new_name(scope, asked["DBClusterSnapshotIdentifier"], OF_CLUSTERS)
    return take(scope, cluster, name, tags=tag_map(asked.get("Tags")))


def made_by_aws(scope: Scope, cluster_id: str, at: datetime | None) -> ClusterSnapshot:
    """Take a snapshot as the nightly backup does; `at`: when it says it was made."""
    cluster = scope.estate.cluster(scope.account, scope.region_name, cluster_id)
    name = f"rds:{cluster.identifier}-{at or scope.today:%Y-%m-%d-%H-%M}"
    return _at_once(scope, cluster, name, "automated", at)


def before_upgrade(scope: Scope, cluster_id: str, at: datetime | None) -> ClusterSnapshot:
    """Take the snapshot that Aurora makes by itself before an upgrade, and leaves behind when that fails."""
    cluster = scope.estate.cluster(scope.account, scope.region_name, cluster_id)
    name = f"rds-final-{cluster.identifier}-{at or scope.today:%Y-%m-%d-%H-%M}"
    return _at_once(scope, cluster, name, "manual", at)


def _at_once(scope: Scope, cluster: Cluster, name: str, kind: str, at: datetime | None) -> ClusterSnapshot:
    if name in scope.region.cluster_snapshots:
        message = f"Cannot create the snapshot because {name} already exists."
        raise AwsError(OF_CLUSTERS.exists, message)
    snapshot = take(scope, cluster, name, kind=kind, tags=dict(cluster.tags), at=at)
    snapshot.timeline = Timeline(scope.now, (), "available")
    return snapshot


def take(
    scope: Scope,
    cluster: Cluster,
    name: str,
    *,
    tags: dict[str, str],
    kind: str = "manual",
    at: datetime | None = None,
) -> ClusterSnapshot:
    """Take a snapshot of a cluster, with or without an instance."""
    data, when = scope.estate.data, at or scope.today
    directory = data.new_copy()
    if cluster.settings["CopyTagsToSnapshot"]:
        tags = cluster.tags | tags
    kept = {key: cluster.settings[key] for key in INHERITED if cluster.settings.get(key) is not None}
    kept["_VpcId"] = cluster.where["DBSubnetGroup"]["VpcId"]
    kept["IAMDatabaseAuthenticationEnabled"] = cluster.settings["IAMDatabaseAuthenticationEnabled"]
    snapshot = ClusterSnapshot(
        account=scope.account,
        region=scope.region_name,
        identifier=name,
        kind=kind,
        instance=cluster.identifier,
        resource_id=cluster.resource_id,
        settings=kept,
        tags=tags,
        instance_tags=dict(cluster.tags),
        directory=directory,
        work=data.submit(lambda: cluster.volume.backup(directory)),
        timeline=Timeline(scope.now, (("creating", scope.estate.timings.snapshot),), "available"),
        instance_created=cluster.created,
        created=when,
        original_created=when,
        database_time=when,
    )
    scope.wait_for.append(snapshot.work)
    scope.region.cluster_snapshots[name] = snapshot
    return snapshot
