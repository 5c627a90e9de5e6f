"""What the physical probes of PostgreSQL need in a restored database: their extensions, and a role that may run them.

All of it is made by the master user before anything is asked, and is dropped with the copy. No function that came with
the backup may run with the master's rights here: where an event trigger would fire and cannot be kept from it, nothing
is made. Whatever cannot be made is left away in silence; the probe finds that out, and says that it could not look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_role import let_in, make_role

SCHEMA = "restorecheck_probes"
"""Where extensions are made, if the backup did not bring them along."""

KNOWN = ("amcheck", "pg_visibility")
"""The only extensions that are ever made."""

_STRANGE = """
    SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
        OR r.rolconfig IS NOT NULL
        OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid <> 'pg_stat_scan_tables'::regrole)
        OR EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
                   AND d.classid <> 'pg_auth_members'::regclass
                   AND NOT (d.deptype = 'a' AND d.classid IN ('pg_database'::regclass, 'pg_namespace'::regclass,
                                                              'pg_proc'::regclass)))
    FROM pg_roles r WHERE r.rolname = {}
"""
"""Whether a role is anything that a prober is not: privileged, configured, a member of others, an owner, a reader."""

_CLOSED = "SELECT NOT has_database_privilege({}, current_database(), 'CONNECT')"

_TRIGGERS = """
    SELECT EXISTS (SELECT FROM pg_event_trigger
                   WHERE evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop')
                   AND evtenabled = ANY ({}::"char"[]))
"""

_SCHEMA_FOUND = """
    SELECT n.nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
        AND NOT EXISTS (SELECT FROM aclexplode(n.nspacl) a
                        WHERE a.grantee <> n.nspowner AND a.privilege_type <> 'USAGE')
        AND NOT EXISTS (SELECT FROM {} c WHERE c.of = n.oid AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = c.class AND d.objid = c.oid AND d.deptype = 'e'))
    FROM pg_namespace n WHERE n.nspname = {}
"""
_HELD = """
    (SELECT 'pg_class'::regclass AS class, oid, relnamespace AS of FROM pg_class
     UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
     UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator)
"""
"""What could be called in place of something of PostgreSQL's own while an extension is made."""

_EXTENSION = """
    SELECT e.oid, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = {}
"""

_FUNCTIONS = """
    SELECT n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)
    FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND d.refobjid = {} AND l.lanname = 'c' AND NOT p.prosecdef
        AND NOT has_function_privilege({}, p.oid, 'EXECUTE')
"""
"""Those of an extension that the prober may not run yet; their signatures differ from version to version."""

_USABLE = "SELECT has_schema_privilege({}, {}, 'USAGE')"


def make_prober(connection: psycopg.Connection[Any], prober: Login) -> None:
    """Make the role `prober.user`, or adopt it if it is what an earlier attempt made: it may log in, and no more.

    Raises QueryError `taken`, psycopg.Error.
    """
    connection.execute("BEGIN READ WRITE")
    make_role(connection, prober, sql.SQL(_STRANGE), "it may do more than look at structures")
    connection.execute("COMMIT")


def equip(connection: psycopg.Connection[Any], extensions: Sequence[str], prober: str) -> None:
    """Make the extensions in this session's database, as far as possible, and let the prober run their functions.

    The session's `search_path` must be pg_catalog. An extension that is there already is used where it is. What the
    server refuses is passed over. Raises psycopg.Error for a session that is lost.
    """
    role = sql.Identifier(prober)
    connection.execute("BEGIN READ WRITE")
    if undisturbed(connection):
        if _one(connection, sql.SQL(_CLOSED).format(sql.Literal(prober))):
            let_in(connection, connection.info.dbname, role)
        for extension in extensions:
            if extension in KNOWN:
                with if_allowed(connection):
                    _make(connection, extension)
                _permit(connection, extension, prober)
    connection.execute("COMMIT")


def undisturbed(connection: psycopg.Connection[Any]) -> bool:
    """Say whether nothing of the backup runs when we make something, after switching off what can be switched off."""
    if not _would_fire(connection, "{O,A}"):
        return True
    if connection.info.server_version >= 170_000 and _set(connection, "event_triggers = off"):
        return True
    return _set(connection, "session_replication_role = replica") and not _would_fire(connection, "{R,A}")


def _set(connection: psycopg.Connection[Any], setting: LiteralString) -> bool:
    """Set something for this transaction, and say whether that was allowed."""
    done = []
    with if_allowed(connection):
        connection.execute(sql.SQL("SET LOCAL {}").format(sql.SQL(setting)))
        done.append(setting)
    return bool(done)


def _would_fire(connection: psycopg.Connection[Any], enabled: str) -> bool:
    """Say whether event triggers that are enabled in one of these ways fire when something is made."""
    return _one(connection, sql.SQL(_TRIGGERS).format(sql.Literal(enabled))) is not False


def _make(connection: psycopg.Connection[Any], extension: str) -> None:
    if connection.execute(sql.SQL(_EXTENSION).format(sql.Literal(extension))).fetchone():
        return
    schema = sql.Identifier(SCHEMA)
    ours = _one(connection, sql.SQL(_SCHEMA_FOUND).format(sql.SQL(_HELD), sql.Literal(SCHEMA)))
    if ours is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    elif not ours:
        return  # somebody else's, with things in it that the extension's script could meet
    connection.execute(sql.SQL("CREATE EXTENSION {} SCHEMA {}").format(sql.Identifier(extension), schema))


def _permit(connection: psycopg.Connection[Any], extension: str, prober: str) -> None:
    """Let the prober run what the extension brings along: by each function, or by the role that may run them all."""
    role, name = sql.Identifier(prober), sql.Literal(prober)
    found = connection.execute(sql.SQL(_EXTENSION).format(sql.Literal(extension))).fetchone()
    if found is None:
        return
    oid, schema = found
    if not _one(connection, sql.SQL(_USABLE).format(name, sql.Literal(schema))):
        with if_allowed(connection):
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), role))
    wanted = sql.SQL(_FUNCTIONS).format(sql.Literal(oid), name)
    for place, function, arguments in connection.execute(wanted).fetchall():
        with if_allowed(connection):
            connection.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {}({}) TO {}").format(
                    sql.Identifier(place, function), sql.SQL(arguments), role
                )
            )
    if extension == "pg_visibility" and connection.execute(wanted).fetchone():
        with if_allowed(connection):  # the extension lets this role run what looks, and nothing that changes
            connection.execute(sql.SQL("GRANT pg_stat_scan_tables TO {}").format(role))


@contextmanager
def if_allowed(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Pass over what the server refuses inside; the transaction goes on as it was before. A lost session is raised."""
    connection.execute("SAVEPOINT tried")
    try:
        yield
    except psycopg.Error as e:
        if e.sqlstate is None or connection.closed:
            raise
        connection.execute("ROLLBACK TO SAVEPOINT tried")
        if isinstance(e, errors.LockNotAvailable | errors.QueryCanceled):
            raise  # another attempt may get further
    else:
        connection.execute("RELEASE SAVEPOINT tried")


def _one(connection: psycopg.Connection[Any], query: sql.Composed) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
