"""The one table of what can go wrong: AWS error codes, terminal statuses and our own failure kinds → verdict and hint.

A kind says `broken` only when the backup itself is to blame; whatever we do not know is `unproven`. Pure data: nothing
here talks to anybody. The codes are the wire codes of the RDS API model (botocore 1.44, operations copy, restore,
modify, delete); the statuses are those of the RDS user guide, "Viewing Amazon RDS DB instance status".
"""

from __future__ import annotations

from dataclasses import dataclass

from restorecheck.model import Verdict


@dataclass(frozen=True, slots=True)
class Kind:
    """What one failure kind means."""

    verdict: Verdict
    meaning: str
    hint: str


def _broken(meaning: str, hint: str) -> Kind:
    return Kind(Verdict.BROKEN, meaning, hint)


def _unproven(meaning: str, hint: str) -> Kind:
    return Kind(Verdict.UNPROVEN, meaning, hint)


KINDS: dict[str, Kind] = {
    # --- the backup is to blame
    "assertion-failed": _broken(
        "an assertion does not hold", "compare the data with the source before you trust any backup"
    ),
    "stale": _broken("the newest recovery point is older than the rpo", "find out why no newer backup was made"),
    "no-recovery-point": _broken(
        "there is no recovery point to restore",
        "check the names in [source] and the region; clusters and instances keep their snapshots in different lists",
    ),
    "incompatible-restore": _broken(
        "AWS could not restore this snapshot", "restore an older recovery point by hand, today"
    ),
    "restore-failed": _broken(
        "the restore ended in a failed database", "restore an older recovery point by hand, today"
    ),
    "storage-full": _broken(
        "the restored database has no free storage",
        "the backup comes up unusable: restore it with more storage",
    ),
    "engine-retired": _broken(
        "this engine version cannot be restored on today's RDS", "upgrade the snapshot with ModifyDBSnapshot"
    ),
    "key-unusable": _broken(
        "the KMS key of the backup is disabled or about to be deleted",
        "enable the key or cancel its deletion now",
    ),
    "data-damaged": _broken("the server could not read its own data", "restore an older recovery point by hand, today"),
    "connection-lost": _broken(
        "the server broke off while it read the data, twice",
        "look at the instance's log for a crashed backend",
    ),
    "missing-object": _broken(
        "the query names something that the backup does not contain",
        "is it lost, or is the name in the check wrong?",
    ),
    "no-answer": _broken("the query answered nothing where a value was meant", "is the table empty in the backup?"),
    "empty-backup": _broken(
        "nothing was current in the backup at that time", "was everything deleted, or is the prefix wrong?"
    ),
    "objects-differ": _broken(
        "what was restored is not what the backup holds", "read the finding; restore these objects by hand"
    ),
    "object-damaged": _broken(
        "the bytes of an object do not match its checksum", "restore an older version of these objects, today"
    ),
    "dump-damaged": _broken(
        "the dump is cut off, or is not a dump that can be read", "restore an older dump by hand, today"
    ),
    "dump-errors": _broken(
        "restoring the dump met errors in what it holds", "read the finding; restore an older dump by hand"
    ),
    "reference-differs": _broken(
        "the data is not what was recorded when the backup was made",
        "compare the objects that the finding names with the source; an older recovery point may be right",
    ),
    "wrong-database": _broken("this is the backup of another database", "find out what writes it"),
    # --- we could not tell
    "quota": _unproven("an AWS quota is used up", "raise the quota, or run fewer checks at once"),
    "capacity": _unproven("AWS has no capacity for this instance class now", "allow another class or another zone"),
    "throttled": _unproven("AWS throttled our calls for too long", "spread the schedules; the next run may pass"),
    "aws-unavailable": _unproven(
        "AWS did not answer as it should",
        "see that this machine reaches AWS (proxy, route, DNS), and the AWS Health Dashboard; run again",
    ),
    "permission": _unproven(
        "a role may not do what a run needs",
        "run `restorecheck doctor`; compare the role's policy with what `restorecheck iam` prints",
    ),
    "credentials": _unproven(
        "AWS does not accept our credentials",
        "`aws sts get-caller-identity` says who you are, and whether that has expired; then check the role, its trust "
        "policy and external_id, and the clock of this machine",
    ),
    "key-access": _unproven(
        "a KMS key may not be used by our role",
        "grant the scratch role use of the key; `restorecheck doctor` tells which",
    ),
    "key-not-shareable": _unproven(
        "the snapshot is encrypted under aws/rds and cannot leave its account",
        "set share_key in the source account to a customer managed key",
    ),
    "placement": _unproven(
        "the scratch placement does not fit: subnet group, security group, parameter or option group",
        "run `restorecheck doctor`",
    ),
    "settings": _unproven("AWS rejected the parameters of a call", "compare the check's settings with the snapshot"),
    "engine-unsupported": _unproven(
        "restorecheck cannot ask a database of this engine",
        "of snapshots, PostgreSQL 14 or later, MySQL, MariaDB and their Aurora kinds can be asked, "
        "Multi-AZ DB clusters cannot",
    ),
    "snapshot-state": _unproven("a snapshot was in the wrong state or vanished while we used it", "run again"),
    "copy-failed": _unproven("AWS could not copy the snapshot", "look at the snapshot's events; run again"),
    "object-archived": _unproven(
        "objects are in an archive and must be retrieved before anybody can read them",
        "retrieve them with RestoreObject, or leave them out by the prefix",
    ),
    "object-sealed": _unproven(
        "objects are encrypted under keys that only their owner holds (SSE-C)",
        "nobody but the owner of the keys can prove them",
    ),
    "environment": _unproven(
        "what is installed here cannot restore this dump", "install what the message names, or name its directory"
    ),
    "upgraded": _unproven(
        "AWS upgraded the copy to another major version than that of the backup",
        "its version is past standard support: say `extended_support = true` in [scratch], or upgrade the original",
    ),
    "empty-database": _unproven(
        "a database that was asked, or the whole server, holds no table at all",
        "is `database` the right one? the finding lists them",
    ),
    "limit": _unproven("the backup is larger than the check allows", "raise the limit, or restore a sample"),
    "scratch-full": _unproven(
        "there is not enough room on this machine's disk", "give the state directory more room, or set a limit"
    ),
    "interfered": _unproven("somebody else stopped, changed or deleted our scratch database", "find out who"),
    "taken": _unproven(
        "the name of this run is taken by something that is not this run's",
        "find out whose it is; nothing was touched",
    ),
    "database-unreachable": _unproven(
        "the restored database could not be reached",
        "check security groups and routes from here to the scratch subnets",
    ),
    "login-failed": _unproven(
        "the restored database did not let us in",
        "is the master user a member of rds_iam? then its password does not count",
    ),
    "tls": _unproven(
        "the restored database's certificate could not be verified",
        "update restorecheck: it ships the bundle",
    ),
    "learning": _unproven(
        "there is nothing yet to compare with",
        "the next run compares with this one; until then, declare a bound that needs no baseline",
    ),
    "no-baseline": _unproven(
        "a baseline is 0 or cannot be compared with", "declare a bound of your own, or accept a run by hand"
    ),
    "no-reference": _unproven(
        "nothing that was recorded when this backup was made could be read",
        "does `restorecheck record` run beside the backup? the finding names the place",
    ),
    "nothing-examined": _unproven(
        "a probe found nothing to look at", "are `tables` and `exclude` right, and is `database`?"
    ),
    "could-not-look": _unproven(
        "a probe could not look at something that it should have", "the finding names it, and what is missing"
    ),
    "question": _unproven("the query cannot be answered as it is written", "correct the assertion"),
    "timeout": _unproven("the query took longer than its timeout", "raise the assertion's timeout, or ask for less"),
    "deadline": _unproven("a phase ran out of the time it is allowed", "compare the limit with the last seen status"),
    "cancelled": _unproven("the run was cancelled", "run it again"),
    "refused": _unproven("the fence refused a call", "read the reason; nothing was sent"),
    "config": _unproven("the configuration no longer fits the run", "run `restorecheck check-config`"),
    "unknown-answer": _unproven("AWS answered with an error that we do not know", "report it with the code; run again"),
    "store": _unproven(
        "the store of runs could not be reached or written", "look at the database's or the disk's state; run again"
    ),
    "other-version": _unproven(
        "the run was begun by a restorecheck whose steps differ, and cannot be taken up",
        "what it made is removed by the sweep once its lease has expired; run again",
    ),
    "internal": _unproven("restorecheck itself failed", "this is a bug: please report it with the log"),
    "not-proven-gone": _unproven("we could not prove that nothing is left", "run `restorecheck sweep`"),
}

