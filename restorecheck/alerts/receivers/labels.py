"""A notice as Alertmanager knows alerts: labels say which alert it is, annotations say the rest. Pure.

Every value is one line of printable text and cut: what comes from a database or from AWS is never written on as it is.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from restorecheck.alerts import wording
from restorecheck.alerts.receivers.interface import cut
from restorecheck.model import About, Notice

REPORTER = "restorecheck"

IDENTITY = ("alertname", "check", "receiver", "reporter")
"""Labels that are the same for all notices of one trouble. The others may change while it lasts."""

NOTICE = "notice_id"
"""The annotation by which we know an alert again."""

_NAME, _LINE, _TEXT = 128, 1024, 8192


def labels_of(notice: Notice) -> dict[str, str]:
    """Return the labels. Those that would be empty are left out: Alertmanager drops them too."""
    labels = {
        **identity_of(notice),
        "verdict": cut(notice.verdict or "", _NAME),
        "severity": notice.severity,
        "owner": cut(notice.owner, _NAME),
    }
    return {name: value for name, value in labels.items() if value}


def identity_of(notice: Notice) -> dict[str, str]:
    """Return the labels that all notices of this trouble have, and no other trouble."""
    labels = {"alertname": wording.ALERTS[notice.about], "check": cut(notice.check, _NAME), "reporter": REPORTER}
    if notice.about in {About.RECEIVER, About.TEST}:
        labels["receiver"] = cut(notice.key.rpartition("/")[2], _NAME)
    return {name: value for name, value in labels.items() if value}


def annotations_of(notice: Notice) -> dict[str, str]:
    """Return what a person reads."""
    at = notice.recovery_point_at
    point = notice.recovery_point + (f" of {stamp(at)}" if at else "")
    found = {
        "summary": cut(notice.title, _LINE),
        "description": _lines(wording.text(notice)),
        "hint": cut(notice.hint, _LINE),
        "again": cut(notice.again, _LINE),
        "run": cut(notice.run_id, _NAME),
        "recovery_point": cut(point, _LINE),
        "last_pass": stamp(notice.last_pass) if notice.last_pass else "",
        "count": str(notice.count),
        "turn": notice.turn.value,
        "runbook_url": cut(notice.runbook, _LINE),
        NOTICE: cut(notice.id, _LINE),
    }
    return {name: value for name, value in found.items() if value}


def stamp(at: datetime) -> str:
    """Return a time as Alertmanager writes and reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fingerprint_of(notice: Notice) -> str:
    """Return a name of the alert that is the same for as long as the trouble lasts, also when its verdict changes."""
    return hashlib.sha256(notice.key.encode()).hexdigest()[:16]


def _lines(text: str) -> str:
    """Return a text of several lines, each of them printable, cut to what an annotation may hold."""
    whole = "\n".join("".join(c if c.isprintable() else " " for c in line) for line in text.split("\n"))
    return whole if len(whole) <= _TEXT else whole[: _TEXT - 1] + "…"
