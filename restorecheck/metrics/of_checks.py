"""Figures of what is declared: checks, their schedules and objectives, their assertions. Pure."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise

from restorecheck.config import Config, cron
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Kept
from restorecheck.model import Check, Pause, takes_newest


def put(figures: Figures, config: Config, kept: Kept, now: datetime) -> None:
    """Put in the figures of all checks."""
    scheduled = 0
    for check in config.checks:
        paused_until = _paused_until(check, kept.pauses.get(check.name), now)
        figures.put("check_paused_until_timestamp_seconds", paused_until, check.name)
        scheduled += check.schedule is not None and not paused_until
        _put_check(figures, check, kept)
        _put_assertions(figures, check)
    figures.put("checks", scheduled, "true")
    figures.put("checks", len(config.checks) - scheduled, "false")


def _put_check(figures: Figures, check: Check, kept: Kept) -> None:
    name, engine = check.name, getattr(check.source, "engine", "")  # objects are asked by no server
    figures.put("check_info", 1, name, check.source.type, engine, check.owner, str(check.critical).lower())
    if seen := kept.checks_seen.get(name):
        figures.put("check_first_seen_timestamp_seconds", seen.timestamp(), name)
    if check.schedule is not None:
        gap = cron.longest_gap(check.schedule, check.timezone)
        figures.put("check_expected_interval_seconds", gap.total_seconds(), name)
    if following := kept.next_runs.get(name):
        figures.put("check_next_run_timestamp_seconds", following.timestamp(), name)
    figures.put("check_rto_objective_seconds", check.rto.total_seconds(), name)
    if takes_newest(check.source):  # what is proved is old on purpose else; each run judges the newest that it finds
        figures.put("check_rpo_objective_seconds", check.rpo.total_seconds(), name)
        if check.retention is not None:
            figures.put("check_retention_seconds", check.retention.total_seconds(), name)
    verdicts = [run.verdict for run in kept.standings[name].recent]
    figures.put("check_recent_flips", sum(one is not other for one, other in pairwise(verdicts)), name)


def _put_assertions(figures: Figures, check: Check) -> None:
    for assertion in check.assertions:
        kind = assertion.probe.name if assertion.probe else "query"
        figures.put("assertion_info", 1, check.name, assertion.name, kind, assertion.severity)


def _paused_until(check: Check, pause: Pause | None, now: datetime) -> float:
    """Return until when nothing of a check is due, by the file or by an operator, as a Unix time; 0: it is not."""
    ends = [0.0]
    if check.paused_until is not None and check.paused_until > now:
        ends.append(check.paused_until.timestamp())
    if pause is not None and (pause.until is None or pause.until > now):
        ends.append(math.inf if pause.until is None else pause.until.timestamp())
    return max(ends)