AWS_ERRORS: dict[str, str] = {
    # quota
    "InstanceQuotaExceeded": "quota",
    "StorageQuotaExceeded": "quota",
    "SnapshotQuotaExceeded": "quota",
    "SharedSnapshotQuotaExceeded": "quota",
    "TenantDatabaseQuotaExceeded": "quota",
    "DBInstanceAutomatedBackupQuotaExceeded": "quota",
    "DBClusterQuotaExceededFault": "quota",
    "DBClusterAutomatedBackupQuotaExceededFault": "quota",
    "DBClusterRoleQuotaExceeded": "quota",
    # capacity
    "InsufficientDBClusterCapacityFault": "capacity",
    "InsufficientStorageClusterCapacity": "capacity",
    "InsufficientDBInstanceCapacity": "capacity",
    "ProvisionedIopsNotAvailableInAZFault": "capacity",
    # keys
    "KMSKeyNotAccessibleFault": "key-access",  # `key-unusable` once DescribeKey says so
    # placement
    "DBSubnetGroupDoesNotCoverEnoughAZs": "placement",
    "DBSubnetGroupNotFoundFault": "placement",
    "DBSecurityGroupNotFound": "placement",
    "DBParameterGroupNotFound": "placement",
    "OptionGroupNotFoundFault": "placement",
    "InvalidDBSecurityGroupState": "placement",
    "InvalidSubnet": "placement",
    "InvalidDBSubnetGroupStateFault": "placement",
    "DBClusterParameterGroupNotFound": "placement",
    "InvalidVPCNetworkStateFault": "placement",
    "VpcEncryptionControlViolationException": "placement",
    "NetworkTypeNotSupported": "placement",
    "InvalidRestoreFault": "placement",  # "cannot restore from a VPC backup to a non-VPC DB instance"
    # parameters
    "AuthorizationNotFound": "settings",
    "BackupPolicyNotFoundFault": "settings",
    "CertificateNotFound": "settings",
    "CustomAvailabilityZoneNotFound": "settings",
    "DBCapacityReservationNotFound": "settings",
    "DBUpgradeDependencyFailure": "settings",
    "DomainNotFoundFault": "settings",
    "InvalidDBCapacityReservationState": "settings",
    "StorageTypeNotSupported": "settings",
    "StorageTypeNotAvailableFault": "settings",
    "InvalidParameterValue": "settings",
    "InvalidParameterCombination": "settings",
    "MissingParameter": "settings",
    "ValidationError": "settings",
    # states
    "DBSnapshotNotFound": "snapshot-state",
    "DBClusterSnapshotNotFoundFault": "snapshot-state",
    "InvalidDBSnapshotState": "snapshot-state",
    "InvalidDBClusterSnapshotStateFault": "snapshot-state",
    "DBClusterAlreadyExistsFault": "taken",
    "DBClusterSnapshotAlreadyExistsFault": "taken",
    "DBClusterNotFoundFault": "interfered",
    "DBSnapshotAlreadyExists": "taken",
    "DBInstanceAlreadyExists": "taken",
    "DBInstanceNotFound": "interfered",
    "InvalidDBInstanceState": "interfered",
    "InvalidDBClusterStateFault": "interfered",
    "InvalidGlobalClusterStateFault": "interfered",  # nothing of ours is ever in a global cluster
    # who we are
    "AccessDenied": "permission",
    "AccessDeniedException": "permission",
    "AuthorizationError": "permission",  # as SNS says it
    "UnauthorizedOperation": "permission",
    "NotAuthorized": "permission",
    "OptInRequired": "permission",
    "ExpiredToken": "credentials",
    "ExpiredTokenException": "credentials",
    "InvalidClientTokenId": "credentials",
    "UnrecognizedClientException": "credentials",
    "SignatureDoesNotMatch": "credentials",
    "IncompleteSignature": "credentials",
    "RequestExpired": "credentials",
    # load and weather
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "RequestLimitExceeded": "throttled",
    "TooManyRequestsException": "throttled",
    "InternalFailure": "aws-unavailable",
    "InternalError": "aws-unavailable",
    "InternalServerError": "aws-unavailable",
    "ServiceUnavailable": "aws-unavailable",
    # S3
    "NoSuchBucket": "placement",  # of a source bucket: `no-recovery-point`
    "NoSuchKey": "snapshot-state",
    "NoSuchVersion": "snapshot-state",
    "PreconditionFailed": "snapshot-state",
    "NoSuchUpload": "interfered",
    "InvalidObjectState": "object-archived",
    "ObjectNotInActiveTierError": "object-archived",
    "403": "permission",  # of a HEAD, which has no body
    "Forbidden": "permission",
    "AllAccessDisabled": "permission",
    "KMS.DisabledException": "key-unusable",
    "KMS.KMSInvalidStateException": "key-unusable",
    "KMS.NotFoundException": "key-unusable",
    "PermanentRedirect": "settings",
    "AuthorizationHeaderMalformed": "settings",
    "IllegalLocationConstraintException": "settings",
    "InvalidArgument": "settings",
    "InvalidRequest": "settings",
    "InvalidBucketName": "settings",
    "EntityTooLarge": "settings",
    "SlowDown": "throttled",
    "RequestTimeout": "aws-unavailable",
    "RequestTimeTooSkewed": "credentials",
    "BadDigest": "aws-unavailable",  # what we sent was not what arrived
}
"""Wire code of an AWS error → failure kind. A code that is not here is `unknown-answer`."""

