"""When the alerts about accounts and about the service fire."""

from __future__ import annotations

from dataclasses import replace

from rules.of_checks import paused
from rules.series import FOREVER, GONE, ONE, TWO, Case, Series, of_check, told

PLACE = {"aws_account": "222222222222", "aws_region": "eu-central-1"}
LEAKED_LABELS = {**PLACE, "resource": "instance"}
LEAKED = (
    Case(
        "RestoreCheckResourceLeaked", "an instance is left for half an hour",
        (told("leaked_resources", (0, 5), (3, 45), 0, **LEAKED_LABELS),), 60, (35, 50), LEAKED_LABELS,
        "3 of the kind instance in account 222222222222, eu-central-1: it holds a copy of production data, and costs"
        " money.",
        ("leaked_resources",),
    ),
)  # fmt: skip

_SWEEP = "RestoreCheckSweepOverdue"
SWEPT = told("sweep_last_success_timestamp_seconds", (60, 400), 24000, **PLACE)
KNOWN = (
    told("leaked_resources", 0, **LEAKED_LABELS),
    told("leaked_resources", 3, **PLACE, resource="objects"),
)
SWEEP = (
    Case(
        _SWEEP, "no sweep is whole", (SWEPT,), 420, (377, 400), PLACE,
        "No sweep has seen all of account 222222222222, eu-central-1 for 6h 16m 0s: that nothing is left there is not"
        " known.",
        ("sweep_last_success_timestamp_seconds",),
    ),
    Case(
        _SWEEP, "no sweep was ever whole", (*KNOWN, replace(SWEPT, spans=((0, 390), (23400, 0)))), 420, (375, 390),
        PLACE,
        "No sweep has seen all of account 222222222222, eu-central-1 for 6h 0m 0s: that nothing is left there is not"
        " known.",
    ),
    Case(_SWEEP, "no sweep was ever made", KNOWN, 420, (375, 420), PLACE),
    Case(_SWEEP, "a place that was swept in the first minute", (*KNOWN, replace(SWEPT, spans=((30, 0),))), 375),
    Case(
        _SWEEP, "a place that is new",
        tuple(replace(one, spans=((GONE, 400), (0, 0))) for one in (*KNOWN, SWEPT)), 800, (775, 800), PLACE,
    ),
    Case(
        _SWEEP, "a place that was never seen whole left",
        tuple(replace(one, spans=((0, 370), (GONE, 0))) for one in KNOWN), 420,
    ),
    Case(
        _SWEEP, "nothing is told any more",
        tuple(replace(one, spans=((60, 30), (GONE, 0))) for one in (*KNOWN, SWEPT)), 500,
    ),
)  # fmt: skip

TRIPPED = (
    Case(
        "RestoreCheckSweepTripped", "too much had expired", (told("sweep_tripped", (0, 5), (1, 5), 0),), 20, (5, 10),
        {},
        "More has outlived its lease than a crash leaves behind. A person has to decide.", ("sweep_tripped",),
    ),
)  # fmt: skip

HALF = 30
COST = (
    Case(
        "RestoreCheckCostHigh", "more is spent within 30 days than the budget",
        (
            of_check("estimated_cost_usd", (0, 4 * HALF), 60),
            told("estimated_cost_usd", 20, check="users-db"),
            told("cost_budget_usd", 50),
        ),
        1500 * HALF, (6 * HALF, (4 + 1440) * HALF), {}, "The runs of 30 days cost about 60 USD.", step=HALF,
    ),
    Case(
        "RestoreCheckCostHigh", "together they spend more than the budget",
        (
            of_check("estimated_cost_usd", (0, 4), 30),
            told("estimated_cost_usd", (0, 4), 30, check="users-db"),
            told("cost_budget_usd", 50),
        ),
        90, (64, 90),
    ),
    Case(
        "RestoreCheckCostHigh", "they spend the budget and no more",
        (of_check("estimated_cost_usd", (0, 4), 50), told("cost_budget_usd", 50)), 90,
    ),
    Case("RestoreCheckCostHigh", "no budget is configured", (of_check("estimated_cost_usd", (0, 4), 60),), 90),
)  # fmt: skip

