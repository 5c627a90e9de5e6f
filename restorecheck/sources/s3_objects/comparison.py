"""Is what was restored what the backup holds, and can it be read? Evidence of objects → findings, in plain words. Pure.

Two objects are equal only by what leaves no doubt: the MD5 that an ETag is when an object was written in one piece, a
checksum of the whole object that S3 keeps of both, or the SHA-256 of both as they were read. Anything else is asked
further, and what cannot be asked is never fine. No byte of an object comes here, only sizes and digests.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from restorecheck.model import Level, ObjectVersion, Observation, RecoveryPoint
from restorecheck.sources.versions.interface import Seen
from restorecheck.sources.versions.refusals import Named, Refusals, amount, objects

_MD5 = re.compile(r"[0-9a-f]{32}")
_BY_DIGEST = {"SHA256": "sha256", "CRC64NVME": "crc64nvme", "MD5": "md5"}
"""Checksums of S3 that we compute while we read, and the names of our digests."""

PLAIN = frozenset({"", "AES256"})
"""Encryption under which the ETag of an object that was written in one piece is its MD5. [S3 user guide, ETag]"""

CHANGED = "what was current at that time changed during the run, so nothing can be said of it"
LATE = "the time for it ran out"

TWICE = "reading the backup's own bytes too"
"""How an object was found sound of which nobody keeps a checksum."""


# --- two objects ---------------------------------------------------------------------------------------------------


def by_etag(wanted: str, found: str) -> str:
    """Return how two ETags prove that the objects are equal, or nothing if they do not. They never prove more."""
    return "MD5" if wanted == found and _MD5.fullmatch(wanted) else ""


def by_checksum(wanted: Seen, found: Seen) -> tuple[str, bool] | None:
    """Return the algorithm by which S3 knows the whole of both, and whether they are equal; None if there is none."""
    if not wanted.checksums.full or not found.checksums.full:
        return None
    both = sorted(set(wanted.checksums.values) & set(found.checksums.values))
    if not both:
        return None
    equal = all(wanted.checksums.values[name] == found.checksums.values[name] for name in both)
    return both[0], equal


def by_itself(looked: Seen, read: Seen) -> tuple[str, bool] | None:
    """Return what S3 says of the whole of an object and whether what was read agrees; None if it says nothing.

    `looked` is the object of the backup as S3 describes it, `read` has the digests of the bytes.
    """
    if looked.checksums.full:
        for name, ours in _BY_DIGEST.items():
            if name in looked.checksums.values and ours in read.digests:
                return name, looked.checksums.values[name] == _base64(read.digests[ours])
    if looked.encryption in PLAIN and _MD5.fullmatch(looked.etag) and "md5" in read.digests:
        return "MD5", looked.etag == read.digests["md5"]
    return None


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


# --- all of them ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Compared:
    """What came of holding every restored object against the backup."""

    refusals: Refusals
    wanted: int = 0
    bytes: int = 0
    missing: Named = field(default_factory=Named)
    extra: Named = field(default_factory=Named)
    resized: Named = field(default_factory=Named)
    differing: Named = field(default_factory=Named)
    equal: Counter[str] = field(default_factory=Counter)  # by what proved it
    changed: bool = False  # the backup's past was not the one that was found at first
    late: bool = False


@dataclass(slots=True)
class Perused:
    """What came of reading restored objects to their end."""

    refusals: Refusals
    wanted: int = 0
    bytes: int = 0
    damaged: Named = field(default_factory=Named)
    differing: Named = field(default_factory=Named)
    sound: Counter[str] = field(default_factory=Counter)
    late: bool = False


def compared(seen: Compared, point: RecoveryPoint, seconds: float) -> Observation:
    """Return the finding `objects`."""
    equal = seen.equal.total()
    expected = f"{objects(point.picked)} as in the backup, and no other"
    kind, message = _compared(seen, point, equal)
    return Observation(
        "objects-compared", expected, f"{equal:,} equal", kind, message, seconds=seconds, value=str(equal)
    )


def _compared(seen: Compared, point: RecoveryPoint, equal: int) -> tuple[str, str]:
    if seen.changed:
        return "snapshot-state", CHANGED
    if seen.late:
        return "deadline", f"{LATE}: {equal:,} of {objects(point.picked)} were compared"
    wrong = [
        f"{objects(named.count)} {what}: {named}"
        for what, named in (
            ("missing", seen.missing),
            ("that the backup does not hold", seen.extra),
            ("of another size", seen.resized),
            ("of another content", seen.differing),
        )
        if named.count
    ]
    if wrong:
        return "objects-differ", "; ".join(wrong)
    if seen.refusals:
        return seen.refusals.kind, seen.refusals.told("compared")
    if equal == 0 or equal != seen.wanted or (seen.wanted, seen.bytes) != (point.picked, point.picked_bytes):
        return "unknown-answer", f"{equal:,} of {objects(point.picked)} were compared: that is not all"
    return "", ""


def perused(seen: Perused, chosen: int, seconds: float) -> Observation:
    """Return the finding `read`. `chosen` is how many were to be read."""
    sound = seen.sound.total()
    kind, message = _perused(seen, chosen, sound)
    expected = f"{objects(chosen)} read to the end"
    return Observation("objects-read", expected, f"{sound:,} sound", kind, message, seconds=seconds, value=str(sound))


def _perused(seen: Perused, chosen: int, sound: int) -> tuple[str, str]:
    if seen.damaged.count:
        return "object-damaged", f"{objects(seen.damaged.count)} whose bytes are not those that S3 took: {seen.damaged}"
    if seen.differing.count:
        return "objects-differ", f"{objects(seen.differing.count)} restored with other bytes: {seen.differing}"
    if seen.late:
        return "deadline", f"{LATE}: {sound:,} of {objects(chosen)} were read"
    if seen.refusals:
        return seen.refusals.kind, seen.refusals.told("read")
    if sound == 0 or sound != chosen or seen.wanted != chosen:
        return "unknown-answer", f"{sound:,} of {objects(chosen)} were read: that is not all"
    return "", ""


def level(point: RecoveryPoint, seen: Compared, read: Perused, observations: Iterable[Observation]) -> Level:
    """Return how far the proof goes by itself.

    In full if each object was restored, found equal and read; equal to its reference if each also has a checksum that
    S3 took when it was written.
    """
    every = (point.objects, point.objects) == (seen.equal.total(), read.sound.total())
    if not every or not point.objects or any(o.kind for o in observations):
        return Level.RESTORED
    return Level.READ if read.sound[TWICE] else Level.EQUAL


def proven(point: RecoveryPoint, seen: Compared, read: Perused) -> tuple[str, ...]:
    """Return how far the proof goes, in plain words."""
    of, at = f"{objects(point.objects)} ({amount(point.bytes)})", f"{point.created:%Y-%m-%d %H:%M:%S} UTC"
    equal = f"{seen.equal.total():,} ({amount(seen.bytes)})"
    said = [
        f"of {of} that were current at {at}, {equal} were restored and found equal{_how(seen.equal)}",
        f"{read.sound.total():,} of them ({amount(read.bytes)}) were read to their end{_how(read.sound)}",
    ]
    if point.picked < point.objects:
        said.append(f"{objects(point.objects - point.picked)} were not restored: the check asks for a sample")
    if read.sound.total() < seen.equal.total():
        unread = seen.equal.total() - read.sound.total()
        said.append(f"{objects(unread)} were not read by us: that their bytes can be read, S3's word is all there is")
    return (*said, *point.remarks)


def _how(counts: Counter[str]) -> str:
    if not counts:
        return ""
    return ": " + ", ".join(f"{count:,} by {how}" for how, count in counts.most_common())


def same_objects(point: RecoveryPoint, fingerprint: str) -> bool:
    """Say whether a listing showed what was found at first."""
    return bool(fingerprint) and fingerprint == point.fingerprint


def sizes_differ(wanted: ObjectVersion, found: ObjectVersion) -> bool:
    """Say whether an object was restored with another size than the backup lists."""
    return wanted.size != found.size
