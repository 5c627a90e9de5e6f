"""Figures for tests: some of a small world, and some for every metric of the catalogue."""

from __future__ import annotations

from restorecheck.metrics.catalogue import METRICS
from restorecheck.metrics.figures import Figures

NOW = 1_795_230_000.0
"""An instant in November 2026."""


def full() -> Figures:
    """Return one value for every metric of the catalogue."""
    figures = Figures()
    for metric in METRICS.values():
        figures.put(metric.name, 1.0, *(f"some-{label}" for label in metric.labels))
    return figures


def world(*checks: str, **said: float) -> Figures:
    """Return checks that all passed an hour ago, of a service that is well. `said` replaces values of the first."""
    figures = Figures()
    figures.put("store_up", 1)
    figures.put("checks", len(checks), "true")
    figures.put("checks", 0, "false")
    for check in checks:
        figures.put("check_info", 1, check, "rds", "postgres", "orders", "false")
        values = {
            "check_first_seen_timestamp_seconds": NOW - 30 * 86_400,
            "check_expected_interval_seconds": 86_400.0,
            "check_paused_until_timestamp_seconds": 0.0,
            "check_rpo_objective_seconds": 86_400.0,
            "check_rto_objective_seconds": 3_600.0,
            "check_retention_seconds": 7 * 86_400.0,
            "run_last_completion_timestamp_seconds": NOW - 3_600,
            "run_last_success_timestamp_seconds": NOW - 3_600,
            "run_failures_in_a_row": 0.0,
            "recovery_point_timestamp_seconds": NOW - 7_200,
            **(said if check == checks[0] else {}),
        }
        for name, value in values.items():
            figures.put(name, value, check)
        for verdict in ("passed", "broken", "unproven"):
            figures.put("run_verdict", verdict == "passed", check, verdict)
        figures.put("run_duration_seconds", 600, check, "usable")
    return figures


def without(figures: Figures, name: str, *labels: str) -> Figures:
    """Return figures without one value."""
    found = Figures()
    for metric, values in figures:
        for key, value in values.items():
            if (metric.name, key) != (name, labels):
                found.put(metric.name, value, *key)
    return found
