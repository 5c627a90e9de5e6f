"""What was asked of the demo AWS: the last calls in full, and counts of all of them that do not grow with every call.

It decides nothing and holds no secret: whoever adds a call has taken them out before.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from typing import Any

Entry = dict[str, Any]

LAST = 20_000
"""How many calls are kept in full."""

MAKES = {
    "CreateDBInstance": "DBInstanceIdentifier",
    "RestoreDBInstanceFromDBSnapshot": "DBInstanceIdentifier",
    "CreateDBSnapshot": "DBSnapshotIdentifier",
    "CopyDBSnapshot": "TargetDBSnapshotIdentifier",
    "CreateDBCluster": "DBClusterIdentifier",
    "RestoreDBClusterFromSnapshot": "DBClusterIdentifier",
    "CreateDBClusterSnapshot": "DBClusterSnapshotIdentifier",
    "CopyDBClusterSnapshot": "TargetDBClusterSnapshotIdentifier",
}
"""The operations that make something, and the parameter that names it."""


class CallLog:
    """All calls of one estate. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: deque[Entry] = deque(maxlen=LAST)
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._errors: Counter[tuple[str, ...]] = Counter()
        self._made: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)

    def add(self, entry: Entry) -> None:
        """Add one call, as `Application` describes it."""
        minute = str(entry["time"])[:16]
        key = (minute, *(str(entry[name]) for name in ("account", "role", "service", "region", "operation")))
        with self._lock:
            self._last.append(entry)
            self._counts[key] += 1
            self._errors[key] += entry["error"] is not None
            if entry["carried_out"] and (named := MAKES.get(entry["operation"])):
                name = str(entry["parameters"].get(named, "")).lower()
                self._made[entry["account"], entry["region"], entry["operation"], name].append(entry["time"])

    def last(self) -> list[Entry]:
        """Return the last calls, oldest first."""
        with self._lock:
            return list(self._last)

    def tally(self) -> Entry:
        """Return all calls counted by minute, and when each thing was made: twice, if it was made twice."""
        fields = ("minute", "account", "role", "service", "region", "operation")
        with self._lock:
            return {
                "calls": [
                    dict(zip(fields, key, strict=True)) | {"calls": count, "errors": self._errors[key]}
                    for key, count in sorted(self._counts.items())
                ],
                "made": [
                    dict(zip(("account", "region", "operation", "name"), key, strict=True)) | {"times": list(times)}
                    for key, times in sorted(self._made.items())
                ],
            }

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for kept in (self._last, self._counts, self._errors, self._made):
                kept.clear()
