"""Every panel is answered by a real Prometheus that has a week of history, and what can be counted is right."""

from __future__ import annotations

import re
from typing import Any

import pytest
from history import COST_OF_A_RUN, DAY, END, FLEET, HOUR, INSTANCES, MINUTE, REPLACED, SILENT, START, TONIGHT
from inspection import OF_A_PROCESS, panels
from week import Week

from restorecheck.rules.alerting import alerts
from restorecheck.rules.recording import RECORDINGS

Board = dict[str, Any]
PASSED, BROKEN, UNPROVEN, NEVER = 1, 0, 2, -1


@pytest.fixture(scope="module")
def number(loaded: Week, fleet: Board) -> Any:
    """Return the number that a panel of the fleet shows; None is its word for nothing."""

    def ask(title: str, *, at: int = END, **values: str) -> float | None:
        found = loaded.shown(_panel(fleet, title)["targets"][0], at=at, **values)
        assert len(found) <= 1, found
        return found[0]["points"][-1][1] if found else None

    return ask


def test_no_panel_of_the_fleet_is_empty(loaded: Week, fleet: Board) -> None:
    assert _empty(loaded, fleet) == []


def test_no_panel_of_a_check_is_empty(loaded: Week, check: Board) -> None:
    assert _empty(loaded, check, check="orders-db", assertion="rows-present") == []


def test_a_check_without_runs_and_one_without_a_schedule_give_no_error(loaded: Week, check: Board) -> None:
    for name in ("new-db", "manual-db", "legacy-dump"):
        for panel in panels(check):
            for target in panel["targets"]:
                loaded.shown(target, check=name, assertion="readable")


def test_no_line_is_there_once_for_each_replica(loaded: Week, boards: list[Board]) -> None:
    for panel in (p for board in boards for p in panels(board)):
        for target in panel["targets"]:
            if any(name in target["expr"] for name in OF_A_PROCESS):
                continue
            for series in loaded.shown(target, assertion="rows-present"):
                assert not {"instance", "pod"} & set(series["labels"]), panel["title"]


def test_the_variables_offer_what_there_is(loaded: Week, fleet: Board, check: Board) -> None:
    offered = {v["name"]: loaded.values(v["query"]) for v in fleet["templating"]["list"] if v["type"] == "query"}
    assert offered == {"job": ["restorecheck"], "check": sorted(told.name for told in FLEET)}
    (assertion,) = (v for v in check["templating"]["list"] if v["name"] == "assertion")
    assert loaded.values(assertion["query"]) == ["rows-present"]  # those that measure a number


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Declared", 12),
        ("Passing", 6),
        ("Broken", 2),
        ("Unproven", 1),
        ("Overdue", 2),
        ("Paused", 1),
        ("No run yet", 1),
        ("Processes up", 2),
        ("Serving", 2),
        ("Enabled checks", 10),
        ("Waiting to begin", 1),
        ("Missed", 3),
        ("Last tick", 5),
        ("Configuration", 1),
        ("Store", 1),
        ("Sweep tripped", 0),
        ("Oldest proof", END - (TONIGHT - 6 * DAY)),
    ],
)
def test_a_number_of_the_fleet_is_right(title: str, expected: float, number: Any) -> None:
    assert number(title) == expected


def test_a_fleet_in_which_nothing_is_broken_says_so_in_numbers(number: Any) -> None:
    assert [number(title, check="(orders-db|manual-db)") for title in ("Passing", "Broken", "Overdue")] == [2, 0, 0]


def test_what_cannot_be_read_is_not_shown_as_fine(number: Any) -> None:
    for title in ("Passing", "Broken", "Unproven", "Overdue", "Paused", "No run yet", "Declared", "Oldest proof"):
        assert number(title, at=SILENT[0] + 2 * HOUR) is None, title
    assert number("Store", at=SILENT[0] + 2 * HOUR) == 0
    assert number("Processes up", at=SILENT[0] + 2 * HOUR) == 2


def test_the_row_of_a_check_says_how_it_stands(loaded: Week, fleet: Board) -> None:
    rows = _table(loaded, _panel(fleet, "Checks"), "check")
    assert {name: row["Verdict"] for name, row in rows.items()} == {
        **dict.fromkeys((told.name for told in FLEET), PASSED),
        "users-db": BROKEN,
        "ledger-db": BROKEN,
        "events-db": UNPROVEN,
        "new-db": NEVER,
    }
    assert {name: row.get("Schedule") for name, row in rows.items()} == {
        **dict.fromkeys((told.name for told in FLEET), 0),
        "users-db": 1,
        "reports-db": 1,
        "legacy-dump": 2,
        "manual-db": None,
    }
    usable, behind = 40 * MINUTE, 2 * HOUR + 10 * MINUTE
    assert rows["orders-db"] == {
        "Verdict": PASSED,
        "Schedule": 0,
        "Last pass": TONIGHT * 1000,
        "Failures in a row": 0,
        "Recovery point age": END - TONIGHT + usable + behind,
        "rpo": 25 * HOUR,
        "Share of limit": pytest.approx((END - TONIGHT + usable + behind) / (51 * HOUR)),
        "Restore time": usable,
        "rto": 2 * HOUR,
        "Share of rto": pytest.approx(1 / 3),
        "Next run": (TONIGHT - usable - 10 * MINUTE + DAY) * 1000,
        "Cost, 30 days": 7 * COST_OF_A_RUN,  # as much as Prometheus has seen of it
    }
    assert rows["billing-db"]["Share of rto"] > 1
    assert rows["users-db"]["Failures in a row"] == 2
    assert rows["users-db"]["Recovery point age"] > rows["ledger-db"]["Recovery point age"] > DAY
    assert "Last pass" not in rows["new-db"]


