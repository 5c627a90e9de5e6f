"""The whole way of a snapshot between two accounts, with real data, on plain boto3 and psycopg."""

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from demo_world import (
    BASE,
    EXTERNAL_ID,
    LONG,
    PASSWORD,
    SCRATCH,
    SOURCE,
    World,
    connect,
    gone,
    instance_in,
    snapshot_in,
)


def test_an_encrypted_snapshot_travels_to_another_account_and_back_to_nothing(world: World) -> None:
    source, scratch = world.source_rds, world.scratch_rds
    instance = world.database(
        "orders",
        "create table orders as select generate_series(1, 1000) as id",
        StorageEncrypted=True,
        KmsKeyId=world.source_key,
    )
    assert instance["KmsKeyId"] == world.source_key
    world.snapshot("orders", "nightly")
    with connect(instance) as connection:
        connection.execute("delete from orders")
    before = world.aws.digest([SOURCE])
    world.share("nightly")
    (shared,) = scratch.describe_db_snapshots(SnapshotType="shared", IncludeShared=True)["DBSnapshots"]
    arn = shared["DBSnapshotArn"]
    assert shared["DBSnapshotIdentifier"] == arn
    assert arn.split(":")[4] == SOURCE

    scratch.copy_db_snapshot(
        SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="copy", KmsKeyId=world.scratch_key
    )
    copy = snapshot_in(scratch, "copy")
    assert copy["KmsKeyId"] == world.scratch_key
    assert copy["SourceDBSnapshotIdentifier"] == arn
    assert copy["OriginalSnapshotCreateTime"] < copy["SnapshotCreateTime"]

    answer = scratch.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored",
        DBSnapshotIdentifier="copy",
        PubliclyAccessible=False,
        BackupRetentionPeriod=0,
        Tags=[{"Key": "run", "Value": "1"}],
        **world.placement(),
    )["DBInstance"]
    assert answer["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in answer
    assert "InstanceCreateTime" not in answer
    restored = instance_in(scratch, "restored")
    assert restored["KmsKeyId"] == world.scratch_key
    assert restored["TagList"] == [{"Key": "run", "Value": "1"}]
    with connect(restored) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (1000,)

    world.aws.timings(password=LONG, delete=LONG)
    scratch.modify_db_instance(DBInstanceIdentifier="restored", MasterUserPassword="another-password")
    pending = scratch.describe_db_instances(DBInstanceIdentifier="restored")["DBInstances"][0]
    assert pending["PendingModifiedValues"]["MasterUserPassword"]
    world.aws.skip(LONG / 2)
    instance_in(scratch, "restored", "resetting-master-credentials")
    world.aws.skip(LONG / 2)
    restored = instance_in(scratch, "restored")
    assert "MasterUserPassword" not in restored["PendingModifiedValues"]
    with connect(restored, password="another-password") as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(restored, password=PASSWORD)

    scratch.delete_db_instance(DBInstanceIdentifier="restored", SkipFinalSnapshot=True)
    instance_in(scratch, "restored", "deleting")
    world.aws.skip(LONG)
    gone(scratch, "restored")
    scratch.delete_db_snapshot(DBSnapshotIdentifier="copy")
    source.modify_db_snapshot_attribute(
        DBSnapshotIdentifier="nightly", AttributeName="restore", ValuesToRemove=[SCRATCH]
    )
    assert world.aws.digest([SOURCE]) == before
    left = world.aws.digest([SCRATCH])[SCRATCH]["us-east-1"]
    assert (left["instances"], left["snapshots"]) == ({}, {})


def test_a_role_is_assumed_with_its_external_id_and_only_so(world: World) -> None:
    session = boto3.Session(**world.assume(world.scratch_role), region_name="us-east-1")
    identity = session.client("sts", endpoint_url=world.aws.url).get_caller_identity()
    assert identity["Account"] == SCRATCH
    assert ":assumed-role/restorecheck-scratch/" in identity["Arn"]
    assert session.client("rds", endpoint_url=world.aws.url).describe_db_subnet_groups()["DBSubnetGroups"]

    unknown = f"arn:aws:iam::{SCRATCH}:role/nobody"
    for role, external_id, account in (
        (world.scratch_role, "wrong", BASE),
        (world.scratch_role, None, BASE),
        (world.scratch_role, EXTERNAL_ID, "444444444444"),
        (unknown, EXTERNAL_ID, BASE),
    ):
        with pytest.raises(ClientError) as refused:
            world.assume(role, external_id=external_id, account=account)
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_one_account_does_not_see_the_others_resources(world: World) -> None:
    world.database("orders")
    world.snapshot("orders", "mine")
    scratch = world.scratch_rds
    assert scratch.describe_db_instances()["DBInstances"] == []
    assert scratch.describe_db_snapshots()["DBSnapshots"] == []
    arn = f"arn:aws:rds:us-east-1:{SOURCE}:snapshot:mine"
    for call in (
        lambda: scratch.describe_db_snapshots(DBSnapshotIdentifier=arn),
        lambda: scratch.copy_db_snapshot(SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="x"),
        lambda: scratch.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier=arn),
        lambda: scratch.delete_db_snapshot(DBSnapshotIdentifier=arn),
    ):
        with pytest.raises(scratch.exceptions.DBSnapshotNotFoundFault):
            call()
    with pytest.raises(scratch.exceptions.DBInstanceNotFoundFault):
        scratch.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
