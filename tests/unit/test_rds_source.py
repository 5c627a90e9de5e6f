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
from restorecheck.model import (
    Answer,
    Assertion,
    Expectation,
    Level,
    Plan,
    Probe,
    RdsSource,
    RecoveryPoint,
    S3ObjectsSource,
    SnapshotKind,
)
from restorecheck.passwords import Passwords
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import RdsSnapshots, World

NAME = f"restorecheck-{RUN}"
HERE = {"Address": "db.example", "Port": 5432}
KEY = "arn:aws:kms:eu-central-1:111111111111:key/k"


def source(accounts: FakeAccounts, database: FakeDatabase | None = None, **more: Any) -> RdsSnapshots:
    by = {"postgresql": database or FakeDatabase()}
    world = World(accounts, by, Passwords(b"k" * 32), lambda: NOW, wait=lambda _: None)  # type: ignore[arg-type]
    return RdsSnapshots(Plan(RUN, check(**more), NOW), world)


def of_mysql(accounts: FakeAccounts, database: FakeDatabase | None = None) -> RdsSnapshots:
    """A check whose source says engine = "mysql"; nobody here can ask PostgreSQL."""
    made = check()
    assert isinstance(made.source, RdsSource)
    world = World(accounts, {"mysql": database or FakeDatabase()}, Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type, dict-item]
    return RdsSnapshots(Plan(RUN, replace(made, source=replace(made.source, engine="mysql")), NOW), world)


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
    accounts = listing(snapshot(Engine="oracle-ee"))
    with pytest.raises(SourceError) as e:
        source(accounts).find()
    assert e.value.kind == "engine-unsupported"


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_a_check_of_mysql_takes_the_snapshots_of_mysql_and_mariadb(engine):
    assert of_mysql(listing(snapshot(Engine=engine))).find().engine == engine


def test_a_snapshot_of_another_engine_than_the_check_asks_is_named_before_anything_is_made():
    with pytest.raises(SourceError, match="is of engine mariadb, and the check asks its questions of postgresql") as e:
        source(listing(snapshot(Engine="mariadb"))).find()
    assert (e.value.kind, e.value.hint) == ("config", 'say engine = "mysql" in [source]')
    with pytest.raises(SourceError, match="is of engine postgres, and the check asks its questions of mysql") as e:
        of_mysql(listing(snapshot())).find()
    assert (e.value.kind, e.value.hint) == ("config", 'say engine = "postgresql" in [source]')


@pytest.mark.parametrize(("engine", "said"), [("postgres", True), ("mysql", True), ("mariadb", False)])
def test_extended_support_is_declined_for_the_engines_that_have_it(engine, said):
    accounts = FakeAccounts()
    of = source(accounts) if engine == "postgres" else of_mysql(accounts)
    stage(of, "restore", replace(POINT, engine=engine)).begin()
    [sent] = [p for _, operation, p in accounts.called if operation == "RestoreDBInstanceFromDBSnapshot"]
    assert ("EngineLifecycleSupport" in sent) is said
    assert sent["EnableIAMDatabaseAuthentication"] is False


def test_extended_support_is_paid_for_where_the_check_says_so():
    accounts, place = FakeAccounts(), replace(check().placement, extended_support=True)
    stage(source(accounts, placement=place), "restore").begin()
    [sent] = [p for _, operation, p in accounts.called if operation == "RestoreDBInstanceFromDBSnapshot"]
    assert sent["EngineLifecycleSupport"] == "open-source-rds-extended-support"


@pytest.mark.parametrize(
    ("engine", "was", "runs", "upgraded"),
    [
        ("postgres", "18.1", "18.3", False),
        ("postgres", "12.22", "13.18", True),
        ("mysql", "8.0.40", "8.0.43", False),
        ("mysql", "8.0.40", "8.4.3", True),
        ("mariadb", "10.6.20", "10.11.10", True),
    ],
)
def test_a_copy_that_aws_upgraded_is_not_what_was_backed_up(engine, was, runs, upgraded):
    described = ours("db", DBInstanceStatus="available", Endpoint=HERE, EngineVersion=runs)
    accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [described]}})
    of = source(accounts) if engine == "postgres" else of_mysql(accounts)
    point = replace(POINT, engine=engine, engine_version=was)
    if not upgraded:
        assert stage(of, "restore", point).look().done
        return
    with pytest.raises(SourceError, match=f"the backup is of {engine} .*, and AWS upgraded the copy to ") as e:
        stage(of, "restore", point).look()
    assert e.value.kind == "upgraded"
    with pytest.raises(SourceError) as e:  # it may happen while the copy is there
        of.examine(point)
    assert e.value.kind == "upgraded"


