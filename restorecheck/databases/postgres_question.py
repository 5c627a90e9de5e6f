"""One question in one session: settings, a read-only snapshot, a server-side cursor, one capped fetch, rollback.

The order of the statements is the protection, so it is all in `taken`. psycopg's own conversion of values is switched
off: what a server sends is read by `postgres_cells`, which never raises.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any, cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader

from restorecheck.databases.postgres_cells import BUILT_IN, FIRST_OWN_OID, cell, own_type
from restorecheck.model import Answer, Assertion, Cell

ROWS = 10_000
"""At most so many rows are counted, or compared with a set."""

BYTES = 8 * 1024 * 1024
"""At most so many bytes of values are taken. A single value arrives whole, however large (PostgreSQL: 1 GB)."""

SETTINGS = {
    "default_transaction_read_only": "on",
    "row_security": "off",  # an error instead of rows that a policy hides in silence
    "statement_timeout": "60000",  # of the session's own statements; the question sets its own
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",
}
"""Settings that hold from the first moment of a session, also for a login trigger (PostgreSQL 17 and later)."""

_FORMATS = """
    SET SESSION search_path = "$user", public; SET SESSION timezone = 'UTC'; SET SESSION datestyle = 'ISO, YMD';
    SET SESSION intervalstyle = 'iso_8601'; SET SESSION extra_float_digits = 1; SET SESSION client_encoding = 'UTF8';
    SET SESSION row_security = off; SET SESSION default_transaction_read_only = on
"""
"""What the texts of values depend on. SET outranks PGTZ, PGDATESTYLE and what ALTER ROLE or DATABASE brought along."""

_CURSOR = "restorecheck"
_TYPE = "SELECT typtype, typcategory, typname FROM pg_catalog.pg_type WHERE oid OPERATOR(pg_catalog.=) {:d}"


class _Bytes(Loader):
    """Hands a value on as it came."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class Raw:
    """The psycopg context in which no value is converted, of whichever type it is."""

    def __init__(self) -> None:
        self.adapters = AdaptersMap()
        self.adapters.register_loader(0, _Bytes)
        self.connection: psycopg.Connection[Any] | None = None


def taken(connection: psycopg.Connection[Any], assertion: Assertion, salt: str, timeout_ms: int) -> Answer:
    """Ask one question and return its answer, without a time. The connection was made with `Raw` and `SETTINGS`.

    Raises psycopg.Error for whatever the server refuses, ValueError for a text that cannot be sent.
    """
    if "\0" in assertion.sql:  # libpq would cut the text there, and ask something else
        raise ValueError
    query = assertion.sql.encode()
    connection.execute(_FORMATS)  # our own constant, several statements at once
    connection.execute(f"SET SESSION statement_timeout = {timeout_ms:d}".encode())
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.execute("SELECT 1")  # from now on the transaction cannot be made read-write
    with connection.cursor(name=_CURSOR, scrollable=False) as cursor:
        cursor.execute(query)  # without parameters: a `%` stays what it is
        answer = _fetched(connection, cursor, assertion, salt)
    connection.execute("ROLLBACK")
    return answer


def _fetched(
    connection: psycopg.Connection[Any], cursor: psycopg.ServerCursor[Any], assertion: Assertion, salt: str
) -> Answer:
    """Take from the declared cursor what the expectation needs, at one go and no more."""
    shape = cursor.pgresult
    columns = shape.nfields if shape else 0
    if assertion.expect.no_rows:
        moved = connection.execute(f"MOVE FORWARD {ROWS + 1:d} FROM {_CURSOR}".encode())  # counts, and sends nothing
        return Answer(assertion.name, min(moved.rowcount, ROWS), moved.rowcount > ROWS, columns)
    if shape is None or columns == 0:
        return Answer(assertion.name, error="the query answers no column at all", kind="question")
    if columns > 1:  # not taken at all: the judge refuses it
        return Answer(assertion.name, columns=columns)
    type_name = _type_name(connection, shape.ftype(0))
    is_set = assertion.expect.members is not None
    cap = ROWS if is_set else 1
    cells: list[Cell] = []
    size = 0
    fetch = f"FETCH FORWARD {cap + 1:d} FROM {_CURSOR}".encode()
    with connection.cursor() as plain, closing(cast("Generator[Any, None, None]", plain.stream(fetch))) as rows:
        for (raw,) in rows:
            size += len(raw or b"")
            if size > BYTES:
                too_much = f"the answer is larger than {BYTES // 1024 // 1024} MiB: ask for less"
                return Answer(assertion.name, columns=1, error=too_much, kind="question")
            cells.append(cell(raw, type_name, salt, seal=is_set))
    return Answer(assertion.name, min(len(cells), cap), len(cells) > cap, 1, tuple(cells[:cap]))


def _type_name(connection: psycopg.Connection[Any], oid: int) -> str:
    """Return the name by which values of a type are read. Asked before the query runs, outside every search path."""
    if oid in BUILT_IN:
        return BUILT_IN[oid]
    row = connection.execute(_TYPE.format(oid).encode()).fetchone()
    if row is None:
        return "unknown"
    typtype, category, name = (part.decode(errors="replace") for part in row)
    return own_type(typtype, category, name) if oid >= FIRST_OWN_OID else name
