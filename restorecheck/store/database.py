"""Connections and transactions: how SQLite and PostgreSQL are opened, locked, timed, and how they fail.

Everything that the database raises leaves here as StoreError, in one sentence without a password, a statement or a
row. Decides nothing about what is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.store.translate import translate

SCHEMA = "restorecheck"
"""The PostgreSQL schema that our tables are in. In SQLite the file is ours alone."""

BUSY_SECONDS = 10
_LOCKS = 0x72657374  # "rest": the first half of our advisory locks' keys; the second is a Lock
_CONNECT = {
    "connect_timeout": 5,
    # a server that vanished without a word is noticed within half a minute, also while a statement is under way
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "restorecheck",
}


class Lock(IntEnum):
    """What only one transaction at a time may do, among all replicas."""

    MIGRATION = 1
    LEDGER = 2
    TIMERS = 3
    NOTICES = 4


FROZEN = "10s"
"""After so long without a word in the middle of a transaction, the server ends the session of a process and with it the
locks that it holds: one that is frozen there must not keep the others from taking over its runs."""


class Database:
    """One database of ours. Safe to use from several threads; every process opens its own."""

    def __init__(self, url: str, clock: Callable[[], float], *, passing: bool = False) -> None:
        self._clock = clock
        location = _parsed(url)
        self.masked = location.set(drivername=location.get_backend_name(), query={}).render_as_string()
        self.sqlite = location.get_backend_name() == "sqlite"
        self.engine = _sqlite(location) if self.sqlite else _postgresql(location)
        if passing and self.sqlite:
            sa.event.listen(self.engine, "connect", _do_not_sync)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a connection to read. Raises StoreError for whatever the database raises."""
        with translate(self.masked), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open one transaction: committed at the end, undone by any exception. Raises StoreError."""
        with translate(self.masked), self.transaction() as connection:
            yield connection

    @contextmanager
    def exclusive(self, lock: Lock) -> Iterator[sa.Connection]:
        """Open a transaction that no other with this lock runs beside, in any process. Raises StoreError."""
        with translate(self.masked), self.transaction(lock) as connection:
            yield connection

    @contextmanager
    def transaction(self, lock: Lock | None = None) -> Iterator[sa.Connection]:
        """Open a transaction whose errors are SQLAlchemy's own: for `schema`, which tells them apart."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            if lock is not None and not self.sqlite:  # in SQLite every writing transaction is alone
                if lock is Lock.MIGRATION:  # another replica may be migrating, and that may take its time
                    connection.execute(sa.text("SET LOCAL statement_timeout = '10min'"))
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, int(lock))))
            yield connection

    def clock(self) -> sa.ColumnElement[float]:
        """Return the store's clock as an expression. Ask inside the transaction: the time before a lock is not now."""
        if self.sqlite:
            return sa.literal(self._clock(), sa.Float)
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)

    def now(self, connection: sa.Connection) -> float:
        """Return the store's clock, in seconds since 1970: what replicas agree on, whatever their own clocks say."""
        if self.sqlite:
            return self._clock()
        return float(connection.execute(sa.select(self.clock())).scalar_one())

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT that knows ON CONFLICT."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def adds(self, connection: sa.Connection, insert: sqlite.Insert | postgresql.Insert, *key: str) -> bool:
        """Insert one row unless its key is there; tell whether it was inserted."""
        once = insert.on_conflict_do_nothing(index_elements=key).inline()  # inline: no RETURNING, which hides the count
        count = connection.execute(once, execution_options={"preserve_rowcount": True}).rowcount
        if count not in {0, 1}:  # a driver that does not count must not make every row look like a known one
            raise StoreError(f"the store {self.masked} did not say how many rows it took", retryable=False)
        return count == 1

    def vacuum_into(self, path: Path) -> None:
        """Write a SQLite database to a new file, whole and without its log. Raises StoreError."""
        self._outside("VACUUM INTO ?", str(path))

    def checkpoint(self) -> None:
        """Move the log of a SQLite database into its file, and empty it. Raises StoreError."""
        self._outside("PRAGMA wal_checkpoint(TRUNCATE)")

    def logged(self) -> int:
        """Return how many bytes the log of a SQLite database has."""
        log = Path(f"{self.engine.url.database}-wal")
        return log.stat().st_size if log.exists() else 0

    def _outside(self, statement: str, *values: str) -> None:
        """Execute what no transaction may hold."""
        with translate(self.masked), self.engine.connect() as connection:
            raw: Any = connection.connection  # on which SQLAlchemy has begun nothing
            try:
                raw.execute(statement, values).fetchall()
            except self.engine.dialect.loaded_dbapi.Error as e:
                raise sa.exc.OperationalError(statement, None, e) from e

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _parsed(url: str) -> sa.URL:
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if not path.startswith("/"):
            raise RestorecheckError("the store's path is not absolute", "write sqlite:////var/lib/…", kind="config")
        return sa.URL.create("sqlite+pysqlite", database=path)  # not parsed: `?` and `%` are letters of a path
    if not url.startswith(("postgresql://", "postgres://")):
        raise RestorecheckError(
            "the store is neither SQLite nor PostgreSQL", "begin with sqlite:/// or postgresql://", kind="config"
        )
    hint = "postgresql://user@host:5432/database; in a password, write @ as %40, / as %2F, : as %3A"
    try:
        location = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError):  # their text may hold the password
        raise RestorecheckError("the store's PostgreSQL address cannot be read", hint, kind="config") from None
    if "@" in (location.host or "") + (location.database or ""):  # half of a password would be shown as a host
        raise RestorecheckError("the store's PostgreSQL address has an @ too many", hint, kind="config")
    return location


def _sqlite(location: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        location, pool_size=5, max_overflow=5, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}
    )
    sa.event.listen(engine, "connect", _tune_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(location: sa.URL) -> sa.Engine:
    query = dict(location.query)
    given = query.pop("options", "")
    given = given if isinstance(given, str) else " ".join(given)
    options = (
        f"{given} -c search_path={SCHEMA} -c statement_timeout=30s -c idle_in_transaction_session_timeout={FROZEN}"
    )
    arguments: dict[str, Any] = {k: v for k, v in _CONNECT.items() if k not in query}
    # SQLAlchemy masks only the password that stands before the host
    arguments |= {k: query.pop(k) for k in ("password", "sslpassword") if k in query}
    return sa.create_engine(
        location.set(query=query),
        pool_size=5,
        max_overflow=5,
        pool_pre_ping=True,  # a server that was restarted is found again without a failed call
        hide_parameters=True,
        # no prepared statements: a pooler in between may give the next transaction to another server process
        connect_args={**arguments, "options": options.strip(), "prepare_threshold": None},
    )


def _tune_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; see `_begin_sqlite`
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    _set_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # in WAL mode, NORMAL may lose the last commits with the power
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _do_not_sync(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _set_wal(cursor: Any) -> None:
    """Make readers and the writer not wait for each other. The mode is a property of the file and stays.

    The change takes an exclusive lock that does not heed the busy timeout, so two who make a file at once would fail.
    [sqlite.org/wal.html, "Sometimes Queries Return SQLITE_BUSY In WAL Mode"]
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            return
        except Exception as e:
            if "locked" not in str(e) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    # a transaction that reads first and then writes fails at once if somebody wrote between: say it at the beginning
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
