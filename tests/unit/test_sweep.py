"""Sweeping: only what has expired and is ours, never too much at once, and blindness is not emptiness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from fence_cases import BEGAN, EXPIRES, OTHER, REGION, SCRATCH, SOURCE, arn, tags_of
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.errors import AwsError, RefusedError, SourceError
from restorecheck.fence import TAG_EXPIRES, TAG_MANAGED, Permit, Role
from restorecheck.sweep import Blind, Place, State, Swept, sweep

NOW = EXPIRES + timedelta(hours=1)
LAB = Place(Role.SCRATCH, SCRATCH, REGION, "lab")
PRODUCTION = Place(Role.SOURCE, SOURCE, REGION, "production")
PLACES = (LAB, PRODUCTION)


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def run_of(day: int) -> str:
    return f"orders-db-202611{day:02}t0300z"


def an_instance(day: int = 20, *, lasts: timedelta = timedelta(hours=24), **changes: Any) -> dict[str, Any]:
    run = run_of(day)
    began = BEGAN + timedelta(days=day - 21)
    resource = arn("db", SCRATCH, f"restorecheck-{run}")
    return {
        "DBInstanceIdentifier": f"restorecheck-{run}",
        "DBInstanceArn": resource,
        "DBInstanceStatus": "available",
        "InstanceCreateTime": began + timedelta(minutes=9),
        "DeletionProtection": False,
        "ReadReplicaDBInstanceIdentifiers": [],
        "TagList": tag_list(tags_of(resource, run, began + lasts)),
        **changes,
    }


def a_snapshot(
    day: int = 20, account: str = SCRATCH, *, lasts: timedelta = timedelta(hours=24), **changes: Any
) -> dict[str, Any]:
    run = run_of(day)
    began = BEGAN + timedelta(days=day - 21)
    resource = arn("snapshot", account, f"restorecheck-{run}")
    return {
        "DBSnapshotIdentifier": f"restorecheck-{run}",
        "DBSnapshotArn": resource,
        "DBInstanceIdentifier": "orders",
        "Status": "available",
        "SnapshotType": "manual",
        "SnapshotCreateTime": began + timedelta(minutes=5),
        "TagList": tag_list(tags_of(resource, run, began + lasts)),
        **changes,
    }


@dataclass
class FakeAws:
    """A fence around two accounts that hold what a test puts there. Notes every delete, with the permit of its hand."""

    instances: list[dict[str, Any]] = field(default_factory=list)
    scratch_snapshots: list[dict[str, Any]] = field(default_factory=list)
    source_snapshots: list[dict[str, Any]] = field(default_factory=list)
    cluster_snapshots: list[dict[str, Any]] = field(default_factory=list)
    source_cluster_snapshots: list[dict[str, Any]] = field(default_factory=list)
    clusters: list[dict[str, Any]] = field(default_factory=list)
    shared: dict[str, Any] = field(default_factory=dict)  # name of a snapshot → with whom, or what asking raises
    denied: dict[tuple[Role, str], Exception] = field(default_factory=dict)  # role and operation, or "enter"
    deleting: dict[str, Exception] = field(default_factory=dict)  # name of a piece → what its delete raises
    deleted: list[tuple[str, str, str]] = field(default_factory=list)
    permits: list[Permit | None] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def permit(self, **wanted: Any) -> Permit:
        return Permit(source_accounts=frozenset({SOURCE}), scratch_accounts=frozenset({SCRATCH}), **wanted)

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> FakeHand:
        if (role, "enter") in self.denied:
            raise self.denied[role, "enter"]
        return FakeHand(self, role, account, permit)


@dataclass
class FakeHand:
    aws: FakeAws
    role: Role
    account: str
    permit: Permit | None

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        self.aws.calls.append((operation, params))
        if operation == "DescribeDBInstances":
            held = self.aws.instances
        elif operation == "DescribeDBClusters":
            held = self.aws.clusters
        elif operation == "DescribeDBClusterSnapshots":
            held = self.aws.cluster_snapshots if self.role is Role.SCRATCH else self.aws.source_cluster_snapshots
        else:
            held = self.aws.scratch_snapshots if self.role is Role.SCRATCH else self.aws.source_snapshots
        yield from held
        if (self.role, operation) in self.aws.denied:  # breaks off after its first page
            raise self.aws.denied[self.role, operation]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        (name,) = (value for key, value in params.items() if key.endswith("Identifier"))
        self.aws.calls.append((operation, params))
        if operation.endswith("Attributes"):
            return self.attributes(name, operation.removeprefix("Describe").removesuffix("Attributes"))
        self.aws.permits.append(self.permit)
        if name in self.aws.deleting:
            raise self.aws.deleting[name]
        self.aws.deleted.append((operation, self.account, name))
        return {}

    def attributes(self, name: str, word: str) -> dict[str, Any]:
        held = self.aws.shared.get(name, [])
        if isinstance(held, Exception):
            raise held
        if isinstance(held, dict):
            return held
        attributes = [{"AttributeName": "restore", "AttributeValues": held}]
        return {f"{word}AttributesResult": {f"{word}Identifier": name, f"{word}Attributes": attributes}}


def swept(aws: FakeAws, *, act: bool = True, places: tuple[Place, ...] = PLACES, **limits: Any) -> Swept:
    return sweep(aws, places, NOW, act=act, **limits)


DENIED = AwsError("AccessDenied", "may not list", kind="permission", retryable=False)


# --- what goes ----------------------------------------------------------------------------------------------------


def test_by_default_it_only_says_what_it_would_delete():
    aws = FakeAws([an_instance()], [a_snapshot()], [a_snapshot(account=SOURCE)])
    found = swept(aws, act=False)
    assert aws.deleted == []
    assert [piece.state for piece in found.pieces] == [State.EXPIRED] * 3
    assert not found.acted
    assert found.leaked


def test_instances_go_before_snapshots_and_everything_of_a_run_goes():
    aws = FakeAws([an_instance()], [a_snapshot()], [a_snapshot(account=SOURCE)])
    found = swept(aws, places=(PRODUCTION, LAB))
    name = f"restorecheck-{run_of(20)}"
    assert aws.deleted == [
        ("DeleteDBInstance", SCRATCH, name),
        ("DeleteDBSnapshot", SOURCE, name),
        ("DeleteDBSnapshot", SCRATCH, name),
    ]
    assert [piece.state for piece in found.pieces] == [State.ASKED] * 3
    assert not found.leaked
    assert found.pieces[0].label == arn("db", SCRATCH, name)


def test_an_instance_goes_whole():
    aws = FakeAws([an_instance()])
    swept(aws)
    assert aws.calls[-1][1] == {
        "DBInstanceIdentifier": f"restorecheck-{run_of(20)}",
        "SkipFinalSnapshot": True,
        "DeleteAutomatedBackups": True,
    }


def test_nothing_there_is_clean():
    found = swept(FakeAws())
    assert (found.pieces, found.blind, found.tripped, found.leaked) == ((), (), "", False)


def test_it_lists_once_per_place_and_kind_and_in_a_source_account_manual_snapshots_only():
    aws = FakeAws()
    swept(aws)
    assert aws.calls == [
        ("DescribeDBInstances", {}),
        ("DescribeDBClusters", {}),
        ("DescribeDBSnapshots", {"SnapshotType": "manual"}),
        ("DescribeDBSnapshots", {"SnapshotType": "manual"}),
        ("DescribeDBClusterSnapshots", {"SnapshotType": "manual"}),
        ("DescribeDBClusterSnapshots", {"SnapshotType": "manual"}),
    ]


def test_a_place_that_is_named_twice_is_swept_once():
    aws = FakeAws([an_instance()])
    assert len(swept(aws, places=(LAB, LAB)).pieces) == 1
    assert len(aws.deleted) == 1


def test_a_permit_reaches_one_place_only():
    aws = FakeAws([an_instance()], [], [a_snapshot(account=SOURCE)])
    swept(aws)
    scratch, source = aws.permits
    assert scratch is not None
    assert source is not None
    assert (scratch.source_account, scratch.scratch_account) == ("", SCRATCH)
    assert (source.source_account, source.scratch_account) == (SOURCE, "")
    assert (scratch.run_id, scratch.began, scratch.region) == ("", NOW, REGION)


# --- what stays ---------------------------------------------------------------------------------------------------


def test_what_is_not_ours_is_not_even_mentioned():
    aws = FakeAws(
        [an_instance(DBInstanceIdentifier="orders", TagList=[])],
        [a_snapshot(DBSnapshotIdentifier="final", TagList=[{"Key": "team", "Value": "x"}])],
        [a_snapshot(DBSnapshotIdentifier="before-migration", TagList=None)],
    )
    assert swept(aws).pieces == ()
    assert aws.deleted == []


def test_a_run_that_may_still_be_going_on_is_left_alone_and_no_alarm():
    aws = FakeAws([an_instance(22)], [a_snapshot(22)])
    found = swept(aws)
    assert [piece.state for piece in found.pieces] == [State.LEASED] * 2
    assert "its lease runs until" in found.pieces[0].reason
    assert not found.leaked
    assert aws.deleted == []


KEPT: list[tuple[dict[str, Any], str]] = [
    ({"TagList": None}, "its tags are not known"),
    ({"TagList": []}, "does not carry the tag"),
    ({"TagList": tag_list({TAG_MANAGED: "true"})}, "does not name it"),
    ({"DBInstanceArn": None}, "its ARN is not known"),
    ({"DBInstanceArn": arn("db", OTHER, f"restorecheck-{run_of(20)}")}, "its ARN is"),
    ({"InstanceCreateTime": None}, "does not say when it was created"),
    ({"InstanceCreateTime": BEGAN - timedelta(days=300)}, "older than the run"),
    ({"DeletionProtection": True}, "deletion protection"),
    ({"DeletionProtection": None}, "deletion protection"),
    ({"ReadReplicaDBInstanceIdentifiers": ["r"]}, "read replicas"),
    ({"DBInstanceIdentifier": "orders-copy"}, "its name does not begin with"),  # and it has our tags
]


@pytest.mark.parametrize(("changes", "reason"), KEPT)
def test_what_cannot_be_judged_is_kept_and_reported(changes: dict[str, Any], reason: str):
    aws = FakeAws([an_instance(**changes)])
    (piece,) = swept(aws).pieces
    assert piece.state is State.KEPT
    assert reason in piece.reason
    assert swept(aws).leaked
    assert aws.deleted == []


@pytest.mark.parametrize("expires", ["", "soon", "2026-11-21", "2026-11-21T03:00:00"])
def test_a_lease_that_cannot_be_read_never_ends(expires: str):
    resource = arn("db", SCRATCH, f"restorecheck-{run_of(20)}")
    tags = {**tags_of(resource, run_of(20)), TAG_EXPIRES: expires}
    aws = FakeAws([an_instance(TagList=tag_list(tags))])
    (piece,) = swept(aws).pieces
    assert (piece.state, aws.deleted) == (State.KEPT, [])
    assert "is not a time" in piece.reason


def test_a_lease_does_not_excuse_what_else_is_wrong():
    aws = FakeAws([an_instance(22, DeletionProtection=True)])
    (piece,) = swept(aws).pieces
    assert piece.state is State.KEPT


def test_what_is_being_deleted_is_not_deleted_again():
    aws = FakeAws([an_instance(DBInstanceStatus="deleting")])
    (piece,) = swept(aws).pieces
    assert (piece.state, aws.deleted) == (State.GOING, [])
    assert not swept(aws).leaked


def test_a_piece_without_an_arn_is_called_by_its_name():
    (piece,) = swept(FakeAws([an_instance(DBInstanceArn=None)])).pieces
    assert piece.label == f"restorecheck-{run_of(20)}"


# --- the breaker --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [True, False])
def test_more_than_a_few_at_once_are_not_believed(act: bool):
    days = range(1, 13)
    fresh = [a_snapshot(22, lasts=timedelta(days=d)) for d in range(2, 30)]
    aws = FakeAws([an_instance(day) for day in days], fresh)
    found = swept(aws, act=act)
    assert found.tripped == "12 pieces have expired, and no more than 10 are deleted at once"
    assert aws.deleted == []
    assert len(found.of(State.EXPIRED)) == 12
    assert found.leaked
    assert len(swept(aws, act=True, most=12).of(State.ASKED)) == 12


def test_most_of_all_at_once_is_not_believed():
    aws = FakeAws([an_instance(19), an_instance(20)], [a_snapshot(20), a_snapshot(22), a_snapshot(23)])
    found = swept(aws)
    assert found.tripped == "3 of 5 pieces have expired, and no more than 50% of them are deleted at once"
    assert aws.deleted == []
    assert len(swept(aws, share=0.75).of(State.ASKED)) == 3


def test_half_of_all_and_one_lonely_run_are_believed():
    half = FakeAws([an_instance(18), an_instance(19), an_instance(20)], [a_snapshot(d) for d in (22, 23, 24)])
    assert swept(half).tripped == ""
    lonely = FakeAws([an_instance()], [a_snapshot()], [a_snapshot(account=SOURCE)])
    assert swept(lonely).tripped == ""
    assert (len(half.deleted), len(lonely.deleted)) == (3, 3)


def test_foreign_names_do_not_make_the_share_smaller():
    strangers = [an_instance(DBInstanceIdentifier=f"copy-{i}") for i in range(20)]  # with our tags
    aws = FakeAws([*strangers, an_instance(18), an_instance(19), an_instance(20)], [a_snapshot(22), a_snapshot(23)])
    assert swept(aws).tripped.startswith("3 of 5 pieces")
    assert aws.deleted == []


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.floats(0, 1))
def test_the_breaker_lets_at_most_this_much_go(old: int, fresh: int, most: int, share: float):
    aws = FakeAws([an_instance(1 + i % 20) for i in range(old)], [a_snapshot(22) for _ in range(fresh)])
    found = swept(aws, most=most, share=share)
    gone = len(aws.deleted)
    assert gone <= most
    assert gone == 0 or old + fresh < 5 or gone <= share * (old + fresh)
    assert gone == (0 if found.tripped else old)


def test_a_breaker_that_tripped_is_the_first_that_is_said_and_is_there_for_programs():
    aws = FakeAws([an_instance(day) for day in range(1, 13)])
    found = swept(aws)
    assert found.summary.startswith("NOTHING WAS DELETED: 12 pieces have expired, and no more than 10 ")
    assert found.to_json()["tripped"] == found.tripped
    assert found.to_json()["leaked"] is True


def test_snapshots_of_others_that_are_shared_do_not_make_the_share_smaller():
    theirs = [an_owners_snapshot(f"nightly-{i}") for i in range(20)]
    aws = FakeAws([an_instance(18), an_instance(19), an_instance(20)], [a_snapshot(22), a_snapshot(23)], theirs)
    aws.shared = {theirs[i]["DBSnapshotIdentifier"]: [SCRATCH] for i in range(20)}
    found = swept(aws)
    assert found.tripped.startswith("3 of 5 pieces")
    assert len(found.of(State.SHARED)) == 20


# --- shares -------------------------------------------------------------------------------------------------------


def an_owners_snapshot(name: str = "before-migration", **changes: Any) -> dict[str, Any]:
    mine = a_snapshot(account=SOURCE, DBSnapshotIdentifier=name, DBSnapshotArn=arn("snapshot", SOURCE, name))
    return {**mine, "TagList": [], "SnapshotCreateTime": BEGAN - timedelta(days=30), **changes}


def a_copy(day: int, **changes: Any) -> dict[str, Any]:
    """Return the copy in the scratch account that a run made of the owner's snapshot."""
    return a_snapshot(day, SourceDBSnapshotIdentifier=arn("snapshot", SOURCE, "before-migration"), **changes)


