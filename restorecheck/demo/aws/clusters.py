"""A cluster: what it is, which status it shows, what DescribeDBClusters says of it. Starts and stops nothing."""

from __future__ import annotations

import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from restorecheck.demo.aws.instances import Instance, tag_list
from restorecheck.demo.aws.timeline import Timeline
from restorecheck.demo.aws.volumes import Volume

Wire = dict[str, Any]
ADDRESS = "127.0.0.1"

INHERITED = (
    "AllocatedStorage",
    "AvailabilityZones",
    "BackupRetentionPeriod",
    "DatabaseName",
    "Engine",
    "EngineMode",
    "EngineVersion",
    "KmsKeyId",
    "MasterUsername",
    "Port",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
    "StorageEncryptionType",
    "StorageType",
)
"""Settings that a snapshot keeps of its cluster and a restore takes over, but for the engine's version."""


@dataclass(eq=False)
class Cluster:
    """One cluster of one account and region. `settings` are fields as DescribeDBClusters names them."""

    account: str
    region: str
    identifier: str
    settings: Wire
    where: Wire
    """Where its instances lie, as `placement` describes it."""
    tags: dict[str, str]
    timeline: Timeline
    volume: Volume
    created: datetime
    resource_id: str
    end_status: str | None = None
    members: list[Instance] = field(default_factory=list)
    deleting: Timeline | None = None
    removal: Future[None] | None = None
    """The work behind its deletion."""
    password: Timeline | None = None
    """The journey of a new master password; None when there is none under way."""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:rds:{self.region}:{self.account}:cluster:{self.identifier}"

    def gone(self, now: float) -> bool:
        """Say whether its deletion has come to an end."""
        if self.deleting is None or self.removal is None:
            return False
        return self.deleting.at(now) == "gone" and self.removal.done()

    def status(self, now: float) -> str:
        """Return its status: what the clock says, but never `available` before its data is there."""
        if self.deleting:
            return "deleting"
        by_clock, laid = self.timeline.at(now), self.volume.laid
        if by_clock == "creating" or not laid.done():
            return "creating"
        if laid.cancelled() or laid.exception() is not None:
            return "failed"
        return self.end_status or (self.password.at(now) if self.password else by_clock)

    def staying(self) -> list[Instance]:
        """Return the instances that nobody has begun to delete, the writer first."""
        return [member for member in self.members if member.deleting is None]

    def writer(self) -> Instance | None:
        """Return the instance that its endpoint leads to."""
        return next(iter(self.staying()), None)

    def port(self) -> int:
        """Return the port of its endpoints; while it has no instance that is up, nothing answers there."""
        writer = self.writer()
        return writer.dead.port if writer and writer.dead else self.volume.port

    def describe(self, now: float, today: datetime) -> Wire:
        """Return what DescribeDBClusters says. `now` is the estate's clock, `today` the time of day that it tells."""
        writer = self.writer()
        described = self.settings | {
            "DBClusterIdentifier": self.identifier,
            "DBClusterArn": self.arn,
            "DbClusterResourceId": self.resource_id,
            "Status": self.status(now),
            "TagList": tag_list(self.tags),
            "PendingModifiedValues": {"MasterUserPassword": "****"} if self.password else None,
            "Endpoint": ADDRESS,
            "ReaderEndpoint": ADDRESS,
            "Port": self.port(),
            "ClusterCreateTime": self.created,
            "EarliestRestorableTime": self.created,
            "ReadReplicaIdentifiers": [],
            "LatestRestorableTime": max(self.created, today - timedelta(minutes=5)),
            "DBClusterMembers": [
                {
                    "DBInstanceIdentifier": member.identifier,
                    "IsClusterWriter": member is writer,
                    "DBClusterParameterGroupStatus": "in-sync",
                    "PromotionTier": member.settings["PromotionTier"],
                }
                for member in self.members
                if not member.gone(now)
            ],
        }
        return {key: value for key, value in described.items() if value is not None}


def new_resource_id() -> str:
    """Return a new DbClusterResourceId."""
    return "cluster-" + uuid.uuid4().hex[:26].upper()
