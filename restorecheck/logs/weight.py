"""Which events somebody should look at: they are logged as warnings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

BAD = frozenset(
    {
        "check-paused",
        "chore.failed",
        "export.failed",
        "notice.dead",
        "notice.failed",
        "notice.late",
        "notices.failed",
        "notices.not-kept",
        "notices.not-resent",
        "notify.unknown-event",
        "replica.dead",
        "run-missed",
        "run.broke-off",
        "run.failed",
        "run.foreign",
        "run.not-started",
        "scratch-leaked",
        "state.remark",
        "sweep-tripped",
        "sweep.failed",
        "sweep.not-kept",
        "tick.again",
        "tick.seldom",
        "tick.short",
    }
)
"""Events that are bad whatever they say; so is every verdict that is not `passed`."""


def is_bad(event: str, facts: Mapping[str, object]) -> bool:
    """Say whether somebody should look at an event with these facts."""
    return event in BAD or facts.get("verdict", "passed") != "passed"
