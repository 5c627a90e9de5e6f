"""How the rows of a table are read from its heap, in pieces, and what the pieces come to. Makes SQL, runs none.

A condition on ctid makes PostgreSQL read the heap itself, page by page, and never an index that may know better or
worse. Every function, type and operator is named with its schema: those of a restored database may be named like them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from restorecheck.databases.postgres_probes.inventory import Column, Table
from restorecheck.databases.postgres_probes.sight import Done
from restorecheck.model import Examined, Flaw, Measure, Unseen

PIECE = 64 * 2**20
"""Bytes of heap and long values that one task reads, about: enough to be worth a task, little to do again."""

TOLD = 20
"""So many flaws, and so many things that were not looked at, are told; all are counted."""

_AS_IT_IS = frozenset({
    "bool", "char", "int2", "int4", "int8", "oid", "float4", "float8", "date", "time", "timetz", "timestamp",
    "timestamptz", "uuid", "bytea", "inet", "cidr", "macaddr", "macaddr8",
})  # fmt: skip
"""Types whose hash sees all of a value, whatever release hashes it.

Not numeric (`1.0` = `1.00`), interval (a month = 30 days), or enums, whose hash is that of an object id: another one in
every database.
"""

_SENT = {"numeric": "numeric_send", "interval": "interval_send", "money": "cash_send"}
"""Types whose binary form is exact and cheap."""

_DIRECT = frozenset({"text", "varchar"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pages of a table's heap: from `first` to before `end`, or to wherever it ends."""

    table: Table
    first: int
    end: int | None
    weight: int  # bytes, about

    @property
    def pages(self) -> str:
        """The pages as findings name them; empty if they are all."""
        if self.end is None:
            return f"from block {self.first:,} on" if self.first else ""
        return f"blocks {self.first:,} to {self.end - 1:,}"


@dataclass(frozen=True, slots=True)
class Sums:
    """What a piece came to: its rows, and two sums of their hashes that do not depend on the order of the rows."""

    rows: int
    total: int = 0
    xor: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.rows + other.rows, self.total + other.total, self.xor ^ other.xor)

    @property
    def fingerprint(self) -> str:
        """The same for the same rows in any order, from tables with the same types of columns in the same order.

        Of PostgreSQL 14 and later on little-endian machines, whose hash functions have not changed since 11. An
        exclusive or alone would let two equal rows vanish unseen, so there are three numbers.
        """
        return f"pg1:{self.rows}:{self.total % 2**128:032x}:{self.xor % 2**64:016x}"


def pieces(table: Table) -> list[Piece]:
    """Cut a table into pieces of about `PIECE` bytes; the last one has no end, in case the file is longer."""
    size = table.bytes + table.toast_bytes
    per_page = max(size / table.pages, 1.0) if table.pages else 1.0
    step = max(int(PIECE / per_page), 1)
    starts = list(range(0, table.pages, step)) or [0]
    if len(starts) > 1 and table.pages - starts[-1] < step / 2:
        starts.pop()  # no crumb at the end
    ends = [*starts[1:], None]
    return [
        Piece(table, first, end, int(((table.pages if end is None else end) - first) * per_page) + 1)
        for first, end in zip(starts, ends, strict=True)
    ]


def hashing(piece: Piece) -> sql.Composed:
    """Return the query that reads every stored column of the piece's rows, and answers the numbers of `Sums`."""
    values = [_value(column) for column in piece.table.columns if column.generated != "v"]
    if not values:
        return sql.SQL("SELECT pg_catalog.count(*), 0, 0 FROM {} WHERE {}").format(piece.table.rows, _pages(piece))
    return sql.SQL(
        "SELECT pg_catalog.count(*), pg_catalog.sum(h), pg_catalog.bit_xor(h) FROM ("
        "SELECT pg_catalog.hash_record_extended(ROW({}), 0) AS h FROM {} WHERE {} OFFSET 0) AS r"
    ).format(sql.SQL(", ").join(values), piece.table.rows, _pages(piece))


def counting(piece: Piece) -> sql.Composed:
    """Return the query that counts the piece's rows, and answers the numbers of `Sums`."""
    return sql.SQL("SELECT pg_catalog.count(*), 0, 0 FROM {} WHERE {}").format(piece.table.rows, _pages(piece))


