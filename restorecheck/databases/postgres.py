"""A restored PostgreSQL, prepared, knocked at and asked, so that nothing in it changes and no row value leaves it.

The master user makes one role and is not used again. Every question runs as that role, in a session of its own, as a
server-side cursor in a read-only transaction, with one capped fetch and a deadline that does not depend on the server.
What each of these closes is told in docs/assertions.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from restorecheck.databases import postgres_errors
from restorecheck.databases.interface import DatabaseSeen, Login
from restorecheck.databases.postgres_census import CENSUS_SETTINGS, counted, listed
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_question import SETTINGS, Raw, taken
from restorecheck.databases.postgres_role import OLDEST, SETTINGS_OF_MASTER, make_reader
from restorecheck.databases.watchdog import Watchdog
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion

PATIENCE = timedelta(seconds=60)
"""How long a server that broke off, or that does not let us in any more, is waited for."""

CENSUS = timedelta(minutes=5)
"""How long all databases together are looked into; what is not looked into by then is said to be so."""

EVERY = 2.0
"""Seconds between two attempts to connect."""

_LONGEST = 2**31 - 1  # milliseconds that statement_timeout can hold


class _LostError(Exception):
    """The session ended while the server answered: it broke off, or was ended by somebody's command."""

    def __init__(self, kind: str, sqlstate: str) -> None:
        super().__init__(kind)
        self.kind, self.sqlstate = kind, sqlstate


_LOST_TWICE = {
    "connection-lost": "the server broke off while it answered, twice: "
    "a damaged page can crash the process that reads it",
    "interfered": "an administrator's command ended the session while the server answered, twice",
}
"""What is said when asking once more did not help; one loss alone may be a restart or the network."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One assertion on its way: whom to ask, and until when on the monotonic clock."""

    assertion: Assertion
    login: Login
    salt: str
    deadline: float  # of all questions
    patience: float  # seconds to wait for the server


