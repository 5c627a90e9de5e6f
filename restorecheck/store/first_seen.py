"""When something was first seen in a configuration: how long a check may be silent before its first run is overdue.

The times are by the store's clock. What left and comes back starts anew, if somebody noticed that it was gone.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from restorecheck.store.database import Database
from restorecheck.store.instants import moment
from restorecheck.store.tables import FIRST_SEEN


class FirstSeen:
    """The first sights of one store, by kind (`check`, `receiver`) and name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, kind: str, names: Collection[str]) -> None:
        """Note what is seen now; what was seen before keeps its time. Writes only what is new. Raises StoreError."""
        new = sorted(set(names) - self.all(kind).keys())
        if not new:
            return
        with self._database.write() as connection:
            now = self._database.now(connection)
            for name in new:
                insert = self._database.insert(FIRST_SEEN).values(kind=kind, name=name, at=now)
                connection.execute(insert.on_conflict_do_nothing(index_elements=["kind", "name"]))

    def all(self, kind: str) -> dict[str, datetime]:
        """Return when each name of a kind was first seen. Raises StoreError."""
        query = sa.select(FIRST_SEEN.c.name, FIRST_SEEN.c.at).where(FIRST_SEEN.c.kind == kind)
        with self._database.read() as connection:
            return {r.name: moment(r.at) for r in connection.execute(query)}

    def forget(self, kind: str, stay: Collection[str]) -> None:
        """Forget all names of a kind but those that stay. Writes only if one has to go. Raises StoreError.

        Not for a replica that may still have an older configuration than the others: what it does not know is new.
        """
        gone = sorted(self.all(kind).keys() - set(stay))
        if not gone:
            return
        with self._database.write() as connection:
            connection.execute(sa.delete(FIRST_SEEN).where(FIRST_SEEN.c.kind == kind, FIRST_SEEN.c.name.in_(gone)))
