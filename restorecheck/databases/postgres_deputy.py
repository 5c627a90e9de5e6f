"""How probes read tables with row security: a role that no policy holds, or views of those who own the tables.

A table that shows each role its own rows cannot be read whole by the reader. What is made here is used by the probes'
own queries alone, in their read-only transactions, never by a question of the operator. It is made by the master user,
only where there is such a table, and is dropped with the copy. What cannot be made is left away; the probe finds that
out, and says which tables it could not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_prober import SCHEMA, if_allowed, undisturbed
from restorecheck.databases.postgres_role import let_in, make_role, view_name
from restorecheck.errors import QueryError

_UNFIT = r"""
    (o.rolsuper OR o.rolcreaterole OR o.rolreplication OR o.rolbypassrls OR o.rolname ~ '^(pg_|rds)')
"""
"""A role that is more than the owner of some tables: nobody is ever made a member of it."""

_HARMLESS = """
    ('pg_database_owner', 'pg_read_all_data', 'pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats',
     'pg_stat_scan_tables')
"""

_STRANGE = f"""
    SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolconfig IS NOT NULL
        OR EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid
                   WHERE m.member = r.oid AND o.rolname <> 'pg_read_all_data' AND {_UNFIT})
        OR EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
                   AND NOT (d.classid = 'pg_database'::regclass AND d.deptype = 'a')
                   AND d.classid <> 'pg_auth_members'::regclass)
    FROM pg_roles r WHERE r.rolname = {{}}
"""  # noqa: S608 - of our own constants
"""Whether a role is anything that a deputy is not: privileged, configured, an owner, a grantee."""

_BYPASSES = "SELECT rolbypassrls FROM pg_roles WHERE rolname = {}"

_GUARDED = f"""
    SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', o.rolname,
        NOT EXISTS (SELECT FROM pg_roles more WHERE pg_has_role(c.relowner, more.oid, 'MEMBER')
                    AND more.oid <> c.relowner AND more.rolname NOT IN {_HARMLESS}
                    AND (SELECT {_UNFIT} FROM pg_roles o WHERE o.oid = more.oid))
            AND NOT {_UNFIT},
        pg_has_role(c.relowner, 'USAGE')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
    WHERE c.relrowsecurity AND NOT c.relforcerowsecurity AND c.relkind IN ('r', 'p')
    ORDER BY c.oid
"""  # noqa: S608 - of our own constants
"""Tables with row security that their owners are not held to; whether somebody may be made a member of the owner, who
may be a member of others in turn; whether this session has the rights of the owner (`check_enable_rls` asks just that).
"""

_ANY = "SELECT EXISTS (SELECT FROM pg_class WHERE relrowsecurity AND relkind IN ('r', 'p'))"

_READS = "SELECT pg_has_role({}, {}, 'USAGE')"

_CLOSED = "SELECT NOT has_database_privilege({}, current_database(), 'CONNECT')"

_USABLE = "SELECT has_schema_privilege({}, {}, 'USAGE')"

_READABLE = "SELECT has_table_privilege({}, {}, 'SELECT')"

_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped AND attgenerated <> 'v' ORDER BY attnum
"""
"""Virtual columns are left out: their expressions would be computed with the rights of the view's owner."""

_VIEW_OWNER = """
    SELECT o.rolname = current_user FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_roles o ON o.oid = c.relowner WHERE n.nspname = {} AND c.relname = {}
"""


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A table with row security that does not hold its owner."""

    oid: int
    schema: str
    name: str
    partitioned: bool
    owner: str
    fit: bool  # the owner is no more than that
    mine: bool  # this session has the owner's rights


def is_needed(connection: psycopg.Connection[Any]) -> bool:
    """Say whether row security is on for any table of this session's database. Raises psycopg.Error."""
    return _one(connection, sql.SQL(_ANY)) is not False


