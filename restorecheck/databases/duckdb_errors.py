"""What DuckDB's errors mean for a verdict, and what of their text may be repeated: pure, DuckDB is not imported here.

DuckDB's messages quote lines of a file. So while files are read, only the class of an error and the number of a line
are kept; while a query is answered, the words that stand in the query as well, as with PostgreSQL.
"""

from __future__ import annotations

import re
from typing import Literal

from restorecheck.databases.postgres_errors import repeatable

Stage = Literal["open", "read", "ask"]

_DAMAGE = frozenset(
    {
        "ConversionException",
        "InvalidInputException",
        "OutOfRangeException",
        "SerializationException",
        "IOException",
        "InternalException",
        "FatalException",
        "TypeMismatchException",
        "InvalidTypeException",
        "RuntimeError",
        "Error",
    }
)
"""Classes that, while a file is read and nothing else is asked, say that it cannot be read."""

_HERE = re.compile(
    r"Too many open files|No space left|Cannot allocate memory|Input/output error|Stale file handle", re.IGNORECASE
)
"""What this machine, and not the file, is to blame for."""

_LOST = re.compile(r"No such file|Permission denied|No files found", re.IGNORECASE)
_NAMES_NOTHING = re.compile(
    r"Table with name|Referenced (column|table) |does not have a column named|Schema with name|"
    r"because schema|Column .* does not exist|View with name"
)
_LINE = re.compile(r"CSV Error on Line: (\d{1,18})\b|in line (\d{1,18})\b", re.ASCII)

_HINTS = {
    "PermissionException": "the query tried to reach something other than its views",
    "ConversionException": "a value does not have the type that the query makes of it: try_cast, or declare columns",
}


def kind_of(name: str, message: str, stage: Stage) -> str:
    """Return the failure kind of an error: its class by name, DuckDB's message, and what was being done."""
    if name in ("OutOfMemoryException", "MemoryError") or "bad_alloc" in message:
        return "limit"
    if name == "InterruptException":
        return "timeout"
    if stage != "ask":
        return _while_reading(name, message)
    if name in ("CatalogException", "BinderException"):
        return "missing-object" if _NAMES_NOTHING.search(message) else "question"
    return "internal" if name in ("IOException", "InternalException", "FatalException") else "question"


def _while_reading(name: str, message: str) -> str:
    if name == "IOException" and _HERE.search(message):
        return "environment"
    if name == "IOException" and _LOST.search(message):
        return "internal"  # a file that we put there ourselves
    if name in ("NotImplementedException", "MissingExtensionException"):
        return "environment"  # a codec or an encryption that this DuckDB does not know
    return "data-damaged" if name in _DAMAGE else "question"


def sentence(name: str, message: str, stage: Stage, sql: str) -> str:
    """Return one sentence about an error, in which no value of a file stands."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Exception")).lower()
    if stage != "ask":
        found = _LINE.search(message)
        line = f", in line {found[1] or found[2]}" if found else ""
        return f"DuckDB could not read it ({words}{line})"
    text = f"DuckDB refused the query ({words})"
    first = next(iter(message.splitlines()), "").partition(": ")[2]
    if kept := repeatable(first.rstrip("!."), sql):
        text += f": {kept}"
    return f"{text}; {_HINTS[name]}" if name in _HINTS else text
