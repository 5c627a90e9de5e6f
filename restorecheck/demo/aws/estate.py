"""Everything that exists in all accounts and regions, and the orders in force: timings, quotas, faults, the call log.

It holds and finds; the rules of RDS are in rds_*.py. One lock guards it all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from restorecheck.demo.aws import mariadb, postgres
from restorecheck.demo.aws.calllog import CallLog
from restorecheck.demo.aws.clusters import Cluster
from restorecheck.demo.aws.dataplane import DataPlane
from restorecheck.demo.aws.enforcement import Enforcement
from restorecheck.demo.aws.errors import AwsError, ControlError
from restorecheck.demo.aws.events import CLUSTER, INSTANCE, Events
from restorecheck.demo.aws.faults import Faults
from restorecheck.demo.aws.instances import Instance
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, OF_INSTANCES, Family, Snapshot
from restorecheck.demo.aws.timeline import Clock, Timings

T = TypeVar("T")
Outage = Literal["closed", "unavailable"]
INSTANCES = CLUSTERS = 40
SNAPSHOTS = 100
"""AWS's default quotas per account and region."""


@dataclass
class Region:
    """RDS of one account in one region; identifiers are lower case, as RDS stores them."""

    instances: dict[str, Instance] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    cluster_snapshots: dict[str, Snapshot] = field(default_factory=dict)
    instance_quota: int = INSTANCES
    cluster_quota: int = CLUSTERS
    snapshot_quota: int = SNAPSHOTS
    cluster_snapshot_quota: int = SNAPSHOTS

    def held(self, family: Family) -> dict[str, Snapshot]:
        """Return the snapshots of a family."""
        return self.snapshots if family is OF_INSTANCES else self.cluster_snapshots

    def room_for(self, family: Family) -> int:
        """Return how many manual snapshots of a family there may be."""
        return self.snapshot_quota if family is OF_INSTANCES else self.cluster_snapshot_quota


