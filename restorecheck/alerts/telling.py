"""Turns what happened into deliveries, round by round: reads the store, lets the router decide, logs every event.

Also asks for what is told because of time alone: repeats, trials of every receiver, the ping that the service lives.
Sends nothing itself. A round that fails has changed nothing; the next one begins where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from restorecheck.alerts import service
from restorecheck.alerts.episodes import named
from restorecheck.alerts.routing import TOPICS, Ended, Router, Standing
from restorecheck.config import Config
from restorecheck.durable import Clock
from restorecheck.errors import StoreError
from restorecheck.model import Verdict
from restorecheck.store import Delivery, Event, Pending, Store

EVERY = 5.0
"""Seconds between two looks at what only time has changed. What happened is told at once."""

BATCH = 100
"""Events that one transaction routes."""

BATCHES = 20
"""Transactions of one round: whatever is left waits for the next."""

LONGEST = 5.0
"""Seconds after which a round begins no other transaction: the rest of the service waits for it."""

SETTLED = 360.0
"""Seconds that a process gives its senders before it calls a receiver failing: after hours in which nobody served
everything is late, and the longest time between two tries is five minutes."""

TRIAL_LASTS = timedelta(minutes=5)
"""How long after a trial its end is told."""

TRIALS, LIFE = "alert-path", "service-heartbeat"
"""Timers of the store: of all replicas, one tries the receivers and pings."""

Tell = Callable[..., Any]


class Telling:
    """The telling of one process. `round` is for one thread, and may be called as often as it likes.

    `serves`: this process stays, so it also tries the receivers and pings that the service lives. `began` is since when
    somebody serves without a break, by the monotonic clock; None: since now. Without `pings` nobody hears from here
    that the service lives: it does, and cannot do what it is for.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tell: Tell,
        me: str,
        *,
        serves: bool = True,
        pings: bool = True,
        began: float | None = None,
    ) -> None:
        self._store, self._clock, self._tell, self._me, self._serves = store, clock, tell, me, serves
        self._pings = pings
        self._began = clock.monotonic() if began is None else began
        self._looked = float("-inf")
        self._seen: tuple[object, ...] = ()
        self._owed: set[str] = set()  # timers that were claimed, and of which nothing is in the store yet

    def round(self, config: Config) -> None:
        """Do what is due. Raises StoreError, and then nothing that was not kept is forgotten."""
        self._note(config)
        events = self._store.outbox.pending(BATCH)
        if not events and self._clock.monotonic() < self._looked + EVERY:
            return
        self._looked = self._clock.monotonic()
        if self._serves:
            self._claim(config)
        self._route(config, events)

    def _note(self, config: Config) -> None:
        """Note what is configured, when that has changed: what nobody ever told of has an age from then on."""
        checks, receivers = [c.name for c in config.checks], [r.name for r in config.receivers]
        seen = (tuple(checks), tuple(receivers))
        if seen != self._seen:
            self._store.first_seen.note("check", checks)
            self._store.first_seen.note("receiver", receivers)
            self._seen = seen

    def _claim(self, config: Config) -> None:
        notify, timers = config.notify, self._store.timers
        if config.receivers and timers.claim(TRIALS, notify.test.total_seconds(), self._me):
            self._owed.add(TRIALS)
        if self._pings and notify.heartbeat and timers.claim(LIFE, notify.heartbeat_every.total_seconds(), self._me):
            self._owed.add(LIFE)

    def _route(self, config: Config, events: Sequence[Event]) -> None:
        pending = self._store.notices.pending()
        standing, extra = self._standing(pending), self._extra(config, pending)
        wanted, proofs = _ended(events), dict[str, Ended]()
        end = self._clock.monotonic() + LONGEST
        for _ in range(BATCHES):
            proofs |= {run: self._proof(run) for run in wanted if run not in proofs}
            router = Router(config, replace(standing, proofs=proofs), extra)
            routed = self._store.notices.route(router.decide, BATCH)
            self._owed.clear()
            extra = ()
            for event in router.handled:
                self._log(event)
            if (router.wanted is None and len(routed.handled) < BATCH) or self._clock.monotonic() >= end:
                return
            wanted = [*_ended(self._store.outbox.pending(BATCH)), *([router.wanted] if router.wanted else [])]

    def _log(self, event: Event) -> None:
        if isinstance(event.payload, dict):
            self._tell(event.topic, **{str(name): value for name, value in event.payload.items()})
        else:
            self._tell(event.topic)
        if event.topic not in TOPICS:
            self._tell("notify.unknown-event", topic=event.topic, id=event.id)

    # --- what the router is given

    def _standing(self, pending: Mapping[str, Pending]) -> Standing:
        settled = self._clock.monotonic() >= self._began + SETTLED
        arrived = self._store.notices.arrived() if settled else {}
        return Standing(pauses=self._store.pauses.all(), pending=pending if settled else {}, arrived=arrived)

    def _proof(self, run: str) -> Ended:
        """Return the proof of a run. One that is gone, or of a release that we cannot read, is none."""
        try:
            report = self._store.proofs.run(run)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with one proof, it must not keep all else from being told
            return Ended(None)
        if report.verdict is Verdict.PASSED:
            return Ended(report, report.ended)
        good = self._store.standings.of([report.check])[report.check].newest.get(Verdict.PASSED)
        return Ended(report, good.ended if good and good.ended <= report.ended else None)

    def _extra(self, config: Config, pending: Mapping[str, Pending]) -> tuple[Delivery, ...]:
        """Return what is to be sent because its time has come."""
        now, notify, found = self._clock.now(), config.notify, list[Delivery]()
        if TRIALS in self._owed:
            found += trials(config, now)
        if LIFE in self._owed and notify.heartbeat and notify.heartbeat not in pending:  # a ping that waits is enough
            found.append(Delivery(notify.heartbeat, named(service.of_life(now, notify))))
        return tuple(found)


def trials(config: Config, now: datetime, only: Iterable[str] = ()) -> tuple[Delivery, ...]:
    """Return what tries every receiver, or some: an alarm that is none, and a little later its end.

    Heartbeats are left out: a fail ping would be a false alarm, and the pings of every run prove them.
    """
    names = set(only)
    found: list[Delivery] = []
    for receiver in config.receivers:
        if receiver.type != "heartbeat" and (not names or receiver.name in names):
            fired, over = service.trial(receiver.name, now, config.notify)
            found += [Delivery(receiver.name, fired), Delivery(receiver.name, over, TRIAL_LASTS)]
    return tuple(found)


def _ended(events: Iterable[Event]) -> list[str]:
    """Return the runs of which events tell that they ended."""
    payloads = (event.payload for event in events if event.topic == "run-ended" and isinstance(event.payload, dict))
    return [run for payload in payloads if isinstance(run := payload.get("run"), str)]
