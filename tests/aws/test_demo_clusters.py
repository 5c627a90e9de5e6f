"""Aurora clusters on the demo AWS: real data, and each rule in which clusters differ from instances."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError
from demo_world import (
    DATABASE,
    FAST,
    LONG,
    MASTER,
    PASSWORD,
    SCRATCH,
    SOURCE,
    World,
    connect,
    furnish,
    gone,
    instance_in,
    instance_of,
    until,
)

from restorecheck.demo.aws.process import DemoAws, DemoAwsError

ARN = f"arn:aws:rds:us-east-1:{SOURCE}:cluster-snapshot:"
AURORA = "aurora-postgresql"


def refused(code: str, call: Any, **arguments: Any) -> str:
    """Call, expect this AWS error, and return its message."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return str(error.value.response["Error"]["Message"])


def cluster_of(rds: Any, name: str) -> dict[str, Any] | None:
    try:
        return dict(rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0])
    except rds.exceptions.DBClusterNotFoundFault:
        return None


def cluster_in(rds: Any, name: str, status: str = "available") -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        found = cluster_of(rds, name)
        assert found is not None, f"{name} is gone"
        return found if found["Status"] == status else None

    return until(probe)


def cluster_snapshot_in(rds: Any, name: str, status: str = "available", **kind: str) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        found = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name, **kind)["DBClusterSnapshots"][0]
        return dict(found) if found["Status"] == status else None

    return until(probe)


def make_cluster(rds: Any, name: str = "shop", **settings: Any) -> dict[str, Any]:
    defaults = {"Engine": AURORA, "MasterUsername": MASTER, "MasterUserPassword": PASSWORD, "DatabaseName": DATABASE}
    rds.create_db_cluster(DBClusterIdentifier=name, **(defaults | settings))
    return cluster_in(rds, name)


def member(rds: Any, name: str, cluster: str, **settings: Any) -> dict[str, Any]:
    defaults = {"DBInstanceClass": "db.r6g.large", "Engine": AURORA}
    rds.create_db_instance(DBInstanceIdentifier=name, DBClusterIdentifier=cluster, **(defaults | settings))
    return instance_in(rds, name)


def full_cluster(world: World, *sql: str, **settings: Any) -> dict[str, Any]:
    """Make the cluster `shop` with one instance in the source account, and run statements in its database."""
    rds = world.source_rds
    make_cluster(rds, **settings)
    with connect(member(rds, "shop-1", "shop")) as connection:
        for statement in sql:
            connection.execute(statement.encode())
    return cluster_in(rds, "shop")


def snapshot(world: World, name: str, cluster: str = "shop", **settings: Any) -> dict[str, Any]:
    world.source_rds.create_db_cluster_snapshot(
        DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier=name, **settings
    )
    return cluster_snapshot_in(world.source_rds, name)


def share(name: str, to: str = SCRATCH) -> dict[str, Any]:
    return {"DBClusterSnapshotIdentifier": name, "AttributeName": "restore", "ValuesToAdd": [to]}


def endpoint(cluster: dict[str, Any]) -> dict[str, Any]:
    """Look like an instance to `connect`: its cluster's endpoint."""
    return {"Endpoint": {"Address": cluster["Endpoint"], "Port": cluster["Port"]}}


