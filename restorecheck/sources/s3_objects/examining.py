"""Every restored object held against the backup, some of them read to their end, then the questions. Only reads.

Both sides are listed together and worked through in batches, so that memory does not grow with the bucket. What the
evidence means is decided in `comparison`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from restorecheck.errors import AwsError, SourceError
from restorecheck.model import Answers, ObjectVersion, RecoveryPoint
from restorecheck.sources.s3_objects import asking, comparison, destinations
from restorecheck.sources.s3_objects.comparison import Compared, Perused
from restorecheck.sources.s3_objects.matching import batches, paired
from restorecheck.sources.s3_objects.reach import Reach
from restorecheck.sources.versions.interface import Head, Objects, Place, Read, Seen
from restorecheck.sources.versions.refusals import ABSENT, Refusals
from restorecheck.sources.versions.selection import Fingerprint, Sampler, picks

BATCH = 200

_OURS: frozenset[Literal["md5", "sha256", "crc64nvme"]] = frozenset({"md5", "sha256", "crc64nvme"})


def examine(reach: Reach, point: RecoveryPoint) -> Answers:
    """Compare, read and ask. Raises only what a listing raises."""
    world = reach.world
    until = world.monotonic() + reach.limits.examine.total_seconds()
    began = world.monotonic()
    comparing = _Comparing(reach, point, until)
    comparing.all()
    between = world.monotonic()
    sampler = comparing.sampler
    reading = _Reading(reach, point, sampler, until)
    reading.all()
    after = world.monotonic()
    observations = (
        comparison.compared(comparing.seen, point, between - began),
        comparison.perused(reading.seen, sampler.picked, after - between),
    )
    asked_at, told = world.now(), [*comparison.proven(point, comparing.seen, reading.seen)]
    answers = asking.ask(reach, point, until, told.append)
    level = comparison.level(point, comparing.seen, reading.seen, observations)
    return Answers(answers, asked_at, observations=observations, proven=tuple(told), level=level)


class _Late(Exception):  # noqa: N818 - no error: the time is up
    pass


class _Watch:
    """Both passes: a time until which they may go on."""

    def __init__(self, reach: Reach, until: float) -> None:
        self.reach, self._until = reach, until

    def watched(self, batch: list[ObjectVersion]) -> list[ObjectVersion]:
        """Return the batch, or raise _Late."""
        if self.reach.world.monotonic() > self._until:
            raise _Late
        return batch

    def look(self, side: Objects, places: Iterable[Place]) -> dict[Place, Seen]:
        """Look at objects, with their checksums."""
        return {s.place: s for s in side.head((Head(p) for p in places), self.reach.source.at_once)}

    def read(self, side: Objects, places: Iterable[Place]) -> dict[Place, Seen]:
        """Read objects to their end."""
        jobs = (Read(place, digests=_OURS) for place in places)
        return {s.place: s for s in side.read(jobs, self.reach.source.at_once)}


def _lost(place: Place, seen: Mapping[Place, Seen]) -> Seen:
    """Return what came of a place; that nothing came is an error of its own."""
    return seen.get(place) or Seen(place, error=SourceError("no answer came back", kind="unknown-answer"))


class _Comparing(_Watch):
    """The pass over every picked object."""

    def __init__(self, reach: Reach, point: RecoveryPoint, until: float) -> None:
        super().__init__(reach, until)
        self.point = point
        self.seen = Compared(Refusals(reach.source.account))
        self.sampler = Sampler(reach.source.read, _reading_id(reach))
        self._fingerprint = Fingerprint()
        self._long = 0

    def all(self) -> None:
        """Compare all of them."""
        try:
            for batch in batches(self._unproven(), BATCH):
                self._ask(self.watched(batch))
            self._count_hashed()
        except _Late:
            self.seen.late = True
            return
        self.seen.changed = not comparison.same_objects(self.point, self._fingerprint.hex)

    def _standing(self) -> Iterator[ObjectVersion]:
        wanted = picks(self.point.sample, self.reach.run_id)
        for version in self.reach.standing():
            self._fingerprint.take(version)
            if wanted(version.key):
                yield version

    def _unproven(self) -> Iterator[ObjectVersion]:
        """Yield what the two listings do not prove to be equal; the rest is counted here."""
        seen, under = self.seen, destinations.direct_prefix(self.reach.run_id)
        for number, pair in enumerate(paired(self._standing(), self.reach.present(under), len(under))):
            if number % 1000 == 0:
                self.watched([])
            if pair.wanted is None:
                seen.extra.add(pair.key)
                continue
            self._want(pair.wanted)
            if not destinations.is_direct(self.reach.run_id, pair.key):
                self._long += 1
                yield pair.wanted
            elif pair.found is None:
                seen.missing.add(pair.key)
            elif comparison.sizes_differ(pair.wanted, pair.found):
                seen.resized.add(pair.key)
            elif how := comparison.by_etag(pair.wanted.etag, pair.found.etag):
                seen.equal[how] += 1
            else:
                yield pair.wanted

    def _want(self, version: ObjectVersion) -> None:
        self.seen.wanted += 1
        self.seen.bytes += version.size
        self.sampler.take(version)

    def _count_hashed(self) -> None:
        """What is restored under a hash cannot be paired: it was looked for one by one, and there may be no more."""
        there = sum(1 for _ in self.reach.present(destinations.hashed_prefix(self.reach.run_id)))
        self.seen.extra.count += max(there - self._long, 0)

    def _ask(self, batch: list[ObjectVersion]) -> None:
        """Look at both sides of each; read both where S3's own checksums do not say enough."""
        reach, scratch = self.reach, self.reach.objects("scratch")
        heads = self.look(scratch, [reach.restored(v.key) for v in batch])
        there = [v for v in batch if self._is_there(v, _lost(reach.restored(v.key), heads))]
        originals = self.look(reach.reader(), [reach.original(v) for v in there])
        open_ = []
        for version in there:
            wanted = _lost(reach.original(version), originals)
            if wanted.error is not None:
                self.seen.refusals.add(version.key, wanted.error)
            elif (known := comparison.by_checksum(wanted, heads[reach.restored(version.key)])) is None:
                open_.append(version)
            else:
                self._equal(version.key, *known)
        if open_:
            self._read_both(open_)

    def _is_there(self, version: ObjectVersion, found: Seen) -> bool:
        if found.error is not None:
            if isinstance(found.error, AwsError) and found.error.code in ABSENT:
                self.seen.missing.add(version.key)
            else:
                self.seen.refusals.add(version.key, found.error)
            return False
        if found.size != version.size:
            self.seen.resized.add(version.key)
            return False
        return True

    def _read_both(self, versions: list[ObjectVersion]) -> None:
        reach = self.reach
        restored = self.read(reach.objects("scratch"), [reach.restored(v.key) for v in versions])
        originals = self.read(reach.reader(), [reach.original(v) for v in versions])
        for version in versions:
            sides = _lost(reach.original(version), originals), _lost(reach.restored(version.key), restored)
            if error := sides[0].error or sides[1].error:
                self.seen.refusals.add(version.key, error)
            else:
                self._equal(version.key, "reading both", sides[0].digests["sha256"] == sides[1].digests["sha256"])

    def _equal(self, key: str, how: str, equal: bool) -> None:
        if equal:
            self.seen.equal[how] += 1
        else:
            self.seen.differing.add(key)


