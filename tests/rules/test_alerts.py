"""Every alert is silent, fires and is resolved at the minute that it should, in a real promtool."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from requirements import need
from rules.cases import BY_HAND, CASES
from rules.promtool import WHOLE, by_alert, failures
from rules.series import Case, cut

from restorecheck.rules.alerting import alerts

NAMES = [alert.name for alert in alerts()]


@pytest.fixture(autouse=True)
def _promtool():
    need(shutil.which("promtool"), "promtool is not installed")


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_fires_when_it_should_and_only_then(name: str, tmp_path: Path):
    assert failures(WHOLE.about([name]), by_alert(BY_HAND)[name], tmp_path) == ""


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_replicas_restarts_and_vanished_figures_change_nothing(name: str, tmp_path: Path):
    assert failures(WHOLE.about([name]), by_alert(CASES)[name], tmp_path) == ""


def test_of_two_replicas_a_crash_and_a_restart_the_failure_knows_nothing(tmp_path: Path):
    assert failures(WHOLE.about(["RestoreCheckFailed"]), by_alert(CASES)["RestoreCheckFailed"], tmp_path) == ""


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_cases_in_which_it_is_silent_fires_and_is_resolved(name: str):
    cases = by_alert(BY_HAND)[name]
    fired = [case.fires for case in cases if case.fires]
    assert any(begin > 0 for begin, _ in fired)
    assert any(end < case.minutes for case in cases if case.fires for end in [case.fires[1]])
    assert any(case.said for case in cases)


def test_a_case_that_does_not_come_out_is_told(tmp_path: Path):
    case = next(case for case in BY_HAND if case.title == "a run that is broken")
    rules = WHOLE.about([case.alert])
    wrong: list[Case] = [
        replace(case, fires=None, said=""),
        replace(case, fires=(11, 20), said=""),
        replace(case, fires=(10, 21), said=""),
        replace(case, labels={**case.labels, "verdict": "unproven"}, said=""),
        replace(case, said="Something else."),
    ]
    assert failures(rules, [case], tmp_path) == ""
    assert [bool(failures(rules, [one], tmp_path)) for one in wrong] == [True] * len(wrong)


def test_what_is_asked_for_is_found_through_other_rules():
    recorded = [rule["record"] for rule in WHOLE.about(["RestoreCheckOverdue"]).recorded]
    assert "check:restorecheck_check_paused_at_timestamp_seconds" in recorded
    assert recorded == [rule["record"] for rule in WHOLE.recorded if rule["record"] in recorded]
    assert WHOLE.users("check:restorecheck_check_retention_seconds:last1h") == {"RestoreCheckProofStale"}


def test_spans_are_cut_by_minutes():
    spans = ((1, 5), (2, 5), (3, 0))
    assert cut(spans, 0, 20) == ((1, 5), (2, 5), (3, 10))
    assert cut(spans, 3, 7) == ((1, 2), (2, 2))
    assert cut(spans, 12, 14) == ((3, 2),)
