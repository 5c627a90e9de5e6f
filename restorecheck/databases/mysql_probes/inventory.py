"""Which tables the asked database holds, and which of them a probe is asked for. Reads the catalogue only.

In MySQL a schema is a database: only the one that was asked is looked at. Nothing is left out in silence: what has no
rows here is told as unseen, what the operator left out is counted, and a pattern that names nothing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pymysql import Connection

from restorecheck.databases.mysql_probes import crew
from restorecheck.databases.mysql_probes.sight import GaveUpError, Sight
from restorecheck.model import Probe, Unseen

NOT_TABLES = ("VIEW", "SYSTEM VIEW", "SEQUENCE", "TEMPORARY", "TEMPORARY SEQUENCE")
"""Kinds of what `information_schema.tables` lists that hold no rows of users."""

_ELSEWHERE = {"federated": "another server", "connect": "another place", "spider": "other servers", "s3": "a bucket"}
_NOTHING = {"blackhole"}

HERE = """table_schema = DATABASE()
    AND (@@lower_case_table_names OR CAST(table_schema AS BINARY) = CAST(DATABASE() AS BINARY))"""
"""The asked database and no other: MariaDB compares `shop` and `Shop` as the same, and keeps them apart on disk."""

_TABLES = f"""
    SELECT table_name, coalesce(table_type, ''), coalesce(engine, ''), coalesce(data_length, 0)
    FROM information_schema.tables WHERE {HERE} ORDER BY table_name
"""  # noqa: S608 - our own constant
_COLUMNS = f"""
    SELECT table_name, column_name, data_type, coalesce(character_set_name, '')
    FROM information_schema.columns WHERE {HERE} ORDER BY table_name, ordinal_position
"""  # noqa: S608 - our own constant
_PARTITIONS = f"""
    SELECT table_name, partition_name, coalesce(sum(data_length), 0) FROM information_schema.partitions
    WHERE {HERE} AND partition_name IS NOT NULL GROUP BY table_name, partition_name
    ORDER BY table_name, min(partition_ordinal_position)
"""  # noqa: S608 - our own constant
_PRIMARY = f"""
    SELECT table_name, column_name FROM information_schema.statistics
    WHERE {HERE} AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index
"""  # noqa: S608 - our own constant


_CHECKS = f"""
    SELECT table_name, check_clause FROM information_schema.check_constraints
    WHERE {HERE.replace("table_schema", "constraint_schema")}
"""  # noqa: S608 - our own constant
_IS_JSON = re.compile(r"json_valid\(`((?:[^`]|``)+)`\)", re.IGNORECASE)
"""How MariaDB keeps the type JSON."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, invisible ones included."""

    name: str
    type: str  # of the data, in lower case: `varchar`
    charset: str  # empty: it holds no text
    json: bool = False  # MariaDB: a text that the table says must be JSON


