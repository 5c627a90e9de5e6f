"""Lines for CloudWatch: valid by AWS's own schema, with the numbers that alarms need, and nothing that is made up."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from figures_cases import NOW, full, without, world

from restorecheck.errors import RestorecheckError
from restorecheck.metrics import emf
from restorecheck.metrics.figures import Figures

AT = datetime.fromtimestamp(NOW, UTC)
DAY = 86_400.0
PAGE = (Path(__file__).parents[2] / "docs" / "metrics-export.md").read_text()

UNITS = ["Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Percent", "Count", "None"]

SCHEMA = {
    # The schema of the specification "Embedded metric format" in the CloudWatch user guide: its limits, without its
    # titles; plus that every name that is promised is there, which a schema cannot say.
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "minItems": 0,
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                        "Unit": {"enum": UNITS},
                                        "StorageResolution": {"type": "integer"},
                                    },
                                },
                            },
                        },
                        "additionalProperties": False,
                    },
                },
            },
        }
    },
}


def told(figures: Figures, check: str = "", **more: Any) -> dict[str, float]:
    """Return the metrics of one check, or of everything, by their names."""
    for line in emf.lines(figures, "restorecheck", AT, **more):
        document = json.loads(line)
        if document.get("check", "") == check:
            return {k: v for k, v in document.items() if k not in {"_aws", "check"}}
    return {}


@pytest.mark.parametrize("figures", [full(), world("orders-db", "shop-db"), world()])
def test_every_line_is_a_document_of_the_format(figures: Figures):
    lines = emf.lines(figures, "restorecheck", AT)
    assert lines
    for line in lines:
        assert "\n" not in line
        assert len(line) < 10_000
        document = json.loads(line)
        jsonschema.validate(document, SCHEMA)
        assert document["_aws"]["Timestamp"] == NOW * 1000
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "restorecheck"
        names = [metric["Name"] for metric in directive["Metrics"]]
        assert len(names) == len(set(names))
        assert all(isinstance(document[name], int | float) and math.isfinite(document[name]) for name in names)
        (dimensions,) = directive["Dimensions"]
        assert all(isinstance(document[name], str) and document[name] for name in dimensions)
        assert document.keys() == {"_aws", *names, *dimensions}


def test_a_good_night_of_one_check():
    assert told(world("orders-db"), "orders-db") == {
        "Broken": 0,
        "Unproven": 0,
        "FailuresInARow": 0,
        "SecondsSinceLastSuccess": 3600,
        "SecondsOverdue": 0,
        "RecoveryPointAge": 7200,
        "SecondsPastRpo": 0,
        "SecondsPastRto": 0,
        "RetentionUsed": pytest.approx(100 * 7200 / (7 * DAY), abs=0.001),
    }


def test_a_good_night_of_everything():
    figures = world("orders-db", "shop-db")
    for kind in ("instance", "cluster"):
        figures.put("leaked_resources", 0, "222222222222", "eu-central-1", kind)
    figures.put("sweep_last_success_timestamp_seconds", NOW - 600, "222222222222", "eu-central-1")
    figures.put("sweep_last_success_timestamp_seconds", NOW - 900, "111111111111", "eu-central-1")
    figures.put("sweep_tripped", 0)
    figures.put("scheduler_last_tick_timestamp_seconds", NOW - 1)
    figures.put("config_last_reload_successful", 1)
    for receiver, since, proven in (("ops", 0, NOW - DAY), ("chat", NOW - 120, NOW - 60)):
        figures.put("notification_oldest_pending_timestamp_seconds", since, receiver)
        figures.put("notification_last_proven_timestamp_seconds", proven, receiver)
    assert told(figures) == {
        "StoreUp": 1,
        "ChecksDeclared": 2,
        "ChecksBroken": 0,
        "ChecksUnproven": 0,
        "ChecksOverdue": 0,
        "ChecksPastRpo": 0,
        "ChecksPastRto": 0,
        "LeakedResources": 0,
        "SweepTripped": 0,
        "SecondsSinceSweep": 900,
        "SecondsSinceTick": 1,
        "ConfigurationLoaded": 1,
        "OldestNoticeWaits": 120,
        "SecondsSinceProvenNotice": DAY,
    }


def failing(verdict: str) -> Figures:
    figures = world("orders-db", "shop-db")
    figures.put("run_verdict", 0, "orders-db", "passed")
    figures.put("run_verdict", 1, "orders-db", verdict)
    return figures


@pytest.mark.parametrize(("verdict", "name"), [("broken", "Broken"), ("unproven", "Unproven")])
def test_a_check_that_fails_is_seen_by_itself_and_among_all(verdict: str, name: str):
    figures = failing(verdict)
    one, all_of_them = told(figures, "orders-db"), told(figures)
    assert {n for n in ("Broken", "Unproven") if one[n]} == {name}
    assert {n: all_of_them[n] for n in ("ChecksBroken", "ChecksUnproven")} == {
        "ChecksBroken": int(name == "Broken"),
        "ChecksUnproven": int(name == "Unproven"),
    }
    assert told(figures, "shop-db")[name] == 0


OVERDUE = NOW - 2 * DAY - 3_600


@pytest.mark.parametrize(
    ("said", "name", "total", "by"),
    [
        ({"run_last_success_timestamp_seconds": OVERDUE}, "SecondsOverdue", "ChecksOverdue", 0),
        ({"run_last_success_timestamp_seconds": OVERDUE - 1}, "SecondsOverdue", "ChecksOverdue", 1),
        ({"recovery_point_timestamp_seconds": OVERDUE}, "SecondsPastRpo", "ChecksPastRpo", 0),
        ({"recovery_point_timestamp_seconds": OVERDUE - 1}, "SecondsPastRpo", "ChecksPastRpo", 1),
        ({"check_rto_objective_seconds": 600.0}, "SecondsPastRto", "ChecksPastRto", 0),
        ({"check_rto_objective_seconds": 599.0}, "SecondsPastRto", "ChecksPastRto", 1),
    ],
)
def test_an_objective_is_missed_by_the_first_second(said: dict[str, float], name: str, total: str, by: int):
    figures = world("orders-db", "shop-db", **said)
    assert told(figures, "orders-db")[name] == by
    assert told(figures)[total] == by


@pytest.mark.parametrize(("until", "overdue"), [(math.inf, 0), (NOW + 1, 0), (NOW, 7 * DAY), (0, 7 * DAY)])
def test_a_paused_check_is_neither_overdue_nor_past_its_rpo(until: float, overdue: float):
    since = OVERDUE - 7 * DAY
    figures = world(
        "orders-db",
        check_paused_until_timestamp_seconds=until,
        run_last_success_timestamp_seconds=since,
        recovery_point_timestamp_seconds=since,
    )
    one = told(figures, "orders-db")
    assert (one["SecondsOverdue"], one["SecondsPastRpo"]) == (overdue, overdue)
    assert told(figures)["ChecksOverdue"] == bool(overdue)
    assert one["RetentionUsed"] > 100  # the backups go on ageing


def test_a_check_that_never_passed_counts_from_when_it_was_first_seen():
    figures = without(world("orders-db"), "run_last_success_timestamp_seconds", "orders-db")
    figures = without(figures, "recovery_point_timestamp_seconds", "orders-db")
    one = told(figures, "orders-db")
    assert one["SecondsSinceLastSuccess"] == 30 * DAY
    assert one["SecondsOverdue"] == one["SecondsPastRpo"] == 28 * DAY - 3600
    assert one["RetentionUsed"] == pytest.approx(100 * 30 / 7, abs=0.001)
    assert "RecoveryPointAge" not in one  # there is none


def test_a_check_of_which_nothing_is_known_has_no_number_and_counts_as_overdue():
    figures = world()
    figures.put("check_info", 1, "orders-db", "rds", "postgres", "", "true")
    figures.put("check_expected_interval_seconds", DAY, "orders-db")
    figures.put("check_rpo_objective_seconds", DAY, "orders-db")
    assert told(figures, "orders-db") == {"Broken": 0, "Unproven": 0}
    assert told(figures)["ChecksOverdue"] == 1


def test_a_check_without_a_schedule_is_never_overdue():
    figures = without(
        world("orders-db", run_last_success_timestamp_seconds=1.0), "check_expected_interval_seconds", "orders-db"
    )
    assert "SecondsOverdue" not in told(figures, "orders-db")
    assert told(figures)["ChecksOverdue"] == 0


def test_a_store_that_cannot_be_read_says_nothing_of_checks():
    figures = world("orders-db")
    figures.put("store_up", 0)
    figures.put("scheduler_last_tick_timestamp_seconds", NOW - 90)
    figures.put("leaked_resources", 0, "222222222222", "eu-central-1", "instance")
    assert told(figures) == {"StoreUp": 0, "SecondsSinceTick": 90}
    assert told(figures, "orders-db") == {}


def test_a_place_that_no_sweep_has_seen_makes_no_fresh_sweep():
    figures = world("orders-db")
    figures.put("sweep_last_success_timestamp_seconds", NOW - 600, "222222222222", "eu-central-1")
    figures.put("leaked_resources", 2, "222222222222", "eu-central-1", "instance")
    assert told(figures)["SecondsSinceSweep"] == 600
    figures.put("leaked_resources", 1, "222222222222", "eu-west-1", "snapshot")
    assert "SecondsSinceSweep" not in told(figures)
    assert told(figures)["LeakedResources"] == 3


def test_what_is_no_number_is_left_out_and_another_clock_makes_no_negative_age():
    figures = world("orders-db", run_failures_in_a_row=math.nan, run_last_success_timestamp_seconds=NOW + 5)
    figures.put("sweep_tripped", math.inf)
    one = told(figures, "orders-db")
    assert "FailuresInARow" not in one
    assert one["SecondsSinceLastSuccess"] == 0
    assert "SweepTripped" not in told(figures)


def test_without_a_check_there_are_only_counts_of_nothing():
    assert told(world()) == {
        "StoreUp": 1,
        "ChecksDeclared": 0,
        "ChecksBroken": 0,
        "ChecksUnproven": 0,
        "ChecksOverdue": 0,
        "ChecksPastRpo": 0,
        "ChecksPastRto": 0,
    }


def test_nothing_is_said_of_checks_unless_the_store_is_said_to_be_up():
    assert emf.lines(Figures(), "restorecheck", AT) == []
    assert emf.lines(without(world("orders-db"), "store_up"), "restorecheck", AT) == []


@pytest.mark.parametrize("namespace", ["", "AWS/RDS", "a b", "é", "x" * 256, "a\n"])
def test_a_namespace_that_cloudwatch_does_not_take_is_refused(namespace: str):
    with pytest.raises(RestorecheckError, match="is no namespace of CloudWatch") as raised:
        emf.lines(Figures(), namespace, AT)
    assert raised.value.kind == "config"


def test_every_metric_is_told_by_a_full_world_and_stands_in_the_page():
    names = {metric.name for metric in emf.OF_ALL} | {metric.name for metric in emf.OF_A_CHECK}
    figures = full()
    figures.merge(world("orders-db"))
    figures.put("sweep_last_success_timestamp_seconds", NOW, "some-aws_account", "some-aws_region")
    assert {*told(figures), *told(figures, "orders-db")} == names
    for metric in (*emf.OF_ALL, *emf.OF_A_CHECK):
        assert f"| `{metric.name}` | {metric.unit} | {metric.help} |" in PAGE


class Template(yaml.SafeLoader):
    """YAML as CloudFormation reads it, as far as the example goes."""


Template.add_constructor("!Ref", lambda loader, node: str(node.value))


def test_the_example_alarms_watch_what_there_is_and_take_silence_for_a_breach():
    (text,) = re.findall(r"```yaml\n(Resources:.*?)```", PAGE, re.DOTALL)
    alarms = yaml.load(text, Template)["Resources"]
    names = {metric.name for metric in emf.OF_ALL}
    for name, alarm in alarms.items():
        said = alarm["Properties"]
        assert alarm["Type"] == "AWS::CloudWatch::Alarm"
        assert said["MetricName"] in names
        assert said["Namespace"] == "restorecheck"
        assert said["Statistic"] == ("Minimum" if said["ComparisonOperator"] == "LessThanThreshold" else "Maximum")
        assert said["TreatMissingData"] == ("ignore" if name == "Broken" else "breaching")
        assert said["AlarmActions"]
        assert said["Period"] * said["EvaluationPeriods"] <= 86_400  # the most that CloudWatch takes
    assert {"ChecksBroken", "ChecksUnproven", "ChecksOverdue", "StoreUp"} <= {
        alarm["Properties"]["MetricName"] for alarm in alarms.values()
    }
