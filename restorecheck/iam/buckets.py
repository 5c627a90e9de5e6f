"""What the policy of a bucket must say whose versions a scratch role of another account copies. It replaces nothing."""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Bucket, Estate, Source


def copied(source: Source) -> dict[str, list[Bucket]]:
    """Return the buckets whose versions are copied by a scratch role, by name."""
    found: dict[str, list[Bucket]] = {}
    for bucket in source.buckets:
        if bucket.copied:
            found.setdefault(bucket.name, []).append(bucket)
    return found


def of_source(estate: Estate, source: Source, buckets: list[Bucket]) -> Iterator[Statement]:
    """Yield what the policy of one bucket must allow."""
    reads = granted(Role.SCRATCH, "s3", "CopyObject")
    yield Statement(
        "ScratchCopiesVersions",
        tuple(action for action in reads if action == "s3:GetObjectVersion"),
        tuple(dict.fromkeys(estate.below(bucket) for bucket in buckets)),
        principals=tuple(dict.fromkeys(one.role for one in estate.scratches_of(source))),
        why="S3 copies in the name of one role: the scratch role reads versions here, and neither lists nor writes",
    )
