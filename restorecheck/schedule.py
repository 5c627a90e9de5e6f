"""When checks run and what a run is called. Pure: the time is an argument.

A run id is the check's name and the time that the run is for, so that duplicate ticks and replicas fold into one run.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

PREFIX = "restorecheck-"
"""Every AWS resource that we make is named PREFIX + run id. RDS allows 63 letters, digits and single hyphens."""

FINAL = "rds-final"
"""How the name of a manual cluster snapshot begins that Aurora makes itself, when the upgrade of a cluster fails that
was restored from a version past its end of standard support. No tag of ours is on it. [Aurora user guide]"""

MAX_NAME = 32
"""Longest name of a check: PREFIX (13) + name + "-" + "20261121t030015z" (16) must fit into 63."""

_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?!-))*(?<!-)")
_RUN_ID = re.compile(r"(?P<check>.+)-(?P<time>\d{8}t\d{4}(?:\d{2})?z)")


def why_not_name(name: str) -> str | None:
    """Return why a check may not have this name, or None."""
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters; {MAX_NAME} are allowed, because RDS names are made from it"
    if not _NAME.fullmatch(name):
        return "must be lower-case letters, digits and single hyphens, beginning with a letter"
    return None


def run_id(check: str, scheduled_for: datetime) -> str:
    """Return the id of the run of `check` for this time; seconds appear only where there are any (runs by hand)."""
    at = scheduled_for.astimezone(UTC)
    return f"{check}-{at:%Y%m%dt%H%M}{f'{at:%S}' if at.second else ''}z"


def check_of(run: str) -> str | None:
    """Return the check's name in a run id, or None if it is not a run id."""
    found = _RUN_ID.fullmatch(run)
    return found["check"] if found and why_not_name(found["check"]) is None else None


def scratch_name(run: str) -> str:
    """Return the name of everything that this run makes: source copy, scratch copy and instance alike."""
    return PREFIX + run


def time_of(run: str) -> datetime | None:
    """Return the time that a run is for, or None if this is not a run id."""
    found = _RUN_ID.fullmatch(run)
    if not found:
        return None
    text = found["time"]
    try:
        return datetime.strptime(text, "%Y%m%dt%H%Mz" if len(text) == 14 else "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC)
    except ValueError:
        return None