RETRYABLE_KINDS = frozenset({"throttled", "aws-unavailable", "capacity"})
"""Kinds after which the same call may work a little later."""

INSTANCE_STATUSES: dict[str, str] = {
    "failed": "restore-failed",
    "restore-error": "restore-failed",
    "incompatible-restore": "incompatible-restore",
    "storage-full": "storage-full",
    "upgrade-failed": "engine-retired",
    "incompatible-create": "placement",
    "incompatible-network": "placement",
    "incompatible-option-group": "placement",
    "incompatible-parameters": "placement",
    "insufficient-capacity": "capacity",
    "inaccessible-encryption-credentials": "key-access",  # the scratch account's own key: not the backup's fault
    "inaccessible-encryption-credentials-recoverable": "key-access",
    "stopped": "interfered",
    "stopping": "interfered",
    "deleting": "interfered",
    "delete-precheck": "interfered",
}
"""Terminal status of a restored instance → failure kind. Any other status is polled until the deadline."""

CLUSTER_STATUSES: dict[str, str] = {
    "failed": "restore-failed",
    "cloning-failed": "restore-failed",
    "migration-failed": "restore-failed",
    "incompatible-restore": "incompatible-restore",
    "upgrade_failed": "engine-retired",  # with an underscore, as AWS writes it
    "upgrade-failed": "engine-retired",
    "incompatible-network": "placement",
    "incompatible-parameters": "placement",
    "insufficient-capacity": "capacity",
    "inaccessible-encryption-credentials": "key-access",  # the scratch account's own key: not the backup's fault
    "inaccessible-encryption-credentials-recoverable": "key-access",
    "stopped": "interfered",
    "stopping": "interfered",
    "deleting": "interfered",
}
"""Terminal status of a restored cluster → failure kind: the Aurora user guide, "Viewing DB cluster status"."""

CONNECTABLE_STATUSES = frozenset({"available", "storage-optimization"})
"""Statuses in which the restore has ended well. `backing-up` is waited for: nobody promises a connection during it."""


def kind(name: str) -> Kind:
    """Return what a failure kind means; one that we do not know is as `unknown-answer`."""
    return KINDS.get(name, KINDS["unknown-answer"])


def of_aws_error(code: str) -> str:
    """Return the failure kind of an AWS error code."""
    return AWS_ERRORS.get(code, "unknown-answer")
