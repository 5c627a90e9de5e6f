"""Records of runs that the working copy does not wait for: it was made anew, or lost an upload, while they ran.

Each check is looked at once a day, some at a time, so that a look costs little. What was pruned stays pruned, and what
is no news is told to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from restorecheck.model import Report, RunState
from restorecheck.schedule import time_of
from restorecheck.store.bucket import records
from restorecheck.store.bucket.keeper import Keeper
from restorecheck.store.bucket.records import NoRecordError
from restorecheck.store.instants import seconds
from restorecheck.store.store import PRUNED, Store
from restorecheck.store.tables import OUTBOX

REBUILT = "bucket-rebuilt"
"""The note of when the working copy was made anew, and from what."""

AT_A_TIME = 50
"""Checks that are looked at in one go: one listing each."""

_LISTED = "bucket-listed"
_EVERY, _SOON = timedelta(days=1), timedelta(hours=1)
_AFTERMATH = timedelta(days=2)
"""For so long after a copy was made anew, runs may end of which it knows nothing."""

_BACK = timedelta(days=30)
"""How far back is looked: no run takes longer."""

_LATE = timedelta(days=2)
"""By so much a run may begin after the time that its name says."""


def strays(keeper: Keeper, store: Store, now: datetime) -> Iterator[str]:
    """Yield runs that have a record and no verdict in the store, and note which checks were looked at."""
    noted: Any = store.notes.get(_LISTED) or {}
    checks = {*store.ledger.considered(), *store.proofs.newest()}
    listed = {check: datetime.fromisoformat(noted[check]) for check in checks if check in noted}
    every = _every(store, now)
    # a time to come was noted before the clock was set back, and says nothing
    due = [check for check in checks if check not in listed or not now - every < listed[check] <= now]
    due.sort(key=lambda check: (listed[check].timestamp() if check in listed else 0.0, check))
    pruned = _pruned(store)
    for check in due[:AT_A_TIME]:
        yield from _of(keeper, store, check, now, pruned)
        listed[check] = now
    if due:
        store.notes.set(_LISTED, {check: at.isoformat() for check, at in sorted(listed.items())})


def hush(store: Store, runs: Iterable[Report], now: datetime) -> None:
    """Note that nobody is to be told of runs that are not news: a later one of the same check has ended."""
    newest = store.proofs.newest()
    keys = [f"run-ended:{run.run_id}" for run in runs if run.check in newest and run.started < newest[run.check][0]]
    if keys:
        pending = OUTBOX.c.key.in_(keys) & OUTBOX.c.delivered.is_(None)
        with store._database.write() as connection:  # noqa: SLF001 - of this room
            connection.execute(sa.update(OUTBOX).where(pending).values(delivered=seconds(now)))


def _of(keeper: Keeper, store: Store, check: str, now: datetime, pruned: datetime | None) -> Iterator[str]:
    begin = now - _BACK if pruned is None else max(now - _BACK, pruned - _LATE)
    for key in keeper.list(f"{records.RECORDS}{check}/", f"{records.RECORDS}{check}/{check}-{begin:%Y%m%d}"):
        run_id = records.run_of(key)
        if run_id is None:
            continue
        entry = store.ledger.entry(run_id)
        if (entry is None or entry.state is not RunState.ENDED) and not _was_pruned(keeper, key, run_id, pruned):
            yield run_id


def _was_pruned(keeper: Keeper, key: str, run_id: str, pruned: datetime | None) -> bool:
    at = time_of(run_id)
    if pruned is None or at is None or at >= pruned:
        return False
    kept = keeper.get(key)
    try:
        return kept is not None and records.read(kept.body, run_id).started < pruned
    except NoRecordError:  # then its name is all that tells how old it is
        return True


def _every(store: Store, now: datetime) -> timedelta:
    rebuilt: Any = store.notes.get(REBUILT)
    if rebuilt is None:
        return _EVERY
    return _SOON if abs(now - datetime.fromisoformat(rebuilt["at"])) < _AFTERMATH else _EVERY


def _pruned(store: Store) -> datetime | None:
    noted: Any = store.notes.get(PRUNED)
    return datetime.fromisoformat(noted) if noted else None
