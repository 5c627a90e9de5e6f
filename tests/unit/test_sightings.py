"""Waiting runs share their looks: how many calls that makes, and that nobody is judged by a listing from before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from workflow.scripted import NOW, POINT, RUN, check

from restorecheck.errors import AwsError, SourceError
from restorecheck.fence import Permit, Role
from restorecheck.model import Plan
from restorecheck.passwords import Passwords
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import RdsSnapshots, World
from restorecheck.sources.rds.sightings import Sightings

SCRATCH, REGION = "222222222222", "eu-central-1"
NAME = f"restorecheck-{RUN}"
PLACE = (Role.SCRATCH, SCRATCH, REGION)
LISTED, NAMED = "listed", "named"


@dataclass
class Time:
    """A monotonic clock that moves when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Aws:
    """One account with instances and snapshots, in pages of a hundred. Notes what it is asked, and how."""

    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # exist, but no listing shows them yet
    asked: list[tuple[str, str]] = field(default_factory=list)
    pages_read: int = 0
    breaks: list[Exception] = field(default_factory=list)  # raised after the first page, one for each listing
    reading: Callable[[], None] = lambda: None

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Aws:
        assert permit is None, "who only looks needs no permit"
        return self

    def permit(self, **values: Any) -> Permit:
        return Permit(frozenset({"111111111111"}), frozenset({SCRATCH}), **values)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        assert params == ({"SnapshotType": "manual"} if operation == "DescribeDBSnapshots" else {})
        self.asked.append((LISTED, operation))
        items = [item for name, item in sorted(self.instances.items()) if name not in self.hidden]
        self.reading()
        for start in range(0, max(len(items), 1), 100):
            self.pages_read += 1
            yield from items[start : start + 100]
            if self.breaks:
                raise self.breaks.pop(0)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        (name,) = params.values()
        self.asked.append((NAMED, operation))
        if name not in self.instances:
            raise AwsError("DBInstanceNotFound", "none", kind="interfered", retryable=False)
        return {"DBInstances": [self.instances[name]], "DBSnapshots": [self.instances[name]]}

    def count(self, how: str) -> int:
        return sum(1 for asked, _ in self.asked if asked == how)


def described(name: str, status: str = "creating") -> dict[str, Any]:
    arn = f"arn:aws:rds:{REGION}:{SCRATCH}:db:{name}"
    tags = [
        {"Key": "restorecheck:run", "Value": name.removeprefix("restorecheck-")},
        {"Key": "restorecheck:resource", "Value": arn},
    ]
    return {
        "DBInstanceIdentifier": name,
        "DBSnapshotIdentifier": name,
        "DBInstanceArn": arn,
        "DBInstanceStatus": status,
        "Status": status,
        "PubliclyAccessible": False,
        "TagList": tags,
    }


def aws_with(*names: str) -> Aws:
    return Aws({name: described(name) for name in names})


# --- how many calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.0, 0.6])
def test_fifty_runs_that_look_every_thirty_seconds_for_ten_minutes_make_at_most_21_listings(spread: float):
    names = [f"restorecheck-check-{i}-20261121t0300z" for i in range(50)]
    aws, time = aws_with(*names), Time()
    sightings = Sightings(aws, time)
    looks = sorted((i * spread + 30.0 * n, name) for i, name in enumerate(names) for n in range(21))
    for at, name in looks:
        if at <= 600:
            time.seconds = at
            found = sightings.instance(*PLACE, name, since=0.0, every=30.0)
            assert found is not None
            assert found["DBInstanceIdentifier"] == name
    assert 20 <= aws.count(LISTED) <= 21
    assert aws.count(NAMED) == 0


