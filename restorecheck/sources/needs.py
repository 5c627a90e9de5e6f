"""What the probes of a check need in a restored database before they can look: pure.

A probe that needs nothing asks for nothing: what is not asked for is not made. One that reads rows names its database,
so that tables with row security can be read there too.
"""

from __future__ import annotations

from collections.abc import Mapping

from restorecheck.model import Check
from restorecheck.model.probes import PROBES

READING = frozenset({"readable", "row_counts", "counts_agree", "foreign_keys", "sequences"})
"""Probes that read the rows of tables."""


def needs_of(check: Check, main: str) -> Mapping[str, tuple[str, ...]]:
    """Return the extensions that the probes of a check need, by database, as `Database.prepare` takes them.

    A database with no extension is one in which rows are read. `main` is the database of an assertion that names none.
    """
    wanted: dict[str, set[str]] = {}
    for assertion in check.assertions:
        if assertion.probe is None:
            continue
        extensions = PROBES[assertion.probe.name].extensions
        if extensions or assertion.probe.name in READING:
            wanted.setdefault(assertion.database or main, set()).update(extensions)
    return {database: tuple(sorted(extensions)) for database, extensions in wanted.items()}
