"""The rules as documents: two files for Prometheus, one object for its operator, one mixin for Jsonnet.

It lays out what `recording` and `alerting` say, and adds nothing but the addresses of the runbooks and chosen labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from restorecheck.rules.alerting import JOB, Alert, alerts
from restorecheck.rules.recording import RECORDINGS, Recording

RUNBOOKS = "http://restorecheck:9780/runbooks"
"""Where the service itself shows them, as the examples in `deploy/` name it."""

FORMS = ("alerts", "recording", "prometheusrule", "mixin")


@dataclass(frozen=True, slots=True)
class Choices:
    """What differs from place to place."""

    jobs: tuple[str, ...] = (JOB,)  # names of the jobs that scrape the service
    runbooks: str = RUNBOOKS  # address before the alert's name, without a slash at its end
    namespace: str = ""  # of the PrometheusRule; empty: where it is applied
    labels: Mapping[str, str] = field(default_factory=dict)  # put on every alert


class _Block(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists inside their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Block.add_representer(str, _text)


def alert_rule(alert: Alert, choices: Choices) -> dict[str, Any]:
    """Return one alert as Prometheus reads it."""
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
    if alert.for_:
        rule["for"] = alert.for_
    rule["labels"] = {**choices.labels, **alert.labels, "severity": alert.severity}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{choices.runbooks}/{alert.name}",
    }
    return rule


def recording_rule(recording: Recording) -> dict[str, Any]:
    """Return one recording rule as Prometheus reads it."""
    return {"record": recording.name, "expr": recording.expr}


def recording_groups() -> dict[str, Any]:
    """Return the recording rules."""
    return {"groups": [{"name": "restorecheck.rules", "rules": [recording_rule(one) for one in RECORDINGS]}]}


def alert_groups(choices: Choices) -> dict[str, Any]:
    """Return the alerts."""
    return {"groups": [{"name": "restorecheck", "rules": [alert_rule(one, choices) for one in alerts(choices.jobs)]}]}


def document(form: Literal["alerts", "recording", "prometheusrule", "mixin"], choices: Choices) -> str:
    """Return a whole document, as it is written to a file."""
    if form == "recording":
        return _yaml(form, recording_groups())
    if form == "alerts":
        return _yaml(form, alert_groups(choices))
    if form == "prometheusrule":
        metadata = {"name": "restorecheck", "labels": {"app.kubernetes.io/name": "restorecheck"}}
        if choices.namespace:
            metadata["namespace"] = choices.namespace
        spec = {"groups": [*recording_groups()["groups"], *alert_groups(choices)["groups"]]}
        kind = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule"}
        return _yaml(form, {**kind, "metadata": metadata, "spec": spec})
    rules, told = (json.dumps(groups, indent=2) for groups in (recording_groups(), alert_groups(choices)))
    return f"// {_origin(form)}\n{{\n  prometheusRules+:: {rules},\n  prometheusAlerts+:: {told},\n}}\n"


def _origin(form: str) -> str:
    return f"Made by `restorecheck rules {form}`: change it there."


def _yaml(form: str, content: dict[str, Any]) -> str:
    return f"# {_origin(form)}\n" + yaml.dump(content, Dumper=_Block, sort_keys=False, width=10_000, allow_unicode=True)
