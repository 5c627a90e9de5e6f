"""From answers to findings, from findings to the verdict, and the two objectives of a check.

A verdict is green only if something was asked (or the check says that restoring is all), something passed, and nothing
failed or stayed unanswered. What a source observes unasked can only keep a verdict from being green, never make it so.
`broken` outranks `unproven`: what is known about a backup is not hidden by what is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from restorecheck.assertions import words
from restorecheck.assertions.installed import comparable
from restorecheck.assertions.judgement import judge
from restorecheck.failures import KINDS, kind
from restorecheck.model import (
    OBJECTIVES,
    Answer,
    Answers,
    Assertion,
    Check,
    Failure,
    Finding,
    Known,
    Observation,
    Outcome,
    RecoveryPoint,
    Verdict,
)

PHASE = "judge"
"""The phase that a failure names when the run itself went well."""


def judge_all(
    check: Check, answers: Answers, point: RecoveryPoint, salt: str, known: Sequence[Known] = ()
) -> tuple[Finding, ...]:
    """Return one finding for every declared assertion, in order, whatever came back; then what the source observed.

    `salt` is the one that the digests in the answers were made with. `known` is what the assertions came to at the
    times that they are held against.
    """
    by_name: dict[str, list[Answer]] = {}
    for answer in answers.answers:
        by_name.setdefault(answer.name, []).append(answer)
    asked = []
    for assertion in check.assertions:
        given = _the_one(by_name.get(assertion.name, []), assertion.name)
        answer, then = comparable(check, assertion, given, _known(assertion, known))
        at, now = point.created, answers.asked_at
        asked.append(judge(assertion, answer, backup_time=at, asked_at=now, salt=salt, known=then))
    partial = next((seen for seen in answers.observations if seen.partial), None)
    return (
        *(_excused(finding, partial) for finding in asked),
        *(_observed(observation, check.runbook) for observation in answers.observations),
    )


def _excused(finding: Finding, partial: Observation | None) -> Finding:
    """Return a finding that blames no backup for what this machine could not restore of it.

    A scratch disk that was full, or an extension that is not to be had here, leaves tables out: that a question about
    them fails says nothing about the backup. What passed all the same keeps its finding, and no run is green with it.
    """
    if partial is None or not _breaks(finding):
        return finding
    message = f"asked where only a part could be restored: {finding.message or finding.observed}"
    return replace(finding, outcome=Outcome.ERROR, message=message, kind=partial.kind)


def _known(assertion: Assertion, known: Sequence[Known]) -> Known | None:
    """Return what an assertion is held against: the first that is about it and about that time."""
    against = assertion.expect.of or assertion.expect.same_as
    return next((k for k in known if (k.assertion, k.against) == (assertion.name, against)), None)


def _observed(seen: Observation, runbook: str) -> Finding:
    """Return the finding of an observation: the verdict of its kind says whether the backup is to blame."""
    outcome = Outcome.PASS
    if seen.kind or seen.warning:
        outcome = Outcome.FAIL if kind(seen.kind).verdict is Verdict.BROKEN else Outcome.ERROR
    return Finding(
        name=seen.name,
        outcome=Outcome.WARN if seen.warning else outcome,
        expected=seen.expected,
        observed=seen.observed,
        message=seen.message,
        kind=seen.kind,
        seconds=seen.seconds,
        runbook=runbook,
        value=seen.value,
        by="source",
    )


def _the_one(answers: Sequence[Answer], name: str) -> Answer:
    if len(answers) == 1:
        return answers[0]
    lost = "no answer came back for this question" if not answers else "several answers came back under this name"
    return Answer(name, error=lost, kind="internal")


def objectives(check: Check, age_seconds: float | None, restore_seconds: float | None) -> tuple[Finding, Finding]:
    """Return the findings `rpo` and `rto`.

    `age_seconds` is the time of the run minus the creation of the newest recovery point; negative if the point was made
    after the run began. `restore_seconds` is the time from the first call that makes something to the first answer.
    An age beyond the rpo fails as `stale`. A restore beyond the rto only warns: the backup is good, it comes back late.
    What was not measured is never fine: without an age the rpo is an error, without a restore time the rto warns.
    """
    return _rpo(check, age_seconds), _rto(check, restore_seconds)


def _rpo(check: Check, age_seconds: float | None) -> Finding:
    limit = Decimal(str(check.rpo.total_seconds()))
    expected = f"at most {words.duration(limit)} old"
    if age_seconds is None:
        return Finding(
            "rpo",
            Outcome.ERROR,
            expected,
            "not known",
            "the age of the newest recovery point is not known",
            "unknown-answer",
            runbook=check.runbook,
        )
    age = max(Decimal(str(age_seconds)), Decimal(0))
    observed = f"{words.duration(age)} old"
    if age <= limit:
        return Finding("rpo", Outcome.PASS, expected, observed, runbook=check.runbook)
    shown, allowed = words.apart(age, limit)
    message = f"the newest recovery point is {shown} old where at most {allowed} is allowed"
    return Finding("rpo", Outcome.FAIL, expected, observed, message, "stale", runbook=check.runbook)


def _rto(check: Check, restore_seconds: float | None) -> Finding:
    limit = Decimal(str(check.rto.total_seconds()))
    expected = f"at most {words.duration(limit)}"
    if restore_seconds is None:
        message = "the restore time was not measured: the run did not get as far as an answered query"
        return Finding("rto", Outcome.WARN, expected, "not measured", message, runbook=check.runbook)
    seconds = Decimal(str(restore_seconds))
    observed = words.duration(seconds)
    if seconds <= limit:
        return Finding("rto", Outcome.PASS, expected, observed, seconds=restore_seconds, runbook=check.runbook)
    shown, allowed = words.apart(seconds, limit)
    message = (
        f"the restore took {shown} where at most {allowed} is allowed: "
        "this does not make the backup a bad one, but it comes back later than you promised"
    )
    return Finding("rto", Outcome.WARN, expected, observed, message, seconds=restore_seconds, runbook=check.runbook)


def verdict(findings: Iterable[Finding], *, restores: bool) -> tuple[Verdict, Failure | None]:
    """Return the verdict of a run that got as far as judging, and why it is not `passed`.

    `restores` says that the check asks for nothing but the restore; it counts only when there is no assertion at all.
    The failure has the kind of the first finding that decided, and names all of them.
    """
    judged = tuple(findings)
    breaking = sorted((f for f in judged if _breaks(f)), key=lambda f: f.by != "source")  # what was seen explains more
    open_ = [f for f in judged if f.outcome is Outcome.ERROR and f not in breaking]
    if breaking:
        besides = f"; besides, not answered: {', '.join(f.name for f in open_)}" if open_ else ""
        first = breaking[0].kind
        name = first if kind(first).verdict is Verdict.BROKEN else "assertion-failed"
        return Verdict.BROKEN, Failure(name, PHASE, _told(breaking) + besides, kind(name).hint)
    if open_:
        name = open_[0].kind if open_[0].kind in KINDS else "unknown-answer"
        return Verdict.UNPROVEN, Failure(name, PHASE, _told(open_), kind(name).hint)
    asked = [f for f in judged if f.name not in OBJECTIVES and f.by == "check"]
    if any(f.outcome is Outcome.PASS for f in asked) or (restores and not asked):
        return Verdict.PASSED, None
    if not asked:
        message = "nothing was asked: a check without any assertion proves nothing"
        return Verdict.UNPROVEN, Failure("question", PHASE, message, "declare an assertion, or say `restores = true`")
    message = f"no assertion passed, so nothing is proven: {_told(asked)}"
    if any(f.outcome is Outcome.LEARNING for f in asked):
        return Verdict.UNPROVEN, Failure("learning", PHASE, message, kind("learning").hint)
    hint = "declare at least one assertion that can pass and that is not only a warning"
    return Verdict.UNPROVEN, Failure("question", PHASE, message, hint)


def _breaks(finding: Finding) -> bool:
    """Say whether a finding alone makes the backup one that cannot be trusted."""
    if finding.outcome is Outcome.FAIL:
        return True
    return finding.outcome is Outcome.ERROR and kind(finding.kind).verdict is Verdict.BROKEN


def _told(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{f.name}: {f.message or f.outcome.value}" for f in findings)
