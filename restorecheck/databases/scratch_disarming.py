"""What came with a dump and could act with a superuser's rights, or outside the database, is made harmless.

A server that we start has a superuser, which RDS has not, and whatever a dump brings along is made by it. Before
anybody asks, nothing in the database may be left that runs a program, reads or writes a file of this machine, or
connects to another one on behalf of who asks. No row is changed, and of no definition more than who owns it or may run
it.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql

NOBODY = "restorecheck_nobody"
"""Who owns afterwards what ran with the rights of a superuser."""

_STRONG = """
    SELECT oid FROM pg_roles r WHERE r.rolsuper OR EXISTS (
        SELECT FROM pg_roles s WHERE pg_has_role(r.oid, s.oid, 'MEMBER')
        AND s.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
"""
_DEFINERS = f"""
    SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.prosecdef AND p.oid >= 16384 AND p.proowner IN ({_STRONG})
"""  # noqa: S608 - our own constant
_ROLES = "SELECT rolname FROM pg_roles WHERE rolname <> current_user AND (rolsuper OR rolreplication)"

_UNTRUSTED = """
    SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE NOT l.lanpltrusted AND p.oid >= 16384 AND p.prokind <> 'a'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                        AND d.deptype = 'e')
"""
"""Functions in languages that only superusers may write in, but for those of extensions."""

_OPENED = """
    SELECT p.oid::regprocedure::text FROM pg_proc p
    JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.objsubid = 0
    WHERE NOT EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee = 0)
        AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
"""
"""Functions that PostgreSQL, or an extension, kept from the public, and that the dump opened to it."""

_WRAPPERS = "SELECT fdwname FROM pg_foreign_data_wrapper WHERE fdwhandler <> 0"


def disarm(connection: psycopg.Connection[Any]) -> None:
    """Make what is in this session's database harmless; the session is the superuser's. Raises psycopg.Error.

    Foreign tables cannot be read afterwards: one of file_fdw may run a program.
    """
    connection.execute("BEGIN READ WRITE")
    connection.execute("SET LOCAL search_path = pg_catalog")
    connection.execute("SET LOCAL session_replication_role = replica")  # no trigger of the dump hears of this
    connection.execute("SAVEPOINT role")
    try:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(NOBODY)))
    except errors.DuplicateObject:  # of an earlier attempt
        connection.execute("ROLLBACK TO SAVEPOINT role")
    for routine in _column(connection, _DEFINERS):
        connection.execute(sql.SQL("ALTER ROUTINE {} OWNER TO {}").format(sql.SQL(routine), sql.Identifier(NOBODY)))
    for routine in (*_column(connection, _UNTRUSTED), *_column(connection, _OPENED)):
        connection.execute(sql.SQL("REVOKE EXECUTE ON ROUTINE {} FROM PUBLIC").format(sql.SQL(routine)))
    for wrapper in _column(connection, _WRAPPERS):
        connection.execute(sql.SQL("ALTER FOREIGN DATA WRAPPER {} NO HANDLER").format(sql.Identifier(wrapper)))
    for role in _column(connection, _ROLES):
        connection.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER NOREPLICATION").format(sql.Identifier(role)))
    connection.execute("COMMIT")


def _column(connection: psycopg.Connection[Any], query: str) -> list[str]:
    return [value for (value,) in connection.execute(query.encode()).fetchall()]
