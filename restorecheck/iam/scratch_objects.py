"""What the role of a scratch account may do with objects: below prefixes of ours everything that a restore takes.

In buckets of source accounts it reads versions, to copy them inside S3, and nothing else: it lists nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.account import Account
from restorecheck.iam.conditions import OURS, READ_OBJECTS, READS, both, of_account, via
from restorecheck.iam.document import Statement


def statements(account: Account) -> Iterator[Statement]:
    """Yield what the scratch role may do with objects: its own, and those that it copies."""
    own = of_account(account.scratch.account)
    buckets = tuple(account.estate.bucket(bucket) for bucket in account.buckets)
    yield Statement(
        "LookAtBucket",
        granted(
            Role.SCRATCH,
            "s3",
            "HeadBucket",
            "GetObjectLockConfiguration",
            "ListMultipartUploads",
        ),
        buckets,
        conditions=own,
        why="`doctor` looks whether what is restored can be deleted again; and with s3:ListBucket an object that is"
        " not there is told from one that is forbidden",
    )
    yield Statement(
        "ListOurs",
        granted(Role.SCRATCH, "s3", "ListObjectVersions"),
        buckets,
        conditions=both(own, {"StringLike": {"s3:prefix": OURS}}),
        why="what was restored is compared with the backup, and what is left is found, by lists",
    )
    reads = tuple(a for a in granted(Role.SCRATCH, "s3", "GetObject", "HeadObject") if a != "s3:GetObjectVersion")
    writes = granted(Role.SCRATCH, "s3", "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    removes = granted(Role.SCRATCH, "s3", "AbortMultipartUpload", "DeleteObjects")
    yield Statement(
        "RestoreObjects",
        (*reads, *writes, *removes),
        tuple(account.estate.below(bucket) for bucket in account.buckets),
        conditions=own,
        why="restored objects are written, read and removed below prefixes that are named as ours",
    )
    if keys := tuple(dict.fromkeys(key for place in account.scratch.places if place.bucket for key in place.keys)):
        yield Statement(
            "UseBucketKeyThroughS3",
            READ_OBJECTS,
            keys,
            conditions=via("s3", account.regions),
            why="if the scratch bucket encrypts under the key of the placement",
        )
    yield from _copying(account)


def _copying(account: Account) -> Iterator[Statement]:
    copied = tuple(arn for arn in granted(Role.SCRATCH, "s3", "CopyObject") if arn == "s3:GetObjectVersion")
    copying = [source for source in account.sources if any(bucket.copied for bucket in source.buckets)]
    for number, source in enumerate(copying):
        buckets = (bucket for bucket in source.buckets if bucket.copied)
        yield Statement(
            f"CopyVersions{number or ''}",
            copied,
            tuple(dict.fromkeys(account.estate.below(bucket) for bucket in buckets)),
            conditions=of_account(source.account),
            why="S3 copies in the name of one role, which must be able to read there and to write here",
        )
        yield Statement(
            f"DecryptThroughS3{number or ''}",
            READS,
            account.estate.keys_of(source),
            conditions=via("s3", source.regions),
            why="if the objects are encrypted under a key of KMS, whose own policy must allow it as well",
        )
