"""The probe `counts_agree`: a table and each of its indexes must hold the same number of the same keys.

One side is read from the table and never from an index, the other from one index and never from the table. amcheck
looks from the table to the index only, so a page, a file's end or a row that is lost without a trace passes it, and
passes pg_dump and page checksums; here it is missed. On pages that are not marked as seen by all an index-only scan
asks the table, and misses nothing: that is told. Nothing is vacuumed: that would destroy what is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes import crew, inventory, keys
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.inventory import Table
from restorecheck.databases.postgres_probes.key_hash import total
from restorecheck.databases.postgres_probes.keys import Other, Sorted
from restorecheck.databases.postgres_probes.sight import Done, Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

_PAGES = 16_384  # of one pass over a part of a table: 128 MiB

_FROM_TABLE = """
    SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL enable_tidscan = on; SET LOCAL enable_seqscan = on
"""
_FROM_INDEX = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_tidscan = off;
    SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL enable_indexscan = on;
    SET LOCAL enable_indexonlyscan = on
"""

_SETTLED = """
    SELECT c.oid, c.relallvisible::int8, pg_catalog.pg_relation_size(c.oid, 'main')::int8
        / pg_catalog.current_setting('block_size')::int8
    FROM pg_catalog.pg_class c WHERE c.oid = ANY (%s::oid[])
"""

_TOLD = 3  # tables whose pages are not settled are named

Count = tuple[int, int]
"""How many keys, and the sum of their hashes."""

NOTHING: Count = (0, 0)


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one task found: keys by index, under `oid` or, of all rows of a table, under 0."""

    counts: Mapping[int, Count]
    other: str = ""  # the plan that the server made instead of reading the index


def look(sight: Sight) -> Examined:
    """Compare every B-tree index on columns with its table. Raises GaveUpError, QueryError."""
    taken = inventory.taken(sight)
    by_oid = {table.oid: table for table in taken.tables}
    found, settled = crew.one(sight, "the list of indexes", partial(_read, tables=list(by_oid)))
    sorted_ = [index for index in found if isinstance(index, Sorted)]
    by_table: dict[int, list[Sorted]] = {}
    for index in sorted_:
        by_table.setdefault(index.table, []).append(index)
    pieces = [piece for oid, own in by_table.items() for piece in _pieces(by_oid[oid], own)]
    verdicts = _Verdicts(by_oid, by_table)
    for piece, done in zip(pieces, crew.run(sight, [piece.task for piece in pieces]), strict=True):
        verdicts.take(piece, done)
    # the two sides were read at two times: what differs is compared again as of one
    doubted = verdicts.doubted()
    again = [_task(by_oid[i.table], partial(_both, table=by_oid[i.table], index=i), 1) for i in doubted]
    for index, done in zip(doubted, crew.run(sight, again), strict=True):
        verdicts.again(index, done)
    others = [Unseen(index.shown, index.reason, owed=False) for index in found if isinstance(index, Other)]
    made = examined(
        "index",
        verdicts.compared,
        verdicts.flaws,
        [*taken.unseen, *others, *verdicts.unseen],
        left_out=taken.left_out,
        rows=verdicts.rows,
        remarks=[*taken.remarks, *_unsettled(by_oid, by_table, settled)],
    )
    read = sum(by_oid[oid].bytes for oid in by_table) + sum(index.bytes for index in sorted_)
    return replace(made, bytes=read)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One task: a part of a table, or one of its indexes."""

    task: Task[_Pass]
    table: Table
    index: Sorted | None = None


