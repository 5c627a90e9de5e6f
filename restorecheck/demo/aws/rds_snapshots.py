"""The RDS operations on snapshots, as AWS would do them. Called with the estate's lock held.

What AWS allows between accounts is decided in `copy` and in rds_sharing.py. Of clusters only what differs from
instances is elsewhere, in rds_cluster_snapshots.py.
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
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, OF_INSTANCES, Family, Snapshot
from restorecheck.demo.aws.timeline import Timeline

Wire = dict[str, Any]


def create(scope: Scope, asked: Wire) -> Snapshot:
    """CreateDBSnapshot. Its data is that of the moment of the call: the answer waits for the copy."""
    instance = scope.estate.instance(scope.account, scope.region_name, asked["DBInstanceIdentifier"])
    if (status := instance.status(scope.now)) != "available":
        message = f"Cannot create a snapshot because the database instance {instance.identifier} is {status}."
        raise AwsError("InvalidDBInstanceState", message)
    name = new_name(scope, asked["DBSnapshotIdentifier"], OF_INSTANCES)
    return _take(scope, instance, name=name, kind="manual", tags=tag_map(asked.get("Tags")))


def final(scope: Scope, instance: Instance, name: str) -> Snapshot:
    """Take the last snapshot of an instance that is about to be deleted."""
    return _take(scope, instance, name=new_name(scope, name, OF_INSTANCES), kind="manual", tags={})


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
    if instance.cluster:
        message = f"{instance.identifier} is an instance of cluster {instance.cluster}, which alone has snapshots."
        raise AwsError("InvalidDBInstanceState", message)
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


def copy(scope: Scope, asked: Wire, family: Family = OF_INSTANCES) -> Snapshot:
    """CopyDBSnapshot: of an own snapshot by name or ARN, or of one shared by another account by its ARN."""
    source_id = asked[f"Source{family.word}Identifier"]
    source = scope.estate.snapshot(scope.account, scope.region_name, source_id, family)
    foreign, far = source.account != scope.account, source.region != scope.region_name
    if source.status(scope.now) != "available":
        raise AwsError(family.wrong_state, f"Source snapshot {source_id} is not in the available state.")
    name = new_name(scope, asked[f"Target{family.word}Identifier"], family)
    key_id = asked.get("KmsKeyId")
    if source.key:
        if (foreign or far) and not key_id:
            message = "The snapshot is encrypted and from elsewhere: KmsKeyId of this account and Region is required."
            raise AwsError("InvalidParameterValue", message)
        keys.check_enabled(source.key)
    elif key_id and family is OF_CLUSTERS:
        raise AwsError("InvalidParameterCombination", "KmsKeyId is not allowed: the cluster snapshot is not encrypted.")
    # An unencrypted one of an instance becomes an encrypted copy if a key is named; an encrypted one keeps its key.
    key = keys.usable(scope.account, scope.region_name, key_id) if key_id else source.key
    tags = tag_map(asked.get("Tags"))
    if asked.get("CopyTags") and not foreign:
        tags = source.tags | tags
    data = scope.estate.data
    directory = data.new_copy()
    target = type(source)(
        account=scope.account,
        region=scope.region_name,
        identifier=name,
        kind="manual",
        instance=source.instance,
        resource_id=source.resource_id,
        settings=source.settings | {"KmsKeyId": key, "StorageEncrypted": key is not None},
        tags=tags,
        instance_tags={} if foreign else dict(source.instance_tags),
        directory=directory,
        work=data.submit(lambda: data.copy(source.directory, directory)),
        timeline=Timeline(scope.now, ((family.copying, scope.estate.timings.copy),), "available"),
        instance_created=source.instance_created,
        created=scope.today,
        original_created=source.original_created,
        database_time=source.database_time,
        source_arn=source.arn if foreign or far else None,
        copied_from=source,
    )
    source.read_by(target.work)
    scope.region.held(family)[name] = target
    return target


def new_name(scope: Scope, asked: str, family: Family) -> str:
    """Check a new manual snapshot's name, and that there is room for it."""
    if not re.fullmatch(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{0,254}(?<!-)", asked):
        message = (
            f"Invalid snapshot identifier:  {asked}. Identifiers must begin with a letter; must contain only ASCII "
            "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )
        raise AwsError("InvalidParameterValue", message)
    name, held, most = asked.lower(), scope.region.held(family), scope.region.room_for(family)
    if name in held:
        message = f"Cannot create the snapshot because a snapshot with the identifier {name} already exists."
        raise AwsError(family.exists, message)
    if sum(s.kind == "manual" for s in held.values()) >= most:
        message = f"Cannot create more than {most} manual snapshots"
        raise AwsError("SnapshotQuotaExceeded", message)
    return name


def delete(scope: Scope, asked: Wire, family: Family = OF_INSTANCES) -> Snapshot:
    """DeleteDBSnapshot. A copy still being made is cancelled; copies still being made of it fail."""
    snapshot = scope.estate.own_snapshot(scope.account, scope.region_name, asked[f"{family.word}Identifier"], family)
    if snapshot.kind != "manual":
        message = f"Snapshot {snapshot.identifier} is {snapshot.kind} and cannot be deleted by this call."
        raise AwsError(family.wrong_state, message)
    if snapshot.status(scope.now) == "creating" and snapshot.copied_from is None:
        message = (
            f"Cannot delete the snapshot because it is not in the available or failed state: {snapshot.identifier}"
        )
        raise AwsError(family.wrong_state, message)
    remove(scope, snapshot)
    return snapshot


def remove(scope: Scope, snapshot: Snapshot) -> None:
    """Forget a snapshot, and remove its data once nobody reads it any more."""
    for other in scope.estate.all_snapshots():
        if other.copied_from is snapshot:
            other.ruined = other.ruined or other.status(scope.now) in {"creating", "copying"}
    scope.region.held(snapshot.family).pop(snapshot.identifier, None)
    data, before = scope.estate.data, [snapshot.work, *snapshot.readers]

    def work() -> None:
        for reader in before:
            if not reader.cancelled():
                reader.exception()
        data.remove(snapshot.directory)

    data.submit(work)


def remove_automated(scope: Scope, resource_id: str, family: Family = OF_INSTANCES) -> None:
    """Remove the automated snapshots of an instance or cluster, as its deletion does by default."""
    for snapshot in list(scope.region.held(family).values()):
        if snapshot.kind == "automated" and snapshot.resource_id == resource_id:
            remove(scope, snapshot)
