"""The objects that rows name: which keys were current in a bucket when a backup was made. Reads listings only.

What was there at that time cannot be told without versions, so a bucket without them is an error, never an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from restorecheck.databases.interface import Beside, Keep
from restorecheck.errors import AwsError, SourceError
from restorecheck.fence import Role
from restorecheck.model import Check, ObjectSet, RecoveryPoint
from restorecheck.sources.versions.history import Tally, current
from restorecheck.sources.versions.interface import Objects
from restorecheck.sources.versions.listing import entries


class Reader(Protocol):
    """What is needed of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""


class Gate(Protocol):
    """What is needed of the fence."""

    def hand(self, role: Role, account: str, region: str) -> Reader:
        """Enter an account, without a permit: it only reads."""

    def objects(self, role: Role, account: str, region: str) -> Objects:
        """Enter an account for objects in bulk, without a permit."""


def of(
    fence: Gate,
    check: Check,
    point: RecoveryPoint,
    now: Callable[[], datetime],
    tell: Callable[[str], object],
    *,
    evidence: Keep | None = None,
) -> Beside:
    """Return what the questions of a check need beside its database. Nothing is listed before it is asked for."""
    at = point.data_time or point.created
    return Beside({one.name: partial(_keys, fence, one, at, now) for one in check.objects}, tell, evidence)


def _keys(fence: Gate, held: ObjectSet, backup: datetime, now: Callable[[], datetime]) -> Iterator[bytes]:
    """Yield every key that was current at the backup's time and the delay, without the prefix, ascending by bytes.

    Raises SourceError `could-not-look`, and what a listing raises.
    """
    at, seen_at = backup + held.delay, now()
    where = f"s3://{held.bucket}/{held.prefix}"
    if at > seen_at:
        raise SourceError(
            f"objects under {where} count until {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, which has not come yet",
            f"run the check later, or shorten `delay` of [objects.{held.name}]",
            kind="could-not-look",
        )
    try:
        _versioned(fence, held)
        listed = entries(
            fence.objects(Role.SOURCE, held.account, held.region).pages(held.bucket, held.account, held.prefix)
        )
        for version in current(listed, at, Tally(seen_at)):
            # The key of the prefix itself is what a console makes of a folder: no row can name it.
            if key := version.key.removeprefix(held.prefix):
                yield key.encode()
    except AwsError as e:
        if e.code != "NoSuchBucket":
            raise
        message = f"[objects.{held.name}]: there is no bucket {held.bucket}"
        raise SourceError(message, kind="could-not-look") from e


def _versioned(fence: Gate, held: ObjectSet) -> None:
    asked = {"Bucket": held.bucket, "ExpectedBucketOwner": held.account}
    status = fence.hand(Role.SOURCE, held.account, held.region).call("s3", "GetBucketVersioning", **asked).get("Status")
    if status != "Enabled":
        state = "suspended" if status == "Suspended" else "off"
        raise SourceError(
            f"versioning of the bucket {held.bucket} is {state}: nobody can tell what was in it at the backup's time",
            "switch it on; the backups made from then on can be compared",
            kind="could-not-look",
        )
