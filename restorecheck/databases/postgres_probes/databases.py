"""The probe `databases`: whether the databases of a server can be entered, and those that are required hold tables.

It reads the shared catalogue, and the catalogue of each database that is required.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg

from restorecheck.databases.interface import SYSTEM
from restorecheck.databases.postgres_census import counted
from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight
from restorecheck.errors import QueryError
from restorecheck.model import Examined, Flaw, Unseen

_DATABASES = """
    SELECT d.datname, d.datallowconn OR d.datistemplate, d.datconnlimit = -2
    FROM pg_catalog.pg_database d ORDER BY d.datname
"""
"""A template may well be closed to everybody."""

_ACCUSING = frozenset({"data-damaged", "connection-lost", "missing-object"})
"""Kinds of errors for which the backup is to blame, not the way to it."""


def look(sight: Sight) -> Examined:
    """Return the databases that nobody can enter, and those of `required` that are missing or empty.

    Raises GaveUpError, QueryError.
    """

    def read(connection: psycopg.Connection[Any]) -> list[tuple[str, bool, bool]]:
        return [row for row in connection.execute(_DATABASES).fetchall() if row[0] not in SYSTEM]

    found = crew.one(sight, "the list of databases", read)
    names = {name for name, _, _ in found}
    flaws: list[Flaw] = []
    unseen: list[Unseen] = []
    shut = {name: why for name, allows, half in found if (why := _shut(allows, half))}
    flaws += [Flaw(name, why) for name, why in shut.items()]
    required = list(dict.fromkeys(sight.probe.required))
    missing = [name for name in required if name not in names]
    flaws += [Flaw(name, "it is required, and is not there") for name in missing]
    for name in required:
        if name in names and name not in shut:
            what = _tables(sight, name)
            if isinstance(what, Unseen):
                unseen.append(what)
            elif what is not None:
                flaws.append(what)
    return examined("database", len(found) + len(missing), flaws, unseen, lines=sorted(names))


def _shut(allows: bool, half_dropped: bool) -> str:
    if half_dropped:
        return "it was half dropped when the backup was made: nobody can connect to it"
    return "" if allows else "it allows no connection"


def _tables(sight: Sight, name: str) -> Flaw | Unseen | None:
    """Look whether a database holds a table of users; None: it does."""
    within = replace(sight, reader=replace(sight.reader, database=name))
    try:
        seen = crew.one(within, "the list of tables", lambda connection: counted(connection, name))
    except (GaveUpError, QueryError) as e:
        if e.kind in _ACCUSING:
            return Flaw(name, e.message, e.kind)
        return Unseen(name, e.message)
    return None if seen.tables else Flaw(name, "it is required, and holds no table")
