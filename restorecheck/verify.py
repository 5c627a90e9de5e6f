"""The one workflow: find a recovery point, restore it, ask it, judge, tear down, prove that nothing is left, tell.

It is replayed from records after a crash, so it decides only from what its steps returned: outside a step there is no
clock, no random, no environment. There is no `finally` and no `with` around the steps: on an engine whose waits unwind
the stack, a teardown in `finally` deleted the database at the first wait. The teardown is the next straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from restorecheck.assertions import judge_all, level, measured, objectives, proven, verdict
from restorecheck.durable import Durable
from restorecheck.errors import StepFailedError
from restorecheck.failures import kind
from restorecheck.model import (
    Answers,
    Failure,
    Finding,
    Leftover,
    Outcome,
    Plan,
    RecoveryPoint,
    Report,
    Verdict,
)
from restorecheck.schedule import check_of
from restorecheck.sources.interface import Source, Stage

_MEASURED = frozenset({Outcome.PASS, Outcome.FAIL})
"""Of a run that broke off, only the objectives that were measured are worth a finding."""

WAIT = ": wait"
"""Every stage is two recorded steps: `name` begins it, `name: wait` looks until it is done."""

TRIES = 5
"""How often a step that calls AWS, or the store, is tried when the error says that trying again may help."""


class Ports(Protocol):
    """What the workflow needs of the world."""

    def plan(self, run_id: str) -> Plan:
        """Resolve the check of this run and take the time. Raises RestorecheckError `config`."""

    def source(self, plan: Plan) -> Source:
        """Return the source of a plan. Must not talk to anybody yet."""

    def salt(self, run_id: str) -> str:
        """Return the salt of this run's digests."""

    def record(self, report: Report) -> None:
        """Keep the report; the same run again replaces it."""


async def verify(durable: Durable, ports: Ports) -> Report:
    """Run one check once and return its proof. Never raises for anything that AWS, the backup or a check can do."""
    try:
        plan = await durable.step("plan", lambda: ports.plan(durable.run_id), of=Plan, attempts=TRIES)
    except StepFailedError as e:
        return await _recorded(durable, ports, _unplanned(durable, e))

    source = ports.source(plan)
    point: RecoveryPoint | None = None
    answers: Answers | None = None
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None
    poll, by = plan.check.limits.poll, plan.now + plan.check.limits.run
    try:
        point = await durable.step("find", source.find, of=RecoveryPoint, attempts=TRIES, by=by)
        for stage in source.stages(point):
            await durable.step(stage.name, stage.begin, of=type(None), attempts=TRIES, by=by)
            await durable.until(stage.name + WAIT, stage.look, every=poll, at_most=stage.at_most, by=by)
        examine = partial(source.examine, point)
        answers = await durable.step("examine", examine, of=Answers, attempts=2, by=by, abandon=True)
        known = (*plan.known, *answers.known)
        findings = judge_all(plan.check, answers, point, ports.salt(plan.run_id), known)
    except StepFailedError as e:
        failure = _failure(e)

    lost: list[StepFailedError] = []
    if point is not None:  # before that, nothing was made
        for stage in source.teardown(point):
            lost += await _back(durable, stage, plan)
    leaked, unseen = await _leftovers(durable, source)

    report = _concluded(durable, plan, point, findings, failure, lost=lost, leaked=leaked, unseen=unseen)
    if point is not None and answers is not None:
        report = _measured(report, plan, point, answers)
    return await _recorded(durable, ports, report)


async def _back(durable: Durable, stage: Stage, plan: Plan) -> list[StepFailedError]:
    """Go one leg back, whatever is cancelled, and return why it did not end well, if it did not.

    A begin that failed is not the end of it: the look asks again, for as long as the teardown may take.
    """
    failed: list[StepFailedError] = []
    try:
        await durable.step(stage.name, stage.begin, of=type(None), attempts=TRIES)
    except StepFailedError as e:
        failed.append(e)
    every, at_most = plan.check.limits.poll, stage.at_most
    try:
        await durable.until(stage.name + WAIT, stage.look, every=every, at_most=at_most)
    except StepFailedError as e:
        return [*failed, e]
    return []


