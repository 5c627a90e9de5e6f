"""What the policies of `restorecheck iam` let nobody do: every other operation, and what a Deny forbids for ever.

Most of it is asked of the demo AWS's evaluator alone; what somebody would try first is tried on the demo AWS itself.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import botocore.session
import pytest
from demo_world import BASE, REGION, SCRATCH, SOURCE, World
from iam.accounts import EXPORTS, OTHERS, SERVICE, Accounts, on_paper, role_arn, small

from restorecheck.demo.aws import policies
from restorecheck.demo.aws.conditions import Value
from restorecheck.demo.aws.policies import Principal, Question, Rules
from restorecheck.errors import RefusedError
from restorecheck.fence import Role
from restorecheck.iam import Document, Statement
from restorecheck.schedule import run_id

SERVICES = ("ec2", "iam", "kms", "lambda", "rds", "s3", "secretsmanager", "sns", "sts")
STRANGER = "999999999999"
ALL = Statement("Everything", ("*",), ("*",))


def _paper() -> tuple[Document, ...]:
    with tempfile.TemporaryDirectory() as home:
        return on_paper(Path(home))


PAPER = _paper()
BEARERS = [d for d in PAPER if d.kind == "identity"]
DENIED = [(d.name, s.sid) for d in PAPER for s in d.statements if s.effect == "Deny"]


def _read(*statements: Statement, name: str = "p", whom: bool = False) -> policies.Policy:
    text = {"Version": "2012-10-17", "Statement": [s.as_json() for s in statements]}
    return policies.read(name, json.dumps(text), whom=whom)


def _bearer(document: Document) -> Principal:
    arn = document.on or OTHERS[document.name]
    return Principal(arn.split(":")[4], arn)


# --- every other operation -------------------------------------------------------------------------------------------


@cache
def _operations() -> tuple[str, ...]:
    """Return every operation that botocore knows of these services, as an action of IAM."""
    loader = botocore.session.Session().get_component("data_loader")
    names = [(s, name) for s in SERVICES for name in loader.load_service_model(s, "service-2")["operations"]]
    return tuple(f"{service}:{name}" for service, name in names)


def _best(document: Document, action: str) -> Iterator[Question]:
    """Yield questions that would be allowed if anything of the document were about this action."""
    who = _bearer(document)
    for statement in document.statements:
        if statement.effect == "Allow":
            yield Question(action, _sample(statement.resources[0]), _suiting(statement, who.account))


def _sample(pattern: str) -> str:
    return pattern.replace("${*}", "*").replace("*", "x1") if pattern != "*" else "*"


def _suiting(statement: Statement, account: str) -> dict[str, Value]:
    """Return a request for which the conditions of a statement hold."""
    context: dict[str, Value] = {"aws:ResourceAccount": account}
    for operator, keys in statement.conditions.items():
        for key, expected in keys.items():
            first = expected if isinstance(expected, str) else expected[0]
            match operator.removesuffix("IfExists"):
                case "Null" if first == "false":
                    context[key] = "anything"
                case "Null":
                    context.pop(key, None)
                case "ForAllValues:StringEquals":
                    context[key] = (first,)
                case "StringNotEquals":
                    context[key] = "something-else"
                case _:
                    context[key] = _sample(first)
    return context


@pytest.mark.long
@pytest.mark.parametrize("document", BEARERS, ids=lambda d: d.name)
def test_every_operation_that_is_not_named_is_denied(document: Document) -> None:
    named = {action for s in document.statements if s.effect == "Allow" for action in s.actions}
    assert not [action for action in named if "*" in action or "?" in action]
    policy = _read(*document.statements, name=document.name)
    who = _bearer(document)
    others = [action for action in _operations() if action not in named]
    assert len(others) > 1000
    samples = [q for action in sorted(named) for q in _best(document, action)]
    rules = Rules(who.account, (policy,))
    assert any(policies.decide(q, who, rules).allowed for q in samples), "the samples would never find anything"
    places = {(q.resource, json.dumps(q.context, sort_keys=True)): q for q in samples}.values()
    for action in others:
        allowed = [
            q.resource for q in places if policies.decide(Question(action, q.resource, q.context), who, rules).allowed
        ]
        assert not allowed, f"{document.name} may {action} on {allowed}"


# --- denies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "sid"), DENIED)
def test_a_deny_holds_whatever_else_is_allowed(name: str, sid: str) -> None:
    [(document, denial)] = [(d, s) for d in PAPER for s in d.statements if (d.name, s.sid) == (name, sid)]
    account = document.on if document.kind == "scp" else _bearer(document).account
    who = Principal(account, role_arn(account, "somebody"))
    actions = denial.actions or ("rds:CreateDBInstance",)  # a Deny of all but some names none
    free, bound = Rules(account, (_read(ALL),)), _read(denial, name=name)
    rules = (
        Rules(account, (_read(ALL),), limits=(bound,))
        if document.kind == "scp"
        else Rules(account, (_read(ALL), bound))
    )
    for action in actions:
        for resource in denial.resources:
            asked = Question(action, _sample(resource), _suiting(denial, account))
            assert policies.decide(asked, who, free).allowed
            decision = policies.decide(asked, who, rules)
            assert (decision.allowed, decision.by) == (False, (f"{name}: {sid}",)), asked
            assert "explicit deny" in decision.why


# --- on the demo AWS -------------------------------------------------------------------------------------------------


def _client(accounts: Accounts, account: str, role: str, service: str, region: str = REGION) -> Any:
    got = {key.lower(): value for key, value in accounts.product.as_role(account, role).items()}
    return boto3.Session(**got, region_name=region).client(service, endpoint_url=accounts.aws.url)  # type: ignore[call-overload]


@pytest.fixture
def accounts(world: World, tmp_path: Path) -> Accounts:
    """Accounts in which somebody else has an instance, too."""
    made = small(world.aws, world, tmp_path, tmp_path)
    world.scratch_instance("somebody-elses", {"env": "test"})
    world.scratch_instance("restorecheck-untagged", {})
    return made


def _entered(accounts: Accounts) -> None:
    """Let each account's administrator enter its role: whose policies, and not whose entrance, is tried here."""
    for account, name in ((SOURCE, "restorecheck-source"), (SCRATCH, "restorecheck-scratch")):
        trusted = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
        accounts.aws.client("iam", account).update_assume_role_policy(RoleName=name, PolicyDocument=text)


