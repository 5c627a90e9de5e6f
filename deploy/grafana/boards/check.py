"""One check in depth: what its newest run said, how it stands to its objectives, and what its assertions measured."""

from __future__ import annotations

from typing import Any

from boards.around import (
    board,
    choice,
    every,
    filled,
    marks,
)
from boards.fleet import CHECK_TITLE, CHECK_UID, TITLE, UID
from boards.look import (
    BLUE,
    GREEN,
    GREY,
    NONE_IS_FINE,
    ORANGE,
    RED,
    SHARE,
    VERDICT_WORDS,
    YELLOW,
    YES_NO,
    Ask,
    Column,
    Look,
)
from boards.panels import (
    lines,
    nights,
    number,
    rows,
    stretches,
)
from boards.queries import ONE, values

NOT_USABLE = 'phase!="usable"'
THIS_ASSERTION = 'assertion="$assertion"'
HELD: dict[float, tuple[str, str]] = {1: ("held", GREEN), 0: ("did not hold", RED)}
NEVER_AT_ZERO: dict[float, tuple[str, str]] = {0: ("never", GREEN)}
FLIPS = ((0, GREEN), (1, YELLOW), (4, RED))  # RestoreCheckFlapping


def check() -> Any:
    """Return the dashboard of one check."""
    found = (
        board(
            CHECK_UID,
            CHECK_TITLE,
            "One check in depth: its verdicts, its objectives, and what its assertions measured.",
            since="now-30d",
            other=(TITLE, UID),
        )
        .with_variable(choice("check", "Check", values("check_info", "check"), "Which check to show."))
        .with_variable(
            every(
                choice(
                    "assertion",
                    "Assertion",
                    values("assertion_value", "assertion", 'check="$check"'),
                    "Which measured values to show, of assertions that measure a number.",
                )
            )
        )
    )
    found = filled(found, [_now(), _history(), _objectives(), _assertions(), _values()])
    return found.annotation(
        marks(
            "Runs that did not pass", "{{verdict}}", ONE.last("run_last_verdict_timestamp_seconds", 'verdict!="passed"')
        )
    )


def _ago(title: str, text: str, question: str, nothing: str, **more: Any) -> Any:
    return number(
        title, text, f"max({question}) * 1000", Look(unit="dateTimeFromNow", nothing=nothing, **more), width=4
    )


def _now() -> tuple[str, list[Any]]:
    failed = ONE.last("run_last_verdict_timestamp_seconds", 'verdict!="passed"')
    return "$check now", [
        number(
            "Verdict",
            "The verdict of the newest finished run. Broken: presume that the backup cannot be used. Unproven: it "
            "could not be told, which is no proof.",
            f"max({ONE.verdict()})",
            Look(words=VERDICT_WORDS),
            width=4,
        ),
        _ago("Last pass", "When a run last passed.", ONE.last("run_last_success_timestamp_seconds"), "never"),
        _ago("Last failure", "When a run last ended without a pass.", f"{failed}", "never", words=NEVER_AT_ZERO),
        number(
            "Failures in a row",
            "Finished runs since the newest that passed.",
            f"max({ONE.last('run_failures_in_a_row')})",
            Look(steps=NONE_IS_FINE, decimals=0),
            width=4,
        ),
        number(
            "Running for",
            "For how long the run that goes on now has been going on.",
            f"max({ONE.running()})",
            Look(unit="s", steps=((1, BLUE),), words={0: ("idle", GREY)}),
            width=4,
        ),
        _ago(
            "Next run",
            "When the schedule lets the next run begin.",
            ONE.last("check_next_run_timestamp_seconds"),
            "no schedule",
        ),
        number(
            "Recovery point age",
            "The age of the newest backup that a run has proved: that much would be lost at most.",
            f"max({ONE.point_age()})",
            Look(unit="s", nothing="none proven", decimals=1),
            width=4,
        ),
        number(
            "Share of limit",
            "That age against rpo + interval + rto, at which RestoreCheckRecoveryPointTooOld fires.",
            f"max({ONE.point_share()})",
            Look(unit="percentunit", steps=SHARE, nothing="none proven", decimals=0),
            width=4,
        ),
        number(
            "Restore time",
            "How long the newest restore took until its data could be read.",
            f"max({ONE.usable()})",
            Look(unit="s", nothing="nothing restored", decimals=1),
            width=4,
        ),
        number(
            "Share of rto",
            "That time against the rto.",
            f"max({ONE.usable_share()})",
            Look(unit="percentunit", steps=SHARE, nothing="nothing restored", decimals=0),
            width=4,
        ),
        number(
            "Changes of verdict",
            "Changes of the verdict in the last ten runs. Four and more fire RestoreCheckFlapping.",
            f"max({ONE.last('check_recent_flips')})",
            Look(steps=FLIPS, decimals=0),
            width=4,
        ),
        _ago(
            "Fence refused",
            "When a run last ended in which the fence refused a call.",
            ONE.last("run_refused_timestamp_seconds"),
            "no data",
            words=NEVER_AT_ZERO,
        ),
        _declared(),
    ]


