"""Aurora clusters from their snapshots to a verdict and back to nothing, on the demo AWS."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from demo_world import DATABASE, LONG, SCRATCH, SOURCE, World, connect, instance_in, until
from product import Product

from restorecheck.failures import CLUSTER_STATUSES, KINDS
from restorecheck.model import Report, SnapshotKind, Verdict

ORDERS = (
    "create table orders (id int primary key, customer text not null)",
    "insert into orders select g, 'canary-' || g from generate_series(1, 1000) g",
)
PRESENT = {"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1}}
RESTORE = "RestoreDBClusterFromSnapshot"
RESTORED = {RESTORE: 1, "CreateDBInstance": 1, "ModifyDBCluster": 1}
REMOVED = {"DeleteDBInstance": 1, "DeleteDBCluster": 1}
SHARED = {"ModifyDBClusterSnapshotAttribute": 2}


def cluster(world: World, **settings: object) -> None:
    """Make the cluster `shop` with an instance and orders in its database `shop`; `postgres` stays empty."""
    world.cluster("shop", *ORDERS, **settings)


def snapshot(world: World, name: str = "weekly") -> None:
    world.cluster_snapshot("shop", name)


def product(world: World, home: Path, *, asserts: bool = True, **source: object) -> Product:
    """restorecheck with one check of the cluster: at least one order."""
    made = Product(world, home)
    made.configure(instance_class="db.serverless", capacity=[0.5, 2])
    place = {"type": "aurora", "cluster": "shop", "database": DATABASE} | source
    made.declare("shop-db", place, [PRESENT] if asserts else [])
    return made


def writes(world: World) -> dict[str, int]:
    """Count the writes that were accepted, by operation."""
    counted: dict[str, int] = {}
    for call in world.aws.calls():
        if (
            call["service"] == "rds"
            and not call["operation"].startswith("Describe")
            and call["role"] != "administrator"
        ):
            counted[call["operation"]] = counted.get(call["operation"], 0) + 1
    return counted


@pytest.fixture
def shop(world: World) -> World:
    cluster(world, StorageEncrypted=True, KmsKeyId=world.source_key)
    return world


@pytest.mark.long
def test_a_manual_snapshot_is_restored_from_the_share_itself(shop: World, tmp_path: Path):
    snapshot(shop)
    made = product(shop, tmp_path)
    shop.aws.clear_calls()
    report = made.verify()
    assert (report.verdict, report.failure) == (Verdict.PASSED, None)
    assert report.point is not None
    assert (report.point.kind, report.leaked) == (SnapshotKind.MANUAL, ())
    assert writes(shop) == RESTORED | REMOVED | SHARED
    [databases] = [f for f in report.findings if f.name == "databases"]
    assert databases.observed == "shop (1 table); not asked: postgres (no table)"


@pytest.mark.long
def test_an_automated_snapshot_goes_through_copies_on_either_side(shop: World, tmp_path: Path):
    shop.aws.automated_cluster_snapshot(SOURCE, "shop")
    made = product(shop, tmp_path, copy=True)
    shop.aws.clear_calls()
    report = made.verify()
    assert (report.verdict, report.failure) == (Verdict.PASSED, None)
    copied = {"CopyDBClusterSnapshot": 2, "DeleteDBClusterSnapshot": 2}
    assert writes(shop) == RESTORED | REMOVED | SHARED | copied
    assert [p.name for p in report.phases if not p.name.endswith(": wait")] == [
        "plan",
        "find",
        "export",
        "share",
        "import",
        "restore",
        "instance",
        "open",
        "examine",
        "drop instance",
        "drop cluster",
        "drop import",
        "unshare",
        "drop export",
        "prove",
    ]


@pytest.mark.long
def test_a_cluster_that_has_none_says_which_list_was_read(shop: World, tmp_path: Path):
    snapshot(shop)
    before = writes(shop)
    report = product(shop, tmp_path, cluster="shop-of-nobody").verify()
    assert report.failure is not None
    assert report.failure.kind == "no-recovery-point"
    assert "there are no cluster snapshots" in report.failure.message
    assert writes(shop) == before


@pytest.mark.long
def test_a_snapshot_under_the_default_key_goes_through_the_share_key(world: World, tmp_path: Path):
    aws_rds = world.aws.client("kms", SOURCE).describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"]
    cluster(world, StorageEncrypted=True, KmsKeyId=aws_rds)
    snapshot(world)
    world.aws.clear_calls()
    report = product(world, tmp_path).verify()
    assert (report.verdict, report.failure, report.leaked) == (Verdict.PASSED, None, ())
    assert report.point is not None
    assert report.point.default_key
    assert "CopyDBClusterSnapshot" in writes(world)


@pytest.mark.long
def test_an_unencrypted_snapshot_is_restored_or_said_to_be_the_trouble_and_nothing_is_left(
    world: World, tmp_path: Path
):
    """What AWS shares of a cluster that nobody encrypted is not documented: either outcome is honest, a leak is not."""
    cluster(world)
    snapshot(world)
    report = product(world, tmp_path).verify()
    assert (report.verdict, report.failure and report.failure.kind) in {
        (Verdict.PASSED, None),
        (Verdict.UNPROVEN, "key-not-shareable"),
    }
    assert report.leaked == ()


def test_the_empty_default_database_is_not_what_passes(shop: World, tmp_path: Path):
    snapshot(shop)
    made = product(shop, tmp_path, asserts=False, database="postgres")
    report = made.verify()
    assert report.failure is not None
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "empty-database")
    assert "postgres holds no table; shop holds 1" in report.failure.message
    assert report.leaked == ()


@pytest.mark.long
def test_what_its_owner_shares_needs_no_write_in_the_source_account(shop: World, tmp_path: Path):
    snapshot(shop)
    shop.share_cluster("weekly")
    shop.aws.clear_calls()
    report = product(shop, tmp_path, snapshots=["shared"]).verify()
    assert (report.verdict, report.failure) == (Verdict.PASSED, None)
    assert report.point is not None
    assert report.point.kind is SnapshotKind.SHARED
    assert writes(shop) == RESTORED | REMOVED


@pytest.mark.long
def test_each_of_several_databases_is_asked_by_its_name(shop: World, tmp_path: Path):
    with connect(instance_in(shop.source_rds, "shop-1")) as connection:
        connection.execute("create database ledger")
    with connect(instance_in(shop.source_rds, "shop-1"), database="ledger") as connection:
        connection.execute("create table entries as select generate_series(1, 7) n")
    snapshot(shop)
    made = product(shop, tmp_path)
    source = {"type": "aurora", "cluster": "shop"}
    entries = {"name": "entries", "sql": "select count(*) from entries", "expect": {"equals": 7}, "database": "ledger"}
    made.declare("shop-db", source, [PRESENT | {"database": DATABASE}, entries])
    report = made.verify()
    assert (report.verdict, report.failure) == (Verdict.PASSED, None)
    [databases] = [f for f in report.findings if f.name == "databases"]
    assert "ledger (1 table)" in databases.observed
    made.declare("shop-db", source, [PRESENT | {"database": "ledgre"}])
    report = made.verify()
    assert report.failure is not None
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "missing-object")
    assert "ledgre" in report.failure.message


def test_an_instance_s_name_is_not_looked_for_among_clusters_nor_the_reverse(shop: World, tmp_path: Path):
    """Nobody is told `no snapshot` without being told of which list."""
    snapshot(shop)
    for wrong, of in (
        ({"type": "aurora", "cluster": "shop-1", "database": DATABASE}, "cluster snapshots"),
        ({"type": "rds", "instance": "shop", "database": DATABASE}, "snapshots"),
    ):
        made = product(shop, tmp_path)
        made.configure(instance_class="db.r6g.large")
        made.declare("shop-db", wrong, [PRESENT])
        report = made.verify()
        assert report.failure is not None
        assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "no-recovery-point")
        assert f"there are no {of} (" in report.failure.message
        assert "clusters and instances keep their snapshots in different lists" in report.failure.hint


# --- what can go wrong ---------------------------------------------------------------------------------------------


@pytest.fixture
def ready(shop: World, tmp_path: Path) -> Product:
    """A manual snapshot, and a check of it."""
    snapshot(shop)
    return product(shop, tmp_path)


def ended(report: Report) -> tuple[Verdict, str]:
    assert report.leaked == ()
    return report.verdict, report.failure.kind if report.failure else ""


@pytest.mark.long
@pytest.mark.parametrize("status", ["upgrade_failed", "incompatible-restore"])
def test_a_terminal_status_of_a_cluster_is_what_the_table_says_and_is_torn_down(ready: Product, status: str):
    ready.world.aws.fault(RESTORE, instance_status=status)
    report = ready.verify()
    kind = CLUSTER_STATUSES[status]
    assert ended(report) == (KINDS[kind].verdict, kind)
    assert report.failure is not None
    assert status in report.failure.message


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_terminal_status_of_a_cluster(ready: Product):
    for status, kind in CLUSTER_STATUSES.items():
        if status == "deleting":
            continue  # told of a cluster that somebody deletes
        ready.world.aws.fault(RESTORE, instance_status=status)
        assert ended(ready.verify()) == (KINDS[kind].verdict, kind), status


@pytest.mark.parametrize("quota", ["clusters", pytest.param("instances", marks=pytest.mark.long)])
def test_a_full_account_is_unproven_and_what_was_made_is_removed(ready: Product, quota: str):
    ready.world.aws.quota(SCRATCH, **{quota: 0})  # type: ignore[arg-type]
    assert ended(ready.verify()) == (Verdict.UNPROVEN, "quota")


@pytest.mark.parametrize("operation", [RESTORE, "CreateDBInstance", "DeleteDBInstance", "DeleteDBCluster"])
@pytest.mark.long
def test_an_answer_that_got_lost_makes_nothing_twice(ready: Product, operation: str):
    ready.world.aws.fault(operation, code="InternalFailure", carried_out=True)
    assert ended(ready.verify()) == (Verdict.PASSED, "")


@pytest.mark.long
def test_what_a_failed_upgrade_leaves_behind_is_reported_and_never_deleted(ready: Product):
    aws, rds = ready.world.aws, ready.world.scratch_rds
    before = ready.estate()
    aws.timings(create=LONG)

    def leave() -> None:
        found = until(lambda: rds.describe_db_clusters()["DBClusters"])
        name = found[0]["DBClusterIdentifier"]
        aws.skip(LONG)
        until(lambda: rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"] == "available")
        aws.final_cluster_snapshot(SCRATCH, name)
        until(lambda: rds.describe_db_instances()["DBInstances"])  # the run goes no further until it is there
        aws.skip(LONG)

    leaving = threading.Thread(target=leave)
    leaving.start()
    report = ready.verify(left=True)
    leaving.join()
    assert report.verdict is Verdict.PASSED
    [leaked] = report.leaked
    assert ":cluster-snapshot:rds-final-restorecheck-shop-db-" in leaked.arn
    assert "aws rds delete-db-cluster-snapshot" in leaked.reason
    after = ready.estate()
    assert after["theirs"] == before["theirs"]
    assert [name.rpartition("/")[2].startswith("rds-final-") for name in after["ours"]] == [True]
    assert [c for c in aws.calls() if c["operation"] == "DeleteDBClusterSnapshot"] == []


@pytest.mark.long
def test_a_foreign_cluster_under_the_run_s_prefix_is_neither_counted_nor_deleted(ready: Product):
    rds = ready.world.scratch_rds
    rds.create_db_cluster(
        DBClusterIdentifier="restorecheckers",
        Engine="aurora-postgresql",
        MasterUsername="other",
        MasterUserPassword="a-master-password",
        DBSubnetGroupName="restorecheck-scratch",
    )
    until(
        lambda: (
            rds.describe_db_clusters(DBClusterIdentifier="restorecheckers")["DBClusters"][0]["Status"] == "available"
        )
    )
    assert ended(ready.verify()) == (Verdict.PASSED, "")  # and `verify` fails if that cluster is not as it was
