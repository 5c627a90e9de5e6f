"""The configuration that the serving process works with now, and how it is swapped: whole and valid, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from restorecheck import logs
from restorecheck.config import Config, load
from restorecheck.durable import Clock
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Counted, Fence, Outage
from restorecheck.model import Report
from restorecheck.ports import Knows, LivePorts, Tells, topics_of


class Current:
    """One configuration and the world under it. A run keeps the ones that it began with."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Load it. Raises RestorecheckError `config`."""
        self._path, self._clock, self._swapping = path, clock, threading.Lock()
        self.config: Config = _loaded(path)
        self.loaded_at, self.wrong = clock.now(), ""
        self._ports: LivePorts | None = None
        self._make: Callable[[Config, Fence | None], LivePorts] | None = None

    @property
    def ports(self) -> LivePorts:
        """The world of runs that begin now."""
        assert self._ports is not None, "the store is not open yet"  # noqa: S101 - a mistake of ours alone
        return self._ports

    def open(self, keep: Callable[[Report], None], knows: Knows | None = None, tells: Tells | None = None) -> None:
        """Make the world; `keep` is where reports go. Raises RestorecheckError `config`."""

        def make(config: Config, fence: Fence | None) -> LivePorts:
            return LivePorts(config, self._clock, keep, fence=fence, knows=knows, tells=tells)

        self._make, self._ports = make, make(self.config, None)

    def outages(self) -> Sequence[Outage]:
        """Return which parts of AWS do not answer."""
        return self._ports.fence.outages() if self._ports else ()

    def counted(self) -> Counted:
        """Return how often this process has asked AWS."""
        return self._ports.fence.counted() if self._ports else Counted({}, {})

    def reload(self) -> str:
        """Swap the configuration and return what was loaded; raise RestorecheckError `config` and keep the old one."""
        with self._swapping:
            try:
                config = self._read()
                ports = self._make(config, self._fence(config)) if self._make else None
            except RestorecheckError as e:
                self.wrong = f"not reloaded at {self._clock.now():%Y-%m-%d %H:%M:%S} UTC: {e.message}"
                raise
            self.config, self._ports = config, ports
            self.loaded_at, self.wrong = self._clock.now(), ""
        return f"loaded {len(config.checks)} checks"

    def _fence(self, config: Config) -> Fence | None:
        """Return the fence as it is if its accounts and topics are the same: its sessions, counts and outages stay."""
        old = self.config
        same = (old.source_accounts, old.scratch_accounts, topics_of(old), old.endpoint_url) == (
            config.source_accounts,
            config.scratch_accounts,
            topics_of(config),
            config.endpoint_url,
        )
        return self._ports.fence if self._ports and same else None

    def _read(self) -> Config:
        config = _loaded(self._path)
        if config.state != self.config.state:
            raise RestorecheckError(
                "`state` and `service_key` cannot be changed while serving",
                "stop the service and start it again",
                kind="config",
            )
        return config


def _loaded(path: Path) -> Config:
    """Load a configuration, and see to it that no line of the log repeats what must not be in one."""
    config = load(path)
    ids = [a.external_id for a in config.source_accounts] + [a.external_id for a in config.scratch_accounts]
    logs.hide(*(external_id for external_id in ids if external_id))
    if config.state.url and (password := urlsplit(config.state.url).password):
        logs.hide(password, unquote(password))
    return config
