"""What cannot be tested, and why, in a sentence for whoever runs `restorecheck init`. Pure.

Nothing is left out in silence: whatever is found is proposed, or has a reason here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from restorecheck.discovery.found import Bucket, Database
from restorecheck.sources.rds import engines

OLDEST = 14
"""Of PostgreSQL, that can be asked: what came before has no pg_read_all_data."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the configuration offers the sources of one account: names of it, and where what can be restored."""

    source: str
    account: str
    scratch: str
    regions: frozenset[str]
    databases: frozenset[str] = frozenset()  # regions with a place for databases
    objects: frozenset[str] = frozenset()  # regions with a bucket for objects
    share_keys: frozenset[str] = frozenset()  # regions with a key under which copies can be shared
    classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # what is restored into, by region


def of_database(one: Database, ground: Ground) -> str:
    """Return why an instance or a cluster cannot be tested; empty if it can."""
    if one.cluster:
        return f"it is an instance of the cluster {one.cluster}, whose backups are those of the cluster"
    if reason := _engine(one):
        return reason
    if one.region not in ground.databases:
        return f"{ground.scratch} has no place for databases in {one.region}"
    if one.snapshots is not None and not one.snapshots:
        return _no_backups(one)
    if _default_key(one) and one.region not in ground.share_keys:
        return (
            "its backups are under the key aws/rds, which no other account can use: name a customer managed key of "
            f"{ground.source}, by --share-key or share_key, and copies that are shared are made under that"
        )
    return ""


def of_bucket(one: Bucket, ground: Ground) -> str:
    """Return why a bucket cannot be tested; empty if what is in it may be."""
    if one.region not in ground.regions:
        return f"it is in {one.region or 'a region that S3 does not tell'}, which was not asked for"
    if one.versioning == "Suspended":
        return "its versioning is suspended: what is overwritten or deleted now is gone"
    if one.versioning != "Enabled":
        return "it keeps no versions: what is overwritten or deleted is gone, so there is nothing to restore from"
    if not one.keys:
        return "it is empty" if one.whole else "of the keys that were looked at, none is there now"
    return ""


def askable(one: Database) -> bool:
    """Return whether questions can be put to a database of this version."""
    return engines.OF_INSTANCES.get(one.engine) != "postgresql" or _major(one) >= OLDEST


def family(one: Database) -> engines.Family | None:
    """Return which family of engines it is of; None: of none that can be asked."""
    return (engines.OF_INSTANCES if one.kind == "rds" else engines.OF_CLUSTERS).get(one.engine)


def _engine(one: Database) -> str:
    if family(one):
        return ""
    if one.kind == "aurora" and one.engine in engines.OF_INSTANCES:
        return "it is a Multi-AZ DB cluster, which is restored in another way; restorecheck does not know it yet"
    return f"its engine is {one.engine}, which restorecheck cannot ask"


def _no_backups(one: Database) -> str:
    if one.replica_of:
        return f"it replicates {one.replica_of.rsplit(':', 1)[-1]} and has no backups of its own"
    if one.days:
        return f"there is no backup of it, though they are to be kept for {one.days} d: if it is not new, find out why"
    return "THERE IS NO BACKUP OF IT: automated backups are off, and there is no snapshot"


def _default_key(one: Database) -> bool:
    newest = one.snapshots[-1].sealed if one.snapshots else one.sealed
    return newest == "default"


def _major(one: Database) -> int:
    digits = one.version.split(".")[0]
    return int(digits) if digits.isdigit() else OLDEST
