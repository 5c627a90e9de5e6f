"""Buckets on the demo AWS: versions as S3 keeps them, who may read them, and how they can be made to rot."""

import base64
import hashlib
import json
import random
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, FlexibleChecksumError
from demo_world import SCRATCH, SOURCE, World

from restorecheck.demo.aws import s3_requests, trust
from restorecheck.demo.aws.process import DemoAws, DemoAwsError

MIB = 1024 * 1024
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Bucket:
    """A bucket of the source account, and its administrator's client."""

    aws: DemoAws
    s3: Any
    name: str = "exports"

    def put(self, key: str, body: bytes = b"x", **more: Any) -> str:
        return str(self.s3.put_object(Bucket=self.name, Key=key, Body=body, **more).get("VersionId"))

    def get(self, key: str, version: str | None = None, **more: Any) -> bytes:
        which = {"VersionId": version} if version else {}
        return bytes(self.s3.get_object(Bucket=self.name, Key=key, **which, **more)["Body"].read())

    def delete(self, key: str, version: str | None = None) -> dict[str, Any]:
        which = {"VersionId": version} if version else {}
        return dict(self.s3.delete_object(Bucket=self.name, Key=key, **which))

    def suspend(self) -> None:
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Suspended"})

    def enable(self) -> None:
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def versions(self, size: int = 1000, **more: Any) -> list[tuple[str, str, bool, bool]]:
        """List key, version id, whether it is a marker, and whether it is the latest, as the raw pages have them."""
        found: list[tuple[str, str, bool, bool]] = []
        more |= {"Bucket": self.name, "MaxKeys": size}
        while True:
            page = self.s3.list_object_versions(**more)
            entries = [(v, False) for v in page.get("Versions", [])] + [
                (m, True) for m in page.get("DeleteMarkers", [])
            ]
            assert len(entries) <= size
            found += [(e["Key"], e["VersionId"], marker, e["IsLatest"]) for e, marker in entries]
            if not page["IsTruncated"]:
                return found
            more |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


@pytest.fixture
def bucket(fresh_aws: DemoAws) -> Bucket:
    s3 = fresh_aws.client("s3", SOURCE)
    s3.create_bucket(Bucket="exports")
    made = Bucket(fresh_aws, s3)
    made.enable()
    return made


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    """Call, expect an AWS error, and return its code and HTTP status."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def calls_of(world: World, role: str) -> Any:
    session = boto3.Session(**world.assume(role), region_name="us-east-1")
    return session.client("s3", endpoint_url=world.aws.url, config=Config(retries={"total_max_attempts": 1}))


# --- versions ---------------------------------------------------------------------------------------------------------


class Model:
    """What S3 does with one key's versions, in a few lines: oldest first, None for a delete marker."""

    def __init__(self) -> None:
        self.status = "Enabled"
        self.keys: dict[str, list[tuple[str, bytes | None]]] = {}

    def write(self, key: str, version: str, body: bytes | None) -> None:
        kept = self.keys.get(key, [])
        if self.status == "Suspended":
            kept = [(v, b) for v, b in kept if v != "null"]
        self.keys[key] = [*kept, (version, body)]

    def remove(self, key: str, version: str) -> None:
        left = [(v, b) for v, b in self.keys[key] if v != version]
        self.keys = {k: left if k == key else vs for k, vs in self.keys.items() if k != key or left}

    def listed(self) -> list[tuple[str, str, bool, bool]]:
        return [
            (key, version, body is None, n == 0)
            for key in sorted(self.keys, key=lambda k: k.encode())
            for n, (version, body) in enumerate(reversed(self.keys[key]))
        ]


@pytest.mark.parametrize("seed", range(3))
def test_a_history_at_random_is_that_of_the_model(bucket: Bucket, seed: int) -> None:
    chance, model = random.Random(seed), Model()
    keys = ["a", "a//b", "a/", "../x", "é +%", "z\U0001f600", "zￜ"]
    for n in range(90):
        key, what = chance.choice(keys), chance.random()
        if what < 0.5:
            body = f"{key} {n}".encode()
            model.write(key, bucket.put(key, body), body)
        elif what < 0.7:
            told = bucket.delete(key)
            assert told["DeleteMarker"] is True
            model.write(key, told["VersionId"], None)
        elif what < 0.9 and key in model.keys:
            version, body = chance.choice(model.keys[key])
            assert bucket.delete(key, version).get("DeleteMarker", False) is (body is None)
            model.remove(key, version)
        elif what >= 0.9:
            model.status = "Suspended" if model.status == "Enabled" else "Enabled"
            (bucket.enable if model.status == "Enabled" else bucket.suspend)()
    expected = model.listed()
    for size in (1000, 7, 1):
        assert sorted(bucket.versions(size)) == sorted(expected)
    assert [v for v in bucket.versions() if not v[2]] == [v for v in expected if not v[2]]
    for key, versions in model.keys.items():
        for version, body in versions:
            if body is None:
                assert refused(bucket.get, key=key, version=version) == ("MethodNotAllowed", 405)
            else:
                assert bucket.get(key, version) == body
        if versions[-1][1] is None:
            assert refused(bucket.get, key=key) == ("NoSuchKey", 404)
        else:
            assert bucket.get(key) == versions[-1][1]


