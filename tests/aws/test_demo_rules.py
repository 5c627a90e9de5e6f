"""The demo AWS behaves like AWS where AWS bites: each rule of sharing, copying, restoring and deleting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from demo_world import LONG, SCRATCH, SOURCE, World, connect, gone, instance_in, instance_of, snapshot_in

from restorecheck.demo.aws.process import DemoAws

ARN = f"arn:aws:rds:us-east-1:{SOURCE}:snapshot:"


def refused(code: str, call: Any, **arguments: Any) -> str:
    """Call, expect this AWS error, and return its message."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return str(error.value.response["Error"]["Message"])


def share(world: World, snapshot: str, to: str = SCRATCH) -> dict[str, Any]:
    return {"DBSnapshotIdentifier": snapshot, "AttributeName": "restore", "ValuesToAdd": [to]}


def test_an_automated_snapshot_cannot_be_shared_or_deleted_but_copied(world: World) -> None:
    rds = world.source_rds
    world.database("orders", "create table t as select 1 as id")
    at = datetime(2026, 11, 20, 3, 7, tzinfo=UTC)
    name = world.aws.automated_snapshot(SOURCE, "orders", at=at)
    assert name == "rds:orders-2026-11-20-03-07"
    refused("InvalidDBSnapshotState", rds.modify_db_snapshot_attribute, **share(world, name))
    refused("InvalidDBSnapshotState", rds.delete_db_snapshot, DBSnapshotIdentifier=name)
    # Described by name, it is found only if the call says that it is automated.
    refused("DBSnapshotNotFound", rds.describe_db_snapshots, DBSnapshotIdentifier=name)
    (automated,) = rds.describe_db_snapshots(DBSnapshotIdentifier=name, SnapshotType="automated")["DBSnapshots"]
    assert automated["SnapshotCreateTime"] == at
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=name, TargetDBSnapshotIdentifier="mine")
    copy = snapshot_in(rds, "mine")
    assert (copy["SnapshotType"], copy["OriginalSnapshotCreateTime"]) == ("manual", at)
    assert copy["SnapshotCreateTime"] > at + timedelta(hours=1)
    assert "SourceDBSnapshotIdentifier" not in copy
    rds.modify_db_snapshot_attribute(**share(world, "mine"))


def test_snapshot_types_and_who_lists_them(world: World) -> None:
    rds, scratch = world.source_rds, world.scratch_rds
    world.database("orders")
    automated = world.aws.automated_snapshot(SOURCE, "orders")
    backup = world.aws.automated_snapshot(SOURCE, "orders", kind="awsbackup")
    world.snapshot("orders", "manual")
    world.share("manual")

    def listed(client: Any, **how: Any) -> list[str]:
        found = client.describe_db_snapshots(**how)["DBSnapshots"]
        return sorted(s["DBSnapshotIdentifier"] for s in found)

    assert listed(rds) == sorted([automated, "manual"])
    assert listed(rds, SnapshotType="automated") == [automated]
    assert listed(rds, SnapshotType="manual", DBInstanceIdentifier="orders") == ["manual"]
    assert listed(rds, SnapshotType="awsbackup") == [backup]
    assert backup.startswith("awsbackup:job-")
    assert listed(rds, SnapshotType="shared") == []
    assert listed(rds, DBInstanceIdentifier="other") == []
    assert listed(rds, Filters=[{"Name": "db-snapshot-id", "Values": ["manual"]}]) == ["manual"]
    assert listed(scratch) == []
    for how in ({"SnapshotType": "shared"}, {"IncludeShared": True}, {"DBSnapshotIdentifier": ARN + "manual"}):
        assert listed(scratch, **how) == [ARN + "manual"]
    assert listed(scratch, SnapshotType="public") == []
    rds.modify_db_snapshot_attribute(**share(world, "manual", "all"))
    assert listed(scratch, SnapshotType="public") == [ARN + "manual"]
    attributes = rds.describe_db_snapshot_attributes(DBSnapshotIdentifier="manual")["DBSnapshotAttributesResult"]
    assert attributes["DBSnapshotAttributes"] == [{"AttributeName": "restore", "AttributeValues": [SCRATCH, "all"]}]


