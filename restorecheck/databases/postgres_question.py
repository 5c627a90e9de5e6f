"""One question in one session: settings, a read-only snapshot, a server-side cursor, one fetch, rollback.

The fetch is capped, but for keys, which are merged as they come and not kept. Rows that are only counted may be taken
in two steps, the first few and the rest: see `_counted`. The order of the statements is the
protection, so it is all in `taken`. psycopg's own conversion of values is switched
off: what a server sends is read by `postgres_cells`, which never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader

from restorecheck.assertions.fingerprint import RowsDigest
from restorecheck.databases import key_match
from restorecheck.databases.postgres_cells import BUILT_IN, FIRST_OWN_OID, cell, clear_cell, own_type
from restorecheck.databases.sampling import Sampling
from restorecheck.model import Answer, Assertion, Cell

ROWS = 10_000
"""At most so many rows are counted, or compared with a set."""

BYTES = 8 * 1024 * 1024
"""At most so many bytes of values are taken. A single value arrives whole, however large (PostgreSQL: 1 GB)."""

COMPARED_ROWS = 1_000_000
"""At most so many rows are fingerprinted, for `same_as`."""

COMPARED_BYTES = 64 * 1024 * 1024
"""At most so many bytes of values are."""

SETTINGS = {
    "default_transaction_read_only": "on",
    "row_security": "off",  # an error instead of rows that a policy hides in silence
    "statement_timeout": "60000",  # of the session's own statements; the question sets its own
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",
}
"""Settings that hold from the first moment of a session, also for a login trigger (PostgreSQL 17 and later)."""

FORMATS = """
    SET SESSION search_path = "$user", public; SET SESSION timezone = 'UTC'; SET SESSION datestyle = 'ISO, YMD';
    SET SESSION intervalstyle = 'iso_8601'; SET SESSION extra_float_digits = 1; SET SESSION client_encoding = 'UTF8';
    SET SESSION bytea_output = 'hex'; SET SESSION lc_monetary = 'C'; SET SESSION quote_all_identifiers = off;
    SET SESSION row_security = off; SET SESSION default_transaction_read_only = on
"""
"""What the texts of values depend on. SET outranks PGTZ, PGDATESTYLE and what ALTER ROLE or DATABASE brought along."""

Keys = Callable[[], Iterable[bytes]]
"""Every key of some objects, ascending by bytes."""

_CURSOR = "restorecheck"
_KEYS = """SELECT k::pg_catalog.text FROM (
{}
) AS r(k) ORDER BY pg_catalog.convert_to(k::pg_catalog.text, 'UTF8')"""
"""In the order of their UTF-8 bytes, whatever the database's encoding: the order in which a bucket lists its keys."""

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


def taken(
    connection: psycopg.Connection[Any],
    assertion: Assertion,
    salt: str,
    timeout_ms: int,
    keys: Keys | None = None,
    *,
    sampling: Sampling | None = None,
) -> Answer:
    """Ask one question and return its answer, without a time. The connection was made with `Raw` and `SETTINGS`.

    `keys` are those that an expectation `exist_in` or `covers` speaks of; `sampling` takes keys of rows that should not
    be there, and has not kept them yet. Raises psycopg.Error for whatever the server refuses, ValueError for a text
    that cannot be sent, RestorecheckError if the keys cannot be had.
    """
    if "\0" in assertion.sql:  # libpq would cut the text there, and ask something else
        raise ValueError
    query = assertion.sql.encode()
    connection.execute(FORMATS)  # our own constant, several statements at once
    connection.execute(f"SET SESSION statement_timeout = {timeout_ms:d}".encode())
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.execute("SELECT 1")  # from now on the transaction cannot be made read-write
    with connection.cursor(name=_CURSOR, scrollable=False) as cursor:
        cursor.execute(query)  # without parameters: a `%` stays what it is
        shape = cursor.pgresult
        columns = shape.nfields if shape else 0
        if assertion.expect.no_rows:
            names = [(shape.fname(i) or b"").decode(errors="replace") for i in range(columns)] if shape else []
            answer = _counted(connection, assertion.name, names, timeout_ms, sampling)
        else:
            answer = Answer(assertion.name) if keys else _fetched(connection, cursor, assertion, salt)
    if keys:  # as it stands, the query was declared, so it is one, and no part of it ran
        answer = _matched(connection, assertion, columns, keys)
    connection.execute("ROLLBACK")
    return answer


