"""Every metric that restorecheck exports: name, type, labels and meaning. Data, and nothing else.

What is not here is exported by nobody, and asked for by no rule and no dashboard: tests hold all three together.
No label has a run id, an ARN of a snapshot, an error's text or a query: the number of series follows from what is
declared. Instants are Unix times in seconds: how long ago something was is for who asks to say, because a gauge of an
age stands still while nobody updates it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "restorecheck_"

PHASES = ("find", "restore", "usable", "examine", "teardown")
"""Phases of a run. `usable` is from the first call that makes something to the first answered query: rto bounds it."""

VERDICTS = ("passed", "broken", "unproven")

LEFTOVERS = ("instance", "cluster", "snapshot", "cluster-snapshot", "objects", "other")
"""Kinds of what may be left of a run."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is without PREFIX, and of a counter without `_total`."""

    name: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    help: str

    @property
    def exported(self) -> str:
        """The name by which Prometheus knows it."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


def _gauge(name: str, labels: str, text: str) -> Metric:
    return Metric(name, "gauge", tuple(labels.split()), text)


def _counter(name: str, labels: str, text: str) -> Metric:
    return Metric(name, "counter", tuple(labels.split()), text)


_OF_CHECKS = (
    _gauge("check_info", "check kind engine owner critical", "1 for every declared check, with what it is."),
    _gauge("check_first_seen_timestamp_seconds", "check", "When this check was first seen in a configuration."),
    _gauge(
        "check_expected_interval_seconds",
        "check",
        "Longest time between two runs that the schedule asks for. Checks with a schedule only.",
    ),
    _gauge("check_next_run_timestamp_seconds", "check", "When the next run may begin. Checks with a schedule only."),
    _gauge(
        "check_paused_until_timestamp_seconds",
        "check",
        "Until when an operator has paused the check; +Inf until somebody resumes it, 0 if it is not paused.",
    ),
    _gauge(
        "check_rpo_objective_seconds",
        "check",
        "How old the newest recovery point may be. Checks that take the newest only.",
    ),
    _gauge("check_rto_objective_seconds", "check", "How long a restore may take."),
    _gauge(
        "check_retention_seconds",
        "check",
        "How long recovery points are kept, where a check that takes the newest declares it.",
    ),
    _gauge("check_recent_flips", "check", "Changes of the verdict in the last 10 runs."),
)

_OF_RUNS = (
    _gauge("run_last_start_timestamp_seconds", "check", "When the newest finished run began."),
    _gauge("run_last_completion_timestamp_seconds", "check", "When the newest finished run ended."),
    _gauge("run_last_success_timestamp_seconds", "check", "When the newest run that passed ended."),
    _gauge(
        "run_last_verdict_timestamp_seconds",
        "check verdict",
        "When the newest run with this verdict ended; 0 if there was none.",
    ),
    _gauge("run_success", "check", "1 if the newest finished run passed, else 0. Rules use the times."),
    _gauge(
        "run_verdict", "check verdict", "1 for the verdict of the newest finished run, else 0. Rules use the times."
    ),
    _gauge("run_failures_in_a_row", "check", "Finished runs since the newest that passed."),
    _gauge("run_duration_seconds", "check phase", "How long each phase of the newest finished run took."),
    _gauge("run_in_progress_start_timestamp_seconds", "check", "When the run that goes on now began; 0 if none does."),
    _gauge("run_refused_timestamp_seconds", "check", "When a run last ended in which the fence refused a call, or 0."),
    _gauge("restored_bytes", "check", "How much the newest finished run restored, as far as it is known."),
    _gauge("recovery_point_timestamp_seconds", "check", "When the newest backup was made that a run has proved."),
    _gauge("newest_backup_timestamp_seconds", "check", "When the newest backup that a run found was made."),
    _counter("runs", "check verdict", "Finished runs."),
    _counter("runs_missed", "check", "Times of the schedule at which no run began."),
    _counter("estimated_cost_usd", "check", "What runs held, times the configured prices, if those are in USD."),
)

_OF_ASSERTIONS = (
    _gauge("assertion_success", "check assertion", "1 if the assertion held in the newest finished run, else 0."),
    _gauge("assertion_value", "check assertion", "What was measured in the newest finished run, if it is a number."),
    _gauge("assertion_duration_seconds", "check assertion", "How long the answer took in the newest finished run."),
    _gauge("assertion_info", "check assertion kind severity", "1 for every declared assertion, with what it is."),
)

_OF_ACCOUNTS = (
    _gauge(
        "leaked_resources",
        "aws_account aws_region resource",
        "What the last sweep saw that should not be there any more.",
    ),
    _gauge(
        "sweep_last_success_timestamp_seconds",
        "aws_account aws_region",
        "When a sweep last saw everything in this account and region; 0 if sweeps look there and none ever did.",
    ),
    _gauge("sweep_tripped", "", "1 if the last sweep deleted nothing because too much had expired, else 0."),
    _gauge("cost_budget_usd", "", "What restores may cost in 30 days, where a budget is configured."),
    _counter("aws_api_requests", "api", "Calls to AWS that this process sent, each try counted."),
    _counter(
        "aws_api_request_failures",
        "api reason",
        "Calls to AWS of this process that failed, by failure kind; `refused`: not sent.",
    ),
)

_OF_THE_SERVICE = (
    _gauge("build_info", "version", "1, with the version that runs."),
    _gauge("checks", "enabled", "Declared checks: with a schedule and not paused, and others."),
    _gauge("replicas", "", "Serving processes that are alive."),
    _gauge("scheduler_last_tick_timestamp_seconds", "", "When this process last looked at what is due."),
    _gauge("run_queue_length", "", "Runs that are due and have not begun."),
    _gauge("config_last_reload_successful", "", "1 if this process could read the configuration when it last tried."),
    _gauge("config_last_reload_success_timestamp_seconds", "", "When this process last read the configuration."),
    _gauge("store_up", "", "1 if the store could be read for this scrape, else 0: then nothing is said of checks."),
    _gauge("notifications_pending", "receiver", "Notices that have not arrived yet."),
    _gauge(
        "notification_oldest_pending_timestamp_seconds",
        "receiver",
        "Since when the oldest notice waits that has not arrived; 0 if none does.",
    ),
    _gauge(
        "notification_last_proven_timestamp_seconds",
        "receiver",
        "When this receiver last acknowledged a notice (if it cannot: took one), or was first configured.",
    ),
    _counter("notifications", "receiver", "Notices that were tried to be sent."),
    _counter("notifications_failed", "receiver reason", "Tries that failed."),
)

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (*_OF_CHECKS, *_OF_RUNS, *_OF_ASSERTIONS, *_OF_ACCOUNTS, *_OF_THE_SERVICE)
}
"""All metrics, by their names without PREFIX."""

REASONS = ("refused", "timeout", "rejected", "rate-limited", "server-error", "configuration")
"""Why a try to send a notice fails: connection refused or broken; no answer in time; 4xx; 429; 5xx; an address that is
none, or a missing library."""