def test_a_cluster_is_shared_restored_directly_asked_and_torn_down(world: World) -> None:
    rds, scratch = world.source_rds, world.scratch_rds
    made = full_cluster(
        world,
        "create table orders as select generate_series(1, 3000) as id",
        StorageEncrypted=True,
        KmsKeyId=world.source_key,
        Tags=[{"Key": "owner", "Value": "shop"}],
        DeletionProtection=True,
    )
    assert (made["DBClusterMembers"][0]["DBInstanceIdentifier"], made["StorageEncryptionType"]) == ("shop-1", "sse-kms")
    assert made["DBClusterMembers"][0]["IsClusterWriter"] is True
    assert made["DBSubnetGroup"] == "default"
    snapshot(world, "nightly")
    rds.modify_db_cluster_snapshot_attribute(**share("nightly"))
    before = world.aws.digest([SOURCE])

    restored = scratch.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="restored",
        SnapshotIdentifier=ARN + "nightly",
        Engine=AURORA,
        EngineVersion=made["EngineVersion"],
        KmsKeyId=world.scratch_key,
        Tags=[{"Key": "run", "Value": "7"}],
        **world.placement(),
    )["DBCluster"]
    assert (restored["Status"], restored["DeletionProtection"]) == ("creating", False)
    assert restored["TagList"] == [{"Key": "run", "Value": "7"}]
    assert restored["DBSubnetGroup"] == "restorecheck-scratch"
    restored = cluster_in(scratch, "restored")
    assert (restored["DBClusterMembers"], restored["KmsKeyId"]) == ([], world.scratch_key)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(endpoint(restored))  # no instance: nobody answers

    world.aws.timings(password=LONG, create=LONG)
    scratch.modify_db_cluster(DBClusterIdentifier="restored", MasterUserPassword="another-password")
    pending = cluster_of(scratch, "restored")
    assert pending is not None
    assert pending["PendingModifiedValues"] == {"MasterUserPassword": "****"}
    world.aws.skip(LONG / 2)
    cluster_in(scratch, "restored", "resetting-master-credentials")
    world.aws.skip(LONG / 2)
    cluster_in(scratch, "restored")
    scratch.create_db_instance(
        DBInstanceIdentifier="restored-1",
        DBInstanceClass="db.t4g.medium",
        Engine=AURORA,
        DBClusterIdentifier="restored",
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=False,
        Tags=[{"Key": "run", "Value": "7"}],
    )
    creating = instance_of(scratch, "restored-1")
    assert creating is not None
    assert "Endpoint" not in creating
    world.aws.skip(LONG)
    instance = instance_in(scratch, "restored-1")
    world.aws.timings(create=FAST["create"])
    assert instance["DBClusterIdentifier"] == "restored"
    assert instance["TagList"] == [{"Key": "run", "Value": "7"}]
    assert (instance["PubliclyAccessible"], instance["KmsKeyId"]) == (False, world.scratch_key)
    for where in (instance, endpoint(cluster_in(scratch, "restored"))):
        with connect(where, password="another-password") as connection:
            assert connection.execute("select count(*) from orders").fetchone() == (3000,)
    assert cluster_in(scratch, "restored")["Port"] == restored["Port"]  # an address that one may keep

    delete = {"DBClusterIdentifier": "restored", "SkipFinalSnapshot": True}
    assert "still contains" in refused("InvalidDBClusterStateFault", scratch.delete_db_cluster, **delete)
    scratch.delete_db_instance(DBInstanceIdentifier="restored-1", SkipFinalSnapshot=True)
    gone(scratch, "restored-1")
    alone = cluster_in(scratch, "restored")  # the cluster stays, and its data
    assert alone["DBClusterMembers"] == []
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(endpoint(alone))
    with connect(member(scratch, "restored-2", "restored"), password="another-password") as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (3000,)
    world.aws.timings(delete=LONG)
    scratch.delete_db_instance(DBInstanceIdentifier="restored-2", SkipFinalSnapshot=True)
    scratch.delete_db_cluster(**delete)  # its instance is being deleted: that is enough
    assert cluster_in(scratch, "restored", "deleting")
    refused("InvalidDBClusterStateFault", scratch.delete_db_cluster, **delete)
    world.aws.skip(LONG)
    until(lambda: cluster_of(scratch, "restored") is None)
    gone(scratch, "restored-2")
    left = world.aws.digest([SCRATCH])[SCRATCH]["us-east-1"]
    assert [left[kind] for kind in ("instances", "clusters", "cluster-snapshots")] == [{}, {}, {}]
    assert world.aws.digest([SOURCE]) == before
    assert before[SOURCE]["us-east-1"]["clusters"]["shop"]["Status"] == "available"


