"""Many runs, one session: every call is judged by its own permit, and a permit ends with its call."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from fence_cases import (
    BEGAN,
    DELETE_INSTANCE,
    DELETE_SNAPSHOT,
    NAME,
    PASSWORD,
    REGION,
    RUN,
    RUN_PERMIT,
    SCRATCH,
    SHARE,
    SOURCE,
    arn,
    tags_of,
)
from recorder import Recorder, error, instances, recording, result, snapshots, tag_list

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.fence import Hand, Mode, Permit, Role
from restorecheck.fence.guard import _LEAVE, FRESH
from restorecheck.fence.passage import CONFIG, Passage

LOADER = botocore.session.Session().get_component("data_loader")
OTHER_RUN = "users-db-20261121t0300z"
OTHER_NAME = f"restorecheck-{OTHER_RUN}"
OTHER_PERMIT = replace(RUN_PERMIT, run_id=OTHER_RUN, check="users-db", instance="users")
NO_PERMIT = "no permit was given"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda bucket: True)


@pytest.fixture
def aws() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def passage(aws: Recorder) -> Passage:
    return passage_of(aws)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert _LEAVE.get() is None


def passage_of(aws: Recorder, role: Role = Role.SCRATCH, **more: Any) -> Passage:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    account = SOURCE if role is Role.SOURCE else SCRATCH
    return Passage(session, role, account, REGION, endpoint_url=aws.url, **more)


def described(name: str, run: str, kind: str = "snapshot") -> dict[str, Any]:
    resource = arn(kind, SCRATCH, name)
    if kind == "db":
        return {
            "DBInstanceIdentifier": name,
            "DBInstanceArn": resource,
            "DBInstanceStatus": "available",
            "InstanceCreateTime": BEGAN,
            "DeletionProtection": False,
            "ReadReplicaDBInstanceIdentifiers": "",
            "TagList": tag_list(tags_of(resource, run)),
        }
    return {
        "DBSnapshotIdentifier": name,
        "DBSnapshotArn": resource,
        "DBInstanceIdentifier": "orders",
        "Status": "available",
        "SnapshotType": "manual",
        "SnapshotCreateTime": BEGAN,
        "TagList": tag_list(tags_of(resource, run)),
    }


def during(passage: Passage, event: str, do: Callable[[], Any], service: str = "rds") -> list[Any]:
    """Do something from inside a call, at an event of botocore, once; returns where what came of it is put."""
    came: list[Any] = []
    begun: list[int] = []

    def handler(**_: object) -> None:
        if not begun:
            begun.append(1)
            try:
                came.append(do())
            except Exception as e:  # noqa: BLE001
                came.append(e)

    passage.client(service).meta.events.register_first(event, handler)
    return came


def delete(passage: Passage) -> Any:
    """The same write as a Hand makes, on the client that all Hands share."""
    return passage.client("rds").delete_db_snapshot(**DELETE_SNAPSHOT)


# --- a permit is for one call ---------------------------------------------------------------------------------------


def test_the_shared_client_by_itself_only_reads(aws: Recorder, passage: Passage):
    hand = Hand(passage, RUN_PERMIT)
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    with pytest.raises(RefusedError, match=NO_PERMIT):
        delete(passage)
    assert aws.actions == ["DescribeDBSnapshots", "DeleteDBSnapshot"]
    assert passage.client("rds").describe_db_snapshots()["DBSnapshots"]


def test_each_hand_is_judged_by_its_own_permit(aws: Recorder, passage: Passage):
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    ours, theirs, nobodys = Hand(passage, RUN_PERMIT), Hand(passage, OTHER_PERMIT), Hand(passage)
    for _ in range(2):
        with pytest.raises(RefusedError, match=f"it belongs to the run {RUN}, not to {OTHER_RUN}"):
            theirs.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
        with pytest.raises(RefusedError, match=NO_PERMIT):
            nobodys.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
        ours.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert aws.actions.count("DeleteDBSnapshot") == 2


def test_hands_share_their_clients(aws: Recorder, passage: Passage):
    aws.answer("DescribeDBSnapshots", snapshots())
    for permit in (RUN_PERMIT, OTHER_PERMIT, None):
        hand = Hand(passage, permit)
        hand.call("rds", "DescribeDBSnapshots")
        assert (hand.role, hand.account, hand.region) == (Role.SCRATCH, SCRATCH, REGION)
        assert not hasattr(hand, "__dict__")
    assert list(passage._clients) == ["rds"]


INSIDE = ["before-parameter-build", "before-call", "request-created", "before-send", "response-received", "after-call"]


@pytest.mark.parametrize("event", INSIDE)
def test_another_write_from_inside_a_call_has_no_permit(aws: Recorder, passage: Passage, event: str):
    """Whatever a handler does with the client while a permitted call is under way."""
    aws.answer("DescribeDBInstances", instances(described(NAME, RUN, "db")))
    came = during(passage, f"{event}.rds.DeleteDBInstance", lambda: delete(passage))
    Hand(passage, RUN_PERMIT).call("rds", "DeleteDBInstance", **DELETE_INSTANCE)
    assert [str(e) for e in came if NO_PERMIT in str(e)], came
    assert "DeleteDBSnapshot" not in aws.actions


@pytest.mark.parametrize("event", INSIDE[1:])
def test_a_permit_that_was_taken_is_not_taken_again(aws: Recorder, passage: Passage, event: str):
    """The very same call once more: from behind the judgement on, there is nothing left to take."""
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    came = during(passage, f"{event}.rds.DeleteDBSnapshot", lambda: delete(passage))
    Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert NO_PERMIT in str(came[0])
    assert aws.actions.count("DeleteDBSnapshot") == 1


def test_a_call_that_takes_the_permit_first_leaves_none_for_the_call_it_was_given_to(aws: Recorder, passage: Passage):
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    came = during(passage, "before-parameter-build.rds.DeleteDBSnapshot", lambda: delete(passage))
    with pytest.raises(RefusedError, match=NO_PERMIT):
        Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert isinstance(came[0], dict)  # judged like any other, and only once
    assert aws.actions.count("DeleteDBSnapshot") == 1


def test_the_permit_of_one_passage_is_none_in_another(aws: Recorder, passage: Passage):
    """A permit names both accounts of a run; it is still given to one call in one of them."""
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    source = passage_of(aws, Role.SOURCE)
    twin = passage_of(aws)
    tried = [
        during(passage, "before-parameter-build.rds.DeleteDBSnapshot", lambda p=p: delete(p)) for p in (source, twin)
    ]
    Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    for came in tried:
        assert NO_PERMIT in str(came[0])
    assert aws.actions.count("DeleteDBSnapshot") == 1


def test_a_hand_used_from_inside_the_call_of_another_has_its_own_permit_and_gives_back_the_other(
    aws: Recorder, passage: Passage
):
    aws.answer("DescribeDBSnapshots", snapshots(described(OTHER_NAME, OTHER_RUN)), snapshots(described(NAME, RUN)))
    other = Hand(passage, OTHER_PERMIT)
    came = during(
        passage,
        "before-parameter-build.rds.DeleteDBSnapshot",
        lambda: other.call("rds", "DeleteDBSnapshot", DBSnapshotIdentifier=OTHER_NAME),
    )
    Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert isinstance(came[0], dict)
    deleted = [asked["DBSnapshotIdentifier"] for asked in aws.asked if asked["Action"] == "DeleteDBSnapshot"]
    assert deleted == [OTHER_NAME, NAME]


def test_what_the_guard_describes_during_a_write_is_described_without_a_permit(aws: Recorder, passage: Passage):
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    came = during(passage, "before-parameter-build.rds.DescribeDBSnapshots", lambda: delete(passage))
    Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert NO_PERMIT in str(came[0])
    assert aws.actions == ["DescribeDBSnapshots", "DeleteDBSnapshot"]


@pytest.mark.parametrize(
    "answer",
    [
        error("DBSnapshotNotFound", "", 404),
        error("AccessDenied", "", 403),
        snapshots(),
        error("InternalFailure", "", 500),
    ],
)
def test_an_error_ends_the_permit(aws: Recorder, passage: Passage, answer: tuple[int, str]):
    aws.answer("DescribeDBSnapshots", answer)
    with pytest.raises((AwsError, SourceError)):
        Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert _LEAVE.get() is None
    with pytest.raises(RefusedError, match=NO_PERMIT):
        delete(passage)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit, ZeroDivisionError])
def test_whatever_is_raised_ends_the_permit(aws: Recorder, passage: Passage, raised: type[BaseException]):
    def handler(**_: object) -> None:
        raise raised

    passage.client("rds").meta.events.register_first("before-parameter-build.rds.DeleteDBSnapshot", handler)
    with pytest.raises(raised):
        Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert _LEAVE.get() is None


def test_a_listing_that_is_read_slowly_holds_no_permit_between_its_pages(aws: Recorder, passage: Passage):
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN), marker="a"), snapshots(described(NAME, RUN)))
    pages = Hand(passage, RUN_PERMIT).pages("rds", "DescribeDBSnapshots", "DBSnapshots")
    next(pages)
    assert _LEAVE.get() is None
    with pytest.raises(RefusedError, match=NO_PERMIT):
        delete(passage)
    assert len(list(pages)) == 1


# --- threads and tasks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["during", "after"])
@pytest.mark.parametrize("event", ["before-parameter-build", "before-call"])
def test_a_context_that_was_copied_inside_a_call_holds_no_permit(
    aws: Recorder, passage: Passage, event: str, when: str
):
    """As a thread or a task does that is started there; in another thread, and after the call even in the same."""
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    copies: list[contextvars.Context] = []
    tried: list[Any] = []

    def attempt() -> None:
        try:
            tried.append(copies[0].copy().run(delete, passage))
        except RefusedError as e:
            tried.append(str(e))

    def copying() -> None:
        copies.append(contextvars.copy_context())
        if when == "during":
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join(20)

    during(passage, f"{event}.rds.DeleteDBSnapshot", copying)
    Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    if when == "after":
        attempt()
    assert len(tried) == 1
    assert NO_PERMIT in tried[0]
    assert aws.actions.count("DeleteDBSnapshot") == 1


def test_a_permit_that_nobody_took_ends_with_its_call_all_the_same(aws: Recorder, passage: Passage):
    """A handler keeps a copy of the context, and fails before the guard judges: the copy is of this very thread."""
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    copies: list[contextvars.Context] = []

    def keeping(**_: object) -> None:
        copies.append(contextvars.copy_context())
        raise ZeroDivisionError

    events = passage.client("rds").meta.events
    events.register_first("before-parameter-build.rds.DeleteDBSnapshot", keeping)
    with pytest.raises(ZeroDivisionError):
        Hand(passage, RUN_PERMIT).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    events.unregister("before-parameter-build.rds.DeleteDBSnapshot", keeping)
    with pytest.raises(RefusedError, match=NO_PERMIT):
        copies[0].run(delete, passage)
    assert aws.asked == []


def test_a_task_that_is_begun_inside_a_call_holds_no_permit(aws: Recorder, passage: Passage):
    aws.answer("DescribeDBInstances", instances(described(NAME, RUN, "db")))
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))

    async def story() -> Any:
        tasks: list[asyncio.Task[Any]] = []

        async def later() -> Any:
            return passage.client("rds").delete_db_instance(**DELETE_INSTANCE)

        during(
            passage, "before-parameter-build.rds.DeleteDBInstance", lambda: tasks.append(asyncio.create_task(later()))
        )
        Hand(passage, RUN_PERMIT).call("rds", "DeleteDBInstance", **DELETE_INSTANCE)
        return await asyncio.gather(*tasks, return_exceptions=True)

    (came,) = asyncio.run(story())
    assert NO_PERMIT in str(came)
    assert aws.actions.count("DeleteDBInstance") == 1


def test_two_threads_on_one_client_are_each_judged_by_their_own_permit(aws: Recorder, passage: Passage):
    """Both are held between the taking of the permit and the judgement, so that they overlap for certain."""
    meet = threading.Barrier(2, timeout=20)
    passage.client("rds").meta.events.register_first(
        "before-parameter-build.rds.DescribeDBSnapshots", lambda **_: meet.wait() and None
    )
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))

    def attempt(permit: Permit) -> str:
        try:
            Hand(passage, permit).call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
        except RefusedError as e:
            return e.message
        return "sent"

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            ours, theirs = pool.map(attempt, (RUN_PERMIT, OTHER_PERMIT))
            assert ours == "sent"
            assert f"it belongs to the run {RUN}, not to {OTHER_RUN}" in theirs
    assert aws.actions.count("DeleteDBSnapshot") == 10


def test_a_crowd_of_runs_on_one_client_never_gets_what_is_anothers(aws: Recorder, passage: Passage):
    runs = [f"check-{i}-20261121t0300z" for i in range(16)]
    permits = [replace(RUN_PERMIT, run_id=run, check=f"check-{i}") for i, run in enumerate(runs)]
    answers = {f"restorecheck-{run}": snapshots(described(f"restorecheck-{run}", run)) for run in runs}
    plain = aws.next
    lock = threading.Lock()

    def answer(params: dict[str, str]) -> tuple[int, str]:
        with lock:
            if params.get("Action") == "DescribeDBSnapshots":
                aws.asked.append(params)
                return answers[params["DBSnapshotIdentifier"]]
            return plain(params)

    aws.next = answer  # type: ignore[method-assign]

    def attempt(i: int) -> list[str]:
        came = []
        for k in range(8):
            target = runs[(i + k) % len(runs)]
            try:
                Hand(passage, permits[i]).call("rds", "DeleteDBSnapshot", DBSnapshotIdentifier=f"restorecheck-{target}")
            except RefusedError:
                continue
            came.append(target)
        return came

    with ThreadPoolExecutor(8) as pool:
        for i, deleted in enumerate(pool.map(attempt, range(16))):
            assert deleted == [runs[i]]
    assert aws.actions.count("DeleteDBSnapshot") == 16


def test_plan_mode_holds_for_every_hand_of_a_passage(aws: Recorder):
    noted: list[Any] = []
    passage = passage_of(aws, mode=Mode.PLAN, planned=noted)
    for permit in (RUN_PERMIT, RUN_PERMIT):
        with pytest.raises(PlannedError):
            Hand(passage, permit).call("rds", "ModifyDBInstance", **PASSWORD)
    with pytest.raises(RefusedError, match=NO_PERMIT):
        passage.client("rds").modify_db_instance(**PASSWORD)
    assert [call.operation for call in noted] == ["ModifyDBInstance"] * 2
    assert aws.asked == []


# --- what was judged long ago ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("waited", "sent"), [(FRESH / 2, 2), (FRESH * 1.01, 1)])
def test_a_write_is_not_tried_again_long_after_its_target_was_described(aws: Recorder, waited: float, sent: int):
    clock = [1000.0]
    passage = passage_of(aws, monotonic=lambda: clock[0])
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    aws.answer("DeleteDBSnapshot", error("Throttling", "Rate exceeded"), result("DeleteDBSnapshot", ""))

    def pass_time(**_: object) -> None:
        clock[0] += waited

    passage.client("rds").meta.events.register("response-received.rds.DeleteDBSnapshot", pass_time)
    hand = Hand(passage, RUN_PERMIT)
    if sent == 2:
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    else:
        with pytest.raises(SourceError, match="was not sent: it was judged 303 s ago") as raised:
            hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
        assert (raised.value.kind, raised.value.retryable) == ("aws-unavailable", True)
    assert aws.actions.count("DeleteDBSnapshot") == sent


def test_a_read_may_take_as_long_as_it_takes(aws: Recorder):
    clock = [1000.0]
    passage = passage_of(aws, monotonic=lambda: clock[0])
    aws.answer("DescribeDBSnapshots", error("Throttling", "Rate exceeded"), snapshots())

    def pass_time(**_: object) -> None:
        clock[0] += FRESH * 2

    passage.client("rds").meta.events.register("response-received", pass_time)
    assert Hand(passage).call("rds", "DescribeDBSnapshots")["DBSnapshots"] == []


# --- the limiter ----------------------------------------------------------------------------------------------------


def test_retries_are_adaptive_and_the_limiter_is_shared_by_all_hands(
    aws: Recorder, passage: Passage, monkeypatch: pytest.MonkeyPatch
):
    waits: list[int] = []
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda bucket: waits.append(id(bucket)) or True)
    assert CONFIG.retries == {"mode": "adaptive", "total_max_attempts": 6}
    assert passage.client("rds").meta.config.max_pool_connections == 32
    aws.answer("DescribeDBSnapshots", error("Throttling", "Rate exceeded"), snapshots())
    Hand(passage, RUN_PERMIT).call("rds", "DescribeDBSnapshots")
    assert len(waits) == 1  # the second try had to wait its turn
    Hand(passage, OTHER_PERMIT).call("rds", "DescribeDBSnapshots")
    assert len(waits) == 2  # and so has everybody else from now on
    assert len(set(waits)) == 1


def test_sharing_is_refused_by_the_same_rules_as_before(aws: Recorder):
    aws.answer("DescribeDBSnapshots", snapshots(described(NAME, RUN)))
    with pytest.raises(RefusedError, match="not a snapshot of the instance"):
        Hand(passage_of(aws, Role.SOURCE), OTHER_PERMIT).call("rds", "ModifyDBSnapshotAttribute", **SHARE)
