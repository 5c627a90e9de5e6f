"""Two sorted listings side by side, and which keys a pattern means. Pure, and in bounded memory.

S3 lists keys in the order of their UTF-8 bytes, which is the order of Python's strings. A listing in another order
would pair wrongly, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from restorecheck.errors import SourceError
from restorecheck.model import ObjectVersion


@dataclass(frozen=True, slots=True)
class Pair:
    """What should be there under one key, and what is."""

    key: str
    wanted: ObjectVersion | None
    found: ObjectVersion | None


def paired(wanted: Iterable[ObjectVersion], found: Iterable[ObjectVersion], cut: int = 0) -> Iterator[Pair]:
    """Yield every key of either side once, in order. Keys of `found` are compared without their first `cut` letters.

    Raises SourceError `unknown-answer` for a listing that is not sorted.
    """
    left, right = _sorted(wanted, 0), _sorted(found, cut)
    a, b = next(left, None), next(right, None)
    while a or b:
        if b is None or (a is not None and a[0] < b[0]):
            assert a is not None  # noqa: S101 - for the type checker: one of them is there
            yield Pair(a[0], a[1], None)
            a = next(left, None)
        elif a is None or b[0] < a[0]:
            yield Pair(b[0], None, b[1])
            b = next(right, None)
        else:
            yield Pair(a[0], a[1], b[1])
            a, b = next(left, None), next(right, None)


def _sorted(versions: Iterable[ObjectVersion], cut: int) -> Iterator[tuple[str, ObjectVersion]]:
    last: str | None = None
    for version in versions:
        key = version.key[cut:]
        if last is not None and key <= last:
            raise SourceError("S3 listed keys out of their order", kind="unknown-answer")
        last = key
        yield key, version


def batches(versions: Iterable[ObjectVersion], size: int) -> Iterator[list[ObjectVersion]]:
    """Yield lists of at most `size`."""
    batch: list[ObjectVersion] = []
    for version in versions:
        batch.append(version)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def pattern(text: str) -> Callable[[str], bool]:
    """Return what tells whether a key fits a pattern: `*` is any letters but `/`, `**` any at all, `**/` may be none.

    Every other letter means itself, `?` and `[` too: keys may contain them.
    """
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*/|\*\*|\*)", text)
    fits = re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)
    return lambda key: fits.fullmatch(key) is not None
