"""Objects in bulk: what is sent, what comes back, what is tried again, and what never happens."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from awscrt import auth, http
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from fence_cases import NAME, OTHER, REGION, RUN_PERMIT, SCRATCH, SOURCE, SWEEP_PERMIT
from hypothesis import given, settings
from hypothesis import strategies as st
from object_server import LISTING, Answered, Asked, ObjectServer, error, serving

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.fence import Mode, Permit, Role
from restorecheck.fence.courier import Courier
from restorecheck.fence.errands import TRIES, Pause, Send, Sizes, _read_through
from restorecheck.fence.object_requests import (
    Reply,
    address_of,
    archive_of,
    checksums_of,
    checksums_of_copy,
    error_of,
    modified_of,
    request_of,
)
from restorecheck.fence.passage import Passage
from restorecheck.fence.reading import Digests, Reading
from restorecheck.fence.rounds import Rounds
from restorecheck.fence.wire import Flight
from restorecheck.sources.versions.interface import Checksums, Copy, Head, Objects, Place, Read, Seen

LOADER = botocore.session.Session().get_component("data_loader")
PERMIT = replace(RUN_PERMIT, bucket="scratch", source_bucket="src")
ZOO = [
    "a//b",
    "../x",
    "dir/",
    "x",
    "x/y",
    "/first",
    "ü +%&?=#",
    "n\nl",
    "~.-_",
    "\U0001d535",
    "a" * 900,
    "%2F",
    "..",
    ".",
]


@pytest.fixture(scope="module")
def served() -> Iterator[ObjectServer]:
    with serving() as server:
        yield server


@pytest.fixture
def s3(served: ObjectServer) -> ObjectServer:
    for kept in (served.asked, served.kept, served.acts, served.uploads, served.aborted):
        kept.clear()
    served.most_open = served.written = 0
    return served


def passage_of(url: str | None, role: Role = Role.SCRATCH, mode: Mode = Mode.ACT, account: str = "") -> Passage:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret", "token")
    account = account or {Role.SOURCE: SOURCE, Role.SCRATCH: SCRATCH}[role]
    return Passage(session, role, account, REGION, endpoint_url=url, mode=mode)


def courier(s3: ObjectServer, permit: Permit | None = PERMIT, passage: Passage | None = None, **more: Any) -> Courier:
    return Courier(passage or passage_of(s3.url), permit, **{"hurry": 0.001, **more})


def there(key: str, version: str = "v1") -> Place:
    return Place("src", key, SOURCE, version)


def here(key: str) -> Place:
    return Place("scratch", f"{NAME}/k/{key}", SCRATCH)


def copy_of(key: str, body: bytes, etag: str = "") -> Copy:
    etag = etag or hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Copy(there(key), here(key), len(body), etag)


def one(results: Iterator[Seen]) -> Seen:
    (found,) = results
    return found


def failed(found: Seen) -> tuple[str, str]:
    assert found.error is not None
    return found.error.kind, str(found.error)


# --- what is sent --------------------------------------------------------------------------------------------------


def test_a_courier_is_what_sources_are_promised(s3: ObjectServer):
    promised: Objects = courier(s3)
    assert promised.head


@pytest.mark.parametrize("key", ZOO)
def test_every_key_arrives_as_it_is(s3: ObjectServer, key: str):
    body = key.encode()
    s3.keep(f"src/{key}", body, content_type="text/odd", x_amz_meta_made="by hand")
    fetched = one(courier(s3).read([Read(there(key))], 1))
    assert (fetched.error, fetched.digests) == (None, {"sha256": hashlib.sha256(body).hexdigest()})
    for moved in (courier(s3).copy, lambda jobs, n: courier(s3).relay(courier(s3), jobs, n)):
        s3.kept.pop(f"scratch/{NAME}/k/{key}", None)
        assert one(moved([copy_of(key, body)], 1)).error is None
        assert s3.kept[f"scratch/{NAME}/k/{key}"].body == body
    assert s3.kept[f"scratch/{NAME}/k/{key}"].headers["x-amz-meta-made"] == "by hand"
    assert s3.kept[f"scratch/{NAME}/k/{key}"].headers["content-type"] == "text/odd"


KEYS = (
    st.text(min_size=1, max_size=40)
    .filter(lambda text: text.isprintable() or "\n" in text)
    .filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))
)
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("GetObject", {"VersionId": "v~1+/=", "ChecksumMode": "ENABLED", "ExpectedBucketOwner": SOURCE}),
    ("GetObject", {"Range": "bytes=3-", "IfMatch": '"abc"'}),
    ("HeadObject", {"VersionId": "null", "ChecksumMode": "ENABLED", "ExpectedBucketOwner": SOURCE}),
    (
        "CopyObject",
        {
            "CopySource": {"Bucket": "src", "Key": "KEY", "VersionId": "v.1~_-"},
            "CopySourceIfMatch": '"abc-2"',
            "ExpectedSourceBucketOwner": SOURCE,
            "ExpectedBucketOwner": SCRATCH,
            "MetadataDirective": "COPY",
            "TaggingDirective": "REPLACE",
            "AnnotationDirective": "EXCLUDE",
        },
    ),
    (
        "PutObject",
        {
            "ExpectedBucketOwner": SCRATCH,
            "ContentType": "a/b",
            "ContentEncoding": "gzip",
            "ContentDisposition": "inline",
            "ContentLanguage": "de",
            "CacheControl": "no-cache",
            "ChecksumSHA256": "AAAA",
            "Metadata": {"a": "b c"},
            "Body": b"x",
        },
    ),
]


def as_botocore_writes_it(
    operation: str, params: dict[str, Any], endpoint: str | None = "http://127.0.0.1:9"
) -> tuple[str, str, dict[str, str]]:
    """What botocore would send, caught before it is signed."""
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    client = session.create_client("s3", region_name=REGION, endpoint_url=endpoint)
    caught: list[Any] = []

    class Caught(Exception):  # noqa: N818 - it is no error
        pass

    def catch(request: Any, **_: object) -> None:
        caught.append(request)
        raise Caught

    client.meta.events.register("before-sign.s3", lambda request, **_: catch(request))
    with pytest.raises(Caught):
        client._make_api_call(operation, dict(params))
    request = caught[0]
    return (
        request.method,
        request.url.removeprefix("http://127.0.0.1:9"),
        {k.lower(): v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()},
    )


@settings(max_examples=40, deadline=None)
@given(KEYS, st.sampled_from(CALLS))
def test_what_is_built_here_is_what_botocore_builds(key: str, case: tuple[str, dict[str, Any]]):
    operation, params = case
    params = {"Bucket": "bucket", "Key": key, **params}
    if "CopySource" in params:
        params["CopySource"] = {**params["CopySource"], "Key": key}
    method, target, headers = as_botocore_writes_it(operation, params)
    written = request_of(operation, params, "/bucket")
    assert (written.method, written.target) == (method, target)
    ours = {name.lower(): value for name, value in written.headers}
    assert ours.items() <= headers.items()
    added = set(headers) - set(ours)
    assert {name for name in added if name.startswith("x-amz-") and "checksum" not in name} <= {
        "x-amz-sdk-checksum-algorithm",
        "x-amz-trailer",
        "x-amz-decoded-content-length",
    }


@pytest.mark.parametrize("key", ZOO)
@pytest.mark.parametrize("prefix", ["", "/bucket"])
def test_a_signature_is_the_one_that_botocore_makes(key: str, prefix: str):
    """The runtime must sign a path as it is, also one that begins with two slashes or holds dots."""
    when = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    target = request_of("GetObject", {"Bucket": "bucket", "Key": key, "VersionId": "v+1"}, prefix).target
    signed = auth.aws_sign_request(
        http.HttpRequest("GET", target, http.HttpHeaders([("Host", "h")])),
        auth.AwsSigningConfig(
            credentials_provider=auth.AwsCredentialsProvider.new_static("AKIATEST", "secret"),
            region=REGION,
            service="s3",
            date=when,
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_value=auth.AwsSignedBodyValue.EMPTY_SHA256,
            signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        ),
    ).result()
    ours = dict(signed.headers)["Authorization"].rpartition("Signature=")[2]
    request = AWSRequest("GET", f"http://h{target}", headers={"Host": "h"})
    signer = S3SigV4Auth(Credentials("AKIATEST", "secret"), "s3", REGION)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(b"").hexdigest()
    canonical = signer.canonical_request(request)
    assert signer.signature(signer.string_to_sign(request, canonical), request) == ours
    assert signed.path == target


@pytest.mark.parametrize(
    ("endpoint", "bucket", "named", "prefix"),
    [
        ("https://s3.eu-central-1.amazonaws.com", "plain", "plain.s3.eu-central-1.amazonaws.com", ""),
        ("https://s3.eu-central-1.amazonaws.com", "with.dots", "s3.eu-central-1.amazonaws.com", "/with.dots"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "plain", "plain.s3.cn-north-1.amazonaws.com.cn", ""),
        ("http://127.0.0.1:9000", "plain", "127.0.0.1:9000", "/plain"),
        ("https://s3.example.org", "plain", "s3.example.org", "/plain"),
    ],
)
def test_a_bucket_is_found_where_it_answers(endpoint: str, bucket: str, named: str, prefix: str):
    found = address_of(endpoint, bucket)
    assert (found.named, found.prefix, found.secure) == (named, prefix, endpoint.startswith("https"))
    assert found.port == (9000 if ":9000" in endpoint else 443)


@pytest.mark.parametrize("bucket", ["plain", "with.dots"])
def test_on_aws_it_is_where_botocore_would_send(bucket: str):
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    client = session.create_client("s3", region_name=REGION)
    _, url, _ = as_botocore_writes_it("GetObject", {"Bucket": bucket, "Key": "k"}, None)
    found = address_of(client.meta.endpoint_url, bucket)
    assert url == f"https://{found.named}{found.prefix}/k"


@pytest.mark.parametrize("bucket", ["evil.org/", "UPPER", "a", "b@c", "", "x y", "bucket\r\nHost"])
def test_what_is_no_bucket_is_sent_nowhere(s3: ObjectServer, bucket: str):
    found = one(courier(s3).read([Read(Place(bucket, "k", SOURCE))], 1))
    assert failed(found)[0] == "settings"
    assert s3.asked == []


@pytest.mark.parametrize("value", ["a\r\nx-amz-acl: public-read", "a\nb", "\x00", "ü"])
def test_a_header_carries_nothing_but_its_value(value: str):
    params = {"Bucket": "b", "Key": "k", "Metadata": {"m": value}, "Body": b""}
    with pytest.raises(SourceError, match="a header cannot carry"):
        request_of("PutObject", params, "")


def test_a_parameter_that_nobody_knows_is_not_left_out():
    with pytest.raises(SourceError, match="cannot be sent with ACL"):
        request_of("PutObject", {"Bucket": "b", "Key": "k", "ACL": "public-read"}, "")


# --- the fence -----------------------------------------------------------------------------------------------------


def outside(**changes: str) -> Copy:
    good = copy_of("x", b"x")
    return replace(good, to=replace(good.to, **changes))


REFUSED: list[tuple[Copy, str]] = [
    (outside(key="elsewhere/x"), "is not below the prefix of this run"),
    (outside(key=f"{NAME}"), "is not below the prefix of this run"),
    (outside(key=f"{NAME}x/k"), "is not below the prefix of this run"),
    (outside(bucket="src"), "not the scratch bucket of this permit"),
    (outside(owner=SOURCE), "must belong to the scratch account"),
    (outside(key=""), "does not name what it changes"),
    (replace(copy_of("x", b"x"), source=Place("third", "x", SOURCE, "v1")), "from another bucket"),
    (replace(copy_of("x", b"x"), source=there("x", "")), "does not name the version"),
    (replace(copy_of("x", b"x"), source=Place("src", "x", OTHER, "v1")), "must belong to the source account"),
]


@pytest.mark.parametrize(("job", "reason"), REFUSED, ids=lambda case: case if isinstance(case, str) else "")
def test_what_is_not_this_runs_is_never_written(s3: ObjectServer, job: Copy, reason: str):
    s3.keep("src/x", b"x")
    found = one(courier(s3).copy([job], 1))
    kind, said = failed(found)
    assert (kind, reason in said) == ("refused", True)
    assert s3.asked == []
    if "source" in reason or "version" in reason or "another bucket" in reason:
        return
    relayed = one(courier(s3).relay(courier(s3), [job], 1))
    assert failed(relayed)[0] == "refused"
    assert "PUT" not in s3.methods()


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(
    ("permit", "reason"),
    [
        (None, "this call may only read"),
        (replace(SWEEP_PERMIT, bucket="scratch", source_bucket="src"), "a sweep makes nothing"),
        (replace(PERMIT, region="us-east-1"), "the permit is for us-east-1"),
        (replace(PERMIT, scratch_account=OTHER), "the permit is not for account"),
        (replace(PERMIT, bucket=""), "not the scratch bucket"),
    ],
)
def test_without_the_right_permit_nothing_is_written(s3: ObjectServer, permit: Permit | None, reason: str, size: int):
    s3.keep("src/x", b"x" * size)
    job = replace(copy_of("x", b"x" * size))
    small = Sizes(whole_copy=10, copy_part=40, write_part=40)
    for moved in (
        courier(s3, permit, sizes=small).copy([job], 1),
        courier(s3, permit, sizes=small).relay(courier(s3), [job], 1),
    ):
        kind, said = failed(one(moved))
        assert (kind, reason in said) == ("refused", True)
    assert set(s3.methods()) <= {"GET", "HEAD"}


def test_a_source_account_is_only_read(s3: ObjectServer):
    s3.keep("src/x", b"x")
    source = courier(s3, PERMIT, passage_of(s3.url, Role.SOURCE))
    assert failed(one(source.copy([copy_of("x", b"x")], 1))) == (
        "refused",
        "the source role may not call s3:CopyObject",
    )
    assert failed(one(source.relay(source, [copy_of("x", b"x")], 1)))[0] == "refused"
    assert s3.methods() == ["GET"]
    with pytest.raises(RefusedError, match="may not call s3:PutObject"):
        source.call("PutObject", {"Bucket": "src", "Key": "x"})


def test_couriers_of_one_passage_keep_their_permits_apart(s3: ObjectServer):
    """While one with a permit writes, one without is asked in between, on the same connections."""
    for number in range(40):
        s3.keep(f"src/k{number}", b"x")
    passage = passage_of(s3.url)
    jobs = [copy_of(f"k{number}", b"x") for number in range(40)]
    permitted = courier(s3, PERMIT, passage).copy(jobs, 4)
    forbidden = courier(s3, None, passage).copy(jobs, 4)
    pairs = list(zip(permitted, forbidden, strict=True))
    assert all(good.error is None and isinstance(bad.error, RefusedError) for good, bad in pairs)
    assert s3.methods() == ["PUT"] * 40


def test_in_plan_mode_reads_pass_and_writes_are_noted(s3: ObjectServer):
    s3.keep("src/x", b"secret")
    passage = passage_of(s3.url, mode=Mode.PLAN)
    planned = courier(s3, PERMIT, passage)
    found = one(planned.copy([copy_of("x", b"secret")], 1))
    assert isinstance(found.error, PlannedError)
    relayed = one(planned.relay(planned, [copy_of("x", b"secret")], 1))
    assert isinstance(relayed.error, PlannedError)
    assert [call.operation for call in passage._guard.planned] == ["CopyObject", "PutObject"]
    assert "b'secret'" not in repr(passage._guard.planned)
    assert s3.methods() == ["GET"]


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ("DeleteObjects", "through botocore alone"),
        ("AbortMultipartUpload", "through botocore alone"),
        ("CopyDBSnapshot", "may not call s3:CopyDBSnapshot"),
        ("DeleteBucket", "may not call s3:DeleteBucket"),
    ],
)
def test_what_deletes_is_judged_for_botocore_alone(s3: ObjectServer, operation: str, reason: str):
    with pytest.raises(RefusedError, match=reason):
        passage_of(s3.url).judge("s3", operation, {}, PERMIT)
    with pytest.raises(RefusedError, match="through botocore alone"):
        passage_of(s3.url).judge("rds", "CopyDBSnapshot", {}, PERMIT)


def test_every_try_is_judged_anew(s3: ObjectServer):
    passage = passage_of(s3.url)
    s3.keep("src/x", b"x")
    s3.once(error("SlowDown", 503), "PUT")
    judged: list[str] = []
    real = passage._guard.judge

    def watched(service: str, operation: str, params: Any, permit: Permit | None) -> None:
        judged.append(operation)
        real(service, operation, params, permit)

    passage._guard.judge = watched
    assert one(courier(s3, PERMIT, passage).copy([copy_of("x", b"x")], 1)).error is None
    assert judged == ["CopyObject"] * 2
    assert s3.methods() == ["PUT"] * 2


def test_a_redirect_is_not_followed(s3: ObjectServer):
    s3.acts.append(lambda asked: Answered(307, {"Location": f"{s3.url}/scratch/elsewhere"}))
    assert failed(one(courier(s3).copy([copy_of("x", b"x")], 1)))[0] == "unknown-answer"
    assert failed(one(courier(s3).read([Read(there("x"))], 1)))[0] == "unknown-answer"
    assert len(s3.asked) == 2
    s3.acts[:] = [lambda asked: Answered(301)]
    assert failed(one(courier(s3).head([Head(there("x"))], 1)))[0] == "settings"


def test_a_copy_is_exact_and_takes_no_tags_along(s3: ObjectServer):
    s3.keep("src/x", b"x")
    found = one(courier(s3).copy([copy_of("x", b"x", "abc-2")], 1))
    assert (found.size, found.etag) == (1, hashlib.md5(b"x", usedforsecurity=False).hexdigest())
    assert found.checksums == Checksums({"CRC64NVME": "AAAAAAAAAAA="}, full=True)
    sent = s3.asked[0].headers
    assert sent["x-amz-copy-source"] == "src/x?versionId=v1"
    assert sent["x-amz-copy-source-if-match"] == '"abc-2"'
    assert sent["x-amz-expected-bucket-owner"] == SCRATCH
    assert sent["x-amz-source-expected-bucket-owner"] == SOURCE
    assert (sent["x-amz-metadata-directive"], sent["x-amz-tagging-directive"]) == ("COPY", "REPLACE")
    assert sent["x-amz-security-token"] == "token"


# --- reading -------------------------------------------------------------------------------------------------------


def test_a_read_comes_with_all_that_s3_says(s3: ObjectServer):
    s3.keep(
        "src/x",
        b"123456789",
        x_amz_checksum_crc64nvme="AAAAAAAAAAA=",
        x_amz_checksum_type="FULL_OBJECT",
        x_amz_storage_class="STANDARD_IA",
        x_amz_server_side_encryption="aws:kms",
        x_amz_server_side_encryption_aws_kms_key_id="arn:key",
        x_amz_meta_who="me",
        Last_Modified="Sat, 21 Nov 2026 03:00:00 GMT",
    )
    read = one(courier(s3).read([Read(there("x"), digests=frozenset({"md5", "sha256", "crc64nvme"}))], 1))
    head = one(courier(s3).head([Head(there("x"))], 1))
    assert read == replace(head, digests=read.digests)
    assert read.digests == {
        "md5": hashlib.md5(b"123456789", usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(b"123456789").hexdigest(),
        "crc64nvme": "ae8b14860a799888",  # as the catalogue of CRCs gives it for these bytes
    }
    assert head == Seen(
        there("x"),
        size=9,
        etag=read.digests["md5"],
        checksums=Checksums({"CRC64NVME": "AAAAAAAAAAA="}, full=True),
        storage_class="STANDARD_IA",
        encryption="aws:kms",
        key="arn:key",
        metadata={"who": "me"},
        modified=datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
    )
    assert s3.asked[0].headers["x-amz-checksum-mode"] == "ENABLED"
    assert s3.asked[0].query == {"versionId": "v1"}


BIG = bytes(range(256)) * 4096  # 1 MiB


@pytest.mark.parametrize("slow", [True, False])
def test_a_read_that_breaks_off_goes_on_where_it_ended(s3: ObjectServer, slow: bool):
    s3.keep("src/x", BIG)
    etag = s3.kept["src/x"].etag
    s3.once(Answered(200, {"ETag": f'"{etag}"', "Content-Length": str(len(BIG))}, BIG, cut=300_000))
    got = bytearray()
    job = Read(there("x"), sink=got.extend) if slow else Read(there("x"))
    found = one(courier(s3).read([job], 1))
    assert (found.error, found.size) == (None, len(BIG))
    assert found.digests["sha256"] == hashlib.sha256(BIG).hexdigest()
    assert not slow or bytes(got) == BIG
    again = s3.asked[1].headers
    assert again["if-match"] == f'"{etag}"'
    assert 0 < int(again["range"].removeprefix("bytes=").removesuffix("-")) <= 300_000


def cut(length: int, **headers: str) -> Answered:
    return Answered(200, {"ETag": '"e"', "Content-Length": str(length), **headers}, b"x" * length, cut=length // 2)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (Answered(200, {"ETag": '"e"'}, b"y" * 1000), "another range"),
        (Answered(206, {"Content-Range": "bytes 0-999/1000"}, b"y" * 1000), "another range"),
        (Answered(206, {}, b"y" * 500), "another range"),
        (Answered(206, {"Content-Range": "bytes 500-501/1000"}, b"yy"), "another length"),
    ],
)
def test_no_byte_is_taken_of_what_is_not_the_rest(s3: ObjectServer, second: Answered, said: str):
    got = bytearray()
    s3.once(cut(1000))
    s3.acts.append(lambda asked: second)
    found = one(courier(s3).read([Read(there("x"), sink=got.extend)], 1))
    assert failed(found)[0] == "unknown-answer"
    assert said in failed(found)[1]
    assert set(got) == {ord("x")}


def test_a_part_is_no_answer_for_the_whole(s3: ObjectServer):
    s3.acts.append(lambda asked: Answered(206, {"Content-Range": "bytes 0-1/9"}, b"ab"))
    assert "a part of an object" in failed(one(courier(s3).read([Read(there("x"))], 1)))[1]


def test_an_object_whose_length_is_not_said_is_not_read(s3: ObjectServer):
    s3.acts.append(lambda asked: Answered(200, {}, b"abc", unlengthed=True))
    assert "did not say how long" in failed(one(courier(s3).read([Read(there("x"))], 1)))[1]
    assert "did not say how long" in failed(one(courier(s3).head([Head(there("x"))], 1)))[1]


def test_an_object_that_never_comes_whole_fails_in_the_end(s3: ObjectServer):
    s3.acts.append(lambda asked: Answered(200, {"Content-Length": "10"}, b"", cut=0))
    assert failed(one(courier(s3).read([Read(there("x"))], 1)))[0] == "aws-unavailable"
    assert len(s3.asked) == TRIES


def test_an_empty_object_is_read(s3: ObjectServer):
    s3.keep("src/empty", b"")
    found = one(courier(s3).read([Read(there("empty"))], 1))
    assert (found.error, found.size, found.digests["sha256"]) == (None, 0, hashlib.sha256(b"").hexdigest())


def test_what_a_sink_raises_ends_its_own_job_alone(s3: ObjectServer):
    s3.keep("src/x", BIG)
    s3.keep("src/y", b"y")

    def ours(piece: bytes) -> None:
        raise SourceError("enough", kind="limit")

    def other(piece: bytes) -> None:
        raise ZeroDivisionError

    jobs = [Read(there("x"), sink=ours), Read(there("x", "v2"), sink=other), Read(there("y"))]
    found = {(seen.place.key, seen.place.version): seen for seen in courier(s3).read(jobs, 3)}
    assert failed(found["x", "v1"]) == ("limit", "enough")
    assert failed(found["x", "v2"]) == ("internal", "the reader of an object stopped (ZeroDivisionError)")
    assert found["y", "v1"].error is None
    assert len(s3.asked) == 3


def test_a_slow_sink_holds_back_what_is_sent(s3: ObjectServer):
    body = BIG * 64
    s3.keep("src/x", body)
    sent: list[int] = []
    digest = hashlib.sha256()

    def slow_at_first(piece: bytes) -> None:
        digest.update(piece)
        deadline = time.monotonic() + 10
        while not sent and time.monotonic() < deadline:  # until the server gets no more rid of
            before = s3.written
            time.sleep(0.3)
            if s3.written == before > 0:
                sent.append(before)

    assert one(courier(s3).read([Read(there("x"), sink=slow_at_first)], 1)).error is None
    assert digest.hexdigest() == hashlib.sha256(body).hexdigest()
    assert sent[0] < len(body) / 2  # the window, and what the sockets hold


# --- what goes wrong -----------------------------------------------------------------------------------------------

ERRORS: list[tuple[Answered, str, bool]] = [
    (error("NoSuchKey", 404), "snapshot-state", False),
    (error("NoSuchVersion", 404), "snapshot-state", False),
    (error("NoSuchBucket", 404), "placement", False),
    (error("AccessDenied", 403), "permission", False),
    (error("AccessDenied", 403, "not authorized to perform: kms:Decrypt on resource"), "key-access", False),
    (error("KMS.DisabledException", 400), "key-unusable", False),
    (error("InvalidObjectState", 403), "object-archived", False),
    (
        error("InvalidRequest", 400, "The object was stored using a form of Server Side Encryption. The correct &amp;"),
        "object-sealed",
        False,
    ),
    (error("InvalidRequest", 400, "something else"), "settings", False),
    (error("SlowDown", 503), "throttled", True),
    (error("InternalError", 500), "aws-unavailable", True),
    (error("RequestTimeout", 400), "aws-unavailable", True),
    (Answered(502, body=b"<html>bad gateway</html>"), "aws-unavailable", True),
    (Answered(429), "throttled", True),
    (error("Strange", 418), "unknown-answer", False),
]


@pytest.mark.parametrize(("answer", "kind", "again"), ERRORS, ids=lambda case: str(case)[:60])
def test_an_error_of_s3_has_its_kind_and_is_tried_again_if_that_may_help(
    s3: ObjectServer, answer: Answered, kind: str, again: bool
):
    s3.acts.append(lambda asked: answer)
    read, copied = one(courier(s3).read([Read(there("x"))], 1)), one(courier(s3).copy([copy_of("x", b"x")], 1))
    assert (failed(read)[0], failed(copied)[0]) == (kind, kind)
    assert isinstance(read.error, AwsError)
    assert f"in account {SCRATCH}" in failed(read)[1]
    assert read.error.retryable is again
    assert len(s3.asked) == 2 * (TRIES if again else 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, "permission"), (404, "snapshot-state"), (400, "object-sealed"), (412, "snapshot-state"), (503, "throttled")],
)
def test_a_look_has_only_a_status_to_go_by(s3: ObjectServer, status: int, kind: str):
    s3.acts.append(lambda asked: Answered(status))
    assert failed(one(courier(s3).head([Head(there("x"))], 1)))[0] == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<Error><Code>InternalError</Code><Message>no</Message></Error>", "aws-unavailable"),
        (b"<Error><Code>SlowDown</Code></Error>", "throttled"),
        (b"", "aws-unavailable"),
    ],
)
def test_a_copy_that_is_answered_by_200_and_an_error_is_no_copy(s3: ObjectServer, body: bytes, kind: str):
    s3.acts.append(lambda asked: Answered(200, body=body))
    assert failed(one(courier(s3).copy([copy_of("x", b"x")], 1)))[0] == kind
    assert len(s3.asked) == TRIES


def test_one_that_fails_stops_no_other(s3: ObjectServer):
    for number in range(0, 60, 2):
        s3.keep(f"src/k{number}", b"x")
    found = list(courier(s3).read((Read(there(f"k{number}")) for number in range(60)), 8))
    assert len(found) == 60
    assert {seen.place.key for seen in found if seen.error is None} == {f"k{n}" for n in range(0, 60, 2)}


def test_where_nobody_listens_is_an_outage_until_somebody_answers(s3: ObjectServer):
    passage = passage_of("http://127.0.0.1:9")
    assert failed(one(courier(s3, PERMIT, passage).read([Read(there("x"))], 1)))[0] == "aws-unavailable"
    (outage,) = passage.traffic.outages()
    assert (outage.role, outage.account, outage.service) == (Role.SCRATCH, SCRATCH, "s3")
    passage.traffic.answered(passage.place, "s3")
    assert passage.traffic.outages() == []


def test_an_outage_ends_with_an_answer_and_each_try_is_counted(s3: ObjectServer):
    passage = passage_of(s3.url)
    s3.keep("src/x", b"x")
    s3.once(error("InternalError", 500))
    s3.once(error("SlowDown", 503))
    seen: list[int] = []
    s3.acts.insert(0, lambda asked: seen.append(len(passage.traffic.outages())))
    assert one(courier(s3, PERMIT, passage).read([Read(there("x"))], 1)).error is None
    assert seen == [0, 1, 0]  # being throttled is an answer
    assert passage.traffic.calls.snapshot() == {(Role.SCRATCH, SCRATCH, "s3", "GetObject"): 3}


def test_what_says_nothing_is_given_up_and_tried_again(s3: ObjectServer):
    waits = threading.Event()
    s3.keep("src/x", b"x")
    s3.once(Answered(200, wait=waits))
    try:
        assert one(courier(s3, stall=1.0).read([Read(there("x"))], 1)).error is None
    finally:
        waits.set()
    assert len(s3.asked) == 2


def test_an_error_without_end_is_cut_off(s3: ObjectServer):
    s3.acts.append(lambda asked: Answered(400, body=b"x" * 400_000))
    assert "longer than any" in failed(one(courier(s3).read([Read(there("x"))], 1)))[1]


# --- how much at once ----------------------------------------------------------------------------------------------


def test_no_more_is_under_way_than_was_asked_for_and_jobs_are_drawn_as_places_get_free(s3: ObjectServer):
    drawn = 0

    def jobs() -> Iterator[Read]:
        nonlocal drawn
        for number in range(50):
            drawn += 1
            s3.keep(f"src/k{number}", b"x")
            yield Read(there(f"k{number}"))

    results = courier(s3).read(jobs(), 5)
    for taken in range(1, 51):
        next(results)
        assert drawn <= taken + 6
    assert s3.most_open <= 5


def test_connections_are_used_again(s3: ObjectServer):
    passage, opened = passage_of(s3.url), []
    for number in range(20):
        s3.keep(f"src/k{number}", b"x")
    reader = courier(s3, PERMIT, passage)
    wire = reader._wire("src")
    real = wire._opened
    wire._opened = lambda *told: (opened.append(1), real(*told))  # type: ignore[assignment]
    assert len(list(reader.read((Read(there(f"k{n}")) for n in range(20)), 2))) == 20
    assert len(list(courier(s3, PERMIT, passage).read((Read(there(f"k{n}")) for n in range(20)), 2))) == 20
    assert len(opened) == 2


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure(s3: ObjectServer):
    passage = passage_of(s3.url)
    s3.keep("src/x", b"x")
    reader = courier(s3, PERMIT, passage)
    assert one(reader.read([Read(there("x"))], 1)).error is None
    (kept,) = reader._wire("src")._idle
    kept.close().result(5)
    assert one(reader.read([Read(there("x"))], 1)).error is None


def test_a_relay_holds_no_more_than_its_share_of_memory(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("restorecheck.fence.rounds.HELD", 100)
    for number in range(10):
        s3.keep(f"src/k{number}", b"x" * 30)
    moved = list(courier(s3).relay(courier(s3), [copy_of(f"k{n}", b"x" * 30) for n in range(10)], 8))
    assert [seen.error for seen in moved] == [None] * 10
    assert s3.methods() == ["GET", "PUT"] * 10  # 60 each: bytes as they came, and as they are sent


# --- in parts ------------------------------------------------------------------------------------------------------

SMALL = Sizes(whole_copy=100, copy_part=30, write_part=30, parts=10_000)
BODY = bytes(range(251)) * 3


def moves(s3: ObjectServer) -> dict[str, Callable[..., Iterator[Seen]]]:
    mover = courier(s3, sizes=SMALL)
    return {"copy": mover.copy, "relay": lambda jobs, n: mover.relay(courier(s3), jobs, n)}


@pytest.mark.parametrize("way", ["copy", "relay"])
def test_what_is_too_large_is_made_of_parts_with_all_that_belongs_to_it(s3: ObjectServer, way: str):
    s3.keep("src/x", BODY, content_type="text/odd", x_amz_meta_made="by hand")
    found = one(moves(s3)[way]([copy_of("x", BODY)], 4))
    assert (found.error, found.size) == (None, len(BODY))
    assert found.etag.endswith("-26")
    assert s3.kept[f"scratch/{NAME}/k/x"].body == BODY
    (created,) = [a for a in s3.asked if "uploads" in a.query]
    assert (created.headers["content-type"], created.headers["x-amz-meta-made"]) == ("text/odd", "by hand")
    assert created.headers["x-amz-expected-bucket-owner"] == SCRATCH
    assert (s3.uploads, s3.aborted) == ({}, [])
    if way == "relay":
        assert found.digests == {"sha256": hashlib.sha256(BODY).hexdigest()}


def lease_of(s3: ObjectServer) -> None:
    """What the fence looks at before an upload is aborted."""
    tags = {tag["Key"].replace(":", "-"): tag["Value"] for tag in PERMIT.tags("objects", SCRATCH)}
    kept = s3.keep(f"scratch/{NAME}/.restorecheck-lease", b"")
    kept.headers = {f"x-amz-meta-{k}": v for k, v in tags.items()} | {"Last-Modified": "Sat, 21 Nov 2026 03:01:00 GMT"}


@pytest.mark.parametrize("way", ["copy", "relay"])
def test_an_upload_that_cannot_be_finished_is_aborted(s3: ObjectServer, way: str):
    lease_of(s3)
    s3.keep("src/x", BODY)
    s3.acts.append(lambda asked: error("AccessDenied", 403) if asked.query.get("partNumber") == "5" else None)
    assert failed(one(moves(s3)[way]([copy_of("x", BODY)], 4)))[0] == "permission"
    assert (s3.uploads, s3.aborted) == ({}, ["upload-1"])
    assert f"scratch/{NAME}/k/x" not in s3.kept


def test_an_upload_that_the_fence_does_not_let_abort_stays_and_the_first_error_counts(s3: ObjectServer):
    s3.keep("src/x", BODY)  # and there is no lease
    s3.acts.append(lambda asked: error("AccessDenied", 403) if asked.query.get("partNumber") == "5" else None)
    assert failed(one(moves(s3)["copy"]([copy_of("x", BODY)], 4)))[0] == "permission"
    assert s3.aborted == []


@pytest.mark.parametrize("way", ["copy", "relay"])
def test_when_nobody_wants_more_the_uploads_are_aborted(s3: ObjectServer, way: str):
    lease_of(s3)
    s3.keep("src/x", BODY)
    s3.keep("src/small", b"x")
    begun, goes_on = threading.Event(), threading.Event()

    def hold(asked: Asked) -> Answered | None:
        if asked.query.get("partNumber") == "3":
            begun.set()
            return Answered(200, {"ETag": '"e"'}, b"<CopyPartResult><ETag>e</ETag></CopyPartResult>", wait=goes_on)
        if "small" in asked.path and asked.method == "PUT":
            begun.wait(10)  # so that an upload is under way when the small one has come
        return None

    unlocked = s3.lock
    s3.lock = _NoLock()
    s3.acts.append(hold)
    try:
        results = moves(s3)[way]([copy_of("x", BODY), copy_of("small", b"x")], 2)
        assert next(results).place.key.endswith("small")
        goes_on.set()
        results.close()
    finally:
        goes_on.set()
        s3.lock = unlocked
    assert (s3.uploads, s3.aborted) == ({}, ["upload-1"])


class _NoLock:
    """Lets requests be answered beside one that waits."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> None:
        pass