@pytest.mark.long
def test_the_lists_of_instances_and_clusters_never_mix(world: World) -> None:
    rds, scratch = world.source_rds, world.scratch_rds
    full_cluster(world)
    at = datetime(2026, 11, 20, 3, 7, tzinfo=UTC)
    automated = world.aws.automated_cluster_snapshot(SOURCE, "shop", at=at)
    assert automated == "rds:shop-2026-11-20-03-07"
    snapshot(world, "manual")
    assert rds.describe_db_snapshots()["DBSnapshots"] == []
    refused("DBSnapshotNotFound", rds.describe_db_snapshots, DBSnapshotIdentifier="manual")
    world.database("single")
    world.snapshot("single", "of-instance")
    refused(
        "DBClusterSnapshotNotFoundFault", rds.describe_db_cluster_snapshots, DBClusterSnapshotIdentifier="of-instance"
    )
    refused("InvalidDBInstanceState", rds.create_db_snapshot, DBInstanceIdentifier="shop-1", DBSnapshotIdentifier="x")

    def listed(client: Any, **how: Any) -> list[str]:
        found = client.describe_db_cluster_snapshots(**how)["DBClusterSnapshots"]
        return sorted(s["DBClusterSnapshotIdentifier"] for s in found)

    assert listed(rds) == ["manual", automated]
    assert listed(rds, SnapshotType="automated", DBClusterIdentifier="shop") == [automated]
    assert listed(rds, Filters=[{"Name": "db-cluster-snapshot-id", "Values": ["manual"]}]) == ["manual"]
    assert listed(rds, Filters=[{"Name": "db-cluster-id", "Values": ["other"]}]) == []
    refused("InvalidParameterValue", rds.describe_db_cluster_snapshots, SnapshotType="awsbackup")
    refused("InvalidParameterValue", rds.describe_db_cluster_snapshots, Filters=[{"Name": "colour", "Values": ["x"]}])
    refused("DBClusterSnapshotNotFoundFault", rds.describe_db_cluster_snapshots, DBClusterSnapshotIdentifier=automated)
    found = cluster_snapshot_in(rds, automated, SnapshotType="automated")
    assert (found["SnapshotCreateTime"], found["DBClusterIdentifier"]) == (at, "shop")
    assert listed(scratch, SnapshotType="shared") == []
    rds.modify_db_cluster_snapshot_attribute(**share("manual"))
    assert listed(scratch, IncludeShared=True) == [ARN + "manual"]
    assert listed(scratch, SnapshotType="shared", DBClusterSnapshotIdentifier=ARN + "manual") == [ARN + "manual"]
    assert scratch.describe_db_snapshots(SnapshotType="shared")["DBSnapshots"] == []
    attributes = rds.describe_db_cluster_snapshot_attributes(DBClusterSnapshotIdentifier="manual")
    (attribute,) = attributes["DBClusterSnapshotAttributesResult"]["DBClusterSnapshotAttributes"]
    assert attribute == {"AttributeName": "restore", "AttributeValues": [SCRATCH]}

    assert [c["DBClusterIdentifier"] for c in rds.describe_db_clusters()["DBClusters"]] == ["shop"]
    assert rds.describe_db_clusters(Filters=[{"Name": "engine", "Values": ["mysql"]}])["DBClusters"] == []
    refused("InvalidParameterValue", rds.describe_db_clusters, Filters=[{"Name": "colour", "Values": ["x"]}])
    of_cluster = rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": ["shop"]}])["DBInstances"]
    assert [i["DBInstanceIdentifier"] for i in of_cluster] == ["shop-1"]
    for n in range(20):
        world.aws.automated_cluster_snapshot(SOURCE, "shop", at=datetime(2026, 11, 1, n, tzinfo=UTC))
    first = rds.describe_db_cluster_snapshots(SnapshotType="automated", MaxRecords=20)
    second = rds.describe_db_cluster_snapshots(SnapshotType="automated", MaxRecords=20, Marker=first["Marker"])
    assert (len(first["DBClusterSnapshots"]), len(second["DBClusterSnapshots"])) == (20, 1)


