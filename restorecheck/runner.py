"""`restorecheck run`: checks now, in this process, side by side; what was interrupted of them goes on. A composition.

The runs are in the ledger like those of the service, so the limits hold for both together, a service takes over what
this process leaves, and this process what a dead one left. Decides nothing about verdicts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from restorecheck.alerts.sender import Sender
from restorecheck.alerts.telling import Telling
from restorecheck.config import Config
from restorecheck.dispatch import Dispatcher, membership_of, places
from restorecheck.durable import Durable, Listener, bug
from restorecheck.engines.clock import WallClock
from restorecheck.engines.dbos import DbosEngine
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Check, Entry, Replica, Report, RunState, Trigger
from restorecheck.ports import LivePorts, fence_of
from restorecheck.replica import Membership
from restorecheck.schedule import run_id
from restorecheck.state import open_store, same_key
from restorecheck.store import Store
from restorecheck.verify import verify

TICK = 0.1
"""Seconds between two rounds."""

LAST_WORDS = 5.0
"""Seconds for which a process whose runs have ended waits for their last record. Nothing depends on it."""

TELLING = 15.0
"""Seconds for which a process whose runs have ended goes on telling what came of them."""


class Runner:
    """Runs checks now. One per process."""

    def __init__(self, config: Config, listener: Listener, lost: Callable[[str], None]) -> None:
        """Open the store. Raises RestorecheckError `config`, or StoreError.

        `lost` is called when this process must not go on, because others may take its runs; it must end it.
        """
        self.config, self.listener, self.clock, self._lost = config, listener, WallClock(), lost
        self.store = open_store(config.state)
        same_key(self.store, config.state)
        self._cancelled, self._pause = False, threading.Event()
        self.untold: dict[str, int] = {}  # how many notices still wait, by receiver
        self.mute = ""  # why nothing could be told at all

    def run(self, names: Sequence[str]) -> list[Report]:
        """Run these checks and return their proofs, in the order in which they end.

        A check with an unfinished run that nobody has in hand takes that up instead of beginning another. Raises
        RestorecheckError if a name is unknown or a check is being run by another process; then nothing was begun.
        """
        checks = [self.config.check(name) for name in dict.fromkeys(names)]
        membership = membership_of(self.config, self.store, self._lost)
        membership.join("run")
        try:
            dead = membership.dead()
            _none_busy(self.store, checks)
            engine = self._engine(membership)
            engine.start()
            try:
                for name in dead:
                    engine.bury(name)
                runs = [entered(self.store, check, membership.id, self.clock.now()).run_id for check in checks]
                only = frozenset(check.name for check in checks)
                dispatcher = Dispatcher(self.store, engine, membership, self.clock, _untold, only=only)
                reports = self._to_the_end(runs, dispatcher)
                self._last_words(engine, runs)
                self._tell(membership.id)
                return reports
            finally:
                engine.close()
        finally:
            with suppress(StoreError):  # whoever comes finds that we are dead
                self.store.ledger.release(membership.id)
            membership.leave()

    def detach(self, names: Sequence[str]) -> list[Entry]:
        """Leave these runs to the service. Raises RestorecheckError `config` if nobody serves."""
        membership_of(self.config, self.store, self._lost).dead()
        return detached(self.config, self.store, self.store.replicas.all(), names, self.clock.now())

    def cancel(self) -> None:
        """Ask every run of this process to tear down. May be called from a signal handler."""
        self._cancelled = True  # no Event: a handler that sets one may find its own thread in the middle of that

    def cancelled(self) -> bool:
        """Say whether a cancel was asked for."""
        return self._cancelled

    def close(self) -> None:
        """Give the store's connections back."""
        self.store.close()

    # --- one run each ------------------------------------------------------------------------------------------------

    def _to_the_end(self, runs: Sequence[str], dispatcher: Dispatcher) -> list[Report]:
        room = places(self.config)
        reports: list[Report] = []
        left, told = list(runs), False
        while left:
            if self._cancelled and not told:
                told = True
                for run in left:
                    self.store.ledger.cancel(run)
            dispatcher.round(room)
            for run in [*left]:
                entry = self.store.ledger.entry(run)
                if entry is None or entry.state is RunState.ENDED:
                    left.remove(run)
                    reports.append(self.store.proofs.run(run))
            if left:
                self._pause.wait(TICK)
        return reports

    def _last_words(self, engine: DbosEngine, runs: Sequence[str]) -> None:
        """Let runs whose proof is kept write the record of that, or their records stay unfinished until the pruning."""
        end = self.clock.monotonic() + LAST_WORDS
        while not engine.here().isdisjoint(runs) and self.clock.monotonic() < end:
            self._pause.wait(TICK / 10)

    def _tell(self, me: str) -> None:
        """Tell what came of the runs, for as long as that may take; what is left is told by who comes next.

        Also if there is nobody to tell: else all that ever went wrong would be news to the first receiver.
        """
        telling = Telling(self.store, self.clock, _untold, me, serves=False)
        sender = Sender(self.store, self.clock, me, _untold, lambda: fence_of(self.config))
        try:
            end = self.clock.monotonic() + TELLING
            telling.round(self.config)
            while self.store.outbox.pending(1) and self.clock.monotonic() < end:
                telling.round(self.config)
            if not self.config.receivers:
                return
            self.untold = sender.drain(self.config, max(0.0, end - self.clock.monotonic()))
            sender.settle(max(0.0, end - self.clock.monotonic()))  # who is told again what stands, is told whole
        except StoreError as e:  # what happened is kept where the proof is
            self.mute = e.message
        except Exception as e:  # noqa: BLE001 - what was proved must be shown, whatever becomes of telling it
            self.mute = bug(e)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _engine(self, membership: Membership) -> DbosEngine:
        ports = LivePorts(
            self.config,
            self.clock,
            self.store.proofs.save,
            knows=self.store.baselines.known,
            tells=self.listener.looked,
        )

        async def workflow(durable: Durable) -> Report:
            return await verify(durable, ports)

        state, threads = self.config.state, self.config.service.runs + 16
        return DbosEngine(
            state.runs_url,
            workflow,
            self.clock,
            self.listener,
            name=membership.id,
            shown=state.shown,
            threads=threads,
            lapsed=membership.lapsed,
        )


