"""Which databases a PostgreSQL server has, and how many tables each holds. Reads the catalogue, and nothing else.

Every name is looked up in pg_catalog, so that nothing in a restored database can stand in for what is meant.
"""

from __future__ import annotations

from typing import Any

import psycopg

from restorecheck.databases.interface import SYSTEM, DatabaseSeen
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.databases.watchdog import Watchdog

CENSUS_SETTINGS = {**SETTINGS, "search_path": "pg_catalog"}

SECONDS = 60.0
"""How long one look may take."""

_LIST = "SELECT datname, datallowconn, datconnlimit FROM pg_catalog.pg_database ORDER BY datname"

_COUNT = """
    SELECT count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
    )), pg_catalog.pg_database_size(pg_catalog.current_database())
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
"""Tables, partitioned or not, materialised views and foreign tables; what an extension brought along is not data."""


def listed(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Return every database but the server's own, and why nobody can look into it: empty if one can.

    Raises psycopg.Error.
    """
    with Watchdog(connection, SECONDS):
        rows = connection.execute(_LIST).fetchall()
    return [(name, _shut(allows, limit)) for name, allows, limit in rows if name not in SYSTEM]


def counted(connection: psycopg.Connection[Any], name: str) -> DatabaseSeen:
    """Return how much the database holds that this connection is to. Raises psycopg.Error."""
    with Watchdog(connection, SECONDS):
        tables, size = connection.execute(_COUNT).fetchall()[0]
    return DatabaseSeen(name, tables, size)


def _shut(allows: bool, limit: int) -> str:
    if limit == -2:
        return "it was half dropped when the backup was made"
    return "" if allows else "it allows no connection"
