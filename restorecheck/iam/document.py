"""One policy as a value: statements with the reason for each, as JSON, and whether AWS takes so much of it.

A document too large for one managed policy is divided into several; nothing is ever left out to make it fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from restorecheck.errors import RestorecheckError

Kind = Literal["identity", "trust", "key", "bucket", "scp"]
Conditions = Mapping[str, Mapping[str, str | tuple[str, ...]]]

MOST: dict[Kind, int] = {"identity": 6_144, "trust": 2_048, "key": 32_768, "bucket": 20_480, "scp": 5_120}
"""Characters without white space that AWS takes of one document of a kind: of a managed policy, a role's trust policy,
the policy of a key and of a bucket, a service control policy. [IAM, KMS, S3 and Organizations quotas]"""

INLINE = 10_240
"""Characters without white space of all inline policies of one role together. [IAM quotas]"""

MANAGED = 10
"""Managed policies that may be attached to one role, unless AWS has raised it. [IAM quotas]"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that is allowed or denied, named by its purpose, with the reason for it."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()  # a trust policy has none
    effect: Literal["Allow", "Deny"] = "Allow"
    conditions: Conditions = field(default_factory=dict)
    why: str = ""
    principals: tuple[str, ...] = ()  # ARNs; in the policy of a key, of a bucket or of who may enter a role
    service: str = ""  # a service as the principal, such as lambda.amazonaws.com
    federated: str = ""  # ARN of an identity provider as the principal
    but: tuple[str, ...] = ()  # every action but these, instead of `actions`: only a service control policy says so

    def as_json(self) -> dict[str, Any]:
        """Return it as AWS reads it."""
        principal = {"AWS": list(self.principals), "Service": self.service, "Federated": self.federated}
        said: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": self.effect,
            "Principal": {name: value for name, value in principal.items() if value},
            "NotAction" if self.but else "Action": list(self.but or self.actions),
            "Resource": list(self.resources),
            "Condition": {
                operator: {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}
                for operator, keys in self.conditions.items()
            },
        }
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Document:
    """One policy document."""

    name: str  # what `restorecheck iam --only` calls it
    kind: Kind
    statements: tuple[Statement, ...]
    on: str = ""  # what it is put on: the ARN of a role or key, the name of a bucket, an account
    about: str = ""  # a sentence for who puts it there

    def as_json(self) -> dict[str, Any]:
        """Return it as AWS reads it."""
        return {"Version": "2012-10-17", "Statement": [statement.as_json() for statement in self.statements]}

    @property
    def size(self) -> int:
        """How many characters AWS counts."""
        return len(json.dumps(self.as_json(), separators=(",", ":"), ensure_ascii=False))


def parts(document: Document) -> tuple[Document, ...]:
    """Return a document as AWS takes it: as it is or, for a role, divided into managed policies.

    Raises RestorecheckError `config` if it cannot be divided, or into more than a role may have.
    """
    most = MOST[document.kind]
    if document.size <= most:
        return (document,)
    if document.kind != "identity":
        said = f"the {document.kind} policy {document.name} has {document.size:,} characters, and AWS takes {most:,}"
        raise RestorecheckError(said, "name fewer accounts, buckets or keys in one of them", kind="config")
    filled: list[list[Statement]] = [[]]
    for statement in (piece for whole in document.statements for piece in _pieces(document, whole, most)):
        if replace(document, statements=(*filled[-1], statement)).size > most:
            filled.append([])
        filled[-1].append(statement)
    if len(filled) > MANAGED:
        said = f"{document.name} would be {len(filled)} managed policies, and a role may have {MANAGED}"
        raise RestorecheckError(said, "divide the checks between several accounts or roles", kind="config")
    return tuple(
        replace(document, name=f"{document.name}-{number}", statements=tuple(held))
        for number, held in enumerate(filled, start=1)
    )


def _pieces(document: Document, statement: Statement, most: int) -> Iterator[Statement]:
    """Yield a statement, by halves of its resources if it fits into no document by itself."""
    middle = len(statement.resources) // 2
    if replace(document, statements=(statement,)).size <= most or not middle:
        yield statement
        return
    for number, held in enumerate((statement.resources[:middle], statement.resources[middle:]), start=1):
        yield from _pieces(document, replace(statement, sid=f"{statement.sid}{number}", resources=held), most)
