"""What was recorded when a backup was made, and the objects that its rows name: what nothing in the backup shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demo_world import BASE, MASTER, PASSWORD, SOURCE, World, instance_of
from postgres_damage import heap_of
from product import Product

from restorecheck.demo.aws.process import FAST, DemoAws
from restorecheck.model import Level, Report, Verdict
from restorecheck.references import manifest

BACKUPS, UPLOADS = "shop-references", "shop-uploads"
pytestmark = pytest.mark.long  # a demo AWS of its own, and a run for each story

READ: dict[str, object] = {"name": "as-recorded", "probe": "readable", "expect": {"same_as": "live"}}
ROWS: dict[str, object] = {
    "name": "rows-as-recorded",
    "sql": "select id, customer from orders where id <= 900",
    "expect": {"same_as": "live"},
}
COUNT: dict[str, object] = {
    "name": "as-many",
    "sql": "select count(*) from orders",
    "expect": {"between": [0.99, 1.01], "of": "live"},
}
TABLES = f"""
[reference.live]
bucket = "{BACKUPS}"
object = "shop/*.json"

[objects.uploads]
bucket = "{UPLOADS}"
prefix = "up/"
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[DemoAws]:
    """A demo AWS whose databases have no page checksums: they would show what is changed here before anything else."""
    with DemoAws.start(timings=FAST, checksums=False) as running:
        yield running


class Shop:
    """The shop, who records it, and its check."""

    def __init__(self, product: Product) -> None:
        self.product, self.world = product, product.world
        self.bucket = self.world.bucket(BACKUPS)
        self.role = self.world.aws.role(SOURCE, "recorder", trusted=[BASE])

    def declare(self, *asserts: dict[str, object]) -> None:
        self.product.check(asserts=asserts)
        path = self.product.home / "checks" / "shop-db.toml"
        text = path.read_text() + TABLES
        path.write_text(text if any("uploads" in str(a) for a in asserts) else text.partition("\n[objects")[0])

    def record(self, *more: str, code: int = 0, **environment: str) -> dict[str, Any]:
        """Record as an operator does: from the live instance, as a role that may write there."""
        where = instance_of(self.world.source_rds, "shop")
        assert where is not None
        url = f"postgresql://{MASTER}@{where['Endpoint']['Address']}:{where['Endpoint']['Port']}/shop"
        arguments = ("record", "shop-db", "--reference", "live", "--from", url, "--json")
        process = self.product.popen(*arguments, *more, **{"RESTORECHECK_RECORD_PASSWORD": PASSWORD} | environment)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, (out, err)
        return dict(json.loads(out))

    def kept(self) -> list[bytes]:
        found = self.bucket.list_objects_v2(Bucket=BACKUPS).get("Contents", ())
        return [self.bucket.get_object(Bucket=BACKUPS, Key=one["Key"])["Body"].read() for one in found]

    def heap(self) -> Path:
        """Return the file of `orders` in the snapshot."""
        return heap_of(self.world, "shop", "orders", self.world.aws.snapshot_directory(SOURCE, "weekly"))


@pytest.fixture
def shop(product: Product) -> Shop:
    return Shop(product)


def outcomes(report: Report) -> dict[str, str]:
    return {f.name: f"{f.outcome} {f.kind}".strip() for f in report.findings if f.by == "check"}


def told(report: Report, name: str) -> str:
    return next(f.message for f in report.findings if f.name == name)


def test_a_backup_that_equals_what_was_recorded_passes_and_one_letter_that_differs_is_found(shop: Shop):
    shop.declare(READ, ROWS, COUNT)
    done = shop.record("--role", shop.role)
    assert (done["answers"], done["manifest"].startswith(f"s3://{BACKUPS}/shop/shop-db-")) == (3, True)
    [body] = shop.kept()
    assert b"canary" not in body
    assert {m.object: m.rows for m in manifest.read(body).answers[0].measures} == {"public.orders": 1000}
    shop.world.snapshot("shop", "weekly")
    report = shop.product.verify()
    assert (report.verdict, report.level) == (Verdict.PASSED, Level.EQUAL), report
    heap = shop.heap()
    before = heap.read_bytes()
    assert before.count(b"canary-500") == 1
    heap.write_bytes(before.replace(b"canary-500", b"canary-5O0"))  # nothing structural shows it
    report = shop.product.verify()
    assert report.verdict is Verdict.BROKEN
    assert report.failure is not None
    assert report.failure.kind == "reference-differs"
    assert report.level is not Level.EQUAL
    found = outcomes(report)
    assert found["as-recorded"] == found["rows-as-recorded"] == "fail reference-differs"
    assert found["as-many"] == "pass"
    assert "public.orders" in told(report, "as-recorded")
    assert "canary" not in str(report)


