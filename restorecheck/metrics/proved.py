"""What is measured of one finished run: the few numbers of its proof that are exported. Pure; keeps no proof.

A phase that did not come, and a size that is not known, have no number: nothing here makes one up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from restorecheck.model import Outcome, RecoveryPoint, Report, SnapshotKind

_GIB = 2**30
_FINDS, _EXAMINES = "find", "examine"
_BESIDE = frozenset({"plan", "record"})  # before AWS is asked, and after everything is gone
_CLEARS = frozenset({"unshare", "prove"})
_CLEARS_BY = "drop "  # how the other stages of a teardown begin
_WAIT = ": wait"


@dataclass(frozen=True, slots=True)
class Answered:
    """How one assertion stood. `value` None: not a number, or several."""

    held: bool
    seconds: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Proved:
    """The numbers of one proof."""

    phases: Mapping[str, float]  # seconds, by the catalogue's PHASES; those that came
    answered: Mapping[str, Answered]  # by assertion; also those that are not declared any more
    restored_bytes: float | None = None
    point_at: datetime | None = None  # up to when the data of its recovery point goes
    newest_at: datetime | None = None  # when the newest recovery point was made, whichever was picked


def proved(report: Report) -> Proved:
    """Return what is measured of a report."""
    point = report.point
    return Proved(
        phases=_phases(report),
        answered={
            finding.name: Answered(finding.outcome is Outcome.PASS, finding.seconds, _number(finding.value))
            for finding in report.findings
            if finding.by == "check"
        },
        restored_bytes=_bytes(point) if point and report.restore_seconds is not None else None,
        point_at=(point.data_time or point.created) if point else None,
        newest_at=point.newest if point else None,
    )


def phase_of(step: str) -> str:
    """Return the phase that a recorded step belongs to; empty: none. Stages that no teardown has are of the restore."""
    name = step.removesuffix(_WAIT)
    if name in _BESIDE:
        return ""
    if name in (_FINDS, _EXAMINES):
        return name
    return "teardown" if name in _CLEARS or name.startswith(_CLEARS_BY) else "restore"


def _phases(report: Report) -> dict[str, float]:
    """Return how long each phase took, from the beginning of its first step to the end of its last."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for step in report.phases:
        if phase := phase_of(step.name):
            began, ended = spans.get(phase, (step.started, step.ended))
            spans[phase] = min(began, step.started), max(ended, step.ended)
    seconds = {phase: (ended - began).total_seconds() for phase, (began, ended) in spans.items()}
    return seconds if report.restore_seconds is None else {**seconds, "usable": report.restore_seconds}


def _bytes(point: RecoveryPoint) -> float | None:
    """Return how much was restored: of objects those that were picked, of an instance its storage."""
    if point.kind is SnapshotKind.VERSIONS:
        return float(point.picked_bytes)
    if point.kind is SnapshotKind.DUMP:
        return float(point.bytes)
    return float(point.size_gib * _GIB) if point.size_gib else None  # a cluster's snapshot may not say


def _number(text: str | None) -> float | None:
    try:
        value = None if text is None else float(text)
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None