def test_keys_decide_what_may_be_shared_copied_and_restored(world: World) -> None:
    rds, scratch = world.source_rds, world.scratch_rds
    make_cluster(rds, "plain")
    default = make_cluster(rds, "default", StorageEncrypted=True)
    assert default["StorageEncryptionType"] == "sse-kms"
    plain = snapshot(world, "plain", "plain")  # without any instance
    assert (plain["StorageEncrypted"], plain["StorageEncryptionType"]) == (False, "sse-rds")
    snapshot(world, "default", "default")
    automated = world.aws.automated_cluster_snapshot(SOURCE, "plain")
    code = "InvalidDBClusterSnapshotStateFault"
    refused(code, rds.modify_db_cluster_snapshot_attribute, **share("default"))
    refused(code, rds.modify_db_cluster_snapshot_attribute, **share(automated))
    refused(code, rds.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier=automated)

    def copy(client: Any, source: str, target: str, **more: Any) -> dict[str, Any]:
        names = {"SourceDBClusterSnapshotIdentifier": source, "TargetDBClusterSnapshotIdentifier": target}
        return dict(client.copy_db_cluster_snapshot(**names, **more)["DBClusterSnapshot"])

    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        copy(rds, "plain", "sealed", KmsKeyId=world.source_key)
    assert copy(rds, "default", "rekeyed", KmsKeyId=world.source_key)["Status"] == "copying"
    cluster_snapshot_in(rds, "rekeyed")
    refused("InvalidParameterValue", rds.modify_db_cluster_snapshot_attribute, **share("rekeyed", "all"))
    rds.modify_db_cluster_snapshot_attribute(**share("rekeyed"))
    rds.modify_db_cluster_snapshot_attribute(**share("plain"))
    with pytest.raises(ClientError, match="KmsKeyId of this account"):
        copy(scratch, ARN + "rekeyed", "copy")
    with pytest.raises(ClientError, match="KMSKeyNotAccessibleFault"):
        copy(scratch, ARN + "rekeyed", "copy", KmsKeyId=world.source_key)
    copied = copy(scratch, ARN + "rekeyed", "copy", KmsKeyId=world.scratch_key)
    assert copied["SourceDBClusterSnapshotArn"] == ARN + "rekeyed"
    cluster_snapshot_in(scratch, "copy")
    copy(scratch, ARN + "plain", "bare")
    assert cluster_snapshot_in(scratch, "bare")["StorageEncrypted"] is False

    restore = scratch.restore_db_cluster_from_snapshot
    asked = {"DBClusterIdentifier": "x", "SnapshotIdentifier": ARN + "rekeyed", "Engine": AURORA}
    for code, wrong in (
        ("InvalidParameterValue", {"Engine": "aurora-mysql"}),
        ("InvalidParameterValue", {"DBClusterIdentifier": "ends-"}),
        ("InvalidParameterValue", {"BackupRetentionPeriod": 36}),
        ("InvalidParameterCombination", {"EngineVersion": "9.6"}),
        ("DBClusterSnapshotNotFoundFault", {"SnapshotIdentifier": ARN + "default"}),  # not shared
        ("DBClusterSnapshotNotFoundFault", {"SnapshotIdentifier": "nothing"}),
        ("KMSKeyNotAccessibleFault", {"KmsKeyId": "nothing"}),
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "nowhere"}),
        ("DBClusterParameterGroupNotFound", {"DBClusterParameterGroupName": "nothing"}),
    ):
        refused(code, restore, **(asked | wrong))
    world.aws.client("kms", SOURCE).disable_key(KeyId=world.source_key)
    refused("KMSKeyNotAccessibleFault", restore, **asked)
    world.aws.client("kms", SOURCE).enable_key(KeyId=world.source_key)
    assert restore(**asked)["DBCluster"]["KmsKeyId"] == world.source_key  # still the source account's key
    refused("DBClusterAlreadyExistsFault", restore, **asked)
    scratch.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="copy")
    refused("DBClusterSnapshotNotFoundFault", restore, **(asked | {"SnapshotIdentifier": "copy"}))