def asked_about(aws: FakeAws) -> list[str]:
    return [params["DBSnapshotIdentifier"] for name, params in aws.calls if name == "DescribeDBSnapshotAttributes"]


def test_an_owners_snapshot_that_is_shared_with_a_scratch_account_is_told_and_left():
    theirs = [an_owners_snapshot(), an_owners_snapshot("weekly"), an_owners_snapshot("yearly")]
    aws = FakeAws(source_snapshots=theirs, shared={"before-migration": [OTHER, SCRATCH], "weekly": [OTHER]})
    found = swept(aws)
    (piece,) = found.pieces
    assert (piece.state, piece.place, piece.label) == (
        State.SHARED,
        PRODUCTION,
        arn("snapshot", SOURCE, "before-migration"),
    )
    assert piece.reason == (
        f"shared with the scratch account {SCRATCH}: by its owner, by a run that holds no copy of it, or by one whose "
        "records were lost; restorecheck never takes back what it cannot prove to have given"
    )
    assert not found.leaked
    assert (aws.deleted, aws.permits, found.blind) == ([], [], ())
    assert "1 snapshots of others shared" in found.summary


def test_a_share_that_a_run_uses_right_now_says_so():
    aws = FakeAws([], [a_copy(22)], [an_owners_snapshot()], shared={"before-migration": [SCRATCH]})
    (piece,) = swept(aws).of(State.SHARED)
    assert "in use by a run that may still be going on" in piece.reason
    assert run_of(22) in piece.reason
    assert "its lease runs until 2026-11-23 03:00 UTC" in piece.reason


