"""Which alerts there are: under what condition, how long it must last, how bad it is, and what is said.

Every condition about a check is built on instants that only grow, so that two replicas, a restart or a lagging scrape
cannot resolve an alert: what ends it is a run that passed. Nothing here knows who is told; Alertmanager's routes do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from restorecheck.rules.recording import (
    COST,
    FAILED,
    INFO,
    INFO_OF_CHECK,
    REPLICA,
    WATCHED_SINCE,
    exported,
    last,
    newer,
    newest,
)

JOB = "restorecheck"
"""The job under which Prometheus scrapes the service, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule. `for_` is a duration of Prometheus, empty: at once."""

    name: str
    expr: str
    for_: str
    severity: str  # critical: wakes somebody; warning: is looked at in the morning
    summary: str  # static
    description: str  # a template
    labels: dict[str, str] = field(default_factory=dict)


_SUCCESS = last("run_last_success_timestamp_seconds")
_POINT = last("recovery_point_timestamp_seconds")
_INTERVAL = last("check_expected_interval_seconds")
_RPO = last("check_rpo_objective_seconds")
_RTO = last("check_rto_objective_seconds")
_LEAKED = exported("leaked_resources")
_LOOKED = exported("sweep_last_success_timestamp_seconds")


def _down(job: str) -> Alert:
    return Alert(
        "RestoreCheckDown",
        f'absent(up{{job="{job}"}} == 1)',
        "15m",
        "critical",
        "Nothing is proving backups.",
        f"No process of the job {job} has answered a scrape for 15 minutes.",
        {"job": job},  # which `absent` of a comparison cannot tell
    )


_OF_CHECKS = (
    Alert(
        "RestoreCheckFailed",
        # The owner is a label where the check names one; without what is known of the check, it fires all the same.
        f"  {FAILED}\n"
        f"* ignoring (verdict, {INFO}) group_left (owner)\n"
        f"  {INFO_OF_CHECK}\n"
        "or ignoring (owner)\n"
        f"  {FAILED}",
        "",
        "critical",
        "The newest run of a check did not pass.",
        "Check {{ $labels.check }} is {{ $labels.verdict }}, by its run that ended at {{ $value | humanizeTimestamp }}."
        ' {{ if eq $labels.verdict "broken" }}This backup cannot be trusted.'
        "{{ else }}Whether this backup can be restored is not known.{{ end }}",
    ),
    Alert(
        "RestoreCheckOverdue",
        # A check that is new, or was paused, owes its first pass from then on.
        f"time() - {newer(_SUCCESS, WATCHED_SINCE)}\n> 2 * {_INTERVAL} + {_RTO}",
        "15m",
        "critical",
        "No run of a check has passed for two of its intervals.",
        "Check {{ $labels.check }} has not passed for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "RestoreCheckRecoveryPointTooOld",
        f"time() - {newer(_POINT, WATCHED_SINCE)}\n> {_RPO} + {_INTERVAL} + {_RTO}",
        "15m",
        "critical",
        "The newest backup that a run has proved is older than rpo, interval and rto together.",
        "If check {{ $labels.check }} had to be restored now, what is proved is {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        "RestoreCheckProofStale",
        f"time() - ({_POINT} or {last('check_first_seen_timestamp_seconds')})\n"
        f"> 0.7 * {last('check_retention_seconds')}",
        "15m",
        "critical",
        "The newest backup that a run has proved will soon be deleted: 70 % of its retention is over.",
        "The proved recovery point of check {{ $labels.check }} is {{ $value | humanizeDuration }} old, more than 70 %"
        " of the time for which recovery points are kept.",
    ),
    Alert(
        "RestoreCheckTooSlow",
        f"{newest('run_duration_seconds', 'usable')}\n> {_RTO}",
        "",
        "warning",
        "The newest restore took longer than its objective.",
        "Check {{ $labels.check }} took {{ $value | humanizeDuration }} until its data could be read.",
    ),
    Alert(
        "RestoreCheckStuck",
        f"time() - max without ({REPLICA}) ({exported('run_in_progress_start_timestamp_seconds')} > 0)\n> 3 * {_RTO}",
        "15m",
        "warning",
        "A run goes on for more than three times the objective of its restore.",
        "The run of check {{ $labels.check }} goes on for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "RestoreCheckFlapping",
        f"{newest('check_recent_flips')} >= 4",
        "",
        "warning",
        "A check keeps changing its verdict.",
        "Check {{ $labels.check }} changed its verdict {{ $value }} times in its last 10 runs.",
    ),
    Alert(
        "RestoreCheckFenceRefused",
        f"{last('run_refused_timestamp_seconds')}\n>= {last('run_last_completion_timestamp_seconds')}",
        "",
        "warning",
        "The fence refused a call of the newest run of a check.",
        "A run of check {{ $labels.check }} tried what it may not do; nothing was sent. It is a wrong configuration, or"
        " a bug.",
    ),
)

_OF_ACCOUNTS = (
    Alert(
        "RestoreCheckResourceLeaked",
        f"{newest('leaked_resources')} > 0",
        "30m",
        "warning",
        "Something that a run restored was not deleted.",
        "{{ $value }} of the kind {{ $labels.resource }} in account {{ $labels.aws_account }},"
        " {{ $labels.aws_region }}: it holds a copy of production data, and costs money.",
    ),
    Alert(
        "RestoreCheckSweepOverdue",
        # A place of which leaks have been told for six hours, and of which no sweep ever saw all, counts as well.
        f"  time() - ({newest('sweep_last_success_timestamp_seconds')} > 0) > 21600\n"
        "or\n"
        f"  21600 * group without ({REPLICA}, resource) ({_LEAKED} offset 6h)\n"
        f"  and group without ({REPLICA}, resource) ({_LEAKED})\n"
        f"  unless max without ({REPLICA}) ({_LOOKED}) > 0",
        "15m",
        "warning",
        "Nobody has looked for what runs left behind.",
        "No sweep has seen all of account {{ $labels.aws_account }}, {{ $labels.aws_region }} for"
        " {{ $value | humanizeDuration }}: that nothing is left there is not known.",
    ),
    Alert(
        "RestoreCheckSweepTripped",
        f"{newest('sweep_tripped')} == 1",
        "",
        "warning",
        "The sweep deleted nothing, because too much had expired.",
        "More has outlived its lease than a crash leaves behind. A person has to decide.",
    ),
    Alert(
        "RestoreCheckCostHigh",
        f"sum without (check) (increase({COST}[30d]))\n> max without ({REPLICA}) ({exported('cost_budget_usd')})",
        "1h",
        "warning",
        "Restores cost more than their budget.",
        'The runs of 30 days cost about {{ printf "%.0f" $value }} USD.',
    ),
)

_OF_THE_SERVICE = (
    Alert(
        "RestoreCheckSchedulerStalled",
        f"time() - {exported('scheduler_last_tick_timestamp_seconds')} > 300",
        "5m",
        "critical",
        "A process does not look at what is due.",
        "{{ $labels.instance }} answers scrapes, but looked at its schedule {{ $value | humanizeDuration }} ago.",
    ),
    Alert(
        "RestoreCheckStoreDown",
        f"max without ({REPLICA}) (max_over_time({exported('store_up')}[5m])) == 0",
        "5m",
        "critical",
        "The store cannot be read.",
        "No process could read the store for 10 minutes: nothing begins, and nothing is known of any check.",
    ),
    Alert(
        "RestoreCheckNoChecks",
        # That somebody has paused every check is a decision; that there is none is a mistake.
        f'max without ({REPLICA}, enabled) ({exported("checks")}{{enabled="true"}}) == 0\n'
        f"unless max without ({REPLICA}, check) ({exported('check_paused_until_timestamp_seconds')}) > time()",
        "15m",
        "critical",
        "The service runs, and there is no check for it to run.",
        "A service that checks nothing reports no failure.",
    ),
    Alert(
        "RestoreCheckBadConfig",
        f"max_over_time({exported('config_last_reload_successful')}[5m]) == 0",
        "10m",
        "warning",
        "The configuration could not be read again.",
        "{{ $labels.instance }} goes on with an older configuration than the one that is there.",
    ),
    Alert(
        "RestoreCheckNotificationsFailing",
        f"time() - min without ({REPLICA}) ({exported('notification_oldest_pending_timestamp_seconds')} > 0) > 900",
        "5m",
        "critical",
        "Somebody who should be told cannot be reached.",
        "A notice to {{ $labels.receiver }} has waited for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "RestoreCheckAlertPathUnproven",
        f"time() - {newest('notification_last_proven_timestamp_seconds')} > 691200",
        "1h",
        "critical",
        "It is not known whether notices still arrive.",
        "{{ $labels.receiver }} acknowledged nothing for {{ $value | humanizeDuration }}, although it is tried every"
        " week.",
    ),
)


def alerts(jobs: tuple[str, ...] = (JOB,)) -> tuple[Alert, ...]:
    """Return all alerts; of the one that says that nobody answers, one for each job."""
    return (*_OF_CHECKS, *_OF_ACCOUNTS, *map(_down, jobs), *_OF_THE_SERVICE)
