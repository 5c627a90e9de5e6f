"""What a look at a source account brings back: databases with their backups, buckets with some keys. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from restorecheck.model import SnapshotKind

Sealed = Literal["no", "own", "default", "aws", "unknown"]
"""Under which key a backup is: none, a customer managed one, `aws/rds`, one that AWS owns; or it could not be seen."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A recovery point of an instance or a cluster."""

    kind: SnapshotKind
    created: datetime
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class Database:
    """An RDS instance, or a cluster, as DescribeDBInstances or DescribeDBClusters tells of it."""

    kind: Literal["rds", "aurora"]
    name: str
    region: str
    engine: str
    version: str
    size_gib: int = 0  # 0: not known, as of every cluster of Aurora
    days: int = 0  # for which automated backups are kept
    window: str = ""  # in which they are made, in UTC: "03:00-03:30"
    initial: str = ""  # the database that was made with it, if one was
    sealed: Sealed = "no"
    cluster: str = ""  # that this instance is a part of
    replica_of: str = ""
    snapshots: tuple[Snapshot, ...] | None = ()  # oldest first; None: they could not be listed


@dataclass(frozen=True, slots=True)
class Key:
    """The current version of an object."""

    name: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and some of the keys in it."""

    name: str
    region: str
    versioning: str = ""  # "Enabled", "Suspended", or nothing: it never was
    keys: tuple[Key, ...] = ()
    whole: bool = False  # whether these are all of its keys


@dataclass(frozen=True, slots=True)
class Blind:
    """Something that could not be looked at: by which call, where, and what was answered."""

    call: str
    where: str
    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that was found, and everything that could not be looked at."""

    databases: tuple[Database, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    blind: tuple[Blind, ...] = ()