def test_two_hundred_and_fifty_instances_are_read_to_the_last_page_and_only_ours_are_kept():
    ours = [f"restorecheck-check-{i}-20261121t0300z" for i in range(240)]
    aws = aws_with(*ours, *(f"zz-theirs-{i}" for i in range(10)))
    sightings = Sightings(aws, Time())
    for name in ours:
        assert sightings.instance(*PLACE, name, since=0.0, every=30.0) == described(name)
    assert (aws.count(LISTED), aws.pages_read, aws.count(NAMED)) == (1, 3, 0)
    (board,) = sightings._boards.values()
    assert board.last is not None
    assert set(board.last.found) == set(ours)


def test_accounts_regions_roles_and_kinds_do_not_share():
    aws, name = aws_with(NAME), NAME
    sightings = Sightings(aws, Time())
    places = (PLACE, (Role.SOURCE, SCRATCH, REGION), (Role.SCRATCH, "3", REGION), (Role.SCRATCH, SCRATCH, "us-east-1"))
    for place in places:
        for _ in range(3):
            assert sightings.instance(*place, name, since=0.0, every=30.0)
            assert sightings.snapshot(*place, name, since=0.0, every=30.0)
    assert aws.asked == [(LISTED, "DescribeDBInstances"), (LISTED, "DescribeDBSnapshots")] * 4


def test_a_listing_is_young_enough_for_one_and_too_old_for_another():
    aws, time = aws_with(NAME), Time()
    sightings = Sightings(aws, time)
    sightings.instance(*PLACE, NAME, since=0.0, every=30.0)
    time.seconds = 20.0
    sightings.instance(*PLACE, NAME, since=0.0, every=30.0)
    assert aws.count(LISTED) == 1
    sightings.instance(*PLACE, NAME, since=0.0, every=20.0)
    assert aws.count(LISTED) == 2


# --- what it never says ---------------------------------------------------------------------------------------------


def test_what_no_listing_shows_yet_is_found_by_its_name():
    aws = aws_with(NAME)
    aws.hidden = {NAME}
    assert Sightings(aws, Time()).instance(*PLACE, NAME, since=0.0, every=30.0) == described(NAME)
    assert aws.asked == [(LISTED, "DescribeDBInstances"), (NAMED, "DescribeDBInstances")]


def test_what_vanished_is_gone_only_after_it_was_asked_for_by_its_name():
    aws = aws_with()
    assert Sightings(aws, Time()).instance(*PLACE, NAME, since=0.0, every=30.0) is None
    assert aws.asked == [(LISTED, "DescribeDBInstances"), (NAMED, "DescribeDBInstances")]


def test_nobody_is_judged_by_a_listing_from_before_it_began():
    aws, time = aws_with(NAME), Time(100.0)
    sightings = Sightings(aws, time)
    sightings.instance(*PLACE, NAME, since=0.0, every=30.0)
    aws.instances[NAME] = described(NAME, "available")
    time.seconds = 110.0
    assert sightings.instance(*PLACE, NAME, since=105.0, every=30.0) == described(NAME, "available")
    assert (aws.count(LISTED), aws.count(NAMED)) == (1, 1)  # asked directly: it is too soon for another listing
    time.seconds = 131.0
    assert sightings.instance(*PLACE, NAME, since=105.0, every=30.0) == described(NAME, "available")
    assert (aws.count(LISTED), aws.count(NAMED)) == (2, 1)


def test_a_listing_that_breaks_off_is_no_listing():
    aws = aws_with(NAME)
    aws.breaks = [SourceError("the line went dead", kind="aws-unavailable", retryable=True)]
    sightings = Sightings(aws, Time())
    with pytest.raises(SourceError, match="the line went dead"):
        sightings.instance(*PLACE, NAME, since=0.0, every=30.0)
    assert sightings.instance(*PLACE, NAME, since=0.0, every=30.0) == described(NAME)
    assert (aws.count(LISTED), aws.count(NAMED)) == (2, 0)


def test_another_error_than_not_found_is_not_taken_for_gone():
    aws = aws_with()

    def denied(*_: Any, **__: Any) -> dict[str, Any]:
        raise AwsError("AccessDenied", "no", kind="permission", retryable=False)

    aws.call = denied  # type: ignore[method-assign]
    with pytest.raises(AwsError, match="no"):
        Sightings(aws, Time()).instance(*PLACE, NAME, since=0.0, every=30.0)


