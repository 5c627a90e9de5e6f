"""Who may see a snapshot: sharing, and what is listed to whom; of instances and of clusters, which never mix.

Called with the estate's lock held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from restorecheck.demo.aws import keys
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.snapshots import OF_INSTANCES, Family, Snapshot

Wire = dict[str, Any]
MOST_SHARES = 20


def share(scope: Scope, asked: Wire, family: Family = OF_INSTANCES) -> Snapshot:
    """ModifyDBSnapshotAttribute, attribute `restore`: who else may copy and restore it."""
    snapshot = own(scope, asked, family)
    if asked.get("AttributeName") != "restore":
        raise AwsError("InvalidParameterValue", f"Invalid snapshot attribute {asked.get('AttributeName')}")
    if snapshot.kind != "manual":
        message = f"Only manual snapshots can be shared; {snapshot.identifier} is {snapshot.kind}."
        raise AwsError(family.wrong_state, message)
    if snapshot.status(scope.now) != "available":
        message = f"{family.word} {snapshot.identifier} is not in the available state."
        raise AwsError(family.wrong_state, message)
    added = asked.get("ValuesToAdd") or []
    for account in added:
        if account != "all" and not re.fullmatch(r"\d{12}", account):
            raise AwsError("InvalidParameterValue", f"Invalid AWS account id: {account}")
    if added and snapshot.key:
        if "all" in added:
            raise AwsError("InvalidParameterValue", "Encrypted snapshots cannot be made public.")
        if keys.is_default(snapshot.key):
            message = "Sharing snapshots encrypted with the default service key for RDS is currently not supported."
            raise AwsError(family.wrong_state, message)
    removed = set(asked.get("ValuesToRemove") or [])
    shares = [a for a in snapshot.shared_with if a not in removed]
    shares += [a for a in added if a not in shares]
    if len(shares) > MOST_SHARES:
        message = f"A snapshot can be shared with at most {MOST_SHARES} accounts."
        raise AwsError("SharedSnapshotQuotaExceeded", message)
    snapshot.shared_with = shares
    return snapshot


def own(scope: Scope, asked: Wire, family: Family) -> Snapshot:
    """Return the caller's own snapshot that the call names. Raises the error of its family that it is missing."""
    return scope.estate.own_snapshot(scope.account, scope.region_name, asked[f"{family.word}Identifier"], family)


def attributes(snapshot: Snapshot) -> Wire:
    """Return what DescribeDBSnapshotAttributes and ModifyDBSnapshotAttribute answer."""
    word = snapshot.family.word
    return {
        f"{word}AttributesResult": {
            f"{word}Identifier": snapshot.identifier,
            f"{word}Attributes": [{"AttributeName": "restore", "AttributeValues": list(snapshot.shared_with)}],
        }
    }


def describe(scope: Scope, asked: Wire, family: Family = OF_INSTANCES) -> Iterable[Snapshot]:
    """DescribeDBSnapshots or DescribeDBClusterSnapshots, without the paging."""
    kind = asked.get("SnapshotType")
    if kind is not None and kind not in family.kinds:
        raise AwsError("InvalidParameterValue", f"Invalid snapshot type: {kind}")
    if identifier := asked.get(f"{family.word}Identifier"):
        found = [_one(scope, identifier, kind, family)]
    else:
        found = [s for s in _candidates(scope, asked, kind, family) if _visible_kind(s, scope.account, kind)]
    if owner := asked.get(family.owner):
        found = [s for s in found if s.instance == owner.split(":")[-1].lower()]
    if resource := asked.get("DbiResourceId") or asked.get("DbClusterResourceId"):
        found = [s for s in found if s.resource_id == resource]
    filters = _FILTERS | (_OF_INSTANCES if family is OF_INSTANCES else _OF_CLUSTERS)
    for condition in asked.get("Filters") or []:
        if condition["Name"] not in filters:
            raise AwsError("InvalidParameterValue", f"Unrecognized filter name: {condition['Name']}")
        field_of = filters[condition["Name"]]
        found = [s for s in found if set(condition["Values"]) & set(field_of(s))]
    return sorted(found, key=lambda s: (s.account, s.identifier))


def _one(scope: Scope, identifier: str, kind: str | None, family: Family) -> Snapshot:
    """Find by name or ARN; an automated one only if the call names its type, as the API reference demands."""
    found = scope.estate.snapshot(scope.account, scope.region_name, identifier, family)
    own = found.account == scope.account
    wanted = {None, found.kind} if own and found.kind == "manual" else {found.kind} if own else {None, "shared"}
    if not own and "all" in found.shared_with:
        wanted = {None, "shared", "public"}
    if kind not in wanted or (own and kind in {"shared", "public"}):
        raise AwsError(family.missing, f"{family.word} {identifier} not found.")
    return found


def _candidates(scope: Scope, asked: Wire, kind: str | None, family: Family) -> list[Snapshot]:
    own = list(scope.region.held(family).values())
    received = kind == "shared" or (kind is None and asked.get("IncludeShared"))
    public = kind == "public" or (kind is None and asked.get("IncludePublic"))
    if not received and not public:
        return own
    others = [
        s
        for s in scope.estate.all_snapshots()
        if s.family is family and s.region == scope.region_name and s.account != scope.account
    ]
    found = [s for s in others if received and scope.account in s.shared_with]
    return own + found + [s for s in others if public and "all" in s.shared_with and s not in found]


def _visible_kind(snapshot: Snapshot, account: str, kind: str | None) -> bool:
    own = snapshot.account == account
    if kind is None:  # "both automated and manual snapshots are returned", not those of AWS Backup
        return not own or snapshot.kind in {"automated", "manual"}
    if kind in {"shared", "public"}:
        return not own
    return own and snapshot.kind == kind


Filters = dict[str, Callable[[Snapshot], tuple[str, ...]]]

_FILTERS: Filters = {
    "snapshot-type": lambda s: (s.kind,),
    "engine": lambda s: (s.settings["Engine"],),
}
_OF_INSTANCES: Filters = {
    "db-instance-id": lambda s: (s.instance, f"arn:aws:rds:{s.region}:{s.account}:db:{s.instance}"),
    "db-snapshot-id": lambda s: (s.identifier, s.arn),
    "dbi-resource-id": lambda s: (s.resource_id,),
}
_OF_CLUSTERS: Filters = {
    "db-cluster-id": lambda s: (s.instance, f"arn:aws:rds:{s.region}:{s.account}:cluster:{s.instance}"),
    "db-cluster-snapshot-id": lambda s: (s.identifier, s.arn),
}
