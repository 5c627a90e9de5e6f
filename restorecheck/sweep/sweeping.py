"""One sweep: looks in every place, stops at the breaker, and asks AWS to delete what has expired.

The fence decides about each piece, and again, freshly, when it is deleted. What cannot be read is kept and reported; a
place that cannot be listed is reported as not looked at, never as empty; and when more would go than one crash leaves
behind, nothing goes. It does not wait for a deletion to end, and remembers nothing from one sweep to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from restorecheck.errors import AwsError, RestorecheckError
from restorecheck.fence import ResourceKind, Role, Target
from restorecheck.schedule import PREFIX
from restorecheck.sweep import prefixes
from restorecheck.sweep.looks import (
    CLUSTER_SNAPSHOTS,
    CLUSTERS,
    INSTANCES,
    SNAPSHOTS,
    Gate,
    Sight,
    judged,
    listed,
    permit_of,
)
from restorecheck.sweep.shares import in_use, shares
from restorecheck.sweep.swept import Blind, Piece, Place, State, Swept

FEW = 5
"""With fewer pieces than this in all, no share of them is suspicious: one run leaves up to four."""

_LOOKS = (INSTANCES, CLUSTERS, SNAPSHOTS, CLUSTER_SNAPSHOTS)
_DELETES: dict[ResourceKind, tuple[str, str]] = {
    "db": ("DeleteDBInstance", "DBInstanceIdentifier"),
    "cluster": ("DeleteDBCluster", "DBClusterIdentifier"),
    "snapshot": ("DeleteDBSnapshot", "DBSnapshotIdentifier"),
    "cluster-snapshot": ("DeleteDBClusterSnapshot", "DBClusterSnapshotIdentifier"),
}
"""Kind → the call that deletes it, and the parameter that names it: two of different kinds may have the same name."""

_GONE = ("DBInstanceNotFound", "DBSnapshotNotFound", "DBClusterNotFoundFault", "DBClusterSnapshotNotFoundFault")


def sweep(
    fence: Gate, places: Sequence[Place], now: datetime, *, act: bool, most: int = 10, share: float = 0.5
) -> Swept:
    """Look in every place and, if `act`, delete what has expired by `now`.

    Deletes nothing when more than `most` pieces, or more than `share` (0 to 1) of all that carry our name, would go;
    `tripped` then says why. Does not raise for what AWS or the fence says: that is in the answer.
    """
    places = tuple(dict.fromkeys(places))
    looks = [(place, look) for look in _LOOKS for place in places if place.role in look.roles]
    seen: list[tuple[Sight, Piece]] = []
    blind: list[Blind] = []
    others: list[tuple[Place, list[Target], frozenset[str]]] = []
    # Instances of all places first: a cluster goes after its own, and a snapshot may be the source of one being made.
    for place, look in looks:
        try:
            sights = listed(fence, place, look)  # to its end, before anything is believed of it
            permit = permit_of(fence, place, now)
        except RestorecheckError as e:
            blind.append(Blind(place, look.what, e.message))
            continue
        seen += [(sight, judged(sight, permit)) for sight in sights if sight.marked]
        if place.role is Role.SOURCE:  # there only snapshots are looked at
            theirs = [sight.target for sight in sights if not sight.marked]
            others.append((place, theirs, permit.scratch_accounts))
    for place in places:
        if place.role is Role.SCRATCH and place.bucket:
            try:
                hand = fence.hand(place.role, place.account, place.region)
                seen += prefixes.found(hand, place, permit_of(fence, place, now))
            except RestorecheckError as e:
                blind.append(Blind(place, prefixes.WHAT, e.message))
    pieces = [piece for _, piece in seen]
    tripped = _why_none(pieces, most, share)
    if act and not tripped:
        pieces = [_delete(fence, piece, now) if piece.state is State.EXPIRED else piece for piece in pieces]
    copies = in_use(seen)
    for place, theirs, scratch_accounts in others:
        found, unseen = shares(fence, place, theirs, scratch_accounts, copies)
        pieces += found
        blind += unseen
    return Swept(act, places, tuple(pieces), tuple(blind), tripped)


def _why_none(pieces: Sequence[Piece], most: int, share: float) -> str:
    """Return why so much at once is not believed, or nothing."""
    named = sum(piece.target.name.rpartition("/")[2].startswith(PREFIX) for piece in pieces)
    expired = sum(piece.state is State.EXPIRED for piece in pieces)
    if expired > most:
        return f"{expired} pieces have expired, and no more than {most} are deleted at once"
    if named >= FEW and expired > share * named:
        return f"{expired} of {named} pieces have expired, and no more than {share:.0%} of them are deleted at once"
    return ""


def _delete(fence: Gate, piece: Piece, now: datetime) -> Piece:
    place, target = piece.place, piece.target
    if target.members:  # its own, or the fence would not have let it through
        return replace(piece, state=State.WAITING, reason="its instance goes first, and the next sweep deletes it")
    try:
        hand = fence.hand(place.role, place.account, place.region, permit_of(fence, place, now))
        if target.kind == "objects":
            return prefixes.delete(hand, piece)
        operation, parameter = _DELETES[target.kind]
        whole = {"SkipFinalSnapshot": True, "DeleteAutomatedBackups": True} if target.kind in {"db", "cluster"} else {}
        hand.call("rds", operation, **{parameter: target.name}, **whole)
    except RestorecheckError as e:
        if isinstance(e, AwsError) and e.code in _GONE:
            return replace(piece, state=State.GOING)
        return replace(piece, state=State.FAILED, reason=e.message)
    return replace(piece, state=State.ASKED)
