"""The objects of a versioned bucket from their history to a verdict and back to nothing, on the demo AWS."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demo_world import REGION, SCRATCH, SOURCE, World, until
from product import Product

from restorecheck.config import load
from restorecheck.engines.clock import WallClock
from restorecheck.fence.object_parameters import LEASE, metadata_of
from restorecheck.model import Report, SnapshotKind, Verdict
from restorecheck.ports import fence_of
from restorecheck.schedule import run_id, scratch_name

EXPORTS, LAB = "exports", "restorecheck-lab"
COUNT: dict[str, object] = {"name": "count", "sql": "select count(*) from objects"}
CANARY = "canary-"


def ago(**delta: float) -> datetime:
    """A time of whole seconds before now: S3 keeps no fractions."""
    return (datetime.now(UTC) - timedelta(**delta)).replace(microsecond=0)


def counted(number: int) -> dict[str, object]:
    return COUNT | {"expect": {"equals": number}}


@dataclass
class Lab:
    """restorecheck with one check of the bucket `exports`, and those who own the buckets on either side."""

    product: Product
    s3: Any  # of the source account
    scratch: Any

    @property
    def world(self) -> World:
        return self.product.world

    def wrote(self, *writes: Mapping[str, Any]) -> list[str]:
        return self.world.aws.history(SOURCE, EXPORTS, writes)

    def put(self, key: str, body: bytes = b"x", **more: Any) -> str:
        return str(self.s3.put_object(Bucket=EXPORTS, Key=key, Body=body, **more).get("VersionId"))

    def declare(
        self, *asserts: Mapping[str, object], check: Mapping[str, object] | None = None, **more: object
    ) -> None:
        source = {"type": "s3-objects", "bucket": EXPORTS} | more
        self.product.declare("exports", source, asserts, **({"rpo": "400d"} | dict(check or {})))

    def verify(self, *asserts: Mapping[str, object], **source: object) -> Report:
        self.declare(*asserts, **source)
        return self.product.verify("exports")

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [c for c in self.world.aws.calls() if c["operation"] == operation and c["role"] != "administrator"]

    def untouched(self) -> bool:
        """Whether nothing was written in S3."""
        reads = ("Get", "Head", "List")
        calls = [c for c in self.world.aws.calls() if c["service"] == "s3" and c["role"] != "administrator"]
        return bool(calls) and all(c["operation"].startswith(reads) for c in calls)


@pytest.fixture
def lab(world: World, tmp_path: Path) -> Lab:
    """A readable bucket of exports, still empty, and a scratch bucket in which somebody else keeps things, too."""
    s3 = world.bucket(EXPORTS)
    world.readable(EXPORTS)
    scratch = world.bucket(LAB, SCRATCH, versioning="")
    for key in ("notes.txt", "restorechec", "restorecheck/of-others", "z"):
        scratch.put_object(Bucket=LAB, Key=key, Body=b"of others")
    made = Product(world, tmp_path)
    made.configure(bucket=LAB)
    return Lab(made, s3, scratch)


class Named(WallClock):
    """A clock whose first answer, which names the run, is given."""

    def __init__(self, first: datetime) -> None:
        self._first: datetime | None = first

    def now(self) -> datetime:
        first, self._first = self._first, None
        return first or super().now()


def kind(report: Report) -> str:
    return report.failure.kind if report.failure else ""


def message(report: Report) -> str:
    assert report.failure is not None
    return report.failure.message


def passed(report: Report) -> bool:
    assert (report.verdict, kind(report), report.leaked) == (Verdict.PASSED, "", ()), report.failure or report.leaked
    return True


def proven(report: Report) -> str:
    return "\n".join(report.proven)


# --- which objects -------------------------------------------------------------------------------------------------


@pytest.fixture
def historic(lab: Lab) -> Lab:
    """A year of puts, overwrites, deletes and one undelete."""
    marker = lab.wrote(
        {"key": "a", "body": "first", "at": ago(days=300)},
        {"key": "b", "body": "kept", "at": ago(days=300)},
        {"key": "c", "body": "lost", "at": ago(days=300)},
        {"key": "a", "body": "second", "at": ago(days=200)},
        {"key": "c", "delete": True, "at": ago(days=200)},
        {"key": "d", "body": "late", "at": ago(days=100)},
        {"key": "b", "delete": True, "at": ago(days=50)},
        {"key": "a", "delete": True, "at": ago(days=1)},
    )[-1]
    lab.s3.delete_object(Bucket=EXPORTS, Key="a", VersionId=marker)
    return lab


@pytest.mark.parametrize(
    ("at", "sizes"),
    [
        pytest.param("now", {"a": 6, "d": 4}, marks=pytest.mark.long),
        ("60d", {"a": 6, "b": 4, "d": 4}),
        pytest.param("150d", {"a": 6, "b": 4}, marks=pytest.mark.long),
        (ago(days=250), {"a": 5, "b": 4, "c": 4}),
    ],
)
def test_what_was_current_at_a_time_is_restored_and_nothing_else(historic: Lab, at: object, sizes: dict[str, int]):
    expected = {"set": [f"{key}:{size}" for key, size in sizes.items()]}
    keys = {"name": "keys", "sql": "select key || ':' || size from objects", "expect": expected}
    report = historic.verify(keys, at=at)
    assert passed(report)
    assert report.point is not None
    assert (report.point.kind, report.point.objects) == (SnapshotKind.VERSIONS, len(sizes))
    assert "removing a delete marker leaves no trace" in proven(report) or "undone" in proven(report)


def test_a_time_before_everything_holds_nothing_and_an_empty_prefix_is_no_backup(historic: Lab):
    assert kind(historic.verify(at="399d")) == "empty-backup"
    report = historic.verify(prefix="nothing/")
    assert (report.verdict, kind(report)) == (Verdict.BROKEN, "no-recovery-point")
    assert historic.untouched()


@pytest.mark.long
def test_a_time_to_come_is_unproven(historic: Lab):
    report = historic.verify(at=ago(days=-2))
    assert report.verdict is Verdict.UNPROVEN
    assert historic.untouched()


@pytest.mark.long
def test_everything_deleted_is_broken_however_much_is_kept_in_versions(lab: Lab):
    lab.wrote(
        *({"key": f"e/{n}", "body": "x"} for n in range(5)), *({"key": f"e/{n}", "delete": True} for n in range(5))
    )
    report = lab.verify(prefix="e/", at="now")
    assert (report.verdict, kind(report)) == (Verdict.BROKEN, "empty-backup")
    assert lab.untouched()


@pytest.mark.long
def test_null_versions_are_restored_and_said_to_have_no_history(lab: Lab):
    lab.wrote({"key": "a", "body": "1", "at": ago(days=9)}, {"key": "b", "body": "1", "at": ago(days=9)})
    lab.s3.put_bucket_versioning(Bucket=EXPORTS, VersioningConfiguration={"Status": "Suspended"})
    lab.wrote({"key": "a", "body": "22", "at": ago(days=8)}, {"key": "a", "body": "333", "at": ago(days=7)})
    sizes = {"name": "sizes", "sql": "select sum(size)::int from objects", "expect": {"equals": 4}}
    report = lab.verify(sizes, at="1d")
    assert passed(report)
    assert "suspended" in proven(report)
    assert "null" in proven(report)


@pytest.mark.long
def test_a_bucket_without_versioning_is_tested_as_of_now_only(lab: Lab):
    s3 = lab.world.bucket("plain", versioning="")
    lab.world.readable("plain")
    s3.put_object(Bucket="plain", Key="a", Body=b"x")
    report = lab.verify(bucket="plain", at="1h")
    assert (report.verdict, kind(report)) == (Verdict.UNPROVEN, "config")
    assert "no versioning" in message(report)
    # `now` is the second before the run: what is a second old is there
    until(lambda: lab.verify(bucket="plain").verdict is Verdict.PASSED)


def test_the_zoo_of_keys_comes_back_exactly(lab: Lab):
    long = "l/" + "x" * 1022
    keys = [
        "a//b",
        "../x",
        "dir/",
        "x",
        "x/y",
        "x/y/",
        "käse/größe/日本",
        "a b+c%20?&='\"",
        "..",
        "/",
        long,
        "\U0001f600",
    ]
    lab.wrote(*({"key": key, "body": key, "at": ago(days=2)} for key in keys))
    report = lab.verify(
        counted(len(keys)),
        {"name": "keys", "sql": "select key from objects", "expect": {"set": keys}},
        at="1d",
        read="all",
    )
    assert passed(report)
    copied = {c["parameters"]["Key"] for c in lab.calls("CopyObject")}
    assert len(copied) == len(keys)
    assert all(key.startswith("restorecheck-exports-") for key in copied)


@pytest.mark.long
def test_a_sample_is_another_one_in_every_run_and_the_same_in_one(lab: Lab):
    lab.wrote(*({"key": f"k{n:03}", "body": str(n), "at": ago(days=2)} for n in range(60)))

    def sampled(named: datetime) -> set[str]:
        lab.world.aws.clear_calls()
        lab.declare(counted(20), at="1d", mode="sample", sample=20)
        report = lab.product.verify("exports", clock=Named(named))
        assert passed(report)
        assert "40 objects" in proven(report), proven(report)
        return {c["parameters"]["Key"].rpartition("/")[2] for c in lab.calls("CopyObject")}

    yesterday = ago(days=1)
    one, same, other = sampled(yesterday), sampled(yesterday), sampled(ago(days=2))
    assert (len(one), len(other)) == (20, 20)
    assert one == same
    assert one != other


# --- what cannot be read, or is not what it was --------------------------------------------------------------------


def test_where_the_scratch_role_may_not_read_it_says_what_would_help_and_streaming_does(lab: Lab):
    lab.s3.delete_bucket_policy(Bucket=EXPORTS)
    lab.wrote({"key": "a", "body": "one", "at": ago(days=2)}, {"key": "b", "body": "two", "at": ago(days=2)})
    report = lab.verify(counted(2), at="1d")
    assert (report.verdict, kind(report)) == (Verdict.UNPROVEN, "permission")
    assert report.failure is not None
    assert 'transfer = "stream"' in report.failure.hint
    assert "source bucket" in report.failure.hint
    report = lab.verify(counted(2), at="1d", transfer="stream", read="all")
    assert passed(report)
    assert lab.calls("PutObject")


def test_archived_objects_are_named_before_anything_is_written(lab: Lab):
    lab.wrote(
        {"key": "warm", "body": "1", "at": ago(days=2)},
        {"key": "cold", "body": "1", "at": ago(days=2), "storage_class": "GLACIER"},
    )
    report = lab.verify(at="1d")
    assert (report.verdict, kind(report)) == (Verdict.UNPROVEN, "object-archived")
    assert "cold" in message(report)
    assert "warm" not in message(report)
    assert lab.untouched()


def test_objects_under_a_key_of_the_client_are_sealed(lab: Lab):
    secret = os.urandom(32)
    sealed = {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": base64.b64encode(secret).decode(),
        "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(secret, usedforsecurity=False).digest()).decode(),
    }
    version = lab.put("shut", **sealed)
    lab.world.aws.backdate(SOURCE, EXPORTS, "shut", version, ago(days=2))
    lab.wrote({"key": "open", "body": "x", "at": ago(days=2)})
    report = lab.verify(at="1d")
    assert (report.verdict, kind(report)) == (Verdict.UNPROVEN, "object-sealed")
    assert "shut" in message(report)


@pytest.mark.long
def test_a_key_of_the_objects_that_is_disabled_is_the_backup_s_fault(lab: Lab):
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": lab.world.source_key}
    version = lab.put("secret", b"data", **kms)
    lab.world.aws.backdate(SOURCE, EXPORTS, "secret", version, ago(days=2))
    assert passed(lab.verify(counted(1), at="1d", read="all"))
    lab.world.aws.client("kms", SOURCE).disable_key(KeyId=lab.world.source_key)
    report = lab.verify(counted(1), at="1d")
    assert (report.verdict, kind(report)) == (Verdict.BROKEN, "key-unusable")


@pytest.mark.parametrize(
    ("transfer", "read"),
    [
        ("copy", 1),
        pytest.param("copy", "all", marks=pytest.mark.long),
        ("stream", "all"),
        pytest.param("stream", 1, marks=pytest.mark.long),
    ],
)
def test_bytes_that_rotted_in_the_backup_are_never_green(lab: Lab, transfer: str, read: object):
    [version] = lab.wrote({"key": "only", "body": "x" * 500, "at": ago(days=2)})
    lab.world.aws.rot(SOURCE, EXPORTS, "only", version, offset=100, length=3)
    report = lab.verify(counted(1), at="1d", transfer=transfer, read=read)
    assert report.verdict is not Verdict.PASSED
    assert kind(report) in {"objects-differ", "object-damaged"}, report
    assert "only" in str(report.findings) + message(report)


@pytest.mark.long
def test_an_empty_key_s_worth_of_objects_is_never_green(lab: Lab):
    """A bucket in which nothing but a later object is."""
    lab.put("later")
    report = lab.verify(at="1h")
    assert report.verdict is Verdict.BROKEN
    assert kind(report) in {"no-recovery-point", "empty-backup"}


@pytest.mark.parametrize("limit", [{"most_objects": 2}, pytest.param({"most_bytes": "2KiB"}, marks=pytest.mark.long)])
def test_a_backup_over_its_limit_ends_before_anything_is_written(lab: Lab, limit: dict[str, object]):
    lab.wrote(*({"key": str(n), "body": "x" * 1000, "at": ago(days=2)} for n in range(3)))
    report = lab.verify(at="1d", **limit)
    assert (report.verdict, kind(report)) == (Verdict.UNPROVEN, "limit")
    assert lab.untouched()


@pytest.mark.long
def test_a_bucket_that_is_not_there_is_named(lab: Lab):
    report = lab.verify(bucket="exports-of-nobody")
    assert (report.verdict, kind(report)) == (Verdict.BROKEN, "no-recovery-point")
    assert "exports-of-nobody" in message(report)


# --- questions -----------------------------------------------------------------------------------------------------


def parquet(rows: int) -> bytes:
    duckdb = pytest.importorskip("duckdb")
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"e2e-{os.getpid()}.parquet"
    connection = duckdb.connect()
    connection.execute(f"copy (select i as id, i * 2 as total from range({rows}) t(i)) to '{path}' (format parquet)")
    connection.close()
    try:
        return path.read_bytes()
    finally:
        path.unlink()


@pytest.mark.long
def test_files_are_asked_and_a_failing_answer_breaks(lab: Lab):
    lines = "".join(json.dumps({"id": n, "who": f"{CANARY}{n}"}) + "\n" for n in range(10)).encode()
    files = {
        "e/orders/1.parquet": parquet(100),
        "e/orders/2.parquet": parquet(50),
        "e/fx.csv": b"day,rate\n2026-01-01,1.5\n2026-01-02,1.75\n",
        "e/people.jsonl.gz": gzip.compress(lines),
    }
    lab.wrote(*({"key": k, "base64": base64.b64encode(b).decode(), "at": ago(days=2)} for k, b in files.items()))
    orders = {"orders": "orders/*.parquet"}
    good: Sequence[dict[str, object]] = (
        {"name": "orders", "sql": "select count(*) from orders", "files": orders, "expect": {"equals": 150}},
        {
            "name": "fx",
            "sql": "select max(rate) from fx",
            "files": {"fx": {"path": "*.csv", "columns": {"day": "DATE", "rate": "DOUBLE"}}},
            "expect": {"equals": 1.75},
        },
        {
            "name": "people",
            "sql": "select count(*) from people",
            "files": {"people": "people.jsonl.gz"},
            "expect": {"at_least": 10},
        },
    )
    report = lab.verify(*good, prefix="e/", at="1d")
    assert passed(report)
    bad = {
        "name": "names",
        "sql": "select who from people where id < 3",
        "files": {"people": "people.jsonl.gz"},
        "expect": {"no_rows": True},
    }
    lab.declare(*good, bad, prefix="e/", at="1d")
    ran = lab.product.run("run", "exports", "--json")
    assert (ran.code, ran.report["verdict"], ran.report["failure"]["kind"]) == (1, "broken", "assertion-failed")
    shown = lab.product.run("show", ran.report["run_id"])
    kept = [p for p in (lab.product.home / "state").rglob("*") if p.is_file()]
    for text in [ran.out, ran.err, shown.out, *(p.read_bytes().decode("latin-1") for p in kept)]:
        assert CANARY not in text


# --- back to nothing -----------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_versioned_scratch_bucket_is_left_without_a_version_or_a_marker(lab: Lab):
    lab.scratch.put_bucket_versioning(Bucket=LAB, VersioningConfiguration={"Status": "Enabled"})
    lab.wrote(*({"key": f"k{n}", "body": str(n), "at": ago(days=2)} for n in range(5)))
    assert passed(lab.verify(counted(5), at="1d"))  # and `verify` lists every version in the bucket


@pytest.mark.long
def test_what_was_left_of_an_upload_is_aborted(lab: Lab):
    """An upload that somebody began below the prefix of this very run, once its lease was there."""
    lab.wrote({"key": "a", "body": "1", "at": ago(days=2)})
    lab.declare(counted(1), at="1d")
    at = datetime.now(UTC)
    where = scratch_name(run_id("exports", at))

    lab.scratch.create_multipart_upload(Bucket=LAB, Key=f"{where}/k/left")
    other = lab.scratch.create_multipart_upload(Bucket=LAB, Key="of-others")
    assert passed(lab.product.verify("exports", clock=Named(at)))
    uploads = lab.scratch.list_multipart_uploads(Bucket=LAB)["Uploads"]
    assert [u["UploadId"] for u in uploads] == [other["UploadId"]]


def test_a_prefix_that_holds_what_is_not_this_run_s_is_left_alone(lab: Lab):
    lab.wrote({"key": "a", "body": "1", "at": ago(days=2)})
    lab.declare(counted(1), at="1d")
    at = datetime.now(UTC)
    where = scratch_name(run_id("exports", at))

    lab.scratch.put_object(Bucket=LAB, Key=f"{where}/k/theirs", Body=b"x")
    report = lab.product.verify("exports", clock=Named(at), left=True)
    assert (report.verdict, kind(report)) == (Verdict.UNPROVEN, "taken")
    assert [one.arn.rpartition(":")[2] for one in report.leaked] == [f"{LAB}/{where}/"]
    assert "no lease" in report.leaked[0].reason
    assert f"{where}/k/theirs" in lab.world.held(LAB)


# --- killed --------------------------------------------------------------------------------------------------------


def copied_keys(lab: Lab) -> list[str]:
    return [c["parameters"]["Key"] for c in lab.calls("CopyObject") if c["carried_out"] and c["status"] == 200]


@pytest.mark.long
def test_killed_in_the_middle_of_copying_it_copies_nothing_twice(lab: Lab):
    number = 400
    lab.wrote(*({"key": f"k{n:04}", "body": str(n), "at": ago(days=2)} for n in range(number)))
    lab.declare(counted(number), at="1d", at_once=4, read=10)
    before = lab.product.estate()
    process = lab.product.popen("run", "exports", "--json")
    until(lambda: len(copied_keys(lab)) > 40 or process.poll() is not None, 60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    first = copied_keys(lab)
    assert 40 < len(first) < number
    ran = lab.product.popen("run", "exports", "--json")
    out, err = ran.communicate(timeout=120)
    report = json.loads(out)["reports"][0]
    assert (ran.returncode, report["verdict"], report["leaked"]) == (0, "passed", []), (out, err)
    lab.product.compare(before, left=False, told=out)
    copied = copied_keys(lab)
    assert len(set(copied)) == number
    assert len(copied) == number, "copied twice"


# --- swept ---------------------------------------------------------------------------------------------------------


def leased(lab: Lab, began: datetime) -> str:
    """Put a lease of a run that began then, which holds for a day, and an object, as a run would; return the prefix."""
    run = run_id("exports", began)
    permit = fence_of(load(lab.product.home / "config.toml")).permit(
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region=REGION,
        began=began,
        expires=began + timedelta(hours=24),
        run_id=run,
        check="exports",
        bucket=LAB,
    )
    prefix, tags = f"{scratch_name(run)}/", metadata_of(permit.tags("objects", SCRATCH))
    lab.scratch.put_object(Bucket=LAB, Key=f"{prefix}{LEASE}", Metadata=tags)
    for key in ("k/a", "k/b//c"):
        lab.scratch.put_object(Bucket=LAB, Key=prefix + key, Body=b"x")
    return prefix


@pytest.mark.long
def test_the_sweep_removes_what_is_past_its_lease_and_reports_what_has_none(lab: Lab):
    lab.declare(counted(1), at="1d")
    lost, under_way = leased(lab, ago(days=3)), leased(lab, ago(hours=2))
    nobodys = f"{scratch_name(run_id('exports', ago(days=9)))}/"
    lab.scratch.put_object(Bucket=LAB, Key=f"{nobodys}k/a", Body=b"x")
    before = lab.world.held(LAB)
    dry = lab.product.run("sweep", left=True, timeout=60)
    assert lab.world.held(LAB) == before, "a look deletes nothing"
    assert lost.rstrip("/") in dry.out
    assert "no lease" in dry.out
    done = lab.product.run("sweep", "--no-dry-run", "--share", "1", left=True, timeout=60)
    after = lab.world.held(LAB)
    assert after == {key: seen for key, seen in before.items() if not key.startswith(lost)}, done
    assert {f"{under_way}k/a", f"{nobodys}k/a", "restorecheck/of-others"} <= set(after)
    assert "no lease" in done.out
