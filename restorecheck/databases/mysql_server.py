"""A restored MySQL or MariaDB, prepared, knocked at and asked: nothing in it changes, no row value leaves it.

The master user makes one user and is not used again. Every question runs as that user, in a session of its own, in a
read-only snapshot, after the server's parser said that it is a query, with a deadline that does not depend on the
server. What each of these closes is told in docs/mysql.md.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pymysql

from restorecheck.databases import mysql_errors
from restorecheck.databases.asking import LOST_TWICE, Asking, LostError, Question, timed_out
from restorecheck.databases.interface import DatabaseSeen, Login
from restorecheck.databases.mysql_connection import connect
from restorecheck.databases.mysql_question import Late, taken
from restorecheck.databases.mysql_role import make_reader
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion

GRACE = 5.0
"""Seconds that a server has to obey a KILL before the connection is given up."""

SYSTEM = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
"""Databases that come with a server and hold nobody's data."""

_CENSUS = """
    SELECT s.schema_name, count(t.table_name), coalesce(sum(t.data_length + t.index_length), 0)
    FROM information_schema.schemata s
    LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name AND t.table_type = 'BASE TABLE'
    GROUP BY s.schema_name ORDER BY s.schema_name
"""


class Server:
    """What `mysql.MySQL` promises, with the client library at hand."""

    def __init__(
        self, roots: Path, wait: Callable[[float], object], monotonic: Callable[[], float], patience: float
    ) -> None:
        """`patience`: seconds that a server which is not there is waited for."""
        self._roots = roots
        self._monotonic = monotonic
        self._asking = Asking(monotonic, wait, patience)

    def prepare(self, master: Login, reader: Login) -> None:
        """Make, or adopt, the reader. Raises QueryError."""
        with closing(connect(replace(master, database=""), self._roots)) as connection:
            try:
                make_reader(connection, reader)
            except pymysql.MySQLError as e:
                raise _unprepared(e) from None

    def knock(self, reader: Login) -> str:
        """Return the server's version once a query answers. Raises QueryError."""
        with closing(connect(reader, self._roots)) as connection, _told("the server did not answer"):
            return "-".join(str(_rows(connection, "SELECT VERSION()")[0][0].decode()).split("-")[:2])

    def databases(self, reader: Login) -> tuple[DatabaseSeen, ...]:
        """Return every database but the server's own. Raises QueryError."""
        login = replace(reader, database="")
        with closing(connect(login, self._roots)) as connection, _told("the databases could not be listed"):
            found = _rows(connection, _CENSUS)
        seen = [DatabaseSeen(name.decode(errors="replace"), int(tables), int(size)) for name, tables, size in found]
        return tuple(one for one in seen if one.name.lower() not in SYSTEM)

    def ask(self, reader: Login, assertions: Sequence[Assertion], salt: str, within: timedelta) -> tuple[Answer, ...]:
        """Ask every question; see the port."""
        return self._asking.all(reader, assertions, salt, within, self._attempt)

    def _attempt(self, question: Question) -> Answer:
        """Ask one question in a session of its own. Raises QueryError, and LostError if the session was ended."""
        assertion = question.assertion
        seconds = min(assertion.timeout.total_seconds(), max(question.deadline - self._monotonic(), 0.001))
        patience = seconds + 1.0 + GRACE
        connection = self._asking.reached(
            lambda: connect(question.login, self._roots, patience=patience), question.deadline, question.patience
        )
        began = self._monotonic()
        with contextlib.closing(connection), _Watchdog(connection, question.login, self._roots, seconds + 1.0) as dog:
            try:
                answer = taken(connection, assertion, question.salt, seconds, self._monotonic)
                took = self._monotonic() - began
                # SLEEP() and BENCHMARK() answer as if all was well when they are cut off
                return timed_out(assertion, took, seconds) if dog.bit or took >= seconds else answer
            except Late:
                return timed_out(assertion, seconds, seconds)
            except (pymysql.MySQLError, OSError) as e:
                error = e
        number, message = _parts(error)
        kind = mysql_errors.kind_of(number, message) if number else "connection-lost"
        took = self._monotonic() - began
        if dog.bit or kind == "timeout":
            return timed_out(assertion, took, seconds)
        if kind in LOST_TWICE:
            raise LostError(kind)
        told = mysql_errors.sentence(number, message, assertion.sql, question.login.database)
        return Answer(assertion.name, error=told, kind=kind)


class _Watchdog:
    """Around the use of one connection: after `seconds`, kills what it does from another. `bit`: the deadline came.

    A server that does not obey is given up by the connection's own read timeout, GRACE later.
    """

    def __init__(self, connection: pymysql.Connection[Any], login: Login, roots: Path, seconds: float) -> None:
        self.bit = False
        self._id = int(connection.thread_id())  # type: ignore[no-untyped-call]  # its stubs lack it
        self._login = replace(login, database="")
        self._roots = roots
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def _kill(self) -> None:
        self.bit = True
        with contextlib.suppress(QueryError, pymysql.MySQLError, OSError):  # then the read timeout must do
            other = connect(self._login, self._roots, patience=GRACE)
            with closing(other), other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {self._id:d}")


def _rows(connection: pymysql.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Raise QueryError for what the server refuses of our own queries."""
    try:
        yield
    except (pymysql.MySQLError, OSError) as e:
        number, message = _parts(e)
        kind, retryable = mysql_errors.connecting(number)
        if mysql_errors.kind_of(number, message) == "data-damaged":
            kind, retryable = "data-damaged", False
        raise QueryError(
            f"{what}: {mysql_errors.sentence(number, message, None)}", kind=kind, retryable=retryable
        ) from None


def _unprepared(error: pymysql.MySQLError) -> QueryError:
    """Return why the reader could not be made."""
    number, message = _parts(error)
    text = f"the reader could not be made: {mysql_errors.sentence(number, message, None)}"
    if number in (1044, 1045, 1142, 1227, 1410):
        return QueryError(text, "the master user must be allowed to create users and grant SELECT", kind="permission")
    kind = mysql_errors.kind_of(number, message) if number else "connection-lost"
    passing = kind in ("database-unreachable", "interfered", "connection-lost", "timeout") or number == 1396
    return QueryError(text, kind="database-unreachable" if passing else kind, retryable=passing)


def _parts(error: BaseException) -> tuple[int, str]:
    """Return number and message of an error; number 0 for one that no server gave."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if not isinstance(error, pymysql.MySQLError):
        return 2013, ""
    return number, str(error.args[-1]) if error.args else ""
