"""A versioned bucket in memory that takes conditional writes, and what can go wrong with one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from restorecheck.errors import StoreError
from restorecheck.store.bucket import ConflictError, Kept


@dataclass
class KeptBucket:
    """See Keeper. `asked` has every call; `before` is called before a call is answered, and may raise or write."""

    versions: dict[str, list[Kept]] = field(default_factory=dict)
    versioned: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda operation, key: None
    lose_answer_of: str = ""  # the next write of this key is done, and its answer is lost on the way: it is sent again
    shown: str = "s3://bucket/prod"

    def __post_init__(self) -> None:
        self._numbers, self._lock = count(1), threading.Lock()

    def get(self, key: str) -> Kept | None:
        self._asked("get", key)
        with self._lock:
            return self.versions[key][-1] if self.versions.get(key) else None

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        assert if_absent != bool(if_match)
        self._asked("put", key)
        again, self.lose_answer_of = key == self.lose_answer_of, ""
        etag = self._put(key, body, if_match)
        return self._put(key, body, if_match) if again else etag

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        self._asked("list", prefix)
        yield from sorted(key for key in self.versions if key.startswith(prefix) and key > after and self.versions[key])

    def versioning(self) -> bool:
        self._asked("versioning", "")
        return self.versioned

    def write(self, key: str, body: bytes) -> None:
        """Write over whatever is there, as somebody with another tool would."""
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        self.versions.setdefault(key, []).append(Kept(body, etag, f"v{next(self._numbers)}"))

    def lose(self, key: str) -> None:
        """Let an object be gone, as behind a delete marker."""
        self.versions.pop(key, None)

    def down(self, *keys: str) -> None:
        """Let calls about these keys fail from now on; without any, all of them."""

        def fail(operation: str, key: str) -> None:
            if not keys or key in keys:
                raise StoreError(f"{operation} {key}: nobody answers")

        self.before = fail

    def up(self) -> None:
        """Answer again."""
        self.before = lambda operation, key: None

    def body(self, key: str) -> bytes:
        """Return an object as it is now."""
        return self.versions[key][-1].body

    def calls(self, operation: str, prefix: str = "") -> int:
        """Return how often this was asked for."""
        return sum(op == operation and key.startswith(prefix) for op, key in self.asked)

    def _asked(self, operation: str, key: str) -> None:
        self.asked.append((operation, key))
        self.before(operation, key)

    def _put(self, key: str, body: bytes, if_match: str | None) -> str:
        with self._lock:
            there = self.versions.get(key)
            if (there[-1].etag if there else None) != if_match:
                raise ConflictError(f"{key} is another")
            self.write(key, body)
            return self.versions[key][-1].etag
