"""The service as one process or several: started, killed with SIGKILL at random moments, started again.

Only processes that were started here are ever signalled.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROCESS = Path(__file__).parent / "service_process.py"
SKEWS = (0.0, 60.0, -60.0)
"""By how many seconds the clock of each replica is wrong."""

STARTING = 2.5
"""Seconds within which a process is still starting."""

DEAF = 10.0
"""Seconds within which it may not heed signals yet, on a busy machine."""


@dataclass
class Replica:
    """One place for a process, and what fate has in store for it."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    dies: float = 0.0
    rises: float = 0.0


@dataclass
class Replicas:
    """All of them. `home` holds config.toml, `clock` and `witness`; logs go there as well."""

    home: Path
    environment: Mapping[str, str]
    fate: random.Random
    count: int = 1
    kills: int = 0
    left_dead: int = 0
    """How often one was left dead for so long that others had to take over."""
    troubles: list[str] = field(default_factory=list)
    places: list[Replica] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = [Replica(number) for number in range(self.count)]

    def start(self, replica: Replica) -> None:
        """Start one, and decide how long it lives."""
        log = (self.home / f"service-{replica.number}.log").open("ab")
        env = dict(self.environment) | {
            "WITNESS": str(self.home / "witness"),
            "CLOCK": str(self.home / "clock"),
            "OWN": str(SKEWS[replica.number % len(SKEWS)] if self.count > 1 else 0.0),
        }
        command = [sys.executable, str(PROCESS), str(self.home / "config.toml")]
        with log:
            replica.process = subprocess.Popen(
                command, cwd=self.home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        young = self.fate.random() < 0.25
        life = self.fate.uniform(0.02, STARTING) if young else self.fate.uniform(STARTING, 12.0)
        replica.born = time.monotonic()
        replica.dies = replica.born + life

    def kill(self, replica: Replica) -> None:
        """kill -9, and decide when it comes again."""
        process = replica.process
        assert process is not None
        process.kill()
        process.wait()
        self._bear_witness(process.pid)
        replica.process, self.kills = None, self.kills + 1
        replica.rises = time.monotonic()
        if self.count > 1 and self.fate.random() < 0.3:
            self.left_dead += 1
            replica.rises += self.fate.uniform(5.0, 15.0)

    def _bear_witness(self, pid: int) -> None:
        with (self.home / "witness").open("a") as file:
            file.write(f"killed|{pid}-|-|-\n")

    def all_up(self) -> None:
        """Start all that do not run."""
        self.look_for_ended()
        for replica in self.places:
            if replica.process is None:
                self.start(replica)

    def strike(self) -> None:
        """Kill those whose time has come, and start those that come again."""
        self.look_for_ended()
        now = time.monotonic()
        for replica in self.places:
            if replica.process is None and now >= replica.rises:
                self.start(replica)
            elif replica.process is not None and now >= replica.dies:
                self.kill(replica)

    def look_for_ended(self) -> None:
        """Note those that ended without being told to; they are started again a second later."""
        for replica in self.places:
            if replica.process is not None and (code := replica.process.poll()) is not None:
                self.troubles.append(f"service {replica.number} ended by itself with code {code}")
                self._bear_witness(replica.process.pid)
                replica.process, replica.rises = None, time.monotonic() + 1.0

    def stop(self, at_most: float = 60.0) -> None:
        """Ask all to drain; one that does not end well is trouble."""
        self.look_for_ended()
        running = [replica for replica in self.places if replica.process is not None]
        asked = time.monotonic()
        for replica in running:
            assert replica.process is not None
            replica.process.send_signal(signal.SIGTERM)
        for replica in running:
            assert replica.process is not None
            try:
                code = replica.process.wait(at_most)
                deaf = code == -signal.SIGTERM and asked - replica.born < DEAF  # it had only begun to start
                if code != 0 and not deaf:
                    self.troubles.append(f"service {replica.number} was told to stop, and ended with code {code}")
            except subprocess.TimeoutExpired:
                self.troubles.append(f"service {replica.number} was told to stop, and did not")
                self.kill(replica)
            replica.process = None

    def end(self) -> None:
        """End whatever still runs, without a word."""
        for replica in self.places:
            if replica.process is not None and replica.process.poll() is None:
                os.kill(replica.process.pid, signal.SIGKILL)
                replica.process.wait()
            replica.process = None

    def tails(self, lines: int = 30) -> str:
        """Return the ends of the logs."""
        told = []
        for path in sorted(self.home.glob("service-*.log")):
            told += [f"--- {path}", *path.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(told)
