"""The text protocol of MySQL and MariaDB as cells: exact, canonical, and a digest wherever a text could be read.

The session's time zone is UTC, so a TIMESTAMP is a moment; a DATETIME has no zone. TRUE is the number 1 there. What
has no form that can be compared (zero dates, bits, geometry) is a cell of kind `other`; it never raises.
"""

from __future__ import annotations

import re
from decimal import Decimal

from restorecheck.assertions.digest import canonical, sealed
from restorecheck.databases import postgres_cells
from restorecheck.model import Cell

_LIKE = {
    0: "numeric",  # DECIMAL
    1: "numeric",  # TINYINT, which is BOOLEAN too
    2: "numeric",  # SMALLINT
    3: "numeric",  # INT
    4: "numeric",  # FLOAT
    5: "numeric",  # DOUBLE
    8: "numeric",  # BIGINT
    9: "numeric",  # MEDIUMINT
    13: "numeric",  # YEAR
    246: "numeric",  # NEWDECIMAL
    7: "timestamptz",  # TIMESTAMP
    12: "timestamp",  # DATETIME
    10: "date",
    15: "text",
    247: "text",  # ENUM
    248: "text",  # SET
    249: "text",  # TINYTEXT and so on: the same numbers as BLOBs
    250: "text",
    251: "text",
    252: "text",
    253: "text",
    254: "text",
}
"""Number of a type on the wire → the type of PostgreSQL that is written the same way."""

_TIME = 11
_NAMES = {16: "bit", 245: "json", 255: "geometry"}
_EXPONENT = re.compile(r"e(?=\d)")
_SPAN = re.compile(r"(-?)(\d{1,3}):(\d\d):(\d\d(?:\.\d{1,6})?)", re.ASCII)


def cell(raw: bytes | None, type_code: int, salt: str, *, seal: bool = False) -> Cell:
    """Return one value as a cell: a text always as its digest, with `seal` everything as its digest."""
    if raw is None:
        return Cell("null")
    if type_code == _TIME:
        return _span(raw, salt, seal=seal)
    like = _LIKE.get(type_code)
    if like is None:
        return Cell("other", _NAMES.get(type_code, f"type {type_code} of the server"))
    return postgres_cells.cell(_written_as(raw, like), like, salt, seal=seal)


def clear_cell(raw: bytes | None, type_code: int) -> Cell:
    """Return one value as a cell that is only for a fingerprint of rows: in clear, whatever its type. Never keep it.

    What cannot be compared goes by its type and the bytes that the server sent.
    """
    like = _LIKE.get(type_code)
    if raw is not None and like is not None:
        return postgres_cells.clear_cell(_written_as(raw, like), like)
    return postgres_cells.clear_cell(raw, f"type {type_code}")


def _written_as(raw: bytes, like: str) -> bytes:
    """Return a value's text as PostgreSQL writes it."""
    if like == "numeric":
        return _EXPONENT.sub("e+", raw.decode(errors="replace")).encode()
    return raw + b"+00" if like == "timestamptz" else raw


def _span(raw: bytes, salt: str, *, seal: bool) -> Cell:
    """Return a TIME, which is a span there: up to 838 hours, also negative."""
    found = _SPAN.fullmatch(raw.decode(errors="replace"))
    if not found:
        return Cell("other", "time, with a value beyond what can be compared")
    sign, hours, minutes, seconds = found.groups()
    total = (int(hours) * 60 + int(minutes)) * 60 + Decimal(seconds)
    read = Cell("duration", canonical(Cell("duration", str(-total if sign else total))))
    return sealed(read, salt) if seal else read
