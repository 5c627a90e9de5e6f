"""A description of all that an account has in RDS, down to the bytes of its snapshots, and of what is in its buckets.

Two digests are equal exactly if nothing that a caller could see, and no byte of a snapshot, has changed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from moto.rds.models import rds_backends

from restorecheck.demo.aws import s3_control
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, OF_INSTANCES, Snapshot

SNAPSHOTS = {"snapshots": OF_INSTANCES, "cluster-snapshots": OF_CLUSTERS}
PASSING = ("LatestRestorableTime",)
"""Fields that change by themselves."""


class Digests:
    """Makes digests; remembers the content hash of a directory as long as no file in it changes size or time."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._hashes: dict[Path, tuple[str, str]] = {}

    def of(self, account: str) -> dict[str, Any]:
        """Return the digest of an account, as JSON has it."""
        estate = self._estate
        with estate.lock:
            now, today = estate.clock(), estate.today()
            found: dict[str, Any] = {
                name: {
                    "instances": {i.identifier: i.describe(now, today) for i in region.instances.values()},
                    "clusters": {c.identifier: c.describe(now, today) for c in region.clusters.values()},
                }
                | {
                    key: {
                        s.identifier: s.describe(now) | {"SharedWith": sorted(s.shared_with)}
                        for s in region.held(family).values()
                    }
                    for key, family in SNAPSHOTS.items()
                }
                for name, region in estate.regions_of(account)
            }
            snapshots = [
                (name, key, snapshot)
                for name, region in estate.regions_of(account)
                for key, family in SNAPSHOTS.items()
                for snapshot in region.held(family).values()
            ]
        for name, key, snapshot in snapshots:
            found[name][key][snapshot.identifier]["content"] = self._content(snapshot)
        for name, backend in list(rds_backends[account].items()):
            found.setdefault(name, {}).update(_groups(backend))
        for name, buckets in s3_control.digest(account).items():
            found.setdefault(name, {})["objects"] = buckets
        for region in found.values():
            for described in [*region.get("instances", {}).values(), *region.get("clusters", {}).values()]:
                for passing in PASSING:
                    described.pop(passing, None)
        plain: dict[str, Any] = json.loads(json.dumps(found, default=str, sort_keys=True))
        return {name: region for name, region in plain.items() if any(region.values())}

    def _content(self, snapshot: Snapshot) -> str:
        if snapshot.work.exception() is not None:
            return "none"
        files = sorted(path for path in snapshot.directory.rglob("*") if path.is_file())
        stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        state = hashlib.sha256(repr(stats).encode()).hexdigest()
        known = self._hashes.get(snapshot.directory)
        if known and known[0] == state:
            return known[1]
        content = hashlib.sha256()
        for path in files:
            content.update(f"{path.relative_to(snapshot.directory)}\0{path.stat().st_size}\0".encode())
            content.update(path.read_bytes())
        self._hashes[snapshot.directory] = (state, content.hexdigest())
        return content.hexdigest()


def _groups(backend: Any) -> dict[str, Any]:
    """Return the groups that moto keeps, without the default ones that it makes by itself."""
    return {
        "subnet_groups": {
            group.name: [group.description, group.vpc_id, [s["SubnetIdentifier"] for s in group.subnets], group.tags]
            for group in backend.subnet_groups.values()
        },
        "parameter_groups": {
            group.name: [group.family, group.description, group.parameters, group.tags]
            for group in backend.db_parameter_groups.values()
            if not group.name.startswith("default.")
        },
        "cluster_parameter_groups": {
            group.name: [group.db_parameter_group_family, group.description, group.parameters, group.tags]
            for group in backend.db_cluster_parameter_groups.values()
            if not group.name.startswith("default.")
        },
    }
