"""The fleet: whether last night was good, at a glance, and which check to look at if it was not."""

from __future__ import annotations

from typing import Any

from boards.around import (
    board,
    choice,
    every,
    filled,
    marks,
)
from boards.look import (
    BLUE,
    GREEN,
    GREY,
    NONE_IS_FINE,
    ORANGE,
    RED,
    SHARE,
    SOME_ARE_FINE,
    SOME_IS_NEWS,
    TIMING_WORDS,
    VERDICT_WORDS,
    YELLOW,
    Ask,
    Column,
    Look,
)
from boards.panels import (
    lines,
    nights,
    number,
    rows,
)
from boards.queries import FLEET, highest, of_each_check, values
from boards.service import service, told

UID = "restorecheck-fleet"
TITLE = "Restorecheck / Fleet"
CHECK_UID = "restorecheck-check"
CHECK_TITLE = "Restorecheck / Check"

TO_CHECK = "${datasource:queryparam}&var-job=${__data.fields.job}&var-check=${__value.raw}&${__url_time_range}"
SWEEP_AGE = ((0, GREEN), (3 * 3600, YELLOW), (6 * 3600, RED))  # RestoreCheckSweepOverdue


def fleet() -> Any:
    """Return the dashboard of all checks."""
    found = board(
        UID,
        TITLE,
        "Every check: its verdict, its objectives, what is left behind, and whether people hear of it.",
        since="now-7d",
        other=(CHECK_TITLE, CHECK_UID),
    ).with_variable(every(choice("check", "Check", values("check_info", "check"), "Which checks to show.")))
    found = filled(found, [_now(), _objectives(), _left_behind(), told(), service()])
    return found.annotation(
        marks(
            "Runs that did not pass",
            "{{check}}: {{verdict}}",
            FLEET.last("run_last_verdict_timestamp_seconds", 'verdict!="passed"'),
        )
    )


def _now() -> tuple[str, list[Any]]:
    counted = FLEET.counted
    fine = f"{FLEET.now('passed')} unless ({FLEET.overdue()}) unless ({FLEET.paused()})"
    return "Now", [
        number(
            "Passing",
            "Checks whose newest run passed, and that are neither overdue nor paused.",
            counted(fine),
            Look(steps=SOME_ARE_FINE),
        ),
        number(
            "Broken",
            "Checks whose newest run could not restore the backup, or found it wrong: presume that it cannot be used.",
            counted(FLEET.now("broken")),
            Look(steps=NONE_IS_FINE),
        ),
        number(
            "Unproven",
            "Checks whose newest run could not tell: quota, throttling, permission, network. It is no proof.",
            counted(FLEET.now("unproven")),
            Look(steps=SOME_IS_NEWS),
        ),
        number(
            "Overdue",
            "Checks with a schedule that have not passed for two intervals and an rto, and that nobody has paused.",
            counted(FLEET.overdue()),
            Look(steps=NONE_IS_FINE),
        ),
        number(
            "Paused",
            "Checks that an operator has paused: nothing proves their backups meanwhile.",
            counted(FLEET.paused()),
            Look(steps=((0, GREY), (1, BLUE))),
        ),
        number(
            "No run yet",
            "Declared checks without a finished run.",
            counted(f"{FLEET.newest()} == 0"),
            Look(steps=((0, GREY), (1, ORANGE))),
        ),
        number(
            "Declared",
            "Checks of the configuration, among those that are chosen above.",
            FLEET.declared(),
            Look(steps=SOME_ARE_FINE),
        ),
        number(
            "Oldest proof",
            "How long ago the check that waits longest last passed; for one that never has, since it was first seen.",
            f"max(time() - {FLEET.proved()})",
            Look(unit="s"),
        ),
        _checks(),
        nights(
            "Every day",
            "The worst verdict of the runs that ended on each day. An empty cell is a day on which no run ended.",
            Ask(f"max by (job, check) ({FLEET.worst_of_step()})", "{{check}}"),
            height=12,
        ),
    ]


