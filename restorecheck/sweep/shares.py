"""Finds snapshots of a source account that are shared with a scratch account, or with everybody.

A run may share an owner's own snapshot and take the share back; if its records are lost in between, the share stays. No
tag tells such a share from one that the owner gave, so it is reported, and nothing here may ever take one back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from restorecheck.errors import AwsError, RestorecheckError, SourceError
from restorecheck.fence import Target
from restorecheck.sweep.looks import Gate, Hand, Sight
from restorecheck.sweep.swept import Blind, Piece, Place, State

WHAT = "shares"
MOST_ASKED = 200
"""AWS tells of one snapshot per call who may see it. More than this many are not asked about, of a kind and place."""

EVERYBODY = "all"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def in_use(seen: Iterable[tuple[Sight, Piece]]) -> dict[str, Piece]:
    """Return, by the ARN of the snapshot it was made from, one copy of a run that may still be going on."""
    return {sight.copied_from: piece for sight, piece in seen if sight.copied_from and piece.state is State.LEASED}


def shares(
    fence: Gate,
    place: Place,
    snapshots: Sequence[Target],
    scratch_accounts: frozenset[str],
    copies: Mapping[str, Piece],
) -> tuple[list[Piece], list[Blind]]:
    """Ask who may see these snapshots of a source account, the newest first, and return those that too many may.

    `copies` are those of `in_use`. Does not raise for what AWS or the fence says.
    """
    pieces: list[Piece] = []
    newest = sorted(snapshots, key=lambda target: target.created or _LONG_AGO, reverse=True)
    unasked = len(newest[MOST_ASKED:])
    if not newest:
        return [], []
    try:
        hand = fence.hand(place.role, place.account, place.region)
        for target in newest[:MOST_ASKED]:
            if reason := _reason(target, _visible_to(hand, target), scratch_accounts, copies):
                pieces.append(Piece(place, target, State.SHARED, reason))  # noqa: PERF401 - kept if a later call fails
    except RestorecheckError as e:
        return pieces, [Blind(place, WHAT, e.message)]
    if unasked:
        reason = f"{unasked} older snapshots were not asked about: no more than {MOST_ASKED} are"
        return pieces, [Blind(place, WHAT, reason)]
    return pieces, []


def _visible_to(hand: Hand, target: Target) -> frozenset[str]:
    """Return the accounts that a snapshot is shared with. Empty also if it is gone by now."""
    word = "DBClusterSnapshot" if target.kind == "cluster-snapshot" else "DBSnapshot"
    try:
        answer = hand.call("rds", f"Describe{word}Attributes", **{f"{word}Identifier": target.name})
    except AwsError as e:
        if e.code in {"DBSnapshotNotFound", "DBClusterSnapshotNotFoundFault"}:
            return frozenset()
        raise
    attributes = answer.get(f"{word}AttributesResult", {}).get(f"{word}Attributes")
    if attributes is None:
        raise SourceError(f"AWS does not say who may see the snapshot {target.name}", kind="unknown-answer")
    return frozenset(
        value for a in attributes if a.get("AttributeName") == "restore" for value in a.get("AttributeValues") or ()
    )


def _reason(
    target: Target, visible_to: frozenset[str], scratch_accounts: frozenset[str], copies: Mapping[str, Piece]
) -> str:
    reasons = []
    if EVERYBODY in visible_to:
        reasons.append("public: every AWS account may copy and restore it; restorecheck never makes a snapshot public")
    if given := visible_to & scratch_accounts:
        shared = f"shared with the scratch account {', '.join(sorted(given))}"
        copy = copies.get(target.arn or "")
        if copy is not None and copy.place.account in given:
            reasons.append(f"{shared}: in use by a run that may still be going on ({copy.label}: {copy.reason})")
        else:
            reasons.append(
                f"{shared}: by its owner, by a run that holds no copy of it, or by one whose records were lost; "
                "restorecheck never takes back what it cannot prove to have given"
            )
    return "; ".join(reasons)
