"""Runs that are not over: which are due, which run, who runs them; and what was missed.

All replicas share it: a run is begun by exactly one, and of a check never two at once. Which of the waiting runs may
begin is decided by who asks. A run that has ended is never made due or running again by anything here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from restorecheck.model import Entry, Miss, RunState, Trigger
from restorecheck.store.counters import add
from restorecheck.store.database import Database, Lock
from restorecheck.store.instants import moment, seconds
from restorecheck.store.outbox import Draft, keep
from restorecheck.store.tables import CONSIDERED, MISSES, RUNS

_ENTRY = sa.select(
    RUNS.c.run_id,
    RUNS.c.check_name,
    RUNS.c.account,
    # a run that was recorded without having been in the ledger
    sa.func.coalesce(RUNS.c.scheduled_for, RUNS.c.started).label("scheduled_for"),
    sa.func.coalesce(RUNS.c.not_before, RUNS.c.started).label("not_before"),
    RUNS.c.trigger,
    RUNS.c.state,
    RUNS.c.owner,
    RUNS.c.cancelled,
)
_DUE = RUNS.c.state == RunState.DUE.value
_RUNNING = RUNS.c.state == RunState.RUNNING.value

Decide = Callable[[list[Entry], list[Entry]], Sequence[str]]


class Ledger:
    """The runs of one store that have no verdict yet, and the missed ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- what the schedule says

    def considered(self) -> dict[str, datetime]:
        """Return until when the schedule of each check was looked at."""
        with self._database.read() as connection:
            return {r.check_name: moment(r.until) for r in connection.execute(sa.select(CONSIDERED))}

    def schedule(self, check: str, until: datetime, due: Sequence[Entry], missed: Sequence[Miss]) -> list[str]:
        """Note what became due and what was missed, all or nothing, and return the run ids that are new.

        Replicas that look at the same times at once change nothing: a time has one outcome, the first that was noted.
        Every miss that is new is counted, and told through the outbox, as "run-missed". Raises StoreError.
        """
        with self._database.exclusive(Lock.LEDGER) as connection:
            passed = self._database.insert(CONSIDERED).values(check_name=check, until=seconds(until))
            connection.execute(
                passed.on_conflict_do_update(index_elements=["check_name"], set_={"until": seconds(until)})
            )
            new = [e.run_id for e in due if not _is_missed(connection, e) and self._insert(connection, e)]
            for miss in missed:
                if not _has_run(connection, miss):
                    self._miss(connection, miss)
        return new

    def missed(self, checks: Sequence[str] = (), since: datetime | None = None) -> list[Miss]:
        """Return missed times, newest first; of some checks only, at or after a time only."""
        query = sa.select(MISSES).order_by(MISSES.c.scheduled_for.desc(), MISSES.c.check_name)
        if checks:
            query = query.where(MISSES.c.check_name.in_(checks))
        if since is not None:
            query = query.where(MISSES.c.scheduled_for >= seconds(since))
        with self._database.read() as connection:
            return [
                Miss(r.check_name, moment(r.scheduled_for), r.reason, r.caught_up_by) for r in connection.execute(query)
            ]

    # --- what waits and what runs

    def add(self, entry: Entry) -> bool:
        """Add a run, always as due: `admit` is the only way to begin. False: a run with this id is or was there."""
        with self._database.write() as connection:
            return self._insert(connection, entry)

    def entry(self, run_id: str) -> Entry | None:
        """Return one run, also one that has ended; None: unknown. `account` is empty if it never was in the ledger."""
        with self._database.read() as connection:
            return _find(connection, run_id)

    def waiting(self) -> list[Entry]:
        """Return the runs that are due, the longest waiting first; also those whose `not_before` lies ahead."""
        with self._database.read() as connection:
            return _entries(connection, _DUE)

    def running(self) -> list[Entry]:
        """Return the runs that somebody began and nobody ended, whoever owns them."""
        with self._database.read() as connection:
            return _entries(connection, _RUNNING)

    def begun(self) -> dict[str, datetime]:
        """Return when each running run was admitted, by the clock of who admitted it."""
        query = sa.select(RUNS.c.run_id, RUNS.c.begun).where(_RUNNING, RUNS.c.begun.is_not(None))
        with self._database.read() as connection:
            return {r.run_id: moment(r.begun) for r in connection.execute(query)}

    def admit(self, me: str, decide: Decide, now: datetime) -> list[Entry]:
        """Begin the runs that `decide(waiting, running)` names, as mine, and return them.

        No other replica decides meanwhile, so `decide` must be quick and must not use the store. It is shown the runs
        whose `not_before` has come, and cancelled ones, which need not wait for it. What it names beside those is
        ignored, as is a second run of a check that runs. Every begin is told through the outbox, as "run-began".
        """
        begun = []
        with self._database.exclusive(Lock.LEDGER) as connection:
            waiting = [e for e in _entries(connection, _DUE) if e.cancelled or e.not_before <= now]
            running = _entries(connection, _RUNNING)
            known, busy = {e.run_id: e for e in waiting}, {e.check for e in running}
            for run_id in decide(waiting, running):
                entry = known.pop(run_id, None)
                if entry is None or entry.check in busy:
                    continue
                mine = {"state": RunState.RUNNING.value, "owner": me, "begun": seconds(now)}
                if _update(connection, (RUNS.c.run_id == run_id) & _DUE, mine):
                    payload = {"run": run_id, "check": entry.check, "trigger": entry.trigger.value}
                    keep(self._database, connection, Draft("run-began", f"run-began:{run_id}", payload))
                    busy.add(entry.check)
                    begun.append(replace(entry, state=RunState.RUNNING, owner=me))
        return begun

    def withdraw(self, run_id: str) -> bool:
        """Delete a run that nobody began. False: it is unknown, running or over."""
        with self._database.write() as connection:
            return connection.execute(sa.delete(RUNS).where(RUNS.c.run_id == run_id, _DUE)).rowcount == 1

    def cancel(self, run_id: str) -> Entry | None:
        """Ask for the end of a run and return it; None: unknown. One that is over stays as it is."""
        with self._database.write() as connection:
            _update(connection, (RUNS.c.run_id == run_id) & (_DUE | _RUNNING), {"cancelled": True})
            return _find(connection, run_id)

    # --- who runs it

    def claim(self, run_id: str, me: str, was: str | None) -> bool:
        """Take over a running run from its owner `was` (None: nobody). False: it is not, or no longer, theirs."""
        owned = RUNS.c.owner.is_(None) if was is None else RUNS.c.owner == was
        with self._database.write() as connection:
            return _update(connection, (RUNS.c.run_id == run_id) & _RUNNING & owned, {"owner": me}) == 1

    def release(self, me: str) -> None:
        """Give up my running runs: they go on running, and belong to nobody until somebody claims them."""
        with self._database.write() as connection:
            _update(connection, (RUNS.c.owner == me) & _RUNNING, {"owner": None})

    def owned(self, me: str) -> list[Entry]:
        """Return my running runs."""
        with self._database.read() as connection:
            return _entries(connection, (RUNS.c.owner == me) & _RUNNING)

    def cancelled(self, me: str) -> set[str]:
        """Return the ids of my running runs whose end somebody asked for."""
        query = sa.select(RUNS.c.run_id).where(RUNS.c.owner == me, _RUNNING, RUNS.c.cancelled)
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    # --- inside a transaction

    def _insert(self, connection: sa.Connection, entry: Entry) -> bool:
        insert = self._database.insert(RUNS).values(
            run_id=entry.run_id,
            check_name=entry.check,
            state=RunState.DUE.value,
            account=entry.account,
            scheduled_for=seconds(entry.scheduled_for),
            not_before=seconds(entry.not_before),
            trigger=entry.trigger.value,
            owner=entry.owner,  # who alone means to begin it, as long as that process lives
            cancelled=entry.cancelled,
        )
        return self._database.adds(connection, insert, "run_id")

    def _miss(self, connection: sa.Connection, miss: Miss) -> None:
        insert = self._database.insert(MISSES).values(
            check_name=miss.check,
            scheduled_for=seconds(miss.scheduled_for),
            reason=miss.reason,
            caught_up_by=miss.caught_up_by,
        )
        if not self._database.adds(connection, insert, "check_name", "scheduled_for"):
            return
        at = miss.scheduled_for.astimezone(UTC).isoformat()
        payload = {
            "check": miss.check,
            "scheduled_for": at,
            "reason": miss.reason,
            "caught_up_by": miss.caught_up_by,
        }
        keep(self._database, connection, Draft("run-missed", f"run-missed:{miss.check}:{at}", payload))
        add(self._database, connection, "runs_missed", 1, miss.check)


