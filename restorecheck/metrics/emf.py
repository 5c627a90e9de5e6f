"""Figures as lines of CloudWatch's embedded metric format: what its alarms need, and not everything that is measured.

Pure: whoever asks writes the lines to standard output. A CloudWatch alarm compares one number with one that does not
change: it cannot subtract an instant from now, nor look at all checks at once. So ages are counted here, objectives are
subtracted here, and what is wrong is also counted over all checks. Every metric is paid for by the month: a check has
nine.

Nothing here is a sum over time. A line may arrive twice, and every replica writes its own: maximum and minimum bear
that, a sum does not. What cannot be told has no number, so that an alarm that takes missing data for a breach hears of
it; above all nothing is 0 because the store could not be read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from restorecheck.errors import RestorecheckError
from restorecheck.metrics.figures import Figures

INTERVALS = 2
"""Intervals of the schedule after which a check is overdue that has not passed, as in the rules for Prometheus."""

_NAMESPACE = re.compile(r"(?!AWS/)[0-9A-Za-z._/#:-]{1,255}")


@dataclass(frozen=True, slots=True)
class Shown:
    """One metric in CloudWatch."""

    name: str
    unit: Literal["Seconds", "Count", "Percent", "None"]
    help: str


OF_A_CHECK = (
    Shown("Broken", "None", "1 if the newest finished run found the backup broken, else 0."),
    Shown("Unproven", "None", "1 if the newest finished run could not tell, else 0."),
    Shown("FailuresInARow", "Count", "Finished runs since the newest that passed."),
    Shown("SecondsSinceLastSuccess", "Seconds", "Since the newest run that passed, or since the check was first seen."),
    Shown(
        "SecondsOverdue",
        "Seconds",
        "By how much that is more than two intervals of the schedule and the rto; 0 while paused.",
    ),
    Shown("RecoveryPointAge", "Seconds", "Age of the newest backup that a run has proved."),
    Shown(
        "SecondsPastRpo",
        "Seconds",
        "By how much that is more than the rpo, an interval and the rto; 0 while paused.",
    ),
    Shown("SecondsPastRto", "Seconds", "By how much the newest restore took longer than the rto."),
    Shown("RetentionUsed", "Percent", "Age of the newest proved backup, of the time for which backups are kept."),
)
"""Metrics with the dimension `check`."""

OF_ALL = (
    Shown("StoreUp", "None", "1 if the store could be read, else 0: then nothing is said of checks."),
    Shown("ChecksDeclared", "Count", "Declared checks that have a schedule and are not paused."),
    Shown("ChecksBroken", "Count", "Checks whose newest finished run found the backup broken."),
    Shown("ChecksUnproven", "Count", "Checks whose newest finished run could not tell."),
    Shown("ChecksOverdue", "Count", "Checks that are overdue: see SecondsOverdue."),
    Shown("ChecksPastRpo", "Count", "Checks past their rpo: see SecondsPastRpo."),
    Shown("ChecksPastRto", "Count", "Checks past their rto: see SecondsPastRto."),
    Shown("LeakedResources", "Count", "What the last sweep saw that should not be there any more, everywhere."),
    Shown("SweepTripped", "None", "1 if the last sweep deleted nothing because too much had expired, else 0."),
    Shown("SecondsSinceSweep", "Seconds", "Since a sweep saw everything, where that is longest ago."),
    Shown("SecondsSinceTick", "Seconds", "Since the scheduler last looked at what is due. Of a service only."),
    Shown("ConfigurationLoaded", "None", "1 if the configuration could be read when it was last tried. Of a service."),
    Shown("OldestNoticeWaits", "Seconds", "How long the oldest notice waits that has not arrived; 0 if none does."),
    Shown("SecondsSinceProvenNotice", "Seconds", "Since a notice was acknowledged, by the receiver that is worst off."),
)
"""Metrics without a dimension: of all checks and of the service."""


def lines(figures: Figures, namespace: str, now: datetime) -> list[str]:
    """Return one line of JSON for the service and one for each check, without line ends.

    Raises RestorecheckError `config` for what CloudWatch does not take as a namespace.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise RestorecheckError(
            f"{namespace!r} is no namespace of CloudWatch",
            "at most 255 letters, digits and . - _ / # : are, and AWS/ is Amazon's own",
            kind="config",
        )
    at = now.timestamp()
    checks = {name: _of_check(figures, name, at) for name in _checks(figures)} if _readable(figures) else {}
    found = [_line(namespace, at, OF_ALL, {}, dict(_of_all(figures, checks, at)))]
    found += [_line(namespace, at, OF_A_CHECK, {"check": name}, values) for name, values in checks.items()]
    return [line for line in found if line]


def _readable(figures: Figures) -> bool:
    return figures.of("store_up").get(()) == 1.0


def _checks(figures: Figures) -> list[str]:
    return sorted({labels[0] for labels in figures.of("check_info")})


# --- one check -----------------------------------------------------------------------------------------------------


