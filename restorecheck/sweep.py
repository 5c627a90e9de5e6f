"""Finds scratch that outlived its lease, by its tags in AWS and never from our store, and asks AWS to delete it.

The fence decides about each piece, and again, freshly, when it is deleted. What cannot be read is kept and reported; a
place that cannot be listed is reported as not looked at, never as empty; and when more would go than one crash leaves
behind, nothing goes. It does not wait for a deletion to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from restorecheck.errors import AwsError, RestorecheckError
from restorecheck.fence import (
    TAG_MANAGED,
    Permit,
    Role,
    Target,
    lease_of,
    target_of_instance,
    target_of_snapshot,
    why_not,
)
from restorecheck.schedule import PREFIX

FEW = 4
"""With fewer pieces than this in all, no share of them is suspicious: one run leaves up to three."""

_GONE = ("DBInstanceNotFound", "DBSnapshotNotFound")


class Hand(Protocol):
    """What the sweep needs of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a listing."""


class Gate(Protocol):
    """What the sweep needs of the fence."""

    def permit(
        self, *, source_account: str, scratch_account: str, region: str, began: datetime, expires: datetime
    ) -> Permit:
        """Make the permit of a sweep."""

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account."""


@dataclass(frozen=True, slots=True)
class Place:
    """One region of one configured account, and in which role it is entered."""

    role: Literal[Role.SOURCE, Role.SCRATCH]
    account: str
    region: str
    name: str = ""  # what the operator calls the account


class State(StrEnum):
    """What the sweep did with one piece."""

    EXPIRED = "expired"  # would be deleted
    ASKED = "asked"  # AWS accepted the deletion
    GOING = "going"  # AWS was deleting it already, or has just finished
    LEASED = "leased"  # of a run that may still be going on
    KEPT = "kept"  # carries our name or tag, and may not be deleted: somebody has to look
    FAILED = "failed"  # was to be deleted, and was not


@dataclass(frozen=True, slots=True)
class Piece:
    """One instance or snapshot that carries our name or tag."""

    place: Place
    target: Target
    state: State
    reason: str = ""

    @property
    def label(self) -> str:
        """Its ARN, or what there is of one."""
        return self.target.arn or self.target.name


@dataclass(frozen=True, slots=True)
class Blind:
    """A listing that could not be read to its end: nothing is known of what is there."""

    place: Place
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep saw and did."""

    acted: bool
    places: tuple[Place, ...]
    pieces: tuple[Piece, ...]
    blind: tuple[Blind, ...]
    tripped: str = ""  # why nothing was deleted although something had expired; a person has to decide

    def of(self, *states: State) -> tuple[Piece, ...]:
        """Return the pieces in these states."""
        return tuple(piece for piece in self.pieces if piece.state in states)

    @property
    def leaked(self) -> bool:
        """Whether something is left that should not be there: it expired and was not deleted, or nobody may."""
        return bool(self.tripped) or bool(self.of(State.EXPIRED, State.KEPT, State.FAILED))


def sweep(
    fence: Gate, places: Sequence[Place], now: datetime, *, act: bool, most: int = 10, share: float = 0.5
) -> Swept:
    """Look in every place and, if `act`, delete what has expired by `now`.

    Deletes nothing when more than `most` pieces, or more than `share` (0 to 1) of all that carry our name, would go.
    Does not raise for what AWS or the fence says: that is in the answer.
    """
    places = tuple(dict.fromkeys(places))
    looks = [(place, look) for look in (_INSTANCES, _SNAPSHOTS) for place in places if place.role in look.roles]
    pieces: list[Piece] = []
    blind: list[Blind] = []
    for place, look in looks:  # instances of all places first: a snapshot may be the source of one that is being made
        try:
            targets = _listed(fence, place, look)  # to its end, before anything is believed of it
            permit = _permit(fence, place, now)
            pieces += [_piece(place, target, permit) for target in targets]
        except RestorecheckError as e:
            blind.append(Blind(place, look.what, e.message))
    tripped = _why_none(pieces, most, share)
    if act and not tripped:
        pieces = [_delete(fence, piece, now) if piece.state is State.EXPIRED else piece for piece in pieces]
    return Swept(act, places, tuple(pieces), tuple(blind), tripped)


@dataclass(frozen=True, slots=True)
class _Look:
    """One kind of listing."""

    what: str
    roles: frozenset[Role]
    operation: str
    key: str
    params: Mapping[str, str]
    target: Callable[[Mapping[str, Any], str], Target]


_INSTANCES = _Look("instances", frozenset({Role.SCRATCH}), "DescribeDBInstances", "DBInstances", {}, target_of_instance)
_SNAPSHOTS = _Look(
    "snapshots",
    frozenset({Role.SCRATCH, Role.SOURCE}),
    "DescribeDBSnapshots",
    "DBSnapshots",
    {"SnapshotType": "manual"},
    target_of_snapshot,
)


def _listed(fence: Gate, place: Place, look: _Look) -> list[Target]:
    hand = fence.hand(place.role, place.account, place.region)
    described = hand.pages("rds", look.operation, look.key, **look.params)
    targets = [look.target(item, place.account) for item in described]
    return [target for target in targets if target.name.startswith(PREFIX) or TAG_MANAGED in (target.tags or {})]


def _permit(fence: Gate, place: Place, now: datetime) -> Permit:
    """Return leave to delete in this one place: the other side of the permit is nobody's account."""
    source, scratch = (place.account, "") if place.role is Role.SOURCE else ("", place.account)
    return fence.permit(source_account=source, scratch_account=scratch, region=place.region, began=now, expires=now)


def _piece(place: Place, target: Target, permit: Permit) -> Piece:
    reason, lease = why_not(target, permit), lease_of(target)
    if reason is None:
        return Piece(place, target, State.GOING if target.status == "deleting" else State.EXPIRED)
    # Leased, if the lease is all that stands against it; anything else is not as we would have made it.
    if lease and why_not(target, replace(permit, began=lease)) is None:
        return Piece(place, target, State.LEASED, reason)
    return Piece(place, target, State.KEPT, reason)


def _why_none(pieces: Sequence[Piece], most: int, share: float) -> str:
    """Return why so much at once is not believed, or nothing."""
    named = sum(piece.target.name.startswith(PREFIX) for piece in pieces)
    expired = sum(piece.state is State.EXPIRED for piece in pieces)
    if expired > most:
        return f"{expired} pieces have expired, and no more than {most} are deleted at once"
    if named >= FEW and expired > share * named:
        return f"{expired} of {named} pieces have expired, and no more than {share:.0%} of them are deleted at once"
    return ""


def _delete(fence: Gate, piece: Piece, now: datetime) -> Piece:
    place, target = piece.place, piece.target
    try:
        hand = fence.hand(place.role, place.account, place.region, _permit(fence, place, now))
        if target.kind == "db":
            hand.call(
                "rds",
                "DeleteDBInstance",
                DBInstanceIdentifier=target.name,
                SkipFinalSnapshot=True,
                DeleteAutomatedBackups=True,
            )
        else:
            hand.call("rds", "DeleteDBSnapshot", DBSnapshotIdentifier=target.name)
    except RestorecheckError as e:
        if isinstance(e, AwsError) and e.code in _GONE:
            return replace(piece, state=State.GOING)
        return replace(piece, state=State.FAILED, reason=e.message)
    return replace(piece, state=State.ASKED)