@pytest.mark.parametrize(
    ("alert", "column", "fires"),
    [
        ("RestoreCheckOverdue", "Schedule", {"users-db", "reports-db"}),
        ("RestoreCheckRecoveryPointTooOld", "Share of limit", {"users-db", "reports-db"}),
        ("RestoreCheckTooSlow", "Share of rto", {"billing-db"}),
    ],
)
def test_a_row_is_red_where_an_alert_fires(
    alert: str, column: str, fires: set[str], loaded: Week, fleet: Board
) -> None:
    (rule,) = (rule for rule in alerts() if rule.name == alert)
    asked = {"expr": _in_full(rule.expr), "instant": True}
    assert {s["labels"]["check"] for s in loaded.shown(asked)} == fires
    rows = _table(loaded, _panel(fleet, "Checks"), "check")
    scheduled = {name: row for name, row in rows.items() if row.get("Schedule") in {0, 1}}  # and not paused
    assert {name for name, row in scheduled.items() if row.get(column, 0) >= 1} == fires


def test_a_day_shows_its_worst_verdict_and_this_morning_is_there_already(loaded: Week, fleet: Board) -> None:
    found = loaded.shown(_panel(fleet, "Every day")["targets"][0])
    today = END // DAY * DAY
    days = {s["labels"]["check"]: {(at - today) // DAY: value for at, value in s["points"]} for s in found}
    assert days["users-db"] == {**dict.fromkeys(range(-7, -1), PASSED), -1: BROKEN, 0: BROKEN}
    assert days["reports-db"] == dict.fromkeys(range(-7, -3), PASSED)  # and no run since
    assert days["archive-bucket"] == {-6: PASSED}
    assert days["crm-dump"] == {
        -7: BROKEN, -6: PASSED, -5: UNPROVEN, -4: PASSED, -3: BROKEN, -2: PASSED, -1: BROKEN, 0: PASSED
    }  # fmt: skip
    assert "new-db" not in days
    assert set(days["exports-bucket"]) == set(range(-7, 1))


def test_a_verdict_stands_from_the_end_of_its_run(loaded: Week, check: Board) -> None:
    (found,) = loaded.shown(_panel(check, "Since when")["targets"][0], check="ledger-db")
    stood = {at: value for at, value in found["points"] if at >= TONIGHT - HOUR}
    assert stood == {TONIGHT - HOUR: PASSED, **{TONIGHT + hour * HOUR: BROKEN for hour in range(6)}}


def test_a_counter_grows_by_what_happened_whatever_became_of_the_pods(loaded: Week, check: Board) -> None:
    found = loaded.shown(_panel(check, "Finished runs")["targets"][0], check="orders-db")
    runs = {s["labels"]["verdict"]: sum(value for _, value in s["points"]) for s in found}
    assert runs == {"passed": 7, "broken": 0, "unproven": 0}
    assert START < REPLACED < END
    assert all(value >= 0 for s in found for _, value in s["points"])


def test_what_is_left_behind_is_counted_where_it_is(loaded: Week, fleet: Board) -> None:
    (target,) = _panel(fleet, "Leaked")["targets"]
    left = {
        (s["labels"]["aws_region"], s["labels"]["resource"]): s["points"][-1][1]
        for s in loaded.shown(target)
        if s["points"][-1][1]
    }
    assert left == {("eu-central-1", "instance"): 1, ("us-east-1", "snapshot"): 2}


def test_a_region_that_no_sweep_ever_saw_has_a_row_and_no_age(loaded: Week, fleet: Board) -> None:
    rows = _table(loaded, _panel(fleet, "Sweeps"), "aws_region")
    assert rows == {
        "eu-central-1": {"Last whole sweep": 20 * MINUTE},
        "us-east-1": {"Last whole sweep": 20 * MINUTE},
        "eu-west-1": {},
    }


def test_a_receiver_that_hears_nothing_is_seen(loaded: Week, fleet: Board) -> None:
    rows = _table(loaded, _panel(fleet, "Receivers"), "receiver")
    assert rows["ops"]["Pending"] == 0
    assert rows["ops"]["Oldest pending"] == 0
    assert rows["ops"]["Last acknowledged"] == DAY
    assert rows["mail"]["Pending"] == 1
    assert rows["mail"]["Oldest pending"] == 30 * MINUTE
    assert rows["mail"]["Tries failed"] == 14
    assert rows["mail"]["Last acknowledged"] == 16 * DAY


def test_the_cost_of_the_fleet_stands_beside_its_budget(loaded: Week, fleet: Board) -> None:
    cost, budget = ([s["points"][-1][1] for s in loaded.shown(t)] for t in _panel(fleet, "Cost of 30 days")["targets"])
    runs = sum(START < run.ended <= END for told in FLEET for run in told.runs)
    assert cost == [runs * COST_OF_A_RUN]
    assert budget == [100]


def test_a_check_in_depth_shows_its_objectives_beside_what_it_took(loaded: Week, check: Board) -> None:
    panel = _panel(check, "Run time by phase")
    phases, usable, rto = (loaded.shown(target, check="orders-db") for target in panel["targets"])
    last = {s["labels"]["phase"]: s["points"][-1][1] for s in phases}
    assert last == {"find": 20, "restore": 2340, "examine": 400, "teardown": 180}  # `usable` is not stacked upon them
    assert [s["points"][-1][1] for s in (*usable, *rto)] == [2400, 7200]
    proven, newest, rpo, limit = (
        loaded.shown(target, check="users-db")[0]["points"][-1][1]
        for target in _panel(check, "Recovery point age over time")["targets"]
    )
    assert proven - newest == 2 * DAY  # two backups were made that proved nothing
    assert (rpo, limit) == (25 * HOUR, 51 * HOUR)


def test_a_check_in_depth_says_what_goes_on_and_what_failed_last(loaded: Week, check: Board) -> None:
    def shown(title: str, name: str) -> float:
        (found,) = loaded.shown(_panel(check, title)["targets"][0], check=name)
        return float(found["points"][-1][1])

    assert shown("Running for", "exports-bucket") == 20 * MINUTE
    assert shown("Running for", "orders-db") == 0
    assert shown("Last failure", "orders-db") == 0
    assert shown("Last failure", "crm-dump") == (TONIGHT - DAY) * 1000
    assert shown("Fence refused", "events-db") == TONIGHT * 1000
    assert shown("Verdict", "users-db") == BROKEN
    assert shown("Verdict", "new-db") == NEVER
    assert shown("Changes of verdict", "crm-dump") == 8


def test_the_assertion_that_did_not_hold_is_seen(loaded: Week, check: Board) -> None:
    rows = _table(loaded, _panel(check, "Assertions of the newest run"), "assertion", check="users-db")
    assert rows == {
        "rows-present": {"Held": 0, "Value": 1_008_000, "Answered in": 3},
        "readable": {"Held": 1, "Answered in": 3},
    }


def test_each_process_is_listed_with_its_version(loaded: Week, fleet: Board) -> None:
    rows = _table(loaded, _panel(fleet, "Versions"), "instance")
    assert set(rows) == {INSTANCES[0], INSTANCES[2]}
    assert rows[INSTANCES[2]] == {"Configuration read": REPLACED * 1000}


def test_marks_stand_where_runs_failed(loaded: Week, fleet: Board) -> None:
    (mark,) = fleet["annotations"]["list"]
    found = loaded.shown({"expr": mark["expr"]}, check="users-db")
    assert {s["labels"]["verdict"] for s in found} == {"broken"}
    assert {value for s in found for _, value in s["points"]} == {(TONIGHT - DAY) * 1000, TONIGHT * 1000}


def _panel(board: Board, title: str) -> Board:
    (found,) = (panel for panel in panels(board) if panel["title"] == title)
    return found


def _empty(loaded: Week, board: Board, **values: str) -> list[str]:
    return [
        f"{panel['title']}: {target['refId']}"
        for panel in panels(board)
        for target in panel["targets"]
        if not loaded.shown(target, **values)
    ]


def _in_full(question: str) -> str:
    """Return a question with the recording rules' own in their names' places: nobody has recorded the week."""
    for rule in reversed(RECORDINGS):
        remembers = re.escape(f"last_over_time({rule.name}") + r"\[\w+\]\)"
        question = question.replace(rule.name, f"({re.sub(remembers, 'absent(vector(0))', rule.expr)})")
    return question


def _table(loaded: Week, panel: Board, key: str, **values: str) -> dict[str, dict[str, float]]:
    """Return the rows of a table as its transformations make them: cells by the columns' titles."""
    titles = panel["transformations"][1]["options"]["renameByName"]
    rows: dict[str, dict[str, float]] = {}
    for target in panel["targets"]:
        title = titles.get(f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value")
        for series in loaded.shown(target, **values):
            row = rows.setdefault(series["labels"][key], {})
            if title:
                assert title not in row
                row[title] = series["points"][-1][1]
    return rows
