"""The two buckets of one plan, through the fence. Lists and names; decides nothing and deletes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from restorecheck.errors import AwsError, SourceError
from restorecheck.fence import Permit, Role
from restorecheck.fence.object_parameters import LEASE, metadata_of, tags_of
from restorecheck.model import Answer, Assertion, ObjectVersion, Plan, RecoveryPoint, S3ObjectsSource
from restorecheck.passwords import Passwords
from restorecheck.sources.s3_objects import destinations
from restorecheck.sources.versions.history import Tally, current
from restorecheck.sources.versions.interface import Copy, Objects, Place
from restorecheck.sources.versions.listing import entries
from restorecheck.sources.versions.refusals import ABSENT
from restorecheck.sources.versions.selection import picks

Side = Literal["source", "scratch"]

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""What is current then is what is there now, whatever any clock says."""

SETTLED = timedelta(seconds=1)
"""How long before the second in which a run begins "now" is. S3 tells whole seconds: of the second that has not passed
yet a later listing could show more than the first one did."""

GIB = 1 << 30


class Hand(Protocol):
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
        run_id: str,
        check: str,
        bucket: str,
        source_bucket: str,
    ) -> Permit:
        """Make the permit of a run."""

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account for single calls."""

    def objects(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Objects:
        """Enter an account for objects in bulk."""


class Asker(Protocol):
    """Who asks queries of files on this machine, in a process of its own that can read nothing else."""

    def ask(
        self,
        assertions: Sequence[Assertion],
        files: Mapping[str, Mapping[str, tuple[Path, ...]]],
        objects: Path | None,
        salt: str,
        within: timedelta,
        *,
        names: Mapping[Path, str],
        tell: Callable[[str], object],
    ) -> tuple[Answer, ...]:
        """Return one answer for each assertion; `files` are by its name and the view's, `objects` is JSON lines.

        `names` has the key of each file, for messages; `tell` is given a sentence for what was read to its end.
        """


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free


@dataclass(frozen=True, slots=True)
class World:
    """What a source of objects works with; given by the composition root."""

    fence: Gate
    asker: Asker
    passwords: Passwords
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    workplace: Callable[[str], Path]  # of a run id: a directory on this machine that is this run's alone
    room: int = 10 * GIB  # bytes of restored objects that the questions of one run may bring to this machine
    files: int = 10_000  # and how many of them
    free: Callable[[Path], int] = _free  # bytes that are free where a path is
    slice: float = 20.0  # seconds that one look may work


class Reach:
    """Both buckets of a plan. Names everything that the run makes."""

    def __init__(self, plan: Plan, world: World) -> None:
        if not isinstance(plan.check.source, S3ObjectsSource):
            raise SourceError(f"{plan.check.name} is not a check of objects", kind="config")
        self.plan, self.check, self.world = plan, plan.check, world
        self.source, self.placement, self.limits = plan.check.source, plan.check.placement, plan.check.limits
        self.run_id, self.prefix = plan.run_id, destinations.prefix(plan.run_id)
        self._objects: dict[Side, Objects] = {}

    @property
    def at(self) -> datetime:
        """The time whose objects are tested. Raises SourceError `config` for one that is still to come."""
        at = self.source.at
        if at is None:
            return self.plan.now.replace(microsecond=0) - SETTLED
        at = self.plan.now - at if isinstance(at, timedelta) else at
        if at > self.plan.now:
            raise SourceError(f"`at` is {at:%Y-%m-%d %H:%M} UTC, after the time of the run", kind="config")
        return at

    # --- calls -------------------------------------------------------------------------------------------------------

    def permit(self) -> Permit:
        """Return what this run may touch."""
        return self.world.fence.permit(
            source_account=self.source.account,
            scratch_account=self.placement.account,
            region=self.source.region,
            began=self.plan.now,
            expires=self.plan.now + self.limits.lease,
            run_id=self.run_id,
            check=self.check.name,
            bucket=self.placement.bucket,
            source_bucket=self.source.bucket,
        )

    def _entered(self, side: Side) -> tuple[Role, str, str]:
        account = self.source.account if side == "source" else self.placement.account
        return Role(side), account, self.source.region

    def hand(self, side: Side) -> Hand:
        """Return the guarded role on one side, for single calls."""
        return self.world.fence.hand(*self._entered(side), self.permit())

    def objects(self, side: Side) -> Objects:
        """Return the guarded role on one side, for objects in bulk."""
        if side not in self._objects:
            self._objects[side] = self.world.fence.objects(*self._entered(side), self.permit())
        return self._objects[side]

    def reader(self) -> Objects:
        """Return the role that reads objects of the source: the one that must be able to, for the restore."""
        return self.objects("scratch" if self.source.transfer == "copy" else "source")

    # --- places ------------------------------------------------------------------------------------------------------

    def original(self, version: ObjectVersion) -> Place:
        """Return where one object of the backup is."""
        return Place(self.source.bucket, version.key, self.source.account, version.version)

    def restored(self, key: str) -> Place:
        """Return where an object is restored to."""
        return Place(self.placement.bucket, destinations.destination(self.run_id, key), self.placement.account)

    def copy(self, version: ObjectVersion) -> Copy:
        """Return the job that restores one object."""
        return Copy(self.original(version), self.restored(version.key), version.size, version.etag)

    # --- listings ----------------------------------------------------------------------------------------------------

    def standing(self, tally: Tally | None = None) -> Iterator[ObjectVersion]:
        """Yield what was current in the backup at its time, in the order of the keys."""
        pages = self.objects("source").pages(self.source.bucket, self.source.account, self.source.prefix)
        return current(entries(pages), self.at, tally or Tally(self.plan.now))

    def picked(self, point: RecoveryPoint, versions: Iterable[ObjectVersion] | None = None) -> Iterator[ObjectVersion]:
        """Yield those of them that this run restores."""
        wanted = picks(point.sample, self.run_id)
        return (v for v in (self.standing() if versions is None else versions) if wanted(v.key))

    def present(self, prefix: str) -> Iterator[ObjectVersion]:
        """Yield what is in the scratch bucket below a prefix now."""
        pages = self.objects("scratch").pages(self.placement.bucket, self.placement.account, prefix)
        return current(entries(pages), END_OF_TIME, Tally(END_OF_TIME))

    # --- the lease ---------------------------------------------------------------------------------------------------

    @property
    def lease(self) -> str:
        """The key of the lease."""
        return self.prefix + LEASE

    def tags(self) -> dict[str, str]:
        """Return the metadata that the lease must carry."""
        return metadata_of(self.permit().tags("objects", self.placement.account))

    def leased(self) -> bool | None:
        """Say whether the lease is this run's; None if there is none. Raises AwsError, SourceError."""
        try:
            found = self.hand("scratch").call(
                "s3",
                "HeadObject",
                Bucket=self.placement.bucket,
                Key=self.lease,
                ExpectedBucketOwner=self.placement.account,
            )
        except AwsError as e:
            if e.code in ABSENT:
                return None
            raise
        carried, ours = tags_of(found.get("Metadata") or {}), tags_of(self.tags())
        return carried == ours
