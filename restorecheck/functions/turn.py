"""Whose turn it is to tick, and since when ticks have come without a break: one note in the store.

Where the state is a copy that each tick fetches, two ticks at once would send the same notices: so one of them holds
the turn, from its first commit on, until its last one or until Lambda has ended it for certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from restorecheck.store import Store

NOTE = "lambda-tick"

BREAK = timedelta(minutes=70)
"""After so long without a tick, nobody ticked for a while. None of our schedules calls more seldom than every hour."""

SKEW = timedelta(minutes=1)
"""By how much the clocks of two functions may differ."""

LONGEST = timedelta(minutes=16)
"""No function of Lambda lasts longer. A turn that lasts longer was taken by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the note says."""

    since: datetime  # ticks have come without a break
    last: datetime
    holder: str = ""  # the request of Lambda that ticks now; empty: none
    until: datetime | None = None

    def is_held(self, me: str, now: datetime) -> bool:
        """Say whether somebody else ticks now. Lambda makes a request again under its name once it has ended."""
        if not self.holder or self.holder == me or self.until is None:
            return False
        return now < self.until <= now + LONGEST


def turn(store: Store, now: datetime) -> Turn:
    """Return whose turn it is."""
    note: Any = store.notes.get(NOTE)
    if not isinstance(note, dict):
        return Turn(now, now)
    until = note.get("until")
    return Turn(
        datetime.fromisoformat(note["since"]),
        datetime.fromisoformat(note["last"]),
        note.get("holder") or "",
        datetime.fromisoformat(until) if until else None,
    )


def take(store: Store, me: str, now: datetime, seconds: float) -> Turn:
    """Take the turn for so many seconds. After a break in which nobody ticked, everything is late, and counts anew."""
    before = turn(store, now)
    goes_on = -SKEW <= now - before.last <= BREAK and before.since <= now
    taken = Turn(before.since if goes_on else now, now, me, now + timedelta(seconds=seconds))
    _keep(store, taken)
    return taken


def give_back(store: Store, taken: Turn) -> None:
    """Let others tick."""
    _keep(store, Turn(taken.since, taken.last))


def _keep(store: Store, one: Turn) -> None:
    until = one.until.isoformat() if one.until else None
    store.notes.set(
        NOTE, {"since": one.since.isoformat(), "last": one.last.isoformat(), "holder": one.holder, "until": until}
    )
