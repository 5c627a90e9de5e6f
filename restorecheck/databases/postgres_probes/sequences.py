"""The probe `sequences`: whether each sequence is ahead of the column that it feeds.

A sequence that was not restored begins again at 1, and the first insert after the disaster meets a row that is there
already. Of values, only yes or no leaves the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes import crew, inventory
from restorecheck.databases.postgres_probes.catalogue import OF_USERS, examined, no_member, sorted_out
from restorecheck.databases.postgres_probes.inventory import Inventory, Table, shown
from restorecheck.databases.postgres_probes.sight import Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

_SEQUENCES = f"""
    SELECT c.oid, n.nspname, c.relname, s.seqincrement, s.seqcycle
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    WHERE {OF_USERS} AND {no_member("pg_class", "c.oid")} AND c.relpersistence <> 't'
    ORDER BY n.nspname, c.relname
"""  # noqa: S608 - of our own constants

_FED = """
    WITH RECURSIVE base AS (
        SELECT t.oid, t.oid AS base, t.typtype, t.typbasetype FROM pg_catalog.pg_type t
        UNION ALL
        SELECT b.oid, t.oid, t.typtype, t.typbasetype
        FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
    ), fed AS (
        SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number
        FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0 AND d.refobjsubid > 0
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
        UNION
        SELECT d.refobjid, a.adrelid, a.adnum
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.refobjsubid = 0
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    )
    SELECT f.sequence, n.nspname, c.relname, c.relkind, a.attname,
        t.typname IN ('int2', 'int4', 'int8', 'numeric') AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace,
        pg_catalog.pg_get_expr(v.adbin, v.adrelid),
        EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = v.oid AND d.refobjid = f.sequence
            AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass),
        a.attidentity <> '', c.oid,
        EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) p(oid) JOIN fed o ON o.relation = p.oid
            WHERE p.oid <> c.oid AND o.sequence = f.sequence)
    FROM fed f JOIN pg_catalog.pg_class s ON s.oid = f.sequence AND s.relkind = 'S'
    JOIN pg_catalog.pg_class c ON c.oid = f.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.number AND NOT a.attisdropped
    JOIN base b ON b.oid = a.atttypid AND b.typtype <> 'd' JOIN pg_catalog.pg_type t ON t.oid = b.base
    LEFT JOIN pg_catalog.pg_attrdef v ON v.adrelid = c.oid AND v.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'f')
    ORDER BY n.nspname, c.relname, a.attname
"""
"""Which column a sequence feeds: its owner, and every column whose default names it. Partitions are read with the table
that they are a part of."""

_GIVEN = r"nextval\('(?:[^']|'')*'::regclass\)"
_NEXTVAL = re.compile(rf"{_GIVEN}|\({_GIVEN}\)::[a-z ]+")
"""A default that is what the sequence gives, and no more."""

_STATE = "SELECT last_value, is_called FROM {}"

_BEHIND = """
    SELECT EXISTS (SELECT FROM {table} AS t WHERE t.{column} {beyond} {first}
        AND (t.{column}::pg_catalog.numeric - {first}) % {increment} = 0)
