"""What S3 does with versions, put in place of moto's methods: nothing is lost that S3 would keep.

moto's own lose every older version when versioning is suspended and when one version is deleted there, date a
multipart upload by its end, and copy the checksum of parts. A bucket's versions of a key lie in its `keys`, oldest
first. Called with the lock of s3.py held.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from awscrt import checksums  # type: ignore[import-untyped, unused-ignore]  # it has no types
from moto.core.utils import utcnow
from moto.s3 import models, responses, utils
from moto.s3.exceptions import AccessDeniedByLock, NoSuchUpload
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend

NULL = "null"
PLAIN = "CRC64NVME"
"""The checksum that S3 computes when nobody asks for one."""


class DeleteMarker(FakeDeleteMarker):  # type: ignore[misc, unused-ignore]  # moto is typed only in part
    """A delete marker that holds on to no version."""

    def __init__(self, name: str, version_id: str | None) -> None:
        named: Any = _Named(name)
        super().__init__(named)
        if version_id:
            self._version_id = version_id


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name


def compute_checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:
    """Return a checksum: moto's own takes CRC32 for CRC32C unless it finds another library."""
    if algorithm == "CRC32C":
        found = checksums.crc32c(body).to_bytes(4, "big")
        return base64.b64encode(found) if encode_base64 else found
    return utils.compute_checksum(body, algorithm, encode_base64)


def versions_of(bucket: FakeBucket, key: str) -> list[Any]:
    """Return versions and delete markers of a key, oldest first."""
    return list(bucket.keys.getlist(key, []))


def keep(bucket: FakeBucket, key: str, versions: list[Any]) -> None:
    """Let a key have these versions, and free what the others hold."""
    for version in versions_of(bucket, key):
        if isinstance(version, FakeKey) and version not in versions:
            version.dispose()
    if versions:
        dict.__setitem__(bucket.keys, key, versions)
    else:
        dict.pop(bucket.keys, key, None)


def put_object(
    moto: Callable[..., FakeKey], self: S3Backend, bucket_name: str, key_name: str, *a: Any, **kw: Any
) -> Any:
    """PutObject, and the end of every other call that makes an object."""
    bucket = self.get_bucket(bucket_name)
    before = versions_of(bucket, key_name)
    dict.pop(bucket.keys, key_name, None)  # or moto frees what it does not keep
    try:
        new = moto(self, bucket_name, key_name, *a, **kw)
    except BaseException:
        if before:
            dict.__setitem__(bucket.keys, key_name, before)
        raise
    dict.__setitem__(bucket.keys, key_name, [*before, new])
    if not bucket.is_versioned:  # it takes the place of the null version, and of no other
        keep(bucket, key_name, [v for v in before if v.version_id != NULL] + [new])
    new._is_versioned = bucket.versioning_status is not None
    new.encryption = new.encryption or "AES256"
    new.checksum_type = "FULL_OBJECT"
    assert new.etag  # computed now: later, two readers at once would disturb each other
    return new


def delete_object(
    self: S3Backend,
    bucket_name: str,
    key_name: str,
    version_id: str | None = None,
    bypass: bool = False,
) -> tuple[bool, dict[str, Any]]:
    """DeleteObject: a marker, or one version for ever; without versioning the object itself."""
    bucket = self.get_bucket(bucket_name)
    before = versions_of(bucket, key_name)
    if version_id is not None:
        return True, _remove_version(bucket, key_name, version_id, bypass=bypass)
    if bucket.versioning_status is None:
        keep(bucket, key_name, [])
        return True, {}
    marker = DeleteMarker(key_name, None if bucket.is_versioned else NULL)
    if not bucket.is_versioned:
        before = [v for v in before if v.version_id != NULL]
    keep(bucket, key_name, [*before, marker])
    return True, {"version-id": marker.version_id, "delete-marker": "true"}


def _remove_version(bucket: FakeBucket, key: str, version_id: str, *, bypass: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"version-id": version_id}
    for version in versions_of(bucket, key):
        if version.version_id == version_id:
            if isinstance(version, FakeDeleteMarker):
                told["delete-marker"] = "true"
            elif version.is_locked(governance_bypass=bypass):
                raise AccessDeniedByLock
            keep(bucket, key, [v for v in versions_of(bucket, key) if v is not version])
    return told