@pytest.mark.parametrize(
    "copy",
    [
        a_copy(20),  # its lease has run out
        a_copy(22, TagList=[]),  # no run's
        a_snapshot(22, SourceDBSnapshotIdentifier=arn("snapshot", SOURCE, "weekly")),
        a_snapshot(22),
    ],
)
def test_a_share_is_in_use_only_by_a_copy_of_it_with_a_lease(copy: dict[str, Any]):
    aws = FakeAws([], [copy], [an_owners_snapshot()], shared={"before-migration": [SCRATCH]})
    (piece,) = swept(aws).of(State.SHARED)
    assert "whose records were lost" in piece.reason


def test_a_public_snapshot_is_told():
    aws = FakeAws(source_snapshots=[an_owners_snapshot()], shared={"before-migration": ["all"]})
    (piece,) = swept(aws).pieces
    assert piece.state is State.SHARED
    assert piece.reason.startswith("public: every AWS account may copy and restore it")
    aws.shared["before-migration"] = ["all", SCRATCH]
    (piece,) = swept(aws).pieces
    assert "public: " in piece.reason
    assert "; shared with the scratch account" in piece.reason


def test_our_own_copies_are_not_asked_about():
    tags = tag_list({TAG_MANAGED: "true"})
    aws = FakeAws(source_snapshots=[a_snapshot(account=SOURCE), an_owners_snapshot("tagged", TagList=tags)])
    swept(aws)
    assert asked_about(aws) == []


