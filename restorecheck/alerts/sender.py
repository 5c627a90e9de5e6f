"""Sends what the store says is due, to each receiver in a thread of its own: one that hangs keeps no other waiting.

At least once: a delivery is claimed, sent, and then noted as delivered; only who dies in between has it sent twice.
Decides nothing about what is told. Nothing that it logs or keeps holds an address, a token or what was sent.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from restorecheck.alerts import backoff
from restorecheck.alerts.receivers.choosing import receiver_of
from restorecheck.alerts.receivers.interface import DeliveryError, Receiver, Standing
from restorecheck.config import Config
from restorecheck.config.receivers import Alertmanager, AnyReceiver
from restorecheck.durable import Clock, bug
from restorecheck.errors import StoreError
from restorecheck.fence import Fence
from restorecheck.store import Due, Store

LEASE = 60.0
"""Seconds for which a delivery is ours. No receiver takes longer for one notice, and only one is claimed at a time."""

RESEND = 60.0
"""Seconds between two times that an Alertmanager is told what stands; one replica of ours does it."""

LONGEST_TIMER = 64
"""Characters of the name of a timer that every store takes."""

LOOK = 20.0
"""Seconds between two looks at whether it is time for that."""

LINGER = timedelta(minutes=15)
"""How long a resolve is said again: as long as Prometheus does it."""

GRACE = timedelta(minutes=10)
"""How long a delivery waits for a receiver that this process does not know, if nobody else serves: somebody may be
writing the configuration, and nobody is told yet that a receiver fails."""

Tell = Callable[..., Any]


class Sender:
    """Sends for one process. `round` may be called by one thread, as often as it likes."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        me: str,
        tell: Tell,
        fence: Callable[[], Fence],
        *,
        make: Callable[[AnyReceiver], Receiver] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._clock, self._me, self._tell = store, clock, me, tell
        self._make = make or (lambda declared: receiver_of(declared, fence, now=clock.now))
        self._draw = draw
        self._threads: dict[str, threading.Thread] = {}
        self._resting: dict[str, float] = {}  # receiver → until when it wants to be left alone
        self._looked: dict[str, float] = {}  # receiver → when it was last looked at for what stands
        self._ended = threading.Condition()

    def round(self, config: Config) -> None:
        """Start a thread for every receiver that has something due and has none at work. Raises StoreError."""
        declared = {one.name: one for one in config.receivers}
        work = self._store.notices.receivers_with_work()
        for name in work:
            if name not in declared:
                self._give_up_unknown(name)
        for name, one in declared.items():
            if (name in work and not self._rests(name)) or self._should_look(one):
                self._start(one)

    def drain(self, config: Config, seconds: float) -> dict[str, int]:
        """Send until nothing is pending or the time is up; return how much is left, by receiver. Raises StoreError."""
        until = time.monotonic() + seconds
        while True:
            self.round(config)
            left = {name: pending.count for name, pending in self._store.notices.pending().items()}
            if not left or time.monotonic() >= until:
                return left
            with self._ended:  # a thread that ends wakes us; what must be tried again has no other sign
                self._ended.wait(min(0.1, max(0.0, until - time.monotonic())))

    def settle(self, seconds: float) -> bool:
        """Wait until no thread is at work; False: one still was when the time was up."""
        with self._ended:
            return self._ended.wait_for(lambda: not self._threads, seconds)

    # --- threads ---------------------------------------------------------------------------------------------------

    def _start(self, declared: AnyReceiver) -> None:
        with self._ended:
            if declared.name in self._threads:
                return
            name = f"notices:{declared.name}"
            thread = threading.Thread(target=self._work, args=(declared,), name=name, daemon=True)
            self._threads[declared.name] = thread
        thread.start()

    def _work(self, declared: AnyReceiver) -> None:
        name = declared.name
        try:
            receiver = self._make(declared)
            self._resend(declared, receiver)
            while not self._rests(name) and (mine := self._store.notices.claim(name, self._me, LEASE, limit=1)):
                self._send(receiver, mine[0])
                self._resend(declared, receiver)
        except StoreError as e:
            self._tell("notices.not-kept", receiver=name, why=e.message)
        except Exception as e:  # noqa: BLE001 - a thread's bug must be heard, and must not end the service
            self._tell("notices.failed", receiver=name, why=bug(e))
        finally:
            with self._ended:
                self._threads.pop(name, None)
                self._ended.notify_all()

    def _rests(self, name: str) -> bool:
        return self._clock.monotonic() < self._resting.get(name, 0.0)

    # --- one delivery ----------------------------------------------------------------------------------------------

    def _send(self, receiver: Receiver, due: Due) -> None:
        try:
            sent = receiver.send(due.notice)
        except DeliveryError as e:
            self._failed(due, e)
            return
        except Exception as e:  # noqa: BLE001 - whatever a receiver does, this notice must not be tried in a circle
            self._failed(due, DeliveryError("configuration", f"this is a bug: {bug(e)}"))
            return
        mine = self._store.notices.delivered(due.id, self._me, acknowledged=sent.acknowledged)
        more = {"why": sent.said} if sent.said else {}
        self._tell("notice.sent", **_named(due), acknowledged=sent.acknowledged, **more)
        if not mine:
            self._tell("notice.late", **_named(due), why="it took so long that another replica may have sent it too")

    def _failed(self, due: Due, error: DeliveryError) -> None:
        age = (self._clock.now() - due.created).total_seconds()
        after = backoff.wait(due.attempts + 1, error.reason, age, self._draw(), error.retry_after)
        why = {"reason": error.reason, "why": error.message}
        if after is None:
            self._store.notices.give_up(due.id, self._me, **why)
            self._tell("notice.dead", **_named(due), **why, hint=error.hint)
            return
        self._store.notices.failed(due.id, self._me, **why, after=after)
        if error.reason == "rate-limited":  # whatever else is due there, it is too much as well
            self._resting[due.receiver] = self._clock.monotonic() + after
        self._tell("notice.failed", **_named(due), **why, hint=error.hint, again_in=round(after, 1))

    def _give_up_unknown(self, name: str) -> None:
        """Give up what waits for a receiver that is not configured any more."""
        pending = self._store.notices.pending().get(name)
        grace = self._grace()
        if pending is None or self._clock.now() - pending.oldest < grace:
            return
        for due in self._store.notices.claim(name, self._me, LEASE, limit=100):
            if self._clock.now() - due.created >= grace:
                why = {"reason": "configuration", "why": "the receiver is not configured any more"}
                self._store.notices.give_up(due.id, self._me, **why)
                self._tell("notice.dead", **_named(due), **why)

    def _grace(self) -> timedelta:
        """Return how long to wait before it: who else serves may know the receiver, and be unable to reach it."""
        others = any(one.role == "serve" and one.id != self._me for one in self._store.replicas.all())
        return timedelta(seconds=backoff.GIVEN_UP) if others else GRACE

    # --- what stands -----------------------------------------------------------------------------------------------

    def _should_look(self, declared: AnyReceiver) -> bool:
        if not isinstance(declared, Alertmanager):
            return False
        looked = self._looked.get(declared.name)
        return looked is None or self._clock.monotonic() - looked >= LOOK

    def _resend(self, declared: AnyReceiver, receiver: Receiver) -> None:
        """Tell an Alertmanager all that stands, if it is time and no other replica of ours does."""
        name = declared.name
        if not self._should_look(declared) or not isinstance(receiver, Standing):
            return
        self._looked[name] = self._clock.monotonic()
        if not self._store.timers.claim(timer_of(name), RESEND, self._me):
            return
        standing = self._store.notices.standing(name, LINGER)
        if not standing:
            return
        try:
            sent = receiver.resend(standing)
        except DeliveryError as e:
            self._tell("notices.not-resent", receiver=name, reason=e.reason, why=e.message, hint=e.hint)
            return
        if sent.said:
            self._tell("notices.not-resent", receiver=name, why=sent.said)


def timer_of(receiver: str) -> str:
    """Return the timer by which one replica tells a receiver what stands; a timer's name has 64 characters at most."""
    name = f"resend:{receiver}"
    return name if len(name) <= LONGEST_TIMER else f"resend:{hashlib.sha256(receiver.encode()).hexdigest()[:48]}"


def _named(due: Due) -> dict[str, str]:
    return {"receiver": due.receiver, "key": due.notice.key, "turn": due.notice.turn.value, "notice": due.notice.id}
