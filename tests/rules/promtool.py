"""Hands rules and cases to `promtool test rules`, and says which cases did not come out as they should."""

from __future__ import annotations

import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rules.series import GONE, Case, Series, cut

from restorecheck.rules.alerting import JOB, alerts
from restorecheck.rules.document import Choices, alert_groups, recording_groups
from restorecheck.rules.recording import exported

Rule = dict[str, Any]

RECORDED: list[Rule] = recording_groups()["groups"][0]["rules"]
ALERTS: list[Rule] = alert_groups(Choices())["groups"][0]["rules"]
SEVERITIES = {alert.name: alert.severity for alert in alerts()}
LOADER = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
DUMPER = yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper


@dataclass(frozen=True)
class Rules:
    """Rules by their names, as Prometheus reads them; one of them may be a mutant."""

    recorded: Sequence[Rule]
    alerts: Sequence[Rule]

    def about(self, names: Collection[str]) -> Rules:
        """Return these alerts, and what they ask for."""
        kept = [rule for rule in self.alerts if rule["alert"] in names]
        asked = {word for rule in kept for word in words(rule["expr"])}
        recorded: list[Rule] = []
        for rule in reversed(self.recorded):
            if rule["record"] in asked:
                asked |= words(rule["expr"])
                recorded.insert(0, rule)
        return Rules(recorded, kept)

    def users(self, record: str) -> set[str]:
        """Return the alerts that ask for a recorded series, themselves or through another."""
        return {
            rule["alert"]
            for rule in self.alerts
            if any(one["record"] == record for one in self.about([rule["alert"]]).recorded)
        }


WHOLE = Rules(RECORDED, ALERTS)


def words(expr: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", expr))


def failures(rules: Rules, cases: Iterable[Case], directory: Path) -> str:
    """Return what promtool says that is wrong; nothing if every case comes out as it should."""
    directory.mkdir(parents=True, exist_ok=True)
    plain = [{key: said for key, said in rule.items() if key != "annotations"} for rule in rules.alerts]
    files = []
    for name, told in (("plain", plain), ("told", list(rules.alerts))):
        groups = [{"name": "recorded", "rules": list(rules.recorded)}] if rules.recorded else []
        _write(directory / f"{name}.yaml", {"groups": [*groups, {"name": "alerts", "rules": told}]})
    by_step: dict[tuple[str, int], list[Case]] = defaultdict(list)
    for case in cases:
        by_step["plain", case.step].append(case)
        if case.said:
            by_step["told", case.step].append(case)
    for (name, step), some in by_step.items():
        test = directory / f"{name}-{step}.yaml"
        head = {"rule_files": [f"{name}.yaml"], "evaluation_interval": f"{step}m"}
        if rules.recorded:
            head["group_eval_order"] = ["recorded", "alerts"]
        _write(test, {**head, "tests": [_test(case, name == "told") for case in some]})
        files.append(str(test))
    done = subprocess.run(
        ["promtool", "test", "rules", *files], capture_output=True, text=True, check=False, timeout=170
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr) or "promtool failed"


def _write(path: Path, content: Any) -> None:
    path.write_text(yaml.dump(content, Dumper=DUMPER, sort_keys=False, width=10_000))


def _test(case: Case, told: bool) -> dict[str, Any]:
    series = [{"series": _name(one), "values": _values(one, case)} for one in case.series]
    asserted = [_first(case)] if told else [_at(case, minute) for minute in _minutes(case)]
    return {"name": case.title, "interval": f"{case.step}m", "input_series": series, "alert_rule_test": asserted}


def _minutes(case: Case) -> list[int]:
    """Return the minutes to look at: around every change, the ends, and some between."""
    wanted = {0, case.minutes}
    if case.fires:
        begin, end = case.fires
        wanted |= {begin - case.step, begin, (begin + end) // 2, end - case.step, end}
    else:
        wanted |= {case.minutes * part // 8 for part in range(8)}
    return sorted(minute // case.step * case.step for minute in wanted if 0 <= minute <= case.minutes)


def _at(case: Case, minute: int) -> dict[str, Any]:
    spans = [(*case.fires, case.labels)] if case.fires else []
    firing = [
        {"exp_labels": _labels(case, said)}
        for begin, end, said in (*spans, *case.also)
        if begin <= minute and (minute < end or end == case.minutes)
    ]
    return {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": firing}


def _first(case: Case) -> dict[str, Any]:
    assert case.fires
    rule = next(rule for rule in ALERTS if rule["alert"] == case.alert)
    said = {**rule["annotations"], "description": case.said}
    told = {"exp_labels": _labels(case, case.labels), "exp_annotations": said}
    return {"eval_time": f"{case.fires[0]}m", "alertname": case.alert, "exp_alerts": [told]}


def _labels(case: Case, said: Mapping[str, str]) -> dict[str, str]:
    return {"job": JOB, "severity": SEVERITIES[case.alert], **said}


def _name(series: Series) -> str:
    name = series.name if series.name == "up" else exported(series.name)
    labels = {"job": JOB, **series.replica, **series.labels}
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def _values(series: Series, case: Case) -> str:
    said: list[str] = []
    before: float | None = GONE
    for value, minutes in cut(_stepped(series.spans, case.step), 0, case.minutes // case.step + 1):
        if value is GONE:
            said += ["stale"] if before is not GONE else ["_"]
            said += [f"_x{minutes - 1}"] if minutes > 1 else []
        elif math.isinf(value):
            said += ["Inf"] * minutes
        else:
            said.append(
                f"{value:g}+0x{minutes - 1}" if value == int(value) and abs(value) < 1e5 else f"{value}+0x{minutes - 1}"
            )
        before = value
    return " ".join(said)


def _stepped(spans: Any, step: int) -> Any:
    return tuple((value, length // step) for value, length in spans)


def by_alert(cases: Iterable[Case]) -> Mapping[str, list[Case]]:
    found: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        found[case.alert].append(case)
    return found
