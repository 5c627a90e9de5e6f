"""Everything that figures are made of, read at once: the configuration, the store, and what only this process knows.

It reads the store and nothing else: no AWS, no receiver. What the store says is read anew every time, so that every
process says the same and a restart loses nothing; what is remembered here are numbers of proofs, which do not change.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from restorecheck.config import Config
from restorecheck.metrics.proved import Proved, proved
from restorecheck.model import Check, Pause, Verdict
from restorecheck.replica import living
from restorecheck.state import locks
from restorecheck.store import Pending, Store
from restorecheck.store.standings import Ended, Standing
from restorecheck.timetable import Upcoming, upcoming


@dataclass(frozen=True, slots=True)
class Process:
    """What only a serving process knows, of itself."""

    ticked: datetime | None  # when it last looked at what is due
    reload_worked: bool  # it could read the configuration when it last tried
    loaded: datetime  # when it last read the configuration


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store says."""

    standings: Mapping[str, Standing]  # by check
    proofs: Mapping[str, Proved]  # by run id: those that figures are made of, as far as they can be read
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    next_runs: Mapping[str, datetime] = field(default_factory=dict)  # when the next run of a check may begin
    counters: Mapping[str, Mapping[tuple[str, ...], float]] = field(default_factory=dict)
    checks_seen: Mapping[str, datetime] = field(default_factory=dict)
    receivers_seen: Mapping[str, datetime] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)  # by receiver
    acknowledged: Mapping[str, datetime] = field(default_factory=dict)  # by receiver
    arrived: Mapping[str, datetime] = field(default_factory=dict)  # by receiver, acknowledged or not
    sweep: Any = None  # the note of the last sweep; None: there was none
    replicas: int = 0  # that serve, and live
    queued: int = 0  # runs that are due and have not begun


@dataclass(frozen=True, slots=True)
class Facts:
    """One moment. `kept` None: the store could not be read. `process` None: nobody serves here."""

    config: Config
    now: datetime
    version: str
    kept: Kept | None
    process: Process | None = None


@dataclass(frozen=True, slots=True)
class _Coming:
    """The next run of a check, as it was looked up."""

    check: Check
    pause: Pause | None
    at: datetime
    one: Upcoming | None

    def holds(self, now: datetime) -> bool:
        """Say whether it is still the next one. That there is none does not change."""
        return self.at <= now and (self.one is None or self.one.scheduled_for is None or now < self.one.scheduled_for)


class Look:
    """Looks at one store, again and again; from several threads, one after another."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, threading.Lock()
        self._proofs: dict[tuple[str, datetime], Proved | None] = {}
        self._coming: dict[str, _Coming] = {}

    def kept(self, config: Config, now: datetime) -> Kept:
        """Read the store. Raises StoreError."""
        with self._lock:
            return self._read(config, now)

    def _read(self, config: Config, now: datetime) -> Kept:
        store = self._store
        standings = store.standings.of([check.name for check in config.checks])
        pauses = store.pauses.all()
        alive = living(store.replicas.all(), locks(config.state), config.service.takeover)
        return Kept(
            standings=standings,
            proofs=self._proved(config, standings),
            pauses=pauses,
            next_runs=self._next_runs(config.checks, pauses, now),
            counters=store.counters.all(),
            checks_seen=store.first_seen.all("check"),
            receivers_seen=store.first_seen.all("receiver"),
            pending=store.notices.pending(),
            acknowledged=store.notices.proven(),
            arrived=store.notices.arrived(),
            sweep=store.notes.get("sweep"),
            replicas=sum(replica.role == "serve" for replica in alive),
            queued=sum(entry.not_before <= now for entry in store.ledger.waiting()),
        )

    # --- proofs ------------------------------------------------------------------------------------------------------

    def _proved(self, config: Config, standings: Mapping[str, Standing]) -> dict[str, Proved]:
        """Return the numbers of the proofs that count; only those that nobody has asked for yet are read."""
        wanted = [run for check in config.checks for run in _first(check, standings[check.name])]
        known = self._numbers(wanted, {})
        pointless = [s for s in standings.values() if s.last and not _has_point(known.get(_key(s.last)))]
        known = self._numbers([run for standing in pointless for run in standing.recent], known)
        self._proofs = known  # what is not asked for any more is forgotten
        return {run_id: proof for (run_id, _), proof in known.items() if proof is not None}

    def _numbers(
        self, runs: Iterable[Ended], known: dict[tuple[str, datetime], Proved | None]
    ) -> dict[tuple[str, datetime], Proved | None]:
        wanted = {_key(run): run.run_id for run in runs}
        found = {**known, **{key: self._proofs[key] for key in wanted.keys() & self._proofs.keys()}}
        unknown = {run_id: key for key, run_id in wanted.items() if key not in found}
        for run_id, report in self._store.standings.reports(list(unknown)):
            found[unknown[run_id]] = proved(report) if report else None
        return found

    # --- what comes --------------------------------------------------------------------------------------------------

    def _next_runs(self, checks: Iterable[Check], pauses: Mapping[str, Pause], now: datetime) -> dict[str, datetime]:
        """Return when the next run of each check may begin; its schedule is looked at once for each run."""
        coming = {}
        for check in checks:
            pause = pauses.get(check.name)
            held = self._coming.get(check.name)
            if held is None or (held.check, held.pause) != (check, pause) or not held.holds(now):
                found = upcoming([check], {check.name: pause} if pause else {}, now, 1)
                held = _Coming(check, pause, now, found[0] if found else None)
            coming[check.name] = held
        self._coming = coming
        return {name: held.one.not_before for name, held in coming.items() if held.one and held.one.not_before}


def _first(check: Check, standing: Standing) -> list[Ended]:
    """Return the runs whose proofs are read in any case: the newest, and those whose recovery point counts."""
    passed = standing.newest.get(Verdict.PASSED)
    return [run for run in (standing.last, passed, *passes(check, standing)) if run]


def passes(check: Check, standing: Standing) -> list[Ended]:
    """Return the passed runs of which one proved the newest recovery point: several where not the newest is picked."""
    passed = standing.newest.get(Verdict.PASSED)
    if getattr(check.source, "pick", "latest") == "latest":
        return [passed] if passed else []
    return [run for run in standing.recent if run.verdict is Verdict.PASSED] or ([passed] if passed else [])


def _key(run: Ended) -> tuple[str, datetime]:
    return run.run_id, run.ended  # a report that is replaced ended at another time


def _has_point(proof: Proved | None) -> bool:
    return proof is not None and proof.newest_at is not None
