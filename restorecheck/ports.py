"""The world of real runs behind the workflow's ports: one configuration, AWS through the fence, databases, the store.

A composition room. One LivePorts belongs to one configuration; a run keeps the one that it began with. Decides nothing
about verdicts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from restorecheck.config import Config
from restorecheck.config.receivers import Sns
from restorecheck.databases.declared_postgres import DeclaredPostgres
from restorecheck.databases.duckdb import ObjectQueries
from restorecheck.databases.interface import Database, Keep
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE
from restorecheck.dumps.loaders import DumpLoaders
from restorecheck.durable import Clock
from restorecheck.errors import RefusedError, RestorecheckError
from restorecheck.evidence import Evidence
from restorecheck.fence import Fence, Mode
from restorecheck.model import AuroraSource, Check, Entrance, Known, Plan, Report, S3DumpSource, S3ObjectsSource
from restorecheck.passwords import Passwords
from restorecheck.schedule import check_of, scratch_name
from restorecheck.sources import s3_dump, s3_objects
from restorecheck.sources.aurora import AuroraSnapshots
from restorecheck.sources.interface import Source
from restorecheck.sources.rds import RdsSnapshots, World
from restorecheck.sources.rds.sightings import Sightings
from restorecheck.sources.s3_dump.work import Work
from restorecheck.state import key_of


def fence_of(config: Config, mode: Mode = Mode.ACT) -> Fence:
    """Return the fence around the configured accounts."""
    return Fence(
        {a.id: Entrance(a.id, a.role, a.external_id or "") for a in config.source_accounts},
        {a.id: Entrance(a.id, a.role, a.external_id or "") for a in config.scratch_accounts},
        topics=topics_of(config),
        endpoint_url=config.endpoint_url,
        mode=mode,
    )


def topics_of(config: Config) -> frozenset[str]:
    """Return the topics that a notifier may publish to: those of the configured receivers, by their ARNs."""
    return frozenset(receiver.topic for receiver in config.receivers if isinstance(receiver, Sns))


Knows = Callable[[Check, datetime], tuple[Known, ...]]
"""Returns what earlier runs measured, as far as a check is compared with it."""

Tells = Callable[[str, str, str], None]
"""Is told of a run, by its id, which step it is in and how far: a Listener's `looked`."""


class LivePorts:
    """The world of real runs under one configuration. `record` keeps a report; None: nobody does."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        record: Callable[[Report], None] | None = None,
        mode: Mode = Mode.ACT,
        fence: Fence | None = None,
        *,
        knows: Knows | None = None,
        tells: Tells | None = None,
    ) -> None:
        self.config, self.clock, self.kept = config, clock, record
        self._knows, self._tells = knows, tells
        self.fence = fence or fence_of(config, mode)
        self.passwords = Passwords(key_of(config.state))
        self._sightings = Sightings(self.fence, clock.monotonic) if mode is Mode.ACT else None
        roots = config.ca_bundle or BUNDLE
        self._databases: dict[str, Database] = {"postgresql": Postgres(roots=roots), "mysql": MySQL(roots=roots)}
        self._works: dict[str, Work] = {}  # of dumps, by run

    def plan(self, run: str) -> Plan:
        """See verify.Ports."""
        name = check_of(run)
        if name is None:
            raise RestorecheckError(f"{run!r} is not a run id", kind="config")
        check = self.config.check(name)
        now = self.clock.now()
        known = self._knows(check, now) if self._knows else ()
        return Plan(run, check, now, self._entrances(check), known)

    def source(self, plan: Plan) -> Source:
        """See verify.Ports."""
        fence = self._fence_for(plan)
        return self._made(plan, fence, self._sightings if fence is self.fence else None, imagined=False)

    def imagined(self, plan: Plan) -> Source:
        """Return the source as plan mode needs it: what the run would make seems to be there."""
        return self._made(plan, self.fence, None, imagined=True)

    def salt(self, run: str) -> str:
        """See verify.Ports."""
        return self.passwords.salt(run)

    def record(self, report: Report) -> None:
        """See verify.Ports."""
        if self.kept is not None:
            self.kept(report)

    def _made(self, plan: Plan, fence: Fence, sightings: Sightings | None, *, imagined: bool) -> Source:
        now, monotonic = self.clock.now, self.clock.monotonic
        match plan.check.source:
            case S3ObjectsSource():
                asker = ObjectQueries(monotonic=monotonic)
                objects = s3_objects.World(fence, asker, self.passwords, now, monotonic, self._workplace)
                return s3_objects.S3Objects(plan, objects, imagined=imagined)
            case S3DumpSource(engine=engine):
                programs, roots = self.config.programs, self.config.ca_bundle or BUNDLE
                loaders = DumpLoaders(programs.mysql if engine == "mysql" else programs.postgresql, roots)
                dumps = s3_dump.World(
                    fence,
                    self._databases,
                    loaders,
                    self.passwords,
                    now,
                    monotonic,
                    self._workplace,
                    self._works,
                    servers=partial(DeclaredPostgres, roots=roots),
                    tell=self._tell(plan.run_id),
                    evidence=self._evidence(plan.run_id),
                )
                return s3_dump.S3Dump(plan, dumps, imagined=imagined)
            case source:
                world = World(
                    fence,
                    self._databases,
                    self.passwords,
                    now,
                    sightings,
                    self._tell(plan.run_id),
                    evidence=self._evidence(plan.run_id),
                )
                kind = AuroraSnapshots if isinstance(source, AuroraSource) else RdsSnapshots
                return kind(plan, world, imagined=imagined)

    def _tell(self, run: str) -> Callable[[str], None]:
        def tell(status: str) -> None:
            if self._tells is not None:
                self._tells(run, "examine", status)

        return tell

    def _evidence(self, run: str) -> Keep | None:
        return Evidence(self.config.evidence, run).keep if self.config.evidence else None

    def _workplace(self, run: str) -> Path:
        return self.config.workplace / scratch_name(run)

    def _entrances(self, check: Check) -> tuple[Entrance, ...]:
        """Return how the two accounts of a check are entered, to be recorded with its plan."""
        source = self.config.source_account(check.source.account)
        scratch = self.config.scratch_account(check.placement.account)
        return tuple(Entrance(a.id, a.role, a.external_id or "") for a in (source, scratch))

    def _fence_for(self, plan: Plan) -> Fence:
        """Return a fence that knows the accounts of a plan, also when the file has lost them since.

        An account that has changed sides since is entered by nobody: then the fence as configured refuses every step.
        """
        known = {a.id for a in self.config.source_accounts} | {a.id for a in self.config.scratch_accounts}
        missing = {plan.check.source.account, plan.check.placement.account} - known
        if not missing or len(plan.entrances) != 2:
            return self.fence
        try:
            return self.fence.with_entrances(*plan.entrances)
        except RefusedError:
            return self.fence
