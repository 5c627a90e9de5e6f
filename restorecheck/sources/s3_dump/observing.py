"""What is said about a dump unasked, from numbers and names alone: size, owner, how far the proof goes. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, timedelta

from restorecheck.model import Observation, RecoveryPoint
from restorecheck.sources.s3_dump.loads import Described

SMALL = 0.5
"""Below this part of what dumps usually are, the size is worth telling."""

TINY = 0.03
"""At or below this part, it is no dump of the same database."""


HOUR = timedelta(hours=1)
WEST = timedelta(hours=12)
"""How far local time may be behind UTC."""


def size(point: RecoveryPoint) -> Observation:
    """Compare the size of a dump with the median of those before it."""
    observed = f"{point.bytes:,} bytes"
    value = str(point.bytes)
    if not point.bytes:
        return Observation("dump-size", "more than 0 bytes", observed, "dump-damaged", "the dump is empty", value=value)
    if not point.history:
        return Observation("dump-size", "not known: there is no earlier dump", observed, value=value)
    usual = int(statistics.median(point.history))
    few = f"the median of {len(point.history)} before it" if len(point.history) > 1 else "the one before it"
    expected = f"at least {SMALL:.0%} of {usual:,} bytes, {few}"
    message = f"it has {point.bytes:,} bytes, where {few} {'is' if len(point.history) > 1 else 'had'} {usual:,}"
    if point.bytes <= usual * TINY:
        return Observation("dump-size", expected, observed, "dump-damaged", message, value=value)
    if point.bytes < usual * SMALL:
        return Observation("dump-size", expected, observed, message=message, warning=True, value=value)
    return Observation("dump-size", expected, observed, value=value)


def whose(wanted: str, described: Described) -> Observation:
    """Compare the database that a dump names with the one that the check is about."""
    if not described.database:
        return Observation("dump-database", repr(wanted), "the dump does not name its database")
    observed = repr(described.database)
    if described.database == wanted:
        return Observation("dump-database", repr(wanted), observed)
    message = f"this is a dump of the database {described.database!r}, not of {wanted!r}"
    return Observation("dump-database", repr(wanted), observed, "wrong-database", message)


def age(point: RecoveryPoint, described: Described, rpo: timedelta) -> Observation:
    """Compare when a dump was made, by its own word, with when it was uploaded: an old one may be uploaded again.

    A dump names no time zone, so the latest that its word can mean counts: twelve hours west of UTC.
    """
    expected = f"made at most {rpo / HOUR:g} h before it was uploaded"
    if described.created is None:
        return Observation("dump-age", expected, "the dump does not say when it was made")
    observed = f"made at {described.created:%Y-%m-%d %H:%M} by its own clock"
    latest = described.created.replace(tzinfo=UTC) + WEST
    if point.created - latest <= rpo:
        return Observation("dump-age", expected, observed)
    message = f"it was uploaded at {point.created:%Y-%m-%d %H:%M} UTC, and says that it was {observed}"
    return Observation("dump-age", expected, observed, "stale", message)


def proven(
    point: RecoveryPoint,
    described: Described,
    checksum: str,
    loaded: Sequence[str],
    questions: int,
    *,
    whole: bool,
) -> tuple[str, ...]:
    """Return how far the proof of a dump goes, and what it does not show."""
    asked = "1 question was" if questions == 1 else f"{questions} questions were"
    restored = "restored without an error" if whole else "restored as far as it could be: see the findings"
    what = f"{point.objects:,} objects" if point.objects > 1 else "one object"
    said = (
        f"a dump of {point.bytes:,} bytes in {what} ({described.form}) was {restored}, and {asked} asked of it",
        checksum,
        *described.unprovable,
        *loaded,
        "a logical restore builds every index anew: no look at indexes or pages says anything about the backup",
        *point.remarks,
    )
    return tuple(dict.fromkeys(said))
