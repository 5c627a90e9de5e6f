"""An S3 that answers over HTTP, with one versioned bucket of the account that a test is in.

A test module offers the fixtures by importing them, through its conftest.py: `server`, `endpoint`, `s3`.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


@pytest.fixture(scope="module", name="bucket_server")
def serving() -> Iterator[str]:
    """Serve as long as a module of tests lasts."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        moto.stop()


@pytest.fixture(name="bucket_endpoint")
def emptied(bucket_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an S3 with nothing in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    urllib.request.urlopen(urllib.request.Request(f"{bucket_server}/moto-api/reset", method="POST")).close()
    return bucket_server


@pytest.fixture(name="s3")
def furnished(bucket_endpoint: str) -> Any:
    """Return a client of it, and let it have the bucket `state`."""
    client = boto3.client("s3", endpoint_url=bucket_endpoint, region_name=REGION)
    client.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
    return client
