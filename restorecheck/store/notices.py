"""Who must be told what: open episodes, and the deliveries of notices to receivers.

What happened becomes notices in one exclusive transaction, so each event counts once, whichever replica sees it. Every
delivery arrives at least once: it stays pending until its receiver took it or somebody gave it up. Decides nothing
about what is worth telling, and sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from restorecheck.durable import encode
from restorecheck.model import Episode, Notice, Turn
from restorecheck.store.counters import add
from restorecheck.store.database import Database, Lock
from restorecheck.store.deliveries import (
    DEAD,
    DELIVERED,
    LONGEST_LEASE,
    PENDING,
    TROUBLE,
    Delivery,
    Due,
    Fate,
    GivenUp,
    Pending,
    due,
    is_late,
    is_ready,
    put,
    readable,
    replace,
    supersede,
)
from restorecheck.store.instants import moment, seconds
from restorecheck.store.outbox import Event, told, untold
from restorecheck.store.packing import clean
from restorecheck.store.tables import DELIVERIES, EPISODES

_LONGEST = 500
"""Characters that are kept of why a try failed."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What was decided of what happened. All of it is kept, or nothing."""

    handled: tuple[int, ...] = ()  # ids of events that need nothing more
    episodes: tuple[Episode, ...] = ()  # as they are from now on
    closed: tuple[str, ...] = ()  # keys of those that are over
    deliveries: tuple[Delivery, ...] = ()  # in the order in which they are to be sent
    counts: tuple[tuple[str, float, tuple[str, ...]], ...] = ()  # a counter's name, by how much, values of its labels
    replaced: tuple[str, ...] = ()  # keys of which what waits to be sent is worth nothing beside `deliveries`


Decide = Callable[[list[Event], dict[str, Episode], datetime], Routed]


