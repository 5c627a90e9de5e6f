"""Small pieces of the files that are written: values of TOML, names of checks, the hours of a night. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from restorecheck.discovery.judging import Ground

LONGEST = 32
"""Letters in the name of a check: names in RDS are made from it."""

NIGHT = (1, 0)
"""When checks of what has no backup window may begin: hour and minute, in UTC."""

_STEP = 10  # minutes between two checks whose backups are ready at the same time
_RESERVE = 60  # minutes after the end of a backup window: a backup that was begun in it may still be written


def quoted(text: str) -> str:
    """Return a text as TOML writes it: as JSON does, but for one letter."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def hours(span: timedelta) -> str:
    """Return a duration, rounded up to whole hours, as configuration says it."""
    whole = math.ceil(span / timedelta(hours=1))
    return f"{whole // 24}d" if whole % 24 == 0 and whole > 48 else f"{whole}h"


def spoken(age: timedelta) -> str:
    """Return an age in its largest unit, as a person says it."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"


def gap(times: Iterable[datetime]) -> timedelta | None:
    """Return the longest time between two of the last backups; None if there are not two."""
    return max((b - a for a, b in pairwise(sorted(times)[-9:])), default=None)


def slug(text: str, taken: Collection[str]) -> str:
    """Return a name for a check that is like `text`, is allowed, and is not taken."""
    bare = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+", "-", text.lower())).strip("-")
    bare = bare if bare[:1].isalpha() else f"check-{bare}".rstrip("-")
    name, number = bare[:LONGEST].rstrip("-"), 2
    while name in taken:
        suffix = f"-{number}"
        name, number = bare[: LONGEST - len(suffix)].rstrip("-") + suffix, number + 1
    return name


@dataclass
class Night:
    """Hands out times, so that what is ready together does not begin together."""

    _taken: set[int] = field(default_factory=set)

    def cron(self, window: str = "") -> str:
        """Return a time each day, in UTC, at which what is backed up within the window is there."""
        hour, minute = _end(window) or NIGHT
        at = hour * 60 + minute + (_RESERVE if window else 0)
        at = -(-at // _STEP) * _STEP % 1440
        while at in self._taken and len(self._taken) < 1440 // _STEP:
            at = (at + _STEP) % 1440
        self._taken.add(at)
        return f"{at % 60} {at // 60} * * *"


@dataclass(frozen=True, slots=True)
class Making:
    """What all checks that are made together have in common."""

    ground: Ground
    night: Night
    now: datetime


def length(window: str) -> timedelta:
    """Return how long a backup window is: "23:30-00:00" is half an hour."""
    begin, end = _clock(window.partition("-")[0]), _end(window)
    if begin is None or end is None:
        return timedelta(minutes=30)  # the least that AWS takes
    return timedelta(minutes=(end[0] * 60 + end[1] - begin[0] * 60 - begin[1]) % 1440)


def _end(window: str) -> tuple[int, int] | None:
    return _clock(window.partition("-")[2])


def _clock(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"([0-9]{2}):([0-9]{2})", text)
    return (int(match[1]), int(match[2])) if match else None
