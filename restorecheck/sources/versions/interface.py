"""What the S3 sources need of the fence: pages of versions, and objects read, looked at, copied and written in bulk.

A result comes for every job, in any order; what went wrong with one job is in its result and stops no other. Jobs are
drawn as places become free, so a source may hand in a generator over millions. Nothing here names a file: keys never
become paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from restorecheck.errors import RestorecheckError

Algorithm = Literal[
    "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"
]
"""As S3 names them in headers and listings."""


@dataclass(frozen=True, slots=True)
class Place:
    """One version of one object, or what is current if `version` is empty."""

    bucket: str
    key: str
    owner: str  # the account that the bucket must belong to
    version: str = ""


@dataclass(frozen=True, slots=True)
class Checksums:
    """The checksums that S3 keeps of one object; base64, as in its headers."""

    values: Mapping[str, str] = field(default_factory=dict)  # by Algorithm
    full: bool = False  # of the whole object; else a composite of its parts, which depends on how it was split


@dataclass(frozen=True, slots=True)
class Read:
    """An object to be read to its end. `sink` gets its bytes in order, and may stop the read by raising."""

    place: Place
    sink: Callable[[bytes], None] | None = None
    digests: frozenset[Literal["md5", "sha256", "crc64nvme"]] = frozenset({"sha256"})


@dataclass(frozen=True, slots=True)
class Head:
    """An object to be looked at."""

    place: Place


@dataclass(frozen=True, slots=True)
class Copy:
    """One version to be copied, by S3 itself, with its metadata and without tags; above 5 GB in parts."""

    source: Place
    to: Place
    size: int
    etag: str  # that the source must have: `CopySourceIfMatch`


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one job."""

    place: Place  # of a Copy: where to
    size: int = 0  # bytes that were read, or that the object has
    etag: str = ""  # without quotes
    checksums: Checksums = field(default_factory=Checksums)
    digests: Mapping[str, str] = field(default_factory=dict)  # of a Read: hex, by the names that were asked for
    storage_class: str = "STANDARD"
    encryption: str = ""  # "AES256", "aws:kms", "aws:kms:dsse"; empty: not said
    key: str = ""  # KMS key
    archive: str = ""  # "ARCHIVE_ACCESS" and the like, or the state of a retrieval; empty: readable now
    metadata: Mapping[str, str] = field(default_factory=dict)
    modified: datetime | None = None
    error: RestorecheckError | None = None  # by its kind; AwsError where S3 answered one


class Objects(Protocol):
    """Objects of one account and region as one role, under the permit of one run. The fence judges every write."""

    def pages(self, bucket: str, owner: str, prefix: str) -> Iterator[bytes]:
        """Yield the raw XML of every page of ListObjectVersions, in order. Raises AwsError, SourceError."""

    def read(self, jobs: Iterable[Read], at_once: int) -> Iterator[Seen]:
        """Read objects to their end."""

    def head(self, jobs: Iterable[Head], at_once: int) -> Iterator[Seen]:
        """Look at objects, with the checksums that S3 keeps."""

    def copy(self, jobs: Iterable[Copy], at_once: int) -> Iterator[Seen]:
        """Copy versions. What is not wanted any more (the iterator is closed) is let go, and its uploads aborted."""

    def relay(self, source: Objects, jobs: Iterable[Copy], at_once: int) -> Iterator[Seen]:
        """Read by `source` and write by this role, in bounded memory, from buckets that this role may not read.

        `digests` of a result has the SHA-256 of what passed.
        """
