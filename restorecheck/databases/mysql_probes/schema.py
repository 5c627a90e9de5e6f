"""The probe `schema`: one line for every definition that users made, the same on a source and on its healthy restore.

What a restore changes by nature is left out: counters of AUTO_INCREMENT, statistics' settings and row formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from pymysql import Connection, MySQLError

from restorecheck.databases.mysql_probes import crew, inventory
from restorecheck.databases.mysql_probes.inventory import HERE, Inventory, quoted, shown, texts
from restorecheck.databases.mysql_probes.schema_text import of_table
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
_TRIGGERS = f"""
    SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement
    FROM information_schema.triggers WHERE {HERE.replace("table_schema", "trigger_schema")}
"""  # noqa: S608 - our own constant
_EVENTS = f"""
    SELECT event_name, coalesce(interval_value, ''), coalesce(interval_field, ''), event_definition
    FROM information_schema.events WHERE {HERE.replace("table_schema", "event_schema")}
"""  # noqa: S608 - our own constant
_EVENTS_BEFORE_8 = """
    SELECT name, coalesce(interval_value, ''), coalesce(interval_field, ''), body FROM mysql.event
    WHERE db = DATABASE()
"""
_UNKNOWN_TABLE = 1146


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
    lines += rest
    unseen += hidden
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
    """Return the lines of what is no table, and what the reader may not see. With `tables`: only those of tables."""
    schema = found.schema
    views = {name for name, kind in found.others if kind == "VIEW"}
    lines = [
        f"view {shown(schema, name)}: {_joined((*rest, definition))}"
        for name, definition, *rest in texts(connection, _VIEWS)
        if name in views
    ]
    triggers = texts(connection, _TRIGGERS)
    tables = {table.name for table in found.tables}
    lines += [
        f"trigger {shown(schema, name)}: {timing} {event} on {table}, {_digest(body)}"
        for name, table, timing, event, body in triggers
        if table in tables
    ]
    hidden = [] if triggers else [Unseen("triggers", "only who may change triggers can see them", owed=False)]
    if tables_only:
        return lines, hidden
    parameters: dict[str, list[str]] = {}
    for name, *parts in texts(connection, _PARAMETERS):
        parameters.setdefault(name, []).append(_joined(parts))
    for name, kind, returns, *rest, body in texts(connection, _ROUTINES):
        arguments = ", ".join(parameters.get(name, ()))
        if not body:
            hidden.append(Unseen(f"{kind.lower()} {shown(schema, name)}", "its body is not shown to a reader", False))
        lines.append(f"{kind.lower()} {shown(schema, name)}({arguments}): {_joined((returns, *rest))}, {_digest(body)}")
    events, is_hidden = _events(connection)
    lines += [f"event {shown(schema, name)}: every {_joined(every)}, {_digest(body)}" for name, *every, body in events]
    if is_hidden:
        hidden.append(Unseen("events", "only who may change events can see them", owed=False))
    return lines, hidden


def _events(connection: Connection[Any]) -> tuple[list[tuple[str, ...]], bool]:
    """Return the events, and whether there may be others that a reader does not see (MySQL 8)."""
    try:
        return texts(connection, _EVENTS_BEFORE_8), False
    except MySQLError as e:
        if not e.args or e.args[0] != _UNKNOWN_TABLE:
            raise
    events = texts(connection, _EVENTS)
    return events, not events


def _joined(parts: Iterable[str]) -> str:
    return " ".join(" ".join(part.split()) for part in parts if part)


def _digest(body: str) -> str:
    """Return a body as a digest: it is long, and a difference is all that must be seen."""
    return f"md5 {hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()}"
