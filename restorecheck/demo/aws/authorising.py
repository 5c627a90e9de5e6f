"""Whether a caller may do what a request asks, by the policies that IAM holds: asked only once it was turned on.

Reads moto's IAM, KMS, S3 and SNS, and changes nothing. An account's administrator may do everything, always. What
cannot be judged is neither allowed nor denied but an error of its own, so that nobody takes it for either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

from restorecheck.demo.aws import keys, policies, rds_permissions, s3_access, s3_permissions
from restorecheck.demo.aws.access import ADMINISTRATOR, PARTITION, Identity
from restorecheck.demo.aws.conditions import PolicyError, Value
from restorecheck.demo.aws.enforcement import Enforcement
from restorecheck.demo.aws.inventory import EstateInventory
from restorecheck.demo.aws.permissions import Here, Permission, of_others
from restorecheck.demo.aws.policies import Decision, Policy, Principal, Question, Rules
from restorecheck.demo.aws.s3_requests import S3Request
from restorecheck.demo.aws.wire import Request

CODES = {
    "ec2": (403, "UnauthorizedOperation"),
    "kms": (400, "AccessDeniedException"),
    "lambda": (403, "AccessDeniedException"),
    "sns": (403, "AuthorizationError"),
}
"""HTTP status and code of a refusal, where it is not 403 and AccessDenied."""
UNKNOWN = (501, "NotImplemented")
"""What cannot be judged here."""
_SILENT = '{"Statement": []}'
"""A policy that says nothing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error that a request is answered with."""

    status: int
    code: str
    message: str
    body: bytes = b""
    """The answer, where it is none of the usual form."""


class Hearing:
    """The judgement of one request; `decisions` is what the call log shows of it."""

    def __init__(self, enforcement: Enforcement, inventory: EstateInventory, who: Identity, region: str) -> None:
        self._limits = enforcement.limits.get(who.account, ())
        self._inventory, self._who, self._here = inventory, who, Here(who.account, region)
        self.decisions: list[dict[str, Any]] = []

    def refusal(self, request: Request, environ: Mapping[str, Any]) -> Refusal | None:
        """Return why a request is refused, or None if it may go on."""
        try:
            if request.s3:
                if why_not := s3_access.not_the_owner(request.s3, environ):
                    return Refusal(403, "AccessDenied", why_not)
                if request.operation == "DeleteObjects":
                    return self._deletion(request.s3, environ)
            for need in self._needs(request, environ):
                decision = self._decide(need)
                if not decision.allowed:
                    return self._refused(request.service, need, decision)
            if request.s3 and (why_not := s3_access.hidden(request.s3, self._lists)):
                return Refusal(403, "AccessDenied", why_not)
        except PolicyError as e:
            return Refusal(*UNKNOWN, str(e))
        return None

    def _needs(self, request: Request, environ: Mapping[str, Any]) -> list[Permission]:
        here, known = self._here, self._inventory
        if request.s3:
            return s3_permissions.needs(request.s3, environ, here, known)
        if request.service == "rds":
            return rds_permissions.RdsRequest(request.operation, request.parameters, here, known).needs()
        operation = request.operation
        if request.service == "lambda":
            qualifier = dict(p.split("=", 1) for p in str(environ.get("QUERY_STRING", "")).split("&") if "=" in p)
            operation += f"?{qualifier['Qualifier']}" if "Qualifier" in qualifier else ""
        return of_others(request.service, operation, request.parameters, here, known)

    def _deletion(self, request: S3Request, environ: Mapping[str, Any]) -> Refusal | None:
        """Judge a DeleteObjects: S3 answers it with 200 and an error for each object that may not be deleted."""
        objects, told = s3_permissions.doomed(environ["wsgi.input"].getvalue()), list[str]()
        for one in objects:
            for need in s3_permissions.deletion(request, one, environ):
                decision = self._decide(need)
                if not decision.allowed:
                    told.append(
                        f"<Error><Key>{escape(one.key)}</Key>"
                        + (f"<VersionId>{escape(one.version)}</VersionId>" if one.version else "")
                        + f"<Code>AccessDenied</Code><Message>{escape(self._message(need, decision))}</Message></Error>"
                    )
                    break
        if not told:
            return None
        if len(told) < len(objects):
            raise PolicyError("the demo AWS cannot delete some objects of a call and refuse others")
        answer = f'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult>{"".join(told)}</DeleteResult>'
        return Refusal(200, "AccessDenied", "", answer.encode())

    def _lists(self, bucket: str) -> bool:
        return self._decide(Permission("s3:ListBucket", f"arn:aws:s3:::{bucket}")).allowed

    # --- one permission ----------------------------------------------------------------------------------------------

    def _decide(self, need: Permission) -> Decision:
        if need.resource != "*" and (not need.resource.startswith("arn:") or need.resource.count(":") < 5):
            raise PolicyError(f"{need.resource} is no ARN")
        owner = self._owner(need.resource)
        context: dict[str, Value] = {
            "aws:CurrentTime": datetime.now(UTC).isoformat(),
            "aws:EpochTime": str(int(datetime.now(UTC).timestamp())),
            "aws:PrincipalAccount": self._who.account,
            "aws:PrincipalArn": self._who.arn,
            "aws:PrincipalIsAWSService": "false",
            "aws:PrincipalType": "AssumedRole",
            "aws:RequestedRegion": self._here.region,
            "aws:ResourceAccount": owner,
            "aws:SecureTransport": "true",  # as it would be in AWS
            "aws:ViaAWSService": "true" if need.through else "false",
        }
        if need.action.startswith("s3:"):
            context["s3:ResourceAccount"] = owner
        rules = Rules(owner, self._identity(), self._resource(need, owner), self._limits, keeps=_keeps(need))
        asked = Question(need.action, need.resource, context | need.context)
        decision = policies.decide(asked, Principal(self._who.account, self._who.arn), rules)
        self.decisions.append(
            {
                "action": need.action,
                "resource": need.resource,
                "allowed": decision.allowed,
                "by": list(decision.by),
                "why": decision.why,
            }
        )
        return decision

    def _owner(self, resource: str) -> str:
        if resource.startswith("arn:aws:s3:::"):
            bucket = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            return self._inventory.owner(bucket) or self._who.account
        return resource.split(":")[4] if resource.startswith("arn:") else self._who.account

    def _identity(self) -> list[Policy]:
        try:
            role = iam_backends[self._who.account][PARTITION].get_role_by_arn(self._who.arn)
        except NotFoundException:
            return []
        if role.permissions_boundary_arn:
            raise PolicyError(f"the demo AWS knows no permissions boundaries, and {role.name} has one")
        texts = [(name, text) for name, text in role.policies.items()]
        for managed in role.managed_policies.values():
            version = next(v for v in managed.versions if v.is_default)
            texts.append((managed.name, version.document))
        return [policies.read(name, text if isinstance(text, str) else json.dumps(text)) for name, text in texts]

    def _resource(self, need: Permission, owner: str) -> Policy | None:
        """Return what the resource itself says; None if its kind says nothing."""
        service = need.action.partition(":")[0]
        parts = need.resource.split(":", 5)
        if service == "s3" and need.resource != "*":
            bucket_name = parts[5].partition("/")[0]
            bucket = s3_access.bucket_of(bucket_name)
            text = bucket.policy if bucket is not None else None
            return policies.read(f"bucket {bucket_name}", _text(text) or _SILENT, whom=True)
        if service == "kms":
            key = kms_backends[owner][parts[3]].keys.get(parts[5].removeprefix("key/"))
            return policies.read(f"key {need.resource}", _text(key.policy if key else None) or _SILENT, whom=True)
        if service == "sns":
            topic = sns_backends[owner][parts[3]].topics.get(need.resource)
            return policies.read(f"topic {need.resource}", topic.policy, whom=True) if topic else None
        if service == "sts":
            return policies.read(f"trust of {need.resource}", _trust(need.resource), whom=True)
        if service == "lambda" and owner != self._who.account:
            raise PolicyError("the demo AWS knows no policies of functions")
        return None

    # --- AWS's words -------------------------------------------------------------------------------------------------

    def _message(self, need: Permission, decision: Decision) -> str:
        told = f"User: {self._who.told} is not authorized to perform: {need.action}"
        where = f" on resource: {need.resource}" if need.resource != "*" or "s3" in need.action else ""
        return f"{told}{where} {decision.why}"

    def _refused(self, service: str, need: Permission, decision: Decision) -> Refusal:
        if need.through == "rds":  # RDS does not say which permission its caller lacks
            error = keys.inaccessible(need.resource)
            return Refusal(400, error.code, error.message)
        message = self._message(need, decision)
        if service == "ec2":
            message = f"You are not authorized to perform this operation. {message}"
        return Refusal(*CODES.get(service, (403, "AccessDenied")), message)


def concerns(who: Identity, enforcement: Enforcement) -> bool:
    """Say whether policies count for a caller."""
    return enforcement.on and who.role != ADMINISTRATOR


def _keeps(need: Permission) -> bool:
    return need.action.partition(":")[0] in {"kms", "sts"}


def _trust(role_arn: str) -> str:
    try:
        role = iam_backends[role_arn.split(":")[4]][PARTITION].get_role_by_arn(role_arn)
    except (NotFoundException, IndexError):
        return _SILENT
    return _text(role.assume_role_policy_document) or _SILENT


def _text(document: Any) -> str | None:
    if isinstance(document, bytes):
        return document.decode()
    return document if isinstance(document, str) or document is None else json.dumps(document)