# --- one at a time --------------------------------------------------------------------------------------------------


class Crowd:
    """Threads that look at once, while the first of them is held in the middle of its listing."""

    def __init__(self, aws: Aws, sightings: Sightings) -> None:
        self.aws, self.sightings = aws, sightings
        self.held, self.go = threading.Event(), threading.Event()
        self.came: list[Any] = []
        self.threads: list[threading.Thread] = []
        aws.reading = self._hold

    def _hold(self) -> None:
        self.held.set()
        assert self.go.wait(20)

    def look(self, since: float = 0.0) -> threading.Thread:
        thread = threading.Thread(target=self._look, args=(since,))
        self.threads.append(thread)
        thread.start()
        return thread

    def _look(self, since: float) -> None:
        try:
            self.came.append(self.sightings.instance(*PLACE, NAME, since=since, every=30.0))
        except (AwsError, SourceError, KeyboardInterrupt) as e:
            self.came.append(e)

    def end(self) -> None:
        self.go.set()
        for thread in self.threads:
            thread.join(20)


def test_whoever_comes_while_a_listing_is_read_waits_for_it():
    aws, time = aws_with(NAME), Time()
    crowd = Crowd(aws, Sightings(aws, time))
    crowd.look()
    assert crowd.held.wait(20)
    for _ in range(7):
        crowd.look()
    time.seconds = 31.0  # even if it takes long
    crowd.look()
    crowd.end()
    assert crowd.came == [described(NAME)] * 9
    assert aws.asked == [(LISTED, "DescribeDBInstances")]


def test_whoever_began_after_it_does_not_wait_for_it():
    aws, time = aws_with(NAME), Time()
    crowd = Crowd(aws, Sightings(aws, time))
    crowd.look()
    assert crowd.held.wait(20)
    time.seconds = 5.0
    crowd.look(since=4.0).join(20)
    assert crowd.came == [described(NAME)]
    assert aws.asked == [(LISTED, "DescribeDBInstances"), (NAMED, "DescribeDBInstances")]
    crowd.end()


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (AwsError("Throttling", "Rate exceeded", kind="throttled", retryable=True), "Rate exceeded"),
        (KeyboardInterrupt(), "the listing was broken off"),
    ],
)
def test_a_failure_is_raised_for_all_who_waited_and_not_kept(raised: Any, told: str):
    aws = aws_with(NAME)
    crowd = Crowd(aws, Sightings(aws, Time()))
    aws.breaks = [raised]
    crowd.look()
    assert crowd.held.wait(20)
    waiting = [crowd.look() for _ in range(5)]
    deadline = threading.Event()
    (board,) = crowd.sightings._boards.values()
    assert board.flight is not None
    future = board.flight[1]
    for _ in range(400):
        if future._condition._waiters and len(future._condition._waiters) == len(waiting):
            break
        deadline.wait(0.05)
    crowd.end()
    assert crowd.came.count(raised) in {1, 6}
    errors = [e for e in crowd.came if e is not raised]
    assert all(isinstance(e, SourceError) and e.retryable and told in e.message for e in errors)
    assert len(crowd.came) == 6
    assert aws.count(LISTED) == 1
    assert crowd.sightings.instance(*PLACE, NAME, since=0.0, every=30.0) == described(NAME)


# --- in a run -------------------------------------------------------------------------------------------------------


def stages(aws: Aws, time: Time) -> dict[str, Stage]:
    world = World(aws, None, Passwords(b"k" * 32), lambda: NOW, Sightings(aws, time))  # type: ignore[arg-type]
    source = RdsSnapshots(Plan(RUN, check(), NOW), world)
    return {stage.name: stage for stage in (*source.stages(POINT), *source.teardown(POINT))}


