"""Brings runs from the ledger into this process: takes over from the dead, begins what may, ends what cannot go on.

Each call of `round` looks once at the ledger and acts; nothing here waits. The ledger decides who owns a run, the
engine what of it was done already. A run that is in the ledger ends with exactly one report, whatever becomes of
processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from restorecheck.admission import Use, admit, use_of
from restorecheck.config import Config
from restorecheck.durable import Clock
from restorecheck.engines.taking import BrokenOff, Taken
from restorecheck.errors import StoreError
from restorecheck.failures import kind
from restorecheck.model import Entry, Failure, Report, RunState, Verdict
from restorecheck.replica import LocalMembership, Membership, SharedMembership
from restorecheck.store import Store

PATIENCE = 5
"""How often a run that breaks off by a bug of ours is taken again before it ends as `internal`."""

BACKOFF = (1.0, 5.0, 15.0, 30.0)
"""Seconds before a run that broke off is taken again; the last for every later time."""


class Engine(Protocol):
    """What the dispatcher needs of an engine."""

    def take(self, run_id: str) -> Taken:
        """Begin or go on with a run here."""

    def here(self) -> set[str]:
        """Return the runs that go on here."""

    def broken_off(self, run_id: str) -> BrokenOff | None:
        """Return, once, why a run broke off here."""

    def report(self, run_id: str) -> Report | None:
        """Return the report of a run that ended."""

    def cancel(self, run_id: str) -> None:
        """Ask a run here to tear down."""

    def forget(self, run_id: str) -> None:
        """Give a run up."""

    def bury(self, name: str) -> None:
        """Forget a process that is dead."""


@dataclass(frozen=True, slots=True)
class Places:
    """How many runs there is room for."""

    accounts: Mapping[str, int]  # of each scratch account
    overall: int
    uses: Mapping[str, Use]  # of each check


def places(config: Config) -> Places:
    """Return what a configuration has room for."""
    return Places(
        {account.id: account.instances for account in config.scratch_accounts},
        config.service.runs,
        {check.name: use_of(check) for check in config.checks},
    )


def membership_of(config: Config, store: Store, lost: Callable[[str], None]) -> Membership:
    """Return how this process is one replica among those of its state; `lost` must end it (see SharedMembership)."""
    service = config.service
    if config.state.directory is not None:
        return LocalMembership(store.replicas, config.state.directory / "locks")
    return SharedMembership(store.replicas, heartbeat=service.heartbeat, takeover=service.takeover, lost=lost)


Tell = Callable[..., Any]
"""Somebody who is told what happened: an event and its facts."""


class Dispatcher:
    """The runs of one process. `only` limits it to some checks: those that a command was asked for."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        membership: Membership,
        clock: Clock,
        tell: Tell,
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        self._store, self._ledger, self._engine, self._membership = store, store.ledger, engine, membership
        self._clock, self._tell, self._only = clock, tell, only
        self._again: dict[str, tuple[int, float]] = {}  # run → how often it broke off, and when to take it again

    def round(self, places: Places) -> None:
        """Look once. Raises StoreError; whatever was done until then stands."""
        self._adopt()
        self._hear_cancels()
        self._go_on()
        self._begin(places)

    # --- one thing each ----------------------------------------------------------------------------------------------

    def _adopt(self) -> None:
        """Make the runs ours that belong to nobody who lives."""
        for name in self._membership.dead():
            self._tell("replica.dead", replica=name)
            self._engine.bury(name)
        living = {replica.id for replica in self._store.replicas.all()}
        for entry in self._ledger.running():
            orphaned = entry.owner is None or entry.owner not in living
            if orphaned and self._mine(entry) and self._ledger.claim(entry.run_id, self._membership.id, entry.owner):
                self._tell("run.taken-over", check=entry.check, run=entry.run_id, replica=entry.owner or "nobody")

    def _hear_cancels(self) -> None:
        for run_id in self._ledger.cancelled(self._membership.id):
            self._engine.cancel(run_id)

    def _go_on(self) -> None:
        """Take every run of ours that does not go on here: after a take-over, and after it broke off."""
        here = self._engine.here()
        owned = [entry for entry in self._ledger.owned(self._membership.id) if entry.state is RunState.RUNNING]
        self._again = {run: again for run, again in self._again.items() if run in {entry.run_id for entry in owned}}
        for entry in owned:
            if entry.run_id not in here and self._may_try(entry):
                self._take(entry)

    def _begin(self, places: Places) -> None:
        if not any(self._mine(entry) for entry in self._ledger.waiting()):
            return
        me, now = self._membership.id, self._clock.now()
        replicas = self._store.replicas.all()
        others = {replica.id for replica in replicas} - {me}
        part = self._part(places.overall, sum(replica.role == "serve" for replica in replicas))

        def decide(waiting: Sequence[Entry], running: Sequence[Entry]) -> Sequence[str]:
            return admit(
                [entry for entry in waiting if self._mine(entry) and entry.owner not in others],
                running,
                now=now,
                places=places.accounts,
                overall=places.overall,
                uses=places.uses,
                share=max(0, part - sum(entry.owner == me for entry in running)),
            )

        for entry in self._ledger.admit(me, decide, now):
            if entry.cancelled:
                self._engine.cancel(entry.run_id)
            self._take(entry)

    # --- a run -------------------------------------------------------------------------------------------------------

    def _mine(self, entry: Entry) -> bool:
        return self._only is None or entry.check in self._only

    def _part(self, overall: int, serving: int) -> int:
        """Return how many runs this process may hold, so that one replica does not take all that there are."""
        return overall if self._only is not None else -(-overall // max(serving, 1))

    def _take(self, entry: Entry) -> None:
        """Take a run. Raises StoreError; a bug that one run meets does not keep the others from going on."""
        try:
            taken = self._engine.take(entry.run_id)
            self._tell(f"run.{taken}", check=entry.check, run=entry.run_id, trigger=str(entry.trigger))
            self._look_at(taken, entry)
        except StoreError:
            raise
        except Exception as e:  # noqa: BLE001 - it is told, counted, and ends the run when it comes back
            self._broke_off(entry, BrokenOff(type(e).__name__, store=False))

    def _look_at(self, taken: Taken, entry: Entry) -> None:
        """End a run that does not go on."""
        if taken is Taken.ENDED:  # its process died, or could not reach the store, before the report was kept
            report = self._engine.report(entry.run_id)
            if report is None:
                self._conclude(entry, "internal", "the records of the run hold no report")
            else:
                self._store.proofs.save(report)
        elif taken is Taken.FOREIGN:
            self._conclude(entry, "other-version", kind("other-version").meaning)
        elif taken is Taken.FAILED:
            self._conclude(entry, "internal", "the records of the run say that it failed")

    def _may_try(self, entry: Entry) -> bool:
        """Say whether a run that is ours is to be taken now."""
        broken = self._engine.broken_off(entry.run_id)
        if broken is not None:
            self._broke_off(entry, broken)
            return False
        _, at = self._again.get(entry.run_id, (0, 0.0))
        return self._clock.monotonic() >= at

    def _broke_off(self, entry: Entry, broken: BrokenOff) -> None:
        """Note when a run is to be taken again, or end it if a bug of ours is all that it meets."""
        times = self._again.get(entry.run_id, (0, 0.0))[0] + (0 if broken.store else 1)
        self._again[entry.run_id] = (times, self._clock.monotonic() + BACKOFF[min(times, len(BACKOFF) - 1)])
        self._tell("run.broke-off", check=entry.check, run=entry.run_id, why=broken.why)
        if times >= PATIENCE:
            self._conclude(entry, "internal", f"it broke off {times} times, at last with {broken.why}")

    def _conclude(self, entry: Entry, why: str, message: str) -> None:
        """End a run that nobody can go on with. What it made is the sweep's, once its lease has expired."""
        now = self._clock.now()
        failure = Failure(why, "dispatch", message, kind(why).hint)
        self._store.proofs.save(
            Report(entry.run_id, entry.check, Verdict.UNPROVEN, min(entry.scheduled_for, now), now, failure)
        )
        self._engine.forget(entry.run_id)
        self._again.pop(entry.run_id, None)
