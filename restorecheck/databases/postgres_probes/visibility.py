"""The probe `visibility`: whether pages that are marked as seen by all, or as frozen, hold rows that are not.

Such a row is hidden from, or shown by, whatever trusts the mark: every index-only scan, and every VACUUM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.databases.postgres_probes import crew, inventory
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.extension import functions
from restorecheck.databases.postgres_probes.relations import Heap, relations
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

_TOLD = 3
"""So many pages of a table are named."""

_QUERY = """
    SELECT count(*)::int8, array_agg(DISTINCT split_part(trim(t::text, '()'), ',', 1)::int8)
    FROM {}({}::oid::regclass) AS f(t)
"""

_WRONG = {
    "pg_check_visible": "on pages that are marked as seen by all, not seen by all",
    "pg_check_frozen": "on pages that are marked as frozen, not frozen",
}


def look(sight: Sight) -> Examined:
    """Check the visibility map of every table, and of what holds its long values. Raises GaveUpError, QueryError."""
    taken = inventory.taken(sight)
    known = functions(sight, "pg_visibility")
    checks = {name: found[0] for name in _WRONG if (found := known.of(name, 1))}
    if len(checks) < len(_WRONG):
        raise GaveUpError("could-not-look", f"pg_visibility {known.version} has no function that checks a whole table")
    tables = [t.oid for t in taken.tables]
    heaps, _ = crew.one(sight, "the list of relations", partial(relations, tables=tables, system=False))
    unseen = list(taken.unseen)
    tasks: list[Task[list[Flaw]]] = []
    for heap in heaps:
        if heap.method == "heap":
            tasks.append(Task(heap.shown, partial(_checked, heap=heap, checks=checks), heap.bytes, as_prober=True))
        else:
            unseen.append(Unseen(heap.shown, f"pg_visibility knows no tables of {heap.method}", owed=False))
    flaws: list[Flaw] = []
    seen = 0
    for one in crew.run(sight, tasks):
        if one.unseen is not None:
            unseen.append(one.unseen)
            continue
        flaws += [one.flaw] if one.flaw is not None else one.value or []
        seen += not one.task.object.endswith("(TOAST)")
    made = examined("table", seen, flaws, unseen, left_out=taken.left_out, remarks=taken.remarks)
    return replace(made, bytes=sum(heap.bytes for heap in heaps))


def _checked(connection: psycopg.Connection[Any], heap: Heap, checks: dict[str, sql.Identifier]) -> list[Flaw]:
    flaws = []
    for name, function in checks.items():
        row = connection.execute(sql.SQL(_QUERY).format(function, sql.Literal(heap.oid))).fetchone()
        count, pages = row or (0, None)
        if count:
            rows = f"{count:,} row{'s' if count > 1 else ''}"
            flaws.append(Flaw(heap.shown, f"{rows} {_WRONG[name]}: {_named(pages or ())}", "data-damaged"))
    return flaws


def _named(pages: Sequence[int]) -> str:
    first = ", ".join(str(page) for page in sorted(pages)[:_TOLD])
    more = f" and {len(pages) - _TOLD:,} more" if len(pages) > _TOLD else ""
    return f"page{'s' if len(pages) > 1 else ''} {first}{more}"