class _Verdicts:
    """The two sides of every index, and what they come to."""

    def __init__(self, tables: Mapping[int, Table], indexes: Mapping[int, Sequence[Sorted]]) -> None:
        self._tables, self._indexes = tables, indexes
        self._heap: dict[int, Count] = {}  # by index; under the table's own oid: all of its rows
        self._index: dict[int, Count] = {}
        self._lost: set[int] = set()  # tables of which a part was not read
        self.flaws: list[Flaw] = []
        self.unseen: list[Unseen] = []

    def take(self, piece: _Piece, done: Done[_Pass]) -> None:
        """Note what became of one piece."""
        table, index, value = piece.table, piece.index, done.value
        if done.flaw is not None:
            self.flaws.append(done.flaw)
        if index is None:
            if value is None:
                self._lost.add(table.oid)
            for oid, count in value.counts.items() if value else ():
                key = oid or table.oid
                self._heap[key] = _plus(self._heap.get(key, NOTHING), count)
        elif done.unseen is not None:
            self.unseen.append(done.unseen)
        elif value is not None and value.other:
            self.unseen.append(Unseen(index.shown, value.other, owed=False))
        elif value is not None:
            self._index[index.oid] = value.counts[index.oid]

    @property
    def rows(self) -> int:
        """Of all tables that were read to their end."""
        return sum(self._heap[oid][0] for oid in self._indexes if oid in self._heap and oid not in self._lost)

    @property
    def compared(self) -> int:
        """How many indexes were read on both sides."""
        return sum(self._is_complete(index) for own in self._indexes.values() for index in own)

    def _is_complete(self, index: Sorted) -> bool:
        return index.oid in self._index and index.table not in self._lost

    def doubted(self) -> list[Sorted]:
        """Return the indexes whose sides differ; those of a table that was not read are said to be unseen."""
        doubted = []
        for oid, own in self._indexes.items():
            for index in own:
                if self._is_complete(index) and self._heap[index.oid] != self._index[index.oid]:
                    doubted.append(index)
                elif oid in self._lost and index.oid in self._index:
                    self.unseen.append(Unseen(index.shown, f"{self._tables[oid].shown} could not be read to its end"))
        return doubted

    def again(self, index: Sorted, done: Done[_Pass]) -> None:
        """Note what came of comparing as of one time."""
        value = done.value
        if done.flaw is not None:
            self.flaws.append(done.flaw)
        if done.unseen is not None:
            reason = f"it differed from its table, and could not be compared again: {done.unseen.reason}"
            self.unseen.append(Unseen(index.shown, reason))
        if value is not None and value.counts[0] != value.counts[1]:
            self.flaws.append(Flaw(index.shown, _difference(self._tables[index.table], index, value), "data-damaged"))


def _difference(table: Table, index: Sorted, found: _Pass) -> str:
    rows, entries = found.counts[0][0], found.counts[1][0]
    which = " rows that belong in it" if index.predicate else " rows"
    if rows != entries:
        return f"{table.shown} holds {rows:,}{which}, its index {entries:,}"
    return f"{table.shown} and its index hold {rows:,}{which} each, but not with the same keys"


def _plus(one: Count, other: Count) -> Count:
    return one[0] + other[0], one[1] + other[1]


# --- what is asked ----------------------------------------------------------------------------------------------------


def _read(
    connection: psycopg.Connection[Any], tables: list[int]
) -> tuple[list[Sorted | Other], dict[int, tuple[int, int]]]:
    settled = connection.execute(_SETTLED, (tables,)).fetchall()
    return keys.indexes(connection, tables), {oid: (visible, pages) for oid, visible, pages in settled}


def _pieces(table: Table, own: Sequence[Sorted]) -> Iterable[_Piece]:
    """Return the passes over one table, in parts, and over each of its indexes."""
    starts = range(0, max(table.pages, 1), _PAGES)
    each = table.bytes // len(starts)
    for start in starts:
        end = None if start == starts[-1] else start + _PAGES
        run = partial(_from_table, table=table, indexes=own, start=start, end=end)
        yield _Piece(_task(table, run, each), table)
    for index in own:
        run = partial(_from_index, table=table, index=index)
        yield _Piece(replace(_task(table, run, index.bytes), object=index.shown), table, index)


def _task(table: Table, run: Callable[[psycopg.Connection[Any]], _Pass], weight: int) -> Task[_Pass]:
    """Return what reads rows of a table, or an index of it, as whoever may read all of them."""
    return Task(table.shown, run, weight, as_deputy=table.guard is not None, closed=table.closed)