def test_versions_and_markers_are_mixed_on_the_wire_as_they_were_written(bucket: Bucket) -> None:
    for write in (bucket.put, bucket.delete, bucket.put, bucket.delete, bucket.delete, bucket.put):
        write("key")
    pages: list[bytes] = []
    bucket.s3.meta.events.register(
        "before-parse.s3.ListObjectVersions", lambda response_dict, **_: pages.append(response_dict["body"])
    )
    bucket.versions()
    order = [word for word in pages[0].decode().replace(">", "<").split("<") if word in {"Version", "DeleteMarker"}]
    assert order == ["Version", "DeleteMarker", "DeleteMarker", "Version", "DeleteMarker", "Version"]


def test_pages_go_on_where_the_last_one_ended(bucket: Bucket) -> None:
    first = [bucket.put("dir/a") for _ in range(3)][::-1]
    bucket.put("dir/b")
    bucket.put("top")
    page = bucket.s3.list_object_versions(Bucket="exports", MaxKeys=2, Prefix="dir/")
    assert [v["VersionId"] for v in page["Versions"]] == first[:2]
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("dir/a", first[1])
    assert [v[0] for v in bucket.versions(KeyMarker="dir/a")] == ["dir/b", "top"]  # nothing more of the marker's key
    for version in first[:2]:  # what was listed is deleted before the next page is asked for
        bucket.delete("dir/a", version)
    rest = bucket.versions(Prefix="dir/", KeyMarker="dir/a", VersionIdMarker=first[1])
    assert rest[0][:2] == ("dir/a", first[2])
    assert [v[0] for v in rest] == ["dir/a", "dir/b"]
    folders = bucket.s3.list_object_versions(Bucket="exports", Delimiter="/", MaxKeys=1)
    assert [p["Prefix"] for p in folders["CommonPrefixes"]] == [folders["NextKeyMarker"]] == ["dir/"]
    after = bucket.s3.list_object_versions(Bucket="exports", Delimiter="/", KeyMarker="dir/")
    assert ([v["Key"] for v in after["Versions"]], "CommonPrefixes" in after) == (["top"], False)
    marker = {"Bucket": "exports", "VersionIdMarker": first[0]}
    assert refused(bucket.s3.list_object_versions, **marker) == ("InvalidArgument", 400)
    assert bucket.s3.list_object_versions(Bucket="exports", MaxKeys=0).get("Versions", []) == []


def test_a_delete_marker_says_so(bucket: Bucket) -> None:
    bucket.put("key")
    marker = bucket.delete("key")["VersionId"]
    for call in (bucket.s3.get_object, bucket.s3.head_object):
        with pytest.raises(ClientError) as error:
            call(Bucket="exports", Key="key", VersionId=marker)
        answer = error.value.response["ResponseMetadata"]
        assert answer["HTTPStatusCode"] == 405
        headers = answer["HTTPHeaders"]
        assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
        assert "last-modified" in headers
        with pytest.raises(ClientError) as error:
            call(Bucket="exports", Key="key")
        assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    copy = {"Bucket": "exports", "Key": "copy"}
    source = {"Bucket": "exports", "Key": "key"}
    assert refused(bucket.s3.copy_object, **copy, CopySource=source | {"VersionId": marker}) == ("InvalidRequest", 400)
    assert refused(bucket.s3.copy_object, **copy, CopySource=source) == ("NoSuchKey", 404)
    gone = source | {"VersionId": "00000000-0000-0000-0000-000000000000"}
    assert refused(bucket.s3.copy_object, **copy, CopySource=gone) == ("NoSuchVersion", 404)
    assert bucket.delete("never there")["DeleteMarker"] is True
    removed = bucket.s3.delete_objects(
        Bucket="exports", Delete={"Objects": [{"Key": "key", "VersionId": marker}, {"Key": "other"}]}
    )["Deleted"]
    assert [(d["DeleteMarker"], d["DeleteMarkerVersionId"] == marker) for d in removed] == [(True, True), (True, False)]
    assert bucket.get("key") == b"x"  # undeleted


def test_an_unversioned_bucket_keeps_one_and_deletes_for_good(fresh_aws: DemoAws) -> None:
    s3 = fresh_aws.client("s3", SOURCE)
    s3.create_bucket(Bucket="plain")
    plain = Bucket(fresh_aws, s3, "plain")
    assert plain.put("k", b"1") == "None"
    plain.put("k", b"2")
    plain.put("l")
    assert plain.versions() == [("k", "null", False, True), ("l", "null", False, True)]
    plain.delete("k")
    plain.delete("l", "null")
    assert plain.versions() == []
    plain.put("k", b"before versioning")
    plain.enable()
    plain.put("k", b"after")
    assert s3.head_object(Bucket="plain", Key="k", VersionId="null")["VersionId"] == "null"
    assert plain.get("k", "null") == b"before versioning"
    assert fresh_aws.history(SOURCE, "plain", [{"key": "k", "delete": True}]) != [""]


