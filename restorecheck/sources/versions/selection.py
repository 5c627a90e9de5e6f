"""Which objects are taken when not all are, and a fingerprint of all of them. Pure.

Picking depends on the run and the key alone: any process that knows the run id and the threshold picks the same
objects, in whatever order and on whatever pages they are listed.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable

from restorecheck.model import ObjectVersion, Portion

_SPACE = 1 << 128  # hashes are numbers below this
_DIGITS = 32


class Fingerprint:
    """A running SHA-256 over key, version, size and ETag of objects, in the order of their keys."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def take(self, found: ObjectVersion) -> None:
        """Add one object."""
        # The length stands before the key: a key may hold anything, also what separates the rest.
        line = f"{len(found.key)}:{found.key}{found.version}\n{found.size}\n{found.etag}\n"
        self._digest.update(line.encode("utf-8", "surrogatepass"))

    @property
    def hex(self) -> str:
        """What was taken so far, as hex."""
        return self._digest.hexdigest()


class Sampler:
    """Finds the threshold of a portion in one pass, in memory for no more objects than are picked."""

    def __init__(self, portion: Portion, run_id: str) -> None:
        self._portion, self._run_id = portion, run_id
        self._smallest: list[tuple[int, int]] = []  # of a count: a heap of (minus the hash, size), the largest first
        self._least: tuple[int, int] = (_SPACE, 0)  # the object of the smallest hash, and its size
        self._limit = _SPACE if portion.share is None else min(_SPACE, int(portion.share * _SPACE))
        self._seen = self._picked = self._bytes = 0

    def take(self, found: ObjectVersion) -> None:
        """Consider one object."""
        self._seen += 1
        if self._portion.all:
            self._picked += 1
            self._bytes += found.size
            return
        here = _hash(self._run_id, found.key)
        self._least = min(self._least, (here, found.size))
        if self._portion.count is None:
            if here < self._limit:
                self._picked += 1
                self._bytes += found.size
        elif len(self._smallest) < self._portion.count:
            heapq.heappush(self._smallest, (-here, found.size))
        elif self._smallest:
            heapq.heappushpop(self._smallest, (-here, found.size))

    @property
    def sample(self) -> str:
        """The threshold as hex: objects whose hash is at most this are picked; empty: all are."""
        threshold = self._threshold()
        return "" if threshold is None else f"{threshold:0{_DIGITS}x}"

    @property
    def picked(self) -> int:
        """How many objects are picked."""
        return self._result()[0]

    @property
    def picked_bytes(self) -> int:
        """Their bytes."""
        return self._result()[1]

    def _threshold(self) -> int | None:
        portion = self._portion
        if portion.all or (portion.count is not None and portion.count >= self._seen):
            return None
        if portion.count is not None:
            return -self._smallest[0][0] if self._smallest else 0
        if self._picked or not self._seen:
            return None if self._limit >= _SPACE else max(self._limit - 1, 0)
        return self._least[0]

    def _result(self) -> tuple[int, int]:
        if self._portion.all:
            return self._picked, self._bytes
        if self._portion.count is not None:
            return len(self._smallest), sum(size for _, size in self._smallest)
        if self._picked or not self._seen:
            return self._picked, self._bytes
        return 1, self._least[1]  # a share of few objects is at least one of them: none would prove nothing


def picks(sample: str, run_id: str) -> Callable[[str], bool]:
    """Return whether a key is picked, by the threshold that a Sampler found for this run. An empty one picks all."""
    if not sample:
        return lambda _key: True
    threshold = int(sample, 16)
    return lambda key: _hash(run_id, key) <= threshold


def _hash(run_id: str, key: str) -> int:
    digest = hashlib.sha256(f"{run_id}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:16], "big")
