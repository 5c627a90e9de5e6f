"""Sweeping: only what has expired and is ours, never too much at once, and blindness is not emptiness."""

from __future__ import annotations

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
        else:
            held = self.aws.scratch_snapshots if self.role is Role.SCRATCH else self.aws.source_snapshots
        yield from held
        if (self.role, operation) in self.aws.denied:  # breaks off after its first page
            raise self.aws.denied[self.role, operation]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        name = params.get("DBInstanceIdentifier") or params["DBSnapshotIdentifier"]
        self.aws.calls.append((operation, params))
        self.aws.permits.append(self.permit)
        if name in self.aws.deleting:
            raise self.aws.deleting[name]
        self.aws.deleted.append((operation, self.account, name))
        return {}


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


def test_it_lists_instances_in_scratch_only_and_manual_snapshots_everywhere():
    aws = FakeAws()
    swept(aws)
    assert aws.calls == [
        ("DescribeDBInstances", {}),
        ("DescribeDBSnapshots", {"SnapshotType": "manual"}),
        ("DescribeDBSnapshots", {"SnapshotType": "manual"}),
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
    aws = FakeAws([an_instance(19), an_instance(20)], [a_snapshot(20), a_snapshot(22)])
    found = swept(aws)
    assert found.tripped == "3 of 4 pieces have expired, and no more than 50% of them are deleted at once"
    assert aws.deleted == []
    assert len(swept(aws, share=0.75).of(State.ASKED)) == 3


def test_half_of_all_and_one_lonely_run_are_believed():
    half = FakeAws([an_instance(19), an_instance(20)], [a_snapshot(22), a_snapshot(22)])
    assert swept(half).tripped == ""
    lonely = FakeAws([an_instance()], [a_snapshot()], [a_snapshot(account=SOURCE)])
    assert swept(lonely).tripped == ""
    assert (len(half.deleted), len(lonely.deleted)) == (2, 3)


def test_foreign_names_do_not_make_the_share_smaller():
    strangers = [an_instance(DBInstanceIdentifier=f"copy-{i}") for i in range(20)]  # with our tags
    aws = FakeAws([*strangers, an_instance(18), an_instance(19), an_instance(20)], [a_snapshot(22)])
    assert swept(aws).tripped.startswith("3 of 4 pieces")
    assert aws.deleted == []


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.floats(0, 1))
def test_the_breaker_lets_at_most_this_much_go(old: int, fresh: int, most: int, share: float):
    aws = FakeAws([an_instance(1 + i % 20) for i in range(old)], [a_snapshot(22) for _ in range(fresh)])
    found = swept(aws, most=most, share=share)
    gone = len(aws.deleted)
    assert gone <= most
    assert gone == 0 or old + fresh < 4 or gone <= share * (old + fresh)
    assert gone == (0 if found.tripped else old)


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
    assert found.blind == (Blind(LAB, "instances", str(error)), Blind(LAB, "snapshots", str(error)))
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