def test_what_is_under_way_is_broken_off_when_nobody_wants_more(s3: ObjectServer):
    waits = threading.Event()
    s3.keep("src/x", b"x")
    s3.acts.append(lambda asked: Answered(200, wait=waits) if "hangs" in asked.path else None)
    results = courier(s3).read([Read(there("hangs")), Read(there("x"))], 2)
    try:
        assert next(results).place.key == "x"
        results.close()
    finally:
        waits.set()


@pytest.mark.parametrize("way", ["copy", "relay"])
def test_a_source_that_is_another_now_is_not_moved(s3: ObjectServer, way: str):
    s3.keep("src/x", BODY)
    s3.keep("src/small", b"y" * 20)
    jobs = [
        replace(copy_of("x", BODY), size=len(BODY) - 1),
        replace(copy_of("x", BODY), etag="other"),
        copy_of("x", b"y" * 20),
        replace(copy_of("small", b"y" * 20), etag="other"),
    ]
    for job in jobs:
        if way == "copy" and job.size <= SMALL.whole_copy:
            continue  # S3 compares the ETag itself
        assert failed(one(moves(s3)[way]([job], 1)))[0] in {"snapshot-state", "unknown-answer"}
    assert not [name for name in s3.kept if name.startswith("scratch/")]


def test_there_are_never_more_parts_than_s3_takes(s3: ObjectServer):
    s3.keep("src/x", BODY)
    few = courier(s3, sizes=replace(SMALL, parts=3))
    assert one(few.copy([copy_of("x", BODY)], 1)).etag.endswith("-3")
    assert one(few.relay(few, [copy_of("x", BODY)], 1)).etag.endswith("-3")