def test_snapshots_of_a_scratch_account_are_not_asked_about():
    aws = FakeAws(scratch_snapshots=[a_snapshot(DBSnapshotIdentifier="final", TagList=[])])
    assert swept(aws).pieces == ()
    assert asked_about(aws) == []


def test_the_two_hundred_newest_are_asked_about_and_the_rest_is_said():
    theirs = [an_owners_snapshot(f"nightly-{i}", SnapshotCreateTime=BEGAN - timedelta(days=i)) for i in range(203)]
    aws = FakeAws(source_snapshots=theirs[::-1], shared={"nightly-199": [SCRATCH], "nightly-200": [SCRATCH]})
    found = swept(aws)
    assert asked_about(aws) == [f"nightly-{i}" for i in range(200)]
    assert [piece.target.name for piece in found.pieces] == ["nightly-199"]
    assert found.blind == (Blind(PRODUCTION, "shares", "3 older snapshots were not asked about: no more than 200 are"),)
    assert swept(FakeAws(source_snapshots=theirs[:200])).blind == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(DENIED, "may not list"), ({}, "AWS does not say who may see the snapshot weekly")],
)
def test_who_may_see_a_snapshot_that_cannot_be_asked_is_not_nobody(answer: Any, reason: str):
    theirs = [an_owners_snapshot("newest", SnapshotCreateTime=BEGAN), an_owners_snapshot("weekly")]
    aws = FakeAws(source_snapshots=theirs, shared={"newest": [SCRATCH], "weekly": answer})
    found = swept(aws)
    assert found.blind == (Blind(PRODUCTION, "shares", reason),)
    assert [piece.target.name for piece in found.pieces] == ["newest"]  # what was found by then counts


