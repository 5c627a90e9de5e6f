"""The RDS operations on DB snapshots, as AWS would do them. Called with the estate's lock held.

What AWS allows between accounts is decided in `copy` and in rds_sharing.py.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

from restorecheck.demo.aws import keys
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.instances import Instance, tag_map
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.snapshots import Snapshot
from restorecheck.demo.aws.timeline import Timeline

Wire = dict[str, Any]


def create(scope: Scope, asked: Wire) -> Snapshot:
    """CreateDBSnapshot. Its data is that of the moment of the call: the answer waits for the copy."""
    instance = scope.estate.instance(scope.account, scope.region_name, asked["DBInstanceIdentifier"])
    if (status := instance.status(scope.now)) != "available":
        message = f"Cannot create a snapshot because the database instance {instance.identifier} is {status}."
        raise AwsError("InvalidDBInstanceState", message)
    name = _new_name(scope, asked["DBSnapshotIdentifier"])
    return _take(scope, instance, name=name, kind="manual", tags=tag_map(asked.get("Tags")))


def final(scope: Scope, instance: Instance, name: str) -> Snapshot:
    """Take the last snapshot of an instance that is about to be deleted."""
    return _take(scope, instance, name=_new_name(scope, name), kind="manual", tags={})


def made_by_aws(scope: Scope, instance_id: str, at: datetime | None, kind: str) -> Snapshot:
    """Take a snapshot as the nightly backup or AWS Backup does; `at`: when it says it was made."""
    instance = scope.estate.instance(scope.account, scope.region_name, instance_id)
    when = at or scope.today
    name = f"rds:{instance.identifier}-{when:%Y-%m-%d-%H-%M}"
    if kind == "awsbackup":
        name = f"awsbackup:job-{uuid.uuid4()}"
    if name in scope.region.snapshots:
        raise AwsError("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {name} already exists.")
    tags = {"aws:backup:source-resource": instance.resource_id} if kind == "awsbackup" else dict(instance.tags)
    snapshot = _take(scope, instance, name=name, kind=kind, tags=tags, at=at)
    snapshot.timeline = Timeline(scope.now, (), "available")
    return snapshot


def _take(
    scope: Scope, instance: Instance, *, name: str, kind: str, tags: dict[str, str], at: datetime | None = None
) -> Snapshot:
    server, data = instance.server, scope.estate.data
    if server is None:
        raise AwsError("InvalidDBInstanceState", f"Database instance {instance.identifier} does not run.")
    directory = data.new_copy()
    if instance.settings["CopyTagsToSnapshot"]:
        tags = instance.tags | tags
    when = at or scope.today
    snapshot = Snapshot(
        account=scope.account,
        region=scope.region_name,
        identifier=name,
        kind=kind,
        instance=instance.identifier,
        resource_id=instance.resource_id,
        settings=dict(instance.settings),
        tags=tags,
        instance_tags=dict(instance.tags),
        directory=directory,
        work=data.submit(lambda: server.base_backup(directory)),
        timeline=Timeline(scope.now, (("creating", scope.estate.timings.snapshot),), "available"),
        instance_created=instance.created,
        created=when,
        original_created=when,
        database_time=when - timedelta(seconds=1),
    )
    scope.wait_for.append(snapshot.work)
    scope.region.snapshots[name] = snapshot
    return snapshot


def copy(scope: Scope, asked: Wire) -> Snapshot:
    """CopyDBSnapshot: of an own snapshot by name or ARN, or of one shared by another account by its ARN."""
    source_id = asked["SourceDBSnapshotIdentifier"]
    source = scope.estate.snapshot(scope.account, scope.region_name, source_id)
    foreign, far = source.account != scope.account, source.region != scope.region_name
    if source.status(scope.now) != "available":
        raise AwsError("InvalidDBSnapshotState", f"Source snapshot {source_id} is not in the available state.")
    name = _new_name(scope, asked["TargetDBSnapshotIdentifier"])
    key_id = asked.get("KmsKeyId")
    if source.key:
        if (foreign or far) and not key_id:
            message = "The snapshot is encrypted and from elsewhere: KmsKeyId of this account and Region is required."
            raise AwsError("InvalidParameterValue", message)
        keys.check_enabled(source.key)
    # An unencrypted snapshot becomes an encrypted copy if a key is named; an encrypted one stays so under its key.
    key = keys.usable(scope.account, scope.region_name, key_id) if key_id else source.key
    tags = tag_map(asked.get("Tags"))
    if asked.get("CopyTags") and not foreign:
        tags = source.tags | tags
    data = scope.estate.data
    directory = data.new_copy()
    target = Snapshot(
        account=scope.account,
        region=scope.region_name,
        identifier=name,
        kind="manual",
        instance=source.instance,
        resource_id=source.resource_id,
        settings=source.settings
        | {"KmsKeyId": key, "StorageEncrypted": key is not None, "OptionGroupName": source.settings["OptionGroupName"]},
        tags=tags,
        instance_tags={} if foreign else dict(source.instance_tags),
        directory=directory,
        work=data.submit(lambda: data.copy(source.directory, directory)),
        timeline=Timeline(scope.now, (("creating", scope.estate.timings.copy),), "available"),
        instance_created=source.instance_created,
        created=scope.today,
        original_created=source.original_created,
        database_time=source.database_time,
        source_arn=source.arn if foreign or far else None,
        copied_from=source,
    )
    source.read_by(target.work)
    scope.region.snapshots[name] = target
    return target


def _new_name(scope: Scope, asked: str) -> str:
    """Check a new manual snapshot's name, and that there is room for it."""
    if not re.fullmatch(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{0,254}(?<!-)", asked):
        message = (
            f"Invalid snapshot identifier:  {asked}. Identifiers must begin with a letter; must contain only ASCII "
            "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )
        raise AwsError("InvalidParameterValue", message)
    name, region = asked.lower(), scope.region
    if name in region.snapshots:
        message = f"Cannot create the snapshot because a snapshot with the identifier {name} already exists."
        raise AwsError("DBSnapshotAlreadyExists", message)
    if sum(s.kind == "manual" for s in region.snapshots.values()) >= region.snapshot_quota:
        message = f"Cannot create more than {region.snapshot_quota} manual snapshots"
        raise AwsError("SnapshotQuotaExceeded", message)
    return name


def delete(scope: Scope, asked: Wire) -> Snapshot:
    """DeleteDBSnapshot. A copy still being made is cancelled; copies still being made of it fail."""
    snapshot = scope.estate.own_snapshot(scope.account, scope.region_name, asked["DBSnapshotIdentifier"])
    if snapshot.kind != "manual":
        message = f"Snapshot {snapshot.identifier} is {snapshot.kind} and cannot be deleted by this call."
        raise AwsError("InvalidDBSnapshotState", message)
    if snapshot.status(scope.now) == "creating" and snapshot.copied_from is None:
        message = (
            f"Cannot delete the snapshot because it is not in the available or failed state: {snapshot.identifier}"
        )
        raise AwsError("InvalidDBSnapshotState", message)
    remove(scope, snapshot)
    return snapshot


def remove(scope: Scope, snapshot: Snapshot) -> None:
    """Forget a snapshot, and remove its data once nobody reads it any more."""
    for other in scope.estate.all_snapshots():
        if other.copied_from is snapshot:
            other.ruined = other.ruined or other.status(scope.now) == "creating"
    scope.region.snapshots.pop(snapshot.identifier, None)
    data, before = scope.estate.data, [snapshot.work, *snapshot.readers]

    def work() -> None:
        for reader in before:
            if not reader.cancelled():
                reader.exception()
        data.remove(snapshot.directory)

    data.submit(work)


def remove_automated(scope: Scope, instance: Instance) -> None:
    """Remove the automated snapshots of an instance, as its deletion does by default."""
    for snapshot in list(scope.region.snapshots.values()):
        if snapshot.kind == "automated" and snapshot.resource_id == instance.resource_id:
            remove(scope, snapshot)
