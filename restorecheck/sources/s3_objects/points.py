"""What of a bucket was current at a time: counted, fingerprinted and picked from, in one listing. Makes nothing.

"There is none" is said only after the whole listing was read. What would be restored is measured against the limits
here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.errors import AwsError, SourceError
from restorecheck.model import ObjectVersion, RecoveryPoint, SnapshotKind
from restorecheck.sources.s3_objects.matching import batches
from restorecheck.sources.s3_objects.reach import Reach
from restorecheck.sources.versions.history import ARCHIVED, Tally, remarks
from restorecheck.sources.versions.interface import Head
from restorecheck.sources.versions.refusals import Named, Refusals, amount, objects
from restorecheck.sources.versions.selection import Fingerprint, Sampler

BATCH = 200


def find(reach: Reach) -> RecoveryPoint:
    """Return the recovery point: the objects of the prefix as they were current at the check's time."""
    source, at = reach.source, reach.at
    where = f"s3://{source.bucket}/{source.prefix}"
    versioning = _versioning(reach)
    if not versioning and source.at is not None:
        raise SourceError(
            f"the bucket {source.bucket} has no versioning: nobody can tell what was current at {at:%Y-%m-%d %H:%M}",
            'enable versioning of the bucket, or test its state of now: at = "now"',
            kind="config",
        )
    tally, fingerprint, sampler = Tally(reach.plan.now), Fingerprint(), Sampler(source.restore, reach.run_id)
    for version in reach.standing(tally):
        fingerprint.take(version)
        sampler.take(version)
    if not tally.entries:
        message = f"there is no object, nor a trace of one, under {where}"
        raise SourceError(message, "check bucket and prefix in [source]", kind="no-recovery-point")
    if tally.current == tally.folders or tally.newest is None:
        what = "nothing but empty folders" if tally.folders else "nothing"
        message = f"{what} was current under {where} at {at:%Y-%m-%d %H:%M:%S} UTC, of {tally.entries:,} versions and"
        raise SourceError(f"{message} delete markers", kind="empty-backup")
    point = RecoveryPoint(
        id=f"{where}@{at:%Y-%m-%dT%H:%M:%SZ}",
        arn=f"arn:{reach.permit().partition}:s3:::{source.bucket}/{source.prefix}",
        kind=SnapshotKind.VERSIONS,
        created=at,
        newest=tally.newest,
        engine="s3",
        engine_version="",
        master_username="",
        encrypted=False,
        objects=tally.current,
        bytes=tally.current_bytes,
        fingerprint=fingerprint.hex,
        sample=sampler.sample,
        picked=sampler.picked,
        picked_bytes=sampler.picked_bytes,
        remarks=remarks(tally, versioning),
    )
    _within_limits(reach, point)
    if tally.archived:
        _readable(reach, point)
    return point


def _versioning(reach: Reach) -> str:
    """Return the versioning of the source bucket: `Enabled`, `Suspended` or, if it never had any, nothing."""
    source = reach.source
    try:
        answer = reach.hand("source").call(
            "s3", "GetBucketVersioning", Bucket=source.bucket, ExpectedBucketOwner=source.account
        )
    except AwsError as e:
        if e.code == "NoSuchBucket":
            message = f"there is no bucket {source.bucket} in account {source.account}"
            raise SourceError(message, kind="no-recovery-point") from e
        raise
    return str(answer.get("Status") or "")


def _within_limits(reach: Reach, point: RecoveryPoint) -> None:
    source = reach.source
    if source.most_objects is not None and point.picked > source.most_objects:
        message = f"{objects(point.picked)} would be restored, and most_objects allows {source.most_objects:,}"
        raise SourceError(message, kind="limit")
    if source.most_bytes is not None and point.picked_bytes > source.most_bytes:
        message = f"{amount(point.picked_bytes)} would be restored, and most_bytes allows {amount(source.most_bytes)}"
        raise SourceError(message, kind="limit")


def _readable(reach: Reach, point: RecoveryPoint) -> None:
    """Raise SourceError `object-archived` if any object that is to be restored is in an archive and not retrieved.

    Only a look at each tells. Of INTELLIGENT_TIERING the copy itself will tell: its listing does not.
    """
    asleep, refusals = Named(), Refusals(reach.source.account)
    for batch in batches(_archived(reach, point), BATCH):
        keys = {reach.original(v): v.key for v in batch}
        for seen in reach.reader().head((Head(place) for place in keys), reach.source.at_once):
            if seen.error is not None:
                refusals.add(keys[seen.place], seen.error)
            elif seen.archive:
                asleep.add(keys[seen.place])
    if asleep.count:
        message = f"{objects(asleep.count)} to be restored must be retrieved from an archive first: {asleep}"
        raise SourceError(message, kind="object-archived")
    if refusals:
        raise SourceError(refusals.told("looked at"), refusals.hint, kind=refusals.kind, retryable=refusals.passing)


def _archived(reach: Reach, point: RecoveryPoint) -> Iterator[ObjectVersion]:
    return (v for v in reach.picked(point) if v.storage_class in ARCHIVED)