def test_a_snapshot_that_is_gone_by_then_stops_nothing():
    gone = AwsError("DBSnapshotNotFound", "no such thing", kind="interfered", retryable=False)
    theirs = [an_owners_snapshot("newest", SnapshotCreateTime=BEGAN), an_owners_snapshot("weekly")]
    found = swept(FakeAws(source_snapshots=theirs, shared={"newest": gone, "weekly": [SCRATCH]}))
    assert (found.blind, [piece.target.name for piece in found.pieces]) == ((), ["weekly"])


def test_a_shared_cluster_snapshot_is_told_as_well():
    theirs = a_cluster_snapshot(
        "weekly", DBClusterSnapshotArn=arn("cluster-snapshot", SOURCE, "weekly"), SnapshotType="manual"
    )
    aws = FakeAws(source_cluster_snapshots=[theirs], shared={"weekly": [SCRATCH]})
    (piece,) = swept(aws).pieces
    assert (piece.state, piece.label) == (State.SHARED, arn("cluster-snapshot", SOURCE, "weekly"))
    copy = tagged_cluster_snapshot(22, SourceDBClusterSnapshotArn=arn("cluster-snapshot", SOURCE, "weekly"))
    aws.cluster_snapshots = [copy]
    (piece,) = swept(aws).of(State.SHARED)
    assert "in use by a run that may still be going on" in piece.reason
    gone = AwsError("DBClusterSnapshotNotFoundFault", "no such thing", kind="interfered", retryable=False)
    aws.shared, aws.cluster_snapshots = {"weekly": gone}, []
    assert (swept(aws).pieces, swept(aws).blind) == ((), ())


