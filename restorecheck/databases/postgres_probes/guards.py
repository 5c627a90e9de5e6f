"""Which tables row security is on, and how all of their rows are read all the same. Reads the catalogue only.

What a policy hides must be read or owed: a count of the rows that one role may see would be a count of something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_prober import SCHEMA
from restorecheck.databases.postgres_role import view_name

FORCED = "row security is forced on it: nobody here may read all of it"
NOBODY = "row security is on it: nobody here may read all of it"

_GUARDED = """
    SELECT c.oid, c.relforcerowsecurity, COALESCE(d.rolbypassrls, false),
        COALESCE(pg_catalog.pg_has_role(d.oid, c.relowner, 'USAGE'), false)
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_roles d ON d.rolname = %s
    WHERE c.relrowsecurity AND c.relkind IN ('r', 'p')
"""
"""As `check_enable_rls` has it: BYPASSRLS, or the rights of the owner if row security is not forced on that one too."""

_VIEWS = """
    SELECT v.relname FROM pg_catalog.pg_class v JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
    WHERE n.nspname = %s AND v.relkind = 'v'
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """Row security is on a table: only the deputy may read all of its rows, if anybody may."""

    closed: str = ""  # why nobody may: one sentence
    view: str = ""  # in the schema of probes: the deputy must read through it


def guards(connection: psycopg.Connection[Any], deputy: Login | None) -> Mapping[int, Guard]:
    """Return what guards each table that row security is on, by its oid. Raises psycopg.Error."""
    rows = connection.execute(_GUARDED, (deputy.user if deputy else None,)).fetchall()
    if not rows:
        return {}
    views = {name for (name,) in connection.execute(_VIEWS, (SCHEMA,)).fetchall()}
    return {oid: _guard(view_name(deputy.user, oid) if deputy else "", views, *how) for oid, *how in rows}


def _guard(view: str, views: set[str], forced: bool, bypassed: bool, owned: bool) -> Guard:
    if bypassed:
        return Guard()
    if forced:
        return Guard(FORCED)
    if owned:
        return Guard()
    return Guard(view=view) if view in views else Guard(NOBODY)


def rows_of(schema: str, name: str, guard: Guard | None, *, partitioned: bool = False) -> sql.Composed:
    """Return what stands behind FROM for a table's own rows, or for those of all its partitions."""
    if guard is not None and guard.view:
        return sql.Composed([sql.Identifier(SCHEMA, guard.view)])
    return sql.SQL("{}{}").format(sql.SQL("" if partitioned else "ONLY "), sql.Identifier(schema, name))
