"""What one of all replicas shall do every so often: who claims the turn, by the store's clock.

Never gives two turns in one interval. A clock that was set back makes the next turn late by less than one interval.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from restorecheck.store.database import Database, Lock
from restorecheck.store.instants import moment
from restorecheck.store.tables import TIMERS


class Timers:
    """The timers of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, name: str, every: float, me: str) -> bool:
        """Take the turn if `every` seconds have gone by since it was last taken. Raises StoreError."""
        this = TIMERS.c.name == name
        with self._database.exclusive(Lock.TIMERS) as connection:
            now = self._database.now(connection)
            since = connection.execute(sa.select(TIMERS.c.since).where(this)).scalar_one_or_none()
            if since is None:
                connection.execute(sa.insert(TIMERS).values(name=name, owner=me, since=now, fired=now))
                return True
            if since > now:  # the clock was set back: nobody knows how much has gone by, so it counts from here
                connection.execute(sa.update(TIMERS).where(this).values(since=now))
                return False
            if now - since < every:
                return False
            connection.execute(sa.update(TIMERS).where(this).values(owner=me, since=now, fired=now))
            return True

    def last(self, name: str) -> datetime | None:
        """Return when the turn was last taken, as the store's clock said then; None: never."""
        with self._database.read() as connection:
            fired = connection.execute(sa.select(TIMERS.c.fired).where(TIMERS.c.name == name)).scalar_one_or_none()
        return None if fired is None else moment(fired)
