"""One object on its way in: its bytes counted, digested, and taken only of answers that are the rest of it. Pure.

`Reading` says what to ask for and which answers count; it sends nothing, and whoever does may try as often as it likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import awscrt.checksums  # type: ignore[import-untyped]

from restorecheck.fence.object_requests import Reply
from restorecheck.sources.versions.interface import Place


def asked_of(place: Place) -> dict[str, Any]:
    """Return the parameters that name a place, and say whose its bucket must be."""
    asked = {"Bucket": place.bucket, "Key": place.key, "ExpectedBucketOwner": place.owner}
    return asked | {"VersionId": place.version} if place.version else asked


class Digests:
    """Running digests of what passes."""

    def __init__(self, names: frozenset[str]) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names - {"crc64nvme"}}
        self._crc: int | None = 0 if "crc64nvme" in names else None

    def update(self, piece: bytes) -> None:
        """Add what came."""
        for digest in self._hashes.values():
            digest.update(piece)
        if self._crc is not None:
            self._crc = awscrt.checksums.crc64nvme(piece, self._crc)

    def hex(self) -> dict[str, str]:
        """Return them as hex, by name."""
        made = {name: digest.hexdigest() for name, digest in self._hashes.items()}
        return made if self._crc is None else {**made, "crc64nvme": f"{self._crc:016x}"}


class Reading:
    """One object, or a range of it, read to its end over as many tries as it takes: each goes on where the last ended.

    No byte is taken of an answer that is not the rest of this very object.
    """

    def __init__(
        self,
        place: Place,
        take: Callable[[bytes], None],
        *,
        first: int = 0,
        last: int | None = None,
        whole: int | None = None,
    ) -> None:
        self.place, self._take, self._whole = place, take, whole  # `whole`: the size that it must have
        self._first, self._last = first, last  # bytes, both included; last None: to the end
        self.received = 0
        self.headers: Any = {}
        self._wanted: int | None = None if last is None else last - first + 1
        self.wrong = ""

    def params(self) -> dict[str, Any]:
        """Return what to ask for now."""
        asked = {**asked_of(self.place), "ChecksumMode": "ENABLED"}
        at = self._first + self.received
        if at or self._last is not None:
            del asked["ChecksumMode"]  # a checksum of the whole says nothing of a range
            asked["Range"] = f"bytes={at}-{'' if self._last is None else self._last}"
        if self.headers.get("etag"):
            asked["IfMatch"] = self.headers["etag"]
        return asked

    def accept(self, reply: Reply) -> bool:
        """Look at an answer before its first byte is taken."""
        if reply.status not in {200, 206}:
            return False
        at = self._first + self.received
        length = reply.headers.get("content-length", "")
        if not length.isdigit():
            self.wrong = "S3 did not say how long the object is"
        elif at or self._last is not None:
            said = reply.headers.get("content-range", "")
            if reply.status != 206 or not said.startswith(f"bytes {at}-"):
                self.wrong = "S3 answered another range than was asked for"
            elif self._wanted is not None and int(length) != self._wanted - self.received:
                self.wrong = "S3 answered a range of another length than was asked for"
        elif reply.status != 200:
            self.wrong = "S3 answered a part of an object that was asked for as a whole"
        elif self._whole is not None and int(length) != self._whole:
            self.wrong = "the object has another size than was listed"
        if not self.wrong:
            self.headers = self.headers or reply.headers
            self._wanted = self.received + int(length) if self._wanted is None else self._wanted
        return not self.wrong

    def take(self, piece: bytes) -> None:
        """Take what came."""
        self.received += len(piece)
        self._take(piece)

    @property
    def missing(self) -> bool:
        """Whether bytes have not come that should have."""
        return self._wanted is None or self.received != self._wanted
