"""Which B-tree indexes there are on some tables, and by what order each can be asked for. Reads the catalogue only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes.inventory import shown
from restorecheck.databases.postgres_probes.key_hash import Key

_INDEXES = """
    SELECT i.indexrelid, i.indrelid, n.nspname, c.relname, a.amname,
        i.indisvalid AND i.indisready AND i.indislive, i.indexprs IS NOT NULL,
        pg_catalog.pg_get_expr(i.indpred, i.indrelid), pg_catalog.pg_relation_size(c.oid, 'main')::int8,
        EXISTS (
            SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE c.relkind = 'i' AND i.indrelid = ANY (%s::oid[])
    ORDER BY i.indexrelid
"""
"""The last column: whether it depends on functions or operators that did not come with the server."""

_COLUMNS = """
    WITH RECURSIVE base AS (
        SELECT t.oid, t.oid AS base, t.typtype, t.typbasetype FROM pg_catalog.pg_type t
        UNION ALL
        SELECT b.oid, t.oid, t.typtype, t.typbasetype
        FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
    )
    SELECT i.indexrelid, a.attname, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,
        k.place > i.indnkeyatts, son.nspname, so.oprname, ln.nspname, l.collname,
        (i.indoption::int2[])[k.place - 1] & 2 <> 0, COALESCE(l.collisdeterministic, true)
    FROM pg_catalog.pg_index i
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    JOIN base b ON b.oid = a.atttypid AND b.typtype <> 'd'
    JOIN pg_catalog.pg_type t ON t.oid = b.base
    LEFT JOIN pg_catalog.pg_opclass o ON o.oid = (i.indclass::oid[])[k.place - 1]
    LEFT JOIN pg_catalog.pg_amop s ON s.amopfamily = o.opcfamily AND s.amoplefttype = o.opcintype
        AND s.amoprighttype = o.opcintype AND s.amoppurpose = 's'
        AND s.amopstrategy = CASE WHEN (i.indoption::int2[])[k.place - 1] & 1 <> 0 THEN 5 ELSE 1 END
    LEFT JOIN pg_catalog.pg_operator so ON so.oid = s.amopopr
    LEFT JOIN pg_catalog.pg_namespace son ON son.oid = so.oprnamespace
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = (i.indcollation::oid[])[k.place - 1]
    LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    WHERE i.indexrelid = ANY (%s::oid[])
    ORDER BY i.indexrelid, k.place
"""
"""Strategy 1 of a B-tree is less than, 5 is greater than; bit 1 of an option is DESC, bit 2 is NULLS FIRST. The arrays
of pg_index begin at 0."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """One B-tree index, as far as a reader can ask for it."""

    oid: int
    table: int
    name: str
    shown: str
    bytes: int
    keys: tuple[Key, ...]  # all of its columns, those that are only included too
    order: tuple[sql.Composed, ...]  # what stands behind ORDER BY
    predicate: str = ""  # as PostgreSQL writes it, every name that is not the server's own qualified


@dataclass(frozen=True, slots=True)
class Other:
    """An index that cannot be asked for in this way, and why."""

    table: int
    shown: str
    reason: str


def indexes(connection: psycopg.Connection[Any], tables: Sequence[int]) -> list[Sorted | Other]:
    """Return all indexes on these tables. `search_path` must be pg_catalog. Raises psycopg.Error."""
    rows = connection.execute(_INDEXES, (list(tables),)).fetchall()
    columns: dict[int, list[Any]] = {}
    for oid, *rest in connection.execute(_COLUMNS, ([row[0] for row in rows],)).fetchall():
        columns.setdefault(oid, []).append(rest)
    return [_index(row, columns.get(row[0], [])) for row in rows]


def _index(row: Sequence[Any], columns: Sequence[Sequence[Any]]) -> Sorted | Other:
    oid, table, schema, name, method, valid, expressions, predicate, size, calls = row
    called = shown(schema, name)
    if not valid:
        return Other(table, called, "the index is not valid, and nobody reads it")
    if method != "btree":
        return Other(table, called, f"an index of kind {method} cannot be counted")
    if expressions:
        return Other(table, called, "an index on an expression cannot be counted")
    if predicate and calls:  # under our search_path such a function may not find what it calls
        return Other(table, called, "its predicate calls functions that did not come with the server")
    if any(operator is None and not included for _, _, included, _, operator, *_ in columns):
        return Other(table, called, "its order has no operator")
    keys = tuple(Key(column, base) for column, base, *_ in columns)
    order = tuple(_order(column) for column in columns if not column[2])
    return Sorted(oid, table, name, called, size, keys, order, predicate or "")


def _order(column: Sequence[Any]) -> sql.Composed:
    name, _, _, operator_schema, operator, collation_schema, collation, nulls_first, _ = column
    collate = sql.SQL(" COLLATE {}").format(sql.Identifier(collation_schema, collation)) if collation else sql.SQL("")
    return sql.SQL("{}{} USING OPERATOR({}.{}) NULLS {}").format(
        sql.Identifier(name),
        collate,
        sql.Identifier(operator_schema),
        sql.SQL(operator),  # made of operator characters only: the server takes no others
        sql.SQL("FIRST" if nulls_first else "LAST"),
    )