def delete_objects(
    self: S3Backend,
    bucket_name: str,
    objects: list[dict[str, Any]],
    bypass_retention: bool = False,
) -> tuple[list[tuple[str, str | None, str | None]], list[str]]:
    """DeleteObjects; of each: key, version, and the delete marker that was made or removed."""
    deleted, locked = [], []
    for one in objects:
        key, version = one["Key"], one.get("VersionId")
        try:
            _, told = self.delete_object(bucket_name, key, version_id=version, bypass=bypass_retention)
            deleted.append((key, version, told["version-id"] if "delete-marker" in told else None))
        except AccessDeniedByLock:
            locked.append(key)
    return deleted, locked


def copy_object(moto: Callable[..., None], self: S3Backend, src: FakeKey, bucket: str, key: str, **kw: Any) -> None:
    """CopyObject: the copy is of one piece, and its checksum is that of its bytes."""
    moto(self, src, bucket, key, **kw)
    new = self.get_bucket(bucket).keys[key]
    new.multipart = None
    new.checksum_algorithm = src.checksum_algorithm or PLAIN
    new.checksum_type, new.checksum_parts = "FULL_OBJECT", None
    new.checksum_value = compute_checksum(new.value, new.checksum_algorithm).decode()


def create_multipart_upload(moto: Callable[..., Any], self: S3Backend, *a: Any, **kw: Any) -> Any:
    """CreateMultipartUpload: its time is the one that the object will have."""
    upload = moto(self, *a, **kw)
    upload.initiated = utcnow()
    return upload


def complete_multipart_upload(
    moto: Callable[..., Any], self: S3Backend, bucket_name: str, multipart_id: str, body: Iterator[tuple[int, str]]
) -> Any:
    """CompleteMultipartUpload: dated by the upload's start, and current only if none was begun after it."""
    bucket = self.get_bucket(bucket_name)
    upload = _upload(bucket, multipart_id)
    new = moto(self, bucket_name, multipart_id, body)
    new.last_modified = upload.initiated
    new.checksum_algorithm = new.checksum_algorithm or PLAIN
    if bucket.is_versioned:
        others = [v for v in versions_of(bucket, new.name) if v is not new]
        place = len(others)
        while place and others[place - 1].last_modified > upload.initiated:
            place -= 1
        keep(bucket, new.name, [*others[:place], new, *others[place:]])
    return new


def upload_part(moto: Callable[..., Any], self: S3Backend, bucket_name: str, multipart_id: str, *a: Any) -> Any:
    """UploadPart: moto's fails on an upload that is not there."""
    _upload(self.get_bucket(bucket_name), multipart_id)
    return moto(self, bucket_name, multipart_id, *a)


def upload_part_copy(moto: Callable[..., Any], self: S3Backend, bucket: str, upload: str, *a: Any, **kw: Any) -> Any:
    """UploadPartCopy: as `upload_part`."""
    _upload(self.get_bucket(bucket), upload)
    return moto(self, bucket, upload, *a, **kw)


def _upload(bucket: FakeBucket, upload_id: str) -> Any:
    if upload_id not in bucket.multiparts:
        raise NoSuchUpload(upload_id=upload_id)
    return bucket.multiparts[upload_id]


def _neutral(*_: Any) -> Any:
    from moto.iam.access_control import PermissionResult  # noqa: PLC0415 - slow to import

    return PermissionResult.NEUTRAL


AROUND = (
    complete_multipart_upload,
    copy_object,
    create_multipart_upload,
    put_object,
    upload_part,
    upload_part_copy,
)
INSTEAD = (delete_object, delete_objects)


def install() -> None:
    """Put these in place of moto's methods, or around them."""
    for ours in INSTEAD:
        setattr(S3Backend, ours.__name__, ours)
    for around in AROUND:
        setattr(S3Backend, around.__name__, _around(getattr(S3Backend, around.__name__), around))
    for module in (models, responses):
        setattr(module, "compute_checksum", compute_checksum)  # noqa: B010 - mypy refuses to assign to a function
    # Policies are judged in s3_access.py, before moto, which would not ask whom a Deny is about.
    setattr(FakeBucket, "get_permission", _neutral)  # noqa: B010 - as above


def _around(moto: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *a: Any, **kw: Any) -> Any:
        return ours(moto, self, *a, **kw)

    return call
