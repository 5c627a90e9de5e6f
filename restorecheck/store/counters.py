"""Counts that only go up, and that no retention takes away: what all processes of this store have done together.

A count is added in the transaction of what it counts, so that neither is there without the other.
"""

from __future__ import annotations

import json

import sqlalchemy as sa

from restorecheck.store.database import Database
from restorecheck.store.tables import COUNTERS


def add(database: Database, connection: sa.Connection, name: str, by: float, *labels: str) -> None:
    """Add to a counter in a transaction that is open. Do it last there: others wait for the row until the end.

    `name` and the order of `labels` are those of the catalogue of metrics. Who adds to several in one transaction does
    so in the order of their names and labels, so that no two wait for each other.
    """
    insert = database.insert(COUNTERS).values(name=name, labels=_packed(labels), value=by)
    more = COUNTERS.c.value + insert.excluded.value
    connection.execute(insert.on_conflict_do_update(index_elements=["name", "labels"], set_={"value": more}))


class Counters:
    """The counters of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, by: float, *labels: str) -> None:
        """Add to a counter; `by` is not negative. Raises StoreError."""
        with self._database.write() as connection:
            add(self._database, connection, name, by, *labels)

    def all(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return every value by the counter's name and the values of its labels. Raises StoreError."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        with self._database.read() as connection:
            for row in connection.execute(sa.select(COUNTERS).order_by(COUNTERS.c.name, COUNTERS.c.labels)):
                found.setdefault(row.name, {})[tuple(json.loads(row.labels))] = row.value
        return found


def _packed(labels: tuple[str, ...]) -> str:
    return json.dumps(labels, separators=(",", ":"))
