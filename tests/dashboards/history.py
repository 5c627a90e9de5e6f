"""A made-up week of a fleet, as Prometheus would have scraped it: what every check did, and what was exported of it.

Two replicas tell the same of the checks; the pod of one is replaced in the middle of the week. Once the store cannot be
read for four hours. All instants are fixed, so what a panel must answer can be counted by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

from restorecheck.metrics.catalogue import LEFTOVERS, METRICS, VERDICTS
from restorecheck.metrics.figures import Figures

INFINITE = float("inf")
MINUTE, HOUR, DAY = 60, 3600, 86_400
END = int(datetime(2026, 11, 21, 8, tzinfo=UTC).timestamp())
START = END - 7 * DAY
STEP = 30 * MINUTE
LOOKBACK = 45 * MINUTE
TONIGHT = END - 5 * HOUR  # 03:00
SILENT = (END - 5 * DAY, END - 5 * DAY + 4 * HOUR)
"""When the store could not be read."""

REPLACED = END - 3 * DAY
"""When one pod ended and another took its place."""

JOB = "restorecheck"
ACCOUNT = "111122223333"
INSTANCES = ("10.0.0.1:9180", "10.0.0.2:9180", "10.0.0.3:9180")
_VERDICT = {"P": "passed", "B": "broken", "U": "unproven"}


@dataclass(frozen=True)
class Run:
    """One finished run."""

    ended: int
    verdict: str
    usable: int
    rows: int

    @property
    def begun(self) -> int:
        return self.ended - self.usable - 10 * MINUTE


@dataclass(frozen=True)
class Told:
    """One check of the week."""

    name: str
    runs: tuple[Run, ...]
    kind: str = "rds-snapshot"
    engine: str = "postgres"
    owner: str = "orders"
    critical: bool = False
    interval: int | None = DAY
    rpo: int = 25 * HOUR
    rto: int = 2 * HOUR
    retention: int | None = None
    paused_until: float = 0
    first_seen: int = START - 30 * DAY
    running_since: int = 0


def _nightly(letters: str, *, usable: int = 40 * MINUTE, slower: int = 0) -> tuple[Run, ...]:
    """Return a run for each letter, the last of them tonight's; `-` is a night without one."""
    first = TONIGHT - (len(letters) - 1) * DAY
    return tuple(
        Run(first + night * DAY, _VERDICT[letter], usable + night * slower, 1_000_000 + 1000 * night)
        for night, letter in enumerate(letters)
        if letter != "-"
    )


FLEET = (
    Told("orders-db", _nightly("PPPPPPPPP"), critical=True, retention=14 * DAY),
    Told("billing-db", _nightly("PPPPPPPPP", slower=12 * MINUTE), "aurora-snapshot", "mysql", "billing"),
    Told("users-db", _nightly("PPPPPPPBB"), retention=7 * DAY),
    Told("ledger-db", _nightly("PPPPPPPPB"), owner="billing", critical=True),
    Told("events-db", _nightly("PPPPPPPPU")),
    Told("reports-db", _nightly("PPPPP----")),
    Told(
        "archive-bucket",
        tuple(Run(TONIGHT - days * DAY, "passed", HOUR, 500) for days in (13, 6)),
        "s3-objects",
        "duckdb",
        interval=7 * DAY,
        rpo=8 * DAY,
    ),
    Told(
        "exports-bucket",
        tuple(Run(TONIGHT - hours * HOUR, "passed", 20 * MINUTE, 800) for hours in range(186, -1, -6)),
        "s3-objects",
        "duckdb",
        interval=6 * HOUR,
        running_since=END - 20 * MINUTE,
    ),
    Told("legacy-dump", _nightly("PPPP-----"), "s3-dump", paused_until=INFINITE),
    Told("crm-dump", _nightly("PBPUPBPBP"), "s3-dump"),
    Told("new-db", (), first_seen=END - 2 * HOUR),
    Told("manual-db", (Run(TONIGHT - 3 * DAY, "passed", 30 * MINUTE, 700),), interval=None),
)