TAGS = [{"Key": "restorecheck:managed", "Value": "true"}]
SAID = re.compile(r"is not authorized to perform: (\S+)")


def _attempts(accounts: Accounts) -> Iterator[tuple[str, Any]]:
    """Yield what somebody who holds a role would try, each with the action that AWS must refuse."""
    source, scratch = (
        _client(accounts, SOURCE, "restorecheck-source", "rds"),
        _client(accounts, SCRATCH, "restorecheck-scratch", "rds"),
    )
    s3 = _client(accounts, SOURCE, "restorecheck-source", "s3")
    lab = _client(accounts, SCRATCH, "restorecheck-scratch", "s3")
    weekly = f"arn:aws:rds:{REGION}:{SOURCE}:snapshot:weekly"
    yield "rds:DeleteDBInstance", lambda: source.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)
    yield (
        "rds:ModifyDBInstance",
        lambda: source.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="something-new"),
    )
    yield "rds:DeleteDBSnapshot", lambda: source.delete_db_snapshot(DBSnapshotIdentifier="weekly")
    yield (
        "rds:RemoveTagsFromResource",
        lambda: source.remove_tags_from_resource(ResourceName=weekly, TagKeys=["restorecheck:managed"]),
    )
    yield (
        "rds:CopyDBSnapshot",
        lambda: source.copy_db_snapshot(
            SourceDBSnapshotIdentifier="weekly", TargetDBSnapshotIdentifier="restorecheck-untagged"
        ),
    )
    yield "s3:PutObject", lambda: s3.put_object(Bucket=EXPORTS, Key="a", Body=b"")
    yield "s3:DeleteObject", lambda: s3.delete_object(Bucket=EXPORTS, Key="a")
    for name in ("somebody-elses", "restorecheck-untagged"):
        yield (
            "rds:DeleteDBInstance",
            lambda name=name: scratch.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True),
        )
        yield (
            "rds:ModifyDBInstance",
            lambda name=name: scratch.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword="something-new"),
        )
    yield (
        "rds:CreateDBSnapshot",
        lambda: scratch.create_db_snapshot(
            DBInstanceIdentifier="somebody-elses", DBSnapshotIdentifier="restorecheck-s"
        ),
    )
    for why in ({"Tags": TAGS, "PubliclyAccessible": True}, {"Tags": TAGS}, {"PubliclyAccessible": False}):
        yield (
            "rds:CreateDBInstance",
            lambda why=why: scratch.create_db_instance(
                DBInstanceIdentifier="restorecheck-x", DBInstanceClass="db.t4g.micro", Engine="postgres", **why
            ),
        )
    yield (
        "rds:ModifyDBSnapshotAttribute",
        lambda: scratch.modify_db_snapshot_attribute(
            DBSnapshotIdentifier="restorecheck-s", AttributeName="restore", ValuesToAdd=[STRANGER]
        ),
    )
    yield "s3:PutObject", lambda: lab.put_object(Bucket=EXPORTS, Key="a", Body=b"")


