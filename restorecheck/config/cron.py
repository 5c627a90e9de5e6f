"""Schedules: whether a cron expression and a time zone mean something, when they run on a day, and how far apart.

Pure, and independent of today: the same file is right or wrong on every day. APScheduler's CronTrigger reads the
expression and no more: after a change of the clocks it skips a midnight run, so times come from the calendar here. What
it reads differently from crontab(5) is refused rather than guessed.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
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
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_DAYS_KEPT = 1 << 14  # a thousand schedules ask about the same days
_MINUTE = timedelta(minutes=1)


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


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """A schedule in its time zone, asked day by day. A day is its midnight on the calendar, without a zone.

    A fixed time of day comes once a day: the first time where the clocks repeat it; where they skip it, as much later
    as they jump, which is how zoneinfo reads such a time. An hour of `*` or `*/n` follows elapsed time: it comes as
    often as the clocks show it. Much as Debian's cron does (cron(8)), which runs what was skipped at the very jump.
    """

    dates: CronTrigger  # on which days; one object for all schedules that name the same ones
    where: tzinfo
    elapsed: bool
    minutes: tuple[int, ...]  # of the day, counted from midnight

    def matches(self, day: datetime) -> bool:
        """Return whether anything runs on this day."""
        return _matches(self.dates, day)

    def steady(self, day: datetime) -> bool:
        """Return whether the clocks stand still on this day, on the one before and on the one after."""
        before, after = _offsets(self.where, day)
        return before == after

    def runs(self, day: datetime, after: datetime = _EARLIEST, until: datetime = _LATEST) -> list[datetime]:
        """Return the runs of a day with after < run <= until, in UTC and ascending."""
        offsets = _offsets(self.where, day)
        first = bisect_right(self.minutes, (after - (day - min(offsets)).replace(tzinfo=UTC)) // _MINUTE - 1)
        last = bisect_right(self.minutes, (until - (day - max(offsets)).replace(tzinfo=UTC)) // _MINUTE + 1)
        if first >= last or not self.matches(day):
            return []
        if self.steady(day):
            begin = (day - offsets[0]).replace(tzinfo=UTC)
            runs = [begin + minute * _MINUTE for minute in self.minutes[first:last]]
        else:
            runs = sorted(self._unsteady([day + minute * _MINUTE for minute in self.minutes[first:last]]))
        return runs[bisect_right(runs, after) : bisect_right(runs, until)]

    def instant(self, shown: datetime) -> datetime:
        """Return when the clocks show a time of a steady day, in UTC."""
        return shown.replace(tzinfo=self.where).astimezone(UTC)

    def _unsteady(self, shown: list[datetime]) -> set[datetime]:
        runs = {at.replace(tzinfo=self.where).astimezone(UTC) for at in shown}
        if self.elapsed:
            there = set(shown)
            runs |= {at.replace(tzinfo=self.where, fold=1).astimezone(UTC) for at in shown}
            runs = {run for run in runs if run.astimezone(self.where).replace(tzinfo=None, fold=0) in there}
        return runs


@lru_cache(maxsize=_DAYS_KEPT)
def _matches(dates: CronTrigger, day: datetime) -> bool:
    return all(field.get_next_value(day) == field.get_value(day) for field in dates.fields[:5])


@lru_cache(maxsize=_DAYS_KEPT)
def _offsets(where: tzinfo, day: datetime) -> tuple[timedelta, timedelta]:
    """Return how far the clocks are ahead of UTC a day before a day begins, and a day after it has ended."""
    begin, end = ((day + days * _DAY).replace(tzinfo=where).utcoffset() or timedelta() for days in (-1, 2))
    return begin, end


@cache
def calendar(expression: str, timezone: str) -> Calendar:
    """Return the calendar of a schedule that `trigger` accepts, in a time zone that `zone` knows."""
    hour, minute = trigger(expression).fields[5:7]
    hours = [at for at in range(24) if hour.get_next_value(_BEGIN.replace(hour=at)) == at]
    minutes = [at for at in range(60) if minute.get_next_value(_BEGIN.replace(minute=at)) == at]
    fields = expression.split()
    return Calendar(
        dates=trigger(" ".join(["0", "0", *fields[2:]])),
        where=zone(timezone),
        elapsed=re.fullmatch(r"\*(/[0-9]+)?", fields[1]) is not None,
        minutes=tuple(60 * h + m for h in hours for m in minutes),
    )


def longest_gap(expression: str, timezone: str) -> timedelta:
    """Return the longest time between two runs of a schedule that `trigger` accepts, within four years."""
    return max(_gaps(expression, timezone))


def shortest_gap(expression: str, timezone: str) -> timedelta:
    """Return the shortest time between two runs of a schedule that `trigger` accepts, within four years."""
    return min(_gaps(expression, timezone))


@cache
def _gaps(expression: str, timezone: str) -> frozenset[timedelta]:
    """Return the lengths of time between two runs, from 2025 to the first run after 2028.

    Only days around a change of the clocks are looked at run by run; between them one day is like the other.
    """
    schedule = calendar(expression, timezone)
    within = {(later - minute) * _MINUTE for minute, later in pairwise(schedule.minutes)}
    gaps: set[timedelta] = set()
    restless: set[datetime] = set()  # where the clocks change around midnight, runs of two days may interlace
    newest: datetime | None = None
    day = _BEGIN
    while day < _END or newest is None or newest < _END.replace(tzinfo=UTC):
        if not schedule.steady(day):
            restless.update(schedule.runs(day))
        else:
            first, last = (day + schedule.minutes[end] * _MINUTE for end in (0, -1))
            runs = schedule.matches(day)
            for run in (*sorted(restless), *([schedule.instant(first)] if runs else [])):
                gaps.update((run - newest,) if newest else ())
                newest = run
            if runs:
                gaps |= within
                newest = schedule.instant(last)
            restless.clear()
        day += _DAY
    return frozenset(gaps)


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