def test_the_engine_version_that_is_not_asked_for_is_the_default_and_not_the_snapshots(world: World) -> None:
    rds = world.source_rds
    versions = rds.describe_db_engine_versions(Engine=AURORA)["DBEngineVersions"]
    (default,) = rds.describe_db_engine_versions(Engine=AURORA, DefaultOnly=True)["DBEngineVersions"]
    (older,) = (v["EngineVersion"] for v in versions if v["EngineVersion"] != default["EngineVersion"])
    assert make_cluster(rds, EngineVersion=older)["EngineVersion"] == older
    assert snapshot(world, "s")["EngineVersion"] == older
    asked = {"SnapshotIdentifier": "s", "Engine": AURORA, "Tags": []}
    left_out = rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="default", **asked)["DBCluster"]
    assert left_out["EngineVersion"] == default["EngineVersion"]
    kept = rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="kept", EngineVersion=older, **asked)["DBCluster"]
    assert kept["EngineVersion"] == older
    cluster_in(rds, "default")
    snapshot(world, "newer", "default")
    asked |= {"SnapshotIdentifier": "newer", "DBClusterIdentifier": "back", "EngineVersion": older}
    refused("InvalidParameterCombination", rds.restore_db_cluster_from_snapshot, **asked)
    options = rds.describe_orderable_db_instance_options(Engine=AURORA, EngineVersion=older)
    classes = [o["DBInstanceClass"] for o in options["OrderableDBInstanceOptions"]]
    assert "db.serverless" in classes
    assert "db.t4g.micro" not in classes


