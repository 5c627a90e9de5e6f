"""The probe `schema`: one line for the definition of everything that users made, so that two times can be compared.

It reads definitions only. Left out is what a healthy restore may change: OIDs, files, owners and grants (the probe
`roles` looks at those), comments, statistics, versions of collations, the place of a sequence, names that PostgreSQL
makes up for copies on partitions; and what extensions brought along.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psycopg

from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.inventory import chosen, shown
from restorecheck.databases.postgres_probes.schema_queries import ANCESTORS, queries
from restorecheck.databases.postgres_probes.schema_text import ascending, line, of_users
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight
from restorecheck.model import Examined, Probe

REMARK = "of the schema, definitions were read: owners, grants and comments are not part of it"

_WRITTEN = """
    SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL quote_all_identifiers = off
"""
"""What the text of a default or of a partition's bounds depends on; a database may have its own."""

_Lines = list[tuple[str | None, str]]
"""Scope and line: `public.orders` of whatever belongs to that table; None for what has no schema."""


def look(sight: Sight) -> Examined:
    """Return every definition as a line. `tables` and `exclude` hold for `schema.name` of whatever has a schema.

    With `tables`, what has no schema, such as an extension, is left out. Raises GaveUpError, QueryError.
    """
    names, found = crew.one(sight, "the schema", read)
    for pattern in sight.probe.tables:
        if not any(chosen(Probe("schema", tables=(pattern,)), own) for own in names.values()):
            raise GaveUpError("question", f"nothing is called like {pattern!r}")
    wanted = {scope for scope, own in names.items() if chosen(sight.probe, own)}
    limited = bool(sight.probe.tables)
    lines = ascending([one for scope, one in found if (not limited if scope is None else scope in wanted)])
    return examined("object", of_users(lines), lines=lines, left_out=len(names) - len(wanted), remarks=(REMARK,))


def read(connection: psycopg.Connection[Any]) -> tuple[dict[str, set[str]], _Lines]:
    """Return the names by which patterns may mean each scope, and every line with its scope.

    The connection is in a transaction with `search_path = pg_catalog`. Raises psycopg.Error.
    """
    connection.execute(_WRITTEN)
    lines: _Lines = []
    for query in queries(connection.info.server_version // 10_000):
        for scope, head, text, body in connection.execute(query).fetchall():
            lines.append((shown(*scope) if scope else None, line(head, text, body)))
    names: defaultdict[str, set[str]] = defaultdict(set)
    for scope, _ in lines:
        if scope is not None:
            names[scope].add(scope)
    for part, whole in connection.execute(ANCESTORS).fetchall():
        names[shown(*part)].add(shown(*whole))
    return dict(names), lines
