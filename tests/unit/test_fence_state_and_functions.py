"""How a keeper may write the state and how a starter may start a run: each one call, in one place, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fence_cases import BEGAN, OTHER, REGION, RUN_PERMIT, SCRATCH, SOURCE, SWEEP_PERMIT
from hypothesis import given
from hypothesis import strategies as st
from recorder import Recorder, identity, plain_environment, recording

from restorecheck.errors import RefusedError, SourceError
from restorecheck.fence import TABLE, Effect, Entrance, Fence, Permit, Role
from restorecheck.fence.decision import why_not_place
from restorecheck.fence.function_parameters import FunctionPlace, place_of, why_not_start
from restorecheck.fence.state_parameters import ALLOWED, is_place, why_not_keep

RUN = "orders-db-20261121t0300z"
FUNCTION = f"arn:aws:lambda:{REGION}:{OTHER}:function:restorecheck-run:live"
KEEPS = Permit(frozenset(), frozenset(), "", "", REGION, BEGAN, BEGAN, kept=("state-bucket", "prod/"))
STARTS = Permit(frozenset(), frozenset(), "", "", REGION, BEGAN, BEGAN, function=FUNCTION)
PUT: dict[str, Any] = {
    "Bucket": "state-bucket",
    "Key": "prod/runs/orders-db/x.json",
    "Body": b"{}",
    "ExpectedBucketOwner": OTHER,
    "IfNoneMatch": "*",
    "ChecksumSHA256": "A" * 43 + "=",
}
START: dict[str, Any] = {
    "FunctionName": FUNCTION,
    "InvocationType": "Event",
    "DurableExecutionName": RUN,
    "Payload": json.dumps({"run": RUN}).encode(),
}


def keep(permit: Permit = KEEPS, account: str = OTHER, region: object = REGION, **changes: Any) -> str | None:
    params = {k: v for k, v in {**PUT, **changes}.items() if v is not ...}
    return why_not_keep("PutObject", params, permit, account, region)


def start(permit: Permit = STARTS, account: str = OTHER, region: object = REGION, **changes: Any) -> str | None:
    params = {k: v for k, v in {**START, **changes}.items() if v is not ...}
    return why_not_start("Invoke", params, permit, account, region)


# --- a keeper --------------------------------------------------------------------------------------------------------


def test_a_keeper_writes_one_way_and_deletes_nothing():
    writes = {(s, o) for s, held in TABLE[Role.KEEPER].items() for o, e in held.items() if e is not Effect.READ}
    assert writes == {("s3", "PutObject")}


def test_what_is_new_and_what_was_read_may_be_written():
    assert keep() is None
    assert keep(IfNoneMatch=..., IfMatch='"abc"', ContentType="application/json", ContentEncoding="gzip") is None


@pytest.mark.parametrize("operation", ["DeleteObject", "DeleteObjects", "CopyObject", "PutBucketPolicy", ""])
def test_no_other_operation_keeps(operation: str):
    assert why_not_keep(operation, PUT, KEEPS, OTHER, REGION) == "a keeper writes by PutObject alone"


@pytest.mark.parametrize(
    "name", ["ACL", "GrantRead", "Tagging", "ObjectLockMode", "SSECustomerKey", "WebsiteRedirectLocation"]
)
def test_no_other_parameter_of_a_write_may_be_carried(name: str):
    assert name not in ALLOWED
    assert f"its parameters {name} are not among" in str(keep(**{name: "x"}))


@pytest.mark.parametrize("key", ["", "prod/", "prod", "production/x", "x", "/prod/x", None, ..., b"prod/x"])
def test_nothing_is_written_beside_the_prefix(key: object):
    assert keep(Key=key) == "it would not write below state-bucket/prod/"


@given(st.text(max_size=20))
def test_whatever_the_key_it_begins_with_the_prefix(key: str):
    assert (keep(Key=key) is None) is (key.startswith("prod/") and key != "prod/")


@pytest.mark.parametrize("bucket", ["state-bucket-2", "", None, ...])
def test_nothing_is_written_into_another_bucket(bucket: object):
    assert keep(Bucket=bucket) == "it would not write below state-bucket/prod/"


@pytest.mark.parametrize(("account", "owner"), [(OTHER, SOURCE), (OTHER, ...), ("", ""), (SOURCE, OTHER)])
def test_the_bucket_must_be_that_of_the_service(account: str, owner: object):
    assert "must belong to the account of the service" in str(keep(account=account, ExpectedBucketOwner=owner))


@pytest.mark.parametrize(
    "conditions",
    [
        {"IfNoneMatch": ...},
        {"IfNoneMatch": '"abc"'},
        {"IfNoneMatch": "*", "IfMatch": '"abc"'},
        {"IfNoneMatch": ..., "IfMatch": ""},
    ],
)
def test_nothing_is_written_over_what_was_not_read(conditions: dict[str, Any]):
    assert "it could write over what it has not read" in str(keep(**conditions))


@pytest.mark.parametrize("digest", [..., "", "abc", "A" * 44])
def test_what_is_written_is_what_arrives(digest: object):
    assert "does not say what the SHA-256" in str(keep(ChecksumSHA256=digest))


def test_a_permit_to_keep_is_for_one_region():
    assert keep(region="us-east-1") == f"the permit is for {REGION}, the call is for us-east-1"


@pytest.mark.parametrize(
    "permit",
    [
        RUN_PERMIT,
        SWEEP_PERMIT,
        STARTS,
        replace(KEEPS, kept=("state-bucket", "")),
        replace(KEEPS, kept=("state-bucket", "prod")),
        replace(KEEPS, run_id=RUN),
        replace(KEEPS, manifest=("b", "k")),
        replace(KEEPS, topic="arn:aws:sns:eu-central-1:1:x"),
    ],
)
def test_a_permit_for_no_state_is_for_nothing(permit: Permit):
    assert keep(permit) == "the permit is for no state"


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [
        ("b", "a/"),
        ("Bucket", "a/"),
        ("bucket", "/"),
        ("bucket", "a//"),
        ("bucket", "../"),
        ("bucket", "a/./"),
        (None, "a/"),
    ],
)
def test_what_is_no_place_for_a_state(bucket: object, prefix: object):
    assert not is_place(bucket, prefix)


def test_a_place_for_a_state_is_a_folder():
    assert is_place("state-bucket", "prod/")
    assert is_place("state.bucket-2", "restorecheck/prod_1/")


# --- a starter -------------------------------------------------------------------------------------------------------


def test_a_starter_starts_and_looks():
    assert TABLE[Role.STARTER] == {
        "lambda": {
            "GetDurableExecution": Effect.READ,
            "ListDurableExecutionsByFunction": Effect.READ,
            "Invoke": Effect.CREATE,
        }
    }
    assert [role for role, services in TABLE.items() if "lambda" in services] == [Role.STARTER]


def test_the_run_of_the_name_may_be_started():
    assert start() is None


@pytest.mark.parametrize("operation", ["InvokeAsync", "StopDurableExecution", "UpdateFunctionCode", ""])
def test_no_other_operation_starts(operation: str):
    assert why_not_start(operation, START, STARTS, OTHER, REGION) == "a starter calls Invoke alone"


@pytest.mark.parametrize("name", ["ClientContext", "LogType", "Qualifier", "TenantId"])
def test_no_other_parameter_of_a_start_may_be_carried(name: str):
    assert f"its parameters {name} are not among" in str(start(**{name: "x"}))


@pytest.mark.parametrize(
    "function", [FUNCTION[:-1], FUNCTION.removesuffix(":live"), "restorecheck-run:live", None, ...]
)
def test_no_other_function_is_started(function: object):
    assert start(FunctionName=function) == "it would start another function than that of its permit"


@pytest.mark.parametrize(
    ("permit", "account", "region"),
    [(STARTS, SOURCE, REGION), (STARTS, OTHER, "us-east-1"), (replace(STARTS, region="us-east-1"), OTHER, REGION)],
)
def test_a_function_is_started_where_it_is(permit: Permit, account: str, region: object):
    assert start(permit, account, region) == "the function is in another account or region"


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun", ...])
def test_nobody_waits_for_the_end_of_a_run(kind: object):
    assert start(InvocationType=kind) == "it would wait for the end of the run"


@pytest.mark.parametrize("name", ["", "orders-db", "orders-db-yesterday", None, ..., 7])
def test_an_execution_is_named_after_a_run(name: object):
    assert start(DurableExecutionName=name) == "it is not named after a run"


@pytest.mark.parametrize("payload", [..., b"", b"{}", b'{"run": "billing-db-20261121t0300z"}', '{"run": "x"}'])
def test_it_starts_the_run_that_it_is_named_after(payload: object):
    assert start(Payload=payload) == "it does not start the run that it is named after"


@pytest.mark.parametrize(
    "permit",
    [
        RUN_PERMIT,
        SWEEP_PERMIT,
        KEEPS,
        replace(STARTS, function=""),
        replace(STARTS, function=FUNCTION.removesuffix(":live")),
        replace(STARTS, run_id=RUN),
        replace(STARTS, manifest=("b", "k")),
        replace(STARTS, topic="arn:aws:sns:eu-central-1:1:x"),
        replace(STARTS, kept=("state-bucket", "prod/")),
    ],
)
def test_a_permit_for_no_function_is_for_nothing(permit: Permit):
    assert start(permit) == "the permit is for no function"


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (FUNCTION, FunctionPlace("aws", REGION, OTHER)),
        (
            f"arn:aws-us-gov:lambda:us-gov-west-1:{OTHER}:function:f:12",
            FunctionPlace("aws-us-gov", "us-gov-west-1", OTHER),
        ),
        (f"arn:aws:lambda:{REGION}:{OTHER}:function:f:$LATEST", FunctionPlace("aws", REGION, OTHER)),
    ],
)
def test_the_arn_of_a_function_says_where_it_is(function: str, place: FunctionPlace):
    assert place_of(function) == place


@pytest.mark.parametrize(
    "function",
    [
        "",
        None,
        7,
        "restorecheck-run:live",
        FUNCTION.removesuffix(":live"),
        FUNCTION + ":1",
        FUNCTION + "\n",
        f" {FUNCTION}",
    ],
)
def test_what_names_no_function_is_nowhere(function: object):
    assert place_of(function) is None


# --- each for itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("permit", "whose"), [(KEEPS, "keeper"), (STARTS, "starter")])
@pytest.mark.parametrize("role", [Role.SOURCE, Role.SCRATCH, Role.RECORDER, Role.SURVEYOR, Role.BASE])
def test_their_permits_count_for_no_other_role(permit: Permit, whose: str, role: Role):
    whole = replace(SWEEP_PERMIT, kept=permit.kept, function=permit.function)
    assert why_not_place(role, SOURCE, REGION, whole) == f"the permit of a {whose} does not count for the {role} role"


def test_a_surveyor_only_reads():
    assert {effect for held in TABLE[Role.SURVEYOR].values() for effect in held.values()} == {Effect.READ}


# --- through a fence -------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Recorder]:
    plain_environment(monkeypatch, tmp_path)
    with recording() as recorder:
        recorder.answer("GetCallerIdentity", identity(OTHER))
        yield recorder


def fence_of(aws: Recorder) -> Fence:
    sides = [{a: Entrance(a, f"arn:aws:iam::{a}:role/restorecheck", "id")} for a in (SOURCE, SCRATCH)]
    return Fence(sides[0], sides[1], endpoint_url=aws.url)


def test_a_keeper_is_who_this_process_is_in_its_own_account(aws: Recorder):
    fence = fence_of(aws)
    hand = fence.keeper("state-bucket", "prod/", REGION)
    assert (hand.role, hand.account, hand.region) == (Role.KEEPER, OTHER, REGION)
    assert replace(hand._permit, began=BEGAN, expires=BEGAN) == KEEPS
    assert fence.keeper("state-bucket", "test/", REGION)._passage is hand._passage
    assert set(aws.actions) == {"GetCallerIdentity"}


@pytest.mark.parametrize(("bucket", "prefix"), [("state-bucket", ""), ("state-bucket", "prod"), ("", "prod/")])
def test_a_place_that_is_none_is_refused_before_anybody_is_asked(aws: Recorder, bucket: str, prefix: str):
    with pytest.raises(RefusedError, match="is not a place for the state"):
        fence_of(aws).keeper(bucket, prefix, REGION)
    assert aws.asked == []


def test_a_process_that_is_in_no_account_keeps_nothing(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(""))
    with pytest.raises(SourceError, match="which account this process is in"):
        fence_of(aws).keeper("state-bucket", "prod/", REGION)


def test_what_a_keeper_may_not_write_is_not_sent(aws: Recorder):
    hand = fence_of(aws).keeper("state-bucket", "prod/", REGION)
    aws.asked.clear()
    with pytest.raises(RefusedError, match="would not write below state-bucket/prod/"):
        hand.call("s3", "PutObject", **{**PUT, "Key": "elsewhere"})
    with pytest.raises(RefusedError, match="the keeper role may not call s3:DeleteObject"):
        hand.call("s3", "DeleteObject", Bucket="state-bucket", Key="prod/x")
    assert aws.asked == []


def test_a_starter_is_asked_nothing(aws: Recorder):
    hand = fence_of(aws).starter(FUNCTION)
    assert (hand.role, hand.account, hand.region, aws.asked) == (Role.STARTER, OTHER, REGION, [])
    assert replace(hand._permit, began=BEGAN, expires=BEGAN) == STARTS
    with pytest.raises(RefusedError, match="would start another function"):
        hand.call("lambda", "Invoke", **{**START, "FunctionName": FUNCTION + "2"})
    assert aws.asked == []


def test_what_is_started_is_what_was_judged(aws: Recorder):
    answer = fence_of(aws).starter(FUNCTION).call("lambda", "Invoke", **START)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(aws.asked) == 1


@pytest.mark.parametrize("function", ["", "restorecheck-run:live", FUNCTION.removesuffix(":live")])
def test_a_function_without_a_version_is_refused(aws: Recorder, function: str):
    with pytest.raises(RefusedError, match="with a version or an alias"):
        fence_of(aws).starter(function)


def test_a_surveyor_is_in_no_scratch_account(aws: Recorder):
    with pytest.raises(RefusedError, match="is configured as a scratch account"):
        fence_of(aws).surveyor(Entrance(SCRATCH, ""), REGION)
    assert aws.asked == []


def test_a_surveyor_without_a_role_must_be_in_the_account(aws: Recorder):
    with pytest.raises(RefusedError, match=f"leads into account {OTHER}"):
        fence_of(aws).surveyor(Entrance("444444444444", ""), REGION)
    assert fence_of(aws).surveyor(Entrance(OTHER, ""), REGION).role is Role.SURVEYOR
