"""The RDS operations on Aurora clusters, as AWS would do them. Called with the estate's lock held.

A new cluster has data but no instance: nothing answers until one exists, see rds_members.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restorecheck.demo.aws import catalog, keys, master, placement, rds_cluster_snapshots, rds_snapshots
from restorecheck.demo.aws.clusters import INHERITED, Cluster, new_resource_id
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.instances import tag_map
from restorecheck.demo.aws.rds_creation import valid_identifier
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, Snapshot
from restorecheck.demo.aws.timeline import FOREVER, Timeline
from restorecheck.demo.aws.volumes import Volume

Wire = dict[str, Any]
STATE = "InvalidDBClusterStateFault"


def create(scope: Scope, asked: Wire) -> Cluster:
    """CreateDBCluster: an empty database, and the master user."""
    engine = _engine(scope, asked)
    for name in ("MasterUsername", "MasterUserPassword"):
        if not asked.get(name):
            raise AwsError("InvalidParameterValue", f"The parameter {name} must be provided and must not be blank.")
    user, password, database = asked["MasterUsername"], asked["MasterUserPassword"], asked.get("DatabaseName")
    master.check_user(user)
    master.check_password(password, engine.longest_password)
    if asked.get("KmsKeyId") and not asked.get("StorageEncrypted"):
        raise AwsError("InvalidParameterCombination", "KmsKeyId requires StorageEncrypted.")
    key = None
    if asked.get("StorageEncrypted"):
        key = asked.get("KmsKeyId") or keys.default(scope.account, scope.region_name)
        key = keys.usable(scope.account, scope.region_name, key)
    data, resource_id = scope.estate.data, new_resource_id()
    kept = {
        "AllocatedStorage": 1,
        "AvailabilityZones": [scope.region_name + zone for zone in "abc"],
        "BackupRetentionPeriod": 1,
        "EngineMode": "provisioned",
        "Port": engine.port,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
        "StorageType": "aurora",
    } | {name: asked[name] for name in INHERITED if asked.get(name) is not None}
    # Without a key of the account, Aurora's storage is encrypted under one of AWS's own: that counts as not encrypted.
    kept |= {"StorageEncryptionType": "sse-kms" if key else "sse-rds"}
    kept |= {"StorageEncrypted": key is not None, "KmsKeyId": key}
    kept["EngineVersion"] = catalog.version(engine, asked.get("EngineVersion"))

    def lay() -> Path:
        laid = data.lay(resource_id, engine.family)
        server = data.serve(laid)
        try:
            server.found(user, password, database)
        finally:
            data.halt(server)
        return laid

    return _make(scope, asked, kept, Content(tag_map(asked.get("Tags")), resource_id, lambda: data.submit(lay)))


def restore(scope: Scope, asked: Wire) -> Cluster:
    """RestoreDBClusterFromSnapshot: also straight from a shared and encrypted one, unlike an instance's."""
    engine = _engine(scope, asked)
    identifier = asked["SnapshotIdentifier"]
    snapshot = scope.estate.snapshot(scope.account, scope.region_name, identifier, OF_CLUSTERS)
    if snapshot.region != scope.region_name:
        raise AwsError(OF_CLUSTERS.missing, f"DBClusterSnapshot {identifier} not found.")
    if snapshot.status(scope.now) != "available":
        message = f"DB cluster snapshot {identifier} is not in the available state."
        raise AwsError(OF_CLUSTERS.wrong_state, message)
    key = snapshot.key
    if key:
        keys.check_enabled(key)
    if asked.get("KmsKeyId"):
        key = keys.usable(scope.account, scope.region_name, asked["KmsKeyId"])
    if engine.name != snapshot.settings["Engine"]:
        message = f"The engine {engine.name} is not that of the snapshot, {snapshot.settings['Engine']}."
        raise AwsError("InvalidParameterValue", message)
    data, resource_id = scope.estate.data, new_resource_id()
    kept = {name: snapshot.settings[name] for name in INHERITED if snapshot.settings.get(name) is not None}
    kept |= {name: asked[name] for name in ("BackupRetentionPeriod", "DatabaseName", "Port") if asked.get(name)}
    kept |= {"StorageEncrypted": key is not None, "KmsKeyId": key}
    kept["StorageEncryptionType"] = "sse-kms" if key else snapshot.settings["StorageEncryptionType"]
    # Not the snapshot's version: what is not asked for is the default of today.
    kept["EngineVersion"] = catalog.version(engine, asked.get("EngineVersion"))
    if catalog.older(kept["EngineVersion"], snapshot.settings["EngineVersion"]):
        message = f"Cannot restore from version {snapshot.settings['EngineVersion']} to {kept['EngineVersion']}."
        raise AwsError("InvalidParameterCombination", message)
    tags = snapshot.instance_tags | snapshot.tags if asked.get("Tags") is None else tag_map(asked["Tags"])

    def lay() -> Future[Path]:
        laid = data.submit(lambda: data.lay(resource_id, snapshot.directory))
        snapshot.read_by(laid)
        return laid

    return _make(scope, asked, kept, Content(dict(tags), resource_id, lay))


