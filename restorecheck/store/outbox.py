"""What has happened and must be told: events that are kept in the transaction of what they tell of.

At least once: an event stays pending until somebody says that it was delivered. Sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from restorecheck.durable import Json
from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.tables import OUTBOX


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is to be kept. Of two with the same key only the first is."""

    topic: str
    key: str
    payload: Json


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was not delivered yet. `next_try` is when whoever failed wanted to try again."""

    id: int
    topic: str
    key: str
    payload: Json
    created: datetime
    attempts: int
    next_try: datetime


def keep(database: Database, connection: sa.Connection, draft: Draft, *, renew: bool = False) -> bool:
    """Keep an event in a transaction that is open; False: its key was there. `renew`: replace one that is pending."""
    now = database.now(connection)
    insert = database.insert(OUTBOX).values(
        topic=draft.topic, key=draft.key, payload=draft.payload, created=now, attempts=0, next_try=now
    )
    kept = database.adds(connection, insert, "key")
    if renew and not kept:
        pending = (OUTBOX.c.key == draft.key) & OUTBOX.c.delivered.is_(None)
        connection.execute(sa.update(OUTBOX).where(pending).values(payload=draft.payload))
    return kept


def untold(connection: sa.Connection, limit: int) -> list[Event]:
    """Return, in a transaction that is open, events that were not delivered, the oldest first."""
    return _events(connection, limit, OUTBOX.c.id)


def told(connection: sa.Connection, ids: Collection[int], now: float) -> None:
    """Note in a transaction that is open that events need nothing more."""
    which = OUTBOX.c.id.in_(ids) & OUTBOX.c.delivered.is_(None)
    connection.execute(sa.update(OUTBOX).where(which).values(delivered=now))


def _events(connection: sa.Connection, limit: int, *order: sa.ColumnElement[Any]) -> list[Event]:
    query = sa.select(OUTBOX).where(OUTBOX.c.delivered.is_(None)).order_by(*order).limit(limit)
    return [
        Event(r.id, r.topic, r.key, r.payload, moment(r.created), r.attempts, moment(r.next_try))
        for r in connection.execute(query)
    ]


class Outbox:
    """The events of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, topic: str, key: str, payload: Json) -> bool:
        """Keep an event; False: one with this key is or was there, and stays as it is. Raises StoreError."""
        with self._database.write() as connection:
            return keep(self._database, connection, Draft(topic, key, payload))

    def pending(self, limit: int = 100) -> list[Event]:
        """Return events that were not delivered, those whose turn is next first; `next_try` may lie ahead."""
        with self._database.read() as connection:
            return _events(connection, limit, OUTBOX.c.next_try, OUTBOX.c.id)

    def delivered(self, id: int) -> None:  # noqa: A002 - the word for it
        """Note that an event has arrived; it is not pending any more."""
        with self._database.write() as connection:
            connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == id).values(delivered=self._database.clock()))

    def failed(self, id: int, why: str, next_try: datetime) -> None:  # noqa: A002
        """Note that an attempt failed, why (no secret may be in it), and when to try again."""
        changes = {"attempts": OUTBOX.c.attempts + 1, "why": why, "next_try": seconds(next_try)}
        with self._database.write() as connection:
            connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == id, OUTBOX.c.delivered.is_(None)).values(changes))
