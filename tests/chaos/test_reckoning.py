"""The reckoning after the nights sees every kind of trouble: each test here is one that must not go unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chaos.reckoning import Expected, Reckoning, creations, refusals, remains, steps, verdicts
from chaos.service_process import FileClock
from chaos.stories import STORIES, of_checks

from restorecheck.failures import KINDS
from restorecheck.model import Failure, Leftover, Phase, Report, Verdict

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
RUN = "shop-01-20261122t0300z"
GOOD = Report(RUN, "shop-01", Verdict.PASSED, AT, AT, phases=(Phase("plan", AT, AT), Phase("find", AT, AT)))
DUE = Expected(RUN, "passed")


def reckoned(*reports: Report, expected: Expected = DUE) -> Reckoning:
    reckoning = Reckoning()
    verdicts(reckoning, [expected], reports)
    return reckoning


def test_a_right_verdict_is_well() -> None:
    assert reckoned(GOOD).well
    stale = replace(GOOD, verdict=Verdict.BROKEN, failure=Failure("stale", "rpo", "too old"))
    assert reckoned(stale, expected=Expected(RUN, "broken", "stale")).well


def test_nothing_due_is_not_well() -> None:
    assert not Reckoning().well


@pytest.mark.parametrize(
    ("report", "trouble"),
    [
        (replace(GOOD, verdict=Verdict.BROKEN, failure=Failure("stale", "rpo", "")), "wrong"),
        (replace(GOOD, failure=Failure("stale", "rpo", "")), "wrong"),
        (replace(GOOD, run_id="shop-02-20261122t0300z"), "lost"),
        (replace(GOOD, phases=(Phase("plan", AT, AT), Phase("plan", AT, AT))), "doubled"),
        (replace(GOOD, leaked=(Leftover("arn"),)), "left"),
        (replace(GOOD, refused=True), "refused"),
    ],
)
def test_trouble_is_seen(report: Report, trouble: str) -> None:
    reckoning = reckoned(report)
    assert getattr(reckoning, trouble)
    assert not reckoning.well


def test_two_verdicts_of_one_run_are_doubled() -> None:
    assert reckoned(GOOD, GOOD).doubled == [f"{RUN}: 2 verdicts"]


def test_what_was_made_twice_is_doubled_if_it_is_ours() -> None:
    def made(name: str, *times: str) -> dict[str, Any]:
        return {"account": "1", "operation": "CopyDBSnapshot", "name": name, "times": list(times)}

    assert creations([made("restorecheck-a", "1"), made("theirs", "1", "2")]) == []
    assert creations([made("restorecheck-a", "1", "2")]) == ["1 CopyDBSnapshot restorecheck-a: made 2 times"]


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (["started|1-a|r|find", "finished|1-a|r|find", "started|1-a|s|find"], 0),
        (["started|1-a|r|find", "killed|1-|-|-", "started|2-b|r|find", "finished|2-b|r|find"], 0),
        (["started|1-a|r|find", "born|1-b|-|-", "started|2-b|r|find"], 0),  # it began anew under its old id
        (["started|1-a|r|find", "killed|11-|-|-", "started|2-b|r|find"], 1),  # somebody else died
        (["started|1-a|r|find", "broke|1-a|r|find", "started|1-a|r|find"], 0),
        (["started|1-a|r|find", "started|2-b|r|find"], 1),  # twice at once
        (["started|1-a|r|find", "finished|1-a|r|find", "killed|1-|-|-", "started|2-b|r|find"], 1),
        (["refused|1-a|it may not|-"], 0),
    ],
)
def test_steps_that_run_twice_are_seen(lines: list[str], count: int) -> None:
    assert len(steps(line + "\n" for line in lines)) == count


def test_refusals_are_counted_whoever_caught_them() -> None:
    assert refusals(["started|1-a|r|find\n", "refused|1-a|rds:DeleteDBInstance was not sent|-\n"]) == [
        "rds:DeleteDBInstance was not sent"
    ]


def test_what_remains_is_seen_and_what_was_theirs_must_be_as_it_was() -> None:
    before = {"ours": {}, "theirs": {"a": {"x": 1}, "b": {}}}
    assert remains(before, before) == []
    assert remains(before, {"ours": {"r": {}}, "theirs": before["theirs"]}) == ["ours: r"]
    found = remains(before, {"ours": {}, "theirs": {"a": {"x": 2}, "c": {}}})
    assert [line.partition(":")[0] for line in found] == ["theirs is gone", "theirs is new", "theirs has changed"]


def test_the_stories_are_of_all_three_verdicts_also_if_there_are_few() -> None:
    for count in (6, 40):
        assert {story.verdict for _, story in of_checks(count)} == {"passed", "broken", "unproven"}
    assert len({name for name, _ in of_checks(40)}) == 40
    for story in STORIES:
        assert (story.verdict == "passed") == (not story.kind)
        assert not story.kind or KINDS[story.kind].verdict == story.verdict


def test_the_clock_of_a_file_is_as_far_off_as_the_file_says(tmp_path: Path) -> None:
    path, seconds = tmp_path / "clock", 0.0
    path.write_text("86400.5")

    class Standing(FileClock):
        def monotonic(self) -> float:
            return seconds

    clock = Standing(path, own=-60)

    def off() -> timedelta:
        return clock.now() - datetime.now(UTC)

    assert abs(off() - timedelta(seconds=86340.5)) < timedelta(seconds=1)
    path.write_text("0")
    assert abs(off() - timedelta(seconds=86340.5)) < timedelta(seconds=1)  # believed for a moment
    seconds = 0.06
    assert abs(off() + timedelta(seconds=60)) < timedelta(seconds=1)
