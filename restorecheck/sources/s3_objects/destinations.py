"""Where in the scratch bucket an object of the backup is restored to, and which object it was. Pure.

Below the run's prefix, `k/` holds objects under their own keys, so that both sides are listed in one order. A key that
would become longer than S3 allows goes to `h/` under its SHA-256.
"""

from __future__ import annotations

import hashlib

from restorecheck.schedule import scratch_name

LONGEST = 1024
"""Bytes of UTF-8 in a key. [S3 user guide, object key names]"""


def prefix(run_id: str) -> str:
    """Return the prefix of everything that a run makes; it ends in `/`."""
    return f"{scratch_name(run_id)}/"


def direct_prefix(run_id: str) -> str:
    """Return the prefix of what is restored under its own key."""
    return f"{prefix(run_id)}k/"


def hashed_prefix(run_id: str) -> str:
    """Return the prefix of what is restored under the hash of its key."""
    return f"{prefix(run_id)}h/"


def is_direct(run_id: str, key: str) -> bool:
    """Say whether an object is restored under its own key."""
    return len((direct_prefix(run_id) + key).encode()) <= LONGEST


def destination(run_id: str, key: str) -> str:
    """Return the key that an object is restored to."""
    if is_direct(run_id, key):
        return direct_prefix(run_id) + key
    return hashed_prefix(run_id) + hashlib.sha256(key.encode()).hexdigest()


def origin(run_id: str, key: str) -> str:
    """Return the key of the backup that was restored to this one; of a hashed one, where it was restored to."""
    return key.removeprefix(direct_prefix(run_id))
