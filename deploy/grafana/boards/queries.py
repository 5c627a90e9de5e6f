"""The questions to Prometheus, in one place: what passing, overdue and too old mean on a dashboard.

Every replica exports what the store says, so one check has as many series as there are replicas: all is folded by
`max without (instance, pod, container, endpoint)` first, and nothing counts twice. Metrics come from the catalogue: a
name that it does not know is a KeyError here. What cannot be read must never look fine: a count is 0 only while checks
are declared, and nothing at all when the store is silent.
"""

from __future__ import annotations

from restorecheck.metrics.catalogue import METRICS

REPLICA = "instance, pod, container, endpoint"
"""Labels by which series differ that say the same thing."""

BROKEN, PASSED, UNPROVEN, NEVER = 0, 1, 2, -1
"""What a verdict is as a number: a panel maps it back to a word and a colour. What is not known is never PASSED."""

IN_TIME, OVERDUE, PAUSED = 0, 1, 2


class Scope:
    """Which checks a dashboard asks for: `matcher` is what stands in braces for the label `check`."""

    def __init__(self, matcher: str) -> None:
        self._matcher = matcher

    def series(self, name: str, *more: str) -> str:
        """Return a selector of one metric of the catalogue, with the job and the checks that were chosen."""
        metric = METRICS[name]
        matchers = ['job=~"$job"', *([self._matcher] if "check" in metric.labels else []), *more]
        return f"{metric.exported}{{{', '.join(matchers)}}}"

    def last(self, name: str, *more: str, drop: str = "") -> str:
        """Return one metric without its replicas, and without the labels in `drop`."""
        return f"max without ({REPLICA}{', ' + drop if drop else ''}) ({self.series(name, *more)})"

    def grown(self, name: str, window: str, step: str, *more: str) -> str:
        """Return by how much a counter grew. The store keeps counters, so they outlive processes and never restart.

        `increase` would lose what happened between the last scrape of one pod and the first of the next.
        """
        total = self.last(name, *more)
        return f"{total} - min_over_time({total}[{window}:{step}])"

    # --- verdicts --------------------------------------------------------------------------------------------------

    def newest(self) -> str:
        """Return when the newest run of each check ended; 0 for none."""
        return self.last("run_last_verdict_timestamp_seconds", drop="verdict")

    def ended(self, verdict: str) -> str:
        """Return when the newest run with this verdict ended; 0 for none."""
        return self.last("run_last_verdict_timestamp_seconds", f'verdict="{verdict}"', drop="verdict")

    def now(self, verdict: str) -> str:
        """Return the checks whose newest run has this verdict.

        Instants are compared instead of 0/1 gauges: those of a pod that has just died would contradict the new one's.
        """
        return f"{self.ended(verdict)} > 0 == {self.newest()}"

    def verdict(self) -> str:
        """Return the verdict of each check's newest run as a number."""
        passed = f"({self.ended('passed')} == bool {self.newest()})"
        unproven = f"({self.ended('unproven')} == bool {self.newest()})"
        return (
            f"{PASSED} * {passed} + {UNPROVEN} * {unproven} and {self.newest()} > 0 or 0 * {self.newest()} {NEVER:+d}"
        )

    def worst_of_step(self) -> str:
        """Return the worst verdict of the runs that ended within each step; nothing where none ended.

        A point of a range query stands for the time before it. Looking ahead by one step makes the cell of a day
        that day's, and shows the run of this morning today.
        """

        def within(verdict: str) -> str:
            series = self.series("run_last_verdict_timestamp_seconds", f'verdict="{verdict}"')
            ahead = f"max_over_time({series}[$__interval] offset -$__interval)"
            return f"0 * (max without ({REPLICA}, verdict) ({ahead}) >= time())"

        return f"{within('broken')} or {within('unproven')} + {UNPROVEN} or {within('passed')} + {PASSED}"

    # --- the schedule ----------------------------------------------------------------------------------------------

    def proved(self) -> str:
        """Return when each check last passed, or from when it should have: when it was first seen."""
        return (
            f"({self.last('run_last_success_timestamp_seconds')} or {self.last('check_first_seen_timestamp_seconds')})"
        )

    def paused(self) -> str:
        """Return the checks that are paused now."""
        return f"{self.last('check_paused_until_timestamp_seconds')} > time()"

    def overdue(self) -> str:
        """Return the checks that RestoreCheckOverdue is about: no pass for two intervals and an rto, and not paused."""
        interval = self.last("check_expected_interval_seconds")
        rto = self.last("check_rto_objective_seconds")
        return f"time() - {self.proved()} > 2 * {interval} + {rto} unless {self.paused()}"

    def timing(self) -> str:
        """Return how each check stands to its schedule, as a number; nothing for a check that has none."""
        interval = self.last("check_expected_interval_seconds")
        # Until somebody resumes it is +Inf, and 0 * Inf is no number: this compares instead.
        paused = f"{PAUSED} * ({self.last('check_paused_until_timestamp_seconds')} > bool time()) > 0"
        return f"{paused} or 0 * ({self.overdue()}) + {OVERDUE} or 0 * {interval}"

    def counted(self, checks: str) -> str:
        """Return how many checks there are of a kind: 0 only if checks are declared at all."""
        return f"count({checks}) or 0 * {self.declared()}"

    def declared(self) -> str:
        """Return how many checks there are."""
        return f"count({self.last('check_first_seen_timestamp_seconds')})"

    # --- objectives ------------------------------------------------------------------------------------------------

    def point_age(self) -> str:
        """Return the age of the newest proven recovery point of each check, in seconds."""
        return f"time() - {self.last('recovery_point_timestamp_seconds')}"

    def point_limit(self) -> str:
        """Return the age at which RestoreCheckRecoveryPointTooOld fires, in seconds.

        A proven point ages until the next run has proved the next one: an interval and a restore beyond the rpo are
        no failure.
        """
        rpo = self.last("check_rpo_objective_seconds")
        interval = self.last("check_expected_interval_seconds")
        return f"({rpo} + {self.last('check_rto_objective_seconds')} + ({interval} or 0 * {rpo}))"

    def point_share(self) -> str:
        """Return how much of its limit the age of the newest proven recovery point is: 1 is the limit."""
        return f"({self.point_age()}) / {self.point_limit()}"

    def usable(self) -> str:
        """Return how long the newest restore of each check took until it answered, in seconds."""
        return self.last("run_duration_seconds", 'phase="usable"', drop="phase")

    def usable_share(self) -> str:
        """Return how much of its rto the newest restore of each check took: 1 is the rto."""
        return f"{self.usable()} / {self.last('check_rto_objective_seconds')}"

    def cost(self) -> str:
        """Return what the runs of each check cost in 30 days, in USD."""
        return self.grown("estimated_cost_usd", "30d", "1h")

    def running(self) -> str:
        """Return for how long each check's run goes on, in seconds; 0 if none does."""
        begun = self.last("run_in_progress_start_timestamp_seconds")
        return f"(time() - {begun}) * ({begun} > bool 0)"


FLEET = Scope('check=~"$check"')
"""Many checks; metrics that are of no check are asked for by their job alone."""

ONE = Scope('check="$check"')
"""One check."""


def of_each_check(question: str) -> str:
    """Return a question's answer with the labels `job` and `check` alone, so that a table can join its columns."""
    return f"max by (job, check) ({question})"


def highest(count: int, question: str) -> str:
    """Return the highest answers to a question: a panel of a thousand lines says nothing."""
    return f"topk({count}, {question})"


def values(name: str, label: str, *more: str, of_job: bool = True) -> str:
    """Return the question of a variable: the values of a label of a metric, in the jobs that were chosen above it."""
    matchers = ", ".join([*(['job=~"$job"'] if of_job else []), *more])
    return (
        f"label_values({METRICS[name].exported}{{{matchers}}}, {label})"
        if matchers
        else (f"label_values({METRICS[name].exported}, {label})")
    )
