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

_RESTORED = {
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DBSubnetGroupName",
    "DeletionProtection",
    "EnableIAMDatabaseAuthentication",
    "EngineLifecycleSupport",
    "Tags",
    "VpcSecurityGroupIds",
}
_INSTANCE = {"AutoMinorVersionUpgrade", "DBInstanceClass", "DBInstanceIdentifier", "DBParameterGroupName"}

ALLOWED: dict[str, frozenset[str]] = {
    "CopyDBClusterSnapshot": frozenset(
        {"CopyTags", "KmsKeyId", "SourceDBClusterSnapshotIdentifier", "Tags", "TargetDBClusterSnapshotIdentifier"}
    ),
    "CopyDBSnapshot": frozenset(
        {"CopyTags", "KmsKeyId", "SourceDBSnapshotIdentifier", "Tags", "TargetDBSnapshotIdentifier"}
    ),
    "CreateDBInstance": frozenset(_INSTANCE | {"DBClusterIdentifier", "Engine", "PubliclyAccessible", "Tags"}),
    "RestoreDBClusterFromSnapshot": frozenset(
        _RESTORED
        | {
            "DBClusterIdentifier",
            "DBClusterParameterGroupName",
            "Engine",
            "EngineVersion",
            "KmsKeyId",
            "ServerlessV2ScalingConfiguration",
            "SnapshotIdentifier",
        }
    ),
    "RestoreDBInstanceFromDBSnapshot": frozenset(
        _RESTORED | _INSTANCE | {"DBSnapshotIdentifier", "Iops", "MultiAZ", "OptionGroupName", "PubliclyAccessible"}
    ),
    "ModifyDBCluster": frozenset({"ApplyImmediately", "DBClusterIdentifier", "MasterUserPassword"}),
    "ModifyDBClusterSnapshotAttribute": frozenset(
        {"AttributeName", "DBClusterSnapshotIdentifier", "ValuesToAdd", "ValuesToRemove"}
    ),
    "ModifyDBInstance": frozenset({"ApplyImmediately", "DBInstanceIdentifier", "MasterUserPassword"}),
    "ModifyDBSnapshotAttribute": frozenset({"AttributeName", "DBSnapshotIdentifier", "ValuesToAdd", "ValuesToRemove"}),
    "DeleteDBCluster": frozenset({"DBClusterIdentifier", "DeleteAutomatedBackups", "SkipFinalSnapshot"}),
    "DeleteDBClusterSnapshot": frozenset({"DBClusterSnapshotIdentifier"}),
    "DeleteDBInstance": frozenset({"DBInstanceIdentifier", "DeleteAutomatedBackups", "SkipFinalSnapshot"}),
    "DeleteDBSnapshot": frozenset({"DBSnapshotIdentifier"}),
}
"""Write → every parameter that it may carry. A write that is not here may carry none, and so is never sent."""

MADE: dict[str, tuple[ResourceKind, str]] = {
    "CopyDBClusterSnapshot": ("cluster-snapshot", "TargetDBClusterSnapshotIdentifier"),
    "CopyDBSnapshot": ("snapshot", "TargetDBSnapshotIdentifier"),
    "CreateDBInstance": ("db", "DBInstanceIdentifier"),
    "RestoreDBClusterFromSnapshot": ("cluster", "DBClusterIdentifier"),
    "RestoreDBInstanceFromDBSnapshot": ("db", "DBInstanceIdentifier"),
}
"""Write that makes something → what it makes, and the parameter that names it."""

