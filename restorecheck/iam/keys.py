"""What the policy of a KMS key must say beside who administers it. These statements are added to it, they replace none.

To the policies of its own account a key leaves the decision; a scratch role of another account must be named here and
allowed there as well. Keys are used through RDS and S3 alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.conditions import EVERYWHERE, READ_OBJECTS, USE, granting, via
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Estate, Scratch, Source


def of_source(estate: Estate, source: Source) -> Iterator[Statement]:
    """Yield what the keys of backups, and a key under which copies are shared, must allow."""
    readers = [one.role for one in estate.scratches_of(source)]
    who = (estate.root(source.account), *readers)
    if source.instances or source.clusters:
        yield from _through_rds(who, source.regions)
    if any(bucket.copied for bucket in source.buckets):
        yield _through_s3(who, source.regions)
    elif any(bucket.read for bucket in source.buckets) or source.manifests:
        yield _through_s3((estate.root(source.account),), source.regions)


def of_scratch(estate: Estate, scratch: Scratch) -> Iterator[Statement]:
    """Yield what the key of a placement must allow."""
    who, regions = (estate.root(scratch.account),), [place.region for place in scratch.places]
    if any(place.subnet_groups for place in scratch.places):
        yield from _through_rds(who, regions)
    if any(place.bucket for place in scratch.places):
        yield _through_s3(who, regions)


def _through_rds(who: tuple[str, ...], regions: Iterable[str]) -> Iterator[Statement]:
    regions = tuple(regions)
    yield Statement(
        "LookAtKey",
        granted(Role.SCRATCH, "kms", "DescribeKey"),
        EVERYWHERE,
        principals=who,
        why="whether it is enabled, and whose it is; RDS asks for it too",
    )
    yield Statement(
        "UseKeyThroughRds",
        USE,
        EVERYWHERE,
        conditions=via("rds", regions),
        principals=who,
        why="RDS copies and restores encrypted snapshots in the name of the role",
    )
    yield Statement(
        "GrantKeyToRds",
        ("kms:CreateGrant",),
        EVERYWHERE,
        conditions=granting(regions),
        principals=who,
        why="RDS goes on using the key while the copy or the database lives; a grant to anybody else is not allowed",
    )


def _through_s3(who: tuple[str, ...], regions: Iterable[str]) -> Statement:
    return Statement(
        "UseKeyThroughS3",
        READ_OBJECTS,
        EVERYWHERE,
        conditions=via("s3", regions),
        principals=who,
        why="S3 reads and writes encrypted objects in the name of the role",
    )