def test_only_what_a_courier_reads_is_relayed(s3: ObjectServer):
    with pytest.raises(TypeError):
        courier(s3).relay(object(), [], 1)  # type: ignore[arg-type]


# --- credentials ---------------------------------------------------------------------------------------------------


def test_new_credentials_are_used_at_once(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch):
    passage = passage_of(s3.url)
    s3.keep("src/x", b"x")
    reader = courier(s3, PERMIT, passage)
    assert one(reader.read([Read(there("x"))], 1)).error is None
    monkeypatch.setattr(passage, "credentials", lambda: ReadOnlyCredentials("AKIANEXT", "s", None))
    assert one(reader.read([Read(there("x"))], 1)).error is None
    assert ["AKIATEST" in s3.asked[0].headers["authorization"], "AKIANEXT" in s3.asked[1].headers["authorization"]] == [
        True,
        True,
    ]
    assert "x-amz-security-token" not in s3.asked[1].headers


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"), "credentials"),
        (botocore.exceptions.ClientError({"Error": {"Code": "Throttling"}}, "AssumeRole"), "throttled"),
        (botocore.exceptions.NoCredentialsError(), "credentials"),
        (None, "credentials"),
    ],
)
def test_without_credentials_nothing_is_sent(
    s3: ObjectServer, monkeypatch: pytest.MonkeyPatch, raised: Exception | None, kind: str
):
    passage = passage_of(s3.url)

    def none() -> None:
        if raised is not None:
            raise raised

    monkeypatch.setattr(passage, "credentials", none)
    assert failed(one(courier(s3, PERMIT, passage).read([Read(there("x"))], 1)))[0] == kind
    assert s3.asked == []


