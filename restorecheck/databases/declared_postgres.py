"""A PostgreSQL server that the operator declared for restoring dumps into: of all that is on it, ours is one database.

Everything here carries the run in its comment, and only what carries it is ever dropped, by its exact name. The
password comes from where libpq looks for it (PGPASSWORD, PGPASSFILE), never from a configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE, parameters, refused
from restorecheck.databases.postgres_deputy import is_needed, unveil
from restorecheck.databases.postgres_prober import equip
from restorecheck.databases.postgres_role import (
    SETTINGS_OF_MASTER,
    deputy_name,
    deputy_of,
    prober_name,
    prober_of,
    verifier,
)
from restorecheck.errors import QueryError, SourceError

_KNOWN = frozenset({"host", "port", "user", "dbname"})

_SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"


def mark_of(run_id: str) -> str:
    """Return the comment that everything of a run carries."""
    return f"restorecheck run {run_id}"


class DeclaredPostgres:
    """One declared server."""

    def __init__(self, url: str, roots: Path = BUNDLE) -> None:
        """`url` names one host, a user and a database to begin in. Raises SourceError `config`."""
        try:
            found = conninfo_to_dict(url)
        except psycopg.Error:
            raise SourceError("`server` is not a URL of PostgreSQL", kind="config") from None
        if more := sorted(set(found) - _KNOWN):  # a password among them
            raise SourceError(
                f"`server` may name {', '.join(sorted(_KNOWN))}, and not {', '.join(more)}", kind="config"
            )
        if not found.get("host") or not found.get("user"):
            raise SourceError("`server` must name a host and a user", kind="config")
        port = str(found.get("port") or 5432)
        if not port.isdigit():  # a list of ports belongs to a list of hosts
            raise SourceError("`server` must name one host", kind="config")
        name = str(found.get("dbname") or "postgres")
        self._login = Login(str(found["host"]), int(port), str(found["user"]), "", name)
        self._roots = roots

    def make(self, name: str, run_id: str) -> Login:
        """Make an empty database, marked with the run and closed to the public; return how its owner logs in.

        One that this run made before is dropped first. Raises SourceError `taken` for anybody else's, QueryError.
        """
        with self._connected() as connection:
            if (mark := _mark(connection, "database", name)) is not None:
                if mark != mark_of(run_id):
                    raise SourceError(
                        f"there is a database {name} on the server that this run did not make", kind="taken"
                    )
                _drop_database(connection, name)
            database, comment = sql.Identifier(name), sql.Literal(mark_of(run_id))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(database))
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, comment))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            login = self._login
            return Login(login.host, login.port, login.user, connection.info.password, name)

    def admit(self, reader: Login, run_id: str, needs: tuple[str, ...] | None = None) -> None:
        """Make the reader's role, or adopt this run's, and let it read the database that was restored, and no other.

        `needs` are extensions that probes need in it, as `Database.prepare` has them, None if no probe looks into it;
        for probes there are more roles of the run. Raises SourceError `taken` for a role of anybody else, QueryError.
        """
        role = sql.Identifier(reader.user)
        with self._connected(reader.database) as connection:
            with connection.transaction():  # a role without its mark never exists
                _make_role(connection, reader, run_id)
                _let_read(connection, role)
            if needs:
                prober = prober_of(reader)
                with connection.transaction():
                    _make_role(connection, prober, run_id)
                equip(connection, needs, prober.user)
            if needs is not None and is_needed(connection):
                deputy = deputy_of(reader)
                with connection.transaction():
                    _make_role(connection, deputy, run_id)
                    _let_read(connection, role=sql.Identifier(deputy.user))
                unveil(connection, deputy)

    def drop(self, name: str, run_id: str, reader: str) -> None:
        """Drop this run's database and its roles, if they are there and carry its mark. Raises QueryError."""
        with self._connected() as connection:
            if _mark(connection, "database", name) == mark_of(run_id):
                _drop_database(connection, name)
            for role in (reader, prober_name(reader), deputy_name(reader)):
                if _mark(connection, "role", role) == mark_of(run_id):
                    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))

    def left(self, name: str, run_id: str, reader: str) -> str | None:
        """Say what is still there under this run's names, as far as known; None: nothing. Raises QueryError."""
        with self._connected() as connection:
            roles = (reader, prober_name(reader), deputy_name(reader))
            named = (("database", name), *(("role", role) for role in roles))
            found = [(kind, called, _mark(connection, kind, called)) for kind, called in named]
        said = [
            f"the {kind} {called} is there"
            + ("" if mark == mark_of(run_id) else ", but does not carry this run's mark")
            for kind, called, mark in found
            if mark is not None
        ]
        return "; ".join(said) or None

    @contextmanager
    def _connected(self, database: str = "") -> Iterator[psycopg.Connection[Any]]:
        """Connect with the password that libpq finds. What the server refuses is raised as QueryError."""
        login = self._login
        login = Login(login.host, login.port, login.user, "", database or login.database)
        options = parameters(login, self._roots, SETTINGS_OF_MASTER | {"default_transaction_read_only": "off"})
        options.pop("password", None)  # and so libpq looks for both itself
        options.pop("passfile", None)
        try:
            connection = psycopg.connect(**options, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]
        except psycopg.Error as e:
            raise refused(login, str(e)) from None
        with closing(connection):
            try:
                yield connection
            except errors.InsufficientPrivilege as e:
                message = f"{login.user} may not do on {login.host} what a restore needs: {_said(e)}"
                raise QueryError(
                    message, "it needs CREATEDB and CREATEROLE, or be a superuser", kind="permission"
                ) from None
            except psycopg.Error as e:
                retryable = e.sqlstate is None or isinstance(e, errors.ObjectInUse)
                raise QueryError(f"the server {login.host} refused: {_said(e)}", retryable=retryable) from None


