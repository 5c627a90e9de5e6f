"""Where the functions of an extension are in a restored database, and why they are not there if they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight
from restorecheck.errors import QueryError

_FUNCTIONS = """
    SELECT n.nspname, p.proname, p.pronargs::int4,
        has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(n.oid, 'USAGE'), e.extversion
    FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        AND d.classid = 'pg_proc'::regclass
    JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    WHERE e.extname = %s AND l.lanname = 'c' AND NOT p.prosecdef
"""
"""`pronargs` counts what a call gives, not what it returns."""

_ABSENT = """
    SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = %s),
        EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D' AND evtevent LIKE 'ddl%%'),
        current_database()
"""


@dataclass(frozen=True, slots=True)
class Functions:
    """What an extension brought that the prober may run: by its name, each number of arguments and where it is."""

    version: str
    known: dict[tuple[str, int], sql.Identifier]

    def of(self, name: str, *arguments: int) -> tuple[sql.Identifier, int] | None:
        """Return the first of these that is there, and how many arguments it takes."""
        for count in arguments:
            if (found := self.known.get((name, count))) is not None:
                return found, count
        return None


def functions(sight: Sight, extension: str) -> Functions:
    """Return the functions of an extension. Raises GaveUpError `could-not-look` if there are none, QueryError."""
    try:
        return crew.one(
            sight, f"the extension {extension}", lambda connection: _found(connection, extension), as_prober=True
        )
    except QueryError as e:
        if e.kind != "login-failed":
            raise
        raise GaveUpError("could-not-look", f"the role that runs {extension} could not log in: {e.message}") from None


def _found(connection: psycopg.Connection[Any], extension: str) -> Functions:
    rows = connection.execute(_FUNCTIONS, (extension,)).fetchall()
    if not rows:
        raise GaveUpError("could-not-look", _why_absent(connection, extension))
    known = {(name, count): sql.Identifier(schema, name) for schema, name, count, allowed, _ in rows if allowed}
    if not known:
        raise GaveUpError(
            "could-not-look", f"{extension} is there, but the master user may not let another role run its functions"
        )
    return Functions(rows[0][4], known)


def _why_absent(connection: psycopg.Connection[Any], extension: str) -> str:
    row = connection.execute(_ABSENT, (extension,)).fetchone()
    available, triggered, database = row or (False, False, "")
    if not available:
        return f"{extension} is not available on this server"
    if triggered:
        return (
            f"{extension} is not in {database}, and was not created there: an event trigger of the database "
            "would have run with the master user's rights"
        )
    return f"{extension} is not in {database}, and the master user could not create it there"
