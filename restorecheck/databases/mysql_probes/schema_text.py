"""How definitions become lines that can be compared: of a table, one for each column, index and constraint. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_NAME = r"`((?:[^`]|``)*)`"
_COLUMN = re.compile(rf"{_NAME} (.*)", re.DOTALL)
_INDEX = re.compile(rf"((?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?(?:KEY|INDEX)) {_NAME}(.*)", re.DOTALL)
_CONSTRAINT = re.compile(rf"CONSTRAINT {_NAME} (.*)", re.DOTALL)
_OPTION = re.compile(r"(?P<key>[A-Z_]+(?: (?:CHARSET|DIRECTORY))?)=(?P<value>'(?:[^'\\]|''|\\.)*'|\(.*?\)|\S+)")
_PASSING = {
    "AUTO_INCREMENT", "ROW_FORMAT", "STATS_PERSISTENT", "STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES", "AVG_ROW_LENGTH",
    "MIN_ROWS", "MAX_ROWS", "PACK_KEYS", "CHECKSUM", "PAGE_CHECKSUM", "DELAY_KEY_WRITE", "KEY_BLOCK_SIZE",
    "DATA DIRECTORY", "INDEX DIRECTORY", "TRANSACTIONAL",
}  # fmt: skip
"""Options that say how or where rows are kept, or how far a counter is: a restore may change them."""


def of_table(table: str, text: str) -> list[str]:
    """Return the lines of one table, by whose shown name they are told apart."""
    body, options = _parted(text.split("\n")[1:])
    lines: list[str] = []
    columns: list[str] = []
    for part in body:
        if found := _COLUMN.fullmatch(part):
            columns.append(found[1].replace("``", "`"))
            lines.append(f"column {table}.{columns[-1]}: {found[2]}")
        elif found := _INDEX.fullmatch(part):
            lines.append(f"index {table}.{found[2].replace('``', '`')}: {found[1]}{found[3]}")
        elif found := _CONSTRAINT.fullmatch(part):
            lines.append(f"constraint {table}.{found[1].replace('``', '`')}: {found[2]}")
        else:
            lines.append(f"part {table}: {part}")
    lines.append(f"columns {table}: {', '.join(columns)}")
    lines.append(f"table {table}: {_options(options)}")
    return lines


def _parted(lines: list[str]) -> tuple[list[str], str]:
    """Return what stands within the parentheses, piece by piece, and what comes after them."""
    for number, line in enumerate(lines):
        if line.startswith(")"):
            return [one.strip().removesuffix(",") for one in lines[:number]], " ".join(lines[number:])
    return [one.strip().removesuffix(",") for one in lines], ""


def _options(text: str) -> str:
    """Return the options of a table, and its partitions, without what a restore changes."""
    kept = _OPTION.sub(lambda found: "" if found["key"] in _PASSING else found[0], text.removeprefix(")"))
    return " ".join(kept.split())


def joined(parts: Iterable[str]) -> str:
    """Return what stands in a line beside a name: without what is empty, on one line."""
    return " ".join(" ".join(part.split()) for part in parts if part)


def digest(body: str) -> str:
    """Return a body as a digest: it is long, and a difference is all that must be seen."""
    return f"md5 {hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()}"
