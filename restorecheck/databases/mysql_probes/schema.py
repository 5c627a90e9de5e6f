"""The probe `schema`: one line for every definition that users made, the same on a source and on its healthy restore.

What a restore changes by nature is left out: counters of AUTO_INCREMENT, statistics' settings and row formats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymysql import Connection

from restorecheck.databases.mysql_probes import crew, inventory, triggers
from restorecheck.databases.mysql_probes.grants import holds
from restorecheck.databases.mysql_probes.inventory import HERE, Inventory, quoted, shown, texts
from restorecheck.databases.mysql_probes.schema_text import digest, joined, of_table
from restorecheck.databases.mysql_probes.sight import Sight, Task, first, some
from restorecheck.model import Examined, Unseen

_VIEWS = f"""
    SELECT table_name, view_definition, check_option, security_type, definer
    FROM information_schema.views WHERE {HERE}
"""  # noqa: S608 - our own constant
_ROUTINES = f"""
    SELECT routine_name, routine_type, coalesce(dtd_identifier, ''), is_deterministic, sql_data_access, security_type,
        sql_mode, definer, routine_definition
    FROM information_schema.routines WHERE {HERE.replace("table_schema", "routine_schema")}
"""  # noqa: S608 - our own constant
_PARAMETERS = f"""
    SELECT specific_name, coalesce(parameter_mode, ''), coalesce(parameter_name, ''), dtd_identifier
    FROM information_schema.parameters
    WHERE {HERE.replace("table_schema", "specific_schema")} AND ordinal_position > 0
    ORDER BY specific_name, ordinal_position
"""  # noqa: S608 - our own constant
_VIEW_HIDDEN = "to see its definition, the privileges SELECT and SHOW VIEW are needed, both on *.* or both on {}"


def look(sight: Sight) -> Examined:
    """Read every definition. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    probe = sight.probe
    tasks = [Task(table.shown, _table(found.schema, table.name)) for table in found.tables]
    tasks += [
        Task(shown(found.schema, name), _sequence(found.schema, name))
        for name, kind in found.others
        if kind == "SEQUENCE"
    ]
    dones = crew.run(sight, tasks)
    lines = [line for done in dones for line in done.value or ()]
    flaws = [done.flaw for done in dones if done.flaw is not None]
    unseen = [done.unseen for done in dones if done.unseen is not None]
    rest, hidden = crew.one(sight, "the views and routines", lambda c: _rest(c, found, bool(probe.tables)))
    seen = triggers.look(sight, found)
    lines += rest + seen.lines
    flaws += seen.flaws
    unseen += hidden + seen.unseen
    return Examined(
        "object", len(lines), len(flaws), first(flaws), some(unseen), len(unseen), sum(one.owed for one in unseen),
        found.left_out, lines=tuple(sorted(lines)), remarks=found.remarks,
    )  # fmt: skip


def _table(schema: str, name: str) -> Callable[[Connection[Any]], list[str]]:
    def read(connection: Connection[Any]) -> list[str]:
        [(_, text)] = texts(connection, f"SHOW CREATE TABLE {quoted(schema, name)}")
        return of_table(shown(schema, name), text)

    return read


def _sequence(schema: str, name: str) -> Callable[[Connection[Any]], list[str]]:
    def read(connection: Connection[Any]) -> list[str]:
        [(_, text)] = texts(connection, f"SHOW CREATE SEQUENCE {quoted(schema, name)}")
        _, _, definition = text.partition("` ")
        return [f"sequence {shown(schema, name)}: {definition}"]

    return read


def _rest(connection: Connection[Any], found: Inventory, tables_only: bool) -> tuple[list[str], list[Unseen]]:
    """Return the lines of views and routines, and what the reader may not see. With `tables`: only those of views."""
    schema = found.schema
    views = {name for name, kind in found.others if kind == "VIEW"}
    lines: list[str] = []
    hidden: list[Unseen] = []
    for name, definition, *rest in texts(connection, _VIEWS):
        if name not in views:
            continue
        if definition:
            lines.append(f"view {shown(schema, name)}: {joined((*rest, definition))}")
        else:  # MariaDB hides it from who has the one everywhere, and the other in this database
            hidden.append(Unseen(f"view {shown(schema, name)}", _VIEW_HIDDEN.format(shown(schema, "*"))))
    if tables_only:
        return lines, hidden
    if not _sees_routines([grant for (grant, *_) in texts(connection, "SHOW GRANTS")], schema):
        hidden.append(Unseen("routines", "to see them all, the privilege SELECT on *.* is needed"))
    parameters: dict[str, list[str]] = {}
    for name, *parts in texts(connection, _PARAMETERS):
        parameters.setdefault(name, []).append(joined(parts))
    for name, kind, returns, *rest, body in texts(connection, _ROUTINES):
        arguments = ", ".join(parameters.get(name, ()))
        if not body:
            hidden.append(Unseen(f"{kind.lower()} {shown(schema, name)}", "its body is not shown to a reader", False))
        lines.append(f"{kind.lower()} {shown(schema, name)}({arguments}): {joined((returns, *rest))}, {digest(body)}")
    return lines, hidden


def _sees_routines(grants: list[str], schema: str) -> bool:
    """Say whether routines of others are listed. Our reader sees them; whoever a reference is recorded as may not."""
    return (
        holds(grants, "SELECT", "")
        or holds(grants, "SHOW_ROUTINE", "")  # MySQL 8
        or holds(grants, "SHOW CREATE ROUTINE", schema)  # MariaDB 11
    )
