"""A restored PostgreSQL, prepared, knocked at and asked, so that nothing in it changes and no row value leaves it.

The master user makes one role and is not used again. Every question runs as that role, in a session of its own, as a
server-side cursor in a read-only transaction, with one capped fetch and a deadline that does not depend on the server.
What each of these closes is told in docs/assertions.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from restorecheck.databases import postgres_errors, postgres_probes
from restorecheck.databases.asking import LOST_TWICE, Asking, LostError, Question, timed_out
from restorecheck.databases.interface import ALONE, NEEDS, Beside, DatabaseSeen, Login
from restorecheck.databases.postgres_census import CENSUS_SETTINGS, counted, listed
from restorecheck.databases.postgres_connection import BUNDLE, connect, is_this_machine
from restorecheck.databases.postgres_deputy import is_needed, make_deputy, unveil
from restorecheck.databases.postgres_prober import equip, make_prober
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.databases.postgres_question import FORMATS, SETTINGS, Raw, taken
from restorecheck.databases.postgres_role import OLDEST, SETTINGS_OF_MASTER, deputy_of, make_reader, prober_of
from restorecheck.databases.sampling import sampling_of
from restorecheck.databases.watchdog import Watchdog
from restorecheck.errors import QueryError, RestorecheckError
from restorecheck.model import Answer, Assertion, Probe

PATIENCE = timedelta(seconds=60)
"""How long a server that broke off, or that does not let us in any more, is waited for."""

CENSUS = timedelta(minutes=5)
"""How long all databases together are looked into; what is not looked into by then is said to be so."""

_LONGEST = 2**31 - 1  # milliseconds that statement_timeout can hold


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
        self._monotonic = monotonic
        self._wait = wait
        self._asking = Asking(monotonic, wait, patience.total_seconds())

    def prepare(self, master: Login, reader: Login, needs: Mapping[str, tuple[str, ...]] = NEEDS) -> None:
        """Make, or adopt, the reader's role (`postgres_role.make_reader`), and what probes need.

        That is in `postgres_prober` and `postgres_deputy`.

        Raises QueryError: `database-unreachable` and `login-failed` (both retryable), `tls`, `taken` (a role of this
        name came with the backup), `permission` (the master user may not make or grant it), `question` (an engine
        older than PostgreSQL 14), and what `connect` raises.
        """
        prober = prober_of(reader)
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
                if any(needs.values()):
                    make_prober(connection, prober)
            except psycopg.Error as e:
                raise _unprepared(e) from None
        for database, extensions in needs.items():
            self._equipped(replace(master, database=database), extensions, replace(reader, database=database))

    def _equipped(self, master: Login, extensions: tuple[str, ...], reader: Login) -> None:
        """Make in one database what probes need there. What cannot be made is the probe's to tell.

        Raises QueryError: retryable, or `taken`.
        """
        try:
            connection = connect(master, self._roots, SETTINGS_OF_MASTER)
        except QueryError:  # the server was reached just before: it is this database that cannot be
            return
        with closing(connection):
            try:
                if extensions:
                    equip(connection, extensions, prober_of(reader).user)
                if is_needed(connection):
                    make_deputy(connection, deputy_of(reader))
                    unveil(connection, deputy_of(reader))
            except psycopg.Error as e:
                if (error := _unprepared(e)).retryable:
                    raise error from None

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
        connection = self._connected(reader, deadline, self._asking.patience, CENSUS_SETTINGS)
        with closing(connection):
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
            message = f"the {CENSUS.total_seconds():g} s allowed for all databases were over"
            return DatabaseSeen(name, None, error=message, kind="timeout")
        try:
            with closing(self._connected(login, deadline, 0.0, CENSUS_SETTINGS)) as connection:
                return counted(connection, name)
        except psycopg.Error as e:
            kind = postgres_errors.kind_of(e.sqlstate, _message(e)) if e.sqlstate else "database-unreachable"
            return DatabaseSeen(name, None, error=_sentence(e, None), kind=kind)
        except QueryError as e:
            return DatabaseSeen(name, None, error=e.message, kind=e.kind)

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
        """Let a probe look, in sessions of its own."""
        assertion = question.assertion
        deadline = min(question.deadline, self._monotonic() + assertion.timeout.total_seconds())

        def connected(login: Login) -> psycopg.Connection[Any]:
            return self._asking.reached(lambda: self._session(login), deadline, question.patience)

        reader = question.login
        sight = Sight(
            probe,
            reader,
            prober_of(reader),
            deadline,
            self._monotonic,
            self._wait,
            connected,
            tell,
            at_once=_at_once(reader.host),
            deputy=deputy_of(reader),
        )
        return postgres_probes.answer(assertion, sight)

    def _session(self, login: Login) -> psycopg.Connection[Any]:
        """Open a session of a probe: values are converted, and their texts do not depend on the server's settings."""
        connection = connect(login, self._roots, SETTINGS)
        try:
            with Watchdog(connection, 30.0):
                connection.execute(FORMATS)
        except psycopg.Error as e:
            connection.close()
            raise QueryError(f"the server did not answer: {_sentence(e, None)}", retryable=True) from None
        return connection

    def _attempt(self, question: Question, beside: Beside) -> Answer:
        """Ask one question in a session of its own. Raises QueryError, and LostError if the session was ended."""
        assertion = question.assertion
        objects = assertion.expect.exist_in or assertion.expect.covers
        if objects and objects not in beside.keys:
            return Answer(
                assertion.name, error=f"the keys of {objects!r} are not to be had here", kind="could-not-look"
            )
        sampling = sampling_of(assertion, beside)
        connection = self._connected(question.login, question.deadline, question.patience, SETTINGS, Raw())
        with closing(connection):
            left = max(question.deadline - self._monotonic(), 0.001)
            seconds = min(assertion.timeout.total_seconds(), left)
            began = self._monotonic()
            with Watchdog(connection, seconds + 1.0) as watchdog:  # the server's own timeout should come first
                try:
                    milliseconds = min(int(seconds * 1000) or 1, _LONGEST)
                    keys = beside.keys.get(objects)
                    answer = taken(connection, assertion, question.salt, milliseconds, keys, sampling=sampling)
                    return sampling.kept(answer) if sampling else answer
                except RestorecheckError as e:  # of the keys beside
                    return Answer(assertion.name, error=e.message, kind=e.kind)
                except ValueError:  # psycopg and Python refuse some texts before anything is sent
                    return Answer(assertion.name, error="the query's text cannot be sent", kind="question")
                except psycopg.Error as e:
                    error, lost = e, connection.closed
            if watchdog.bit or error.sqlstate == errors.QueryCanceled.sqlstate:
                took = self._monotonic() - began
                return timed_out(assertion, took, seconds, error.sqlstate or "")
            if error.sqlstate is None and not connection.closed:
                return Answer(assertion.name, error=f"the client failed: {type(error).__name__}", kind="internal")
            kind, said = "connection-lost", _sentence(error, assertion.sql, lost=lost)
            if error.sqlstate:
                kind = postgres_errors.kind_of(error.sqlstate, _message(error), lost=lost)
            if kind in LOST_TWICE:
                raise LostError(kind, error.sqlstate or "")
            return Answer(assertion.name, error=said, kind=kind, sqlstate=error.sqlstate or "")

    def _connected(
        self, login: Login, deadline: float, patience: float, settings: dict[str, str], context: Raw | None = None
    ) -> psycopg.Connection[Any]:
        return self._asking.reached(lambda: connect(login, self._roots, settings, context), deadline, patience)


def _at_once(host: str) -> int:
    """Return how many sessions of a probe work at once: on this machine as many as there are cores, else four.

    More than cores read the same pages in turn: measured, two cores took half as long again with four sessions. How
    many a restored instance has is not known here; while its blocks still come out of S3, it waits more than it works.
    """
    return max(len(os.sched_getaffinity(0)), 2) if is_this_machine(host) else 4


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
    twin = twin or _message(error).startswith("tuple concurrently")  # as XX000, and in English everywhere
    return QueryError(message, kind="database-unreachable" if passing or twin else kind, retryable=passing or twin)


def _sentence(error: psycopg.Error, query: str | None, *, lost: bool = True) -> str:
    """Return what may be told of a server's error."""
    if error.sqlstate is None:
        return "the connection broke off"
    try:
        condition = errors.lookup(error.sqlstate).__name__
    except KeyError:
        condition = ""
    return postgres_errors.sentence(error.sqlstate, condition, _message(error), query, lost=lost)


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or ""
