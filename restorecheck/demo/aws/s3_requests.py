"""What a request to S3 asks for: its operation, as boto3 names it, and which permissions it needs. Pure.

S3 has no operation name on the wire: method, path, query and headers together say what is meant.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, or an object in it, or one version of that."""

    bucket: str
    key: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A permission on a bucket or on an object in it."""

    bucket: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class S3Request:
    """One request to S3."""

    operation: str
    place: Place
    source: Place | None = None
    """What is copied."""

    def parameters(self) -> dict[str, Any]:
        """Return what the call log shows, by the names that boto3 uses."""
        place, source = self.place, self.source
        found = {"Bucket": place.bucket, "Key": place.key, "VersionId": place.version}
        if source:
            found["CopySource"] = f"{source.bucket}/{source.key}"
            found["CopySourceVersionId"] = source.version
        return {name: value for name, value in found.items() if value}

    def needs(self) -> list[Need]:
        """Return the permissions that a caller from another account needs."""
        place, operation = self.place, self.operation
        if not place.bucket or operation == "CreateBucket":
            return []
        whole = f"arn:aws:s3:::{place.bucket}"
        if operation == "DeleteObjects":
            return [
                Need(place.bucket, action, f"{whole}/*") for action in ("s3:DeleteObject", "s3:DeleteObjectVersion")
            ]
        if not place.key:
            return [Need(place.bucket, ON_BUCKETS.get(operation, f"s3:{operation}"), whole)]
        needs = [Need(place.bucket, action, f"{whole}/{place.key}") for action in self._on_object()]
        if self.source:
            action = "s3:GetObjectVersion" if self.source.version else "s3:GetObject"
            resource = f"arn:aws:s3:::{self.source.bucket}/{self.source.key}"
            needs.append(Need(self.source.bucket, action, resource))
        return needs

    def _on_object(self) -> list[str]:
        version = "Version" if self.place.version else ""
        match self.operation:
            case "GetObject" | "HeadObject":
                return [f"s3:GetObject{version}"]
            case "GetObjectAttributes":
                return [f"s3:GetObject{version}", f"s3:GetObject{version}Attributes"]
            case "DeleteObject":
                return [f"s3:DeleteObject{version}"]
            case "GetObjectTagging" | "PutObjectTagging" | "DeleteObjectTagging" as operation:
                return [f"s3:{operation.removesuffix('Tagging')}{version}Tagging"]
            case operation:
                return [ON_OBJECTS.get(operation, f"s3:{operation}")]


ON_BUCKETS = {
    "HeadBucket": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
}
ON_OBJECTS = {
    "CompleteMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "ListParts": "s3:ListMultipartUploadParts",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
}
"""The actions that are not called like their operation."""

_BUCKET_QUERIES = {
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_OBJECT_QUERIES = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
}


def read(environ: Mapping[str, Any]) -> S3Request:
    """Read a WSGI request, in path style. Never fails: what is not there is empty."""
    path = str(environ.get("PATH_INFO", "")).encode("latin-1", "replace").decode("utf-8", "replace")
    bucket, _, key = path.removeprefix("/").partition("/")
    query = dict(urllib.parse.parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    header = environ.get("HTTP_X_AMZ_COPY_SOURCE")
    source = copy_source(header) if header else None
    place = Place(bucket, key, query.get("versionId") or None)
    return S3Request(_operation(str(environ.get("REQUEST_METHOD")), place, query, copies=bool(source)), place, source)


def copy_source(header: str) -> Place:
    """Read x-amz-copy-source."""
    path, _, version = header.partition("?versionId=")
    bucket, _, key = urllib.parse.unquote(path).removeprefix("/").partition("/")
    return Place(bucket, key, urllib.parse.unquote(version) or None)


def _operation(method: str, place: Place, query: Mapping[str, str], *, copies: bool) -> str:
    verb = method.capitalize()
    if not place.bucket:
        return "ListBuckets"
    if not place.key:
        return _on_bucket(method, verb, query)
    for name, words in _OBJECT_QUERIES.items():
        if name in query:
            return verb + words
    upload = "uploadId" in query
    match method:
        case "GET":
            return "ListParts" if upload else "GetObject"
        case "PUT" if upload:
            return "UploadPartCopy" if copies else "UploadPart"
        case "PUT":
            return "CopyObject" if copies else "PutObject"
        case "POST" if upload:
            return "CompleteMultipartUpload"
        case "POST":
            return "CreateMultipartUpload" if "uploads" in query else "RestoreObject"
        case "DELETE" if upload:
            return "AbortMultipartUpload"
    return f"{verb}Object"


def _on_bucket(method: str, verb: str, query: Mapping[str, str]) -> str:
    for name, words in _BUCKET_QUERIES.items():
        if name in query:
            return verb + words
    match method:
        case "GET" if "versions" in query:
            return "ListObjectVersions"
        case "GET" if "uploads" in query:
            return "ListMultipartUploads"
        case "GET":
            return "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
        case "PUT":
            return "CreateBucket"
        case "POST":
            return "DeleteObjects"
    return f"{verb}Bucket"
