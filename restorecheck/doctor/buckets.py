"""The bucket whose objects are backups, and the one that they are restored into. Looks at one object, and lists few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from restorecheck.doctor.diagnosis import Hand, Ill, said
from restorecheck.dumps import mysql_programs
from restorecheck.dumps.programs import installations
from restorecheck.errors import AwsError, SourceError
from restorecheck.model import Check, Placement, S3DumpSource, S3ObjectsSource
from restorecheck.sources.s3_dump.keys import fixed, group_of

Doors = Mapping[str, Callable[[], Hand]]
BucketSource = S3ObjectsSource | S3DumpSource

MOST_PAGES = 10
"""Pages of a listing in which an object that is current is looked for."""

_REFUSED = frozenset({"403", "AccessDenied", "Forbidden"})
_ABSENT = frozenset({"404", "NoSuchBucket", "NotFound"})
_ELSEWHERE = frozenset(
    {"301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_UNLOCKED = "ObjectLockConfigurationNotFoundError"


def _where(source: BucketSource) -> tuple[str, str]:
    """Return the bucket and the prefix that a check lists."""
    if isinstance(source, S3DumpSource):
        return source.bucket, source.object.partition("*")[0]
    return source.bucket, source.prefix


def history(check: Check, source: BucketSource, hand: Hand) -> str:
    """Look whether the bucket keeps every version, and whether its versions may be listed."""
    bucket, prefix = _where(source)
    owner = {"Bucket": bucket, "ExpectedBucketOwner": source.account}
    try:
        status = hand.call("s3", "GetBucketVersioning", **owner).get("Status")
        page = hand.call("s3", "ListObjectVersions", **owner, Prefix=prefix, MaxKeys=1)
    except AwsError as e:
        if e.code in _ABSENT:
            raise Ill(f"there is no bucket {bucket} in account {source.account}", "correct `bucket`") from e
        raise
    if status != "Enabled":
        state = "suspended" if status == "Suspended" else "off"
        raise Ill(
            f"versioning of {bucket} is {state}: what is overwritten or deleted there is lost",
            "enable versioning, or this bucket is no backup of anything",
        )
    if not page.get("Versions") and not page.get("DeleteMarkers"):
        raise Ill(f"there is no object under s3://{bucket}/{prefix}", f"correct the source of {check.name}")
    return f"s3://{bucket}/{prefix} is listed, and versioning is enabled"


def readable(source: BucketSource, doors: Doors) -> str:
    """Look at one current object in the role that is to read them: the scratch role, or ours for streams and dumps."""
    bucket, prefix = _where(source)
    copies = isinstance(source, S3ObjectsSource) and source.transfer == "copy"
    side = "scratch" if copies else "source"
    key, version = _current(doors["source"](), source, bucket, prefix)
    try:
        doors[side]().call(
            "s3", "HeadObject", Bucket=bucket, Key=key, VersionId=version, ExpectedBucketOwner=source.account
        )
    except AwsError as e:
        if e.code not in _REFUSED:
            raise
        stream = ', or set transfer = "stream"' if copies else ""
        raise Ill(
            f"the {side} role may not read {key!r}",
            f"allow it s3:GetObjectVersion of the bucket and kms:Decrypt of its key{stream}",
        ) from e
    return f"the {side} role can read what is in {bucket}"


def dumps(source: S3DumpSource, hand: Hand, now: datetime) -> str:
    """Count the dumps whose keys match; the first pages of a listing must show one."""
    bucket, prefix = source.bucket, fixed(source)
    found: dict[str, datetime] = {}
    whole = False
    for page in _pages(hand, source, bucket, prefix):
        for version in page.get("Versions") or ():
            group = group_of(source, said(version, "Key", "a version")) if version.get("IsLatest") else None
            if group is not None:
                written = said(version, "LastModified", "a version")
                found[group] = max(found.get(group, written), written)
        whole = not page.get("IsTruncated")
    if not found and not whole:
        raise SourceError(f"no dump was found in the first {MOST_PAGES} pages of s3://{bucket}/{prefix}", kind="limit")
    if not found:
        raise Ill(f"no object of s3://{bucket}/{prefix} matches {source.object!r}", "correct `object`, or `form`")
    age = int((now - max(found.values())).total_seconds() // 60)
    more = "" if whole else " or more"
    return f"{len(found)} dumps{more} match {source.object!r}, the newest {age // 60} h {age % 60} min old"


def programs(source: S3DumpSource, declared: tuple[Path, ...]) -> str:
    """Look whether programs are here that can restore a dump of this engine at all."""
    try:
        if source.engine == "mysql":
            here = [f"{one.flavour} {one.version}" for one in mysql_programs.programs_here(declared)]
        else:
            here = [f"PostgreSQL {one.version}" for one in installations(declared)[0]]
    except SourceError as e:
        raise Ill(e.message, e.hint or "correct [programs]") from e
    if not here:
        raise Ill(
            f"no programs of a {source.engine} server are on this machine",
            "install them, or name their directory in [programs]",
        )
    return f"dumps can be restored by {', '.join(here)}; whether by one that is new enough, only a run can tell"


def _pages(hand: Hand, source: BucketSource, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Yield the first pages of a listing."""
    marker: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        asked = {"Bucket": bucket, "Prefix": prefix, "ExpectedBucketOwner": source.account, **marker}
        page = hand.call("s3", "ListObjectVersions", **asked)
        yield page
        if not page.get("IsTruncated"):
            return
        names = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
        marker = {name: said(page, key, "a listing") for name, key in names.items()}


def _current(hand: Hand, source: BucketSource, bucket: str, prefix: str) -> tuple[str, str]:
    """Return the key and version of one object that is current. Raises SourceError if the first pages show none."""
    for page in _pages(hand, source, bucket, prefix):
        for version in page.get("Versions") or ():
            if version.get("IsLatest"):
                return said(version, "Key", "a version"), said(version, "VersionId", "a version")
    raise SourceError(f"no current object was found under s3://{bucket}/{prefix}", kind="unknown-answer")


def scratch(hand: Hand, place: Placement) -> str:
    """Look whether the scratch bucket is there, in the scratch account and this region, and has no Object Lock."""
    owner: dict[str, Any] = {"Bucket": place.bucket, "ExpectedBucketOwner": place.account}
    try:
        hand.call("s3", "HeadBucket", **owner)
    except AwsError as e:
        if e.code in _ABSENT:
            raise Ill(f"there is no bucket {place.bucket}", "make it in the scratch account, or correct it") from e
        if e.code in _ELSEWHERE:
            raise Ill(f"{place.bucket} is not in {place.region}", "take a bucket of the source's region") from e
        if e.code in _REFUSED:
            message = f"{place.bucket} is not account {place.account}'s, or the scratch role may not look at it"
            raise Ill(message, "take a bucket of the scratch account, and allow the role s3:ListBucket") from e
        raise
    try:
        lock = hand.call("s3", "GetObjectLockConfiguration", **owner)
    except AwsError as e:
        if e.code != _UNLOCKED:
            raise
    else:
        if said(said(lock, "ObjectLockConfiguration", place.bucket), "ObjectLockEnabled", place.bucket) == "Enabled":
            raise Ill(
                f"{place.bucket} has Object Lock: what is restored there might not be deleted for years",
                "take a bucket without it",
            )
    return f"{place.bucket} is in the scratch account, without Object Lock"
