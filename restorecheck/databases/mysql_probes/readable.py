"""The probe `readable`: every column of every row of every table is read and decoded, and fingerprinted by the server.

A fingerprint is the number of rows and the sum of 60 bits of each row's MD5, so it does not depend on their order. It
is the same wherever the columns have the same types in the same order, on servers of one product. No value is fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pymysql import Connection, MySQLError

from restorecheck.databases.mysql_probes import crew, inventory, reading
from restorecheck.databases.mysql_probes.inventory import Inventory, Table, texts
from restorecheck.databases.mysql_probes.sight import Done, GaveUpError, Sight, Task, first, some
from restorecheck.model import Examined, Flaw, Measure, Unseen

_LEAST_PACKET = 2**20
"""Bytes of max_allowed_packet that the longest row's text needs, long values counting as their hashes."""

_LONG_VALUES = (
    "MariaDB cuts a long value off in silence where a page of its tail cannot be read: only a fingerprint that was "
    "recorded before shows it"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one task read."""

    rows: int
    total: int  # of the rows' hashes
    wrong: tuple[int, ...]  # rows that fail each check


def look(sight: Sight) -> Examined:
    """Read everything. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    facts = crew.one(sight, "the server's settings", _facts)
    tasks: list[Task[Piece]] = []
    owners: list[Table] = []
    for table in found.tables:
        pieces = _pieces(sight, table)
        tasks += pieces
        owners += [table] * len(pieces)
    dones = crew.run(sight, tasks)
    results: dict[str, list[Done[Piece]]] = {table.name: [] for table in found.tables}
    for owner, done in zip(owners, dones, strict=True):
        results[owner.name].append(done)
    examined = judged(found, results)
    return replace(examined, remarks=(*examined.remarks, *facts))


def judged(found: Inventory, results: dict[str, list[Done[Piece]]]) -> Examined:
    """Return what the pieces of every table come to. Pure."""
    flaws: list[Flaw] = []
    unseen = list(found.unseen)
    measures: list[Measure] = []
    count = rows = size = 0
    for table in found.tables:
        dones = results[table.name]
        broken = [done.flaw for done in dones if done.flaw is not None]
        missed = [done.unseen for done in dones if done.unseen is not None]
        pieces = [done.value for done in dones if done.value is not None]
        flaws += broken[:1]
        unseen += missed[:1]
        rows += sum(piece.rows for piece in pieces)
        flaws += _wrong(table, pieces)
        if not table.columns and not broken and not missed:
            unseen.append(Unseen(table.shown, "the server lists none of its columns"))
        elif not missed:
            count += 1
            size += table.bytes
            if not broken:
                total = sum(piece.total for piece in pieces)
                here = sum(piece.rows for piece in pieces)
                measures.append(Measure(table.shown, here, f"mysql1:{here}:{total:x}"))
    return Examined(
        "table", count, len(flaws), first(flaws), some(unseen), len(unseen), sum(one.owed for one in unseen),
        found.left_out, tuple(sorted(measures, key=lambda one: one.object)), rows=rows, bytes=size,
        remarks=found.remarks,
    )  # fmt: skip


def _pieces(sight: Sight, table: Table) -> list[Task[Piece]]:
    """Return the tasks that read one table: by its partitions, by ranges of its key, or all of it at once."""
    if table.partitions:
        return [
            Task(table.shown, _reads(reading.select(table, partition=name)), max(size, 1))
            for name, size in table.partitions
        ]
    conditions: list[str] = []
    if column := reading.splits(table, {c.name: c.type for c in table.columns}):
        ends = f"SELECT MIN({inventory.quoted(column)}), MAX({inventory.quoted(column)})"
        query = f"{ends} {reading.scan(table, f'{inventory.quoted(column)} IS NOT NULL')}"
        (bounds,) = crew.run(sight, [Task(table.shown, lambda connection: _ends(connection, query))])
        if bounds.value:  # else the table is empty, or the task that reads it will say what is wrong
            conditions = reading.ranges(column, *bounds.value, table.bytes)
    if not conditions:
        return [Task(table.shown, _reads(reading.select(table)), max(table.bytes, 1))]
    weight = max(table.bytes // len(conditions), 1)
    return [Task(table.shown, _reads(reading.select(table, where)), weight) for where in conditions]


def _ends(connection: Connection[Any], query: str) -> tuple[int, int] | None:
    """Return the least and the greatest key; None if there is none, or if it is not to be had."""
    try:
        [(least, most)] = texts(connection, query)
    except MySQLError as e:
        if e.args and e.args[0] in (2006, 2013):
            raise
        return None
    return (int(least), int(most)) if least and most else None


def _reads(query: str) -> Callable[[Connection[Any]], Piece]:
    def read(connection: Connection[Any]) -> Piece:
        [(rows, total, *wrong)] = texts(connection, query)
        return Piece(int(rows), int(total), tuple(int(one) for one in wrong))

    return read


def _wrong(table: Table, pieces: list[Piece]) -> list[Flaw]:
    """Return a flaw for every check that values fail."""
    flaws = []
    for number, check in enumerate(reading.checks(table)):
        if rows := sum(piece.wrong[number] for piece in pieces):
            what = f"bytes that are no {check.what}" if check.what != "JSON" else "values that are no JSON"
            message = f"column {check.column!r} holds {what}, in {rows:,} row{'s' if rows > 1 else ''}"
            flaws.append(Flaw(table.shown, message, "data-damaged"))
    return flaws


def _facts(connection: Connection[Any]) -> tuple[str, ...]:
    """Return what the reader of a proof must know of this server. Raises GaveUpError if it cannot hash a row."""
    [(version, packet)] = texts(connection, "SELECT VERSION(), @@max_allowed_packet")
    if int(packet) < _LEAST_PACKET:
        raise GaveUpError("could-not-look", "max_allowed_packet of this server is below 1 MiB")
    return (_LONG_VALUES,) if "MariaDB" in version else ()
