"""Snapshots of instances and of clusters: what they are, their status, who may see them, and how they are described.

RDS keeps the two families apart: each has its own operations, errors and lists. Copies nothing.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from restorecheck.demo.aws.instances import tag_list
from restorecheck.demo.aws.timeline import Timeline

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """What RDS names differently for snapshots of instances and for those of clusters."""

    arn: str
    """The part of an ARN that says what it names."""
    word: str
    """In parameters and messages."""
    owner: str
    """The parameter that names what a snapshot was taken of."""
    kinds: frozenset[str]
    """The values of SnapshotType."""
    copying: str
    """The status of a copy that is being made."""
    missing: str
    wrong_state: str
    exists: str
    """Wire codes of its errors."""


OF_INSTANCES = Family(
    arn="snapshot",
    word="DBSnapshot",
    owner="DBInstanceIdentifier",
    kinds=frozenset({"automated", "manual", "shared", "public", "awsbackup"}),
    copying="creating",
    missing="DBSnapshotNotFound",
    wrong_state="InvalidDBSnapshotState",
    exists="DBSnapshotAlreadyExists",
)
OF_CLUSTERS = Family(
    arn="cluster-snapshot",
    word="DBClusterSnapshot",
    owner="DBClusterIdentifier",
    kinds=frozenset({"automated", "manual", "shared", "public"}),
    copying="copying",
    missing="DBClusterSnapshotNotFoundFault",
    wrong_state="InvalidDBClusterSnapshotStateFault",
    exists="DBClusterSnapshotAlreadyExistsFault",
)


@dataclass(eq=False)
class Snapshot:
    """One snapshot of one account and region. `settings` are those of the instance or cluster, as it names them."""

    family: ClassVar[Family] = OF_INSTANCES

    account: str
    region: str
    identifier: str
    kind: str
    """automated, manual or awsbackup."""
    instance: str
    """The identifier of the instance or cluster that it was taken of."""
    resource_id: str
    """DbiResourceId or DbClusterResourceId of that."""
    settings: Wire
    tags: dict[str, str]
    instance_tags: dict[str, str]
    """Those of its instance: a restore without tags of its own inherits them."""
    directory: Path
    work: Future[None]
    timeline: Timeline
    instance_created: datetime
    database_time: datetime
    original_created: datetime
    created: datetime
    shared_with: list[str] = field(default_factory=list)
    source_arn: str | None = None
    copied_from: Snapshot | None = None
    ruined: bool = False
    """Its source went away while it was being copied."""
    readers: list[Future[Any]] = field(default_factory=list)
    """Work that still reads its directory."""

    def read_by(self, work: Future[Any]) -> None:
        """Note work that reads its directory, and forget what has ended: each holds a database server."""
        self.readers = [reader for reader in self.readers if not reader.done()] + [work]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:rds:{self.region}:{self.account}:{self.family.arn}:{self.identifier}"

    @property
    def encrypted(self) -> bool:
        """Whether its storage is encrypted."""
        return bool(self.settings.get("StorageEncrypted"))

    @property
    def key(self) -> str | None:
        """The ARN of the key that it is encrypted under."""
        return self.settings.get("KmsKeyId") if self.encrypted else None

    def status(self, now: float) -> str:
        """Return its status; `available` only when its data directory is complete."""
        if self.ruined or (self.work.done() and (self.work.cancelled() or self.work.exception() is not None)):
            return "failed"
        if not self.work.done():
            return self.timeline.phases[0][0] if self.timeline.phases else "creating"
        return self.timeline.at(now)

    def visible_to(self, account: str) -> bool:
        """Say whether an account may copy, restore or describe it."""
        return account == self.account or account in self.shared_with or "all" in self.shared_with

    def describe(self, now: float, account: str | None = None) -> Wire:
        """Return what DescribeDBSnapshots says; to another account it is named by its ARN, and has no tags."""
        status = self.status(now)
        own = account in {None, self.account}
        kept = self.settings
        described: Wire = {
            "DBSnapshotIdentifier": self.identifier if own else self.arn,
            "DBSnapshotArn": self.arn,
            "DBInstanceIdentifier": self.instance,
            "DbiResourceId": self.resource_id,
            "SnapshotType": self.kind if own else ("public" if "all" in self.shared_with else "shared"),
            "Status": status,
            "PercentProgress": 100 if status == "available" else min(99, self.timeline.progress(now)),
            "Encrypted": self.encrypted,
            "KmsKeyId": self.key,
            "InstanceCreateTime": self.instance_created,
            "TagList": tag_list(self.tags) if own else [],
            "SourceDBSnapshotIdentifier": self.source_arn,
            "IAMDatabaseAuthenticationEnabled": bool(kept.get("IAMDatabaseAuthenticationEnabled")),
            "SnapshotTarget": "region",
            "StorageEncryptionType": "sse-kms" if self.encrypted else "none",
            "ProcessorFeatures": [],
            "DedicatedLogVolume": False,
            "VpcId": kept["DBSubnetGroup"]["VpcId"],
        }
        same = "AllocatedStorage AvailabilityZone Engine EngineVersion Iops LicenseModel MasterUsername Port "
        for name in (same + "OptionGroupName StorageThroughput StorageType").split():
            described[name] = kept.get(name)
        if status == "available":
            described["SnapshotCreateTime"] = self.created
            described["OriginalSnapshotCreateTime"] = self.original_created
            described["SnapshotDatabaseTime"] = self.database_time
        return {key: value for key, value in described.items() if value is not None}


@dataclass(eq=False)
class ClusterSnapshot(Snapshot):
    """One snapshot of a cluster. Its description knows neither the time of the original nor that of its data."""

    family: ClassVar[Family] = OF_CLUSTERS

    def describe(self, now: float, account: str | None = None) -> Wire:
        """Return what DescribeDBClusterSnapshots says; to another account it is named by its ARN, and has no tags."""
        status = self.status(now)
        own = account in {None, self.account}
        described: Wire = {
            "DBClusterSnapshotIdentifier": self.identifier if own else self.arn,
            "DBClusterSnapshotArn": self.arn,
            "DBClusterIdentifier": self.instance,
            "DbClusterResourceId": self.resource_id,
            "SnapshotType": self.kind if own else ("public" if "all" in self.shared_with else "shared"),
            "Status": status,
            "PercentProgress": 100 if status == "available" else min(99, self.timeline.progress(now)),
            "StorageEncrypted": self.encrypted,
            "KmsKeyId": self.key,
            "ClusterCreateTime": self.instance_created,
            "SnapshotCreateTime": self.created,
            "TagList": tag_list(self.tags) if own else [],
            "SourceDBClusterSnapshotArn": self.source_arn,
            "LicenseModel": "general-public-license" if "mysql" in self.settings["Engine"] else "postgresql-license",
            "VpcId": self.settings["_VpcId"],
        }
        same = (
            "AllocatedStorage AvailabilityZones BackupRetentionPeriod Engine EngineMode EngineVersion Port StorageType "
        )
        for name in (same + "IAMDatabaseAuthenticationEnabled MasterUsername StorageEncryptionType").split():
            described[name] = self.settings.get(name)
        return {key: value for key, value in described.items() if value is not None}