class _Reading(_Watch):
    """The pass over those restored objects that are read to their end."""

    def __init__(self, reach: Reach, point: RecoveryPoint, sampler: Sampler, until: float) -> None:
        super().__init__(reach, until)
        self.point = point
        self._chosen: Callable[[str], bool] = picks(sampler.sample, _reading_id(reach))
        self.seen = Perused(Refusals(reach.source.account))

    def all(self) -> None:
        """Read all of them."""
        chosen = (v for v in self.reach.picked(self.point) if self._chosen(v.key))
        try:
            for batch in batches(chosen, BATCH):
                self._peruse(self.watched(batch))
        except _Late:
            self.seen.late = True

    def _peruse(self, batch: list[ObjectVersion]) -> None:
        reach = self.reach
        restored = self.read(reach.objects("scratch"), [reach.restored(v.key) for v in batch])
        looked = self.look(reach.reader(), [reach.original(v) for v in batch])
        open_ = []
        for version in batch:
            self.seen.wanted += 1
            found, wanted = _lost(reach.restored(version.key), restored), _lost(reach.original(version), looked)
            if error := found.error or wanted.error:
                self.seen.refusals.add(version.key, error)
                continue
            known = comparison.by_itself(wanted, found)
            if known and known[1]:
                self._sound(version, known[0])
            else:
                open_.append((version, found, known is not None))
        if open_:
            self._against_the_backup(open_)

    def _against_the_backup(self, open_: list[tuple[ObjectVersion, Seen, bool]]) -> None:
        """Read the backup's own bytes: of what has no checksum, and of what does not match its own."""
        reach = self.reach
        originals = self.read(reach.reader(), [reach.original(version) for version, _, _ in open_])
        for version, found, refuted in open_:
            original = _lost(reach.original(version), originals)
            if original.error is not None:
                self.seen.refusals.add(version.key, original.error)
            elif original.digests["sha256"] != found.digests["sha256"]:
                self.seen.differing.add(version.key)
            elif refuted:
                self.seen.damaged.add(version.key)
            else:
                self._sound(version, comparison.TWICE)

    def _sound(self, version: ObjectVersion, how: str) -> None:
        self.seen.sound[how] += 1
        self.seen.bytes += version.size


def _reading_id(reach: Reach) -> str:
    """Return what picks the objects that are read: not what picked those that are restored, or all would be read."""
    return f"{reach.run_id} read"
