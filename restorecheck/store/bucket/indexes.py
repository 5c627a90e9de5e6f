"""The indexes of checks: brought up to date with records that are there. One that was lost or damaged is made anew.

An index is for whoever reads the bucket, and for the sum of a record as it was first seen; no run is decided by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from restorecheck.errors import StoreError
from restorecheck.store.bucket import records
from restorecheck.store.bucket.keeper import ConflictError, Keeper, Kept
from restorecheck.store.bucket.records import Line, NoRecordError

_TRIES = 5


def index(keeper: Keeper, check: str, more: Sequence[Line]) -> None:
    """Put runs into the index of their check; one that is in it stays as it is. Raises StoreError."""
    key = records.index_key(check)
    for _ in range(_TRIES):
        kept = keeper.get(key)
        known = _known(keeper, kept, check)
        body = records.index(check, records.merged(known, more))
        if kept is not None and kept.body == body:
            return
        try:
            keeper.put(key, body, if_match=kept.etag if kept else None, if_absent=kept is None)
        except ConflictError:  # somebody else put another run into it
            continue
        return
    raise StoreError(f"{keeper.shown}/{key} was written by others each time that it was to be written")


def lines(keeper: Keeper, checks: Iterable[str]) -> Mapping[str, Line]:
    """Return what the indexes of these checks say, by run id; nothing of one that cannot be read."""
    found: dict[str, Line] = {}
    for check in checks:
        kept = keeper.get(records.index_key(check))
        if kept is not None:
            try:
                found |= {one.run: one for one in records.lines_of(kept.body, check)}
            except NoRecordError:  # it is made anew when the next run is put into it
                continue
    return found


def _known(keeper: Keeper, kept: Kept | None, check: str) -> Iterable[Line]:
    if kept is not None:
        try:
            return records.lines_of(kept.body, check)
        except NoRecordError:
            pass
    newest = deque(keeper.list(f"{records.RECORDS}{check}/"), records.MOST)  # a run id ends with its time
    return [made for key in newest if (made := _line(keeper, key)) is not None]


def _line(keeper: Keeper, key: str) -> Line | None:
    run_id = records.run_of(key)
    kept = keeper.get(key) if run_id else None
    if run_id is None or kept is None:
        return None
    try:
        return records.line(records.read(kept.body, run_id), kept.body, kept.version)
    except NoRecordError:
        return None
