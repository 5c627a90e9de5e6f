"""What is asked of a bucket: read an object, write one on a condition, list. The port that `s3` and tests stand behind.

A keeper cannot delete, and cannot write over what was not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from restorecheck.errors import StoreError


class ConflictError(StoreError):
    """Another object is there than the one that was to be replaced; nothing was written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One object as it was read."""

    body: bytes
    etag: str
    version: str  # of the bucket; empty if it has none


class Keeper(Protocol):
    """The objects below one prefix of one bucket, by their keys below it. Every method raises StoreError."""

    @property
    def shown(self) -> str:
        """Where that is, for a sentence: `s3://bucket/prefix`."""

    def get(self, key: str) -> Kept | None:
        """Return an object as it is now; None: there is none."""

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        """Write an object in place of the one with this ETag, or where none is, and return its ETag.

        Raises ConflictError if it is not so. A write of which nobody knows how it ended may have been done.
        """

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Yield the keys that begin so, in order; only those behind `after`. A listing that breaks off raises."""

    def versioning(self) -> bool:
        """Say whether the bucket keeps what is replaced."""