def test_without_a_recording_of_that_time_nobody_can_tell(shop: Shop):
    shop.declare(ROWS)
    shop.world.snapshot("shop", "weekly")
    report = shop.product.verify()
    assert report.verdict is Verdict.UNPROVEN
    assert outcomes(report)["rows-as-recorded"] == "error no-reference"
    assert f"s3://{BACKUPS}/shop/*.json" in told(report, "rows-as-recorded")


def test_a_recorder_writes_nothing_over_and_nowhere_else(shop: Shop):
    shop.declare(ROWS)
    failed = shop.record(code=4)  # as who the process is: of another account
    assert "the recorder role of account" in failed["error"]["message"]
    assert shop.kept() == []
    shop.world.aws.clear_calls()
    shop.record("--role", shop.role)
    done = [(c["role"], c["operation"]) for c in shop.world.aws.calls() if c["service"] == "s3"]
    assert done == [("recorder", "PutObject")]
    [call] = [c for c in shop.world.aws.calls() if c["service"] == "s3"]
    assert call["account"] == SOURCE
    [body] = shop.kept()
    key = shop.bucket.list_objects_v2(Bucket=BACKUPS)["Contents"][0]["Key"]
    with pytest.raises(
        shop.bucket.exceptions.ClientError, match="PreconditionFailed"
    ):  # what S3 does with If-None-Match
        shop.bucket.put_object(Bucket=BACKUPS, Key=key, Body=b"x", IfNoneMatch="*")
    assert shop.kept() == [body]


def test_a_source_that_does_not_answer_leaves_nothing_behind(shop: Shop):
    shop.declare(ROWS, {**ROWS, "name": "lost", "sql": "select id from lost"})
    failed = shop.record("--role", shop.role, code=3)
    assert "nothing was recorded: lost: " in failed["error"]["message"]
    wrong = shop.record("--role", shop.role, code=3, RESTORECHECK_RECORD_PASSWORD="wrong")
    assert wrong["error"]["kind"] == "login-failed"
    assert shop.kept() == []


# --- the objects that rows name ---------------------------------------------------------------------------------------

EXIST: dict[str, object] = {
    "name": "rows-have-objects",
    "sql": "select customer || '.pdf' from orders where id <= 20",
    "expect": {"exist_in": "uploads"},
}
COVER: dict[str, object] = {
    "name": "objects-have-rows",
    "sql": "select customer || '.pdf' from orders",
    "expect": {"covers": "uploads"},
}


def uploads(world: World, *more: dict[str, Any]) -> None:
    """Make the bucket, with one object for each of the first 20 rows, written a day ago."""
    world.bucket(UPLOADS)
    old = datetime.now(UTC) - timedelta(days=1)
    writes = [{"key": f"up/canary-{n}.pdf", "base64": "eA==", "at": old} for n in range(1, 21)]
    world.aws.history(SOURCE, UPLOADS, [*writes, *more])


def test_rows_and_objects_that_fit_at_the_backups_time_pass_whatever_was_deleted_since(shop: Shop):
    shop.declare(EXIST, COVER)
    uploads(shop.world)
    shop.world.snapshot("shop", "weekly")
    s3 = shop.world.aws.client("s3", SOURCE)
    marker = s3.delete_object(Bucket=UPLOADS, Key="up/canary-7.pdf")["VersionId"]
    since = datetime.now(UTC) + timedelta(seconds=2)  # after the snapshot by more than S3's whole seconds
    shop.world.aws.backdate(SOURCE, UPLOADS, "up/canary-7.pdf", marker, since)
    report = shop.product.verify()
    assert report.verdict is Verdict.PASSED, report
    assert report.level is not Level.EQUAL


def test_a_row_whose_object_was_gone_before_and_an_object_that_no_row_knows(shop: Shop):
    shop.declare(EXIST, COVER)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    gone = {"key": "up/canary-7.pdf", "delete": True, "at": hour_ago}
    uploads(shop.world, gone, {"key": "up/stranger.pdf", "base64": "eA==", "at": hour_ago})
    shop.world.snapshot("shop", "weekly")
    report = shop.product.verify()
    assert report.verdict is Verdict.BROKEN
    assert outcomes(report) == {
        "rows-have-objects": "fail assertion-failed",
        "objects-have-rows": "fail assertion-failed",
    } | {name: text for name, text in outcomes(report).items() if name in {"rpo", "rto"}}
    assert "canary" not in str(report)
    assert "stranger" not in str(report)


def test_a_bucket_without_versions_leaves_it_open(shop: Shop):
    shop.declare(EXIST)
    shop.world.bucket(UPLOADS, versioning="")
    shop.world.snapshot("shop", "weekly")
    report = shop.product.verify()
    assert report.verdict is Verdict.UNPROVEN
    assert outcomes(report)["rows-have-objects"] == "error could-not-look"
    assert "versioning of the bucket" in told(report, "rows-have-objects")
