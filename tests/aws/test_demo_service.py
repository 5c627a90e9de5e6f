"""What a service that runs for nights asks of the demo AWS: another time of day, outages, counts, and no growth."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from demo_world import SOURCE, World, connect, gone, instance_in, snapshot_in

from restorecheck.demo.aws.process import DemoAws, DemoAwsError
from restorecheck.demo.aws.snapshots import Snapshot
from restorecheck.demo.aws.timeline import Timeline

NIGHTS = timedelta(days=9)


def from_now(then: datetime) -> timedelta:
    return then - datetime.now(UTC)


def near(then: datetime, offset: timedelta) -> bool:
    return abs(from_now(then) - offset) < timedelta(seconds=30)


def once(aws: DemoAws, service: str, account: str = SOURCE) -> Any:
    """Return a client that does not retry."""
    session = boto3.Session(**aws.credentials(account), region_name="us-east-1")
    return session.client(service, endpoint_url=aws.url, config=Config(retries={"total_max_attempts": 1}))


def test_everything_that_aws_describes_is_of_the_time_of_day_that_it_was_told(world: World) -> None:
    before = world.database("orders", BackupRetentionPeriod=1)
    assert near(before["InstanceCreateTime"], timedelta(0))
    world.aws.clock(NIGHTS.total_seconds())
    taken = world.snapshot("orders", "weekly")
    for name in ("SnapshotCreateTime", "OriginalSnapshotCreateTime", "SnapshotDatabaseTime"):
        assert near(taken[name], NIGHTS), name
    assert taken["InstanceCreateTime"] == before["InstanceCreateTime"]
    day = f"{datetime.now(UTC) + NIGHTS:%Y-%m-%d}"
    nightly = world.aws.automated_snapshot(SOURCE, "orders")
    assert day in nightly or f"{datetime.now(UTC) + NIGHTS:%Y-%m-%d}" in nightly  # midnight came between
    rds = world.source_rds
    assert near(instance_in(rds, "orders")["LatestRestorableTime"], NIGHTS - timedelta(minutes=5))
    world.aws.clock(2 * NIGHTS.total_seconds())
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="weekly", TargetDBSnapshotIdentifier="copy")
    copied = snapshot_in(rds, "copy")
    assert near(copied["SnapshotCreateTime"], 2 * NIGHTS)
    assert near(copied["OriginalSnapshotCreateTime"], NIGHTS)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="weekly")
    assert near(instance_in(rds, "again")["InstanceCreateTime"], 2 * NIGHTS)


def test_credentials_and_phases_keep_real_time(world: World) -> None:
    world.aws.clock(NIGHTS.total_seconds())
    sts = world.aws.client("sts", SOURCE)
    role = world.aws.role(SOURCE, "other", trusted=[SOURCE])
    expires = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]["Expiration"]
    assert timedelta(0) < from_now(expires) <= timedelta(hours=1, seconds=30)
    world.database("orders")  # available within the seconds of the test's timings, not at once and not in nine days


def test_a_reset_tells_our_time_again(world: World) -> None:
    world.aws.clock(NIGHTS.total_seconds())
    world.aws.outage(True)
    world.aws.reset()
    assert world.aws.client("rds", SOURCE).describe_db_instances()["DBInstances"] == []
    assert world.aws.tally()["made"] == []


@pytest.mark.parametrize("offset", ["1", None, True, 1e300])
def test_an_offset_is_a_number_of_seconds(fresh_aws: DemoAws, offset: Any) -> None:
    with pytest.raises(DemoAwsError, match="offset"):
        fresh_aws.clock(offset)


def test_an_outage_closes_every_connection_and_databases_live_on(world: World) -> None:
    instance = world.database("orders", "create table t as select 1 as id")
    rds, sts, warm = once(world.aws, "rds"), once(world.aws, "sts"), once(world.aws, "rds")
    warm.describe_db_instances()  # a connection that is open when the outage begins
    world.aws.outage(True)
    for call in (rds.describe_db_instances, sts.get_caller_identity, warm.describe_db_instances):
        with pytest.raises(ConnectionClosedError):
            call()
    with connect(instance) as connection:
        assert connection.execute("select id from t").fetchall() == [(1,)]
    assert world.aws.state()["postgres"]
    last = world.aws.calls()[-1]
    assert (last["operation"], last["error"], last["carried_out"]) == ("DescribeDBInstances", "no answer", False)
    world.aws.outage(False)
    assert [i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]] == ["orders"]


def test_an_outage_can_answer_as_unavailable(fresh_aws: DemoAws) -> None:
    rds = once(fresh_aws, "rds")
    fresh_aws.outage(True, how="unavailable")
    with pytest.raises(ClientError) as error:
        rds.describe_db_instances()
    assert error.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    with pytest.raises(DemoAwsError, match="how is 'slow'"):
        fresh_aws.outage(True, how="slow")  # type: ignore[arg-type]  # what a control call may bring
    fresh_aws.outage(False)
    rds.describe_db_instances()


def test_the_tally_counts_every_call_and_tells_what_was_made_how_often(world: World) -> None:
    world.database("orders")
    rds = once(world.aws, "rds")
    make = {"DBInstanceIdentifier": "orders", "DBSnapshotIdentifier": "s"}
    world.aws.fault("CreateDBSnapshot", code="InternalFailure", carried_out=True)
    for _ in range(3):  # its answer is lost; refused: it is there; refused again
        with pytest.raises(ClientError):
            rds.create_db_snapshot(**make)
    world.aws.fault("DeleteDBSnapshot", code="AccessDenied")
    with pytest.raises(ClientError):
        rds.delete_db_snapshot(DBSnapshotIdentifier="s")
    tally = world.aws.tally()
    made = {(m["account"], m["operation"], m["name"]): len(m["times"]) for m in tally["made"]}
    assert made == {(SOURCE, "CreateDBInstance", "orders"): 1, (SOURCE, "CreateDBSnapshot", "s"): 1}
    of = [c for c in tally["calls"] if c["operation"] == "CreateDBSnapshot"]
    assert (sum(c["calls"] for c in of), sum(c["errors"] for c in of)) == (3, 3)
    assert sum(c["calls"] for c in tally["calls"]) == len(world.aws.calls())

    snapshot_in(rds, "s")
    rds.delete_db_snapshot(DBSnapshotIdentifier="s")
    rds.create_db_snapshot(**make)
    [again] = [m for m in world.aws.tally()["made"] if m["operation"] == "CreateDBSnapshot"]
    assert len(again["times"]) == 2


@pytest.mark.long
def test_restores_that_are_over_hold_no_process_and_no_directory(world: World) -> None:
    world.database("orders")
    world.snapshot("orders", "s")
    rds = world.source_rds
    for name in ("a", "b", "c"):
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier="s")
        instance_in(rds, name)
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        gone(rds, name)
    state = world.aws.state()
    assert len(state["postgres"]) == 1
    assert len(list(Path(state["data_dir"], "instances").iterdir())) == 1


def test_a_snapshot_forgets_who_has_read_it() -> None:
    """Each of them holds a database server; a snapshot that is restored every night once held them all."""
    now = datetime.now(UTC)
    snapshot = Snapshot(
        account=SOURCE,
        region="us-east-1",
        identifier="s",
        kind="manual",
        instance="orders",
        resource_id="db-1",
        settings={},
        tags={},
        instance_tags={},
        directory=Path("nowhere"),
        work=Future(),
        timeline=Timeline(0, (), "available"),
        instance_created=now,
        database_time=now,
        original_created=now,
        created=now,
    )
    reads: list[Future[Any]] = [Future() for _ in range(100)]
    for read in reads:
        snapshot.read_by(read)
        if read is not reads[50]:
            read.set_result(None)
    assert snapshot.readers == [reads[50], reads[99]]
