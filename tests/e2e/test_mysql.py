"""RDS for MariaDB and Aurora MySQL from their snapshots to a verdict and back to nothing, on the demo AWS."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from demo_world import MASTER, PASSWORD, SCRATCH, World, instance_in
from product import Product
from requirements import need_mariadb

from restorecheck.model import Report, Verdict

ORDERS = (
    "CREATE TABLE orders (id INT PRIMARY KEY, customer VARCHAR(40) NOT NULL)",
    "INSERT INTO orders SELECT seq, CONCAT('canary-', seq) FROM seq_1_to_1000",
)
PRESENT = {"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1000}}
SLOW = {"name": "slow", "sql": "select count(*) from orders a, orders b, orders c, orders d", "expect": {"at_least": 1}}
"""Does not end: what it meets is the end of its connection."""
REPLACED = "RDS will replace the host of DB instance scratch due to a pending maintenance action."


@pytest.fixture(autouse=True)
def programs() -> None:
    need_mariadb()


def execute(instance: dict[str, Any], *statements: str) -> None:
    import pymysql  # noqa: PLC0415 - belongs to an extra

    where = instance["Endpoint"]
    connection = pymysql.connect(
        host=where["Address"], port=where["Port"], user=MASTER, password=PASSWORD, database="shop", autocommit=True
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def mariadb(world: World) -> World:
    """An encrypted MariaDB `shop` with a thousand orders."""
    made = world.database("shop", Engine="mariadb", StorageEncrypted=True, KmsKeyId=world.source_key)
    execute(made, *ORDERS)
    return world


@pytest.fixture
def aurora(world: World) -> World:
    """An encrypted Aurora MySQL `shop` with a thousand orders, and a snapshot of it."""
    world.cluster("shop", Engine="aurora-mysql", StorageEncrypted=True, KmsKeyId=world.source_key)
    execute(instance_in(world.source_rds, "shop-1"), *ORDERS)
    world.cluster_snapshot("shop", "weekly")
    return world


def instances(world: World, home: Path, *asserts: dict[str, object], engine: str = "mysql") -> Product:
    made = Product(world, home)
    made.configure()
    made.check(asserts=asserts or (PRESENT,), source={"engine": engine} if engine else {})
    return made


def clusters(world: World, home: Path, *asserts: dict[str, object]) -> Product:
    made = Product(world, home)
    made.configure(instance_class="db.r6g.large")
    source = {"type": "aurora", "cluster": "shop", "database": "shop", "engine": "mysql"}
    made.declare("shop-db", source, asserts or (PRESENT,))
    return made


def told(report: Report) -> tuple[Verdict, str, int]:
    return report.verdict, report.failure.kind if report.failure else "", len(report.leaked)


@pytest.mark.long
def test_a_snapshot_of_mariadb_passes(mariadb: World, tmp_path: Path):
    mariadb.snapshot("shop", "weekly")
    ran = instances(mariadb, tmp_path).run("run", "shop-db", "--json")
    assert (ran.code, ran.report["verdict"], ran.report["leaked"]) == (0, "passed", [])
    assert ran.report["point"]["engine"] == "mariadb"
    [databases] = [f for f in ran.report["findings"] if f["name"] == "databases"]
    assert databases["observed"] == "shop (1 table)"


@pytest.mark.long
def test_a_snapshot_of_mariadb_whose_rows_are_gone_is_broken(mariadb: World, tmp_path: Path):
    execute(instance_in(mariadb.source_rds, "shop"), "DELETE FROM orders WHERE id > 41")
    mariadb.snapshot("shop", "weekly")
    assert told(instances(mariadb, tmp_path).verify()) == (Verdict.BROKEN, "assertion-failed", 0)


@pytest.mark.long
def test_a_cluster_of_mysql_passes(aurora: World, tmp_path: Path):
    report = clusters(aurora, tmp_path).verify()
    assert told(report) == (Verdict.PASSED, "", 0)
    assert report.point is not None
    assert report.point.engine == "aurora-mysql"


@pytest.mark.long
def test_a_cluster_of_mysql_that_lacks_a_table_is_broken(aurora: World, tmp_path: Path):
    missing = {"name": "lost", "sql": "select count(*) from invoices", "expect": {"at_least": 1}}
    assert told(clusters(aurora, tmp_path, missing).verify()) == (Verdict.BROKEN, "missing-object", 0)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["mariadb", "mysql"])
def test_every_engine_goes_the_whole_way_with_probes(world: World, tmp_path: Path, engine: str):
    shop = world.database("shop", Engine=engine, StorageEncrypted=True, KmsKeyId=world.source_key)
    execute(shop, *ORDERS)
    probes = [{"name": name.replace("_", "-"), "probe": name} for name in ("readable", "check_table", "foreign_keys")]
    execute(shop, "CREATE TABLE item (order_id INT, FOREIGN KEY (order_id) REFERENCES orders (id))")
    world.snapshot("shop", "weekly")
    made = instances(world, tmp_path, PRESENT, *probes)
    assert made.run("check-config").code == 0
    assert made.run("plan", "shop-db").code == 0
    doctor = made.run("doctor")
    assert f"{engine} {shop['EngineVersion']} is offered" in doctor.out, doctor.out
    assert told(made.verify()) == (Verdict.PASSED, "", 0)


def test_a_check_that_asks_another_engine_says_so_before_anything_is_made(mariadb: World, tmp_path: Path):
    mariadb.snapshot("shop", "weekly")
    report = instances(mariadb, tmp_path, engine="").verify()
    assert told(report) == (Verdict.UNPROVEN, "config", 0)
    assert report.failure is not None
    assert report.failure.hint == 'say engine = "mysql" in [source]'
    assert [phase.name for phase in report.phases] == ["plan", "find", "prove"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (None, (Verdict.BROKEN, "connection-lost", 0)),
        (REPLACED, (Verdict.UNPROVEN, "interfered", 0)),
        ("A minor version upgrade is available.", (Verdict.BROKEN, "connection-lost", 0)),
    ],
)
def test_a_server_that_dies_of_a_question_is_damage_unless_aws_says_what_it_did(
    mariadb: World, tmp_path: Path, event: str | None, expected: tuple[Verdict, str, int]
):
    mariadb.snapshot("shop", "weekly")
    made = instances(mariadb, tmp_path, SLOW)
    mariadb.aws.fault(kill_query="orders a, orders b", times=None, account=SCRATCH, crash=True, event=event)
    report = made.verify()
    assert told(report) == expected
    assert report.failure is not None
    assert (event == REPLACED) == (REPLACED in report.failure.message)
