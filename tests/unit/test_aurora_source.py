"""The Aurora source over a fake pair of hands: every leg, and what AWS may answer on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from rds_accounts import FakeAccounts, FakeDatabase, aws_error
from workflow.scripted import NOW, check

from restorecheck.databases.interface import DatabaseSeen
from restorecheck.errors import AwsError, QueryError, SourceError
from restorecheck.fence import Role
from restorecheck.fence.parameters import ALLOWED, why_not_create, why_not_params
from restorecheck.model import (
    Answer,
    Assertion,
    AuroraSource,
    Cell,
    Expectation,
    Placement,
    Plan,
    RecoveryPoint,
    SnapshotKind,
)
from restorecheck.passwords import Passwords
from restorecheck.sources.aurora import AuroraSnapshots, World
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds.sightings import Sightings

RUN = "shop-aurora-20261121t0300z"
NAME = f"restorecheck-{RUN}"
SOURCE, SCRATCH, REGION = "111111111111", "222222222222", "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:{SOURCE}:key/k"
ARN = f"arn:aws:rds:{REGION}:{SOURCE}:cluster-snapshot:"
PLACE = Placement(SCRATCH, REGION, "rc", ("sg-1",), "scratch-key", "db.serverless", capacity=(0.5, 2.0))
SHOP = AuroraSource(SOURCE, REGION, "shop", "prod")

POINT = RecoveryPoint(
    id="rds:shop-2026-11-21",
    arn=f"{ARN}rds:shop-2026-11-21",
    kind=SnapshotKind.AUTOMATED,
    created=NOW - timedelta(hours=1),
    newest=NOW - timedelta(hours=1),
    engine="aurora-postgresql",
    engine_version="16.6",
    master_username="app",
    encrypted=True,
    key=KEY,
)
MANUAL = replace(POINT, id="weekly", arn=f"{ARN}weekly", kind=SnapshotKind.MANUAL)
SHARED = replace(POINT, id=f"{ARN}weekly", arn=f"{ARN}weekly", kind=SnapshotKind.SHARED)
COPIED = replace(SHOP, copies=True)


def asking(*databases: str | None) -> tuple[Assertion, ...]:
    expect = Expectation(at_least=Cell("number", "1"))
    return tuple(Assertion(f"a{i}", "select 1", expect, database=name) for i, name in enumerate(databases))


def source(
    accounts: FakeAccounts,
    database: FakeDatabase | None = None,
    *,
    of: AuroraSource = SHOP,
    place: Placement = PLACE,
    assertions: tuple[Assertion, ...] = asking(None),
    imagined: bool = False,
    sightings: Sightings | None = None,
) -> AuroraSnapshots:
    by = dict.fromkeys(("postgresql", "mysql"), database or FakeDatabase())
    world = World(accounts, by, Passwords(b"k" * 32), lambda: NOW, sightings, wait=lambda _: None)  # type: ignore[arg-type]
    made = check(name="shop-aurora", source=of, placement=place, assertions=assertions)
    return AuroraSnapshots(Plan(RUN, made, NOW), world, imagined=imagined)


def snapshot(**changes: Any) -> dict[str, Any]:
    described = {
        "DBClusterSnapshotIdentifier": "weekly",
        "DBClusterSnapshotArn": f"{ARN}weekly",
        "DBClusterIdentifier": "shop",
        "Status": "available",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.6",
        "MasterUsername": "app",
        "SnapshotCreateTime": NOW - timedelta(hours=1),
        "StorageEncrypted": True,
        "KmsKeyId": KEY,
    }
    return described | changes


def listing(*snapshots: dict[str, Any], manager: str = "CUSTOMER", shared: tuple[str, ...] = ()) -> FakeAccounts:
    attributes = [{"AttributeName": "restore", "AttributeValues": list(shared)}]
    return FakeAccounts(
        {
            "DescribeDBClusterSnapshots": [{"DBClusterSnapshots": list(snapshots)}, {"DBClusterSnapshots": []}],
            "DescribeKey": {"KeyMetadata": {"KeyState": "Enabled", "KeyManager": manager}},
            "DescribeDBClusterSnapshotAttributes": {
                "DBClusterSnapshotAttributesResult": {"DBClusterSnapshotAttributes": attributes}
            },
        }
    )


def stage(of: AuroraSnapshots, name: str, point: RecoveryPoint = POINT) -> Stage:
    return next(s for s in (*of.stages(point), *of.teardown(point)) if s.name == name)


def ours(kind: str, account: str = SCRATCH, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:rds:{REGION}:{account}:{kind}:{NAME}"
    tags = [{"Key": "restorecheck:run", "Value": RUN}, {"Key": "restorecheck:resource", "Value": arn}]
    word = {"db": "DBInstance", "cluster": "DBCluster", "cluster-snapshot": "DBClusterSnapshot"}[kind]
    return {f"{word}Identifier": NAME, f"{word}Arn": arn, "TagList": tags} | more


def a_cluster(**more: Any) -> dict[str, Any]:
    members = [{"DBInstanceIdentifier": NAME, "IsClusterWriter": True}]
    good = {"Status": "available", "DBClusterMembers": members, "Endpoint": "127.0.0.1", "Port": 5432}
    return ours("cluster", **(good | more))


def an_instance(**more: Any) -> dict[str, Any]:
    return ours("db", **({"DBInstanceStatus": "available", "PubliclyAccessible": False} | more))


def running(cluster: dict[str, Any] | None, instance: dict[str, Any] | None, **answers: Any) -> FakeAccounts:
    held = {
        "DescribeDBClusters": {"DBClusters": [cluster] if cluster else []},
        "DescribeDBInstances": {"DBInstances": [instance] if instance else []},
    }
    return FakeAccounts(held | answers)


def names(stages: Any) -> list[str]:
    return [one.name for one in stages]


# --- finding -------------------------------------------------------------------------------------------------------


def test_only_the_list_of_cluster_snapshots_is_read():
    accounts = listing(snapshot())
    point = source(accounts).find()
    assert (point.id, point.engine_version, point.encrypted, point.key) == ("weekly", "16.6", True, KEY)
    assert (point.created, point.data_time, point.remarks) == (NOW - timedelta(hours=1), None, ())
    listed = [(operation, params) for _, operation, params in accounts.called if operation.endswith("Snapshots")]
    assert listed == [
        ("DescribeDBClusterSnapshots", {"DBClusterIdentifier": "shop", "SnapshotType": "automated"}),
        ("DescribeDBClusterSnapshots", {"DBClusterIdentifier": "shop", "SnapshotType": "manual"}),
    ]


def test_the_backups_of_aws_backup_are_asked_for_by_their_own_type():
    accounts = listing(snapshot())
    point = source(accounts, of=replace(SHOP, snapshots=(SnapshotKind.AWSBACKUP,))).find()
    assert point.kind is SnapshotKind.AWSBACKUP
    assert accounts.called[0][2]["SnapshotType"] == "awsbackup"


def test_none_says_that_it_was_cluster_snapshots_that_are_not_there():
    with pytest.raises(SourceError) as e:
        source(listing()).find()
    assert e.value.kind == "no-recovery-point"
    assert e.value.message == "there are no cluster snapshots (automated, manual) of shop in account 111111111111, " + (
        REGION
    )


def test_a_listing_that_may_not_be_read_is_never_no_recovery_point():
    with pytest.raises(AwsError) as e:
        source(FakeAccounts({"DescribeDBClusterSnapshots": aws_error("AccessDenied", "permission")})).find()
    assert e.value.kind == "permission"


@pytest.mark.parametrize("engine", ["mysql", "postgres", "docdb"])
def test_an_engine_that_cannot_be_asked_is_said_before_anything_is_made(engine: str):
    with pytest.raises(SourceError) as e:
        source(listing(snapshot(Engine=engine))).find()
    assert e.value.kind == "engine-unsupported"


def test_a_cluster_of_mysql_is_found_by_a_check_that_asks_mysql():
    mysql = replace(SHOP, engine="mysql")
    assert source(listing(snapshot(Engine="aurora-mysql")), of=mysql).find().engine == "aurora-mysql"
    with pytest.raises(SourceError) as e:
        source(listing(snapshot(Engine="aurora-mysql"))).find()
    assert (e.value.kind, e.value.hint) == ("config", 'say engine = "mysql" in [source]')


def test_a_copy_says_that_its_time_is_that_of_the_copy():
    point = source(listing(snapshot(SourceDBClusterSnapshotArn=f"{ARN}older"))).find()
    assert point.remarks
    assert "AWS tells when it was copied" in point.remarks[0]


def test_a_shared_snapshot_is_found_from_the_scratch_account_by_owner_and_cluster():
    theirs = f"arn:aws:rds:{REGION}:333333333333:cluster-snapshot:x"
    accounts = listing(
        snapshot(DBClusterSnapshotArn=theirs, DBClusterSnapshotIdentifier=theirs),
        snapshot(DBClusterIdentifier="billing"),
        snapshot(DBClusterSnapshotIdentifier=f"{ARN}{NAME}", DBClusterSnapshotArn=f"{ARN}{NAME}"),
        snapshot(DBClusterSnapshotIdentifier=f"{ARN}weekly"),
    )
    point = source(accounts, of=replace(SHOP, snapshots=(SnapshotKind.SHARED,))).find()
    assert (point.id, point.kind) == (f"{ARN}weekly", SnapshotKind.SHARED)
    assert {side for side, _, _ in accounts.called} == {"scratch"}


def test_a_manual_snapshot_that_is_shared_already_is_not_shared_again():
    point = source(listing(snapshot(), shared=(SCRATCH,)), of=replace(SHOP, snapshots=(SnapshotKind.MANUAL,))).find()
    assert point.shared_already
    assert names(source(FakeAccounts()).stages(point)) == ["restore", "instance", "open"]


# --- keys ----------------------------------------------------------------------------------------------------------


def test_the_default_key_needs_a_share_key():
    with pytest.raises(SourceError) as e:
        source(listing(snapshot(), manager="AWS")).find()
    assert e.value.kind == "key-not-shareable"
    point = source(listing(snapshot(), manager="AWS"), of=replace(SHOP, share_key="share")).find()
    assert point.default_key


OWNED = {"StorageEncrypted": False, "StorageEncryptionType": "sse-rds", "KmsKeyId": None}
MANUAL_ONLY = (SnapshotKind.MANUAL,)


def test_a_key_that_aws_owns_is_encryption_although_aws_says_that_it_is_none():
    point = source(listing(snapshot(**OWNED)), of=replace(SHOP, snapshots=MANUAL_ONLY)).find()
    assert (point.encrypted, point.key, point.default_key) == (True, None, False)
    point = source(listing(snapshot(**OWNED)), of=replace(SHOP, snapshots=MANUAL_ONLY, share_key="share")).find()
    assert point.default_key  # and so a copy under the share key is made


@pytest.mark.parametrize("point", [replace(POINT, key=None), replace(MANUAL, key=None)])
def test_a_share_that_fails_under_a_key_that_aws_owns_is_named(point: RecoveryPoint):
    denied = aws_error("InvalidDBClusterSnapshotStateFault", "snapshot-state")
    with pytest.raises(SourceError) as e:
        stage(source(FakeAccounts({"ModifyDBClusterSnapshotAttribute": denied})), "share", point).begin()
    assert e.value.kind == "key-not-shareable"
    assert "a key that AWS owns" in e.value.message
    assert "share_key" in e.value.hint


@pytest.mark.parametrize(
    ("point", "of", "error"),
    [
        (POINT, SHOP, aws_error("InvalidDBClusterSnapshotStateFault", "snapshot-state")),  # of a key of the account
        (replace(POINT, key=None), SHOP, aws_error("AccessDenied", "permission")),
        (replace(POINT, key=None), SHOP, AwsError("Throttling", "slow", kind="throttled", retryable=True)),
        (replace(POINT, encrypted=False, key=None), SHOP, aws_error("SharedSnapshotQuotaExceeded", "quota")),
    ],
)
def test_a_share_that_fails_for_another_reason_keeps_it(point: RecoveryPoint, of: AuroraSource, error: AwsError):
    with pytest.raises(AwsError) as e:
        stage(source(FakeAccounts({"ModifyDBClusterSnapshotAttribute": error}), of=of), "share", point).begin()
    assert e.value is error


# --- which way -----------------------------------------------------------------------------------------------------

BACK = ["drop instance", "drop cluster"]


@pytest.mark.parametrize(
    ("point", "of", "there", "back"),
    [
        (POINT, SHOP, ["export", "share"], ["unshare", "drop export"]),
        (POINT, COPIED, ["export", "share", "import"], ["drop import", "unshare", "drop export"]),
        (MANUAL, SHOP, ["share"], ["unshare"]),
        (MANUAL, COPIED, ["share", "import"], ["drop import", "unshare"]),
        (replace(MANUAL, default_key=True), SHOP, ["export", "share"], ["unshare", "drop export"]),
        (SHARED, SHOP, [], []),
        (SHARED, COPIED, ["import"], ["drop import"]),
        (replace(POINT, encrypted=False, key=None), SHOP, ["export", "share"], ["unshare", "drop export"]),
    ],
)
def test_the_way_there_and_back(point: RecoveryPoint, of: AuroraSource, there: list[str], back: list[str]):
    made = source(FakeAccounts(), of=of)
    assert names(made.stages(point)) == [*there, "restore", "instance", "open"]
    assert names(made.teardown(point)) == [*BACK, *back]


def test_every_write_is_one_that_the_fence_lets_through():
    accounts = FakeAccounts()
    plain = replace(POINT, encrypted=False, key=None)
    ways = [(POINT, SHOP), (POINT, COPIED), (MANUAL, SHOP), (SHARED, COPIED), (plain, COPIED)]
    place = replace(PLACE, cluster_parameter_group="cpg", parameter_group="pg")
    for point, of in ways:
        made = source(accounts, of=of, place=place, imagined=True)
        for one in (*made.stages(point), *made.teardown(point)):
            one.begin()
    permit = accounts.permit(
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region=REGION,
        began=NOW,
        expires=NOW + timedelta(hours=24),
        run_id=RUN,
        check="shop-aurora",
        cluster="shop",
    )
    writes = [(side, op, params) for side, op, params in accounts.called if not op.startswith("Describe")]
    assert {op for _, op, _ in writes} == {
        "CopyDBClusterSnapshot",
        "ModifyDBClusterSnapshotAttribute",
        "RestoreDBClusterFromSnapshot",
        "CreateDBInstance",
        "ModifyDBCluster",
        "DeleteDBInstance",
        "DeleteDBCluster",
        "DeleteDBClusterSnapshot",
    }
    model = botocore.session.get_session().get_service_model("rds")
    for side, operation, params in writes:
        assert set(params) <= ALLOWED[operation]
        assert set(params) >= set(model.operation_model(operation).input_shape.required_members)
        if operation.startswith(("Modify", "Delete")):
            assert why_not_params(operation, params, permit) is None
        else:
            assert why_not_create(operation, params, Role(side), permit) is None


# --- copies and the share ------------------------------------------------------------------------------------------


def begun(name: str, point: RecoveryPoint = POINT, **of: Any) -> tuple[str, str, dict[str, Any]]:
    accounts = FakeAccounts()
    stage(source(accounts, **of), name, point).begin()
    return accounts.called[-1]


def test_a_copy_in_the_source_account_is_under_the_share_key_or_under_the_snapshots_own():
    side, operation, params = begun("export")
    assert (side, operation, params["KmsKeyId"]) == ("source", "CopyDBClusterSnapshot", KEY)
    assert params["SourceDBClusterSnapshotIdentifier"] == "rds:shop-2026-11-21"
    assert params["TargetDBClusterSnapshotIdentifier"] == NAME
    assert begun("export", of=replace(SHOP, share_key="share"))[2]["KmsKeyId"] == "share"


def test_an_unencrypted_snapshot_is_copied_without_a_key_because_aws_refuses_one():
    plain = replace(POINT, encrypted=False, key=None)
    for name in ("export", "import"):
        assert "KmsKeyId" not in begun(name, plain, of=replace(COPIED, share_key="share"))[2]
    assert begun("import", of=COPIED)[2]["KmsKeyId"] == "scratch-key"


def test_a_snapshot_under_a_key_that_aws_owns_is_copied_under_one_that_is_somebodys():
    owned = replace(POINT, key=None)
    assert "KmsKeyId" not in begun("export", owned)[2]
    assert begun("export", owned, of=replace(SHOP, share_key="share"))[2]["KmsKeyId"] == "share"


@pytest.mark.parametrize("name", ["export", "import"])
def test_where_aws_refuses_a_key_for_what_it_encrypted_itself_the_copy_is_made_without(name: str):
    refused = [aws_error("InvalidParameterCombination", "settings"), {}]
    accounts = FakeAccounts({"CopyDBClusterSnapshot": refused})
    stage(source(accounts, of=replace(COPIED, share_key="share")), name, replace(POINT, key=None)).begin()
    assert [params.get("KmsKeyId") is None for _, _, params in accounts.called] == [False, True]
    for point, error in (
        (POINT, aws_error("InvalidParameterCombination", "settings")),
        (replace(POINT, key=None), aws_error("KMSKeyNotAccessibleFault", "key-access")),
    ):
        accounts = FakeAccounts({"CopyDBClusterSnapshot": error})
        with pytest.raises(AwsError):
            stage(source(accounts, of=replace(COPIED, share_key="share")), name, point).begin()
        assert len(accounts.called) == 1


def test_what_is_imported_is_the_shared_snapshot_by_its_arn():
    assert begun("import", of=COPIED)[2]["SourceDBClusterSnapshotIdentifier"] == f"{ARN}{NAME}"
    assert begun("import", MANUAL, of=COPIED)[2]["SourceDBClusterSnapshotIdentifier"] == f"{ARN}weekly"


def test_what_is_shared_is_the_copy_or_the_owners_own():
    for point, name in ((POINT, NAME), (MANUAL, "weekly")):
        side, operation, params = begun("share", point)
        assert (side, operation) == ("source", "ModifyDBClusterSnapshotAttribute")
        assert params == {
            "DBClusterSnapshotIdentifier": name,
            "AttributeName": "restore",
            "ValuesToAdd": [SCRATCH],
        }


@pytest.mark.parametrize("name", ["export", "import"])
def test_a_copy_of_this_run_is_adopted_and_anothers_is_refused(name: str):
    account = SOURCE if name == "export" else SCRATCH
    taken = aws_error("DBClusterSnapshotAlreadyExistsFault", "taken")
    for described, adopted in ((ours("cluster-snapshot", account), True), (snapshot(), False)):
        answers = {"CopyDBClusterSnapshot": taken, "DescribeDBClusterSnapshots": {"DBClusterSnapshots": [described]}}
        begin = stage(source(FakeAccounts(answers), of=COPIED), name).begin
        if adopted:
            begin()
        else:
            with pytest.raises(AwsError):
                begin()


@pytest.mark.parametrize(
    ("described", "kind"), [(None, "interfered"), ({"Status": "failed"}, "copy-failed"), ({"Status": "copying"}, "")]
)
def test_a_copy_is_waited_for(described: dict[str, Any] | None, kind: str):
    accounts = FakeAccounts({"DescribeDBClusterSnapshots": {"DBClusterSnapshots": [described] if described else []}})
    look = stage(source(accounts), "export").look
    if kind:
        with pytest.raises(SourceError) as e:
            look()
        assert e.value.kind == kind
    else:
        assert look().status == "copying 0 %"


def test_a_share_is_waited_for():
    assert not stage(source(listing()), "share").look().done
    assert stage(source(listing(shared=(SCRATCH,))), "share").look().done


# --- the cluster ---------------------------------------------------------------------------------------------------


def test_the_cluster_is_restored_with_every_parameter_that_aws_would_choose():
    side, operation, params = begun("restore")
    tags = params.pop("Tags")
    assert (side, operation) == ("scratch", "RestoreDBClusterFromSnapshot")
    assert params == {
        "DBClusterIdentifier": NAME,
        "SnapshotIdentifier": f"{ARN}{NAME}",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.6",
        "DBSubnetGroupName": "rc",
        "VpcSecurityGroupIds": ["sg-1"],
        "KmsKeyId": "scratch-key",
        "DeletionProtection": False,
        "CopyTagsToSnapshot": False,
        "BackupRetentionPeriod": 1,
        "EnableIAMDatabaseAuthentication": False,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 2.0},
    }
    assert {tag["Key"]: tag["Value"] for tag in tags}["restorecheck:resource"].endswith(f":cluster:{NAME}")


@pytest.mark.parametrize(
    ("point", "of", "restored"),
    [(SHARED, SHOP, f"{ARN}weekly"), (MANUAL, SHOP, f"{ARN}weekly"), (MANUAL, COPIED, NAME), (POINT, COPIED, NAME)],
)
def test_it_is_restored_from_the_share_itself_unless_a_copy_is_wanted(
    point: RecoveryPoint, of: AuroraSource, restored: str
):
    assert begun("restore", point, of=of)[2]["SnapshotIdentifier"] == restored


def test_a_provisioned_class_has_no_capacity_and_groups_are_given_if_named():
    place = replace(PLACE, instance_class="db.r6g.large", cluster_parameter_group="cpg", parameter_group="pg")
    params = begun("restore", place=place)[2]
    assert "ServerlessV2ScalingConfiguration" not in params
    assert params["DBClusterParameterGroupName"] == "cpg"
    params = begun("instance", place=place)[2]
    assert (params["DBInstanceClass"], params["DBParameterGroupName"]) == ("db.r6g.large", "pg")


def test_a_cluster_that_aws_upgraded_is_not_what_was_backed_up():
    kinds = []
    for runs in ("16.8", "17.4"):
        of = source(running(a_cluster(EngineVersion=runs), an_instance(EngineVersion=runs)))
        for ask in (lambda of=of: stage(of, "instance").look(), lambda of=of: of.examine(POINT)):
            try:
                ask()
            except SourceError as e:
                kinds.append((runs, e.kind))
    assert kinds == [("17.4", "upgraded"), ("17.4", "upgraded")]


def test_a_share_that_is_not_seen_yet_is_tried_again():
    unseen = aws_error("DBClusterSnapshotNotFoundFault", "snapshot-state")
    for name, of, operation in (
        ("restore", SHOP, "RestoreDBClusterFromSnapshot"),
        ("import", COPIED, "CopyDBClusterSnapshot"),
    ):
        with pytest.raises(AwsError) as e:
            stage(source(FakeAccounts({operation: unseen}), of=of), name).begin()
        assert e.value.retryable
    for error, of in ((unseen, COPIED), (aws_error("KMSKeyNotAccessibleFault", "key-access"), SHOP)):
        with pytest.raises(AwsError) as e:
            stage(source(FakeAccounts({"RestoreDBClusterFromSnapshot": error}), of=of), "restore").begin()
        assert not e.value.retryable


@pytest.mark.parametrize(
    ("name", "operation", "code"),
    [
        ("restore", "RestoreDBClusterFromSnapshot", "DBClusterAlreadyExistsFault"),
        ("instance", "CreateDBInstance", "DBInstanceAlreadyExists"),
    ],
)
def test_what_this_run_made_is_adopted_and_what_another_made_is_refused(name: str, operation: str, code: str):
    taken = {operation: aws_error(code, "taken")}
    stage(source(running(a_cluster(), an_instance(), **taken)), name).begin()
    with pytest.raises(AwsError, match=code):
        stage(source(running(a_cluster(TagList=[]), an_instance(TagList=[]), **taken)), name).begin()


@pytest.mark.parametrize(
    ("cluster", "kind"),
    [
        (None, "interfered"),
        ({"Status": "deleting"}, "interfered"),
        ({"Status": "upgrade_failed"}, "engine-retired"),
        ({"Status": "migration-failed"}, "restore-failed"),
        ({"Status": "cloning-failed"}, "restore-failed"),
        ({"Status": "inaccessible-encryption-credentials-recoverable"}, "key-access"),
    ],
)
@pytest.mark.parametrize("name", ["restore", "instance", "open"])
def test_a_cluster_that_never_becomes_one_ends_the_wait(cluster: dict[str, Any] | None, kind: str, name: str):
    with pytest.raises(SourceError) as e:
        stage(source(running(cluster, an_instance())), name).look()
    assert e.value.kind == kind


def test_a_cluster_is_waited_for_until_it_is_available():
    assert stage(source(running(a_cluster(), None)), "restore").look().done
    for status in ("creating", "migrating", "backing-up", "dreaming"):
        look = stage(source(running(a_cluster(Status=status), None)), "restore").look()
        assert (look.done, look.status) == (False, status)


# --- its instance --------------------------------------------------------------------------------------------------


def test_the_instance_is_in_the_runs_cluster_and_private():
    side, operation, params = begun("instance")
    tags = params.pop("Tags")
    assert (side, operation) == ("scratch", "CreateDBInstance")
    assert params == {
        "DBInstanceIdentifier": NAME,
        "DBClusterIdentifier": NAME,
        "DBInstanceClass": "db.serverless",
        "Engine": "aurora-postgresql",
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": False,
    }
    assert {tag["Key"]: tag["Value"] for tag in tags}["restorecheck:resource"].endswith(f":db:{NAME}")


@pytest.mark.parametrize(
    ("instance", "kind"),
    [
        (None, "interfered"),
        ({"DBInstanceStatus": "incompatible-parameters"}, "placement"),
        ({"DBInstanceStatus": "insufficient-capacity"}, "capacity"),
        ({"DBInstanceStatus": "available", "PubliclyAccessible": True}, "interfered"),
        ({"DBInstanceStatus": "available"}, "interfered"),  # AWS does not say that it is private: unknown means no
    ],
)
def test_an_instance_that_is_not_as_it_must_be_ends_the_wait(instance: dict[str, Any] | None, kind: str):
    with pytest.raises(SourceError) as e:
        stage(source(running(a_cluster(), instance)), "instance").look()
    assert e.value.kind == kind


def test_an_instance_is_waited_for():
    assert stage(source(running(a_cluster(), an_instance())), "instance").look().done
    look = stage(source(running(a_cluster(), an_instance(DBInstanceStatus="creating"))), "instance").look()
    assert (look.done, look.status) == (False, "creating")
    look = stage(source(running(a_cluster(Status="modifying"), an_instance())), "instance").look()
    assert (look.done, look.status) == (False, "available, its cluster is modifying")


# --- opening and asking --------------------------------------------------------------------------------------------


def test_the_password_is_set_on_the_cluster():
    side, operation, params = begun("open")
    assert (side, operation, params["DBClusterIdentifier"]) == ("scratch", "ModifyDBCluster", NAME)
    assert params["ApplyImmediately"] is True
    assert 8 <= len(params["MasterUserPassword"]) <= 41


def looked(
    cluster: dict[str, Any], instance: dict[str, Any] | None = None, error: QueryError | None = None, **of: Any
) -> Any:
    accounts = running(cluster, instance or an_instance())
    return stage(source(accounts, FakeDatabase(error), **of), "open").look()


def test_open_waits_for_both_the_password_the_endpoint_and_an_answer():
    pending = {"PendingModifiedValues": {"MasterUserPassword": "****"}}
    assert "new password pending" in looked(a_cluster(**pending)).status
    assert looked(a_cluster(Status="resetting-master-credentials")).status == (
        "cluster resetting-master-credentials, instance available"
    )
    assert not looked(a_cluster(), an_instance(DBInstanceStatus="rebooting")).done
    for missing in ("Endpoint", "Port"):
        assert "no endpoint yet" in looked(a_cluster(**{missing: None})).status
    assert "no answer yet: slow" in looked(a_cluster(), error=QueryError("slow", retryable=True)).status
    assert looked(a_cluster()).status == "answers, aurora-postgresql 18.6"
    with pytest.raises(QueryError, match="bad certificate"):
        looked(a_cluster(), error=QueryError("bad certificate", kind="tls"))


@pytest.mark.parametrize(
    ("of", "databases", "connected"),
    [
        (SHOP, (None,), "prod"),
        (replace(SHOP, database=None), ("billing", "prod"), "billing"),
        (replace(SHOP, database=None), (), "postgres"),
        (replace(SHOP, database=None, engine="mysql"), (), ""),
        (SHOP, ("billing",), "prod"),
    ],
)
def test_it_connects_to_a_database_that_somebody_named_or_to_the_one_that_is_always_there(
    of: AuroraSource, databases: tuple[str | None, ...], connected: str
):
    database = FakeDatabase()
    made = source(running(a_cluster(), an_instance()), database, of=of, assertions=asking(*databases))
    engine = {"postgresql": "aurora-postgresql", "mysql": "aurora-mysql"}[of.engine]
    assert stage(made, "open", replace(POINT, engine=engine)).look().done
    master, reader = database.logins
    assert (master.host, master.port, master.user, master.database) == ("127.0.0.1", 5432, "app", connected)
    assert reader.user.startswith("restorecheck_reader_")
    assert reader.database == connected


def test_a_database_that_nobody_named_and_that_is_not_there_blames_no_backup():
    missing = QueryError("no such database", kind="missing-object")
    with pytest.raises(QueryError) as e:
        looked(a_cluster(), error=missing, of=replace(SHOP, database=None), assertions=())
    assert e.value.kind == "config"
    assert "database" in e.value.hint
    with pytest.raises(QueryError) as e:
        looked(a_cluster(), error=missing)
    assert e.value.kind == "missing-object"


def test_an_empty_database_that_is_asked_is_observed():
    seen = (DatabaseSeen("postgres", 0), DatabaseSeen("prod", 12))
    accounts = running(a_cluster(), an_instance())
    answers = source(accounts, FakeDatabase(seen=seen), of=replace(SHOP, database="postgres")).examine(POINT)
    [observation] = answers.observations
    assert (observation.kind, observation.message) == ("empty-database", "postgres holds no table; prod holds 12")
    assert (answers.server_version, answers.asked_at, len(answers.answers)) == ("18.6", NOW, 1)
    assert answers.proven[0] == "the snapshot was restored, and its server answered 1 of 1 questions"


def test_a_check_that_asks_nothing_says_so_and_is_not_fine_with_an_empty_database():
    seen = (DatabaseSeen("postgres", 0), DatabaseSeen("prod", 12))
    accounts = running(a_cluster(), an_instance())
    made = source(accounts, FakeDatabase(seen=seen), of=replace(SHOP, database=None), assertions=())
    answers = made.examine(POINT)
    assert answers.observations[0].kind == "empty-database"
    assert (*answers.proven, *answers.unread) == (
        "the snapshot was restored, and its server answers; it was asked nothing",
        "restored and never asked: prod (12 tables)",
    )


def test_every_database_that_a_question_names_is_observed():
    seen = (DatabaseSeen("prod", 12),)
    accounts = running(a_cluster(), an_instance())
    made = source(accounts, FakeDatabase(seen=seen), assertions=asking(None, "billing"))
    [observation] = made.examine(POINT).observations
    assert observation.kind == "missing-object"


# --- going back ----------------------------------------------------------------------------------------------------


def deletes(accounts: FakeAccounts) -> list[str]:
    return [operation for _, operation, _ in accounts.called if operation.startswith("Delete")]


def test_the_instance_goes_first_and_whole():
    accounts = running(a_cluster(), an_instance())
    stage(source(accounts), "drop instance").begin()
    assert accounts.called[-1][1:] == (
        "DeleteDBInstance",
        {"DBInstanceIdentifier": NAME, "SkipFinalSnapshot": True, "DeleteAutomatedBackups": True},
    )


@pytest.mark.parametrize("members", [[{"DBInstanceIdentifier": NAME}], [{"DBInstanceIdentifier": "theirs"}], None])
def test_a_cluster_with_an_instance_or_of_which_that_is_not_known_is_not_deleted(members: Any):
    accounts = running(a_cluster(DBClusterMembers=members), None)
    drop = stage(source(accounts), "drop cluster")
    drop.begin()
    look = drop.look()
    assert not look.done
    assert look.status == ("available, still has 1 instances" if members else "available")
    assert deletes(accounts) == []


def test_a_cluster_without_instances_goes_whole_and_is_asked_for_again():
    accounts = running(a_cluster(DBClusterMembers=[]), None)
    drop = stage(source(accounts), "drop cluster")
    drop.begin()
    assert accounts.called[-1] == (
        "scratch",
        "DeleteDBCluster",
        {"DBClusterIdentifier": NAME, "SkipFinalSnapshot": True, "DeleteAutomatedBackups": True},
    )
    assert drop.look().status == "available"
    assert deletes(accounts) == ["DeleteDBCluster"] * 2


@pytest.mark.parametrize("code", ["DBClusterNotFoundFault", "InvalidDBClusterStateFault"])
def test_a_delete_that_comes_too_early_or_too_late_is_no_failure(code: str):
    accounts = running(a_cluster(DBClusterMembers=[]), None, DeleteDBCluster=aws_error(code))
    stage(source(accounts), "drop cluster").begin()
    denied = running(a_cluster(DBClusterMembers=[]), None, DeleteDBCluster=aws_error("AccessDenied"))
    with pytest.raises(AwsError):
        stage(source(denied), "drop cluster").begin()


@pytest.mark.parametrize(
    ("cluster", "done"), [(None, True), (a_cluster(TagList=[]), True), (a_cluster(Status="deleting"), False)]
)
def test_a_cluster_that_is_gone_anothers_or_on_its_way_out_is_left_alone(cluster: dict[str, Any] | None, done: bool):
    accounts = running(cluster, None)
    drop = stage(source(accounts), "drop cluster")
    drop.begin()
    assert drop.look().done is done
    assert deletes(accounts) == []


@pytest.mark.parametrize(("name", "account"), [("drop import", SCRATCH), ("drop export", SOURCE)])
def test_copies_are_deleted_by_the_call_for_cluster_snapshots(name: str, account: str):
    described = ours("cluster-snapshot", account, Status="available")
    accounts = FakeAccounts({"DescribeDBClusterSnapshots": {"DBClusterSnapshots": [described]}})
    drop = stage(source(accounts, of=COPIED), name)
    drop.begin()
    assert accounts.called[-1][1:] == ("DeleteDBClusterSnapshot", {"DBClusterSnapshotIdentifier": NAME})
    assert drop.look().status == "available"
    gone = FakeAccounts({"DescribeDBClusterSnapshots": aws_error("DBClusterSnapshotNotFoundFault")})
    assert stage(source(gone, of=COPIED), name).look().done


@pytest.mark.parametrize("code", ["DBClusterSnapshotNotFoundFault", "InvalidDBClusterSnapshotStateFault"])
def test_a_copy_that_cannot_be_deleted_yet_is_asked_for_again(code: str):
    described = ours("cluster-snapshot", Status="copying")
    answers = {
        "DescribeDBClusterSnapshots": {"DBClusterSnapshots": [described]},
        "DeleteDBClusterSnapshot": aws_error(code),
    }
    drop = stage(source(FakeAccounts(answers), of=COPIED), "drop import")
    drop.begin()
    assert drop.look().status == "copying"


def test_a_share_is_taken_back_from_what_was_shared():
    accounts = listing(shared=(SCRATCH,))
    unshare = stage(source(accounts), "unshare", MANUAL)
    unshare.begin()
    assert accounts.called[-1][2]["ValuesToRemove"] == [SCRATCH]
    assert accounts.called[-1][2]["DBClusterSnapshotIdentifier"] == "weekly"
    assert unshare.look().status == "still shared"
    assert stage(source(listing()), "unshare", MANUAL).look().done


def test_a_copy_that_was_never_made_needs_no_unshare():
    accounts = FakeAccounts({"DescribeDBClusterSnapshots": {"DBClusterSnapshots": []}})
    unshare = stage(source(accounts), "unshare")
    unshare.begin()
    assert unshare.look().done


def test_a_borrowed_snapshot_that_its_owner_deleted_meanwhile_is_not_shared_any_more():
    gone = aws_error("DBClusterSnapshotNotFoundFault", "snapshot-state")
    answers = {"ModifyDBClusterSnapshotAttribute": gone, "DescribeDBClusterSnapshotAttributes": gone}
    unshare = stage(source(FakeAccounts(answers)), "unshare", MANUAL)
    unshare.begin()
    assert unshare.look().done


# --- what is left --------------------------------------------------------------------------------------------------


def test_leftovers_are_told_by_name_and_by_tag_and_what_aurora_made_with_what_to_do():
    named = a_cluster(TagList=[])
    final = {
        "DBClusterSnapshotIdentifier": "rds-final-1",
        "DBClusterSnapshotArn": f"arn:aws:rds:{REGION}:{SCRATCH}:cluster-snapshot:rds-final-1",
        "DBClusterIdentifier": NAME,
    }
    tagged_final = final | {"TagList": [{"Key": "restorecheck:run", "Value": RUN}]}
    theirs = final | {"DBClusterIdentifier": "shop", "DBClusterSnapshotIdentifier": "rds-final-2"}
    kept = final | {"DBClusterSnapshotIdentifier": "nightly"}  # somebody took it of our cluster; it is theirs
    for ending in (final, tagged_final):
        accounts = FakeAccounts(
            {
                "DescribeDBInstances": {"DBInstances": [an_instance(), {"DBInstanceIdentifier": "production"}]},
                "DescribeDBClusters": {"DBClusters": [named, {"DBClusterIdentifier": "production"}]},
                "scratch DescribeDBClusterSnapshots": {"DBClusterSnapshots": [ending, theirs, kept]},
                "source DescribeDBClusterSnapshots": {"DBClusterSnapshots": [ours("cluster-snapshot", SOURCE)]},
            }
        )
        left = {leftover.arn.split(":", 5)[-1]: leftover.reason for leftover in source(accounts).leftovers()}
        assert list(left) == [
            f"db:{NAME}",
            f"cluster:{NAME}",
            f"cluster-snapshot:{NAME}",
            "cluster-snapshot:rds-final-1",
        ]
        assert left[f"db:{NAME}"] == left[f"cluster-snapshot:{NAME}"] == ""
        assert "was not made by this run" in left[f"cluster:{NAME}"]
        assert left["cluster-snapshot:rds-final-1"].endswith(
            f"run this in account {SCRATCH}: aws rds delete-db-cluster-snapshot --region {REGION}"
            " --db-cluster-snapshot-identifier rds-final-1"
        )
        assert deletes(accounts) == []


# --- together ------------------------------------------------------------------------------------------------------


def test_plan_mode_reaches_every_call():
    accounts = FakeAccounts()
    made = source(accounts, of=COPIED, imagined=True)
    for one in made.teardown(POINT):
        one.begin()
    assert deletes(accounts) == [
        "DeleteDBInstance",
        "DeleteDBCluster",
        "DeleteDBClusterSnapshot",
        "DeleteDBClusterSnapshot",
    ]


def test_who_waits_looks_at_listings_that_all_runs_share():
    accounts = running(a_cluster(Status="creating"), an_instance(DBInstanceStatus="creating"))
    described = ours("cluster-snapshot", SOURCE, Status="copying")
    accounts.answers["DescribeDBClusterSnapshots"] = {"DBClusterSnapshots": [described]}
    sightings = Sightings(accounts, lambda: 0.0)  # type: ignore[arg-type]
    made = source(accounts, sightings=sightings)
    for name in ("export", "restore", "instance"):
        for _ in range(3):
            assert not stage(made, name).look().done
    assert [(operation, params) for _, operation, params in accounts.called] == [
        ("DescribeDBClusterSnapshots", {"SnapshotType": "manual"}),
        ("DescribeDBClusters", {}),
        ("DescribeDBInstances", {}),
    ]


def test_a_check_of_an_instance_has_no_cluster():
    world = World(FakeAccounts(), {"postgresql": FakeDatabase()}, Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="has no cluster as its source"):
        AuroraSnapshots(Plan(RUN, check(), NOW), world)


# --- a connection that was lost ---------------------------------------------------------------------------------------

LOST = Answer("a0", error="the server broke off while it answered, twice", kind="connection-lost")


def test_the_events_of_the_cluster_and_of_everything_in_it_are_asked_for():
    accounts = running(a_cluster(DBClusterMembers=[{"DBInstanceIdentifier": "guest"}]), an_instance())
    accounts.answers["DescribeEvents"] = {"Events": []}
    [given] = source(accounts, FakeDatabase(answers=(LOST,))).examine(POINT).answers
    assert given == LOST
    asked = [(p["SourceType"], p["SourceIdentifier"]) for _, op, p in accounts.called if op == "DescribeEvents"]
    assert asked[:3] == [("db-cluster", NAME), ("db-instance", NAME), ("db-instance", "guest")]


def test_a_failover_to_somebody_elses_instance_takes_the_blame():
    event = {"Date": NOW, "Message": "Completed failover to DB instance: guest", "EventCategories": ["failover"]}
    accounts = running(a_cluster(), an_instance())
    accounts.answers["DescribeEvents"] = {"Events": [event]}
    [given] = source(accounts, FakeDatabase(answers=(LOST,))).examine(POINT).answers
    assert given.kind == "interfered"
    assert "Completed failover to DB instance: guest" in given.error