class Postgres:
    """The Database port for PostgreSQL 14 and later."""

    def __init__(
        self,
        *,
        roots: Path = BUNDLE,
        wait: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        patience: timedelta = PATIENCE,
    ) -> None:
        """`roots` are the certificates that a server off this machine must be signed by; the rest is time."""
        self._roots = roots
        self._wait = wait
        self._monotonic = monotonic
        self._patience = patience

    def prepare(self, master: Login, reader: Login) -> None:
        """Make, or adopt, the reader's role; see `postgres_role.make_reader`.

        Raises QueryError: `database-unreachable` and `login-failed` (both retryable), `tls`, `taken` (a role of this
        name came with the backup), `permission` (the master user may not make or grant it), `question` (an engine
        older than PostgreSQL 14), and what `connect` raises.
        """
        with closing(connect(master, self._roots, SETTINGS_OF_MASTER)) as connection:
            if connection.info.server_version < OLDEST * 10_000:
                raise QueryError(
                    f"PostgreSQL {connection.info.server_version // 10_000} has no role pg_read_all_data, "
                    f"which came with {OLDEST}: restorecheck cannot make a reader for it",
                    "upgrade the source, or declare `restores = true` and ask nothing",
                    kind="question",
                )
            try:
                make_reader(connection, reader)
            except psycopg.Error as e:
                raise _unprepared(e) from None

    def knock(self, reader: Login) -> str:
        """Return the server's version, such as `18.1`, once a query answers. Raises QueryError as `prepare` does."""
        with closing(connect(reader, self._roots, SETTINGS)) as connection:
            try:
                with Watchdog(connection, 30.0):
                    row = connection.execute("SELECT pg_catalog.current_setting('server_version')").fetchone()
            except psycopg.Error as e:
                raise QueryError(f"the server did not answer: {_sentence(e, None)}", retryable=True) from None
        return str(row[0]).split()[0] if row else ""

    def databases(self, reader: Login) -> tuple[DatabaseSeen, ...]:
        """Count the tables of every database, each in a session of its own; see the port."""
        deadline = self._monotonic() + CENSUS.total_seconds()
        with closing(self._connected(reader, deadline, self._patience.total_seconds(), CENSUS_SETTINGS)) as connection:
            try:
                names = listed(connection)
            except psycopg.Error as e:
                kind = postgres_errors.kind_of(e.sqlstate or "", _message(e)) if e.sqlstate else "database-unreachable"
                raise QueryError(f"the databases could not be listed: {_sentence(e, None)}", kind=kind) from None
        return tuple(self._looked_into(replace(reader, database=name), shut, deadline) for name, shut in names)

    def _looked_into(self, login: Login, shut: str, deadline: float) -> DatabaseSeen:
        """Count the tables of one database. Never raises for what a server answers."""
        name = login.database
        if shut:
            return DatabaseSeen(name, None, error=shut, kind="database-unreachable")
        if self._monotonic() >= deadline:
            message = f"the {_span(CENSUS)} allowed for all databases were over"
            return DatabaseSeen(name, None, error=message, kind="timeout")
        try:
            with closing(self._connected(login, deadline, 0.0, CENSUS_SETTINGS)) as connection:
                return counted(connection, name)
        except psycopg.Error as e:
            kind = postgres_errors.kind_of(e.sqlstate, _message(e)) if e.sqlstate else "database-unreachable"
            return DatabaseSeen(name, None, error=_sentence(e, None), kind=kind)
        except QueryError as e:
            return DatabaseSeen(name, None, error=e.message, kind=e.kind)

    def ask(self, reader: Login, assertions: Sequence[Assertion], salt: str, within: timedelta) -> tuple[Answer, ...]:
        """Ask every question; see the port. A server that is gone is waited for once, not once for each question."""
        deadline = self._monotonic() + within.total_seconds()
        patience = self._patience.total_seconds()
        answers: list[Answer] = []
        for assertion in assertions:
            login = replace(reader, database=assertion.database or reader.database)
            answer = self._answer(_Question(assertion, login, salt, deadline, patience), within)
            patience = 0.0 if answer.kind == "database-unreachable" else self._patience.total_seconds()
            answers.append(answer)
        return tuple(answers)

    def _answer(self, question: _Question, within: timedelta) -> Answer:
        """Ask one question, and once more if the connection broke off."""
        name, started = question.assertion.name, self._monotonic()
        if started >= question.deadline:
            message = f"not asked: the {_span(within)} allowed for all questions were over"
            return Answer(name, error=message, kind="timeout")
        answer = Answer(name)
        for _ in range(2):
            try:
                answer = self._attempt(question)
                break
            except _LostError as e:
                answer = Answer(name, error=_LOST_TWICE[e.kind], kind=e.kind, sqlstate=e.sqlstate)
            except QueryError as e:
                answer = Answer(name, error=e.message, kind=e.kind)
                break
        return replace(answer, seconds=self._monotonic() - started)

    def _attempt(self, question: _Question) -> Answer:
        """Ask one question in a session of its own. Raises QueryError, and _LostError if the session was ended."""
        assertion = question.assertion
        connection = self._reached(question)
        with closing(connection):
            left = max(question.deadline - self._monotonic(), 0.001)
            seconds = min(assertion.timeout.total_seconds(), left)
            began = self._monotonic()
            with Watchdog(connection, seconds + 1.0) as watchdog:  # the server's own timeout should come first
                try:
                    return taken(connection, assertion, question.salt, min(int(seconds * 1000) or 1, _LONGEST))
                except ValueError:  # psycopg and Python refuse some texts before anything is sent
                    return Answer(assertion.name, error="the query's text cannot be sent", kind="question")
                except psycopg.Error as e:
                    error = e
            if watchdog.bit or error.sqlstate == errors.QueryCanceled.sqlstate:
                took = self._monotonic() - began
                return _timed_out(assertion, took, seconds, error.sqlstate or "")
            if error.sqlstate is None and not connection.closed:
                return Answer(assertion.name, error=f"the client failed: {type(error).__name__}", kind="internal")
            kind = postgres_errors.kind_of(error.sqlstate, _message(error)) if error.sqlstate else "connection-lost"
            if kind in _LOST_TWICE:
                raise _LostError(kind, error.sqlstate or "")
            return Answer(
                assertion.name, error=_sentence(error, assertion.sql), kind=kind, sqlstate=error.sqlstate or ""
            )

    def _reached(self, question: _Question) -> psycopg.Connection[Any]:
        return self._connected(question.login, question.deadline, question.patience, SETTINGS, Raw())

    def _connected(
        self, login: Login, deadline: float, patience: float, settings: dict[str, str], context: Raw | None = None
    ) -> psycopg.Connection[Any]:
        """Connect, and try again for a while as long as the server cannot be reached: it may be recovering."""
        until = min(self._monotonic() + patience, deadline)
        while True:
            try:
                return connect(login, self._roots, settings, context)
            except QueryError as e:
                if e.kind != "database-unreachable" or self._monotonic() + EVERY > until:
                    raise
            self._wait(EVERY)


def _unprepared(error: psycopg.Error) -> QueryError:
    """Return why the reader could not be made; nothing of an error's text is kept but PostgreSQL's own words."""
    state = error.sqlstate
    if state is None:
        return QueryError("the server broke off while the reader's role was made", retryable=True)
    message = f"the reader's role could not be made: {_sentence(error, None)}"
    if state == errors.InsufficientPrivilege.sqlstate:
        return QueryError(
            message, "the master user must be allowed to create roles and grant pg_read_all_data", kind="permission"
        )
    kind = postgres_errors.kind_of(state, _message(error))
    passing = kind in ("database-unreachable", "interfered", "connection-lost", "timeout")
    twin = state in (errors.DuplicateObject.sqlstate, errors.UniqueViolation.sqlstate)  # this very run, at once
    return QueryError(message, kind="database-unreachable" if passing or twin else kind, retryable=passing or twin)


def _sentence(error: psycopg.Error, query: str | None) -> str:
    """Return what may be told of a server's error."""
    if error.sqlstate is None:
        return "the connection broke off"
    try:
        condition = errors.lookup(error.sqlstate).__name__
    except KeyError:
        condition = ""
    return postgres_errors.sentence(error.sqlstate, condition, _message(error), query)


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or ""


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"


def _timed_out(assertion: Assertion, took: float, allowed: float, sqlstate: str) -> Answer:
    """Return the answer of a query that was cut off, in the words of who cut it off."""
    if took < allowed * 0.9:
        message = f"the query was cancelled on the server after {took:.1f} s, before its timeout"
    elif allowed < assertion.timeout.total_seconds():
        message = f"the query was cut off after {took:.1f} s: the time allowed for all questions was over"
    else:
        message = f"the query took longer than its timeout of {_span(assertion.timeout)}"
    return Answer(assertion.name, error=message, kind="timeout", sqlstate=sqlstate)
