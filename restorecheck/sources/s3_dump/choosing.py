"""Which dump a run takes, out of a listing of versions: always the newest at T, whatever is wrong with it. Pure.

An older dump is never taken in place of a newer one that is empty, cut off or incomplete: that one is the finding.
Memory grows with the number of dumps, not of objects.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from restorecheck.model import ObjectVersion, S3DumpSource
from restorecheck.sources.s3_dump.keys import TOC, group_of, in_order
from restorecheck.sources.versions.history import Entry, Tally, current

HISTORY = 10
"""How many earlier dumps the newest is compared with."""


@dataclass(slots=True)
class Dump:
    """One dump as it was current at T."""

    name: str
    modified: datetime  # of its newest object
    bytes: int = 0
    objects: int = 0


@dataclass(slots=True)
class Offer:
    """All dumps that there were at T, and what had been there before."""

    tally: Tally
    dumps: dict[str, Dump] = field(default_factory=dict)
    versions: list[tuple[datetime, str, int]] = field(default_factory=list)  # of files: the newest ones, as a heap
    newest: datetime | None = None  # the newest object of any dump that is current now, not at T

    @property
    def chosen(self) -> Dump | None:
        """The newest dump; of two of the same second the last by its key. None: there was none."""
        return max(self.dumps.values(), key=lambda dump: (dump.modified, dump.name), default=None)

    def before(self) -> list[tuple[datetime, str, int]]:
        """Return when the dumps before the chosen one were written, their names and sizes, the newest first."""
        chosen = self.chosen
        if chosen is None:
            return []
        found = self.versions or [(d.modified, d.name, d.bytes) for d in self.dumps.values()]
        newest_first = sorted(found, key=lambda seen: seen[:2], reverse=True)
        mine = next((s for s in newest_first if s == (chosen.modified, chosen.name, chosen.bytes)), None)
        earlier = [s for s in newest_first if s is not mine and s[0] <= chosen.modified]
        return earlier[:HISTORY]

    def hidden(self) -> tuple[datetime, str, int] | None:
        """Return a dump that is newer than the chosen one, but had been deleted by T; None: there is none."""
        chosen = self.chosen
        newest = max(self.versions, default=None)
        return newest if chosen and newest and newest[0] > chosen.modified else None


def offer(source: S3DumpSource, entries: Iterable[Entry], at: datetime, now: datetime) -> Offer:
    """Read a listing to its end and return what it offers."""
    found = Offer(Tally(now))
    for version in current(_noted(source, entries, at, found), at, found.tally):
        name = group_of(source, version.key) or ""
        dump = found.dumps.setdefault(name, Dump(name, version.modified))
        dump.modified = max(dump.modified, version.modified)
        dump.bytes += version.size
        dump.objects += 1
    return found


def _noted(source: S3DumpSource, entries: Iterable[Entry], at: datetime, found: Offer) -> Iterator[Entry]:
    """Let pass what belongs to a dump, and note what a fold forgets."""
    now = found.tally.now
    for entry in entries:
        if group_of(source, entry.key) is None:
            continue
        if not entry.marker:
            if entry.latest and entry.modified <= now:
                found.newest = max(found.newest or entry.modified, entry.modified)
            if source.form == "file" and entry.modified <= at:
                heapq.heappush(found.versions, (entry.modified, entry.key, entry.size))
                if len(found.versions) > HISTORY + 2:
                    heapq.heappop(found.versions)
        yield entry


def parts(
    source: S3DumpSource, name: str, entries: Iterable[Entry], at: datetime, now: datetime
) -> list[ObjectVersion]:
    """Return the objects that a dump consisted of, in the order in which they are read."""
    of_it = (entry for entry in entries if group_of(source, entry.key) == name)
    found = {version.key: version for version in current(of_it, at, Tally(now))}
    if source.form != "parts" or not found:
        return list(found.values())
    order = in_order(list(found))
    return [found[key] for key in order.keys]


def why_damaged(source: S3DumpSource, objects: tuple[ObjectVersion, ...]) -> str:
    """Return why this can be no whole dump, before a byte of it is read; empty: the listing shows nothing."""
    if not sum(part.size for part in objects):
        return "it is empty: 0 bytes"
    if source.form == "directory" and not any(part.key.endswith("/" + TOC) or part.key == TOC for part in objects):
        return f"its directory has no {TOC}"
    if source.form == "parts" and (gap := in_order([part.key for part in objects]).gap):
        return f"a part is missing: {gap}"
    return ""
