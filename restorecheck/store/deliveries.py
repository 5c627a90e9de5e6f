"""Rows of `deliveries`: one notice for one receiver, and whose turn it is. All of it inside an open transaction.

Of one receiver and key only the oldest pending row has its turn, so that a resolve never overtakes what it resolves.
Whoever writes here holds Lock.NOTICES. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from restorecheck.durable import Json, decode, encode
from restorecheck.model import Notice, Turn
from restorecheck.store.database import Database
from restorecheck.store.instants import moment
from restorecheck.store.tables import DELIVERIES

PENDING, DELIVERED, DEAD, SUPERSEDED = "pending", "delivered", "dead", "superseded"

LONGEST_LEASE = 600.0
"""Seconds that a delivery may be claimed for."""

_AT_ONCE = 10
"""Rows that are read at a time to find what is due."""

TROUBLE = (Turn.FIRING.value, Turn.REPEATED.value, Turn.RESOLVED.value)
"""Turns that say how a trouble stands; the newest of a key holds."""

_HEARTBEATS = (Turn.BEGAN.value, Turn.PASSED.value, Turn.FIRING.value)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice that is to be sent to one receiver, not before `after` has gone by."""

    receiver: str
    notice: Notice
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is mine to send now. `attempts` is how often it failed; `next_try` was when its turn came."""

    id: int
    notice: Notice
    receiver: str
    attempts: int
    created: datetime
    next_try: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for one receiver: how many notices, and since when the oldest of them."""

    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A delivery that nobody tries any more: when it was given up, and why (a word of REASONS, and a sentence)."""

    id: int
    receiver: str
    notice: Notice
    attempts: int
    at: datetime
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one delivery so far; `reason` and `why` are of the last try, if that failed."""

    notice_id: str
    receiver: str
    arrived: bool
    acknowledged: bool
    ended: bool  # nobody will try again
    reason: str
    why: str


def readable(data: Json, of: Any) -> Any | None:
    """Return what was kept as JSON, or None if it is not of this release: another replica may be newer.

    What nobody can read stays pending, and so is seen by its age.
    """
    try:
        return decode(data, of)
    except ValueError:  # pydantic's error is one
        return None


def put(database: Database, connection: sa.Connection, deliveries: Iterable[Delivery], now: float) -> set[str]:
    """Insert deliveries in this order, each once for ever, and return the receivers that got one."""
    receivers = set()
    for one in deliveries:
        row = {
            "notice_id": one.notice.id,
            "receiver": one.receiver,
            "key": one.notice.key,
            "turn": one.notice.turn.value,
            "notice": encode(one.notice, Notice),
            "created": now,
            "state": PENDING,
            "attempts": 0,
            "next_try": now + max(one.after.total_seconds(), 0.0),
        }
        if database.adds(connection, database.insert(DELIVERIES).values(row), "notice_id", "receiver"):
            receivers.add(one.receiver)
    return receivers


def supersede(connection: sa.Connection, receivers: Collection[str], now: float) -> None:
    """End what is worth nothing any more: a repeat before a newer repeat, the start of a run that has ended since.

    Not what somebody is sending now: it could arrive after the newer one. Its turn to be superseded comes again.
    """
    mine, newer = DELIVERIES.c, DELIVERIES.alias().c
    later = (newer.receiver == mine.receiver) & (newer.key == mine.key) & (newer.id > mine.id)
    repeats = (mine.turn == Turn.REPEATED.value) & (newer.turn == Turn.REPEATED.value)
    starts = (mine.turn == Turn.BEGAN.value) & newer.turn.in_(_HEARTBEATS)
    old = (
        (mine.state == PENDING)
        & mine.receiver.in_(receivers)
        & _unclaimed(now)
        & sa.select(newer.id).where(later, repeats | starts).exists()
    )
    changes = {"state": SUPERSEDED, "ended": now, "claimed_by": None, "claimed_until": None}
    connection.execute(sa.update(DELIVERIES).where(old).values(changes))


def replace(connection: sa.Connection, keys: Collection[str], now: float) -> None:
    """End what waits to be sent of some keys, unless somebody is sending it now."""
    old = (DELIVERIES.c.state == PENDING) & DELIVERIES.c.key.in_(keys) & _unclaimed(now)
    connection.execute(sa.update(DELIVERIES).where(old).values(state=SUPERSEDED, ended=now))


def _unclaimed(now: float) -> sa.ColumnElement[bool]:
    """Return whether nobody is sending a row now. A claim of longer than it can be: the clock was set back."""
    until = DELIVERIES.c.claimed_until
    return until.is_(None) | (until <= now) | (until > now + LONGEST_LEASE)


def _has_come(now: float) -> sa.ColumnElement[bool]:
    """Return whether the time of a row has come. One that was made later than now: the clock was set back."""
    return (DELIVERIES.c.next_try <= now) | (DELIVERIES.c.created > now)


def is_late(now: float) -> sa.ColumnElement[bool]:
    """Return whether a row should have arrived and has not: its time has come, or a try has failed."""
    return (DELIVERIES.c.state == PENDING) & (_has_come(now) | (DELIVERIES.c.attempts > 0))


def _is_oldest() -> sa.ColumnElement[bool]:
    """Return whether a row is the oldest that is pending of its receiver and key."""
    mine, older = DELIVERIES.c, DELIVERIES.alias().c
    before = (older.receiver == mine.receiver) & (older.key == mine.key) & (older.id < mine.id)
    return ~sa.select(older.id).where(before, older.state == PENDING).exists()


def is_ready(now: float) -> sa.ColumnElement[bool]:
    """Return whether a row can be sent now."""
    return (DELIVERIES.c.state == PENDING) & _has_come(now) & _unclaimed(now) & _is_oldest()


def due(connection: sa.Connection, receiver: str, now: float) -> Iterator[Due]:
    """Yield what can be sent to a receiver, the oldest first. Reads a few at a time: there may be thousands."""
    ready = sa.select(DELIVERIES).where(DELIVERIES.c.receiver == receiver, is_ready(now)).order_by(DELIVERIES.c.id)
    last: int | None = None
    while True:
        query = ready if last is None else ready.where(DELIVERIES.c.id > last)
        rows = connection.execute(query.limit(_AT_ONCE)).all()
        for r in rows:
            if notice := readable(r.notice, Notice):
                yield Due(r.id, notice, r.receiver, r.attempts, moment(r.created), moment(r.next_try))
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].id
