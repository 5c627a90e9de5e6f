"""Where the bytes of a dump's objects land: each object at its place in a file, in order, never beyond its end."""

from __future__ import annotations

import errno
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import ObjectVersion
from restorecheck.workplace import full

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """One object, and its place."""

    part: ObjectVersion
    path: Path
    offset: int


class Sink:
    """Writes one object to its place in a file."""

    def __init__(self, target: Target, heed: Callable[[], None], grown: Callable[[int], None]) -> None:
        self._target, self._heed, self._grown = target, heed, grown
        self._file: int | None = None
        self.size = 0
        self.crc32 = 0
        self.error: RestorecheckError | None = None

    def take(self, block: bytes) -> None:
        """Write the next bytes. Raises SourceError, and keeps it: a reader may tell it in other words."""
        try:
            self._heed()
            self._fits(block)
            self._write(block)
        except SourceError as e:
            self.error = e
            raise
        self.size += len(block)
        self.crc32 = zlib.crc32(block, self.crc32)
        self._grown(len(block))

    def _fits(self, block: bytes) -> None:
        if self.size + len(block) > self._target.part.size:
            raise SourceError(f"{self._target.part.key} is longer than it was listed", kind="snapshot-state")

    def _write(self, block: bytes) -> None:
        at, view = self._target.offset + self.size, memoryview(block)
        try:
            if self._file is None:
                self._file = _opened(self._target.path)
            while view:
                wrote = os.pwrite(self._file, view, at)
                at, view = at + wrote, view[wrote:]
        except OSError as e:
            if e.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise full(self._target.path.parent, e) from None
            raise SourceError(f"{self._target.path} cannot be written: {e.strerror}", kind="scratch-full") from None

    def close(self) -> None:
        """Close the file; one for an empty object is made."""
        if self._file is None and not self._target.part.size:
            self._file = _opened(self._target.path)
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def sha256(path: Path, offset: int, size: int, heed: Callable[[], None]) -> str:
    """Return the SHA-256 of a piece of a file as hex, or nothing if it is shorter."""
    digest, left = hashlib.sha256(), size
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while left:
                heed()
                block = file.read(min(_BLOCK, left))
                if not block:
                    return ""
                digest.update(block)
                left -= len(block)
    except OSError:
        return ""
    return digest.hexdigest()
