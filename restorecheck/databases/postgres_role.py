"""The read-only role of one restored copy: made once by the master user, and all that a run without probes writes.

A role of the same name that does not look exactly as we make it came with the backup, and is refused: it may own
things, or be more than a reader. The password goes to the server as a SCRAM verifier, so its log never holds it. What
probes need beside it is made by `postgres_prober` and `postgres_deputy`.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import errors, sql

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError

OLDEST = 14
"""The first major version with the role pg_read_all_data."""

SETTINGS_OF_MASTER = {
    "search_path": "pg_catalog",  # a restored function must not run with the master's rights by being named like ours
    "default_transaction_read_only": "on",  # a login trigger of the backup (17+) then writes nothing; we say READ WRITE
    "synchronous_commit": "local",  # else a crash soon after takes the role away, and no standby is waited for
    "statement_timeout": "60000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",  # ours wait for this process alone, which may be busy
}

LONGEST = 63
"""Bytes that PostgreSQL keeps of a name."""

_EXISTING = """
    SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolconfig IS NOT NULL
        OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid <> 'pg_read_all_data'::regrole)
        OR EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
                   AND NOT (d.classid = 'pg_database'::regclass AND d.deptype = 'a')
                   AND d.classid <> 'pg_auth_members'::regclass)
    FROM pg_roles r WHERE rolname = {}
"""
"""Whether a role is anything that ours is not: privileged, configured, a member of others, an owner, a grantee."""

_CLOSED = """
    SELECT datname FROM pg_database
    WHERE datallowconn AND datconnlimit <> -2 AND NOT has_database_privilege({}, oid, 'CONNECT')
"""


def prober_of(reader: Login) -> Login:
    """Return the role beside a reader that runs the functions of extensions and reads no table."""
    return replace(reader, user=prober_name(reader.user))


def prober_name(reader: str) -> str:
    """Return the name of the prober beside a reader of this name: at most 63 bytes, and the same whenever asked."""
    return _beside(reader, "prober")


def deputy_of(reader: Login) -> Login:
    """Return the role beside a reader that reads tables whose row security would hide rows from the reader."""
    return replace(reader, user=deputy_name(reader.user))


def deputy_name(reader: str) -> str:
    """Return the name of the deputy beside a reader of this name: at most 63 bytes, and the same whenever asked."""
    return _beside(reader, "deputy")


def view_name(deputy: str, table: int) -> str:
    """Return the name of the view through which a deputy reads a table: no backup can know it before the run."""
    return f"rows_{table:d}_{sha256(deputy.encode()).hexdigest()[:32]}"


def _beside(reader: str, what: str) -> str:
    name = f"{reader}_{what}"
    if len(name.encode()) <= LONGEST:
        return name
    return f"restorecheck_{what}_{sha256(reader.encode()).hexdigest()[:32]}"


def make_reader(connection: psycopg.Connection[Any], reader: Login) -> None:
    """Make the role `reader.user` with `reader.password`, or adopt it if it is what an earlier attempt made.

    It may log in and read every table, sequence and view (`pg_read_all_data`), and connect to every database that the
    master user may open to it. All of it is one transaction. Raises QueryError `taken`, psycopg.Error.
    """
    role, name = sql.Identifier(reader.user), sql.Literal(reader.user)
    connection.execute("BEGIN READ WRITE")
    make_role(connection, reader, sql.SQL(_EXISTING), "it is more than a reader")
    connection.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(role))
    for (database,) in connection.execute(sql.SQL(_CLOSED).format(name)).fetchall():
        let_in(connection, database, role)
    connection.execute("COMMIT")


def make_role(connection: psycopg.Connection[Any], login: Login, strange: sql.SQL, more: str) -> None:
    """Make a role that may log in, or adopt one that looks as we make it. Called inside a transaction.

    `strange` is a query with a place for the role's name: no row if there is none, else whether it is anything that
    ours is not; `more` says what it then is. Raises QueryError `taken`, after a rollback, and psycopg.Error.
    """
    role = sql.Identifier(login.user)
    found = connection.execute(strange.format(sql.Literal(login.user))).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE ROLE {} NOCREATEDB NOCREATEROLE").format(role))
    elif found[0]:
        connection.execute("ROLLBACK")
        raise QueryError(
            f"a role named {login.user!r} came with the backup, and {more}",
            "drop or rename that role at the source",
            kind="taken",
        )
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, verifier(connection, login)))


def verifier(connection: psycopg.Connection[Any], login: Login) -> sql.Literal:
    """Return what a server keeps of a password, as a literal: the password itself never goes there."""
    made = connection.pgconn.encrypt_password(login.password.encode(), login.user.encode(), b"scram-sha-256")
    return sql.Literal(made.decode())


def let_in(connection: psycopg.Connection[Any], database: str, role: sql.Identifier) -> None:
    """Let a role connect to a database that is closed to the public, if the master user may allow it.

    Called inside a transaction, which goes on either way. Raises psycopg.Error.
    """
    connection.execute("SAVEPOINT closed")
    try:
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), role))
    except errors.InsufficientPrivilege:  # rdsadmin's own, say; a question to it will tell
        connection.execute("ROLLBACK TO SAVEPOINT closed")
