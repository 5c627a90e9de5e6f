"""DuckDB's text of a value as a cell: exact, canonical, and a digest wherever a text could be read.

DuckDB is asked to write each value as a text, in UTC, because its Python types round months, hours and years away.
What has no form that we can compare is a cell of kind `other`; nothing here raises, and nothing here needs DuckDB.
"""

from __future__ import annotations

import re
from decimal import Decimal

from restorecheck.assertions.digest import canonical, sealed
from restorecheck.databases import postgres_cells
from restorecheck.model import Cell

_WIDTHS = ("tinyint", "smallint", "integer", "bigint", "hugeint")
_NUMBERS = frozenset({*_WIDTHS, *(f"u{name}" for name in _WIDTHS), "float", "double", "decimal", "bignum"})
_NAIVE = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"})
_TEXTS = frozenset({"varchar", "uuid", "enum", "blob"})
_ZONED = "timestamp with time zone"

_WORDS = {"true": "t", "false": "f", "inf": "Infinity", "-inf": "-Infinity", "nan": "NaN", "-nan": "NaN"}
"""What DuckDB writes in another way than PostgreSQL, whose reader reads both."""

_INTERVAL = re.compile(
    r"(?:(?P<years>-?\d+) years? ?)?(?:(?P<months>-?\d+) months? ?)?(?:(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d{1,6})?))?",
    re.ASCII,
)


def type_name(type_id: str, shown: str) -> str:
    """Return the name by which values of a type are read: its id, but JSON (an alias of VARCHAR) under its own."""
    return "json" if shown == "JSON" else type_id


def projection(name: str) -> str:
    """Return the SQL that turns the one column of an answer into the text that `cell` reads."""
    if name == "blob":
        return "lower(hex(#1))"
    if name in _NUMBERS or name in _NAIVE or name in _TEXTS or name in (_ZONED, "boolean", "date", "interval"):
        return "CAST(#1 AS VARCHAR)"
    return "CASE WHEN #1 IS NULL THEN NULL ELSE '' END"


def cell(text: str | None, name: str, salt: str, *, seal: bool = False) -> Cell:
    """Return one value as a cell: a text always as its digest, with `seal` everything as its digest.

    `text` is what `projection` answered; `name` is of `type_name`.
    """
    if text is None:
        return Cell("null")
    if name == "interval":
        return _interval(text, salt, seal=seal)
    raw = text if name in _TEXTS else _WORDS.get(text, text)
    return postgres_cells.cell(raw.encode(errors="surrogateescape"), _like(name), salt, seal=seal)


def _like(name: str) -> str:
    """Return the type of PostgreSQL that is written the same way; any other name is not comparable."""
    if name in _NUMBERS:
        return "numeric"
    if name in _NAIVE:
        return "timestamp"
    if name in _TEXTS:
        return "text"
    return {_ZONED: "timestamptz", "boolean": "bool", "date": "date"}.get(name, f"DuckDB's {name}")


def _interval(text: str, salt: str, *, seal: bool) -> Cell:
    found = _INTERVAL.fullmatch(text)
    if not found or not text:
        return Cell("other", "interval, with a value beyond what can be compared")
    if found["years"] or found["months"]:  # a month has no length
        return Cell("other", "interval with months")
    days, hours, minutes, seconds = (Decimal(found[part] or 0) for part in ("days", "hours", "minutes", "seconds"))
    clock = (hours * 60 + minutes) * 60 + seconds
    total = days * 86_400 + (-clock if found["sign"] else clock)
    read = Cell("duration", canonical(Cell("duration", str(total))))
    return sealed(read, salt) if seal else read