def test_shares_do_not_hinder_what_goes():
    aws = FakeAws([an_instance()], [], [an_owners_snapshot()], shared={"before-migration": DENIED})
    assert [piece.state for piece in swept(aws).pieces] == [State.ASKED]


# --- clusters ---------------------------------------------------------------------------------------------------


def a_cluster(day: int = 20, *members: str, **changes: Any) -> dict[str, Any]:
    run = run_of(day)
    began = BEGAN + timedelta(days=day - 21)
    name = f"restorecheck-{run}"
    resource = arn("cluster", SCRATCH, name)
    return {
        "DBClusterIdentifier": name,
        "DBClusterArn": resource,
        "Status": "available",
        "ClusterCreateTime": began + timedelta(minutes=7),
        "DeletionProtection": False,
        "ReadReplicaIdentifiers": [],
        "DBClusterMembers": [{"DBInstanceIdentifier": member} for member in members],
        "TagList": tag_list(tags_of(resource, run, began + timedelta(hours=24))),
        **changes,
    }


def test_all_that_one_run_of_a_cluster_leaves_goes_in_two_sweeps():
    name = f"restorecheck-{run_of(20)}"
    source = a_cluster_snapshot(name, **tagged_in(SOURCE, 20))
    aws = FakeAws(
        [an_instance(DBClusterIdentifier=name)],
        clusters=[a_cluster(20, name)],
        cluster_snapshots=[tagged_cluster_snapshot(20)],
        source_cluster_snapshots=[source],
    )
    found = swept(aws)
    assert [(p.target.kind, p.state) for p in found.pieces] == [
        ("db", State.ASKED),
        ("cluster", State.WAITING),
        ("cluster-snapshot", State.ASKED),
        ("cluster-snapshot", State.ASKED),
    ]
    assert found.pieces[1].reason == "its instance goes first, and the next sweep deletes it"
    assert (found.leaked, found.tripped) == (False, "")
    assert "DeleteDBCluster" not in [operation for operation, _, _ in aws.deleted]

    later = FakeAws(clusters=[a_cluster(20)])
    assert [piece.state for piece in swept(later).pieces] == [State.ASKED]
    assert later.calls[-1] == (
        "DeleteDBCluster",
        {"DBClusterIdentifier": name, "SkipFinalSnapshot": True, "DeleteAutomatedBackups": True},
    )


def test_a_dry_run_says_that_a_cluster_with_its_instance_would_go():
    found = swept(FakeAws(clusters=[a_cluster(20, f"restorecheck-{run_of(20)}")]), act=False)
    assert [piece.state for piece in found.pieces] == [State.EXPIRED]


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        (a_cluster(20, "reader-of-somebody"), "the instance reader-of-somebody in it is not its run's"),
        (a_cluster(20, DBClusterMembers=None), "its instances are not known"),
        (a_cluster(20, DeletionProtection=True), "deletion protection"),
        (a_cluster(20, GlobalClusterIdentifier="planet"), "it replicates"),
        (a_cluster(20, ReplicationSourceIdentifier="production"), "it replicates"),
        (a_cluster(20, ReadReplicaIdentifiers=None), "it replicates, or may replicate"),
        (a_cluster(20, TagList=[]), "does not carry the tag"),
        (a_cluster(20, ClusterCreateTime=BEGAN - timedelta(days=300)), "older than the run"),
    ],
)
def test_a_cluster_that_cannot_be_judged_is_kept(cluster: dict[str, Any], reason: str):
    aws = FakeAws(clusters=[cluster])
    (piece,) = swept(aws).pieces
    assert (piece.state, aws.deleted) == (State.KEPT, [])
    assert reason in piece.reason


def test_an_instance_in_a_cluster_of_others_is_kept():
    aws = FakeAws([an_instance(DBClusterIdentifier="production")])
    (piece,) = swept(aws).pieces
    assert (piece.state, piece.reason, aws.deleted) == (
        State.KEPT,
        "it is in the cluster production, which is not its run's",
        [],
    )


