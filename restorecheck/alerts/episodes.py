"""How a trouble is followed from its first failure until it is over, and what is said on the way. Pure decisions.

Fires at once, again when its verdict changes; repeats while it lasts; is told to more people after so many failures.
Only something that went well resolves it: never time, a restart, a pause, or that its check is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from restorecheck.model import Episode, Notice, Turn

KEPT_REMOVED = timedelta(days=1)
"""How long the episode of a check that left the configuration is kept. A check that comes back meanwhile goes on where
it was: of two replicas one may have read the new configuration before the other, and a file may be lost for an hour."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a trouble is told: how often it is repeated, and who is told at first and after so many failures."""

    repeat: timedelta
    receivers: tuple[str, ...]
    escalate_after: int = 1
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Addressed:
    """A notice and the names of who is told."""

    notice: Notice
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an episode (None: it is over, or never was), and what is said about it."""

    episode: Episode | None
    said: tuple[Addressed, ...] = ()


def failed(episode: Episode | None, found: Notice, policy: Policy, now: datetime) -> Change:
    """Return what follows from a failure. `found` says what failed; its id names the occasion, and no two share one."""
    if episode is None:
        fresh = replace(found, since=min(found.since, found.at), count=1)
        episode = Episode(found.key, found.about, found.check, fresh.since, 1, now, (), fresh)
        return _told(episode, fresh, policy, now, everybody=True)
    notice = _of(episode, found, episode.count + 1)
    changed = is_quiet(episode) or found.verdict is not episode.notice.verdict
    episode = replace(episode, count=notice.count, notice=notice, removed=False)
    if changed or _escalates(episode, policy) or _is_due(episode, policy, now):
        return _told(episode, notice, policy, now, everybody=changed)
    return Change(replace(episode, notice=replace(notice, turn=Turn.REPEATED)))


def noted(episode: Episode | None, found: Notice, now: datetime) -> Change:
    """Return what follows from a failure that is being made up for: it is remembered, and nobody is told yet.

    An episode of which people were told stays as it is, but for its count.
    """
    if episode is None:
        quiet = replace(found, turn=Turn.TOLD, since=min(found.since, found.at), count=1)
        return Change(Episode(found.key, found.about, found.check, quiet.since, 1, now, (), quiet))
    if not is_quiet(episode):
        return Change(replace(episode, count=episode.count + 1))
    quiet = replace(_of(episode, found, episode.count + 1), turn=Turn.TOLD)
    return Change(replace(episode, count=quiet.count, notice=quiet))


def spoken(episode: Episode, found: Notice, policy: Policy, now: datetime) -> Change:
    """Return what follows when something that was only noted has to be told after all. It counts as before."""
    notice = _of(episode, found, episode.count)
    return _told(replace(episode, notice=notice), notice, policy, now, everybody=True)


def passed(episode: Episode, found: Notice) -> Change:
    """Return what follows from something that went well, as `found` says it: all who were told are told.

    Of what was only noted, that is nobody. What the notice is sorted by stays what it was when it fired: an
    Alertmanager knows an alert by its labels.
    """
    fired = episode.notice
    notice = replace(
        _of(episode, found, episode.count), verdict=fired.verdict, severity=fired.severity, turn=Turn.RESOLVED
    )
    return Change(None, _addressed(named(notice), episode.receivers))


def elapsed(episode: Episode, policy: Policy, now: datetime, *, paused: bool = False) -> Change:
    """Return what follows when nothing happened but time.

    While an operator has paused the check nothing is repeated: somebody knows of it, has decided, and everybody was
    told of the pause. The episode lasts, and is repeated as soon as the pause is over.
    """
    if episode.removed:
        return Change(None if now - (episode.removed_at or episode.told) >= KEPT_REMOVED else episode)
    unheard = not episode.receivers and bool(audience(episode, policy))  # there was nobody to tell, and now there is
    if paused or is_quiet(episode) or not (unheard or _is_due(episode, policy, now)):
        return Change(episode)
    notice = replace(episode.notice, id=f"{episode.key}@{now.isoformat()}", at=now)
    return _told(episode, notice, policy, now, everybody=False)


def removed(episode: Episode, now: datetime) -> Episode:
    """Return the episode of a check that left the configuration: not resolved, and not repeated any more.

    When it was last told stays: should the check come back, it is repeated when it would have been.
    """
    return replace(episode, removed=True, removed_at=now)


def is_quiet(episode: Episode) -> bool:
    """Say whether nobody was meant to be told of it yet."""
    return episode.notice.turn is Turn.TOLD


def audience(episode: Episode, policy: Policy) -> tuple[str, ...]:
    """Return everybody who is to hear of an episode now. Who was told once is told until it is over."""
    more = policy.escalate_to if episode.escalated else ()
    return tuple(dict.fromkeys((*episode.receivers, *policy.receivers, *more)))


def named(notice: Notice) -> Notice:
    """Return a notice with an id of its own, made of its occasion and its turn."""
    return replace(notice, id=f"{notice.id}:{notice.turn}")


def _told(episode: Episode, notice: Notice, policy: Policy, now: datetime, *, everybody: bool) -> Change:
    """Tell all: as new to `everybody`, or only to those who hear of it for the first time, and to the rest again."""
    if _escalates(episode, policy):
        episode = replace(episode, escalated=True)
    all_ = audience(episode, policy)
    new = all_ if everybody else tuple(name for name in all_ if name not in episode.receivers)
    firing, again = (named(replace(notice, turn=turn)) for turn in (Turn.FIRING, Turn.REPEATED))
    old = tuple(name for name in all_ if name not in new)
    episode = replace(episode, told=now, receivers=all_, notice=firing if everybody else again)
    return Change(episode, (*_addressed(again, old), *_addressed(firing, new)))


def _of(episode: Episode, found: Notice, count: int) -> Notice:
    """Return what was found as a part of an episode.

    The owner stays who it was: it is a label, and an alert under other labels would be another one, for ever open.
    """
    return replace(
        found,
        since=episode.since,
        count=count,
        owner=episode.notice.owner,
        last_pass=found.last_pass or episode.notice.last_pass,
    )


def _escalates(episode: Episode, policy: Policy) -> bool:
    return not episode.escalated and bool(policy.escalate_to) and episode.count >= policy.escalate_after


def _is_due(episode: Episode, policy: Policy, now: datetime) -> bool:
    """Say whether it is time to repeat; also if the clock was wrong when it was last told."""
    return abs(now - episode.told) >= policy.repeat


def _addressed(notice: Notice, receivers: Iterable[str]) -> tuple[Addressed, ...]:
    names = tuple(receivers)
    return (Addressed(notice, names),) if names else ()
