"""What the errors of MySQL and MariaDB mean for a verdict, and what of their text may be repeated: pure.

The numbers are those of the servers' own lists (`mysqld_error.h`, and `errmsg-utf8.txt` of MariaDB); those below 1000
in a handler's message are of the storage engines. A message can carry a row, so it is repeated as that of a PostgreSQL
is: only words that stand in the query, or that are the server's own.
"""

from __future__ import annotations

import re

from restorecheck.databases.postgres_errors import repeatable

BY_NUMBER: dict[int, str] = {
    **dict.fromkeys((1049, 1051, 1054, 1109, 1146, 1305), "missing-object"),
    # 1932 (MariaDB), 1812, 1814, 1194, 1195: a table that is there by name, and whose data is not
    **dict.fromkeys(
        (1016, 1017, 1030, 1033, 1034, 1035, 1194, 1195, 1459, 1712, 1812, 1814, 1815, 1817, 1877, 1932),
        "data-damaged",
    ),
    **dict.fromkeys((1205, 1317, 1969, 3024), "timeout"),  # 1317: somebody's KILL QUERY, or ours
    **dict.fromkeys((1044, 1045, 1251, 1698, 1820, 1862, 3118), "login-failed"),
    **dict.fromkeys((1040, 1129, 1130, 1203, 1226, 2002, 2003, 2005), "database-unreachable"),
    **dict.fromkeys((1053, 1927), "interfered"),  # a shutdown, or somebody's KILL
    **dict.fromkeys((1159, 1160, 1161, 2006, 2013, 2055), "connection-lost"),
    2026: "tls",
}
"""Number of an error → failure kind. Everything else is the question's own fault."""

_FULL = re.compile(r"\b(28|122|1021)\b|No space left|is full", re.IGNORECASE)
_HERE = re.compile(r"\b(errno: |error )(11|12|23|24|28|122)\b")
"""What a system says to a server that is short of it: memory, open files, room on the disk."""

_HINTS = {
    1064: "it must be one SELECT that this server understands",
    1142: "the reader may read every table, and nothing else",
    1143: "the reader may read every table, and nothing else",
    1227: "the reader may read every table, and nothing else",
    1044: "a view of the database reads with the rights of a user who may not",
    1045: "a view of the database reads with the rights of a user who is not here",
    1356: "a view of the database names something that is not there, or reads with the rights of a user who may not",
    1449: "a view of the database reads with the rights of a user who is not here",
    1370: "the reader runs no function or procedure of the database",
    1792: "the query tried to write",
    1021: "the server ran out of disk while it answered: ask for less",
    1037: "the server ran out of memory while it answered: ask for less",
    1038: "the server ran out of memory while it answered: ask for less",
    1114: "the server ran out of room for a temporary table: ask for less",
}


_WORDS = (
    "you an error your sql syntax check the manual that corresponds for near at line exist command definer unknown list"
)
"""Words of the servers' own messages that PostgreSQL's do not have."""


def kind_of(number: int, message: str = "") -> str:
    """Return the failure kind of an error that a query met.

    `message` only tells what the server is short of from damage, where one number is both. 1356, a view that does not
    work, stays a question: it is also the rights of the view's user, who often does not come with a backup.
    """
    if (number == 1030 and _FULL.search(message)) or (number in (1016, 1017, 1030) and _HERE.search(message)):
        return "question"
    kind = BY_NUMBER.get(number, "question")
    return "question" if kind == "login-failed" else kind  # whoever asks is in: these are of the user of a view


def connecting(number: int) -> tuple[str, bool]:
    """Return the failure kind of a connection that did not come about, and whether trying again may help."""
    kind = BY_NUMBER.get(number, "database-unreachable")
    if kind in ("connection-lost", "interfered", "timeout", "question"):
        kind = "database-unreachable"
    return kind, kind in ("database-unreachable", "login-failed")


def sentence(number: int, message: str, sql: str | None, database: str = "") -> str:
    """Return one sentence about an error: its number, and what may be repeated. `sql` is None for our own queries."""
    text = f"the server refused with error {number}"
    if kept := repeatable(message.replace("doesn't", "does not"), f"{sql or ''} {database} {_WORDS}"):
        text += f": {kept}"
    return f"{text}; {_HINTS[number]}" if sql is not None and number in _HINTS else text