@pytest.mark.parametrize("code", ["DBClusterNotFoundFault", "DBClusterSnapshotNotFoundFault"])
def test_a_cluster_that_is_gone_by_then_is_gone(code: str):
    gone = AwsError(code, "no such thing", kind="interfered", retryable=False)
    aws = FakeAws(clusters=[a_cluster(20)], deleting={f"restorecheck-{run_of(20)}": gone})
    assert [piece.state for piece in swept(aws).pieces] == [State.GOING]


# --- cluster snapshots --------------------------------------------------------------------------------------------


def a_cluster_snapshot(name: str, cluster: str = "shop", **changes: Any) -> dict[str, Any]:
    return {
        "DBClusterSnapshotIdentifier": name,
        "DBClusterSnapshotArn": arn("cluster-snapshot", SCRATCH, name),
        "DBClusterIdentifier": cluster,
        "Status": "available",
        "SnapshotType": "manual",
        "SnapshotCreateTime": BEGAN - timedelta(hours=23),
        "TagList": [],
        **changes,
    }


def tagged_in(account: str, day: int) -> dict[str, Any]:
    """Return what says that a cluster snapshot is of the run of that day, in this account."""
    resource, began = arn("cluster-snapshot", account, f"restorecheck-{run_of(day)}"), BEGAN + timedelta(days=day - 21)
    tags = tag_list(tags_of(resource, run_of(day), began + timedelta(hours=24)))
    return {"DBClusterSnapshotArn": resource, "SnapshotCreateTime": began + timedelta(minutes=9), "TagList": tags}


def tagged_cluster_snapshot(day: int, **changes: Any) -> dict[str, Any]:
    name = f"restorecheck-{run_of(day)}"
    began = BEGAN + timedelta(days=day - 21)
    tags = tag_list(tags_of(arn("cluster-snapshot", SCRATCH, name), run_of(day), began + timedelta(hours=24)))
    return a_cluster_snapshot(name, name, SnapshotCreateTime=began + timedelta(minutes=9), TagList=tags) | changes


def test_what_aurora_left_of_a_runs_cluster_is_kept_with_what_to_do():
    aws = FakeAws(cluster_snapshots=[a_cluster_snapshot("rds-final-1", f"restorecheck-{run_of(20)}")])
    found = swept(aws)
    (piece,) = found.pieces
    assert (piece.state, piece.label) == (State.KEPT, arn("cluster-snapshot", SCRATCH, "rds-final-1"))
    assert f"an upgrade of the cluster restorecheck-{run_of(20)} failed" in piece.reason
    assert piece.reason.endswith(
        f"run this in account {SCRATCH}: aws rds delete-db-cluster-snapshot --region {REGION} "
        "--db-cluster-snapshot-identifier rds-final-1"
    )
    assert found.leaked
    assert aws.deleted == []


def test_cluster_snapshots_of_others_are_not_mentioned():
    theirs = [
        a_cluster_snapshot("rds-final-2"),  # of a cluster of theirs
        a_cluster_snapshot("nightly", f"restorecheck-{run_of(20)}"),  # somebody took it; it is theirs to keep
        a_cluster_snapshot("weekly", TagList=None),
    ]
    assert swept(FakeAws(cluster_snapshots=theirs)).pieces == ()


@pytest.mark.parametrize(
    ("described", "state", "reason"),
    [
        (tagged_cluster_snapshot(20), State.ASKED, ""),
        (tagged_cluster_snapshot(22), State.LEASED, "its lease runs until"),
        (tagged_cluster_snapshot(20, Status="deleting"), State.GOING, ""),
        (tagged_cluster_snapshot(20, TagList=[]), State.KEPT, "does not carry the tag"),
        (tagged_cluster_snapshot(20, SnapshotCreateTime=None), State.KEPT, "does not say when it was created"),
        (a_cluster_snapshot("x", TagList=tag_list({TAG_MANAGED: "true"})), State.KEPT, "its name does not begin with"),
        (a_cluster_snapshot("rds-final-1", "restorecheck-x", Status="deleting"), State.GOING, ""),
    ],
)
def test_a_cluster_snapshot_is_judged_by_the_fence(described: dict[str, Any], state: State, reason: str):
    aws = FakeAws(cluster_snapshots=[described])
    (piece,) = swept(aws).pieces
    assert piece.state is state
    assert reason in piece.reason
    assert len(aws.deleted) == (1 if state is State.ASKED else 0)


