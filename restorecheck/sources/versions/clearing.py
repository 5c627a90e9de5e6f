"""Everything below one prefix of a scratch bucket, removed for good: uploads, versions, delete markers, the lease last.

The lease is what the fence knows the rest by, so it goes when nothing else is left. Each call names versions, never a
bucket, and nothing outside the prefix that it was given; whether any of it may go, the fence decides with each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from restorecheck.errors import AwsError, SourceError

MOST = 1000
"""Keys in one DeleteObjects. [S3 API]"""

_NEVER: Callable[[], bool] = lambda: False  # noqa: E731


class Hand(Protocol):
    """What is needed of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix of a bucket, and the lease in it."""

    bucket: str
    owner: str
    prefix: str  # ends in `/`
    lease: str  # a key below it

    def __post_init__(self) -> None:
        if not self.prefix.endswith("/") or len(self.prefix) < 2 or not self.lease.startswith(self.prefix):
            raise ValueError("not a prefix with its lease")


@dataclass(slots=True)
class Cleared:
    """What one slice of removing came to."""

    removed: int = 0  # versions, markers and uploads
    refused: dict[str, int] = field(default_factory=dict)  # what S3 said → of how many
    done: bool = False  # nothing is left below the prefix


@dataclass(frozen=True, slots=True)
class Held:
    """What is below a prefix."""

    versions: int = 0
    uploads: int = 0

    @property
    def told(self) -> str:
        """As people say it."""
        return f"{self.versions:,} versions and delete markers, {self.uploads:,} unfinished uploads"


def held(hand: Hand, place: Prefix) -> Held:
    """Count what is below a prefix. Raises AwsError, SourceError."""
    return Held(sum(1 for _ in _versions(hand, place)), sum(1 for _ in _uploads(hand, place)))


def clear(hand: Hand, place: Prefix, enough: Callable[[], bool] = _NEVER) -> Cleared:
    """Remove what is below a prefix, until nothing is left or `enough`. May be called again, and goes on.

    Raises AwsError, SourceError, RefusedError: the fence refuses what does not carry a lease that it allows.
    """
    cleared = Cleared()
    for key, upload in list(islice(_uploads(hand, place), 10 * MOST)):
        _abort(hand, place, key, upload, cleared)
        if enough():
            return cleared
    leases: list[dict[str, str]] = []
    batch: list[dict[str, str]] = []
    for item in _versions(hand, place):
        if item["Key"] == place.lease:
            leases.append(item)
            continue
        batch.append(item)
        if len(batch) == MOST:
            _delete(hand, place, batch, cleared)
            batch = []
            if enough():
                return cleared
    if batch:
        _delete(hand, place, batch, cleared)
    if cleared.refused:
        return cleared
    left = cleared.removed and (next(_versions(hand, place, leases), None) or next(_uploads(hand, place), None))
    if left:  # something came while we looked: the lease stays until it is gone too
        return cleared
    if leases:
        _delete(hand, place, leases, cleared)
    cleared.done = not cleared.refused
    return cleared


def _versions(hand: Hand, place: Prefix, but: list[dict[str, str]] | None = None) -> Iterator[dict[str, str]]:
    marker: dict[str, str] = {}
    while True:
        page = hand.call(
            "s3",
            "ListObjectVersions",
            Bucket=place.bucket,
            Prefix=place.prefix,
            ExpectedBucketOwner=place.owner,
            **marker,
        )
        for item in (*(page.get("Versions") or ()), *(page.get("DeleteMarkers") or ())):
            named = {"Key": _below(item["Key"], place), "VersionId": item["VersionId"]}
            if named not in (but or ()):
                yield named
        marker = _following(page, marker, {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"})
        if not marker:
            return


def _uploads(hand: Hand, place: Prefix) -> Iterator[tuple[str, str]]:
    marker: dict[str, str] = {}
    while True:
        page = hand.call(
            "s3",
            "ListMultipartUploads",
            Bucket=place.bucket,
            Prefix=place.prefix,
            ExpectedBucketOwner=place.owner,
            **marker,
        )
        for item in page.get("Uploads") or ():
            yield _below(item["Key"], place), item["UploadId"]
        marker = _following(page, marker, {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"})
        if not marker:
            return


def _below(key: str, place: Prefix) -> str:
    if not key.startswith(place.prefix):
        raise SourceError(f"S3 listed {key!r} below {place.prefix!r}", kind="unknown-answer")
    return key


def _following(page: dict[str, Any], marker: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    """Return how to ask for the next page; nothing after the last. A listing never ends early and never circles."""
    if not page.get("IsTruncated"):
        return {}
    following = {name: page[said] for name, said in names.items() if page.get(said)}
    if not following or following == marker:
        raise SourceError("S3 does not say how its listing goes on", kind="unknown-answer")
    return following


def _abort(hand: Hand, place: Prefix, key: str, upload: str, cleared: Cleared) -> None:
    try:
        hand.call(
            "s3",
            "AbortMultipartUpload",
            Bucket=place.bucket,
            Key=key,
            UploadId=upload,
            ExpectedBucketOwner=place.owner,
        )
    except AwsError as e:
        if e.code != "NoSuchUpload":
            raise
    cleared.removed += 1


def _delete(hand: Hand, place: Prefix, batch: list[dict[str, str]], cleared: Cleared) -> None:
    for start in range(0, len(batch), MOST):
        part = batch[start : start + MOST]
        answer = hand.call(
            "s3",
            "DeleteObjects",
            Bucket=place.bucket,
            Delete={"Objects": part, "Quiet": True},
            ExpectedBucketOwner=place.owner,
        )
        errors = answer.get("Errors") or ()
        cleared.removed += len(part) - len(errors)
        for error in errors:
            said = f"{error.get('Code', 'Unknown')}: {error.get('Message', '')}".rstrip(": ")
            cleared.refused[said] = cleared.refused.get(said, 0) + 1
