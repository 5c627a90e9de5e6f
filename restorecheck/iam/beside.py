"""What two others in a source account may do: the recorder writes beside a backup, and the surveyor looks once.

Neither is part of a run, so neither has what a run needs. Do not put the recorder's policy on the source role, which is
forbidden to write objects.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.conditions import EVERYWHERE, WRITES, both, of_account, via
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Estate


def recorder(estate: Estate) -> Iterator[Statement]:
    """Yield what whoever runs `restorecheck record` may do."""
    for number, source in enumerate(one for one in estate.sources if one.manifests):
        yield Statement(
            f"WriteManifests{number or ''}",
            granted(Role.RECORDER, "s3", "PutObject"),
            tuple(dict.fromkeys(estate.below(bucket) for bucket in source.manifests)),
            conditions=both(of_account(source.account), {"Null": {"s3:if-none-match": "false"}}),
            why="one new object beside a backup; S3 refuses a write that does not say that it is new",
        )
        yield Statement(
            f"EncryptManifests{number or ''}",
            WRITES,
            estate.keys_of(source),
            conditions=via("s3", source.regions),
            why="if the bucket encrypts under a key of KMS",
        )


def surveyor(estate: Estate) -> Iterator[Statement]:
    """Yield what `restorecheck init` reads in source accounts."""
    places = [(source, region) for source in estate.sources for region in source.regions]
    accounts = tuple(dict.fromkeys(source.account for source in estate.sources))
    kinds = ("db", "cluster", "snapshot", "cluster-snapshot")
    yield Statement(
        "SeeDatabasesAndSnapshots",
        granted(
            Role.SURVEYOR,
            "rds",
            "DescribeDBInstances",
            "DescribeDBClusters",
            "DescribeDBSnapshots",
            "DescribeDBClusterSnapshots",
        ),
        tuple(arn for one, r in places for kind in kinds for arn in estate.rds(r, one.account, kind, "*")),
        why="which instances and clusters there are, and which of them have backups",
    )
    yield Statement(
        "SeeKeys",
        granted(Role.SURVEYOR, "kms", "DescribeKey"),
        tuple(dict.fromkeys(key for source in estate.sources for key in estate.keys_of(source))),
        why="whether a backup is under AWS's own key, which cannot be shared",
    )
    yield Statement(
        "SeeNamesOfBuckets",
        granted(Role.SURVEYOR, "s3", "ListBuckets"),
        EVERYWHERE,
        why="which buckets there are; AWS knows no narrower resource for it",
    )
    yield Statement(
        "SeeBuckets",
        granted(Role.SURVEYOR, "s3", "GetBucketLocation", "GetBucketVersioning", "ListObjectVersions"),
        (f"arn:{estate.partition}:s3:::*",),
        conditions={"StringEquals": {"aws:ResourceAccount": accounts}},
        why="which of them keep versions, and a first page of names, to tell dumps from other objects",
    )