@pytest.mark.long
def test_fifty_thousand_versions_are_listed_fast(bucket: Bucket) -> None:
    ids = bucket.aws.history(
        SOURCE, "exports", ({"key": f"k{n // 5:05d}", "at": LONG_AGO + timedelta(minutes=n)} for n in range(50_000))
    )
    assert len(set(ids)) == 50_000
    began = time.monotonic()
    listed, more = 0, {"Bucket": "exports", "KeyMarker": "k07999"}
    while True:
        page = bucket.s3.list_object_versions(**more)
        listed += len(page["Versions"])
        if not page["IsTruncated"]:
            break
        more |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert listed == 10_000
    assert time.monotonic() - began < 20  # ten pages; moto's own would take 50 s


# --- time, rot, and what a history is made of -------------------------------------------------------------------------


def test_a_history_lies_in_the_past(bucket: Bucket) -> None:
    writes: list[dict[str, Any]] = [
        {"key": "a", "body": "one", "at": LONG_AGO},
        {"key": "a", "delete": True, "at": LONG_AGO + timedelta(days=1)},
        {"key": "a", "base64": base64.b64encode(b"\xff\x00").decode(), "at": LONG_AGO + timedelta(days=2)},
        {"key": "cold", "body": "ice", "at": LONG_AGO, "storage_class": "GLACIER"},
    ]
    ids = bucket.aws.history(SOURCE, "exports", writes)
    page = bucket.s3.list_object_versions(Bucket="exports")
    times = {v["VersionId"]: v["LastModified"] for v in page["Versions"] + page["DeleteMarkers"]}
    assert [times[i] for i in ids] == [w["at"] for w in writes]
    assert bucket.get("a", ids[2]) == b"\xff\x00"
    assert bucket.get("a", ids[0]) == b"one"
    bucket.aws.backdate(SOURCE, "exports", "a", ids[2], LONG_AGO + timedelta(days=3))
    assert bucket.s3.head_object(Bucket="exports", Key="a")["LastModified"] == LONG_AGO + timedelta(days=3)
    assert bucket.aws.objects(SOURCE, "exports", "a") == {"versions": 2, "markers": 1, "uploads": 0}
    # What is archived is read only after it was fetched.
    assert refused(bucket.get, key="cold") == ("InvalidObjectState", 403)
    copy = {"Bucket": "exports", "Key": "c", "CopySource": {"Bucket": "exports", "Key": "cold"}}
    assert refused(bucket.s3.copy_object, **copy) == ("ObjectNotInActiveTierError", 403)
    assert bucket.s3.head_object(Bucket="exports", Key="cold")["StorageClass"] == "GLACIER"
    bucket.s3.restore_object(Bucket="exports", Key="cold", RestoreRequest={"Days": 1})
    assert bucket.get("cold") == b"ice"
    listed = bucket.s3.list_object_versions(Bucket="exports", Prefix="cold", OptionalObjectAttributes=["RestoreStatus"])
    assert listed["Versions"][0]["RestoreStatus"]["IsRestoreInProgress"] is False
    bucket.s3.copy_object(**copy)


def test_rotten_bytes_do_not_show_until_they_are_read(bucket: Bucket) -> None:
    version = bucket.put("key", b"0123456789", ChecksumAlgorithm="SHA256")
    before = bucket.s3.head_object(Bucket="exports", Key="key", ChecksumMode="ENABLED")
    digest = bucket.aws.digest([SOURCE])
    bucket.aws.rot(SOURCE, "exports", "key", version, offset=3, length=2)
    after = bucket.s3.head_object(Bucket="exports", Key="key", ChecksumMode="ENABLED")
    same = ("ETag", "ChecksumSHA256", "ContentLength", "LastModified", "ChecksumType")
    assert [before[name] for name in same] == [after[name] for name in same]
    with pytest.raises(FlexibleChecksumError):  # boto3 compares by itself, unless it is told not to
        bucket.get("key")
    config = Config(response_checksum_validation="when_required")
    session = boto3.Session(**bucket.aws.credentials(SOURCE), region_name="us-east-1")
    careless = session.client("s3", endpoint_url=bucket.aws.url, config=config)
    content = careless.get_object(Bucket="exports", Key="key")["Body"].read()
    assert (content[:3], content[5:]) == (b"012", b"56789")
    assert content[3:5] == bytes(c ^ 0xFF for c in b"34")
    copied = bucket.s3.copy_object(Bucket="exports", Key="copy", CopySource={"Bucket": "exports", "Key": "key"})
    assert copied["CopyObjectResult"]["ETag"] != before["ETag"]  # S3 reads what it copies
    assert bucket.aws.digest([SOURCE]) != digest
    for wrong, words in (
        ({"offset": 10}, "not within 10 bytes"),
        ({"version": "none"}, "has no version none"),
        ({"bucket": "none"}, "has no bucket none"),
    ):
        with pytest.raises(DemoAwsError, match=words):
            bucket.aws.rot(**({"account": SOURCE, "bucket": "exports", "key": "key", "version": version} | wrong))
    with pytest.raises(DemoAwsError, match="no bytes to change"):
        bucket.aws.rot(SOURCE, "exports", "key", bucket.delete("key")["VersionId"])
    with pytest.raises(DemoAwsError, match="at is missing"):
        bucket.aws._control(
            "POST", "backdate", {"account": SOURCE, "bucket": "exports", "key": "key", "version": version}
        )


