"""What the role of a source account may do: find backups, copy them, lend them to a scratch account, read objects.

It has no leave to change or delete an instance, a cluster, an object, or a snapshot that is not tagged as ours; and is
forbidden to, whatever else is attached to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam import never
from restorecheck.iam.conditions import (
    IS_NOT_OURS,
    IS_OURS,
    MADE_BY_US,
    ONLY_OUR_TAGS,
    OURS,
    READS,
    USE,
    both,
    granting,
    of_account,
    via,
)
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Bucket, Estate, Source


def statements(estate: Estate, source: Source) -> Iterator[Statement]:
    """Yield what the source role may do, and what it must never."""
    yield from _finding(estate, source)
    if source.instances.copied or source.clusters.copied:
        yield from _copying(estate, source)
    if source.instances.lent or source.clusters.lent:
        yield from _lending(estate, source)
    yield from _objects(estate, source)
    yield from never.of_source()


def _snapshots(estate: Estate, source: Source, names: str) -> tuple[str, ...]:
    """Return ARNs of the snapshots of both kinds that `names`, a field of Snapshots, says."""
    kinds = (("snapshot", source.instances), ("cluster-snapshot", source.clusters))
    return tuple(
        arn
        for region in source.regions
        for kind, of in kinds
        for arn in estate.rds(region, source.account, kind, *getattr(of, names))
    )


def _ours(estate: Estate, source: Source, *, but_any: bool = False) -> tuple[str, ...]:
    """Return ARNs of our copies, of the kinds that are made; `but_any`: but those whose originals may have any name."""
    kinds = (("snapshot", source.instances), ("cluster-snapshot", source.clusters))
    named = [kind for kind, of in kinds if of.copied and not (but_any and "*" in of.copied)]
    return tuple(arn for r in source.regions for kind in named for arn in estate.rds(r, source.account, kind, OURS))


def _calls(source: Source, names: str, of_instances: str, of_clusters: str) -> tuple[str, ...]:
    """Return the actions of two calls, as far as there are such snapshots of instances and of clusters."""
    tested = ((of_instances, source.instances), (of_clusters, source.clusters))
    return granted(Role.SOURCE, "rds", *(name for name, of in tested if getattr(of, names)))


def _finding(estate: Estate, source: Source) -> Iterator[Statement]:
    names = ("snapshot", "cluster-snapshot", "db", "cluster")
    yield Statement(
        "FindBackups",
        granted(
            Role.SOURCE,
            "rds",
            "DescribeDBSnapshots",
            "DescribeDBClusterSnapshots",
            "DescribeDBSnapshotAttributes",
            "DescribeDBClusterSnapshotAttributes",
        ),
        tuple(arn for r in source.regions for kind in names for arn in estate.rds(r, source.account, kind, "*")),
        why="lists recovery points and our own copies, and with whom they are shared; a sweep looks at all of them",
    )
    if source.instances or source.clusters or source.keys:
        yield Statement(
            "LookAtKeys",
            granted(Role.SOURCE, "kms", "DescribeKey"),
            estate.keys_of(source),
            why="says whether the key of a backup is AWS's own, disabled, or about to be deleted; RDS asks for it too",
        )


def _copying(estate: Estate, source: Source) -> Iterator[Statement]:
    copies = _calls(source, "copied", "CopyDBSnapshot", "CopyDBClusterSnapshot")
    ours = _ours(estate, source)
    yield Statement(
        "CopyFromBackups",
        copies,
        _snapshots(estate, source, "copied"),
        why="an automated backup, or one under AWS's own key, cannot be shared: it is copied first; this is the"
        " original, which carries no tag of ours. Where it may have any name, TagOurs still holds the copy to ours",
    )
    yield Statement(
        "CopyIntoOurs",
        copies,
        _ours(estate, source, but_any=True),
        conditions=MADE_BY_US,
        why="the copy, which must be named and tagged as ours",
    )
    yield Statement(
        "TagOurs",
        ("rds:AddTagsToResource",),
        ours,
        conditions=ONLY_OUR_TAGS,
        why="tags are put on in the call that makes the copy, which AWS refuses if they may not be put on that name",
    )
    yield Statement(
        "ShareOurs",
        _calls(source, "copied", "ModifyDBSnapshotAttribute", "ModifyDBClusterSnapshotAttribute"),
        ours,
        conditions=IS_OURS,
        why="shares our copy with the scratch account, and takes it back",
    )
    yield Statement(
        "RemoveOurs",
        _calls(source, "copied", "DeleteDBSnapshot", "DeleteDBClusterSnapshot"),
        ours,
        conditions=IS_OURS,
        why="removes our copy, and nothing that does not carry our tag",
    )
    yield from keys_through_rds(estate.keys_of(source), source.regions)


def _lending(estate: Estate, source: Source) -> Iterator[Statement]:
    yield Statement(
        "LendOwnersSnapshots",
        _calls(source, "lent", "ModifyDBSnapshotAttribute", "ModifyDBClusterSnapshotAttribute"),
        _snapshots(estate, source, "lent"),
        conditions=IS_NOT_OURS,
        why="a manual snapshot of the owner is shared for the time of a run; IAM cannot say with whom, the fence"
        ' does. Not needed if checks take `snapshots = ["automated"]` or `["shared"]`',
    )


def keys_through_rds(keys: tuple[str, ...], regions: Iterable[str]) -> Iterator[Statement]:
    """Yield what copying and restoring under keys takes."""
    if not keys:
        return
    yield Statement(
        "UseKeysThroughRds",
        USE,
        keys,
        conditions=via("rds", regions),
        why="RDS reads and writes encrypted snapshots in our name; used directly, the keys do nothing for us",
    )
    yield Statement(
        "GrantKeysToRds",
        ("kms:CreateGrant",),
        keys,
        conditions=granting(regions),
        why="RDS goes on using the key while the copy or the database lives; a grant to anybody else is not allowed",
    )


# --- objects -------------------------------------------------------------------------------------------------------


def _objects(estate: Estate, source: Source) -> Iterator[Statement]:
    if not source.buckets:
        return
    own = of_account(source.account)
    yield Statement(
        "LookAtBuckets",
        granted(Role.SOURCE, "s3", "GetBucketVersioning", "HeadBucket"),
        tuple(dict.fromkeys(estate.bucket(bucket) for bucket in source.buckets)),
        conditions=own,
        why="whether versions are kept; and with s3:ListBucket an object that is gone is told from a forbidden one",
    )
    yield from _listing(estate, source)
    read = tuple(dict.fromkeys(estate.below(bucket) for bucket in source.buckets if bucket.read))
    if read:
        yield Statement(
            "ReadVersions",
            granted(Role.SOURCE, "s3", "GetObject", "HeadObject"),
            read,
            conditions=own,
            why="reads dumps, manifests and objects that are streamed, each as the version that was listed",
        )
        yield Statement(
            "DecryptThroughS3",
            READS,
            estate.keys_of(source),
            conditions=via("s3", source.regions),
            why="objects that are encrypted under a key of KMS are read through S3",
        )


def _listing(estate: Estate, source: Source) -> Iterator[Statement]:
    """Yield who lists what, one statement for each set of buckets that is limited to the same prefix."""
    by_prefix: dict[str, list[Bucket]] = {}
    for bucket in source.buckets:
        by_prefix.setdefault(bucket.prefix, []).append(bucket)
    for number, (prefix, buckets) in enumerate(by_prefix.items()):
        limited = {"StringLike": {"s3:prefix": f"{prefix}*"}} if prefix else {}
        yield Statement(
            f"ListVersions{number or ''}",
            granted(Role.SOURCE, "s3", "ListObjectVersions"),
            tuple(dict.fromkeys(estate.bucket(bucket) for bucket in buckets)),
            conditions=both(of_account(source.account), limited),
            why="what was current at a time is found in the list of all versions below the prefix of a check",
        )
