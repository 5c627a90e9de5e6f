"""Everything that can be made to go wrong, and that it goes wrong as AWS or PostgreSQL would have it."""

import socket
import threading
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from demo_world import LONG, SCRATCH, SOURCE, World, connect, gone, instance_in, instance_of, snapshot_in, until

from restorecheck.demo.aws.process import DemoAws, DemoAwsError


def once(aws: DemoAws, service: str, account: str = SOURCE, **credentials: str) -> Any:
    """Return a client that does not retry."""
    session = boto3.Session(**(credentials or aws.credentials(account)), region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    return session.client(service, endpoint_url=aws.url, config=config)


def error_of(call: Any, **arguments: Any) -> tuple[str, int]:
    """Call, and return the AWS error's code and HTTP status."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_any_error_on_any_call_of_any_protocol(fresh_aws: DemoAws) -> None:
    rds, kms, ec2, sts, s3 = (once(fresh_aws, name) for name in ("rds", "kms", "ec2", "sts", "s3"))
    fresh_aws.fault("*", code="ServiceUnavailable", times=None)
    for call in (rds.describe_db_instances, kms.list_keys, ec2.describe_vpcs, sts.get_caller_identity, s3.list_buckets):
        assert error_of(call) == ("ServiceUnavailable", 503)
    fresh_aws.clear_faults()
    fresh_aws.fault("CopyDBSnapshot", service="rds", code="KMSKeyNotAccessibleFault")
    copy = {"SourceDBSnapshotIdentifier": "a", "TargetDBSnapshotIdentifier": "b"}
    assert error_of(rds.copy_db_snapshot, **copy) == ("KMSKeyNotAccessibleFault", 400)
    assert error_of(rds.copy_db_snapshot, **copy) == ("DBSnapshotNotFound", 404)  # it struck once
    fresh_aws.fault("DescribeKey", code="DisabledException", message="the key sleeps")
    with pytest.raises(kms.exceptions.DisabledException, match="the key sleeps"):
        kms.describe_key(KeyId="x")


def test_a_fault_is_for_whom_it_is_meant(world: World) -> None:
    aws = world.aws
    role = once(aws, "rds", **world.assume(world.scratch_role))
    fault = aws.fault(
        "Describe*", account=SCRATCH, role="restorecheck-*", code="AccessDenied", times=2, after=1, service="rds"
    )
    role.describe_db_instances()  # after the first
    assert error_of(role.describe_db_instances) == ("AccessDenied", 403)
    once(aws, "rds", SCRATCH).describe_db_instances()  # the administrator is not meant
    with pytest.raises(ClientError, match="not authorized to perform: rds:DescribeDBSnapshots"):
        role.describe_db_snapshots()
    role.describe_db_instances()  # used up
    (described,) = aws.faults()
    assert (described["id"], described["struck"]) == (fault, 2)

    aws.fault("DescribeDBInstances", name="orders-*", code="InternalFailure", times=None)
    admin = once(aws, "rds")
    assert error_of(admin.describe_db_instances, DBInstanceIdentifier="orders-7") == ("InternalFailure", 500)
    assert error_of(admin.describe_db_instances, DBInstanceIdentifier="users") == ("DBInstanceNotFound", 404)


def test_throttling_is_survived_by_retries(fresh_aws: DemoAws) -> None:
    fresh_aws.fault("DescribeDBInstances", code="Throttling", times=2)
    assert fresh_aws.client("rds", SOURCE).describe_db_instances()["DBInstances"] == []
    statuses = [(c["status"], c["error"]) for c in fresh_aws.calls() if c["operation"] == "DescribeDBInstances"]
    assert statuses == [(400, "Throttling"), (400, "Throttling"), (200, None)]


def test_a_call_can_be_carried_out_and_its_answer_lost(world: World) -> None:
    world.database("orders")
    world.aws.fault("CreateDBSnapshot", code="InternalFailure", carried_out=True)
    rds = once(world.aws, "rds")
    make = {"DBInstanceIdentifier": "orders", "DBSnapshotIdentifier": "s"}
    assert error_of(rds.create_db_snapshot, **make) == ("InternalFailure", 500)
    assert error_of(rds.create_db_snapshot, **make) == ("DBSnapshotAlreadyExists", 400)


def restored(world: World, name: str, at_most: str = "available") -> dict[str, Any]:
    """Restore from snapshot `s` in the source account and wait for a status."""
    world.source_rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier="s")
    return instance_in(world.source_rds, name, at_most)


def test_restores_that_end_badly(world: World) -> None:
    aws, rds = world.aws, world.source_rds
    world.database("orders")
    world.snapshot("orders", "s")
    restore = "RestoreDBInstanceFromDBSnapshot"
    aws.fault(restore, instance_status="incompatible-restore")
    aws.fault(restore, name="full*", instance_status="storage-full")
    aws.fault(restore, name="stuck", instance_status="creating")
    assert "Endpoint" not in restored(world, "bad", "incompatible-restore")
    assert "Endpoint" in restored(world, "full", "storage-full")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="stuck", DBSnapshotIdentifier="s")
    instance_in(rds, "orders")
    found = instance_of(rds, "stuck")
    assert found is not None
    assert found["DBInstanceStatus"] == "creating"
    final = {"DBInstanceIdentifier": "bad", "FinalDBSnapshotIdentifier": "last"}
    assert error_of(rds.delete_db_instance, **final)[0] == "InvalidDBInstanceState"
    for name in ("bad", "full", "stuck"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        gone(rds, name)
    until(lambda: len(aws.state()["postgres"]) == 1)


def test_a_slow_boot_only_takes_longer(world: World) -> None:
    world.database("orders")
    world.snapshot("orders", "s")
    world.aws.fault("RestoreDBInstance*", name="slow", slow_boot=LONG)
    slow = {"DBInstanceIdentifier": "slow", "DBSnapshotIdentifier": "s"}
    world.source_rds.restore_db_instance_from_db_snapshot(**slow)
    restored(world, "fast")
    found = instance_of(world.source_rds, "slow")
    assert found is not None
    assert found["DBInstanceStatus"] == "creating"
    world.aws.skip(LONG)
    instance_in(world.source_rds, "slow")


@pytest.mark.long
def test_an_endpoint_that_takes_no_connections(world: World) -> None:
    world.database("orders")
    world.snapshot("orders", "s")
    for connection in ("refuse", "hang"):
        world.aws.fault("RestoreDBInstance*", name=connection, connection=connection)
    with pytest.raises(psycopg.OperationalError, match="Connection refused"):
        connect(restored(world, "refuse"))
    where = restored(world, "hang")["Endpoint"]
    with socket.create_connection((where["Address"], where["Port"]), 5) as silent:
        silent.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # an SSLRequest, which every server answers with one byte
        silent.settimeout(0.3)
        with pytest.raises(TimeoutError):
            silent.recv(1)


@pytest.mark.parametrize("crash", [False, True])
def test_a_connection_is_lost_while_it_queries(world: World, crash: bool) -> None:
    instance = world.database("orders", "create table orders as select generate_series(1, 10) as id")
    world.aws.fault(name="orders", kill_query="from orders", times=1, crash=crash)
    with connect(instance) as victim, pytest.raises(psycopg.OperationalError):
        victim.execute("select count(*), pg_sleep(20) from orders")

    def again() -> bool:
        try:
            with connect(instance) as connection:
                return connection.execute("select count(*), pg_sleep(0.1) from orders").fetchone() == (10, "")
        except psycopg.OperationalError:
            return False  # the server recovers from the crash

    until(again)
    (fault,) = world.aws.faults()
    assert fault["struck"] == 1


def test_damaged_bytes_damage_this_snapshot_and_no_other(world: World) -> None:
    rds = world.source_rds
    instance = world.database("orders", "create table orders as select generate_series(1, 5000) as id")
    with connect(instance) as connection:
        row = connection.execute("select pg_relation_filepath('orders')").fetchone()
    assert row is not None
    world.snapshot("orders", "s")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="s", TargetDBSnapshotIdentifier="copy")
    snapshot_in(rds, "copy")
    before = world.aws.digest([SOURCE])[SOURCE]["us-east-1"]["snapshots"]
    assert before["s"]["content"] == before["copy"]["content"]
    path = world.aws.snapshot_directory(SOURCE, "s") / row[0]
    with path.open("r+b") as file:
        file.seek(8192 * 3 + 4000)
        file.write(b"\xff" * 64)
    after = world.aws.digest([SOURCE])[SOURCE]["us-east-1"]["snapshots"]
    assert after["copy"] == before["copy"]
    assert after["s"]["content"] != before["s"]["content"]
    with connect(restored(world, "damaged")) as connection, pytest.raises(psycopg.errors.DataCorrupted):
        connection.execute("select count(*) from orders")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="sound", DBSnapshotIdentifier="copy")
    with connect(instance_in(rds, "sound")) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (5000,)


def test_a_data_directory_that_does_not_come_up_is_a_failed_instance(world: World) -> None:
    world.database("orders")
    world.snapshot("orders", "s")
    (world.aws.snapshot_directory(SOURCE, "s") / "global" / "pg_control").write_bytes(b"\0" * 8192)
    assert "Endpoint" not in restored(world, "dead", "failed")
    world.source_rds.delete_db_instance(DBInstanceIdentifier="dead", SkipFinalSnapshot=True)
    gone(world.source_rds, "dead")


def test_control_calls_that_make_no_sense_say_so(fresh_aws: DemoAws) -> None:
    for call, words in (
        (lambda: fresh_aws.fault("X"), "give exactly one of code, instance_status"),
        (lambda: fresh_aws.fault("X", code="A", slow_boot=1), "exactly one"),
        (lambda: fresh_aws.fault("X", cod="A"), "unknown field 'cod'"),
        (lambda: fresh_aws.fault("X", code="A", times=0), "times is 0"),
        (lambda: fresh_aws.fault("X", connection="drop"), "would be right: refuse, hang"),
        (lambda: fresh_aws.timings(creat=1), "known are create, backup"),
        (lambda: fresh_aws.timings(create=-1), "timing create"),
        (lambda: fresh_aws.skip(-1), "seconds is -1"),
        (lambda: fresh_aws.skip(True), "seconds is True"),
        (lambda: fresh_aws.automated_snapshot(SOURCE, "x", kind="odd"), "would be right: automated, awsbackup"),
        (lambda: fresh_aws.automated_snapshot(SOURCE, "none"), "DBInstance none not found"),
        (lambda: fresh_aws.snapshot_directory(SOURCE, "none"), "DBSnapshot none not found"),
        (lambda: fresh_aws.role("", "x", trusted=[]), "account is missing"),
        (lambda: fresh_aws._control("GET", "nothing"), "no such control call: GET /demo/nothing"),
    ):
        with pytest.raises(DemoAwsError, match=words):
            call()
    assert fresh_aws.faults() == []


def test_credentials_that_nobody_has(world: World) -> None:
    good = world.assume(world.scratch_role)
    wrong = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x"}
    assert error_of(once(world.aws, "rds", **wrong).describe_db_instances) == ("InvalidClientTokenId", 403)
    assert error_of(once(world.aws, "kms", **wrong).list_keys) == ("UnrecognizedClientException", 403)
    other_token = good | {"aws_session_token": "made up"}
    assert error_of(once(world.aws, "sts", **other_token).get_caller_identity) == ("InvalidClientTokenId", 403)


def test_the_call_log_tells_who_did_what_and_keeps_secrets(world: World) -> None:
    world.aws.clear_calls()
    role = once(world.aws, "rds", **world.assume(world.source_role))
    error_of(role.modify_db_instance, DBInstanceIdentifier="orders", MasterUserPassword="very-secret")
    assumed, modified = world.aws.calls()
    assert (assumed["operation"], assumed["account"], assumed["status"]) == ("AssumeRole", "333333333333", 200)
    assert modified["account"] == SOURCE
    assert modified["role"] == "restorecheck-source"
    assert (modified["service"], modified["operation"]) == ("rds", "ModifyDBInstance")
    assert modified["parameters"] == {"DBInstanceIdentifier": "orders", "MasterUserPassword": "****"}
    assert (modified["status"], modified["error"]) == (404, "DBInstanceNotFound")


@pytest.mark.long
def test_many_callers_at_once(world: World) -> None:
    """moto's own RDS loses this race: "OrderedDict mutated during iteration"."""
    world.database("orders")
    world.snapshot("orders", "s")
    errors: list[Exception] = []

    def work(number: int) -> None:
        rds = world.aws.client("rds", SOURCE)
        try:
            for turn in range(8):
                name = f"copy-{number}-{turn}"
                rds.copy_db_snapshot(SourceDBSnapshotIdentifier="s", TargetDBSnapshotIdentifier=name)
                rds.describe_db_snapshots()
                rds.delete_db_snapshot(DBSnapshotIdentifier=name)
        except Exception as e:  # noqa: BLE001 - told to the test's own thread
            errors.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [s["DBSnapshotIdentifier"] for s in world.source_rds.describe_db_snapshots()["DBSnapshots"]] == ["s"]
