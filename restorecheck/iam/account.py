"""One scratch account, and those whose backups are restored in it: names and actions that its policies are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.conditions import OURS
from restorecheck.iam.estate import ANY, Bucket, Estate, Scratch, Source

EVERY_KIND = ("db", "cluster", "snapshot", "cluster-snapshot")
RESTORES = ("RestoreDBInstanceFromDBSnapshot", "RestoreDBClusterFromSnapshot")
COPIES = ("CopyDBSnapshot", "CopyDBClusterSnapshot")


@dataclass(frozen=True, slots=True)
class Account:
    """One scratch account, and those whose backups are restored in it."""

    estate: Estate
    scratch: Scratch
    sources: tuple[Source, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions in which it has a place."""
        return tuple(place.region for place in self.scratch.places)

    @property
    def furnished(self) -> bool:
        """Whether databases are restored here."""
        return any(place.subnet_groups for place in self.scratch.places)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Where objects are restored."""
        return tuple(Bucket(place.bucket, OURS.rstrip("*")) for place in self.scratch.places if place.bucket)

    def arns(self, *kinds: str, name: str = "*") -> tuple[str, ...]:
        """Return ARNs of RDS here, in every region."""
        own = self.scratch.account
        return tuple(arn for r in self.regions for kind in kinds for arn in self.estate.rds(r, own, kind, name))

    def anywhere(self, *kinds: str) -> tuple[str, ...]:
        """Return ARNs of all of RDS in this account, also of regions in which nothing is restored."""
        return tuple(arn for kind in kinds for arn in self.estate.rds("*", self.scratch.account, kind, "*"))

    def groups(self) -> Iterator[str]:
        """Yield ARNs of the groups of every placement; where none is named, of AWS's default ones."""
        for place in self.scratch.places:
            # A cluster has no option group but AWS's own.
            options = (*place.option_groups, *(("default:*",) if self.clusters or not place.option_groups else ()))
            named = {
                "subgrp": place.subnet_groups,
                "pg": place.parameter_groups or ("default.*",),
                "og": tuple(dict.fromkeys(options)),
                "cluster-pg": (place.cluster_parameter_groups or ("default.*",)) if self.clusters else (),
            }
            if place.subnet_groups:
                for kind, names in named.items():
                    yield from self.estate.rds(place.region, self.scratch.account, kind, *names)

    def shared(self) -> Iterator[str]:
        """Yield ARNs of the snapshots that source accounts share with this one: none of their tags is seen here."""
        for source in self.sources:
            for region in source.regions:
                for kind, of in (("snapshot", source.instances), ("cluster-snapshot", source.clusters)):
                    ours = (OURS,) if of.copied else ()
                    others = (*of.lent, *of.shared)
                    names = ANY if "*" in others else tuple(dict.fromkeys((*ours, *others)))
                    yield from self.estate.rds(region, source.account, kind, *names)

    @property
    def instances(self) -> bool:
        """Whether backups of instances are restored."""
        return any(source.instances for source in self.sources)

    @property
    def clusters(self) -> bool:
        """Whether backups of clusters are restored."""
        return any(source.clusters for source in self.sources)

    def may(self, of_instances: str = "", of_clusters: str = "") -> tuple[str, ...]:
        """Return the actions of two calls, as far as backups of the kind are tested here."""
        tested = ((of_instances, self.instances), (of_clusters, self.clusters))
        return granted(Role.SCRATCH, "rds", *(name for name, on in tested if name and on))
