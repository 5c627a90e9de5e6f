"""How the one write of a keeper must be made: below its permit's prefix, and never over what it has not read. Pure.

A keeper keeps the state of the service, in a bucket of the service's own account. It enters no role, so no other clause
of the fence holds for it: these must be enough. It deletes nothing, and says nothing about who may read what it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from restorecheck.fence.decision import Permit

ALLOWED = frozenset(
    {
        "Body",
        "Bucket",
        "ChecksumSHA256",
        "ContentEncoding",
        "ContentType",
        "ExpectedBucketOwner",
        "IfMatch",
        "IfNoneMatch",
        "Key",
    }
)
"""Every parameter that it may carry. No ACL or grant, no tag, no lock, no redirect, no key of its own (SSE-C)."""

_SHA256 = re.compile(r"[A-Za-z0-9+/]{43}=")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/(?:[A-Za-z0-9][A-Za-z0-9_.-]*/)*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_place(bucket: object, prefix: object) -> bool:
    """Say whether this is a bucket and a prefix below which a state may be kept: a whole folder, and not all of it."""
    named = isinstance(bucket, str) and isinstance(prefix, str)
    return named and bool(_BUCKET.fullmatch(str(bucket))) and bool(_PREFIX.fullmatch(str(prefix)))


def why_not_keep(operation: str, params: Mapping[str, Any], permit: Permit, account: str, region: object) -> str | None:
    """Return why a keeper's write may not be sent as it is, or None."""
    if operation != "PutObject":
        return "a keeper writes by PutObject alone"
    if permit.kept is None or not is_place(*permit.kept) or permit.run_id or permit.manifest or permit.topic:
        return "the permit is for no state"
    if more := set(params) - ALLOWED:
        return f"its parameters {', '.join(sorted(more))} are not among those that it may carry"
    if region != permit.region:
        return f"the permit is for {permit.region}, the call is for {region}"
    bucket, prefix = permit.kept
    key = params.get("Key")
    if params.get("Bucket") != bucket or not isinstance(key, str) or not key.startswith(prefix) or key == prefix:
        return f"it would not write below {bucket}/{prefix}"
    if not account or params.get("ExpectedBucketOwner") != account:
        return "it does not say that the bucket must belong to the account of the service"
    absent, match = params.get("IfNoneMatch"), params.get("IfMatch")
    if (absent, bool(match)) not in {("*", False), (None, True)}:
        return "it does not say what it takes the place of: it could write over what it has not read"
    if not _SHA256.fullmatch(str(params.get("ChecksumSHA256"))):
        return "it does not say what the SHA-256 of its content is"
    return None
