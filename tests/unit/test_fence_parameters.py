"""How a write may be written. One row per reason to refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from fence_cases import (
    DELETE_INSTANCE,
    DELETE_SNAPSHOT,
    NAME,
    OTHER,
    PASSWORD,
    RESTORE,
    RUN_PERMIT,
    SCRATCH,
    SHARE,
    SOURCE,
    SWEEP_PERMIT,
    UNSHARE,
    arn,
    copy_call,
    tags_as_sent,
)
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.fence import TABLE, Effect, Permit, Role
from restorecheck.fence.parameters import ALLOWED, TARGETS, target_of, why_not_create, why_not_params

CREATES: list[tuple[str, dict[str, Any], Role]] = [
    ("RestoreDBInstanceFromDBSnapshot", RESTORE, Role.SCRATCH),
    ("CopyDBSnapshot", copy_call(SCRATCH), Role.SCRATCH),
    ("CopyDBSnapshot", copy_call(SOURCE), Role.SOURCE),
]
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("ModifyDBInstance", PASSWORD),
    ("ModifyDBSnapshotAttribute", SHARE),
    ("ModifyDBSnapshotAttribute", UNSHARE),
    ("DeleteDBInstance", DELETE_INSTANCE),
    ("DeleteDBSnapshot", DELETE_SNAPSHOT),
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
    assert {operation for _, operation, _ in WRITES} == set(ALLOWED)
    assert {operation for _, operation, effect in WRITES if effect is not Effect.CREATE} == set(TARGETS)


@pytest.mark.parametrize(("service", "operation"), sorted((s, o) for s, o, _ in WRITES))
def test_every_parameter_that_may_be_carried_exists(service: str, operation: str):
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert ALLOWED[operation] <= set(model.input_shape.members)
    if operation in TARGETS:
        assert TARGETS[operation][1] in model.input_shape.required_members


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
    # These would make botocore sign another call into this one, after it was judged.
    ("CopyDBSnapshot", {"SourceRegion": "us-east-1"}, "SourceRegion are not among those"),
    ("CopyDBSnapshot", {"PreSignedUrl": "https://rds.us-east-1.amazonaws.com/"}, "PreSignedUrl are not among those"),
    ("CreateDBInstance", {}, "are not among those that it may carry"),
]


@pytest.mark.parametrize(("operation", "change", "reason"), MADE_WRONG)
def test_it_makes_nothing_else(operation: str, change: dict[str, Any], reason: str):
    good = RESTORE if operation.startswith("Restore") else copy_call(SCRATCH)
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
    ("DeleteDBCluster", {"DBClusterIdentifier": NAME}, RUN_PERMIT, "DBClusterIdentifier are not among those"),
]


@pytest.mark.parametrize(("operation", "change", "permit", "reason"), CHANGED_WRONG)
def test_it_changes_nothing_else(operation: str, change: dict[str, Any], permit: Permit, reason: str):
    params = {**dict(CHANGES).get(operation, {}), **change}
    if operation == "ModifyDBSnapshotAttribute":
        params = {**SHARE, **change}
    assert reason in (why_not_params(operation, params, permit) or "nothing")


@pytest.mark.parametrize(("operation", "params"), CHANGES[3:])
def test_a_sweep_may_delete(operation: str, params: dict[str, Any]):
    assert why_not_params(operation, params, SWEEP_PERMIT) is None


# --- what is changed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "params"), CHANGES)
def test_a_change_names_its_target(operation: str, params: dict[str, Any]):
    kind, parameter = TARGETS[operation]
    assert target_of(operation, params) == (kind, NAME)
    for nothing in ({}, {parameter: ""}, {parameter: None}, {parameter: [NAME]}):
        assert target_of(operation, {**params, parameter: None, **nothing}) is None


def test_a_change_that_nobody_thought_about_has_no_target():
    assert target_of("RebootDBInstance", {"DBInstanceIdentifier": NAME}) is None
    assert target_of("DeleteDBSnapshot", {"DBInstanceIdentifier": NAME}) is None