def _engine(scope: Scope, asked: Wire) -> catalog.Engine:
    offered = scope.estate.data.engines
    engine = offered.get(str(asked.get("Engine")))
    if engine is None or not engine.of_clusters:
        known = ", ".join(e.name for e in offered.values() if e.of_clusters)
        message = f"The engine {asked.get('Engine')} does not fit: the demo AWS has clusters of {known} only."
        raise AwsError("InvalidParameterValue", message)
    return engine


@dataclass(frozen=True)
class Content:
    """What a new cluster begins with; `lay` begins the work that makes its data directory."""

    tags: dict[str, str]
    resource_id: str
    lay: Callable[[], Future[Path]]


def _make(scope: Scope, asked: Wire, kept: Wire, content: Content) -> Cluster:
    """Check what every new cluster is checked for, and let its data be laid."""
    region, faults = scope.region, scope.estate.faults
    identifier = valid_identifier(asked.get("DBClusterIdentifier"), "DBClusterIdentifier")
    if identifier in region.clusters:
        raise AwsError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    if len(region.clusters) >= region.cluster_quota:
        message = f"You have reached your quota of {region.cluster_quota} DB clusters in this account and Region."
        raise AwsError("DBClusterQuotaExceededFault", message)
    _check_retention(kept["BackupRetentionPeriod"])
    group = placement.cluster_parameter_group(
        scope.account,
        scope.region_name,
        asked.get("DBClusterParameterGroupName"),
        scope.estate.data.engines[kept["Engine"]].group,
    )
    where = placement.placement(scope.account, scope.region_name, asked)
    settings = kept | {
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": bool(asked.get("CopyTagsToSnapshot")),
        "DBClusterParameterGroup": group,
        "DBSubnetGroup": where["DBSubnetGroup"]["DBSubnetGroupName"],
        "DeletionProtection": bool(asked.get("DeletionProtection")),
        "EngineLifecycleSupport": asked.get("EngineLifecycleSupport") or "open-source-rds-extended-support",
        "HostedZoneId": "Z2R2ITUGPM61AM",
        "HttpEndpointEnabled": bool(asked.get("EnableHttpEndpoint")),
        "IAMDatabaseAuthenticationEnabled": bool(asked.get("EnableIAMDatabaseAuthentication")),
        "MultiAZ": False,
        "NetworkType": asked.get("NetworkType") or "IPV4",
        "ServerlessV2ScalingConfiguration": asked.get("ServerlessV2ScalingConfiguration"),
        "VpcSecurityGroups": where["VpcSecurityGroups"],
    }
    timeline, end_status = Timeline(scope.now, (("creating", scope.estate.timings.create),), "available"), None
    if fault := faults.strike(scope.call, ["instance_status"]):
        end_status = fault.instance_status
        if end_status == "creating":
            timeline = timeline.delayed(FOREVER)
    if fault := faults.strike(scope.call, ["slow_boot"]):
        timeline = timeline.delayed(fault.slow_boot or 0.0)
    cluster = Cluster(
        account=scope.account,
        region=scope.region_name,
        identifier=identifier,
        settings=settings,
        where=where,
        tags=content.tags,
        timeline=timeline,
        volume=Volume(scope.estate.data, content.lay()),
        created=scope.today,
        resource_id=content.resource_id,
        end_status=end_status,
    )
    region.clusters[identifier] = cluster
    scope.estate.happened(cluster, "DB cluster created.", "creation")
    return cluster


def _check_retention(days: int) -> None:
    if not 1 <= days <= 35:
        raise AwsError("InvalidParameterValue", f"Invalid backup retention period: {days}. It must be 1 to 35.")


# --- what exists ------------------------------------------------------------------------------------------------------

_SWITCHES = {
    "EnableHttpEndpoint": "HttpEndpointEnabled",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
}
_CHANGEABLE = {
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "ServerlessV2ScalingConfiguration",
}


