"""The first check of a bucket's objects, and of the dumps in one: text, with the reasons beside it. Pure.

What keys do not tell is chosen so that it cannot raise a false alarm, and is marked FILL IN.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from restorecheck.discovery.dumps import Nights
from restorecheck.discovery.found import Bucket
from restorecheck.discovery.writing import Making, gap, hours, quoted, spoken

_DAY = timedelta(days=1)
_RPO = timedelta(hours=26)
_LONGEST = timedelta(days=3650)
"""Configuration takes no longer durations than ten years."""


def objects(name: str, one: Bucket, making: Making) -> str:
    """Return the check file of a bucket as a whole."""
    sampled = [] if one.whole else ['mode         = "sample"  # it is large: other objects in every run']
    sampled += [] if one.whole else ["sample       = 1000      # see docs/s3-objects.md for what a sample proves"]
    seen = f"{len(one.keys):,} object{'s' if len(one.keys) > 1 else ''}"
    said = f"{seen} in it." if one.whole else f"more in it than the {seen} that were looked at."
    lines = [
        f"# Made by `restorecheck init` on {making.now:%Y-%m-%d}: a bucket that keeps versions, {said}",
        "",
        "[check]",
        f"name     = {quoted(name)}",
        f'schedule = "{making.night.cron()}"',
        'timezone = "UTC"',
        f'rpo      = "{hours(quiet(one, making.now))}"  # FILL IN: how long it may be that nothing is written',
        'rto      = "2h"   # FILL IN: how long it may take to bring the objects back',
        "",
        "[source]",
        'type         = "s3-objects"',
        f"account      = {quoted(making.ground.source)}",
        f"region       = {quoted(one.region)}",
        f"bucket       = {quoted(one.name)}",
        '# prefix     = "exports/"  # only what is worth it',
        'at           = "1h"      # as the bucket was an hour before: uploads that are under way do not disturb it',
        *sampled,
        'transfer     = "stream"  # through this machine; "copy" is faster, where the bucket lets that role read',
        "most_objects = 200_000   # more than that ends the run before anything is written: a guard for the bill",
        'most_bytes   = "100 GiB"',
        "",
        "[scratch]",
        f"account = {quoted(making.ground.scratch)}",
        "",
        *_EVERY.splitlines(),
        *(_WHOLE.splitlines() if one.whole else ()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def dump(name: str, nights: Nights, one: Bucket, database: str, making: Making) -> str:
    """Return the check file of a database's dumps; an empty `database` has to be filled in."""
    cron = f'schedule = "{making.night.cron()}"'
    lines = [
        f"# Made by `restorecheck init` on {making.now:%Y-%m-%d} from the names of {_counted(len(nights.written))},",
        f"# the newest {spoken(making.now - nights.written[-1])} old.",
        "# It is restored on the machine that runs restorecheck, which needs the programs of that database.",
        "",
        "[check]",
        f"name     = {quoted(name)}",
        cron if database else f"# {cron}  # FILL IN `database` below, then schedule it",
        'timezone = "UTC"',
        f'rpo      = "{hours(_rpo(nights))}"  # {_why_rpo(nights)}',
        'rto      = "2h"   # FILL IN: how long a restore may take',
        "",
        "[source]",
        'type     = "s3-dump"',
        f"account  = {quoted(making.ground.source)}",
        f"region   = {quoted(one.region)}",
        f"bucket   = {quoted(one.name)}",
        f"object   = {quoted(nights.pattern)}  # every dump of this database and no other: look at it",
        *_database(nights, database),
        *_engine(nights, one),
        *([f'form     = "{nights.form}"'] if nights.form != "file" else []),
        *([f'checksum = "{nights.checksum}"'] if nights.checksum else []),
        '# roles  = ["app"]  # FILL IN: roles that the dump speaks of, or its restore ends as unproven: environment',
        "",
        "[scratch]",
        f"account = {quoted(making.ground.scratch)}",
        "",
        *_RESTORED.splitlines(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def quiet(one: Bucket, now: datetime) -> timedelta:
    """Return how long it may be that nothing is written: twice as long as it was, by the keys that were seen."""
    written = [key.written for key in one.keys]
    widest = max(gap(written) or timedelta(), now - max(written))
    return max(_RPO, min(2 * widest, _LONGEST))


def overdue(nights: Nights, now: datetime) -> str:
    """Return a note if the newest dump is older than the check will allow."""
    age = now - nights.written[-1]
    return f"its newest dump is {spoken(age)} old: the check will say so" if age > _rpo(nights) else ""


def _rpo(nights: Nights) -> timedelta:
    widest = gap(nights.written)
    return max(_RPO, widest + timedelta(hours=2)) if widest else _RPO


def _why_rpo(nights: Nights) -> str:
    if len(nights.written) < 2:
        return "FILL IN: one dump was seen, and a dump a day is taken for granted"
    return "the longest time between the last dumps, and two hours to spare" if _rpo(nights) > _RPO else "a dump a day"


def _database(nights: Nights, database: str) -> Iterator[str]:
    if database:
        yield f"database = {quoted(database)}"
        return
    yield "# FILL IN: the database that was dumped. This is a guess from the keys; a wrong one is `wrong-database`."
    yield f"database = {quoted(nights.database or 'postgres')}"


def _engine(nights: Nights, one: Bucket) -> Iterator[str]:
    family = nights.family(one.name)
    if family == "mysql" or nights.script:
        yield f'engine   = "{family}"  # to go by the names: "postgresql", or "mysql" (MariaDB, too)'


def _counted(number: int) -> str:
    return f"{number} dump{'s' if number > 1 else ''}"


_EVERY = """\
[[assert]]
name   = "something-there"
sql    = "select count(*) from objects"
expect = { at_least = 1 }

[[assert]]
name     = "nothing-empty"
sql      = "select key from objects where size = 0 and not key like '%/'"
expect   = { no_rows = true }
severity = "warn"

# FILL IN: questions to what is in the files, by SQL: docs/object-queries.md
"""

_WHOLE = """
# Half of it gone since the run before is no night's work. The first run has nothing to compare with and learns.
[[assert]]
name   = "as-many"
sql    = "select count(*) from objects"
expect = { at_least = 0.5, of = "previous" }

# A little less in every run would pass the one above for ever.
[[assert]]
name     = "as-many-hold"
sql      = "select count(*) from objects"
expect   = { at_least = 0.9, of = "max(90d)" }
severity = "warn"
"""

_RESTORED = """\
# That it restores without an error, whole and up to its own end, is looked at unasked. These read what came back.
[[assert]]
name  = "readable"
probe = "readable"

# Half of a table gone since the run before is no night's work. The first run has nothing to compare with and learns.
[[assert]]
name   = "row-counts"
probe  = "row_counts"
expect = { at_least = 0.5, of = "previous" }

# A little less in every run would pass the one above for ever.
[[assert]]
name     = "row-counts-hold"
probe    = "row_counts"
expect   = { at_least = 0.9, of = "max(90d)" }
severity = "warn"

# FILL IN: the question that is worth most, such as how old the newest row is.
"""
