"""Which keys belong to which dump: patterns of keys, directories that pg_dump wrote, parts that `split` made. Pure.

A name that is not understood is no part of a dump: it is left out and counted, never guessed into one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from restorecheck.model import S3DumpSource
from restorecheck.sources.versions.patterns import pattern

TOC = "toc.dat"
"""The table of contents of a dump in directory form."""

_OF_DIRECTORY = re.compile(
    r"(toc\.dat|\d+\.dat(\.(gz|lz4|zst))?|blobs(_\d+)?\.toc(\.(gz|lz4|zst))?|blob_\d+\.dat(\.(gz|lz4|zst))?)"
)
"""What pg_dump calls its files (pg_backup_directory.c, 9.1 to 18). Nothing else becomes the name of a file here."""

_PART = re.compile(r"(?P<stem>.+?)(?:\.(?:part[-_]?)?(?P<dotted>\d+|[a-z]{2,})|[-_](?P<dashed>\d+))", re.DOTALL)


def fixed(source: S3DumpSource) -> str:
    """Return the text that the keys of all dumps begin with: what a listing can be limited to."""
    head, star, _ = source.object.partition("*")
    if source.form == "directory" and not star:
        return head.removesuffix(TOC)
    return head


def group_of(source: S3DumpSource, key: str) -> str | None:
    """Return the name of the dump that a key belongs to, or None if it belongs to none.

    The name is the key itself, the directory with its last `/`, or the text before the number of a part.
    """
    if key.endswith("/") or (source.checksum and key.endswith(source.checksum)):
        return None
    if source.form == "directory":
        directory, slash, name = key.rpartition("/")
        wanted = pattern(source.object).fullmatch(f"{directory}{slash}{TOC}")
        return directory + slash if wanted and _OF_DIRECTORY.fullmatch(name) else None
    if not pattern(source.object).fullmatch(key):
        return None
    if source.form == "parts":
        found = _PART.fullmatch(key)
        return found["stem"] if found else None
    return key


def sidecar(source: S3DumpSource, group: str) -> str:
    """Return the key of the object that holds the recorded checksum of a dump."""
    return group.rstrip("/") + (source.checksum or "")


@dataclass(frozen=True, slots=True)
class Order:
    """The parts of one dump in their order, and the first gap in their numbers."""

    keys: tuple[str, ...]
    gap: str = ""  # what is missing, in words
    foreign: tuple[str, ...] = ()  # keys whose number does not belong to the others


def in_order(keys: Sequence[str]) -> Order:
    """Put the parts of one dump in order. Numbers begin at 0 or 1, letters at `aa`; `split` widens both as it goes."""
    marks = {key: _mark(key) for key in sorted(keys, key=str.encode)}
    digits = [key for key in marks if marks[key].isdigit()]
    letters = [key for key in marks if not marks[key].isdigit()]
    if digits and letters:  # `x.001` beside `x.done`
        sequence = in_order(digits if len(digits) >= len(letters) else letters)
        rest = letters if len(digits) >= len(letters) else digits
        return Order(sequence.keys, sequence.gap, tuple(sorted({*sequence.foreign, *rest})))
    if letters:
        width = min(len(marks[key]) for key in letters)
        foreign = tuple(k for k in letters if len(marks[k]) > width and not marks[k].startswith("z"))
        letters = [k for k in letters if k not in foreign]
        return Order(tuple(letters), _gap([marks[k] for k in letters]), foreign)
    by_number = sorted(digits, key=lambda key: int(marks[key]))
    gap = _gap([marks[key] for key in digits])
    if gap and not _gap([marks[key] for key in by_number]):  # x.9 before x.10
        return Order(tuple(by_number))
    return Order(tuple(digits), gap)


def _mark(key: str) -> str:
    found = _PART.fullmatch(key)
    return (found["dotted"] or found["dashed"]) if found else ""


def _gap(marks: Sequence[str]) -> str:
    """Return what is missing first, in words; empty: nothing that the numbers would show."""
    first = marks[0]
    if first.isdigit() and int(first) > 1:
        return f"the first part is {first!r}"
    if not first.isdigit() and set(first) != {"a"}:
        return f"the first part is {first!r}"
    for one, following in pairwise(marks):
        if following not in _after(one):
            return f"no part follows {one!r} until {following!r}"
    return ""


def _after(mark: str) -> set[str]:
    """Return what may come after: the next one, and what `split` widens to (`89` to `9000`, `yz` to `zaaa`)."""
    if mark.isdigit():
        following = {str(int(mark) + 1).zfill(len(mark))}
        low, high = "0", "9"
    else:
        following = {_next_letters(mark)}
        low, high = "a", "z"
    leading = len(mark) - len(mark.lstrip(high))
    body = mark[leading:]
    if len(body) > 1 and body == chr(ord(high) - 1) + high * (len(body) - 1):
        following.add(high * (leading + 1) + low * (len(body) + 1))
    return following


def _next_letters(mark: str) -> str:
    stem = mark.rstrip("z")
    if not stem:
        return ""
    return stem[:-1] + chr(ord(stem[-1]) + 1) + "a" * (len(mark) - len(stem))
