"""Requests to S3 for objects, built from judged parameters and nothing else, and what the answers say. Pure.

Four operations that a run makes by the million are written here as botocore would write them, at a fraction of its
cost; a test compares the two. A parameter that nobody here knows is refused, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from restorecheck.errors import AwsError, RestorecheckError, SourceError
from restorecheck.failures import RETRYABLE_KINDS
from restorecheck.fence.answers import kind_of
from restorecheck.fence.denials import hint_of, hint_of_head
from restorecheck.fence.table import Role

_METHODS = {"GetObject": "GET", "HeadObject": "HEAD", "CopyObject": "PUT", "PutObject": "PUT"}
_HEADERS = {
    "AnnotationDirective": "x-amz-object-annotation-directive",
    "CacheControl": "Cache-Control",
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
    "CopySourceIfMatch": "x-amz-copy-source-if-match",
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "ExpectedSourceBucketOwner": "x-amz-source-expected-bucket-owner",
    "IfMatch": "If-Match",
    "MetadataDirective": "x-amz-metadata-directive",
    "Range": "Range",
    "TaggingDirective": "x-amz-tagging-directive",
}
_PLACED = frozenset({"Body", "Bucket", "CopySource", "Key", "Metadata", "VersionId"})
MADE = {
    "ContentType": "content-type",
    "ContentEncoding": "content-encoding",
    "ContentDisposition": "content-disposition",
    "ContentLanguage": "content-language",
    "CacheControl": "cache-control",
}
"""Parameter of a write → header of a read: what an object takes along beside its bytes and its own metadata."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_META = "x-amz-meta-"
_CHECKSUM = "x-amz-checksum-"
_SUM = re.compile(rb"<Checksum([A-Z0-9]+)>([^<]+)</")
_SSE_C = "Server Side Encryption"  # how S3 asks for the key of an object that only its owner can read
_NAMES_OF_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES_OF_MONTHS, start=1)}
_AS_CODE = {  # an answer to HeadObject has no body, and so no code
    301: "PermanentRedirect",
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    412: "PreconditionFailed",
    429: "SlowDown",
    503: "SlowDown",
}


class Address(NamedTuple):
    """Where a bucket answers."""

    host: str
    port: int
    secure: bool
    named: str  # the Host header
    prefix: str  # of every path


@dataclass(frozen=True, slots=True)
class Written:
    """One request as it is sent, but for its signature."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""


@dataclass(slots=True)
class Reply:
    """What came back for one try. `broken` says why nothing whole did; else the status is S3's."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""  # only where nobody took it as it came
    broken: str = ""


def address_of(endpoint: str, bucket: str) -> Address:
    """Return where a bucket answers: on AWS under its own name, or by path where no certificate would fit (dots)."""
    if not _BUCKET.fullmatch(bucket):
        raise SourceError(f"{bucket!r} is no name of a bucket", kind="settings")
    url = urlsplit(endpoint)
    secure, host = url.scheme == "https", url.hostname or ""
    port = url.port or (443 if secure else 80)
    if "." not in bucket and host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return Address(f"{bucket}.{host}", port, secure, f"{bucket}.{url.netloc}", "")
    return Address(host, port, secure, url.netloc, f"/{bucket}")


def request_of(operation: str, params: Mapping[str, Any], prefix: str) -> Written:
    """Return the request of a call that was judged. Raises SourceError if headers cannot carry a parameter."""
    version = params.get("VersionId")
    target = f"{prefix}/{quote(params['Key'], safe='/~')}"
    if version:
        target += f"?versionId={quote(version, safe='~')}"
    headers = []
    for name, value in params.items():
        if name not in _PLACED:
            if name not in _HEADERS:
                raise SourceError(f"{operation} cannot be sent with {name}", kind="internal")
            headers.append((_HEADERS[name], value))
    if source := params.get("CopySource"):
        where = quote(f"{source['Bucket']}/{source['Key']}", safe="/~")
        headers.append(("x-amz-copy-source", f"{where}?versionId={quote(source['VersionId'], safe='~')}"))
    headers += [(_META + name, value) for name, value in (params.get("Metadata") or {}).items()]
    for name, value in headers:
        if not (value.isascii() and value.isprintable() and name.isascii() and name.isprintable()):
            raise SourceError(f"{operation} cannot be sent: a header cannot carry its {name}", kind="settings")
    return Written(_METHODS[operation], target, headers, params.get("Body") or b"")


