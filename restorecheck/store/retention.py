"""What may be forgotten: old finished runs with all of theirs, old misses, old events and deliveries that have ended.

Of every check the newest run and the newest that passed are kept, however old: they are what is known of it. So are
of every receiver the newest notice that it took, the newest that it acknowledged, and the newest of every open episode.
What still waits to be sent stays, and counters do.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from restorecheck.model import RunState, Verdict
from restorecheck.store.database import Database
from restorecheck.store.deliveries import DEAD, DELIVERED, SUPERSEDED, TROUBLE
from restorecheck.store.instants import seconds
from restorecheck.store.tables import DELIVERIES, EPISODES, MISSES, OUTBOX, RUNS


def prune(database: Database, before: datetime) -> int:
    """Delete what began before a time, and return how many runs. Nothing that waits or runs is touched."""
    time = seconds(before)
    passed = Verdict.PASSED.value
    old = (RUNS.c.state == RunState.ENDED.value) & (RUNS.c.started < time)
    superseded = _is_followed() & ((RUNS.c.verdict != passed) | _is_followed(passed))
    with database.write() as connection:
        gone = connection.execute(sa.delete(RUNS).where(old, superseded)).rowcount  # and by cascade all of theirs
        connection.execute(sa.delete(MISSES).where(MISSES.c.scheduled_for < time))
        connection.execute(sa.delete(OUTBOX).where(OUTBOX.c.delivered.is_not(None), OUTBOX.c.created < time))
        connection.execute(sa.delete(DELIVERIES).where(_has_no_use(), DELIVERIES.c.ended < time))
    return gone


def _has_no_use() -> sa.ColumnElement[bool]:
    """Return whether a delivery has ended, and says nothing that is not said by a newer one."""
    mine, newer = DELIVERIES.c, DELIVERIES.alias().c
    arrived = (newer.receiver == mine.receiver) & (newer.state == DELIVERED)
    later = (newer.key == mine.key) & (newer.id > mine.id) & newer.turn.in_(TROUBLE)
    stands = (
        mine.turn.in_(TROUBLE)
        & mine.key.in_(sa.select(EPISODES.c.key))
        & ~sa.select(newer.id).where(arrived, later).exists()
    )
    last = sa.select(newer.receiver, sa.func.max(newer.ended)).where(newer.state == DELIVERED).group_by(newer.receiver)
    when = sa.tuple_(mine.receiver, mine.ended)
    proves = when.in_(last) | (mine.acknowledged & when.in_(last.where(newer.acknowledged)))
    return mine.state.in_((DEAD, SUPERSEDED)) | ((mine.state == DELIVERED) & ~stands & ~proves)


def _is_followed(verdict: str | None = None) -> sa.ColumnElement[bool]:
    """Return whether a later run of the same check has ended, or has ended in this verdict."""
    later = RUNS.alias()
    query = sa.select(later.c.run_id).where(
        later.c.check_name == RUNS.c.check_name,
        later.c.state == RunState.ENDED.value,
        sa.or_(
            later.c.started > RUNS.c.started,
            (later.c.started == RUNS.c.started) & (later.c.run_id > RUNS.c.run_id),
        ),
    )
    return (query if verdict is None else query.where(later.c.verdict == verdict)).exists()
