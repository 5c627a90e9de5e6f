"""What a role must never do, whatever else somebody attaches to it: explicit denials, which nothing outweighs.

They stand where IAM would otherwise believe a policy that is wider than ours, and where a condition of a permission
counts only if the request says anything about it.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.account import COPIES, Account
from restorecheck.iam.conditions import EVERYWHERE, IS_NOT_OURS, PUBLIC, UNTAGGED
from restorecheck.iam.document import Statement

DATABASES = (
    "rds:DeleteDBCluster",
    "rds:DeleteDBInstance",
    "rds:FailoverDBCluster",
    "rds:ModifyDBCluster",
    "rds:ModifyDBInstance",
    "rds:PromoteReadReplica",
    "rds:RebootDBCluster",
    "rds:RebootDBInstance",
    "rds:StopDBCluster",
    "rds:StopDBInstance",
)
OBJECTS = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject")
LEAVING = (
    "rds-db:connect",
    "rds:AddRoleToDBCluster",
    "rds:AddRoleToDBInstance",
    "rds:CreateDBClusterSnapshot",
    "rds:CreateDBInstanceReadReplica",
    "rds:CreateDBSnapshot",
    "rds:ModifyDBClusterSnapshotAttribute",
    "rds:ModifyDBSnapshotAttribute",
    "rds:RemoveTagsFromResource",
    "rds:StartDBInstanceAutomatedBackupsReplication",
    "rds:StartExportTask",
)
"""What would take data out of the account, or a tag off: no call of ours is among them."""


def of_source() -> Iterator[Statement]:
    """Yield what a source role must never do."""
    yield Statement(
        "NeverTouchDatabases",
        DATABASES,
        EVERYWHERE,
        "Deny",
        why="nothing here ever changes what runs in a source account, whatever else is attached to this role",
    )
    yield Statement(
        "NeverRemoveWhatIsNotOurs",
        ("rds:DeleteDBClusterSnapshot", "rds:DeleteDBSnapshot"),
        EVERYWHERE,
        "Deny",
        IS_NOT_OURS,
        why="a snapshot without our tag is somebody's backup",
    )
    yield Statement(
        "NeverMakeUntagged",
        ("rds:CopyDBClusterSnapshot", "rds:CopyDBSnapshot"),
        EVERYWHERE,
        "Deny",
        UNTAGGED,
        why="a copy without our tag would be found by nobody, and removed by nobody",
    )
    yield Statement(
        "NeverTakeTagsOff",
        ("rds:RemoveTagsFromResource",),
        EVERYWHERE,
        "Deny",
        why="the tags are what every other statement goes by",
    )
    yield Statement(
        "NeverWriteObjects",
        OBJECTS,
        EVERYWHERE,
        "Deny",
        why="the buckets of a source account are read, and nothing more",
    )


def in_scratch(account: Account) -> Iterator[Statement]:
    """Yield what a scratch role must never do."""
    yield Statement(
        "NeverLetAnythingOut",
        LEAVING,
        EVERYWHERE,
        "Deny",
        why="no restored data leaves by a snapshot, a share, an export, a replica or a role; no tag is taken off",
    )
    # About what is made, and not about the groups and snapshots that it is made of: AWS asks for each resource of a
    # call, and does not say for which of them it knows the tags of the request.
    for sid, operations, kinds in (
        ("NeverMakeUntaggedInstances", ("RestoreDBInstanceFromDBSnapshot", "CreateDBInstance"), ("db",)),
        ("NeverMakeUntaggedClusters", ("RestoreDBClusterFromSnapshot",), ("cluster",)),
        ("NeverMakeUntaggedCopies", COPIES, ("snapshot", "cluster-snapshot")),
    ):
        yield Statement(
            sid,
            granted(Role.SCRATCH, "rds", *operations),
            account.anywhere(*kinds),
            "Deny",
            UNTAGGED,
            why="what carries no tag of ours would be removed by nobody",
        )
    yield Statement(
        "NeverMakePublic",
        granted(Role.SCRATCH, "rds", "RestoreDBInstanceFromDBSnapshot", "CreateDBInstance"),
        account.anywhere("db"),
        "Deny",
        PUBLIC,
        why="restored data is reached from nowhere but the scratch network; left out, AWS's default would decide",
    )
    yield Statement(
        "NeverChangeWhatIsNotOurs",
        granted(Role.SCRATCH, "rds", "ModifyDBInstance", "ModifyDBCluster", "DeleteDBInstance", "DeleteDBCluster"),
        account.arns("db", "cluster"),
        "Deny",
        IS_NOT_OURS,
        why="what does not carry our tag is somebody's",
    )
    yield Statement(
        "NeverRemoveBackupsThatAreNotOurs",
        granted(Role.SCRATCH, "rds", "DeleteDBSnapshot", "DeleteDBClusterSnapshot"),
        EVERYWHERE,
        "Deny",
        IS_NOT_OURS,
        why="a snapshot without our tag is somebody's backup",
    )
    yield Statement(
        "NeverWriteElsewhere",
        granted(Role.SCRATCH, "s3", "PutObject", "DeleteObjects"),
        EVERYWHERE,
        "Deny",
        {"StringNotEquals": {"aws:ResourceAccount": account.scratch.account}},
        why="objects are written to, and removed from, buckets of this account alone",
    )
