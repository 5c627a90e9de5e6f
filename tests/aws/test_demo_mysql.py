"""MariaDB behind the demo AWS: instances, clusters, their snapshots and what becomes of the data in them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from demo_world import MASTER, PASSWORD, SCRATCH, SOURCE, World, gone, instance_in, snapshot_in, until
from requirements import need_mariadb

from restorecheck.demo.aws.process import DemoAwsError

pymysql: Any = pytest.importorskip("pymysql")

ORDERS = ("CREATE TABLE orders (id INT PRIMARY KEY)", "INSERT INTO orders SELECT seq FROM seq_1_to_1000")


@pytest.fixture(autouse=True)
def programs() -> None:
    need_mariadb()


def run(instance: dict[str, Any], sql: str, *, user: str = MASTER, password: str = PASSWORD) -> list[tuple[Any, ...]]:
    """Run one statement in the database `shop` of an instance, and return what it answers."""
    where = instance["Endpoint"]
    connection = pymysql.connect(
        host=where["Address"], port=where["Port"], user=user, password=password, database="shop", autocommit=True
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def shop(world: World, engine: str = "mariadb", **settings: Any) -> dict[str, Any]:
    made = world.database("shop-db", Engine=engine, **settings)
    for statement in ORDERS:
        run(made, statement)
    return made


def restored(world: World, snapshot: str, **settings: Any) -> dict[str, Any]:
    world.source_rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="copy", DBSnapshotIdentifier=snapshot, BackupRetentionPeriod=0, **settings
    )
    return instance_in(world.source_rds, "copy")


@pytest.mark.long
def test_an_instance_is_what_its_engine_says(world: World):
    made = shop(world)
    assert (made["Engine"], made["LicenseModel"]) == ("mariadb", "general-public-license")
    assert made["DBParameterGroups"][0]["DBParameterGroupName"].startswith("default.mariadb10.")
    [[version]] = run(made, "SELECT version()")
    assert "MariaDB" in version
    [grants] = run(made, "SHOW GRANTS")
    assert "SUPER" not in grants[0]
    assert "FILE" not in grants[0]
    assert run(made, "SELECT User FROM mysql.user WHERE User IN ('', 'root')") == []


def test_a_snapshot_keeps_the_data_of_its_moment_and_a_restore_has_it(world: World):
    made = shop(world)
    world.snapshot("shop-db", "weekly")
    run(made, "DELETE FROM orders")
    copy = restored(world, "weekly")
    assert run(copy, "SELECT count(*) FROM orders") == [(1000,)]
    assert run(made, "SELECT count(*) FROM orders") == [(0,)]
    assert copy["Engine"] == "mariadb"


@pytest.mark.long
def test_a_new_password_works_and_the_old_one_does_not(world: World):
    made = shop(world)
    world.source_rds.modify_db_instance(
        DBInstanceIdentifier="shop-db", MasterUserPassword="another-password", ApplyImmediately=True
    )
    until(lambda: not instance_in(world.source_rds, "shop-db")["PendingModifiedValues"])
    assert run(made, "SELECT 1", password="another-password") == [(1,)]
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        run(made, "SELECT 1")


def test_a_server_that_crashed_comes_up_where_it_was_with_its_data(world: World):
    made = shop(world)
    before = world.aws.state()["mariadb"]
    world.aws.crash(SOURCE, "shop-db")
    assert run(made, "SELECT count(*) FROM orders") == [(1000,)]
    assert world.aws.state()["mariadb"] != before
    with pytest.raises(DemoAwsError, match="not found"):
        world.aws.crash(SOURCE, "nothing")


@pytest.mark.parametrize("crash", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_fault_ends_who_runs_a_query(world: World, crash: bool):
    made = shop(world)
    world.aws.fault(kill_query="sleep", crash=crash)
    with pytest.raises(pymysql.MySQLError):
        run(made, "SELECT sleep(20), 1 FROM orders LIMIT 1")
    assert until(lambda: _answers(made)) == [(1,)]


def _answers(made: dict[str, Any]) -> list[tuple[Any, ...]] | None:
    with contextlib.suppress(pymysql.MySQLError):
        return run(made, "SELECT 1")
    return None


def test_what_differs_for_an_engine_is_refused(world: World):
    shop(world)
    world.snapshot("shop-db", "weekly")
    errors = world.source_rds.exceptions.ClientError
    with pytest.raises(errors, match="EngineLifecycleSupport is not supported"):
        restored(world, "weekly", EngineLifecycleSupport="open-source-rds-extended-support-disabled")
    with pytest.raises(errors, match="must be compatible"):
        restored(world, "weekly", Engine="postgres")
    with pytest.raises(errors, match="not of 8 to 41 characters"):
        world.source_rds.modify_db_instance(DBInstanceIdentifier="shop-db", MasterUserPassword="p" * 42)
    with pytest.raises(errors, match="clusters of aurora-postgresql, aurora-mysql only"):
        world.source_rds.create_db_cluster(DBClusterIdentifier="c", Engine="mysql")
    with pytest.raises(errors, match="instances of engine postgres, mariadb, mysql only"):
        world.database("other", Engine="oracle-ee")


@pytest.mark.long
def test_a_cluster_keeps_its_data_while_no_instance_serves_it(world: World):
    rds = world.source_rds
    world.cluster("shop", Engine="aurora-mysql")
    made = instance_in(rds, "shop-1")
    for statement in ORDERS:
        run(made, statement)
    rds.delete_db_instance(DBInstanceIdentifier="shop-1", SkipFinalSnapshot=True)
    gone(rds, "shop-1")
    world.cluster_snapshot("shop", "weekly")
    [described] = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="weekly")["DBClusterSnapshots"]
    assert (described["Engine"], described["LicenseModel"]) == ("aurora-mysql", "general-public-license")
    with pytest.raises(rds.exceptions.ClientError, match="is not that of the snapshot"):
        rds.restore_db_cluster_from_snapshot(
            DBClusterIdentifier="copy", SnapshotIdentifier="weekly", Engine="aurora-postgresql"
        )
    rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="copy", SnapshotIdentifier="weekly", Engine="aurora-mysql")
    until(lambda: rds.describe_db_clusters(DBClusterIdentifier="copy")["DBClusters"][0]["Status"] == "available")
    rds.modify_db_cluster(DBClusterIdentifier="copy", MasterUserPassword="another-password", ApplyImmediately=True)
    rds.create_db_instance(
        DBInstanceIdentifier="copy-1", DBClusterIdentifier="copy", DBInstanceClass="db.r6g.large", Engine="aurora-mysql"
    )
    copy = instance_in(rds, "copy-1")
    until(lambda: "PendingModifiedValues" not in rds.describe_db_clusters(DBClusterIdentifier="copy")["DBClusters"][0])
    assert run(copy, "SELECT count(*) FROM orders", password="another-password") == [(1000,)]


@pytest.mark.long
def test_a_damaged_copy_does_not_come_up(world: World):
    shop(world)
    world.snapshot("shop-db", "weekly")
    (world.aws.snapshot_directory(SOURCE, "weekly") / "ibdata1").write_bytes(b"\0" * 4096)
    world.source_rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="copy", DBSnapshotIdentifier="weekly", BackupRetentionPeriod=0
    )
    instance_in(world.source_rds, "copy", "failed")
    world.share("weekly", SCRATCH)
    assert snapshot_in(world.source_rds, "weekly")["Engine"] == "mariadb"
