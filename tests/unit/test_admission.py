"""Which runs may begin: limits, turns and fairness, as pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow.scripted import check

from restorecheck.admission import Use, admit, use_of
from restorecheck.model import AuroraSource, Entry, RunState, S3DumpSource, S3ObjectsSource, SnapshotKind, Trigger

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def entry(check: str, account: str = "a", *, ago: int = 0, owner: str | None = None, cancelled: bool = False) -> Entry:
    at = NOW - timedelta(minutes=ago)
    state = RunState.RUNNING if owner else RunState.DUE
    return Entry(f"{check}-run", check, account, at, at, Trigger.SCHEDULE, state, owner, cancelled)


def begun(waiting, running=(), *, places=None, overall=10, share=10, now=NOW, uses=None) -> list[str]:
    places = {"a": 2, "b": 2} if places is None else places
    found = admit(waiting, running, now=now, places=places, overall=overall, share=share, uses=uses or {})
    return [run.removesuffix("-run") for run in found]


def test_what_is_due_longest_comes_first():
    assert begun([entry("new"), entry("old", ago=5), entry("older", ago=9)]) == ["older", "old"]


def test_an_account_takes_no_more_than_it_has_places():
    assert begun([entry(n) for n in "vwxyz"], [entry("r", owner="me")]) == ["v"]


def test_a_full_account_does_not_keep_another_waiting():
    waiting = [entry(f"a{n}", ago=9) for n in range(5)] + [entry("b1", "b")]
    assert begun(waiting, [entry("r", owner="me"), entry("s", owner="me")]) == ["b1"]


def test_of_what_fell_due_together_the_emptier_account_goes_first():
    waiting = [entry("a1"), entry("a2"), entry("b1", "b"), entry("b2", "b")]
    assert begun(waiting, overall=2) == ["a1", "b1"]


def test_the_limit_over_all_holds_whatever_the_accounts_have_room_for():
    waiting = [entry("a1"), entry("a2"), entry("b1", "b"), entry("b2", "b")]
    assert len(begun(waiting, overall=3)) == 3
    assert len(begun(waiting, [entry("r", "b", owner="me")], overall=3)) == 2


def test_a_process_takes_no_more_than_its_share():
    assert len(begun([entry(n) for n in "xyz"], share=1)) == 1
    assert begun([entry("x")], share=0) == []


def test_a_check_that_runs_waits_for_itself():
    assert begun([entry("x"), entry("y")], [entry("x", owner="me")]) == ["y"]


def test_two_runs_of_one_check_do_not_begin_together():
    first, second = entry("x", ago=1), entry("x")
    assert begun([second, first]) == ["x"]


def test_jitter_is_waited_for():
    later = Entry("x-run", "x", "a", NOW, NOW + timedelta(minutes=3), Trigger.SCHEDULE)
    assert begun([later]) == []
    assert begun([later], now=NOW + timedelta(minutes=3)) == ["x"]


def test_a_cancelled_run_needs_no_place():
    full = [entry("r", owner="me"), entry("s", owner="me")]
    assert begun([entry("x", cancelled=True), entry("y")], full, overall=2) == ["x"]


def test_an_account_that_the_configuration_lost_has_room_for_one_so_that_its_run_can_fail_by_name():
    assert begun([entry("x", "gone"), entry("y", "gone")]) == ["x"]


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=40), st.integers(1, 12))
def test_every_run_begins_in_the_end_however_slow_one_check_is(dues: list[tuple[int, str]], overall: int):
    """One check never ends; all others end when the next look is taken."""
    slow = entry("slow", "a", owner="me")
    waiting = [entry(f"c{n}", account, ago=ago) for n, (ago, account) in enumerate(dues)]
    for _ in range(2 * len(dues) + 2):
        found = set(admit(waiting, [slow], now=NOW, places={"a": 2, "b": 2}, overall=max(overall, 2), share=5, uses={}))
        waiting = [e for e in waiting if e.run_id not in found]
    assert waiting == []


@pytest.mark.parametrize("share", [1, 3, 40])
def test_limits_hold_for_any_crowd(share: int):
    waiting = [entry(f"c{n}", "ab"[n % 2], ago=n) for n in range(100)]
    found = begun(waiting, places={"a": 7, "b": 30}, overall=20, share=share)
    assert len(found) == min(share, 20)
    assert sum(int(name[1:]) % 2 == 0 for name in found) <= 7


BORROWS, COUNTS, NEITHER = Use("shop", True, True), Use("shop", False, True), Use("shop", False, False)
"""May share the owner's snapshot; takes one that the owner shares; takes only automated ones."""


@pytest.mark.parametrize(
    ("running", "waiting", "begins"),
    [
        (BORROWS, BORROWS, False),  # it would lose the share when the first one takes it back
        (BORROWS, COUNTS, False),  # it would take the share for the owner's
        (COUNTS, BORROWS, False),
        (COUNTS, COUNTS, True),
        (BORROWS, NEITHER, True),
        (NEITHER, BORROWS, True),
        (BORROWS, Use("other", True, True), True),
    ],
)
def test_nobody_counts_on_a_share_that_another_run_takes_back(running: Use, waiting: Use, begins: bool):
    uses = {"r": running, "w": waiting}
    assert begun([entry("w")], [entry("r", owner="me")], uses=uses) == (["w"] if begins else [])
    together = begun([entry("r", ago=1), entry("w")], uses=uses)
    assert together == (["r", "w"] if begins else ["r"])


@pytest.mark.parametrize(
    ("snapshots", "use"),
    [
        ((SnapshotKind.AUTOMATED, SnapshotKind.MANUAL), (True, True)),
        ((SnapshotKind.SHARED,), (False, True)),
        ((SnapshotKind.AUTOMATED, SnapshotKind.AWSBACKUP), (False, False)),
    ],
)
def test_how_a_check_uses_its_source_follows_from_the_snapshots_that_it_takes(snapshots, use):
    declared = check()
    found = use_of(replace(declared, source=replace(declared.source, snapshots=snapshots)))
    assert (found.borrows, found.counts_on_shares) == use
    assert found.source == "111111111111/eu-central-1/rds/orders"
    cluster = AuroraSource("111111111111", "eu-central-1", "orders", snapshots=snapshots)
    of_cluster = use_of(replace(declared, source=cluster))
    assert of_cluster == replace(found, source="111111111111/eu-central-1/aurora/orders")


@pytest.mark.parametrize(
    "source",
    [
        S3ObjectsSource("111111111111", "eu-central-1", "backups"),
        S3DumpSource("111111111111", "eu-central-1", "backups", "daily/*", "orders"),
    ],
)
def test_a_bucket_that_is_only_read_is_in_nobody_s_way(source):
    use = use_of(replace(check(), source=source))
    assert use == Use("111111111111/eu-central-1/s3/backups", borrows=False, counts_on_shares=False)
    assert begun([entry("w")], [entry("r", owner="me")], uses={"r": use, "w": use}) == ["w"]
