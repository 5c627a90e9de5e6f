"""What IAM may ask about resources: their tags, keys, groups and owners. Reads the estate and moto; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.kms.models import kms_backends
from moto.rds.models import rds_backends

from restorecheck.demo.aws import keys, s3_access, s3_backend
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.permissions import Here
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, OF_INSTANCES, Snapshot


class EstateInventory:
    """The `permissions.Inventory` of one estate."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return the tags of something of RDS or KMS; none if there is nothing of this name."""
        _, _, service, region, account, rest = arn.split(":", 5)
        if service == "kms":
            tagger = kms_backends[account][region].tagger
            return dict(tagger.get_tag_dict_for_resource(rest.removeprefix("key/")))
        kind, _, name = rest.partition(":")
        with self._estate.lock:
            found: Any
            here = self._estate.region(account, region)
            match kind:
                case "db":
                    found = here.instances.get(name)
                case "cluster":
                    found = here.clusters.get(name)
                case "snapshot":
                    found = here.snapshots.get(name)
                case "cluster-snapshot":
                    found = here.cluster_snapshots.get(name)
                case _:
                    return self._of_moto(account, region, kind, name)
            return dict(found.tags) if found else {}

    @staticmethod
    def _of_moto(account: str, region: str, kind: str, name: str) -> Mapping[str, str]:
        backend = rds_backends[account][region]
        held: dict[str, Any] = {
            "subgrp": backend.subnet_groups,
            "pg": backend.db_parameter_groups,
            "cluster-pg": backend.db_cluster_parameter_groups,
            "og": backend.option_groups,
        }
        found = held.get(kind, {}).get(name)
        return {tag["Key"]: tag["Value"] for tag in found.tags} if found else {}

    def _snapshot(self, arn: str) -> Snapshot | None:
        _, _, _, region, account, kind, name = arn.split(":", 6)
        family = OF_CLUSTERS if kind == OF_CLUSTERS.arn else OF_INSTANCES
        with self._estate.lock:
            return self._estate.region(account, region).held(family).get(name)

    def key_of(self, arn: str) -> str | None:
        """Return the ARN of the customer managed key of a snapshot; None if it has none."""
        found = self._snapshot(arn)
        return None if found is None else _customers(found.key)

    def key(self, here: Here, name: str) -> str | None:
        """Return the ARN of a customer managed key by id, alias or ARN; None if it is one of AWS's own."""
        if name.startswith("arn:") and keys.owner_of(name) is None:
            return None
        return _customers(keys.arn_of(here.account, here.region, name))

    def groups(self, engine: str, snapshot: str) -> tuple[str, str]:
        """Return the default parameter and option group of an engine, or of that of a snapshot."""
        found = self._snapshot(snapshot) if snapshot else None
        offered = self._estate.data.engines.get(str(found.settings["Engine"]) if found else engine)
        return (f"default.{offered.group}", offered.option_group) if offered else ("default", "default")

    def subnet_group(self, arn: str) -> str:
        """Return the name of the subnet group of a cluster, in which its instances are."""
        _, _, _, region, account, _, name = arn.split(":", 6)
        with self._estate.lock:
            found = self._estate.region(account, region).clusters.get(name)
            return str(found.settings["DBSubnetGroup"]) if found else "default"

    def key_of_object(self, bucket: str, key: str, version: str | None) -> str | None:
        """Return the ARN of the customer managed key of an object; None if it has none."""
        held = s3_access.bucket_of(bucket)
        versions = s3_backend.versions_of(held, key) if held is not None else []
        wanted = [v for v in versions if version in {None, str(getattr(v, "version_id", None))}]
        return _customers(getattr(wanted[-1], "kms_key_id", None)) if wanted else None

    def key_of_bucket(self, bucket: str) -> str | None:
        """Return the ARN of the customer managed key that new objects of a bucket go under; None if there is none."""
        return _customers(s3_access.default_key(bucket))

    def owner(self, bucket: str) -> str:
        """Return the account of a bucket; empty if there is none of this name."""
        return s3_access.owner_of(bucket) or ""


def _customers(arn: str | None) -> str | None:
    return None if arn is None or keys.state(arn) is None or keys.is_default(arn) else arn
