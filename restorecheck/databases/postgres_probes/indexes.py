"""The probe `indexes`: indexes that PostgreSQL does not use, or that lack a part. It reads the catalogue only.

A partitioned index whose parts were never attached is restored without an error, and no query uses it, nor does it
keep anything unique.
"""

from __future__ import annotations

from typing import Any

import psycopg

from restorecheck.databases.postgres_probes import crew, inventory
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.inventory import shown
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.model import Examined, Flaw

_INDEXES = """
    SELECT n.nspname, c.relname, tn.nspname, t.relname, i.indisvalid, i.indisready, i.indislive,
        CASE WHEN c.relkind = 'I' THEN ARRAY(
            SELECT ARRAY[pn.nspname, p.relname]
            FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhrelid AND p.relkind IN ('r', 'p')
            JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
            WHERE h.inhparent = t.oid AND NOT h.inhdetachpending AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_inherits a JOIN pg_catalog.pg_index ai ON ai.indexrelid = a.inhrelid
                WHERE a.inhparent = c.oid AND ai.indrelid = p.oid)
            ORDER BY pn.nspname, p.relname
        ) END
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    WHERE i.indrelid = ANY (%s::pg_catalog.oid[]) ORDER BY n.nspname, c.relname
"""
"""Every index, and of a partitioned one the partitions without a part of it; a foreign table can have none."""


def look(sight: Sight) -> Examined:
    """Return the indexes that are not valid, ready and live, or to which parts are not attached.

    Raises GaveUpError, QueryError.
    """
    seen = inventory.taken(sight)
    oids = [table.oid for table in (*seen.tables, *seen.parents)]

    def read(connection: psycopg.Connection[Any]) -> list[Any]:
        return connection.execute(_INDEXES, (oids,)).fetchall()

    rows = crew.one(sight, "the list of indexes", read)
    flaws = [
        Flaw(shown(schema, name), message)
        for schema, name, table_schema, table, *state in rows
        if (message := _wrong(shown(table_schema, table), *state))
    ]
    return examined("index", len(rows), flaws, left_out=seen.left_out)


def _wrong(table: str, valid: bool, ready: bool, live: bool, lacking: list[list[str]] | None) -> str:
    """Return what is wrong with an index of `table`; empty if nothing is."""
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        return f"an index of {table}, to which no index of its partition {shown(*lacking[0])}{more} is attached"
    if not live:
        return f"an index of {table} that is being dropped: nothing uses it"
    if not ready:
        return f"an index of {table} that is not ready: rows are inserted without it"
    return "" if valid else f"an index of {table} that is not valid: no query uses it"