def detached(
    config: Config, store: Store, alive: Sequence[Replica], names: Sequence[str], now: datetime
) -> list[Entry]:
    """Leave runs of these checks to who serves. Raises RestorecheckError `config` if nobody of who lives does."""
    checks = [config.check(name) for name in dict.fromkeys(names)]
    if not any(replica.role == "serve" for replica in alive):
        raise RestorecheckError(
            "nobody serves: the run would wait until somebody does",
            "see that the functions tick (docs/lambda.md)"
            if config.state.bucket
            else "start `restorecheck serve`, or leave --detach away",
            kind="config",
        )
    _none_busy(store, checks)
    return [entered(store, check, None, now) for check in checks]


def _none_busy(store: Store, checks: Sequence[Check]) -> None:
    living = {replica.id: replica for replica in store.replicas.all()}
    wanted = {check.name for check in checks}
    for entry in store.ledger.running():
        holder = living.get(entry.owner or "")
        if entry.check in wanted and holder is not None:
            raise RestorecheckError(
                f"{entry.check} is being run already, by process {holder.pid} on {holder.host}",
                f"wait for it, or end it with `restorecheck cancel {entry.run_id}`",
                kind="config",
            )


def entered(store: Store, check: Check, owner: str | None, now: datetime) -> Entry:
    """Return the run of a check that is to be brought to its end: an unfinished one, or a new one."""
    ledger = store.ledger
    for entry in (*ledger.running(), *ledger.waiting()):
        if entry.check == check.name and (entry.state is RunState.RUNNING or entry.not_before <= now):
            return entry  # not one whose jitter lies ahead: by hand means now
    now = now.replace(microsecond=0)
    while True:
        run = run_id(check.name, now)
        entry = Entry(run, check.name, check.placement.account, now, now, Trigger.HAND, owner=owner)
        if ledger.add(entry):
            return entry
        now += timedelta(seconds=1)  # a run of this second is there already


def _untold(event: str, **facts: object) -> None:
    """The progress on the screen tells what a person wants to know."""
    del event, facts