def test_encryption_decides_what_may_be_shared_copied_and_restored(world: World) -> None:
    rds, scratch = world.source_rds, world.scratch_rds
    kms, scratch_kms = world.aws.client("kms", SOURCE), world.aws.client("kms", SCRATCH)
    world.database("plain")
    default = world.database("default", StorageEncrypted=True)["KmsKeyId"]
    assert kms.describe_key(KeyId=default)["KeyMetadata"]["KeyManager"] == "AWS"
    assert kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"] == default
    world.snapshot("plain", "plain")
    world.snapshot("default", "default")
    refused("InvalidDBSnapshotState", rds.modify_db_snapshot_attribute, **share(world, "default"))
    # Under a key of one's own it can be shared, but never with all.
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=ARN + "default", TargetDBSnapshotIdentifier="rekeyed", KmsKeyId=world.source_key
    )
    assert snapshot_in(rds, "rekeyed")["KmsKeyId"] == world.source_key
    refused("InvalidParameterValue", rds.modify_db_snapshot_attribute, **share(world, "rekeyed", "all"))
    world.share("rekeyed")
    world.share("plain")

    restore = scratch.restore_db_instance_from_db_snapshot
    message = refused("InvalidDBSnapshotState", restore, DBInstanceIdentifier="x", DBSnapshotIdentifier=ARN + "rekeyed")
    assert "copy it first" in message
    restore(DBInstanceIdentifier="direct", DBSnapshotIdentifier=ARN + "plain")

    copy = {"SourceDBSnapshotIdentifier": ARN + "rekeyed", "TargetDBSnapshotIdentifier": "copy"}
    refused("InvalidParameterValue", scratch.copy_db_snapshot, **copy)
    for key in ("no-such-key", world.source_key, "alias/nobody"):
        refused("KMSKeyNotAccessibleFault", scratch.copy_db_snapshot, **copy, KmsKeyId=key)
    scratch_kms.disable_key(KeyId=world.scratch_key)
    refused("KMSKeyNotAccessibleFault", scratch.copy_db_snapshot, **copy, KmsKeyId=world.scratch_key)
    scratch_kms.enable_key(KeyId=world.scratch_key)
    kms.schedule_key_deletion(KeyId=world.source_key, PendingWindowInDays=7)
    refused("KMSKeyNotAccessibleFault", scratch.copy_db_snapshot, **copy, KmsKeyId=world.scratch_key)
    kms.cancel_key_deletion(KeyId=world.source_key)
    kms.enable_key(KeyId=world.source_key)
    scratch.copy_db_snapshot(**copy, KmsKeyId=world.scratch_key.split("/")[-1])
    assert snapshot_in(scratch, "copy")["KmsKeyId"] == world.scratch_key
    # An unencrypted snapshot becomes an encrypted copy if a key is named.
    scratch.copy_db_snapshot(
        SourceDBSnapshotIdentifier=ARN + "plain", TargetDBSnapshotIdentifier="sealed", KmsKeyId="alias/aws/rds"
    )
    sealed = snapshot_in(scratch, "sealed")
    assert sealed["Encrypted"]
    assert scratch_kms.describe_key(KeyId=sealed["KmsKeyId"])["KeyMetadata"]["KeyManager"] == "AWS"
    instance_in(scratch, "direct")


@pytest.mark.long
def test_restore_takes_over_from_the_snapshot_what_is_not_asked_for(world: World) -> None:
    scratch = world.scratch_rds
    world.database(
        "prod",
        DBInstanceClass="db.m7g.large",
        DeletionProtection=True,
        MultiAZ=True,
        BackupRetentionPeriod=7,
        AllocatedStorage=100,
        Tags=[{"Key": "owner", "Value": "shop"}],
    )
    world.snapshot("prod", "snap")
    world.aws.timings(backup=LONG)
    source = world.source_rds
    bare = source.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="bare", DBSnapshotIdentifier="snap")
    bare = bare["DBInstance"]
    assert bare["TagList"] == [{"Key": "owner", "Value": "shop"}]  # inherited: no tags were passed
    assert (bare["BackupRetentionPeriod"], bare["DBInstanceClass"]) == (7, "db.m7g.large")
    assert bare["AllocatedStorage"] == 100
    assert bare["DeletionProtection"] is False
    assert bare["PubliclyAccessible"] is True  # the default VPC has a way out
    instance_in(source, "bare", "backing-up")
    world.aws.skip(LONG)
    instance_in(source, "bare")

    world.share("snap")
    asked = source.restore_db_instance_from_db_snapshot
    deliberate = scratch.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="deliberate",
        DBSnapshotIdentifier=ARN + "snap",
        DBInstanceClass="db.t4g.micro",
        BackupRetentionPeriod=0,
        MultiAZ=False,
        DeletionProtection=True,
        Tags=[],
        **world.placement(),
    )["DBInstance"]
    assert deliberate["TagList"] == []
    assert (deliberate["BackupRetentionPeriod"], deliberate["MultiAZ"]) == (0, False)
    assert deliberate["DeletionProtection"] is True
    assert deliberate["PubliclyAccessible"] is False  # its VPC has no internet gateway
    assert deliberate["DBSubnetGroup"]["VpcId"] == world.vpc
    assert deliberate["VpcSecurityGroups"] == [{"VpcSecurityGroupId": world.security_group, "Status": "active"}]
    assert deliberate["DbiResourceId"] != bare["DbiResourceId"]

    for code, wrong in (
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "nowhere"}),
        ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-00000000"]}),
        ("DBParameterGroupNotFound", {"DBParameterGroupName": "nothing"}),
        ("InvalidParameterCombination", {"DBInstanceClass": "db.z9.huge"}),
        ("InvalidParameterValue", {"BackupRetentionPeriod": 36}),
        ("InvalidParameterValue", {"AllocatedStorage": 50}),
        ("DBInstanceAlreadyExists", {"DBInstanceIdentifier": "Prod"}),
        ("InvalidParameterValue", {"DBInstanceIdentifier": "ends-"}),
        ("DBSnapshotNotFound", {"DBSnapshotIdentifier": "none"}),
    ):
        refused(code, asked, **({"DBInstanceIdentifier": "x", "DBSnapshotIdentifier": "snap"} | wrong))
    assert instance_of(source, "x") is None