class Estate:
    """All accounts. `timings` are those at the start, to which a reset returns."""

    def __init__(self, data: DataPlane, timings: Timings, clock: Clock = time.monotonic) -> None:
        self.data, self._clock, self._first_timings = data, clock, timings
        self._skipped = 0.0
        self.timings = timings
        self.faults = Faults()
        self.calls = CallLog()
        self.events = Events()
        self.offset = timedelta(0)
        self.outage: Outage | None = None
        self.iam = Enforcement()
        self.lock = threading.RLock()
        self._timers: dict[threading.Timer, tuple[float, Callable[[], None]]] = {}
        self._regions: dict[tuple[str, str], Region] = {}

    def clock(self) -> float:
        """Return the seconds by which phases last: they only go forward, now and then by a skip."""
        return self._clock() + self._skipped

    def today(self) -> datetime:
        """Return the time of day that the estate tells: ours, and the offset that it was told."""
        return datetime.now(UTC) + self.offset

    def region(self, account: str, name: str) -> Region:
        """Return one account's RDS in one region, without what was deleted, once that has come to an end."""
        with self.lock:
            region = self._regions.setdefault((account, name), Region())
            now = self.clock()
            region.instances = {key: i for key, i in region.instances.items() if not i.gone(now)}
            region.clusters = {key: c for key, c in region.clusters.items() if not c.gone(now)}
            return region

    def regions_of(self, account: str) -> list[tuple[str, Region]]:
        """Return an account's regions that were ever used, by name."""
        with self.lock:
            names = sorted(name for owner, name in self._regions if owner == account)
            return [(name, self.region(account, name)) for name in names]

    def all_instances(self) -> Iterator[Instance]:
        """Yield every instance of every account."""
        with self.lock:
            regions = list(self._regions.values())
        for region in regions:
            yield from list(region.instances.values())

    def all_clusters(self) -> Iterator[Cluster]:
        """Yield every cluster of every account."""
        with self.lock:
            regions = list(self._regions.values())
        for region in regions:
            yield from list(region.clusters.values())

    def all_snapshots(self) -> Iterator[Snapshot]:
        """Yield every snapshot of every account, of instances and of clusters."""
        with self.lock:
            regions = list(self._regions.values())
        for region in regions:
            yield from [*region.snapshots.values(), *region.cluster_snapshots.values()]

    def instance(self, account: str, region: str, identifier: str) -> Instance:
        """Find an account's own instance by name or ARN. Raises DBInstanceNotFound."""
        name = own_name(identifier, account, region, "db")
        found = self.region(account, region).instances.get(name.lower()) if name else None
        if found is None:
            raise AwsError("DBInstanceNotFound", f"DBInstance {identifier} not found.")
        return found

    def cluster(self, account: str, region: str, identifier: str) -> Cluster:
        """Find an account's own cluster by name or ARN. Raises DBClusterNotFoundFault."""
        name = own_name(identifier, account, region, "cluster")
        found = self.region(account, region).clusters.get(name.lower()) if name else None
        if found is None:
            raise AwsError("DBClusterNotFoundFault", f"DBCluster {identifier} not found.")
        return found

    def own_snapshot(self, account: str, region: str, identifier: str, family: Family = OF_INSTANCES) -> Snapshot:
        """Find an account's own snapshot by name or ARN. Raises the error of its family that it is missing."""
        name = own_name(identifier, account, region, family.arn)
        found = self.region(account, region).held(family).get(name.lower()) if name else None
        if found is None:
            raise AwsError(family.missing, f"{family.word} {identifier} not found.")
        return found

    def snapshot(self, account: str, region: str, identifier: str, family: Family = OF_INSTANCES) -> Snapshot:
        """Find an own snapshot, or by ARN one that another account shared. Raises as `own_snapshot`."""
        if not identifier.startswith("arn:"):
            return self.own_snapshot(account, region, identifier, family)
        parts = identifier.split(":", 6)
        if len(parts) == 7 and parts[2] == "rds" and parts[5] == family.arn:
            found = self.region(parts[4], parts[3]).held(family).get(parts[6].lower())
            if found and found.visible_to(account):
                return found
        raise AwsError(family.missing, f"{family.word} {identifier} not found.")

    def happened(self, to: Instance | Cluster, message: str, *categories: str) -> None:
        """Note an event of an instance or cluster, now."""
        kind = INSTANCE if isinstance(to, Instance) else CLUSTER
        self.events.note(self.today(), (to.account, to.region), kind, to.identifier, message, *categories)

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Do work once, some seconds from now, unless the estate is emptied before."""

        def act() -> None:
            with self.lock:
                due = self._timers.pop(timer, None)
            if due:  # else it was put off, or called off, at this very moment
                work()

        timer = threading.Timer(seconds, act)
        timer.daemon = True
        with self.lock:
            self._timers[timer] = (self.clock() + seconds, work)
        timer.start()

    def skip(self, seconds: float) -> None:
        """Let so many seconds of every phase pass at once."""
        with self.lock:
            self._skipped += seconds
            for due, work in self._call_off():
                self.after(max(0.0, due - self.clock()), work)

    def _call_off(self) -> list[tuple[float, Callable[[], None]]]:
        """Let nothing that waits for its time be done, and return it, with its time."""
        for timer in self._timers:
            timer.cancel()
        waiting = list(self._timers.values())
        self._timers.clear()
        return waiting

    def describe(self) -> dict[str, Any]:
        """Return the running processes and where the data is, for the control endpoint."""
        return {
            "postgres": sorted(pid for s in self.data.running() if isinstance(s, postgres.Server) and (pid := s.pid)),
            "mariadb": sorted(pid for s in self.data.running() if isinstance(s, mariadb.Server) and (pid := s.pid)),
            "data_dir": str(self.data.root),
            "postgres_version": self.data.binaries.version,
            "postgres_bin": str(self.data.binaries.bin),
        }

    def snapshot_directory(self, account: str, region: str, identifier: str) -> Path:
        """Return a snapshot's data directory, once it is complete. Raises ControlError."""
        return self._snapshot_directory(account, region, identifier, OF_INSTANCES)

    def cluster_snapshot_directory(self, account: str, region: str, identifier: str) -> Path:
        """Return the same of a snapshot of a cluster."""
        return self._snapshot_directory(account, region, identifier, OF_CLUSTERS)

    def _snapshot_directory(self, account: str, region: str, identifier: str, family: Family) -> Path:
        snapshot = _found(lambda: self.own_snapshot(account, region, identifier, family))
        snapshot.work.result(120)
        return snapshot.directory

    def cluster_directory(self, account: str, region: str, identifier: str) -> Path:
        """Return a cluster's data directory, once its data is there. Raises ControlError."""
        return _found(lambda: self.cluster(account, region, identifier)).volume.laid.result(120)

    def instance_directory(self, account: str, region: str, identifier: str) -> Path:
        """Return an instance's data directory, once its database runs. Raises ControlError."""
        instance = _found(lambda: self.instance(account, region, identifier))
        return instance.boot.result(120).data

    def reset(self) -> None:
        """Empty every account, stop every database, and return to the timings of the start."""
        with self.lock:
            self._call_off()
            instances, clusters = list(self.all_instances()), list(self.all_clusters())
            for instance in instances:
                instance.give_up()
            pending: list[Future[Any]] = [i.boot for i in instances] + [s.work for s in self.all_snapshots()]
            pending += [cluster.volume.laid for cluster in clusters]
            pending += [reader for s in self.all_snapshots() for reader in s.readers]
            self._regions.clear()
            self.faults.clear()
            self.calls.clear()
            self.events.clear()
            self.timings, self.offset, self.outage = self._first_timings, timedelta(0), None
            self.iam = Enforcement()
        self.data.empty(pending)
        for instance in instances:
            if instance.dead:
                instance.dead.close()
        for cluster in clusters:
            cluster.volume.close()


def _found(find: Callable[[], T]) -> T:
    """Find something for a control call. Raises ControlError in place of AWS's errors."""
    try:
        return find()
    except AwsError as e:
        raise ControlError(e.message) from e


def own_name(identifier: str, account: str, region: str, kind: str) -> str | None:
    """Return the name in an identifier or own ARN; None for an ARN of something else."""
    if not identifier.startswith("arn:"):
        return identifier
    prefix = f"arn:aws:rds:{region}:{account}:{kind}:"
    return identifier.removeprefix(prefix) if identifier.startswith(prefix) else None
