"""The examples can be loaded as they are, and the routes lead to whom they should."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from requirements import need

from restorecheck.rules.alerting import alerts

DEPLOY = Path(__file__).parents[2] / "deploy"
ROUTES = DEPLOY / "alertmanager" / "alertmanager.yml"


def amtool(*arguments: str | Path) -> str:
    need(shutil.which("amtool"), "amtool is not installed")
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_prometheus_takes_its_configuration():
    need(shutil.which("promtool"), "promtool is not installed")
    path = DEPLOY / "prometheus" / "prometheus.yml"
    done = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rules found") == 2


def test_alertmanager_takes_its_configuration():
    assert "SUCCESS" in amtool("check-config", ROUTES)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=RestoreCheckFailed verdict=broken severity=critical check=orders-db", "data-owners"),
        ("alertname=RestoreCheckFailed verdict=unproven severity=critical check=orders-db", "platform"),
        ("alertname=RestoreCheckFailed verdict=unproven severity=warning reporter=restorecheck", "platform"),
        ("alertname=RestoreCheckOverdue severity=critical check=orders-db", "platform"),
        ("alertname=RestoreCheckRecoveryPointTooOld severity=critical check=orders-db", "data-owners,platform"),
        ("alertname=RestoreCheckProofStale severity=critical check=orders-db", "data-owners,platform"),
        ("alertname=RestoreCheckDown severity=critical job=restorecheck", "platform"),
        ("alertname=RestoreCheckTooSlow severity=warning check=orders-db", "morning"),
        ("alertname=RestoreCheckAccepted severity=info check=orders-db reporter=restorecheck", "morning"),
        ("alertname=RestoreCheckTest severity=info reporter=restorecheck", "alert-path"),
        ("alertname=RestoreCheckTest severity=critical", "alert-path"),
        ("alertname=SomethingElse", "platform"),
    ],
)
def test_an_alert_goes_to_whom_it_concerns(labels, receivers):
    said = amtool("config", "routes", "test", "--config.file", ROUTES, *labels.split())
    assert said.strip() == receivers


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_every_alert_reaches_somebody_and_only_critical_ones_a_pager(severity):
    for alert in [alert for alert in alerts() if alert.severity == severity]:
        said = amtool(
            "config", "routes", "test", "--config.file", ROUTES, f"alertname={alert.name}", f"severity={severity}"
        )
        receivers = set(said.strip().split(","))
        assert receivers <= ({"platform", "data-owners"} if severity == "critical" else {"morning"}), alert.name


def test_the_rules_that_silence_others_name_alerts_that_exist():
    names = {alert.name for alert in alerts()}
    rules = yaml.safe_load(ROUTES.read_text())["inhibit_rules"]
    for rule in rules:
        for said in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(said.split('"')[1].split("|")) <= names
    assert [rule["equal"] for rule in rules] == [["job"], ["job", "check"]]