def test_a_digest_sees_what_is_in_buckets(bucket: Bucket) -> None:
    def seen() -> dict[str, Any]:
        return dict(bucket.aws.digest([SOURCE])[SOURCE]["us-east-1"]["objects"]["exports"])

    assert {k: seen()[k] for k in ("versions", "markers", "uploads")} == {"versions": 0, "markers": 0, "uploads": 0}
    empty = seen()
    version = bucket.put("a")
    assert seen()["versions"] == 1
    bucket.delete("a", version)
    upload = bucket.s3.create_multipart_upload(Bucket="exports", Key="u")["UploadId"]
    assert seen()["uploads"] == 1
    bucket.s3.abort_multipart_upload(Bucket="exports", Key="u", UploadId=upload)
    assert seen() == empty


# --- multipart and checksums ------------------------------------------------------------------------------------------


def upload(bucket: Bucket, key: str, parts: list[bytes], **more: Any) -> Callable[[], dict[str, Any]]:
    """Begin a multipart upload, and return what ends it."""
    which = {"Bucket": "exports", "Key": key}
    which["UploadId"] = bucket.s3.create_multipart_upload(**which, **more)["UploadId"]
    sent = [
        {"PartNumber": n, "ETag": bucket.s3.upload_part(**which, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    return lambda: dict(bucket.s3.complete_multipart_upload(**which, MultipartUpload={"Parts": sent}))


def test_an_upload_has_the_time_at_which_it_was_begun(bucket: Bucket) -> None:
    old = bucket.put("key", b"old")
    bucket.aws.backdate(SOURCE, "exports", "key", old, LONG_AGO)
    first = upload(bucket, "key", [b"first"])
    (listed,) = bucket.s3.list_multipart_uploads(Bucket="exports", Prefix="k")["Uploads"]
    assert datetime.now(UTC) - listed["Initiated"] < timedelta(minutes=5)
    put = bucket.put("key", b"put while it ran")
    late = first()["VersionId"]
    assert bucket.get("key") == b"put while it ran"  # begun before: it is hidden by what was put after that
    assert [v[1] for v in bucket.versions()] == [put, late, old]
    assert bucket.get("key", late) == b"first"
    head = bucket.s3.head_object(Bucket="exports", Key="key", VersionId=late, PartNumber=1)
    assert head["PartsCount"] == 1
    assert "Uploads" not in bucket.s3.list_multipart_uploads(Bucket="exports")
    again = {"Bucket": "exports", "Key": "key", "UploadId": "gone"}
    assert refused(bucket.s3.upload_part, **again, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)
    assert refused(bucket.s3.abort_multipart_upload, **again) == ("NoSuchUpload", 404)
    parts = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
    assert refused(bucket.s3.complete_multipart_upload, **again, MultipartUpload=parts) == ("NoSuchUpload", 404)


def test_uploads_come_in_pages(bucket: Bucket) -> None:
    for key in ("b", "a", "a", "dir/c", "other"):
        bucket.s3.create_multipart_upload(Bucket="exports", Key=key)
    found: list[str] = []
    more: dict[str, Any] = {"Bucket": "exports", "MaxUploads": 1}
    while True:
        page = bucket.s3.list_multipart_uploads(**more)
        found += [u["Key"] for u in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        more |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert found == ["a", "a", "b", "dir/c", "other"]
    assert [u["Key"] for u in bucket.s3.list_multipart_uploads(Bucket="exports", Prefix="dir/")["Uploads"]] == ["dir/c"]
    folders = bucket.s3.list_multipart_uploads(Bucket="exports", Delimiter="/")
    assert [p["Prefix"] for p in folders["CommonPrefixes"]] == ["dir/"]


def test_parts_are_copied_by_version_and_range(bucket: Bucket) -> None:
    body = random.Random(1).randbytes(6 * MIB)
    version = bucket.put("big", body)
    bucket.put("big", b"a small successor")
    which = {"Bucket": "exports", "Key": "copy"}
    which["UploadId"] = bucket.s3.create_multipart_upload(**which, ChecksumAlgorithm="CRC64NVME")["UploadId"]
    source = {"Bucket": "exports", "Key": "big", "VersionId": version}
    parts = []
    for n, (first, last) in enumerate([(0, 5 * MIB - 1), (5 * MIB, 6 * MIB - 1)], 1):
        told = bucket.s3.upload_part_copy(
            **which, PartNumber=n, CopySource=source, CopySourceRange=f"bytes={first}-{last}"
        )
        parts.append({"PartNumber": n, "ETag": told["CopyPartResult"]["ETag"]})
    beyond = {"CopySource": source, "CopySourceRange": f"bytes=0-{6 * MIB}", "PartNumber": 3}
    assert refused(bucket.s3.upload_part_copy, **which, **beyond) == ("InvalidArgument", 400)
    gone = {"CopySource": {"Bucket": "exports", "Key": "nothing"}, "PartNumber": 3}
    assert refused(bucket.s3.upload_part_copy, **which, **gone) == ("NoSuchKey", 404)
    bucket.s3.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})
    assert bucket.get("copy") == body
    copy, whole = (
        bucket.s3.head_object(Bucket="exports", ChecksumMode="ENABLED", **what)
        for what in ({"Key": "copy"}, {"Key": "big", "VersionId": version})
    )
    assert copy["ETag"].endswith('-2"')
    assert (copy["ChecksumType"], copy["LastModified"] >= whole["LastModified"]) == ("FULL_OBJECT", True)
    assert (
        copy["ChecksumCRC64NVME"]
        == bucket.s3.copy_object(Bucket="exports", Key="once more", CopySource={"Bucket": "exports", "Key": "copy"})[
            "CopyObjectResult"
        ]["ChecksumCRC64NVME"]
    )


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_kept_copied_and_checked(bucket: Bucket, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    told = bucket.s3.put_object(Bucket="exports", Key="k", Body=b"content", ChecksumAlgorithm=algorithm)
    head = bucket.s3.head_object(Bucket="exports", Key="k", ChecksumMode="ENABLED")
    assert head[name] == told[name]
    assert head["ChecksumType"] == "FULL_OBJECT"
    listed = bucket.s3.list_object_versions(Bucket="exports")["Versions"][0]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")
    attributes = bucket.s3.get_object_attributes(
        Bucket="exports", Key="k", ObjectAttributes=["Checksum", "ObjectSize", "ETag"]
    )
    assert (attributes["Checksum"][name], attributes["ObjectSize"]) == (told[name], 7)
    bucket.s3.copy_object(Bucket="exports", Key="c", CopySource={"Bucket": "exports", "Key": "k"})
    assert bucket.s3.head_object(Bucket="exports", Key="c", ChecksumMode="ENABLED")[name] == told[name]
    assert bucket.s3.get_object(Bucket="exports", Key="c", ChecksumMode="ENABLED")["Body"].read() == b"content"
    wrong = {"Bucket": "exports", "Key": "k", "Body": b"other content", name: told[name]}
    assert refused(bucket.s3.put_object, **wrong) == ("BadDigest", 400)
    upload(bucket, "m", [b"a" * 5 * MIB, b"b"], ChecksumAlgorithm=algorithm)()
    parts = bucket.s3.head_object(Bucket="exports", Key="m", ChecksumMode="ENABLED")
    composite = algorithm != "CRC64NVME"
    assert parts["ChecksumType"] == ("COMPOSITE" if composite else "FULL_OBJECT")
    assert parts[name].endswith("-2") is composite


def test_what_is_put_without_a_checksum_gets_one(bucket: Bucket) -> None:
    config = Config(request_checksum_calculation="when_required")
    session = boto3.Session(**bucket.aws.credentials(SOURCE), region_name="us-east-1")
    bare = session.client("s3", endpoint_url=bucket.aws.url, config=config)
    md5 = base64.b64encode(hashlib.md5(b"content", usedforsecurity=False).digest()).decode()
    bare.put_object(Bucket="exports", Key="k", Body=b"content", ContentMD5=md5)
    assert "ChecksumCRC64NVME" in bare.head_object(Bucket="exports", Key="k", ChecksumMode="ENABLED")
    wrong = {"Bucket": "exports", "Key": "k", "Body": b"other", "ContentMD5": md5}
    assert refused(bare.put_object, **wrong) == ("BadDigest", 400)


def test_conditions_are_honoured(bucket: Bucket) -> None:
    bucket.put("k", b"1")
    etag = bucket.s3.head_object(Bucket="exports", Key="k")["ETag"]
    copy = {"Bucket": "exports", "Key": "c", "CopySource": {"Bucket": "exports", "Key": "k"}}
    bucket.s3.copy_object(**copy, CopySourceIfMatch=etag, IfNoneMatch="*")
    assert refused(bucket.s3.copy_object, **copy, IfNoneMatch="*") == ("PreconditionFailed", 412)
    other = {"CopySourceIfMatch": '"0123"'}
    assert refused(bucket.s3.copy_object, **copy, **other) == ("PreconditionFailed", 412)
    which = {"Bucket": "exports", "Key": "k"}
    assert refused(bucket.s3.head_object, **which, IfMatch='"0123"')[1] == 412
    assert refused(bucket.s3.head_object, **which, IfNoneMatch=etag)[1] == 304
    assert refused(bucket.s3.head_object, Bucket="exports", Key="nothing")[1] == 404
    assert refused(bucket.s3.head_object, **which, VersionId="no-such-version")[1] == 404
    assert bucket.s3.get_object(**which, Range="bytes=0-0")["ContentLength"] == 1


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_customers_own_key_is_asked_for(bucket: Bucket) -> None:
    key, other = b"k" * 32, b"o" * 32
    mine = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    bucket.put("secret", b"content", **mine)
    which = {"Bucket": "exports", "Key": "secret"}
    assert refused(bucket.s3.get_object, **which) == ("InvalidRequest", 400)
    assert refused(bucket.s3.head_object, **which)[1] == 400
    assert refused(bucket.s3.get_object, **which, **(mine | {"SSECustomerKey": other})) == ("AccessDenied", 403)
    assert bucket.get("secret", **mine) == b"content"
    assert bucket.s3.head_object(**which, **mine)["SSECustomerAlgorithm"] == "AES256"
    bucket.put("plain")
    assert refused(bucket.get, key="plain", **mine) == ("InvalidRequest", 400)
    copy = {"Bucket": "exports", "Key": "copy", "CopySource": which}
    assert refused(bucket.s3.copy_object, **copy) == ("InvalidRequest", 400)
    bucket.s3.copy_object(**copy, CopySourceSSECustomerAlgorithm="AES256", CopySourceSSECustomerKey=key)
    assert bucket.get("copy") == b"content"
    which["UploadId"] = bucket.s3.create_multipart_upload(Bucket="exports", Key="secret", **mine)["UploadId"]
    etag = bucket.s3.upload_part(**which, PartNumber=1, Body=b"parts", **mine)["ETag"]
    bucket.s3.complete_multipart_upload(**which, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert refused(bucket.get, key="secret") == ("InvalidRequest", 400)
    assert bucket.get("secret", **mine) == b"parts"


def test_a_kms_key_that_cannot_be_used_makes_objects_unreadable(world: World) -> None:
    kms, s3 = world.aws.client("kms", SOURCE), world.aws.client("s3", SOURCE)
    s3.create_bucket(Bucket="exports")
    bucket = Bucket(world.aws, s3)
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.source_key.split("/")[-1]}
    bucket.put("k", b"content", **sealed)
    assert s3.head_object(Bucket="exports", Key="k")["SSEKMSKeyId"] == world.source_key
    assert bucket.get("k") == b"content"
    kms.disable_key(KeyId=world.source_key)
    assert refused(bucket.get, key="k") == ("KMS.DisabledException", 400)
    assert refused(bucket.put, key="l", **sealed) == ("KMS.DisabledException", 400)
    copy = {"Bucket": "exports", "Key": "c", "CopySource": {"Bucket": "exports", "Key": "k"}}
    assert refused(s3.copy_object, **copy) == ("KMS.DisabledException", 400)
    assert s3.head_object(Bucket="exports", Key="k")["ContentLength"] == 7  # nothing is deciphered for that
    assert refused(s3.head_object, Bucket="exports", Key="k", ChecksumMode="ENABLED")[1] == 400
    kms.schedule_key_deletion(KeyId=world.source_key, PendingWindowInDays=7)
    assert refused(bucket.get, key="k") == ("KMS.KMSInvalidStateException", 400)
    unknown = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "00000000-0000-0000-0000-000000000000"}
    assert refused(bucket.put, key="l", **unknown) == ("KMS.NotFoundException", 400)
    assert s3.head_object(Bucket="exports", Key=bucket.put("m") and "m")["ServerSideEncryption"] == "AES256"
    bucket.put("of-aws", ServerSideEncryption="aws:kms")
    assert bucket.get("of-aws") == b"x"
    allow_all(s3, [f"arn:aws:iam::{SCRATCH}:root"])
    foreign = calls_of(world, world.scratch_role)
    assert refused(foreign.get_object, Bucket="exports", Key="of-aws") == ("AccessDenied", 403)


# --- who may ----------------------------------------------------------------------------------------------------------


def allow_all(s3: Any, principals: list[str], **more: Any) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::exports", "arn:aws:s3:::exports/*"],
    }
    s3.put_bucket_policy(Bucket="exports", Policy=json.dumps({"Statement": [statement | more]}))


def test_another_account_may_what_the_policy_allows(world: World) -> None:
    s3 = world.aws.client("s3", SOURCE)
    s3.create_bucket(Bucket="exports")
    bucket = Bucket(world.aws, s3)
    bucket.enable()
    version = bucket.put("in/a", b"content")
    world.aws.client("s3", SCRATCH).create_bucket(Bucket="scratch")
    scratch, own = calls_of(world, world.scratch_role), calls_of(world, world.source_role)
    assert own.get_object(Bucket="exports", Key="in/a")["Body"].read() == b"content"
    one = {"Bucket": "exports", "Key": "in/a"}
    copy = {"Bucket": "scratch", "Key": "run/a", "CopySource": one | {"VersionId": version}}
    reads: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (scratch.get_object, one),
        (scratch.get_object, one | {"VersionId": version}),
        (scratch.get_object_attributes, one | {"ObjectAttributes": ["Checksum"]}),
        (scratch.get_object_tagging, one),
        (scratch.list_object_versions, {"Bucket": "exports"}),
        (scratch.list_objects_v2, {"Bucket": "exports"}),
        (scratch.list_multipart_uploads, {"Bucket": "exports"}),
        (scratch.get_bucket_versioning, {"Bucket": "exports"}),
        (scratch.copy_object, copy),
    ]
    writes: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (scratch.put_object, one | {"Body": b"mine"}),
        (scratch.create_multipart_upload, one),
        (scratch.delete_object, one | {"VersionId": version}),
        (scratch.delete_objects, {"Bucket": "exports", "Delete": {"Objects": [{"Key": "in/a"}]}}),
        (scratch.put_bucket_versioning, {"Bucket": "exports", "VersioningConfiguration": {"Status": "Suspended"}}),
    ]
    for call, arguments in reads + writes:
        assert refused(call, **arguments) == ("AccessDenied", 403)
    assert refused(scratch.head_object, **one)[1] == refused(scratch.head_bucket, Bucket="exports")[1] == 403
    allow_all(s3, [world.scratch_role], Action=["s3:Get*", "s3:List*"])
    for call, arguments in reads:
        call(**arguments)
    for call, arguments in writes:
        assert refused(call, **arguments) == ("AccessDenied", 403)
    assert scratch.get_object(Bucket="scratch", Key="run/a")["Body"].read() == b"content"
    assert bucket.versions() == [("in/a", version, False, True)]
    # Without the right to list, it is not told that a key is missing.
    nothing = {"Bucket": "exports", "Key": "in/nothing"}
    assert refused(scratch.get_object, **nothing) == ("NoSuchKey", 404)
    allow_all(s3, [world.scratch_role], Action="s3:GetObject", Resource="arn:aws:s3:::exports/in/*")
    assert refused(scratch.get_object, **nothing) == ("AccessDenied", 403)
    assert refused(scratch.get_object, **(one | {"VersionId": version})) == ("AccessDenied", 403)  # GetObjectVersion
    scratch.get_object(**one)
    # What it puts there belongs to the bucket's owner.
    allow_all(s3, [f"arn:aws:iam::{SCRATCH}:root"], Action="s3:PutObject")
    scratch.put_object(Bucket="exports", Key="given", Body=b"given")
    assert bucket.get("given") == b"given"
    # A Deny is for whom it names, its own account included.
    allow_all(s3, [world.source_role], Effect="Deny")
    assert refused(own.get_object, **one) == ("AccessDenied", 403)
    assert bucket.get("in/a") == b"content"


def test_the_expected_owner_is_checked(world: World) -> None:
    s3 = world.aws.client("s3", SOURCE)
    s3.create_bucket(Bucket="exports")
    s3.put_object(Bucket="exports", Key="k", Body=b"x", ExpectedBucketOwner=SOURCE)
    one = {"Bucket": "exports", "Key": "k"}
    for call, arguments in (
        (s3.get_object, one),
        (s3.list_object_versions, {"Bucket": "exports"}),
        (s3.delete_object, one),
        (s3.put_object, one | {"Body": b"y"}),
    ):
        assert refused(call, **arguments, ExpectedBucketOwner=SCRATCH) == ("AccessDenied", 403)
    assert refused(s3.head_object, **one, ExpectedBucketOwner=SCRATCH)[1] == 403
    copy = {"Bucket": "exports", "Key": "c", "CopySource": one, "ExpectedBucketOwner": SOURCE}
    s3.copy_object(**copy, ExpectedSourceBucketOwner=SOURCE)
    assert refused(s3.copy_object, **copy, ExpectedSourceBucketOwner=SCRATCH) == ("AccessDenied", 403)
    assert refused(s3.get_object, Bucket="no-such-bucket", Key="k", ExpectedBucketOwner=SCRATCH) == (
        "NoSuchBucket",
        404,
    )
    assert refused(world.aws.client("s3", SCRATCH).create_bucket, Bucket="exports")[0] == "BucketAlreadyExists"


ROLE = "arn:aws:iam::222222222222:role/reader"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "allow"),
        ({"Principal": "*"}, "allow"),
        ({"Principal": {"AWS": "222222222222"}}, "allow"),
        ({"Principal": {"AWS": "arn:aws:iam::333333333333:root"}}, None),
        ({"Action": "s3:Get*"}, "allow"),
        ({"Action": ["s3:PutObject"]}, None),
        ({"Resource": "arn:aws:s3:::exports"}, None),
        ({"Resource": "arn:aws:s3:::exports/i?/*"}, "allow"),
        ({"Condition": {"StringLike": {"s3:prefix": "in/*"}}}, None),  # not understood: no
        ({"Condition": {"StringEquals": {"aws:PrincipalAccount": "222222222222"}}}, "allow"),
        ({"Effect": "Deny"}, "deny"),
        ({"Effect": "Deny", "Condition": {"Bool": {"x:y": "false"}}}, "deny"),
        ({"Effect": "Deny", "Resource": "arn:aws:s3:::other/*"}, None),
        ({"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}}, "deny"),  # not evaluated: denied
    ],
)
def test_bucket_policies(changes: dict[str, Any], expected: str | None) -> None:
    base = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::exports/*",
    }
    caller = trust.Caller("222222222222", ROLE)
    document = json.dumps({"Statement": [base | changes]})
    assert trust.decide(document, caller, "s3:GetObject", "arn:aws:s3:::exports/in/a") == expected


# --- operations -------------------------------------------------------------------------------------------------------


def requests() -> Iterator[tuple[str, str, str, bool, str]]:
    """Yield method, path, query, whether it copies, and the operation."""
    yield "GET", "/", "", False, "ListBuckets"
    yield "PUT", "/b", "", False, "CreateBucket"
    yield "DELETE", "/b", "", False, "DeleteBucket"
    yield "HEAD", "/b", "", False, "HeadBucket"
    yield "GET", "/b", "", False, "ListObjects"
    yield "GET", "/b", "list-type=2&prefix=x", False, "ListObjectsV2"
    yield "GET", "/b", "versions&prefix=x", False, "ListObjectVersions"
    yield "GET", "/b", "uploads", False, "ListMultipartUploads"
    yield "PUT", "/b", "policy", False, "PutBucketPolicy"
    yield "POST", "/b", "delete", False, "DeleteObjects"
    yield "GET", "/b/k/l", "versionId=1", False, "GetObject"
    yield "HEAD", "/b/k", "", False, "HeadObject"
    yield "GET", "/b/k", "attributes", False, "GetObjectAttributes"
    yield "GET", "/b/k", "uploadId=1", False, "ListParts"
    yield "PUT", "/b/k", "", False, "PutObject"
    yield "PUT", "/b/k", "", True, "CopyObject"
    yield "PUT", "/b/k", "uploadId=1&partNumber=1", False, "UploadPart"
    yield "PUT", "/b/k", "uploadId=1&partNumber=1", True, "UploadPartCopy"
    yield "POST", "/b/k", "uploads", False, "CreateMultipartUpload"
    yield "POST", "/b/k", "uploadId=1", False, "CompleteMultipartUpload"
    yield "POST", "/b/k", "restore", False, "RestoreObject"
    yield "DELETE", "/b/k", "uploadId=1", False, "AbortMultipartUpload"
    yield "DELETE", "/b/k", "", False, "DeleteObject"
    yield "PUT", "/b/k", "tagging", False, "PutObjectTagging"


@pytest.mark.parametrize(("method", "path", "query", "copies", "operation"), list(requests()))
def test_operations_are_told_apart(method: str, path: str, query: str, copies: bool, operation: str) -> None:
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    if copies:
        environ["HTTP_X_AMZ_COPY_SOURCE"] = "/from/a%2Bb%3F?versionId=v1"
    request = s3_requests.read(environ)
    assert request.operation == operation
    if copies:
        assert request.source == s3_requests.Place("from", "a+b?", "v1")
        assert [need.action for need in request.needs()] == ["s3:PutObject", "s3:GetObjectVersion"]


def test_calls_are_logged_and_fail_by_their_names(bucket: Bucket) -> None:
    bucket.aws.clear_calls()
    bucket.aws.fault("CopyObject", service="s3", name="exports/copy", code="SlowDown")
    bucket.put("k")
    session = boto3.Session(**bucket.aws.credentials(SOURCE), region_name="us-east-1")
    once = session.client("s3", endpoint_url=bucket.aws.url, config=Config(retries={"total_max_attempts": 1}))
    copy = {"Bucket": "exports", "CopySource": {"Bucket": "exports", "Key": "k"}}
    once.copy_object(Key="other", **copy)
    assert refused(once.copy_object, Key="copy", **copy) == ("SlowDown", 503)
    bucket.aws.fault("HeadObject", code="InternalError")
    assert refused(once.head_object, Bucket="exports", Key="k")[1] == 500
    once.head_object(Bucket="exports", Key="k")  # the connection is still good
    calls = bucket.aws.calls()
    assert [c["operation"] for c in calls] == ["PutObject", "CopyObject", "CopyObject", "HeadObject", "HeadObject"]
    assert calls[2]["parameters"] == {"Bucket": "exports", "Key": "copy", "CopySource": "exports/k"}
    assert [c["error"] for c in calls] == [None, None, "SlowDown", "InternalError", None]


def test_a_bucket_may_be_called_as_the_control_endpoint(bucket: Bucket) -> None:
    bucket.s3.create_bucket(Bucket="demo")
    bucket.s3.put_object(Bucket="demo", Key="state", Body=b"mine")
    assert bucket.s3.get_object(Bucket="demo", Key="state")["Body"].read() == b"mine"
    with urllib.request.urlopen(f"{bucket.aws.url}/demo/state") as answer:
        assert "postgres" in json.load(answer)
