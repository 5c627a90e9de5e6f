"""From a recovery point to a database that answers, and the questions to it.

Every `begin` may run twice: what it meets under this run's name is adopted if this run made it, refused if not.
Nothing here waits, judges or deletes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from restorecheck.durable import Look
from restorecheck.errors import AwsError, QueryError, SourceError
from restorecheck.failures import CONNECTABLE_STATUSES, INSTANCE_STATUSES
from restorecheck.model import Answers, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.reach import Reach, Side


def stages(reach: Reach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs from this point to an answering database."""
    limits, legs = reach.limits, []
    if reach.exports(point):
        export = reach.begun(lambda: _export(reach, point))
        legs.append(Stage("export", export, _copied(reach, "source"), limits.copy))
    if reach.exports(point) or reach.borrows(point):
        legs.append(Stage("share", lambda: _share(reach, point), lambda: _look_shared(reach, point), limits.copy))
    if point.encrypted:  # a shared encrypted instance snapshot cannot be restored, only copied [RDS user guide]
        import_ = reach.begun(lambda: _import(reach, point))
        legs.append(Stage("import", import_, _copied(reach, "scratch"), limits.copy))
    restore, set_password = (
        reach.begun(lambda: _restore(reach, point)),
        reach.begun(lambda: _set_password(reach, point)),
    )
    legs += [
        Stage("restore", restore, lambda: _look_restored(reach), limits.restore),
        Stage("open", set_password, lambda: _look_open(reach, point), limits.open),
    ]
    return legs


# --- copies and the share ------------------------------------------------------------------------------------------


def _export(reach: Reach, point: RecoveryPoint) -> None:
    key = {"KmsKeyId": reach.source.share_key or point.key} if point.encrypted else {}
    _copy(reach, "source", point.id, key)


def _import(reach: Reach, point: RecoveryPoint) -> None:
    try:
        _copy(reach, "scratch", reach.shared_arn(point), {"KmsKeyId": reach.placement.key})
    except AwsError as e:
        if e.code != "DBSnapshotNotFound":
            raise
        # A share takes a moment until the other side sees it.
        raise AwsError(e.code, e.message, kind=e.kind, retryable=True) from e


def _copy(reach: Reach, side: Side, snapshot: str, key: dict[str, Any]) -> None:
    try:
        reach.hand(side).call(
            "rds",
            "CopyDBSnapshot",
            SourceDBSnapshotIdentifier=snapshot,
            TargetDBSnapshotIdentifier=reach.name,
            CopyTags=False,
            Tags=reach.tags("snapshot", side),
            **key,
        )
    except AwsError as e:
        if e.code != "DBSnapshotAlreadyExists" or not reach.ours(reach.snapshot(side)):
            raise


def _copied(reach: Reach, side: Side) -> Callable[[], Look]:
    def look() -> Look:
        snapshot = reach.sighted_snapshot(side)
        if snapshot is None:
            raise SourceError(f"the copy {reach.name} vanished from the {side} account", kind="interfered")
        status = snapshot.get("Status", "unknown")
        if status == "failed" or status.startswith("incompatible"):
            raise SourceError(f"the copy {reach.name} in the {side} account ended as {status}", kind="copy-failed")
        done = status == "available"
        return Look(done, status if done else f"{status} {snapshot.get('PercentProgress', 0)} %")

    return look


def _share(reach: Reach, point: RecoveryPoint) -> None:
    reach.sharing_hand(point).call(
        "rds",
        "ModifyDBSnapshotAttribute",
        DBSnapshotIdentifier=reach.shareable(point),
        AttributeName="restore",
        ValuesToAdd=[reach.placement.account],
    )


def _look_shared(reach: Reach, point: RecoveryPoint) -> Look:
    done = reach.shared(reach.shareable(point))
    return Look(done, "shared" if done else "not shared yet")


# --- the instance ----------------------------------------------------------------------------------------------------


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
    try:
        reach.hand("scratch").call(
            "rds",
            "RestoreDBInstanceFromDBSnapshot",
            DBInstanceIdentifier=reach.name,
            DBSnapshotIdentifier=reach.name if point.encrypted else reach.shared_arn(point),
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
            # Extended support is billed, and cannot be left again, even by a copy that lives for an hour.
            EngineLifecycleSupport="open-source-rds-extended-support-disabled",
            Tags=reach.tags("db", "scratch"),
            **{k: v for k, v in optional.items() if v is not None},
        )
    except AwsError as e:
        if e.code != "DBInstanceAlreadyExists" or not reach.ours(reach.instance()):
            raise


def _look_restored(reach: Reach) -> Look:
    instance, status = _alive(reach, reach.sighted_instance())
    done = status in CONNECTABLE_STATUSES
    if done and instance.get("PubliclyAccessible") is not False:
        raise SourceError(f"the restored instance {reach.name} is publicly accessible", kind="interfered")
    return Look(done, status)


def _alive(reach: Reach, instance: Described | None) -> tuple[Described, str]:
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
    instance, status = _alive(reach, reach.sighted_instance())
    if status not in CONNECTABLE_STATUSES or instance.get("PendingModifiedValues", {}).get("MasterUserPassword"):
        return Look(done=False, status=f"{status}, new password pending")
    database = reach.world.database
    try:
        database.prepare(reach.login(instance, point.master_username), reach.login(instance))
        version = database.knock(reach.login(instance))
    except QueryError as e:
        if not e.retryable:
            raise
        return Look(done=False, status=f"{status}, no answer yet: {e.message}")
    return Look(done=True, status=f"answers, {point.engine} {version}")


def examine(reach: Reach) -> Answers:
    """Ask every assertion's question of the copy, as its read-only role."""
    instance, _ = _alive(reach, reach.instance())
    login, database = reach.login(instance), reach.world.database
    version = database.knock(login)
    asked_at = reach.world.now()
    salt = reach.world.passwords.salt(reach.plan.run_id)
    answers = database.ask(login, reach.check.assertions, salt, reach.limits.examine)
    return Answers(answers=answers, asked_at=asked_at, server_version=version)
