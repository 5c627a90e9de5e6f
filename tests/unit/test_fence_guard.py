"""The hook: nothing leaves that the table does not have, on whatever way it tries. What was sent is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import botocore.exceptions
import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config
from fence_cases import (
    ADD_INSTANCE,
    BEGAN,
    CLUSTER_PASSWORD,
    DELETE_CLUSTER,
    DELETE_CLUSTER_SNAPSHOT,
    DELETE_INSTANCE,
    DELETE_SNAPSHOT,
    NAME,
    OTHER,
    PASSWORD,
    REGION,
    RESTORE,
    RESTORE_CLUSTER,
    RUN_PERMIT,
    SCRATCH,
    SHARE,
    SHARE_CLUSTER,
    SOURCE,
    SWEEP_PERMIT,
    arn,
    cluster_copy_call,
    copy_call,
    tags_of,
)
from recorder import Recorder, cluster_snapshots, clusters, error, instances, recording, snapshots, tag_list

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.fence import TABLE, Effect, Hand, Mode, Permit, Role
from restorecheck.fence.passage import Passage
from restorecheck.fence.table import effect_of

SERVICES = sorted({service for services in TABLE.values() for service in services})
NOT_OURS = ["iam", "stepfunctions", "secretsmanager", "dynamodb", "organizations", "docdb", "neptune"]
"""Services without an entry. docdb and neptune speak to the same endpoint as RDS, with operations of the same names."""

LOADER = botocore.session.Session().get_component("data_loader")  # reads each service's model once

ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2, inject_host_prefix=False)


@pytest.fixture(scope="module")
def world() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def aws(world: Recorder) -> Recorder:
    world.asked.clear()
    world.script.clear()
    return world


@pytest.fixture(scope="module")
def guarded(world: Recorder) -> Callable[[Role, str], Any]:
    """Clients made behind a Hand's back, one for each role and service: no test of the table changes them."""
    return cache(lambda role, service: raw_client(hand_of(world, role), service))


def hand_of(
    aws: Recorder,
    role: Role = Role.SCRATCH,
    permit: Permit | None = RUN_PERMIT,
    *,
    account: str = "",
    region: str = REGION,
    mode: Mode = Mode.ACT,
) -> Hand:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    account = account or {Role.SCRATCH: SCRATCH, Role.BASE: ""}.get(role, SOURCE)
    return Hand(Passage(session, role, account, region, endpoint_url=aws.url, mode=mode), permit)


def client_of(hand: Hand, service: str) -> Any:
    """The client that the Hand's own calls use."""
    return hand._passage.client(service)


def session_of(hand: Hand) -> botocore.session.Session:
    return hand._passage._session


def raw_client(hand: Hand, service: str) -> Any:
    """A client made behind the Hand's back, on its session."""
    return session_of(hand).create_client(
        service, region_name=REGION, endpoint_url=hand._passage._endpoint_url, config=ONE_TRY
    )


def described_instance(**changes: Any) -> dict[str, Any]:
    resource = arn("db", SCRATCH)
    return {
        "DBInstanceIdentifier": NAME,
        "DBInstanceArn": resource,
        "DBInstanceStatus": "available",
        "InstanceCreateTime": BEGAN,
        "DeletionProtection": False,
        "ReadReplicaDBInstanceIdentifiers": "",
        "TagList": tag_list(tags_of(resource)),
        **changes,
    }


def described_snapshot(account: str = SCRATCH, **changes: Any) -> dict[str, Any]:
    resource = arn("snapshot", account)
    return {
        "DBSnapshotIdentifier": NAME,
        "DBSnapshotArn": resource,
        "DBInstanceIdentifier": "orders",
        "Status": "available",
        "SnapshotType": "manual",
        "SnapshotCreateTime": BEGAN,
        "TagList": tag_list(tags_of(resource)),
        **changes,
    }


def described_cluster(*members: str, **changes: Any) -> dict[str, Any]:
    resource = arn("cluster", SCRATCH)
    held = [{"DBInstanceIdentifier": name, "IsClusterWriter": "true"} for name in members]
    return {
        "DBClusterIdentifier": NAME,
        "DBClusterArn": resource,
        "Status": "available",
        "ClusterCreateTime": BEGAN,
        "DeletionProtection": False,
        "ReadReplicaIdentifiers": "",
        "DBClusterMembers": ("DBClusterMember", held) if held else "",
        "TagList": tag_list(tags_of(resource)),
        **changes,
    }


