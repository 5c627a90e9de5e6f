"""PostgreSQL's text output as cells: exact, canonical, and a digest wherever a text could be read.

The text is read strictly, in the formats that the session asked for (ISO dates, ISO 8601 intervals, UTC). What does not
have that form, or has no place in Python (years before 1 or after 9999), is a cell of kind `other`; it never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

from restorecheck.assertions.digest import canonical, sealed
from restorecheck.model import Cell

_DIGITS = 1000  # a longer number is no measurement, and nobody should have to carry it
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?(?P<zone>[+-]\d\d(:\d\d){0,2})?", re.ASCII)
_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d{1,6})?)S)?)?", re.ASCII
)
_INFINITE = ("infinity", "-infinity")


def _bool(text: str) -> Cell:
    return Cell("bool", {"t": "true", "f": "false"}[text])


def _number(text: str) -> Cell:
    if text in ("NaN", "Infinity", "-Infinity"):
        return Cell("number", text)
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        raise ValueError
    return Cell("number", canonical(Cell("number", text)))


def _time(text: str) -> Cell:
    if text in _INFINITE:
        return Cell("time", text)
    found = _TIME.fullmatch(text)
    if not found or not found["zone"]:
        raise ValueError
    return Cell("time", canonical(Cell("time", text)))


def _naive(text: str) -> Cell:
    if text in _INFINITE:
        return Cell("time", text, naive=True)
    found = _TIME.fullmatch(text)
    if not found or found["zone"]:
        raise ValueError
    return Cell("time", datetime.fromisoformat(text).isoformat(), naive=True)


def _date(text: str) -> Cell:
    if text in _INFINITE:
        return Cell("date", text)
    if not _DATE.fullmatch(text):
        raise ValueError
    return Cell("date", date.fromisoformat(text).isoformat())


def _interval(text: str) -> Cell:
    if text in _INFINITE:
        return Cell("duration", text)
    found = _INTERVAL.fullmatch(text)
    if not found:
        raise ValueError
    years, months, days, hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
    if years or months:  # a month has no length
        return Cell("other", "interval with months")
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return Cell("duration", canonical(Cell("duration", str(total))))


def _text(text: str) -> Cell:
    return Cell("text", text)


def _padded(text: str) -> Cell:
    return Cell("text", text.rstrip(" "))  # `char(n)` pads with blanks that do not count in PostgreSQL either


_READERS: dict[str, Callable[[str], Cell]] = {
    "bool": _bool,
    "int2": _number,
    "int4": _number,
    "int8": _number,
    "oid": _number,
    "float4": _number,
    "float8": _number,
    "numeric": _number,
    "timestamptz": _time,
    "timestamp": _naive,
    "date": _date,
    "interval": _interval,
    "text": _text,
    "varchar": _text,
    "name": _text,
    "char": _text,
    "uuid": _text,
    "bpchar": _padded,
}

BUILT_IN = {
    16: "bool",
    18: "char",
    19: "name",
    20: "int8",
    21: "int2",
    23: "int4",
    25: "text",
    26: "oid",
    700: "float4",
    701: "float8",
    1042: "bpchar",
    1043: "varchar",
    1082: "date",
    1114: "timestamp",
    1184: "timestamptz",
    1186: "interval",
    1700: "numeric",
    2950: "uuid",
}
"""Object ids of the types that we can compare; they are fixed in PostgreSQL's catalogue (pg_type.dat)."""

FIRST_OWN_OID = 16384
"""From here on object ids are given out by one database: an enum, citext or a type of an extension."""


def own_type(typtype: str, category: str, name: str) -> str:
    """Return how a type of the database itself is read: enums and types of the string category are texts."""
    return "text" if typtype == "e" or category == "S" else name


def cell(raw: bytes | None, type_name: str, salt: str, *, seal: bool = False) -> Cell:
    """Return one value as a cell: a text always as its digest, with `seal` everything as its digest.

    `type_name` is a value of `BUILT_IN`, or any other name, which becomes the name of the cell that cannot be compared.
    """
    if raw is None:
        return Cell("null")
    reader = _READERS.get(type_name)
    if reader is None:
        return Cell("other", type_name)
    try:
        read = reader(raw.decode(errors="surrogateescape"))
        return sealed(read, salt) if seal or read.kind == "text" else read
    except (ValueError, ArithmeticError, KeyError):
        return Cell("other", f"{type_name}, with a value beyond what can be compared")


def clear_cell(raw: bytes | None, type_name: str) -> Cell:
    """Return one value as a cell that is only for a fingerprint of rows: in clear, whatever its type. Never keep it.

    What cannot be compared goes by its type and the text that the server made of it.
    """
    if raw is None:
        return Cell("null")
    text = raw.decode(errors="surrogateescape")
    try:
        read = _READERS[type_name](text)
    except (ValueError, ArithmeticError, KeyError):
        return Cell("other", f"{type_name}\0{text}")
    return read if read.kind != "other" else Cell("other", f"{type_name}\0{text}")
