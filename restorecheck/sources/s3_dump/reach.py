"""What one run of a dump check can see and name: the source bucket, its own directory here, its database server.

It enters the source account as a reader without a permit, so it cannot write to AWS; it does not enter the scratch
account at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from restorecheck.databases.interface import Database, Keep, Login
from restorecheck.errors import SourceError
from restorecheck.fence import Permit, Role
from restorecheck.model import Check, Plan, S3DumpSource
from restorecheck.passwords import Passwords
from restorecheck.schedule import scratch_name
from restorecheck.sources.s3_dump.loads import Loaders, Loads, Server
from restorecheck.sources.versions.interface import Objects, Place

if TYPE_CHECKING:
    from restorecheck.sources.s3_dump.work import Work

READER = "restorecheck_reader_"
"""The read-only role of a copy is READER + a few letters of the run, so that no role in the backup has its name."""


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


class Reader(Protocol):
    """What is needed of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""


class Gate(Protocol):
    """What is needed of the fence."""

    def permit(
        self,
        *,
        source_account: str,
        scratch_account: str,
        region: str,
        began: datetime,
        expires: datetime,
        run_id: str = "",
        check: str = "",
    ) -> Permit:
        """Make the permit of a run; here for the ARNs that it knows, and never used to call."""

    def hand(self, role: Role, account: str, region: str) -> Reader:
        """Enter an account, without a permit: it only reads."""

    def objects(self, role: Role, account: str, region: str) -> Objects:
        """Enter an account for objects in bulk, without a permit."""


@dataclass(frozen=True, slots=True)
class World:
    """What a dump source works with; given by the composition root, and shared by all runs of a process."""

    fence: Gate
    databases: dict[str, Database]  # by the engine of a dump: who asks
    loaders: Loaders
    passwords: Passwords
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    workplace: Callable[[str], Path]  # the directory of a run; need not exist
    works: dict[str, Work] = field(default_factory=dict)  # what is under way in this process, by run id
    free: Callable[[Path], int] = _free  # bytes that are free on the disk of a directory
    patience: float = 2.0  # seconds that one look waits for the work to end
    pause: float = 1.0  # seconds between two knocks at a server that was just loaded
    servers: Callable[[str], Server] | None = None  # opens a declared server by its URL
    tell: Callable[[str], object] = lambda _: None  # hears how far a long look has come; see databases.Beside
    evidence: Keep | None = None  # keeps keys of rows that should not be there; see databases.Beside


class Reach:
    """The world of one plan."""

    def __init__(self, plan: Plan, world: World) -> None:
        if not isinstance(plan.check.source, S3DumpSource):
            raise SourceError(f"{plan.check.name} is no check of a dump", kind="config")
        self.plan, self.world = plan, world
        self.check: Check = plan.check
        self.source: S3DumpSource = plan.check.source
        self.limits = plan.check.limits
        self.name = scratch_name(plan.run_id)

    @property
    def at(self) -> datetime:
        """The time whose newest dump is taken. Raises SourceError `config` for one that has not come yet."""
        at, now = self.source.at, self.plan.now
        if isinstance(at, timedelta):
            return now - at
        if at is not None and at > now:
            raise SourceError(f"`at` is {at.isoformat()}, which is after the run", kind="config")
        return at or now

    def place(self, key: str, version: str = "") -> Place:
        """Return one version of one object of the source bucket."""
        return Place(self.source.bucket, key, self.source.account, version)

    def url(self, key: str) -> str:
        """Return how an object of the source bucket is named to people."""
        return f"s3://{self.source.bucket}/{key}"

    def arn(self, key: str) -> str:
        """Return the ARN of an object of the source bucket."""
        permit = self.world.fence.permit(
            source_account=self.source.account,
            scratch_account=self.check.placement.account,
            region=self.source.region,
            began=self.plan.now,
            expires=self.plan.now + self.limits.lease,
            run_id=self.plan.run_id,
            check=self.check.name,
        )
        return permit.arn("objects", self.source.account, f"{self.source.bucket}/{key}")

    def hand(self) -> Reader:
        """Return the source role, which only reads."""
        return self.world.fence.hand(Role.SOURCE, self.source.account, self.source.region)

    def objects(self) -> Objects:
        """Return the source role for objects in bulk, which only reads."""
        return self.world.fence.objects(Role.SOURCE, self.source.account, self.source.region)

    # --- the scratch database ------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The directory of this run, and of no other, on this machine."""
        return self.world.workplace(self.plan.run_id)

    @property
    def salt(self) -> str:
        """The salt of this run's digests."""
        return self.world.passwords.salt(self.plan.run_id)

    def password(self, user: str) -> str:
        """Return the password of a user of this run's server."""
        return self.world.passwords.of(self.plan.run_id, user)

    @property
    def reader_name(self) -> str:
        """The name of this run's read-only role."""
        return READER + self.salt[:8]

    def reader(self, master: Login) -> Login:
        """Return how the read-only role logs in to the server that `master` is the master of."""
        user = self.reader_name
        return Login(master.host, master.port, user, self.password(user), master.database)

    @property
    def database_name(self) -> str:
        """The name of this run's database on a declared server."""
        return self.name.replace("-", "_")

    def loader(self) -> Loads:
        """Return who restores this run's dump. Nothing is made yet."""
        server = self.server
        declared = None if server is None else (lambda: server.make(self.database_name, self.plan.run_id))
        return self.world.loaders(self.source, self.directory, declared)

    @property
    def server(self) -> Server | None:
        """The declared server, or None: one is started here. Raises SourceError `environment`."""
        if self.source.server is None or self.source.engine == "mysql":
            return None
        if self.world.servers is None:
            raise SourceError("nothing here can restore into a declared server", kind="environment")
        return self.world.servers(self.source.server)

    @property
    def database(self) -> Database:
        """Who asks a database of this engine. Raises SourceError `environment` if nobody here can."""
        found = self.world.databases.get(self.source.engine)
        if found is None:
            raise SourceError(f"nothing here can ask a database of {self.source.engine}", kind="environment")
        return found
