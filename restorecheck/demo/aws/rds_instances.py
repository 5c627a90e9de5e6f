"""The RDS operations on DB instances that exist, as AWS would do them. Called with the estate's lock held.

A function takes the caller's scope and the parameters of the call, and returns what the answer describes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from restorecheck.demo.aws import catalog, master
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.instances import GONE_BAD, Instance
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.timeline import FOREVER, Timeline

Wire = dict[str, Any]


def modify(scope: Scope, asked: Wire) -> Instance:
    """ModifyDBInstance. A new password takes its time; everything else happens at once."""
    instance = scope.estate.instance(scope.account, scope.region_name, asked["DBInstanceIdentifier"])
    status = instance.status(scope.now)
    if status not in {"available", "storage-full"} or instance.password:
        message = f"Database instance is not in available state. It is {status}."
        raise AwsError("InvalidDBInstanceState", message)
    known = {"DBInstanceIdentifier", "ApplyImmediately", "MasterUserPassword"} | _CHANGEABLE
    if unknown := sorted(set(asked) - known):
        raise AwsError("InvalidParameterCombination", f"The demo AWS cannot modify {unknown[0]}.")
    if instance.cluster and (wrong := sorted(_OF_CLUSTERS & {n for n in asked if asked[n] is not None})):
        raise AwsError("InvalidParameterCombination", f"{wrong[0]} is the cluster's: use ModifyDBCluster.")
    engine = scope.estate.data.engines[instance.settings["Engine"]]
    if asked.get("MasterUserPassword"):
        master.check_password(asked["MasterUserPassword"], engine.longest_password)
    if asked.get("DBInstanceClass"):
        catalog.check_class(asked["DBInstanceClass"], engine)
    instance.settings |= {name: asked[name] for name in _CHANGEABLE if asked.get(name) is not None}
    if asked.get("MasterUserPassword"):
        _change_password(scope, instance, asked["MasterUserPassword"])
    return instance


_CHANGEABLE = {
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DeletionProtection",
    "MultiAZ",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PubliclyAccessible",
}


_OF_CLUSTERS = {"BackupRetentionPeriod", "DeletionProtection", "MasterUserPassword", "MultiAZ"}
"""What an instance of a cluster cannot change."""


def _change_password(scope: Scope, instance: Instance, password: str) -> None:
    """Asynchronous, as on RDS: for a while the status is still `available` and only PendingModifiedValues tells."""
    seconds, server = scope.estate.timings.password, instance.server
    assert server is not None  # the status was available
    phases = (("available", seconds / 2), ("resetting-master-credentials", FOREVER))
    instance.password = Timeline(scope.now, phases, "available")

    def work() -> None:
        server.new_password(instance.settings["MasterUsername"], password)
        instance.password = None
        scope.estate.happened(instance, "Reset master credentials.", "configuration change")

    scope.estate.after(seconds, work)


def reboot(scope: Scope, asked: Wire) -> Instance:
    """RebootDBInstance: its server stops in order and comes up again where it was. Of a cluster, with its writer."""
    estate = scope.estate
    instance = estate.instance(scope.account, scope.region_name, asked["DBInstanceIdentifier"])
    server, status = instance.server, instance.status(scope.now)
    if server is None or status != "available":
        raise AwsError("InvalidDBInstanceState", f"Instance {instance.identifier} is {status}.")

    def work() -> None:
        estate.happened(instance, "DB instance shutdown.", "availability")
        server.stop()
        if instance.deleting is None:
            server.start(server.port)
            estate.happened(instance, "DB instance restarted.", "availability")

    instance.reboot = estate.data.submit(work)
    return instance


def describe(scope: Scope, asked: Wire) -> Iterable[Instance]:
    """DescribeDBInstances, without its paging."""
    if identifier := asked.get("DBInstanceIdentifier"):
        return [scope.estate.instance(scope.account, scope.region_name, identifier)]
    found: list[Instance] = [i for _, i in sorted(scope.region.instances.items())]
    for condition in asked.get("Filters") or []:
        if condition["Name"] not in _FILTERS:
            raise AwsError("InvalidParameterValue", f"Unrecognized filter name: {condition['Name']}")
        field_of = _FILTERS[condition["Name"]]
        found = [i for i in found if set(condition["Values"]) & set(field_of(i))]
    return found


_FILTERS: dict[str, Callable[[Instance], tuple[str, ...]]] = {
    "db-instance-id": lambda i: (i.identifier, i.arn),
    "dbi-resource-id": lambda i: (i.resource_id,),
    "engine": lambda i: (i.settings["Engine"],),
    "db-cluster-id": lambda i: (
        (i.cluster, f"arn:aws:rds:{i.region}:{i.account}:cluster:{i.cluster}") if i.cluster else ()
    ),
    "domain": lambda _: (),
}


# --- removing ---------------------------------------------------------------------------------------------------------


def check_deletable(scope: Scope, asked: Wire) -> Instance:
    """Check what DeleteDBInstance checks, and return the instance. The database runs on until `delete`."""
    instance = scope.estate.instance(scope.account, scope.region_name, asked["DBInstanceIdentifier"])
    status = instance.status(scope.now)
    if status == "deleting":
        message = f"Instance {instance.identifier} is already being deleted."
        raise AwsError("InvalidDBInstanceState", message)
    if instance.settings["DeletionProtection"]:
        message = "Cannot delete protected DB Instance, please disable deletion protection and try again."
        raise AwsError("InvalidParameterCombination", message)
    skip, final = bool(asked.get("SkipFinalSnapshot")), asked.get("FinalDBSnapshotIdentifier")
    if instance.cluster:
        if final:
            message = "FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance."
            raise AwsError("InvalidParameterCombination", message)
        return instance
    if skip and final:
        message = "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot."
        raise AwsError("InvalidParameterCombination", message)
    if not skip and not final:
        message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        raise AwsError("InvalidParameterCombination", message)
    if final and (status in GONE_BAD or status == "creating"):
        message = f"Cannot take a final snapshot of instance {instance.identifier} in status {status}."
        raise AwsError("InvalidDBInstanceState", message)
    return instance


def delete(scope: Scope, instance: Instance, after: Future[Any] | None) -> None:
    """Let it go: `deleting` for a while, its database stopped once `after`, a final snapshot, is done."""
    estate = scope.estate
    instance.deleting = Timeline(scope.now, (("deleting", estate.timings.delete),), "gone")
    estate.happened(instance, "DB instance deleted.", "deletion")

    def work() -> None:
        if after:
            after.exception()
        if instance.boot.exception() is None:
            estate.data.destroy(instance.boot.result())
        if instance.dead:
            instance.dead.close()

    instance.removal = estate.data.submit(work)
