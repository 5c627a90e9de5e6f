"""Who is alive: the processes that run checks, and when each was last heard of by the store's clock.

A replica that was buried must stop: its runs may be somebody else's already. Takes over nothing itself.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

from restorecheck.model import Replica
from restorecheck.store.database import Database
from restorecheck.store.tables import REPLICAS


class Replicas:
    """The replicas of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def join(self, id: str, role: Literal["serve", "run"], host: str, pid: int, version: str) -> None:  # noqa: A002
        """Enter the list; the same id again replaces its entry. Raises StoreError."""
        about = {"role": role, "host": host, "pid": pid, "version": version}
        with self._database.write() as connection:
            row = {**about, "beat": self._database.clock()}
            insert = self._database.insert(REPLICAS).values(id=id, **row)
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def beat(self, id: str) -> bool:  # noqa: A002
        """Say that I am alive. False: I was buried, and must stop at once."""
        with self._database.write() as connection:
            now = self._database.clock()
            alive = connection.execute(sa.update(REPLICAS).where(REPLICAS.c.id == id).values(beat=now)).rowcount == 1
            # The clock was set back: what lies ahead was before that, and counts from here. Else a replica that is
            # dead would seem alive until the clock has caught up.
            connection.execute(sa.update(REPLICAS).where(REPLICAS.c.beat > self._database.clock()).values(beat=now))
        return alive

    def all(self) -> list[Replica]:
        """Return all replicas, in the order of their ids."""
        silence = (self._database.clock() - REPLICAS.c.beat).label("silence")
        with self._database.read() as connection:
            return [
                Replica(r.id, r.role, r.host, r.pid, r.version, max(0.0, r.silence))
                for r in connection.execute(sa.select(REPLICAS, silence).order_by(REPLICAS.c.id))
            ]

    def bury(self, id: str, older_than: float) -> bool:  # noqa: A002
        """Take a replica off the list if it was silent for more than so many seconds; True: it was I who did."""
        with self._database.write() as connection:
            silence = self._database.clock() - REPLICAS.c.beat
            dead = sa.delete(REPLICAS).where(REPLICAS.c.id == id, silence > older_than)
            return connection.execute(dead).rowcount == 1

    def leave(self, id: str) -> None:  # noqa: A002
        """Leave the list in good order."""
        with self._database.write() as connection:
            connection.execute(sa.delete(REPLICAS).where(REPLICAS.c.id == id))