def test_a_session_without_credentials_has_none(monkeypatch: pytest.MonkeyPatch):
    passage = passage_of("http://127.0.0.1:9")
    monkeypatch.setattr(passage._session, "get_credentials", lambda: None)
    assert passage.credentials() is None


# --- pages ---------------------------------------------------------------------------------------------------------


def listing(*entries: str, following: tuple[str, str] | None = None, encoding: str = "url") -> Answered:
    more = f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>"
    if following:
        more += "".join(
            f"<{name}>{value}</{name}>"
            for name, value in zip(("NextKeyMarker", "NextVersionIdMarker"), following, strict=True)
        )
    text = f"<ListVersionsResult><EncodingType>{encoding}</EncodingType>{more}{''.join(entries)}</ListVersionsResult>"
    return Answered(body=text.encode())


def test_pages_come_as_s3_wrote_them_and_both_markers_lead_on(s3: ObjectServer):
    first, second = listing("<DeleteMarker/><Version/>", following=("a%2F%2Fb+%C3%BC", "v1")), listing("<Version/>")
    s3.once(first)
    s3.once(second)
    assert list(courier(s3).pages("src", SOURCE, "p x/")) == [first.body, second.body]
    asked = s3.asked[0].query
    assert (asked["prefix"], asked["max-keys"], asked["encoding-type"]) == ("p x/", "1000", "url")
    assert s3.asked[0].headers["x-amz-expected-bucket-owner"] == SOURCE
    asked = s3.asked[1].query
    assert (asked["key-marker"], asked["version-id-marker"]) == ("a//b ü", "v1")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([listing(following=("k", ""))], "not where it goes on"),
        ([listing(following=("", "v"))], "not where it goes on"),
        ([listing(following=("k", "v"))] * 2, "in a circle"),
        ([Answered(body=b"<ListVersionsResult></ListVersionsResult>")], "whether it is whole"),
    ],
)
def test_a_listing_that_leads_nowhere_is_no_listing(s3: ObjectServer, answers: list[Answered], said: str):
    for answer in answers:
        s3.once(answer)
    with pytest.raises(SourceError, match=said) as raised:
        list(courier(s3).pages("src", SOURCE, ""))
    assert raised.value.kind == "unknown-answer"


