"""What the serving process knows of itself, for /-/ready. Asks nobody: the rounds tell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from restorecheck.durable import Clock
from restorecheck.fence import Outage
from restorecheck.service.current import Current
from restorecheck.web.readiness import Aspect

FORGOTTEN = timedelta(minutes=15)
"""How long ago AWS did not answer for it to say nothing of now: perhaps nobody has asked since."""

STALE = 30.0
"""Seconds without a round after which the process is not ready."""


class Health:
    """How the parts are. Told by one thread, read by any."""

    def __init__(self, clock: Clock, current: Current) -> None:
        self._clock, self._current = clock, current
        self._looked: float | None = None
        self.ticked: datetime | None = None  # when what is due was last looked at, to the end
        self.trouble, self._since = "it is not open yet", clock.now()
        self.stopping = False

    def looked(self) -> None:
        """Note that a round was gone."""
        self._looked = self._clock.monotonic()

    def unwell(self, why: str) -> bool:
        """Note why the store does not do what is asked; say whether that is news."""
        news, began = why != self.trouble, not self.trouble
        if began:
            self._since = self._clock.now()
        self.trouble = why
        return news

    def well(self) -> bool:
        """Note that the store does what is asked; say whether that is news."""
        news, self.trouble = bool(self.trouble), ""
        return news

    def aspects(self) -> Sequence[Aspect]:
        """Return what /-/ready tells."""
        current, now = self._current, self._clock.now()
        checks = f"{len(current.config.checks)} checks, loaded {current.loaded_at:%Y-%m-%d %H:%M:%S} UTC"
        told = [
            Aspect("configuration", ok=not current.wrong, text=current.wrong or checks, blocks=False),
            Aspect("store", ok=not self.trouble, text=self._store()),
            Aspect("scheduler", ok=self._fresh(), text=self._round()),
        ]
        if self.stopping:
            told.append(Aspect("process", ok=False, text="stopping"))
        return [*told, *(_aspect(outage, now) for outage in current.outages() if now - outage.last < FORGOTTEN)]

    def _store(self) -> str:
        where = self._current.config.state.shown
        return f"{where}: {self.trouble}, since {self._since:%H:%M:%S} UTC" if self.trouble else f"{where}: ok"

    def _fresh(self) -> bool:
        return self._looked is not None and self._clock.monotonic() - self._looked < STALE

    def _round(self) -> str:
        if self._looked is None:
            return "has not looked yet"
        return f"looked {self._clock.monotonic() - self._looked:.0f} s ago"


def _aspect(outage: Outage, now: datetime) -> Aspect:
    """AWS that does not answer makes nobody unready: no other replica would be answered either."""
    seconds = max(0.0, (now - outage.since).total_seconds())
    where = f"{outage.service} for the {outage.role} account {outage.account} in {outage.region}".replace("  ", " ")
    return Aspect("aws", ok=False, text=f"no answer from {where} for {seconds:.0f} s: {outage.message}", blocks=False)
