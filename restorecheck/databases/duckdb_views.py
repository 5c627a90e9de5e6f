"""Restored files as views of DuckDB: which format a name says, and the SQL that reads such files. Pure text work.

A path stands in the SQL of a view only, quoted, and never in a query that an operator wrote. With declared columns
nothing about a CSV file is guessed but its delimiter, so that what is malformed is an error and not a column of texts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["parquet", "csv", "tsv", "lines", "json"]

_KINDS: dict[str, Kind] = {
    "parquet": "parquet",
    "csv": "csv",
    "tsv": "tsv",
    "jsonl": "lines",
    "ndjson": "lines",
    "json": "json",
}
_PACKED = ("gz", "zst")
_DELIMITERS = (",", ";", "|", "\t")

OBJECTS: dict[str, str] = {
    "key": "VARCHAR",
    "version": "VARCHAR",
    "size": "BIGINT",
    "last_modified": "TIMESTAMPTZ",
    "storage_class": "VARCHAR",
    "encryption": "VARCHAR",
    "etag": "VARCHAR",
    "checksum_algorithm": "VARCHAR",
    "checksum": "VARCHAR",
}
"""Columns and types of the table `objects`, which are the keys of each line of its file."""


@dataclass(frozen=True, slots=True)
class Format:
    """What the suffix of a name says of a file."""

    kind: Kind
    packed: str = ""  # "", "gz" or "zst"

    @property
    def suffix(self) -> str:
        """Return the suffix in its one spelling, with its dot."""
        word = {"lines": "jsonl"}.get(self.kind, self.kind)
        return f".{word}.{self.packed}" if self.packed else f".{word}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one CSV file is written."""

    delimiter: str
    header: bool
    columns: tuple[str, ...]  # the declared names in the order of the file


def format_of(name: str) -> Format | None:
    """Return the format that the suffix of a key or file name says, or None if it says none that can be read."""
    parts = name.rsplit("/", 1)[-1].lower().split(".")
    packed = parts.pop() if len(parts) > 2 and parts[-1] in _PACKED else ""
    kind = _KINDS.get(parts[-1]) if len(parts) > 1 else None
    if kind is None or (packed and kind == "parquet"):
        return None
    return Format(kind, packed)


def local_name(number: int, key: str) -> str:
    """Return the name under which an object is kept for reading: a number, and of its key the format's suffix alone."""
    format_ = format_of(key)
    return f"{number:08d}{format_.suffix if format_ else ''}"


def dialect_of(first_line: str, columns: Sequence[str], format_: Format) -> Dialect:
    """Return how a CSV file with these declared columns is written, judged by its first line.

    The first line is a header if its fields are the declared names, in any order and in letters of any case;
    otherwise it is a row.
    """
    delimiters = ("\t",) if format_.kind == "tsv" else _DELIMITERS
    named = {name.casefold(): name for name in columns}
    fitting = ""
    for delimiter in delimiters:
        fields = next(csv.reader([first_line.removeprefix("\ufeff")], delimiter=delimiter), [])
        found = [field.strip().casefold() for field in fields]
        if sorted(found) == sorted(named):
            return Dialect(delimiter, True, tuple(named[field] for field in found))
        if len(fields) == len(columns) and not fitting:
            fitting = delimiter
    return Dialect(fitting or delimiters[0], False, tuple(columns))


def first_line(path: Path) -> str:
    """Return the SQL that answers with the first line of a CSV file, whatever its dialect."""
    call = (
        f"read_csv({_texts([str(path)])}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false, "
        "delim = '\x1f', quote = '', escape = '')"
    )
    return f"{_all_of(call)} LIMIT 1"


def declared_csv(files: Mapping[Path, Dialect], columns: Sequence[tuple[str, str]]) -> str:
    """Return the SQL that reads CSV files, each in its dialect, as exactly these columns."""
    types = dict(columns)
    groups: dict[Dialect, list[str]] = {}
    for path, dialect in files.items():
        groups.setdefault(dialect, []).append(str(path))
    names = ", ".join(identifier(name) for name in types)
    return " UNION ALL ".join(
        _all_of(
            f"read_csv({_texts(paths)}, columns = {_struct((c, types[c]) for c in dialect.columns)}, "
            f"auto_detect = false, header = {str(dialect.header).lower()}, delim = {literal(dialect.delimiter)}, "
            "quote = '\"', escape = '\"', strict_mode = true)",
            names,
        )
        for dialect, paths in groups.items()
    )


def sniffed(paths: Sequence[Path], format_: Format, columns: Sequence[tuple[str, str]]) -> str:
    """Return the SQL that reads Parquet, JSON, or CSV without declared columns."""
    files = _texts(str(path) for path in paths)
    if format_.kind == "parquet":
        return _all_of(f"read_parquet({files}, union_by_name = true, hive_partitioning = false)")
    if format_.kind in ("csv", "tsv"):
        delimiter = ", delim = '\t'" if format_.kind == "tsv" else ""
        return _all_of(f"read_csv({files}, union_by_name = true, sample_size = -1{delimiter})")
    form = "newline_delimited" if format_.kind == "lines" else "auto"
    how = f"columns = {_struct(columns)}" if columns else "union_by_name = true, sample_size = -1"
    return _all_of(f"read_json({files}, format = '{form}', {how})")


def listing(path: Path) -> str:
    """Return the SQL that reads the listing of objects."""
    columns = _struct(OBJECTS.items())
    return _all_of(f"read_json({_texts([str(path)])}, format = 'newline_delimited', columns = {columns})")


def nothing(columns: Sequence[tuple[str, str]]) -> str:
    """Return the SQL of a relation without rows."""
    shape = ", ".join(f"CAST(NULL AS {type_}) AS {identifier(name)}" for name, type_ in columns)
    return f"SELECT {shape or 'NULL AS nothing'} WHERE false"


def identifier(name: str) -> str:
    """Return a name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a quoted literal."""
    return "'" + text.replace("'", "''") + "'"


def _all_of(call: str, names: str = "*") -> str:
    return f"SELECT {names} FROM {call}"  # noqa: S608 - paths are quoted, and the rest is ours


def _texts(texts: Iterable[str]) -> str:
    return f"[{', '.join(literal(text) for text in texts)}]"


def _struct(columns: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{literal(name)}: {literal(type_)}" for name, type_ in columns) + "}"