"""
"""Whether there is a value that the sequence is still to give: in steps of ten, only each tenth is."""

_BIGGEST = 2**63
"""A sequence gives nothing beyond."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    oid: int
    schema: str
    name: str
    increment: int
    cycles: bool

    @property
    def shown(self) -> str:
        return shown(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that a sequence may feed."""

    sequence: int
    schema: str
    table: str
    kind: str  # relkind
    name: str
    whole: bool  # of a type of whole numbers, or numeric
    default: str | None
    named: bool  # the default names this sequence
    identity: bool
    relation: int
    again: bool  # read with the table that this one is a partition of

    @property
    def shown(self) -> str:
        return f"{shown(self.schema, self.table)}.{self.name}"


def look(sight: Sight) -> Examined:
    """Return the sequences that are behind a column that they feed. Raises GaveUpError, QueryError.

    `tables` and `exclude` mean the columns' tables. Owned and free sequences are looked at alike.
    """
    seen = inventory.taken(sight)
    sequences, columns = crew.one(sight, "the list of sequences", _listed)
    by_oid = {table.oid: table for table in (*seen.tables, *seen.parents)}
    tasks: list[Task[bool]] = []
    meant: list[tuple[_Sequence, _Column]] = []
    unseen: list[Unseen] = []
    for sequence in sequences:
        fed = _of(sequence, columns, seen, unlimited=not sight.probe.tables and not sight.probe.exclude)
        if isinstance(fed, str):
            if fed:
                unseen.append(Unseen(sequence.shown, fed, owed=False))
            continue
        for column in fed:
            meant.append((sequence, column))
            tasks.append(_task(sequence, column, by_oid[column.relation]))
    found, flaws, owed = sorted_out(meant, crew.run(sight, tasks))
    count = len({sequence.shown for (sequence, _), _ in found} | {flaw.object for flaw in flaws})
    flaws += [
        Flaw(sequence.shown, f"the sequence is behind {column.shown}: it will give values again")
        for (sequence, column), behind in found
        if behind
    ]
    return examined("sequence", count, flaws, unseen + owed, left_out=seen.left_out, remarks=seen.remarks)


def _listed(connection: psycopg.Connection[Any]) -> tuple[list[_Sequence], list[_Column]]:
    connection.execute("SET LOCAL quote_all_identifiers = off")  # `_NEXTVAL` reads what the server writes
    sequences = [_Sequence(*row) for row in connection.execute(_SEQUENCES).fetchall()]
    return sequences, [_Column(*row) for row in connection.execute(_FED).fetchall()]


def _of(sequence: _Sequence, columns: list[_Column], seen: Inventory, *, unlimited: bool) -> list[_Column] | str:
    """Return the columns to compare a sequence with, or why there is none; empty: the patterns leave it out."""
    tables = {table.oid for table in (*seen.tables, *seen.parents)}
    own = [one for one in columns if one.sequence == sequence.oid]
    wanted = [one for one in own if one.relation in tables and not (one.again and _with_root(own, tables))]
    if not wanted:
        return "no column is known that it feeds" if unlimited else ""
    if sequence.cycles:
        return "it begins again by itself when it is used up"
    fed = [one for one in wanted if one.whole and _as_it_is(one, named=any(other.named for other in own))]
    return fed or f"{wanted[0].shown} does not take what it gives as it is"


def _as_it_is(column: _Column, *, named: bool) -> bool:
    """Say whether a column takes what the sequence gives. One without a default gets it from whoever inserts.

    `named`: the default of some column names the sequence, so that its owner alone means nothing.
    """
    if column.default is None:
        return column.identity or not named
    return column.named and _NEXTVAL.fullmatch(column.default) is not None


def _with_root(own: list[_Column], tables: set[int]) -> bool:
    """Say whether a partitioned table that feeds on the same sequence is looked at, and this partition with it."""
    return any(not one.again and one.kind == "p" and one.relation in tables for one in own)


def _task(sequence: _Sequence, column: _Column, table: Table) -> Task[bool]:
    state = sql.SQL(_STATE).format(sql.Identifier(sequence.schema, sequence.name))

    def run(connection: psycopg.Connection[Any]) -> bool:
        last, called = connection.execute(state).fetchall()[0]
        first = last + sequence.increment if called else last
        if not -_BIGGEST <= first < _BIGGEST:  # it is used up
            return False
        return bool(connection.execute(_behind(sequence, column, table, first)).fetchall()[0][0])

    return Task(sequence.shown, run, as_deputy=table.guard is not None, closed=table.closed)


def _behind(sequence: _Sequence, column: _Column, table: Table, first: int) -> sql.Composed:
    return sql.SQL(_BEHIND).format(
        table=table.rows,
        column=sql.Identifier(column.name),
        beyond=sql.SQL(">=" if sequence.increment > 0 else "<="),
        first=sql.SQL("({})").format(sql.Literal(first)),
        increment=sql.SQL("({})").format(sql.Literal(sequence.increment)),
    )