@dataclass(frozen=True, slots=True)
class Table:
    """One table with rows of its own."""

    schema: str
    name: str
    engine: str  # in lower case; empty if the server cannot open it
    bytes: int  # of its rows, about: what the server thinks
    versioned: bool = False  # MariaDB keeps rows that were changed or deleted, too
    columns: tuple[Column, ...] = ()
    partitions: tuple[tuple[str, int], ...] = ()  # name and bytes
    key: tuple[str, ...] = ()  # columns of the primary key

    @property
    def shown(self) -> str:
        """How findings name it: `shop.orders`."""
        return shown(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a probe is to look at."""

    schema: str
    tables: tuple[Table, ...]  # by name
    left_out: int = 0  # how many with rows the operator's patterns left out
    unseen: tuple[Unseen, ...] = ()  # wanted, but without rows here; none is owed
    remarks: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()  # name and kind of what is no table: views, sequences


def taken(sight: Sight) -> Inventory:
    """Return what the probe is to look at, in a session of its own. Raises GaveUpError, QueryError."""
    return crew.one(sight, "the list of tables", lambda connection: tables(connection, sight.probe))


def tables(connection: Connection[Any], probe: Probe) -> Inventory:
    """Return what the probe is to look at. Raises GaveUpError, pymysql.MySQLError."""
    schema = texts(connection, "SELECT coalesce(DATABASE(), '')")[0][0]
    columns: dict[str, list[Column]] = {}
    json = _json(connection)
    for table, name, kind, charset in texts(connection, _COLUMNS):
        column = Column(name, kind.lower(), charset.lower(), (table, name) in json)
        columns.setdefault(table, []).append(column)
    partitions: dict[str, list[tuple[str, int]]] = {}
    for table, name, size in texts(connection, _PARTITIONS):
        partitions.setdefault(table, []).append((name, int(size)))
    keys: dict[str, list[str]] = {}
    for table, name in texts(connection, _PRIMARY):
        keys.setdefault(table, []).append(name)
    found: list[Table] = []
    others: list[tuple[str, str]] = []
    for name, kind, engine, size in texts(connection, _TABLES):
        if kind.upper() in NOT_TABLES:
            others.append((name, kind.upper()))
            continue
        is_versioned = kind.upper() == "SYSTEM VERSIONED"
        found.append(
            Table(
                schema, name, engine.lower(), int(size), is_versioned, tuple(columns.get(name, ())),
                tuple(partitions.get(name, ())), tuple(keys.get(name, ())),
            )
        )  # fmt: skip
    return chosen(probe, schema, found, others)


def _json(connection: Connection[Any]) -> set[tuple[str, str]]:
    """Return table and name of each column that MariaDB holds to be JSON; MySQL reads JSON as JSON by itself."""
    if "MariaDB" not in texts(connection, "SELECT VERSION()")[0][0]:
        return set()
    found = ((table, _IS_JSON.fullmatch(clause)) for table, clause in texts(connection, _CHECKS))
    return {(table, match[1].replace("``", "`")) for table, match in found if match}


def chosen(probe: Probe, schema: str, found: Sequence[Table], others: Sequence[tuple[str, str]] = ()) -> Inventory:
    """Return those of the tables that the probe is asked for. Raises GaveUpError for a pattern that names nothing."""
    names = [(schema, table.name) for table in found] + [(schema, name) for name, _ in others]
    for pattern in probe.tables:
        if not any(_matches((pattern,), *name) for name in names):
            raise GaveUpError("question", f"no table is called like {pattern!r}")
    idle = [pattern for pattern in probe.exclude if not any(_matches((pattern,), *name) for name in names)]
    wanted = [table for table in found if is_wanted(probe, schema, table.name)]
    unseen = [(table, reason) for table in wanted if (reason := _without_rows(table))]
    return Inventory(
        schema,
        tuple(table for table in wanted if not _without_rows(table)),
        len(found) - len(wanted),
        tuple(Unseen(table.shown, reason, owed=False) for table, reason in unseen),
        tuple(f"no table is called like {pattern!r}, which is to be left out" for pattern in idle),
        tuple(other for other in others if is_wanted(probe, schema, other[0])),
    )


def is_wanted(probe: Probe, schema: str, name: str) -> bool:
    """Say whether the operator's patterns mean this table. They may name it with its database or without."""
    meant = not probe.tables or _matches(probe.tables, schema, name)
    return meant and not _matches(probe.exclude, schema, name)


def shown(schema: str, name: str) -> str:
    """Return `schema.table` for people: quoted only where a dot or a quote would mislead, no control characters."""
    return f"{_printable(schema)}.{_printable(name)}"


def quoted(*names: str) -> str:
    """Return names as the server reads them, whatever is in them: `shop`.`orders`."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def texts(connection: Connection[Any], query: str) -> list[tuple[str, ...]]:
    """Return the rows of one of our own queries as texts; NULL is empty. Raises pymysql.MySQLError."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [tuple(_text(value) for value in row) for row in cursor.fetchall()]


def _text(value: Any) -> str:
    return "" if value is None else bytes(value).decode(errors="backslashreplace")


def _printable(name: str) -> str:
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
    return "`" + safe.replace("`", "``") + "`" if "." in safe or "`" in safe else safe


def _matches(patterns: Iterable[str], schema: str, name: str) -> bool:
    """A pattern without a dot is one of tables alone; `s*` must not mean everything in `shop`."""
    return any(
        fnmatchcase(name, pattern) or ("." in pattern and fnmatchcase(f"{schema}.{name}", pattern))
        for pattern in patterns
    )


def _without_rows(table: Table) -> str:
    if place := _ELSEWHERE.get(table.engine):
        return f"a table of engine {table.engine}: its rows are in {place}"
    return "a table of engine blackhole: it keeps no rows" if table.engine in _NOTHING else ""
