"""The probe `extensions`: whether each extension of the database is one that this server has, and none is missing.

Without its files an extension's functions fail, and so does every query, view and index that uses them. Whether its
library can be loaded is not tried: loading runs what is in it.
"""

from __future__ import annotations

from typing import Any

import psycopg

from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.model import Examined, Flaw

_INSTALLED = """
    SELECT x.extname, x.extversion,
        EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = x.extname)
    FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
    WHERE n.nspname <> 'restorecheck_probes' ORDER BY x.extname
"""

REMARK = "of extensions, the catalogue and the server's list were compared: no library was loaded"


def look(sight: Sight) -> Examined:
    """Return the extensions that this server does not have, and those of `required` that the database does not.

    Raises GaveUpError, QueryError.
    """

    def read(connection: psycopg.Connection[Any]) -> list[tuple[str, str, bool]]:
        return connection.execute(_INSTALLED).fetchall()

    installed = crew.one(sight, "the list of extensions", read)
    names = {name for name, _, _ in installed}
    flaws = [
        Flaw(name, f"the database uses it in version {version}, and this server does not have it")
        for name, version, available in installed
        if not available
    ]
    missing = [name for name in dict.fromkeys(sight.probe.required) if name not in names]
    flaws += [Flaw(name, "it is required, and the database does not have it") for name in missing]
    lines = sorted(f"{name} {version}" for name, version, _ in installed)
    return examined("extension", len(installed) + len(missing), flaws, lines=lines, remarks=(REMARK,))