@pytest.mark.parametrize("length", [0, 30, len(LISTING) - 9])
def test_a_page_that_is_cut_off_is_asked_for_again(s3: ObjectServer, length: int):
    s3.once(Answered(body=LISTING[:length]))
    assert list(courier(s3).pages("src", SOURCE, "")) == [LISTING]
    assert len(s3.asked) == 2


def test_a_listing_that_is_not_allowed_is_an_error(s3: ObjectServer):
    s3.acts.append(lambda asked: error("AccessDenied", 403))
    with pytest.raises(AwsError) as raised:
        list(courier(s3).pages("src", SOURCE, ""))
    assert raised.value.kind == "permission"


def test_a_plain_call_for_versions_is_parsed_as_ever(s3: ObjectServer):
    found = passage_of(s3.url).call(None, "s3", "ListObjectVersions", {"Bucket": "src"})
    assert found["IsTruncated"] is False


# --- what answers say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "etag", "expected"),
    [
        ({}, "abc", ({}, False)),
        ({"x-amz-checksum-crc32": "AAAA"}, "abc", ({"CRC32": "AAAA"}, True)),
        ({"x-amz-checksum-crc32": "AAAA"}, "abc-2", ({"CRC32": "AAAA"}, False)),
        ({"x-amz-checksum-sha256": "AAAA-2", "x-amz-checksum-type": "FULL_OBJECT"}, "a", ({"SHA256": "AAAA-2"}, False)),
        ({"x-amz-checksum-crc32": "A", "x-amz-checksum-type": "COMPOSITE"}, "a", ({"CRC32": "A"}, False)),
        ({"x-amz-checksum-crc32": "A", "x-amz-checksum-type": "FULL_OBJECT"}, "a-2", ({"CRC32": "A"}, True)),
    ],
)
def test_a_checksum_is_of_the_whole_only_where_that_is_sure(
    headers: dict[str, str], etag: str, expected: tuple[dict[str, str], bool]
):
    assert checksums_of(headers, etag) == expected