class Notices:
    """The episodes and deliveries of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- what must be told

    def route(self, decide: Decide, limit: int = 100) -> Routed:
        """Let `decide(events, open episodes by key, now)` say what is to be told, keep it all or nothing, return it.

        Events are the oldest pending ones, `now` is the store's clock. No other replica decides meanwhile, so `decide`
        must be quick and must not use the store; nor may it keep anything, for it may be asked twice: while nothing is
        pending, first without a lock, and again only if it wants something. Raises StoreError, or what `decide` raises:
        then nothing has changed.
        """
        with self._database.read() as connection:
            events = untold(connection, limit)
            episodes = _episodes(connection)
            now = self._database.now(connection)
        if not events:
            routed = decide([], dict(episodes), moment(now))
            if _is_idle(routed, episodes):
                return routed
        with self._database.exclusive(Lock.NOTICES) as connection:
            now = self._database.now(connection)
            routed = decide(untold(connection, limit), _episodes(connection), moment(now))
            self._keep(connection, routed, now)
        return routed

    def episodes(self) -> list[Episode]:
        """Return the open episodes, in the order of their keys. Raises StoreError."""
        with self._database.read() as connection:
            return list(_episodes(connection).values())

    # --- who sends it

    def receivers_with_work(self, now: datetime | None = None) -> list[str]:
        """Return for whom something can be claimed; `now` None: by the store's clock. Raises StoreError."""
        with self._database.read() as connection:
            at = self._database.now(connection) if now is None else seconds(now)
            query = sa.select(DELIVERIES.c.receiver).where(is_ready(at))
            return list(connection.execute(query.distinct().order_by(DELIVERIES.c.receiver)).scalars())

    def claim(self, receiver: str, me: str, lease: float, limit: int = 10) -> list[Due]:
        """Take what can be sent to a receiver now, the oldest first; it is mine alone for `lease` seconds, at most 600.

        Of each key at most one: the next has its turn when this one has ended. Whoever does not end it in time may see
        it sent by another. Raises StoreError.
        """
        with self._database.read() as connection:  # which keeps nobody waiting
            if next(due(connection, receiver, self._database.now(connection)), None) is None:
                return []
        with self._database.exclusive(Lock.NOTICES) as connection:
            now = self._database.now(connection)
            supersede(connection, [receiver], now)
            claimed = list(islice(due(connection, receiver, now), limit))
            mine = {"claimed_by": me, "claimed_until": now + min(lease, LONGEST_LEASE)}
            ids = [one.id for one in claimed]
            connection.execute(sa.update(DELIVERIES).where(DELIVERIES.c.id.in_(ids)).values(mine))
        return claimed

    def delivered(self, id: int, me: str, *, acknowledged: bool) -> bool:  # noqa: A002 - the word for it
        """Note that my delivery has arrived; `acknowledged`: its receiver showed that it has it. Counts a try.

        False: it is not mine any more, and nothing has changed. Raises StoreError.
        """
        return self._end(id, me, {"state": DELIVERED, "acknowledged": acknowledged, "reason": None, "why": None})

    def failed(self, id: int, me: str, *, reason: str, why: str, after: float) -> bool:  # noqa: A002
        """Note that a try of mine failed, and that the next may be made after so many seconds. Counts a failed try.

        `reason` is a word of metrics.catalogue.REASONS; no secret may be in `why`. False: it is not mine any more.
        """
        return self._end(id, me, {"state": PENDING, "reason": reason, "why": why}, after)

    def give_up(self, id: int, me: str, *, reason: str, why: str) -> bool:  # noqa: A002
        """Note that a try of mine failed and that there will be no other. False: it is not mine any more."""
        return self._end(id, me, {"state": DEAD, "reason": reason, "why": why})

    # --- what is known of it

    def pending(self) -> dict[str, Pending]:
        """Return what should have arrived and has not, by receiver; none of those who wait for nothing.

        What is to be sent later is not counted before its time has come. Raises StoreError.
        """
        columns = DELIVERIES.c.receiver, sa.func.count().label("n"), sa.func.min(DELIVERIES.c.created).label("at")
        with self._database.read() as connection:
            query = sa.select(*columns).where(is_late(self._database.now(connection))).group_by(DELIVERIES.c.receiver)
            return {r.receiver: Pending(r.n, moment(r.at)) for r in connection.execute(query)}

    def proven(self) -> dict[str, datetime]:
        """Return when each receiver last acknowledged a notice; none of those that never did. Raises StoreError."""
        return self._last(DELIVERIES.c.acknowledged)

    def arrived(self) -> dict[str, datetime]:
        """Return when each receiver last took a notice, acknowledged or not; none of those that never did."""
        return self._last(sa.true())

    def fates(self, notice_ids: Collection[str]) -> list[Fate]:
        """Return what became of the deliveries of some notices, in the order of their receivers. Raises StoreError."""
        query = sa.select(DELIVERIES).where(DELIVERIES.c.notice_id.in_(notice_ids))
        with self._database.read() as connection:
            return [
                Fate(
                    r.notice_id,
                    r.receiver,
                    arrived=r.state == DELIVERED,
                    acknowledged=r.acknowledged,
                    ended=r.state != PENDING,
                    reason=r.reason or "",
                    why=r.why or "",
                )
                for r in connection.execute(query.order_by(DELIVERIES.c.receiver, DELIVERIES.c.id))
            ]

    def dead(self, since: datetime) -> list[GivenUp]:
        """Return what was given up at or after a time, the oldest first. Raises StoreError."""
        query = sa.select(DELIVERIES).where(DELIVERIES.c.state == DEAD, DELIVERIES.c.ended >= seconds(since))
        with self._database.read() as connection:
            return [
                GivenUp(r.id, r.receiver, notice, r.attempts, moment(r.ended), r.reason or "", r.why or "")
                for r in connection.execute(query.order_by(DELIVERIES.c.id))
                if (notice := readable(r.notice, Notice))
            ]

    def standing(self, receiver: str, linger: timedelta) -> list[Notice]:
        """Return what a receiver that forgets must be told again: what it was told and still holds, by key.

        That is the newest notice that arrived of every key whose episode is open, if it says that something is wrong;
        and a resolve that arrived less than `linger` ago, unless something newer of its key is under way: a resolve
        that is said again after that would be a false one. Raises StoreError.
        """
        mine, newer = DELIVERIES.c, DELIVERIES.alias().c
        later = (newer.receiver == mine.receiver) & (newer.key == mine.key) & (newer.id > mine.id)
        newest = ~sa.select(newer.id).where(later, newer.state == DELIVERED, newer.turn.in_(TROUBLE)).exists()
        followed = sa.select(newer.id).where(later, newer.state == PENDING).exists()
        is_open = mine.key.in_(sa.select(EPISODES.c.key))
        resolved = mine.turn == Turn.RESOLVED.value
        with self._database.read() as connection:
            recent = mine.ended > self._database.now(connection) - linger.total_seconds()
            query = (
                sa.select(mine.notice)
                .where(mine.receiver == receiver, mine.state == DELIVERED, mine.turn.in_(TROUBLE), newest)
                .where(sa.or_(~resolved & is_open, resolved & ~is_open & recent & ~followed))
                .order_by(mine.key)
            )
            return [found for data in connection.execute(query).scalars() if (found := readable(data, Notice))]

    def _last(self, which: sa.ColumnElement[bool]) -> dict[str, datetime]:
        query = (
            sa.select(DELIVERIES.c.receiver, sa.func.max(DELIVERIES.c.ended).label("at"))
            .where(DELIVERIES.c.state == DELIVERED, which)
            .group_by(DELIVERIES.c.receiver)
        )
        with self._database.read() as connection:
            return {r.receiver: moment(r.at) for r in connection.execute(query)}

    # --- inside a transaction

    def _keep(self, connection: sa.Connection, routed: Routed, now: float) -> None:
        for episode in routed.episodes:
            row = {"check_name": episode.check, "episode": encode(episode, Episode)}
            insert = self._database.insert(EPISODES).values(key=episode.key, **row)
            connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))
        connection.execute(sa.delete(EPISODES).where(EPISODES.c.key.in_(routed.closed)))
        replace(connection, routed.replaced, now)
        receivers = put(self._database, connection, routed.deliveries, now)
        supersede(connection, receivers, now)
        told(connection, routed.handled, now)
        for name, by, labels in sorted(routed.counts, key=lambda count: (count[0], count[2])):
            add(self._database, connection, name, by, *labels)

    def _end(self, id: int, me: str, changes: dict[str, Any], after: float | None = None) -> bool:  # noqa: A002
        """End a try of mine, or the whole delivery unless it stays pending, and count it."""
        mine = (DELIVERIES.c.id == id) & (DELIVERIES.c.claimed_by == me) & (DELIVERIES.c.state == PENDING)
        reason, why = changes.get("reason"), changes.get("why")
        with self._database.exclusive(Lock.NOTICES) as connection:
            now = self._database.now(connection)
            row = {**changes, "why": clean(why)[:_LONGEST] if why else None, "attempts": DELIVERIES.c.attempts + 1}
            row |= {"claimed_by": None, "claimed_until": None}
            if after is None:
                row |= {"ended": now}
            else:
                row |= {"next_try": now + max(after, 0.0)}
                # the clock was set back: else it would seem due at once, again and again, until the clock caught up
                row |= {"created": sa.case((DELIVERIES.c.created > now, now), else_=DELIVERIES.c.created)}
            receiver = connection.execute(sa.select(DELIVERIES.c.receiver).where(mine)).scalar_one_or_none()
            if receiver is None:
                return False
            connection.execute(sa.update(DELIVERIES).where(mine).values(row))
            if after is not None:  # what would have superseded it waited until now
                supersede(connection, [receiver], now)
            add(self._database, connection, "notifications", 1, receiver)
            if reason is not None:
                add(self._database, connection, "notifications_failed", 1, receiver, reason)
        return True


def _episodes(connection: sa.Connection) -> dict[str, Episode]:
    """Return the open episodes that this release can read, by key."""
    rows = connection.execute(sa.select(EPISODES.c.key, EPISODES.c.episode).order_by(EPISODES.c.key))
    return {r.key: episode for r in rows if (episode := readable(r.episode, Episode))}


def _is_idle(routed: Routed, episodes: dict[str, Episode]) -> bool:
    """Tell whether nothing is to be written."""
    changed = any(episodes.get(episode.key) != episode for episode in routed.episodes)
    return not (routed.handled or routed.closed or routed.deliveries or routed.counts or routed.replaced or changed)
