"""The life of a serving process: open, go round once a second, drain.

One thread goes round: what is due, what of it may begin, whose runs are to be taken over, what is to be swept, told,
measured and forgotten. It holds nothing that is not in the store, so to kill this process loses nothing, and nothing
here waits for a restore.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, NoReturn

from restorecheck import logs
from restorecheck.alerts.sender import Sender
from restorecheck.alerts.telling import Telling
from restorecheck.config import Config
from restorecheck.dispatch import Dispatcher, membership_of, places
from restorecheck.due import note_due
from restorecheck.durable import Clock, Durable
from restorecheck.engines.clock import WallClock
from restorecheck.engines.dbos import DbosEngine
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.logs.weight import is_bad
from restorecheck.metrics.exporting import Exporter
from restorecheck.model import Report
from restorecheck.replica import Membership, sole_service
from restorecheck.rules import runbooks
from restorecheck.service.current import Current
from restorecheck.service.health import Health
from restorecheck.service.measuring import Measuring
from restorecheck.state import make_state, open_store, same_key, stays
from restorecheck.store import Store
from restorecheck.upkeep import Upkeep
from restorecheck.verify import verify
from restorecheck.web.server import WebServer

TICK = 1.0
"""Seconds between two rounds."""

PING = 10.0
"""Seconds between two looks whether the store can be written, when nothing else is."""

Chore = Callable[[Config], object]
"""Something that is done in every round."""

HALTED = 130
"""Exit code of a process that was told to stop at once."""


class Service:
    """One serving process. `run` returns its exit code; any thread and any signal may call `stop` and `reload`."""

    def __init__(self, path: Path, *, clock: Clock | None = None, listen: str | None = None) -> None:
        """Load the configuration. Raises RestorecheckError `config`. `listen` overrides what the file says."""
        self._clock = clock or WallClock()
        self._current = Current(path, self._clock)
        self._health = Health(self._clock, self._current)
        self._log, self._listener = logs.get("service"), logs.LogListener()
        # Not an Event: a signal handler that sets one waits for ever if it comes while that one's own lock is held.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._reload, self._pinged = False, 0.0
        service = self._current.config.service
        reload = self._reload_now if service.reload else None
        self._measuring = Measuring(self._current, self._health, self._clock)
        self._web = WebServer(
            listen or service.listen, self._health, reload=reload, metrics=self._measuring.text, runbooks=runbooks
        )

    def stop(self) -> None:
        """Drain: begin nothing any more, and end soon."""
        self._health.stopping = True
        self._wake.put(None)

    def reload(self) -> None:
        """Read the configuration again, soon; a wrong one changes nothing."""
        self._reload = True
        self._wake.put(None)

    def run(self) -> int:
        """Serve until told to stop. Returns the exit code; raises RestorecheckError for what waiting does not mend."""
        state = self._current.config.state
        stays(state)
        make_state(state)
        sole = sole_service(state.directory / "locks") if state.directory else None
        self._web.start()
        self._log.info("service.started", listen=self._web.address, state=state.shown, pid=os.getpid())
        try:
            parts = self._opened()
            if parts is not None:
                self._serve(*parts)
        finally:
            self._web.stop()
            if sole:
                sole.close()
        return 0

    def _serve(self, store: Store, membership: Membership, engine: DbosEngine) -> None:
        self._log.info("replica.joined", replica=membership.id)
        dispatcher = Dispatcher(store, engine, membership, self._clock, self._tell)
        upkeep = Upkeep(store, engine, self._clock, self._tell, membership.id)
        telling = Telling(store, self._clock, self._tell, membership.id)
        sender = Sender(store, self._clock, membership.id, self._tell, lambda: self._current.ports.fence)
        exporter = Exporter(self._measuring.figures, self._clock, self._tell)
        chores: tuple[Chore, ...] = (
            lambda config: self._schedule(store, config),
            lambda config: dispatcher.round(places(config)),
            lambda config: upkeep.round(config, self._current.ports.fence),
            telling.round,
            sender.round,
        )
        while not self._health.stopping:
            self._round(store, chores)
            exporter.round(self._current.config.exports)  # also while the store cannot be reached: that is a figure
            self._pause()
        exporter.close(1)
        self._drain(engine, store, membership, sender)

    # --- a round -----------------------------------------------------------------------------------------------------

    def _round(self, store: Store, chores: Sequence[Chore]) -> None:
        """Do everything once. What the store does not let us do now is done in a later round."""
        if self._reload:
            self._reload = False
            self._try_reload()
        config, why = self._current.config, ""
        for chore in (lambda _: self._ping(store), *chores):
            try:
                chore(config)
            except StoreError as e:
                why = e.message
                break  # the others need it, too
            except Exception as e:  # noqa: BLE001 - a bug must be heard; it must not end the service, nor keep it silent
                why = why or f"{type(e).__name__} in a round"
                self._log.error("round.failed", exc_info=e)
        if why:
            self._unwell(why)
        elif self._health.well():
            self._log.info("store.reached")
        self._health.looked()

    def _ping(self, store: Store) -> None:
        """A full disk is noticed before a verdict has to be kept."""
        now = self._clock.monotonic()
        if self._health.trouble or now - self._pinged > PING:
            store.ping()
            self._pinged = now

    def _schedule(self, store: Store, config: Config) -> None:
        """Write down what is due, and what was missed."""
        now = self._clock.now()
        note_due(store, config, now, self._tell)
        self._health.ticked = now

    def _pause(self) -> None:
        with suppress(Empty):
            self._wake.get(timeout=TICK)
            while True:
                self._wake.get_nowait()

    # --- parts -----------------------------------------------------------------------------------------------------

    def _opened(self) -> tuple[Store, Membership, DbosEngine] | None:
        """Open what must be open, and wait while it cannot be reached: nobody has to start us again."""
        while not self._health.stopping:
            try:
                return self._open()
            except StoreError as e:
                self._unwell(e.message)
                self._pause()
        return None

    def _open(self) -> tuple[Store, Membership, DbosEngine]:
        with ExitStack() as undo:
            store = open_store(self._current.config.state)
            undo.callback(store.close)
            same_key(store, self._current.config.state)
            self._current.open(store.proofs.save, store.baselines.known, self._listener.looked)
            membership = membership_of(self._current.config, store, self._begin_anew)
            engine = self._engine(membership)
            engine.start()
            undo.callback(engine.close)
            undo.callback(membership.leave)
            membership.join("serve")
            self._measuring.open(store)
            undo.pop_all()
        return store, membership, engine

    def _engine(self, membership: Membership) -> DbosEngine:
        async def workflow(durable: Durable) -> Report:
            logs.bind(run=durable.run_id)  # of this coroutine alone
            try:
                return await verify(durable, self._current.ports)  # those of now: a run keeps what it began with
            finally:
                self._listener.forget(durable.run_id)

        config = self._current.config
        return DbosEngine(
            config.state.runs_url,
            workflow,
            self._clock,
            self._listener,
            name=membership.id,
            lapsed=membership.lapsed,
            shown=config.state.shown,
            threads=config.service.runs + 16,  # an examine may hold one for an hour
            every=0.5,
        )

    def _reload_now(self) -> str:
        loaded = self._current.reload()
        self._log.info("configuration.loaded", checks=len(self._current.config.checks))
        return loaded

    def _try_reload(self) -> None:
        try:
            self._reload_now()
        except RestorecheckError as e:
            self._log.error("configuration.refused", why=e.message)

    def _tell(self, event: str, **facts: Any) -> None:
        (self._log.warning if is_bad(event, facts) else self._log.info)(event, **facts)

    def _unwell(self, why: str) -> None:
        if self._health.unwell(why):
            self._log.error("store.trouble", why=why)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _drain(self, engine: DbosEngine, store: Store, membership: Membership, sender: Sender) -> None:
        """Let calls in flight end, and leave the runs to whoever comes: nothing waits for a restore."""
        self._log.info("service.draining", calls=engine.halt.busy)
        engine.halt.throw()
        end = self._clock.monotonic() + self._current.config.service.drain.total_seconds()
        while engine.halt.busy and self._clock.monotonic() < end:
            threading.Event().wait(0.05)
        sender.settle(max(0.0, end - self._clock.monotonic()))  # a notice that is half sent would be sent twice
        engine.close()
        try:
            store.ledger.release(membership.id)
        except StoreError as e:  # whoever comes finds that we are dead
            self._log.warning("store.trouble", why=e.message)
        membership.leave()
        store.close()
        self._log.info("service.stopped")

    def _begin_anew(self, why: str) -> NoReturn:
        """Give everything up at once, and begin again as another process would: others may run what we ran.

        Nothing less ends a thread in the middle of a call. A process that was told to stop does not begin again.
        """
        self._log.error("replica.lost", why=why)
        sys.stderr.flush()
        if self._health.stopping:
            os._exit(0)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program


def serve(path: Path, *, clock: Clock | None = None, listen: str | None = None) -> int:
    """Serve until a signal says to stop, and return the exit code. Raises RestorecheckError."""
    service = Service(path, clock=clock, listen=listen)
    heed_signals(service)
    return service.run()


def heed_signals(service: Service) -> None:
    """SIGHUP reloads; the first SIGTERM or Ctrl-C drains, the second one stops at once."""
    heard: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        if heard:
            os._exit(HALTED)
        heard.append(number)
        service.stop()

    def reload(number: int, frame: FrameType | None) -> None:
        del number, frame
        service.reload()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)
