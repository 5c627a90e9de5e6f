"""RDS as it answers on the wire: moto's, with the operations on instances, clusters and snapshots replaced by our own.

moto keeps what lies around them (subnet groups, parameter groups, tags of those) and does the parsing and serialising,
both from botocore's service model, so that every field that boto3 knows reaches the client.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.rds.responses import RDSResponse

from restorecheck.demo.aws import catalog, rds_creation, rds_instances, rds_members, rds_sharing, rds_snapshots
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.instances import Instance, tag_map
from restorecheck.demo.aws.rds_cluster_api import ClusterApi
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, OF_INSTANCES, Snapshot

Wire = dict[str, Any]
Operation = Callable[["RdsApi"], ActionResult]


def serve(estate: Estate) -> type[RDSResponse]:
    """Return the response class that serves this estate; moto makes one object of it per call."""
    return type("ServedRds", (RdsApi,), {"estate": estate})


class RdsApi(ClusterApi):
    """One call to RDS: the operations on instances, their snapshots and tags, and what there is to know."""

    # --- instances -----------------------------------------------------------------------------------------------

    def create_db_instance(self) -> ActionResult:
        """CreateDBInstance."""
        asked = self.asked()
        create = rds_members.create if asked.get("DBClusterIdentifier") else rds_creation.create
        return self._instance(create(self.scope, asked))

    def restore_db_instance_from_db_snapshot(self) -> ActionResult:
        """RestoreDBInstanceFromDBSnapshot."""
        return self._instance(rds_creation.restore(self.scope, self.asked()))

    def modify_db_instance(self) -> ActionResult:
        """ModifyDBInstance."""
        return self._instance(rds_instances.modify(self.scope, self.asked()))

    def describe_db_instances(self) -> ActionResult:
        """DescribeDBInstances."""
        now, today = self.scope.now, self.scope.today
        found = rds_instances.describe(self.scope, self.asked())
        return self.pages("DBInstances", "DBInstanceArn", [i.describe(now, today) for i in found])

    def delete_db_instance(self) -> ActionResult:
        """DeleteDBInstance: first the last snapshot, if one is asked for."""
        scope, asked = self.scope, self.asked()
        instance = rds_instances.check_deletable(scope, asked)
        if instance.cluster:
            rds_members.delete(scope, instance)
            return self._instance(instance)
        final = asked.get("FinalDBSnapshotIdentifier")
        last = rds_snapshots.final(scope, instance, final).work if final else None
        if asked.get("DeleteAutomatedBackups", True):
            rds_snapshots.remove_automated(scope, instance.resource_id)
        rds_instances.delete(scope, instance, last)
        return self._instance(instance)

    def reboot_db_instance(self) -> ActionResult:
        """RebootDBInstance."""
        return self._instance(rds_instances.reboot(self.scope, self.asked()))

    def _instance(self, instance: Instance) -> ActionResult:
        return ActionResult({"DBInstance": instance.describe(self.scope.now, self.scope.today)})

    # --- snapshots -----------------------------------------------------------------------------------------------

    def create_db_snapshot(self) -> ActionResult:
        """CreateDBSnapshot."""
        return self._snapshot(rds_snapshots.create(self.scope, self.asked()))

    def copy_db_snapshot(self) -> ActionResult:
        """CopyDBSnapshot."""
        return self._snapshot(rds_snapshots.copy(self.scope, self.asked()))

    def delete_db_snapshot(self) -> ActionResult:
        """DeleteDBSnapshot."""
        return self._snapshot(rds_snapshots.delete(self.scope, self.asked()))

    def describe_db_snapshots(self) -> ActionResult:
        """DescribeDBSnapshots."""
        scope, found = self.scope, rds_sharing.describe(self.scope, self.asked())
        return self.pages("DBSnapshots", "DBSnapshotArn", [s.describe(scope.now, scope.account) for s in found])

    def modify_db_snapshot_attribute(self) -> ActionResult:
        """ModifyDBSnapshotAttribute."""
        return ActionResult(rds_sharing.attributes(rds_sharing.share(self.scope, self.asked())))

    def describe_db_snapshot_attributes(self) -> ActionResult:
        """DescribeDBSnapshotAttributes."""
        return ActionResult(rds_sharing.attributes(rds_sharing.own(self.scope, self.asked(), OF_INSTANCES)))

    def _snapshot(self, snapshot: Snapshot) -> ActionResult:
        return ActionResult({"DBSnapshot": snapshot.describe(self.scope.now)})

    # --- tags ----------------------------------------------------------------------------------------------------

    def _tags(self) -> dict[str, str] | None:
        """Return the tags of our instance or snapshot that the call names; None if it names something of moto's."""
        arn, scope = self.asked()["ResourceName"], self.scope
        if ":db:" in arn:
            return self.estate.instance(scope.account, scope.region_name, arn).tags
        if ":cluster:" in arn:
            return self.estate.cluster(scope.account, scope.region_name, arn).tags
        if ":snapshot:" in arn:
            return self.estate.own_snapshot(scope.account, scope.region_name, arn).tags
        if ":cluster-snapshot:" in arn:
            return self.estate.own_snapshot(scope.account, scope.region_name, arn, OF_CLUSTERS).tags
        return None

    def list_tags_for_resource(self) -> ActionResult:
        """ListTagsForResource."""
        tags = self._tags()
        if tags is None:
            return super().list_tags_for_resource()
        return ActionResult({"TagList": [{"Key": k, "Value": v} for k, v in tags.items()]})

    def add_tags_to_resource(self) -> ActionResult:
        """AddTagsToResource."""
        tags = self._tags()
        if tags is None:
            return super().add_tags_to_resource()
        tags.update(tag_map(self.asked().get("Tags")))
        return EmptyResult()

    def remove_tags_from_resource(self) -> ActionResult:
        """RemoveTagsFromResource."""
        tags = self._tags()
        if tags is None:
            return super().remove_tags_from_resource()
        for key in self.asked().get("TagKeys") or []:
            tags.pop(key, None)
        return EmptyResult()

    # --- what there is -------------------------------------------------------------------------------------------

    def describe_orderable_db_instance_options(self) -> ActionResult:
        """DescribeOrderableDBInstanceOptions."""
        options = catalog.orderable(self.estate.data.engines.values(), self.scope.region_name, self.asked())
        return self.pages("OrderableDBInstanceOptions", "DBInstanceClass", options)

    def describe_db_engine_versions(self) -> ActionResult:
        """DescribeDBEngineVersions."""
        versions = catalog.engine_versions(self.estate.data.engines.values(), self.asked())
        return self.pages("DBEngineVersions", "EngineVersion", versions)

    def describe_events(self) -> ActionResult:
        """DescribeEvents."""
        scope = self.scope
        found = self.estate.events.find((scope.account, scope.region_name), self.asked(), scope.today)
        return self.pages("Events", "_Key", [event.describe() for event in found])

    def describe_account_attributes(self) -> ActionResult:
        """DescribeAccountAttributes."""
        region = self.scope.region
        storage = sum(i.settings["AllocatedStorage"] for i in region.instances.values())
        manual = [
            sum(s.kind == "manual" for s in held.values()) for held in (region.snapshots, region.cluster_snapshots)
        ]
        quotas = {
            "DBInstances": (len(region.instances), region.instance_quota),
            "AllocatedStorage": (storage, 100_000),
            "ManualSnapshots": (manual[0], region.snapshot_quota),
            "DBClusters": (len(region.clusters), region.cluster_quota),
            "ManualClusterSnapshots": (manual[1], region.cluster_snapshot_quota),
        }
        listed = [{"AccountQuotaName": name, "Used": used, "Max": most} for name, (used, most) in quotas.items()]
        return ActionResult({"AccountQuotas": listed})


def _refused(operation: str) -> Operation:
    @wraps(getattr(RDSResponse, operation))
    def refuse(self: RdsApi) -> ActionResult:
        del self
        raise AwsError("InvalidAction", f"The demo AWS does not do {operation}.")

    return refuse


# moto would act on instances and snapshots of its own, which nobody else would see.
for _operation in (
    "create_db_instance_read_replica",
    "create_global_cluster",
    "failover_db_cluster",
    "promote_read_replica",
    "promote_read_replica_db_cluster",
    "restore_db_cluster_to_point_in_time",
    "restore_db_instance_to_point_in_time",
    "start_db_cluster",
    "start_db_instance",
    "start_export_task",
    "stop_db_cluster",
    "stop_db_instance",
):
    setattr(RdsApi, _operation, _refused(_operation))
