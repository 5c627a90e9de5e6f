"""The recovery points of a check, and the keys that they are encrypted under."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from restorecheck.doctor import keys
from restorecheck.doctor.diagnosis import Described, Hand, Ill, said
from restorecheck.errors import RestorecheckError
from restorecheck.model import Check, SnapshotKind
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
        """How much storage a restore of the newest takes, in GiB; 0 if that is not known."""
        return int((self.snapshot or {}).get("AllocatedStorage") or 0)


def points(check: Check, doors: Doors, known: Known, now: datetime) -> str:
    """Count the recovery points; the newest must be there, and no older than the rpo."""
    seen = [(kind, item) for kind in check.source.snapshots for item in _listed(check, kind, doors) if _usable(item)]
    kinds = ", ".join(check.source.snapshots)
    if not seen:
        raise Ill(
            f"no available snapshot ({kinds}) of {check.source.instance} in {check.source.region}",
            "check the instance name, the region and `snapshots`; Aurora clusters keep theirs in another list",
        )
    known.kind, known.snapshot = max(seen, key=lambda x: _created(x[1]))
    age = now - _created(known.snapshot)
    detail = f"{len(seen)} recovery point{'s' if len(seen) != 1 else ''} ({kinds}), the newest {_spoken(age)} old"
    if age > check.rpo:
        raise Ill(f"{detail}, more than the rpo of {_spoken(check.rpo)}", "find out why no newer backup was made")
    return detail


def _listed(check: Check, kind: SnapshotKind, doors: Doors) -> Iterator[Described]:
    source = check.source
    if kind is not SnapshotKind.SHARED:
        wanted = {"DBInstanceIdentifier": source.instance, "SnapshotType": str(kind)}
        yield from doors["source"]().pages("rds", "DescribeDBSnapshots", "DBSnapshots", **wanted)
        return
    shared = {"SnapshotType": "shared", "IncludeShared": True}
    for item in doors["scratch"]().pages("rds", "DescribeDBSnapshots", "DBSnapshots", **shared):
        owner = said(item, "DBSnapshotArn", "a shared snapshot").split(":")[4]
        if owner == source.account and item.get("DBInstanceIdentifier") == source.instance:
            yield item


def _usable(item: Described) -> bool:
    name = said(item, "DBSnapshotIdentifier", "a snapshot").split(":snapshot:")[-1]  # AWS names a shared one by its ARN
    return item.get("Status") == "available" and not name.startswith(PREFIX)


def _created(item: Described) -> datetime:
    created: datetime = item.get("OriginalSnapshotCreateTime") or said(item, "SnapshotCreateTime", "a snapshot")
    return created


def _spoken(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


# --- keys -----------------------------------------------------------------------------------------------------------


def key(check: Check, doors: Doors, known: Known) -> str:
    """Look at the key of the newest recovery point: usable, and shareable or replaced by one that is."""
    newest = known.newest()
    if not said(newest, "Encrypted", "the snapshot"):
        return "the newest recovery point is not encrypted"
    name = said(newest, "KmsKeyId", "an encrypted snapshot")
    side = "scratch" if known.kind is SnapshotKind.SHARED else "source"
    metadata = keys.described(doors[side](), name)
    keys.enabled(metadata, name)
    if not keys.is_default(metadata, name):
        return f"{name} is enabled and customer managed"
    if known.kind is SnapshotKind.SHARED or not check.source.share_key:
        raise Ill(
            "the newest recovery point is encrypted under AWS's own key and cannot leave its account",
            "set share_key of the source account to a customer managed key that the scratch role may use",
        )
    return f"AWS's own key; copies that are shared are made under {check.source.share_key}"