def _mark(connection: psycopg.Connection[Any], kind: str, name: str) -> str | None:
    """Return the comment of a database or role, empty if it has none; None: there is no such thing."""
    catalogue, column = {"database": ("pg_database", "datname"), "role": ("pg_authid", "rolname")}[kind]
    table = "pg_roles" if kind == "role" else catalogue  # pg_authid itself is for superusers
    query = sql.SQL("SELECT shobj_description(oid, {}) FROM {} WHERE {} = {}").format(
        sql.Literal(catalogue), sql.Identifier(table), sql.Identifier(column), sql.Literal(name)
    )
    row = connection.execute(query).fetchone()
    return None if row is None else (row[0] or "")


def _make_role(connection: psycopg.Connection[Any], login: Login, run_id: str) -> None:
    """Make a role with the run's mark, or adopt it, and let it into its database. Raises SourceError `taken`."""
    mark = _mark(connection, "role", login.user)
    if mark not in {None, mark_of(run_id)}:
        raise SourceError(f"there is a role {login.user} that this run did not make", kind="taken")
    role = sql.Identifier(login.user)
    if mark is None:
        connection.execute(sql.SQL("CREATE ROLE {} NOCREATEDB NOCREATEROLE").format(role))
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(mark_of(run_id))))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, verifier(connection, login)))
    database = sql.Identifier(login.database)
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))


def _let_read(connection: psycopg.Connection[Any], role: sql.Identifier) -> None:
    """Let a role read the tables and sequences of this database, and no other."""
    for (schema,) in connection.execute(_SCHEMAS).fetchall():
        here = sql.Identifier(schema)
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(here, role))
        for kind in ("TABLES", "SEQUENCES"):
            grant = sql.SQL("GRANT SELECT ON ALL {} IN SCHEMA {} TO {}")
            connection.execute(grant.format(sql.SQL(kind), here, role))


def _drop_database(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _said(error: psycopg.Error) -> str:
    """Return the server's own words about a name or a right: no row has been in it."""
    return (error.diag.message_primary or type(error).__name__)[:200]
