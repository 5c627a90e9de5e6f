"""When the alerts about a check fire."""

from __future__ import annotations

from dataclasses import replace

from rules.series import CHECK, FOREVER, GONE, TWO, Case, Series, of_check, verdicts

# A check that runs every 20 minutes, restores in 10 at most, and whose backups may be 10 minutes old.
INTERVAL = of_check("check_expected_interval_seconds", 1200)
RTO = of_check("check_rto_objective_seconds", 600)
RPO = of_check("check_rpo_objective_seconds", 600)
NEW = of_check("check_first_seen_timestamp_seconds", 0)
INFO = ("kind", "engine", "owner", "critical")


def info(owner: str, *spans: tuple[float | None, int] | float, kind: str = "rds") -> Series:
    engine, critical = ("postgresql", "true") if kind == "rds" else ("mysql", "false")
    return of_check("check_info", *spans, kind=kind, engine=engine, owner=owner, critical=critical)


def paused(*spans: tuple[float | None, int] | float) -> Series:
    return of_check("check_paused_until_timestamp_seconds", *spans)


def lowered(series: Series) -> tuple[Series, Series]:
    """Return what a process told that is gone in minute 20, and the half of it that another tells since."""
    ((value, _),) = series.spans
    assert value
    before = replace(series, spans=((2 * value, 20), (GONE, 0)))
    return before, replace(series, spans=((GONE, 20), (value, 0)), replica=TWO)


BROKEN = {**CHECK, "verdict": "broken"}
UNPROVEN = {**CHECK, "verdict": "unproven"}

_FAILED = "RestoreCheckFailed"
FAILED = (
    Case(
        _FAILED, "a run that is broken", verdicts(((60, 20), 1200), ((0, 10), 600)), 30, (10, 20), BROKEN,
        "Check orders-db is broken, by its run that ended at 1970-01-01 00:10:00 +0000 UTC. This backup cannot be"
        " trusted.",
    ),
    Case(
        _FAILED, "a run that is unproven", verdicts(((60, 20), 1200), (0,), ((0, 10), 600)), 30, (10, 20), UNPROVEN,
        "Check orders-db is unproven, by its run that ended at 1970-01-01 00:10:00 +0000 UTC. Whether this backup can"
        " be restored is not known.",
    ),
    Case(_FAILED, "runs that pass", verdicts(((60, 10), 600), (0,)), 80),
    Case(_FAILED, "a check that never ran", verdicts((0,), (0,)), 80),
    Case(_FAILED, "the very first run fails", verdicts((0,), (30,)), 90, (0, 90), BROKEN),
    Case(
        _FAILED, "unproven becomes broken", verdicts((60,), ((0, 20), 1200), ((0, 10), 600)), 90, (20, 90), BROKEN,
        also=((10, 20, UNPROVEN),),
    ),
    Case(
        _FAILED, "broken becomes unproven", verdicts((60,), ((0, 10), 600), ((0, 20), 1200)), 90, (10, 20), BROKEN,
        also=((20, 90, UNPROVEN),),
    ),
    Case(_FAILED, "an owner", (*verdicts((60,), (600,)), info("shop", 1)), 30, (0, 30), {**BROKEN, "owner": "shop"}),
    Case(_FAILED, "a check without an owner", (*verdicts((60,), (600,)), info("", 1)), 30, (0, 30), BROKEN),
    Case(
        _FAILED, "another owner",
        (*verdicts((60,), (600,)), info("shop", (1, 30), GONE), info("pay", (GONE, 30), 1, kind="aurora")),
        120, (0, 30), {**BROKEN, "owner": "shop"}, also=((30, 120, {**BROKEN, "owner": "pay"}),),
    ),
    Case(
        _FAILED, "nothing is told of the check itself any more",
        (*verdicts((60,), (600,)), info("shop", (1, 12), GONE)), 90, (0, 72), {**BROKEN, "owner": "shop"},
        also=((72, 90, BROKEN),),
    ),
    Case(
        _FAILED, "a replica lags behind the pass that another tells of",
        (
            *verdicts(((60, 20), 1200), ((0, 10), 600)),
            *(replace(one, replica=TWO) for one in verdicts(((60, 25), 1200), ((0, 15), 600))),
        ),
        30, (10, 20), BROKEN, by_replica=True,
    ),
)  # fmt: skip

