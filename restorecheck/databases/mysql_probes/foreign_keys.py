"""The probe `foreign_keys`: rows that reference no row. The referencing table is read itself, not one of its indexes.

Where a key references a primary key, the referenced rows themselves are looked up; where it references another key,
that index is. A row with a NULL among its columns references nothing, as the servers say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymysql import Connection, MySQLError

from restorecheck.databases.mysql_probes import crew, inventory
from restorecheck.databases.mysql_probes.inventory import HERE, Table, quoted, shown, texts
from restorecheck.databases.mysql_probes.sight import Sight, Task, first, some
from restorecheck.model import Examined, Flaw

_NO_SUCH_TABLE = 1146

_KEYS = f"""
    SELECT table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name,
        referenced_column_name
    FROM information_schema.key_column_usage WHERE {HERE} AND referenced_table_name IS NOT NULL
    ORDER BY table_name, constraint_name, ordinal_position
"""  # noqa: S608 - our own constant
_PRIMARY = """
    SELECT column_name FROM information_schema.statistics
    WHERE table_schema = {} AND table_name = {} AND index_name = 'PRIMARY' ORDER BY seq_in_index
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One foreign key."""

    schema: str
    table: str
    name: str
    columns: tuple[str, ...]
    parent_schema: str
    parent: str
    parent_columns: tuple[str, ...]

    @property
    def shown(self) -> str:
        """How findings name it: `shop.lines.lines_ibfk_1`."""
        return f"{shown(self.schema, self.table)}.{self.name}"


def look(sight: Sight) -> Examined:
    """Look for orphans. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    tables = {table.name: table for table in found.tables}
    rows = crew.one(sight, "the list of foreign keys", lambda connection: texts(connection, _KEYS))
    keys = [key for key in keys_of(found.schema, rows) if key.table in tables]
    dones = crew.run(sight, [_task(key, tables[key.table]) for key in keys])
    flaws = [done.flaw for done in dones if done.flaw is not None]
    violations = len(flaws)
    for key, done in zip(keys, dones, strict=True):
        if done.value is not None and done.value < 0:
            message = f"references {shown(key.parent_schema, key.parent)}, which is not there"
            flaws.append(Flaw(key.shown, message))
            violations += 1
        elif done.value:
            one = done.value == 1
            message = f"{done.value:,} row{' references' if one else 's reference'} no row of "
            flaws.append(Flaw(key.shown, message + shown(key.parent_schema, key.parent)))
            violations += done.value
    unseen = [done.unseen for done in dones if done.unseen is not None]
    return Examined(
        "foreign key", len(keys) - len(unseen), violations, first(flaws), some(unseen), len(unseen),
        sum(one.owed for one in unseen), found.left_out, remarks=found.remarks,
    )  # fmt: skip


def keys_of(schema: str, rows: list[tuple[str, ...]]) -> list[Key]:
    """Return the keys of the catalogue's rows, one for each column of a key, in their order."""
    parts: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    for table, name, column, parent_schema, parent, parent_column in rows:
        parts.setdefault((table, name, parent_schema, parent), []).append((column, parent_column))
    return [
        Key(schema, table, name, tuple(c for c, _ in pairs), parent_schema, parent, tuple(p for _, p in pairs))
        for (table, name, parent_schema, parent), pairs in parts.items()
    ]


def orphans(key: Key, primary: tuple[str, ...]) -> str:
    """Return the query that counts the rows which reference nothing. `primary`: the key of the referenced table."""
    is_primary = primary[: len(key.parent_columns)] == key.parent_columns
    pairs = list(zip(key.columns, key.parent_columns, strict=True))
    there = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column, _ in pairs)
    same = " AND ".join(f"p.{quoted(parent)} = c.{quoted(column)}" for column, parent in pairs)
    return (
        f"SELECT COUNT(*) FROM {quoted(key.schema, key.table)} c USE INDEX () WHERE {there} AND NOT EXISTS "  # noqa: S608
        f"(SELECT 1 FROM {quoted(key.parent_schema, key.parent)} p{' FORCE INDEX (PRIMARY)' if is_primary else ''} "
        f"WHERE {same})"
    )


def _task(key: Key, table: Table) -> Task[int]:
    return Task(key.shown, _counts(key), max(table.bytes, 1))


def _counts(key: Key) -> Callable[[Connection[Any]], int]:
    """Return what counts the orphans of a key; -1 stands for a referenced table that is not there."""

    def count(connection: Connection[Any]) -> int:
        try:
            texts(connection, f"SELECT 1 FROM {quoted(key.parent_schema, key.parent)} LIMIT 0")  # noqa: S608 - quoted
        except MySQLError as e:
            if e.args and e.args[0] == _NO_SUCH_TABLE:
                return -1
            raise
        primary = _PRIMARY.format(_literal(key.parent_schema), _literal(key.parent))
        names = tuple(row[0] for row in texts(connection, primary))
        return int(texts(connection, orphans(key, names))[0][0])

    return count


def _literal(name: str) -> str:
    """Return a name as a text that holds no quote."""
    return f"CONVERT(0x{name.encode().hex()} USING utf8mb4)"
