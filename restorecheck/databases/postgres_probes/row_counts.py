"""`row_counts`: how many rows each table holds, counted in its heap. It measures; what is too few, the judge says."""

from __future__ import annotations

from restorecheck.databases.postgres_probes import inventory, reading
from restorecheck.databases.postgres_probes.readable import read
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.model import Examined


def look(sight: Sight) -> Examined:
    """Count the rows of every table, never by an index. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    return read(sight, found, found.tables, reading.counting, found.left_out)
