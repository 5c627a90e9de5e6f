"""Which relations of users a database holds, and which of them a probe is asked for. Reads the catalogue only.

Nothing is left out in silence: what has no rows here (foreign tables, views that were never filled) is told as unseen,
what the operator left out is counted, and a pattern that names nothing is an error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.guards import Guard, guards, rows_of
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight
from restorecheck.model import Probe, Unseen

LARGE_OBJECTS = "large objects"
"""How findings and patterns call what is in pg_largeobject."""

_RELATIONS = """
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispopulated, c.relispartition,
        CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid, 'main') ELSE 0 END,
        CASE WHEN c.reltoastrelid <> 0 THEN pg_catalog.pg_relation_size(c.reltoastrelid, 'main') ELSE 0 END,
        CASE WHEN c.relispartition THEN
            (SELECT min(i.inhparent) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) END,
        pg_catalog.current_setting('block_size')::pg_catalog.int4, own.ed AND c.relrowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
            AND d.deptype = 'e')) AS own(ed)
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'restorecheck_probes')
        AND n.nspname !~ '^pg_(temp|toast_temp)_'
        AND (NOT own.ed OR c.oid = ANY (SELECT pg_catalog.unnest(e.extconfig) FROM pg_catalog.pg_extension e))
    ORDER BY n.nspname, c.relname
