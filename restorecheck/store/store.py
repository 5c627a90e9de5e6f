"""The store as the rest of the house sees it: one thing to open, with a facet for each kind of what is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from restorecheck.store.baselines import Baselines
from restorecheck.store.counters import Counters
from restorecheck.store.database import Database
from restorecheck.store.first_seen import FirstSeen
from restorecheck.store.ledger import Ledger
from restorecheck.store.notes import Notes
from restorecheck.store.notices import Notices
from restorecheck.store.outbox import Outbox
from restorecheck.store.pauses import Pauses
from restorecheck.store.proofs import Proofs
from restorecheck.store.replicas import Replicas
from restorecheck.store.retention import prune
from restorecheck.store.schema import bring_up_to_date
from restorecheck.store.standings import Standings
from restorecheck.store.tables import NOTES
from restorecheck.store.timers import Timers

_PING = "ping"
PRUNED = "pruned"
"""The note of the time before which runs were forgotten."""

_ROOM = "." * 8192  # more than one page of either database: there must be room for something


class Store:
    """What is kept, in one database. Safe to use from several threads; every process opens its own.

    Every method of it and of its facets raises StoreError when the database cannot do what is asked; it works again as
    soon as the database does, without being opened again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.proofs = Proofs(database)
        self.standings = Standings(database)
        self.ledger = Ledger(database)
        self.replicas = Replicas(database)
        self.outbox = Outbox(database)
        self.baselines = Baselines(database)
        self.pauses = Pauses(database)
        self.timers = Timers(database)
        self.notes = Notes(database)
        self.notices = Notices(database)
        self.counters = Counters(database)
        self.first_seen = FirstSeen(database)

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], float] = time.time, passing: bool = False) -> Store:
        """Open a store, made or migrated as needed: `sqlite:////absolute/path` or `postgresql://…`.

        `clock` gives seconds since 1970, and is the store's clock in SQLite; PostgreSQL has its own. `passing`:
        what is kept in this SQLite file is kept elsewhere, so it need not outlive a loss of power. Raises
        RestorecheckError `config` if it is damaged, no database, of a newer release or not ours to write; StoreError
        if it cannot be reached.
        """
        database = Database(url, clock, passing=passing)
        try:
            bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def masked(self) -> str:
        """The address of the store without its password."""
        return self._database.masked

    def ping(self) -> None:
        """Raise StoreError if the store cannot be read and written, also because its disk is full."""
        for value in (_ROOM, ""):  # written and given back
            insert = self._database.insert(NOTES).values(key=_PING, value=value)
            with self._database.write() as connection:
                connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
                connection.execute(sa.select(NOTES.c.value).where(NOTES.c.key == _PING)).scalar_one()

    def prune(self, before: datetime) -> int:
        """Delete finished runs that began before a time, with all of theirs, and return how many.

        The newest run and the newest passed run of every check are kept. Old misses, delivered events and deliveries
        that have ended go too; no counter does.
        """
        gone = prune(self._database, before)
        self.notes.set(PRUNED, before.isoformat())
        return gone

    def copy_to(self, path: Path) -> None:
        """Write a SQLite store to a new file as it is now, without its log. Raises StoreError."""
        self._database.vacuum_into(path)

    def is_written(self) -> bool:
        """Whether anything was written to a SQLite store since it was opened or its log was last settled."""
        return self._database.logged() > 0

    def settle_log(self) -> None:
        """Move what the log of a SQLite store holds into its file. Raises StoreError."""
        self._database.checkpoint()

    def close(self) -> None:
        """Give all connections back."""
        self._database.close()
