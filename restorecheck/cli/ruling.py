"""`restorecheck rules`: the rules for Prometheus, with the names of this place in them."""

from __future__ import annotations

import re

from restorecheck.cli.output import errors
from restorecheck.errors import RestorecheckError
from restorecheck.rules.alerting import JOB
from restorecheck.rules.document import FORMS, RUNBOOKS, Choices, document

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_JOB = re.compile(r"[^\"\\{}\s]+\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_ADDRESS = re.compile(r"https?://[^\s\"'{}\\]+\Z")
_KEPT = frozenset({"severity", "job", "check", "verdict", "owner", "alertname"})
"""Labels that the rules give: others may not take their place."""


def rules(form: str, jobs: list[str] | None, runbooks: str | None, namespace: str, labels: list[str]) -> None:
    """Print one document."""
    with errors("rules", as_json=False):
        if form not in FORMS:
            raise RestorecheckError(f"there are no rules {form!r}", f"say one of: {', '.join(FORMS)}", kind="config")
        jobs, runbooks = jobs or [JOB], runbooks or RUNBOOKS
        for job in jobs:
            _fitting("--job", job, _JOB, "the name of a job in scrape_configs")
        _fitting("--runbooks", runbooks, _ADDRESS, "an http:// or https:// address")
        if namespace:
            _fitting("--namespace", namespace, _NAMESPACE, "the name of a Kubernetes namespace")
        choices = Choices(tuple(dict.fromkeys(jobs)), runbooks.rstrip("/"), namespace, dict(map(_label, labels)))
        text = document(form, choices)  # type: ignore[arg-type]  # it is one of FORMS
    print(text, end="")


def _fitting(option: str, said: str, form: re.Pattern[str], noun: str) -> None:
    if not form.match(said):
        raise RestorecheckError(f"{option} {said!r} is not {noun}", kind="config")


def _label(said: str) -> tuple[str, str]:
    name, is_one, value = said.partition("=")
    if not (is_one and _LABEL.match(name) and value and value.isprintable()):
        raise RestorecheckError(f"--label {said!r} is no label", "write name=value", kind="config")
    if name in _KEPT:
        raise RestorecheckError(f"--label: the rules give {name} themselves", "choose another name", kind="config")
    return name, value