# --- what answers say ----------------------------------------------------------------------------------------------


def error_of(operation: str, account: str, reply: Reply, role: Role | None = None) -> RestorecheckError | None:
    """Return what is wrong with an answer, or None. Redirects are not followed, so they are errors too."""
    doing = f"{operation} in account {account}"
    if reply.broken:
        return SourceError(f"{doing}: {reply.broken}", kind="aws-unavailable", retryable=True)
    copied = operation == "CopyObject"
    if reply.status in {200, 206} and not (copied and b"<CopyObjectResult" not in reply.body):
        return None
    code, message = _said(b"Code", reply.body), _said(b"Message", reply.body)
    status = 500 if copied and reply.status == 200 else reply.status  # S3 began to answer before it was done
    code = code or _AS_CODE.get(status) or f"HTTP {status}"
    kind = kind_of(code, status)
    if code == "InvalidRequest" and (operation == "HeadObject" or _SSE_C in message):
        kind = "object-sealed"
    if kind == "permission" and "kms:" in message:
        kind = "key-access"
    hint = hint_of(role, message)
    if not hint and role and kind == "permission" and operation == "HeadObject":
        hint = hint_of_head(role, operation)
    return AwsError(
        code, f"{doing}: {code}: {message}".rstrip(": "), hint, kind=kind, retryable=kind in RETRYABLE_KINDS
    )


def _said(name: bytes, body: bytes) -> str:
    found = re.search(rb"<" + name + rb">([^<]*)</", body)
    return unescape(found[1].decode(errors="replace")) if found else ""


def etag_of_copy(body: bytes) -> str:
    """Return the ETag of a copy, without quotes."""
    return _said(b"ETag", body).strip('"')


def checksums_of_copy(body: bytes) -> tuple[dict[str, str], bool]:
    """Return the checksums of a copy, and whether they are of the whole object."""
    values = {name.decode(): value.decode() for name, value in _SUM.findall(body) if name != b"Type"}
    return values, bool(values) and _said(b"ChecksumType", body) != "COMPOSITE" and not _split(values)


def checksums_of(headers: Mapping[str, str], etag: str) -> tuple[dict[str, str], bool]:
    """Return the checksums that headers name, and whether they are of the whole object."""
    values = {
        name.removeprefix(_CHECKSUM).upper(): value
        for name, value in headers.items()
        if name.startswith(_CHECKSUM) and name != _CHECKSUM + "type"
    }
    kind = headers.get(_CHECKSUM + "type")
    # Some servers leave the type out: then an object that was uploaded in parts may have a checksum of its parts.
    full = kind == "FULL_OBJECT" if kind else "-" not in etag
    return values, bool(values) and full and not _split(values)


def _split(values: Mapping[str, str]) -> bool:
    """Whether a value ends in a number of parts."""
    return any("-" in value for value in values.values())  # base64 as S3 writes it has no `-`


def archive_of(headers: Mapping[str, str]) -> str:
    """Return where an object is that cannot be read now, or what becomes of its retrieval; empty: it can be read."""
    restore = headers.get("x-amz-restore", "")
    if 'ongoing-request="false"' in restore:
        return ""
    if restore:
        return "being retrieved"
    storage_class = headers.get("x-amz-storage-class", "")
    return headers.get("x-amz-archive-status") or (
        storage_class if storage_class in {"GLACIER", "DEEP_ARCHIVE"} else ""
    )


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that an object's owner gave it."""
    return {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}


def modified_of(headers: Mapping[str, str]) -> datetime | None:
    """Return Last-Modified, or None if it is not said as HTTP says it."""
    try:
        # Not strptime, which speaks the language of the process's locale; and an object's day of the week is not asked.
        _, day, month, year, clock, zone = headers.get("last-modified", "").split(" ")
        hour, minute, second = clock.split(":")
        if zone != "GMT":
            return None
        return datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except (ValueError, KeyError):
        return None
