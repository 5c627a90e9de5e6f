"""One question in one session of MySQL or MariaDB: settings, a read-only snapshot, the server's own parser, one fetch.

The order of the statements is the protection, so it is all in `taken`. Values come as bytes and are read by
`mysql_cells`, which never raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pymysql import Connection
from pymysql.cursors import Cursor, SSCursor

from restorecheck.assertions.fingerprint import RowsDigest
from restorecheck.databases import key_match
from restorecheck.databases.mysql_cells import cell, clear_cell
from restorecheck.databases.sampling import Sampling
from restorecheck.model import Answer, Assertion, Cell

ROWS = 10_000
"""At most so many rows are counted, or compared with a set."""

BYTES = 8 * 1024 * 1024
"""At most so many bytes of values are taken. A single value arrives whole (max_allowed_packet: at most 1 GB)."""

COMPARED_ROWS = 1_000_000
"""At most so many rows are fingerprinted, for `same_as`."""

COMPARED_BYTES = 64 * 1024 * 1024
"""At most so many bytes of values are."""

_NO_LIMIT = 2**64 - 1
"""The greatest value of sql_select_limit, which is its default."""

Keys = Callable[[], Iterable[bytes]]
"""Every key of some objects, ascending by bytes."""

_KEYS = """WITH restorecheck(k) AS (
{}
) SELECT IF(CHARSET(k) = 'binary', CAST(k AS BINARY), CAST(CONVERT(k USING utf8mb4) AS BINARY)) FROM restorecheck
ORDER BY 1"""
"""In the order of their UTF-8 bytes, whatever the column's character set: as a bucket lists its keys."""

FORMATS = (
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
)
"""What the texts of values, and the meaning of a query, depend on: the usual quotes, and a moment in UTC."""


class Late(Exception):  # noqa: N818 - it is a state of ours, not an error of the server
    """The time of a question was over while its rows came in."""


class _Rows(SSCursor):
    """A cursor that can be left with rows still to come; PyMySQL would read all of them to the end."""

    def abandon(self) -> None:
        """Forget what has not come. The connection is of no use after this but to be closed."""
        result: Any = getattr(self, "_result", None)
        if result is not None:
            result.unbuffered_active = False
            result.connection = None
        self._result = None
        self.connection = None  # type: ignore[assignment]  # as SSCursor.close leaves it


def bound(cursor: Cursor, seconds: float) -> None:
    """Let the server itself end statements of this session that take longer. Raises pymysql.MySQLError."""
    cursor.execute("SELECT VERSION()")
    [(version,)] = cursor.fetchall()
    if b"MariaDB" in version:
        cursor.execute(f"SET SESSION max_statement_time = {max(seconds, 0.001):.3f}")
    else:
        cursor.execute(f"SET SESSION max_execution_time = {int(seconds * 1000) or 1:d}")


def taken(
    connection: Connection[Any],
    assertion: Assertion,
    salt: str,
    seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
    *,
    keys: Keys | None = None,
    sampling: Sampling | None = None,
) -> Answer:
    """Ask one question and return its answer, without a time; the connection is of no use afterwards.

    `keys` are those that an expectation `exist_in` or `covers` speaks of; `sampling` takes keys of rows that should not
    be there, and has not kept them yet. Raises pymysql.MySQLError for whatever the server refuses, Late,
    RestorecheckError if the keys cannot be had.
    """
    until = monotonic() + seconds
    query = assertion.sql.rstrip().rstrip(";")
    limit = COMPARED_ROWS + 1 if assertion.expect.same_as else ROWS + 1
    with connection.cursor() as plain:
        plain.execute(FORMATS)
        bound(plain, seconds)
        plain.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        # only a query expression can stand in EXISTS (…): the server's parser says so, and runs nothing
        check = f"SELECT 1 FROM DUAL WHERE EXISTS (\n{query}\n)"  # noqa: S608 - it is the operator's query
        plain.execute(f"SET @restorecheck = CONVERT(0x{check.encode().hex()} USING utf8mb4)")
        plain.execute("PREPARE restorecheck FROM @restorecheck")
        plain.execute("DEALLOCATE PREPARE restorecheck")
        if keys:  # a key of an object has up to 1,024 bytes
            plain.execute(f"SET SESSION sql_select_limit = {_NO_LIMIT:d}, max_sort_length = 8192")
        else:
            plain.execute(f"SET SESSION sql_select_limit = {limit:d}")
    rows = connection.cursor(_Rows)
    try:
        rows.execute(_KEYS.format(query) if keys else query)  # without parameters: a `%` stays what it is
        if keys:
            return _matched(rows, assertion, keys, until, monotonic)
        if assertion.expect.same_as is not None:
            return _fingerprinted(rows, assertion.name, until, monotonic)
        if assertion.expect.no_rows:
            return _counted(rows, assertion.name, sampling, until, monotonic)
        return _fetched(rows, assertion, salt, until, monotonic)
    finally:
        rows.abandon()