def make_deputy(connection: psycopg.Connection[Any], deputy: Login) -> None:
    """Make the role `deputy.user`, or adopt it if it is what an earlier attempt made: it reads every table.

    No policy holds it if the master user may give that away (a superuser, and from PostgreSQL 16 on who has BYPASSRLS).
    Raises QueryError `taken`, psycopg.Error.
    """
    connection.execute("BEGIN READ WRITE")
    make_role(connection, deputy, sql.SQL(_STRANGE), "it may do more than read")
    connection.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(sql.Identifier(deputy.user)))
    connection.execute("COMMIT")


def unveil(connection: psycopg.Connection[Any], deputy: Login) -> None:
    """Let the deputy read every row of this session's database, as far as the master user can see to that.

    The role is there already. The session's `search_path` must be pg_catalog. What the server refuses is passed over.
    Roles are shared objects, for which no event trigger fires; views are made only if none does. Raises QueryError
    `taken`, psycopg.Error for a session that is lost.
    """
    role, name = sql.Identifier(deputy.user), sql.Literal(deputy.user)
    connection.execute("BEGIN READ WRITE")
    if _one(connection, sql.SQL(_CLOSED).format(name)):
        let_in(connection, connection.info.dbname, role)
    with if_allowed(connection):
        if not _one(connection, sql.SQL(_BYPASSES).format(name)):
            connection.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(role))
    if not _one(connection, sql.SQL(_BYPASSES).format(name)):
        tables = [_Guarded(*row) for row in connection.execute(sql.SQL(_GUARDED)).fetchall()]
        for owner in sorted({table.owner for table in tables if table.fit}):
            _join(connection, owner, role)
        mine = [table for table in tables if table.mine]
        left = [table for table in mine if not _one(connection, sql.SQL(_READS).format(name, table.owner))]
        if left and undisturbed(connection):
            _view(connection, left, deputy.user)
    connection.execute("COMMIT")


def _join(connection: psycopg.Connection[Any], owner: str, role: sql.Identifier) -> None:
    """Give a role the rights of an owner, and not its name where the server tells the two apart."""
    how = sql.SQL(" WITH INHERIT TRUE, SET FALSE" if connection.info.server_version >= 160_000 else "")
    with if_allowed(connection):
        connection.execute(sql.SQL("GRANT {} TO {}{}").format(sql.Identifier(owner), role, how))


def _view(connection: psycopg.Connection[Any], tables: Sequence[_Guarded], deputy: str) -> None:
    """Make a view of each table, which reads with the rights of the master user. Raises QueryError `taken`."""
    schema, role = sql.Identifier(SCHEMA), sql.Identifier(deputy)
    with if_allowed(connection):
        if not connection.execute(sql.SQL("SELECT FROM pg_namespace WHERE nspname = {}").format(SCHEMA)).fetchone():
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        if not _one(connection, sql.SQL(_USABLE).format(deputy, SCHEMA)):  # it is, by pg_read_all_data
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
    for table in tables:
        called = view_name(deputy, table.oid)
        if _one(connection, sql.SQL(_VIEW_OWNER).format(SCHEMA, called)) is False:
            connection.execute("ROLLBACK")
            raise QueryError(
                f"{SCHEMA}.{called} came with the backup", "drop it at the source, where nobody needs it", kind="taken"
            )
        columns = [name for (name,) in connection.execute(sql.SQL(_COLUMNS).format(table.oid)).fetchall()]
        with if_allowed(connection):
            connection.execute(_definition(table, called, columns))
            view = sql.Identifier(SCHEMA, called)
            if not _one(connection, sql.SQL(_READABLE).format(deputy, view.as_string(connection))):
                connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(view, role))


def _definition(table: _Guarded, called: str, columns: Iterable[str]) -> sql.Composed:
    """Return what makes a view of all rows of a table, its own only, or those of its partitions."""
    shown = sql.SQL(", ").join(sql.Identifier("t", name) for name in ("ctid", "tableoid", *columns))
    return sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT {} FROM {}{} AS t").format(
        sql.Identifier(SCHEMA, called),
        shown,
        sql.SQL("" if table.partitioned else "ONLY "),
        sql.Identifier(table.schema, table.name),
    )


def _one(connection: psycopg.Connection[Any], query: sql.SQL | sql.Composed) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
