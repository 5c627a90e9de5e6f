"""Figures of runs and of what their assertions came to. Pure.

A figure of the newest run that it does not have, because it broke off before, is left out: the one of the run before
would pass for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.config import Config
from restorecheck.metrics.catalogue import VERDICTS
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.proved import Proved
from restorecheck.metrics.standing import Kept, passes
from restorecheck.model import Check, Verdict
from restorecheck.store.standings import Standing


def put(figures: Figures, config: Config, kept: Kept) -> None:
    """Put in the figures of all runs."""
    for check in config.checks:
        standing = kept.standings[check.name]
        _put_history(figures, check.name, standing)
        _put_points(figures, check, standing, kept)
        if standing.last is not None:
            _put_last(figures, check.name, standing)
            if proof := kept.proofs.get(standing.last.run_id):
                _put_proof(figures, check, proof)
        _put_counts(figures, config, check.name, kept)


def _put_history(figures: Figures, name: str, standing: Standing) -> None:
    for verdict in VERDICTS:
        run = standing.newest.get(Verdict(verdict))
        ended = run.ended.timestamp() if run else 0
        figures.put("run_last_verdict_timestamp_seconds", ended, name, verdict)
        if run and verdict == Verdict.PASSED:
            figures.put("run_last_success_timestamp_seconds", ended, name)
    figures.put("run_failures_in_a_row", standing.failures, name)
    began, refused = standing.begun, standing.refused
    figures.put("run_in_progress_start_timestamp_seconds", began.timestamp() if began else 0, name)
    figures.put("run_refused_timestamp_seconds", refused.timestamp() if refused else 0, name)


def _put_last(figures: Figures, name: str, standing: Standing) -> None:
    last = standing.recent[0]
    figures.put("run_last_start_timestamp_seconds", last.started.timestamp(), name)
    figures.put("run_last_completion_timestamp_seconds", last.ended.timestamp(), name)
    figures.put("run_success", last.verdict is Verdict.PASSED, name)
    for verdict in VERDICTS:
        figures.put("run_verdict", last.verdict == verdict, name, verdict)


def _put_points(figures: Figures, check: Check, standing: Standing, kept: Kept) -> None:
    proven = [p.point_at for run in passes(check, standing) if (p := kept.proofs.get(run.run_id)) and p.point_at]
    if proven:
        figures.put("recovery_point_timestamp_seconds", max(proven).timestamp(), check.name)
    if found := next((p.newest_at for p in _proofs(standing, kept) if p.newest_at), None):
        figures.put("newest_backup_timestamp_seconds", found.timestamp(), check.name)


def _proofs(standing: Standing, kept: Kept) -> Iterator[Proved]:
    """Yield the proofs of a check, the newest first: a run that broke off early found no recovery point."""
    passed = standing.newest.get(Verdict.PASSED)
    for run in (*standing.recent, *((passed,) if passed else ())):
        if proof := kept.proofs.get(run.run_id):
            yield proof


def _put_proof(figures: Figures, check: Check, proof: Proved) -> None:
    for phase, seconds in proof.phases.items():
        figures.put("run_duration_seconds", seconds, check.name, phase)
    if proof.restored_bytes is not None:
        figures.put("restored_bytes", proof.restored_bytes, check.name)
    for assertion in check.assertions:
        if (answered := proof.answered.get(assertion.name)) is None:
            continue  # it was not asked, or was not declared yet
        figures.put("assertion_success", answered.held, check.name, assertion.name)
        figures.put("assertion_duration_seconds", answered.seconds, check.name, assertion.name)
        if answered.value is not None:
            figures.put("assertion_value", answered.value, check.name, assertion.name)


def _put_counts(figures: Figures, config: Config, name: str, kept: Kept) -> None:
    """Put in what was counted, from 0 on: a counter that begins with its first count hides that one."""
    runs, missed = kept.counters.get("runs", {}), kept.counters.get("runs_missed", {})
    for verdict in VERDICTS:
        figures.put("runs", runs.get((name, verdict), 0), name, verdict)
    figures.put("runs_missed", missed.get((name,), 0), name)
    if config.prices is not None and config.prices.currency == "USD":
        costs = kept.counters.get("estimated_cost_usd", {})
        figures.put("estimated_cost_usd", costs.get((name,), 0), name)
