"""Which keys of a bucket look like dumps of a database, and which of them are nights of the same. Pure: words only.

What is in an object is not seen here, so what a key says may be wrong. Each guess is written down as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from restorecheck.config import names
from restorecheck.discovery.found import Key

Family = Literal["postgresql", "mysql"]

_ARCHIVE = r"\.(?:dump|pgdump|pg_dump|backup)"
_SCRIPT = r"\.(?:sql|psql|pgsql|mysql)"
_PACKED = r"(?:\.(?:gz|bz2|xz|zst|lz4))?"
_LOCKED = r"(?:\.(?:age|gpg|pgp|enc))?"
_BZIP = re.compile(r"\.bz2", re.IGNORECASE)
_DUMP = re.compile(rf"(?P<kind>{_ARCHIVE}|{_SCRIPT}){_PACKED}(?P<locked>{_LOCKED})$", re.IGNORECASE)
_DIRECTORY = re.compile(r"(?:^|/)toc\.dat$")
_BESIDE = re.compile(r"\.(?:sha256|sha256sum|sha512|md5|sig|asc|json|log|txt)$", re.IGNORECASE)
_OF_DIRECTORY = re.compile(r"(?:^|/)(?:toc\.dat|restore\.sql|blobs(?:_\d+)?\.toc|(?:blob_)?\d+\.(?:dat|blob)[\w.]*)$")

_TIME = re.compile(r"(?:19|20)\d\d(?:[-_.:T]?\d+)*Z?|\d{6,}(?:[-_.:T]?\d+)*Z?")
"""A date, a time, a number of seconds: what differs from night to night, and not the 2 of `shard2`."""

_NUMBER = re.compile(r"\d+")


_GENERAL = {"dump", "dumps", "backup", "backups", "daily", "nightly"}
"""Words in a key that name no database."""


@dataclass(frozen=True, slots=True)
class Nights:
    """Dumps that differ in their time only."""

    pattern: str
    sample: str  # the key of one of them
    form: Literal["file", "directory"]
    written: tuple[datetime, ...]  # oldest first
    obstacle: str = ""  # why no check can be made of them by itself
    checksum: str = ""  # a suffix under which each has a checksum beside it
    script: bool = False  # plain SQL, which any engine may have written

    @property
    def database(self) -> str:
        """What the database may be called, to go by the name; empty if that says nothing."""
        *directories, last = self.pattern.split("/")
        stems = [*directories] if self.form == "directory" else [*directories, _DUMP.sub("", last)]
        for stem in reversed(stems):
            bare = re.sub(r"^[-_.*]+|[-_.*]+$", "", stem)
            if bare and "*" not in bare and bare.lower() not in _GENERAL:
                return bare if _nameable(bare) else ""
        return ""

    def family(self, bucket: str) -> Family:
        """Return which engine it may be of, to go by the names."""
        return "mysql" if re.search(r"mysql|maria", f"{bucket}/{self.pattern}", re.IGNORECASE) else "postgresql"


def _nameable(text: str) -> bool:
    """Return whether a database can be called so."""
    try:
        return bool(names.database(text))
    except ValueError:
        return False


def nights(keys: Iterable[Key]) -> Iterator[Nights]:
    """Yield the dumps among the keys, those of one database together, by their pattern."""
    found: dict[str, list[Key]] = {}
    seen = list(keys)
    there = {key.name for key in seen}
    for key in seen:
        if _DUMP.search(key.name) or _DIRECTORY.search(key.name):
            found.setdefault(pattern_of(key.name), []).append(key)
    for pattern, of in sorted(found.items()):
        directory = bool(_DIRECTORY.search(pattern))
        match = _DUMP.search(pattern)
        yield Nights(
            pattern=pattern,
            sample=of[0].name,
            form="directory" if directory else "file",
            written=tuple(sorted(key.written for key in of)),
            obstacle=_obstacle(pattern, bool(match and match["locked"])),
            checksum=".sha256" if not directory and all(f"{key.name}.sha256" in there for key in of) else "",
            script=bool(match and re.fullmatch(_SCRIPT, match["kind"], re.IGNORECASE)),
        )


def _obstacle(pattern: str, locked: bool) -> str:
    if pattern.startswith("/"):
        return "its keys begin with /, which no pattern may"
    if locked:
        return "it is encrypted, to go by its name: write a check with `decrypt` by hand"
    return "it is compressed with bzip2, which restorecheck cannot unpack" if _BZIP.search(pattern) else ""


def others(keys: Iterable[Key]) -> bool:
    """Return whether there is anything among the keys that is no dump, and does not belong to one."""
    return any(not (_DUMP.search(k.name) or _OF_DIRECTORY.search(k.name) or _BESIDE.search(k.name)) for k in keys)


def pattern_of(key: str) -> str:
    """Return the pattern of a key: what tells one night from another becomes `*`."""
    *directories, last = key.split("/")
    parts = ["*" if _NUMBER.fullmatch(part) else _TIME.sub("*", part) for part in directories]
    return "/".join([*parts, _TIME.sub("*", last)])
