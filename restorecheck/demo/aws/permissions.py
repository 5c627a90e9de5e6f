"""What a request needs to be allowed, as AWS asks for it: actions on resources, and what is known of each. Pure.

RDS and S3 are in modules of their own. An operation that nobody has written down here raises PolicyError: it is
refused, and nobody learns from it which permission it would take.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from restorecheck.demo.aws.conditions import PolicyError, Value

NOTHING_NEEDED = {("sts", "GetCallerIdentity")}
"""Operations that need no permission at all, and that no policy can take away."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource, with what is known of this resource in this request."""

    action: str
    resource: str
    context: dict[str, Value] = field(default_factory=dict)
    through: str = ""
    """The service that acts in the caller's name, as RDS does when it asks for a key."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where a request is made: the caller's account, and the region."""

    account: str
    region: str

    def arn(self, service: str, rest: str) -> str:
        """Return the ARN of something here."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


class Inventory(Protocol):
    """What there is to know of resources that a request names."""

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return the tags of something of RDS or KMS; none if there is nothing of this name."""

    def key_of(self, arn: str) -> str | None:
        """Return the ARN of the customer managed key of a snapshot; None if it has none."""

    def key(self, here: Here, name: str) -> str | None:
        """Return the ARN of a customer managed key by id, alias or ARN; None if it is one of AWS's own."""

    def groups(self, engine: str, snapshot: str) -> tuple[str, str]:
        """Return the default parameter and option group of an engine, or of that of a snapshot."""

    def subnet_group(self, arn: str) -> str:
        """Return the name of the subnet group of a cluster, in which its instances are."""

    def key_of_object(self, bucket: str, key: str, version: str | None) -> str | None:
        """Return the ARN of the customer managed key of an object; None if it has none."""

    def key_of_bucket(self, bucket: str) -> str | None:
        """Return the ARN of the customer managed key that new objects of a bucket go under; None if there is none."""

    def owner(self, bucket: str) -> str:
        """Return the account of a bucket; empty if there is none of this name."""


def tags_of(prefixes: tuple[str, ...], tags: Mapping[str, str]) -> dict[str, Value]:
    """Return the condition keys of tags."""
    return {f"{prefix}/{key}": value for prefix in prefixes for key, value in tags.items()}


def key_needs(key: str, actions: tuple[str, ...], service: str, account: str, inventory: Inventory) -> list[Permission]:
    """Return what a caller needs of a key that a service uses in his name."""
    context: dict[str, Value] = {
        "kms:ViaService": f"{service}.{key.split(':')[3]}.amazonaws.com",
        "kms:CallerAccount": account,
        **tags_of(("aws:ResourceTag",), inventory.tags(key)),
    }
    grant: dict[str, Value] = {"kms:GrantIsForAWSResource": "true"}
    return [Permission(f"kms:{a}", key, context | (grant if a == "CreateGrant" else {}), service) for a in actions]


def of_others(
    service: str, operation: str, parameters: Mapping[str, Any], here: Here, inventory: Inventory
) -> list[Permission]:
    """Return what a request needs to any service but RDS and S3. Raises PolicyError."""
    if (service, operation) in NOTHING_NEEDED:
        return []
    if service == "sts" and operation == "AssumeRole":
        named = {"ExternalId": "sts:ExternalId", "RoleSessionName": "sts:RoleSessionName"}
        context: dict[str, Value] = {key: str(parameters[n]) for n, key in named.items() if n in parameters}
        if wrong := sorted(
            n for n in parameters if n.startswith(("Policy", "Tags", "TransitiveTag", "SourceIdentity"))
        ):
            raise PolicyError(f"the demo AWS knows no sessions with {wrong[0]}")
        return [Permission("sts:AssumeRole", str(parameters.get("RoleArn", "")), context)]
    if service == "kms" and operation == "DescribeKey":
        key = inventory.key(here, str(parameters.get("KeyId", "")))
        if key is None:  # one of AWS's own, whose policy lets its account look; or none at all, which KMS says
            return []
        tags = tags_of(("aws:ResourceTag",), inventory.tags(key))
        return [Permission("kms:DescribeKey", key, {"kms:CallerAccount": here.account, **tags})]
    if service == "ec2" and operation.startswith("Describe"):
        return [Permission(f"ec2:{operation}", "*")]
    if service == "sns" and operation == "Publish" and (topic := parameters.get("TopicArn")):
        return [Permission("sns:Publish", str(topic))]
    if service == "lambda":
        return _of_lambda(operation, here)
    raise PolicyError(f"the demo AWS does not know which permissions {service}:{operation} needs")


_EXECUTION = r"/2025-12-01/durable-executions/(arn:[^/]+/durable-execution/[^/]+/[^/]+)"


def _of_lambda(operation: str, here: Here) -> list[Permission]:
    """`operation` is method and path, and the query's Qualifier after a question mark."""
    method, _, rest = operation.partition(" ")
    path, _, qualifier = rest.partition("?")
    path = urllib.parse.unquote(path)
    if method == "POST" and (found := re.fullmatch(r"/2015-03-31/functions/(.+)/invocations", path)):
        return [Permission("lambda:InvokeFunction", _function(found[1], qualifier, here))]
    if method == "GET" and (found := re.fullmatch(r"/2025-12-01/functions/(.+)/durable-executions", path)):
        return [Permission("lambda:ListDurableExecutionsByFunction", _function(found[1], qualifier, here))]
    if method == "GET" and (found := re.fullmatch(_EXECUTION, path)):
        return [Permission("lambda:GetDurableExecution", found[1])]
    if found := re.fullmatch(f"{_EXECUTION}/checkpoint", path):
        return [Permission("lambda:CheckpointDurableExecution", found[1])]
    if method == "GET" and (found := re.fullmatch(f"{_EXECUTION}/state", path)):
        return [Permission("lambda:GetDurableExecutionState", found[1])]
    raise PolicyError(f"the demo AWS does not know which permissions {method} {path} of Lambda needs")


def _function(name: str, qualifier: str, here: Here) -> str:
    arn = name if name.startswith("arn:") else here.arn("lambda", f"function:{name}")
    return f"{arn}:{qualifier}" if qualifier else arn
