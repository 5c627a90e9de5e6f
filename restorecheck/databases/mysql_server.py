"""A restored MySQL or MariaDB, prepared, knocked at and asked: nothing in it changes, no row value leaves it.

The master user makes two users and is not used again. Every question runs as the reader, in a session of its own, in a
read-only snapshot, after the server's parser said that it is a query, with a deadline that does not depend on the
server. As the prober nothing of the operator's ever runs. What each of these closes is told in docs/mysql.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pymysql

from restorecheck.databases import mysql_errors
from restorecheck.databases.asking import LOST_TWICE, Asking, LostError, Question, timed_out
from restorecheck.databases.interface import ALONE, NEEDS, Beside, DatabaseSeen, Login
from restorecheck.databases.mysql_connection import connect, parts
from restorecheck.databases.mysql_probes import looks
from restorecheck.databases.mysql_probes.sight import Sight
from restorecheck.databases.mysql_question import FORMATS, Late, bound, taken
from restorecheck.databases.mysql_role import DENIED, make_prober, make_reader, prober_of
from restorecheck.databases.mysql_watchdog import GRACE, Watchdog
from restorecheck.databases.sampling import sampling_of
from restorecheck.errors import QueryError, RestorecheckError
from restorecheck.model import Answer, Assertion, Probe

SYSTEM = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
"""Databases that come with a server and hold nobody's data."""

ONLY_LOOKING = "SET SESSION TRANSACTION READ ONLY"
"""First in a session of the prober, who could make triggers and events: outside our snapshots, too, it cannot."""

_CENSUS = """
    SELECT s.schema_name, count(t.table_name), coalesce(sum(t.data_length + t.index_length), 0)
    FROM information_schema.schemata s
    LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name
        AND coalesce(t.table_type, '') NOT IN ('VIEW', 'SYSTEM VIEW', 'SEQUENCE')
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

    def prepare(self, master: Login, reader: Login, needs: Mapping[str, tuple[str, ...]] = NEEDS) -> None:  # noqa: ARG002
        """Make, or adopt, the reader and the prober; there are no extensions. Raises QueryError."""
        with closing(connect(replace(master, database=""), self._roots)) as connection:
            try:
                make_reader(connection, reader)
                make_prober(connection, prober_of(reader))
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

    def ask(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        beside: Beside = ALONE,
    ) -> tuple[Answer, ...]:
        """Ask every question; see the port."""

        def attempt(question: Question) -> Answer:
            if question.assertion.probe is not None:
                return self._probed(question, question.assertion.probe, beside.tell)
            return self._attempt(question, beside)

        return self._asking.all(reader, assertions, salt, within, attempt)

    def _probed(self, question: Question, probe: Probe, tell: Callable[[str], object]) -> Answer:
        """Let a probe look, in sessions of its own. Raises QueryError."""
        assertion = question.assertion
        deadline = min(question.deadline, self._monotonic() + assertion.timeout.total_seconds())

        def databases() -> tuple[DatabaseSeen, ...]:
            return self.databases(question.login)

        def sight(login: Login, begin: Sequence[str] = (), prober: Sight | None = None) -> Sight:
            def connected() -> pymysql.Connection[Any]:
                return self._asking.reached(lambda: self._session(login, deadline, begin), deadline, question.patience)

            def guarded(connection: pymysql.Connection[Any], seconds: float) -> Watchdog:
                return Watchdog(connection, login, self._roots, seconds)

            return Sight(
                probe, deadline, self._monotonic, connected, guarded, databases, tell, user=login.user, prober=prober
            )

        prober = sight(prober_of(question.login), (ONLY_LOOKING,))
        return looks.answer(assertion, sight(question.login, prober=prober))

    def _session(self, login: Login, deadline: float, begin: Sequence[str] = ()) -> pymysql.Connection[Any]:
        """Open a session of a probe: bounded by the server, and with texts that do not depend on its settings."""
        seconds = max(deadline - self._monotonic(), 0.001)
        connection = connect(login, self._roots, patience=seconds + 1.0 + GRACE)
        try:
            with _told("the server did not answer"), connection.cursor() as cursor:
                cursor.execute(FORMATS)
                cursor.execute("SET SESSION sql_quote_show_create = 1, max_error_count = 0")
                for statement in begin:
                    cursor.execute(statement)
                bound(cursor, seconds)
        except QueryError:
            connection.close()
            raise
        return connection

    def _attempt(self, question: Question, beside: Beside) -> Answer:
        """Ask one question in a session of its own. Raises QueryError, and LostError if the session was ended."""
        assertion = question.assertion
        objects = assertion.expect.exist_in or assertion.expect.covers
        if objects and objects not in beside.keys:
            missing = f"the keys of {objects!r} are not to be had here"
            return Answer(assertion.name, error=missing, kind="could-not-look")
        seconds = min(assertion.timeout.total_seconds(), max(question.deadline - self._monotonic(), 0.001))
        patience = seconds + 1.0 + GRACE
        sampling = sampling_of(assertion, beside)
        connection = self._asking.reached(
            lambda: connect(question.login, self._roots, patience=patience), question.deadline, question.patience
        )
        began = self._monotonic()
        with contextlib.closing(connection), Watchdog(connection, question.login, self._roots, seconds + 1.0) as dog:
            try:
                keys = beside.keys.get(objects)
                answer = taken(
                    connection, assertion, question.salt, seconds, self._monotonic, keys=keys, sampling=sampling
                )
                took = self._monotonic() - began
                # SLEEP() and BENCHMARK() answer as if all was well when they are cut off
                if dog.bit or took >= seconds:
                    return timed_out(assertion, took, seconds)
                return sampling.kept(answer) if sampling else answer
            except Late:
                return timed_out(assertion, seconds, seconds)
            except RestorecheckError as e:  # of the keys beside
                return Answer(assertion.name, error=e.message, kind=e.kind)
            except (pymysql.MySQLError, OSError) as e:
                error = e
        number, message = parts(error)
        kind = mysql_errors.kind_of(number, message) if number else "connection-lost"
        took = self._monotonic() - began
        if dog.bit or kind == "timeout":
            return timed_out(assertion, took, seconds)
        if kind in LOST_TWICE:
            raise LostError(kind)
        told = mysql_errors.sentence(number, message, assertion.sql, question.login.database)
        return Answer(assertion.name, error=told, kind=kind)


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
        number, message = parts(e)
        kind, retryable = mysql_errors.connecting(number)
        if mysql_errors.kind_of(number, message) == "data-damaged":
            kind, retryable = "data-damaged", False
        raise QueryError(
            f"{what}: {mysql_errors.sentence(number, message, None)}", kind=kind, retryable=retryable
        ) from None


def _unprepared(error: pymysql.MySQLError) -> QueryError:
    """Return why the reader could not be made."""
    number, message = parts(error)
    text = f"the reader could not be made: {mysql_errors.sentence(number, message, None)}"
    if number in DENIED:
        return QueryError(text, "the master user must be allowed to create users and grant SELECT", kind="permission")
    kind = mysql_errors.kind_of(number, message) if number else "connection-lost"
    passing = kind in ("database-unreachable", "interfered", "connection-lost", "timeout") or number == 1396
    return QueryError(text, kind="database-unreachable" if passing else kind, retryable=passing)