_OVERDUE = "RestoreCheckOverdue"
OVERDUE = (
    Case(
        _OVERDUE, "no run passes", (of_check("run_last_success_timestamp_seconds", (0, 70), 4200), INTERVAL, RTO),
        80, (66, 70), CHECK, "Check orders-db has not passed for 1h 6m 0s.",
        ("check_expected_interval_seconds", "check_rto_objective_seconds", "run_last_success_timestamp_seconds"),
    ),
    Case(
        _OVERDUE, "no run ever passed", (NEW, INTERVAL, RTO), 90, (66, 90), CHECK,
        needs=("check_first_seen_timestamp_seconds",),
    ),
    Case(
        _OVERDUE, "it passed long ago, left, and came back",
        (of_check("run_last_success_timestamp_seconds", -9e6), NEW, INTERVAL, RTO), 90, (66, 90), CHECK,
    ),
    Case(
        _OVERDUE, "it was seen long ago, and passed since",
        (of_check("run_last_success_timestamp_seconds", 600), replace(NEW, spans=((-9e6, 0),)), INTERVAL, RTO),
        90, (76, 90), CHECK,
    ),
    Case(_OVERDUE, "it runs more often since a restart", (NEW, *lowered(INTERVAL), RTO), 70, (66, 70), CHECK),
    Case(_OVERDUE, "it has less time since a restart", (NEW, INTERVAL, *lowered(RTO)), 70, (66, 70), CHECK),
    Case(_OVERDUE, "a check without a schedule", (NEW, RTO, of_check("run_last_success_timestamp_seconds", 0)), 200),
    Case(
        _OVERDUE, "paused, and resumed in minute 61", (NEW, INTERVAL, RTO, paused((FOREVER, 61), 0)), 140, (126, 140),
        CHECK,
    ),
    Case(_OVERDUE, "paused for good", (NEW, INTERVAL, RTO, paused(FOREVER)), 200),
    Case(_OVERDUE, "paused until minute 60", (NEW, INTERVAL, RTO, paused(3600)), 140, (125, 140), CHECK),
    Case(
        _OVERDUE, "a pause that nobody tells of", (NEW, INTERVAL, RTO, paused((FOREVER, 10), GONE)), 90, (75, 90), CHECK
    ),
    Case(
        _OVERDUE, "a pause, and rules that were not evaluated for a day",
        (NEW, replace(INTERVAL, spans=((600000, 0),)), RTO, paused((FOREVER, 1440 * 4), 0)), 1440 * 30,
        (1440 * 18, 1440 * 30), CHECK, step=1440,
    ),
    Case(
        _OVERDUE, "a pause, and rules that were not evaluated for longer than a day",
        (NEW, replace(INTERVAL, spans=((600000, 0),)), RTO, paused((FOREVER, 1470 * 4), 0)), 1470 * 30,
        (1470 * 15, 1470 * 30), CHECK, step=1470,
    ),
)  # fmt: skip

_OLD = "RestoreCheckRecoveryPointTooOld"
OLD = (
    Case(
        _OLD, "what is proved gets old",
        (of_check("recovery_point_timestamp_seconds", (0, 70), 4200), RPO, INTERVAL, RTO), 80, (56, 70), CHECK,
        "If check orders-db had to be restored now, what is proved is 56m 0s old.",
        ("recovery_point_timestamp_seconds", "check_rpo_objective_seconds"),
    ),
    Case(_OLD, "it may be less old since a restart", (NEW, *lowered(RPO), INTERVAL, RTO), 60, (56, 60), CHECK),
    Case(_OLD, "nothing was ever proved", (NEW, RPO, INTERVAL, RTO), 80, (56, 80), CHECK),
    Case(
        _OLD, "paused, and resumed in minute 61",
        (of_check("recovery_point_timestamp_seconds", 0), NEW, RPO, INTERVAL, RTO, paused((FOREVER, 61), 0)), 130,
        (116, 130), CHECK,
    ),
    Case(_OLD, "a check without a schedule", (of_check("recovery_point_timestamp_seconds", 0), NEW, RPO, RTO), 200),
)  # fmt: skip

