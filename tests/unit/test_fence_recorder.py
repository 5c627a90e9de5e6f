"""The recorder: one new object, of the bucket and key in its permit, and nothing else whatever anybody asks."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from fence_cases import BEGAN, EXPIRES, OTHER, REGION, RUN_PERMIT, SCRATCH, SOURCE, SWEEP_PERMIT
from hypothesis import given
from hypothesis import strategies as st
from object_server import ObjectServer, error, serving
from recorder import Recorder, assumed, identity, recording

from restorecheck.errors import AwsError, RefusedError, SourceError
from restorecheck.fence import TABLE, Effect, Entrance, Fence, Hand, Permit, Role
from restorecheck.fence.decision import why_not_place
from restorecheck.fence.manifest_parameters import ALLOWED, why_not_record
from restorecheck.fence.object_requests import request_of
from restorecheck.fence.passage import Passage

LOADER = botocore.session.Session().get_component("data_loader")
BUCKET, KEY, BODY = "backups", "references/orders-db-20261121t030015z.json", b'{"format": "x"}'
PERMIT = replace(
    SWEEP_PERMIT, scratch_account="", began=BEGAN, expires=BEGAN, manifest=(BUCKET, KEY), instance="", cluster=""
)
PUT: dict[str, Any] = {
    "Bucket": BUCKET,
    "Key": KEY,
    "ExpectedBucketOwner": SOURCE,
    "IfNoneMatch": "*",
    "ChecksumSHA256": b64encode(hashlib.sha256(BODY).digest()).decode(),
    "ContentType": "application/json",
    "Body": BODY,
}


@pytest.fixture(scope="module")
def served() -> Iterator[ObjectServer]:
    with serving() as server:
        yield server


@pytest.fixture
def s3(served: ObjectServer) -> ObjectServer:
    for kept in (served.asked, served.kept, served.acts):
        kept.clear()
    return served


def hand_of(
    s3: ObjectServer, permit: Permit | None = PERMIT, role: Role = Role.RECORDER, account: str = SOURCE
) -> Hand:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    return Hand(Passage(session, role, account, REGION, endpoint_url=s3.url), permit)


# --- how it may be written -------------------------------------------------------------------------------------------


def test_a_recorder_may_do_one_thing():
    assert TABLE[Role.RECORDER] == {"sts": {"GetCallerIdentity": Effect.READ}, "s3": {"PutObject": Effect.CREATE}}


def test_the_manifest_of_its_permit_may_be_written():
    assert why_not_record("PutObject", PUT, PERMIT) is None


def test_no_other_parameter_may_be_carried():
    members = set(
        botocore.session.get_session().get_service_model("s3").operation_model("PutObject").input_shape.members
    )
    assert members > ALLOWED
    for name in members - ALLOWED:
        assert f"its parameters {name} are not among" in str(why_not_record("PutObject", {**PUT, name: "x"}, PERMIT))
    for risky in ("ACL", "Tagging", "SSECustomerKey", "ObjectLockMode", "WebsiteRedirectLocation", "Metadata"):
        assert risky in members - ALLOWED


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"Bucket": "other"}, "not the manifest of this permit"),
    ({"Bucket": None}, "not the manifest of this permit"),
    ({"Key": KEY + "x"}, "not the manifest of this permit"),
    ({"Key": "/" + KEY}, "not the manifest of this permit"),
    ({"Key": None}, "not the manifest of this permit"),
    ({"ExpectedBucketOwner": OTHER}, "must belong to the account of this permit"),
    ({"ExpectedBucketOwner": None}, "must belong to the account of this permit"),
    ({"IfNoneMatch": None}, "could write over something"),
    ({"IfNoneMatch": '"etag"'}, "could write over something"),
    ({"IfNoneMatch": b"*"}, "could write over something"),
    ({"ChecksumSHA256": None}, "what the SHA-256"),
    ({"ChecksumSHA256": ""}, "what the SHA-256"),
    ({"ChecksumSHA256": "A" * 44}, "what the SHA-256"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
def test_whatever_differs_from_it_is_refused_and_so_is_what_is_left_out(change: dict[str, Any], reason: str):
    assert reason in str(why_not_record("PutObject", {**PUT, **change}, PERMIT))
    [name] = change
    assert reason in str(why_not_record("PutObject", {k: v for k, v in PUT.items() if k != name}, PERMIT))


@pytest.mark.parametrize("operation", ["CopyObject", "CreateMultipartUpload", "DeleteObjects", "PutObjectAcl", ""])
def test_no_other_operation_writes_it(operation: str):
    assert "by PutObject alone" in str(why_not_record(operation, PUT, PERMIT))


@pytest.mark.parametrize("manifest", [None, ("", KEY), (BUCKET, ""), ("", "")])
def test_a_permit_for_no_manifest_is_for_nothing(manifest: tuple[str, str] | None):
    params = PUT if manifest is None else {**PUT, "Bucket": manifest[0], "Key": manifest[1]}
    assert why_not_record("PutObject", params, replace(PERMIT, manifest=manifest)) == "the permit is for no manifest"


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_the_bucket_and_key_only_the_permits_own_pass(bucket: str, key: str):
    allowed = (bucket, key) == (BUCKET, KEY)
    assert (why_not_record("PutObject", {**PUT, "Bucket": bucket, "Key": key}, PERMIT) is None) is allowed


def test_permits_of_recorders_and_of_runs_do_not_stand_in_for_one_another():
    assert why_not_place(Role.RECORDER, SOURCE, REGION, PERMIT) is None
    for permit in (RUN_PERMIT, SWEEP_PERMIT):
        assert "a run does not count for the recorder role" in str(why_not_place(Role.RECORDER, SOURCE, REGION, permit))
    whole = replace(PERMIT, scratch_account=SCRATCH)
    for role, account in ((Role.SOURCE, SOURCE), (Role.SCRATCH, SCRATCH), (Role.BASE, "")):
        assert f"a recorder does not count for the {role} role" in str(why_not_place(role, account, REGION, whole))


@pytest.mark.parametrize(
    ("permit", "account", "reason"),
    [
        (PERMIT, OTHER, f"not for account {OTHER} as recorder account"),
        (PERMIT, SCRATCH, f"not for account {SCRATCH} as recorder account"),
        (replace(PERMIT, source_accounts=frozenset({OTHER})), SOURCE, f"not for account {SOURCE} as recorder account"),
        (replace(PERMIT, source_accounts=frozenset()), SOURCE, "must both be known"),
        (replace(PERMIT, source_accounts=frozenset({SOURCE, SCRATCH})), SOURCE, "both as source and as scratch"),
        (replace(PERMIT, region="us-east-1"), SOURCE, "the permit is for us-east-1"),
    ],
)
def test_it_counts_in_its_own_place_alone(permit: Permit, account: str, reason: str):
    assert reason in str(why_not_place(Role.RECORDER, account, REGION, permit))


# --- through botocore ------------------------------------------------------------------------------------------------


def test_it_is_sent_as_it_was_judged(s3: ObjectServer):
    hand_of(s3).call("s3", "PutObject", **PUT)
    [sent] = s3.asked
    assert (sent.method, sent.path, sent.body) == ("PUT", f"/{BUCKET}/{KEY}", BODY)
    assert sent.headers["if-none-match"] == "*"
    assert sent.headers["x-amz-expected-bucket-owner"] == SOURCE
    assert sent.headers["x-amz-checksum-sha256"] == PUT["ChecksumSHA256"]


@pytest.mark.parametrize("without", ["IfNoneMatch", "ChecksumSHA256", "ExpectedBucketOwner"])
def test_what_leaves_out_a_guard_is_not_sent(s3: ObjectServer, without: str):
    with pytest.raises(RefusedError, match="was not sent"):
        hand_of(s3).call("s3", "PutObject", **{k: v for k, v in PUT.items() if k != without})
    assert s3.asked == []


def test_other_roles_and_permits_do_not_write_it(s3: ObjectServer):
    run = replace(RUN_PERMIT, bucket=BUCKET)
    for hand, reason in (
        (hand_of(s3, None), "this call may only read"),
        (hand_of(s3, run), "does not count for the recorder role"),
        (hand_of(s3, PERMIT, Role.SOURCE), "the source role may not call s3:PutObject"),
        (
            hand_of(s3, replace(PERMIT, scratch_account=SCRATCH), Role.SCRATCH, SCRATCH),
            "does not count for the scratch",
        ),
    ):
        with pytest.raises(RefusedError, match=reason):
            hand.call("s3", "PutObject", **PUT)
    assert s3.asked == []


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetObject", {"Bucket": BUCKET, "Key": KEY}),
        ("HeadObject", {"Bucket": BUCKET, "Key": KEY}),
        ("ListObjectVersions", {"Bucket": BUCKET}),
        ("DeleteObject", {"Bucket": BUCKET, "Key": KEY}),
        ("DeleteObjects", {"Bucket": BUCKET, "Delete": {"Objects": [{"Key": KEY}]}}),
        ("PutObjectAcl", {"Bucket": BUCKET, "Key": KEY, "ACL": "public-read"}),
        ("PutBucketPolicy", {"Bucket": BUCKET, "Policy": "{}"}),
    ],
)
def test_it_neither_reads_nor_lists_nor_deletes(s3: ObjectServer, operation: str, params: dict[str, Any]):
    with pytest.raises(RefusedError, match=f"the recorder role may not call s3:{operation}"):
        hand_of(s3).call("s3", operation, **params)
    assert s3.asked == []


@pytest.mark.parametrize("service", ["rds", "kms", "iam"])
def test_it_knows_no_other_service(s3: ObjectServer, service: str):
    with pytest.raises(RefusedError, match=f"the recorder role may not call {service}"):
        hand_of(s3).call(service, "DescribeKey", KeyId="k")


def test_a_courier_could_not_carry_it(s3: ObjectServer):
    hand_of(s3)._passage.judge("s3", "PutObject", PUT, PERMIT)  # the same clauses count there
    with pytest.raises(RefusedError, match="could write over something"):
        hand_of(s3)._passage.judge("s3", "PutObject", {k: v for k, v in PUT.items() if k != "IfNoneMatch"}, PERMIT)
    with pytest.raises(SourceError, match="cannot be sent with IfNoneMatch"):
        request_of("PutObject", PUT, "")


def test_what_is_there_already_stays(s3: ObjectServer):
    s3.once(error("PreconditionFailed", 412), "PUT")
    with pytest.raises(AwsError) as raised:
        hand_of(s3).call("s3", "PutObject", **PUT)
    assert raised.value.code == "PreconditionFailed"
    assert s3.methods() == ["PUT"]


# --- who it is -------------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Recorder]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with recording() as recorder:
        recorder.answer("AssumeRole", assumed(SOURCE))
        recorder.answer("GetCallerIdentity", identity(SOURCE))
        yield recorder


def fence_of(aws: Recorder) -> Fence:
    sides = [{a: Entrance(a, f"arn:aws:iam::{a}:role/restorecheck", "id")} for a in (SOURCE, SCRATCH)]
    return Fence(sides[0], sides[1], endpoint_url=aws.url)


def test_without_a_role_it_is_who_this_process_is_once_sts_has_said_whose_that_is(aws: Recorder):
    hand = fence_of(aws).recorder(SOURCE, REGION, (BUCKET, KEY), BEGAN)
    assert (hand.role, hand.account, aws.actions) == (Role.RECORDER, SOURCE, ["GetCallerIdentity"])
    assert hand._passage.credentials().access_key == "AKIABASE"
    assert hand._permit == replace(PERMIT, run_id="", check="")


def test_with_a_role_that_is_entered(aws: Recorder):
    hand = fence_of(aws).recorder(SOURCE, REGION, (BUCKET, KEY), BEGAN, f"arn:aws:iam::{SOURCE}:role/backup")
    assert aws.actions == ["AssumeRole", "GetCallerIdentity"]
    assert aws.asked[0]["RoleArn"] == f"arn:aws:iam::{SOURCE}:role/backup"
    assert "ExternalId" not in aws.asked[0]
    assert hand._passage.credentials().access_key == f"ASIA{SOURCE}"


def test_each_recorder_has_its_own_permit_on_the_way_that_they_share(aws: Recorder):
    fence = fence_of(aws)
    one, other = (fence.recorder(SOURCE, REGION, (BUCKET, key), BEGAN) for key in ("a", "b"))
    assert one._passage is other._passage
    assert (one._permit.manifest, other._permit.manifest) == ((BUCKET, "a"), (BUCKET, "b"))


def test_credentials_of_another_account_are_refused(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(OTHER))
    with pytest.raises(RefusedError, match=f"the recorder role of account {SOURCE} leads into account {OTHER}"):
        fence_of(aws).recorder(SOURCE, REGION, (BUCKET, KEY), BEGAN)


@pytest.mark.parametrize("account", [SCRATCH, OTHER, ""])
def test_it_writes_into_a_source_account_alone(aws: Recorder, account: str):
    with pytest.raises(RefusedError, match="is not configured as a source account"):
        fence_of(aws).recorder(account, REGION, (BUCKET, KEY), BEGAN)
    assert aws.asked == []


def test_nobody_is_let_in_as_a_recorder_in_another_way(aws: Recorder):
    with pytest.raises(RefusedError, match="is not configured as a recorder account"):
        fence_of(aws).hand(Role.RECORDER, SOURCE, REGION, replace(PERMIT, expires=EXPIRES))
    assert aws.asked == []


def test_without_credentials_it_is_nobody(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(SourceError, match="no AWS credentials") as raised:
        fence_of(aws).recorder(SOURCE, REGION, (BUCKET, KEY), BEGAN)
    assert raised.value.kind == "credentials"


def test_a_process_without_a_role_enters_no_other_account_as_itself(aws: Recorder):
    aws.answer("AssumeRole", error_of_sts())
    fence = Fence({SOURCE: Entrance(SOURCE, "")}, {SCRATCH: Entrance(SCRATCH, "r")}, endpoint_url=aws.url)
    with pytest.raises((AwsError, SourceError)):
        fence.hand(Role.SOURCE, SOURCE, REGION)
    assert "GetCallerIdentity" not in aws.actions


def error_of_sts() -> tuple[int, str]:
    return 403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
