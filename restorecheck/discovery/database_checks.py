"""The first check of an instance or a cluster: text, as an operator would write it, with the reasons beside it. Pure.

What the API does not tell is chosen so that it cannot raise a false alarm, and is marked FILL IN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from restorecheck.discovery import judging
from restorecheck.discovery.found import Database, Sealed
from restorecheck.discovery.judging import Ground
from restorecheck.discovery.writing import Making, gap, hours, length, quoted, spoken
from restorecheck.model import SnapshotKind

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_UNKNOWN = timedelta(days=8)  # between manual snapshots, if there is only one
_PER_HOUR = 50  # GiB that are certainly read in an hour while they still come from the snapshot
_MOST = 8  # hours for all questions; more is no default for anybody

_SEALED: dict[Sealed, str] = {
    "no": "not encrypted",
    "own": "under a customer managed key",
    "default": "under aws/rds: copies are shared under share_key",
    "aws": "under a key that AWS owns: it does not say whether such a snapshot can be shared; share_key is safe",
    "unknown": "under a key that could not be looked at",
}


def known(one: Database, said: str) -> str:
    """Return the database that is asked, if it is known: what was said, or what was made with the instance."""
    return said or one.initial


def notes(one: Database, database: str, now: datetime) -> tuple[str, ...]:
    """Return what the operator must know of this check before the first night."""
    made = []
    if not judging.askable(one):
        made.append(f"PostgreSQL {one.version} cannot be asked: that it restores is all")
    elif not database:
        made.append("fill in `database`; until then it has no schedule")
    if one.snapshots is None:
        made.append("its backups could not be listed")
    elif one.snapshots and (age := now - one.snapshots[-1].created) > rpo(one):
        made.append(f"its newest backup is {spoken(age)} old: the check will say so")
    return tuple(made)


def rpo(one: Database) -> timedelta:
    """Return how old the newest backup may be, as far as one can tell."""
    if one.days:
        return timedelta(hours=math.ceil((_DAY + length(one.window) + _HOUR) / _HOUR))
    widest = gap(snapshot.created for snapshot in one.snapshots or ())
    return max(_DAY + 2 * _HOUR, (widest or _UNKNOWN - _DAY) + _DAY)


def text(name: str, one: Database, database: str, making: Making) -> str:
    """Return the check file."""
    asks, ground = judging.askable(one), making.ground
    lines = [*_head(one, making.now), "[check]", f"name      = {quoted(name)}"]
    cron = f'schedule  = "{making.night.cron(one.window)}"'
    lines += [cron if database or not asks else f"# {cron}  # FILL IN `database` below, then schedule it"]
    lines += ['timezone  = "UTC"', f'rpo       = "{hours(rpo(one))}"  # {_why_rpo(one)}']
    lines += [
        f'rto       = "{_rto(one)}h"  # FILL IN: how long a restore may take; `restorecheck history` says what it takes'
    ]
    lines += [*_retention(one), *([] if asks else ["restores  = true  # PostgreSQL 14 and later can be asked"]), ""]
    lines += ["[source]", f"type     = {quoted(one.kind)}", f"account  = {quoted(ground.source)}"]
    lines += [f"region   = {quoted(one.region)}"]
    lines += [f"{'instance' if one.kind == 'rds' else 'cluster '} = {quoted(one.name)}", *_database(one, database)]
    if judging.family(one) == "mysql":
        lines += [f'engine   = "mysql"  # {one.engine}']
    if any(snapshot.kind is SnapshotKind.AWSBACKUP for snapshot in one.snapshots or ()):
        lines += ['snapshots = ["automated", "manual", "awsbackup"]']
    lines += ["", "[scratch]", f"account = {quoted(ground.scratch)}", *_class(one, ground), *_limits(one, asks)]
    if asks:
        lines += _asserts(one)
    return "\n".join(lines).rstrip() + "\n"


def _head(one: Database, now: datetime) -> Iterator[str]:
    size = f", {one.size_gib:,} GiB" if one.size_gib else ""
    yield f"# Made by `restorecheck init` on {now:%Y-%m-%d} from what AWS tells: {one.engine} {one.version}{size}."
    if one.days:
        when = f" between {one.window.replace('-', ' and ')} UTC" if one.window else ""
        yield f"# A backup a day{when}, kept for {one.days} d."
    else:
        yield "# NO AUTOMATED BACKUPS: snapshots are made by hand or by a schedule of somebody's own."
    if one.snapshots:
        newest = one.snapshots[-1]
        counted = f"{len(one.snapshots)} backup{'s' if len(one.snapshots) > 1 else ''}"
        yield f"# {counted}, the newest {spoken(now - newest.created)} old, {_SEALED[newest.sealed]}."
    else:
        yield f"# Its backups could not be listed; the database itself is {_SEALED[one.sealed]}."
    yield ""


def _why_rpo(one: Database) -> str:
    if one.days:
        return "a day between two backups, the backup window, and an hour to spare"
    seen = one.snapshots or ()
    return (
        f"FILL IN: the {'longest time between the last snapshots' if len(seen) > 1 else 'guess of a week'}, and a day"
    )


def _rto(one: Database) -> int:
    return 1 if 0 < one.size_gib <= 100 else 2 if one.size_gib <= 1000 else 4


def _retention(one: Database) -> Iterator[str]:
    """Say how long backups are kept, unless configuration would refuse it as too short for a nightly check."""
    kept = timedelta(days=one.days)
    if kept * 7 / 10 > _DAY + rpo(one) + timedelta(hours=_rto(one)):
        yield f'retention = "{one.days}d"  # an alert fires before the last backup goes that was proved'
    elif one.days:
        yield f"# retention: {one.days} d is too short for an alert before the last proved backup goes"


def _database(one: Database, database: str) -> Iterator[str]:
    if database:
        yield f"database = {quoted(database)}  # others on the same server are listed in each proof, under `databases`"
        return
    yield "# FILL IN: RDS does not tell which databases there are. Run this check once by hand: it ends as unproven,"
    yield "# and says which databases hold tables." if judging.askable(one) else "# and the proof lists them."
    yield 'database = "postgres"'


def _class(one: Database, ground: Ground) -> Iterator[str]:
    if one.size_gib > 100:
        said = ground.classes.get(one.region, "the account's class")
        yield f'# instance_class = "db.r6g.large"  # {said} is small for {one.size_gib:,} GiB; it only takes longer'


def _limits(one: Database, asks: bool) -> Iterator[str]:
    examine = min(_MOST, 1 + math.ceil(one.size_gib / _PER_HOUR))
    if asks and one.size_gib > _PER_HOUR:
        yield ""
        yield "[scratch.limits]"
        yield f'examine = "{examine}h"  # every row is read, and comes from the snapshot as it is read'
    yield ""


def _asserts(one: Database) -> Iterator[str]:
    yield from _QUESTION.splitlines()
    yield from (_POSTGRESQL if judging.family(one) == "postgresql" else _MYSQL).splitlines()
    yield from _COUNTS.splitlines()


_QUESTION = """\
# FILL IN, and take the # away: the question that is worth most, because it knows what the data means.
# [[assert]]
# name   = "fresh"
# sql    = "select max(created_at) from orders"
# expect = { at_most = "15m", before = "backup" }   # the last order was at most so much older than the backup
"""

_POSTGRESQL = """
# Every value of every row of every table can be read: damaged pages and lost long values fail here.
[[assert]]
name  = "readable"
probe = "readable"