_DOWN = "RestoreCheckDown"
DOWN_SAID = "No process of the job restorecheck has answered a scrape for 15 minutes."
DOWN = (
    Case(_DOWN, "nobody answers scrapes", (told("up", (1, 6), (0, 24), 1),), 40, (21, 30), {}, DOWN_SAID),
    Case(_DOWN, "nobody is known to be scraped", (told("up", GONE),), 40, (15, 40)),
    Case(_DOWN, "one of two answers", (told("up", 0), replace(told("up", 1), replica=TWO)), 60, by_replica=True),
    Case(_DOWN, "another job answers", (told("up", 1, job="node"),), 40, (15, 40), by_replica=True),
)  # fmt: skip

_STALLED = "RestoreCheckSchedulerStalled"
STALLED = (
    Case(
        _STALLED, "one replica hangs, the other does not",
        (
            told("scheduler_last_tick_timestamp_seconds", (0, 20), 1200),
            replace(told("scheduler_last_tick_timestamp_seconds", *((60 * n, 1) for n in range(40))), replica=TWO),
        ),
        24, (11, 20), ONE, "10.0.0.1:9780 answers scrapes, but looked at its schedule 11m 0s ago.", by_replica=True,
    ),
)  # fmt: skip

STORE = (
    Case(
        "RestoreCheckStoreDown", "nobody can read the store", (told("store_up", (1, 6), (0, 24), 1),), 40, (16, 30), {},
        "No process could read the store for 10 minutes: nothing begins, and nothing is known of any check.",
    ),
    Case(
        "RestoreCheckStoreDown", "one of two can read the store",
        (told("store_up", 0), replace(told("store_up", 1), replica=TWO)), 40, by_replica=True,
    ),
    Case(
        "RestoreCheckStoreDown", "it is read now and then", (told("store_up", *(((0, 4), (1, 1)) * 8)),), 39,
    ),
)  # fmt: skip

_NONE = "RestoreCheckNoChecks"


def checks(enabled: str, *spans: tuple[float | None, int] | float) -> Series:
    return told("checks", *spans, enabled=enabled)


NONE = (
    Case(
        _NONE, "all checks are gone", (checks("true", (2, 5), (0, 25), 1), checks("false", 3)), 40, (20, 30), {},
        "A service that checks nothing reports no failure.",
    ),
    Case(_NONE, "all checks are paused", (checks("true", 0), checks("false", 1), paused(FOREVER)), 40),
    Case(_NONE, "a pause is over", (checks("true", 0), checks("false", 1), paused(600)), 40, (25, 40)),
    Case(_NONE, "there are checks", (checks("true", 1), checks("false", 0)), 40),
)  # fmt: skip

CONFIG = (
    Case(
        "RestoreCheckBadConfig", "one replica cannot read its configuration",
        (
            told("config_last_reload_successful", (1, 6), (0, 24), 1),
            replace(told("config_last_reload_successful", 1), replica=TWO),
        ),
        40, (21, 30), ONE, "10.0.0.1:9780 goes on with an older configuration than the one that is there.",
        by_replica=True,
    ),
)  # fmt: skip

_UNTOLD = "RestoreCheckNotificationsFailing"
RECEIVER = {"receiver": "pager"}
UNTOLD = (
    Case(
        _UNTOLD, "a notice does not arrive",
        (told("notification_oldest_pending_timestamp_seconds", (0, 1), (60, 39), 0, **RECEIVER),), 50, (22, 40),
        RECEIVER, "A notice to pager has waited for 21m 0s.",
    ),
    Case(_UNTOLD, "nothing waits", (told("notification_oldest_pending_timestamp_seconds", 0, **RECEIVER),), 50),
    Case(
        _UNTOLD, "it has waited since the first minute",
        (told("notification_oldest_pending_timestamp_seconds", 30, **RECEIVER),), 50, (21, 50), RECEIVER,
    ),
    Case(
        _UNTOLD, "the replicas see different ones",
        (
            told("notification_oldest_pending_timestamp_seconds", 60, **RECEIVER),
            replace(told("notification_oldest_pending_timestamp_seconds", 1200, **RECEIVER), replica=TWO),
        ),
        50, (22, 50), RECEIVER, by_replica=True,
    ),
)  # fmt: skip

PATH = (
    Case(
        "RestoreCheckAlertPathUnproven", "a receiver acknowledges nothing for eight days",
        (told("notification_last_proven_timestamp_seconds", (-691200, 70), 4200, **RECEIVER),), 80, (61, 70), RECEIVER,
        "pager acknowledged nothing for 8d 1h 1m 0s, although it is tried every week.",
        ("notification_last_proven_timestamp_seconds",),
    ),
)  # fmt: skip
