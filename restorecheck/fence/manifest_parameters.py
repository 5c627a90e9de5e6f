"""How the one write of a recorder must be made: a new object, of the bucket and key in its permit, and no other. Pure.

A recorder writes into an account whose backups are tested, so it is allowed less than anybody: it cannot write over
anything, read, list or delete, and it says nothing about who may read what it wrote or for how long it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from restorecheck.fence.decision import Permit

ALLOWED = frozenset(
    {"Body", "Bucket", "ChecksumSHA256", "ContentType", "ExpectedBucketOwner", "IfNoneMatch", "Key"},
)
"""Every parameter that it may carry. No ACL or grant, no tag, no lock, no redirect, no key of its own (SSE-C)."""

_SHA256 = re.compile(r"[A-Za-z0-9+/]{43}=")


def why_not_record(operation: str, params: Mapping[str, Any], permit: Permit) -> str | None:
    """Return why a recorder's write may not be sent as it is, or None."""
    if operation != "PutObject":
        return "a recorder writes by PutObject alone"
    if more := set(params) - ALLOWED:
        return f"its parameters {', '.join(sorted(more))} are not among those that it may carry"
    if permit.manifest is None or not all(permit.manifest):
        return "the permit is for no manifest"
    if (named := (params.get("Bucket"), params.get("Key"))) != permit.manifest:
        return f"it would write {named[0]!r}, {named[1]!r}, not the manifest of this permit"
    if params.get("ExpectedBucketOwner") != permit.source_account:
        return "it does not say that the bucket must belong to the account of this permit"
    if params.get("IfNoneMatch") != "*":
        return "it does not say that nothing may be there: it could write over something"
    if not _SHA256.fullmatch(str(params.get("ChecksumSHA256"))):
        return "it does not say what the SHA-256 of the manifest is"
    return None