# Every table against each of its indexes: finds pages that were lost, which reading alone does not.
[[assert]]
name  = "counts-agree"
probe = "counts_agree"

# The structure of tables and B-trees. It needs the extension amcheck; that it cannot be had only warns, damage fails.
[[assert]]
name     = "amcheck"
probe    = "amcheck"
severity = "warn"
"""

_MYSQL = """
# Every value of every row of every table can be read.
[[assert]]
name  = "readable"
probe = "readable"

# The server checks its tables.
[[assert]]
name  = "check-table"
probe = "check_table"
"""

_COUNTS = """
# Half of a table gone since the run before is no night's work. The first run has nothing to compare with and learns.
[[assert]]
name   = "row-counts"
probe  = "row_counts"
# exclude = ["*.sessions"]   # FILL IN: tables that are emptied on purpose
expect = { at_least = 0.5, of = "previous" }

# A little less in every run would pass the one above for ever.
[[assert]]
name     = "row-counts-hold"
probe    = "row_counts"
expect   = { at_least = 0.9, of = "max(90d)" }
severity = "warn"

# What was changed by a release: `restorecheck accept CHECK schema --reason "release 4.2"` ends the warning.
[[assert]]
name     = "schema"
probe    = "schema"
expect   = { same_as = "previous" }
severity = "warn"
"""