def test_a_checksum_of_a_copy_may_be_of_its_parts():
    assert checksums_of_copy(b"<ChecksumCRC32>A</ChecksumCRC32>") == ({"CRC32": "A"}, True)
    composite = b"<ChecksumCRC32>A</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>"
    assert checksums_of_copy(composite) == ({"CRC32": "A"}, False)
    assert checksums_of_copy(b"<CopyObjectResult/>") == ({}, False)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ""),
        ({"x-amz-storage-class": "STANDARD_IA"}, ""),
        ({"x-amz-storage-class": "GLACIER_IR"}, ""),
        ({"x-amz-storage-class": "GLACIER"}, "GLACIER"),
        ({"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="true"'}, "being retrieved"),
        ({"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="false", expiry-date="x"'}, ""),
        (
            {"x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-archive-status": "DEEP_ARCHIVE_ACCESS"},
            "DEEP_ARCHIVE_ACCESS",
        ),
    ],
)
def test_an_archive_is_named(headers: dict[str, str], expected: str):
    assert archive_of(headers) == expected


@pytest.mark.parametrize("said", ["", "yesterday", "Sat, 21 Foo 2026 03:00:00 GMT", "Sat, 21 Nov 2026 03:00:00 CET"])
def test_a_time_that_is_not_said_is_not_guessed(said: str):
    assert modified_of({"last-modified": said}) is None


def test_an_answer_that_is_as_it_should_be_is_no_error():
    assert error_of("GetObject", SCRATCH, Reply(200)) is None
    assert error_of("GetObject", SCRATCH, Reply(206)) is None


def test_a_reading_looks_at_no_error():
    assert Reading(there("x"), lambda piece: None).accept(Reply(404)) is False


# --- what the runtime's threads do, by hand ------------------------------------------------------------------------


def told(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {"content-length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}})


def test_a_reading_asks_for_the_rest_and_accepts_nothing_else():
    got = bytearray()
    reading = Reading(there("x"), got.extend)
    assert reading.missing
    assert reading.accept(told(200, b"abcdef", etag='"e"'))
    reading.take(b"abc")
    assert reading.missing
    assert (reading.params()["Range"], reading.params()["IfMatch"]) == ("bytes=3-", '"e"')
    assert "ChecksumMode" not in reading.params()
    assert reading.accept(told(206, b"def", content_range="bytes 3-5/6"))
    reading.take(b"def")
    assert (reading.missing, bytes(got), reading.headers["etag"]) == (False, b"abcdef", '"e"')


@pytest.mark.parametrize(
    ("reply", "more", "said"),
    [
        (told(206, b"ab", content_range="bytes 0-1/9"), {}, "a part of an object"),
        (told(200, b"abc"), {"whole": 2}, "another size"),
        (told(200, b"abc"), {"first": 0, "last": 1}, "another range"),
        (told(206, b"abc", content_range="bytes 0-2/9"), {"first": 0, "last": 1}, "another length"),
        (told(206, b"abc", content_range="bytes 1-3/9"), {"first": 0, "last": 2}, "another range"),
        (Reply(200, {}), {}, "did not say how long"),
    ],
)
def test_a_reading_says_what_is_wrong_before_a_byte_is_taken(reply: Reply, more: dict[str, int], said: str):
    reading = Reading(there("x"), lambda piece: None, **more)
    assert not reading.accept(reply)
    assert said in reading.wrong


def test_a_reading_of_a_range_asks_for_it_alone():
    reading = Reading(there("x"), lambda piece: None, first=10, last=19)
    assert reading.params()["Range"] == "bytes=10-19"
    assert reading.accept(told(206, b"x" * 10, content_range="bytes 10-19/99"))
    reading.take(b"x" * 4)
    assert reading.params()["Range"] == "bytes=14-19"


@pytest.mark.parametrize(
    ("reply", "out"),
    [
        (Reply(200), False),
        (Reply(404), False),
        (Reply(503), False),
        (Reply(500), True),
        (Reply(502), True),
        (Reply(broken="lost"), True),
    ],
)
def test_an_outage_is_what_nobody_answers(s3: ObjectServer, reply: Reply, out: bool):
    passage = passage_of(s3.url)
    landed = Flight(lambda r: True, None, lambda f: None)
    landed.reply = reply
    ended: list[Flight] = []
    courier(s3, PERMIT, passage)._landed("GetObject", ended.append, landed)
    assert bool(passage.traffic.outages()) is out
    landed.cut("nobody wants it any more")
    landed.reply = Reply(broken="nobody wants it any more")
    passage.traffic.answered(passage.place, "s3")
    courier(s3, PERMIT, passage)._landed("GetObject", ended.append, landed)
    assert passage.traffic.outages() == []
    assert ended == [landed, landed]


def test_digests_are_taken_piece_by_piece():
    digests = Digests(frozenset({"sha256", "crc64nvme"}))
    for piece in (b"1234", b"56789"):
        digests.update(piece)
    assert digests.hex() == {"sha256": hashlib.sha256(b"123456789").hexdigest(), "crc64nvme": "ae8b14860a799888"}


def courier_of_nobody() -> Courier:
    return Courier(passage_of("http://127.0.0.1:9"))


def test_an_answer_that_ends_before_the_object_is_tried_again():
    """The runtime says that it broke off; if it did not, the bytes are counted."""
    steps = _read_through(Reading(there("x"), lambda piece: None), courier_of_nobody(), slow=False)
    wish = next(steps)
    assert wish.accept(told(200, b"abc"))
    wish.take(b"ab")
    pause = steps.send(told(200, b"abc"))
    assert isinstance(pause, Pause)
    assert steps.send(None).params["Range"] == "bytes=2-"


def test_what_is_taken_at_once_is_granted_at_once():
    got, granted = bytearray(), []
    wish = Send(courier_of_nobody(), "GetObject", {}, got.extend)
    taker = Rounds()._taker(None, wish)  # type: ignore[arg-type]

    class Landing:
        grant = granted.append

    taker(Landing(), b"abc")
    assert (bytes(got), granted) == (b"abc", [3])


def test_at_the_end_only_calls_that_ended_are_looked_at():
    rounds = Rounds()
    rounds._inbox.put(("reply", None, None))  # type: ignore[arg-type]
    rounds._close()
    assert rounds._inbox.empty()
