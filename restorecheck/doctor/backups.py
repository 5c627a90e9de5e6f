"""The recovery points of a check, and the keys that they are encrypted under."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from restorecheck.doctor import keys
from restorecheck.doctor.diagnosis import Described, Hand, Ill, said
from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import AuroraSource, Check, RdsSource, SnapshotKind
from restorecheck.schedule import PREFIX

Doors = Mapping[str, Callable[[], Hand]]


@dataclass
class Known:
    """What the first look at a check found out for those that follow."""

    snapshot: Described | None = None
    kind: SnapshotKind | None = None

    def newest(self) -> Described:
        """Return the newest recovery point. Raises RestorecheckError if none was seen."""
        if self.snapshot is None:
            raise RestorecheckError("no recovery point was seen", "mend `recovery points` first")
        return self.snapshot

    @property
    def size_gib(self) -> int:
        """How much storage a restore of the newest takes of the quota, in GiB; 0 if that is not known.

        A cluster takes what it holds, and of no quota.
        """
        newest = self.snapshot or {}
        return 0 if "DBClusterSnapshotArn" in newest else int(newest.get("AllocatedStorage") or 0)


@dataclass(frozen=True, slots=True)
class _Kept:
    """How AWS names snapshots of one kind: two lists that never meet."""

    noun: str
    word: str
    of: str  # the field that says of what it is
    arn: str  # how its ARN calls it
    elsewhere: str  # where to look if there are none


_OF_INSTANCES = _Kept("snapshot", "DBSnapshot", "DBInstanceIdentifier", "snapshot", "Aurora clusters keep theirs")
_OF_CLUSTERS = _Kept(
    "cluster snapshot", "DBClusterSnapshot", "DBClusterIdentifier", "cluster-snapshot", "instances keep theirs"
)


def points(check: Check, source: RdsSource | AuroraSource, doors: Doors, known: Known, now: datetime) -> str:
    """Count the recovery points; the newest must be there, and no older than the rpo."""
    kept, name = _kept(source)
    seen = [(kind, item) for kind in source.snapshots for item in _listed(source, kind, doors) if _usable(item, kept)]
    kinds = ", ".join(source.snapshots)
    if not seen:
        what = "instance" if kept is _OF_INSTANCES else "cluster"
        raise Ill(
            f"no available {kept.noun} ({kinds}) of {name} in {source.region}",
            f"check the {what} name, the region and `snapshots`; {kept.elsewhere} in another list",
        )
    known.kind, known.snapshot = max(seen, key=lambda x: _created(x[1]))
    age = now - _created(known.snapshot)
    detail = f"{len(seen)} recovery point{'s' if len(seen) != 1 else ''} ({kinds}), the newest {_spoken(age)} old"
    if age > check.rpo:
        raise Ill(f"{detail}, more than the rpo of {_spoken(check.rpo)}", "find out why no newer backup was made")
    return detail


def _kept(source: RdsSource | AuroraSource) -> tuple[_Kept, str]:
    """Return how the backups of a source are kept, and of what they are."""
    return (_OF_INSTANCES, source.instance) if isinstance(source, RdsSource) else (_OF_CLUSTERS, source.cluster)


def _listed(source: RdsSource | AuroraSource, kind: SnapshotKind, doors: Doors) -> Iterator[Described]:
    kept, name = _kept(source)
    operation, key = f"Describe{kept.word}s", f"{kept.word}s"
    if kind is not SnapshotKind.SHARED:
        wanted = {kept.of: name, "SnapshotType": str(kind)}
        yield from doors["source"]().pages("rds", operation, key, **wanted)
        return
    shared = {"SnapshotType": "shared", "IncludeShared": True}
    for item in doors["scratch"]().pages("rds", operation, key, **shared):
        owner = said(item, f"{kept.word}Arn", f"a shared {kept.noun}").split(":")[4]
        if owner == source.account and item.get(kept.of) == name:
            yield item


def _usable(item: Described, kept: _Kept) -> bool:
    whole = said(item, f"{kept.word}Identifier", f"a {kept.noun}")
    name = whole.split(f":{kept.arn}:")[-1]  # AWS names a shared one by its ARN
    return item.get("Status") == "available" and not name.startswith(PREFIX)


def _created(item: Described) -> datetime:
    created: datetime = item.get("OriginalSnapshotCreateTime") or said(item, "SnapshotCreateTime", "a snapshot")
    return created


def _spoken(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


# --- keys -----------------------------------------------------------------------------------------------------------


def key(source: RdsSource | AuroraSource, doors: Doors, known: Known) -> str:
    """Look at the key of the newest recovery point: usable, and shareable or replaced by one that is."""
    newest = known.newest()
    if newest.get("StorageEncryptionType") == "sse-rds":
        return _key_of_aws(source, known)
    if not said(newest, "Encrypted" if isinstance(source, RdsSource) else "StorageEncrypted", "the snapshot"):
        return "the newest recovery point is not encrypted"
    name = said(newest, "KmsKeyId", "an encrypted snapshot")
    side = "scratch" if known.kind is SnapshotKind.SHARED else "source"
    metadata = keys.described(doors[side](), name)
    keys.enabled(metadata, name)
    if not keys.is_default(metadata, name):
        return f"{name} is enabled and customer managed"
    if known.kind is SnapshotKind.SHARED or not source.share_key:
        raise Ill(
            "the newest recovery point is encrypted under AWS's own key and cannot leave its account",
            "set share_key of the source account to a customer managed key that the scratch role may use",
        )
    return f"AWS's own key; copies that are shared are made under {source.share_key}"


def _key_of_aws(source: RdsSource | AuroraSource, known: Known) -> str:
    """Say what becomes of a backup under a key that is in no account. Raises SourceError if nobody can tell."""
    if known.kind is SnapshotKind.SHARED:
        return "a key that AWS owns; it is shared already"
    if source.share_key:
        return f"a key that AWS owns; copies that are shared are made under {source.share_key}"
    raise SourceError(
        "the newest recovery point is encrypted under a key that AWS owns, and AWS does not say if it can be shared",
        "set share_key of the source account to a customer managed key that the scratch role may use",
        kind="unknown-answer",
    )
