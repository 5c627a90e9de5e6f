"""What the policy of a role or a bucket says about a caller. Pure.

What the evaluator does not know (operators, principals other than AWS) counts as no: a condition that is not
understood must never open a door.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks to assume a role."""

    account: str
    arn: str
    external_id: str | None = None

    def context(self) -> dict[str, str]:
        """Return the condition keys of the request."""
        context = {"aws:principalarn": self.arn, "aws:principalaccount": self.account}
        if self.external_id is not None:
            context["sts:externalid"] = self.external_id
        return context


def lets_in(document: str | Mapping[str, Any], caller: Caller) -> bool:
    """Say whether a trust policy allows sts:AssumeRole to the caller; an explicit Deny wins."""
    policy = json.loads(document) if isinstance(document, str) else document
    allowed = False
    for statement in _list(policy.get("Statement")):
        about = _about(statement, "sts:AssumeRole") and _principal(statement.get("Principal"), caller)
        if statement.get("Effect") == "Allow":
            allowed = allowed or (about and _holds(statement.get("Condition"), caller, unknown=False))
        elif about and _holds(statement.get("Condition"), caller, unknown=True):
            return False
    return allowed


def decide(document: str | bytes, caller: Caller, action: str, resource: str) -> Literal["allow", "deny"] | None:
    """Return what a resource's policy says of a caller's action on it; None if nothing. An explicit Deny wins."""
    said: Literal["allow", "deny"] | None = None
    for statement in _list(json.loads(document).get("Statement")):
        denies = statement.get("Effect") == "Deny"
        about = (
            _about(statement, action)
            and any(_glob(r, resource) for r in _list(statement.get("Resource")))
            and _principal(statement.get("Principal"), caller)
            and _holds(statement.get("Condition"), caller, unknown=denies)
        )
        # What says whom or what it is not about is not evaluated here: a Deny of that kind denies, an Allow does not.
        if denies and (about or any(name in statement for name in ("NotAction", "NotResource", "NotPrincipal"))):
            return "deny"
        if about and statement.get("Effect") == "Allow":
            said = "allow"
    return said


def _about(statement: Mapping[str, Any], action: str) -> bool:
    return any(_glob(named.lower(), action.lower()) for named in _list(statement.get("Action")))


def _principal(principal: Any, caller: Caller) -> bool:
    named = _list(principal.get("AWS")) if isinstance(principal, Mapping) else _list(principal)
    return any(x in {"*", caller.account, caller.arn, f"arn:aws:iam::{caller.account}:root"} for x in named)


def _holds(conditions: Mapping[str, Mapping[str, Any]] | None, caller: Caller, *, unknown: bool) -> bool:
    context = caller.context()
    for operator, pairs in (conditions or {}).items():
        for key, expected in pairs.items():
            if operator not in _OPERATORS or key.lower() not in _KEYS:
                return unknown
            if not _OPERATORS[operator]([str(e) for e in _list(expected)], context.get(key.lower())):
                return False
    return True


_KEYS = {"sts:externalid", "aws:principalarn", "aws:principalaccount"}
_OPERATORS = {
    "StringEquals": lambda expected, actual: actual in expected,
    "StringLike": lambda expected, actual: actual is not None and any(_glob(e, actual) for e in expected),
    "StringNotEquals": lambda expected, actual: actual not in expected,
    "ArnEquals": lambda expected, actual: actual is not None and any(_glob(e, actual) for e in expected),
    "ArnLike": lambda expected, actual: actual is not None and any(_glob(e, actual) for e in expected),
}


def _glob(pattern: str, text: str) -> bool:
    """IAM's wildcards are * and ? only; fnmatch would also read brackets."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
