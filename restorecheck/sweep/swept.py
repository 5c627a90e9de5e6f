"""What one sweep saw and did, as values: places, pieces with their states, what it could not look at.

Nothing here talks to AWS or decides what may be deleted. What it does decide is which states mean that something is
left that should not be there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from restorecheck.fence import Role, Target


@dataclass(frozen=True, slots=True)
class Place:
    """One region of one configured account, and in which role it is entered."""

    role: Literal[Role.SOURCE, Role.SCRATCH]
    account: str
    region: str
    name: str = ""  # what the operator calls the account
    bucket: str = ""  # scratch accounts: for restored objects; empty: none


class State(StrEnum):
    """What the sweep did with one piece."""

    EXPIRED = "expired"  # would be deleted
    ASKED = "asked"  # AWS accepted the deletion
    GOING = "going"  # AWS was deleting it already, or has just finished
    WAITING = "waiting"  # a cluster that has expired and still has its instance: the next sweep deletes it
    LEASED = "leased"  # of a run that may still be going on
    KEPT = "kept"  # carries our name or tag, and may not be deleted: somebody has to look
    FAILED = "failed"  # was to be deleted, and was not
    SHARED = "shared"  # an owner's snapshot that a scratch account, or everybody, may see: told, never changed


@dataclass(frozen=True, slots=True)
class Piece:
    """What carries our name or tag, or came of what does; or (`shared`) an owner's snapshot."""

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
    """Something that could not be read to its end: nothing is known of what (else) is there."""

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
    tripped: str = ""  # why nothing was (or would be) deleted although something had expired; a person has to decide

    def of(self, *states: State) -> tuple[Piece, ...]:
        """Return the pieces in these states."""
        return tuple(piece for piece in self.pieces if piece.state in states)

    @property
    def leaked(self) -> bool:
        """Whether something is left that should not be there: it expired and was not deleted, or nobody may."""
        return bool(self.tripped) or bool(self.left)

    @property
    def left(self) -> tuple[Piece, ...]:
        """What should not be there any more, and still is."""
        return self.of(State.EXPIRED, State.KEPT, State.FAILED)

    @property
    def counted(self) -> str:
        """How much was seen, in one line."""
        states = Counter(piece.state for piece in self.pieces)
        shared = states.pop(State.SHARED, 0)
        counts = "".join(f", {states[state]} {state}" for state in State if states[state])
        pieces = f"{states.total()} {'piece' if states.total() == 1 else 'pieces'}"
        said = f"looked in {len(self.places)} places: {pieces} of restorecheck's{counts}"
        if shared:
            said += f"; {shared} snapshots of others shared"
        if self.blind:
            said += f"; could not look at {len(self.blind)} of what is there"
        return said

    @property
    def summary(self) -> str:
        """One line for a log. It begins with the breaker if that let nothing go."""
        mode = "" if self.acted else " (dry run)"
        return (f"NOTHING WAS DELETED: {self.tripped}; " if self.tripped else "") + self.counted + mode

    def to_json(self) -> dict[str, Any]:
        """Return this as plain values, the same for the command line and the service. No secret is among them."""
        return {
            "dry_run": not self.acted,
            "leaked": self.leaked,
            "tripped": self.tripped,
            "summary": self.summary,
            "places": [
                {"account": account, "region": region}
                for account, region in dict.fromkeys((place.account, place.region) for place in self.places)
            ],
            "pieces": [
                {
                    "arn": p.label,
                    "state": str(p.state),
                    "reason": p.reason,
                    "kind": p.target.kind,
                    "account": p.place.account,
                    "region": p.place.region,
                }
                for p in self.pieces
            ],
            "could_not_look": [
                {"account": b.place.account, "region": b.place.region, "what": b.what, "reason": b.reason}
                for b in self.blind
            ],
        }
