"""What was current in a versioned bucket at a time: a fold over S3's own listing, in constant memory. Pure.

A key was, at T, what the first of its entries with `modified` ≤ T says, in the order in which S3 lists them: an object,
or nothing if that entry is a delete marker or there is none. The listing's order decides, never a comparison of
times: S3 tells whole seconds, and a write and a delete within one second differ by their order alone. T is compared
as it is given, so a write in the very second of T counts as before T. It must never be guessed what a listing does not
show: what could not be known is counted, and said by `remarks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from restorecheck.errors import SourceError
from restorecheck.model import ObjectVersion

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes that cannot be read before they are retrieved. GLACIER_IR can be; of INTELLIGENT_TIERING only a
look at the object tells."""

UPLOAD_TIME = timedelta(days=7)
"""How long before T a multipart upload must have begun for its end before T to go without saying."""


class Entry(NamedTuple):
    """One line of a listing of versions: an object's version, or a delete marker. A tuple, for there are millions."""

    key: str
    version: str  # "null" if it was written while versioning was off or suspended
    latest: bool
    modified: datetime  # of a multipart upload: when it was begun
    marker: bool = False
    size: int = 0
    etag: str = ""  # without quotes; `…-N` of a multipart upload
    storage_class: str = "STANDARD"
    algorithms: tuple[str, ...] = ()  # of the checksums that S3 keeps of it
    full: bool = False  # whether those are of the whole object


@dataclass(slots=True)
class Tally:
    """What a fold saw on its way. Right only once the fold has come to its end."""

    now: datetime  # what claims to be newer than this is no newest write
    entries: int = 0
    bytes: int = 0  # of all versions
    keys: int = 0
    current: int = 0  # objects that were current
    current_bytes: int = 0
    folders: int = 0  # of the current ones: nothing but a name, which a console shows as a folder
    markers: int = 0
    nulls: int = 0  # entries with the version "null"
    multipart: int = 0  # versions that were uploaded in parts
    archived: int = 0  # of the current ones
    archived_bytes: int = 0
    doubtful: int = (
        0  # of the current ones: uploaded in parts, begun so shortly before T that they may have ended after
    )
    deleted: int = 0  # keys whose newest entry at T was a delete marker
    later: int = 0  # keys of which the bucket knows only what came after T
    newest: datetime | None = None  # the newest version up to `now`; no marker counts: lifecycle rules write them too

    def see(self, entry: Entry) -> None:
        """Count an entry, whatever it was at T."""
        self.entries += 1
        if entry.version == "null":
            self.nulls += 1
        if entry.marker:
            self.markers += 1
            return
        self.bytes += entry.size
        if "-" in entry.etag:
            self.multipart += 1
        if entry.modified <= self.now and (self.newest is None or entry.modified > self.newest):
            self.newest = entry.modified

    def take(self, entry: Entry, since: datetime) -> None:
        """Count an object that was current; an upload in parts that was begun at `since` or later is doubtful."""
        self.current += 1
        self.current_bytes += entry.size
        if not entry.size and entry.key.endswith("/"):
            self.folders += 1
        if entry.storage_class in ARCHIVED:
            self.archived += 1
            self.archived_bytes += entry.size
        if entry.modified >= since and "-" in entry.etag:
            self.doubtful += 1


def current(entries: Iterable[Entry], at: datetime, tally: Tally) -> Iterator[ObjectVersion]:
    """Yield what was current at `at`, in the order of the keys, and count into `tally`.

    Raises SourceError `unknown-answer` when the keys do not come in S3's order (that of their UTF-8 bytes, and so of
    their code points): what was current could then not be told without remembering every key.
    """
    key, decided, since = "", True, at - UPLOAD_TIME
    for entry in entries:
        if entry.key != key:
            if not decided:
                tally.later += 1
            if entry.key < key:
                raise SourceError("S3 listed keys in another order than that of their bytes", kind="unknown-answer")
            key, decided = entry.key, False
            tally.keys += 1
        tally.see(entry)
        if decided or entry.modified > at:
            continue
        decided = True
        if entry.marker:
            tally.deleted += 1
            continue
        tally.take(entry, since)
        yield ObjectVersion(entry.key, entry.version, entry.size, entry.etag, entry.modified, entry.storage_class)
    if not decided:
        tally.later += 1


NOT_VERSIONED = "tags, ACLs and retention are not versioned: they were not looked at"


def remarks(tally: Tally, versioning: str) -> tuple[str, ...]:
    """Return what the reader of a proof must know of how this state was found. `versioning` is the bucket's Status."""
    said = [
        "what was deleted for good since, by a lifecycle rule or by its version id, left no trace in what is listed",
        "a delete that was undone since, by removing its marker, left no trace: the object counts as never deleted",
        NOT_VERSIONED,
    ]
    if versioning != "Enabled":
        state = "suspended" if versioning == "Suspended" else "off"
        said.append(f"versioning of the bucket is {state}: a write or a delete replaces the version `null` for good")
    if tally.nulls:
        said.append(
            f"{_n(tally.nulls, 'entry has', 'entries have')} the version `null`, written while versioning was off or"
            " suspended: what was there before under the same key, written in the same way, is lost"
        )
    if tally.doubtful:
        said.append(
            f"{_n(tally.doubtful, 'object was', 'objects were')} uploaded in parts, begun less than"
            f" {UPLOAD_TIME.days} days before that time: S3 tells when an upload began, not when it ended, so"
            " they may have become current only later, and hide what was current then"
        )
    if tally.later:
        said.append(f"of {_n(tally.later, 'key', 'keys')} there are only versions from after that time")
    if tally.archived:
        said.append(
            f"{_n(tally.archived, 'object is', 'objects are')} in an archive (GLACIER or DEEP_ARCHIVE,"
            f" {tally.archived_bytes:,} bytes) and must be retrieved before anybody can read them"
        )
    return tuple(said)


def _n(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
