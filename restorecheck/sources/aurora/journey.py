"""From a cluster snapshot to a cluster with an instance that answers, and the questions to it.

Every `begin` may run twice: what it meets under this run's name is adopted if this run made it, refused if not.
Nothing here waits, judges or deletes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restorecheck.durable import Look
from restorecheck.errors import AwsError, QueryError, SourceError
from restorecheck.failures import CLUSTER_STATUSES, CONNECTABLE_STATUSES
from restorecheck.model import Answers, RecoveryPoint
from restorecheck.sources.aurora.reach import ClusterReach
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import asking, copies
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.engines import lifecycle
from restorecheck.sources.rds.journey import alive, as_backed_up, look_at_instance

SERVERLESS = "db.serverless"


def stages(reach: ClusterReach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs from this point to an answering database."""
    limits = reach.limits
    restore = reach.begun(lambda: _restore(reach, point))
    instance = reach.begun(lambda: _add_instance(reach, point))
    set_password = reach.begun(lambda: _set_password(reach, point))
    return [
        *copies.stages(reach, point),
        Stage("restore", restore, lambda: _look_at_cluster(reach), limits.restore),
        Stage("instance", instance, lambda: _look_at_instance(reach, point), limits.restore),
        Stage("open", set_password, lambda: _look_open(reach, point), limits.open),
    ]


def _restore(reach: ClusterReach, point: RecoveryPoint) -> None:
    """Restore the cluster, with every parameter that AWS would otherwise choose for us.

    Source: the RDS API reference, RestoreDBClusterFromSnapshot.
    """
    place = reach.placement
    params: dict[str, Any] = {
        "DBClusterIdentifier": reach.name,
        "SnapshotIdentifier": reach.restorable(point),
        "Engine": point.engine,
        "EngineVersion": point.engine_version,  # left out: AWS's default version, whatever the snapshot's is
        "DBSubnetGroupName": place.subnet_group,
        "VpcSecurityGroupIds": list(place.security_groups),
        "KmsKeyId": place.key,  # left out: the source's key, which the source's account can take away
        "DeletionProtection": False,
        "CopyTagsToSnapshot": False,
        "BackupRetentionPeriod": 1,  # Aurora takes no less; left out: the original's
        "EnableIAMDatabaseAuthentication": False,
        "EngineLifecycleSupport": lifecycle(place),
        "Tags": reach.tags("cluster", "scratch"),
    }
    if place.cluster_parameter_group:
        params["DBClusterParameterGroupName"] = place.cluster_parameter_group
    if place.instance_class == SERVERLESS and place.capacity:
        least, most = place.capacity
        params["ServerlessV2ScalingConfiguration"] = {"MinCapacity": least, "MaxCapacity": most}
    try:
        reach.hand("scratch").call("rds", "RestoreDBClusterFromSnapshot", **params)
    except AwsError as e:
        if e.code == "DBClusterAlreadyExistsFault" and reach.ours(reach.cluster()):
            return
        raise (e if reach.imports(point) else copies.not_seen_yet(reach, e)) from e


def _look_at_cluster(reach: ClusterReach) -> Look:
    _, status = _living(reach, reach.sighted_cluster())
    return Look(status == "available", status)


def _living(reach: ClusterReach, cluster: Described | None) -> tuple[Described, str]:
    """Return the cluster and its status. Raises SourceError when it is gone or in a status that it never leaves."""
    if cluster is None:
        raise SourceError(f"the cluster {reach.name} vanished from the scratch account", kind="interfered")
    status = cluster.get("Status", "unknown")
    if kind := CLUSTER_STATUSES.get(status):
        raise SourceError(f"the restored cluster {reach.name} is in status {status}", kind=kind)
    return cluster, status


# --- its instance ----------------------------------------------------------------------------------------------------


def _add_instance(reach: ClusterReach, point: RecoveryPoint) -> None:
    """Give the cluster an instance: without one it is storage that nobody can ask."""
    place = reach.placement
    optional = {"DBParameterGroupName": place.parameter_group} if place.parameter_group else {}
    try:
        reach.hand("scratch").call(
            "rds",
            "CreateDBInstance",
            DBInstanceIdentifier=reach.name,
            DBClusterIdentifier=reach.name,
            DBInstanceClass=place.instance_class,
            Engine=point.engine,
            PubliclyAccessible=False,
            AutoMinorVersionUpgrade=False,
            Tags=reach.tags("db", "scratch"),
            **optional,
        )
    except AwsError as e:
        if e.code != "DBInstanceAlreadyExists" or not reach.ours(reach.instance()):
            raise


def _look_at_instance(reach: ClusterReach, point: RecoveryPoint) -> Look:
    """Done when the instance can be connected to and the cluster can be changed: next it gets a password."""
    _, status = _living(reach, reach.sighted_cluster())
    look = look_at_instance(reach, point)
    return look if status == "available" else Look(done=False, status=f"{look.status}, its cluster is {status}")


# --- opening and asking -----------------------------------------------------------------------------------------------


def _set_password(reach: ClusterReach, point: RecoveryPoint) -> None:
    """Give the copy's master user a password of this run: the one in the backup is not ours to know."""
    reach.hand("scratch").call(
        "rds",
        "ModifyDBCluster",
        DBClusterIdentifier=reach.name,
        MasterUserPassword=reach.password(point.master_username),
        ApplyImmediately=True,
    )


def _look_open(reach: ClusterReach, point: RecoveryPoint) -> Look:
    """Done when a query answers through the writer's endpoint: `available` alone proves nothing."""
    cluster, status = _living(reach, reach.sighted_cluster())
    _, instance_status = alive(reach, reach.sighted_instance())
    both = f"cluster {status}, instance {instance_status}"
    if cluster.get("PendingModifiedValues", {}).get("MasterUserPassword"):
        return Look(done=False, status=f"{both}, new password pending")
    if status != "available" or instance_status not in CONNECTABLE_STATUSES:
        return Look(done=False, status=both)
    try:
        master, reader = reach.login(cluster, point.master_username), reach.login(cluster)
    except QueryError as e:  # it has no endpoint yet
        return Look(done=False, status=f"{both}, no answer yet: {e.message}")
    try:
        done, said = asking.knocked(reach, point, master, reader)
    except QueryError as e:
        if e.kind == "missing-object" and reach.database_is_a_guess:  # nobody said that the backup must hold it
            hint = "name a `database` of the cluster in [source]"
            raise QueryError(f"the cluster has no database {reader.database}", hint, kind="config") from e
        raise
    return Look(done, said if done else f"{both}, {said}")


def examine(reach: ClusterReach, point: RecoveryPoint) -> Answers:
    """Ask every assertion's question of the copy, as its read-only role."""
    cluster, _ = _living(reach, reach.cluster())
    as_backed_up(cluster, point)  # it may have happened since
    return asking.answers(reach, point, reach.login(cluster))
