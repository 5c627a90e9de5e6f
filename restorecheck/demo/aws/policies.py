"""What IAM policies say of one action on one resource: an Allow is needed, a Deny wins. Pure.

Policies are read before they are asked, and whatever cannot be judged here raises PolicyError when it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from restorecheck.demo.aws import conditions
from restorecheck.demo.aws.conditions import Context, PolicyError, filled, glob, listed

Grip = Literal["direct", "account"]
"""How a resource's policy names somebody: himself (or everybody), or his whole account, whose IAM then decides."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    account: str
    arn: str
    """ARN of the role, not of its session."""


@dataclass(frozen=True, slots=True)
class Question:
    """One action on one resource, and what is known of the request."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy."""

    sid: str
    effect: str
    said: Mapping[str, Any]

    def about(self, asked: Question) -> bool:
        """Say whether it is about this action on this resource, and its conditions hold. Raises PolicyError."""
        said = self.said
        action = any(glob(a.lower(), asked.action.lower()) for a in listed(said.get("Action") or said.get("NotAction")))
        if action == ("NotAction" in said):
            return False
        if "Resource" in said or "NotResource" in said:
            named = listed(said.get("Resource") or said.get("NotResource"))
            resource = any(glob(filled(r, asked.context), asked.resource) for r in named)
            if resource == ("NotResource" in said):
                return False
        return conditions.hold(said.get("Condition") or {}, asked.context)

    def grips(self, who: Principal) -> Grip | None:
        """Say how it names a caller; None if it does not."""
        principal = self.said["Principal"]
        named = listed(principal.get("AWS")) if isinstance(principal, Mapping) else listed(principal)
        if who.arn in named or "*" in named:
            return "direct"
        return "account" if {who.account, f"arn:aws:iam::{who.account}:root"} & set(named) else None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy under the name by which decisions tell of it."""

    name: str
    statements: tuple[Statement, ...]

    def hits(self, asked: Question, effect: str, who: Principal | None = None) -> Iterator[tuple[str, Grip]]:
        """Yield the statements of one effect that are about the question, and how they name the caller."""
        for statement in self.statements:
            grip: Grip | None = "direct" if who is None else statement.grips(who)
            if statement.effect == effect and grip and statement.about(asked):
                yield f"{self.name}: {statement.sid}", grip


@dataclass(frozen=True, slots=True)
class Rules:
    """All policies that have a say in one question."""

    owner: str
    """The account that the resource belongs to."""
    identity: Sequence[Policy] = ()
    resource: Policy | None = None
    """What the resource itself says; None if its service has no such policies."""
    limits: Sequence[Policy] = ()
    """Service control policies of the caller's account, beside one that allows everything."""
    keeps: bool = False
    """A resource without whose word IAM counts for nothing: a key, a role."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies say."""

    allowed: bool
    by: tuple[str, ...] = ()
    """The statements that allow, or that deny, as `policy: sid`."""
    why: str = ""
    """The end of AWS's sentence about a refusal."""


def decide(asked: Question, who: Principal, rules: Rules) -> Decision:
    """Decide one question. Raises PolicyError."""
    own = [(policy, None) for policy in rules.identity]
    theirs = [(rules.resource, who)] if rules.resource else []
    for words, policies in (
        ("a service control policy", [(policy, None) for policy in rules.limits]),
        ("an identity-based policy", own),
        ("a resource-based policy", theirs),
    ):
        if denied := [name for policy, whom in policies for name, _ in policy.hits(asked, "Deny", whom)]:
            return Decision(False, tuple(denied), f"with an explicit deny in {words}")
    identity = [name for policy, _ in own for name, _ in policy.hits(asked, "Allow")]
    said = [found for policy, whom in theirs for found in policy.hits(asked, "Allow", whom)]
    direct = [name for name, grip in said if grip == "direct"]
    resource = [name for name, _ in said]
    needs_word = rules.keeps or (who.account != rules.owner and rules.resource is not None)
    if who.account == rules.owner and direct:
        return Decision(True, (*identity, *resource))
    if identity and (resource or not needs_word):
        return Decision(True, (*identity, *resource))
    whose = "resource-based" if identity else "identity-based"
    return Decision(False, (), f"because no {whose} policy allows the {asked.action} action")


# --- reading ----------------------------------------------------------------------------------------------------------

_FIELDS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal"}


@lru_cache(maxsize=512)
def read(name: str, text: str, *, whom: bool = False) -> Policy:
    """Read a policy; `whom`: of a resource, so that each statement names a principal. Raises PolicyError."""
    try:
        document = json.loads(text)
    except ValueError as e:
        raise PolicyError(f"{name} is no JSON: {e}") from e
    if not isinstance(document, dict) or not all(isinstance(one, dict) for one in listed(document.get("Statement"))):
        raise PolicyError(f"{name} is no policy: an object with statements")
    if document.get("Version", "2012-10-17") != "2012-10-17" and "${" in text:
        raise PolicyError(f"{name}: policy variables need version 2012-10-17")
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        raise PolicyError(f"{name} has what the demo AWS does not know: {sorted(unknown)[0]}")
    statements = [_statement(name, n, said, whom=whom) for n, said in enumerate(listed(document.get("Statement")))]
    sids = [s.sid for s in statements]
    if len(set(sids)) != len(sids):
        raise PolicyError(f"{name} has two statements with one Sid")
    return Policy(name, tuple(statements))


def _statement(name: str, number: int, said: Mapping[str, Any], *, whom: bool) -> Statement:
    sid = str(said.get("Sid") or f"statement {number}")
    where = f"{name}: {sid}"
    if unknown := set(said) - _FIELDS:
        raise PolicyError(f"{where} has what the demo AWS does not know: {sorted(unknown)[0]}")
    if said.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError(f"{where}: Effect is {said.get('Effect')!r}")
    if ("Action" in said) == ("NotAction" in said) or ("Resource" in said and "NotResource" in said):
        raise PolicyError(f"{where} names actions or resources twice, or not at all")
    if ("Principal" in said) != whom:
        raise PolicyError(f"{where}: a principal belongs into the policy of a resource, and into no other")
    if not whom and "Resource" not in said and "NotResource" not in said:
        raise PolicyError(f"{where} names no resource")
    for action in listed(said.get("Action") or said.get("NotAction")):
        if not isinstance(action, str) or not re.fullmatch(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+", action):
            raise PolicyError(f"{where}: {action!r} is no action")
    try:
        conditions.check(said.get("Condition") or {})
    except PolicyError as e:
        raise PolicyError(f"{where}: {e}") from e
    return Statement(sid, str(said["Effect"]), said)
