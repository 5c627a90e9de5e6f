"""What is said when a child crashes, hangs, floods or lies: no DuckDB is asked here, a scripted child answers."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from restorecheck.databases.duckdb import ObjectQueries
from restorecheck.databases.duckdb_process import Told
from restorecheck.model import Answer, Assertion, Cell, Expectation, FileView

VIEW = FileView("orders", "exports/*")
PATHS = (Path("/w/00000001.jsonl"), Path("/w/00000002.jsonl"))
OPEN: dict[str, Any] = {"stage": "open", "view": "orders"}
READ: dict[str, Any] = {"stage": "read", "view": "orders"}
ROWS: dict[str, Any] = {**READ, "rows": 7}
ASK: dict[str, Any] = {"stage": "ask"}
CELL = {"kind": "number", "text": "1", "naive": False}


def said(**changes: Any) -> dict[str, Any]:
    answer = {"rows": 1, "more": False, "columns": 1, "cells": [CELL], "error": "", "kind": ""}
    return {"answer": {**answer, **changes}}


@dataclass
class Script:
    """A child that says what it is told to, one entry for each time it is run."""

    entries: list[Told]
    jobs: list[Mapping[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    clock: float = 0.0
    step: float = 0.0

    def child(self, job: Mapping[str, Any], until: float, asking: float) -> Told:
        self.jobs.append(job)
        self.clock += self.step
        return self.entries[len(self.jobs) - 1]

    def ask(self, *names: str, installed: bool = True, files: tuple[Path, ...] = PATHS) -> list[Answer]:
        queries = ObjectQueries(monotonic=lambda: self.clock, child=self.child, installed=lambda: installed)
        expect = Expectation(equals=Cell("number", "1"))
        assertions = [Assertion(name, "select 1", expect, files=(VIEW,)) for name in names or ("one",)]
        by_name = {one.name: {"orders": files} for one in assertions}
        salt, within = "salt", timedelta(seconds=60)
        return list(queries.ask(assertions, by_name, None, salt, within, names={PATHS[1]: "k"}, tell=self.lines.append))


def dead(number: int, *messages: dict[str, Any]) -> Told:
    return Told(list(messages), status=-number)


def test_an_answer_comes_through_and_what_was_read_is_told() -> None:
    script = Script([Told([OPEN, READ, ROWS, ASK, said()])])
    [answer] = script.ask()
    assert (answer.rows, answer.cells, answer.error) == (1, (Cell("number", "1"),), "")
    assert script.lines == ["orders: every value of 7 rows in 2 files was decoded"]


def test_a_view_is_read_through_once_in_a_run() -> None:
    script = Script([Told([OPEN, READ, ROWS, ASK, said()]), Told([OPEN, ASK, said()])])
    assert [a.error for a in script.ask("one", "two")] == ["", ""]
    assert [job["views"][0]["read"] for job in script.jobs] == [True, False]


def test_a_damaged_view_is_not_asked_again_and_all_who_ask_it_hear_why() -> None:
    error = {"error": "DuckDB could not read it (x)", "kind": "data-damaged", "view": "orders", "file": str(PATHS[1])}
    script = Script([Told([OPEN, error])])
    answers = script.ask("one", "two")
    assert len(script.jobs) == 1
    assert {(a.kind, a.error) for a in answers} == {("data-damaged", "'orders': 'k': DuckDB could not read it (x)")}
    assert script.lines == []


def test_a_crash_while_files_are_read_is_tried_again_with_more_room() -> None:
    script = Script([dead(signal.SIGSEGV, OPEN, READ), Told([OPEN, READ, ROWS, ASK, said()])])
    assert script.ask()[0].error == ""
    assert script.jobs[1]["address_space"] == 2 * script.jobs[0]["address_space"]


def test_two_crashes_while_files_are_read_are_damage() -> None:
    [answer] = Script([dead(signal.SIGSEGV, OPEN, READ), dead(signal.SIGABRT, OPEN, READ)]).ask()
    assert (answer.kind, answer.error) == ("data-damaged", "'orders': the reader crashed on its files, twice")


def test_two_crashes_after_the_files_were_read_accuse_the_question() -> None:
    crash = dead(signal.SIGSEGV, OPEN, READ, ROWS, ASK)
    assert Script([crash, crash]).ask()[0].kind == "question"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (dead(signal.SIGKILL, OPEN, READ), "limit"),
        (dead(signal.SIGKILL, OPEN, READ, ROWS, ASK), "limit"),
        (dead(signal.SIGXCPU, OPEN, READ), "timeout"),
        (dead(signal.SIGXCPU, OPEN, READ, ROWS, ASK), "timeout"),
        (Told([OPEN, READ], late=True), "timeout"),
        (Told([OPEN, READ, ROWS, ASK], late=True), "timeout"),
        (Told([OPEN, READ], flooded=True), "internal"),
        (Told([], status=1), "internal"),
        (Told([OPEN, READ, ROWS, ASK], status=1), "internal"),
        (Told([{"error": "x", "view": ""}]), "internal"),
        (Told([OPEN, READ, ROWS, ASK, {"error": "x", "kind": "missing-object", "view": ""}]), "missing-object"),
        (Told([OPEN, READ, ROWS, ASK, {"error": "x", "kind": "timeout", "view": ""}]), "timeout"),
        (Told([OPEN, {**ROWS, "rows": 0}, ASK, said()]), "missing-object"),
    ],
)
def test_every_other_end_has_its_kind_and_nothing_is_tried_again(told: Told, kind: str) -> None:
    script = Script([told])
    [answer] = script.ask()
    assert answer.kind == kind
    assert answer.error
    assert answer.cells == ()
    assert len(script.jobs) == 1


@pytest.mark.parametrize(
    "answer",
    [
        said(cells=[{**CELL, "kind": "text", "text": "4111-1111"}]),
        said(cells=[{**CELL, "kind": "digest", "text": "4111-1111"}]),
        said(cells=[{**CELL, "text": "Grace Hopper; rm"}]),
        said(cells=[{"kind": "number"}]),
        said(cells=7),
        said(rows="many"),
        {"answer": None},
    ],
)
def test_what_a_taken_over_child_says_is_not_believed(answer: dict[str, Any]) -> None:
    [got] = Script([Told([OPEN, READ, ROWS, ASK, answer])]).ask()
    assert (got.kind, got.cells) == ("internal", ())


def test_what_cannot_be_compared_and_nothing_pass() -> None:
    cells = [{"kind": "other", "text": "DuckDB's list", "naive": False}, {"kind": "null", "text": "", "naive": False}]
    [got] = Script([Told([OPEN, READ, ROWS, ASK, said(cells=cells)])]).ask()
    assert [c.kind for c in got.cells] == ["other", "null"]


def test_what_is_not_asked_in_time_is_answered_as_such() -> None:
    script = Script([Told([OPEN, READ, ROWS, ASK, said()])], step=61)
    first, second = script.ask("one", "two")
    assert (first.error, first.seconds) == ("", 61)
    assert (second.kind, second.error) == ("timeout", "not asked: the 60 s allowed for all questions were over")


def test_without_duckdb_the_environment_is_named_and_what_to_do() -> None:
    [answer] = Script([]).ask(installed=False)
    assert answer.kind == "environment"
    assert "pip install 'restorecheck[objects]'" in answer.error


def test_a_view_without_files_is_not_even_asked() -> None:
    [answer] = Script([]).ask(files=())
    assert answer.kind == "missing-object"


def test_the_version_is_that_of_the_package() -> None:
    assert ObjectQueries.version().partition(".")[0].isdigit()
