"""Every probe of MySQL and MariaDB by its name, and how what it found becomes an answer."""

from __future__ import annotations

from restorecheck.databases.mysql_probes import (
    check_table,
    databases,
    foreign_keys,
    readable,
    row_counts,
    schema,
)
from restorecheck.databases.mysql_probes.sight import GaveUpError, Look, Sight
from restorecheck.model import Answer, Assertion

LOOKS: dict[str, Look] = {
    "check_table": check_table.look,
    "databases": databases.look,
    "foreign_keys": foreign_keys.look,
    "readable": readable.look,
    "row_counts": row_counts.look,
    "schema": schema.look,
}


def answer(assertion: Assertion, sight: Sight) -> Answer:
    """Look, and return the answer, without a time. Raises QueryError if the server could not be asked at all."""
    look = LOOKS.get(sight.probe.name)
    if look is None:
        message = f"the probe {sight.probe.name!r} is not known for MySQL and MariaDB"
        return Answer(assertion.name, error=message, kind="question")
    try:
        return Answer(assertion.name, examined=look(sight))
    except GaveUpError as e:
        return Answer(assertion.name, error=e.message, kind=e.kind)
