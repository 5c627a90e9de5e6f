"""Every way from a recovery point into the scratch account, and back; what is picked; what is never touched."""

from datetime import UTC, datetime, timedelta

import pytest
from demo_world import SCRATCH, SOURCE, instance_in, snapshot_in
from product import Product

from restorecheck.engines.clock import WallClock
from restorecheck.model import SnapshotKind, Verdict
from restorecheck.schedule import run_id, scratch_name

EXPORTED = {"CopyDBSnapshot": 2, "RestoreDBInstanceFromDBSnapshot": 1, "DeleteDBSnapshot": 2, "DeleteDBInstance": 1}


def writes(product: Product) -> dict[str, int]:
    """Count the writes that were accepted, by operation."""
    counted: dict[str, int] = {}
    for call in product.world.aws.calls():
        if (
            call["service"] == "rds"
            and not call["operation"].startswith(("Describe", "List"))
            and call["role"] != "administrator"
        ):
            counted[call["operation"]] = counted.get(call["operation"], 0) + 1
    return counted


def unencrypted(product: Product) -> None:
    product.world.database("plain", "create table orders (id int)", "insert into orders values (1)")
    product.check("plain-db", "plain")


def test_an_automated_snapshot_is_exported_shared_imported_restored_and_removed(product: Product):
    product.world.aws.automated_snapshot(SOURCE, "shop")
    product.world.aws.clear_calls()
    report = product.verify()
    assert (report.verdict, report.point.kind) == (Verdict.PASSED, SnapshotKind.AUTOMATED)
    assert writes(product) == EXPORTED | {"ModifyDBSnapshotAttribute": 2, "ModifyDBInstance": 1}


@pytest.mark.long
def test_a_snapshot_of_aws_backup_goes_the_same_way(product: Product):
    product.world.aws.automated_snapshot(SOURCE, "shop", kind="awsbackup")
    product.check(source={"snapshots": ["awsbackup"]})
    report = product.verify()
    assert (report.verdict, report.point.kind) == (Verdict.PASSED, SnapshotKind.AWSBACKUP)


def test_a_manual_snapshot_is_shared_for_the_time_of_the_run_and_not_copied_at_home(product: Product):
    product.world.snapshot("shop", "weekly")
    product.world.aws.clear_calls()
    report = product.verify()
    assert (report.verdict, report.point.kind) == (Verdict.PASSED, SnapshotKind.MANUAL)
    done = writes(product)
    assert (done["CopyDBSnapshot"], done["ModifyDBSnapshotAttribute"], done["DeleteDBSnapshot"]) == (1, 2, 1)


@pytest.mark.long
def test_a_share_that_was_there_before_stays(product: Product):
    product.world.snapshot("shop", "weekly")
    product.world.share("weekly")
    product.world.aws.clear_calls()
    assert product.verify().verdict is Verdict.PASSED  # and `verify` compares every share before and after
    assert "ModifyDBSnapshotAttribute" not in writes(product)


@pytest.mark.long
def test_what_its_owner_shares_needs_no_write_in_the_source_account(product: Product):
    product.world.snapshot("shop", "weekly")
    product.world.share("weekly")
    product.check(source={"snapshots": ["shared"]})
    product.world.aws.clear_calls()
    report = product.verify()
    assert (report.verdict, report.point.kind) == (Verdict.PASSED, SnapshotKind.SHARED)
    assert all(
        call["operation"].startswith("Describe")
        for call in product.world.aws.calls()
        if call["account"] == SOURCE and call["service"] == "rds" and call["role"] != "administrator"
    )


@pytest.mark.long
def test_an_unencrypted_snapshot_is_restored_without_a_copy_of_ours(product: Product):
    unencrypted(product)
    product.world.snapshot("plain", "weekly")
    product.world.aws.clear_calls()
    assert product.verify("plain-db").verdict is Verdict.PASSED
    assert "CopyDBSnapshot" not in writes(product)


@pytest.mark.long
def test_an_unencrypted_automated_snapshot_is_copied_at_home_only(product: Product):
    unencrypted(product)
    product.world.aws.automated_snapshot(SOURCE, "plain")
    product.world.aws.clear_calls()
    assert product.verify("plain-db").verdict is Verdict.PASSED
    assert writes(product)["CopyDBSnapshot"] == 1


@pytest.mark.long
def test_a_snapshot_under_the_default_key_goes_through_the_share_key(product: Product):
    product.world.database(
        "vault", "create table orders (id int)", "insert into orders values (1)", StorageEncrypted=True
    )
    product.check("vault-db", "vault")
    product.world.snapshot("vault", "weekly")
    report = product.verify("vault-db")
    assert (report.verdict, report.point.default_key) == (Verdict.PASSED, True)


@pytest.mark.long
def test_without_a_share_key_the_default_key_is_said_to_be_the_trouble(product: Product):
    product.world.database("vault", "create table orders (id int)", StorageEncrypted=True)
    product.world.snapshot("vault", "weekly")
    config = product.home / "config.toml"
    config.write_text("\n".join(line for line in config.read_text().splitlines() if not line.startswith("share_key")))
    product.check("vault-db", "vault")
    product.world.aws.clear_calls()
    report = product.verify("vault-db")
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "key-not-shareable")
    assert "share_key" in report.failure.hint
    assert writes(product) == {}


