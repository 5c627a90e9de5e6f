"""How a write to S3 must be made: which parameters it may carry, which bucket and keys it may name. Pure.

All that a run makes in S3 lies in its scratch account's bucket below one prefix that is named like the run. The first
object there is the lease: it carries the run's tags as its metadata, is written before anything else and deleted after
everything else, and is what the fence describes before anything below that prefix is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restorecheck.fence.decision import Permit
from restorecheck.schedule import scratch_name

LEASE = ".restorecheck-lease"
"""Name of the lease below a run's prefix."""

_WHERE = frozenset({"Bucket", "Key", "ExpectedBucketOwner"})
_MADE = frozenset({"ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl"})
_COPIED = frozenset(
    {"CopySource", "CopySourceIfMatch", "CopySourceRange", "ExpectedSourceBucketOwner"}  # the range: of a part
)

ALLOWED: dict[str, frozenset[str]] = {
    "PutObject": _WHERE | _MADE | {"Body", "ChecksumAlgorithm", "ChecksumSHA256", "ContentLength", "Metadata"},
    "CopyObject": _WHERE
    | (_COPIED - {"CopySourceRange"})
    | {"AnnotationDirective", "ChecksumAlgorithm", "MetadataDirective", "TaggingDirective"},
    "CreateMultipartUpload": _WHERE | _MADE | {"ChecksumAlgorithm", "ChecksumType", "Metadata"},
    "UploadPart": _WHERE | {"Body", "ChecksumAlgorithm", "ContentLength", "PartNumber", "UploadId"},
    "UploadPartCopy": _WHERE | _COPIED | {"PartNumber", "UploadId"},
    "CompleteMultipartUpload": _WHERE | {"ChecksumType", "MultipartUpload", "UploadId"},
    "DeleteObjects": frozenset({"Bucket", "Delete", "ExpectedBucketOwner"}),
    "AbortMultipartUpload": _WHERE | {"UploadId"},
}
"""Write → every parameter that it may carry. No ACL, no lock, no tag, no website redirect, no storage class."""

_SOURCES = frozenset({"CopyObject", "UploadPartCopy"})
_DELETES = frozenset({"DeleteObjects", "AbortMultipartUpload"})


def metadata_of(tags: list[dict[str, str]]) -> dict[str, str]:
    """Return tags as metadata of an object: a header's name has no colon."""
    return {tag["Key"].replace(":", "-"): tag["Value"] for tag in tags}


def tags_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the tags in the metadata of a lease."""
    return {name.replace("restorecheck-", "restorecheck:", 1): value for name, value in metadata.items()}


def why_not_object(operation: str, params: Mapping[str, Any], permit: Permit) -> str | None:
    """Return why a write to S3 may not be sent as it is, or None."""
    more = set(params) - ALLOWED.get(operation, frozenset())
    if more:
        return f"its parameters {', '.join(sorted(more))} are not among those that it may carry"
    if not permit.bucket or params.get("Bucket") != permit.bucket:
        return f"the bucket is {params.get('Bucket')!r}, not the scratch bucket of this permit"
    if params.get("ExpectedBucketOwner") != permit.scratch_account:
        return "it does not say that the bucket must belong to the scratch account"
    keys = keys_of(operation, params)
    if not keys:
        return "it does not name what it changes"
    if permit.run_id and (outside := [k for k in keys if not k.startswith(scratch_name(permit.run_id) + "/")]):
        return f"the key {outside[0]!r} is not below the prefix of this run"
    if not permit.run_id and operation not in _DELETES:
        return "a sweep makes nothing"
    if keys == [f"{scratch_name(permit.run_id)}/{LEASE}"] and operation not in _DELETES:
        return _why_not_lease(operation, params, permit)
    return _why_not_source(params, permit) if operation in _SOURCES else None


def _why_not_lease(operation: str, params: Mapping[str, Any], permit: Permit) -> str | None:
    if operation != "PutObject":
        return "the lease is written by PutObject alone: nothing else says whose it is"
    tags = metadata_of(permit.tags("objects", permit.scratch_account))
    return None if params.get("Metadata") == tags else "the lease would not carry exactly this run's tags"


def keys_of(operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return the keys that a write names; none if one of them cannot be read."""
    if operation == "DeleteObjects":
        listed = (params.get("Delete") or {}).get("Objects") or []
        keys = [item.get("Key") for item in listed]
    else:
        keys = [params.get("Key")]
    return [] if any(not isinstance(key, str) or not key for key in keys) else keys


def prefix_of(operation: str, params: Mapping[str, Any]) -> str | None:
    """Return `bucket/prefix` of what is deleted, or None if the keys are not all below one prefix."""
    prefixes = {key.partition("/")[0] if "/" in key else "" for key in keys_of(operation, params)}
    [prefix] = prefixes if len(prefixes) == 1 else [""]
    return f"{params.get('Bucket')}/{prefix}" if prefix else None


def _why_not_source(params: Mapping[str, Any], permit: Permit) -> str | None:
    bucket, version = _source_of(params.get("CopySource"))
    if not permit.source_bucket or bucket != permit.source_bucket:
        return "it would copy from another bucket than the one whose versions are tested"
    if not version:
        return "it does not name the version that it copies"
    if params.get("ExpectedSourceBucketOwner") != permit.source_account:
        return "it does not say that the source bucket must belong to the source account"
    return None


def _source_of(source: object) -> tuple[str, str]:
    """Return the bucket and version of a source: as we write it, or as the header that botocore has made of it."""
    if isinstance(source, Mapping):
        return str(source.get("Bucket")), str(source.get("VersionId") or "")
    bucket, _, rest = source.partition("/") if isinstance(source, str) else ("", "", "")
    key, _, version = rest.partition("?versionId=")  # a `?` of the key itself is written as %3F there
    return (bucket, version) if key and not set(version) & {"?", "&"} else ("", "")