def described_cluster_snapshot(account: str = SCRATCH, **changes: Any) -> dict[str, Any]:
    resource = arn("cluster-snapshot", account)
    return {
        "DBClusterSnapshotIdentifier": NAME,
        "DBClusterSnapshotArn": resource,
        "DBClusterIdentifier": "shop",
        "Status": "available",
        "SnapshotType": "manual",
        "SnapshotCreateTime": BEGAN,
        "TagList": tag_list(tags_of(resource)),
        **changes,
    }


# --- default deny -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("role", list(Role))
def test_every_operation_that_is_not_in_the_table_is_refused_and_nothing_is_sent(
    aws: Recorder, guarded: Callable[[Role, str], Any], role: Role, service: str
):
    client = guarded(role, service)
    operations = client.meta.service_model.operation_names
    refused = 0
    for operation in operations:
        if effect_of(role, service, operation) is not None:
            continue
        with pytest.raises(RefusedError, match=f"the {role} role may not call {service}:{operation}$"):
            getattr(client, xform_name(operation))()
        with pytest.raises(RefusedError, match=f"the {role} role may not call {service}:{operation}$"):
            client._make_api_call(operation, {})
        refused += 1
    assert refused == len(operations) - len(TABLE[role].get(service, {}))
    assert aws.asked == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("role", list(Role))
def test_every_operation_of_the_table_exists_and_passes_it(
    aws: Recorder, guarded: Callable[[Role, str], Any], role: Role, service: str
):
    client = guarded(role, service)
    for operation, effect in TABLE[role].get(service, {}).items():
        assert operation in client.meta.service_model.operation_names
        if effect is Effect.READ:
            # It passes the guard, and is then sent, or found incomplete.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(client._endpoint, "make_request", lambda model, request: _sent())
                with pytest.raises((_SentError, botocore.exceptions.ParamValidationError)):
                    client._make_api_call(operation, {})
        else:
            with pytest.raises(RefusedError, match=f"{service}:{operation} in account .* was not sent"):
                client._make_api_call(operation, {})
    assert aws.asked == []


class _SentError(Exception):
    pass


def _sent() -> None:
    raise _SentError


@pytest.mark.parametrize("service", NOT_OURS)
@pytest.mark.parametrize("role", list(Role))
def test_services_without_an_entry_are_refused_whole(aws: Recorder, role: Role, service: str):
    hand = hand_of(aws, role)
    with pytest.raises(RefusedError, match=f"the {role} role may not call {service}$"):
        client_of(hand, service)
    client = raw_client(hand, service)
    for operation in client.meta.service_model.operation_names:
        with pytest.raises(RefusedError):
            client._make_api_call(operation, {})
    assert aws.asked == []


def test_a_hand_refuses_before_it_makes_a_client(aws: Recorder):
    with pytest.raises(RefusedError, match="the source role may not call ec2"):
        hand_of(aws, Role.SOURCE).call("ec2", "DescribeSubnets")


# --- other ways to a call -----------------------------------------------------------------------------------------


def test_paginators_and_waiters_are_refused(aws: Recorder):
    client = client_of(hand_of(aws), "rds")
    with pytest.raises(RefusedError, match="rds:DescribeTenantDatabases"):
        list(client.get_paginator("describe_tenant_databases").paginate())
    with pytest.raises(RefusedError, match="rds:DescribeTenantDatabases"):
        client.get_waiter("tenant_database_available").wait(DBInstanceIdentifier="x")
    assert aws.asked == []


