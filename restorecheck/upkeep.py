"""What a serving process does beside the runs: sweeps on a timer, and forgets what is old.

Of several replicas one does each thing at its time: the store's timers say who. Nothing here decides about a run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from restorecheck import evidence, workplace
from restorecheck.config import Config
from restorecheck.databases import guardian, scratch_postgres
from restorecheck.durable import Clock, bug
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.fence import Fence, Role
from restorecheck.model import About
from restorecheck.store import Store
from restorecheck.sweep import Place, Swept, noted, sweep

DAY = 86_400.0
TIDY = 600.0
"""Seconds between two looks at what dead processes left on this machine."""

RECORDS = timedelta(days=7)
"""How long the step records of a run that ended are kept. Its proof is in the store, and is kept for `keep`."""

_SWEPT = (About.LEAKED, About.SWEEP)


class Records(Protocol):
    """What is forgotten of the engine's."""

    def prune(self, before: datetime, under_way: Collection[str]) -> int:
        """Delete the records of runs that are over."""


class Upkeep:
    """Sweep and retention of one process."""

    def __init__(self, store: Store, records: Records, clock: Clock, tell: Callable[..., Any], me: str) -> None:
        self._store, self._records, self._clock, self._tell, self._me = store, records, clock, tell, me
        self._sweeping: threading.Thread | None = None
        self._tidied = -TIDY

    def round(self, config: Config, fence: Fence) -> None:
        """Do what is due. Raises StoreError; a sweep goes on in a thread of its own."""
        idle = self._sweeping is None or not self._sweeping.is_alive()
        if idle and self._store.timers.claim("sweep", config.service.sweep.total_seconds(), self._me):
            self._sweeping = threading.Thread(target=self._sweep, args=(config, fence), name="sweep", daemon=True)
            self._sweeping.start()
        if self._clock.monotonic() >= self._tidied + TIDY:
            self._tidied = self._clock.monotonic()
            self._tidy(config)
        if self._store.timers.claim("prune", DAY, self._me):
            self._prune(config)

    def _tidy(self, config: Config) -> None:
        """Remove what processes of this machine left that died: dumps, files, servers. Each replica has its own."""
        if config.evidence is not None:
            self._forget(config.evidence, self._clock.now() - config.service.evidence_keep)
        if not config.workplace.is_dir():
            return
        under_way = {entry.run_id for entry in self._store.ledger.running()}
        try:
            gone = [path.name for path in workplace.sweep(config.workplace, under_way)]
            gone += guardian.sweep(scratch_postgres.place(config.workplace))
        except RestorecheckError as e:
            self._tell("workplace.not-tidied", why=e.message)
            return
        if gone:
            self._tell("workplace.tidied", removed=gone)

    def _forget(self, directory: Path, before: datetime) -> None:
        """Remove the evidence of this machine that is older than it may be."""
        try:
            gone = evidence.prune(directory, before)
        except RestorecheckError as e:
            self._tell("evidence.not-pruned", why=e.message)
            return
        if gone:
            self._tell("evidence.pruned", runs=gone)

    def _sweep(self, config: Config, fence: Fence) -> None:
        service, now = config.service, self._clock.now()
        try:
            swept = sweep(fence, places(config), now, act=True, most=service.sweep_most, share=service.sweep_share)
            self._keep(swept, now.isoformat())
        except StoreError as e:
            self._tell("sweep.not-kept", why=e.message)
        except RestorecheckError as e:
            self._tell("sweep.failed", why=e.message)
        except Exception as e:  # noqa: BLE001 - a thread's bug must be heard, and must not end the service
            self._tell("sweep.failed", why=bug(e))

    def _keep(self, swept: Swept, at: str) -> None:
        self._tell("sweep.done", summary=swept.summary)
        keep_sweep(self._store, swept, at)

    def _prune(self, config: Config) -> None:
        now = self._clock.now()
        runs = self._store.prune(now - config.service.keep)
        under_way = {entry.run_id for entry in self._store.ledger.running()}
        records = self._records.prune(now - min(RECORDS, config.service.keep), under_way)
        self._tell("store.pruned", runs=runs, records=records)


def keep_sweep(store: Store, swept: Swept, at: str) -> None:
    """Keep what a sweep came to, and what is to be told of it. Raises StoreError."""
    store.notes.set("sweep", noted(swept, at, store.notes.get("sweep")))
    if swept.tripped:
        store.outbox.put("sweep-tripped", f"sweep-tripped:{at}", {"why": swept.tripped})
    elif swept.leaked:
        store.outbox.put("scratch-leaked", f"scratch-leaked:{at}", {"summary": swept.summary})
    elif not swept.blind and any(one.about in _SWEPT for one in store.notices.episodes()):
        store.outbox.put("sweep-clean", f"sweep-clean:{at}", {})  # nothing is over that was not seen


def places(config: Config) -> list[Place]:
    """Return every place that a sweep looks at."""
    sources = [Place(Role.SOURCE, a.id, region, a.name) for a in config.source_accounts for region in a.regions]
    scratch = [
        Place(Role.SCRATCH, a.id, placement.region, a.name, placement.bucket)
        for a in config.scratch_accounts
        for placement in a.placements
    ]
    return sources + scratch
