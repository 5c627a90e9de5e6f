"""CreateDBInstance and RestoreDBInstanceFromDBSnapshot, as AWS would do them. Called with the estate's lock held.

They check everything that AWS checks, return at once, and let the database start in the background.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restorecheck.demo.aws import catalog, keys, master, placement
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.instances import INHERITED, Dead, Instance, journey, tag_map
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.servers import Family, Server
from restorecheck.demo.aws.snapshots import Snapshot
from restorecheck.demo.aws.timeline import FOREVER

Wire = dict[str, Any]


def create(scope: Scope, asked: Wire) -> Instance:
    """CreateDBInstance."""
    engine = scope.estate.data.engines.get(str(asked.get("Engine")))
    if engine is None or engine.of_clusters:
        known = ", ".join(e.name for e in scope.estate.data.engines.values() if not e.of_clusters)
        message = f"Outside clusters the demo AWS has instances of engine {known} only."
        raise AwsError("InvalidParameterValue", message)
    for name in ("MasterUsername", "MasterUserPassword", "DBInstanceClass"):
        if not asked.get(name):
            raise AwsError("InvalidParameterValue", f"The parameter {name} must be provided and must not be blank.")
    user, password = asked["MasterUsername"], asked["MasterUserPassword"]
    master.check_user(user)
    master.check_password(password, engine.longest_password)
    version = catalog.version(engine, asked.get("EngineVersion"))
    encrypted = bool(asked.get("StorageEncrypted"))
    if asked.get("KmsKeyId") and not encrypted:
        raise AwsError("InvalidParameterCombination", "KmsKeyId requires StorageEncrypted.")
    if encrypted:
        key = asked.get("KmsKeyId") or keys.default(scope.account, scope.region_name)
        key = keys.usable(scope.account, scope.region_name, key)
    else:
        key = None
    inherited = {
        "AllocatedStorage": 20,
        "AutoMinorVersionUpgrade": True,
        "BackupRetentionPeriod": 1,
        "Engine": engine.name,
        "LicenseModel": engine.licence,
        "OptionGroupName": engine.option_group,
        "Port": engine.port,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
        "StorageType": "gp3",
    } | {name: asked[name] for name in INHERITED if asked.get(name) is not None}
    inherited |= {"EngineVersion": version, "StorageEncrypted": encrypted, "KmsKeyId": key}
    database = asked.get("DBName")

    def fill(server: Server) -> None:
        server.found(user, password, database)

    instance = _make(scope, asked, inherited, Content(tag_map(asked.get("Tags")), engine.family, fill=fill))
    scope.estate.happened(instance, "DB instance created.", "creation")
    return instance


def restore(scope: Scope, asked: Wire) -> Instance:
    """RestoreDBInstanceFromDBSnapshot."""
    identifier = asked.get("DBSnapshotIdentifier")
    if not identifier:
        raise AwsError("InvalidParameterValue", "The parameter DBSnapshotIdentifier must be provided.")
    snapshot = scope.estate.snapshot(scope.account, scope.region_name, identifier)
    if snapshot.region != scope.region_name:
        raise AwsError("DBSnapshotNotFound", f"DBSnapshot {identifier} not found.")
    if snapshot.status(scope.now) != "available":
        raise AwsError("InvalidDBSnapshotState", f"DB snapshot {identifier} is not in the available state.")
    if snapshot.key:
        if snapshot.account != scope.account:
            message = "Restoring a DB instance from a shared and encrypted snapshot is not supported; copy it first."
            raise AwsError("InvalidDBSnapshotState", message)
        keys.check_enabled(snapshot.key)
    _check_same(asked, snapshot)
    inherited = {name: snapshot.settings[name] for name in INHERITED if snapshot.settings.get(name) is not None}
    own = ("AllocatedStorage", "AutoMinorVersionUpgrade", "BackupRetentionPeriod", "DBInstanceClass", "Iops", "Port")
    for name in (*own, "StorageThroughput", "StorageType"):
        if asked.get(name) is not None:
            inherited[name] = asked[name]
    # "Tags: always", says the guide, "else the source's tags are inherited": no list at all, not an empty one.
    tags = snapshot.instance_tags | snapshot.tags if asked.get("Tags") is None else tag_map(asked["Tags"])
    instance = _make(scope, asked, inherited, Content(dict(tags), snapshot.directory, snapshot=snapshot))
    scope.estate.happened(instance, f"Restored from snapshot {snapshot.identifier}.", "restoration")
    return instance


def _check_same(asked: Wire, snapshot: Snapshot) -> None:
    engine = snapshot.settings["Engine"]
    if asked.get("Engine") not in {None, engine}:
        raise AwsError("InvalidParameterValue", "Engine must be compatible with the engine of the source.")
    storage = asked.get("AllocatedStorage")
    if storage is not None and storage < snapshot.settings["AllocatedStorage"]:
        raise AwsError("InvalidParameterValue", "AllocatedStorage must not be smaller than that of the snapshot.")
    if asked.get("DBName"):
        raise AwsError("InvalidParameterValue", f"DBName is not supported when restoring for engine {engine}.")
    if asked.get("EngineLifecycleSupport") and engine == "mariadb":
        raise AwsError("InvalidParameterCombination", "EngineLifecycleSupport is not supported for engine mariadb.")


@dataclass(frozen=True)
class Content:
    """What a new instance begins with: a snapshot's data, or an empty database and what fills it."""

    tags: dict[str, str]
    source: Path | Family
    snapshot: Snapshot | None = None
    fill: Callable[[Server], None] | None = None