def test_snapshots_of_both_kinds_of_the_same_name_are_each_deleted_by_their_own_call():
    aws = FakeAws(scratch_snapshots=[a_snapshot(20)], cluster_snapshots=[tagged_cluster_snapshot(20)])
    assert [(p.target.kind, p.state) for p in swept(aws).pieces] == [
        ("snapshot", State.ASKED),
        ("cluster-snapshot", State.ASKED),
    ]
    assert [operation for operation, _, _ in aws.deleted] == ["DeleteDBSnapshot", "DeleteDBClusterSnapshot"]


# --- what is told -------------------------------------------------------------------------------------------------


def test_the_summary_is_one_line_that_counts_every_state():
    aws = FakeAws([an_instance(20), an_instance(22)], [], [an_owners_snapshot()], shared={"before-migration": DENIED})
    assert swept(aws, act=False).summary == (
        "looked in 2 places: 2 pieces of restorecheck's, 1 expired, 1 leased; could not look at 1 of what is there"
        " (dry run)"
    )
    assert swept(FakeAws()).summary == "looked in 2 places: 0 pieces of restorecheck's"


def test_the_plain_form_is_json_with_every_piece_and_every_blind_spot():
    aws = FakeAws([an_instance(22)], [], [an_owners_snapshot()], shared={"before-migration": DENIED})
    plain = swept(aws).to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["pieces"] == [
        {
            "arn": arn("db", SCRATCH, f"restorecheck-{run_of(22)}"),
            "state": "leased",
            "reason": "its lease runs until 2026-11-23 03:00 UTC",
            "kind": "db",
            "account": SCRATCH,
            "region": REGION,
        }
    ]
    assert plain["could_not_look"] == [
        {"account": SOURCE, "region": REGION, "what": "shares", "reason": "may not list"}
    ]
    assert (plain["dry_run"], plain["leaked"], plain["tripped"]) == (False, False, "")
    assert plain["places"] == [{"account": SCRATCH, "region": REGION}, {"account": SOURCE, "region": REGION}]


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        DENIED,
        SourceError("no answer", kind="aws-unavailable", retryable=True),
        RefusedError("the scratch role leads into another account"),
    ],
)
def test_a_place_that_cannot_be_entered_is_not_an_empty_place(error: Exception):
    aws = FakeAws([an_instance()], [], [a_snapshot(account=SOURCE)], denied={(Role.SCRATCH, "enter"): error})
    found = swept(aws)
    assert found.blind == tuple(
        Blind(LAB, what, str(error)) for what in ("instances", "clusters", "snapshots", "cluster snapshots")
    )
    assert [piece.place for piece in found.pieces] == [PRODUCTION]
    assert len(aws.deleted) == 1


def test_a_listing_that_breaks_off_is_not_believed_at_all():
    aws = FakeAws([an_instance()], [a_snapshot()], [], denied={(Role.SCRATCH, "DescribeDBInstances"): DENIED})
    found = swept(aws)
    assert found.blind == (Blind(LAB, "instances", "may not list"),)
    assert [operation for operation, _, _ in aws.deleted] == ["DeleteDBSnapshot"]


def test_one_failed_delete_does_not_stop_the_others():
    names = [f"restorecheck-{run_of(day)}" for day in (18, 19, 20)]
    aws = FakeAws(
        [an_instance(18), an_instance(19), an_instance(20)],
        [a_snapshot(22, lasts=timedelta(days=d)) for d in range(2, 8)],
        deleting={
            names[0]: AwsError("InvalidDBInstanceState", "not now", kind="interfered", retryable=False),
            names[1]: RefusedError("it was changed since"),
        },
    )
    found = swept(aws)
    failed = {piece.target.name: piece.reason for piece in found.of(State.FAILED)}
    assert failed == {names[0]: "not now", names[1]: "it was changed since"}
    assert [piece.target.name for piece in found.of(State.ASKED)] == [names[2]]
    assert found.leaked


@pytest.mark.parametrize("code", ["DBInstanceNotFound", "DBSnapshotNotFound"])
def test_what_is_gone_by_then_is_gone(code: str):
    gone = AwsError(code, "no such thing", kind="interfered", retryable=False)
    aws = FakeAws([an_instance()], deleting={f"restorecheck-{run_of(20)}": gone})
    found = swept(aws)
    assert [piece.state for piece in found.pieces] == [State.GOING]
    assert not found.leaked