def _update(connection: sa.Connection, which: sa.ColumnElement[bool], changes: dict[str, Any]) -> int:
    return connection.execute(sa.update(RUNS).where(which).values(changes)).rowcount


def _entries(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Entry]:
    query = _ENTRY.where(which).order_by(RUNS.c.not_before, RUNS.c.run_id)
    return [_entry(row) for row in connection.execute(query)]


def _find(connection: sa.Connection, run_id: str) -> Entry | None:
    row = connection.execute(_ENTRY.where(RUNS.c.run_id == run_id)).one_or_none()
    return _entry(row) if row is not None else None


def _is_missed(connection: sa.Connection, entry: Entry) -> bool:
    """Tell whether the time of a run was noted as missed, and not as one that this run makes up for."""
    query = sa.select(MISSES.c.caught_up_by).where(
        MISSES.c.check_name == entry.check, MISSES.c.scheduled_for == seconds(entry.scheduled_for)
    )
    found = connection.execute(query).one_or_none()
    return found is not None and found.caught_up_by != entry.run_id


def _has_run(connection: sa.Connection, miss: Miss) -> bool:
    """Tell whether a run was noted for a time, and not as one that makes up for it."""
    query = sa.select(RUNS.c.run_id).where(
        RUNS.c.check_name == miss.check,
        RUNS.c.scheduled_for == seconds(miss.scheduled_for),
        RUNS.c.trigger != Trigger.HAND.value,
    )
    return any(run_id != miss.caught_up_by for run_id in connection.execute(query).scalars())


def _entry(row: sa.Row[*tuple[Any, ...]]) -> Entry:
    return Entry(
        run_id=row.run_id,
        check=row.check_name,
        account=row.account or "",
        scheduled_for=moment(row.scheduled_for),
        not_before=moment(row.not_before),
        trigger=Trigger(row.trigger or Trigger.HAND),
        state=RunState(row.state),
        owner=row.owner,
        cancelled=row.cancelled,
    )
