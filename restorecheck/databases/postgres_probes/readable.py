"""`readable`: every column of every row of every table, long values included, read once and fingerprinted.

The server reads, and only numbers leave it. Damage in one place does not keep the rest from being read. Without page
checksums, and without a reference, a changed value that can still be read is not seen by this: the remarks say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes import crew, inventory, reading
from restorecheck.databases.postgres_probes.inventory import Inventory, Table
from restorecheck.databases.postgres_probes.reading import Piece, Sums
from restorecheck.databases.postgres_probes.sight import Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

_SERVER = """
    SELECT pg_catalog.getdatabaseencoding(), pg_catalog.current_setting('data_checksums'),
        pg_catalog.current_setting('zero_damaged_pages'), pg_catalog.current_setting('ignore_checksum_failure')
"""

_LOST = """
    SELECT pg_catalog.count(DISTINCT a.attrelid) FROM pg_catalog.pg_attribute a
    WHERE a.attnum > 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = a.attrelid)
"""
"""Relations of which the catalogue still has the columns, but no longer the name: their rows cannot be reached."""

_ANY_BYTE = ("LATIN", "WIN", "ISO_8859", "KOI8")
"""How the names of encodings begin in which every byte is a character: no text can be wrong."""


def look(sight: Sight) -> Examined:
    """Read everything that there is. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    encoding, checksums, zeroing, ignoring, lost = crew.one(sight, "the server's settings and catalogue", _server)
    tables = found.tables if found.large_objects is None else (*found.tables, found.large_objects)
    examined = read(sight, found, tables, reading.hashing, found.left_out + found.large_objects_left_out)
    blind = [name for name, on in (("zero_damaged_pages", zeroing), ("ignore_checksum_failure", ignoring)) if on]
    for name in blind:
        hidden = Unseen(sight.reader.database, f"{name} is on here: the server hides damaged pages instead of failing")
        examined = replace(
            examined,
            unseen=(hidden, *examined.unseen)[: reading.TOLD],
            unseen_count=examined.unseen_count + 1,
            owed=examined.owed + 1,
        )
    if lost:
        message = f"{lost:,} relation(s) have columns in the catalogue, and are not in its list of relations"
        flaw = Flaw("pg_catalog.pg_class", message, "data-damaged")
        flaws = (flaw, *examined.flaws)[: reading.TOLD]
        examined = replace(examined, flaws=flaws, flawed=examined.flawed + 1)
    return replace(examined, remarks=(*examined.remarks, *_remarks(encoding, checksums)))


def read(
    sight: Sight,
    found: Inventory,
    tables: Sequence[Table],
    query: Callable[[Piece], sql.Composed],
    left_out: int,
) -> Examined:
    """Put a query to every piece of every table, and gather what they come to. Raises QueryError."""
    pieces = [piece for table in tables for piece in reading.pieces(table)]
    tasks = [
        Task(
            piece.table.shown,
            _asking(piece.table, query(piece)),
            piece.weight,
            as_deputy=piece.table.guard is not None,
            closed=piece.table.closed,
        )
        for piece in pieces
    ]
    examined = reading.gathered(
        zip(pieces, crew.run(sight, tasks), strict=True),
        fingerprints=query is reading.hashing,
        unseen=found.unseen,
        left_out=left_out,
    )
    return replace(examined, remarks=found.remarks)


def _asking(table: Table, query: sql.Composed) -> Callable[[psycopg.Connection[Any]], Sums | Flaw]:
    def run(connection: psycopg.Connection[Any]) -> Sums | Flaw:
        try:
            ((rows, total, xor),) = connection.execute(query).fetchall()
        except psycopg.DataError as e:  # a stored value that its own type cannot make a text of
            return Flaw(table.shown, crew.told_of(e), "data-damaged")
        return Sums(rows, int(total or 0), xor or 0)

    return run


def _server(connection: psycopg.Connection[Any]) -> tuple[str, bool, bool, bool, int]:
    ((encoding, *flags),) = connection.execute(_SERVER).fetchall()
    ((lost,),) = connection.execute(_LOST).fetchall()
    checksums, zeroing, ignoring = (flag == "on" for flag in flags)
    return encoding, checksums, zeroing, ignoring, lost


def _remarks(encoding: str, checksums: bool) -> list[str]:
    """Return what the reader of a proof must know of what reading shows here."""
    remarks: list[str] = []
    if encoding == "SQL_ASCII":
        remarks.append("the database has no encoding (SQL_ASCII): whether its texts are as written cannot be verified")
    elif encoding.startswith(_ANY_BYTE):
        remarks.append(f"in the database's encoding, {encoding}, every byte is a character: no text can be refused")
    if not checksums:
        remarks.append("page checksums are off: a changed value that can still be read shows against a reference only")
    return remarks