def _declared() -> Any:
    def column(title: str, question: str, unit: str = "s", **more: Any) -> Column:
        return Column(title, f"max by (job, check) ({question})", unit, **more)

    return rows(
        "As declared",
        "What the configuration says of this check.",
        ["check"],
        [
            Column("", f"max by (job, check, kind, engine, owner, critical) ({ONE.last('check_info')})"),
            column("Interval", ONE.last("check_expected_interval_seconds"), nothing="no schedule"),
            column("rpo", ONE.last("check_rpo_objective_seconds")),
            column("rto", ONE.last("check_rto_objective_seconds")),
            column("Retention", ONE.last("check_retention_seconds"), nothing="not declared"),
            column(
                "Paused", f"{ONE.last('check_paused_until_timestamp_seconds')} > bool time()", "short", words=_PAUSED
            ),
            column(
                "First seen",
                f"{ONE.last('check_first_seen_timestamp_seconds')} * 1000",
                "dateTimeFromNow",
            ),
        ],
        height=4,
        after=["kind", "engine", "owner", "critical", "job"],
        nothing="not declared, or the service tells nothing",
    )


_PAUSED: dict[float, tuple[str, str]] = {1: ("paused", ORANGE), 0: ("no", GREEN)}


def _history() -> tuple[str, list[Any]]:
    return "Verdicts", [
        nights(
            "Every day",
            "The worst verdict of the runs that ended on each day. An empty cell is a day on which no run ended.",
            Ask(f"max by (job, check) ({ONE.worst_of_step()})", "{{check}}"),
            height=5,
        ),
        stretches(
            "Since when",
            "How long each verdict stood until a run said another.",
            Ask(f"max by (job, check) ({ONE.verdict()})", "{{check}}"),
            height=5,
        ),
        lines(
            "Finished runs",
            "Runs that ended within each step, by verdict, and times of the schedule at which none began.",
            [
                Ask(f"sum by (verdict) ({ONE.grown('runs', '$__interval', '1m')})", "{{verdict}}", "5m"),
                Ask(f"sum({ONE.grown('runs_missed', '$__interval', '1m')})", "missed", "5m"),
            ],
            Look(nothing="no run has ended yet", decimals=0),
            width=8,
        ),
        lines(
            "Restored",
            "How much the newest run restored, as far as it is known.",
            [Ask(f"max({ONE.last('restored_bytes')})", "restored")],
            Look(unit="bytes", nothing="not known"),
            width=8,
        ),
        lines(
            "Cost of 30 days",
            "What the runs held in the 30 days before each instant, times the configured prices. Prometheus must keep "
            "30 days to know it.",
            [Ask(f"sum({ONE.cost()})", "cost")],
            Look(unit="currencyUSD", nothing="no prices are configured in USD", decimals=2),
            width=8,
        ),
    ]


