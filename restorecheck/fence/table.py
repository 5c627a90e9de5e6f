"""Every AWS operation that restorecheck may ever call, by the role that calls it. What is not here is refused.

The guard enforces this table and the IAM policies are made from it, so a new call begins here. There is no call that
turns deletion protection off, none that removes tags, none that writes to an instance or a cluster of a source account,
none that makes, changes or deletes a bucket. Into a bucket of a source account a recorder alone may put one new object.
A notifier publishes to topics that are configured, and neither reads nor makes anything. A keeper writes the state of
the service below one prefix and deletes nothing; a starter starts the one function that runs checks; a surveyor reads.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """In whose name a call is made."""

    BASE = "base"  # the identity that the process starts with
    SOURCE = "source"
    SCRATCH = "scratch"
    RECORDER = "recorder"  # who writes a manifest beside a backup, and does nothing else
    NOTIFIER = "notifier"  # who publishes a notice to a topic, and does nothing else
    KEEPER = "keeper"  # who keeps the state of the service in a bucket of its own account
    STARTER = "starter"  # who starts runs, each as an execution of one function
    SURVEYOR = "surveyor"  # who looks, once, what there is in a source account that could be tested


class Effect(StrEnum):
    """What a call does, and so how it is guarded."""

    READ = "read"  # passes
    CREATE = "create"  # its parameters must name and tag this run's resource
    TOUCH = "touch"  # its target is described first and must be this run's
    DESTROY = "destroy"  # as TOUCH, and must not be able to take more with it


TABLE: dict[Role, dict[str, dict[str, Effect]]] = {
    Role.BASE: {
        "sts": {
            "AssumeRole": Effect.READ,
            "AssumeRoleWithWebIdentity": Effect.READ,  # how a pod's service account becomes the base identity
            "GetCallerIdentity": Effect.READ,
        },
        # How a person's login becomes the base identity: botocore calls these itself, and no policy grants them.
        "signin": {"CreateOAuth2Token": Effect.READ},
        "sso": {"GetRoleCredentials": Effect.READ},
        "sso-oidc": {"CreateToken": Effect.READ},
    },
    Role.SOURCE: {
        "sts": {"GetCallerIdentity": Effect.READ},
        "kms": {"DescribeKey": Effect.READ},
        "rds": {
            "DescribeDBClusterSnapshots": Effect.READ,
            "DescribeDBClusterSnapshotAttributes": Effect.READ,
            "DescribeDBSnapshots": Effect.READ,
            "DescribeDBSnapshotAttributes": Effect.READ,
            "CopyDBClusterSnapshot": Effect.CREATE,
            "CopyDBSnapshot": Effect.CREATE,
            "ModifyDBClusterSnapshotAttribute": Effect.TOUCH,
            "ModifyDBSnapshotAttribute": Effect.TOUCH,
            "DeleteDBClusterSnapshot": Effect.DESTROY,
            "DeleteDBSnapshot": Effect.DESTROY,
        },
        "s3": {
            "GetBucketVersioning": Effect.READ,
            "GetObject": Effect.READ,
            "HeadBucket": Effect.READ,
            "HeadObject": Effect.READ,
            "ListObjectVersions": Effect.READ,
        },
    },
    Role.SCRATCH: {
        "sts": {"GetCallerIdentity": Effect.READ},
        "kms": {"DescribeKey": Effect.READ},
        "ec2": {
            "DescribeSubnets": Effect.READ,
            "DescribeRouteTables": Effect.READ,
            "DescribeSecurityGroups": Effect.READ,
        },
        "rds": {
            "DescribeAccountAttributes": Effect.READ,
            "DescribeDBClusters": Effect.READ,
            "DescribeDBClusterSnapshots": Effect.READ,
            "DescribeDBEngineVersions": Effect.READ,
            "DescribeDBInstances": Effect.READ,
            "DescribeDBSnapshots": Effect.READ,
            "DescribeDBSubnetGroups": Effect.READ,
            "DescribeEvents": Effect.READ,
            "DescribeOrderableDBInstanceOptions": Effect.READ,
            "CopyDBClusterSnapshot": Effect.CREATE,
            "CopyDBSnapshot": Effect.CREATE,
            "CreateDBInstance": Effect.CREATE,
            "RestoreDBClusterFromSnapshot": Effect.CREATE,
            "RestoreDBInstanceFromDBSnapshot": Effect.CREATE,
            "ModifyDBCluster": Effect.TOUCH,
            "ModifyDBInstance": Effect.TOUCH,
            "DeleteDBCluster": Effect.DESTROY,
            "DeleteDBClusterSnapshot": Effect.DESTROY,
            "DeleteDBInstance": Effect.DESTROY,
            "DeleteDBSnapshot": Effect.DESTROY,
        },
        "s3": {
            "GetObject": Effect.READ,
            "GetObjectLockConfiguration": Effect.READ,
            "HeadBucket": Effect.READ,
            "HeadObject": Effect.READ,
            "ListMultipartUploads": Effect.READ,
            "ListObjectVersions": Effect.READ,
            "CopyObject": Effect.CREATE,
            "PutObject": Effect.CREATE,
            "CreateMultipartUpload": Effect.CREATE,
            "UploadPart": Effect.CREATE,
            "UploadPartCopy": Effect.CREATE,
            "CompleteMultipartUpload": Effect.CREATE,
            "AbortMultipartUpload": Effect.DESTROY,
            "DeleteObjects": Effect.DESTROY,
        },
    },
    Role.RECORDER: {
        "sts": {"GetCallerIdentity": Effect.READ},
        "s3": {"PutObject": Effect.CREATE},
    },
    Role.NOTIFIER: {
        "sns": {"Publish": Effect.CREATE},
    },
    Role.KEEPER: {
        "sts": {"GetCallerIdentity": Effect.READ},
        "s3": {
            "GetBucketVersioning": Effect.READ,
            "GetObject": Effect.READ,
            "ListObjectsV2": Effect.READ,
            "PutObject": Effect.CREATE,
        },
    },
    Role.STARTER: {
        "lambda": {
            "GetDurableExecution": Effect.READ,
            "ListDurableExecutionsByFunction": Effect.READ,
            "Invoke": Effect.CREATE,
        },
    },
    Role.SURVEYOR: {
        "sts": {"GetCallerIdentity": Effect.READ},
        "kms": {"DescribeKey": Effect.READ},
        "rds": {
            "DescribeDBClusters": Effect.READ,
            "DescribeDBClusterSnapshots": Effect.READ,
            "DescribeDBInstances": Effect.READ,
            "DescribeDBSnapshots": Effect.READ,
        },
        "s3": {
            "GetBucketLocation": Effect.READ,
            "GetBucketVersioning": Effect.READ,
            "ListBuckets": Effect.READ,
            "ListObjectVersions": Effect.READ,
        },
    },
}


def effect_of(role: Role, service: str, operation: str) -> Effect | None:
    """Return what a call does, or None if this role may not make it."""
    return TABLE[role].get(service, {}).get(operation)