async def _leftovers(durable: Durable, source: Source) -> tuple[tuple[Leftover, ...], StepFailedError | None]:
    """Return what is left, and why we could not look if we could not."""
    try:
        return await durable.step(
            "prove", lambda: tuple(source.leftovers()), of=tuple[Leftover, ...], attempts=TRIES
        ), None
    except StepFailedError as e:
        return (), e


async def _recorded(durable: Durable, ports: Ports, report: Report) -> Report:
    """Keep the report. One that cannot be kept is still a proof: it is returned, and says so."""
    try:
        await durable.step("record", lambda: ports.record(report), of=type(None), attempts=TRIES)
    except StepFailedError as e:
        return replace(report, notes=(*report.notes, f"record: {e.message}"))
    return report


# --- conclusions: pure -------------------------------------------------------------------------------------------


def _failure(e: StepFailedError) -> Failure:
    return Failure(e.kind, e.step.removesuffix(WAIT), e.message, e.hint or kind(e.kind).hint)


def _unplanned(durable: Durable, e: StepFailedError) -> Report:
    at = durable.phases[-1].ended
    return Report(
        run_id=durable.run_id,
        check=check_of(durable.run_id) or durable.run_id,
        verdict=Verdict.UNPROVEN,
        started=durable.phases[0].started,
        ended=at,
        failure=_failure(e),
        phases=durable.phases,
    )


def _concluded(
    durable: Durable,
    plan: Plan,
    point: RecoveryPoint | None,
    findings: tuple[Finding, ...],
    failure: Failure | None,
    *,
    lost: Sequence[StepFailedError],
    leaked: tuple[Leftover, ...],
    unseen: StepFailedError | None,
) -> Report:
    """Put the proof together. A run that could not prove that nothing is left is not `passed`."""
    age = (plan.now - point.newest).total_seconds() if point else None
    seconds = _restore_seconds(durable)
    judged = (
        *findings,
        *(f for f in objectives(plan.check, age, seconds) if failure is None or f.outcome in _MEASURED),
    )
    if failure is None:
        outcome, failure = verdict(judged, restores=plan.check.restores)
    else:
        outcome = kind(failure.kind).verdict
        stale = verdict(objectives(plan.check, age, None), restores=True)
        if outcome is Verdict.UNPROVEN and stale[0] is Verdict.BROKEN:  # a backup that is too old is so all the same
            outcome, failure = stale
    if unseen is not None and outcome is Verdict.PASSED:
        outcome = Verdict.UNPROVEN
        failure = Failure("not-proven-gone", unseen.step, unseen.message, kind("not-proven-gone").hint)
    return Report(
        run_id=plan.run_id,
        check=plan.check.name,
        verdict=outcome,
        started=plan.now,
        ended=durable.phases[-1].ended,
        failure=failure,
        point=point,
        findings=judged,
        phases=durable.phases,
        leaked=leaked,
        rpo_seconds=plan.check.rpo.total_seconds(),
        rto_seconds=plan.check.rto.total_seconds(),
        point_age_seconds=age,
        restore_seconds=seconds,
        refused=any(e.kind == "refused" for e in (failure, *lost, unseen) if e is not None),
        notes=tuple(f"{e.step}: {e.message}" for e in (*lost, unseen) if e is not None),
    )


def _measured(report: Report, plan: Plan, point: RecoveryPoint, answers: Answers) -> Report:
    """Add how far the proof goes, and what later runs may be compared with. A run without answers proves nothing."""
    check, findings = plan.check, report.findings
    reached = level(check, answers, findings, (*plan.known, *answers.known))
    return replace(
        report,
        level=reached,
        proven=proven(check, answers, point, reached),
        measured=measured(findings, answers, check),
    )


def _restore_seconds(durable: Durable) -> float | None:
    """Return the time from the first call that made something to the end of the last leg there, if it was reached."""
    ends: dict[str, datetime] = {}
    last: datetime | None = None
    for phase in durable.phases:
        if phase.name == "examine" and last is not None:
            return (last - ends["find"]).total_seconds()
        ends[phase.name] = last = phase.ended
    return None
