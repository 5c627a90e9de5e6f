"""The keeper on its way through botocore: what is sent is what was judged, and nobody else is asked for anything."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from fence_cases import BEGAN, OTHER, REGION, RUN_PERMIT, SOURCE
from object_server import ObjectServer, serving
from recorder import Recorder, identity, recording

from restorecheck.errors import RefusedError, SourceError
from restorecheck.fence import Fence, Hand, Permit, Role
from restorecheck.fence.passage import Passage
from restorecheck.store.bucket.s3 import S3Keeper

LOADER = botocore.session.Session().get_component("data_loader")
BUCKET, PREFIX = "state-bucket", "prod/"
PERMIT = Permit(frozenset(), frozenset(), "", "", REGION, BEGAN, BEGAN, kept=(BUCKET, PREFIX))


@pytest.fixture(scope="module")
def served() -> Iterator[ObjectServer]:
    with serving() as server:
        yield server


@pytest.fixture
def s3(served: ObjectServer) -> ObjectServer:
    for kept in (served.asked, served.kept, served.acts):
        kept.clear()
    return served


def hand_of(s3: ObjectServer, permit: Permit | None = PERMIT, role: Role = Role.KEEPER) -> Hand:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    return Hand(Passage(session, role, OTHER, REGION, endpoint_url=s3.url), permit)


def put(**changes: Any) -> dict[str, Any]:
    body = b"{}"
    params = {
        "Bucket": BUCKET,
        "Key": "prod/a",
        "Body": body,
        "ExpectedBucketOwner": OTHER,
        "ChecksumSHA256": b64encode(hashlib.sha256(body).digest()).decode(),
        "IfNoneMatch": "*",
    }
    return {key: value for key, value in {**params, **changes}.items() if value is not None}


def test_a_write_says_whose_the_bucket_is_what_it_replaces_and_what_its_sum_is(s3: ObjectServer):
    keeper = S3Keeper(hand_of(s3), BUCKET, PREFIX)
    keeper.put("checks/a.json", b"{}", if_absent=True)
    keeper.put("checks/a.json", b"{ }", if_match='"e"')
    first, second = s3.asked
    assert [(one.method, one.path, one.body) for one in (first, second)] == [
        ("PUT", f"/{BUCKET}/prod/checks/a.json", b"{}"),
        ("PUT", f"/{BUCKET}/prod/checks/a.json", b"{ }"),
    ]
    assert (first.headers["if-none-match"], second.headers["if-match"]) == ("*", '"e"')
    assert "if-match" not in first.headers
    assert "if-none-match" not in second.headers
    for one in (first, second):
        assert one.headers["x-amz-expected-bucket-owner"] == OTHER
        assert one.headers["x-amz-checksum-sha256"] == b64encode(hashlib.sha256(one.body).digest()).decode()
        assert not [name for name in one.headers if name.startswith(("x-amz-acl", "x-amz-grant", "x-amz-tagging"))]


@pytest.mark.parametrize(
    "params",
    [
        put(IfNoneMatch=None),
        put(ChecksumSHA256=None),
        put(ExpectedBucketOwner=None),
        put(ExpectedBucketOwner=SOURCE),
        put(Key="production/a"),
        put(Bucket="state-bucket-2"),
        put(ACL="public-read"),
    ],
)
def test_what_is_not_so_is_not_sent(s3: ObjectServer, params: dict[str, Any]):
    with pytest.raises(RefusedError, match="was not sent"):
        hand_of(s3).call("s3", "PutObject", **params)
    assert s3.asked == []


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DeleteObject", {"Bucket": BUCKET, "Key": "prod/a"}),
        ("DeleteObjects", {"Bucket": BUCKET, "Delete": {"Objects": [{"Key": "prod/a"}]}}),
        ("PutBucketVersioning", {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Suspended"}}),
        ("PutObjectAcl", {"Bucket": BUCKET, "Key": "prod/a", "ACL": "public-read"}),
        ("CreateMultipartUpload", {"Bucket": BUCKET, "Key": "prod/a"}),
    ],
)
def test_nothing_else_is_sent(s3: ObjectServer, operation: str, params: dict[str, Any]):
    with pytest.raises(RefusedError):
        hand_of(s3).call("s3", operation, **params)
    assert s3.asked == []


@pytest.mark.parametrize(
    ("permit", "role"),
    [(None, Role.KEEPER), (RUN_PERMIT, Role.KEEPER), (PERMIT, Role.SCRATCH), (PERMIT, Role.RECORDER)],
)
def test_other_permits_and_roles_do_not_write_it(s3: ObjectServer, permit: Permit | None, role: Role):
    with pytest.raises(RefusedError):
        hand_of(s3, permit, role).call("s3", "PutObject", **put())
    assert s3.asked == []


# --- who it is -------------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with recording() as recorder:
        recorder.answer("GetCallerIdentity", identity(OTHER))
        yield recorder


def test_it_is_who_this_process_is_and_enters_no_role(aws: Recorder):
    hand = Fence({}, {}, endpoint_url=aws.url).keeper(BUCKET, PREFIX, REGION)
    assert (hand.role, hand.account) == (Role.KEEPER, OTHER)
    assert set(aws.actions) == {"GetCallerIdentity"}


@pytest.mark.parametrize(("bucket", "prefix"), [(BUCKET, ""), (BUCKET, "prod"), ("", PREFIX), (BUCKET, "../prod/")])
def test_what_is_no_place_is_refused_before_anybody_is_asked(aws: Recorder, bucket: str, prefix: str):
    with pytest.raises(RefusedError, match="is not a place for the state"):
        Fence({}, {}, endpoint_url=aws.url).keeper(bucket, prefix, REGION)
    assert aws.asked == []


def test_without_credentials_it_is_nobody(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(SourceError, match="no AWS credentials"):
        Fence({}, {}, endpoint_url=aws.url).keeper(BUCKET, PREFIX, REGION)
