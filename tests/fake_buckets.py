"""Two accounts with buckets in memory, behind the fence's ports: versions, markers, uploads, locks and lies.

Writes are judged by the fence's own pure clauses, so that what this lets pass the fence would too. Deterministic: one
job at a time, in the order in which it was handed in. A test makes things fail by `trouble`, `lie` and `die_after`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from restorecheck.errors import AwsError, RefusedError, RestorecheckError
from restorecheck.failures import of_aws_error
from restorecheck.fence import Permit, Role
from restorecheck.fence.decision import why_not, why_not_place
from restorecheck.fence.described import target_of_objects
from restorecheck.fence.object_parameters import LEASE, prefix_of, why_not_object
from restorecheck.sources.versions.interface import Checksums, Copy, Head, Place, Read, Seen

SOURCE, SCRATCH, REGION = "111111111111", "222222222222", "eu-central-1"


class Died(BaseException):
    """The process is gone: nothing may catch this."""


def aws_error(code: str, message: str = "said S3", *, kind: str = "", retryable: bool = False) -> AwsError:
    return AwsError(code, f"{code}: {message}", kind=kind or of_aws_error(code), retryable=retryable)


@dataclass
class Version:
    """One version, or a delete marker if there is no body."""

    id: str
    modified: datetime
    body: bytes | None
    etag: str = ""
    storage_class: str = "STANDARD"
    encryption: str = "AES256"
    checksums: Checksums = field(default_factory=Checksums)
    archive: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    locked: bool = False

    @property
    def size(self) -> int:
        return len(self.body or b"")


@dataclass
class Bucket:
    """One bucket: versions by key, the newest first."""

    owner: str
    versioning: str = "Enabled"
    keys: dict[str, list[Version]] = field(default_factory=dict)
    uploads: list[tuple[str, str]] = field(default_factory=list)
    made: int = 0

    def put(self, key: str, body: bytes | None, at: datetime, **more: Any) -> Version:
        self.made += 1
        versioned = self.versioning == "Enabled"
        etag = more.pop("etag", hashlib.md5(body or b"", usedforsecurity=False).hexdigest())
        version = Version(f"v{self.made}" if versioned else "null", at, body, etag, **more)
        older = [v for v in self.keys.get(key, []) if versioned or v.id != "null"]
        self.keys[key] = [version, *older]
        return version

    def get(self, key: str, version: str = "") -> Version:
        for found in self.keys.get(key, []):
            if version in ("", found.id):
                if found.body is None:
                    break
                return found
        raise aws_error("NoSuchVersion" if version else "NoSuchKey", key)

    def drop(self, key: str, version: str) -> None:
        self.keys[key] = [v for v in self.keys.get(key, []) if v.id != version]
        if not self.keys[key]:
            del self.keys[key]

    def current(self, prefix: str = "") -> dict[str, bytes]:
        return {k: v[0].body for k, v in self.keys.items() if k.startswith(prefix) and v[0].body is not None}


@dataclass
class FakeS3:
    """All buckets, the fence in front of them, and what is to go wrong."""

    now: Callable[[], datetime]
    buckets: dict[str, Bucket] = field(default_factory=dict)
    page: int = 7
    trouble: Callable[[str, Place], RestorecheckError | None] = lambda _what, _place: None
    lie: Callable[[Place, bytes], bytes | None] = lambda _place, body: body  # what a copy writes; None: nothing
    copied: list[str] = field(default_factory=list)  # keys written by copy or relay
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    die_after: int | None = None  # copies
    closed: int = 0

    def permit(self, **wanted: Any) -> Permit:
        return Permit(frozenset({SOURCE}), frozenset({SCRATCH}), **wanted)

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> FakeHand:
        return FakeHand(self, role, account, permit)

    def objects(self, role: Role, account: str, region: str, permit: Permit | None = None) -> FakeObjects:
        return FakeObjects(self, role, account, permit)

    def bucket(self, name: str, owner: str) -> Bucket:
        found = self.buckets.get(name)
        if found is None:
            raise aws_error("NoSuchBucket", name)
        if found.owner != owner:
            raise aws_error("AccessDenied", name)
        return found

    def judge(self, role: Role, account: str, operation: str, params: dict[str, Any], permit: Permit | None) -> None:
        """Refuse what the fence would."""
        if permit is None:
            raise RefusedError("no permit was given")
        reason = why_not_place(role, account, REGION, permit) or why_not_object(operation, params, permit)
        if not reason and operation in {"DeleteObjects", "AbortMultipartUpload"}:
            name = prefix_of(operation, params) or ""
            lease = self.buckets[params["Bucket"]].get(f"{name.partition('/')[2]}/{LEASE}")
            described = {"Metadata": lease.metadata, "LastModified": lease.modified}
            reason = why_not(target_of_objects(described, account, name, "aws"), permit)
        if reason:
            raise RefusedError(f"{operation}: {reason}")


def listing(bucket: Bucket, prefix: str, page: int) -> Iterator[bytes]:
    """Return the raw XML of every page, as S3 writes it."""
    lines = []
    for key in sorted(bucket.keys):
        for n, v in enumerate(bucket.keys[key]):
            if not key.startswith(prefix):
                continue
            same = (
                f"<Key>{quote_plus(key)}</Key><VersionId>{v.id}</VersionId><IsLatest>{str(n == 0).lower()}</IsLatest>"
                f"<LastModified>{v.modified.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            )
            if v.body is None:
                lines.append(f"<DeleteMarker>{same}</DeleteMarker>")
            else:
                more = f"<ETag>&quot;{v.etag}&quot;</ETag><Size>{v.size}</Size>"
                lines.append(f"<Version>{same}{more}<StorageClass>{v.storage_class}</StorageClass></Version>")
    for start in range(0, len(lines) or 1, page):
        body = "".join(lines[start : start + page])
        yield f"<ListVersionsResult><EncodingType>url</EncodingType>{body}</ListVersionsResult>".encode()


@dataclass
class FakeObjects:
    """Objects in bulk as one role."""

    s3: FakeS3
    role: Role
    account: str
    permit: Permit | None

    def pages(self, bucket: str, owner: str, prefix: str) -> Iterator[bytes]:
        if error := self.s3.trouble(f"{self.role} list", Place(bucket, prefix, owner)):
            raise error
        yield from listing(self.s3.bucket(bucket, owner), prefix, self.s3.page)

    def _found(self, what: str, place: Place) -> Version | RestorecheckError:
        if error := self.s3.trouble(f"{self.role} {what}", place):
            return error
        try:
            return self.s3.bucket(place.bucket, place.owner).get(place.key, place.version)
        except AwsError as e:
            return e if what != "head" else aws_error("404", kind="unknown-answer")

    def read(self, jobs: Iterable[Read], at_once: int) -> Iterator[Seen]:
        for job in jobs:
            found = self._found("read", job.place)
            if isinstance(found, RestorecheckError):
                yield Seen(job.place, error=found)
                continue
            body = found.body or b""
            if job.sink and body:
                job.sink(body)
            yield Seen(job.place, len(body), found.etag, digests=digests(body))

    def head(self, jobs: Iterable[Head], at_once: int) -> Iterator[Seen]:
        for job in jobs:
            found = self._found("head", job.place)
            if isinstance(found, RestorecheckError):
                yield Seen(job.place, error=found)
                continue
            yield Seen(
                job.place,
                found.size,
                found.etag,
                found.checksums,
                storage_class=found.storage_class,
                encryption=found.encryption,
                archive=found.archive,
                metadata=found.metadata,
                modified=found.modified,
            )

    def copy(self, jobs: Iterable[Copy], at_once: int) -> Iterator[Seen]:
        return self._moved(jobs, self)

    def relay(self, source: Any, jobs: Iterable[Copy], at_once: int) -> Iterator[Seen]:
        assert source.role is Role.SOURCE
        return self._moved(jobs, source)

    def _moved(self, jobs: Iterable[Copy], reader: FakeObjects) -> Iterator[Seen]:
        try:
            for job in jobs:
                yield self._one(job, reader)
        finally:
            self.s3.closed += 1

    def _one(self, job: Copy, reader: FakeObjects) -> Seen:
        where = {"Bucket": job.to.bucket, "Key": job.to.key, "ExpectedBucketOwner": job.to.owner}
        source = {"Bucket": job.source.bucket, "Key": job.source.key, "VersionId": job.source.version}
        more = {"CopySource": source, "ExpectedSourceBucketOwner": job.source.owner}
        copies = reader is self
        self.s3.judge(
            self.role,
            self.account,
            "CopyObject" if copies else "PutObject",
            {**where, **(more if copies else {})},
            self.permit,
        )
        found = reader._found("copy" if copies else "read", job.source)
        if isinstance(found, RestorecheckError):
            return Seen(job.to, error=found)
        assert found.etag == job.etag
        body = self.s3.lie(job.source, found.body or b"")
        if body is not None:
            # A copy is written in one piece, whatever the original was; and S3 keeps a checksum of the whole.
            self.s3.buckets[job.to.bucket].put(job.to.key, body, self.s3.now(), checksums=crc(body))
        self.s3.copied.append(job.to.key)
        if self.s3.die_after is not None and len(self.s3.copied) >= self.s3.die_after:
            raise Died
        return Seen(job.to, job.size)


@dataclass
class FakeHand:
    """Single calls as one role."""

    s3: FakeS3
    role: Role
    account: str
    permit: Permit | None

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert service == "s3"
        self.s3.calls.append((operation, params))
        place = Place(params["Bucket"], params.get("Key", params.get("Prefix", "")), params["ExpectedBucketOwner"])
        if error := self.s3.trouble(f"{self.role} {operation}", place):
            raise error
        bucket = self.s3.bucket(params["Bucket"], params["ExpectedBucketOwner"])
        if operation in {"PutObject", "DeleteObjects", "AbortMultipartUpload"}:
            self.s3.judge(self.role, self.account, operation, params, self.permit)
        result: dict[str, Any] = getattr(self, "_" + operation)(bucket, params)
        return result

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """There is nothing but buckets here."""
        return iter(())

    def _GetBucketVersioning(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Status": bucket.versioning} if bucket.versioning else {}

    def _HeadBucket(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {}

    def _GetObjectLockConfiguration(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        raise aws_error("ObjectLockConfigurationNotFoundError", kind="unknown-answer")

    def _HeadObject(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        try:
            found = bucket.get(params["Key"], params.get("VersionId", ""))
        except AwsError:
            raise aws_error("404", kind="unknown-answer") from None
        return {"Metadata": found.metadata, "LastModified": found.modified, "ContentLength": found.size}

    def _PutObject(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        bucket.put(params["Key"], params["Body"], self.s3.now(), metadata=dict(params["Metadata"]))
        return {}

    def _ListObjectVersions(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        prefix, delimiter = params["Prefix"], params.get("Delimiter")
        names = sorted(key for key in bucket.keys if key.startswith(prefix))
        common = {key[: key.index("/", len(prefix)) + 1] for key in names if delimiter and "/" in key[len(prefix) :]}
        lines = [
            (key, v.id, v) for key in names for v in bucket.keys[key] if not any(key.startswith(c) for c in common)
        ]
        marker = (params.get("KeyMarker", ""), params.get("VersionIdMarker", ""))
        if any(marker):  # as S3 does: after this very version, whatever was deleted meanwhile
            lines = [x for x in lines if (x[0], -_number(x[1])) > (marker[0], -_number(marker[1]))]
        page = lines[: self.s3.page]
        answer: dict[str, Any] = {
            "Versions": [
                {"Key": k, "VersionId": i, "IsLatest": v is bucket.keys[k][0], "LastModified": v.modified}
                for k, i, v in page
                if v.body is not None
            ],
            "DeleteMarkers": [{"Key": k, "VersionId": i} for k, i, v in page if v.body is None],
            "IsTruncated": self.s3.page < len(lines),
        }
        if common and not any(marker):
            answer["CommonPrefixes"] = [{"Prefix": c} for c in sorted(common)]
        if answer["IsTruncated"]:
            answer |= {"NextKeyMarker": page[-1][0], "NextVersionIdMarker": page[-1][1]}
        return answer

    def _ListMultipartUploads(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        held = sorted(u for u in bucket.uploads if u[0].startswith(params["Prefix"]))
        if params.get("Delimiter"):
            common = sorted({key.partition("/")[0] + "/" for key, _ in held})
            return {"CommonPrefixes": [{"Prefix": c} for c in common], "IsTruncated": False}
        after = int(params.get("UploadIdMarker", "0").removeprefix("after-"))
        page = held[after : after + self.s3.page]
        answer: dict[str, Any] = {
            "Uploads": [{"Key": k, "UploadId": u} for k, u in page],
            "IsTruncated": after + self.s3.page < len(held),
        }
        if answer["IsTruncated"]:
            answer |= {"NextKeyMarker": page[-1][0], "NextUploadIdMarker": f"after-{after + self.s3.page}"}
        return answer

    def _AbortMultipartUpload(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        upload = params["Key"], params["UploadId"]
        if upload not in bucket.uploads:
            raise aws_error("NoSuchUpload")
        bucket.uploads.remove(upload)
        return {}

    def _DeleteObjects(self, bucket: Bucket, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        errors = []
        assert 0 < len(params["Delete"]["Objects"]) <= 1000
        for item in params["Delete"]["Objects"]:
            if any(v.id == item["VersionId"] and v.locked for v in bucket.keys.get(item["Key"], [])):
                errors.append({**item, "Code": "AccessDenied", "Message": "object lock"})
            else:
                bucket.drop(item["Key"], item["VersionId"])
        return {"Errors": errors} if errors else {}


def _number(version: str) -> int:
    return int(version.removeprefix("v") if version != "null" else 0)


def digests(body: bytes) -> dict[str, str]:
    """Return what a read computes. The CRC is a stand-in: nobody here checks its polynomial."""
    return {
        "md5": hashlib.md5(body, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(body).hexdigest(),
        "crc64nvme": hashlib.blake2b(body, digest_size=8).hexdigest(),
    }


def crc(body: bytes, *, full: bool = True) -> Checksums:
    """Return the checksum that S3 keeps of an object."""
    return Checksums({"CRC64NVME": base64.b64encode(bytes.fromhex(digests(body)["crc64nvme"])).decode()}, full)
