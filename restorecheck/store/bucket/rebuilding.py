"""A working copy made anew from the records, when it was lost or damaged.

What was told already is not told again: only a trouble that still stands, the newest run of a check that did not pass.
A record that was changed after it was indexed counts for nothing, and one that is gone hides behind no older one. What
no record holds is gone; docs/state-in-s3.md lists it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import sqlalchemy as sa

from restorecheck.model import Report, Verdict
from restorecheck.schedule import check_of
from restorecheck.store.bucket import records
from restorecheck.store.bucket.indexes import lines
from restorecheck.store.bucket.keeper import Keeper, Kept
from restorecheck.store.bucket.records import Line, NoRecordError
from restorecheck.store.instants import seconds
from restorecheck.store.store import Store
from restorecheck.store.tables import OUTBOX

_AT_A_TIME = 500
_AT_ONCE = 16


def rebuild(keeper: Keeper, store: Store, now: datetime) -> tuple[int, list[str]]:
    """Put every record into an empty store. Return how many, and the runs whose records cannot be used."""
    keys = [key for key in keeper.list(records.RECORDS) if records.run_of(key)]
    indexed = (key.removeprefix(records.INDEXES).removesuffix(".json") for key in keeper.list(records.INDEXES))
    known = lines(keeper, sorted({key.split("/")[1] for key in keys}.union(indexed)))
    there, newest = set(keys), dict[str, Report]()
    unusable = []
    for key, kept in _read(keeper, keys):
        run_id = records.run_of(key) or ""
        report, why = usable(run_id, kept, known.get(run_id), now)
        store.proofs.save(report)
        if why:
            unusable.append(run_id)
        _newer(newest, report)
    for line in _newest(known.values()):
        if records.record_key(line.run) not in there:  # what was true before it is not what is true
            report = records.instead(line.run, f"it is gone; its index says {line.verdict.value}", now, line.started)
            store.proofs.save(report)
            unusable.append(line.run)
            _newer(newest, report)
    _told(store, (r for r in newest.values() if r.verdict is not Verdict.PASSED), now)
    return len(keys), unusable


def have(keeper: Keeper) -> bool:
    """Say whether there is anything to make a working copy from."""
    return any(next(keeper.list(place), None) is not None for place in (records.RECORDS, records.INDEXES))


def usable(
    run_id: str, kept: Kept, known: Line | None, now: datetime, begun: datetime | None = None
) -> tuple[Report, str]:
    """Return the report in a record; or that the run is unproven, and why the record cannot be used.

    `begun` is when it began, as far as somebody else knows: else its name says it, and a run that waited for long, and
    began after another one of its check, would not be the newest.
    """
    try:
        report = records.read(kept.body, run_id)
    except NoRecordError as e:
        why = str(e)
    else:
        if known is None or known.sha256 == records.line(report, kept.body, kept.version).sha256:
            return report, ""
        why = f"it is not what was indexed, which was version {known.version or 'unknown'} of the object"
    return records.instead(run_id, why, now, known.started if known else begun), why


def _newer(newest: dict[str, Report], report: Report) -> None:
    if report.check not in newest or newest[report.check].started <= report.started:
        newest[report.check] = report


def _newest(known: Iterable[Line]) -> Iterable[Line]:
    found: dict[str, Line] = {}
    for line in sorted(known, key=lambda line: (line.started, line.run)):
        found[check_of(line.run) or ""] = line
    return found.values()


def _read(keeper: Keeper, keys: list[str]) -> Iterator[tuple[str, Kept]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for begin in range(0, len(keys), _AT_A_TIME):  # not all of them in memory at once
            some = keys[begin : begin + _AT_A_TIME]
            for key, kept in zip(some, pool.map(keeper.get, some), strict=True):
                if kept is not None:
                    yield key, kept


def _told(store: Store, but: Iterable[Report], now: datetime) -> None:
    """Note that nobody needs to be told of what was just saved, but of some runs."""
    pending = [f"run-ended:{report.run_id}" for report in but]
    others = OUTBOX.c.delivered.is_(None) & OUTBOX.c.key.not_in(pending)
    with store._database.write() as connection:  # noqa: SLF001 - of this room
        connection.execute(sa.update(OUTBOX).where(others).values(delivered=seconds(now)))
