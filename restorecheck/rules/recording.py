"""What is computed once for all alerts and dashboards: one series for each check, whatever replica told of it.

`:last1h` is the newest value of the last hour: a process that dies right after a failure takes its series with it, and
must not end an alert by that. The maximum over replicas is right for instants: who has looked later knows more.
What stands here decides nothing about people: the alerts do.
"""

from __future__ import annotations

from dataclasses import dataclass

from restorecheck.metrics.catalogue import METRICS

REPLICA = "instance, pod, container, endpoint"
"""Labels that tell replicas apart. Each exports the same figures of checks, so they go before anything is compared."""

INFO = "kind, engine, owner, critical"
"""Labels of `check_info` besides `check`."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule."""

    name: str
    expr: str


def exported(name: str) -> str:
    """Return the name that Prometheus knows of a metric of the catalogue. Raises KeyError if there is none."""
    return METRICS[name].exported


def last(name: str) -> str:
    """Return the name of the recorded newest value of the last hour, by check."""
    return f"check:{exported(name)}:last1h"


def newest(name: str, phase: str = "") -> str:
    """Return the expression of the newest value of the last hour, the same of all replicas.

    An instant is the greatest that anybody told. Of what can go down, that is what those tell who tell something now:
    only when nobody does, what those told who are gone.
    """
    selector = exported(name) + (f'{{phase="{phase}"}}' if phase else "")
    labels = f"{REPLICA}, phase" if phase else REPLICA
    of_all = f"max without ({labels}) (last_over_time({selector}[1h]))"
    return of_all if name.endswith("_timestamp_seconds") else f"(max without ({labels}) ({selector}) or {of_all})"


PAUSED_AT = "check:restorecheck_check_paused_at_timestamp_seconds"
WATCHED_SINCE = "check:restorecheck_check_watched_since_timestamp_seconds"
FAILED = "check:restorecheck_run_failed_timestamp_seconds"
INFO_OF_CHECK = last("check_info")
COST = f"check:{exported('estimated_cost_usd')}:max"

_LAST = (
    "run_last_completion_timestamp_seconds",
    "run_last_success_timestamp_seconds",
    "run_last_verdict_timestamp_seconds",
    "run_refused_timestamp_seconds",
    "recovery_point_timestamp_seconds",
    "check_first_seen_timestamp_seconds",
    "check_expected_interval_seconds",
    "check_rpo_objective_seconds",
    "check_rto_objective_seconds",
    "check_retention_seconds",
)


def newer(*names: str) -> str:
    """Return the expression of the greatest of several series of the same labels, of which some may be missing."""
    told_apart = "\n  or\n".join(f'    label_replace({name}, "from", "{n}", "", "")' for n, name in enumerate(names))
    return f"max without (from) (\n{told_apart}\n)"


RECORDINGS = (
    *(Recording(last(name), newest(name)) for name in _LAST),
    # Which owner a check has may change: of several that were told within the hour, the one told last.
    Recording(
        INFO_OF_CHECK,
        f"group without () (topk without ({INFO}) (1,\n"
        f"  max without ({REPLICA}) (max_over_time(timestamp({exported('check_info')})[1h:1m]))\n"
        "))",
    ),
    # When a check was last seen to be paused. It remembers itself, as nobody exports when a pause ended.
    Recording(
        PAUSED_AT,
        f"  timestamp(max without ({REPLICA}) ({exported('check_paused_until_timestamp_seconds')}) > time())\n"
        "or\n"
        f"  last_over_time({PAUSED_AT}[1d])",
    ),
    # Since when a check owes runs: its first sight, or the end of its newest pause.
    Recording(WATCHED_SINCE, newer(last("check_first_seen_timestamp_seconds"), PAUSED_AT)),
    # The newest finished run of a check, by its verdict, if it did not pass.
    Recording(
        FAILED,
        f'  {last("run_last_verdict_timestamp_seconds")}{{verdict!="passed"}} > 0\n'
        "== ignoring (verdict) group_left ()\n"
        f"  max without (verdict) ({last('run_last_verdict_timestamp_seconds')})",
    ),
    # The replicas tell one count, kept in the store: as one series it goes on through restarts.
    Recording(COST, f"max without ({REPLICA}) ({exported('estimated_cost_usd')})"),
)
"""In this order: each may ask for what stands before it."""
