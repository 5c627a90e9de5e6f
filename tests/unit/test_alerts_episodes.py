"""How a trouble is followed: when it fires, is repeated, told to more people, and is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restorecheck.alerts import episodes
from restorecheck.alerts.episodes import KEPT_REMOVED, Change, Policy
from restorecheck.model import About, Episode, Notice, Turn, Verdict

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "restorecheck/run/orders-db"
POLICY = Policy(4 * HOUR, ("pager", "hook"), 3, ("boss",))
BROKEN, UNPROVEN = Verdict.BROKEN, Verdict.UNPROVEN


def found(verdict: Verdict | None = BROKEN, hours: float = 0, *, owner: str = "shop") -> Notice:
    at = NOW + hours * HOUR
    severity = "critical" if verdict is BROKEN else "warning"
    return Notice(
        f"{KEY}@{hours}", KEY, About.RUN, Turn.FIRING, severity, "t", at, at, 1, "orders-db", "r", verdict, owner=owner
    )


def fail(episode: Episode | None, hours: float = 0, verdict: Verdict = BROKEN, policy: Policy = POLICY) -> Change:
    return episodes.failed(episode, found(verdict, hours), policy, NOW + hours * HOUR)


def failing(times: int = 1, policy: Policy = POLICY) -> Episode:
    episode = None
    for n in range(times):
        episode = fail(episode, n, policy=policy).episode
    assert episode
    return episode


def said(change: Change) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.notice.turn.value, one.receivers) for one in change.said]


def test_the_first_failure_fires_at_once_for_everybody():
    change = fail(None)
    assert said(change) == [("firing", ("pager", "hook"))]
    assert change.episode
    assert (change.episode.count, change.episode.since, change.episode.told) == (1, NOW, NOW)
    assert change.said[0].notice.id == f"{KEY}@0:firing"


def test_the_same_again_is_counted_and_not_said_before_the_repeat():
    change = fail(failing(), 1)
    assert said(change) == []
    assert change.episode
    assert (change.episode.count, change.episode.since, change.episode.told) == (2, NOW, NOW)
    assert change.episode.notice.count == 2


def test_the_same_again_is_repeated_when_its_time_has_come():
    change = fail(failing(), 4)
    assert said(change) == [("repeated", ("pager", "hook"))]
    assert change.episode
    assert change.episode.told == NOW + 4 * HOUR
    assert change.said[0].notice.since == NOW


@pytest.mark.parametrize(("first", "second"), [(UNPROVEN, BROKEN), (BROKEN, UNPROVEN)])
def test_another_verdict_fires_at_once(first: Verdict, second: Verdict):
    change = fail(fail(None, 0, first).episode, 1, second)
    assert said(change) == [("firing", ("pager", "hook"))]
    assert change.said[0].notice.verdict is second
    assert change.said[0].notice.count == 2
    assert change.said[0].notice.since == NOW


def test_after_so_many_failures_more_people_are_told_once():
    change = fail(failing(2), 2)
    assert said(change) == [("repeated", ("pager", "hook")), ("firing", ("boss",))]
    assert change.episode
    assert change.episode.receivers == ("pager", "hook", "boss")
    assert said(fail(change.episode, 3)) == []
    assert said(fail(change.episode, 7)) == [("repeated", ("pager", "hook", "boss"))]
    assert said(fail(change.episode, 3, UNPROVEN)) == [("firing", ("pager", "hook", "boss"))]


def test_who_is_told_of_everything_is_not_told_twice_when_it_escalates():
    policy = replace(POLICY, escalate_to=("hook",))
    assert said(fail(failing(2, policy), 2, policy=policy)) == [("repeated", ("pager", "hook"))]


def test_one_failure_may_be_enough_to_escalate():
    assert said(fail(None, policy=replace(POLICY, escalate_after=1))) == [("firing", ("pager", "hook", "boss"))]


def test_who_is_added_meanwhile_hears_of_it_as_new():
    change = fail(failing(), 4, policy=replace(POLICY, receivers=("pager", "chat")))
    assert said(change) == [("repeated", ("pager", "hook")), ("firing", ("chat",))]


def test_a_check_without_receivers_is_followed_all_the_same():
    change = fail(None, policy=Policy(HOUR, ()))
    assert said(change) == []
    assert change.episode


def test_time_alone_repeats_with_age_and_count():
    episode = failing(2)
    assert said(episodes.elapsed(episode, POLICY, NOW + 3.9 * HOUR)) == []
    change = episodes.elapsed(episode, POLICY, NOW + 4 * HOUR)
    assert said(change) == [("repeated", ("pager", "hook"))]
    [one] = change.said
    assert (one.notice.count, one.notice.since, one.notice.at) == (2, NOW, NOW + 4 * HOUR)
    assert change.episode
    again = episodes.elapsed(change.episode, POLICY, NOW + 8 * HOUR)
    assert again.said[0].notice.id != one.notice.id


def test_a_clock_that_was_wrong_by_years_does_not_silence_it():
    episode = replace(failing(), told=NOW + timedelta(days=4000))
    assert said(episodes.elapsed(episode, POLICY, NOW + HOUR)) == [("repeated", ("pager", "hook"))]


def test_nothing_is_repeated_while_the_check_is_paused():
    assert episodes.elapsed(failing(), POLICY, NOW + 9 * HOUR, paused=True) == Change(failing())


def test_a_check_that_left_is_not_repeated_and_forgotten_after_a_day():
    gone = episodes.removed(failing(), NOW + HOUR)
    assert episodes.elapsed(gone, POLICY, NOW + 20 * HOUR) == Change(gone)
    assert episodes.elapsed(gone, POLICY, NOW + HOUR + KEPT_REMOVED) == Change(None)


def test_a_pass_resolves_for_everybody_who_was_told():
    change = episodes.passed(failing(3), replace(found(Verdict.PASSED, 3, owner="new"), title="passed"))
    assert change.episode is None
    assert said(change) == [("resolved", ("pager", "hook", "boss"))]
    [one] = change.said
    # an Alertmanager knows the alert by these
    assert (one.notice.verdict, one.notice.severity, one.notice.owner) == (BROKEN, "critical", "shop")
    assert (one.notice.title, one.notice.count) == ("passed", 3)


def test_the_owner_of_an_open_trouble_does_not_change():
    change = episodes.failed(failing(), found(BROKEN, 4, owner="new"), POLICY, NOW + 4 * HOUR)
    assert change.said[0].notice.owner == "shop"


def test_what_is_made_up_for_is_told_to_nobody_and_ends_without_a_word():
    change = episodes.noted(None, found(None), NOW)
    assert change.episode
    assert said(change) == []
    assert episodes.is_quiet(change.episode)
    assert said(episodes.elapsed(change.episode, POLICY, NOW + 99 * HOUR)) == []
    again = episodes.noted(change.episode, found(None, 1), NOW + HOUR)
    assert again.episode
    assert again.episode.count == 2
    assert episodes.passed(again.episode, found(Verdict.PASSED, 2)) == Change(None)


def test_what_was_only_noted_fires_when_it_has_to_be_told_after_all():
    quiet = episodes.noted(None, found(None), NOW).episode
    assert quiet
    change = episodes.spoken(quiet, found(None, 5), POLICY, NOW + 5 * HOUR)
    assert said(change) == [("firing", ("pager", "hook"))]
    assert change.episode
    assert not episodes.is_quiet(change.episode)
    assert (change.episode.count, change.episode.since) == (1, NOW)
    assert said(episodes.failed(quiet, found(None, 1), POLICY, NOW + HOUR)) == [("firing", ("pager", "hook"))]


def test_a_time_that_is_made_up_for_does_not_calm_a_trouble_that_was_told():
    told = episodes.failed(None, found(None), POLICY, NOW).episode
    assert told
    change = episodes.noted(told, found(None, 1), NOW + HOUR)
    assert change.episode == replace(told, count=2)


# --- whatever happens ------------------------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(st.sampled_from(["passed", "broken", "unproven", "time", "paused"]), st.integers(0, 600)), max_size=40
)
POLICIES = st.builds(
    Policy,
    st.integers(1, 500).map(lambda m: timedelta(minutes=m)),
    st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3).map(tuple),
    st.integers(1, 5),
    st.lists(st.sampled_from(["a", "d", "e"]), unique=True, max_size=2).map(tuple),
)


@settings(deadline=None)
@given(ACTS, POLICIES)
def test_whatever_happens_everybody_is_told_the_truth(acts: list[tuple[str, int]], policy: Policy):
    episode: Episode | None = None
    now, count, verdict = NOW, 0, ""  # as it is
    told: dict[str, str] = {}  # receiver -> the verdict that it believes
    ids: set[str] = set()
    last: dict[str, datetime] = {}
    for n, (act, minutes) in enumerate(acts):
        now += timedelta(minutes=minutes)
        if act in ("time", "paused"):
            change = episodes.elapsed(episode, policy, now, paused=act == "paused") if episode else Change(None)
        elif act == "passed":
            change = episodes.passed(episode, replace(found(Verdict.PASSED), id=f"{n}")) if episode else Change(None)
        else:
            notice = replace(found(Verdict(act)), id=f"{n}", at=now)
            change = episodes.failed(episode, notice, policy, now)
        failed = act in ("broken", "unproven")
        count, verdict = (count + 1, act) if failed else (0, "") if act == "passed" else (count, verdict)
        hearers = [name for one in change.said for name in one.receivers]
        assert len(hearers) == len(set(hearers)), "nobody hears twice of one occasion"
        for one in change.said:
            assert one.notice.id not in ids
            ids.add(one.notice.id)
            for name in one.receivers:
                match one.notice.turn:
                    case Turn.FIRING:
                        assert told.get(name) != verdict, "it fires once for each verdict"
                        assert one.notice.count == count
                        told[name] = verdict
                    case Turn.REPEATED:
                        assert told[name] == verdict
                        assert one.notice.count == count
                        assert now - last[name] >= policy.repeat or count == policy.escalate_after
                    case Turn.RESOLVED:
                        assert act == "passed", "only a pass resolves"
                        del told[name]
                    case other:
                        raise AssertionError(other)
                last[name] = now
        if act == "passed":
            assert told == {}, "everybody who was told is told that it is over"
        assert act != "paused" or not change.said
        episode = change.episode
        assert (episode is None) == (count == 0)
        if episode:
            assert episode.count == count
            assert set(episode.receivers) == set(told), "who was told is remembered"
            assert set(policy.receivers) <= told.keys(), "nobody is left in the dark"
            assert count < policy.escalate_after or set(policy.escalate_to) <= told.keys()
            assert all(believed == verdict for believed in told.values())
