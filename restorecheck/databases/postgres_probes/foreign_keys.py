"""The probe `foreign_keys`: rows that reference nothing, counted by reading both tables and none of their indexes.

As PostgreSQL itself would plan it, an anti-join reads two indexes and passes on tables whose rows are gone. Equality is
that of the foreign key's own operators. What is counted leaves the server, and no value does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes import crew, inventory
from restorecheck.databases.postgres_probes.catalogue import examined, sorted_out
from restorecheck.databases.postgres_probes.guards import Guard, guards, rows_of
from restorecheck.databases.postgres_probes.inventory import Table, shown
from restorecheck.databases.postgres_probes.sight import Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

_KEYS = """
    SELECT k.oid, k.conname, k.conrelid, n.nspname, c.relname, r.oid, rn.nspname, r.relname, r.relkind,
        pg_catalog.pg_relation_size(r.oid), k.confmatchtype = 'f', k.convalidated,
        COALESCE((pg_catalog.to_jsonb(k) ->> 'conenforced')::pg_catalog.bool, true),
        COALESCE((pg_catalog.to_jsonb(k) ->> 'conperiod')::pg_catalog.bool, false)
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY (%s::pg_catalog.oid[])
    ORDER BY n.nspname, c.relname, k.conname
"""
"""Foreign keys as they were declared; the copies that partitions have of them (conparentid) say nothing more."""

_COLUMNS = """
    SELECT k.oid, fa.attname, ra.attname, opn.nspname, o.oprname, ltn.nspname, lt.typname,
        ra.atttypid <> o.oprleft AND lt.typtype <> 'p',
        rtn.nspname, rt.typname,
        fa.atttypid <> o.oprright AND rt.typtype <> 'p',
        CASE WHEN fa.attcollation <> ra.attcollation THEN ln.nspname END, l.collname
    FROM pg_catalog.pg_constraint k
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey),
        pg_catalog.unnest(k.conpfeqop)) WITH ORDINALITY u(own, other, operator, place)
    JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.conrelid AND fa.attnum = u.own
    JOIN pg_catalog.pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = u.other
    JOIN pg_catalog.pg_operator o ON o.oid = u.operator
    JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
    JOIN pg_catalog.pg_type lt ON lt.oid = o.oprleft JOIN pg_catalog.pg_namespace ltn ON ltn.oid = lt.typnamespace
    JOIN pg_catalog.pg_type rt ON rt.oid = o.oprright JOIN pg_catalog.pg_namespace rtn ON rtn.oid = rt.typnamespace
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = ra.attcollation
    LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    WHERE k.oid = ANY (%s::pg_catalog.oid[]) ORDER BY k.oid, u.place
"""
"""Each pair of columns, with the operator `referenced = referencing`, the types it takes, and the collation that
decides: that of the referenced column, as ri_triggers.c has it."""

_PLAN = """
    SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL enable_nestloop = off; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
    SET LOCAL enable_mergejoin = on; SET LOCAL enable_sort = on; SET LOCAL work_mem = '64MB';
    SET LOCAL max_parallel_workers_per_gather = 2
"""
"""One key is often most of the work, and cannot be cut into tasks: so the server may use workers for it."""

_COUNT = """
    SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {whole} AND r.tableoid IS NULL),
        pg_catalog.count(*) FILTER (WHERE NOT ({whole}) AND NOT ({empty}))
    FROM {table} AS f LEFT JOIN {referenced} AS r ON {equal}
