"""Where functions keep the state: in a bucket, whose copy each call fetches and gives back, or in a database.

With a bucket, nothing counts before it is committed, and of two who commit one begins again. With a database, every
transaction counts at once, and to commit does nothing. What a run came to is kept by the run itself, in both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from restorecheck.errors import RestorecheckError
from restorecheck.model import Check, Known, Report
from restorecheck.store import Store
from restorecheck.store.bucket import BucketState


class Keeping(Protocol):
    """The state, for one call of one function. Every method raises StoreError while it cannot be reached."""

    alone: bool
    """Whether two ticks at once would see the same work, so that one of them must leave it to the other."""

    def open(self) -> Store:
        """Return the store as it is now, with all that runs have kept. What was opened and not committed is gone."""

    def commit(self) -> None:
        """Let all that was changed count. Raises ConflictError: then nothing of it does, and one must open anew."""

    def close(self) -> None:
        """Give everything back."""

    def keep(self, report: Report) -> None:
        """Keep what a run came to: of a run itself, whose next step is its end."""

    def settle(self, report: Report) -> Report:
        """Return the report that is kept of a run: this one, if there was none."""

    def kept(self, run_id: str) -> Report | None:
        """Return what a run kept; None: nothing yet."""

    def known(self, check: Check, now: datetime) -> tuple[Known, ...]:
        """Return what a run is compared with."""

    def cancel(self, run_id: str) -> None:
        """Make a run hear that somebody wants its end."""

    def cancelled(self, run_id: str) -> bool:
        """Say whether somebody wants the end of a run."""


class InBucket:
    """See Keeping."""

    alone = True

    def __init__(self, bucket: BucketState, proven: Callable[[Store], None], tell: Callable[..., object]) -> None:
        """`proven` raises RestorecheckError `config` for a store that is not to be worked on."""
        self._bucket, self._proven, self._tell = bucket, proven, tell
        self.kept, self.known = bucket.report, bucket.known
        self.keep, self.settle = bucket.put, bucket.settle
        self.cancel, self.cancelled = bucket.cancel, bucket.cancelled
        self.commit, self.close = bucket.commit, bucket.close

    def open(self) -> Store:
        """See Keeping.open."""
        store = self._bucket.open()
        self._remark()
        self._proven(store)
        for report in self._bucket.fold(store):
            self._tell("run.recorded", check=report.check, run=report.run_id, verdict=report.verdict)
        self._remark()
        return store

    def _remark(self) -> None:
        for remark in self._bucket.remarks:
            self._tell("state.remark", why=remark)
        self._bucket.remarks = ()


class InDatabase:
    """See Keeping. `opened` opens the store of the configuration."""

    alone = False

    def __init__(self, opened: Callable[[], Store]) -> None:
        self._opened, self._opening = opened, threading.Lock()  # a run asks from several threads
        self._store: Store | None = None

    def open(self) -> Store:
        """See Keeping.open."""
        with self._opening:
            if self._store is None:
                self._store = self._opened()
            return self._store

    def commit(self) -> None:
        """See Keeping.commit."""

    def close(self) -> None:
        """See Keeping.close."""
        with self._opening:  # no connection is left behind: the process may be frozen for hours, or for ever
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def keep(self, report: Report) -> None:
        """See Keeping.keep."""
        self.open().proofs.save(report)

    def settle(self, report: Report) -> Report:
        """See Keeping.settle. Whoever asked saves it, or has done so."""
        return self.kept(report.run_id) or report

    def kept(self, run_id: str) -> Report | None:
        """See Keeping.kept."""
        try:
            return self.open().proofs.run(run_id)
        except RestorecheckError as e:
            if e.kind == "config":  # there is no finished run of this id
                return None
            raise

    def known(self, check: Check, now: datetime) -> tuple[Known, ...]:
        """See Keeping.known."""
        return self.open().baselines.known(check, now)

    def cancel(self, run_id: str) -> None:
        """See Keeping.cancel. A run reads the ledger itself."""
        del run_id

    def cancelled(self, run_id: str) -> bool:
        """See Keeping.cancelled."""
        entry = self.open().ledger.entry(run_id)
        return entry is not None and entry.cancelled
