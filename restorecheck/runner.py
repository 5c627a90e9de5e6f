"""Puts the parts together and runs checks: the composition shared by everything that runs one.

Holds a lock per check, so that a run that was killed is taken up by exactly one process; lets only so many runs into
one scratch account at once; and turns a cancel into a teardown. Decides nothing about verdicts.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from restorecheck.config import Config
from restorecheck.databases.postgres import Postgres
from restorecheck.durable import Durable, Listener
from restorecheck.engines.clock import WallClock
from restorecheck.engines.dbos import DbosEngine
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Entrance, Fence, Mode
from restorecheck.model import Check, Plan, Report
from restorecheck.passwords import Passwords, service_key
from restorecheck.schedule import check_of, run_id
from restorecheck.sources.interface import Source
from restorecheck.sources.rds import RdsSnapshots, World
from restorecheck.store import RunStore
from restorecheck.verify import verify


def fence_of(config: Config, mode: Mode = Mode.ACT) -> Fence:
    """Return the fence around the configured accounts."""
    return Fence(
        {a.id: Entrance(a.id, a.role, a.external_id or "") for a in config.source_accounts},
        {a.id: Entrance(a.id, a.role, a.external_id or "") for a in config.scratch_accounts},
        endpoint_url=config.endpoint_url,
        mode=mode,
    )


class LivePorts:
    """The world of real runs: this configuration, AWS, PostgreSQL and the store."""

    def __init__(self, config: Config, clock: WallClock, store: RunStore | None, mode: Mode = Mode.ACT) -> None:
        self.config, self.clock, self.store = config, clock, store
        self.fence = fence_of(config, mode)
        self.passwords = Passwords(service_key(config.state / "service.key"))

    def plan(self, run: str) -> Plan:
        """See verify.Ports."""
        name = check_of(run)
        if name is None:
            raise RestorecheckError(f"{run!r} is not a run id", kind="config")
        return Plan(run, self.config.check(name), self.clock.now())

    def source(self, plan: Plan) -> Source:
        """See verify.Ports."""
        return RdsSnapshots(plan, self._world())

    def imagined(self, plan: Plan) -> Source:
        """Return the source as plan mode needs it: what the run would make seems to be there."""
        return RdsSnapshots(plan, self._world(), imagined=True)

    def _world(self) -> World:
        database = Postgres(roots=self.config.ca_bundle) if self.config.ca_bundle else Postgres()
        return World(self.fence, database, self.passwords, self.clock.now)

    def salt(self, run: str) -> str:
        """See verify.Ports."""
        return self.passwords.salt(run)

    def record(self, report: Report) -> None:
        """See verify.Ports."""
        if self.store is not None:
            self.store.save(report)


class Runner:
    """Runs checks now, side by side, and takes up what was interrupted. One per process."""

    def __init__(self, config: Config, listener: Listener) -> None:
        self.config, self.listener = config, listener
        self.clock = WallClock()
        make_state(config.state)
        self.store = RunStore.in_directory(config.state)

    def run(self, names: Sequence[str]) -> list[Report]:
        """Run these checks and return their proofs, in the order in which they end.

        A check with an unfinished run takes that up instead of beginning another. Raises RestorecheckError if a name is
        unknown or a check is being run by another process; then nothing was begun.
        """
        checks = [self.config.check(name) for name in dict.fromkeys(names)]
        ports = LivePorts(self.config, self.clock, self.store)

        def workflow(durable: Durable) -> Report:
            return verify(durable, ports)

        url = f"sqlite:///{self.config.state / 'runs.sqlite'}"
        engine = DbosEngine(url, workflow, self.clock, self.listener, self.clock.cancelled)
        with ExitStack() as held:
            for check in checks:
                held.enter_context(_locked(self.config.state, check.name))
            engine.start([check.name for check in checks])
            held.callback(engine.close)
            return [report for reports in self._side_by_side(engine, checks) for report in reports]

    def close(self) -> None:
        """Give the store's connections back."""
        self.store.close()

    def _side_by_side(self, engine: DbosEngine, checks: Iterable[Check]) -> Iterable[list[Report]]:
        pools: dict[str, ThreadPoolExecutor] = {}
        futures: list[Future[list[Report]]] = []
        for check in checks:
            account = check.placement.account
            if account not in pools:
                limit = self.config.scratch_account(account).instances
                pools[account] = ThreadPoolExecutor(limit, thread_name_prefix=f"scratch-{account}")
            futures.append(pools[account].submit(self._one, engine, check))
        for future in as_completed(futures):
            yield future.result()
        for pool in pools.values():
            pool.shutdown()

    def _one(self, engine: DbosEngine, check: Check) -> list[Report]:
        if unfinished := engine.unfinished(check.name):
            return [engine.resume(check.name, run).report() for run in unfinished]
        return [engine.begin(check.name, run_id(check.name, self.clock.now())).report()]


def make_state(state: Path) -> None:
    """Make the state directory, readable by its owner only. Raises RestorecheckError `config`."""
    try:
        (state / "locks").mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)
    except OSError as e:
        raise RestorecheckError(
            f"the state directory {state} cannot be made: {e.strerror}", "set `state` in config.toml", kind="config"
        ) from e


def _locked(state: Path, check: str) -> IO[str]:
    """Hold the lock of a check until the file is closed or this process ends, however it ends."""
    file = (state / "locks" / f"{check}.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "?"
        file.close()
        raise RestorecheckError(
            f"{check} is being run already, by process {holder}", "wait for it, or stop that process", kind="config"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
