"""The probe `databases`: each database of the server, and each that is required, is there and holds tables."""

from __future__ import annotations

from restorecheck.databases.mysql_probes.sight import Sight, first
from restorecheck.model import Examined, Flaw


def look(sight: Sight) -> Examined:
    """List them. Raises QueryError."""
    seen = {one.name: one for one in sight.databases()}
    flaws = [Flaw(name, "this database is not there") for name in sight.probe.required if name not in seen]
    flaws += [Flaw(name, "this database holds no table") for name in sight.probe.required
              if name in seen and not seen[name].tables]  # fmt: skip
    return Examined("database", len(seen), len(flaws), first(flaws), lines=tuple(sorted(seen)))
