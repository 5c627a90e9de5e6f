"""The files behind tables: heaps, TOAST tables and indexes, also those of the catalogue. Reads the catalogue only.

Whether an index runs code that came with the database is decided here: the functions of amcheck work with the rights
of a table's owner, who may be anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from restorecheck.databases.postgres_probes.inventory import shown

_HEAPS = """
    SELECT c.oid, n.nspname, c.relname, o.oid, o.nspname, o.relname, COALESCE(a.amname, ''),
        pg_catalog.pg_relation_size(c.oid, 'main')::int8, c.relisshared,
        COALESCE(o.system, n.nspname IN ('pg_catalog', 'information_schema'))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
    LEFT JOIN (
        SELECT t.reltoastrelid, t.oid, m.nspname, t.relname,
            m.nspname IN ('pg_catalog', 'information_schema') AS system
        FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace m ON m.oid = t.relnamespace
        WHERE t.reltoastrelid <> 0
    ) o ON o.reltoastrelid = c.oid
    WHERE c.relkind IN ('r', 'm', 't') AND (
        COALESCE(o.oid, c.oid) = ANY (%(tables)s::oid[])
        OR %(system)s AND COALESCE(o.system, n.nspname IN ('pg_catalog', 'information_schema')))
    ORDER BY c.oid
"""

_INDEXES = """
    SELECT i.indexrelid, i.indrelid, n.nspname, c.relname, a.amname,
        i.indisunique AND EXISTS (
            SELECT FROM pg_catalog.unnest(i.indcollation) AS sorting(oid)
            WHERE sorting.oid NOT IN (0, '"C"'::regcollation, '"POSIX"'::regcollation)),
        i.indisvalid AND i.indisready AND i.indislive, pg_catalog.pg_relation_size(c.oid, 'main')::int8,
        EXISTS (
            SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                AND (d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
                     OR d.refclassid = 'pg_catalog.pg_type'::regclass AND EXISTS (
                        SELECT FROM pg_catalog.pg_type t WHERE t.oid = d.refobjid AND t.typtype = 'd'))
                AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_depend e
                    WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')),
        EXISTS (
            SELECT FROM pg_catalog.pg_opclass k JOIN pg_catalog.pg_amproc p ON p.amprocfamily = k.opcfamily
            WHERE k.oid = ANY (i.indclass::oid[]) AND p.amproc::oid >= 16384
                AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.amproc::oid
                        AND e.deptype = 'e'))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE c.relkind = 'i' AND i.indrelid = ANY (%s::oid[])
    ORDER BY i.indexrelid
"""
"""16384 is the first OID of what was not there when the cluster was made."""


@dataclass(frozen=True, slots=True)
class Heap:
    """One table's own file, or that of its long values."""

    oid: int
    shown: str  # `public.orders`, `public.orders (TOAST)`
    names: tuple[str, ...]  # that errors may have for it
    method: str  # of access: heap, or what an extension brought
    bytes: int
    shared: bool  # by all databases of the server
    system: bool  # of the catalogue


@dataclass(frozen=True, slots=True)
class Index:
    """One index."""

    oid: int
    heap: Heap
    shown: str
    names: tuple[str, ...]
    method: str  # of access: btree, gin, …
    doubtful: bool  # unique, in the order of a collation: with another one, equal keys lie apart unseen
    valid: bool
    bytes: int
    own_expressions: bool  # its expressions or its predicate use functions, operators or domains of the database
    own_operators: bool  # it is sorted by functions of the database


def relations(
    connection: psycopg.Connection[Any], tables: Sequence[int], *, system: bool
) -> tuple[list[Heap], list[Index]]:
    """Return the heaps of these tables with their TOAST tables, and all indexes on both; `system`: the catalogue's too.

    `search_path` must be pg_catalog. Raises psycopg.Error.
    """
    rows = connection.execute(_HEAPS, {"tables": list(tables), "system": system}).fetchall()
    heaps = {row[0]: _heap(row) for row in rows}
    found = connection.execute(_INDEXES, (list(heaps),)).fetchall()
    return list(heaps.values()), [_index(heaps[row[1]], row) for row in found]


def _heap(row: Sequence[Any]) -> Heap:
    oid, schema, name, owner, of_schema, of_name, method, size, shared, system = row
    if owner is None:
        return Heap(oid, shown(schema, name), (schema, name), method, size, shared, system)
    called = f"{shown(of_schema, of_name)} (TOAST)"
    return Heap(oid, called, (schema, name, of_schema, of_name), method, size, shared, system)


def _index(heap: Heap, row: Sequence[Any]) -> Index:
    oid, _, schema, name, method, doubtful, valid, size, expressions, operators = row
    called = f"{heap.shown}, its index" if "(TOAST)" in heap.shown else shown(schema, name)
    names = (schema, name, *heap.names)
    return Index(oid, heap, called, names, method, doubtful, valid, size, expressions, operators)