def test_deleting(world: World) -> None:
    rds = world.source_rds
    world.database("orders", "create table t as select 7 as id", DeletionProtection=True, BackupRetentionPeriod=1)
    automated = world.aws.automated_snapshot(SOURCE, "orders")
    delete = rds.delete_db_instance
    refused("InvalidParameterCombination", delete, DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier="orders", DeletionProtection=False)
    refused("InvalidParameterCombination", delete, DBInstanceIdentifier="orders")
    both = {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}
    refused("InvalidParameterCombination", delete, DBInstanceIdentifier="orders", **both)
    refused("DBInstanceNotFound", delete, DBInstanceIdentifier="nobody", SkipFinalSnapshot=True)
    world.aws.timings(delete=LONG)
    delete(DBInstanceIdentifier="orders", FinalDBSnapshotIdentifier="last")
    refused("InvalidDBInstanceState", delete, DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    world.aws.skip(LONG)
    gone(rds, "orders")
    assert world.aws.state()["postgres"] == []
    assert rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"] == [], automated
    snapshot_in(rds, "last")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="last")
    with connect(instance_in(rds, "again")) as connection:
        assert connection.execute("select id from t").fetchall() == [(7,)]


def test_deleting_snapshots_while_they_are_copied(world: World) -> None:
    rds = world.source_rds
    world.database("orders")
    world.snapshot("orders", "first")
    world.aws.timings(copy=60, snapshot=60)
    copy = {"SourceDBSnapshotIdentifier": "first", "TargetDBSnapshotIdentifier": "cancelled"}
    creating = rds.copy_db_snapshot(**copy)["DBSnapshot"]
    assert creating["Status"] == "creating"
    assert creating["PercentProgress"] < 100
    assert "SnapshotCreateTime" not in creating
    refused("InvalidDBSnapshotState", rds.modify_db_snapshot_attribute, **share(world, "cancelled"))
    restore = {"DBInstanceIdentifier": "x", "DBSnapshotIdentifier": "cancelled"}
    refused("InvalidDBSnapshotState", rds.restore_db_instance_from_db_snapshot, **restore)
    rds.delete_db_snapshot(DBSnapshotIdentifier="cancelled")
    rds.copy_db_snapshot(**(copy | {"TargetDBSnapshotIdentifier": "orphan"}))
    rds.delete_db_snapshot(DBSnapshotIdentifier="first")
    snapshot_in(rds, "orphan", "failed")
    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="second")
    refused("InvalidDBSnapshotState", rds.delete_db_snapshot, DBSnapshotIdentifier="second")


@pytest.mark.long
def test_quotas_count(world: World) -> None:
    rds = world.source_rds
    world.aws.quota(SOURCE, instances=1, snapshots=1)
    world.database("one")
    two = {"DBInstanceClass": "db.t3.micro", "Engine": "postgres", "MasterUsername": "u", "MasterUserPassword": "x" * 8}
    refused("InstanceQuotaExceeded", rds.create_db_instance, DBInstanceIdentifier="two", **two)
    world.snapshot("one", "a")
    refused("SnapshotQuotaExceeded", rds.create_db_snapshot, DBInstanceIdentifier="one", DBSnapshotIdentifier="b")
    world.aws.automated_snapshot(SOURCE, "one")  # those of AWS do not count
    quotas = {q["AccountQuotaName"]: (q["Used"], q["Max"]) for q in rds.describe_account_attributes()["AccountQuotas"]}
    assert quotas["DBInstances"] == (1, 1)
    assert quotas["ManualSnapshots"] == (1, 1)
    assert world.scratch_rds.describe_account_attributes()["AccountQuotas"][0]["Max"] == 40


