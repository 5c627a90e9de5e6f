"""Finding the dump of a run in the listing of the bucket. Reads listings; makes nothing.

"There is none" is said only after the whole listing was read: a listing that may not be read is another failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from restorecheck.errors import AwsError, SourceError
from restorecheck.model import ObjectVersion, RecoveryPoint, SnapshotKind
from restorecheck.sources.s3_dump.choosing import Offer, offer, parts
from restorecheck.sources.s3_dump.keys import TOC, fixed
from restorecheck.sources.s3_dump.reach import Reach
from restorecheck.sources.versions.history import ARCHIVED, NOT_VERSIONED, Entry, Tally, current, remarks
from restorecheck.sources.versions.listing import entries

MOST_OBJECTS = 10_000
"""Of how many objects a dump may consist."""

ENGINES = {"postgresql": "postgres", "mysql": "mysql"}
"""As the recovery point names them: in the words of RDS."""


def find(reach: Reach) -> RecoveryPoint:
    """Pick the newest dump at T, and learn what its reader must know of how it was found."""
    source, at = reach.source, reach.at
    if source.form == "directory" and not source.object.endswith(TOC):
        raise SourceError(f"`object` of a dump in directory form must end in {TOC}", kind="config")
    if source.engine == "mysql" and (source.server or source.form == "directory"):
        raise SourceError("a dump of MySQL is a script, restored into a server that is started here", kind="config")
    try:
        found = offer(source, _entries(reach, fixed(source)), at, reach.plan.now)
        versioning = reach.hand().call("s3", "GetBucketVersioning", **_bucket(reach)).get("Status", "")
    except AwsError as e:
        if e.code == "NoSuchBucket":
            raise SourceError(f"there is no bucket {source.bucket}", kind="no-recovery-point") from e
        raise
    chosen = found.chosen
    if chosen is None:
        hint = "check bucket, object and at in [source]; find out when a dump was last written"
        raise SourceError(_nothing(reach, found, at), hint, kind="no-recovery-point")
    _within_limits(reach, chosen.name, chosen.objects, chosen.bytes)
    objects = tuple(parts(source, chosen.name, _entries(reach, chosen.name), at, reach.plan.now))
    if not objects or (source.form != "parts" and sum(o.size for o in objects) != chosen.bytes):
        message = f"{reach.url(chosen.name)} changed while its objects were listed"
        raise SourceError(message, kind="snapshot-state", retryable=True)
    if archived := [o for o in objects if o.storage_class in ARCHIVED]:
        message = f"{len(archived)} of {len(objects)} objects of the dump {reach.url(chosen.name)} are archived"
        raise SourceError(
            f"{message}, the first is {archived[0].key} in {archived[0].storage_class}", kind="object-archived"
        )
    return _point(reach, found, objects, versioning)


def _entries(reach: Reach, prefix: str) -> Iterator[Entry]:
    return entries(reach.objects().pages(reach.source.bucket, reach.source.account, prefix))


def current_at(reach: Reach, key: str) -> ObjectVersion | None:
    """Return the version of one key that was current at T, or None if there was none."""
    mine = (entry for entry in _entries(reach, key) if entry.key == key)
    found = list(current(mine, reach.at, Tally(reach.plan.now)))
    return found[0] if found else None


def _bucket(reach: Reach) -> dict[str, str]:
    return {"Bucket": reach.source.bucket, "ExpectedBucketOwner": reach.source.account}


def _nothing(reach: Reach, found: Offer, at: datetime) -> str:
    where = f"no object of {reach.url(reach.source.object)} was current at {_time(at)}"
    if found.versions or found.tally.deleted:
        return f"{where}: {found.tally.deleted:,} had been deleted, {found.tally.later:,} came later"
    return where


def _within_limits(reach: Reach, name: str, objects: int, size: int) -> None:
    most = reach.source.most_bytes
    if objects > MOST_OBJECTS:
        raise SourceError(
            f"the dump {reach.url(name)} consists of {objects:,} objects; {MOST_OBJECTS:,} are allowed", kind="limit"
        )
    if most is not None and size > most:
        raise SourceError(f"the dump {reach.url(name)} has {size:,} bytes; {most:,} are allowed", kind="limit")


def _point(reach: Reach, found: Offer, objects: tuple[ObjectVersion, ...], versioning: str) -> RecoveryPoint:
    source, chosen = reach.source, found.chosen
    assert chosen is not None  # noqa: S101 - the caller has looked
    newest = max(objects, key=lambda o: o.modified)
    one = len(objects) == 1 and source.form == "file"
    url = reach.url(chosen.name) + (
        f"?versionId={objects[0].version}" if one else "" if source.form == "directory" else "*"
    )
    return RecoveryPoint(
        id=url,
        arn=reach.arn(chosen.name),
        kind=SnapshotKind.DUMP,
        created=newest.modified,
        newest=max(found.newest or newest.modified, newest.modified),
        engine=ENGINES[source.engine],
        engine_version="",
        master_username="",
        encrypted=bool(source.decrypt),
        objects=len(objects),
        bytes=sum(o.size for o in objects),
        parts=objects,
        history=tuple(size for _, _, size in found.before()),
        remarks=_remarks(reach, found, objects, versioning),
    )


def _remarks(reach: Reach, found: Offer, objects: tuple[ObjectVersion, ...], versioning: str) -> tuple[str, ...]:
    said = []
    if hidden := found.hidden():
        modified, key, size = hidden
        said.append(
            f"a newer dump, {reach.url(key)} of {_time(modified)} with {size:,} bytes, had been deleted by then"
        )
    if before := found.before():
        modified, key, size = before[0]
        said.append(f"the dump before this one is {reach.url(key)} of {_time(modified)}, with {size:,} bytes")
    else:
        said.append("there is no earlier dump to compare its size with")
    left_out = (chosen.objects if (chosen := found.chosen) else 0) - len(objects)
    if left_out:
        said.append(f"{left_out:,} objects beside its parts have names that do not continue their numbers: left out")
    return (*said, *(r for r in remarks(found.tally, versioning) if r != NOT_VERSIONED))  # a dump is its bytes


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
