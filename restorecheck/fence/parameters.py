"""May this call be sent as it is written? The parameters of a write and the permit of one run → a reason, or None.

Every write has a list of the parameters that it may carry, so that a parameter that AWS adds tomorrow is refused until
somebody has thought about it. Nothing here talks to AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restorecheck.fence import object_parameters
from restorecheck.fence.decision import Permit, ResourceKind
from restorecheck.fence.table import Role
from restorecheck.schedule import scratch_name

ALLOWED: dict[str, frozenset[str]] = {
    "CopyDBSnapshot": frozenset(
        {"CopyTags", "KmsKeyId", "SourceDBSnapshotIdentifier", "Tags", "TargetDBSnapshotIdentifier"}
    ),
    "RestoreDBInstanceFromDBSnapshot": frozenset(
        {
            "AutoMinorVersionUpgrade",
            "BackupRetentionPeriod",
            "CopyTagsToSnapshot",
            "DBInstanceClass",
            "DBInstanceIdentifier",
            "DBParameterGroupName",
            "DBSnapshotIdentifier",
            "DBSubnetGroupName",
            "DeletionProtection",
            "EnableIAMDatabaseAuthentication",
            "EngineLifecycleSupport",
            "Iops",
            "MultiAZ",
            "OptionGroupName",
            "PubliclyAccessible",
            "Tags",
            "VpcSecurityGroupIds",
        }
    ),
    "ModifyDBInstance": frozenset({"ApplyImmediately", "DBInstanceIdentifier", "MasterUserPassword"}),
    "ModifyDBSnapshotAttribute": frozenset({"AttributeName", "DBSnapshotIdentifier", "ValuesToAdd", "ValuesToRemove"}),
    "DeleteDBInstance": frozenset({"DBInstanceIdentifier", "DeleteAutomatedBackups", "SkipFinalSnapshot"}),
    "DeleteDBSnapshot": frozenset({"DBSnapshotIdentifier"}),
}
"""Write → every parameter that it may carry. A write that is not here may carry none, and so is never sent."""

TARGETS: dict[str, tuple[ResourceKind, str]] = {
    "ModifyDBInstance": ("db", "DBInstanceIdentifier"),
    "ModifyDBSnapshotAttribute": ("snapshot", "DBSnapshotIdentifier"),
    "DeleteDBInstance": ("db", "DBInstanceIdentifier"),
    "DeleteDBSnapshot": ("snapshot", "DBSnapshotIdentifier"),
}
"""Write that changes or deletes → what it does it to, and the parameter that says to which."""


def why_not_create(operation: str, params: Mapping[str, Any], role: Role, permit: Permit) -> str | None:
    """Return why a call that makes something may not be sent, or None. Only the run's own name and tags are allowed."""
    restores = operation == "RestoreDBInstanceFromDBSnapshot"
    account = permit.scratch_account if role is Role.SCRATCH else permit.source_account
    name = params.get("DBInstanceIdentifier" if restores else "TargetDBSnapshotIdentifier")
    if not permit.run_id:
        return "a sweep makes nothing"
    if reason := _why_not_more(operation, params):
        return reason
    if name != scratch_name(permit.run_id):
        return f"it would be named {name!r}, not {scratch_name(permit.run_id)!r}"
    if params.get("Tags") != permit.tags("db" if restores else "snapshot", account):
        return "it would not carry exactly this run's tags"
    if restores:
        return _why_not_restore(params)
    if params.get("CopyTags") is not False:
        return "CopyTags must be False, or the source's tags come along"
    return None


def _why_not_restore(params: Mapping[str, Any]) -> str | None:
    for name in ("PubliclyAccessible", "DeletionProtection", "CopyTagsToSnapshot"):
        if params.get(name) is not False:
            return f"{name} must be False, not left out"
    if not params.get("DBSubnetGroupName") or not params.get("VpcSecurityGroupIds"):
        return "it would be placed in a default subnet group or security group"
    retention = params.get("BackupRetentionPeriod")
    if retention is None or retention != 0:
        return "BackupRetentionPeriod must be 0, or automated backups of the copy are left behind"
    return None


def why_not_params(operation: str, params: Mapping[str, Any], permit: Permit) -> str | None:
    """Return why a call that changes or deletes something may not be sent as it is, whatever its target; or None."""
    if reason := _why_not_more(operation, params):
        return reason
    if not permit.run_id and not operation.startswith("Delete"):
        return "a sweep only deletes"
    if operation == "ModifyDBSnapshotAttribute":
        values = [*(params.get("ValuesToAdd") or ()), *(params.get("ValuesToRemove") or ())]
        if params.get("AttributeName") != "restore" or values != [permit.scratch_account]:
            return "a snapshot may be shared with the scratch account alone"
    if operation == "DeleteDBInstance":
        exact = ("SkipFinalSnapshot", "DeleteAutomatedBackups")
        wrong = [name for name in exact if params.get(name) is not True]
        return f"{' and '.join(wrong)} must be True, or the delete leaves something behind" if wrong else None
    return None


def _why_not_more(operation: str, params: Mapping[str, Any]) -> str | None:
    more = set(params) - ALLOWED.get(operation, frozenset())
    return f"its parameters {', '.join(sorted(more))} are not among those that it may carry" if more else None


def target_of(operation: str, params: Mapping[str, Any]) -> tuple[ResourceKind, str] | None:
    """Return the kind and name of what a call changes or deletes, or None if it does not say."""
    if operation in object_parameters.ALLOWED:
        prefix = object_parameters.prefix_of(operation, params)
        return ("objects", prefix) if prefix else None
    kind, parameter = TARGETS.get(operation, (None, ""))
    name = params.get(parameter)
    return (kind, name) if kind is not None and isinstance(name, str) and name else None
