"""How a write may be written. One row per reason to refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from fence_cases import (
    ADD_INSTANCE,
    CLUSTER_PASSWORD,
    DELETE_CLUSTER,
    DELETE_CLUSTER_SNAPSHOT,
    DELETE_INSTANCE,
    DELETE_SNAPSHOT,
    NAME,
    OTHER,
    PASSWORD,
    RESTORE,
    RESTORE_CLUSTER,
    RUN_PERMIT,
    SCRATCH,
    SHARE,
    SHARE_CLUSTER,
    SOURCE,
    SWEEP_PERMIT,
    UNSHARE,
    UNSHARE_CLUSTER,
    arn,
    cluster_copy_call,
    copy_call,
    tags_as_sent,
)
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.fence import TABLE, Effect, Permit, Role
from restorecheck.fence.parameters import ALLOWED, MADE, SHARES, TARGETS, target_of, why_not_create, why_not_params

CREATES: list[tuple[str, dict[str, Any], Role]] = [
    ("RestoreDBInstanceFromDBSnapshot", RESTORE, Role.SCRATCH),
    ("CopyDBSnapshot", copy_call(SCRATCH), Role.SCRATCH),
    ("CopyDBSnapshot", copy_call(SOURCE), Role.SOURCE),
    ("RestoreDBClusterFromSnapshot", RESTORE_CLUSTER, Role.SCRATCH),
    ("CreateDBInstance", ADD_INSTANCE, Role.SCRATCH),
    ("CopyDBClusterSnapshot", cluster_copy_call(SCRATCH), Role.SCRATCH),
    ("CopyDBClusterSnapshot", cluster_copy_call(SOURCE), Role.SOURCE),
]
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("ModifyDBInstance", PASSWORD),
    ("ModifyDBSnapshotAttribute", SHARE),
    ("ModifyDBSnapshotAttribute", UNSHARE),
    ("ModifyDBCluster", CLUSTER_PASSWORD),
    ("ModifyDBClusterSnapshotAttribute", SHARE_CLUSTER),
    ("ModifyDBClusterSnapshotAttribute", UNSHARE_CLUSTER),
    ("DeleteDBInstance", DELETE_INSTANCE),
    ("DeleteDBSnapshot", DELETE_SNAPSHOT),
    ("DeleteDBCluster", DELETE_CLUSTER),
    ("DeleteDBClusterSnapshot", DELETE_CLUSTER_SNAPSHOT),
]
WRITES = {
    (service, operation, effect)
    for services in TABLE.values()
    for service, operations in services.items()
    for operation, effect in operations.items()
    if effect is not Effect.READ
}


# --- the lists ----------------------------------------------------------------------------------------------------


def test_every_write_of_the_table_says_what_it_may_carry_and_every_change_what_it_changes():
    rds = {operation: effect for service, operation, effect in WRITES if service == "rds"}
    made = {operation for operation, effect in rds.items() if effect is Effect.CREATE}
    assert set(rds) == set(ALLOWED)
    assert made == set(MADE)
    assert set(rds) - made == set(TARGETS) - {"CreateDBInstance"}  # which is made inside of a cluster


@pytest.mark.parametrize(("service", "operation"), sorted((s, o) for s, o, _ in WRITES if s == "rds"))
def test_every_parameter_that_may_be_carried_exists(service: str, operation: str):
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert ALLOWED[operation] <= set(model.input_shape.members)
    if operation in TARGETS and operation != "CreateDBInstance":
        assert TARGETS[operation][1] in model.input_shape.required_members
    if operation in MADE:
        assert MADE[operation][1] in model.input_shape.required_members


def test_what_makes_something_without_saying_its_name_is_refused():
    assert why_not_create("CreateDBCluster", {}, Role.SCRATCH, RUN_PERMIT) == "it does not name what it makes"


# --- making -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "params", "role"), CREATES)
def test_a_run_may_make_what_it_makes(operation: str, params: dict[str, Any], role: Role):
    assert why_not_create(operation, params, role, RUN_PERMIT) is None


MADE_WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("RestoreDBInstanceFromDBSnapshot", {"DBInstanceIdentifier": "orders"}, "it would be named 'orders', not"),
    ("RestoreDBInstanceFromDBSnapshot", {"DBInstanceIdentifier": None}, "it would be named None, not"),
    ("RestoreDBInstanceFromDBSnapshot", {"Tags": []}, "it would not carry exactly this run's tags"),
    ("RestoreDBInstanceFromDBSnapshot", {"Tags": None}, "it would not carry exactly this run's tags"),
    ("RestoreDBInstanceFromDBSnapshot", {"Tags": [*RESTORE["Tags"], {"Key": "a", "Value": "b"}]}, "exactly this run's"),
    ("RestoreDBInstanceFromDBSnapshot", {"Tags": tags_as_sent(arn("db", OTHER))}, "exactly this run's tags"),
    ("RestoreDBInstanceFromDBSnapshot", {"PubliclyAccessible": True}, "PubliclyAccessible must be False"),
    ("RestoreDBInstanceFromDBSnapshot", {"PubliclyAccessible": None}, "PubliclyAccessible must be False"),
    ("RestoreDBInstanceFromDBSnapshot", {"PubliclyAccessible": 0}, "PubliclyAccessible must be False"),
    ("RestoreDBInstanceFromDBSnapshot", {"DeletionProtection": True}, "DeletionProtection must be False"),
    ("RestoreDBInstanceFromDBSnapshot", {"DeletionProtection": None}, "DeletionProtection must be False"),
    ("RestoreDBInstanceFromDBSnapshot", {"CopyTagsToSnapshot": True}, "CopyTagsToSnapshot must be False"),
    ("RestoreDBInstanceFromDBSnapshot", {"DBSubnetGroupName": ""}, "default subnet group or security group"),
    ("RestoreDBInstanceFromDBSnapshot", {"VpcSecurityGroupIds": []}, "default subnet group or security group"),
    ("RestoreDBInstanceFromDBSnapshot", {"BackupRetentionPeriod": None}, "BackupRetentionPeriod must be 0"),
    ("RestoreDBInstanceFromDBSnapshot", {"BackupRetentionPeriod": 7}, "BackupRetentionPeriod must be 0"),
    ("RestoreDBInstanceFromDBSnapshot", {"ManageMasterUserPassword": True}, "ManageMasterUserPassword are not among"),
    ("CopyDBSnapshot", {"TargetDBSnapshotIdentifier": "mine"}, "it would be named 'mine', not"),
    ("CopyDBSnapshot", {"Tags": tags_as_sent(arn("snapshot", SOURCE))}, "exactly this run's tags"),
    ("CopyDBSnapshot", {"CopyTags": True}, "CopyTags must be False"),
    ("CopyDBSnapshot", {"CopyTags": None}, "CopyTags must be False"),
    ("RestoreDBClusterFromSnapshot", {"DBClusterIdentifier": "shop"}, "it would be named 'shop', not"),
    ("RestoreDBClusterFromSnapshot", {"Tags": tags_as_sent(arn("db", SCRATCH))}, "exactly this run's tags"),
    ("RestoreDBClusterFromSnapshot", {"DeletionProtection": None}, "DeletionProtection must be False"),
    ("RestoreDBClusterFromSnapshot", {"CopyTagsToSnapshot": True}, "CopyTagsToSnapshot must be False"),
    ("RestoreDBClusterFromSnapshot", {"VpcSecurityGroupIds": None}, "default subnet group or security group"),
    ("RestoreDBClusterFromSnapshot", {"BackupRetentionPeriod": 7}, "BackupRetentionPeriod must be 1"),
    ("RestoreDBClusterFromSnapshot", {"BackupRetentionPeriod": None}, "BackupRetentionPeriod must be 1"),
    ("RestoreDBClusterFromSnapshot", {"EngineVersion": None}, "EngineVersion must be said"),
    ("RestoreDBClusterFromSnapshot", {"EngineVersion": ""}, "EngineVersion must be said"),
    ("RestoreDBClusterFromSnapshot", {"KmsKeyId": None}, "KmsKeyId must be said"),
    ("RestoreDBClusterFromSnapshot", {"EnableInternetAccessGateway": True}, "EnableInternetAccessGateway are not"),
    ("RestoreDBClusterFromSnapshot", {"PubliclyAccessible": True}, "PubliclyAccessible are not among those"),
    ("CreateDBInstance", {"DBInstanceIdentifier": "shop-2"}, "it would be named 'shop-2', not"),
    ("CreateDBInstance", {"DBClusterIdentifier": "shop"}, f"it would not be in the cluster {NAME}"),
    ("CreateDBInstance", {"DBClusterIdentifier": None}, f"it would not be in the cluster {NAME}"),
    ("CreateDBInstance", {"PubliclyAccessible": None}, "PubliclyAccessible must be False"),
    ("CreateDBInstance", {"PubliclyAccessible": True}, "PubliclyAccessible must be False"),
    ("CreateDBInstance", {"Tags": tags_as_sent(arn("cluster", SCRATCH))}, "exactly this run's tags"),
    ("CreateDBInstance", {"MasterUserPassword": "x"}, "MasterUserPassword are not among those"),
    ("CopyDBClusterSnapshot", {"TargetDBClusterSnapshotIdentifier": "mine"}, "it would be named 'mine', not"),
    ("CopyDBClusterSnapshot", {"Tags": tags_as_sent(arn("snapshot", SCRATCH))}, "exactly this run's tags"),
    ("CopyDBClusterSnapshot", {"CopyTags": None}, "CopyTags must be False"),
    ("CopyDBClusterSnapshot", {"PreSignedUrl": "https://rds.us-east-1.amazonaws.com/"}, "PreSignedUrl are not among"),
    # These would make botocore sign another call into this one, after it was judged.
    ("CopyDBSnapshot", {"SourceRegion": "us-east-1"}, "SourceRegion are not among those"),
    ("CopyDBSnapshot", {"PreSignedUrl": "https://rds.us-east-1.amazonaws.com/"}, "PreSignedUrl are not among those"),
    ("CreateDBCluster", {"DBClusterIdentifier": NAME}, "are not among those that it may carry"),
]


@pytest.mark.parametrize(("operation", "change", "reason"), MADE_WRONG)
def test_it_makes_nothing_else(operation: str, change: dict[str, Any], reason: str):
    good = {name: params for name, params, role in CREATES if role is Role.SCRATCH}.get(operation, {})
    params = {k: v for k, v in {**good, **change}.items() if v is not None}
    assert reason in (why_not_create(operation, params, Role.SCRATCH, RUN_PERMIT) or "nothing")


@pytest.mark.parametrize(("operation", "params", "role"), CREATES)
def test_another_run_and_a_sweep_may_not_make_it(operation: str, params: dict[str, Any], role: Role):
    another = replace(RUN_PERMIT, run_id="orders-db-20261120t0300z")
    assert "it would be named" in (why_not_create(operation, params, role, another) or "")
    assert why_not_create(operation, params, role, SWEEP_PERMIT) == "a sweep makes nothing"


@given(st.sampled_from(CREATES), st.data())
def test_no_parameter_that_decides_may_be_left_out(case: tuple[str, dict[str, Any], Role], data: st.DataObject):
    operation, params, role = case
    decides = {"DBInstanceIdentifier", "TargetDBSnapshotIdentifier", "Tags", "PubliclyAccessible", "DeletionProtection"}
    decides |= {"CopyTags", "CopyTagsToSnapshot", "DBSubnetGroupName", "VpcSecurityGroupIds", "BackupRetentionPeriod"}
    decides |= {"DBClusterIdentifier", "TargetDBClusterSnapshotIdentifier"}
    decides |= {"EngineVersion", "KmsKeyId"} if operation == "RestoreDBClusterFromSnapshot" else set()
    left_out = data.draw(st.sampled_from(sorted(decides & set(params))))
    fewer = {name: value for name, value in params.items() if name != left_out}
    assert why_not_create(operation, fewer, role, RUN_PERMIT) is not None


# --- changing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "params"), CHANGES)
def test_a_run_may_change_what_it_changes(operation: str, params: dict[str, Any]):
    assert why_not_params(operation, params, RUN_PERMIT) is None


ALONE = "a snapshot may be shared with the scratch account alone"
CHANGED_WRONG: list[tuple[str, dict[str, Any], Permit, str]] = [
    ("ModifyDBInstance", {"DeletionProtection": False}, RUN_PERMIT, "DeletionProtection are not among those"),
    ("ModifyDBInstance", {"PubliclyAccessible": True}, RUN_PERMIT, "PubliclyAccessible are not among those"),
    ("ModifyDBInstance", {"NewDBInstanceIdentifier": "x"}, RUN_PERMIT, "NewDBInstanceIdentifier are not among those"),
    ("ModifyDBInstance", {}, SWEEP_PERMIT, "a sweep only deletes"),
    ("ModifyDBSnapshotAttribute", {}, SWEEP_PERMIT, "a sweep only deletes"),
    ("ModifyDBSnapshotAttribute", {"ValuesToAdd": ["all"]}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"ValuesToAdd": [OTHER]}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"ValuesToAdd": [SCRATCH, OTHER]}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"ValuesToAdd": [SCRATCH, SCRATCH]}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"ValuesToAdd": SCRATCH}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"ValuesToAdd": None}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"ValuesToRemove": [OTHER]}, RUN_PERMIT, ALONE),
    ("ModifyDBSnapshotAttribute", {"AttributeName": "all"}, RUN_PERMIT, ALONE),
    ("DeleteDBInstance", {"SkipFinalSnapshot": False}, RUN_PERMIT, "SkipFinalSnapshot must be True"),
    ("DeleteDBInstance", {"DeleteAutomatedBackups": None}, RUN_PERMIT, "DeleteAutomatedBackups must be True"),
    ("DeleteDBInstance", {"SkipFinalSnapshot": 1}, SWEEP_PERMIT, "SkipFinalSnapshot must be True"),
    ("DeleteDBInstance", {"FinalDBSnapshotIdentifier": "x"}, RUN_PERMIT, "FinalDBSnapshotIdentifier are not among"),
    # Described as the instance, deleted as the snapshot.
    ("DeleteDBSnapshot", {"DBInstanceIdentifier": NAME}, RUN_PERMIT, "DBInstanceIdentifier are not among those"),
    ("DeleteDBClusterSnapshot", {"DBSnapshotIdentifier": NAME}, RUN_PERMIT, "DBSnapshotIdentifier are not among"),
    ("DeleteDBCluster", {"SkipFinalSnapshot": None}, RUN_PERMIT, "SkipFinalSnapshot must be True"),
    ("DeleteDBCluster", {"DeleteAutomatedBackups": False}, SWEEP_PERMIT, "DeleteAutomatedBackups must be True"),
    ("DeleteDBCluster", {"FinalDBSnapshotIdentifier": "x"}, RUN_PERMIT, "FinalDBSnapshotIdentifier are not among"),
    ("DeleteDBClusterAutomatedBackup", {"DbClusterResourceId": "x"}, RUN_PERMIT, "are not among those"),
    ("ModifyDBCluster", {"DeletionProtection": False}, RUN_PERMIT, "DeletionProtection are not among those"),
    ("ModifyDBCluster", {"NewDBClusterIdentifier": "x"}, RUN_PERMIT, "NewDBClusterIdentifier are not among those"),
    ("ModifyDBCluster", {}, SWEEP_PERMIT, "a sweep only deletes"),
    ("ModifyDBClusterSnapshotAttribute", {}, SWEEP_PERMIT, "a sweep only deletes"),
    ("ModifyDBClusterSnapshotAttribute", {"ValuesToAdd": ["all"]}, RUN_PERMIT, ALONE),
    ("ModifyDBClusterSnapshotAttribute", {"ValuesToAdd": [SCRATCH, OTHER]}, RUN_PERMIT, ALONE),
    ("ModifyDBClusterSnapshotAttribute", {"ValuesToRemove": [OTHER]}, RUN_PERMIT, ALONE),
    ("ModifyDBClusterSnapshotAttribute", {"AttributeName": "all"}, RUN_PERMIT, ALONE),
]


@pytest.mark.parametrize(("operation", "change", "permit", "reason"), CHANGED_WRONG)
def test_it_changes_nothing_else(operation: str, change: dict[str, Any], permit: Permit, reason: str):
    params = {**dict(CHANGES).get(operation, {}), **change}
    if operation in SHARES:
        params = {**(SHARE if operation == "ModifyDBSnapshotAttribute" else SHARE_CLUSTER), **change}
    assert reason in (why_not_params(operation, params, permit) or "nothing")


@pytest.mark.parametrize(("operation", "params"), [c for c in CHANGES if c[0].startswith("Delete")])
def test_a_sweep_may_delete(operation: str, params: dict[str, Any]):
    assert why_not_params(operation, params, SWEEP_PERMIT) is None


# --- what is changed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "params"), CHANGES)
def test_a_change_names_its_target(operation: str, params: dict[str, Any]):
    kind, parameter = TARGETS[operation]
    assert target_of(operation, params) == (kind, NAME)
    for nothing in ({}, {parameter: ""}, {parameter: None}, {parameter: [NAME]}):
        assert target_of(operation, {**params, parameter: None, **nothing}) is None


def test_an_instance_is_made_inside_of_the_runs_own_cluster():
    assert target_of("CreateDBInstance", ADD_INSTANCE) == ("cluster", NAME)


def test_a_change_that_nobody_thought_about_has_no_target():
    assert target_of("RebootDBInstance", {"DBInstanceIdentifier": NAME}) is None
    assert target_of("DeleteDBSnapshot", {"DBInstanceIdentifier": NAME}) is None
