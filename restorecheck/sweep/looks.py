"""Lists what is in a place, picks what carries our name or tag, and asks the fence what it is.

One listing per place and kind. It never changes anything, and never believes a listing that broke off.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from restorecheck.fence import (
    TAG_MANAGED,
    Permit,
    Role,
    Target,
    lease_of,
    target_of_cluster,
    target_of_cluster_snapshot,
    target_of_instance,
    target_of_snapshot,
    why_not,
)
from restorecheck.schedule import FINAL, PREFIX
from restorecheck.sweep.swept import Piece, Place, State


class Hand(Protocol):
    """What the sweep needs of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a listing."""


class Gate(Protocol):
    """What the sweep needs of the fence."""

    def permit(
        self,
        *,
        source_account: str,
        scratch_account: str,
        region: str,
        began: datetime,
        expires: datetime,
        bucket: str = "",
    ) -> Permit:
        """Make the permit of a sweep."""

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing in a listing."""

    place: Place
    target: Target
    copied_from: str = ""  # snapshots: the ARN of the snapshot in another account that it is a copy of

    @property
    def final(self) -> bool:
        """Whether Aurora made it of a cluster that has a run's name."""
        made = self.target.kind == "cluster-snapshot" and self.target.name.startswith(FINAL)
        return made and (self.target.cluster or "").startswith(PREFIX)

    @property
    def marked(self) -> bool:
        """Whether it carries our name or tag, or came of what does. Whether it is ours, only the fence says."""
        return self.target.name.startswith(PREFIX) or TAG_MANAGED in (self.target.tags or {}) or self.final


@dataclass(frozen=True, slots=True)
class Look:
    """One kind of listing."""

    what: str
    roles: frozenset[Role]
    operation: str
    key: str
    params: Mapping[str, str]
    sight: Callable[[Place, Mapping[str, Any]], Sight]


def _instance(place: Place, described: Mapping[str, Any]) -> Sight:
    return Sight(place, target_of_instance(described, place.account))


def _cluster(place: Place, described: Mapping[str, Any]) -> Sight:
    return Sight(place, target_of_cluster(described, place.account))


def _snapshot(place: Place, described: Mapping[str, Any]) -> Sight:
    target = target_of_snapshot(described, place.account)
    return Sight(place, target, copied_from=described.get("SourceDBSnapshotIdentifier") or "")


def _cluster_snapshot(place: Place, described: Mapping[str, Any]) -> Sight:
    target = target_of_cluster_snapshot(described, place.account)
    return Sight(place, target, copied_from=described.get("SourceDBClusterSnapshotArn") or "")


_MANUAL = {"SnapshotType": "manual"}
_SCRATCH, _BOTH = frozenset({Role.SCRATCH}), frozenset({Role.SCRATCH, Role.SOURCE})

INSTANCES = Look("instances", _SCRATCH, "DescribeDBInstances", "DBInstances", {}, _instance)
CLUSTERS = Look("clusters", _SCRATCH, "DescribeDBClusters", "DBClusters", {}, _cluster)
SNAPSHOTS = Look("snapshots", _BOTH, "DescribeDBSnapshots", "DBSnapshots", _MANUAL, _snapshot)
CLUSTER_SNAPSHOTS = Look(
    "cluster snapshots", _BOTH, "DescribeDBClusterSnapshots", "DBClusterSnapshots", _MANUAL, _cluster_snapshot
)


def listed(fence: Gate, place: Place, look: Look) -> list[Sight]:
    """Return everything in one listing, to its end. Raises what the fence and AWS raise."""
    hand = fence.hand(place.role, place.account, place.region)
    return [look.sight(place, item) for item in hand.pages("rds", look.operation, look.key, **look.params)]


def permit_of(fence: Gate, place: Place, now: datetime) -> Permit:
    """Return leave to delete in this one place: the other side of the permit is nobody's account."""
    source, scratch = (place.account, "") if place.role is Role.SOURCE else ("", place.account)
    return fence.permit(
        source_account=source,
        scratch_account=scratch,
        region=place.region,
        began=now,
        expires=now,
        bucket=place.bucket,
    )


def judged(sight: Sight, permit: Permit) -> Piece:
    """Return what a marked thing is, by the clauses of the fence."""
    place, target = sight.place, sight.target
    reason, lease = why_not(target, permit), lease_of(target)
    if target.status == "deleting" and (reason is None or sight.final):
        return Piece(place, target, State.GOING)
    if sight.final:
        made = f"made by AWS when an upgrade of the cluster {target.cluster} failed, so no tag can prove whose it is"
        return Piece(place, target, State.KEPT, f"{made}; {_by_hand(sight)}")
    if reason is None:
        return Piece(place, target, State.EXPIRED)
    # Leased, if the lease is all that stands against it; anything else is not as we would have made it.
    if lease and why_not(target, replace(permit, began=lease)) is None:
        return Piece(place, target, State.LEASED, reason)
    return Piece(place, target, State.KEPT, reason)


def _by_hand(sight: Sight) -> str:
    name, place = shlex.quote(sight.target.name), sight.place
    command = f"aws rds delete-db-cluster-snapshot --region {place.region} --db-cluster-snapshot-identifier {name}"
    return f"if nobody needs it, run this in account {place.account}: {command}"
