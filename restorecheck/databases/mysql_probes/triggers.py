"""The triggers and events of a database, as lines of its schema: who may see them, and what it means if nobody may.

Only who may change them can see them. Where the reader may not, the prober looks: with the queries here and no other.
A trigger that nobody saw could be one that was lost, so then this was not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import pymysql
from pymysql import Connection

from restorecheck.databases.mysql_probes import crew
from restorecheck.databases.mysql_probes.grants import holds
from restorecheck.databases.mysql_probes.inventory import HERE, Inventory, is_wanted, shown, texts
from restorecheck.databases.mysql_probes.schema_text import digest, joined
from restorecheck.databases.mysql_probes.sight import Sight, Task
from restorecheck.errors import QueryError
from restorecheck.model import Flaw, Probe, Unseen

_TRIGGERS = f"""
    SELECT trigger_name, event_object_table, action_timing, event_manipulation, sql_mode, definer, action_statement
    FROM information_schema.triggers WHERE {HERE.replace("table_schema", "trigger_schema")}
"""  # noqa: S608 - our own constant
# not whether it is enabled: on a replica, which a reference may be recorded from, no event is
_EVENTS = f"""
    SELECT event_name, event_type, coalesce(interval_value, ''), coalesce(interval_field, ''), on_completion, sql_mode,
        definer, event_definition
    FROM information_schema.events WHERE {HERE.replace("table_schema", "event_schema")}
"""  # noqa: S608 - our own constant
_PROBER = "SELECT Trigger_priv, Event_priv FROM mysql.user WHERE User = '{}' AND Host = '%'"
_UNTOLD = (1044, 1142, 1143, 1146, 1356, 1449)
"""Numbers of errors of who may not ask for the users of the server."""

Reads: TypeAlias = "Callable[[Connection[Any]], list[str]]"  # not subscriptable at run time


@dataclass
class Seen:
    """What came of it."""

    lines: list[str] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)


def look(sight: Sight, found: Inventory) -> Seen:
    """Read the triggers of the wanted tables and, unless the probe is asked for tables, the events.

    Raises GaveUpError, QueryError.
    """
    seen = Seen()
    has_tables = bool(found.tables or found.unseen)  # those without rows may have triggers, too
    _one(sight, found, ("triggers", "TRIGGER", partial(_triggers, found=found, probe=sight.probe)), has_tables, seen)
    if not sight.probe.tables:
        _one(sight, found, ("events", "EVENT", partial(_events, found=found)), True, seen)
    return seen


def _one(sight: Sight, found: Inventory, kind: tuple[str, str, Reads], owed: bool, seen: Seen) -> None:
    what, privilege, reads = kind
    needed = Unseen(what, f"to see them all, the privilege {privilege} on {shown(found.schema, '*')} is needed", owed)
    eyes = crew.one(sight, f"who may see {what}", partial(_eyes, sight=sight, privilege=privilege, schema=found.schema))
    if eyes is None:
        seen.unseen.append(needed)
        return

    def looked(connection: Connection[Any]) -> list[str] | None:
        return reads(connection) if _may(connection, privilege, found.schema) else None

    try:
        (done,) = crew.run(eyes, [Task(what, looked)])
    except QueryError as e:
        if eyes is sight or e.kind != "login-failed":
            raise
        seen.unseen.append(Unseen(what, e.message, owed))
        return
    if done.flaw is not None:
        seen.flaws.append(done.flaw)
    elif done.value is None:
        seen.unseen.append(done.unseen or needed)
    else:
        seen.lines += done.value


def _may(connection: Connection[Any], privilege: str, schema: str) -> bool:
    return holds([grant for (grant, *_) in texts(connection, "SHOW GRANTS")], privilege, schema)


def _eyes(connection: Connection[Any], sight: Sight, privilege: str, schema: str) -> Sight | None:
    """Return as whom to look: as the reader, as the prober, or None if neither may."""
    if _may(connection, privilege, schema):
        return sight
    if sight.prober is None:
        return None
    try:
        rows = texts(connection, _PROBER.format(sight.prober.user))
    except pymysql.MySQLError as e:
        if not e.args or e.args[0] not in _UNTOLD:
            raise
        return None  # a source, where nobody made a prober: it is not tried as one
    may = [dict(zip(("TRIGGER", "EVENT"), row, strict=True)) for row in rows]
    return sight.prober if any(one[privilege] == "Y" for one in may) else None


def _triggers(connection: Connection[Any], found: Inventory, probe: Probe) -> list[str]:
    return [
        f"trigger {shown(found.schema, name)}: {timing} {event} on {table}, {joined(rest)}, {digest(body)}"
        for name, table, timing, event, *rest, body in texts(connection, _TRIGGERS)
        if is_wanted(probe, found.schema, table)
    ]


def _events(connection: Connection[Any], found: Inventory) -> list[str]:
    return [
        f"event {shown(found.schema, name)}: {joined(rest)}, {digest(body)}"
        for name, *rest, body in texts(connection, _EVENTS)
    ]
