"""The conditions of an IAM statement: operators, keys that have no value, keys that have many. Pure.

What it does not know, an operator or a key, raises PolicyError: a condition that nobody understands must neither open
a door nor look as if it had been tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Value = str | tuple[str, ...]
Context = Mapping[str, Value]
"""What is known of a request, by condition key; a tuple where a key has many values."""


class PolicyError(Exception):
    """A policy says what cannot be judged here; its text says what."""


KEYS = frozenset(
    {
        "aws:calledvia",
        "aws:currenttime",
        "aws:epochtime",
        "aws:multifactorauthpresent",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalorgid",
        "aws:principaltype",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:tagkeys",
        "aws:userid",
        "aws:viaawsservice",
        "kms:calleraccount",
        "kms:grantisforawsresource",
        "kms:viaservice",
        "rds:backuptarget",
        "rds:copyoptiongroup",
        "rds:databaseclass",
        "rds:managemasteruserpassword",
        "rds:publiclyaccessible",
        "rds:tagsfromrequest",
        "s3:delimiter",
        "s3:if-match",
        "s3:if-none-match",
        "s3:max-keys",
        "s3:prefix",
        "s3:resourceaccount",
        "s3:versionid",
        "s3:x-amz-acl",
        "s3:x-amz-copy-source",
        "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-storage-class",
        "sts:externalid",
        "sts:rolesessionname",
    }
)
"""Keys that a request may have here. One that is listed and that a request does not have is missing, as in AWS."""

FAMILIES = (
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "rds:cluster-pg-tag/",
    "rds:cluster-snapshot-tag/",
    "rds:cluster-tag/",
    "rds:db-tag/",
    "rds:og-tag/",
    "rds:pg-tag/",
    "rds:req-tag/",
    "rds:snapshot-tag/",
    "rds:subgrp-tag/",
)
"""Keys that end in the key of a tag."""


_STAR, _MARK = "\ue000", "\ue001"
"""In a pattern: a star and a question mark that stand for themselves."""


def glob(pattern: str, text: str) -> bool:
    """Say whether a pattern is about a text. IAM's wildcards are * and ? only; fnmatch would also read brackets."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": ".", _STAR: r"\*", _MARK: r"\?"}
    return re.compile("".join(wild.get(c) or re.escape(c) for c in pattern), re.DOTALL)


def like_arn(pattern: str, text: str) -> bool:
    """Compare two ARNs part by part: a wildcard does not reach over a colon, but for the last part."""
    asked, got = pattern.split(":", 5), text.split(":", 5)
    return len(asked) == len(got) and all(glob(a, b) for a, b in zip(asked, got, strict=True))


def _time(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def _ordered(name: str, read: Callable[[str], float]) -> dict[str, Callable[[str, str], bool]]:
    return {
        f"{name}Equals": lambda e, a: read(a) == read(e),
        f"{name}LessThan": lambda e, a: read(a) < read(e),
        f"{name}LessThanEquals": lambda e, a: read(a) <= read(e),
        f"{name}GreaterThan": lambda e, a: read(a) > read(e),
        f"{name}GreaterThanEquals": lambda e, a: read(a) >= read(e),
    }


_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda e, a: a == e,
    "StringEqualsIgnoreCase": lambda e, a: a.lower() == e.lower(),
    "StringLike": glob,
    "ArnEquals": like_arn,
    "ArnLike": like_arn,
    "Bool": lambda e, a: a.lower() == e.lower(),
    **_ordered("Numeric", float),
    **_ordered("Date", _time),
}
"""(expected, actual) → whether they match."""

_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}


def check(conditions: Mapping[str, Mapping[str, Any]]) -> None:
    """Look whether all of this can be judged. Raises PolicyError."""
    for operator, pairs in conditions.items():
        _read(operator)
        for key in pairs:
            if key.lower() not in KEYS and not key.lower().startswith(FAMILIES):
                raise PolicyError(f"the demo AWS does not know the condition key {key}")


def hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Say whether all conditions of a statement hold. Raises PolicyError."""
    known = {key.lower(): value for key, value in context.items()}
    return all(
        _holds(
            operator,
            key,
            [filled(_plain(e), context, _like(operator)) for e in listed(expected)],
            known.get(key.lower()),
        )
        for operator, pairs in conditions.items()
        for key, expected in pairs.items()
    )


def _read(operator: str) -> tuple[str, str, bool]:
    """Return the quantifier, the bare operator, and whether a missing key is no obstacle."""
    quantifier, _, bare = operator.rpartition(":")
    lenient = bare.endswith("IfExists") and bare != "NullIfExists"
    bare = bare.removesuffix("IfExists") if lenient else bare
    if quantifier not in {"", "ForAllValues", "ForAnyValue"} or bare not in {*_MATCHES, *_NEGATED, "Null"}:
        raise PolicyError(f"the demo AWS does not know the condition operator {operator}")
    return quantifier, bare, lenient


def _holds(operator: str, key: str, expected: list[str], actual: Value | None) -> bool:
    quantifier, bare, lenient = _read(operator)
    if bare == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    negated = bare in _NEGATED
    if actual is None:
        return lenient or quantifier == "ForAllValues" or (negated and not quantifier)
    if isinstance(actual, tuple) and not quantifier:
        raise PolicyError(f"{key} has many values: {operator} needs ForAllValues or ForAnyValue before it")
    matches = _MATCHES[_NEGATED.get(bare, bare)]
    values = actual if isinstance(actual, tuple) else (actual,)
    hits = [any(matches(e, value) for e in expected) != negated for value in values]
    return any(hits) if quantifier == "ForAnyValue" else all(hits)


def _like(operator: str) -> bool:
    return "Like" in operator or "Arn" in operator


def _plain(expected: object) -> str:
    return str(expected).lower() if isinstance(expected, bool) else str(expected)


def filled(text: str, context: Context, pattern: bool = True) -> str:
    """Put values in place of policy variables such as ${aws:PrincipalAccount}. Raises PolicyError if one has none.

    In a pattern, what is put there stands for itself, and so do ${*} and ${?}.
    """
    known = {key.lower(): value for key, value in context.items()}

    def value(found: re.Match[str]) -> str:
        named: Value | None = found[1] if found[1] in {"*", "?", "$"} else known.get(found[1].lower())
        if not isinstance(named, str):
            raise PolicyError(f"the policy variable {found[0]} has no single value here")
        return named.replace("*", _STAR).replace("?", _MARK) if pattern else named

    return re.sub(r"\$\{([^}]*)\}", value, text)


def listed(value: Any) -> list[Any]:
    """Return a policy's value as a list: one thing may stand where many may."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