def _objectives() -> tuple[str, list[Any]]:
    point = ONE.last("recovery_point_timestamp_seconds")
    return "Objectives", [
        lines(
            "Run time by phase",
            "How long each phase of the newest run took, one upon the other, and the rto. `usable` is what the rto "
            "bounds: from the first call that makes something to the first answered query.",
            [
                Ask(
                    f"max by (phase) ({ONE.last('run_duration_seconds', NOT_USABLE)})",
                    "{{phase}}",
                ),
                Ask(f"max({ONE.usable()})", "usable (objective: rto)"),
                Ask(f"max({ONE.last('check_rto_objective_seconds')})", "rto"),
            ],
            Look(unit="s", nothing="no run has ended yet"),
            stacked=True,
            limits="^(usable .*|rto)$",
        ),
        lines(
            "Recovery point age over time",
            "The age of the newest proven backup, of the newest one that a run found, and the rpo. Between two runs "
            "the proven age grows beyond the rpo by up to an interval and a restore; if the newest found is young and "
            "the proven one is old, backups are made that prove nothing.",
            [
                Ask(f"max(time() - {point})", "proven"),
                Ask(f"max(time() - {ONE.last('newest_backup_timestamp_seconds')})", "newest found"),
                Ask(f"max({ONE.last('check_rpo_objective_seconds')})", "rpo"),
                Ask(f"max({ONE.point_limit()})", "limit: rpo + interval + rto"),
            ],
            Look(unit="s", nothing="no backup was found yet"),
            limits="^(rpo|limit: .*)$",
        ),
        lines(
            "Proven recovery point against retention",
            "The age of the newest proven backup as a share of how long backups are kept. At 100 % the last backup "
            "that was proved is deleted; RestoreCheckProofStale fires at 70 %.",
            [Ask(f"max((time() - {point}) / {ONE.last('check_retention_seconds')})", "age / retention")],
            Look(unit="percentunit", nothing="the check declares no retention"),
            line_at=0.7,
            width=24,
            height=6,
        ),
    ]


def _assertions() -> tuple[str, list[Any]]:
    def column(title: str, name: str, unit: str = "short", **more: Any) -> Column:
        return Column(title, f"max by (assertion) ({ONE.last(name)})", unit, **more)

    return "Assertions", [
        rows(
            "Assertions of the newest run",
            "What each assertion measured in the newest finished run, whether it held, and how long the answer took. "
            "What was expected stands in the proof of the run.",
            ["assertion"],
            [
                column("Held", "assertion_success", words=HELD, nothing="not asked"),
                column("Value", "assertion_value", nothing="no number"),
                column("Answered in", "assertion_duration_seconds", "s", nothing="not answered"),
                Column("", f"max by (assertion, kind, severity) ({ONE.last('assertion_info')})"),
            ],
            height=9,
            after=["kind", "severity"],
            sort=("Held", False),
            nothing="the check declares no assertion, or the service tells nothing",
        ),
        lines(
            "Held, over time",
            "Whether each assertion held in the newest run: 1 is held.",
            [Ask(f"max by (assertion) ({ONE.last('assertion_success')})", "{{assertion}}")],
            Look(words=YES_NO, nothing="no run has ended yet"),
        ),
        lines(
            "Answered in",
            "How long the answer to each assertion took.",
            [Ask(f"max by (assertion) ({ONE.last('assertion_duration_seconds')})", "{{assertion}}")],
            Look(unit="s", nothing="no run has ended yet"),
        ),
    ]


def _values() -> tuple[str, list[Any]]:
    return "Measured values", [
        lines(
            "$assertion",
            "What the assertion measured. A value that drifts is seen here before its bound is crossed.",
            [Ask(f"max({ONE.last('assertion_value', THIS_ASSERTION)})", "$assertion")],
            Look(nothing="no number was measured"),
            width=6,
            height=6,
            repeat="assertion",
        )
    ]
