"""Looks which buckets a source account has, whether they keep versions, and at some of their keys. Only reads.

A bucket may hold a milliard objects, so its keys are a sample: what lies at the top, and one page below each of the
first prefixes. What is in an object is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from restorecheck.discovery.found import Blind, Bucket, Key
from restorecheck.errors import SourceError

if TYPE_CHECKING:
    from restorecheck.discovery.survey import Hand

PREFIXES = 20
"""Of how many prefixes at the top one page is read."""

_FIRST = "us-east-1"
_OLD = {"": _FIRST, "EU": "eu-west-1"}
"""What GetBucketLocation says for two regions [S3 API reference, GetBucketLocation]."""


class _Denied(Exception):  # noqa: N818 - not an error: it is noted, and the next bucket comes
    pass


def listed(hands: Mapping[str, Hand], blind: list[Blind]) -> Iterator[Bucket]:
    """Yield every bucket of the account that can be looked at, by name; those of other regions without their keys."""
    if not hands:
        return
    first = next(iter(hands.values()))
    try:
        found = _asked(lambda: first.call("s3", "ListBuckets"), "ListBuckets", first.account, blind)
    except _Denied:
        return
    for name in sorted(str(one["Name"]) for one in found.get("Buckets") or ()):
        try:
            yield _bucket(name, hands, first, blind)
        except _Denied:
            continue


def _asked(ask: Callable[[], dict[str, Any]], operation: str, where: str, blind: list[Blind]) -> dict[str, Any]:
    """Return an answer; or note that there was none, and raise _Denied."""
    try:
        return ask()
    except SourceError as e:
        blind.append(Blind(operation, where, e.message, e.kind))
        raise _Denied from e


def _bucket(name: str, hands: Mapping[str, Hand], first: Hand, blind: list[Blind]) -> Bucket:
    owned = {"Bucket": name, "ExpectedBucketOwner": first.account}
    told = _asked(lambda: first.call("s3", "GetBucketLocation", **owned), "GetBucketLocation", name, blind)
    said = str(told.get("LocationConstraint") or "")
    region = _OLD.get(said, said)
    hand = hands.get(region)
    if hand is None:
        return Bucket(name, region)
    told = _asked(lambda: hand.call("s3", "GetBucketVersioning", **owned), "GetBucketVersioning", name, blind)
    versioning = str(told.get("Status") or "")
    if versioning != "Enabled":
        return Bucket(name, region, versioning)

    def page(**more: Any) -> dict[str, Any]:
        return _asked(lambda: hand.call("s3", "ListObjectVersions", **owned, **more), "ListObjectVersions", name, blind)

    top = page(Delimiter="/")
    prefixes = [str(one["Prefix"]) for one in top.get("CommonPrefixes") or ()]
    keys, whole = list(_current(top)), not top.get("IsTruncated") and len(prefixes) <= PREFIXES
    for prefix in prefixes[:PREFIXES]:
        below = page(Prefix=prefix)
        keys += _current(below)
        whole = whole and not below.get("IsTruncated")
    return Bucket(name, region, versioning, tuple(keys), whole)


def _current(page: Mapping[str, Any]) -> Iterator[Key]:
    """Yield what is there now, without what only looks like a directory."""
    for one in page.get("Versions") or ():
        if one.get("IsLatest") and not str(one["Key"]).endswith("/"):
            yield Key(str(one["Key"]), one["LastModified"])
