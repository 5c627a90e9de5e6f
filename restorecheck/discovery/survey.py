"""Looks which instances, clusters and buckets a source account has, through one hand for each region. Only reads.

A call that AWS denies hides what it would have told and nothing else: it is noted by name, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from restorecheck.discovery import buckets
from restorecheck.discovery.found import Blind, Database, Sealed, Snapshot, Survey
from restorecheck.errors import SourceError
from restorecheck.model import SnapshotKind
from restorecheck.schedule import PREFIX

Described = Mapping[str, Any]

_KINDS = {str(kind): kind for kind in (SnapshotKind.AUTOMATED, SnapshotKind.MANUAL, SnapshotKind.AWSBACKUP)}


class Hand(Protocol):
    """One account in one region, for reading: what the fence gives out to a surveyor."""

    @property
    def account(self) -> str:
        """The account."""

    @property
    def region(self) -> str:
        """The region."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call. Raises SourceError, RefusedError."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a listing. Raises SourceError, RefusedError."""


def survey(hands: Mapping[str, Callable[[], Hand]]) -> Survey:
    """Look into every region; `hands` enters them, by name. An account that cannot be entered is a Blind as well."""
    blind: list[Blind] = []
    entered: dict[str, Hand] = {}
    for region, enter in hands.items():
        try:
            entered[region] = enter()
        except SourceError as e:
            blind.append(Blind("AssumeRole", region, e.message, e.kind))
    databases = [one for hand in entered.values() for one in _Region(hand, blind).databases()]
    return Survey(tuple(databases), tuple(buckets.listed(entered, blind)), tuple(blind))


class _Region:
    """RDS of one region."""

    def __init__(self, hand: Hand, blind: list[Blind]) -> None:
        self._hand, self._blind = hand, blind
        self._keys: dict[str, Sealed] = {}

    def databases(self) -> Iterator[Database]:
        """Yield every instance and every cluster, by name, with its backups."""
        instances = self._all("DescribeDBInstances", "DBInstances")
        clusters = self._all("DescribeDBClusters", "DBClusters")
        of_instances = self._snapshots("DBSnapshot", "DBInstanceIdentifier", also="awsbackup") if instances else {}
        of_clusters = self._snapshots("DBClusterSnapshot", "DBClusterIdentifier") if clusters else {}
        for one in sorted(clusters or (), key=lambda x: str(x["DBClusterIdentifier"])):
            yield self._cluster(one, None if of_clusters is None else of_clusters.get(one["DBClusterIdentifier"], []))
        for one in sorted(instances or (), key=lambda x: str(x["DBInstanceIdentifier"])):
            name = one["DBInstanceIdentifier"]
            yield self._instance(one, None if of_instances is None else of_instances.get(name, []))

    def _all(self, operation: str, key: str, **wanted: Any) -> list[Described] | None:
        """Return a whole listing; None, and a note, if it could not be had."""
        try:
            return list(self._hand.pages("rds", operation, key, **wanted))
        except SourceError as e:
            self._blind.append(Blind(operation, self._hand.region, e.message, e.kind))
            return None

    def _snapshots(self, word: str, of: str, also: str = "") -> dict[str, list[Snapshot]] | None:
        """Return the usable backups by what they are of; automated and manual ones, and those of the kind `also`."""
        listed = self._all(f"Describe{word}s", f"{word}s")
        if listed is not None and also:
            more = self._all(f"Describe{word}s", f"{word}s", SnapshotType=also)
            listed = None if more is None else [*listed, *more]
        if listed is None:
            return None
        found: dict[str, dict[str, Snapshot]] = {}
        for one in listed:
            name = str(one[f"{word}Identifier"])
            kind = _KINDS.get(str(one.get("SnapshotType", "")))
            if kind and one.get("Status") == "available" and not name.startswith(PREFIX):
                created = one.get("OriginalSnapshotCreateTime") or one["SnapshotCreateTime"]
                found.setdefault(one[of], {})[name] = Snapshot(kind, created, self._sealed(one))
        return {of: sorted(seen.values(), key=lambda x: x.created) for of, seen in found.items()}

    def _cluster(self, one: Described, snapshots: list[Snapshot] | None) -> Database:
        return Database(
            kind="aurora",
            name=one["DBClusterIdentifier"],
            region=self._hand.region,
            engine=one["Engine"],
            version=str(one.get("EngineVersion", "")),
            days=int(one.get("BackupRetentionPeriod") or 0),
            window=str(one.get("PreferredBackupWindow") or ""),
            initial=str(one.get("DatabaseName") or ""),
            sealed=self._sealed(one),
            replica_of=str(one.get("ReplicationSourceIdentifier") or ""),
            snapshots=None if snapshots is None else tuple(snapshots),
        )

    def _instance(self, one: Described, snapshots: list[Snapshot] | None) -> Database:
        return Database(
            kind="rds",
            name=one["DBInstanceIdentifier"],
            region=self._hand.region,
            engine=one["Engine"],
            version=str(one.get("EngineVersion", "")),
            size_gib=int(one.get("AllocatedStorage") or 0),
            days=int(one.get("BackupRetentionPeriod") or 0),
            window=str(one.get("PreferredBackupWindow") or ""),
            initial=str(one.get("DBName") or ""),
            sealed=self._sealed(one),
            cluster=str(one.get("DBClusterIdentifier") or ""),
            replica_of=str(one.get("ReadReplicaSourceDBInstanceIdentifier") or ""),
            snapshots=None if snapshots is None else tuple(snapshots),
        )

    def _sealed(self, one: Described) -> Sealed:
        """Say under which kind of key something is."""
        if one.get("StorageEncryptionType") == "sse-rds":
            return "aws"
        if not (one.get("StorageEncrypted") or one.get("Encrypted")):
            return "no"
        key = str(one.get("KmsKeyId") or "")
        if key not in self._keys:
            self._keys[key] = self._key(key)
        return self._keys[key]

    def _key(self, key: str) -> Sealed:
        try:
            manager = self._hand.call("kms", "DescribeKey", KeyId=key)["KeyMetadata"].get("KeyManager")
        except SourceError as e:
            self._blind.append(Blind("DescribeKey", f"{key}, {self._hand.region}", e.message, e.kind))
            return "unknown"
        return {"AWS": "default", "CUSTOMER": "own"}.get(str(manager), "unknown")  # type: ignore[return-value]