"""
"""Left out are an extension's own tables, but for those that it declared to hold data of users, and the schema that
a run makes for the extensions of probes."""

_COLUMNS = """
    WITH RECURSIVE base AS (
        SELECT t.oid, t.oid AS base, t.typtype, t.typbasetype FROM pg_catalog.pg_type t
        UNION ALL
        SELECT b.oid, t.oid, t.typtype, t.typbasetype
        FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
    )
    SELECT a.attrelid, a.attname, a.attnum, a.atttypid, t.oid, t.typname, t.typtype, tn.nspname = 'pg_catalog',
        a.attgenerated, tn.nspname, fn.nspname, f.proname
    FROM pg_catalog.pg_attribute a
    JOIN base b ON b.oid = a.atttypid AND b.typtype <> 'd'
    JOIN pg_catalog.pg_type t ON t.oid = b.base
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
    JOIN pg_catalog.pg_proc f ON f.oid = t.typoutput
    JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
    WHERE a.attrelid = ANY (%s::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
"""


_LARGE_OBJECTS = """
    SELECT pg_catalog.pg_relation_size('pg_catalog.pg_largeobject'::pg_catalog.regclass, 'main'),
        pg_catalog.current_setting('block_size')::pg_catalog.int4
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is not dropped."""

    name: str
    number: int  # attnum
    type_oid: int  # as declared
    base_oid: int  # of a domain: the type below all domains; else the same
    base: str  # its name, such as `int4`; of no meaning without `built_in`
    typtype: str  # of the base type: b, c, e, r, m
    built_in: bool  # the base type is in pg_catalog
    generated: str = ""  # s: stored, v: virtual
    base_schema: str = "pg_catalog"  # of the base type
    output_schema: str = "pg_catalog"  # of the function that makes its text
    output: str = ""

    @property
    def is_domain(self) -> bool:
        """Whether the type as declared is a domain."""
        return self.type_oid != self.base_oid


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary table, a partition, a materialised view: with rows of its own. Or the parent of partitions."""

    oid: int
    schema: str
    name: str
    shown: str  # `schema.table`, as findings and patterns name it
    kind: str  # relkind: r, m; p for a parent of partitions
    persistence: str  # relpersistence: p, u
    pages: int  # of the heap, as long as its file is
    bytes: int  # of the heap
    toast_bytes: int
    columns: tuple[Column, ...] = ()
    parent: int | None = None  # of a partition: whose
    guard: Guard | None = None  # row security is on it: tasks that read its rows are the deputy's

    @property
    def rows(self) -> sql.Composed:
        """What stands behind FROM for its rows, or for those of its partitions."""
        return rows_of(self.schema, self.name, self.guard, partitioned=self.kind == "p")

    @property
    def closed(self) -> str:
        """Why nobody here may read all of its rows; empty if somebody may."""
        return self.guard.closed if self.guard else ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a probe is to look at."""

    tables: tuple[Table, ...]  # with rows of their own, by name
    left_out: int = 0  # how many with rows the operator's patterns left out
    unseen: tuple[Unseen, ...] = ()  # wanted, but without rows here; none is owed
    remarks: tuple[str, ...] = ()
    parents: tuple[Table, ...] = ()  # of partitions: no rows of their own
    large_objects: Table | None = None  # pg_largeobject, if there is anything in it and it was not left out
    large_objects_left_out: bool = False


def taken(sight: Sight) -> Inventory:
    """Return what the probe is to look at, in a session of its own. Raises GaveUpError, QueryError."""
    return crew.one(sight, "the list of tables", lambda connection: tables(connection, sight.probe, sight.deputy))


def tables(connection: psycopg.Connection[Any], probe: Probe, deputy: Login | None = None) -> Inventory:
    """Return what the probe is to look at. `search_path` must be pg_catalog. Raises GaveUpError, psycopg.Error.

    `deputy` is who reads tables with row security; None: nobody may.
    """
    rows = connection.execute(_RELATIONS).fetchall()
    guarded = guards(connection, deputy)
    found = [replace(table, guard=guarded.get(table.oid)) for table in map(_table, rows)]
    absent = {row[0]: reason for row in rows if (reason := _absent(row[3], filled=row[5], guarded=row[11]))}
    by_oid = {table.oid: table for table in found}
    names = {table.oid: _names(table, by_oid) for table in found}
    wanted = {table.oid for table in found if chosen(probe, names[table.oid])}
    here = [table for table in found if table.kind in ("r", "m") and table.oid not in absent]
    remarks = _held_to(probe, [*names.values(), {LARGE_OBJECTS}])
    columns = _columns(connection, [table.oid for table in here if table.oid in wanted])
    looked_at = tuple(replace(t, columns=tuple(columns.get(t.oid, ()))) for t in here if t.oid in wanted)
    if unlogged := sum(table.persistence == "u" for table in looked_at):
        remarks.append(f"{unlogged} unlogged table(s) come back empty from every physical backup")
    large_objects = _large_objects(connection)
    their_turn = chosen(probe, {LARGE_OBJECTS})
    return Inventory(
        looked_at,
        len(here) - len(looked_at),
        tuple(Unseen(t.shown, absent[t.oid], owed=False) for t in found if t.oid in wanted and t.oid in absent),
        tuple(remarks),
        tuple(table for table in found if table.kind == "p" and table.oid in wanted),
        large_objects if their_turn else None,
        large_objects is not None and not their_turn,
    )


def chosen(probe: Probe, names: Collection[str]) -> bool:
    """Say whether the probe is asked for what goes by these names: its own, and those of what it is a partition of."""
    meant = not probe.tables or _matches(probe.tables, names)
    return meant and not _matches(probe.exclude, names)


def shown(schema: str, name: str) -> str:
    """Return `schema.table` for people: quoted only where a dot or quote would mislead, no control characters."""
    return f"{_printable(schema)}.{_printable(name)}"


def _printable(name: str) -> str:
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
    return '"' + safe.replace('"', '""') + '"' if "." in safe or '"' in safe else safe


def _matches(patterns: Sequence[str], names: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _held_to(probe: Probe, names: Sequence[Collection[str]]) -> list[str]:
    """Return what is to be told of patterns that leave nothing out. Raises GaveUpError for one that names nothing."""
    for pattern in probe.tables:
        if not any(_matches([pattern], own) for own in names):
            raise GaveUpError("question", f"no table is called like {pattern!r}")
    idle = [p for p in probe.exclude if not any(_matches([p], own) for own in names)]
    return [f"no table is called like {pattern!r}, which is to be left out" for pattern in idle]


def _table(row: Sequence[Any]) -> Table:
    """Return the table of a row of `_RELATIONS`, without its columns."""
    oid, schema, name, kind, persistence, _, _, size, toast, parent, block, _ = row
    return Table(
        oid, schema, name, shown(schema, name), kind, persistence, size // block, size, toast, parent=parent
    )  # fmt: skip


def _names(table: Table, by_oid: Mapping[int, Table]) -> set[str]:
    """Return the table's name, and those of all parents of which it is a partition."""
    names = {table.shown}
    while (parent := by_oid.get(table.parent or 0)) is not None and parent.shown not in names:
        names.add(parent.shown)
        table = parent
    return names


def _columns(connection: psycopg.Connection[Any], oids: list[int]) -> dict[int, list[Column]]:
    columns: dict[int, list[Column]] = {}
    for oid, *rest in connection.execute(_COLUMNS, (oids,)).fetchall():
        columns.setdefault(oid, []).append(Column(*rest))
    return columns


def _large_objects(connection: psycopg.Connection[Any]) -> Table | None:
    """Return the table that holds all large objects, under our name for it; None if there is nothing in it."""
    ((size, block),) = connection.execute(_LARGE_OBJECTS).fetchall()
    if not size:
        return None
    columns = (
        Column("loid", 1, 26, 26, "oid", "b", True),
        Column("pageno", 2, 23, 23, "int4", "b", True),
        Column("data", 3, 17, 17, "bytea", "b", True),
    )
    return Table(2613, "pg_catalog", "pg_largeobject", LARGE_OBJECTS, "r", "p", size // block, size, 0, columns)


def _absent(kind: str, *, filled: bool, guarded: bool) -> str:
    """Return why a relation has no rows that could be read here; empty if it may have."""
    if kind == "f":
        return "a foreign table: its rows are not in this database"
    if kind == "m" and not filled:
        return "a materialised view that was never filled"
    if guarded:  # such as cron.job
        return "an extension's own table, which shows every role its own rows only"
    return ""
