"""What is measured of one proof: phases, sizes, recovery points and answers; nothing is made up."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from metrics_world import point, ran
from store_places import AT, report

import restorecheck.sources
from restorecheck.metrics.catalogue import PHASES
from restorecheck.metrics.proved import Answered, phase_of, proved
from restorecheck.model import Failure, Finding, Outcome, Phase, SnapshotKind, Verdict


def test_every_phase_of_a_whole_run_has_its_time():
    assert proved(ran()).phases == {
        "find": 60.0,
        "restore": 300.0,
        "usable": 300.0,
        "examine": 60.0,
        "teardown": 240.0,
    }
    assert set(proved(ran()).phases) == set(PHASES)


def test_a_phase_that_did_not_come_has_no_time():
    broke_off = replace(ran(), phases=ran().phases[:2], restore_seconds=None, findings=())
    assert proved(broke_off).phases == {"find": 60.0}
    assert proved(broke_off).restored_bytes is None
    assert proved(broke_off).answered == {}


def test_a_teardown_that_waited_is_measured_to_its_end():
    start = AT + timedelta(hours=1)
    late = Phase("drop instance: wait", start, start + timedelta(minutes=30))
    assert proved(replace(ran(), phases=(*ran().phases, late))).phases["teardown"] > 30 * 60


STAGES = {
    "drop cluster": "teardown",
    "drop export": "teardown",
    "drop import": "teardown",
    "drop instance": "teardown",
    "drop objects": "teardown",
    "drop server": "teardown",
    "unshare": "teardown",
    "prove": "teardown",
    "download": "restore",
    "export": "restore",
    "import": "restore",
    "instance": "restore",
    "lease": "restore",
    "open": "restore",
    "restore": "restore",
    "share": "restore",
    "find": "find",
    "examine": "examine",
    "plan": "",
    "record": "",
}


@pytest.mark.parametrize(("step", "phase"), STAGES.items())
def test_a_step_and_its_wait_are_of_one_phase(step: str, phase: str):
    assert (phase_of(step), phase_of(f"{step}: wait")) == (phase, phase)


def test_the_phase_of_every_stage_of_every_source_was_decided():
    """A stage with a new name would else count as restoring, also if it clears."""
    named = set()
    for path in Path(restorecheck.sources.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called in {"Stage", "_drop_copy"}:
                texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                named |= set(texts[:1])
    assert {"restore", "drop instance", "drop export", "lease"} <= named
    assert named <= STAGES.keys()


@pytest.mark.parametrize(
    ("kind", "more", "restored"),
    [
        (SnapshotKind.AUTOMATED, {"size_gib": 20}, 20 * 2**30),
        (SnapshotKind.MANUAL, {"size_gib": 0}, None),
        (SnapshotKind.VERSIONS, {"picked_bytes": 12, "bytes": 99}, 12),
        (SnapshotKind.VERSIONS, {"picked_bytes": 0, "bytes": 99}, 0),
        (SnapshotKind.DUMP, {"bytes": 99}, 99),
    ],
)
def test_how_much_was_restored_is_said_as_far_as_it_is_known(kind, more, restored):
    assert proved(replace(ran(), point=point(kind=kind, **more))).restored_bytes == restored


def test_a_recovery_point_is_as_old_as_the_newest_transaction_in_it():
    assert proved(ran()).point_at == AT - timedelta(hours=5)
    assert proved(replace(ran(), point=point(data_time=None))).point_at == AT - timedelta(hours=4)
    assert proved(ran()).newest_at == AT - timedelta(hours=1)


def test_a_run_without_a_recovery_point_has_none():
    early = replace(report(verdict=Verdict.UNPROVEN), failure=Failure("access-denied", "find", "no"), findings=())
    assert (proved(early).point_at, proved(early).newest_at, proved(early).restored_bytes) == (None, None, None)


def test_only_what_held_is_held_and_only_numbers_are_values():
    found = proved(ran()).answered
    assert found["orders"] == Answered(held=True, seconds=0.5, value=2.0)
    assert found["users"] == Answered(held=False, seconds=0.25, value=3.0)
    assert found["whole"] == Answered(held=True, seconds=7.0, value=None)
    assert "databases" not in found


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.PASS])
def test_every_other_outcome_did_not_hold(outcome: Outcome):
    one = replace(report(), findings=(Finding("orders", outcome, "", ""),))
    assert proved(one).answered["orders"].held is False


@pytest.mark.parametrize(
    ("text", "value"),
    [("1943200.50", 1943200.5), ("NaN", None), ("Infinity", None), ("1e999", None), ("two", None), ("-0.0", 0.0)],
)
def test_a_value_that_is_no_finite_number_is_none(text: str, value: float | None):
    one = replace(report(), findings=(Finding("orders", Outcome.PASS, "", "", value=text),))
    assert proved(one).answered["orders"].value == value
