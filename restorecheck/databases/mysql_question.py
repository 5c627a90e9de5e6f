"""One question in one session of MySQL or MariaDB: settings, a read-only snapshot, the server's own parser, one fetch.

The order of the statements is the protection, so it is all in `taken`. Values come as bytes and are read by
`mysql_cells`, which never raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pymysql import Connection
from pymysql.cursors import SSCursor

from restorecheck.databases.mysql_cells import cell
from restorecheck.model import Answer, Assertion, Cell

ROWS = 10_000
"""At most so many rows are counted, or compared with a set."""

BYTES = 8 * 1024 * 1024
"""At most so many bytes of values are taken. A single value arrives whole (max_allowed_packet: at most 1 GB)."""

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


def taken(
    connection: Connection[Any],
    assertion: Assertion,
    salt: str,
    seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """Ask one question and return its answer, without a time; the connection is of no use afterwards.

    Raises pymysql.MySQLError for whatever the server refuses, Late.
    """
    until = monotonic() + seconds
    query = assertion.sql.rstrip().rstrip(";")
    with connection.cursor() as plain:
        plain.execute(FORMATS)
        plain.execute("SELECT VERSION()")
        [(version,)] = plain.fetchall()
        if b"MariaDB" in version:
            plain.execute(f"SET SESSION max_statement_time = {max(seconds, 0.001):.3f}")
        else:
            plain.execute(f"SET SESSION max_execution_time = {int(seconds * 1000) or 1:d}")
        plain.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        # only a query expression can stand in EXISTS (…): the server's parser says so, and runs nothing
        check = f"SELECT 1 FROM DUAL WHERE EXISTS (\n{query}\n)"  # noqa: S608 - it is the operator's query
        plain.execute(f"SET @restorecheck = CONVERT(0x{check.encode().hex()} USING utf8mb4)")
        plain.execute("PREPARE restorecheck FROM @restorecheck")
        plain.execute("DEALLOCATE PREPARE restorecheck")
        plain.execute(f"SET SESSION sql_select_limit = {ROWS + 1:d}")
    rows = connection.cursor(_Rows)
    try:
        rows.execute(query)  # without parameters: a `%` stays what it is
        return _fetched(rows, assertion, salt, until, monotonic)
    finally:
        rows.abandon()


def _fetched(rows: _Rows, assertion: Assertion, salt: str, until: float, monotonic: Callable[[], float]) -> Answer:
    """Take from the result what the expectation needs, and no more."""
    shape = rows.description or ()
    if not shape:
        return Answer(assertion.name, error="the query answers no column at all", kind="question")
    count_only, is_set = assertion.expect.no_rows, assertion.expect.members is not None
    if len(shape) > 1 and not count_only:  # not taken at all: the judge refuses it
        return Answer(assertion.name, columns=len(shape))
    cap = ROWS if is_set or count_only else 1
    cells: list[Cell] = []
    count = size = 0
    while count <= cap and (row := rows.fetchone()) is not None:
        if monotonic() > until:
            raise Late
        count += 1
        if not count_only:
            size += len(row[0] or b"")
            if size > BYTES:
                too_much = f"the answer is larger than {BYTES // 1024 // 1024} MiB: ask for less"
                return Answer(assertion.name, columns=1, error=too_much, kind="question")
            cells.append(cell(row[0], int(shape[0][1]), salt, seal=is_set))
    return Answer(assertion.name, min(count, cap), count > cap, len(shape), tuple(cells[:cap]))