@dataclass
class Acting(Aws):
    """Also takes writes, which change nothing by themselves."""

    wrote: list[str] = field(default_factory=list)
    time: Time = field(default_factory=Time)
    takes: timedelta = timedelta(0)

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Acting:
        self.role, self.account = role, account
        return self

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if operation.startswith("Describe"):
            return super().call(service, operation, **params)
        self.time.seconds += self.takes.total_seconds()
        self.wrote.append(operation)
        return {}


def acting(status: str) -> Acting:
    return Acting({NAME: described(NAME, status)})


def test_the_look_after_a_begin_does_not_believe_a_listing_that_was_begun_during_it():
    aws = acting("creating")
    aws.takes = timedelta(seconds=10)
    legs = stages(aws, aws.time)
    legs["restore"].look()
    assert aws.asked == [(LISTED, "DescribeDBInstances")]
    aws.time.seconds = 35.0
    legs["restore"].look()
    assert aws.count(LISTED) == 2
    aws.time.seconds = 30.0  # begun before that listing, ended after it
    legs["restore"].begin()
    legs["restore"].look()
    assert (aws.count(LISTED), aws.count(NAMED)) == (2, 1)


def test_a_begin_that_failed_counts_as_one_that_may_have_worked():
    aws = acting("creating")
    legs = stages(aws, aws.time)
    legs["restore"].look()
    aws.time.seconds = 10.0
    aws.call = lambda *_, **__: (_ for _ in ()).throw(SourceError("lost", retryable=True))  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="lost"):
        legs["restore"].begin()
    with pytest.raises(SourceError, match="lost"):
        legs["restore"].look()  # it asks afresh


@pytest.mark.parametrize("name", ["export", "import", "restore"])
def test_who_waits_looks_at_the_shared_listing(name: str):
    aws = acting("creating")
    leg = stages(aws, aws.time)[name]
    for _ in range(5):
        assert not leg.look().done
    assert (aws.count(LISTED), aws.count(NAMED)) == (1, 0)


def test_what_is_on_its_way_out_needs_nothing_but_waiting():
    aws = acting("deleting")
    legs = stages(aws, aws.time)
    for name in ("drop instance", "drop import", "drop export"):
        for _ in range(3):
            aws.role, aws.account = Role.SCRATCH, SCRATCH
            look = legs[name].look()
            assert (look.done, look.status) == (False, "deleting")
    assert aws.wrote == []
    assert aws.count(NAMED) == 0
    assert aws.count(LISTED) == 3


@pytest.mark.parametrize("name", ["drop instance", "drop import"])
def test_gone_is_said_only_after_a_fresh_look(name: str):
    aws = acting("deleting")
    aws.instances.clear()
    leg = stages(aws, aws.time)[name]
    assert leg.look().done
    assert aws.count(NAMED) >= 2


def test_what_is_not_on_its_way_out_is_asked_for_again_on_a_fresh_look():
    aws = acting("available")
    leg = stages(aws, aws.time)["drop instance"]
    assert not leg.look().done
    assert aws.wrote == ["DeleteDBInstance"]
    assert [how for how, _ in aws.asked] == [LISTED, NAMED, NAMED]


def test_one_whose_tags_no_listing_shows_is_not_given_up_on():
    aws = acting("deleting")
    untagged = described(NAME, "deleting") | {"TagList": []}
    real = aws.instances[NAME]
    aws.reading = lambda: aws.instances.__setitem__(NAME, real)
    aws.instances = {NAME: untagged}
    look = stages(aws, aws.time)["drop instance"].look()
    assert not look.done
    assert aws.count(NAMED) == 2


def test_plan_mode_looks_at_no_listing():
    aws = acting("creating")
    world = World(aws, None, Passwords(b"k" * 32), lambda: NOW, Sightings(aws, aws.time))  # type: ignore[arg-type]
    source = RdsSnapshots(Plan(RUN, check(), NOW), world, imagined=True)
    next(s for s in source.stages(POINT) if s.name == "import").look()
    assert aws.asked == []
