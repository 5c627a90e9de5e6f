"""What is told of a check: of a run, of a time that was missed, of a check that nobody runs. Pure.

Everything that comes from a database or from AWS goes through `clean`. Who is told, and whether it is new, is decided
elsewhere: the id of a notice that is made here names the occasion, and becomes its own with the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from restorecheck.alerts.cleaning import clean, cut
from restorecheck.alerts.wording import link, moment, runbook, span
from restorecheck.assertions import PHASE
from restorecheck.assertions.words import count
from restorecheck.config import cron
from restorecheck.config.receivers import Notify
from restorecheck.failures import kind
from restorecheck.model import (
    About,
    Check,
    Episode,
    Failure,
    Finding,
    Leftover,
    Miss,
    Notice,
    Outcome,
    Report,
    Severity,
    Symptom,
    Turn,
    Verdict,
)

MOST = 10
"""Symptoms in one notice."""

GRACE = timedelta(minutes=30)
"""How much later than its rto a run may end before its silence counts for something."""

UNSCHEDULED = timedelta(days=30)
"""For how long a notice holds whose check has no schedule: nobody knows when its next run is."""

TITLE = 200
"""Characters of a title."""

_WRONG = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.LEARNING})


@dataclass(frozen=True, slots=True)
class Matter:
    """The check that a notice is about, as far as it is known, and how people are told."""

    name: str
    check: Check | None  # None: it is not in the configuration
    notify: Notify

    def key(self, about: About) -> str:
        """Return the key of all notices about one thing of this check."""
        return f"restorecheck/{about}/{self.name}"

    @property
    def owner(self) -> str:
        """Who owns the data, as the check says."""
        return self.check.owner if self.check else ""

    @property
    def hold(self) -> timedelta:
        """For how long a notice holds unless somebody says otherwise: until the next run must have ended."""
        if self.check is None or self.check.schedule is None:
            return UNSCHEDULED
        return cron.longest_gap(self.check.schedule, self.check.timezone) + self.check.rto + GRACE

    def severity(self, verdict: Verdict | None = None) -> Severity:
        """Return how bad it is if a run ends like this; None: if no run took place."""
        critical = verdict is Verdict.BROKEN or (self.check is not None and self.check.critical)
        return "critical" if critical else "warning"


def of_run(matter: Matter, report: Report, last_pass: datetime | None = None) -> Notice:
    """Return what is said of a run that ended. Who is told, and whether it is new, is decided elsewhere.

    Its id names the occasion: it becomes that of a notice once it is known what turn that is.
    """
    failure, point, check = report.failure, report.point, matter.check
    wrong = [finding for finding in report.findings if finding.outcome in _WRONG]
    theirs = next((f.runbook for f in wrong if f.runbook), check.runbook if check else "")
    key = matter.key(About.RUN)
    return Notice(
        id=f"{key}@{report.run_id}:{report.verdict}",
        key=key,
        about=About.RUN,
        turn=Turn.FIRING,
        severity=matter.severity(report.verdict),
        title=_title(matter.name, report, wrong),
        at=report.ended,
        since=report.ended,
        check=matter.name,
        run_id=report.run_id,
        verdict=report.verdict,
        kind=failure.kind if failure else "",
        meaning=kind(failure.kind).meaning if failure else "",
        hint=clean(failure.hint or kind(failure.kind).hint) if failure else "",
        symptoms=_symptoms(wrong, failure, report.leaked),
        recovery_point=clean(point.id, TITLE) if point else "",
        recovery_point_at=(point.data_time or point.created) if point else None,
        last_pass=last_pass,
        again=f"restorecheck run {matter.name}",
        runbook=theirs or runbook(matter.notify, About.RUN),
        link=link(matter.notify),
        owner=matter.owner,
        hold=matter.hold,
    )


def of_begin(matter: Matter, run: str, at: datetime) -> Notice:
    """Return the ping that says that a run began."""
    title = f"{matter.name}: a run began"
    return _plain(matter, About.RUN, title, occasion=run, at=at, turn=Turn.BEGAN, severity="info", run_id=run)


def of_pass(matter: Matter, report: Report, episode: Episode) -> Notice:
    """Return what is said when a run passes and so ends a trouble."""
    base = of_run(matter, report, last_pass=report.ended)
    lasted = span(report.ended - episode.since)
    was = {
        About.RUN: f"it was {episode.notice.verdict} for {lasted}, {count(episode.count, 'run')} in a row",
        About.MISSED: f"{count(episode.count, 'time')} of its schedule had been missed",
    }[episode.about]
    return _plain(
        matter,
        episode.about,
        f"{matter.name} passed: {was}",
        occasion=report.run_id,
        at=report.ended,
        turn=Turn.RESOLVED,
        symptoms=base.symptoms,
        recovery_point=base.recovery_point,
        recovery_point_at=base.recovery_point_at,
        last_pass=report.ended,
        run_id=report.run_id,
    )


def of_miss(matter: Matter, miss: Miss, at: datetime, last_pass: datetime | None = None) -> Notice:
    """Return what is said of a time of a schedule at which no run began."""
    why = {
        "down": "nobody served at that time",
        "overlapped": "the run before had not begun yet",
    }[miss.reason]
    made_up = f", and {miss.caught_up_by} is to make up for it" if miss.caught_up_by else ""
    return _missed(matter, f"no run at {moment(miss.scheduled_for)}: {why}{made_up}", miss, at, last_pass)


def of_lost_time(matter: Matter, episode: Episode, now: datetime) -> Notice:
    """Return what is said when the run that was to make up for a missed time has not ended."""
    run = episode.notice.run_id
    title = f"{run} was to make up for a missed time, and has not ended {span(now - episode.told)} later"
    miss = Miss(matter.name, now, "down", run)
    return _missed(matter, title, miss, now, episode.notice.last_pass)


def _missed(matter: Matter, title: str, miss: Miss, at: datetime, last_pass: datetime | None) -> Notice:
    return _plain(
        matter,
        About.MISSED,
        f"{matter.name}: {title}",
        occasion=f"{miss.scheduled_for:%Y%m%dt%H%M%Sz}",
        at=at,
        since=min(miss.scheduled_for, at),
        turn=Turn.FIRING,
        hint="see `restorecheck status` and the log of that time; a run by hand makes up for it",
        run_id=miss.caught_up_by or "",
        last_pass=last_pass,
    )


def of_pause(matter: Matter, episodes: Sequence[Episode], until: str | None, at: datetime) -> Notice:
    """Return what is said when an operator pauses a check that is in trouble."""
    state = " and ".join(_state(episode) for episode in episodes)
    lasts = f"until {clean(until, 40)}" if until else "until it is resumed"
    return _plain(
        matter,
        About.PAUSED,
        f"{matter.name} is paused {lasts}, while {state}",
        occasion=at.isoformat(),
        at=at,
        hint=f"nothing is repeated meanwhile; `restorecheck resume {matter.name}` ends it",
        last_pass=episodes[0].notice.last_pass,
    )


def of_removal(matter: Matter, episodes: Sequence[Episode], at: datetime) -> Notice:
    """Return what is said when a check leaves the configuration while it is in trouble: once for each trouble."""
    state = " and ".join(_state(episode) for episode in episodes)
    return _plain(
        matter,
        About.REMOVED,
        f"{matter.name} left the configuration, while {state}",
        occasion=min(episode.since for episode in episodes).isoformat(),
        at=at,
        hint="nobody proves this backup any more; declare the check again, or end its alerts by hand",
        last_pass=episodes[0].notice.last_pass,
        owner=episodes[0].notice.owner,
    )


def _state(episode: Episode) -> str:
    return f"it is {episode.notice.verdict}" if episode.about is About.RUN else "a time of its schedule was missed"


def _plain(matter: Matter, about: About, title: str, *, occasion: str, at: datetime, **more: object) -> Notice:
    """Return a notice that is about a check and not about one of its runs."""
    key = matter.key(about)
    fields: dict[str, object] = {
        "turn": Turn.TOLD,
        "severity": matter.severity(),
        "again": f"restorecheck run {matter.name}" if about is not About.REMOVED else "",
        "owner": matter.owner,
        "since": at,
    }
    return Notice(
        id=f"{key}@{occasion}",
        key=key,
        about=about,
        title=cut(title, TITLE),
        at=at,
        check=matter.name,
        runbook=runbook(matter.notify, about),
        link=link(matter.notify),
        hold=matter.hold,
        **(fields | more),  # type: ignore[arg-type]
    )


# --- of a run --------------------------------------------------------------------------------------------------------


def _title(name: str, report: Report, wrong: Sequence[Finding]) -> str:
    failure = report.failure
    if report.verdict is Verdict.PASSED or failure is None:
        left = f", and left {count(len(report.leaked), 'thing')} behind" if report.leaked else ""
        return f"{name} {'passed' if report.verdict is Verdict.PASSED else f'is {report.verdict}'}{left}"
    first = next((f for f in wrong if f.kind == failure.kind and f.message), None)
    if failure.phase == PHASE:
        why = f"{first.name}: {first.message}" if first else failure.message
    else:
        why = f"{kind(failure.kind).meaning} ({failure.phase})"
    return cut(f"{name} is {report.verdict}: {clean(why)}", TITLE)


def _symptoms(wrong: Sequence[Finding], failure: Failure | None, leaked: Sequence[Leftover]) -> tuple[Symptom, ...]:
    found = [Symptom(clean(f.name), clean(f.expected), clean(f.observed), clean(f.message)) for f in wrong]
    if failure is not None and failure.phase != PHASE:
        found.insert(0, Symptom(clean(failure.phase), "", "", clean(failure.message)))
    if leaked:
        names = clean(", ".join(left.arn.rpartition(":")[2] or left.arn for left in leaked))
        found.insert(0, Symptom("left behind", "nothing", count(len(leaked), "thing"), names))
    more = len(found) - MOST
    return tuple(found) if more <= 0 else (*found[: MOST - 1], Symptom(f"and {more + 1} more", "", ""))