def _of_check(figures: Figures, check: str, now: float) -> dict[str, float]:
    """Return the values of one check; what cannot be told is not among them."""

    def figure(name: str, *more: str) -> float | None:
        return figures.of(name).get((check, *more))

    paused = (figure("check_paused_until_timestamp_seconds") or 0.0) > now
    interval, rto = figure("check_expected_interval_seconds"), figure("check_rto_objective_seconds")
    rpo, kept = figure("check_rpo_objective_seconds"), figure("check_retention_seconds")
    seen = figure("check_first_seen_timestamp_seconds")
    usable = figure("run_duration_seconds", "usable")
    point = figure("recovery_point_timestamp_seconds")
    passed = figure("run_last_success_timestamp_seconds")
    since = _age(passed if passed is not None else seen, now)
    age = _age(point, now)
    reach = _age(point if point is not None else seen, now)  # without a proved one, none is younger than the check
    found = {
        "Broken": figure("run_verdict", "broken") or 0.0,
        "Unproven": figure("run_verdict", "unproven") or 0.0,
        "FailuresInARow": figure("run_failures_in_a_row"),
        "SecondsSinceLastSuccess": since,
        "SecondsOverdue": None if interval is None else _past(since, INTERVALS * interval + (rto or 0.0), paused),
        "RecoveryPointAge": age,
        "SecondsPastRpo": None if rpo is None else _past(reach, rpo + (interval or 0.0) + (rto or 0.0), paused),
        "SecondsPastRto": None if rto is None or usable is None else max(0.0, usable - rto),
        "RetentionUsed": None if reach is None or not kept else 100 * reach / kept,
    }
    return {name: value for name, value in found.items() if value is not None}


def _age(instant: float | None, now: float) -> float | None:
    """Return how long ago an instant was: none, if somebody's clock is ahead of ours."""
    return None if instant is None else max(0.0, now - instant)


def _past(age: float | None, limit: float, paused: bool) -> float | None:
    """Return by how much an age is more than it may be. An age that nobody knows has no number, unless it is paused."""
    if paused:
        return 0.0
    return None if age is None else max(0.0, age - limit)


# --- everything ----------------------------------------------------------------------------------------------------


def _of_all(figures: Figures, checks: Mapping[str, Mapping[str, float]], now: float) -> Iterator[tuple[str, float]]:
    """Yield what can be told of all checks, and of the service."""
    yield from _of_service(figures, now)
    if not _readable(figures):
        return
    yield "ChecksDeclared", figures.of("checks").get(("true",), 0.0)
    for total, one in (
        ("ChecksBroken", "Broken"),
        ("ChecksUnproven", "Unproven"),
        ("ChecksPastRpo", "SecondsPastRpo"),
        ("ChecksPastRto", "SecondsPastRto"),
    ):
        yield total, sum(values.get(one, 0.0) > 0 for values in checks.values())
    # With a schedule, and neither a success nor a first sight that anybody knows of: nobody runs it.
    with_schedule = {labels[0] for labels in figures.of("check_expected_interval_seconds")}
    yield (
        "ChecksOverdue",
        sum(values.get("SecondsOverdue", math.inf) > 0 for name, values in checks.items() if name in with_schedule),
    )
    places = {labels[:2] for labels in figures.of("leaked_resources")}
    if places:
        yield "LeakedResources", sum(figures.of("leaked_resources").values())
    swept = figures.of("sweep_last_success_timestamp_seconds")
    if swept and places <= swept.keys():  # a place that no sweep ever saw whole has no age: then nothing is said
        yield "SecondsSinceSweep", max(0.0, now - min(swept.values()))
    if (tripped := figures.of("sweep_tripped").get(())) is not None:
        yield "SweepTripped", tripped
    if waiting := figures.of("notification_oldest_pending_timestamp_seconds"):
        yield "OldestNoticeWaits", max(max(0.0, now - since) if since else 0.0 for since in waiting.values())
    if proven := figures.of("notification_last_proven_timestamp_seconds"):
        yield "SecondsSinceProvenNotice", max(0.0, now - min(proven.values()))


def _of_service(figures: Figures, now: float) -> Iterator[tuple[str, float]]:
    """Yield what the process knows without the store."""
    if (up := figures.of("store_up").get(())) is not None:
        yield "StoreUp", up
    if (tick := figures.of("scheduler_last_tick_timestamp_seconds").get(())) is not None:
        yield "SecondsSinceTick", max(0.0, now - tick)
    if (loaded := figures.of("config_last_reload_successful").get(())) is not None:
        yield "ConfigurationLoaded", loaded


# --- a line --------------------------------------------------------------------------------------------------------


def _line(
    namespace: str, at: float, shown: tuple[Shown, ...], dimensions: Mapping[str, str], values: Mapping[str, float]
) -> str:
    """Return one document of the format, or nothing if it would have no metric. NaN and the infinite are left out."""
    told = [(metric, values[metric.name]) for metric in shown if math.isfinite(values.get(metric.name, math.nan))]
    if not told:
        return ""
    document = {
        "_aws": {
            "Timestamp": round(at * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [list(dimensions)],
                    "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric, _ in told],
                }
            ],
        },
        **dimensions,
        **{metric.name: round(value, 3) for metric, value in told},
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