def test_resources_of_boto3_are_refused(aws: Recorder):
    session = boto3.session.Session(botocore_session=session_of(hand_of(aws)))
    ec2 = session.resource("ec2", region_name=REGION, endpoint_url=aws.url, config=ONE_TRY)
    with pytest.raises(RefusedError, match="ec2:TerminateInstances"):
        ec2.Instance("i-0123456789abcdef0").terminate()
    with pytest.raises(RefusedError, match="ec2:DescribeInstances"):
        list(ec2.instances.all())
    with pytest.raises(RefusedError, match="s3:ListBuckets"):
        list(session.resource("s3", endpoint_url=aws.url).buckets.all())
    with pytest.raises(RefusedError, match="s3:DeleteBucket"):
        session.resource("s3", endpoint_url=aws.url).Bucket("b").delete()
    assert aws.asked == []


def test_clients_of_a_boto3_session_around_ours_and_in_other_regions_are_refused(aws: Recorder):
    session = boto3.session.Session(botocore_session=session_of(hand_of(aws)), region_name="us-east-1")
    client = session.client("rds", endpoint_url=aws.url, config=ONE_TRY)
    with pytest.raises(RefusedError, match="may not call rds:StopDBInstance"):
        client.stop_db_instance(DBInstanceIdentifier=NAME)
    with pytest.raises(RefusedError, match="no permit was given"):
        client.delete_db_snapshot(**DELETE_SNAPSHOT)
    assert aws.asked == []


def test_a_permit_does_not_count_in_another_region(aws: Recorder):
    with pytest.raises(RefusedError, match="the permit is for eu-central-1, the call is for us-east-1"):
        hand_of(aws, region="us-east-1").call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert aws.asked == []


@pytest.mark.parametrize("method", ["describe_db_instances", "delete_db_instance", "create_db_instance"])
def test_nothing_is_presigned(aws: Recorder, method: str):
    aws.answer("DescribeDBInstances", instances(described_instance()))
    with pytest.raises(RefusedError, match=r"may not be presigned|may not call"):
        client_of(hand_of(aws), "rds").generate_presigned_url(method, Params={})


def test_a_form_for_s3_is_not_presigned(aws: Recorder):
    with pytest.raises(RefusedError, match="s3:CreateBucket"):
        raw_client(hand_of(aws), "s3").generate_presigned_post("bucket", "key")


def test_no_client_has_a_way_that_is_not_tried_here(aws: Recorder):
    """Whatever botocore adds to a client that is not an operation: one line here, after somebody has read it."""
    hand = hand_of(aws)
    known = {
        "can_paginate",
        "close",
        "exceptions",
        "generate_presigned_url",  # above
        "get_paginator",  # above
        "get_waiter",  # above
        "meta",
        "waiter_names",
    }
    signs_alone = {
        "rds": {"generate_db_auth_token"},  # a login to a database, not a call: nothing is sent to AWS
        "s3": {"generate_presigned_post"},  # above
    }
    for service in SERVICES:
        client = raw_client(hand, service)
        operations = {xform_name(name) for name in client.meta.service_model.operation_names}
        public = {name for name in dir(client) if not name.startswith("_")}
        assert public - operations == known | signs_alone.get(service, set())


# --- what others do to the parameters -----------------------------------------------------------------------------


def test_what_an_earlier_handler_changes_is_judged_as_changed(aws: Recorder):
    aws.answer("DescribeDBSnapshots", snapshots(described_snapshot(DBSnapshotIdentifier="orders-final")))
    hand = hand_of(aws)
    client = client_of(hand, "rds")

    def change(params: dict[str, Any], **_: object) -> None:
        params["DBSnapshotIdentifier"] = "orders-final"

    client.meta.events.register_first("before-parameter-build.rds.DeleteDBSnapshot", change)
    with pytest.raises(RefusedError, match="its name does not begin with"):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert "DeleteDBSnapshot" not in aws.actions


def test_what_replaces_the_parameters_is_judged(aws: Recorder):
    aws.answer("DescribeDBSnapshots", snapshots(described_snapshot(DBSnapshotIdentifier="orders-final")))
    hand = hand_of(aws)
    client = client_of(hand, "rds")
    other = {"DBSnapshotIdentifier": "orders-final"}
    client.meta.events.register("provide-client-params.rds.*", lambda **_: other)
    with pytest.raises(RefusedError, match="its name does not begin with"):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert "DeleteDBSnapshot" not in aws.actions