def new_identifier(scope: Scope, asked: Wire) -> str:
    """Return a new instance's identifier, if it is free and there is room. Raises the errors of RDS."""
    region = scope.region
    identifier = valid_identifier(asked.get("DBInstanceIdentifier"), "DBInstanceIdentifier")
    if identifier in region.instances:
        raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")
    if len(region.instances) >= region.instance_quota:
        message = f"You have reached your quota of {region.instance_quota} DB instances in this account and Region."
        raise AwsError("InstanceQuotaExceeded", message)
    return identifier


def _make(scope: Scope, asked: Wire, inherited: Wire, content: Content) -> Instance:
    """Check what every new instance is checked for, and start it."""
    region, estate = scope.region, scope.estate
    identifier = new_identifier(scope, asked)
    engine = estate.data.engines[inherited["Engine"]]
    catalog.check_class(inherited["DBInstanceClass"], engine)
    retention = inherited["BackupRetentionPeriod"]
    if not 0 <= retention <= 35:
        raise AwsError("InvalidParameterValue", f"Invalid backup retention period: {retention}. It must be 0 to 35.")
    group = placement.parameter_group(scope.account, scope.region_name, asked.get("DBParameterGroupName"), engine.group)
    where = placement.placement(scope.account, scope.region_name, asked)
    settings = inherited | where | flags(asked, encrypted=bool(inherited.get("StorageEncrypted")))
    settings["DBParameterGroups"] = [{"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}]

    instance = troubled(
        scope,
        Instance(
            account=scope.account,
            region=scope.region_name,
            identifier=identifier,
            settings=settings,
            tags=content.tags,
            timeline=journey(scope.now, estate.timings, retention=retention),
            boot=Future(),
            created=scope.today,
        ),
    )
    _boot(estate, instance, content)
    region.instances[identifier] = instance
    return instance


def troubled(scope: Scope, instance: Instance) -> Instance:
    """Put upon a new instance what the faults have in store for it."""
    faults = scope.estate.faults
    if fault := faults.strike(scope.call, ["instance_status"]):
        if fault.instance_status == "creating":
            instance.timeline = instance.timeline.delayed(FOREVER)
        else:
            instance.end_status = fault.instance_status
    if fault := faults.strike(scope.call, ["slow_boot"]):
        instance.timeline = instance.timeline.delayed(fault.slow_boot or 0.0)
    if fault := faults.strike(scope.call, ["connection"]):
        instance.dead = Dead(hang=fault.connection == "hang")
    return instance


def _boot(estate: Estate, instance: Instance, content: Content) -> None:
    """Start the database in the pool; the call answers meanwhile."""
    snapshot = content.snapshot

    def work() -> Server:
        server = estate.data.boot(instance.resource_id, content.source)
        if content.fill:
            content.fill(server)
        return server

    instance.boot = estate.data.submit(work)
    if snapshot:
        snapshot.read_by(instance.boot)


def flags(asked: Wire, *, encrypted: bool) -> Wire:
    """Return the fields that neither a snapshot nor the placement decides; the defaults are AWS's."""
    return {
        "CACertificateIdentifier": asked.get("CACertificateIdentifier") or "rds-ca-rsa2048-g1",
        "CopyTagsToSnapshot": bool(asked.get("CopyTagsToSnapshot")),
        "DeletionProtection": bool(asked.get("DeletionProtection")),
        "MultiAZ": bool(asked.get("MultiAZ")),
        "IAMDatabaseAuthenticationEnabled": bool(asked.get("EnableIAMDatabaseAuthentication")),
        "EngineLifecycleSupport": asked.get("EngineLifecycleSupport") or "open-source-rds-extended-support",
        "StorageEncryptionType": "sse-kms" if encrypted else "none",
        "MonitoringInterval": 0,
        "PerformanceInsightsEnabled": False,
        "DbInstancePort": 0,
        "NetworkType": asked.get("NetworkType") or "IPV4",
        "BackupTarget": "region",
        "CustomerOwnedIpEnabled": False,
        "DedicatedLogVolume": False,
        "DBSecurityGroups": [],
        "ReadReplicaDBInstanceIdentifiers": [],
    }


def valid_identifier(name: str | None, parameter: str) -> str:
    """Return an identifier in the form that RDS stores: lower case. Raises InvalidParameterValue."""
    if name is None or not re.fullmatch(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{0,62}(?<!-)", name):
        message = (
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain "
            "only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two hyphens in a row."
        )
        raise AwsError("InvalidParameterValue", message)
    return name.lower()
