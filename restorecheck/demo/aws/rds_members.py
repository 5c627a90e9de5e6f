"""The instances of a cluster: CreateDBInstance with a DBClusterIdentifier, and their end. The cluster has the data.

Called with the estate's lock held.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from typing import Any

from restorecheck.demo.aws import catalog, placement
from restorecheck.demo.aws.clusters import Cluster
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.instances import Instance, journey, tag_map
from restorecheck.demo.aws.rds_creation import flags, new_identifier, troubled
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.timeline import FOREVER, Timeline

Wire = dict[str, Any]

OF_THE_CLUSTER = (
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "DBName",
    "DeletionProtection",
    "KmsKeyId",
    "ManageMasterUserPassword",
    "MasterUserPassword",
    "MasterUsername",
    "StorageEncrypted",
    "VpcSecurityGroupIds",
)
"""What is not an instance's to say."""


def create(scope: Scope, asked: Wire) -> Instance:
    """CreateDBInstance in a cluster; the first one writes. Its database answers when it is available, not before."""
    cluster = scope.estate.cluster(scope.account, scope.region_name, asked["DBClusterIdentifier"])
    if asked.get("Engine") != cluster.settings["Engine"]:
        message = f"The engine name requested for your DB instance ({asked.get('Engine')}) doesn't match the cluster's."
        raise AwsError("InvalidParameterCombination", message)
    if wrong := [name for name in OF_THE_CLUSTER if asked.get(name) is not None]:
        message = f"The requested DB Instance will be a member of a DB Cluster. Set {wrong[0]} for the DB Cluster."
        raise AwsError("InvalidParameterCombination", message)
    if asked.get("EngineVersion") not in {None, cluster.settings["EngineVersion"]}:
        raise AwsError("InvalidParameterCombination", "The engine version is the cluster's.")
    identifier = new_identifier(scope, asked)
    if (status := cluster.status(scope.now)) != "available":
        raise AwsError("InvalidDBClusterStateFault", f"DB cluster {cluster.identifier} is {status}.")
    _check_class(asked.get("DBInstanceClass"), cluster, _engine(scope, cluster))
    settings = _settings(scope, asked, cluster)
    instance = troubled(
        scope,
        Instance(
            account=scope.account,
            region=scope.region_name,
            identifier=identifier,
            settings=settings,
            tags=tag_map(asked.get("Tags")),
            timeline=journey(scope.now, scope.estate.timings, retention=0),
            boot=Future(),
            created=scope.today,
        ),
    )
    cluster.members = [*(m for m in cluster.members if not m.gone(scope.now)), instance]
    scope.region.instances[identifier] = instance
    scope.estate.happened(instance, "DB instance created.", "creation")
    _start_later(scope, cluster, instance)
    return instance


def _engine(scope: Scope, cluster: Cluster) -> catalog.Engine:
    return scope.estate.data.engines[cluster.settings["Engine"]]


def _check_class(name: str | None, cluster: Cluster, engine: catalog.Engine) -> None:
    if name is None:
        raise AwsError("InvalidParameterValue", "The parameter DBInstanceClass must be provided and must not be blank.")
    catalog.check_class(name, engine)
    if name == catalog.SERVERLESS and not cluster.settings.get("ServerlessV2ScalingConfiguration"):
        message = (
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB "
            "instance."
        )
        raise AwsError("InvalidParameterCombination", message)


def _settings(scope: Scope, asked: Wire, cluster: Cluster) -> Wire:
    of_cluster = cluster.settings
    group = asked.get("DBSubnetGroupName")
    if group is not None and group.lower() != of_cluster["DBSubnetGroup"]:
        message = f"The DB subnet group {group} is not that of the cluster, {of_cluster['DBSubnetGroup']}."
        raise AwsError("InvalidParameterCombination", message)
    engine = _engine(scope, cluster)
    parameters = placement.parameter_group(
        scope.account, scope.region_name, asked.get("DBParameterGroupName"), engine.group
    )
    same = (
        "AllocatedStorage BackupRetentionPeriod Engine EngineVersion KmsKeyId MasterUsername Port "
        "PreferredBackupWindow PreferredMaintenanceWindow StorageEncrypted StorageType"
    )
    settings = {name: of_cluster[name] for name in same.split() if of_cluster.get(name) is not None}
    where = placement.placement(
        scope.account,
        scope.region_name,
        {name: asked[name] for name in ("AvailabilityZone", "PubliclyAccessible") if name in asked}
        | {"DBSubnetGroupName": None if of_cluster["DBSubnetGroup"] == "default" else of_cluster["DBSubnetGroup"]},
    )
    settings |= where | flags(asked, encrypted=bool(of_cluster["StorageEncrypted"]))
    return settings | {
        "AutoMinorVersionUpgrade": asked.get("AutoMinorVersionUpgrade", True),
        "DBClusterIdentifier": cluster.identifier,
        "DBInstanceClass": asked["DBInstanceClass"],
        "DBParameterGroups": [{"DBParameterGroupName": parameters, "ParameterApplyStatus": "in-sync"}],
        "LicenseModel": engine.licence,
        "PromotionTier": asked.get("PromotionTier", 1),
        "StorageEncryptionType": of_cluster["StorageEncryptionType"],
        "VpcSecurityGroups": of_cluster["VpcSecurityGroups"],
    }


def _start_later(scope: Scope, cluster: Cluster, instance: Instance) -> None:
    """Start the database when the instance has been `creating` long enough: the cluster's endpoint is known before."""
    seconds, data = instance.timeline.phases[0][1], scope.estate.data
    if seconds == FOREVER:
        return

    def work() -> None:
        if not instance.boot.set_running_or_notify_cancel():
            return
        try:
            instance.boot.set_result(cluster.volume.start())
        except BaseException as e:  # noqa: BLE001 - it is the future's
            instance.boot.set_exception(e)

    def begin() -> None:
        with contextlib.suppress(RuntimeError):  # the server is on its way out
            data.submit(work)

    scope.estate.after(seconds, begin)


def delete(scope: Scope, instance: Instance) -> None:
    """Let an instance of a cluster go; the cluster stays, and its server stops with the last instance."""
    estate = scope.estate
    cluster = estate.cluster(scope.account, scope.region_name, str(instance.cluster))
    instance.deleting = Timeline(scope.now, (("deleting", estate.timings.delete),), "gone")
    instance.give_up()
    estate.happened(instance, "DB instance deleted.", "deletion")

    def work() -> None:
        if not instance.boot.cancelled():
            instance.boot.exception()
        if not cluster.staying():
            cluster.volume.stop()
        if instance.dead:
            instance.dead.close()

    instance.removal = estate.data.submit(work)
