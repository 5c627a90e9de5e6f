"""A whole run of a check of objects through the real fence, against a simulated S3 that answers over HTTP."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from objects_lab import LONG, Silent, back, there
from workflow.scripted import check

from restorecheck.fence import Entrance, Fence
from restorecheck.model import Placement, Plan, S3ObjectsSource
from restorecheck.passwords import Passwords
from restorecheck.schedule import run_id
from restorecheck.sources.s3_objects import S3Objects, World

SOURCE, SCRATCH, REGION = "111111111111", "222222222222", "eu-central-1"
KEYS = ("a", "b/c", "dir/", "é", "z%+ &", LONG)


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/restorecheck"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()  # what it simulates is shared by all servers of a process
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(endpoint: str, account: str) -> Any:
    sts = boto3.client("sts", endpoint_url=endpoint, region_name=REGION)
    given = sts.assume_role(RoleArn=role(account), RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def buckets(endpoint: str) -> tuple[Any, Any]:
    owner, scratch = client(endpoint, SOURCE), client(endpoint, SCRATCH)
    here = {"LocationConstraint": REGION}
    owner.create_bucket(Bucket="backups", CreateBucketConfiguration=here)
    owner.put_bucket_versioning(Bucket="backups", VersioningConfiguration={"Status": "Enabled"})
    scratch.create_bucket(Bucket="scratch", CreateBucketConfiguration=here)
    for key in KEYS:
        owner.put_object(Bucket="backups", Key=f"data/{key}", Body=f"body of {key}".encode())
    return owner, scratch


def life(endpoint: str, transfer: str, now: datetime) -> S3Objects:
    made = check(
        source=S3ObjectsSource(SOURCE, REGION, "backups", "data/", transfer=transfer),
        placement=Placement(SCRATCH, REGION, bucket="scratch"),
        assertions=(),
    )
    fence = Fence(
        {SOURCE: Entrance(SOURCE, role(SOURCE))}, {SCRATCH: Entrance(SCRATCH, role(SCRATCH))}, endpoint_url=endpoint
    )
    world = World(
        fence, Silent(), Passwords(b"k" * 32), lambda: now, time.monotonic, lambda run: Path("/nonexistent") / run
    )
    return S3Objects(Plan(run_id("orders-db", now), made, now), world)


def test_objects_go_there_are_compared_and_are_gone_again(endpoint: str) -> None:
    owner, scratch = buckets(endpoint)
    for transfer in ("copy", "stream"):
        now = datetime.now(UTC) + timedelta(seconds=2)
        source = life(endpoint, transfer, now)
        point = source.find()
        assert point.picked == len(KEYS)
        there(source, point)
        assert len(source.leftovers()) == 1
        answers = source.examine(point)
        assert [(o.name, o.kind, o.value) for o in answers.observations] == [
            ("objects-compared", "", "6"),
            ("objects-read", "", "6"),
        ]
        assert back(source, point) == "gone"
        assert source.leftovers() == []
        assert "Contents" not in scratch.list_objects_v2(Bucket="scratch")
    assert len(owner.list_object_versions(Bucket="backups")["Versions"]) == len(KEYS)


def test_a_restored_object_that_was_changed_is_seen(endpoint: str) -> None:
    _, scratch = buckets(endpoint)
    source = life(endpoint, "copy", datetime.now(UTC) + timedelta(seconds=2))
    point = source.find()
    there(source, point)
    [changed] = [k["Key"] for k in scratch.list_objects_v2(Bucket="scratch")["Contents"] if k["Key"].endswith("/b/c")]
    scratch.put_object(Bucket="scratch", Key=changed, Body=b"body of b!c")
    observation = source.examine(point).observations[0]
    assert observation.kind == "objects-differ"
    assert "'data/b/c'" in observation.message
    assert back(source, point) == "gone"
