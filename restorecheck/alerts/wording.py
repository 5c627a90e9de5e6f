"""The words of a notice: its name, its addresses, itself as one line and as plain text for mail and chat.

A notice leaves the house: names, counts and times, in words that findings have; never a row value, a secret or a path
of this machine.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from restorecheck.assertions.words import count, duration
from restorecheck.config.receivers import Notify
from restorecheck.model import About, Notice, Symptom, Turn

ALERTS = {
    About.RUN: "RestoreCheckFailed",
    About.MISSED: "RestoreCheckMissed",
    About.PAUSED: "RestoreCheckPaused",
    About.REMOVED: "RestoreCheckRemoved",
    About.LEAKED: "RestoreCheckResourceLeaked",
    About.SWEEP: "RestoreCheckSweepTripped",
    About.RECEIVER: "RestoreCheckNotificationsFailing",
    About.ACCEPTED: "RestoreCheckAccepted",
    About.TEST: "RestoreCheckTest",
}
"""The name by which alert managers know what a notice is about; each has a runbook of that name."""

SUBJECT = 100
"""Characters of the one line: the limit of SNS."""

_TURNS = {Turn.REPEATED: "STILL", Turn.RESOLVED: "RESOLVED", Turn.TOLD: "NOTE"}


def runbook(notify: Notify, about: About) -> str:
    """Return the address of the runbook; empty if nobody said where they are."""
    base = notify.runbooks or (f"{notify.link.rstrip('/')}/runbooks" if notify.link else "")
    return f"{base.rstrip('/')}/{ALERTS[about]}" if base else ""


def link(notify: Notify) -> str:
    """Return the address at which this service is reached; empty if nobody said it."""
    return f"{notify.link.rstrip('/')}/" if notify.link else ""


def subject(notice: Notice) -> str:
    """Return the notice as one line of at most 100 ASCII characters, as mail and SNS want it."""
    word = _TURNS.get(notice.turn, str(notice.verdict or notice.about)).upper()
    if notice.turn is Turn.REPEATED:
        word = f"{word} {notice.verdict or notice.about}".upper()
    plain = f"[{word}] {notice.title}".replace("…", "...")
    text = "".join(c if c.isascii() and c.isprintable() else "?" for c in plain)
    return text if len(text) <= SUBJECT else text[: SUBJECT - 3].rstrip() + "..."


def text(notice: Notice) -> str:
    """Return the whole notice as plain text, for mail, chat and the body of a ping."""
    lines = [notice.title, ""]
    lines += [f"{name + ':':<16}{said}" for name, said in _facts(notice) if said]
    if notice.symptoms:
        lines += ["", "What did not hold:", *(line for s in notice.symptoms for line in _symptom(s))]
    ends = (
        ("To do", notice.hint),
        ("Run it again", notice.again),
        ("Runbook", notice.runbook),
        ("More", notice.link),
    )
    said = [f"{name}: {value}" for name, value in ends if value]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def _facts(notice: Notice) -> list[tuple[str, str]]:
    trouble = notice.turn in (Turn.FIRING, Turn.REPEATED)
    many = f", {count(notice.count, 'time')} in a row" if notice.count > 1 else ""
    since = f"{moment(notice.since)}{many}" if trouble else ""
    point = f"{notice.recovery_point}, of {moment(notice.recovery_point_at)}" if notice.recovery_point_at else ""
    passed = moment(notice.last_pass) if notice.last_pass else ""
    return [
        ("verdict", f"{notice.verdict}: {notice.meaning}" if notice.verdict and notice.meaning else ""),
        ("severity", notice.severity),
        ("since", since),
        ("run", notice.run_id),
        ("recovery point", point),
        ("last pass", passed or ("not known" if trouble and notice.check else "")),
        ("owner", notice.owner),
    ]


def _symptom(symptom: Symptom) -> list[str]:
    halves = (("expected", symptom.expected), ("observed", symptom.observed))
    held = ", ".join(f"{name} {said}" for name, said in halves if said)
    lines = [f"- {symptom.name}: {held}" if held else f"- {symptom.name}"]
    return [*lines, f"  {symptom.message}"] if symptom.message else lines


def moment(at: datetime) -> str:
    """Return an instant for a person."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """Return how long something lasted, for a person."""
    return duration(Decimal(max(0, length // timedelta(seconds=1))))
