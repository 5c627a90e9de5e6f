"""Which checks an operator has paused, since when and until when. Whether one is over is for who asks to say.

Every pause and every resume is told through the outbox, in the same transaction.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from restorecheck.model import Pause
from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.outbox import Draft, keep
from restorecheck.store.tables import PAUSES


class Pauses:
    """The pauses of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, check: str, since: datetime, until: datetime | None = None) -> None:
        """Pause a check; None: until it is resumed. A pause that is there is replaced. Told as "check-paused"."""
        row = {"since": seconds(since), "until": seconds(until) if until else None}
        insert = self._database.insert(PAUSES).values(check_name=check, **row)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["check_name"], set_=row))
            self._tell(connection, "check-paused", check, row["until"])

    def resume(self, check: str) -> bool:
        """End a pause, told as "check-resumed". False: there was none. Raises StoreError."""
        gone = sa.delete(PAUSES).where(PAUSES.c.check_name == check).returning(PAUSES.c.until)
        with self._database.write() as connection:
            found = connection.execute(gone).one_or_none()
            if found is not None:
                self._tell(connection, "check-resumed", check, found.until)
        return found is not None

    def all(self) -> dict[str, Pause]:
        """Return the pauses by check, also those whose end has passed."""
        with self._database.read() as connection:
            return {
                r.check_name: Pause(r.check_name, moment(r.since), None if r.until is None else moment(r.until))
                for r in connection.execute(sa.select(PAUSES))
            }

    def _tell(self, connection: sa.Connection, topic: str, check: str, until: float | None) -> None:
        """Keep an event of an operator's act; every act has a key of its own. `until` is the end of the pause."""
        payload = {"check": check, "until": None if until is None else moment(until).isoformat()}
        keep(self._database, connection, Draft(topic, f"{topic}:{check}:{uuid4()}", payload))
