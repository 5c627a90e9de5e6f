"""What is told of the service itself: of what is left behind, a sweep that tripped, receivers, and that it lives. Pure.

What a sweep says names resources of AWS, so it goes through `clean` like all that comes from outside.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from restorecheck.alerts.cleaning import clean, cut
from restorecheck.alerts.episodes import named
from restorecheck.alerts.wording import link, runbook, span
from restorecheck.assertions.words import count
from restorecheck.config.receivers import Notify
from restorecheck.model import About, Episode, Notice, Severity, Turn

TITLE = 200
"""Characters of a title."""

KEYS = {About.LEAKED: "restorecheck/leaked", About.SWEEP: "restorecheck/sweep"}
"""The keys of what a sweep may find."""

ALIVE = "restorecheck/service"
"""The key of the ping that says that the service lives."""

TRIED_FOR = timedelta(minutes=30)
"""After this a trial is over also for who never hears that it is."""

_HOLD = timedelta(days=1)


def receiver_key(name: str) -> str:
    """Return the key of the trouble with one receiver."""
    return f"restorecheck/receiver/{name}"


def of_leak(summary: str, at: datetime, notify: Notify) -> Notice:
    """Return what is said when a sweep found something that should not be there any more."""
    return _of_service(
        About.LEAKED,
        KEYS[About.LEAKED],
        f"something of restorecheck's is left in AWS and costs money: {clean(summary)}",
        at,
        notify,
        hint="`restorecheck sweep` lists it and says why it was not deleted",
        again="restorecheck sweep",
    )


def of_trip(why: str, at: datetime, notify: Notify) -> Notice:
    """Return what is said when a sweep deleted nothing, because too much had expired."""
    return _of_service(
        About.SWEEP,
        KEYS[About.SWEEP],
        f"the sweep deleted nothing, and a person has to decide: {clean(why)}",
        at,
        notify,
        hint="look at what `restorecheck sweep` lists before anything is deleted",
        again="restorecheck sweep",
    )


def of_clean(episode: Episode, at: datetime, notify: Notify) -> Notice:
    """Return what is said when a sweep found nothing left, or deletes again."""
    said = {
        About.LEAKED: "nothing of restorecheck's is left in AWS any more",
        About.SWEEP: "the sweep deletes again what has expired",
    }[episode.about]
    return _of_service(episode.about, episode.key, said, at, notify, turn=Turn.RESOLVED)


def of_receiver(name: str, waiting: int, oldest: datetime, now: datetime, notify: Notify) -> Notice:
    """Return what is said to the others when a receiver cannot be reached."""
    title = f"the receiver {name} has not been reached for {span(now - oldest)}; {count(waiting, 'notice')} wait for it"
    hint = f"look for {name} in the log; `restorecheck notify --test` tries it again"
    return _of_receiver(name, title, now, notify, severity="critical", hint=hint)


def of_receiver_reached(name: str, now: datetime, notify: Notify) -> Notice:
    """Return what is said to the others when a receiver takes notices again."""
    return _of_receiver(name, f"the receiver {name} is reached again", now, notify, turn=Turn.RESOLVED)


def of_receiver_gone(name: str, since: datetime, now: datetime, notify: Notify) -> Notice:
    """Return what is said, once, when a receiver leaves the configuration that could not be reached since a time."""
    title = f"the receiver {name} left the configuration before what waits for it was told"
    return _of_receiver(name, title, now, notify, turn=Turn.TOLD, occasion=f"{since.isoformat()}:gone")


def of_untold(topic: str, event: int, why: str, now: datetime, notify: Notify) -> Notice:
    """Return what is said when nobody could be told what happened, because of a bug of ours."""
    title = f"something happened that could not be told: {clean(topic, 40)}, event {event} ({clean(why, 60)})"
    hint = "look for it in the log and in `restorecheck status`; this is a bug: please report it"
    key = "restorecheck/untold"
    return _of_service(
        About.RECEIVER, key, title, now, notify, occasion=str(event), turn=Turn.TOLD, severity="critical", hint=hint
    )


def of_life(now: datetime, notify: Notify) -> Notice:
    """Return the ping that says that the service lives."""
    title = "restorecheck looks at its schedules and tells what happens"
    return _of_service(About.TEST, ALIVE, title, now, notify, turn=Turn.PASSED, severity="info")


def trial(receiver: str, now: datetime, notify: Notify) -> tuple[Notice, Notice]:
    """Return two notices that try whether a receiver is reached: that something is wrong, and that it is over."""
    key = f"restorecheck/test/{receiver}"
    fields = {"at": now, "notify": notify, "severity": "info", "hint": "nothing has to be done: this is a trial"}
    titles = (
        f"a trial of the receiver {receiver}: this is not an alarm",
        f"the trial of the receiver {receiver} is over",
    )
    fired, over = (
        _of_service(About.TEST, key, title, turn=turn, hold=TRIED_FOR, **fields)  # type: ignore[arg-type]
        for title, turn in zip(titles, (Turn.FIRING, Turn.RESOLVED), strict=True)
    )
    return named(fired), named(over)


def _of_receiver(name: str, title: str, now: datetime, notify: Notify, **more: object) -> Notice:
    return _of_service(About.RECEIVER, receiver_key(name), title, now, notify, **more)  # type: ignore[arg-type]


def _of_service(
    about: About,
    key: str,
    title: str,
    at: datetime,
    notify: Notify,
    *,
    occasion: str = "",
    turn: Turn = Turn.FIRING,
    severity: Severity = "warning",
    **more: object,
) -> Notice:
    """Return a notice that is about no check. Its id names the occasion."""
    fields: dict[str, object] = {"hold": _HOLD, **more}
    return Notice(
        id=f"{key}@{occasion or at.isoformat()}",
        key=key,
        about=about,
        turn=turn,
        severity=severity,
        title=cut(title, TITLE),
        at=at,
        since=at,
        runbook=runbook(notify, about),
        link=link(notify),
        **fields,  # type: ignore[arg-type]
    )
