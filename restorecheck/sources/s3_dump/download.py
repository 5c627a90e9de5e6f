"""Bringing the objects of a dump into the run's directory, whole and as S3 has them.

What is there already is not read again, after it was compared with what was noted when it came. Parts are written to
their places in one file. No key becomes a path: only names that pg_dump itself gives to files are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import Observation, RecoveryPoint
from restorecheck.sources.s3_dump import checksums, keys
from restorecheck.sources.s3_dump.checksums import Compared, Recorded
from restorecheck.sources.s3_dump.landing import Sink, Target, sha256
from restorecheck.sources.s3_dump.points import current_at
from restorecheck.sources.s3_dump.reach import Reach
from restorecheck.sources.versions.interface import Head, Read, Seen
from restorecheck.sources.versions.refusals import kind_of
from restorecheck.workplace import full

AT_ONCE = 8
"""Requests in flight."""

PASSES = 3
"""How often an object is asked for when the error says that trying again may help, or its bytes came out wrong."""

ROOM = 64 << 20
"""Bytes that must stay free beside the dump and what is restored from it."""

_MOST_SUMS = 4 << 20  # bytes of the object with recorded checksums


@dataclass(frozen=True, slots=True)
class Fetched:
    """The dump on this machine."""

    files: tuple[Path, ...]  # one file, or those of a directory
    observation: Observation
    proof: str


_Came = tuple[Target, dict[str, str], RestorecheckError | None]


class Download:
    """One download, in one thread."""

    def __init__(
        self,
        reach: Reach,
        point: RecoveryPoint,
        directory: Path,
        *,
        stop: Callable[[], bool],
        told: Callable[[str], None],
    ) -> None:
        self._reach, self._point, self._directory = reach, point, directory
        self._stop, self._told = stop, told
        self._journal = directory / "fetched"
        self._sums: dict[str, dict[str, str]] = {}  # by key
        self._came = 0

    def run(self) -> Fetched:
        """Download what is not there yet, compare all of it, and return it.

        Raises RestorecheckError: `scratch-full`, `snapshot-state` (it vanished), `object-archived`, keys, permission.
        What does not match what was recorded is not raised but observed.
        """
        began = self._reach.world.monotonic()
        targets = self._targets()
        self._adopt(targets)
        self._room(targets)
        heads = self._heads(targets)
        compared = self._fetch(targets, heads)
        recorded, files = self._recorded(targets)
        seconds = self._reach.world.monotonic() - began
        observation, proof = checksums.judged(compared, recorded, files, seconds)
        return Fetched(tuple(dict.fromkeys(t.path for t in targets)), observation, proof)

    def _targets(self) -> list[Target]:
        dump = self._directory / "dump"
        if self._reach.source.form == "directory":
            dump.mkdir(mode=0o711, exist_ok=True)
            return [Target(p, dump / p.key.rpartition("/")[2], 0) for p in self._point.parts]
        offsets = [0]
        for part in self._point.parts:
            offsets.append(offsets[-1] + part.size)
        return [Target(p, dump, at) for p, at in zip(self._point.parts, offsets, strict=False)]

    # --- what is there already -----------------------------------------------------------------------------------

    def _adopt(self, targets: Sequence[Target]) -> None:
        """Take over what an earlier process downloaded, if its bytes are what they were."""
        if not self._journal.exists():
            return
        wanted = {(t.part.key, t.part.version): t for t in targets}
        for line in self._journal.read_text().splitlines():
            self._heed()
            try:
                noted = json.loads(line)
                target, sums = wanted[noted["key"], noted["version"]], noted["sums"]
            except (ValueError, KeyError):
                continue  # the line that was being written when the process died
            if sha256(target.path, target.offset, target.part.size, self._heed) == sums.get("sha256"):
                self._sums[target.part.key] = sums
                self._came += target.part.size

    def _room(self, targets: Sequence[Target]) -> None:
        missing = sum(t.part.size for t in targets if t.part.key not in self._sums)
        needed = missing + self._point.bytes + ROOM  # what is restored needs at least as much again
        free = self._reach.world.free(self._directory)
        if free < needed:
            message = f"{self._directory} has {free:,} bytes free; the dump and its restore need at least {needed:,}"
            raise SourceError(message, kind="scratch-full")

    # --- S3 ---------------------------------------------------------------------------------------------------------

    def _heads(self, targets: Sequence[Target]) -> dict[str, Seen]:
        places = [self._reach.place(t.part.key, t.part.version) for t in targets]
        seen = {s.place.key: s for s in self._reach.objects().head((Head(p) for p in places), AT_ONCE)}
        for target in targets:
            found = seen.get(target.part.key)
            if found is None or found.error:
                raise self._refused(_missing(self._reach.url(target.part.key), found))
            if found.archive:
                message = f"{self._reach.url(target.part.key)} is archived ({found.archive})"
                raise SourceError(message, kind="object-archived")
        return seen

    def _fetch(self, targets: Sequence[Target], heads: Mapping[str, Seen]) -> list[Compared]:
        compared = {
            t.part.key: checksums.with_s3(t.part.key, self._sums[t.part.key], heads[t.part.key])
            for t in targets
            if t.part.key in self._sums
        }
        left = [t for t in targets if t.part.key not in compared]
        for attempt in range(1, PASSES + 1):
            again: list[Target] = []
            with closing(self._read(left)) as results:
                for target, sums, error in results:
                    key = target.part.key
                    if error is not None:
                        if attempt == PASSES or not error.retryable:
                            raise self._refused(error)
                        again.append(target)
                        continue
                    compared[key] = checksums.with_s3(key, sums, heads[key])
                    if compared[key].differs and attempt < PASSES:  # on the way, perhaps
                        self._grown(-target.part.size)
                        again.append(target)
                        continue
                    self._note(target, sums)
            left = again
            if not left:
                break
        return [compared[t.part.key] for t in targets]

    def _read(self, targets: Sequence[Target]) -> Generator[_Came]:
        """Read objects to their end, and return the sums of each, or why it could not be read."""
        by_key = {t.part.key: t for t in targets}
        sinks: dict[str, Sink] = {}

        def jobs() -> Iterator[Read]:
            for target in targets:
                sink = sinks[target.part.key] = Sink(target, self._heed, self._grown)
                place = self._reach.place(target.part.key, target.part.version)
                yield Read(place, sink.take, frozenset({"md5", "sha256", "crc64nvme"}))

        try:
            for seen in self._reach.objects().read(jobs(), AT_ONCE):
                target, sink = by_key[seen.place.key], sinks[seen.place.key]
                sink.close()
                error = sink.error or seen.error
                if error is None and sink.size != target.part.size:
                    message = (
                        f"{self._reach.url(target.part.key)} ended after {sink.size:,} of {target.part.size:,} bytes"
                    )
                    error = SourceError(message, kind="aws-unavailable", retryable=True)
                if error is not None:
                    self._grown(-sink.size)
                yield target, {**seen.digests, "crc32": f"{sink.crc32:08x}"}, error
        finally:
            for sink in sinks.values():
                sink.close()

    def _note(self, target: Target, sums: dict[str, str]) -> None:
        self._sums[target.part.key] = sums
        line = json.dumps({"key": target.part.key, "version": target.part.version, "sums": sums})
        try:
            with self._journal.open("a") as file:
                file.write(line + "\n")
        except OSError as e:
            raise full(self._directory, e) from None

    # --- the checksum that somebody recorded ------------------------------------------------------------------------

    def _recorded(self, targets: Sequence[Target]) -> tuple[Recorded | None, dict[str, str]]:
        """Return what the object beside the dump says, and the sums that it is compared with."""
        source, point = self._reach.source, self._point
        group = keys.group_of(source, point.parts[0].key) or ""
        by_name = {t.part.key.rpartition("/")[2]: self._sums[t.part.key]["sha256"] for t in targets}
        if not source.checksum:
            return None, by_name
        recorded = self._sidecar(keys.sidecar(source, group))
        if source.form == "parts" and not set(recorded.sums) & set(by_name) and not recorded.problem:
            whole = sha256(targets[0].path, 0, point.bytes, self._heed)
            return recorded, {group.rpartition("/")[2]: whole}
        return recorded, by_name

    def _sidecar(self, key: str) -> Recorded:
        url = self._reach.url(key)
        version = current_at(self._reach, key)
        if version is None:
            return Recorded(url, {}, "it is not there")
        text = bytearray()

        def take(block: bytes) -> None:
            if len(text) + len(block) > _MOST_SUMS:
                raise SourceError(f"{url} is too large to hold checksums", kind="snapshot-state")
            text.extend(block)

        job = Read(self._reach.place(key, version.version), take, frozenset())
        [seen] = list(self._reach.objects().read([job], 1))
        if seen.error:
            raise self._refused(seen.error)
        return checksums.read_sidecar(url, bytes(text), older=version.modified < self._point.created)

    def _refused(self, error: RestorecheckError) -> RestorecheckError:
        """Return an error of S3 with the kind that it has for an object of the source account."""
        kind = kind_of(error, self._reach.source.account)
        if kind == error.kind:
            return error
        return SourceError(error.message, error.hint, kind=kind, retryable=error.retryable)

    # --- being watched ------------------------------------------------------------------------------------------------

    def _grown(self, size: int) -> None:
        self._came += size
        self._told(f"{self._came / 2**20:,.1f} of {self._point.bytes / 2**20:,.1f} MiB")

    def _heed(self) -> None:
        if self._stop():
            raise SourceError("the run does not want this dump any more", kind="cancelled")


def _missing(url: str, seen: Seen | None) -> RestorecheckError:
    if seen is None or seen.error is None:
        return SourceError(f"S3 did not answer about {url}", kind="unknown-answer", retryable=True)
    return seen.error
