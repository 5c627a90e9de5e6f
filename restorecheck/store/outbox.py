"""What has happened and must be told: events that are kept in the transaction of what they tell of.

An event stays pending until it was routed: until who is told of it is kept, too. Sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from restorecheck.durable import Json
from restorecheck.store.database import Database
from restorecheck.store.instants import moment
from restorecheck.store.tables import OUTBOX


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is to be kept. Of two with the same key only the first is."""

    topic: str
    key: str
    payload: Json


@dataclass(frozen=True, slots=True)
class Event:
    """An event that nobody has routed yet."""

    id: int
    topic: str
    key: str
    payload: Json
    created: datetime


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
    """Return, in a transaction that is open, events that were not routed, the oldest first."""
    query = sa.select(OUTBOX).where(OUTBOX.c.delivered.is_(None)).order_by(OUTBOX.c.id).limit(limit)
    return [Event(r.id, r.topic, r.key, r.payload, moment(r.created)) for r in connection.execute(query)]


def told(connection: sa.Connection, ids: Collection[int], now: float) -> None:
    """Note in a transaction that is open that events need nothing more."""
    which = OUTBOX.c.id.in_(ids) & OUTBOX.c.delivered.is_(None)
    connection.execute(sa.update(OUTBOX).where(which).values(delivered=now))


class Outbox:
    """The events of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, topic: str, key: str, payload: Json) -> bool:
        """Keep an event; False: one with this key is or was there, and stays as it is. Raises StoreError."""
        with self._database.write() as connection:
            return keep(self._database, connection, Draft(topic, key, payload))

    def pending(self, limit: int = 100) -> list[Event]:
        """Return events that were not routed, the oldest first. Raises StoreError."""
        with self._database.read() as connection:
            return untold(connection, limit)
