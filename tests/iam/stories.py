"""What restorecheck does with its roles, one story for each way: together they need every permission that it asks for.

Each says whether all went well, and everything that an operator would read.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from demo_world import BASE, MASTER, PASSWORD, REGION, SCRATCH, SOURCE, instance_of, until
from iam.accounts import EXPORTS, FUNCTION, LAB, RECORDER, SERVICE, STATE, STATE_PREFIX, SURVEYOR, Accounts

from restorecheck.config import load
from restorecheck.doctor import diagnose
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Entrance, Fence
from restorecheck.model import Report, Verdict
from restorecheck.ports import fence_of
from restorecheck.schedule import run_id, scratch_name
from restorecheck.sweep import State, Swept
from restorecheck.sweep import sweep as look_and_sweep
from restorecheck.upkeep import places


@dataclass(frozen=True)
class Told:
    """How a story ended."""

    well: bool
    unproven: bool
    """Whether it ended as what we could not tell must end: unproven, or by an exit code other than 0 and 1."""
    text: str


Story = Callable[[Accounts], Told]


class Named(WallClock):
    """A clock whose first answer, which names the run, is given."""

    def __init__(self, first: datetime) -> None:
        self._first: datetime | None = first

    def now(self) -> datetime:
        first, self._first = self._first, None
        return first or super().now()


def ran(check: str) -> Story:
    """Run a check."""

    def story(accounts: Accounts) -> Told:
        return _told(accounts.product.verify(check, left=True))

    return story


def _told(report: Report) -> Told:
    well = report.verdict is Verdict.PASSED and not report.leaked
    failed = f"{report.failure.message} ({report.failure.hint})" if report.failure else ""
    left = [f"{one.arn} {one.reason}" for one in report.leaked]
    found = [f"{f.name} {f.outcome} {f.message}" for f in report.findings]
    unproven = report.verdict is Verdict.UNPROVEN or bool(report.leaked)
    return Told(well, unproven, "\n".join([report.verdict, failed, *left, *found, *report.notes, *report.proven]))


def aborted(accounts: Accounts) -> Told:
    """A run of objects that finds an upload below its own prefix which nobody ended."""
    at = datetime.now(UTC)
    where = scratch_name(run_id("copied", at))
    scratch = accounts.aws.client("s3", SCRATCH)
    upload = scratch.create_multipart_upload(Bucket=LAB, Key=f"{where}/k/left")["UploadId"]
    told = _told(accounts.product.verify("copied", clock=Named(at), left=True))
    if scratch.list_multipart_uploads(Bucket=LAB).get("Uploads"):
        scratch.abort_multipart_upload(Bucket=LAB, Key=f"{where}/k/left", UploadId=upload)
    return told


def recorded(accounts: Accounts) -> Told:
    """`restorecheck record` beside the source, and a run that compares with it."""
    shop = instance_of(accounts.world.source_rds, "shop")
    assert shop is not None
    url = f"postgresql://{MASTER}@{shop['Endpoint']['Address']}:{shop['Endpoint']['Port']}/shop"
    environment = accounts.product.as_role(SOURCE, RECORDER) | {"RESTORECHECK_RECORD_PASSWORD": PASSWORD}
    arguments = ("record", "recorded", "--reference", "live", "--from", url)
    process = accounts.product.popen(*arguments, **environment)
    out, err = process.communicate(timeout=120)
    return Told(process.returncode == 0, process.returncode not in {0, 1}, out + err)


def notified(accounts: Accounts) -> Told:
    """`restorecheck notify --test`, which publishes to the topic."""
    process = accounts.product.popen("notify", "--test")
    out, err = process.communicate(timeout=120)
    return Told(process.returncode == 0, process.returncode not in {0, 1}, out + err)


def doctored(accounts: Accounts) -> Told:
    """`restorecheck doctor`."""
    with accounts.acting() as fence:
        config = load(accounts.product.home / "config.toml")
        found = diagnose(config, fence, datetime.now(UTC))
    ill = [d for d in found if d.outcome != "pass"]
    lines = [f"{d.subject}: {d.name}: {d.outcome}: {d.detail} {d.fix}" for d in ill]
    return Told(not ill, bool(ill), "\n".join(lines))


def swept(accounts: Accounts) -> Told:
    """`restorecheck sweep` over what runs of two days ago have left."""
    began = datetime.now(UTC) - timedelta(days=2)
    with accounts.acting() as fence:
        _leave(accounts, fence, began)
        found = look_and_sweep(fence, places(load(accounts.product.home / "config.toml")), datetime.now(UTC), act=True)
    return _of_sweep(found)


def _of_sweep(found: Swept) -> Told:
    gone = found.of(State.ASKED, State.GOING)
    bad = found.leaked or bool(found.blind)
    lines = [f"{p.state} {p.label} {p.reason}" for p in found.pieces]
    lines += [f"{b.what} of {b.place.name}: {b.reason}" for b in found.blind]
    return Told(bool(gone) and not bad, bad, "\n".join([*lines, found.tripped]))


def _leave(accounts: Accounts, fence: Fence, began: datetime) -> None:
    """Leave a snapshot in the source account and an instance in the scratch account, as a run of then."""
    run = run_id("lent", began)
    name, world = scratch_name(run), accounts.world
    permit = fence.permit(
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region=REGION,
        began=began,
        expires=began + timedelta(hours=24),
        run_id=run,
        check="lent",
        instance="shop",
    )
    world.snapshot("shop", name, Tags=permit.tags("snapshot", SOURCE))
    world.scratch_instance(name, {tag["Key"]: tag["Value"] for tag in permit.tags("db", SCRATCH)})


def kept(accounts: Accounts) -> Told:
    """The state in a bucket: read, written anew, and replaced."""

    def work(fence: Fence) -> None:
        hand = fence.keeper(STATE, STATE_PREFIX, REGION)
        key = f"{STATE_PREFIX}{datetime.now(UTC):%H%M%S%f}"
        where = {"Bucket": STATE, "ExpectedBucketOwner": BASE}
        hand.call("s3", "GetBucketVersioning", **where)
        hand.call("s3", "ListObjectsV2", Prefix=STATE_PREFIX, **where)
        made = hand.call("s3", "PutObject", Key=key, **_content(b"1"), IfNoneMatch="*", **where)
        hand.call("s3", "PutObject", Key=key, **_content(b"2"), IfMatch=made["ETag"], **where)
        hand.call("s3", "GetObject", Key=key, **where)["Body"].read()

    return _by_hand(accounts, work)


def _content(body: bytes) -> dict[str, Any]:
    sum_ = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"Body": body, "ChecksumSHA256": sum_, "ContentType": "application/json"}


def surveyed(accounts: Accounts) -> Told:
    """Everything that a surveyor looks at, as itself."""

    def work(fence: Fence) -> None:
        hand = fence.surveyor(Entrance(SOURCE, ""), REGION)
        for operation, key in (
            ("DescribeDBClusters", "DBClusters"),
            ("DescribeDBClusterSnapshots", "DBClusterSnapshots"),
            ("DescribeDBInstances", "DBInstances"),
            ("DescribeDBSnapshots", "DBSnapshots"),
        ):
            assert list(hand.pages("rds", operation, key))
        hand.call("kms", "DescribeKey", KeyId=accounts.world.source_key)
        hand.call("s3", "ListBuckets")
        for operation in ("GetBucketLocation", "GetBucketVersioning", "ListObjectVersions"):
            hand.call("s3", operation, Bucket=EXPORTS, ExpectedBucketOwner=SOURCE)

    return _by_hand(accounts, work, accounts.product.as_role(SOURCE, SURVEYOR))


def started(accounts: Accounts) -> Told:
    """What a starter asks of Lambda, and a function that records its steps. There is no such function here."""
    execution = f"{FUNCTION}/durable-execution/nightly/1"
    as_service = {key.lower(): value for key, value in accounts.product.as_role(BASE, SERVICE).items()}
    client: Any = boto3.Session(**as_service, region_name=REGION).client("lambda", endpoint_url=accounts.aws.url)  # type: ignore[call-overload]
    told = []
    for call in (
        lambda: client.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=b"{}"),
        lambda: client.list_durable_executions_by_function(FunctionName=FUNCTION),
        lambda: client.get_durable_execution(DurableExecutionArn=execution),
        lambda: client.get_durable_execution_state(DurableExecutionArn=execution, CheckpointToken="t"),
        lambda: client.checkpoint_durable_execution(DurableExecutionArn=execution, CheckpointToken="t"),
    ):
        try:
            call()
        except Exception as e:  # noqa: BLE001 - moto knows no such function: whatever comes after permission is well
            told.append(str(e))
    refused = [one for one in told if "not authorized" in one]
    return Told(not refused, bool(refused), "\n".join(refused))


def _by_hand(accounts: Accounts, work: Callable[[Fence], None], more: dict[str, str] | None = None) -> Told:
    with _acting(accounts, more or {}) as fence:
        try:
            work(fence)
        except RestorecheckError as e:
            return Told(False, e.kind in {"permission", "credentials"}, f"{e.message} ({e.hint})")
    return Told(True, False, "")


@contextmanager
def _acting(accounts: Accounts, more: dict[str, str]) -> Iterator[Fence]:
    with accounts.acting() as fence, pytest.MonkeyPatch.context() as patch:
        for name, value in more.items():
            patch.setenv(name, value)
        yield fence_of(load(accounts.product.home / "config.toml")) if more else fence


STORIES: dict[str, Story] = {
    "record": recorded,
    "kept": kept,
    "surveyed": surveyed,
    "started": started,
    "notify": notified,
    "dumped": ran("dumped"),
    "copied": ran("copied"),
    "streamed": ran("streamed"),
    "lent": ran("lent"),
    "shared": ran("shared"),
    "automated": ran("automated"),
    "cluster": ran("cluster"),
    "cluster-lent": ran("cluster-lent"),
    "cluster-copied": ran("cluster-copied"),
    "recorded": ran("recorded"),
    "aborted": aborted,
    "sweep": swept,
    "doctor": doctored,
}
"""The shortest first: of several stories that need a statement, the first one is told without it."""


def cleared(accounts: Accounts) -> None:
    """Sweep as in two days' time, with all policies in force, until nothing of ours is there."""
    config = load(accounts.product.home / "config.toml")

    def clean() -> bool:
        if not accounts.product.estate()["ours"]:
            return True
        with accounts.acting() as fence:
            look_and_sweep(fence, places(config), datetime.now(UTC) + timedelta(days=2), act=True, share=1.0)
        return not accounts.product.estate()["ours"]

    until(clean, 30)