_STALE = "RestoreCheckProofStale"
KEPT = of_check("check_retention_seconds", 3000)
STALE = (
    Case(
        _STALE, "the proof gets old", (of_check("recovery_point_timestamp_seconds", (0, 70), 4200), KEPT), 80,
        (51, 70), CHECK,
        "The proved recovery point of check orders-db is 51m 0s old, more than 70 % of the time for which recovery"
        " points are kept.",
        ("check_retention_seconds",),
    ),
    Case(_STALE, "it is kept for less time since a restart", (NEW, *lowered(KEPT)), 60, (51, 60), CHECK),
    Case(_STALE, "nothing was ever proved", (NEW, KEPT), 80, (51, 80), CHECK),
    Case(
        _STALE, "a pause keeps no backup",
        (of_check("recovery_point_timestamp_seconds", 0), NEW, KEPT, paused(FOREVER)), 80, (51, 80), CHECK,
    ),
    Case(
        _STALE, "a proof that is younger than the check",
        (of_check("recovery_point_timestamp_seconds", 1200), NEW, KEPT), 90, (71, 90), CHECK,
    ),
    Case(_STALE, "a check that declares no retention", (of_check("recovery_point_timestamp_seconds", 0), NEW), 200),
)  # fmt: skip

_SLOW = "RestoreCheckTooSlow"


def phase(name: str, *spans: tuple[float | None, int] | float) -> Series:
    return of_check("run_duration_seconds", *spans, phase=name)


SLOW = (
    Case(
        _SLOW, "a restore takes longer than its objective",
        (phase("usable", (600, 5), (601, 25), 590), phase("examine", 5000), RTO), 60, (5, 30), CHECK,
        "Check orders-db took 10m 1s until its data could be read.", ("run_duration_seconds",),
    ),
    Case(
        _SLOW, "the questions take longer than a restore may, and then nothing is told any more",
        (phase("usable", (600, 10), GONE), phase("examine", (5000, 10), GONE), RTO), 90,
    ),
)  # fmt: skip

STUCK = (
    Case(
        "RestoreCheckStuck", "a run does not end",
        (of_check("run_in_progress_start_timestamp_seconds", (0, 1), (60, 59), 0), RTO), 80, (47, 60), CHECK,
        "The run of check orders-db goes on for 46m 0s.",
    ),
    Case(
        "RestoreCheckStuck", "nothing runs",
        (of_check("run_in_progress_start_timestamp_seconds", 0), RTO), 80,
    ),
    Case(
        "RestoreCheckStuck", "a run that began in the first minute",
        (of_check("run_in_progress_start_timestamp_seconds", 30), RTO), 80, (46, 80), CHECK,
    ),
)  # fmt: skip

FLAPPING = (
    Case(
        "RestoreCheckFlapping", "a verdict changes again and again",
        (of_check("check_recent_flips", (3, 5), (4, 25), 3),), 60, (5, 30), CHECK,
        "Check orders-db changed its verdict 4 times in its last 10 runs.", ("check_recent_flips",),
    ),
)  # fmt: skip

REFUSED = (
    Case(
        "RestoreCheckFenceRefused", "the fence refuses a call, and the next run has none refused",
        (
            of_check("run_refused_timestamp_seconds", (0, 10), 600),
            of_check("run_last_completion_timestamp_seconds", (300, 10), (600, 10), 1200),
        ),
        30, (10, 20), CHECK,
        "A run of check orders-db tried what it may not do; nothing was sent. It is a wrong configuration, or a bug.",
        ("run_refused_timestamp_seconds", "run_last_completion_timestamp_seconds"),
    ),
)  # fmt: skip