@pytest.mark.long
@pytest.mark.parametrize("wide", [False, True], ids=["as it is", "beside an Allow of everything"])
def test_what_somebody_with_a_role_would_try_is_refused(accounts: Accounts, wide: bool) -> None:
    beside = [(name, ALL) for name in ("source", "scratch")] if wide else []
    accounts.grant(beside=beside)
    _entered(accounts)
    before = accounts.aws.digest([SOURCE, SCRATCH])
    for action, attempt in _attempts(accounts):
        with pytest.raises(botocore.exceptions.ClientError) as raised:
            attempt()
        said = str(raised.value)
        found = SAID.search(said)
        assert found, said
        assert found[1] == action
        assert ("explicit deny" in said) is wide or not wide, said
    assert accounts.aws.digest([SOURCE, SCRATCH]) == before


@pytest.mark.long
def test_the_control_policy_of_the_scratch_account_holds_every_role_in_it(accounts: Accounts) -> None:
    accounts.grant(beside=[("scratch", ALL)])
    _entered(accounts)
    scratch = _client(accounts, SCRATCH, "restorecheck-scratch", "rds", "eu-west-1")
    sts = _client(accounts, SCRATCH, "restorecheck-scratch", "sts")
    for attempt in (
        scratch.describe_db_instances,
        lambda: sts.assume_role(RoleArn=role_arn(SOURCE, "restorecheck-source"), RoleSessionName="trial"),
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="explicit deny in a service control policy"):
            attempt()
    accounts.aws.enforce()  # the same without it
    assert scratch.describe_db_instances()["DBInstances"] == []


@pytest.mark.long
def test_with_whom_a_copy_is_shared_is_held_by_the_fence_because_iam_cannot(accounts: Accounts) -> None:
    """IAM has no condition for it: a role that may share with the scratch account may share with any."""
    accounts.grant()
    _entered(accounts)
    source = _client(accounts, SOURCE, "restorecheck-source", "rds")
    sharing: dict[str, Any] = {
        "DBSnapshotIdentifier": "weekly",
        "AttributeName": "restore",
        "ValuesToAdd": [STRANGER],
    }
    source.modify_db_snapshot_attribute(**sharing)
    source.modify_db_snapshot_attribute(**(sharing | {"ValuesToAdd": [], "ValuesToRemove": [STRANGER]}))
    accounts.grant()
    began = datetime.now(UTC)
    with accounts.acting() as fence:
        permit = fence.permit(
            source_account=SOURCE,
            scratch_account=SCRATCH,
            region=REGION,
            began=began,
            expires=began + timedelta(hours=1),
            run_id=run_id("lent", began),
            check="lent",
            instance="shop",
            borrowed="weekly",
        )
        hand = fence.hand(Role.SOURCE, SOURCE, REGION, permit)
        accounts.aws.clear_calls()
        with pytest.raises(RefusedError):
            hand.call("rds", "ModifyDBSnapshotAttribute", **sharing)
        assert not [c for c in accounts.aws.calls() if c["operation"] == "ModifyDBSnapshotAttribute"]
        hand.call("rds", "ModifyDBSnapshotAttribute", **(sharing | {"ValuesToAdd": [SCRATCH]}))


@pytest.mark.long
def test_nobody_but_the_service_enters_a_role_and_the_service_no_other(accounts: Accounts) -> None:
    accounts.grant()
    accounts.aws.role(BASE, "other", trusted=[BASE])
    accounts.aws.client("iam", BASE).put_role_policy(
        RoleName="other",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [ALL.as_json()]}),
    )
    named = role_arn(SOURCE, "restorecheck-source")
    cases = (
        ("other", named, "restorecheck-demo", "resource-based"),
        (SERVICE, named, "another-id", "resource-based"),
        (SERVICE, role_arn(SOURCE, "restorecheck-recorder"), "restorecheck-demo", "identity-based"),
    )
    for role, arn, external_id, whose in cases:
        sts = _client(accounts, BASE, role, "sts")
        with pytest.raises(botocore.exceptions.ClientError, match=f"no {whose} policy allows the sts:AssumeRole"):
            sts.assume_role(RoleArn=arn, RoleSessionName="trial", ExternalId=external_id)
    good = _client(accounts, BASE, SERVICE, "sts")
    assert good.assume_role(RoleArn=named, RoleSessionName="trial", ExternalId="restorecheck-demo")["Credentials"]
