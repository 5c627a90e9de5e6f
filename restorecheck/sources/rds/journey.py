"""From a snapshot of an instance to a database that answers, and the questions to it.

Every `begin` may run twice: what it meets under this run's name is adopted if this run made it, refused if not.
Nothing here waits, judges or deletes.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.durable import Look
from restorecheck.errors import AwsError, QueryError, SourceError
from restorecheck.failures import CONNECTABLE_STATUSES, INSTANCE_STATUSES
from restorecheck.model import Answers, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import asking, copies
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.engines import EXTENDED, lifecycle, major
from restorecheck.sources.rds.reach import Reach


def stages(reach: Reach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs from this point to an answering database."""
    limits = reach.limits
    restore, set_password = (
        reach.begun(lambda: _restore(reach, point)),
        reach.begun(lambda: _set_password(reach, point)),
    )
    return [
        *copies.stages(reach, point),
        Stage("restore", restore, lambda: look_at_instance(reach, point), limits.restore),
        Stage("open", set_password, lambda: _look_open(reach, point), limits.open),
    ]


def _restore(reach: Reach, point: RecoveryPoint) -> None:
    """Restore, with every parameter that AWS would otherwise choose for us.

    Source: the RDS API reference, RestoreDBInstanceFromDBSnapshot.
    """
    place = reach.placement
    optional: dict[str, str | int | None] = {
        "DBParameterGroupName": place.parameter_group,
        "OptionGroupName": place.option_group,
    }
    if point.storage_type in {"io1", "io2"}:  # these are refused without Iops
        optional["Iops"] = point.iops
    if point.engine in EXTENDED:
        optional["EngineLifecycleSupport"] = lifecycle(place)
    try:
        reach.hand("scratch").call(
            "rds",
            "RestoreDBInstanceFromDBSnapshot",
            DBInstanceIdentifier=reach.name,
            DBSnapshotIdentifier=reach.restorable(point),
            DBInstanceClass=place.instance_class,  # left out: the original's, which may be huge
            DBSubnetGroupName=place.subnet_group,
            VpcSecurityGroupIds=list(place.security_groups),
            PubliclyAccessible=False,
            MultiAZ=False,
            BackupRetentionPeriod=0,  # else a first backup keeps it in `backing-up` for hours
            DeletionProtection=False,
            AutoMinorVersionUpgrade=False,
            CopyTagsToSnapshot=False,
            EnableIAMDatabaseAuthentication=False,
            Tags=reach.tags("db", "scratch"),
            **{k: v for k, v in optional.items() if v is not None},
        )
    except AwsError as e:
        if e.code != "DBInstanceAlreadyExists" or not reach.ours(reach.instance()):
            raise


def look_at_instance(reach: Reach, point: RecoveryPoint) -> Look:
    """Done when the instance can be connected to, and nobody outside can."""
    instance, status = alive(reach, reach.sighted_instance())
    done = status in CONNECTABLE_STATUSES
    if done and instance.get("PubliclyAccessible") is not False:
        raise SourceError(f"the restored instance {reach.name} is publicly accessible", kind="interfered")
    if done:
        as_backed_up(instance, point)
    return Look(done, status)


def as_backed_up(instance: Described, point: RecoveryPoint) -> None:
    """Raise SourceError `upgraded` if AWS runs another major version than that of the backup."""
    runs = major(point.engine, str(instance.get("EngineVersion") or point.engine_version))
    if runs != (was := major(point.engine, point.engine_version)):
        raise SourceError(
            f"the backup is of {point.engine} {was}, and AWS upgraded the copy to {runs}", kind="upgraded"
        )


def alive(reach: Reach, instance: Described | None) -> tuple[Described, str]:
    """Return the instance and its status. Raises SourceError when it is gone or in a status that it never leaves."""
    if instance is None:
        raise SourceError(f"the instance {reach.name} vanished from the scratch account", kind="interfered")
    status = instance.get("DBInstanceStatus", "unknown")
    if kind := INSTANCE_STATUSES.get(status):
        raise SourceError(f"the restored instance {reach.name} is in status {status}", kind=kind)
    return instance, status


# --- opening and asking -----------------------------------------------------------------------------------------------


def _set_password(reach: Reach, point: RecoveryPoint) -> None:
    """Give the copy's master user a password of this run: the one in the backup is not ours to know."""
    reach.hand("scratch").call(
        "rds",
        "ModifyDBInstance",
        DBInstanceIdentifier=reach.name,
        MasterUserPassword=reach.password(point.master_username),
        ApplyImmediately=True,
    )


def _look_open(reach: Reach, point: RecoveryPoint) -> Look:
    """Done when a query answers: `available` alone proves nothing."""
    instance, status = alive(reach, reach.sighted_instance())
    if status not in CONNECTABLE_STATUSES or instance.get("PendingModifiedValues", {}).get("MasterUserPassword"):
        return Look(done=False, status=f"{status}, new password pending")
    try:
        master, reader = reach.login(instance, point.master_username), reach.login(instance)
    except QueryError as e:  # it has no endpoint yet
        return Look(done=False, status=f"{status}, no answer yet: {e.message}")
    done, said = asking.knocked(reach, point, master, reader)
    return Look(done, said if done else f"{status}, {said}")


def examine(reach: Reach, point: RecoveryPoint) -> Answers:
    """Ask every assertion's question of the copy, as its read-only role."""
    instance, _ = alive(reach, reach.instance())
    as_backed_up(instance, point)  # it may have happened since
    return asking.answers(reach, point, reach.login(instance))
