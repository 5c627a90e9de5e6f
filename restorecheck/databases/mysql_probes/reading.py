"""The SQL that reads every value of a table: how it is hashed, where it is checked to be text, in which pieces. Pure.

Every value is part of a hash that the server computes, so all of it must be read and decoded; no value leaves. The
clustered index is read, never a secondary one: `USE INDEX ()` allows none, a range of keys forces the primary one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from restorecheck.databases.mysql_probes.inventory import Column, Table, quoted

CHUNK = 64 * 2**20
"""Bytes of a table that one task reads, about."""

MOST_CHUNKS = 256

_LONG = {
    "tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob", "json", "vector",
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
    "geometrycollection", "geomcollection",
}  # fmt: skip
"""May be longer than max_allowed_packet, beyond which a cast is NULL and only a hash is not."""

_SHORT = {"char", "varchar", "binary", "varbinary", "enum", "set"}
_CHOICE = {"enum", "set"}  # their texts stand in the definition, the rows hold numbers
_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}

_CHECKED = {
    "ascii", "utf8", "utf8mb3", "utf8mb4", "ucs2", "utf16", "utf16le", "utf32", "sjis", "cp932", "ujis", "eucjpms",
    "gbk", "gb2312", "gb18030", "big5", "euckr",
}  # fmt: skip
"""Character sets in which not every run of bytes is a text."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that all values of a column must be."""

    column: str
    what: str  # a character set, or JSON
    fails: str  # an SQL expression: 1 for a value that is not


def select(table: Table, where: str = "", partition: str = "") -> str:
    """Return the query of one piece: rows, sum of the rows' hashes, and how many fail each check."""
    expressions = ["COUNT(*)", f"COALESCE(SUM({_hash(table)}), 0)" if table.columns else "COALESCE(SUM(1), 0)"]
    expressions += [f"COALESCE(SUM({check.fails}), 0)" for check in checks(table)]
    return f"SELECT {', '.join(expressions)} {scan(table, where, partition)}"


def count(table: Table) -> str:
    """Return the query that counts the rows by reading them; COUNT(*) would ask some engines' headers."""
    return f"SELECT COALESCE(SUM(1), 0) {scan(table)}"


def scan(table: Table, where: str = "", partition: str = "") -> str:
    """Return FROM and what follows, such that the rows themselves are read."""
    text = f"FROM {quoted(table.schema, table.name)}"
    if partition:
        text += f" PARTITION ({quoted(partition)})"
    if table.versioned:
        text += " FOR SYSTEM_TIME ALL"
    return f"{text} FORCE INDEX (PRIMARY) WHERE {where}" if where else f"{text} USE INDEX ()"


def checks(table: Table) -> list[Check]:
    """Return what is checked of the values beside that they can be read."""
    texts = [Check(c.name, c.charset, _is_no_text(c)) for c in table.columns if _is_checked(c)]
    return texts + [Check(c.name, "JSON", _is_no_json(c)) for c in table.columns if c.json]


def splits(table: Table, types: dict[str, str]) -> str:
    """Return the column by whose ranges the table may be read in pieces; empty if it is small or has none."""
    if table.partitions or table.bytes < 2 * CHUNK or not table.key:
        return ""
    return table.key[0] if types.get(table.key[0]) in _INTEGERS else ""


def ranges(column: str, least: int, most: int, size: int) -> list[str]:
    """Return conditions that cut all keys into pieces of equal width; the first and the last are open to their end."""
    pieces = min(MOST_CHUNKS, -(-size // CHUNK), most - least + 1)
    bounds = [least + (most - least + 1) * i // pieces for i in range(1, pieces)]
    name = quoted(column)
    if not bounds:
        return []
    inner = [f"{name} >= {low} AND {name} < {high}" for low, high in pairwise(bounds)]
    return [f"{name} < {bounds[0]}", *inner, f"{name} >= {bounds[-1]}"]


def _hash(table: Table) -> str:
    """Return 60 bits of the MD5 of a row. NULL and an empty text differ; lengths keep values apart."""
    values = ", ".join(_value(column) for column in table.columns)
    return f"CAST(CONV(LEFT(MD5(CONCAT_WS(',', {values})), 15), 16, 10) AS UNSIGNED)"


def _value(column: Column) -> str:
    name = quoted(column.name)
    if column.type in _LONG:
        return f"IFNULL(MD5({name}), '')"
    if column.type in _SHORT:
        return f"IFNULL(CONCAT(LENGTH({name}), ':', CAST({name} AS BINARY)), '')"
    if column.type == "float":  # as a text it would lose digits
        return f"IFNULL({name} + 0E0, '')"
    return f"IFNULL({name} + 0, '')" if column.type == "bit" else f"IFNULL({name}, '')"


def _is_checked(column: Column) -> bool:
    return column.charset in _CHECKED and column.type not in _CHOICE


def _is_no_json(column: Column) -> str:
    """Return 1 where a value breaks its table's own rule: no dump of such a row could be restored."""
    name = quoted(column.name)
    return f"LENGTH({name}) <= @@max_allowed_packet AND NOT JSON_VALID({name})"


def _is_no_text(column: Column) -> str:
    """Return 1 where bytes are none of the column's character set; what is too long for a cast cannot be checked."""
    name = quoted(column.name)
    same = f"CAST(CONVERT(CAST({name} AS BINARY) USING {column.charset}) AS BINARY) <=> CAST({name} AS BINARY)"
    return f"NOT (LENGTH({name}) > @@max_allowed_packet OR {same})" if column.type in _LONG else f"NOT ({same})"