def _from_table(
    connection: psycopg.Connection[Any], table: Table, indexes: Sequence[Sorted], start: int, end: int | None
) -> _Pass:
    """Read a range of a table's pages, once for all of its indexes; `end` None: to the end of the file."""
    connection.execute(_FROM_TABLE)
    sums: list[sql.Composable] = [sql.SQL("count(*)::int8")]
    for index in indexes:
        over = total(index.keys, tuple(key.column for key in index.keys))
        some = sql.SQL(" FILTER (WHERE {})").format(sql.SQL(index.predicate)) if index.predicate else sql.SQL("")
        sums += [sql.SQL("count(*){}::int8").format(some), sql.SQL("({}{})::text").format(over, some)]
    query = sql.SQL("SELECT {} FROM {} WHERE ctid >= {}::tid").format(
        sql.SQL(", ").join(sums), table.rows, sql.Literal(f"({start},0)")
    )
    if end is not None:
        query += sql.SQL(" AND ctid < {}::tid").format(sql.Literal(f"({end},0)"))
    row: Sequence[Any] = connection.execute(query).fetchone() or ()  # an aggregate always has its row
    counts = {index.oid: (int(row[2 * i + 1]), int(row[2 * i + 2] or 0)) for i, index in enumerate(indexes)}
    return _Pass({0: (int(row[0]), 0), **counts})


def _from_index(connection: psycopg.Connection[Any], table: Table, index: Sorted) -> _Pass:
    """Read one index from its first entry to its last, if the server can be made to do just that."""
    connection.execute(_FROM_INDEX)
    names = tuple(f"k{i}" for i in range(len(index.keys)))
    columns = [
        sql.SQL("{} AS {}").format(sql.Identifier(key.column), sql.Identifier(name))
        for key, name in zip(index.keys, names, strict=True)
    ]
    query = sql.SQL("SELECT count(*)::int8, {}::text FROM (SELECT {} FROM {}{} ORDER BY {}) AS entries").format(
        total(index.keys, names),
        sql.SQL(", ").join(columns),
        table.rows,
        sql.SQL(" WHERE {}").format(sql.SQL(index.predicate)) if index.predicate else sql.SQL(""),
        sql.SQL(", ").join(index.order),
    )
    plan = connection.execute(sql.SQL("EXPLAIN (FORMAT JSON, COSTS OFF) {}").format(query)).fetchone()
    if reason := _otherwise(plan[0] if plan else [], index.name):
        return _Pass({}, reason)
    row = connection.execute(query).fetchone() or (0, 0)
    return _Pass({index.oid: (int(row[0]), int(row[1] or 0))})


def _both(connection: psycopg.Connection[Any], table: Table, index: Sorted) -> _Pass:
    """Read both sides in one transaction, which sees the database as of one time."""
    heap = _from_table(connection, table, [index], 0, None)
    entries = _from_index(connection, table, index)
    return _Pass({0: heap.counts[index.oid], 1: entries.counts.get(index.oid, NOTHING)})


def _otherwise(plan: Any, name: str) -> str:
    """Return why a plan does not read just this index; empty: it does."""
    scans: list[dict[str, Any]] = []
    left = [root["Plan"] for root in plan]
    while left:
        node = left.pop()
        left += node.get("Plans", [])
        if "Scan" in node.get("Node Type", "") and node["Node Type"] != "Subquery Scan":
            scans.append(node)
    if len(scans) != 1:
        return "the server would not read this index alone"
    if scans[0]["Node Type"] != "Index Only Scan":
        return "the server would not read this index without its table"
    if scans[0].get("Index Name") != name:
        return "the server reads another index in its place, which has the same columns in the same order"
    return ""


def _unsettled(
    tables: Mapping[int, Table], by_table: Iterable[int], settled: Mapping[int, tuple[int, int]]
) -> list[str]:
    """Return what is to be told of tables of which not every page is marked as seen by all."""
    shares = []
    for oid in by_table:
        visible, pages = settled.get(oid, (0, 0))
        if pages and visible < pages:
            shares.append((visible / pages, tables[oid].shown))
    if not shares:
        return []
    shares.sort()
    named = ", ".join(f"{name} (marked: {share:.0%})" for share, name in shares[:_TOLD])
    more = f" and {len(shares) - _TOLD:,} more tables" if len(shares) > _TOLD else ""
    remark = "a row that the table lost is not missed where its page is not marked as seen by all, in part of"
    return [f"{remark} {named}{more}"]
