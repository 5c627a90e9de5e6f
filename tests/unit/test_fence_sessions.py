"""Entering an account: whose it is, with which credentials, and what every error of AWS means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import botocore.exceptions
import botocore.parsers
import botocore.session
import pytest
from fence_cases import (
    BEGAN,
    DELETE_SNAPSHOT,
    EXPIRES,
    NAME,
    OTHER,
    PASSWORD,
    REGION,
    RUN,
    RUN_PERMIT,
    SCRATCH,
    SOURCE,
    arn,
    tags_of,
)
from recorder import Recorder, assumed, error, identity, instances, recording, result, snapshots

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.failures import AWS_ERRORS, KINDS, RETRYABLE_KINDS
from restorecheck.fence import Entrance, Fence, Mode, Role, target_of_instance, target_of_snapshot
from restorecheck.fence.answers import of_client_error, of_no_answer
from restorecheck.fence.hand import CONFIG


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own AWS settings, and no waiting between tries."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def aws() -> Iterator[Recorder]:
    with recording() as recorder:
        recorder.answer("AssumeRole", assumed(SCRATCH))
        recorder.answer("GetCallerIdentity", identity(SCRATCH))
        yield recorder


def entrance(account: str, external_id: str = "") -> Entrance:
    return Entrance(account, f"arn:aws:iam::{account}:role/restorecheck", external_id)


def fence_of(aws: Recorder, mode: Mode = Mode.ACT, external_id: str = "") -> Fence:
    return Fence({SOURCE: entrance(SOURCE)}, {SCRATCH: entrance(SCRATCH, external_id)}, endpoint_url=aws.url, mode=mode)


# --- who we are ---------------------------------------------------------------------------------------------------


def test_a_hand_is_given_out_once_sts_has_said_whose_account_it_is(aws: Recorder):
    aws.answer("DescribeDBSnapshots", snapshots())
    hand = fence_of(aws, external_id="restorecheck-9b27d0").hand(Role.SCRATCH, SCRATCH, REGION)
    assert list(hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots")) == []
    assert aws.actions == ["AssumeRole", "GetCallerIdentity", "DescribeDBSnapshots"]
    assume = aws.asked[0]
    assert assume["RoleArn"] == f"arn:aws:iam::{SCRATCH}:role/restorecheck"
    assert assume["ExternalId"] == "restorecheck-9b27d0"
    assert assume["RoleSessionName"] == "restorecheck"


def test_without_an_external_id_none_is_sent(aws: Recorder):
    fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert "ExternalId" not in aws.asked[0]


@pytest.mark.parametrize("actual", [SOURCE, OTHER, ""])
def test_a_role_that_leads_into_another_account_is_refused(aws: Recorder, actual: str):
    aws.answer("GetCallerIdentity", identity(actual))
    fence = fence_of(aws)
    for _ in range(2):  # and is not proven by having been asked before
        with pytest.raises(RefusedError, match=f"the scratch role of account {SCRATCH} leads into account {actual}"):
            fence.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    assert set(aws.actions) == {"AssumeRole", "GetCallerIdentity"}


def test_an_answer_without_an_account_is_refused(aws: Recorder):
    aws.answer("GetCallerIdentity", result("GetCallerIdentity", "<Arn>arn:aws:sts::222222222222:x</Arn>"))
    with pytest.raises(RefusedError, match="leads into account None"):
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)


def test_identity_is_proven_once_for_each_set_of_credentials(aws: Recorder):
    aws.answer("AssumeRole", assumed(SCRATCH), assumed(SOURCE))
    aws.answer("GetCallerIdentity", identity(SCRATCH), identity(SOURCE))
    fence = fence_of(aws)
    for region in (REGION, "us-east-1", REGION):
        fence.hand(Role.SCRATCH, SCRATCH, region)
    assert aws.actions == ["AssumeRole", "GetCallerIdentity"]
    fence.hand(Role.SOURCE, SOURCE, REGION)
    assert aws.actions == ["AssumeRole", "GetCallerIdentity"] * 2


def test_credentials_are_taken_anew_when_they_run_out(aws: Recorder):
    aws.answer("AssumeRole", assumed(SCRATCH, timedelta(minutes=2)), assumed(SCRATCH))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    hand.call("sts", "GetCallerIdentity")
    assert aws.actions.count("AssumeRole") == 2


@pytest.mark.parametrize(
    ("role", "account"), [(Role.SCRATCH, OTHER), (Role.SCRATCH, SOURCE), (Role.SOURCE, SCRATCH), (Role.BASE, SCRATCH)]
)
def test_an_account_that_is_not_configured_for_a_role_is_not_entered(aws: Recorder, role: Role, account: str):
    with pytest.raises(RefusedError, match=f"account {account} is not configured as a {role} account"):
        fence_of(aws).hand(role, account, REGION)
    assert aws.asked == []


@pytest.mark.parametrize(
    "permit",
    [
        replace(RUN_PERMIT, scratch_accounts=frozenset({SCRATCH, OTHER})),
        replace(RUN_PERMIT, source_accounts=frozenset({OTHER})),
    ],
)
def test_a_permit_that_was_made_elsewhere_is_refused(aws: Recorder, permit):
    with pytest.raises(RefusedError, match="the permit was not made for the accounts that are configured here"):
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION, permit)
    assert aws.asked == []


# --- credentials --------------------------------------------------------------------------------------------------


def test_no_credentials_at_all(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(SourceError, match="there are no AWS credentials in the environment") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert raised.value.kind == "credentials"


def test_half_of_the_credentials(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match=f"entering as scratch in account {SCRATCH}") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert raised.value.kind == "credentials"


def test_a_profile_that_is_not_there(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match="nobody") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert raised.value.kind == "credentials"
    assert aws.asked == []


def test_a_role_that_may_not_be_assumed_is_a_matter_of_credentials(aws: Recorder):
    aws.answer("AssumeRole", error("AccessDenied", "User: base is not authorized to perform: sts:AssumeRole", 403))
    with pytest.raises(AwsError, match=f"AssumeRole in account {SCRATCH}: AccessDenied") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert (raised.value.kind, raised.value.retryable) == ("credentials", False)


def test_a_read_that_is_not_allowed_is_a_matter_of_permission(aws: Recorder):
    aws.answer("DescribeDBSnapshots", error("AccessDenied", "not authorized to perform: rds:DescribeDBSnapshots", 403))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(AwsError, match="DescribeDBSnapshots") as raised:
        hand.call("rds", "DescribeDBSnapshots")
    assert raised.value.kind == "permission"


def test_a_pods_identity_may_become_the_base(aws: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "token").write_text("a web identity token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", f"arn:aws:iam::{OTHER}:role/pod")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
    status, text = assumed(OTHER)
    aws.answer("AssumeRoleWithWebIdentity", (status, text.replace("AssumeRole", "AssumeRoleWithWebIdentity")))
    fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert aws.actions == ["AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity"]


def test_the_base_identity_may_do_nothing_but_enter(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    made: list[botocore.session.Session] = []
    session = botocore.session.Session
    monkeypatch.setattr("botocore.session.Session", lambda: made.append(session()) or made[-1])
    fence = fence_of(aws)
    fence.hand(Role.SCRATCH, SCRATCH, REGION)
    asked = len(aws.asked)
    base = next(s for s in made if getattr(s, "_credentials", None) and s.get_credentials().access_key == "AKIABASE")
    client = base.create_client("rds", region_name=REGION, endpoint_url=aws.url)
    for call in (client.describe_db_instances, lambda: client.delete_db_snapshot(DBSnapshotIdentifier=NAME)):
        with pytest.raises(RefusedError, match="the base role may not call rds"):
            call()
    guard = base.get_component("event_emitter")._emitter._handlers.prefix_search("before-parameter-build")[-1]
    with pytest.raises(RefusedError, match="the base identity may not look at db x"):
        guard.describe("db", "x")
    assert len(aws.asked) == asked


# --- permits and modes --------------------------------------------------------------------------------------------


def test_a_permit_knows_the_accounts_and_the_partition(aws: Recorder):
    wanted = {"source_account": SOURCE, "scratch_account": SCRATCH, "began": BEGAN, "expires": EXPIRES}
    fence = fence_of(aws)
    made = fence.permit(**wanted, region=REGION, run_id=RUN, check="orders-db", instance="orders")
    assert made == RUN_PERMIT
    china = fence.permit(**wanted, region="cn-north-1")
    assert china.arn("db", SCRATCH, NAME) == f"arn:aws-cn:rds:cn-north-1:{SCRATCH}:db:{NAME}"
    assert (china.run_id, china.check, china.borrowed, china.instance) == ("", "", "", "")


@pytest.mark.parametrize(("source", "scratch", "named"), [(SOURCE, SCRATCH, SOURCE), ("", SCRATCH, SCRATCH)])
def test_a_region_that_aws_does_not_have(aws: Recorder, source: str, scratch: str, named: str):
    with pytest.raises(SourceError, match=f"in account {named}: Unknown region: 'nowhere'") as raised:
        fence_of(aws).permit(
            source_account=source, scratch_account=scratch, region="nowhere", began=BEGAN, expires=EXPIRES
        )
    assert raised.value.kind == "settings"


def test_plan_mode_notes_the_writes_of_all_hands_in_order(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(SCRATCH), identity(SOURCE))
    fence = fence_of(aws, Mode.PLAN)
    scratch = fence.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    source = fence.hand(Role.SOURCE, SOURCE, REGION, RUN_PERMIT)
    for hand, operation, params in (
        (scratch, "ModifyDBInstance", PASSWORD),
        (source, "DeleteDBSnapshot", DELETE_SNAPSHOT),
    ):
        with pytest.raises(PlannedError):
            hand.call("rds", operation, **params)
    assert [(c.account, c.operation) for c in fence.planned] == [
        (SCRATCH, "ModifyDBInstance"),
        (SOURCE, "DeleteDBSnapshot"),
    ]
    assert fence.planned[0].params["MasterUserPassword"] == "(secret)"
    assert not any(action.startswith(("Modify", "Delete")) for action in aws.actions)


def test_in_act_mode_nothing_is_noted(aws: Recorder):
    aws.answer(
        "DescribeDBSnapshots",
        snapshots({"DBSnapshotIdentifier": NAME, "DBSnapshotArn": arn("snapshot", SCRATCH), "TagList": ""}),
    )
    fence = fence_of(aws)
    hand = fence.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    with pytest.raises(RefusedError, match="does not carry the tag"):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert fence.planned == []


# --- listings -----------------------------------------------------------------------------------------------------


def test_a_listing_is_read_to_its_end(aws: Recorder):
    pages = [[{"DBSnapshotIdentifier": f"s{i}"}] for i in range(3)]
    aws.answer(
        "DescribeDBSnapshots", snapshots(*pages[0], marker="a"), snapshots(*pages[1], marker="b"), snapshots(*pages[2])
    )
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    found = [s["DBSnapshotIdentifier"] for s in hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots")]
    assert found == ["s0", "s1", "s2"]
    assert [asked.get("Marker") for asked in aws.asked[-3:]] == [None, "a", "b"]


def test_a_listing_of_ec2_has_another_word_for_more(aws: Recorder):
    def page(subnet: str, more: str = "") -> tuple[int, str]:
        item = f"<subnetSet><item><subnetId>{subnet}</subnetId></item></subnetSet>"
        token = f"<nextToken>{more}</nextToken>" if more else ""
        return 200, f"<DescribeSubnetsResponse>{item}{token}</DescribeSubnetsResponse>"

    aws.answer("DescribeSubnets", page("a", "t"), page("b"))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert [s["SubnetId"] for s in hand.pages("ec2", "DescribeSubnets", "Subnets")] == ["a", "b"]
    assert aws.asked[-1]["NextToken"] == "t"


def test_a_listing_that_breaks_off_raises(aws: Recorder):
    aws.answer(
        "DescribeDBSnapshots", snapshots({"DBSnapshotIdentifier": "s0"}, marker="a"), error("AccessDenied", "no", 403)
    )
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(AwsError, match="AccessDenied"):
        list(hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (snapshots({"DBSnapshotIdentifier": "s0"}, marker="a"), "answers in a circle"),
        (result("DescribeDBSnapshots", ""), "answered without DBSnapshots"),
    ],
)
def test_a_listing_that_makes_no_sense_raises(aws: Recorder, answer: tuple[int, str], message: str):
    aws.answer("DescribeDBSnapshots", answer)
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(SourceError, match=message) as raised:
        list(hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots"))
    assert raised.value.kind == "unknown-answer"


def test_a_tag_without_a_value_is_a_tag():
    target = target_of_instance({"TagList": [{"Key": "on"}, {"Value": "x"}, {"Key": "a", "Value": "b"}]}, SCRATCH)
    assert target.tags == {"on": "", "": "x", "a": "b"}


def test_what_aws_does_not_say_is_none_and_not_a_guess():
    described = target_of_instance({}, SCRATCH)
    assert (described.name, described.arn, described.tags, described.created) == ("", None, None, None)
    assert (described.deletion_protection, described.replicas, described.status) == (None, None, None)
    copy = target_of_snapshot({}, SCRATCH)
    assert (copy.name, copy.arn, copy.tags, copy.created, copy.snapshot_type) == ("", None, None, None, None)


# --- errors -------------------------------------------------------------------------------------------------------


def client_error(code: str | None, status: int = 400, operation: str = "X") -> botocore.exceptions.ClientError:
    details = {"Code": code, "Message": "why"} if code else {}
    return botocore.exceptions.ClientError(
        {"Error": details, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


@pytest.mark.parametrize("code", sorted(AWS_ERRORS))
def test_an_error_code_has_its_kind(code: str):
    found = of_client_error(client_error(code), "CopyDBSnapshot", SOURCE)
    assert (found.code, found.kind) == (code, AWS_ERRORS[code])
    assert found.retryable == (AWS_ERRORS[code] in RETRYABLE_KINDS)
    assert found.message == f"CopyDBSnapshot in account {SOURCE}: {code}: why"


@pytest.mark.parametrize(
    ("code", "status", "kind", "retryable"),
    [
        ("NobodyKnows", 400, "unknown-answer", False),
        ("NobodyKnows", 500, "aws-unavailable", True),
        ("NobodyKnows", 503, "aws-unavailable", True),
        (None, 400, "unknown-answer", False),
        (None, 502, "aws-unavailable", True),
        ("Throttling", 400, "throttled", True),
        ("AccessDenied", 500, "permission", False),  # a known code says more than the status
    ],
)
def test_an_error_code_that_nobody_knows(code: str | None, status: int, kind: str, retryable: bool):
    found = of_client_error(client_error(code, status), "CopyDBSnapshot", SOURCE)
    assert (found.kind, found.retryable, found.code) == (kind, retryable, code or "Unknown")


def test_an_error_without_anything_in_it():
    found = of_client_error(botocore.exceptions.ClientError({}, "X"), "CopyDBSnapshot", SOURCE)
    assert (found.message, found.kind) == (f"CopyDBSnapshot in account {SOURCE}: Unknown", "unknown-answer")


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "CreateToken"])
def test_a_denial_while_entering_names_the_entry(operation: str):
    found = of_client_error(client_error("AccessDenied", 403, operation), "DescribeDBInstances", SCRATCH)
    assert (found.kind, found.message) == ("credentials", f"{operation} in account {SCRATCH}: AccessDenied: why")


def every_botocore_error() -> list[type[botocore.exceptions.BotoCoreError]]:
    kinds = vars(botocore.exceptions).values()
    return sorted(
        (k for k in kinds if isinstance(k, type) and issubclass(k, botocore.exceptions.BotoCoreError)),
        key=lambda k: k.__name__,
    )


@pytest.mark.parametrize("kind", every_botocore_error())
def test_every_error_of_botocore_has_a_kind(kind: type[botocore.exceptions.BotoCoreError]):
    raised = kind.__new__(kind)
    Exception.__init__(raised, "what happened")
    found = of_no_answer(raised, "DescribeDBInstances", SCRATCH)
    assert found.kind in KINDS
    assert found.retryable == (found.kind in RETRYABLE_KINDS)
    assert found.message == f"DescribeDBInstances in account {SCRATCH}: what happened"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ParamValidationError", "settings"),
        ("NoRegionError", "settings"),
        ("UnknownRegionError", "settings"),
        ("NoCredentialsError", "credentials"),
        ("PartialCredentialsError", "credentials"),
        ("CredentialRetrievalError", "credentials"),
        ("ProfileNotFound", "credentials"),
        ("UnauthorizedSSOTokenError", "credentials"),
        ("TokenRetrievalError", "credentials"),
        ("EndpointConnectionError", "aws-unavailable"),
        ("ReadTimeoutError", "aws-unavailable"),
        ("ConnectTimeoutError", "aws-unavailable"),
        ("SSLError", "aws-unavailable"),
        ("ProxyConnectionError", "aws-unavailable"),
        ("ResponseParserError", "aws-unavailable"),
    ],
)
def test_what_it_means_that_a_call_got_no_answer(name: str, kind: str):
    errors = {k.__name__: k for k in [*every_botocore_error(), botocore.parsers.ResponseParserError]}
    raised = errors[name].__new__(errors[name])
    Exception.__init__(raised, "x")
    assert of_no_answer(raised, "X", SCRATCH).kind == kind


def test_wrong_parameters_and_an_aws_that_is_not_there(aws: Recorder):
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(SourceError, match="DescribeDBInstances in account") as raised:
        hand.call("rds", "DescribeDBInstances", Nonsense=1)
    assert raised.value.kind == "settings"
    hand._endpoint_url = "http://127.0.0.1:1"
    with pytest.raises(SourceError, match="Could not connect") as raised:
        hand.call("kms", "DescribeKey", KeyId="k")
    assert (raised.value.kind, raised.value.retryable) == ("aws-unavailable", True)


def test_what_is_answered_for_a_moment_only_is_asked_again(aws: Recorder):
    busy = error("Throttling", "Rate exceeded")
    aws.answer("DescribeDBInstances", busy, error("InternalFailure", "", 500), instances())
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert hand.call("rds", "DescribeDBInstances")["DBInstances"] == []
    assert aws.actions.count("DescribeDBInstances") == 3


def test_it_gives_up_after_six_tries(aws: Recorder):
    aws.answer("DescribeDBInstances", error("Throttling", "Rate exceeded"))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(AwsError) as raised:
        hand.call("rds", "DescribeDBInstances")
    assert (raised.value.kind, raised.value.retryable) == ("throttled", True)
    assert aws.actions.count("DescribeDBInstances") == 6 == CONFIG.retries["total_max_attempts"]


def test_a_model_in_the_home_directory_does_not_count(aws: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "models" / "rds" / "2014-10-31").mkdir(parents=True)
    (tmp_path / "models" / "rds" / "2014-10-31" / "service-2.json").write_text("{}")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    aws.answer("DescribeDBInstances", instances())
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert hand.call("rds", "DescribeDBInstances")["DBInstances"] == []


def test_tags_as_they_are_sent_are_those_that_are_read_back():
    sent = RUN_PERMIT.tags("db", SCRATCH)
    assert {tag["Key"]: tag["Value"] for tag in sent} == tags_of(arn("db", SCRATCH))
