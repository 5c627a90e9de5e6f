"""What policies say, without a server: an Allow is needed, a Deny wins, and what is not understood is said aloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from restorecheck.demo.aws import conditions, policies
from restorecheck.demo.aws.conditions import Context, PolicyError
from restorecheck.demo.aws.policies import Decision, Policy, Principal, Question, Rules

OURS, OTHERS = "222222222222", "111111111111"
ROLE = f"arn:aws:iam::{OURS}:role/lab"
ME = Principal(OURS, ROLE)
DELETE = Question("rds:DeleteDBInstance", f"arn:aws:rds:us-east-1:{OURS}:db:restorecheck-1")


def policy(*statements: dict[str, Any], whom: bool = False, name: str = "p") -> Policy:
    return policies.read(name, json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), whom=whom)


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return allow(action, resource, **more) | {"Effect": "Deny"}


def asked(question: Question = DELETE, *identity: Policy, owner: str = OURS, **rules: Any) -> Decision:
    return policies.decide(question, ME, Rules(owner, identity, **rules))


def test_nothing_is_allowed_that_nobody_allows() -> None:
    for given in ([], [policy(allow("rds:DeleteDBSnapshot"))], [policy(allow("rds:*", "arn:aws:rds:*:*:db:prod-*"))]):
        decision = asked(DELETE, *given)
        assert (decision.allowed, decision.by) == (False, ())
        assert decision.why == "because no identity-based policy allows the rds:DeleteDBInstance action"


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("rds:DeleteDBInstance", "*", True),
        ("RDS:deletedbinstance", "*", True),
        ("rds:Delete*", "arn:aws:rds:*:*:db:restorecheck-*", True),
        ("rds:DeleteDBInstanc?", "*", True),
        ("rds:DeleteDBInstance?", "*", False),
        ("*", f"arn:aws:rds:us-east-1:{OURS}:db:restorecheck-?", True),
        ("rds:DeleteDBInstance", f"arn:aws:rds:us-east-1:{OURS}:db:restorecheck-[0-9]", False),
        ("rds:DeleteDBInstance", f"arn:aws:rds:us-east-1:{OURS}:db:Restorecheck-1", False),
        ("rds:DeleteDBInstance", f"arn:aws:rds:us-east-1:{OTHERS}:db:*", False),
        ("rds:DeleteDBInstance", "db:restorecheck-1", False),
    ],
)
def test_actions_are_compared_without_case_and_resources_with_it(action: str, resource: str, allowed: bool) -> None:
    assert asked(DELETE, policy(allow(action, resource))).allowed is allowed


def test_a_deny_wins_wherever_it_stands_and_is_named() -> None:
    free = policy(allow("*", Sid="All"))
    no = deny("rds:Delete*", Sid="No")
    for rules, words in (
        ({"limits": [policy(no, name="scp")]}, "a service control policy"),
        ({"resource": policy({**no, "Principal": "*"}, whom=True, name="scp")}, "a resource-based policy"),
    ):
        decision = asked(DELETE, free, **rules)
        assert decision == Decision(False, ("scp: No",), f"with an explicit deny in {words}")
    decision = asked(DELETE, free, policy(no))
    assert decision == Decision(False, ("p: No",), "with an explicit deny in an identity-based policy")
    assert asked(DELETE, free).by == ("p: All",)


def test_not_action_and_not_resource() -> None:
    but = {"Effect": "Deny", "NotAction": ["rds:Describe*"], "Resource": "*"}
    assert not asked(DELETE, policy(allow("*")), policy(but)).allowed
    assert asked(Question("rds:DescribeEvents", "*"), policy(allow("*")), policy(but)).allowed
    elsewhere = {"Effect": "Deny", "Action": "rds:*", "NotResource": "arn:aws:rds:*:*:db:restorecheck-*"}
    assert asked(DELETE, policy(allow("*")), policy(elsewhere)).allowed
    other = Question("rds:DeleteDBInstance", f"arn:aws:rds:us-east-1:{OURS}:db:orders")
    assert not asked(other, policy(allow("*")), policy(elsewhere)).allowed


@pytest.mark.parametrize(
    ("identity", "principal", "owner", "keeps", "allowed"),
    [
        # In one's own account either side is enough; a key or a role must have its say.
        (True, None, OURS, False, True),
        (False, ROLE, OURS, False, True),
        (False, f"arn:aws:iam::{OURS}:root", OURS, False, False),
        (True, f"arn:aws:iam::{OURS}:root", OURS, True, True),
        (True, "arn:aws:iam::222222222222:role/other", OURS, True, False),
        (False, ROLE, OURS, True, True),
        # From another account both are needed.
        (True, ROLE, OTHERS, False, True),
        (True, f"arn:aws:iam::{OURS}:root", OTHERS, False, True),
        (True, OURS, OTHERS, True, True),
        (False, ROLE, OTHERS, False, False),
        (True, f"arn:aws:iam::{OTHERS}:root", OTHERS, False, False),
    ],
)
def test_what_a_resource_says(identity: bool, principal: str | None, owner: str, keeps: bool, allowed: bool) -> None:
    question = Question("kms:Decrypt", f"arn:aws:kms:us-east-1:{owner}:key/1")
    mine = [policy(allow("kms:Decrypt"))] if identity else []
    said = [] if principal is None else [allow("kms:*", Principal={"AWS": principal})]
    decision = asked(question, *mine, owner=owner, resource=policy(*said, whom=True), keeps=keeps)
    assert decision.allowed is allowed
    if identity and not allowed:
        assert decision.why == "because no resource-based policy allows the kms:Decrypt action"


OPERATORS: list[tuple[str, str, Any, dict[str, Any], bool]] = [
    ("StringEquals", "aws:RequestTag/a", "x", {"aws:RequestTag/a": "x"}, True),
    ("StringEquals", "aws:requesttag/A", ["y", "x"], {"aws:RequestTag/a": "x"}, True),
    ("StringEquals", "aws:RequestTag/a", "x", {}, False),
    ("StringEqualsIfExists", "aws:RequestTag/a", "x", {}, True),
    ("StringEqualsIfExists", "aws:RequestTag/a", "x", {"aws:RequestTag/a": "y"}, False),
    ("StringNotEquals", "aws:RequestTag/a", ["x", "y"], {"aws:RequestTag/a": "y"}, False),
    ("StringNotEquals", "aws:RequestTag/a", "x", {}, True),
    ("StringEqualsIgnoreCase", "aws:RequestTag/a", "X", {"aws:RequestTag/a": "x"}, True),
    ("StringLike", "s3:prefix", "state/*", {"s3:prefix": "state/a"}, True),
    ("StringNotLike", "s3:prefix", "state/*", {"s3:prefix": "state/a"}, False),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/lab", {"aws:PrincipalArn": ROLE}, True),
    ("ArnEquals", "aws:PrincipalArn", "arn:aws:*:role/lab", {"aws:PrincipalArn": ROLE}, False),
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*", {"aws:PrincipalArn": ROLE}, False),
    ("Bool", "rds:PubliclyAccessible", "false", {"rds:PubliclyAccessible": "false"}, True),
    ("Bool", "rds:PubliclyAccessible", "false", {}, False),
    ("BoolIfExists", "rds:PubliclyAccessible", "false", {}, True),
    ("BoolIfExists", "rds:PubliclyAccessible", False, {"rds:PubliclyAccessible": "true"}, False),
    ("Null", "aws:RequestTag/a", "true", {}, True),
    ("Null", "aws:RequestTag/a", "false", {}, False),
    ("Null", "aws:RequestTag/a", "true", {"aws:RequestTag/a": ""}, False),
    ("NumericLessThanEquals", "s3:max-keys", "1000", {"s3:max-keys": "1000"}, True),
    ("NumericGreaterThan", "s3:max-keys", "1000", {"s3:max-keys": "1000"}, False),
    ("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z", {"aws:CurrentTime": "2029-12-31T23:59:59Z"}, True),
    ("DateGreaterThan", "aws:EpochTime", "2030-01-01T00:00:00Z", {"aws:EpochTime": "1"}, False),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], {"aws:TagKeys": ("a",)}, True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], {"aws:TagKeys": ("a", "c")}, False),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], {}, True),
    ("ForAnyValue:StringLike", "aws:TagKeys", "a*", {"aws:TagKeys": ("x", "ab")}, True),
    ("ForAnyValue:StringLike", "aws:TagKeys", "a*", {}, False),
    ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], {"aws:TagKeys": ("a", "b")}, True),
    ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], {}, False),
    ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}", {"aws:ResourceAccount": OURS}, True),
    ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}", {"aws:ResourceAccount": OTHERS}, False),
    ("StringLike", "s3:prefix", "a${*}/*", {"s3:prefix": "a*/b"}, True),
    ("StringLike", "s3:prefix", "a${*}/*", {"s3:prefix": "ab/b"}, False),
    ("StringEquals", "s3:prefix", "a${*}${?}${$}", {"s3:prefix": "a*?$"}, True),
    ("StringLike", "s3:prefix", "${s3:delimiter}x", {"s3:prefix": "aax", "s3:delimiter": "a*"}, False),
]


@pytest.mark.parametrize(("operator", "key", "expected", "context", "holds"), OPERATORS)
def test_conditions(operator: str, key: str, expected: Any, context: Context, holds: bool) -> None:
    said = {operator: {key: expected}}
    conditions.check(said)
    assert conditions.hold(said, {"aws:PrincipalAccount": OURS, **context}) is holds


def test_all_conditions_of_a_statement_must_hold() -> None:
    said = {"StringEquals": {"aws:RequestTag/a": "x", "aws:RequestTag/b": "y"}, "Null": {"s3:prefix": "true"}}
    assert conditions.hold(said, {"aws:RequestTag/a": "x", "aws:RequestTag/b": "y"})
    assert not conditions.hold(said, {"aws:RequestTag/a": "x"})
    assert not conditions.hold(said, {"aws:RequestTag/a": "x", "aws:RequestTag/b": "y", "s3:prefix": ""})


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (allow("rds:*", Condition={"StringSortOf": {"aws:PrincipalArn": "x"}}), "condition operator StringSortOf"),
        (allow("rds:*", Condition={"IpAddress": {"aws:SourceIp": "x"}}), "condition operator IpAddress"),
        (allow("rds:*", Condition={"ForSome:StringLike": {"aws:TagKeys": "x"}}), "condition operator ForSome:"),
        (allow("rds:*", Condition={"StringEquals": {"rds:NoSuchKey": "x"}}), "condition key rds:NoSuchKey"),
        (allow("rds:*", Princpal="*"), "Princpal"),
        (allow("rds:*", Effect="allow"), "Effect is 'allow'"),
        (allow("rds:*", NotAction="s3:*"), "names actions or resources twice"),
        (allow("rds"), "'rds' is no action"),
        (allow("rds:*", Principal="*"), "a principal belongs into the policy of a resource"),
        ({"Effect": "Allow", "Action": "rds:*"}, "names no resource"),
    ],
)
def test_what_cannot_be_judged_is_said_when_it_is_read(statement: dict[str, Any], told: str) -> None:
    with pytest.raises(PolicyError, match=told.replace("*", r"\*")):
        policy(statement)


def test_a_document_that_cannot_be_judged() -> None:
    for text, told in (
        ("{", "no JSON"),
        ("[]", "no policy"),
        ('{"Statement": ["x"]}', "no policy"),
        ('{"Version": "2012-10-17", "Statements": []}', "Statements"),
        ('{"Version": "2008-10-17", "Statement": {"Sid": "${aws:PrincipalAccount}"}}', "need version"),
    ):
        with pytest.raises(PolicyError, match=told):
            policies.read("p", text)
    with pytest.raises(PolicyError, match="two statements with one Sid"):
        policy(allow("rds:*", Sid="a"), allow("s3:*", Sid="a"))
    with pytest.raises(PolicyError, match="has many values"):
        conditions.hold({"StringEquals": {"aws:TagKeys": "a"}}, {"aws:TagKeys": ("a",)})
    with pytest.raises(PolicyError, match="no single value"):
        conditions.hold({"StringEquals": {"s3:prefix": "${aws:userid}"}}, {"s3:prefix": "a"})