def test_instances_of_a_cluster_leave_the_cluster_what_is_the_clusters(world: World) -> None:
    rds = world.source_rds
    create = rds.create_db_instance
    asked = {
        "DBInstanceIdentifier": "i",
        "DBInstanceClass": "db.r6g.large",
        "Engine": AURORA,
        "DBClusterIdentifier": "shop",
    }
    refused("DBClusterNotFoundFault", create, **asked)
    world.aws.timings(create=60)
    defaults = {"Engine": AURORA, "MasterUsername": MASTER, "MasterUserPassword": PASSWORD}
    rds.create_db_cluster(DBClusterIdentifier="slow", **defaults)
    refused("InvalidDBClusterStateFault", create, **(asked | {"DBClusterIdentifier": "slow"}))
    refused("InvalidDBClusterStateFault", rds.modify_db_cluster, DBClusterIdentifier="slow", BackupRetentionPeriod=2)
    last = {"DBClusterIdentifier": "slow", "DBClusterSnapshotIdentifier": "s"}
    refused("InvalidDBClusterStateFault", rds.create_db_cluster_snapshot, **last)
    final = {"DBClusterIdentifier": "slow", "FinalDBSnapshotIdentifier": "s"}
    refused("InvalidDBClusterStateFault", rds.delete_db_cluster, **final)
    rds.delete_db_cluster(DBClusterIdentifier="slow", SkipFinalSnapshot=True)
    world.aws.timings(create=FAST["create"])
    make_cluster(rds)
    for code, wrong in (
        ("InvalidParameterCombination", {"Engine": "postgres"}),
        ("InvalidParameterCombination", {"EngineVersion": "9.6"}),
        ("InvalidParameterCombination", {"DBInstanceClass": "db.t4g.micro"}),
        ("InvalidParameterCombination", {"DBInstanceClass": "db.serverless"}),
        ("InvalidParameterCombination", {"MasterUserPassword": PASSWORD}),
        ("InvalidParameterCombination", {"VpcSecurityGroupIds": ["sg-1"]}),
        ("InvalidParameterCombination", {"DBSubnetGroupName": "other"}),
        ("DBParameterGroupNotFound", {"DBParameterGroupName": "nothing"}),
        ("InvalidParameterValue", {"DBInstanceIdentifier": "ends-"}),
    ):
        refused(code, create, **(asked | wrong))
    for code, wrong in (
        ("InvalidParameterValue", {"Engine": "aurora"}),
        ("InvalidParameterValue", {"MasterUserPassword": "x" * 42}),
        ("InvalidParameterValue", {"MasterUsername": ""}),
        ("InvalidParameterCombination", {"KmsKeyId": world.source_key}),
        ("DBClusterAlreadyExistsFault", {"DBClusterIdentifier": "Shop"}),
    ):
        refused(code, rds.create_db_cluster, **({"DBClusterIdentifier": "x", **defaults} | wrong))
    scaling = {"MinCapacity": 0.5, "MaxCapacity": 1.0}
    rds.modify_db_cluster(DBClusterIdentifier="shop", ServerlessV2ScalingConfiguration=scaling, EnableHttpEndpoint=True)
    refused("InvalidParameterCombination", rds.modify_db_cluster, DBClusterIdentifier="shop", Port=1)
    first = member(rds, "first", "shop", DBInstanceClass="db.serverless")
    member(rds, "second", "shop", PromotionTier=3)
    refused("DBInstanceAlreadyExists", create, **(asked | {"DBInstanceIdentifier": "first"}))
    described = cluster_in(rds, "shop")
    assert described["ServerlessV2ScalingConfiguration"] == scaling
    assert described["HttpEndpointEnabled"] is True
    assert [(m["DBInstanceIdentifier"], m["IsClusterWriter"]) for m in described["DBClusterMembers"]] == [
        ("first", True),
        ("second", False),
    ]
    modify = {"DBInstanceIdentifier": "first", "MasterUserPassword": "x" * 12}
    refused("InvalidParameterCombination", rds.modify_db_instance, **modify)
    final = {"DBInstanceIdentifier": "first", "FinalDBSnapshotIdentifier": "x"}
    refused("InvalidParameterCombination", rds.delete_db_instance, **final)
    with connect(first) as connection:
        connection.execute("create table kept as select 1 as id")
    rds.delete_db_instance(DBInstanceIdentifier="first")
    assert [m["IsClusterWriter"] for m in cluster_in(rds, "shop")["DBClusterMembers"]][-1] is True  # it takes over
    gone(rds, "first")
    with connect(instance_in(rds, "second")) as connection:
        assert connection.execute("select id from kept").fetchone() == (1,)
    # A password, changed where an instance runs.
    rds.modify_db_cluster(DBClusterIdentifier="shop", MasterUserPassword="a-new-password")
    until(lambda: "PendingModifiedValues" not in cluster_in(rds, "shop"))
    connect(instance_in(rds, "second"), password="a-new-password").close()