COST_OF_A_RUN = 0.75


@cache
def _of_a_check(check: Told, count: int, *, running: bool, late: bool) -> Figures:
    """Return what is told of a check after so many of its runs. `late`: tonight has begun."""
    figures, name, done = Figures(), check.name, check.runs[:count]
    passed = [run for run in done if run.verdict == "passed"]
    put = figures.put
    put("check_info", 1, name, check.kind, check.engine, check.owner, "true" if check.critical else "false")
    put("check_first_seen_timestamp_seconds", check.first_seen, name)
    if check.interval is not None:
        put("check_expected_interval_seconds", check.interval, name)
        put("check_next_run_timestamp_seconds", (done[-1].begun if done else check.first_seen) + check.interval, name)
    put("check_paused_until_timestamp_seconds", check.paused_until, name)
    put("check_rpo_objective_seconds", check.rpo, name)
    put("check_rto_objective_seconds", check.rto, name)
    if check.retention is not None:
        put("check_retention_seconds", check.retention, name)
    last = [run.verdict for run in done[-10:]]
    put("check_recent_flips", sum(a != b for a, b in pairwise(last)), name)
    put("run_in_progress_start_timestamp_seconds", check.running_since if running else 0, name)
    refused = [run.ended for run in done if name == "events-db" and run.verdict == "unproven"]
    put("run_refused_timestamp_seconds", max(refused, default=0), name)
    put("run_failures_in_a_row", sum(run.ended > (passed[-1].ended if passed else 0) for run in done), name)
    put("runs_missed", 3 if name == "reports-db" and late else 0, name)
    put("estimated_cost_usd", COST_OF_A_RUN * len(done), name)
    for verdict in VERDICTS:
        ended = [run.ended for run in done if run.verdict == verdict]
        put("run_last_verdict_timestamp_seconds", ended[-1] if ended else 0, name, verdict)
        put("run_verdict", bool(done) and done[-1].verdict == verdict, name, verdict)
        put("runs", len(ended), name, verdict)
    _of_assertions(figures, check, done[-1] if done else None)
    if passed:
        put("run_last_success_timestamp_seconds", passed[-1].ended, name)
        put("recovery_point_timestamp_seconds", passed[-1].begun - 2 * HOUR, name)
    if done:
        _of_the_newest_run(figures, name, done[-1])
    return figures


def _of_the_newest_run(figures: Figures, name: str, run: Run) -> None:
    put = figures.put
    put("run_last_start_timestamp_seconds", run.begun, name)
    put("run_last_completion_timestamp_seconds", run.ended, name)
    put("run_success", run.verdict == "passed", name)
    put("restored_bytes", run.rows * 1000, name)
    put("newest_backup_timestamp_seconds", run.begun - 2 * HOUR, name)
    phases = {"find": 20, "restore": run.usable - 60, "usable": run.usable, "examine": 400, "teardown": 180}
    for phase, seconds in phases.items():
        put("run_duration_seconds", seconds, name, phase)


def _of_assertions(figures: Figures, check: Told, run: Run | None) -> None:
    for assertion, kind in (("rows-present", "query"), ("readable", "readable")):
        figures.put("assertion_info", 1, check.name, assertion, kind, "fail")
        if run is None:
            continue
        figures.put("assertion_success", run.verdict == "passed" or kind == "readable", check.name, assertion)
        figures.put("assertion_duration_seconds", 3, check.name, assertion)
        if kind == "query":
            figures.put("assertion_value", run.rows, check.name, assertion)


