"""The RDS source over a fake pair of hands: what the demo AWS cannot be brought to answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rds_accounts import FakeAccounts, FakeDatabase, aws_error
from workflow.scripted import NOW, POINT, RUN, check

from restorecheck.databases.interface import DatabaseSeen
from restorecheck.errors import AwsError, QueryError, SourceError
from restorecheck.model import Plan, RdsSource, RecoveryPoint, S3ObjectsSource, SnapshotKind
from restorecheck.passwords import Passwords
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import RdsSnapshots, World

NAME = f"restorecheck-{RUN}"
KEY = "arn:aws:kms:eu-central-1:111111111111:key/k"


def source(accounts: FakeAccounts, database: FakeDatabase | None = None) -> RdsSnapshots:
    world = World(accounts, database or FakeDatabase(), Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
    return RdsSnapshots(Plan(RUN, check(), NOW), world)


def snapshot(**changes: Any) -> dict[str, Any]:
    described = {
        "DBSnapshotIdentifier": "weekly",
        "DBSnapshotArn": "arn:aws:rds:eu-central-1:111111111111:snapshot:weekly",
        "DBInstanceIdentifier": "orders",
        "Status": "available",
        "Engine": "postgres",
        "EngineVersion": "18.6",
        "MasterUsername": "app",
        "SnapshotCreateTime": NOW,
        "OriginalSnapshotCreateTime": NOW - timedelta(hours=1),
        "Encrypted": True,
        "KmsKeyId": KEY,
    }
    return described | changes


def listing(*snapshots: dict[str, Any], key: Any = None) -> FakeAccounts:
    metadata = {"KeyMetadata": {"KeyState": "Enabled", "KeyManager": "CUSTOMER"}}
    attributes = {"DBSnapshotAttributesResult": {"DBSnapshotAttributes": []}}
    return FakeAccounts(
        {
            "DescribeDBSnapshots": [{"DBSnapshots": list(snapshots)}, {"DBSnapshots": []}],
            "DescribeKey": key or metadata,
            "DescribeDBSnapshotAttributes": attributes,
        }
    )


def stage(of: RdsSnapshots, name: str, point: RecoveryPoint = POINT) -> Stage:
    return next(s for s in (*of.stages(point), *of.teardown(point)) if s.name == name)


def ours(kind: str, **more: Any) -> dict[str, Any]:
    account = "222222222222"
    arn = f"arn:aws:rds:eu-central-1:{account}:{kind}:{NAME}"
    tags = [{"Key": "restorecheck:run", "Value": RUN}, {"Key": "restorecheck:resource", "Value": arn}]
    named = {"DBInstanceIdentifier": NAME, "DBInstanceArn": arn, "PubliclyAccessible": False}
    if kind == "snapshot":
        named = {"DBSnapshotIdentifier": NAME, "DBSnapshotArn": arn}
    return named | {"TagList": tags} | more


# --- finding -------------------------------------------------------------------------------------------------------


def test_the_time_of_a_backup_is_that_of_the_original_and_not_of_a_copy():
    assert source(listing(snapshot())).find().created == NOW - timedelta(hours=1)
    assert source(listing(snapshot(OriginalSnapshotCreateTime=None))).find().created == NOW


def test_an_engine_that_cannot_be_asked_is_said_before_anything_is_made():
    accounts = listing(snapshot(Engine="mysql"))
    with pytest.raises(SourceError) as e:
        source(accounts).find()
    assert e.value.kind == "engine-unsupported"


def test_a_key_that_may_not_be_looked_at_is_left_to_aws():
    assert source(listing(snapshot(), key=aws_error("AccessDeniedException", "permission"))).find().default_key is False


def test_a_key_that_is_gone_is_broken_on_the_side_where_it_lived():
    with pytest.raises(SourceError) as e:
        source(listing(snapshot(), key=aws_error("NotFoundException", "unknown-answer"))).find()
    assert e.value.kind == "key-unusable"


def test_another_error_of_the_key_service_is_not_swallowed():
    with pytest.raises(AwsError, match="Throttling"):
        source(listing(snapshot(), key=aws_error("Throttling", "throttled"))).find()


def test_an_older_snapshot_that_is_not_available_says_how_many_there_are():
    with pytest.raises(SourceError, match="none of the 1 snapshots"):
        source(listing(snapshot(Status="failed"))).find()


def test_a_listing_that_may_not_be_read_is_never_no_recovery_point():
    accounts = FakeAccounts({"DescribeDBSnapshots": aws_error("AccessDenied", "permission")})
    with pytest.raises(AwsError) as e:
        source(accounts).find()
    assert e.value.kind == "permission"


# --- going there ---------------------------------------------------------------------------------------------------


def test_iops_are_given_only_where_aws_wants_them():
    for storage, sent in (("io1", 3000), ("gp3", None)):
        accounts = FakeAccounts()
        stage(source(accounts), "restore", replace(POINT, storage_type=storage, iops=3000)).begin()
        assert accounts.called[-1][2].get("Iops") == sent


@pytest.mark.parametrize("name", ["export", "import"])
@pytest.mark.parametrize(
    ("described", "kind"),
    [
        ({"DBSnapshots": []}, "interfered"),
        ({"DBSnapshots": [{"Status": "failed"}]}, "copy-failed"),
        ({"DBSnapshots": [{"Status": "incompatible-restore"}]}, "copy-failed"),
    ],
)
def test_a_copy_that_vanishes_or_fails_ends_the_wait(name: str, described: dict[str, Any], kind: str):
    with pytest.raises(SourceError) as e:
        stage(source(FakeAccounts({"DescribeDBSnapshots": described})), name).look()
    assert e.value.kind == kind


def test_a_copy_under_way_tells_how_far_it_is():
    accounts = FakeAccounts({"DescribeDBSnapshots": {"DBSnapshots": [{"Status": "creating", "PercentProgress": 42}]}})
    assert stage(source(accounts), "import").look().status == "creating 42 %"


def test_a_share_that_is_not_seen_yet_is_tried_again():
    accounts = FakeAccounts({"CopyDBSnapshot": aws_error("DBSnapshotNotFound", "snapshot-state")})
    with pytest.raises(AwsError) as e:
        stage(source(accounts), "import").begin()
    assert e.value.retryable
    with pytest.raises(AwsError) as e:
        stage(source(accounts), "export").begin()
    assert not e.value.retryable


@pytest.mark.parametrize(
    ("instance", "kind"),
    [
        (None, "interfered"),
        ({"DBInstanceStatus": "available", "PubliclyAccessible": True}, "interfered"),
        ({"DBInstanceStatus": "available"}, "interfered"),  # AWS does not say that it is private: unknown means no
        ({"DBInstanceStatus": "deleting"}, "interfered"),
        ({"DBInstanceStatus": "failed"}, "restore-failed"),
    ],
)
def test_an_instance_that_is_not_as_it_must_be_ends_the_wait(instance: dict[str, Any] | None, kind: str):
    accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [instance] if instance else []}})
    with pytest.raises(SourceError) as e:
        stage(source(accounts), "restore").look()
    assert e.value.kind == kind


def test_a_status_that_nobody_ever_heard_of_is_polled_on():
    accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [ours("db", DBInstanceStatus="dreaming")]}})
    look = stage(source(accounts), "restore").look()
    assert (look.done, look.status) == (False, "dreaming")


def test_open_waits_for_the_password_the_endpoint_and_an_answer():
    available = ours("db", DBInstanceStatus="available")
    pending = available | {"PendingModifiedValues": {"MasterUserPassword": "****"}}
    reachable = available | {"Endpoint": {"Address": "127.0.0.1", "Port": 5432}}

    def look(instance: dict[str, Any], error: QueryError | None = None) -> Any:
        accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [instance]}})
        return stage(source(accounts, FakeDatabase(error)), "open").look()

    assert "password pending" in look(pending).status
    assert "no endpoint yet" in look(available).status
    assert "no answer yet: slow" in look(reachable, QueryError("slow", retryable=True)).status
    assert look(reachable).done
    with pytest.raises(QueryError, match="bad certificate"):
        look(reachable, QueryError("bad certificate", kind="tls"))


# --- going back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["DBInstanceNotFound", "InvalidDBInstanceState"])
def test_a_delete_that_comes_too_early_or_too_late_is_no_failure(code: str):
    described = {"DBInstances": [ours("db", DBInstanceStatus="creating")]}
    accounts = FakeAccounts({"DescribeDBInstances": described, "DeleteDBInstance": aws_error(code)})
    stage(source(accounts), "drop instance").begin()
    look = stage(source(accounts), "drop instance").look()
    assert (look.done, look.status) == (False, "creating")
    assert [operation for _, operation, _ in accounts.called].count("DeleteDBInstance") == 2  # it is asked for again


@pytest.mark.parametrize("code", ["DBSnapshotNotFound", "InvalidDBSnapshotState"])
def test_a_copy_that_cannot_be_deleted_yet_is_asked_for_again(code: str):
    described = {"DBSnapshots": [ours("snapshot", Status="creating")]}
    accounts = FakeAccounts({"DescribeDBSnapshots": described, "DeleteDBSnapshot": aws_error(code)})
    stage(source(accounts), "drop import").begin()
    assert stage(source(accounts), "drop import").look().status == "creating"


def test_another_error_of_a_delete_is_a_failure():
    described = {"DBInstances": [ours("db", DBInstanceStatus="available")]}
    accounts = FakeAccounts({"DescribeDBInstances": described, "DeleteDBInstance": aws_error("AccessDenied")})
    with pytest.raises(AwsError):
        stage(source(accounts), "drop instance").begin()


def test_a_borrowed_snapshot_that_its_owner_deleted_meanwhile_is_not_shared_any_more():
    borrowed = replace(
        POINT, kind=SnapshotKind.MANUAL, id="weekly", arn=POINT.arn.replace("rds:orders-2026-11-21", "weekly")
    )
    gone = aws_error("DBSnapshotNotFound", "snapshot-state")
    accounts = FakeAccounts({"ModifyDBSnapshotAttribute": gone, "DescribeDBSnapshotAttributes": gone})
    unshare = stage(source(accounts), "unshare", borrowed)
    unshare.begin()
    assert unshare.look().done


def test_a_share_that_is_still_there_is_taken_back_again():
    borrowed = replace(
        POINT, kind=SnapshotKind.MANUAL, id="weekly", arn=POINT.arn.replace("rds:orders-2026-11-21", "weekly")
    )
    shared = [{"AttributeName": "restore", "AttributeValues": ["222222222222"]}]
    accounts = FakeAccounts(
        {"DescribeDBSnapshotAttributes": {"DBSnapshotAttributesResult": {"DBSnapshotAttributes": shared}}}
    )
    look = stage(source(accounts), "unshare", borrowed).look()
    assert (look.done, look.status) == (False, "still shared")
    _, operation, params = accounts.called[-1]
    assert (operation, params["ValuesToRemove"]) == ("ModifyDBSnapshotAttribute", ["222222222222"])


def test_a_copy_that_was_never_made_needs_no_unshare():
    accounts = FakeAccounts({"DescribeDBSnapshots": {"DBSnapshots": []}})
    unshare = stage(source(accounts), "unshare")
    unshare.begin()
    assert unshare.look().done
    assert {operation for _, operation, _ in accounts.called} == {"DescribeDBSnapshots"}


def test_leftovers_are_told_by_name_and_by_tag():
    tagged = ours("snapshot") | {"DBSnapshotIdentifier": "renamed"}
    named = {"DBInstanceIdentifier": NAME, "DBInstanceArn": "arn:aws:rds:eu-central-1:222222222222:db:x"}
    accounts = FakeAccounts(
        {
            "DescribeDBInstances": {"DBInstances": [named, {"DBInstanceIdentifier": "production"}]},
            "scratch DescribeDBSnapshots": {"DBSnapshots": [tagged]},
            "source DescribeDBSnapshots": {"DBSnapshots": []},
        }
    )
    left = source(accounts).leftovers()
    assert [(leftover.arn.split(":")[-1], bool(leftover.reason)) for leftover in left] == [("x", True), (NAME, False)]


# --- asking --------------------------------------------------------------------------------------------------------


def test_what_databases_there_are_is_told_beside_the_answers():
    reachable = ours("db", DBInstanceStatus="available", Endpoint={"Address": "127.0.0.1", "Port": 5432})
    accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [reachable]}})
    seen = (DatabaseSeen("orders", 3), DatabaseSeen("billing", 2))
    answers = source(accounts, FakeDatabase(seen=seen)).examine(POINT)
    [observation] = answers.observations
    assert (observation.name, observation.kind) == ("databases", "")
    assert observation.observed == "orders (3 tables); not asked: billing (2 tables)"
    assert answers.proven == (
        "the snapshot was restored, and its server answered 1 of 1 questions",
        "only what the questions read is proven, out of orders (3 tables); whatever else was restored was not read",
        "restored and never asked: billing (2 tables)",
    )


def test_databases_that_cannot_be_listed_are_no_green():
    reachable = ours("db", DBInstanceStatus="available", Endpoint={"Address": "127.0.0.1", "Port": 5432})
    accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [reachable]}})
    answers = source(accounts, FakeDatabase(seen=QueryError("gone"))).examine(POINT)
    [observation] = answers.observations
    assert (observation.kind, observation.observed) == ("database-unreachable", "not known")


def test_a_check_of_something_else_has_no_source_here():
    other = check(source=S3ObjectsSource("111111111111", "eu-central-1", "exports"))
    world = World(FakeAccounts(), FakeDatabase(), Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="has no source in RDS"):
        RdsSnapshots(Plan(RUN, other, NOW), world)


# --- what is picked ------------------------------------------------------------------------------------------------


def picking(accounts: FakeAccounts, **changes: Any) -> RdsSnapshots:
    world = World(accounts, FakeDatabase(), Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
    made = check()
    assert isinstance(made.source, RdsSource)
    return RdsSnapshots(Plan(RUN, replace(made, source=replace(made.source, **changes)), NOW), world)


def test_the_latest_the_oldest_or_one_that_the_run_id_decides_is_picked():
    ages = {"new": 1, "middle": 5, "old": 9}
    described = [
        snapshot(DBSnapshotIdentifier=name, OriginalSnapshotCreateTime=NOW - timedelta(hours=hours))
        for name, hours in ages.items()
    ]
    assert picking(listing(*described)).find().id == "new"
    oldest = picking(listing(*described), pick="oldest").find()
    assert (oldest.id, oldest.newest) == ("old", NOW - timedelta(hours=1))
    random = {picking(listing(*described), pick="random").find().id for _ in range(5)}
    assert len(random) == 1
    assert random < set(ages)


def test_only_what_is_young_enough_is_offered():
    accounts = listing(snapshot())
    assert picking(accounts, within=timedelta(hours=2)).find().id == "weekly"
    with pytest.raises(SourceError, match="before the window that `within` allows") as e:
        picking(listing(snapshot()), within=timedelta(minutes=5)).find()
    assert e.value.kind == "no-recovery-point"


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_key_that_is_dead_or_dying_is_broken(state: str):
    with pytest.raises(SourceError) as e:
        source(listing(snapshot(), key={"KeyMetadata": {"KeyState": state, "KeyManager": "CUSTOMER"}})).find()
    assert e.value.kind == "key-unusable"


def test_an_instance_of_this_run_is_adopted_and_anothers_is_refused():
    taken = aws_error("DBInstanceAlreadyExists", "taken")
    for described, adopted in ((ours("db"), True), (ours("db", TagList=[]), False)):
        answers = {
            "RestoreDBInstanceFromDBSnapshot": taken,
            "DescribeDBInstances": {"DBInstances": [described]},
        }
        begin = stage(source(FakeAccounts(answers)), "restore").begin
        if adopted:
            begin()
        else:
            with pytest.raises(AwsError):
                begin()