@pytest.mark.parametrize("state", ["Disabled", pytest.param("PendingDeletion", marks=pytest.mark.long)])
def test_a_key_that_is_disabled_or_dying_makes_the_backup_broken(product: Product, state: str):
    product.world.aws.automated_snapshot(SOURCE, "shop")
    kms = product.world.aws.client("kms", SOURCE)
    if state == "Disabled":
        kms.disable_key(KeyId=product.world.source_key)
    else:
        kms.schedule_key_deletion(KeyId=product.world.source_key)
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "key-unusable")


@pytest.mark.long
@pytest.mark.parametrize("pick", ["latest", "oldest", "random"])
def test_the_recovery_point_is_the_one_that_was_asked_for(product: Product, pick: str):
    now = datetime.now(UTC)
    days = [1, 3, 5, 40]
    names = {product.world.aws.automated_snapshot(SOURCE, "shop", at=now - timedelta(days=d)): d for d in days}
    product.check(rpo="7d", source={"pick": pick, "within": "14d"})
    report = product.verify()
    assert report.verdict is Verdict.PASSED
    picked = names[report.point.id]
    assert picked in {"latest": {1}, "oldest": {5}, "random": {1, 3, 5}}[pick]
    assert round(report.point_age_seconds / 86400) == 1  # the rpo is about the newest, whichever was picked


def test_no_snapshot_at_all_is_broken_and_nothing_is_begun(product: Product):
    product.world.aws.clear_calls()
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "no-recovery-point")
    assert writes(product) == {}


@pytest.mark.long
def test_a_snapshot_outside_the_window_is_none(product: Product):
    product.world.aws.automated_snapshot(SOURCE, "shop", at=datetime.now(UTC) - timedelta(days=9))
    product.check(rpo="30d", source={"within": "7d"})
    assert product.verify().failure.kind == "no-recovery-point"


def test_our_own_copies_are_never_taken_for_backups(product: Product):
    product.world.snapshot("shop", "restorecheck-left-20261120t0300z")
    before = product.estate()
    report = product.verify(left=True)
    assert report.failure.kind == "no-recovery-point"
    assert product.estate() == before


@pytest.mark.long
def test_an_old_newest_point_breaks_the_rpo(product: Product):
    product.world.aws.automated_snapshot(SOURCE, "shop", at=datetime.now(UTC) - timedelta(days=2))
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "stale")


@pytest.mark.long
def test_rows_that_vanished_before_the_snapshot_are_found(product: Product):
    product.world.snapshot("shop", "good")
    product.check(asserts=[{"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1001}}])
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "assertion-failed")
    assert "1,000" in report.failure.message


def test_the_restored_instance_has_every_dangerous_parameter_set(product: Product):
    product.world.snapshot("shop", "weekly")
    product.world.aws.clear_calls()
    product.verify()
    [restore] = [c for c in product.world.aws.calls() if c["operation"] == "RestoreDBInstanceFromDBSnapshot"]
    sent = {k: str(v).lower() for k, v in restore["parameters"].items()}
    for name in (
        "PubliclyAccessible",
        "MultiAZ",
        "DeletionProtection",
        "CopyTagsToSnapshot",
        "AutoMinorVersionUpgrade",
    ):
        assert sent[name] == "false", name
    assert sent["BackupRetentionPeriod"] == "0"
    assert sent["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"


def test_a_foreign_instance_with_the_name_of_the_run_is_left_alone(product: Product):
    """Somebody made an instance under the very name that this run will use: it is neither adopted nor deleted."""
    at = datetime.now(UTC)

    class Fixed(WallClock):
        first = True

        def now(self) -> datetime:
            if self.first:
                self.first = False
                return at
            return super().now()

    name = scratch_name(run_id("shop-db", at))
    product.world.snapshot("shop", "weekly")
    run = run_id("shop-db", at)
    copied = {"restorecheck:managed": "true", "restorecheck:run": run}  # tags that name nothing prove nothing
    theirs = product.world.scratch_instance(name, copied)
    report = product.verify(left=True, clock=Fixed())
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "taken")
    assert [left.arn for left in report.leaked] == [theirs["DBInstanceArn"]]
    assert "not made by this run" in report.leaked[0].reason
    still = instance_in(product.world.scratch_rds, name)
    assert still["DbiResourceId"] == theirs["DbiResourceId"]
    assert set(product.estate()["ours"]) == {f"{SCRATCH}/us-east-1/instances/{name}"}


@pytest.mark.long
def test_a_snapshot_that_is_not_available_is_not_taken(product: Product):
    product.world.snapshot("shop", "good")
    product.world.aws.timings(snapshot=3600)
    product.world.source_rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="unfinished")
    snapshot_in(product.world.source_rds, "unfinished", "creating")
    assert product.verify().point.id == "good"