@cache
def _of_the_world(at: int) -> Figures:
    figures = Figures()
    put = figures.put
    for region in ("eu-central-1", "us-east-1", "eu-west-1"):
        for resource in LEFTOVERS:
            put("leaked_resources", 0, ACCOUNT, region, resource)
        put("sweep_last_success_timestamp_seconds", 0 if region == "eu-west-1" else at - 20 * MINUTE, ACCOUNT, region)
    put("leaked_resources", 1, ACCOUNT, "eu-central-1", "instance")
    put("leaked_resources", 2, ACCOUNT, "us-east-1", "snapshot")
    put("sweep_tripped", 0)
    put("cost_budget_usd", 100)
    put("replicas", 2)
    put("run_queue_length", 1)
    put("checks", 10, "true")
    put("checks", 2, "false")
    for receiver, waiting in (("ops", 0), ("mail", 1)):
        put("notifications_pending", waiting, receiver)
        put("notification_oldest_pending_timestamp_seconds", waiting and END - 30 * MINUTE, receiver)
        put("notification_last_proven_timestamp_seconds", START - (9 * DAY if waiting else -6 * DAY), receiver)
        put("notifications", (at - START) // HOUR, receiver)
    put("notifications_failed", (at - START) // (12 * HOUR), "mail", "timeout")
    return figures


def _of_a_process(at: int, since: int, readable: bool) -> Figures:
    figures = Figures()
    figures.put("build_info", 1, "0.1.0")
    figures.put("scheduler_last_tick_timestamp_seconds", at - 5)
    figures.put("config_last_reload_successful", 1)
    figures.put("config_last_reload_success_timestamp_seconds", since)
    figures.put("store_up", readable)
    figures.put("aws_api_requests", (at - since) // 10, "rds:DescribeDBInstances")
    figures.put("aws_api_request_failures", (at - since) // 600, "rds:DescribeDBInstances", "throttled")
    return figures


def figures(at: int, since: int) -> Figures:
    """Return what a process that began at `since` exported at an instant."""
    readable = not SILENT[0] <= at < SILENT[1]
    told = _of_a_process(at, since, readable)
    if readable:
        for check in FLEET:
            if check.first_seen <= at:
                count = sum(run.ended <= at for run in check.runs)
                running = 0 < check.running_since <= at
                told.merge(_of_a_check(check, count, running=running, late=at > TONIGHT))
        told.merge(_of_the_world(at))
    return told


def _processes(at: int) -> Iterator[tuple[str, str, int]]:
    """Yield the instance, the pod and the beginning of every process that lived at an instant."""
    yield INSTANCES[0], "restorecheck-0", START - DAY
    if at < REPLACED:
        yield INSTANCES[1], "restorecheck-1a", START - DAY
    else:
        yield INSTANCES[2], "restorecheck-1b", REPLACED


def write(path: Path) -> None:
    """Write the week as OpenMetrics text. Samples of one family stand together, those of a series in their order."""
    families: dict[str, dict[str, list[str]]] = {}
    up: dict[str, list[str]] = {}
    for at in range(START, END + 1, STEP):
        for instance, pod, since in _processes(at):
            of_process = f'instance="{instance}",job="{JOB}",pod="{pod}"'
            up.setdefault(f"up{{{of_process}}}", []).append(f"1 {at}")
            for metric, values in figures(at, since):
                family = families.setdefault(metric.name, {})
                for labels, value in values.items():
                    pairs = [f'{name}="{text}"' for name, text in zip(metric.labels, labels, strict=True)]
                    series = f"{metric.exported}{{{','.join([*pairs, of_process])}}}"
                    family.setdefault(series, []).append(f"{'+Inf' if value == INFINITE else repr(value)} {at}")
    with path.open("w") as out:
        for name, family in [*families.items(), ("up", up)]:
            kind = METRICS[name].kind if name in METRICS else "gauge"
            out.write(f"# TYPE {METRICS[name].exported.removesuffix('_total') if name in METRICS else name} {kind}\n")
            for series, samples in family.items():
                out.writelines(f"{series} {sample}\n" for sample in samples)
        out.write("# EOF\n")
