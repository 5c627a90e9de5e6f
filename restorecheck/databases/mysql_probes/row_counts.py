"""The probe `row_counts`: the rows of every table, counted by reading them and not by asking an index or a header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymysql import Connection

from restorecheck.databases.mysql_probes import crew, inventory, reading
from restorecheck.databases.mysql_probes.inventory import Table, texts
from restorecheck.databases.mysql_probes.sight import Sight, Task, first, some
from restorecheck.model import Examined, Measure


def look(sight: Sight) -> Examined:
    """Count. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    dones = crew.run(sight, [Task(table.shown, _counts(table), max(table.bytes, 1)) for table in found.tables])
    flaws = [done.flaw for done in dones if done.flaw is not None]
    unseen = [*found.unseen, *(done.unseen for done in dones if done.unseen is not None)]
    measures = [Measure(done.task.object, done.value) for done in dones if done.value is not None]
    return Examined(
        "table", len(measures) + len(flaws), len(flaws), first(flaws), some(unseen), len(unseen),
        sum(one.owed for one in unseen), found.left_out, tuple(sorted(measures, key=lambda one: one.object)),
        rows=sum(one.rows or 0 for one in measures), remarks=found.remarks,
    )  # fmt: skip


def _counts(table: Table) -> Callable[[Connection[Any]], int]:
    return lambda connection: int(texts(connection, reading.count(table))[0][0])
