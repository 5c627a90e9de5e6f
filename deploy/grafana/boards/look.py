"""How values are shown: colours, thresholds, words and units. A value is never told by its colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from boards.queries import BROKEN, IN_TIME, NEVER, OVERDUE, PASSED, PAUSED, UNPROVEN

DAY = 86_400
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#7f7f7f"

Steps = tuple[tuple[float, str], ...]
"""Colours from values on. What has no value is grey, whatever stands here: Grafana gives it the lowest colour."""

NONE_IS_FINE: Steps = ((0, GREEN), (1, RED))
SOME_ARE_FINE: Steps = ((0, RED), (1, GREEN))
SOME_IS_NEWS: Steps = ((0, GREEN), (1, ORANGE))
SHARE: Steps = ((0, GREEN), (0.8, YELLOW), (1, RED))
"""Of a share of a limit."""

Words = dict[float, tuple[str, str]]
"""What is shown instead of a number, and in which colour."""

VERDICT_WORDS: Words = {
    PASSED: ("passed", GREEN),
    BROKEN: ("broken", RED),
    UNPROVEN: ("unproven", ORANGE),
    NEVER: ("no run yet", GREY),
}
TIMING_WORDS: Words = {IN_TIME: ("in time", GREEN), OVERDUE: ("overdue", RED), PAUSED: ("paused", BLUE)}
YES_NO: Words = {1: ("yes", GREEN), 0: ("no", RED)}


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of a panel and the name of its lines. `least` is the shortest step it makes sense for."""

    question: str
    legend: str = ""
    least: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a question with one answer for each row."""

    title: str
    question: str
    unit: str = "short"
    steps: Steps = ()
    words: Words | None = None
    nothing: str = "-"
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How the values of a panel are shown."""

    unit: str = "short"
    steps: Steps = ()
    words: Words | None = None
    nothing: str = "no data"
    decimals: int | None = None
