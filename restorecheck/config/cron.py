"""Schedules: whether a cron expression and a time zone mean something, and how long they may leave nothing to run.

Pure, and independent of today: the same file is right or wrong on every day. The service's clock is APScheduler's
CronTrigger, so it is asked here as well; what it reads differently from crontab(5) is refused rather than guessed.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from restorecheck.config.values import shown

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped] # it ships no types

_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")  # crontab(5): 0 and 7 are Sunday
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_END = datetime(2029, 1, 1, tzinfo=UTC)  # a leap day and every change of the clocks lie in between
_TICK = timedelta(seconds=1)


@cache
def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name. Raises ValueError with a sentence."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        known = {zone.lower(): zone for zone in available_timezones()}
        cities = {zone.rsplit("/")[-1]: zone for zone in sorted(known)}
        word = name.strip().lower().replace(" ", "_")
        near = difflib.get_close_matches(word, [*known, *cities], n=1, cutoff=0.7)
        right = (
            f'did you mean "{known[cities.get(near[0], near[0])]}"?'
            if near
            else 'write for example "Europe/Berlin" or "UTC"'
        )
        raise ValueError(f"{shown(name)} is not a time zone; {right}") from None


@cache
def trigger(expression: str, timezone: str) -> CronTrigger:
    """Return the trigger of a cron expression. Raises ValueError with a sentence."""
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only where there is a schedule

    fields = expression.split()
    if len(fields) != 5:
        raise ValueError(
            f"{shown(expression)} has {len(fields)} fields; "
            'write five (minute, hour, day of the month, month, day of the week), for example "0 3 * * *"'
        )
    if re.search(r"[0-9]", fields[4]):
        raise ValueError(
            f"{shown(expression)} has numbers for days of the week, which crontab(5) and others count differently; "
            f'write names: "{" ".join([*fields[:4], _named(fields[4])])}"'
        )
    if fields[2] != "*" and fields[4] != "*":
        raise ValueError(
            f"{shown(expression)} names days of the month and of the week, "
            "which crontab(5) and others join differently; name one of them and leave the other *"
        )
    for name, text in zip(_FIELDS, fields, strict=True):
        _field(expression, name, text)
    found = CronTrigger.from_crontab(expression, zone(timezone))
    if found.get_next_fire_time(None, _BEGIN) is None:
        raise ValueError(
            f"{shown(expression)} names a day that no year has; it would never run; write a day that exists"
        )
    return found


def _field(expression: str, name: str, text: str) -> None:
    """Let the trigger judge one field, so that the message can name it."""
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415

    keyword = {"day of the month": "day", "day of the week": "day_of_week"}.get(name, name)
    try:
        CronTrigger(**{keyword: text}, timezone=UTC)
    except ValueError:
        ranges = {"minute": "0-59", "hour": "0-23", "day": "1-31", "month": "1-12 or jan-dec", "day_of_week": "mon-sun"}
        raise ValueError(
            f'{shown(expression)} has "{text}" for the {name}; '
            f"write *, a list, a range or a step of {ranges[keyword]}, ranges from low to high"
        ) from None


@cache
def longest_gap(expression: str, timezone: str) -> timedelta:
    """Return the longest time between two runs of a schedule that `trigger` accepts, within four years.

    The times of one day are the same on every day but those on which the clocks change. So each day's first run is
    looked up, and all runs of a day only once and where the clocks change: to walk every minute of four years would
    take half a minute.
    """
    when, where = trigger(expression, timezone), zone(timezone)
    usual: list[timedelta] = []  # runs of an ordinary day, counted from midnight
    ends: list[tuple[datetime, datetime]] = []  # first and last run of each day
    longest = timedelta()
    at = when.get_next_fire_time(None, _BEGIN)
    while at < _END or not ends:
        midnight = at.astimezone(where).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        begin, end = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
        ordinary = midnight.utcoffset() == (midnight + timedelta(days=1)).utcoffset()
        if ordinary and usual:
            ends.append((begin + usual[0], begin + usual[-1]))
        else:
            runs = _runs(when, at, end)
            longest = max([longest, *(later - run for run, later in pairwise(runs))])
            ends.append((runs[0], runs[-1]))
            usual = [run - begin for run in runs] if ordinary else usual
        at = when.get_next_fire_time(None, end)
    first_after = at.astimezone(UTC)
    return max([longest, first_after - ends[-1][1], *(later[0] - day[1] for day, later in pairwise(ends))])


def _runs(when: CronTrigger, at: datetime, end: datetime) -> list[datetime]:
    """Return the runs from `at`, which is one, until `end`, which is not one."""
    runs = []
    while at < end:
        runs.append(at.astimezone(UTC))
        at = when.get_next_fire_time(None, runs[-1] + _TICK)
    return runs


def _named(field: str) -> str:
    """Return the names of days that crontab(5) means by numbers, or an example."""
    days: list[str] = []
    for part in field.split(","):
        if not (found := re.fullmatch(r"([0-7])(?:-([0-7]))?", part)):
            return "mon,wed,fri"
        days += _DAYS[int(found[1]) : int(found[2] or found[1]) + 1]
    return ",".join(days) or "mon,wed,fri"
