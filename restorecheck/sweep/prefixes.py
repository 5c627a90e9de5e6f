"""What runs left in a scratch bucket: one piece for each prefix that is named like a run, known by its lease.

A prefix without a lease that can be read is kept and reported, whatever lies below it. Looking changes nothing; what
is deleted, and whether it may be, the fence decides anew with each call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from restorecheck.errors import AwsError, SourceError
from restorecheck.fence import Permit, Target
from restorecheck.fence.described import target_of_objects
from restorecheck.fence.object_parameters import LEASE
from restorecheck.schedule import PREFIX
from restorecheck.sources.versions.clearing import Prefix, clear
from restorecheck.sweep.looks import Hand, Sight, judged
from restorecheck.sweep.swept import Piece, Place, State

WHAT = "restored objects"

MOST_CALLS = 100
"""Calls of up to 1,000 versions that one sweep spends on one prefix: the next goes on, for the lease goes last."""

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_LISTINGS = {
    "ListObjectVersions": {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"},
    "ListMultipartUploads": {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"},
}


def found(hand: Hand, place: Place, permit: Permit) -> list[tuple[Sight, Piece]]:
    """Return every prefix that is named like a run, judged. Raises AwsError, SourceError: then nothing is known."""
    names = sorted({name for operation in _LISTINGS for name in _named(hand, place, operation)})
    return [_judged(hand, place, permit, name) for name in names]


def _named(hand: Hand, place: Place, operation: str) -> Iterator[str]:
    marker: dict[str, str] = {}
    asked = {"Bucket": place.bucket, "Prefix": PREFIX, "Delimiter": "/", "ExpectedBucketOwner": place.account}
    while True:
        page = hand.call("s3", operation, **asked, **marker)
        yield from (common["Prefix"].rstrip("/") for common in page.get("CommonPrefixes") or ())
        if not page.get("IsTruncated"):
            return
        following = {name: page[said] for name, said in _LISTINGS[operation].items() if page.get(said)}
        if not following or following == marker:
            raise SourceError(f"{operation} of {place.bucket} does not say how it goes on", kind="unknown-answer")
        marker = following


def _judged(hand: Hand, place: Place, permit: Permit, name: str) -> tuple[Sight, Piece]:
    asked = {"Bucket": place.bucket, "Key": f"{name}/{LEASE}", "ExpectedBucketOwner": place.account}
    whole = f"{place.bucket}/{name}"
    try:
        lease = hand.call("s3", "HeadObject", **asked)
    except AwsError as e:
        absent = "it has no lease, so nobody can prove whose it is"
        reason = absent if e.code in _ABSENT else f"its lease could not be read: {e.message}"
        arn = permit.arn("objects", place.account, whole)
        target = Target("objects", place.account, whole, arn, tags=None, status=None, created=None)
        return Sight(place, target), Piece(place, target, State.KEPT, reason)
    sight = Sight(place, target_of_objects(lease, place.account, whole, permit.partition))
    return sight, judged(sight, permit)


def delete(hand: Hand, piece: Piece, most_calls: int = MOST_CALLS) -> Piece:
    """Remove what is below an expired prefix, as far as one sweep goes. Raises what the fence and AWS raise."""
    place = piece.place
    name = piece.target.name.partition("/")[2]
    calls = count(1)
    below = Prefix(place.bucket, place.account, f"{name}/", f"{name}/{LEASE}")
    cleared = clear(hand, below, lambda: next(calls) >= most_calls)
    if cleared.refused:
        said = "; ".join(f"{number:,} not deleted: {reason}" for reason, number in sorted(cleared.refused.items()))
        return replace(piece, state=State.FAILED, reason=said)
    return replace(piece, state=State.ASKED)
