"""What one run can see and call in its two accounts. Describes and signs, decides nothing.

`Reach` is what a check of an instance and one of a cluster have in common, and all that a check of an instance needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from types import MappingProxyType
from typing import ClassVar, Literal

from restorecheck.databases.interface import Database, Keep, Login
from restorecheck.errors import QueryError, SourceError
from restorecheck.fence import TAG_RESOURCE, TAG_RUN, Fence, Hand, Permit, Role
from restorecheck.model import AuroraSource, Plan, RdsSource, RecoveryPoint, SnapshotKind
from restorecheck.passwords import Passwords
from restorecheck.schedule import scratch_name
from restorecheck.sources.rds import describing, engines
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.naming import OF_INSTANCES, Snapshots
from restorecheck.sources.rds.sightings import Sightings

READER = "restorecheck_reader_"
"""The read-only role of a copy is READER + a few letters of the run, so that no role in the backup has its name."""

Side = Literal["source", "scratch"]

DEFAULT_DATABASE = MappingProxyType({"postgresql": "postgres", "mysql": ""})
"""Where a connection goes if nobody named a database: MySQL lets a client in without one."""


@dataclass(frozen=True, slots=True)
class World:
    """What an RDS source works with; given by the composition root."""

    fence: Fence
    databases: Mapping[str, Database]  # by who asks: "postgresql", "mysql"
    passwords: Passwords
    now: Callable[[], datetime]
    sightings: Sightings | None = None  # shared by all runs of a process; None: each look asks AWS for itself
    tell: Callable[[str], object] = lambda _: None  # hears how far a long look has come; see databases.Beside
    evidence: Keep | None = None  # keeps keys of rows that should not be there; see databases.Beside
    wait: Callable[[float], object] = time.sleep  # seconds


class Reach:
    """The two accounts of one plan, through the fence. Names everything that the run makes."""

    kept: ClassVar[Snapshots] = OF_INSTANCES
    """The kind of snapshot that the source is kept as."""
    engines: ClassVar[Mapping[str, str]] = engines.OF_INSTANCES
    """Engines that can be asked, as AWS names them, and by whom: a key of `World.databases`."""

    def __init__(self, plan: Plan, world: World) -> None:
        if not isinstance(plan.check.source, RdsSource | AuroraSource):
            raise SourceError(f"the check {plan.check.name} has no source in RDS", kind="internal")
        self.plan, self.check, self.world = plan, plan.check, world
        self.source: RdsSource | AuroraSource = plan.check.source
        self.placement, self.limits = plan.check.placement, plan.check.limits
        self.name = scratch_name(plan.run_id)
        """The id of everything that this run makes: the copy on either side, the instance, the cluster."""
        self._hands: dict[tuple[Side, str], Hand] = {}
        self._sightings = world.sightings
        self._since = self._sightings.monotonic() if self._sightings else 0.0

    @property
    def tested(self) -> str:
        """The name of the instance, or of the cluster, whose backups are tested."""
        return self.source.instance if isinstance(self.source, RdsSource) else self.source.cluster

    @property
    def database(self) -> str:
        """The database that a connection is made to unless a question names another."""
        named = (self.source.database, *(a.database for a in self.check.assertions))
        return next((name for name in named if name), DEFAULT_DATABASE[self.source.engine])

    def asker(self, point: RecoveryPoint) -> Database:
        """Return who asks a copy of this point. Raises SourceError `engine-unsupported`."""
        family = self.engines.get(point.engine, "")
        if family not in self.world.databases:
            raise SourceError(f"{point.arn} is of engine {point.engine}", kind="engine-unsupported")
        return self.world.databases[family]

    # --- which way a point goes: decided by the point and the plan alone, so that a replay goes the same way -------

    @staticmethod
    def exports(point: RecoveryPoint) -> bool:
        """Say whether the source account needs a manual copy first: only that can be shared."""
        if point.kind is SnapshotKind.SHARED:
            return False
        return point.kind in {SnapshotKind.AUTOMATED, SnapshotKind.AWSBACKUP} or point.default_key

    @classmethod
    def borrows(cls, point: RecoveryPoint) -> bool:
        """Say whether the owner's own manual snapshot is shared for the time of the run."""
        return point.kind is SnapshotKind.MANUAL and not cls.exports(point) and not point.shared_already

    def imports(self, point: RecoveryPoint) -> bool:
        """Say whether the scratch account needs a copy of its own before it can restore."""
        return point.encrypted  # a shared encrypted instance snapshot cannot be restored, only copied [RDS user guide]

    def shareable(self, point: RecoveryPoint) -> str:
        """Return the id, in the source account, of the snapshot that the scratch account reads."""
        return self.name if self.exports(point) else point.arn.split(f":{self.kept.kind}:")[-1]

    def shared_arn(self, point: RecoveryPoint) -> str:
        """Return the ARN by which the scratch account reads it."""
        return self.permit().arn(self.kept.kind, self.source.account, self.shareable(point))

    def restorable(self, point: RecoveryPoint) -> str:
        """Return what the scratch account restores from."""
        return self.name if self.imports(point) else self.shared_arn(point)

    # --- calls -----------------------------------------------------------------------------------------------------

    def permit(self, borrowed: str = "") -> Permit:
        """Return what this run may touch."""
        of_cluster = isinstance(self.source, AuroraSource)
        return self.world.fence.permit(
            source_account=self.source.account,
            scratch_account=self.placement.account,
            region=self.source.region,
            began=self.plan.now,
            expires=self.plan.now + self.limits.lease,
            run_id=self.plan.run_id,
            check=self.check.name,
            borrowed=borrowed,
            instance="" if of_cluster else self.tested,
            cluster=self.tested if of_cluster else "",
        )

    def hand(self, side: Side, borrowed: str = "") -> Hand:
        """Return the guarded role on one side; `borrowed` is the owner's snapshot that it may share and unshare."""
        if (side, borrowed) not in self._hands:
            permit = self.permit(borrowed)
            self._hands[side, borrowed] = self.world.fence.hand(*self._place(side), permit)
        return self._hands[side, borrowed]

    def sharing_hand(self, point: RecoveryPoint) -> Hand:
        """Return the source role with leave to share the snapshot that this point is shared by."""
        return self.hand("source", self.shareable(point) if self.borrows(point) else "")

    def tags(self, kind: Literal["db", "cluster", "snapshot", "cluster-snapshot"], side: Side) -> list[dict[str, str]]:
        """Return the tags that what is made on this side must carry."""
        return self.permit().tags(kind, self.hand(side).account)

    def _place(self, side: Side) -> tuple[Role, str, str]:
        account = self.source.account if side == "source" else self.placement.account
        return Role(side), account, self.source.region

    # --- looking ---------------------------------------------------------------------------------------------------

    def instance(self) -> Described | None:
        """Describe the scratch instance, or return None if AWS knows none."""
        return describing.instance(self.hand("scratch"), self.name)

    def eventful(self) -> list[tuple[str, str]]:
        """Return what may have events of this run's copy: types as DescribeEvents names them, and names."""
        return [("db-instance", self.name)]

    def snapshot(self, side: Side) -> Described | None:
        """Describe this run's copy on one side, or return None."""
        return describing.snapshot(self.hand(side), self.name, self.kept)

    def begun(self, begin: Callable[[], None]) -> Callable[[], None]:
        """Return a `begin` that notes its end: whatever was listed before that says nothing about what it began."""

        @wraps(begin)
        def noting() -> None:
            try:
                begin()
            finally:  # also after a failure: AWS may have done it all the same
                if self._sightings:
                    self._since = self._sightings.monotonic()

        return noting

    def sighted_instance(self) -> Described | None:
        """Return the scratch instance as a listing shared with other runs shows it: for waiting, and nothing else."""
        if self._sightings is None:
            return self.instance()
        return self._sightings.instance(*self._place("scratch"), self.name, since=self._since, every=self._every)

    def sighted_snapshot(self, side: Side) -> Described | None:
        """Return this run's copy on one side as a shared listing shows it: for waiting, and nothing else."""
        if self._sightings is None:
            return self.snapshot(side)
        place = self._place(side)
        return self._sightings.snapshot(*place, self.name, self.kept, since=self._since, every=self._every)

    @property
    def _every(self) -> float:
        return self.limits.poll.total_seconds()

    def manual_snapshots(self, side: Side) -> Iterator[Described]:
        """List every manual snapshot on one side."""
        return self.hand(side).pages("rds", self.kept.describe, self.kept.key, SnapshotType="manual")

    def shared(self, snapshot: str) -> bool:
        """Say whether a snapshot of the source account is shared with the scratch account."""
        word = self.kept.word
        answer = self.hand("source").call("rds", f"Describe{word}Attributes", **{self.kept.identifier: snapshot})
        attributes = answer[f"{word}AttributesResult"][f"{word}Attributes"]
        values = [v for a in attributes if a["AttributeName"] == "restore" for v in a.get("AttributeValues", [])]
        return self.placement.account in values

    def ours(self, described: Described | None) -> bool:
        """Say whether this run made it. The fence decides again, by more, before anything is changed."""
        if described is None:
            return False
        tags = self.tags_of(described)
        arn = next((described[name] for name in _ARNS if name in described), None)
        return tags.get(TAG_RUN) == self.plan.run_id and tags.get(TAG_RESOURCE) == arn

    @staticmethod
    def tags_of(described: Described) -> dict[str, str]:
        """Return the tags in a describe answer."""
        return {tag["Key"]: tag.get("Value", "") for tag in described.get("TagList") or []}

    # --- logging in ------------------------------------------------------------------------------------------------

    def password(self, user: str) -> str:
        """Return the password of a user of this run's copy."""
        return self.world.passwords.of(self.plan.run_id, user)

    def login(self, instance: Described, user: str = "") -> Login:
        """Return how to log in to the copy: as its read-only role, unless a user is named."""
        endpoint = instance.get("Endpoint")
        if not endpoint:
            raise QueryError(f"the instance {self.name} has no endpoint yet", retryable=True)
        return self.login_at(endpoint["Address"], endpoint["Port"], user)

    def login_at(self, host: str, port: int, user: str = "") -> Login:
        """Return how to log in at an address, as `login` does."""
        user = user or READER + self.world.passwords.salt(self.plan.run_id)[:8]
        return Login(host, port, user, self.password(user), self.database)


_ARNS = ("DBInstanceArn", "DBSnapshotArn", "DBClusterSnapshotArn", "DBClusterArn")


class ImaginedReach(Reach):
    """A Reach in which this run's copies and instance seem to exist, so that plan mode reaches every call."""

    def __init__(self, plan: Plan, world: World) -> None:
        super().__init__(plan, world)
        self._sightings = None

    def instance(self) -> Described:
        """Return the instance that the run would make."""
        tags = self.tags("db", "scratch")
        arn = self.permit().arn("db", self.placement.account, self.name)
        return {"DBInstanceIdentifier": self.name, "DBInstanceArn": arn, "TagList": tags}

    def snapshot(self, side: Side) -> Described:
        """Return the copy that the run would make on one side."""
        kept, account = self.kept, self._place(side)[1]
        arn = self.permit().arn(kept.kind, account, self.name)
        return {kept.identifier: self.name, kept.arn: arn, "TagList": self.tags(kept.kind, side)}