def _counted(
    connection: psycopg.Connection[Any], name: str, columns: Sequence[str], timeout_ms: int, sampling: Sampling | None
) -> Answer:
    """Count the rows of the declared cursor, without sending them; but first take the keys of the first few, if wanted.

    Those are two statements, and a function that the query calls may have freed the session of its timeout in the
    first. So it is set once more in between: it holds for a statement from its begin. The watchdog bounds both.
    """
    taken = 0
    if sampling is not None:
        if why := sampling.find(columns):
            return Answer(name, columns=len(columns), error=why, kind="question")
        taken = _sampled(connection, sampling)
        if taken < sampling.limit:  # there are no more
            return Answer(name, taken, columns=len(columns))
        connection.execute(f"SET SESSION statement_timeout = {timeout_ms:d}".encode())
    moved = connection.execute(f"MOVE FORWARD {ROWS + 1 - taken:d} FROM {_CURSOR}".encode())  # counts, sends nothing
    count = taken + moved.rowcount
    return Answer(name, min(count, ROWS), count > ROWS, len(columns))


def _sampled(connection: psycopg.Connection[Any], sampling: Sampling) -> int:
    """Take the keys of the first rows, and return how many rows that were."""
    if not sampling.limit:
        return 0
    taken = 0
    fetch = f"FETCH FORWARD {sampling.limit:d} FROM {_CURSOR}".encode()
    with connection.cursor() as plain, closing(cast("Generator[Any, None, None]", plain.stream(fetch))) as rows:
        for row in rows:
            sampling.add(row)
            taken += 1
    return taken


def _fetched(
    connection: psycopg.Connection[Any], cursor: psycopg.ServerCursor[Any], assertion: Assertion, salt: str
) -> Answer:
    """Take from the declared cursor what the expectation needs, at one go and no more."""
    shape = cursor.pgresult
    columns = shape.nfields if shape else 0
    if shape is None or columns == 0:
        return Answer(assertion.name, error="the query answers no column at all", kind="question")
    if assertion.expect.same_as is not None:
        return _fingerprinted(connection, assertion.name, [shape.ftype(i) for i in range(columns)])
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


def _fingerprinted(connection: psycopg.Connection[Any], name: str, oids: Sequence[int]) -> Answer:
    """Take all rows with all their columns, and return their fingerprint: no value of them is kept."""
    types = [_type_name(connection, oid) for oid in oids]
    digest = RowsDigest()
    size = 0
    fetch = f"FETCH FORWARD {COMPARED_ROWS + 1:d} FROM {_CURSOR}".encode()
    with connection.cursor() as plain, closing(cast("Generator[Any, None, None]", plain.stream(fetch))) as rows:
        for row in rows:
            size += sum(len(raw or b"") for raw in row)
            if digest.rows == COMPARED_ROWS or size > COMPARED_BYTES:
                most = f"{COMPARED_ROWS:,} rows and {COMPARED_BYTES // 1024 // 1024} MiB"
                too_much = f"the answer is larger than what can be compared, {most}: ask for less"
                return Answer(name, columns=len(types), error=too_much, kind="question")
            digest.add([clear_cell(raw, type_name) for raw, type_name in zip(row, types, strict=True)])
    return Answer(name, digest.rows, columns=len(types), fingerprint=digest.hex())


def _matched(connection: psycopg.Connection[Any], assertion: Assertion, columns: int, keys: Keys) -> Answer:
    """Hold the keys that the query answers against those of objects, one fetch against one listing."""
    if columns != 1:
        error = f"the query answers {columns} columns; keys are in one"
        return Answer(assertion.name, columns=columns, error=error, kind="question")
    query = _KEYS.format(assertion.sql.rstrip().rstrip(";")).encode()
    fetch = f"FETCH FORWARD ALL FROM {_CURSOR}".encode()
    with connection.cursor(name=_CURSOR, scrollable=False) as cursor, connection.cursor() as plain:
        cursor.execute(query)
        with closing(cast("Generator[Any, None, None]", plain.stream(fetch))) as rows:
            try:
                found = key_match.match((raw for (raw,) in rows), keys())
            except key_match.DisorderError:
                error = "the keys did not come in the order of their bytes"
                return Answer(assertion.name, columns=1, error=error, kind="could-not-look")
    examined = key_match.examined(assertion.expect, found)
    return Answer(assertion.name, found.rows, columns=1, examined=examined)


def _type_name(connection: psycopg.Connection[Any], oid: int) -> str:
    """Return the name by which values of a type are read. Asked before the query runs, outside every search path."""
    if oid in BUILT_IN:
        return BUILT_IN[oid]
    row = connection.execute(_TYPE.format(oid).encode()).fetchone()
    if row is None:
        return "unknown"
    typtype, category, name = (part.decode(errors="replace") for part in row)
    return own_type(typtype, category, name) if oid >= FIRST_OWN_OID else name
