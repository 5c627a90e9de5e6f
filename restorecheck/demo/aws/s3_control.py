"""Control calls about buckets: histories in the past, bytes that rot, and what is there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.s3.models import FakeBucket, FakeKey, s3_backends

from restorecheck.demo.aws.access import PARTITION
from restorecheck.demo.aws.errors import ControlError, required, time_of
from restorecheck.demo.aws.s3 import LOCK
from restorecheck.demo.aws.s3_backend import versions_of

Values = dict[str, Any]


def _bucket(values: Values) -> tuple[Any, FakeBucket]:
    account, name = required(values, "account", "bucket")
    backend = s3_backends[account][PARTITION]
    if name not in backend.buckets:
        raise ControlError(f"account {account} has no bucket {name}")
    return backend, backend.buckets[name]


def _version(values: Values) -> Any:
    _, bucket = _bucket(values)
    key, version = required(values, "key", "version")
    for found in versions_of(bucket, key):
        if found.version_id == version:
            return found
    raise ControlError(f"bucket {bucket.name} has no version {version} of {key!r}")


def backdate(values: Values) -> None:
    """Let a version or delete marker have been written at another time; its place in the history stays."""
    with LOCK:
        _version(values).last_modified = _naive(time_of(values, "at"), "at")


def rot(values: Values) -> Values:
    """Change bytes of a version in place: its size, ETag, checksums and times stay as they are."""
    with LOCK:
        version = _version(values)
        if not isinstance(version, FakeKey) or not version.size:
            raise ControlError("there are no bytes to change")
        offset, length = int(values.get("offset") or 0), int(values.get("length") or 1)
        if not 0 <= offset < version.size or length < 1:
            raise ControlError(f"offset {offset} and length {length} are not within {version.size} bytes")
        etag, content = version.etag, bytearray(version.value)
        for place in range(offset, min(offset + length, version.size)):
            content[place] ^= 0xFF
        with version.lock:
            version._value_buffer.seek(0)
            version._value_buffer.write(bytes(content))
        version._etag = etag.strip('"')
    return {"changed": min(offset + length, version.size) - offset}


def history(values: Values) -> list[str]:
    """Write many versions at once, each at its time, in the order given; returns their version ids.

    Each is `{"key", "at"}` and `"body"` (text), `"base64"`, or `"delete": true`; also `"storage_class"`.
    """
    backend, bucket = _bucket(values)
    (writes,) = required(values, "writes")
    made = []
    with LOCK:
        for write in writes:
            (key,) = required(write, "key")
            if write.get("delete"):
                backend.delete_object(bucket.name, key)
            else:
                body = base64.b64decode(write["base64"]) if "base64" in write else str(write.get("body", "")).encode()
                backend.put_object(
                    bucket.name, key, body, storage=write.get("storage_class"), disable_notification=True
                )
            versions = versions_of(bucket, key)
            if not versions:  # deleted where nothing is versioned
                made.append("")
                continue
            if write.get("at"):
                versions[-1].last_modified = _naive(time_of(write, "at"), "at")
            made.append(versions[-1].version_id)
    return made


def objects(values: Values) -> Values:
    """Count what lies under a prefix: versions, delete markers, uploads."""
    _, bucket = _bucket(values)
    with LOCK:
        return count(bucket, str(values.get("prefix") or ""))


def count(bucket: FakeBucket, prefix: str = "") -> Values:
    """Return how much lies under a prefix."""
    found = [v for key, versions in bucket.keys.lists() if key.startswith(prefix) for v in versions]
    objects_ = sum(isinstance(v, FakeKey) for v in found)
    uploads = sum(u.key_name.startswith(prefix) for u in bucket.multiparts.values())
    return {"versions": objects_, "markers": len(found) - objects_, "uploads": uploads}


def digest(account: str) -> dict[str, Values]:
    """Return region → bucket → counts, and a hash of all that its lists would say."""
    found: dict[str, Values] = {}
    with LOCK:
        for name, bucket in s3_backends[account][PARTITION].buckets.items():
            content = hashlib.sha256()
            for key, versions in sorted(bucket.keys.lists()):
                for v in versions:
                    seen = (key, v.version_id, v.last_modified, getattr(v, "etag", ""), getattr(v, "size", -1))
                    content.update(repr(seen).encode())
            described = count(bucket) | {"versioning": bucket.versioning_status, "content": content.hexdigest()}
            found.setdefault(bucket.region_name, {})[name] = described
    return found


def _naive(at: datetime | None, name: str) -> datetime:
    """Return a time as moto keeps it: in UTC, without a zone."""
    if at is None:
        raise ControlError(f"{name} is missing")
    return at.astimezone(UTC).replace(tzinfo=None)


CALLS: dict[tuple[str, str], Callable[[Values], Any]] = {
    ("POST", "backdate"): backdate,
    ("POST", "rot"): rot,
    ("POST", "history"): history,
    ("GET", "objects"): objects,
}
