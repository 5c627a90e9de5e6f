"""Writes to S3 by botocore: how they may be written, and what happens to what is changed after it was judged."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from fence_cases import BEGAN, EXPIRES, NAME, OTHER, REGION, RUN, RUN_PERMIT, SCRATCH, SOURCE, SWEEP_PERMIT
from hypothesis import given
from hypothesis import strategies as st
from object_server import Answered, ObjectServer, serving

from restorecheck.errors import AwsError, PlannedError, RefusedError
from restorecheck.fence import TABLE, Effect, Hand, Mode, Permit, Role, why_not
from restorecheck.fence.described import target_of_objects
from restorecheck.fence.object_parameters import ALLOWED, LEASE, keys_of, metadata_of, prefix_of, why_not_object
from restorecheck.fence.passage import Passage

LOADER = botocore.session.Session().get_component("data_loader")
PERMIT = replace(RUN_PERMIT, bucket="scratch", source_bucket="src")
SWEEP = replace(SWEEP_PERMIT, bucket="scratch")
LEASE_KEY = f"{NAME}/{LEASE}"
TAGS = metadata_of(PERMIT.tags("objects", SCRATCH))

WHERE: dict[str, Any] = {"Bucket": "scratch", "Key": f"{NAME}/k/x", "ExpectedBucketOwner": SCRATCH}
COPIED: dict[str, Any] = {
    "CopySource": {"Bucket": "src", "Key": "a//b?c", "VersionId": "v1"},
    "ExpectedSourceBucketOwner": SOURCE,
}
DELETED = {"Objects": [{"Key": f"{NAME}/k/x", "VersionId": "v"}, {"Key": f"{NAME}/k/y"}], "Quiet": True}
WRITES: dict[str, dict[str, Any]] = {
    "PutObject": {**WHERE, "Body": b"abc"},
    "CopyObject": {**WHERE, **COPIED},
    "CreateMultipartUpload": {**WHERE, "ContentType": "a/b", "Metadata": {"a": "b"}},
    "UploadPart": {**WHERE, "UploadId": "u", "PartNumber": 1, "Body": b"abc"},
    "UploadPartCopy": {**WHERE, **COPIED, "UploadId": "u", "PartNumber": 1, "CopySourceRange": "bytes=0-1"},
    "CompleteMultipartUpload": {
        **WHERE,
        "UploadId": "u",
        "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "e"}]},
    },
    "DeleteObjects": {"Bucket": "scratch", "ExpectedBucketOwner": SCRATCH, "Delete": DELETED},
    "AbortMultipartUpload": {**WHERE, "UploadId": "u"},
}
MAKES = sorted(set(WRITES) - {"DeleteObjects", "AbortMultipartUpload"})
DELETES = ["AbortMultipartUpload", "DeleteObjects"]


@pytest.fixture(scope="module")
def served() -> Iterator[ObjectServer]:
    with serving() as server:
        yield server


@pytest.fixture
def s3(served: ObjectServer) -> ObjectServer:
    for kept in (served.asked, served.kept, served.acts, served.aborted):
        kept.clear()
    served.uploads = {"u": {1: b""}}
    served.keep("src/a//b?c", b"abc")
    return served


def lease(s3: ObjectServer, said: str = "Sat, 21 Nov 2026 03:01:00 GMT", **tags: str) -> None:
    kept = s3.keep(f"scratch/{LEASE_KEY}", b"")
    changed = {**TAGS, **{name.replace("_", "-"): value for name, value in tags.items()}}
    kept.headers = {f"x-amz-meta-{name}": value for name, value in changed.items()} | {"Last-Modified": said}


def hand_of(
    s3: ObjectServer,
    permit: Permit | None = PERMIT,
    role: Role = Role.SCRATCH,
    account: str = "",
    mode: Mode = Mode.ACT,
) -> Hand:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    account = account or {Role.SOURCE: SOURCE, Role.SCRATCH: SCRATCH}[role]
    return Hand(Passage(session, role, account, REGION, endpoint_url=s3.url, mode=mode), permit)


# --- how a write may be written ------------------------------------------------------------------------------------


def test_every_write_of_the_table_says_what_it_may_carry():
    effects = {o: e for services in TABLE.values() for o, e in services.get("s3", {}).items() if e is not Effect.READ}
    assert set(effects) == set(ALLOWED) == set(WRITES)
    assert {operation for operation, effect in effects.items() if effect is Effect.DESTROY} == set(DELETES)
    assert all(effect is Effect.READ for effect in TABLE[Role.SOURCE]["s3"].values())


@pytest.mark.parametrize("operation", sorted(ALLOWED))
def test_every_parameter_that_may_be_carried_exists(operation: str):
    members = set(botocore.session.get_session().get_service_model("s3").operation_model(operation).input_shape.members)
    assert ALLOWED[operation] <= members
    forbidden = {"ACL", "GrantRead", "Tagging", "ObjectLockMode", "BypassGovernanceRetention", "StorageClass", "MFA"}
    assert not ALLOWED[operation] & forbidden
    for name in members - ALLOWED[operation]:
        assert f"its parameters {name} are not among" in str(
            why_not_object(operation, {**WRITES[operation], name: "x"}, PERMIT)
        )


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_what_is_this_runs_may_be_written(operation: str):
    assert why_not_object(operation, WRITES[operation], PERMIT) is None


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"Bucket": "src"}, "the bucket is 'src', not the scratch bucket"),
    ({"Bucket": None}, "the bucket is None, not the scratch bucket"),
    ({"ExpectedBucketOwner": SOURCE}, "must belong to the scratch account"),
    ({"ExpectedBucketOwner": None}, "must belong to the scratch account"),
    ({"Key": "k/x"}, "is not below the prefix of this run"),
    ({"Key": NAME}, "is not below the prefix of this run"),
    ({"Key": f"{NAME}-2/x"}, "is not below the prefix of this run"),
    ({"Key": f"/{NAME}/x"}, "is not below the prefix of this run"),
    ({"Key": ""}, "does not name what it changes"),
    ({"Key": None}, "does not name what it changes"),
    ({"Key": 7}, "does not name what it changes"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
@pytest.mark.parametrize("operation", sorted(WRITES))
def test_what_is_not_below_this_runs_prefix_may_not(operation: str, change: dict[str, Any], reason: str):
    if operation == "DeleteObjects" and "Key" in change:
        for others in ([], [{"Key": f"{NAME}/k/x"}]):  # one bad one among good ones is enough
            params = {**WRITES[operation], "Delete": {"Objects": [*others, change]}}
            assert reason in str(why_not_object(operation, params, PERMIT))
    else:
        assert reason in str(why_not_object(operation, {**WRITES[operation], **change}, PERMIT))


@pytest.mark.parametrize("delete", [None, {}, {"Objects": []}, {"Objects": [{}]}])
def test_a_delete_that_names_nothing_may_not(delete: Any):
    assert keys_of("DeleteObjects", {"Delete": delete}) == []
    params = {**WRITES["DeleteObjects"], "Delete": delete}
    assert why_not_object("DeleteObjects", params, PERMIT) == "it does not name what it changes"


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_without_a_bucket_in_the_permit_nothing_may(operation: str):
    for params in (WRITES[operation], {**WRITES[operation], "Bucket": ""}):
        assert "not the scratch bucket" in str(why_not_object(operation, params, RUN_PERMIT))


SOURCES: list[tuple[dict[str, Any], str]] = [
    ({"CopySource": {"Bucket": "third", "Key": "x", "VersionId": "v"}}, "from another bucket"),
    ({"CopySource": {"Bucket": "src", "Key": "x"}}, "does not name the version"),
    ({"CopySource": {"Bucket": "src", "Key": "x", "VersionId": ""}}, "does not name the version"),
    ({"CopySource": None}, "from another bucket"),
    ({"CopySource": b"src/x?versionId=v"}, "from another bucket"),
    ({"CopySource": "third/x?versionId=v"}, "from another bucket"),
    ({"CopySource": "/src/x?versionId=v"}, "from another bucket"),
    ({"CopySource": "arn:aws:s3:eu-central-1:1:accesspoint/src/object/x?versionId=v"}, "from another bucket"),
    ({"CopySource": "src/x"}, "does not name the version"),
    ({"CopySource": "src/x?versionId="}, "does not name the version"),
    ({"CopySource": "src/x?versionId=v&x=y"}, "from another bucket"),
    ({"CopySource": "src/x?versionId=v?versionId=w"}, "from another bucket"),
    ({"CopySource": "src/?versionId=v"}, "from another bucket"),
    ({"ExpectedSourceBucketOwner": OTHER}, "must belong to the source account"),
    ({"ExpectedSourceBucketOwner": None}, "must belong to the source account"),
]


@pytest.mark.parametrize(("change", "reason"), SOURCES)
@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy"])
def test_only_a_version_of_the_tested_bucket_is_copied(operation: str, change: dict[str, Any], reason: str):
    assert reason in str(why_not_object(operation, {**WRITES[operation], **change}, PERMIT))
    without = replace(PERMIT, source_bucket="")
    assert "from another bucket" in str(why_not_object(operation, WRITES[operation], without))


def test_a_source_as_botocore_writes_it_is_as_good():
    params = {**WRITES["CopyObject"], "CopySource": "src/a//b%3Fc?versionId=v1"}
    assert why_not_object("CopyObject", params, PERMIT) is None


@pytest.mark.parametrize("operation", MAKES)
def test_a_sweep_makes_nothing(operation: str):
    assert why_not_object(operation, WRITES[operation], SWEEP) == "a sweep makes nothing"


@pytest.mark.parametrize("operation", DELETES)
def test_a_sweep_deletes_below_any_prefix_and_the_lease_decides(operation: str):
    assert why_not_object(operation, WRITES[operation], SWEEP) is None
    assert prefix_of(operation, WRITES[operation]) == f"scratch/{NAME}"


@pytest.mark.parametrize(
    "keys", [["x"], [f"{NAME}/a", "other/b"], [f"{NAME}/a", "b"], ["/x"], [f"{NAME}/a", f"{NAME}2/b"], []]
)
def test_keys_that_are_not_all_below_one_prefix_have_none(keys: list[str]):
    params = {"Bucket": "scratch", "Delete": {"Objects": [{"Key": key} for key in keys]}}
    assert prefix_of("DeleteObjects", params) is None


def test_a_lease_carries_exactly_this_runs_tags():
    params = {**WHERE, "Key": LEASE_KEY, "Body": b""}
    assert TAGS["restorecheck-run"] == RUN
    assert TAGS["restorecheck-expires"] == EXPIRES.isoformat()
    assert why_not_object("PutObject", {**params, "Metadata": TAGS}, PERMIT) is None
    for wrong in (None, {}, {**TAGS, "restorecheck-run": "another"}, {**TAGS, "more": "x"}):
        assert "exactly this run's tags" in str(why_not_object("PutObject", {**params, "Metadata": wrong}, PERMIT))


@pytest.mark.parametrize("operation", sorted(set(MAKES) - {"PutObject"}))
def test_a_lease_is_made_in_no_other_way(operation: str):
    params = {**WRITES[operation], "Key": LEASE_KEY}
    assert "by PutObject alone" in str(why_not_object(operation, params, PERMIT))


@given(st.sampled_from(sorted(WRITES)), st.text(max_size=30), st.text(max_size=30))
def test_whatever_the_key_and_bucket_only_this_runs_own_passes(operation: str, bucket: str, key: str):
    params = {**WRITES[operation], "Bucket": bucket}
    if operation == "DeleteObjects":
        params["Delete"] = {"Objects": [{"Key": key}]}
    else:
        params["Key"] = key
    allowed = bucket == "scratch" and key.startswith(f"{NAME}/")
    assert (why_not_object(operation, params, PERMIT) is None) is allowed


# --- through botocore ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_what_is_this_runs_is_sent_and_what_deletes_after_a_fresh_look(s3: ObjectServer, operation: str):
    lease(s3)
    hand_of(s3).call("s3", operation, **WRITES[operation])
    assert [asked.method for asked in s3.asked[:-1]] == (["HEAD"] if operation in DELETES else [])
    if operation in DELETES:
        assert s3.asked[0].path == f"/scratch/{LEASE_KEY}"
    sent = s3.asked[-1]
    assert sent.headers["x-amz-expected-bucket-owner"] == SCRATCH
    if operation in {"PutObject", "UploadPart"}:
        assert sent.body == b"abc"
    if "Copy" in operation:
        assert sent.headers["x-amz-copy-source"] == "src/a//b%3Fc?versionId=v1"


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_without_a_permit_in_another_account_or_for_a_source_nothing_is_written(s3: ObjectServer, operation: str):
    lease(s3)
    for hand, reason in (
        (hand_of(s3, None), "this call may only read"),
        (hand_of(s3, account=OTHER), f"the permit is not for account {OTHER}"),
        (hand_of(s3, replace(PERMIT, region="us-east-1")), "the permit is for us-east-1"),
        (hand_of(s3, role=Role.SOURCE), "the source role may not call"),
    ):
        with pytest.raises(RefusedError, match=reason):
            hand.call("s3", operation, **WRITES[operation])
    assert s3.asked == []


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_in_plan_mode_writes_are_noted_without_what_they_hold(s3: ObjectServer, operation: str):
    hand = hand_of(s3, mode=Mode.PLAN)
    with pytest.raises(PlannedError):
        hand.call("s3", operation, **WRITES[operation])
    (noted,) = hand._passage._guard.planned
    assert (noted.service, noted.operation) == ("s3", operation)
    assert noted.params.get("Body", "(secret)") == "(secret)"
    assert s3.asked == []


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_nothing_of_s3_is_presigned(s3: ObjectServer, operation: str):
    client = hand_of(s3)._passage.client("s3")
    for name in (operation, "GetObject", "ListObjectVersions"):
        with pytest.raises(RefusedError, match="may not be presigned"):
            client.generate_presigned_url(botocore.xform_name(name), Params=WRITES[operation] | {"Bucket": "b"})
    assert s3.asked == []


@pytest.mark.parametrize("part", ["url_path", "query_string", "body", "header", "method"])
@pytest.mark.parametrize("operation", sorted(WRITES))
def test_what_is_changed_after_it_was_judged_is_not_sent(s3: ObjectServer, operation: str, part: str):
    lease(s3)
    hand = hand_of(s3)

    def change(params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name != operation:
            return
        if part == "header":
            params["headers"]["x-amz-expected-bucket-owner"] = SOURCE
        elif part == "query_string":
            params["query_string"] = {**params["query_string"], "versionId": "v"}
        elif part == "body":
            params["body"] = io.BytesIO(b"other")
        else:
            params[part] = "/elsewhere" if part == "url_path" else "GET"

    hand._passage.client("s3").meta.events.register("before-call.s3", change)
    with pytest.raises(RefusedError, match="was not sent: it was changed after it was judged"):
        hand.call("s3", operation, **WRITES[operation])
    assert not [asked for asked in s3.asked if asked.method not in {"HEAD"}]


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
@pytest.mark.parametrize("what", ["replaced", "moved", "a stream of its own"])
def test_the_bytes_that_are_written_are_those_that_were_judged(s3: ObjectServer, operation: str, what: str):
    class Stream(io.BytesIO):
        pass

    hand, params = hand_of(s3), dict(WRITES[operation])

    def change(params: dict[str, Any], **_: object) -> None:
        if what == "replaced":
            params["Body"] = io.BytesIO(b"other")
        elif what == "moved":
            params["Body"].read(1)

    hand._passage.client("s3").meta.events.register_last("before-parameter-build", change)
    if what == "a stream of its own":
        params["Body"] = Stream(b"abc")
    with pytest.raises(RefusedError, match="was not sent: it was changed after it was judged"):
        hand.call("s3", operation, **params)
    assert s3.asked == []


@pytest.mark.parametrize("name", [f"other/{NAME}", NAME, f"/{NAME}", f"scratch/k/{NAME}"])
def test_a_prefix_of_another_bucket_is_not_this_runs(name: str):
    target = target_of_objects({"Metadata": TAGS, "LastModified": BEGAN}, SCRATCH, name, "aws")
    assert "not in the scratch bucket of this permit" in str(why_not(target, PERMIT))


LEASES: list[tuple[dict[str, str], str, str]] = [
    ({"restorecheck_run": "billing-20261121t0300z"}, "", "its name is not the one that its run gives"),
    ({"restorecheck_managed": "no"}, "", "does not carry the tag"),
    ({"restorecheck_resource": "arn:aws:s3:::other/x"}, "", "the tags were copied from something else"),
    ({}, "Sat, 21 Nov 2026 02:00:00 GMT", "it is older than the run"),
]


@pytest.mark.parametrize(("tags", "said", "reason"), LEASES)
@pytest.mark.parametrize("operation", DELETES)
def test_what_the_lease_says_now_decides(
    s3: ObjectServer, operation: str, tags: dict[str, str], said: str, reason: str
):
    lease(s3, said or "Sat, 21 Nov 2026 03:01:00 GMT", **tags)
    with pytest.raises(RefusedError, match=reason):
        hand_of(s3).call("s3", operation, **WRITES[operation])
    assert [asked.method for asked in s3.asked] == ["HEAD"]


@pytest.mark.parametrize("operation", DELETES)
def test_without_a_lease_nothing_is_deleted(s3: ObjectServer, operation: str):
    with pytest.raises(AwsError) as raised:
        hand_of(s3).call("s3", operation, **WRITES[operation])
    assert raised.value.code == "404"
    assert [asked.method for asked in s3.asked] == ["HEAD"]


@pytest.mark.parametrize("operation", DELETES)
def test_a_sweep_deletes_what_has_expired_and_nothing_that_has_not(s3: ObjectServer, operation: str):
    lease(s3)
    early = replace(SWEEP, began=BEGAN)
    with pytest.raises(RefusedError, match="its lease runs until"):
        hand_of(s3, early).call("s3", operation, **WRITES[operation])
    hand_of(s3, SWEEP).call("s3", operation, **WRITES[operation])
    assert [asked.method for asked in s3.asked[:2]] == ["HEAD", "HEAD"]


def test_a_redirect_to_elsewhere_is_not_where_a_write_goes(s3: ObjectServer):
    s3.acts.append(lambda asked: Answered(307, {"Location": f"{s3.url}/scratch/elsewhere"}))
    with pytest.raises(AwsError):
        hand_of(s3).call("s3", "PutObject", **WRITES["PutObject"])
    assert [asked.target for asked in s3.asked] == [f"/scratch/{NAME}/k/x"]
    s3.acts[:] = [lambda asked: Answered(301, {"x-amz-bucket-region": "us-east-1"})]
    with pytest.raises(AwsError):
        hand_of(s3).call("s3", "HeadObject", Bucket="src", Key="x")
    assert len(s3.asked) == 2