"""
"""`r.tableoid` is NULL exactly where no row was found."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """One referencing and one referenced column, and how they are compared."""

    own: str
    other: str
    operator: tuple[str, str]
    left: tuple[str, str] | None  # the type that the referenced column must be cast to
    right: tuple[str, str] | None
    collation: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class _Key:
    """One foreign key."""

    oid: int
    name: str
    relation: int
    table: tuple[str, str]  # schema, name
    other: int
    referenced: tuple[str, str, str]  # schema, name, relkind
    size: int  # of the referenced table, in bytes
    full: bool  # MATCH FULL: all columns are null, or none
    validated: bool
    enforced: bool
    period: bool

    @property
    def shown(self) -> str:
        return f"{shown(*self.table)}.{self.name}"


_Counts = tuple[int, int, int]
"""Rows, rows that reference nothing, rows whose key is partly null."""


def look(sight: Sight) -> Examined:
    """Return how many rows of each foreign key reference nothing. Every such row is one violation.

    Raises GaveUpError, QueryError.
    """
    seen = inventory.taken(sight)
    tables = {table.oid: table for table in (*seen.tables, *seen.parents)}
    keys, pairs, guarded = crew.one(
        sight,
        "the list of foreign keys",
        lambda connection: (*_listed(connection, list(tables)), guards(connection, sight.deputy)),
    )
    limits = [Unseen(key.shown, reason, owed=False) for key in keys if (reason := _out_of_reach(key))]
    within = [key for key in keys if not _out_of_reach(key)]
    done = crew.run(sight, [_task(key, pairs[key.oid], tables[key.relation], guarded.get(key.other)) for key in within])
    counted, flaws, unseen = sorted_out(within, done)
    count = len(counted) + len(flaws)
    flawed, rows = len(flaws), 0
    for key, counts in counted:
        violations, found = _judged(key, counts)
        flaws += found
        flawed += violations
        rows += counts[0]
    return examined(
        "foreign key",
        count,
        flaws,
        unseen + limits,
        flawed=flawed,
        left_out=seen.left_out,
        rows=rows,
        remarks=seen.remarks,
    )


def _listed(connection: psycopg.Connection[Any], oids: list[int]) -> tuple[list[_Key], dict[int, list[_Pair]]]:
    keys = [
        _Key(row[0], row[1], row[2], row[3:5], row[5], row[6:9], *row[9:])
        for row in connection.execute(_KEYS, (oids,)).fetchall()
    ]
    pairs: dict[int, list[_Pair]] = {key.oid: [] for key in keys}
    for row in connection.execute(_COLUMNS, ([key.oid for key in keys],)).fetchall():
        oid, own, other, *rest = row
        pairs[oid].append(_pair(own, other, rest))
    return keys, pairs


def _pair(own: str, other: str, rest: Sequence[Any]) -> _Pair:
    op_schema, op_name, left_schema, left, cast_left, right_schema, right, cast_right, coll_schema, collation = rest
    return _Pair(
        own,
        other,
        (op_schema, op_name),
        (left_schema, left) if cast_left else None,
        (right_schema, right) if cast_right else None,
        (coll_schema, collation) if coll_schema is not None else None,
    )


def _out_of_reach(key: _Key) -> str:
    """Return why a key is not looked at; empty if it is."""
    if key.period:
        return "a key over a period of time: how it is compared is not known here"
    return "" if key.enforced else "it is declared NOT ENFORCED: its rows may reference nothing"


def _task(key: _Key, pairs: Sequence[_Pair], table: Table, other: Guard | None) -> Task[_Counts]:
    """Return what counts the rows that break a key; `other` guards the table that it references."""
    schema, name, kind = key.referenced
    query = _query(pairs, table.rows, rows_of(schema, name, other, partitioned=kind == "p"))
    closed = table.closed or (f"{shown(schema, name)}: {other.closed}" if other and other.closed else "")

    def run(connection: psycopg.Connection[Any]) -> _Counts:
        connection.execute(_PLAN)
        rows, orphans, partly = connection.execute(query).fetchall()[0]
        return rows, orphans, partly

    guarded = table.guard is not None or other is not None
    return Task(key.shown, run, weight=max(table.bytes + key.size, 1), as_deputy=guarded, closed=closed)


def _query(pairs: Sequence[_Pair], table: sql.Composed, referenced: sql.Composed) -> sql.Composed:
    # IS DISTINCT FROM NULL asks whether the value is null; IS NULL would also be true of a composite of nulls
    own = [sql.SQL("f.{}").format(sql.Identifier(pair.own)) for pair in pairs]
    return sql.SQL(_COUNT).format(
        whole=sql.SQL(" AND ").join(sql.SQL("({} IS DISTINCT FROM NULL)").format(column) for column in own),
        empty=sql.SQL(" AND ").join(sql.SQL("({} IS NOT DISTINCT FROM NULL)").format(column) for column in own),
        table=table,
        referenced=referenced,
        equal=sql.SQL(" AND ").join(_equal(pair) for pair in pairs),
    )


def _equal(pair: _Pair) -> sql.Composed:
    collate = sql.SQL(" COLLATE {}").format(sql.Identifier(*pair.collation)) if pair.collation else sql.SQL("")
    return sql.SQL("r.{}{} OPERATOR({}.{}) f.{}{}{}").format(
        sql.Identifier(pair.other),
        _cast(pair.left),
        sql.Identifier(pair.operator[0]),
        sql.SQL(pair.operator[1]),  # PostgreSQL allows only +-*/<>=~!@#%^&|`? in it
        sql.Identifier(pair.own),
        _cast(pair.right),
        collate,
    )


def _cast(to: tuple[str, str] | None) -> sql.Composable:
    return sql.SQL("::{}").format(sql.Identifier(*to)) if to else sql.SQL("")


def _judged(key: _Key, counts: _Counts) -> tuple[int, list[Flaw]]:
    """Return how many rows break the key, and what is to be told of them."""
    rows, orphans, partly = counts
    flaws = []
    if orphans:
        declared = "" if key.validated else " (the key is declared NOT VALID)"
        told = f"{orphans:,} of {rows:,} rows reference nothing in {shown(*key.referenced[:2])}{declared}"
        flaws.append(Flaw(key.shown, told))
    if key.full and partly:
        flaws.append(Flaw(key.shown, f"{partly:,} of {rows:,} rows hold a part of the key only, which is MATCH FULL"))
    return orphans + (partly if key.full else 0), flaws
