"""The probe `roles`: whether the role that an application uses may log in, and read what it must.

A dump carries neither roles nor passwords, and often no grants: the data is all there, and the application stays out.
It reads the catalogue only; passwords are not readable, and are not tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import psycopg

from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.catalogue import OF_USERS, examined, no_member
from restorecheck.databases.postgres_probes.inventory import shown
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.model import Examined, Flaw

_ROLE = """
    SELECT r.oid, r.rolcanlogin, r.rolconnlimit = 0 AND NOT r.rolsuper,
        COALESCE(r.rolvaliduntil < pg_catalog.now(), false),
        pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT')
    FROM pg_catalog.pg_roles r WHERE r.rolname = %s::pg_catalog.text
"""

_TABLES = f"""
    SELECT n.nspname, c.relname, {no_member("pg_class", "c.oid")},
        pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'),
        pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT'),
        EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) a
            WHERE a.privilege_type = 'SELECT'
                AND CASE WHEN a.grantee = 0 THEN false ELSE pg_catalog.pg_has_role(r.oid, a.grantee, 'USAGE') END),
        c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
            AND NOT (pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p CROSS JOIN LATERAL pg_catalog.unnest(p.polroles) u(oid)
                WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', 'r')
                    AND CASE WHEN u.oid = 0 THEN true ELSE pg_catalog.pg_has_role(r.oid, u.oid, 'USAGE') END)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN pg_catalog.pg_roles r
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {OF_USERS} AND r.oid = %s::pg_catalog.oid
    ORDER BY n.nspname, c.relname
"""  # noqa: S608 - of our own constants
"""What the role may do with every table and view; the last column: row security is on, and no policy shows it a row."""

REMARK = "of roles, the catalogue was read: no password was tried"


@dataclass(frozen=True, slots=True)
class _Table:
    """A table or view, and what the role may do with it."""

    schema: str
    table: str
    of_users: bool  # it came with no extension
    usage: bool
    select: bool
    granted: bool  # by name, or to a role that it is a member of; not to everybody
    hidden: bool

    @property
    def shown(self) -> str:
        return shown(self.schema, self.table)


def look(sight: Sight) -> Examined:
    """Return what `role` may not do: log in, connect, and read every table that `required` names.

    Without `required`, it must be able to reach what it was granted, and to read at least one table. Raises
    GaveUpError, QueryError.
    """
    role = sight.probe.role

    def read(connection: psycopg.Connection[Any]) -> tuple[list[Any], list[_Table]]:
        found = connection.execute(_ROLE, (role,)).fetchall()
        if not found:
            return [], []
        return found, [_Table(*row) for row in connection.execute(_TABLES, (found[0][0],)).fetchall()]

    found, tables = crew.one(sight, "roles and privileges", read)
    if not found:
        return examined("privilege", 1, [Flaw(role, "there is no such role")], remarks=(REMARK,))
    flaws = [Flaw(role, message) for message in _entering(*found[0][1:])]
    if sight.probe.required:
        looked_at, more = _required(sight.probe.required, tables)
    else:
        looked_at, more = _granted(role, tables)
    return examined("privilege", 2 + looked_at, flaws + more, remarks=(REMARK,))


def _entering(can_login: bool, no_session: bool, expired: bool, connects: bool) -> list[str]:
    """Return why the role does not get in."""
    wrong = []
    if not can_login:
        wrong.append("it may not log in")
    if no_session:
        wrong.append("it may have no session at all (CONNECTION LIMIT 0)")
    if expired:
        wrong.append("its password has expired (VALID UNTIL)")
    if not connects:
        wrong.append("it may not connect to this database")
    return wrong


def _required(patterns: Sequence[str], tables: Sequence[_Table]) -> tuple[int, list[Flaw]]:
    """Return how many tables the patterns mean, and what keeps the role from reading each."""
    meant: dict[str, _Table] = {}
    lost = []
    for pattern in dict.fromkeys(patterns):
        found = {table.shown: table for table in tables if fnmatchcase(table.shown, pattern)}
        if not found:
            lost.append(Flaw(pattern, "it is required, and no table or view is called so"))
        meant |= found
    flaws = [Flaw(name, message) for name, table in meant.items() if (message := _hindered(table))]
    return len(meant) + len(lost), lost + flaws


def _hindered(table: _Table) -> str:
    if not table.usage:
        return f"the role has no USAGE on the schema {table.schema}"
    if not table.select:
        return "the role has no SELECT on it"
    return "row security hides every row of it from the role: no policy is for it" if table.hidden else ""


def _granted(role: str, tables: Sequence[_Table]) -> tuple[int, list[Flaw]]:
    """Return how many tables were granted to the role, and which of them it cannot reach."""
    own = [table for table in tables if table.of_users]
    granted = [table for table in own if table.granted]
    flaws = [
        Flaw(table.shown, f"SELECT was granted, but no USAGE on the schema {table.schema}")
        for table in granted
        if not table.usage
    ]
    if own and not any(table.usage and table.select for table in own):
        flaws.append(Flaw(role, "it may read no table at all"))
    return len(granted), flaws
