"""The figures of a serving process: what the store says and what only this process knows, put together when asked.

Whoever asks always gets an answer, and soon. A store that cannot be read, or that hangs, is a figure (`store_up`) and
no failure: that the process still looks at what is due must be seen then more than ever.
"""

from __future__ import annotations

from dataclasses import replace

from restorecheck import __version__, logs
from restorecheck.config import Config
from restorecheck.durable import Clock
from restorecheck.errors import StoreError
from restorecheck.metrics import aws, derived, exposition
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Facts, Kept, Look, Process
from restorecheck.service.current import Current
from restorecheck.service.health import Health
from restorecheck.service.patience import Patient
from restorecheck.store import Store

PATIENCE = 5.0
"""Seconds that the store may take. Prometheus gives a scrape 10 by default."""


class Measuring:
    """The figures of one process. Asked from any thread."""

    def __init__(self, current: Current, health: Health, clock: Clock, patience: float = PATIENCE) -> None:
        self._current, self._health, self._clock, self._patience = current, health, clock, patience
        self._log = logs.get("metrics")
        self._ask: Patient[tuple[Config, Kept]] | None = None

    def open(self, store: Store) -> None:
        """Read this store from now on; until then there is none."""
        look = Look(store)

        def read() -> tuple[Config, Kept]:
            config = self._current.config  # the one that the store is asked about is the one that is spoken of
            return config, look.kept(config, self._clock.now())

        self._ask = Patient(read, self._patience)

    def figures(self) -> Figures:
        """Return the figures of now. Raises nothing."""
        config, kept = self._kept()
        facts = Facts(config, self._clock.now(), __version__, kept, self._process())
        try:
            made = derived.figures(facts)
        except Exception as e:  # noqa: BLE001 - a bug of ours in one figure must not hide that the process lives
            self._log.error("metrics.failed", exc_info=e)
            made = derived.figures(replace(facts, kept=None))
        asked = self._current.counted()
        made.merge(aws.figures_of(asked.sent, asked.failed))
        return made

    def text(self) -> str:
        """Return the figures of now as Prometheus reads them."""
        return exposition.text(self.figures())

    def _kept(self) -> tuple[Config, Kept | None]:
        if self._ask is not None:
            try:
                return self._ask()
            except StoreError as e:
                self._log.debug("metrics.without-store", why=e.message)  # the rounds tell it
            except TimeoutError:
                self._log.warning("metrics.without-store", why=f"no answer within {self._patience:.0f} s")
            except Exception as e:  # noqa: BLE001 - as above
                self._log.error("metrics.failed", exc_info=e)
        return self._current.config, None

    def _process(self) -> Process:
        current = self._current
        return Process(self._health.ticked, reload_worked=not current.wrong, loaded=current.loaded_at)
