"""Restored objects brought to this machine for the questions, and the questions put to whoever can read such files.

Files are numbered: a key never becomes a path. They lie in a directory of this run alone, which is removed before the
answers are given back. No byte of a file is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from restorecheck.databases.duckdb_views import local_name
from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import Answer, Assertion, FileView, ObjectVersion, RecoveryPoint
from restorecheck.sources.s3_objects.matching import batches, pattern
from restorecheck.sources.s3_objects.reach import Reach
from restorecheck.sources.versions.interface import Head, Read, Seen
from restorecheck.sources.versions.refusals import amount, kind_of
from restorecheck.workplace import Workplace

BATCH = 200

OBJECTS = re.compile(r"\bobjects\b", re.IGNORECASE)
LOOKED_AT = re.compile(r"\b(encryption|checksum)", re.IGNORECASE)
"""Columns of `objects` that no listing shows: they cost a look at every object, and are null if nobody asks."""


def ask(
    reach: Reach, point: RecoveryPoint, until: float, tell: Callable[[str], object] = lambda _: None
) -> tuple[Answer, ...]:
    """Return one answer for each assertion of the check, in order. Does not raise for what a question can cause.

    `until` is when the time for it is over, by the clock that only goes forward. `tell` is given what was proven.
    """
    assertions = reach.check.assertions
    if not assertions:
        return ()
    place = Workplace(reach.world.workplace(reach.run_id), reach.run_id)
    try:
        place.remove()  # what a process left that died in here
        place.open()
        return _Asking(reach, point, place.path, until, tell).answers(assertions)
    except RestorecheckError as e:
        return tuple(Answer(a.name, error=e.message, kind=e.kind) for a in assertions)
    except OSError as e:
        return tuple(Answer(a.name, error=_unwritten(e), kind="scratch-full") for a in assertions)
    finally:
        with suppress(RestorecheckError):  # the teardown tries again, and says so if it cannot
            place.remove()


def _unwritten(error: OSError) -> str:
    return f"files could not be written here: {error.strerror or type(error).__name__}"


@dataclass(slots=True)
class _Wanted:
    """One view of one assertion, and the keys that it is made of."""

    assertion: str
    view: FileView
    keys: list[str] = field(default_factory=list)


@dataclass
class _Asking:
    """One round of questions."""

    reach: Reach
    point: RecoveryPoint
    workplace: Path
    until: float
    tell: Callable[[str], object]
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)  # assertion → kind and sentence
    paths: dict[str, Path] = field(default_factory=dict)  # key → the file that it was brought to

    def answers(self, assertions: Sequence[Assertion]) -> tuple[Answer, ...]:
        """Bring what is needed, ask, and put the answers in order."""
        views = [_Wanted(a.name, view) for a in assertions for view in a.files]
        listed = [a for a in assertions if OBJECTS.search(a.sql)]
        listing = self._surveyed(views, listed)
        for wanted in views:
            if not wanted.keys and not wanted.view.may_be_empty:
                message = f"no restored object fits {wanted.view.pattern!r}, of which {wanted.view.name} is made"
                sampled = self.point.picked < self.point.objects  # then it may be there, and was not taken
                more = (
                    f", of a sample of {self.point.picked:,} out of {self.point.objects:,}: restore all"
                    if sampled
                    else ""
                )
                self._fail(wanted.assertion, "question" if sampled else "missing-object", message + more)
        asked: dict[str, Answer] = {}
        try:
            self._bring({key for w in views if w.assertion not in self.failed for key in w.keys}, views)
            asked = self._asked([a for a in assertions if a.name not in self.failed], views, listing)
        except RestorecheckError as e:  # of those that could still be asked: what is known of the others stays
            for assertion in assertions:
                self._fail(assertion.name, e.kind, e.message)
        return tuple(self._answer(a.name, asked) for a in assertions)

    def _fail(self, assertion: str, kind: str, message: str) -> None:
        self.failed.setdefault(assertion, (kind, message))

    def _answer(self, name: str, asked: Mapping[str, Answer]) -> Answer:
        if name in self.failed:
            kind, message = self.failed[name]
            return Answer(name, error=message, kind=kind)
        return asked.get(name) or Answer(name, error="no answer came back for this question", kind="internal")

    # --- which objects -----------------------------------------------------------------------------------------------

    def _surveyed(self, views: list[_Wanted], listed: list[Assertion]) -> Path | None:
        """Go through what was restored once: note which files are needed, and write the listing if it is asked for."""
        if not views and not listed:
            return None
        fits = [(wanted, pattern(wanted.view.pattern)) for wanted in views]
        sizes: dict[str, int] = {}

        def noted() -> Iterator[ObjectVersion]:
            for version in self.reach.picked(self.point):
                below = version.key[len(self.reach.source.prefix) :]
                for wanted, fit in fits:
                    if fit(below):
                        wanted.keys.append(version.key)
                        sizes[version.key] = version.size
                if len(sizes) > self.reach.world.files:
                    message = f"the questions need more than {self.reach.world.files:,} files"
                    raise SourceError(message, "make the patterns of `files` narrower", kind="limit")
                yield version

        if not listed:
            for _ in noted():
                pass
            path = None
        else:
            path = self.workplace / "objects.jsonl"
            self._write(path, noted(), listed)
        self._room(sum(sizes.values()))
        return path

    def _room(self, needed: int) -> None:
        room, free = self.reach.world.room, self.reach.world.free(self.workplace)
        if needed > room:
            message = f"the questions need {amount(needed)} of files, and {amount(room)} may be brought here"
            raise SourceError(message, "make the patterns of `files` narrower", kind="limit")
        if needed > free * 0.9:
            message = f"the questions need {amount(needed)} of files, and {amount(free)} are free here"
            raise SourceError(message, kind="scratch-full")

    # --- the listing -------------------------------------------------------------------------------------------------

    def _write(self, path: Path, versions: Iterable[ObjectVersion], listed: Sequence[Assertion]) -> None:
        look = any(LOOKED_AT.search(a.sql) for a in listed)
        with path.open("w", encoding="utf-8") as file:
            for batch in batches(versions, BATCH):
                self._in_time()
                seen = self._looked(batch, listed) if look else {}
                for version in batch:
                    file.write(json.dumps(_line(version, seen.get(version.key)), ensure_ascii=True) + "\n")

    def _looked(self, batch: Sequence[ObjectVersion], listed: Sequence[Assertion]) -> dict[str, Seen]:
        keys = {self.reach.original(v): v.key for v in batch}
        seen: dict[str, Seen] = {}
        for found in self.reach.reader().head((Head(place) for place in keys), self.reach.source.at_once):
            if found.error is None:
                seen[keys[found.place]] = found
        if len(seen) < len(batch):  # a table that lacks something must not be asked
            for assertion in listed:
                message = f"{len(batch) - len(seen):,} objects could not be looked at, so `objects` is not complete"
                self._fail(assertion.name, "unknown-answer", message)
        return seen

    def _in_time(self) -> None:
        if self.reach.world.monotonic() > self.until:
            raise SourceError("the time for the questions ran out", kind="deadline")

    # --- the files ---------------------------------------------------------------------------------------------------

    def _bring(self, keys: Iterable[str], views: Sequence[_Wanted]) -> None:
        """Write restored objects to numbered files; what fails, fails the questions that need it."""
        open_: dict[str, tuple[str, BinaryIO]] = {}

        def jobs() -> Iterator[Read]:
            for number, key in enumerate(sorted(keys), 1):
                self._in_time()
                path = self.workplace / local_name(number, key)
                place = self.reach.restored(key)
                file = path.open("xb")
                open_[place.key] = key, file
                self.paths[key] = path
                yield Read(place, sink=_sink(file))

        try:
            for seen in self.reach.objects("scratch").read(jobs(), self.reach.source.at_once):
                key, file = open_.pop(seen.place.key)
                file.close()
                if seen.error is not None:
                    kind = kind_of(seen.error, self.reach.source.account)
                    for wanted in views:
                        if key in wanted.keys:
                            self._fail(wanted.assertion, kind, f"{key!r} could not be read: {seen.error.message}")
        finally:
            for _, file in open_.values():
                file.close()

    def _asked(
        self, assertions: Sequence[Assertion], views: Sequence[_Wanted], listing: Path | None
    ) -> dict[str, Answer]:
        if not assertions:
            return {}
        self._in_time()
        files: dict[str, dict[str, tuple[Path, ...]]] = {a.name: {} for a in assertions}
        for wanted in views:
            if wanted.assertion in files:
                files[wanted.assertion][wanted.view.name] = tuple(self.paths[key] for key in wanted.keys)
        world = self.reach.world
        within = timedelta(seconds=max(self.until - world.monotonic(), 1.0))
        salt = world.passwords.salt(self.reach.run_id)
        names = {path: key for key, path in self.paths.items()}
        ask = world.asker.ask
        return {a.name: a for a in ask(assertions, files, listing, salt, within, names=names, tell=self.tell)}


def _sink(file: BinaryIO) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        try:
            file.write(data)
        except OSError as e:
            raise SourceError(_unwritten(e), kind="scratch-full") from e

    return write


def _line(version: ObjectVersion, seen: Seen | None) -> dict[str, str | int | None]:
    """Return one row of the table `objects`: as the backup's listing shows it, and a look where one was made."""
    algorithm = next(iter(sorted(seen.checksums.values)), None) if seen else None
    return {
        "key": version.key,
        "version": version.version,
        "size": version.size,
        "last_modified": version.modified.isoformat(),
        "storage_class": version.storage_class,
        "encryption": (seen.encryption or None) if seen else None,
        "etag": version.etag,
        "checksum_algorithm": algorithm,
        "checksum": seen.checksums.values[algorithm] if seen and algorithm else None,
    }
