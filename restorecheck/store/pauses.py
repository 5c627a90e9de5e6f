"""Which checks an operator has paused, since when and until when. Whether one is over is for who asks to say."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from restorecheck.model import Pause
from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.tables import PAUSES


class Pauses:
    """The pauses of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, check: str, since: datetime, until: datetime | None = None) -> None:
        """Pause a check; None: until it is resumed. A pause that is there is replaced. Raises StoreError."""
        row = {"since": seconds(since), "until": seconds(until) if until else None}
        insert = self._database.insert(PAUSES).values(check_name=check, **row)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["check_name"], set_=row))

    def resume(self, check: str) -> bool:
        """End a pause. False: there was none."""
        with self._database.write() as connection:
            return connection.execute(sa.delete(PAUSES).where(PAUSES.c.check_name == check)).rowcount == 1

    def all(self) -> dict[str, Pause]:
        """Return the pauses by check, also those whose end has passed."""
        with self._database.read() as connection:
            return {
                r.check_name: Pause(r.check_name, moment(r.since), None if r.until is None else moment(r.until))
                for r in connection.execute(sa.select(PAUSES))
            }
