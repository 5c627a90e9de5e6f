"""Small documents under a name: what all replicas must agree on, or what the last of something came to.

No secret may be put here: the fingerprint of a key, never the key.
"""

from __future__ import annotations

import sqlalchemy as sa

from restorecheck.durable import Json
from restorecheck.store.database import Database
from restorecheck.store.tables import NOTES


class Notes:
    """The notes of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, key: str, value: Json) -> None:
        """Keep a document under a name, whatever was there. Raises StoreError."""
        insert = self._database.insert(NOTES).values(key=key, value=value)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"value": value}))

    def get(self, key: str) -> Json | None:
        """Return the document of a name, or None."""
        with self._database.read() as connection:
            return connection.execute(sa.select(NOTES.c.value).where(NOTES.c.key == key)).scalar_one_or_none()

    def settle(self, key: str, value: Json) -> Json:
        """Keep a document unless there is one, and return what is kept: of many who ask at once, all get the same."""
        insert = self._database.insert(NOTES).values(key=key, value=value)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_nothing(index_elements=["key"]))
            return connection.execute(sa.select(NOTES.c.value).where(NOTES.c.key == key)).scalar_one()
