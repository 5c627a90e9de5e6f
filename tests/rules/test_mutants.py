"""Whoever changes a rule by a little makes a case fail: else the cases do not hold the rule."""

from __future__ import annotations

import shutil
from pathlib import Path

import promql_parser
import pytest
from requirements import need
from rules.cases import BY_HAND, CASES
from rules.mutants import EQUIVALENT, Mutant, mutants, of_expression
from rules.promtool import WHOLE, by_alert, failures

ALL = list(mutants())
SAMPLE = [
    ("RestoreCheckDown", "for 15m -> 960s"),
    ("RestoreCheckDown", "for 15m -> 840s"),
    ("RestoreCheckTooSlow", "for 0s -> 60s"),
    ("RestoreCheckSweepTripped", "1 -> 2"),
    ("RestoreCheckNotificationsFailing", "900 -> 1080"),
    ("RestoreCheckFlapping", ">= -> >"),
    ("RestoreCheckStoreDown", "without instance"),
]


def unnoticed(mutant: Mutant, cases, directory: Path) -> bool:
    by = by_alert(cases)
    return not failures(mutant.rules, [case for name in sorted(mutant.alerts) for case in by[name]], directory)


@pytest.mark.parametrize(("rule", "change"), SAMPLE)
def test_a_change_of_a_rule_is_noticed(rule: str, change: str, tmp_path: Path):
    need(shutil.which("promtool"), "promtool is not installed")
    mutant = next(one for one in ALL if (one.rule, one.change) == (rule, change))
    assert not unnoticed(mutant, CASES, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rule", sorted({mutant.rule for mutant in ALL}))
def test_every_change_of_a_rule_is_noticed(rule: str, tmp_path: Path):
    need(shutil.which("promtool"), "promtool is not installed")
    mine = [mutant for mutant in ALL if mutant.rule == rule]
    alive = [mutant for mutant in mine if unnoticed(mutant, BY_HAND, tmp_path)]
    assert [one.change for one in alive if unnoticed(one, CASES, tmp_path)] == []


def test_every_mutant_is_an_expression_and_another_one():
    whole = {rule.get("alert", rule.get("record")): rule for rule in (*WHOLE.alerts, *WHOLE.recorded)}
    for mutant in ALL:
        (rule,) = [
            one
            for one in (*mutant.rules.alerts, *mutant.rules.recorded)
            if one.get("alert", one.get("record")) == mutant.rule
        ]
        assert rule != whole[mutant.rule]
        promql_parser.parse(rule["expr"])


def test_everything_that_can_be_changed_is_changed():
    changes = [change for change, _ in of_expression('x{a!="b"} > 2 * (y offset 5m or ignoring (c, d) z[1h])')]
    assert changes == [
        "any label", "!= -> =", "> -> <", "> -> >=", "2 -> 3", "2 -> 1", "5m -> 240s", "5m -> 360s",
        "nothing before or", "nothing after or", "without c", "without d", "1h -> 3540s", "1h -> 3660s",
    ]  # fmt: skip
    assert " z" in [made for _, made in of_expression("x or on (c) z")]


def test_every_rule_has_mutants():
    names = {rule["alert"] for rule in WHOLE.alerts} | {rule["record"] for rule in WHOLE.recorded}
    assert {mutant.rule for mutant in ALL} == names


def test_what_is_said_to_mean_the_same_is_a_change_that_is_made():
    made = {
        (rule.get("alert") or rule["record"], change)
        for rule in WHOLE.recorded
        for change, _ in of_expression(rule["expr"])
    }
    assert made >= EQUIVALENT