@pytest.mark.long
def test_quotas_of_clusters_count(world: World) -> None:
    rds = world.source_rds
    world.aws.quota(SOURCE, clusters=1, cluster_snapshots=1, instances=1)
    full_cluster(world)
    defaults = {"Engine": AURORA, "MasterUsername": MASTER, "MasterUserPassword": PASSWORD}
    refused("DBClusterQuotaExceededFault", rds.create_db_cluster, DBClusterIdentifier="two", **defaults)
    two = {"DBInstanceIdentifier": "two", "DBClusterIdentifier": "shop", "DBInstanceClass": "db.r6g.large"}
    refused("InstanceQuotaExceeded", rds.create_db_instance, Engine=AURORA, **two)
    snapshot(world, "a")
    again = {"DBClusterIdentifier": "shop", "DBClusterSnapshotIdentifier": "b"}
    refused("SnapshotQuotaExceeded", rds.create_db_cluster_snapshot, **again)
    again["DBClusterSnapshotIdentifier"] = "a"
    refused("DBClusterSnapshotAlreadyExistsFault", rds.create_db_cluster_snapshot, **again)
    world.aws.automated_cluster_snapshot(SOURCE, "shop", at=datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(DemoAwsError, match="already exists"):
        world.aws.automated_cluster_snapshot(SOURCE, "shop", at=datetime(2026, 11, 1, tzinfo=UTC))
    quotas = {q["AccountQuotaName"]: (q["Used"], q["Max"]) for q in rds.describe_account_attributes()["AccountQuotas"]}
    assert (quotas["DBClusters"], quotas["ManualClusterSnapshots"]) == ((1, 1), (1, 1))


def test_deleting_a_cluster(world: World) -> None:
    rds = world.source_rds
    full_cluster(world, "create table t as select 7 as id", DeletionProtection=True, CopyTagsToSnapshot=True)
    automated = world.aws.automated_cluster_snapshot(SOURCE, "shop")
    leftover = world.aws.final_cluster_snapshot(SOURCE, "shop")
    assert leftover.startswith("rds-final-shop-")
    delete = rds.delete_db_cluster
    refused("InvalidParameterCombination", delete, DBClusterIdentifier="shop", SkipFinalSnapshot=True)
    rds.modify_db_cluster(DBClusterIdentifier="shop", DeletionProtection=False)
    refused("InvalidDBClusterStateFault", delete, DBClusterIdentifier="shop", SkipFinalSnapshot=True)
    rds.delete_db_instance(DBInstanceIdentifier="shop-1", SkipFinalSnapshot=True)
    gone(rds, "shop-1")
    assert world.aws.state()["postgres"] == []
    refused("InvalidParameterCombination", delete, DBClusterIdentifier="shop")
    both = {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}
    refused("InvalidParameterCombination", delete, DBClusterIdentifier="shop", **both)
    refused("DBClusterNotFoundFault", delete, DBClusterIdentifier="nobody", SkipFinalSnapshot=True)
    directory = world.aws.cluster_directory(SOURCE, "shop")
    assert (directory / "PG_VERSION").exists()
    delete(DBClusterIdentifier="shop", FinalDBSnapshotIdentifier="last")
    until(lambda: cluster_of(rds, "shop") is None)
    assert not directory.exists()
    assert rds.describe_db_cluster_snapshots(SnapshotType="automated")["DBClusterSnapshots"] == [], automated
    left = {s["DBClusterSnapshotIdentifier"] for s in rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]}
    assert left == {"last", leftover}  # what an upgrade left behind outlives the cluster
    restored = rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="again", SnapshotIdentifier="last", Engine=AURORA
    )
    assert restored["DBCluster"]["Engine"] == AURORA
    cluster_in(rds, "again")
    with connect(member(rds, "again-1", "again")) as connection:
        assert connection.execute("select id from t").fetchall() == [(7,)]
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=leftover)


