"""Which recovery point a run takes. Reads listings and keys; makes nothing.

"There is none" is said only after every listing was read to its end: a listing that may not be read is another failure.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

from restorecheck.errors import AwsError, SourceError
from restorecheck.model import RecoveryPoint, SnapshotKind
from restorecheck.schedule import PREFIX
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.reach import Reach, Side

Offered = tuple[SnapshotKind, Described]


def find(reach: Reach) -> RecoveryPoint:
    """Pick the recovery point that the check asks for, and learn what the way to the scratch account needs."""
    found = [(kind, snapshot) for kind in reach.source.snapshots for snapshot in _listed(reach, kind)]
    usable = [x for x in found if _usable(x[1])]
    if not usable:
        raise SourceError(_nothing(reach, found), kind="no-recovery-point")
    newest = max(_created(snapshot) for _, snapshot in usable)
    since = reach.plan.now - reach.source.within if reach.source.within else None
    offered = sorted((x for x in usable if since is None or _created(x[1]) >= since), key=_order)
    if not offered:
        message = f"the newest recovery point of {reach.source.instance} is of {newest:%Y-%m-%d %H:%M} UTC"
        raise SourceError(f"{message}, before the window that `within` allows", kind="no-recovery-point")
    return _point(reach, *_picked(reach, offered), newest)


def _listed(reach: Reach, kind: SnapshotKind) -> Iterator[Described]:
    if kind is not SnapshotKind.SHARED:
        wanted = {"DBInstanceIdentifier": reach.source.instance, "SnapshotType": str(kind)}
        yield from reach.hand("source").pages("rds", "DescribeDBSnapshots", "DBSnapshots", **wanted)
        return
    shared = reach.hand("scratch").pages(
        "rds", "DescribeDBSnapshots", "DBSnapshots", SnapshotType="shared", IncludeShared=True
    )
    for snapshot in shared:  # AWS does not filter these by instance
        owner = snapshot["DBSnapshotArn"].split(":")[4]
        if owner == reach.source.account and snapshot["DBInstanceIdentifier"] == reach.source.instance:
            yield snapshot


def _usable(snapshot: Described) -> bool:
    """Leave out what is not finished, and copies that restorecheck itself made."""
    name = snapshot["DBSnapshotIdentifier"].split(":snapshot:")[-1]  # AWS names a shared one by its ARN
    return snapshot.get("Status") == "available" and not name.startswith(PREFIX)


def _nothing(reach: Reach, found: list[Offered]) -> str:
    kinds = ", ".join(reach.source.snapshots)
    where = f"{reach.source.instance} in account {reach.source.account}, {reach.source.region}"
    if found:
        return f"none of the {len(found)} snapshots ({kinds}) of {where} is available and its owner's"
    return f"there are no snapshots ({kinds}) of {where}"


def _picked(reach: Reach, offered: list[Offered]) -> Offered:
    if reach.source.pick == "latest":
        return offered[-1]
    if reach.source.pick == "oldest":
        return offered[0]
    return random.Random(reach.plan.run_id).choice(offered)  # noqa: S311 - reproducible from the run id, no secret


def _point(reach: Reach, kind: SnapshotKind, snapshot: Described, newest: datetime) -> RecoveryPoint:
    arn = snapshot["DBSnapshotArn"]
    if snapshot["Engine"] != "postgres":  # said now, and not after a restore that nobody can ask
        raise SourceError(f"{arn} is of engine {snapshot['Engine']}", kind="engine-unsupported")
    key = snapshot.get("KmsKeyId") if snapshot.get("Encrypted") else None
    default_key = _default_key(reach, kind, key) if key else False
    if default_key and (kind is SnapshotKind.SHARED or not reach.source.share_key):
        raise SourceError(f"{arn} is encrypted under the default key of its account", kind="key-not-shareable")
    return RecoveryPoint(
        id=snapshot["DBSnapshotIdentifier"],
        arn=arn,
        kind=kind,
        created=_created(snapshot),
        newest=newest,
        engine=snapshot["Engine"],
        engine_version=snapshot["EngineVersion"],
        master_username=snapshot["MasterUsername"],
        encrypted=bool(snapshot.get("Encrypted")),
        key=key,
        default_key=default_key,
        shared_already=kind is SnapshotKind.MANUAL and reach.shared(snapshot["DBSnapshotIdentifier"]),
        data_time=snapshot.get("SnapshotDatabaseTime"),
        size_gib=snapshot.get("AllocatedStorage", 0),
        iops=snapshot.get("Iops"),
        storage_type=snapshot.get("StorageType"),
    )


def _default_key(reach: Reach, kind: SnapshotKind, key: str) -> bool:
    """Say whether a key is AWS's own. Raises SourceError `key-unusable` for one that is dead or dying."""
    side: Side = "scratch" if kind is SnapshotKind.SHARED else "source"
    try:
        metadata = reach.hand(side).call("kms", "DescribeKey", KeyId=key)["KeyMetadata"]
    except AwsError as e:
        gone = e.code == "NotFoundException"
        if gone and side == "source":
            raise SourceError(f"the KMS key {key} does not exist any more", kind="key-unusable") from e
        if gone or e.kind == "permission":
            return False  # not ours to look at; AWS will say what it thinks of the key when we copy
        raise
    if metadata["KeyState"] in {"Disabled", "PendingDeletion"}:
        raise SourceError(f"the KMS key {key} is in state {metadata['KeyState']}", kind="key-unusable")
    return bool(metadata["KeyManager"] == "AWS")


def _created(snapshot: Described) -> datetime:
    """Return when a backup was made; `SnapshotCreateTime` may be the time of a copy."""
    created: datetime = snapshot.get("OriginalSnapshotCreateTime") or snapshot["SnapshotCreateTime"]
    return created


def _order(offered: Offered) -> tuple[datetime, str]:
    return _created(offered[1]), offered[1]["DBSnapshotIdentifier"]