def _checks() -> Any:
    def column(title: str, question: str, unit: str = "short", **more: Any) -> Column:
        return Column(title, of_each_check(question), unit, **more)

    return rows(
        "Checks",
        "One row for each check. The name leads to the check in depth. The share of the limit is the age of the newest "
        "proven recovery point against rpo + interval + rto, which is when RestoreCheckRecoveryPointTooOld fires: a "
        "proven point ages until the next run.",
        ["check"],
        [
            column("Verdict", FLEET.verdict(), words=VERDICT_WORDS, nothing="unknown"),
            column("Schedule", FLEET.timing(), words=TIMING_WORDS, nothing="no schedule"),
            column(
                "Last pass",
                f"{FLEET.last('run_last_success_timestamp_seconds')} * 1000",
                "dateTimeFromNow",
                nothing="never",
            ),
            column("Failures in a row", FLEET.last("run_failures_in_a_row"), steps=NONE_IS_FINE, decimals=0),
            column("Recovery point age", FLEET.point_age(), "s", nothing="none proven", decimals=1),
            column("rpo", FLEET.last("check_rpo_objective_seconds"), "s"),
            column("Share of limit", FLEET.point_share(), "percentunit", steps=SHARE, decimals=0),
            column("Restore time", FLEET.usable(), "s", decimals=1),
            column("rto", FLEET.last("check_rto_objective_seconds"), "s"),
            column("Share of rto", FLEET.usable_share(), "percentunit", steps=SHARE, decimals=0),
            column(
                "Next run",
                f"{FLEET.last('check_next_run_timestamp_seconds')} * 1000",
                "dateTimeFromNow",
                nothing="no schedule",
            ),
            column("Cost, 30 days", FLEET.cost(), "currencyUSD", nothing="no prices", decimals=2),
            Column("", f"max by (job, check, kind, owner, critical) ({FLEET.last('check_info')})"),
        ],
        height=14,
        after=["kind", "owner", "critical", "job"],
        sort=("Failures in a row", True),
        link=(
            "check",
            "Open ${__value.raw}",
            f"/d/{CHECK_UID}?{TO_CHECK}",
        ),
        nothing="no check is declared, or the service tells nothing",
    )


def _objectives() -> tuple[str, list[Any]]:
    return "Objectives", [
        lines(
            "Recovery point age, share of limit",
            "The ten checks whose newest proven recovery point is nearest to rpo + interval + rto, or beyond: 100 % is "
            "when RestoreCheckRecoveryPointTooOld fires.",
            [Ask(highest(10, FLEET.point_share()), "{{check}}")],
            Look(unit="percentunit", nothing="no recovery point is proven"),
            line_at=1,
        ),
        lines(
            "Restore time, share of rto",
            "The ten checks whose newest restore took the most of its rto until its data could be read.",
            [Ask(highest(10, FLEET.usable_share()), "{{check}}")],
            Look(unit="percentunit", nothing="nothing was restored yet"),
            line_at=1,
        ),
        lines(
            "Recovery point age",
            "The ten oldest of the newest proven recovery points.",
            [Ask(highest(10, FLEET.point_age()), "{{check}}")],
            Look(unit="s", nothing="no recovery point is proven"),
        ),
        lines(
            "Run time by phase, longest",
            "The longest of all newest runs, for each phase. `usable` spans the others: from the first call that makes "
            "something to the first answered query.",
            [Ask(f"max by (phase) ({FLEET.last('run_duration_seconds')})", "{{phase}}")],
            Look(unit="s", nothing="no run has ended yet"),
        ),
    ]


def _left_behind() -> tuple[str, list[Any]]:
    places = "aws_account, aws_region"
    swept = f"max by ({places}) ({FLEET.last('sweep_last_success_timestamp_seconds')})"
    return "Left behind, and cost", [
        rows(
            "Leaked",
            "What the last sweep saw of runs that have ended, by account, region and kind. It means little where the "
            "sweep beside it is old.",
            ["aws_account", "aws_region", "resource"],
            [
                Column(
                    "Leaked",
                    f"sum by ({places}, resource) ({FLEET.last('leaked_resources')})",
                    steps=NONE_IS_FINE,
                    decimals=0,
                )
            ],
            width=8,
            sort=("Leaked", True),
            nothing="no sweep has looked yet",
        ),
        rows(
            "Sweeps",
            "How long ago a sweep last saw everything in an account and region: no leak is known of what nobody saw.",
            ["aws_account", "aws_region"],
            [
                Column("", swept),
                Column("Last whole sweep", f"time() - ({swept} > 0)", "s", steps=SWEEP_AGE, nothing="never"),
            ],
            width=5,
            sort=("Last whole sweep", True),
            nothing="no sweep has looked yet",
        ),
        number(
            "Sweep tripped",
            "Whether the last sweep deleted nothing because too much had expired at once: a person must look.",
            f"max({FLEET.last('sweep_tripped')})",
            Look(words={0: ("no", GREEN), 1: ("tripped", RED)}),
            height=8,
        ),
        lines(
            "Cost of 30 days",
            "What the runs of the chosen checks held in the 30 days before each instant, times the configured prices, "
            "and the budget if one is configured. Prometheus must keep 30 days to know it.",
            [
                Ask(f"sum({FLEET.cost()})", "cost"),
                Ask(f"max({FLEET.last('cost_budget_usd')})", "budget"),
            ],
            Look(unit="currencyUSD", nothing="no prices are configured in USD"),
            width=8,
            limits="^budget$",
        ),
    ]
