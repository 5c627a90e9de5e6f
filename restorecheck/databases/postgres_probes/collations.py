"""The probe `collations`: whether text is still sorted as it was when its indexes were built.

A text index is sorted by rules of a library outside PostgreSQL. Under another version of it, the same index misses
rows and lets duplicates in. PostgreSQL keeps the version that a collation was made with; this compares.
"""

from __future__ import annotations

from typing import Any

import psycopg

from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.catalogue import OF_USERS, examined, no_member, sorted_out
from restorecheck.databases.postgres_probes.inventory import shown
from restorecheck.databases.postgres_probes.sight import Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

_DEFAULT = 100
"""The OID of `pg_catalog."default"`, which stands for the database's own collation."""

_USED = f"""
    WITH used AS (
        SELECT a.attcollation AS collation FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm')
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND {OF_USERS} AND {no_member("pg_class", "c.oid")}
        WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT pg_catalog.unnest(i.indcollation) FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND {OF_USERS} AND {no_member("pg_class", "c.oid")}
        UNION ALL
        SELECT pg_catalog.unnest(p.partcollation) FROM pg_catalog.pg_partitioned_table p
        UNION ALL
        SELECT r.rngcollation FROM pg_catalog.pg_range r
    )
    SELECT l.oid, n.nspname, l.collname, l.collversion,
        l.collprovider = 'b' OR (l.collprovider = 'c' AND l.collcollate IN ('C', 'POSIX')), pg_catalog.count(*)
    FROM used u JOIN pg_catalog.pg_collation l ON l.oid = u.collation
    JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
    WHERE l.oid <> {_DEFAULT}
    GROUP BY l.oid, n.nspname, l.collname, l.collversion, l.collprovider, l.collcollate ORDER BY n.nspname, l.collname
"""  # noqa: S608 - of our own constants

_OWN = """
    SELECT pg_catalog.to_jsonb(d) ->> 'datcollversion',
        CASE pg_catalog.to_jsonb(d) ->> 'datlocprovider' WHEN 'b' THEN true WHEN 'i' THEN false
            ELSE d.datcollate IN ('C', 'POSIX') END
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""
"""The database's own collation; PostgreSQL 14 keeps no version of it."""

_ACTUAL = "SELECT pg_catalog.pg_collation_actual_version({})"
_ACTUAL_OF_OWN = """
    SELECT pg_catalog.pg_database_collation_actual_version(d.oid)
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""

_FIRST_WITH_OWN = 15

_Kept = tuple[str, str | None, bool, int, str]
"""Name, recorded version, whether it sorts by bytes, how many columns and index keys use it, the query for today's."""


def look(sight: Sight) -> Examined:
    """Compare the version of every collation in use, and of the database's own. Raises GaveUpError, QueryError."""
    kept = crew.one(sight, "the list of collations", _kept)
    versioned = [one for one in kept if not one[2] and one[1] is not None]
    found, flaws, owed = sorted_out(versioned, crew.run(sight, [_task(one) for one in versioned]))
    limits = [
        Unseen(name, "no version of it was recorded, so none can be compared", owed=False)
        for name, recorded, by_bytes, *_ in kept
        if not by_bytes and recorded is None
    ]
    limits += [
        Unseen(name, f"this server knows no version of it; {recorded} was recorded", owed=False)
        for (name, recorded, *_), actual in found
        if actual is None
    ]
    flaws += [
        Flaw(name, _differs(recorded, actual, uses))
        for (name, recorded, _, uses, _), actual in found
        if actual is not None and actual != recorded
    ]
    unseen = owed + limits
    return examined("collation", len(kept) - len(unseen), flaws, unseen, remarks=_remarks(unseen))


def _kept(connection: psycopg.Connection[Any]) -> list[_Kept]:
    found: list[_Kept] = [
        (shown(schema, name), version, by_bytes, uses, _ACTUAL.format(int(oid)))
        for oid, schema, name, version, by_bytes, uses in connection.execute(_USED).fetchall()
    ]
    version, by_bytes = connection.execute(_OWN).fetchall()[0]
    has_version = connection.info.server_version >= _FIRST_WITH_OWN * 10_000
    found.append(("the database's own", version if has_version else None, by_bytes, 0, _ACTUAL_OF_OWN))
    return found


def _task(kept: _Kept) -> Task[str | None]:
    name, _, _, _, query = kept

    def run(connection: psycopg.Connection[Any]) -> str | None:
        version = connection.execute(query.encode()).fetchall()[0][0]
        return None if version is None else str(version)

    return Task(name, run)


def _differs(recorded: str | None, actual: str, uses: int) -> str:
    used = f" ({uses:,} columns and index keys use it)" if uses else ""
    return (
        f"sorted under version {recorded}, and this server has {actual}{used}: text indexes may miss rows; "
        "run the probes amcheck and counts_agree"
    )


def _remarks(unseen: list[Unseen]) -> list[str]:
    if not unseen:
        return []
    return [f"of {len(unseen)} collation(s) it cannot be told whether they still sort as they did"]
