"""The rules as they are committed: what the code makes, what promtool takes, and nothing that does not exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml
from promql_parser import VectorSelector
from requirements import need
from rules.promtool import words
from typer.testing import CliRunner

from restorecheck.cli import app
from restorecheck.metrics.catalogue import METRICS, PREFIX
from restorecheck.rules import runbooks
from restorecheck.rules.alerting import alerts
from restorecheck.rules.document import FORMS, Choices, alert_groups, document, recording_groups
from restorecheck.rules.recording import RECORDINGS, REPLICA

ROOT = Path(__file__).parents[2]
COMMITTED = {
    "deploy/prometheus/alerts.yaml": "alerts",
    "deploy/prometheus/rules.yaml": "recording",
    "deploy/kubernetes/monitoring/prometheusrule.yaml": "prometheusrule",
    "deploy/mixin/mixin.libsonnet": "mixin",
}
TARGET = {"job", "from", *REPLICA.split(", ")}
"""Labels that Prometheus gives, or the rules themselves."""

NOTICES = {
    "RestoreCheckMissed",
    "RestoreCheckPaused",
    "RestoreCheckRemoved",
    "RestoreCheckAccepted",
    "RestoreCheckTest",
}
"""What only the service tells, and no rule."""

EXPRESSIONS = {
    **{f"record {one.name}": one.expr for one in RECORDINGS},
    **{f"alert {one.name}": one.expr for one in alerts()},
}
NAMES = [one.name for one in alerts()]


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["rules", *arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize(("path", "form"), COMMITTED.items())
def test_what_is_committed_is_what_the_code_makes(path, form):
    made = document(form, Choices())
    if os.environ.get("REGENERATE"):
        (ROOT / path).write_text(made)
    assert (ROOT / path).read_text() == made


def table() -> str:
    lines = ["| alert | for | severity | what it says |", "|---|---|---|---|"]
    lines += [
        f"| [{a.name}](runbooks/{a.name}.md) | {a.for_ or 'at once'} | {a.severity} | {a.summary} |" for a in alerts()
    ]
    return "\n".join(lines) + "\n"


def test_the_table_of_alerts_is_what_the_code_says():
    path = ROOT / "docs" / "alerts.md"
    head, begin, rest = path.read_text().partition("<!-- alerts: generated from restorecheck/rules/alerting.py -->\n")
    told, end, tail = rest.partition("<!-- /alerts -->\n")
    assert begin
    assert end
    if os.environ.get("REGENERATE"):
        path.write_text(f"{head}{begin}{table()}{end}{tail}")
        told = table()
    assert told == table()


@pytest.mark.parametrize("path", ["deploy/prometheus/alerts.yaml", "deploy/prometheus/rules.yaml"])
def test_promtool_takes_the_rules(path):
    need(shutil.which("promtool"), "promtool is not installed")
    done = subprocess.run(["promtool", "check", "rules", ROOT / path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_operator_gets_the_same_groups():
    made = yaml.safe_load(document("prometheusrule", Choices(namespace="monitoring")))
    assert made["metadata"] == {
        "name": "restorecheck", "namespace": "monitoring", "labels": {"app.kubernetes.io/name": "restorecheck"},
    }  # fmt: skip
    assert made["spec"]["groups"] == recording_groups()["groups"] + alert_groups(Choices())["groups"]


def test_the_mixin_has_the_same_groups():
    said = document("mixin", Choices())
    rules, told = re.fullmatch(
        r"// .*\n\{\n  prometheusRules\+:: (\{.*\}),\n  prometheusAlerts\+:: (\{.*\}),\n\}\n", said, re.DOTALL
    ).groups()
    assert json.loads(rules) == recording_groups()
    assert json.loads(told) == alert_groups(Choices())


# --- what the rules speak of exists -----------------------------------------------------------------------------------


def selectors(expr: str) -> list[VectorSelector]:
    """Return all selectors of an expression, however deep."""
    found: list[VectorSelector] = []

    def walk(node: object) -> None:
        if isinstance(node, VectorSelector):
            found.append(node)
        for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
            if (child := getattr(node, name, None)) is not None:
                walk(child)
        for child in getattr(node, "args", None) or ():
            walk(child)

    walk(promql_parser.parse(expr))
    return found


def metric(name: str):
    return next((m for m in METRICS.values() if m.exported == name), None)


def test_all_selectors_of_an_expression_are_found():
    expr = "max by (a) (max_over_time(x{b='1'}[1h:1m])) + topk(1, y) or label_replace(-(z), 'c', '', '', '') > z2"
    assert [one.name for one in selectors(expr)] == ["x", "y", "z", "z2"]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_metric_and_label_of_a_rule_is_in_the_catalogue(name):
    recorded = {one.name for one in RECORDINGS}
    found = selectors(EXPRESSIONS[name])
    assert found
    known: set[str] = set()
    for one in found:
        if one.name == "up":
            continue
        if one.name.startswith(PREFIX):
            assert metric(one.name), one.name
            known |= set(metric(one.name).labels)
            assert {m.name for m in one.matchers.matchers} <= set(metric(one.name).labels)
        else:
            assert one.name in recorded
            known |= {"check", "verdict", "kind", "engine", "owner", "critical"}
    lists = re.findall(r"(?:without|ignoring|by|on|group_left) \(([a-z_, ]*)\)", EXPRESSIONS[name])
    assert {label for one in lists for label in one.split(", ") if label} <= known | TARGET


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_rule_asks_only_for_what_is_recorded_before_it(name):
    kind, _, own = name.partition(" ")
    before = [one.name for one in RECORDINGS]
    if kind == "record":
        before = before[: before.index(own) + 1]
    assert {word for word in words(EXPRESSIONS[name]) if word.startswith("check:")} <= set(before)


def test_everything_that_is_recorded_is_asked_for():
    asked = {word for expr in EXPRESSIONS.values() for word in words(expr)}
    assert {one.name for one in RECORDINGS} <= asked


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_an_alert_says_what_an_alert_should(alert):
    assert re.fullmatch(r"RestoreCheck([A-Z][a-z]+)+", alert.name)
    assert alert.severity in {"critical", "warning"}
    assert re.fullmatch(r"[A-Z][^{}]*\.", alert.summary)
    assert alert.description.rstrip("{ end}").endswith(".")
    used = set(re.findall(r"\$labels\.([a-z_]+)", alert.description))
    labels = {label for one in METRICS.values() for label in one.labels} | {"instance"}
    assert used <= labels


def test_no_name_is_used_twice():
    assert len(set(NAMES)) == len(NAMES)
    assert len({one.name for one in RECORDINGS}) == len(RECORDINGS)


# --- runbooks ---------------------------------------------------------------------------------------------------------

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
COMMANDS = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}


def test_every_alert_and_notice_has_a_runbook_and_no_runbook_is_left_over():
    assert set(runbooks.names()) == {*NAMES, *NOTICES}


@pytest.mark.parametrize("name", runbooks.names())
def test_a_runbook_has_the_four_sections_and_something_in_each(name):
    text = runbooks.runbook(name)
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    for section in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        assert len(section.split()) > 1


@pytest.mark.parametrize("name", runbooks.names())
def test_a_runbook_names_commands_and_pages_that_exist(name):
    text = runbooks.runbook(name)
    named = re.findall(r"(?:`|^)restorecheck ([a-z][a-z-]+)", text, re.MULTILINE)
    assert set(named) <= COMMANDS
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (runbooks.place() / target).exists(), target


def test_only_a_page_that_is_there_can_be_read():
    assert runbooks.runbook("../alerts") is None
    assert runbooks.runbook("RestoreCheckNothing") is None


@pytest.mark.parametrize("rule", alert_groups(Choices())["groups"][0]["rules"], ids=NAMES)
def test_an_alert_links_its_runbook(rule):
    base, _, page = rule["annotations"]["runbook_url"].rpartition("/")
    assert base == Choices().runbooks
    assert page in runbooks.names()


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_the_command_prints_what_is_committed(form):
    path = next(path for path, said in COMMITTED.items() if said == form)
    assert run(form) == (ROOT / path).read_text()


def test_the_names_of_a_place_are_put_in():
    said = yaml.safe_load(
        run("alerts", "--job", "eu", "--job", "us", "--runbooks", "https://wiki/x/", "--label", "team=db")
    )
    rules = said["groups"][0]["rules"]
    down = [rule for rule in rules if rule["alert"] == "RestoreCheckDown"]
    assert [rule["expr"] for rule in down] == ['absent(up{job="eu"} == 1)', 'absent(up{job="us"} == 1)']
    assert [rule["labels"]["job"] for rule in down] == ["eu", "us"]
    assert {rule["labels"]["team"] for rule in rules} == {"db"}
    assert down[0]["annotations"]["runbook_url"] == "https://wiki/x/RestoreCheckDown"
    assert yaml.safe_load(run("prometheusrule", "--namespace", "backups"))["metadata"]["namespace"] == "backups"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "there are no rules 'nothing'"),
        (["--job", 'a"b'], "is not the name of a job"),
        (["--runbooks", "wiki"], "is not an http:// or https:// address"),
        (["--namespace", "A b"], "is not the name of a Kubernetes namespace"),
        (["--label", "team"], "is no label"),
        (["--label", "a-b=c"], "is no label"),
        (["--label", "severity=none"], "the rules give severity themselves"),
    ],
)
def test_what_fits_in_no_rule_is_refused(arguments, said, capfd):
    done = CliRunner().invoke(app, ["rules", *arguments])
    assert done.exit_code == 2
    assert said in done.output + capfd.readouterr().err
