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
from restorecheck.sources.rds import engines
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.reach import Reach, Side

Offered = tuple[SnapshotKind, Described]


def find(reach: Reach) -> RecoveryPoint:
    """Pick the recovery point that the check asks for, and learn what the way to the scratch account needs."""
    found = [(kind, snapshot) for kind in reach.source.snapshots for snapshot in _listed(reach, kind)]
    usable = [x for x in found if _usable(reach, x[1])]
    if not usable:
        raise SourceError(_nothing(reach, found), kind="no-recovery-point")
    newest = max(_created(snapshot) for _, snapshot in usable)
    since = reach.plan.now - reach.source.within if reach.source.within else None
    offered = [x for x in usable if since is None or _created(x[1]) >= since]
    if not offered:
        message = f"the newest recovery point of {reach.tested} is of {newest:%Y-%m-%d %H:%M} UTC"
        raise SourceError(f"{message}, before the window that `within` allows", kind="no-recovery-point")
    offered.sort(key=lambda x: (_created(x[1]), x[1][reach.kept.identifier]))
    return _point(reach, *_picked(reach, offered), newest)


def _listed(reach: Reach, kind: SnapshotKind) -> Iterator[Described]:
    kept = reach.kept
    if kind is not SnapshotKind.SHARED:
        wanted = {kept.of: reach.tested, "SnapshotType": str(kind)}
        yield from reach.hand("source").pages("rds", kept.describe, kept.key, **wanted)
        return
    shared = reach.hand("scratch").pages("rds", kept.describe, kept.key, SnapshotType="shared", IncludeShared=True)
    for snapshot in shared:  # AWS does not filter these by instance or cluster
        owner = snapshot[kept.arn].split(":")[4]
        if owner == reach.source.account and snapshot[kept.of] == reach.tested:
            yield snapshot


def _usable(reach: Reach, snapshot: Described) -> bool:
    """Leave out what is not finished, and copies that restorecheck itself made."""
    kept = reach.kept
    name = snapshot[kept.identifier].split(f":{kept.kind}:")[-1]  # AWS names a shared one by its ARN
    return snapshot.get("Status") == "available" and not name.startswith(PREFIX)


def _nothing(reach: Reach, found: list[Offered]) -> str:
    kinds, nouns = ", ".join(reach.source.snapshots), f"{reach.kept.noun}s"
    where = f"{reach.tested} in account {reach.source.account}, {reach.source.region}"
    if found:
        return f"none of the {len(found)} {nouns} ({kinds}) of {where} is available and its owner's"
    return f"there are no {nouns} ({kinds}) of {where}"


def _picked(reach: Reach, offered: list[Offered]) -> Offered:
    if reach.source.pick == "latest":
        return offered[-1]
    if reach.source.pick == "oldest":
        return offered[0]
    return random.Random(reach.plan.run_id).choice(offered)  # noqa: S311 - reproducible from the run id, no secret


def _point(reach: Reach, kind: SnapshotKind, snapshot: Described, newest: datetime) -> RecoveryPoint:
    kept = reach.kept
    arn = snapshot[kept.arn]
    _check_engine(reach, arn, snapshot["Engine"])
    # Under a key that AWS owns, a cluster snapshot says that it is not encrypted, and is. [RDS API, DBClusterSnapshot]
    by_aws = snapshot.get("StorageEncryptionType") == "sse-rds"
    encrypted = bool(snapshot.get(kept.encrypted)) or by_aws
    key = snapshot.get("KmsKeyId") if encrypted else None
    default_key = _default_key(reach, kind, key) if key else False
    if default_key and (kind is SnapshotKind.SHARED or not reach.source.share_key):
        raise SourceError(f"{arn} is encrypted under the default key of its account", kind="key-not-shareable")
    if by_aws and kind is SnapshotKind.MANUAL and reach.source.share_key:
        default_key = True  # nobody documents that it can be shared; a copy under the share key can
    return RecoveryPoint(
        id=snapshot[kept.identifier],
        arn=arn,
        kind=kind,
        created=_created(snapshot),
        newest=newest,
        engine=snapshot["Engine"],
        engine_version=snapshot["EngineVersion"],
        master_username=snapshot["MasterUsername"],
        encrypted=encrypted,
        key=key,
        default_key=default_key,
        shared_already=kind is SnapshotKind.MANUAL and reach.shared(snapshot[kept.identifier]),
        data_time=snapshot.get("SnapshotDatabaseTime"),
        size_gib=snapshot.get("AllocatedStorage", 0),
        iops=snapshot.get("Iops"),
        storage_type=snapshot.get("StorageType"),
        remarks=_remarks(snapshot),
    )


def _check_engine(reach: Reach, arn: str, engine: str) -> None:
    """Raise SourceError for a snapshot that this check cannot ask: now, and not after a restore."""
    if trouble := engines.why_not(reach.source, engine):
        kind, hint = trouble
        asks = f", and the check asks its questions of {reach.source.engine}" if kind == "config" else ""
        raise SourceError(f"{arn} is of engine {engine}{asks}", hint, kind=kind)


def _remarks(snapshot: Described) -> tuple[str, ...]:
    if snapshot.get("SourceDBClusterSnapshotArn"):
        return ("it is a copy of a cluster snapshot: AWS tells when it was copied, and not when the original was made",)
    return ()


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