def modify(scope: Scope, asked: Wire) -> Cluster:
    """ModifyDBCluster. A new password takes its time, whatever ApplyImmediately says; all else happens at once."""
    cluster = scope.estate.cluster(scope.account, scope.region_name, asked["DBClusterIdentifier"])
    if (status := cluster.status(scope.now)) != "available" or cluster.password:
        raise AwsError(STATE, f"DB cluster {cluster.identifier} is not in available state. It is {status}.")
    known = {"DBClusterIdentifier", "ApplyImmediately", "MasterUserPassword", *_CHANGEABLE, *_SWITCHES}
    if unknown := sorted(set(asked) - known):
        raise AwsError("InvalidParameterCombination", f"The demo AWS cannot modify {unknown[0]}.")
    if asked.get("BackupRetentionPeriod") is not None:
        _check_retention(asked["BackupRetentionPeriod"])
    password = asked.get("MasterUserPassword")
    if password:
        master.check_password(password, scope.estate.data.engines[cluster.settings["Engine"]].longest_password)
    cluster.settings |= {name: asked[name] for name in _CHANGEABLE if asked.get(name) is not None}
    cluster.settings |= {field: asked[name] for name, field in _SWITCHES.items() if asked.get(name) is not None}
    if password:
        _change_password(scope, cluster, password)
    return cluster


def _change_password(scope: Scope, cluster: Cluster, password: str) -> None:
    """As with an instance; a cluster without an instance changes it as soon as it has one."""
    seconds = scope.estate.timings.password
    phases = (("available", seconds / 2), ("resetting-master-credentials", FOREVER))
    cluster.password = Timeline(scope.now, phases, "available")

    def work() -> None:
        cluster.volume.new_password(cluster.settings["MasterUsername"], password)
        cluster.password = None
        scope.estate.happened(cluster, "Reset master credentials.", "configuration change")

    scope.estate.after(seconds, work)


def describe(scope: Scope, asked: Wire) -> Iterable[Cluster]:
    """DescribeDBClusters, without its paging."""
    if identifier := asked.get("DBClusterIdentifier"):
        return [scope.estate.cluster(scope.account, scope.region_name, identifier)]
    found: list[Cluster] = [c for _, c in sorted(scope.region.clusters.items())]
    for condition in asked.get("Filters") or []:
        if condition["Name"] not in _FILTERS:
            raise AwsError("InvalidParameterValue", f"Unrecognized filter name: {condition['Name']}")
        field_of = _FILTERS[condition["Name"]]
        found = [c for c in found if set(condition["Values"]) & set(field_of(c))]
    return found


_FILTERS: dict[str, Callable[[Cluster], tuple[str, ...]]] = {
    "db-cluster-id": lambda c: (c.identifier, c.arn),
    "db-cluster-resource-id": lambda c: (c.resource_id,),
    "engine": lambda c: (c.settings["Engine"],),
    "clone-group-id": lambda _: (),
    "domain": lambda _: (),
}


def delete(scope: Scope, asked: Wire) -> Cluster:
    """DeleteDBCluster: only when it has no instance any more that nobody is deleting."""
    cluster = scope.estate.cluster(scope.account, scope.region_name, asked["DBClusterIdentifier"])
    if cluster.deleting:
        raise AwsError(STATE, f"Cluster {cluster.identifier} is already being deleted.")
    if cluster.settings["DeletionProtection"]:
        message = "Cannot delete protected Cluster, please disable deletion protection and try again."
        raise AwsError("InvalidParameterCombination", message)
    if cluster.staying():
        raise AwsError(STATE, "Cluster cannot be deleted, it still contains DB instances in non-deleting state.")
    skip, name = bool(asked.get("SkipFinalSnapshot")), asked.get("FinalDBSnapshotIdentifier")
    if skip == bool(name):
        message = "Give either SkipFinalSnapshot or FinalDBSnapshotIdentifier when deleting a cluster."
        raise AwsError("InvalidParameterCombination", message)
    last: Snapshot | None = None
    if name:
        if (status := cluster.status(scope.now)) != "available":
            raise AwsError(STATE, f"Cannot take a final snapshot of cluster {cluster.identifier} in status {status}.")
        name = rds_snapshots.new_name(scope, name, OF_CLUSTERS)
        last = rds_cluster_snapshots.take(scope, cluster, name, tags={})
    if asked.get("DeleteAutomatedBackups", True):
        rds_snapshots.remove_automated(scope, cluster.resource_id, OF_CLUSTERS)
    cluster.deleting = Timeline(scope.now, (("deleting", scope.estate.timings.delete),), "gone")
    scope.estate.happened(cluster, "DB cluster deleted.", "deletion")
    before = [member.removal for member in cluster.members if member.removal]

    def work() -> None:
        for other in [*before, *([last.work] if last else [])]:
            other.exception()
        cluster.volume.erase()

    cluster.removal = scope.estate.data.submit(work)
    return cluster
