"""Which permissions a call to RDS needs: on everything that it names, reads or makes, and on its keys. Pure.

AWS asks for each resource of a call by itself, for `rds:AddTagsToResource` wherever something is tagged as it is made,
and for the keys in the caller's name. Which those are is told by AWS's tables of actions; what they leave open is in
docs/demo-aws.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from restorecheck.demo.aws.conditions import PolicyError, Value
from restorecheck.demo.aws.permissions import Here, Inventory, Permission, key_needs, tags_of

TO_COPY = (
    "DescribeKey",
    "CreateGrant",
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
)
"""What the copy of an encrypted snapshot takes of both keys, beside ReEncryptFrom of one and ReEncryptTo of another."""
TO_RUN = ("DescribeKey", "CreateGrant")
"""What an encrypted database takes of its key."""

_ON_NOTHING = {
    "DescribeAccountAttributes",
    "DescribeDBEngineVersions",
    "DescribeEvents",
    "DescribeOrderableDBInstanceOptions",
}
_LOOKS = {
    "DescribeDBClusters": ("cluster", "DBClusterIdentifier"),
    "DescribeDBClusterSnapshotAttributes": ("cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "DescribeDBClusterSnapshots": ("cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "DescribeDBInstances": ("db", "DBInstanceIdentifier"),
    "DescribeDBSnapshotAttributes": ("snapshot", "DBSnapshotIdentifier"),
    "DescribeDBSnapshots": ("snapshot", "DBSnapshotIdentifier"),
    "DescribeDBSubnetGroups": ("subgrp", "DBSubnetGroupName"),
}
_TOUCHES = {
    "DeleteDBCluster": ("cluster", "DBClusterIdentifier"),
    "DeleteDBClusterSnapshot": ("cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "DeleteDBInstance": ("db", "DBInstanceIdentifier"),
    "DeleteDBSnapshot": ("snapshot", "DBSnapshotIdentifier"),
    "ModifyDBCluster": ("cluster", "DBClusterIdentifier"),
    "ModifyDBClusterSnapshotAttribute": ("cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "ModifyDBInstance": ("db", "DBInstanceIdentifier"),
    "ModifyDBSnapshotAttribute": ("snapshot", "DBSnapshotIdentifier"),
    "RebootDBInstance": ("db", "DBInstanceIdentifier"),
}
"""Operations on one resource that is there: its type, and the parameter that names it."""
_TAKES = {
    "CreateDBClusterSnapshot": ("cluster", "DBClusterIdentifier", "cluster-snapshot", "DBClusterSnapshotIdentifier"),
    "CreateDBSnapshot": ("db", "DBInstanceIdentifier", "snapshot", "DBSnapshotIdentifier"),
    "CopyDBClusterSnapshot": (
        *("cluster-snapshot", "SourceDBClusterSnapshotIdentifier"),
        *("cluster-snapshot", "TargetDBClusterSnapshotIdentifier"),
    ),
    "CopyDBSnapshot": ("snapshot", "SourceDBSnapshotIdentifier", "snapshot", "TargetDBSnapshotIdentifier"),
}
"""Operations that make a snapshot: of what, and what."""
_FINAL = {
    "DeleteDBInstance": ("CreateDBSnapshot", "snapshot", "FinalDBSnapshotIdentifier"),
    "DeleteDBCluster": ("CreateDBClusterSnapshot", "cluster-snapshot", "FinalDBSnapshotIdentifier"),
}
_TOLD = {
    "BackupTarget": "rds:BackupTarget",
    "CopyOptionGroup": "rds:CopyOptionGroup",
    "DBInstanceClass": "rds:DatabaseClass",
    "ManageMasterUserPassword": "rds:ManageMasterUserPassword",
    "PubliclyAccessible": "rds:PubliclyAccessible",
}
"""Parameters that are condition keys, if they are given."""


@dataclass(frozen=True, slots=True)
class RdsRequest:
    """One call to RDS, as its form tells it."""

    operation: str
    form: Mapping[str, Any]
    here: Here
    inventory: Inventory

    def needs(self) -> list[Permission]:
        """Return the permissions that it needs. Raises PolicyError."""
        operation = self.operation
        if operation in _ON_NOTHING:
            return [self._on("*")]
        if operation in _LOOKS:
            kind, name = _LOOKS[operation]
            return [self._there(kind, self.form.get(name) or "*")]
        if operation in _TOUCHES:
            return self._touch()
        if operation in _TAKES:
            return self._take()
        match operation:
            case "RestoreDBInstanceFromDBSnapshot":
                return self._restore_instance()
            case "RestoreDBClusterFromSnapshot":
                return self._restore_cluster()
            case "CreateDBInstance":
                return self._create_instance()
            case "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource":
                arn = str(self.form.get("ResourceName"))
                asked: dict[str, Value] = {} if operation != "AddTagsToResource" else {"rds:TagsFromRequest": "true"}
                return [self._there("", arn, "", **asked)]
        raise PolicyError(f"the demo AWS does not know which permissions rds:{operation} needs")

    # --- parts of it -------------------------------------------------------------------------------------------------

    def _arn(self, kind: str, name: str) -> str:
        if name.startswith("arn:") and name.count(":") < 6:
            raise PolicyError(f"{name} is no ARN of RDS")
        return name if name.startswith("arn:") else self.here.arn("rds", f"{kind}:{name.lower()}")

    def _request(self) -> dict[str, Value]:
        """Return the condition keys of the whole call."""
        tags = _tags(self.form)
        found = tags_of(("aws:RequestTag", "rds:req-tag"), tags)
        keys = (*tags, *(str(v) for k, v in self.form.items() if re.fullmatch(r"TagKeys\.[^.]+\.\d+", k)))
        if keys:
            found["aws:TagKeys"] = keys
        return found | {key: str(self.form[name]) for name, key in _TOLD.items() if name in self.form}

    def _on(self, resource: str, action: str = "", **more: Value) -> Permission:
        return Permission(f"rds:{action or self.operation}", resource, self._request() | more)

    def _there(self, kind: str, name: str, action: str = "", **more: Value) -> Permission:
        """On something that is there already, with its tags; those of another account are not known."""
        arn = self._arn(kind, name)
        own = arn.split(":")[4] == self.here.account
        kind = arn.split(":")[5]
        tags = tags_of(("aws:ResourceTag", f"rds:{kind}-tag"), self.inventory.tags(arn) if own else {})
        return self._on(arn, action, **tags, **more)

    def _made(self, kind: str, name: str) -> list[Permission]:
        """On something that this call makes, and its tags."""
        arn = self._arn(kind, name)
        tagging = [self._on(arn, "AddTagsToResource", **{"rds:TagsFromRequest": "true"})] if _tags(self.form) else []
        return [self._on(arn), *tagging]

    def _group(self, kind: str, parameter: str, default: str) -> Permission:
        return self._there(kind, str(self.form.get(parameter) or default))

    def _keys(self, key: str | None, actions: tuple[str, ...]) -> list[Permission]:
        return key_needs(key, actions, "rds", self.here.account, self.inventory) if key else []

    # --- operations --------------------------------------------------------------------------------------------------

    def _touch(self) -> list[Permission]:
        kind, name = _TOUCHES[self.operation]
        needs = [self._there(kind, str(self.form.get(name)))]
        action, made, last = _FINAL.get(self.operation, ("", "", ""))
        if action and last in self.form:
            needs.append(self._on(self._arn(made, str(self.form[last])), action))
        if self.operation == "DeleteDBCluster":  # AWS's table has its last snapshot as required, also if none is made
            needs.append(self._on(self._arn(made, str(self.form.get(last) or self.form.get(name)))))
        for parameter, group in (("DBParameterGroupName", "pg"), ("OptionGroupName", "og")):
            if parameter in self.form:
                needs.append(self._there(group, str(self.form[parameter])))
        if "DBClusterParameterGroupName" in self.form:
            needs.append(self._there("cluster-pg", str(self.form["DBClusterParameterGroupName"])))
        return needs

    def _take(self) -> list[Permission]:
        kind, of, made, name = _TAKES[self.operation]
        source = self._there(kind, str(self.form.get(of)))
        needs = [source, *self._made(made, str(self.form.get(name)))]
        if not self.operation.startswith("Copy"):
            return needs
        if "OptionGroupName" in self.form:
            needs.append(self._there("og", str(self.form["OptionGroupName"])))
        return needs + self._rekeyed(self.inventory.key_of(source.resource))

    def _rekeyed(self, key: str | None) -> list[Permission]:
        """On the key of a snapshot, and on the key that the call names in its place."""
        other = self.inventory.key(self.here, str(self.form["KmsKeyId"])) if "KmsKeyId" in self.form else key
        return self._keys(key, (*TO_COPY, "ReEncryptFrom")) + self._keys(other, (*TO_COPY, "ReEncryptTo"))

    def _restore_instance(self) -> list[Permission]:
        source = self._there("snapshot", str(self.form.get("DBSnapshotIdentifier")))
        parameters, options = self.inventory.groups(str(self.form.get("Engine", "")), source.resource)
        return [
            *self._made("db", str(self.form.get("DBInstanceIdentifier"))),
            source,
            self._group("subgrp", "DBSubnetGroupName", "default"),
            self._group("pg", "DBParameterGroupName", parameters),
            self._group("og", "OptionGroupName", options),
            *self._keys(self.inventory.key_of(source.resource), TO_RUN),
        ]

    def _restore_cluster(self) -> list[Permission]:
        source = self._there("cluster-snapshot", str(self.form.get("SnapshotIdentifier")))
        parameters, options = self.inventory.groups(str(self.form.get("Engine", "")), source.resource)
        key = self.inventory.key_of(source.resource)
        return [
            *self._made("cluster", str(self.form.get("DBClusterIdentifier"))),
            source,
            self._group("subgrp", "DBSubnetGroupName", "default"),
            self._group("cluster-pg", "DBClusterParameterGroupName", parameters),
            self._group("og", "OptionGroupName", options),
            *(self._rekeyed(key) if key and "KmsKeyId" in self.form else self._keys(key, TO_RUN)),
        ]

    def _create_instance(self) -> list[Permission]:
        parameters, options = self.inventory.groups(str(self.form.get("Engine", "")), "")
        cluster = self.form.get("DBClusterIdentifier")
        subnets = self.inventory.subnet_group(self._arn("cluster", str(cluster))) if cluster else "default"
        needs = [
            *self._made("db", str(self.form.get("DBInstanceIdentifier"))),
            self._group("subgrp", "DBSubnetGroupName", subnets),
            self._group("pg", "DBParameterGroupName", parameters),
            self._group("og", "OptionGroupName", options),
        ]
        if cluster:
            needs.append(self._there("cluster", str(cluster)))
        key = self.form.get("KmsKeyId")
        return needs + self._keys(self.inventory.key(self.here, str(key)) if key else None, TO_RUN)


def _tags(form: Mapping[str, Any]) -> dict[str, str]:
    """Read the tags that a call carries: `Tags.Tag.1.Key`, `Tags.Tag.1.Value`."""
    numbered = {k: str(v) for k, v in form.items() if re.fullmatch(r"Tags\.[^.]+\.\d+\.(Key|Value)", k)}
    return {v: numbered.get(f"{k.removesuffix('Key')}Value", "") for k, v in numbered.items() if k.endswith(".Key")}
