"""All cases: those that somebody wrote, and what must hold of each besides."""

from __future__ import annotations

from rules.of_checks import FAILED, FLAPPING, OLD, OVERDUE, REFUSED, SLOW, STALE, STUCK
from rules.of_service import CONFIG, COST, DOWN, LEAKED, NONE, PATH, STALLED, STORE, SWEEP, TRIPPED, UNTOLD
from rules.series import Case, from_two, restarted, silenced

BY_HAND = (
    *FAILED, *OVERDUE, *OLD, *STALE, *SLOW, *STUCK, *FLAPPING, *REFUSED, *LEAKED, *SWEEP, *TRIPPED, *COST, *DOWN,
    *STALLED, *STORE, *NONE, *CONFIG, *UNTOLD, *PATH,
)  # fmt: skip


def _derived(case: Case) -> list[Case]:
    """Return what must hold of every case besides: replicas, restarts, and metrics that vanish."""
    made = [] if case.by_replica else [from_two(case)]
    if case.step > 1:
        return made
    if case.fires is None or case.by_replica:
        return made
    if case.alert == "RestoreCheckFailed" or case.needs:
        made.append(restarted(case, case.fires[0] + 2))
    if case.alert == "RestoreCheckFailed" and case.fires[1] - case.fires[0] >= 10 and not case.also:
        made.append(silenced(case, None, case.fires[0] + 3))
    return made + [silenced(from_two(case), name, case.fires[0] + 2) for name in case.needs]


CASES = tuple(made for case in BY_HAND for made in (case, *_derived(case)))