def test_what_can_be_ordered(world: World) -> None:
    rds, real = world.source_rds, world.aws.state()["postgres_version"]
    (version,) = rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]
    assert version["EngineVersion"] == real
    pages = rds.get_paginator("describe_orderable_db_instance_options").paginate(
        Engine="postgres", EngineVersion=real, PaginationConfig={"PageSize": 20}
    )
    assert len([page["OrderableDBInstanceOptions"] for page in pages]) == 1
    one = rds.describe_orderable_db_instance_options(Engine="postgres", DBInstanceClass="db.t4g.micro")
    assert [o["DBInstanceClass"] for o in one["OrderableDBInstanceOptions"]] == ["db.t4g.micro"]
    assert rds.describe_orderable_db_instance_options(Engine="oracle-ee")["OrderableDBInstanceOptions"] == []
    refused("InvalidAction", rds.describe_certificates)
    refused("InvalidAction", rds.stop_db_instance, DBInstanceIdentifier="x")


@pytest.mark.long
def test_long_lists_come_in_pages(world: World) -> None:
    rds = world.source_rds
    world.database("orders")
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for n in range(21):
        world.aws.automated_snapshot(SOURCE, "orders", at=start + timedelta(hours=n))
    first = rds.describe_db_snapshots(SnapshotType="automated", MaxRecords=20)
    assert len(first["DBSnapshots"]) == 20
    second = rds.describe_db_snapshots(SnapshotType="automated", MaxRecords=20, Marker=first["Marker"])
    assert len(second["DBSnapshots"]) == 1
    assert "Marker" not in second
    names = {s["DBSnapshotIdentifier"] for s in first["DBSnapshots"] + second["DBSnapshots"]}
    assert len(names) == 21
    assert "Marker" not in rds.describe_db_instances(MaxRecords=20)


@pytest.mark.long
def test_tags_of_instances_and_snapshots(world: World) -> None:
    rds = world.source_rds
    arn = world.database("orders", Tags=[{"Key": "a", "Value": "1"}])["DBInstanceArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "b", "Value": "2"}])
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "b", "Value": "2"}]
    snapshot = world.snapshot("orders", "s", Tags=[{"Key": "c", "Value": "3"}])
    assert snapshot["TagList"] == [{"Key": "c", "Value": "3"}]
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="s", TargetDBSnapshotIdentifier="with", CopyTags=True)
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="s", TargetDBSnapshotIdentifier="without")
    assert snapshot_in(rds, "with")["TagList"] == [{"Key": "c", "Value": "3"}]
    assert snapshot_in(rds, "without")["TagList"] == []
    refused("DBInstanceNotFound", world.scratch_rds.list_tags_for_resource, ResourceName=arn)


def test_the_master_user_is_not_a_superuser_but_may_much(world: World) -> None:
    with connect(world.database("orders", "create table secrets as select 1 as id")) as master:
        row = master.execute("select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user")
        assert row.fetchone() == (False, True, True)
        assert master.execute("select pg_has_role(current_user, 'rds_superuser', 'member')").fetchone() == (True,)
        master.execute("create role reader login password 'reading-only'")
        master.execute("grant pg_read_all_data to reader")
        with pytest.raises(Exception, match="permission denied"):
            master.execute("alter role rdsadmin password 'mine'")
    instance = instance_in(world.source_rds, "orders")
    with connect(instance, user="reader", password="reading-only") as reader:
        assert reader.execute("select id from secrets").fetchall() == [(1,)]
    with pytest.raises(Exception, match=r"pg_hba\.conf rejects"):
        connect(instance, user="rdsadmin", password="x")


@pytest.mark.parametrize("password", ["short", "has/slash-in-it", 'has"quote-in-it', "has@sign-in-it", "x" * 129])
def test_passwords_that_rds_does_not_take(fresh_aws: DemoAws, password: str) -> None:
    settings = {"DBInstanceClass": "db.t3.micro", "Engine": "postgres", "MasterUsername": "u"}
    refused(
        "InvalidParameterValue",
        fresh_aws.client("rds", SOURCE).create_db_instance,
        DBInstanceIdentifier="x",
        MasterUserPassword=password,
        **settings,
    )