def _coming(rows: _Rows, until: float, monotonic: Callable[[], float]) -> Iterator[tuple[bytes | None, ...]]:
    """Pass on the rows as they come in. Raises Late."""
    while (row := rows.fetchone()) is not None:
        if monotonic() > until:
            raise Late
        yield row


def _fingerprinted(rows: _Rows, name: str, until: float, monotonic: Callable[[], float]) -> Answer:
    """Take all rows with all their columns, and return their fingerprint: no value of them is kept."""
    types = [int(column[1]) for column in rows.description or ()]
    digest, size = RowsDigest(), 0
    for row in _coming(rows, until, monotonic):
        size += sum(len(raw or b"") for raw in row)
        if digest.rows == COMPARED_ROWS or size > COMPARED_BYTES:
            most = f"{COMPARED_ROWS:,} rows and {COMPARED_BYTES // 1024 // 1024} MiB"
            too_much = f"the answer is larger than what can be compared, {most}: ask for less"
            return Answer(name, columns=len(types), error=too_much, kind="question")
        digest.add([clear_cell(raw, kind) for raw, kind in zip(row, types, strict=True)])
    return Answer(name, digest.rows, columns=len(types), fingerprint=digest.hex())


def _matched(rows: _Rows, assertion: Assertion, keys: Keys, until: float, monotonic: Callable[[], float]) -> Answer:
    """Hold the keys that the query answers against those of objects, one result against one listing."""
    try:
        found = key_match.match((raw for (raw,) in _coming(rows, until, monotonic)), keys())
    except key_match.DisorderError:
        error = "the keys did not come in the order of their bytes"
        return Answer(assertion.name, columns=1, error=error, kind="could-not-look")
    return Answer(assertion.name, found.rows, columns=1, examined=key_match.examined(assertion.expect, found))


def _counted(rows: _Rows, name: str, sampling: Sampling | None, until: float, monotonic: Callable[[], float]) -> Answer:
    """Count the rows of the result; of the first few, take the keys that are wanted."""
    names = [str(column[0]) for column in rows.description or ()]
    if not names:
        return Answer(name, error="the query answers no column at all", kind="question")
    if sampling is not None and (why := sampling.find(names)):
        return Answer(name, columns=len(names), error=why, kind="question")
    count = 0
    for row in _coming(rows, until, monotonic):
        count += 1
        if sampling is not None:
            sampling.add(row)
        if count > ROWS:
            break
    return Answer(name, min(count, ROWS), count > ROWS, len(names))


def _fetched(rows: _Rows, assertion: Assertion, salt: str, until: float, monotonic: Callable[[], float]) -> Answer:
    """Take from the result what the expectation needs, and no more."""
    shape = rows.description or ()
    if not shape:
        return Answer(assertion.name, error="the query answers no column at all", kind="question")
    is_set = assertion.expect.members is not None
    if len(shape) > 1:  # not taken at all: the judge refuses it
        return Answer(assertion.name, columns=len(shape))
    cap = ROWS if is_set else 1
    cells: list[Cell] = []
    count = size = 0
    for row in _coming(rows, until, monotonic):
        count += 1
        size += len(row[0] or b"")
        if size > BYTES:
            too_much = f"the answer is larger than {BYTES // 1024 // 1024} MiB: ask for less"
            return Answer(assertion.name, columns=1, error=too_much, kind="question")
        cells.append(cell(row[0], int(shape[0][1]), salt, seal=is_set))
        if count > cap:
            break
    return Answer(assertion.name, min(count, cap), count > cap, len(shape), tuple(cells[:cap]))