@pytest.mark.parametrize("event", ["before-parameter-build", "before-call"])
@pytest.mark.parametrize("part", ["identifier", "operation", "url_path", "header"])
def test_what_is_changed_after_it_was_judged_is_not_sent(aws: Recorder, event: str, part: str):
    aws.answer("DescribeDBSnapshots", snapshots(described_snapshot()))
    hand = hand_of(aws)
    client = client_of(hand, "rds")

    def change(params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name != "DeleteDBSnapshot":
            return
        if event == "before-parameter-build":
            params["DBSnapshotIdentifier"] = "orders-final"
        elif part == "identifier":
            params["body"]["DBSnapshotIdentifier"] = "orders-final"
        elif part == "operation":
            params["body"]["Action"] = "DeleteDBInstance"
        elif part == "url_path":
            params["url_path"] = "/elsewhere"
        else:
            params["headers"]["Content-Type"] = "application/json"

    if event == "before-parameter-build":
        client.meta.events.register_last(event, change)  # behind the guard
    else:
        client.meta.events.register(event, change)
    with pytest.raises(RefusedError, match="rds:DeleteDBSnapshot was not sent: it was changed after it was judged"):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert "DeleteDBSnapshot" not in aws.actions


def test_changing_the_callers_own_lists_later_does_not_help(aws: Recorder):
    aws.answer("DescribeDBSnapshots", snapshots(described_snapshot(SOURCE)))
    hand = hand_of(aws, Role.SOURCE)
    client = client_of(hand, "rds")
    accounts = [SCRATCH]
    client.meta.events.register("before-endpoint-resolution.rds", lambda **_: accounts.append(OTHER))
    client.meta.events.register("before-call.rds.ModifyDBSnapshotAttribute", lambda **_: None)
    client.meta.events.register_last("before-parameter-build", lambda **_: accounts.append(OTHER))
    with pytest.raises(RefusedError, match="changed after it was judged"):
        hand.call("rds", "ModifyDBSnapshotAttribute", **{**SHARE, "ValuesToAdd": accounts})
    assert "ModifyDBSnapshotAttribute" not in aws.actions


def test_what_comes_past_the_first_hook_is_not_sent(aws: Recorder):
    hand = hand_of(aws)
    client = client_of(hand, "rds")
    client.meta.events.unregister("before-parameter-build", hand._passage._guard)
    with pytest.raises(RefusedError, match="it came past the fence without being judged"):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert aws.asked == []


# --- writes -------------------------------------------------------------------------------------------------------

WRITES: list[tuple[Role, str, dict[str, Any]]] = [
    (Role.SOURCE, "CopyDBSnapshot", copy_call(SOURCE)),
    (Role.SOURCE, "ModifyDBSnapshotAttribute", SHARE),
    (Role.SOURCE, "DeleteDBSnapshot", DELETE_SNAPSHOT),
    (Role.SOURCE, "CopyDBClusterSnapshot", cluster_copy_call(SOURCE)),
    (Role.SOURCE, "ModifyDBClusterSnapshotAttribute", SHARE_CLUSTER),
    (Role.SOURCE, "DeleteDBClusterSnapshot", DELETE_CLUSTER_SNAPSHOT),
    (Role.SCRATCH, "CopyDBClusterSnapshot", cluster_copy_call(SCRATCH)),
    (Role.SCRATCH, "RestoreDBClusterFromSnapshot", RESTORE_CLUSTER),
    (Role.SCRATCH, "CreateDBInstance", ADD_INSTANCE),
    (Role.SCRATCH, "ModifyDBCluster", CLUSTER_PASSWORD),
    (Role.SCRATCH, "DeleteDBCluster", DELETE_CLUSTER),
    (Role.SCRATCH, "DeleteDBClusterSnapshot", DELETE_CLUSTER_SNAPSHOT),
    (Role.SCRATCH, "CopyDBSnapshot", copy_call(SCRATCH)),
    (Role.SCRATCH, "RestoreDBInstanceFromDBSnapshot", RESTORE),
    (Role.SCRATCH, "ModifyDBInstance", PASSWORD),
    (Role.SCRATCH, "DeleteDBInstance", DELETE_INSTANCE),
    (Role.SCRATCH, "DeleteDBSnapshot", DELETE_SNAPSHOT),
]


def let_in(aws: Recorder, role: Role) -> None:
    account = SOURCE if role is Role.SOURCE else SCRATCH
    aws.answer("DescribeDBInstances", instances(described_instance()))
    aws.answer("DescribeDBSnapshots", snapshots(described_snapshot(account)))
    aws.answer("DescribeDBClusters", clusters(described_cluster()))
    aws.answer("DescribeDBClusterSnapshots", cluster_snapshots(described_cluster_snapshot(account)))


def test_every_write_of_the_table_is_tried_here():
    effects = {(role, o) for role, services in TABLE.items() for o, e in services.get("rds", {}).items() if e != "read"}
    assert {name for services in TABLE.values() for name, ops in services.items() if set(ops.values()) != {"read"}} == {
        "rds",
        "s3",  # in test_fence_objects.py
        "sns",  # in test_fence_notifier.py
        "lambda",  # in test_fence_state_and_functions.py
    }
    assert {(role, operation) for role, operation, _ in WRITES} == effects


@pytest.mark.parametrize(("role", "operation", "params"), WRITES)
def test_what_is_this_runs_is_sent_after_a_fresh_look(
    aws: Recorder, role: Role, operation: str, params: dict[str, Any]
):
    let_in(aws, role)
    hand_of(aws, role).call("rds", operation, **params)
    looks = [a for a in aws.actions if a.startswith("Describe")]
    assert aws.actions == [*looks, operation]
    assert len(looks) == (0 if operation.startswith(("Copy", "Restore")) else 1)


@pytest.mark.parametrize(("role", "operation", "params"), WRITES)
def test_without_a_permit_a_hand_only_reads(aws: Recorder, role: Role, operation: str, params: dict[str, Any]):
    let_in(aws, role)
    hand = hand_of(aws, role, permit=None)
    with pytest.raises(RefusedError, match="no permit was given: this call may only read"):
        hand.call("rds", operation, **params)
    assert aws.asked == []
    assert len(hand.call("rds", "DescribeDBSnapshots")["DBSnapshots"]) == 1


@pytest.mark.parametrize(("role", "operation", "params"), WRITES)
def test_a_permit_counts_in_its_own_accounts_only(aws: Recorder, role: Role, operation: str, params: dict[str, Any]):
    let_in(aws, role)
    with pytest.raises(RefusedError, match=f"the permit is not for account {OTHER}"):
        hand_of(aws, role, account=OTHER).call("rds", operation, **params)
    assert aws.asked == []


@pytest.mark.parametrize(("role", "operation", "params"), WRITES)
def test_in_plan_mode_writes_are_noted_and_not_sent(aws: Recorder, role: Role, operation: str, params: dict[str, Any]):
    hand = hand_of(aws, role, mode=Mode.PLAN)
    with pytest.raises(PlannedError, match=f"rds:{operation} was noted, not sent"):
        hand.call("rds", operation, **params)
    (noted,) = hand._passage._guard.planned
    assert (noted.account, noted.region, noted.service, noted.operation) == (hand.account, REGION, "rds", operation)
    assert set(noted.params) == set(params)
    assert "s3cret" not in repr(noted)
    assert aws.asked == []


def test_plan_mode_refuses_what_would_be_refused(aws: Recorder):
    hand = hand_of(aws, mode=Mode.PLAN)
    with pytest.raises(RefusedError, match="PubliclyAccessible must be False"):
        hand.call("rds", "RestoreDBInstanceFromDBSnapshot", **{**RESTORE, "PubliclyAccessible": True})
    assert hand._passage._guard.planned == []


MEMBERS = ("DBClusterMember", [{"DBInstanceIdentifier": NAME}])
TARGETS: list[tuple[Role, str, dict[str, Any], dict[str, Any], str]] = [
    (Role.SCRATCH, "DeleteDBInstance", DELETE_INSTANCE, {"DeletionProtection": True}, "deletion protection"),
    (Role.SCRATCH, "DeleteDBInstance", DELETE_INSTANCE, {"TagList": ""}, "does not carry the tag"),
    (Role.SCRATCH, "DeleteDBInstance", DELETE_INSTANCE, {"DBInstanceArn": arn("db", SOURCE)}, "its ARN is"),
    (
        Role.SCRATCH,
        "DeleteDBInstance",
        DELETE_INSTANCE,
        {"ReadReplicaDBInstanceIdentifiers": ("ReadReplicaDBInstanceIdentifier", ["r"])},
        "read replicas",
    ),
    (
        Role.SCRATCH,
        "DeleteDBInstance",
        DELETE_INSTANCE,
        {"ReadReplicaDBClusterIdentifiers": ("ReadReplicaDBClusterIdentifier", ["r"])},
        "read replicas",
    ),
    (Role.SCRATCH, "ModifyDBInstance", PASSWORD, {"TagList": ""}, "does not carry the tag"),
    (Role.SCRATCH, "DeleteDBSnapshot", DELETE_SNAPSHOT, {"SnapshotType": "automated"}, "not a manual snapshot"),
    (Role.SOURCE, "DeleteDBSnapshot", DELETE_SNAPSHOT, {"TagList": ""}, "does not carry the tag"),
    (Role.SOURCE, "ModifyDBSnapshotAttribute", SHARE, {"DBInstanceIdentifier": "billing"}, "not a snapshot of the"),
    (Role.SCRATCH, "DeleteDBInstance", DELETE_INSTANCE, {"DBClusterIdentifier": "shop"}, "it is in the cluster shop"),
    (Role.SCRATCH, "DeleteDBCluster", DELETE_CLUSTER, {"DeletionProtection": True}, "deletion protection"),
    (Role.SCRATCH, "DeleteDBCluster", DELETE_CLUSTER, {"TagList": ""}, "does not carry the tag"),
    (Role.SCRATCH, "DeleteDBCluster", DELETE_CLUSTER, {"DBClusterMembers": MEMBERS}, "it still has, or may have, inst"),
    (Role.SCRATCH, "DeleteDBCluster", DELETE_CLUSTER, {"ReplicationSourceIdentifier": "x"}, "it replicates"),
    (Role.SCRATCH, "DeleteDBCluster", DELETE_CLUSTER, {"GlobalClusterIdentifier": "x"}, "it replicates"),
    (
        Role.SCRATCH,
        "DeleteDBCluster",
        DELETE_CLUSTER,
        {"ReadReplicaIdentifiers": ("ReadReplicaIdentifier", ["r"])},
        "it replicates",
    ),
    (Role.SCRATCH, "ModifyDBCluster", CLUSTER_PASSWORD, {"TagList": ""}, "does not carry the tag"),
    (Role.SCRATCH, "CreateDBInstance", ADD_INSTANCE, {"TagList": ""}, "does not carry the tag"),
    (Role.SCRATCH, "DeleteDBClusterSnapshot", DELETE_CLUSTER_SNAPSHOT, {"SnapshotType": "shared"}, "not a manual"),
    (Role.SOURCE, "DeleteDBClusterSnapshot", DELETE_CLUSTER_SNAPSHOT, {"TagList": ""}, "does not carry the tag"),
    (
        Role.SOURCE,
        "ModifyDBClusterSnapshotAttribute",
        SHARE_CLUSTER,
        {"DBClusterIdentifier": "billing"},
        "not a snapshot of the cluster",
    ),
]


@pytest.mark.parametrize("case", TARGETS, ids=lambda case: f"{case[1]}: {case[4]}")
def test_what_aws_describes_now_decides(aws: Recorder, case: tuple[Role, str, dict[str, Any], dict[str, Any], str]):
    role, operation, params, changes, reason = case
    aws.answer("DescribeDBInstances", instances({**described_instance(), **changes}))
    account = SOURCE if role is Role.SOURCE else SCRATCH
    aws.answer("DescribeDBSnapshots", snapshots({**described_snapshot(account), **changes}))
    aws.answer("DescribeDBClusters", clusters({**described_cluster(), **changes}))
    aws.answer("DescribeDBClusterSnapshots", cluster_snapshots({**described_cluster_snapshot(account), **changes}))
    with pytest.raises(RefusedError, match=reason):
        hand_of(aws, role).call("rds", operation, **params)
    assert operation not in aws.actions


@pytest.mark.parametrize("left_out", ["DeletionProtection", "ReadReplicaDBInstanceIdentifiers", "TagList"])
def test_what_aws_leaves_out_refuses(aws: Recorder, left_out: str):
    described = described_instance()
    del described[left_out]
    aws.answer("DescribeDBInstances", instances(described))
    with pytest.raises(RefusedError):
        hand_of(aws).call("rds", "DeleteDBInstance", **DELETE_INSTANCE)
    assert aws.actions == ["DescribeDBInstances"]


@pytest.mark.parametrize("left_out", ["DeletionProtection", "ReadReplicaIdentifiers", "DBClusterMembers", "TagList"])
def test_what_aws_leaves_out_of_a_cluster_refuses(aws: Recorder, left_out: str):
    described = described_cluster()
    del described[left_out]
    aws.answer("DescribeDBClusters", clusters(described))
    with pytest.raises(RefusedError):
        hand_of(aws).call("rds", "DeleteDBCluster", **DELETE_CLUSTER)
    assert aws.actions == ["DescribeDBClusters"]


def test_a_cluster_with_its_own_instance_may_be_changed_and_not_deleted(aws: Recorder):
    aws.answer("DescribeDBClusters", clusters(described_cluster(NAME)))
    hand_of(aws).call("rds", "ModifyDBCluster", **CLUSTER_PASSWORD)
    with pytest.raises(RefusedError, match="it still has, or may have, instances"):
        hand_of(aws).call("rds", "DeleteDBCluster", **DELETE_CLUSTER)
    assert aws.actions == ["DescribeDBClusters", "ModifyDBCluster", "DescribeDBClusters"]


def test_no_instance_is_made_in_a_cluster_that_holds_somebody_elses(aws: Recorder):
    aws.answer("DescribeDBClusters", clusters(described_cluster("reader")))
    with pytest.raises(RefusedError, match="the instance reader in it is not its run's"):
        hand_of(aws).call("rds", "CreateDBInstance", **ADD_INSTANCE)
    assert aws.actions == ["DescribeDBClusters"]


@pytest.mark.parametrize("asked", ["orders", NAME.upper(), arn("db", SCRATCH), ""])
def test_a_description_of_something_else_does_not_count(aws: Recorder, asked: str):
    aws.answer("DescribeDBInstances", instances(described_instance()))
    with pytest.raises(RefusedError, match=r"when it was asked for|does not name what it changes"):
        hand_of(aws).call("rds", "DeleteDBInstance", **{**DELETE_INSTANCE, "DBInstanceIdentifier": asked})
    assert "DeleteDBInstance" not in aws.actions


@pytest.mark.parametrize("count", [0, 2])
def test_one_description_is_needed_and_no_more(aws: Recorder, count: int):
    aws.answer("DescribeDBSnapshots", snapshots(*[described_snapshot()] * count))
    with pytest.raises(SourceError, match=f"AWS described {count} of snapshot"):
        hand_of(aws).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert aws.actions == ["DescribeDBSnapshots"]


def test_what_aws_does_not_know_is_said_as_aws_says_it(aws: Recorder):
    aws.answer("DescribeDBInstances", error("DBInstanceNotFound", "no such thing", 404))
    with pytest.raises(AwsError) as raised:
        hand_of(aws).call("rds", "DeleteDBInstance", **DELETE_INSTANCE)
    assert raised.value.code == "DBInstanceNotFound"
    assert aws.actions == ["DescribeDBInstances"]


def test_a_sweep_deletes_and_does_nothing_else(aws: Recorder):
    let_in(aws, Role.SCRATCH)
    hand = hand_of(aws, permit=SWEEP_PERMIT)
    for operation, params in (("ModifyDBInstance", PASSWORD), ("RestoreDBInstanceFromDBSnapshot", RESTORE)):
        with pytest.raises(RefusedError, match="a sweep"):
            hand.call("rds", operation, **params)
    assert aws.asked == []
    hand.call("rds", "DeleteDBInstance", **DELETE_INSTANCE)
    assert aws.actions == ["DescribeDBInstances", "DeleteDBInstance"]