def test_a_copy_is_asked_by_who_knows_its_engine_and_by_nobody_else():
    accounts = FakeAccounts(
        {"DescribeDBInstances": {"DBInstances": [ours("db", DBInstanceStatus="available", Endpoint=HERE)]}}
    )
    asked = FakeDatabase()
    stage(of_mysql(accounts, asked), "open", replace(POINT, engine="mariadb")).look()
    assert [login.user for login in asked.logins] == ["app", asked.logins[1].user]
    with pytest.raises(SourceError) as e:
        stage(of_mysql(accounts), "open", replace(POINT, engine="postgres")).look()
    assert e.value.kind == "engine-unsupported"


def test_what_the_probes_need_is_made_with_the_reader():
    accounts = FakeAccounts(
        {"DescribeDBInstances": {"DBInstances": [ours("db", DBInstanceStatus="available", Endpoint=HERE)]}}
    )
    asked = FakeDatabase()
    probes = (Assertion("a", "", Expectation(), probe=Probe("amcheck")), Assertion("b", "select 1", Expectation()))
    stage(source(accounts, asked, assertions=probes), "open").look()
    assert asked.needs == {"orders": ("amcheck",)}


# --- a connection that was lost -----------------------------------------------------------------------------------

LOST = Answer("present", error="the server broke off while it answered, twice", kind="connection-lost")
REPLACED = "RDS will replace the host of DB instance x due to a pending maintenance action."


def happened(message: str, *categories: str) -> dict[str, Any]:
    return {"Events": [{"SourceIdentifier": NAME, "Date": NOW, "Message": message, "EventCategories": [*categories]}]}


def asked_and_lost(events: Any, answer: Answer = LOST) -> tuple[Answer, FakeAccounts]:
    described = {"DBInstances": [ours("db", DBInstanceStatus="available", Endpoint=HERE)]}
    accounts = FakeAccounts({"DescribeDBInstances": described, "DescribeEvents": events})
    [given] = source(accounts, FakeDatabase(answers=(answer,))).examine(POINT).answers
    return given, accounts


def test_a_lost_connection_is_damage_unless_aws_says_what_it_did():
    given, accounts = asked_and_lost(happened(REPLACED, "maintenance"))
    assert given.kind == "interfered"
    assert REPLACED in given.error
    [(side, _, params)] = [called for called in accounts.called if called[1] == "DescribeEvents"]
    assert side == "scratch"
    assert params == {"SourceType": "db-instance", "SourceIdentifier": NAME, "StartTime": NOW, "EndTime": NOW}


@pytest.mark.parametrize(
    "events",
    [
        {"Events": []},
        happened("DB instance restarted.", "availability"),
        aws_error("AccessDenied", "permission"),
        {"Events": [{"SourceIdentifier": NAME, "Message": REPLACED}]},  # without a time
    ],
)
def test_it_stays_damage_when_no_event_says_otherwise_or_none_can_be_read(events):
    given, accounts = asked_and_lost(events)
    assert given == LOST
    assert [operation for _, operation, _ in accounts.called].count("DescribeEvents") == 3


def test_an_event_that_is_told_late_is_waited_for():
    given, _ = asked_and_lost([{"Events": []}, aws_error("Throttling", "throttled"), happened(REPLACED, "maintenance")])
    assert given.kind == "interfered"


def test_no_event_is_asked_for_when_no_connection_was_lost():
    given, accounts = asked_and_lost(happened(REPLACED, "maintenance"), Answer("present", rows=1))
    assert given == Answer("present", rows=1)
    assert "DescribeEvents" not in [operation for _, operation, _ in accounts.called]


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
    assert answers.holding == ("orders", "billing")
    assert answers.level is Level.RESTORED  # what was read of it, the questions say
    assert (*answers.proven, *answers.unread) == (
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
    assert answers.holding is None


def test_a_check_of_something_else_has_no_source_here():
    other = check(source=S3ObjectsSource("111111111111", "eu-central-1", "exports"))
    world = World(FakeAccounts(), {"postgresql": FakeDatabase()}, Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="has no source in RDS"):
        RdsSnapshots(Plan(RUN, other, NOW), world)


# --- what is picked ------------------------------------------------------------------------------------------------


def picking(accounts: FakeAccounts, **changes: Any) -> RdsSnapshots:
    world = World(accounts, {"postgresql": FakeDatabase()}, Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
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
