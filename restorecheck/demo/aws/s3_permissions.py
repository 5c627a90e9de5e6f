"""Which permissions a request to S3 needs of its caller, in his own policies and in those of the buckets. Pure."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from restorecheck.demo.aws.conditions import PolicyError, Value
from restorecheck.demo.aws.permissions import Here, Inventory, Permission, key_needs
from restorecheck.demo.aws.s3_requests import S3Request

_HEADERS = {
    "HTTP_IF_MATCH": "s3:if-match",
    "HTTP_IF_NONE_MATCH": "s3:if-none-match",
    "HTTP_X_AMZ_ACL": "s3:x-amz-acl",
    "HTTP_X_AMZ_METADATA_DIRECTIVE": "s3:x-amz-metadata-directive",
    "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION": "s3:x-amz-server-side-encryption",
    "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "HTTP_X_AMZ_STORAGE_CLASS": "s3:x-amz-storage-class",
}
_QUERIES = {"delimiter": "s3:delimiter", "max-keys": "s3:max-keys", "prefix": "s3:prefix"}
_WRITES = {
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "PutObject",
    "UploadPart",
    "UploadPartCopy",
}
_IN_PARTS = {"CompleteMultipartUpload", "CreateMultipartUpload", "UploadPart", "UploadPartCopy"}
_READS = {"GetObject", "GetObjectAttributes", "HeadObject"}
_KNOWN_ON_BUCKETS = {
    "GetBucketLocation": "s3:GetBucketLocation",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "HeadBucket": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
}
_KNOWN_ON_OBJECTS = {*_WRITES, *_READS, "AbortMultipartUpload", "DeleteObject", "ListParts"}


@dataclass(frozen=True, slots=True)
class Doomed:
    """One version or key that a DeleteObjects names."""

    key: str
    version: str | None


def doomed(body: bytes) -> list[Doomed]:
    """Read what a DeleteObjects names."""
    found = []
    for one in re.findall(r"<Object>(.*?)</Object>", body.decode(errors="replace"), re.DOTALL):
        key, version = (re.search(rf"<{name}>(.*?)</{name}>", one, re.DOTALL) for name in ("Key", "VersionId"))
        found.append(Doomed(unescape(key[1]) if key else "", unescape(version[1]) if version else None))
    return found


def needs(request: S3Request, environ: Mapping[str, Any], here: Here, known: Inventory) -> list[Permission]:
    """Return the permissions that a request needs. Raises PolicyError."""
    place, operation = request.place, request.operation
    context = _context(request, environ)
    if operation == "ListBuckets":
        return [Permission("s3:ListAllMyBuckets", "*", context)]
    whole = f"arn:aws:s3:::{place.bucket}"
    if not place.key:
        if operation not in _KNOWN_ON_BUCKETS:
            raise PolicyError(f"the demo AWS does not know which permissions s3:{operation} needs")
        return [Permission(_KNOWN_ON_BUCKETS[operation], whole, context)]
    if operation not in _KNOWN_ON_OBJECTS:
        raise PolicyError(f"the demo AWS does not know which permissions s3:{operation} needs")
    if "HTTP_X_AMZ_TAGGING" in environ or "HTTP_X_AMZ_ACL" in environ:
        raise PolicyError("the demo AWS does not know which permissions tags and ACLs of a new object need")
    found = [Permission(need.action, need.resource, context) for need in request.needs()]
    if operation in _READS:
        found += _key(known.key_of_object(place.bucket, place.key, place.version), ("Decrypt",), here, known)
    if request.source:
        source = request.source
        found += _key(known.key_of_object(source.bucket, source.key, source.version), ("Decrypt",), here, known)
    if operation in _WRITES:
        named = environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID")
        key = known.key(here, str(named)) if named else known.key_of_bucket(place.bucket)
        actions = ("GenerateDataKey", "Decrypt") if operation in _IN_PARTS else ("GenerateDataKey",)
        found += _key(key, actions, here, known)
    return found


def deletion(request: S3Request, one: Doomed, environ: Mapping[str, Any]) -> list[Permission]:
    """Return the permissions to delete one of what a DeleteObjects names: that for objects also for a version."""
    resource, context = f"arn:aws:s3:::{request.place.bucket}/{one.key}", _context(request, environ)
    found = [Permission("s3:DeleteObject", resource, context)]
    if one.version:
        found.append(Permission("s3:DeleteObjectVersion", resource, context | {"s3:versionid": one.version}))
    return found


def _key(key: str | None, actions: tuple[str, ...], here: Here, known: Inventory) -> list[Permission]:
    return key_needs(key, actions, "s3", here.account, known) if key else []


def _context(request: S3Request, environ: Mapping[str, Any]) -> dict[str, Value]:
    query = dict(urllib.parse.parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    found: dict[str, Value] = {key: str(environ[name]) for name, key in _HEADERS.items() if name in environ}
    if not request.place.key:
        found |= {key: query[name] for name, key in _QUERIES.items() if name in query}
    if request.place.version:
        found["s3:VersionId"] = request.place.version
    if request.source:
        source = request.source
        version = f"?versionId={source.version}" if source.version else ""
        found["s3:x-amz-copy-source"] = f"{source.bucket}/{source.key}{version}"
    return found