TARGETS: dict[str, tuple[ResourceKind, str]] = {
    "CreateDBInstance": ("cluster", "DBClusterIdentifier"),  # makes something, inside of something
    "ModifyDBCluster": ("cluster", "DBClusterIdentifier"),
    "ModifyDBClusterSnapshotAttribute": ("cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "ModifyDBInstance": ("db", "DBInstanceIdentifier"),
    "ModifyDBSnapshotAttribute": ("snapshot", "DBSnapshotIdentifier"),
    "DeleteDBCluster": ("cluster", "DBClusterIdentifier"),
    "DeleteDBClusterSnapshot": ("cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "DeleteDBInstance": ("db", "DBInstanceIdentifier"),
    "DeleteDBSnapshot": ("snapshot", "DBSnapshotIdentifier"),
}
"""Write that changes or deletes → what it does it to, and the parameter that says to which."""

SHARES = frozenset({"ModifyDBClusterSnapshotAttribute", "ModifyDBSnapshotAttribute"})
"""Writes that share a snapshot, or take a share back."""

_FALSE = {
    "CopyDBClusterSnapshot": ("CopyTags",),  # or the source's tags come along
    "CopyDBSnapshot": ("CopyTags",),
    "CreateDBInstance": ("PubliclyAccessible",),
    "RestoreDBClusterFromSnapshot": ("DeletionProtection", "CopyTagsToSnapshot"),
    "RestoreDBInstanceFromDBSnapshot": ("PubliclyAccessible", "DeletionProtection", "CopyTagsToSnapshot"),
}


def why_not_create(operation: str, params: Mapping[str, Any], role: Role, permit: Permit) -> str | None:
    """Return why a call that makes something may not be sent, or None. Only the run's own name and tags are allowed."""
    if not permit.run_id:
        return "a sweep makes nothing"
    if reason := _why_not_more(operation, params):
        return reason
    if operation not in MADE:
        return "it does not name what it makes"
    kind, named = MADE[operation]
    own, name = scratch_name(permit.run_id), params.get(named)
    if name != own:
        return f"it would be named {name!r}, not {own!r}"
    account = permit.scratch_account if role is Role.SCRATCH else permit.source_account
    if params.get("Tags") != permit.tags(kind, account):
        return "it would not carry exactly this run's tags"
    for flag in _FALSE[operation]:
        if params.get(flag) is not False:
            return f"{flag} must be False, not left out"
    if operation == "CreateDBInstance" and params.get("DBClusterIdentifier") != own:
        return f"it would not be in the cluster {own}"
    return _why_not_restore(operation, params)


def _why_not_restore(operation: str, params: Mapping[str, Any]) -> str | None:
    if operation not in {"RestoreDBClusterFromSnapshot", "RestoreDBInstanceFromDBSnapshot"}:
        return None
    if not params.get("DBSubnetGroupName") or not params.get("VpcSecurityGroupIds"):
        return "it would be placed in a default subnet group or security group"
    retention = params.get("BackupRetentionPeriod")
    if operation == "RestoreDBInstanceFromDBSnapshot":
        if retention is None or retention != 0:
            return "BackupRetentionPeriod must be 0, or automated backups of the copy are left behind"
        return None
    if retention != 1:  # Aurora takes no less [RDS API, RestoreDBClusterFromSnapshot]
        return "BackupRetentionPeriod must be 1, or AWS keeps backups of the copy for as long as of the original"
    if not params.get("EngineVersion"):
        return "EngineVersion must be said, or AWS takes its own default and not the snapshot's"
    if not params.get("KmsKeyId"):
        return "KmsKeyId must be said, or the copy is encrypted under the source's key, or not at all"
    return None


def why_not_params(operation: str, params: Mapping[str, Any], permit: Permit) -> str | None:
    """Return why a call that changes or deletes something may not be sent as it is, whatever its target; or None."""
    if reason := _why_not_more(operation, params):
        return reason
    if not permit.run_id and not operation.startswith("Delete"):
        return "a sweep only deletes"
    if operation in SHARES:
        values = [*(params.get("ValuesToAdd") or ()), *(params.get("ValuesToRemove") or ())]
        if params.get("AttributeName") != "restore" or values != [permit.scratch_account]:
            return "a snapshot may be shared with the scratch account alone"
    if operation in {"DeleteDBCluster", "DeleteDBInstance"}:
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
