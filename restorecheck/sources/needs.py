"""What the probes of a check need in a restored database before they can look: pure.

A probe that needs nothing asks for nothing: what is not asked for is not made.
"""

from __future__ import annotations

from collections.abc import Mapping

from restorecheck.model import Check
from restorecheck.model.probes import PROBES


def needs_of(check: Check, main: str) -> Mapping[str, tuple[str, ...]]:
    """Return the extensions that the probes of a check need, by database, as `Database.prepare` takes them.

    `main` is the database of an assertion that names none.
    """
    wanted: dict[str, set[str]] = {}
    for assertion in check.assertions:
        if assertion.probe is not None and (extensions := PROBES[assertion.probe.name].extensions):
            wanted.setdefault(assertion.database or main, set()).update(extensions)
    return {database: tuple(sorted(extensions)) for database, extensions in wanted.items()}
