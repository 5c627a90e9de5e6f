"""The probe `constraints`: constraints that do not hold for every row, and materialized views that were never filled.

It reads the catalogue only: that a validated constraint does hold is PostgreSQL's word, and `foreign_keys` counts.
"""

from __future__ import annotations

from typing import Any

import psycopg

from restorecheck.databases.postgres_probes import crew, inventory
from restorecheck.databases.postgres_probes.catalogue import OF_USERS, examined, no_member
from restorecheck.databases.postgres_probes.inventory import chosen, shown
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.model import Examined, Flaw

_OF_TABLES = """
    SELECT n.nspname, c.relname, k.conname, k.convalidated,
        COALESCE((pg_catalog.to_jsonb(k) ->> 'conenforced')::pg_catalog.bool, true)
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.conrelid = ANY (%s::pg_catalog.oid[]) AND k.contype IN ('c', 'f', 'n', 'p', 'u', 'x')
        AND (k.contype <> 'f' OR k.conparentid = 0)
    ORDER BY n.nspname, c.relname, k.conname
"""
"""From PostgreSQL 18 on, a constraint may be NOT ENFORCED, and NOT NULL is one."""

_OF_DOMAINS = f"""
    SELECT n.nspname, t.typname, k.conname, k.convalidated, true
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE {OF_USERS} AND {no_member("pg_type", "t.oid")} ORDER BY n.nspname, t.typname, k.conname
"""  # noqa: S608 - of our own constants

_VIEWS = f"""
    SELECT n.nspname, c.relname, c.relispopulated
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND {OF_USERS} AND {no_member("pg_class", "c.oid")} ORDER BY n.nspname, c.relname
"""  # noqa: S608 - of our own constants


def look(sight: Sight) -> Examined:
    """Return the constraints that are not validated or not enforced, and the views that hold nothing.

    Raises GaveUpError, QueryError.
    """
    seen = inventory.taken(sight)
    oids = [table.oid for table in (*seen.tables, *seen.parents)]

    def read(connection: psycopg.Connection[Any]) -> tuple[list[Any], list[Any]]:
        of_tables = connection.execute(_OF_TABLES, (oids,)).fetchall()
        of_domains = connection.execute(_OF_DOMAINS).fetchall()
        views = connection.execute(_VIEWS).fetchall()
        wanted = [row for row in of_domains if chosen(sight.probe, {shown(*row[:2])})]
        return of_tables + wanted, [row for row in views if chosen(sight.probe, {shown(*row[:2])})]

    constraints, views = crew.one(sight, "the list of constraints", read)
    flaws = [
        Flaw(f"{shown(schema, name)}.{constraint}", message)
        for schema, name, constraint, validated, enforced in constraints
        if (message := _wrong(validated, enforced))
    ]
    flaws += [
        Flaw(shown(schema, name), "a materialized view that was never filled: it cannot be queried")
        for schema, name, filled in views
        if not filled
    ]
    return examined("constraint", len(constraints) + len(views), flaws, left_out=seen.left_out)


def _wrong(validated: bool, enforced: bool) -> str:
    if not enforced:
        return "it is NOT ENFORCED: rows may break it"
    return "" if validated else "it is NOT VALID: it was never checked on the rows that were there"
