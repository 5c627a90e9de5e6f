"""Schedules: whether a cron expression and a time zone mean something, and how long they may leave nothing to run.

Pure, and independent of today: the same file is right or wrong on every day. APScheduler's CronTrigger reads the
expression, as it does in the service; what it reads differently from crontab(5) is refused rather than guessed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from restorecheck.config.values import shown

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped] # it ships no types

_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")  # crontab(5): 0 and 7 are Sunday
_BEGIN = datetime(2025, 1, 1)  # noqa: DTZ001 - a day of the calendar, in whatever zone
_END = datetime(2029, 1, 1)  # noqa: DTZ001 - a leap day and many changes of the clocks lie in between
_DAY = timedelta(days=1)


@cache
def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name. Raises ValueError with a sentence."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        known = {zone.lower(): zone for zone in available_timezones()}
        cities = {zone.rsplit("/")[-1]: zone for zone in sorted(known)}
        word = name.strip().lower().replace(" ", "_")
        near = difflib.get_close_matches(word, [*known, *cities], n=1, cutoff=0.8)
        right = (
            f'did you mean "{known[cities.get(near[0], near[0])]}"?'
            if near
            else 'write for example "Europe/Berlin" or "UTC"'
        )
        raise ValueError(f"{shown(name)} is not a time zone; {right}") from None


@cache
def trigger(expression: str) -> CronTrigger:
    """Return the trigger of a cron expression, in UTC. Raises ValueError with a sentence."""
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only where there is a schedule

    fields = expression.split()
    if len(fields) != 5:
        raise ValueError(
            f"{shown(expression)} is not a cron expression of five fields; "
            'write minute, hour, day of the month, month and day of the week, for example "0 3 * * *"'
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
    found = CronTrigger.from_crontab(expression, UTC)
    if found.get_next_fire_time(None, _BEGIN.replace(tzinfo=UTC)) is None:
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

    Every time of day runs on every day that matches: later where the clocks skip it, twice where they repeat it. The
    runs of a whole day are looked at only once, and on days on which the clocks change: every minute of four years
    would take half a minute.
    """
    when, where = trigger(expression), zone(timezone)
    times = _times(when)
    ends: list[tuple[datetime, datetime]] = []  # first and last run of each day
    longest = max((_on(_BEGIN, later) - _on(_BEGIN, run) for run, later in pairwise(times)), default=timedelta())
    day = _BEGIN
    while day < _END or len(ends) < 2 or ends[-1][0] < _END.replace(tzinfo=UTC):
        if all(field.get_next_value(day) == field.get_value(day) for field in when.fields[:5]):
            steady = day.replace(tzinfo=where).utcoffset() == (day + _DAY).replace(tzinfo=where).utcoffset()
            runs = sorted({run for at in ((times[0], times[-1]) if steady else times) for run in _runs(day, at, where)})
            ends.append((runs[0], runs[-1]))
            longest = longest if steady else max(longest, *(later - run for run, later in pairwise([runs[0], *runs])))
        day += _DAY
    return max(longest, *(later[0] - day[1] for day, later in pairwise(ends)))


def _times(when: CronTrigger) -> list[time]:
    """Return the times of day of a trigger; they do not depend on the day."""
    hour, minute = when.fields[5], when.fields[6]
    hours = [at for at in range(24) if hour.get_next_value(_BEGIN.replace(hour=at)) == at]
    minutes = [at for at in range(60) if minute.get_next_value(_BEGIN.replace(minute=at)) == at]
    return [time(h, m) for h in hours for m in minutes]


def _on(day: datetime, at: time) -> datetime:
    return datetime.combine(day, at)


def _runs(day: datetime, at: time, where: tzinfo) -> Iterator[datetime]:
    """Yield when a time of day comes on a day, in UTC."""
    local = _on(day, at).replace(tzinfo=where)
    yield local.astimezone(UTC)
    again = local.replace(fold=1).astimezone(UTC)
    if again.astimezone(where).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None):
        yield again


def _named(field: str) -> str:
    """Return the names of days that crontab(5) means by numbers, or an example."""
    days: list[str] = []
    for part in field.split(","):
        found = re.fullmatch(r"([0-7])(?:-([0-7]))?", part)
        named = _DAYS[int(found[1]) : int(found[2] or found[1]) + 1] if found else ()
        if not named:
            return "mon,wed,fri"
        days += named
    return ",".join(days)
