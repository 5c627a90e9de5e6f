"""What is wrong with a dashboard, as sentences: its shape, its words, and the names in its questions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser as promql

from restorecheck.metrics.catalogue import METRICS

SCHEMAS = Path(__file__).parent / "schema"
BY_NAME = {metric.exported: metric for metric in METRICS.values()}
REPLICA = {"instance", "pod", "container", "endpoint"}
OF_A_PROCESS = {
    "up",
    *(
        METRICS[name].exported
        for name in (
            "aws_api_requests",
            "aws_api_request_failures",
            "build_info",
            "scheduler_last_tick_timestamp_seconds",
            "config_last_reload_successful",
            "config_last_reload_success_timestamp_seconds",
            "store_up",
        )
    ),
}
"""What each process says of itself: with these, replicas are added or compared and not folded."""

STANDS_FOR = {
    "$__rate_interval": "2h",
    "$__interval": "1d",
    "$__range": "7d",
}
VARIABLE = "${datasource}"


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def filled(question: str, **values: str) -> str:
    """Return a question with its variables replaced as Grafana does; `values` override what stands for one usually."""
    for name, value in (STANDS_FOR | {f"${name}": value for name, value in values.items()}).items():
        question = question.replace(name, value)
    return question


# --- shape --------------------------------------------------------------------------------------------------------


@cache
def _schema(name: str) -> dict[str, Any]:
    return dict(_loosened(json.loads((SCHEMAS / f"{name}.jsonschema.json").read_text())))


def _loosened(part: Any) -> Any:
    """Return a schema that takes anything where its source does: there it was written as an object of no keys."""
    if isinstance(part, list):
        return [_loosened(one) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "object" and part.get("additionalProperties") == {} and "properties" not in part:
        return {}
    return {key: _loosened(value) for key, value in part.items()}


def malformed(board: dict[str, Any]) -> list[str]:
    """Return where a dashboard, the options of a panel or a question are not of the shape that Grafana reads."""
    whole = _schema("dashboard")
    found = _against(whole, board | {"panels": []}, "the dashboard")
    for panel in board["panels"]:
        kind = "RowPanel" if panel["type"] == "row" else "Panel"  # each by itself: "is neither" says nothing
        found += _against({**whole, "$ref": f"#/definitions/{kind}"}, panel, panel["title"])
    for panel in panels(board):
        of_kind = _schema(panel["type"].replace("-", ""))
        parts = {"Options": panel.get("options"), "FieldConfig": panel["fieldConfig"]["defaults"].get("custom")}
        for name, part in parts.items():
            if name in of_kind["definitions"] and part is not None:
                found += _against({**of_kind, "$ref": f"#/definitions/{name}"}, part, panel["title"])
        for target in panel["targets"]:
            found += _against(_schema("prometheus"), target, panel["title"])
    return found


def _against(schema: dict[str, Any], part: Any, where: str) -> list[str]:
    errors = jsonschema.Draft7Validator(schema).iter_errors(part)
    return [f"{where} {error.json_path}: {error.message[:200]}" for error in errors]


# --- words and places ---------------------------------------------------------------------------------------------


def unsaid(board: dict[str, Any]) -> list[str]:
    """Return what a reader of a dashboard would miss: a title, a description, a unit, a word for nothing, text."""
    found = []
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        name = panel.get("title") or f"panel {panel.get('id')}"
        if not panel.get("title"):
            found.append(f"{name} has no title")
        if not panel.get("description", "").endswith("."):
            found.append(f"{name} has no description that is a sentence")
        if not defaults.get("unit"):
            found.append(f"{name} has no unit")
        if not defaults.get("noValue"):
            found.append(f"{name} says nothing where there is nothing")
        overridden = [p for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "thresholds"]
        lowest = [t["steps"][0] for t in (defaults["thresholds"], *(p["value"] for p in overridden))]
        if any(step != {"value": None, "color": "#7f7f7f"} for step in lowest):
            # What has no value is shown in the lowest colour.
            found.append(f"{name} has a colour for what it does not know")
        sources = [panel.get("datasource"), *(target.get("datasource") for target in panel["targets"])]
        if any(source != {"type": "prometheus", "uid": VARIABLE} for source in sources):
            found.append(f"{name} does not ask the data source that was chosen")
        if not panel["targets"]:
            found.append(f"{name} asks nothing")
    return found


def overlapping(board: dict[str, Any]) -> list[str]:
    """Return panels that stand upon each other or beyond the right edge."""
    found = [f"{p['title']} is too wide" for p in board["panels"] if p["gridPos"]["x"] + p["gridPos"]["w"] > 24]
    for one, other in combinations(board["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not beside and not (a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]):
            found.append(f"{one['title']} and {other['title']} overlap")
    return found


# --- questions ----------------------------------------------------------------------------------------------------


def questions(board: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield every question of a dashboard with where it is asked and the name of its lines."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target.get("legendFormat", "")
    for mark in board["annotations"]["list"]:
        yield mark["name"], mark["expr"], mark["titleFormat"]


def unanswerable(board: dict[str, Any]) -> list[str]:
    """Return questions that do not parse, that name what nobody exports, or that count replicas twice."""
    found = []
    for title, question, legend in questions(board):
        try:
            tree = promql.parse(filled(question))
        except ValueError as e:
            found.append(f"{title}: {e}")
            continue
        found += [f"{title}: {complaint}" for complaint in _complaints(tree, legend)]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found += [f"${variable['name']}: {complaint}" for complaint in _of_a_variable(variable["query"])]
    return found


def asked(board: dict[str, Any]) -> set[str]:
    """Return the names of all metrics that a dashboard asks for."""
    texts = [question for _, question, _ in questions(board)]
    texts += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    return {name for text in texts for name in re.findall(r"\b(restorecheck_\w+|up)\b", text)}


def _of_a_variable(query: str) -> list[str]:
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    if not found:
        return [f"{query} is not label_values(series, label)"]
    selector = promql.parse(found[1])
    metric = BY_NAME.get(selector.name)
    if metric is None:
        return [f"nobody exports {selector.name}"]
    known = {*metric.labels, "job"}
    return [f"{selector.name} has no {name}" for name in (found[2], *_matched(selector)) if name not in known]


def _matched(selector: Any) -> dict[str, str]:
    return {matcher.name: f"{matcher.op}{matcher.value}" for matcher in selector.matchers.matchers}


class _Reader:
    """Walks a question from its outside to its selectors."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.labels = {"job"}
        self.named: set[str] = set()

    def read(self, node: Any, folded: Any = None) -> None:
        """`folded` is the aggregation that is nearest around the node."""
        match node:
            case promql.AggregateExpr():
                self._grouped(node)
                self.read(node.expr, node)
            case promql.BinaryExpr():
                self.read(node.lhs, folded)
                self.read(node.rhs, folded)
            case promql.Call():
                for argument in node.args:
                    self.read(argument, folded)
            case promql.MatrixSelector():
                self._selected(node.vector_selector, folded)
            case promql.VectorSelector():
                self._selected(node, folded)
            case promql.ParenExpr() | promql.SubqueryExpr() | promql.UnaryExpr():
                self.read(node.expr, folded)
            case promql.NumberLiteral() | promql.StringLiteral():
                pass
            case _:
                self.found.append(f"{type(node).__name__} is not looked into")

    def _grouped(self, node: Any) -> None:
        if node.modifier is not None and node.modifier.type == promql.AggModifierType.By:
            self.named |= set(node.modifier.labels)

    def _selected(self, selector: Any, around: Any) -> None:
        name, matched = selector.name, _matched(selector)
        metric = BY_NAME.get(name)
        if metric is None and name != "up":
            self.found.append(f"nobody exports {name}")
            return
        labels = {*(metric.labels if metric else ()), "job"}
        self.labels |= labels
        self.found += [f"{name} has no label {label}" for label in matched if label not in labels]
        if "$job" not in matched.get("job", ""):
            self.found.append(f"{name} is asked of every job")
        if "check" in labels and "$check" not in matched.get("check", ""):
            self.found.append(f"{name} is asked of every check")
        if name in OF_A_PROCESS:
            self.labels.add("instance")
        elif not _folds(around):
            self.found.append(f"{name} is counted once for each replica")


def _folds(around: Any) -> bool:
    modifier = around.modifier if around is not None else None
    without = modifier is not None and modifier.type == promql.AggModifierType.Without
    return without and str(around.op) == "max" and set(modifier.labels) >= REPLICA


def _complaints(tree: Any, legend: str) -> list[str]:
    reader = _Reader()
    reader.read(tree)
    shown = set(re.findall(r"{{(\w+)}}", legend))
    unknown = (reader.named | shown) - reader.labels
    return [*reader.found, *(f"no metric here has the label {name}" for name in sorted(unknown))]
