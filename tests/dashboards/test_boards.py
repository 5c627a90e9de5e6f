"""The committed dashboards are what their source says, can be loaded, and ask for nothing that nobody exports."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from boards.written import written
from inspection import asked, malformed, overlapping, panels, unanswerable, unsaid

from restorecheck.metrics.catalogue import METRICS

Board = dict[str, Any]

NOT_SHOWN = {
    "run_last_start_timestamp_seconds": "when the newest run ended says enough",
    "run_last_completion_timestamp_seconds": "run_last_verdict_timestamp_seconds says it with the verdict",
    "run_success": "a 0/1 gauge of a pod that died contradicts its successor's: instants are compared",
    "run_verdict": "the same",
}


def test_the_committed_files_are_what_the_source_writes(grafana: Path) -> None:
    directory = grafana / "dashboards"
    texts = written()
    if os.environ.get("REGENERATE"):
        for name, text in texts.items():
            (directory / name).write_text(text)
    assert {file.name: file.read_text() for file in directory.iterdir()} == texts, "run `make dashboards`"


def test_the_source_writes_the_files_when_it_is_run(grafana: Path, tmp_path: Path) -> None:
    copied = tmp_path / "boards"
    copied.mkdir()
    for file in (grafana / "boards").glob("*.py"):
        (copied / file.name).write_text(file.read_text())
    (tmp_path / "dashboards").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "boards"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "dashboards").iterdir()} == set(written())


@pytest.mark.parametrize("look", [malformed, unsaid, overlapping, unanswerable])
def test_nothing_is_wrong_with_either(look: Any, boards: list[Board]) -> None:
    assert [complaint for board in boards for complaint in look(board)] == []


def test_a_dashboard_says_where_it_is_from_and_leads_to_the_other(fleet: Board, check: Board) -> None:
    for board, uid, other in (
        (fleet, "restorecheck-fleet", "restorecheck-check"),
        (check, "restorecheck-check", "restorecheck-fleet"),
    ):
        assert board["uid"] == uid
        assert "id" not in board  # the number in one Grafana's database
        assert board["timezone"] == "browser"
        assert board["editable"] is False
        assert any(f"/d/{other}?" in link["url"] for link in board["links"])
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        titles = [panel["title"] for panel in board["panels"]]
        assert len(titles) == len(set(titles))


def test_the_reader_chooses_the_source_the_job_and_the_check(fleet: Board, check: Board) -> None:
    def variables(board: Board) -> dict[str, tuple[str, bool]]:
        return {v["name"]: (v["type"], bool(v.get("multi"))) for v in board["templating"]["list"]}

    shared = {"datasource": ("datasource", False), "job": ("query", True)}
    assert variables(fleet) == {**shared, "check": ("query", True)}
    assert variables(check) == {**shared, "check": ("query", False), "assertion": ("query", True)}


def test_every_metric_is_shown_somewhere_or_left_out_for_a_reason(boards: list[Board]) -> None:
    shown = set().union(*(asked(board) for board in boards))
    silent = {name for name, metric in METRICS.items() if metric.exported not in shown}
    assert silent == set(NOT_SHOWN)


def test_the_row_of_a_check_leads_to_that_check_in_its_job(fleet: Board) -> None:
    table = _panel(fleet, "Checks")
    links = [p["value"] for o in table["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "links"]
    assert len(links) == 1
    assert "/d/restorecheck-check?" in links[0][0]["url"]
    assert "var-check=${__value.raw}" in links[0][0]["url"]
    hidden = table["transformations"][1]["options"]["excludeByName"]
    assert "job" not in hidden  # a column that is taken away is no field of the row any more


def test_the_columns_of_a_table_are_the_answers_to_its_questions(boards: list[Board]) -> None:
    for panel in (p for board in boards for p in panels(board) if p["type"] == "table"):
        fields = {f"Value #{t['refId']}" for t in panel["targets"]} if len(panel["targets"]) > 1 else {"Value"}
        options = panel["transformations"][1]["options"]
        assert fields == {*options["renameByName"], *(f for f in options["excludeByName"] if f.startswith("Value"))}
        shown = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert set(options["renameByName"].values()) <= shown
        assert all(t["instant"] and t["format"] == "table" for t in panel["targets"])


# --- what is damaged is found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("look", "path", "value", "expected"),
    [
        (malformed, ("uid",), 7, "is not of type 'string'"),
        (malformed, ("panels", 1, "gridPos", "h"), "four", "is not of type 'integer'"),
        (malformed, ("panels", 1, "surprise"), True, "Additional properties are not allowed"),
        (malformed, ("panels", 1, "options", "colorMode"), "rainbow", "is not one of"),
        (malformed, ("panels", 1, "targets", 0, "format"), "poem", "is not one of"),
        (malformed, ("templating", "list", 0, "type"), "wish", "is not one of"),
        (unsaid, ("panels", 1, "title"), "", "has no title"),
        (unsaid, ("panels", 1, "description"), "", "has no description"),
        (unsaid, ("panels", 1, "fieldConfig", "defaults", "unit"), "", "has no unit"),
        (unsaid, ("panels", 1, "fieldConfig", "defaults", "noValue"), "", "says nothing where there is nothing"),
        (unsaid, ("panels", 1, "fieldConfig", "defaults", "thresholds", "steps", 0, "color"), "green", "a colour for"),
        (unsaid, ("panels", 1, "datasource", "uid"), "mine", "does not ask the data source"),
        (unsaid, ("panels", 1, "targets", 0, "datasource", "uid"), "mine", "does not ask the data source"),
        (unsaid, ("panels", 1, "targets"), [], "asks nothing"),
        (overlapping, ("panels", 2, "gridPos", "x"), 1, "overlap"),
        (overlapping, ("panels", 2, "gridPos", "x"), 23, "too wide"),
    ],
)
def test_a_damaged_dashboard_is_reported(
    look: Any, path: tuple[str | int, ...], value: Any, expected: str, fleet: Board
) -> None:
    damaged = copy.deepcopy(fleet)
    part: Any = damaged
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert any(expected in complaint for complaint in look(damaged)), look(damaged)


_FOLD = "max without (instance, pod, container, endpoint)"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("max by (job", "unclosed left parenthesis"),
        (f'{_FOLD} (restorecheck_sweep_trips{{job=~"$job"}})', "nobody exports restorecheck_sweep_trips"),
        (f'{_FOLD} (restorecheck_sweep_tripped{{job=~"$job", verdict="x"}})', "has no label verdict"),
        (f"{_FOLD} (restorecheck_sweep_tripped)", "is asked of every job"),
        (f'{_FOLD} (restorecheck_run_success{{job=~"$job"}})', "is asked of every check"),
        ('sum(restorecheck_sweep_tripped{job=~"$job"})', "counted once for each replica"),
        ('restorecheck_sweep_tripped{job=~"$job"}', "counted once for each replica"),
        ('max without (instance, pod) (restorecheck_sweep_tripped{job=~"$job"})', "counted once for each replica"),
        ('min_over_time(restorecheck_sweep_tripped{job=~"$job"}[$__range:5m])', "counted once for each replica"),
        (f'sum by (region) ({_FOLD} (restorecheck_sweep_tripped{{job=~"$job"}}))', "has the label region"),
    ],
)
def test_a_question_that_cannot_be_answered_is_reported(question: str, expected: str, fleet: Board) -> None:
    damaged = copy.deepcopy(fleet)
    _panel(damaged, "Sweep tripped")["targets"][0]["expr"] = question
    found = unanswerable(damaged)
    assert any(expected in complaint for complaint in found), found


def test_lines_named_by_a_label_that_is_not_there_are_reported(fleet: Board) -> None:
    damaged = copy.deepcopy(fleet)
    _panel(damaged, "Calls to AWS")["targets"][0]["legendFormat"] = "{{operation}}"
    assert unanswerable(damaged) == ["Calls to AWS: no metric here has the label operation"]


def test_a_variable_over_what_nobody_exports_is_reported(fleet: Board) -> None:
    for query, expected in (
        ("label_values(restorecheck_what, check)", "nobody exports restorecheck_what"),
        ("label_values(restorecheck_build_info, check)", "restorecheck_build_info has no check"),
        ("metrics(restorecheck)", "is not label_values(series, label)"),
    ):
        damaged = copy.deepcopy(fleet)
        damaged["templating"]["list"][1]["query"] = query
        assert any(expected in complaint for complaint in unanswerable(damaged))


# --- provisioning -----------------------------------------------------------------------------------------------------


def test_grafana_is_told_where_the_dashboards_and_the_data_are(grafana: Path) -> None:
    sources = yaml.safe_load((grafana / "provisioning" / "datasources" / "restorecheck.yaml").read_text())
    providers = yaml.safe_load((grafana / "provisioning" / "dashboards" / "restorecheck.yaml").read_text())
    assert sources["apiVersion"] == providers["apiVersion"] == 1
    (source,) = sources["datasources"]
    assert source["type"] == "prometheus"
    assert source["access"] == "proxy"
    assert source["url"].startswith("http")
    assert source["uid"]
    (provider,) = providers["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/restorecheck"
    assert provider["folderUid"]
    text = (grafana.parents[1] / "docs" / "dashboards.md").read_text()
    for mounted in (
        "deploy/grafana/provisioning:/etc/grafana/provisioning",
        f"deploy/grafana/dashboards:{provider['options']['path']}",
    ):
        assert mounted in text


def test_the_document_names_every_panel(boards: list[Board], grafana: Path) -> None:
    text = (grafana.parents[1] / "docs" / "dashboards.md").read_text()
    titles = {p["title"] for board in boards for p in panels(board)} - {"$assertion"}
    assert {title for title in titles if title not in text} == set()


def _panel(board: Board, title: str) -> Board:
    (found,) = (panel for panel in panels(board) if panel["title"] == title)
    return found
