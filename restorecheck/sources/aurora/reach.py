"""What one run of an Aurora check can see and call beyond what it has in common with one of RDS: its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError, SourceError
from restorecheck.model import AuroraSource, Plan, RecoveryPoint
from restorecheck.sources.rds import describing, engines
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.naming import OF_CLUSTERS, Snapshots
from restorecheck.sources.rds.reach import ImaginedReach, Reach, World


class ClusterReach(Reach):
    """The two accounts of a plan whose source is a cluster."""

    kept: ClassVar[Snapshots] = OF_CLUSTERS
    engines: ClassVar[Mapping[str, str]] = engines.OF_CLUSTERS

    def __init__(self, plan: Plan, world: World) -> None:
        super().__init__(plan, world)
        if not isinstance(plan.check.source, AuroraSource):
            raise SourceError(f"the check {plan.check.name} has no cluster as its source", kind="internal")
        self._copies = plan.check.source.copies

    def imports(self, point: RecoveryPoint) -> bool:
        """Say whether the check wants a copy in the scratch account: a cluster does not need one."""
        del point
        return self._copies

    @property
    def database_is_a_guess(self) -> bool:
        """Whether nobody named a database, neither the source nor a question."""
        return self.source.database is None and not any(a.database for a in self.check.assertions)

    def cluster(self) -> Described | None:
        """Describe the scratch cluster, or return None if AWS knows none."""
        return describing.cluster(self.hand("scratch"), self.name)

    def eventful(self) -> list[tuple[str, str]]:
        """Return the cluster and its instances, also those that somebody else put there."""
        members = [m["DBInstanceIdentifier"] for m in (self.cluster() or {}).get("DBClusterMembers") or ()]
        return [("db-cluster", self.name), *(("db-instance", name) for name in dict.fromkeys([self.name, *members]))]

    def sighted_cluster(self) -> Described | None:
        """Return the scratch cluster as a listing shared with other runs shows it: for waiting, and nothing else."""
        if self._sightings is None:
            return self.cluster()
        return self._sightings.cluster(*self._place("scratch"), self.name, since=self._since, every=self._every)

    def login(self, instance: Described, user: str = "") -> Login:
        """Return how to log in through the writer's endpoint of a cluster, as `Reach.login` does to an instance."""
        host, port = instance.get("Endpoint"), instance.get("Port")
        if not host or not port:
            raise QueryError(f"the cluster {self.name} has no endpoint yet", retryable=True)
        return self.login_at(host, port, user)


class ImaginedClusterReach(ImaginedReach, ClusterReach):
    """A ClusterReach in which this run's copies, cluster and instance seem to exist."""

    def cluster(self) -> Described:
        """Return the cluster that the run would make, as it is once its instance is gone."""
        tags = self.tags("cluster", "scratch")
        arn = self.permit().arn("cluster", self.placement.account, self.name)
        return {"DBClusterIdentifier": self.name, "DBClusterArn": arn, "TagList": tags, "DBClusterMembers": []}