@pytest.mark.long
def test_faults_of_clusters(world: World) -> None:
    rds, aws = world.source_rds, world.aws
    full_cluster(world, "create table t as select 1 as id")
    snapshot(world, "s")
    restore = {"SnapshotIdentifier": "s", "Engine": AURORA}
    aws.fault("RestoreDBClusterFromSnapshot", name="bad*", instance_status="upgrade_failed")
    rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="bad", **restore)
    cluster_in(rds, "bad", "upgrade_failed")
    assert (
        aws.final_cluster_snapshot(SOURCE, "bad", at=datetime(2026, 11, 1, tzinfo=UTC))
        == "rds-final-bad-2026-11-01-00-00"
    )
    aws.fault("RestoreDBClusterFromSnapshot", name="stuck", instance_status="creating")
    rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="stuck", **restore)
    aws.fault("RestoreDBClusterFromSnapshot", name="slow", slow_boot=LONG)
    rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="slow", **restore)
    cluster_in(rds, "slow", "creating")
    aws.skip(LONG)
    cluster_in(rds, "slow")
    assert (cluster_of(rds, "stuck") or {})["Status"] == "creating"
    aws.fault("CreateDBInstance", name="never", instance_status="creating")
    never = {"DBInstanceIdentifier": "never", "DBClusterIdentifier": "slow", "DBInstanceClass": "db.r6g.large"}
    rds.create_db_instance(Engine=AURORA, **never)
    rds.delete_db_instance(DBInstanceIdentifier="never", SkipFinalSnapshot=True)
    gone(rds, "never")
    aws.fault("CreateDBInstance", connection="refuse")
    deaf = member(rds, "deaf", "slow")
    for where in (deaf, endpoint(cluster_in(rds, "slow"))):
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connect(where)
    aws.fault("*", name="shop-1", kill_query="pg_sleep")
    with connect(instance_in(rds, "shop-1")) as connection, pytest.raises(psycopg.OperationalError):
        connection.execute("select pg_sleep(20)")
    # Damaged bytes: this snapshot's and no other's.
    rds.copy_db_cluster_snapshot(SourceDBClusterSnapshotIdentifier="s", TargetDBClusterSnapshotIdentifier="sound")
    cluster_snapshot_in(rds, "sound")
    (aws.cluster_snapshot_directory(SOURCE, "s") / "global" / "pg_control").write_bytes(b"\0" * 8192)
    rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="broken", **restore)
    cluster_in(rds, "broken")
    rds.create_db_instance(
        DBInstanceIdentifier="broken-1", DBClusterIdentifier="broken", DBInstanceClass="db.r6g.large", Engine=AURORA
    )
    assert "Endpoint" not in instance_in(rds, "broken-1", "failed")
    made = {entry["name"] for entry in aws.tally()["made"] if entry["operation"] == "RestoreDBClusterFromSnapshot"}
    assert made == {"bad", "stuck", "slow", "broken"}


@pytest.mark.long
def test_tags_of_clusters_and_their_snapshots(world: World) -> None:
    rds = world.source_rds
    arn = make_cluster(rds, Tags=[{"Key": "a", "Value": "1"}], CopyTagsToSnapshot=True)["DBClusterArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "b", "Value": "2"}])
    taken = snapshot(world, "s", Tags=[{"Key": "c", "Value": "3"}])
    assert {t["Key"] for t in taken["TagList"]} == {"a", "b", "c"}
    rds.remove_tags_from_resource(ResourceName=taken["DBClusterSnapshotArn"], TagKeys=["c"])
    listed = rds.list_tags_for_resource(ResourceName=taken["DBClusterSnapshotArn"])["TagList"]
    assert {t["Key"] for t in listed} == {"a", "b"}
    inherits = rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="r", SnapshotIdentifier="s", Engine=AURORA)
    assert {t["Key"] for t in inherits["DBCluster"]["TagList"]} == {"a", "b"}
    refused("DBClusterNotFoundFault", world.scratch_rds.list_tags_for_resource, ResourceName=arn)
    for operation in (rds.stop_db_cluster, rds.start_db_cluster, rds.failover_db_cluster):
        refused("InvalidAction", operation, DBClusterIdentifier="shop")


def test_a_reset_leaves_nothing_of_a_cluster(fresh_aws: DemoAws) -> None:
    world = furnish(fresh_aws)
    full_cluster(world)
    snapshot(world, "s")
    fresh_aws.timings(create=50)
    world.source_rds.create_db_instance(
        DBInstanceIdentifier="late", DBClusterIdentifier="shop", DBInstanceClass="db.r6g.large", Engine=AURORA
    )
    world.source_rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="r", SnapshotIdentifier="s", Engine=AURORA)
    fresh_aws.reset()
    root = Path(fresh_aws.state()["data_dir"])
    assert fresh_aws.state()["postgres"] == []
    assert [list((root / name).iterdir()) for name in ("instances", "snapshots")] == [[], []]
    assert fresh_aws.digest([SOURCE]) == {SOURCE: {}}
    with pytest.raises(DemoAwsError, match="DBCluster none not found"):
        fresh_aws.cluster_directory(SOURCE, "none")
    with pytest.raises(DemoAwsError, match="cluster is missing"):
        fresh_aws.final_cluster_snapshot(SOURCE, "")