def _pages(piece: Piece) -> sql.Composed:
    lower = sql.SQL("ctid OPERATOR(pg_catalog.>=) '({},0)'::pg_catalog.tid").format(sql.SQL(str(piece.first)))
    if piece.end is None:
        return sql.Composed([lower])
    upper = sql.SQL(" AND ctid OPERATOR(pg_catalog.<) '({},0)'::pg_catalog.tid").format(sql.SQL(str(piece.end)))
    return sql.Composed([lower, upper])


def _value(column: Column) -> sql.Composed:
    """Return the expression that reads all of a column's value, and holds a text to the database's encoding.

    `convert_to` into the encoding that a text is in already verifies every character, and copies nothing.
    """
    value: sql.Composable = sql.Identifier(column.name)
    if column.is_domain:  # never a cast of the database's own: between a domain and its base type there is none
        value = sql.SQL("CAST({} AS {})").format(value, sql.Identifier(column.base_schema, column.base))
    if column.built_in and column.base in _AS_IT_IS:
        return sql.Composed([value])
    if column.built_in and column.base in _SENT:
        return sql.SQL("pg_catalog.{}({})").format(sql.Identifier(_SENT[column.base]), value)
    if not (column.built_in and column.base in _DIRECT):
        output = sql.Identifier(column.output_schema, column.output)
        value = sql.SQL("pg_catalog.textin({}({}))").format(output, value)
    return sql.SQL("pg_catalog.convert_to({}, pg_catalog.getdatabaseencoding())").format(value)


@dataclass(slots=True)
class _Tally:
    """What came of the pieces of one table."""

    table: Table
    pieces: int = 0
    sums: Sums = field(default_factory=lambda: Sums(0))
    seen: int = 0  # pieces that were read to their end
    flaws: list[Flaw] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)

    @property
    def looked_at(self) -> bool:
        return bool(self.seen or self.flaws)

    def missing(self) -> Unseen | None:
        """Return what is to be said of the pieces that were not read."""
        if not self.unseen:
            return None
        first = self.unseen[0]
        part = f"{len(self.unseen)} of {self.pieces} parts: " if self.pieces > len(self.unseen) else ""
        return Unseen(self.table.shown, part + first.reason, first.owed)


def gathered(
    done: Iterable[tuple[Piece, Done[Sums | Flaw]]], *, fingerprints: bool, unseen: Sequence[Unseen], left_out: int
) -> Examined:
    """Return what all pieces come to, table by table. A table that was not read to its end has no measure."""
    tallies: dict[int, _Tally] = {}
    for piece, result in done:
        tally = tallies.setdefault(piece.table.oid, _Tally(piece.table))
        tally.pieces += 1
        flaw = result.value if isinstance(result.value, Flaw) else result.flaw
        if flaw is not None:
            where = f" ({piece.pages})" if piece.pages else ""
            tally.flaws.append(Flaw(flaw.object, flaw.message + where, flaw.kind))
        elif result.unseen is not None:
            tally.unseen.append(result.unseen)
        elif isinstance(result.value, Sums):
            tally.seen += 1
            tally.sums += result.value
    whole = [t for t in tallies.values() if t.seen == t.pieces]
    missing = [m for t in tallies.values() if (m := t.missing()) is not None]
    flaws = [flaw for t in tallies.values() for flaw in t.flaws]
    everything = [*missing, *unseen]
    measures = [
        Measure(t.table.shown, t.sums.rows, t.sums.fingerprint if fingerprints else "")
        for t in whole
        if t.table.persistence != "u"  # empty after every restore, whatever it held: nothing to compare
    ]
    return Examined(
        "table",
        sum(t.looked_at for t in tallies.values()),
        len(flaws),
        tuple(flaws[:TOLD]),
        tuple(everything[:TOLD]),
        len(everything),
        sum(u.owed for u in everything),
        left_out,
        tuple(sorted(measures, key=lambda m: m.object)),
        rows=sum(t.sums.rows for t in tallies.values()),
        bytes=_bytes({t.table.oid: t.table for t in whole}, fingerprints=fingerprints),
    )


def _bytes(tables: Mapping[int, Table], *, fingerprints: bool) -> int:
    """Return how much was read: of long values only if they were."""
    return sum(t.bytes + (t.toast_bytes if fingerprints else 0) for t in tables.values())
