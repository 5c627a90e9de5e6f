"""The part of the fleet's dashboard that is about the service itself: is it there, and can it reach people."""

from __future__ import annotations

from typing import Any

from boards.look import (
    DAY,
    GREEN,
    NONE_IS_FINE,
    RED,
    SOME_ARE_FINE,
    SOME_IS_NEWS,
    YELLOW,
    YES_NO,
    Ask,
    Column,
    Look,
)
from boards.panels import lines, number, rows
from boards.queries import FLEET

ENABLED = 'enabled="true"'
PENDING_AGE = ((0, GREEN), (300, YELLOW), (900, RED))  # RestoreCheckNotificationsFailing
PROOF_AGE = ((0, GREEN), (7 * DAY, YELLOW), (8 * DAY, RED))  # RestoreCheckAlertPathUnproven
TICK_AGE = ((0, GREEN), (120, YELLOW), (300, RED))  # RestoreCheckSchedulerStalled


def told() -> tuple[str, list[Any]]:
    """Return the section about receivers."""

    def of_each(question: str) -> str:
        return f"max by (job, receiver) ({question})"

    oldest = FLEET.last("notification_oldest_pending_timestamp_seconds")
    return "Telling people", [
        rows(
            "Receivers",
            "Whether notices arrive. A path without proof for eight days fires RestoreCheckAlertPathUnproven.",
            ["receiver"],
            [
                Column("Pending", of_each(FLEET.last("notifications_pending")), steps=NONE_IS_FINE, decimals=0),
                Column(
                    "Oldest pending",
                    of_each(f"(time() - {oldest}) * ({oldest} > bool 0)"),
                    "s",
                    steps=PENDING_AGE,
                ),
                Column(
                    "Tries",
                    f"sum by (job, receiver) ({FLEET.grown('notifications', '$__range', '5m')})",
                    decimals=0,
                ),
                Column(
                    "Tries failed",
                    f"sum by (job, receiver) ({FLEET.grown('notifications_failed', '$__range', '5m')})",
                    decimals=0,
                    nothing="0",
                ),
                Column(
                    "Last acknowledged",
                    of_each(f"time() - {FLEET.last('notification_last_proven_timestamp_seconds')}"),
                    "s",
                    steps=PROOF_AGE,
                    nothing="never",
                ),
            ],
            width=12,
            after=["job"],
            sort=("Oldest pending", True),
            nothing="no receiver is configured",
        ),
        lines(
            "Tries that failed",
            "Notices that could not be sent, by receiver and reason, within each step. They are tried again until they "
            "arrive.",
            [
                Ask(
                    f"sum by (receiver, reason) ({FLEET.grown('notifications_failed', '$__interval', '1m')})",
                    "{{receiver}}: {{reason}}",
                    "5m",
                )
            ],
            Look(nothing="no try has failed", decimals=0),
        ),
    ]


def service() -> tuple[str, list[Any]]:
    """Return the section about the processes."""
    return "The service", [
        number(
            "Processes up",
            "Processes that Prometheus could scrape. At 0 nothing verifies backups.",
            'sum(up{job=~"$job"})',
            Look(steps=SOME_ARE_FINE),
        ),
        number(
            "Serving",
            "Serving processes by their heartbeat in the store.",
            f"sum({FLEET.last('replicas')})",
            Look(steps=SOME_ARE_FINE),
        ),
        number(
            "Last tick",
            "How long ago the process that waits longest last looked at what is due. A process that stands still "
            "answers scrapes all the same.",
            f"max(time() - {FLEET.series('scheduler_last_tick_timestamp_seconds')})",
            Look(unit="s", steps=TICK_AGE),
        ),
        number(
            "Configuration",
            "Whether every process could read the configuration when it last tried.",
            f"min({FLEET.series('config_last_reload_successful')})",
            Look(words={1: ("read", GREEN), 0: ("refused", RED)}),
        ),
        number(
            "Store",
            "Whether every process could read the store: if not, nothing is said of checks.",
            f"min({FLEET.series('store_up')})",
            Look(words=YES_NO),
        ),
        number(
            "Waiting to begin",
            "Runs that are due and have not begun.",
            f"sum({FLEET.last('run_queue_length')})",
            Look(nothing="no data"),
        ),
        number(
            "Enabled checks",
            "Checks with a schedule that are not paused.",
            f"sum({FLEET.last('checks', ENABLED)})",
            Look(steps=SOME_ARE_FINE),
        ),
        number(
            "Missed",
            "Times of the schedule within the time range at which no run began.",
            f"sum({FLEET.grown('runs_missed', '$__range', '5m')})",
            Look(steps=SOME_IS_NEWS, decimals=0),
        ),
        lines(
            "Calls to AWS",
            "Calls a second, by operation.",
            [Ask(f"sum by (api) (rate({FLEET.series('aws_api_requests')}[$__rate_interval]))", "{{api}}")],
            Look(unit="reqps", nothing="no call yet"),
            width=8,
        ),
        lines(
            "Calls to AWS that failed",
            "Calls a second that failed, by operation and reason: throttling explains many an unproven run.",
            [
                Ask(
                    f"sum by (api, reason) (rate({FLEET.series('aws_api_request_failures')}[$__rate_interval]))",
                    "{{api}}: {{reason}}",
                )
            ],
            Look(unit="reqps", nothing="no call has failed"),
            width=8,
        ),
        rows(
            "Versions",
            "What runs, and since when each process has its configuration.",
            ["instance", "version"],
            [
                Column("", f"max by (instance, version) ({FLEET.series('build_info')})"),
                Column(
                    "Configuration read",
                    f"max by (instance) ({FLEET.series('config_last_reload_success_timestamp_seconds')}) * 1000",
                    "dateTimeFromNow",
                ),
            ],
            width=8,
            nothing="nothing is scraped",
        ),
    ]
