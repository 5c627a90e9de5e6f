"""When checks are due: the times of a schedule, and what became due or was missed since one last looked.

Pure: the time is an argument, and the answer depends on nothing else, so that replicas and restarts agree. It decides
and records nothing; that no run is run twice lies in its run id.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice

from restorecheck.config import cron
from restorecheck.model import Check, Entry, Miss, Pause, Trigger
from restorecheck.schedule import run_id

MOST_MISSED = 1000
"""Misses that one look records, the newest: a clock that was wrong by years must not fill the store."""

WRONG_CLOCK = timedelta(minutes=10)
"""When one seems to have looked so much later than now, the clock was wrong then; less is a clock being set."""

_DAY = timedelta(days=1)
_EAST = timedelta(hours=24)  # no zone is as far ahead of UTC: a local day begins less than this before its date
_END = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Considered:
    """What one look at a check's schedule came to. The next look begins at `until`."""

    until: datetime
    due: tuple[Entry, ...] = ()
    missed: tuple[Miss, ...] = ()


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next time of a check. No time: it is paused until somebody resumes it."""

    check: str
    timezone: str
    scheduled_for: datetime | None
    not_before: datetime | None
    paused: bool = False  # now; the time is the first one after the pause
    paused_until: datetime | None = None


def times(expression: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the times of a schedule with after < time <= until, in UTC and ascending.

    Where the clocks change, `cron.Calendar` says which times there are. A schedule that is none raises ValueError.
    """
    calendar = cron.calendar(expression, timezone)
    day, last = (_midnight(at.astimezone(calendar.where)) for at in (after, until))
    day, last = day - _DAY, last + _DAY  # the clocks may have jumped over midnight in between
    held: set[datetime] = set()
    while day <= last:
        held.update(calendar.runs(day, after, until))
        day += _DAY
        ready = sorted(run for run in held if run < day.replace(tzinfo=UTC) - _EAST)
        held.difference_update(ready)
        yield from ready
    yield from sorted(held)


def next_times(expression: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next `count` times of a schedule after `after`, in UTC."""
    return list(islice(times(expression, timezone, after, _END), count))


def jitter_of(check: Check, at: datetime) -> timedelta:
    """Return how much later than `at` this run begins: whole seconds, less than the check's jitter, always the same."""
    seconds = math.ceil(check.jitter.total_seconds())
    if not seconds:
        return timedelta()
    digest = hashlib.sha256(run_id(check.name, at).encode()).digest()
    return timedelta(seconds=int.from_bytes(digest) % seconds)


def consider(
    check: Check,
    considered: datetime | None,
    now: datetime,
    *,
    late: timedelta,
    pause: Pause | None,
    waiting: bool,
) -> Considered:
    """Return what became due or was missed between the last look (`considered`) and now.

    `late`: how long after its time a run still counts as on time. `pause`: the operator's, if there is one. `waiting`:
    a run of this check is due and has not begun. At most one run becomes due, the newest.
    """
    if considered is None or check.schedule is None or considered > now + WRONG_CLOCK:
        return Considered(now)
    if considered > now:  # the clock was set back
        return Considered(considered)

    def paused(at: datetime) -> bool:
        return _covers(check, pause, at)

    found = _newest(check.schedule, check.timezone, considered, now, paused)
    if not found:
        return Considered(now)
    newest = found[-1]
    on_time = now - newest <= late
    wanted = (on_time or check.catch_up) and not paused(now)  # a pause that began meanwhile holds for the past, too
    due = _entry(check, newest, Trigger.SCHEDULE if on_time else Trigger.CATCH_UP) if wanted and not waiting else None
    by = due.run_id if due and check.catch_up else None
    missed = [
        Miss(check.name, at, "down", by) if now - at > late else Miss(check.name, at, "overlapped") for at in found
    ]
    if wanted and waiting:
        missed[-1] = Miss(check.name, newest, "overlapped")
    elif on_time:  # it is due, or an operator has just paused it
        missed.pop()
    return Considered(now, (due,) if due else (), tuple(missed[-MOST_MISSED:]))


def upcoming(checks: Iterable[Check], pauses: Mapping[str, Pause], now: datetime, count: int) -> list[Upcoming]:
    """Return the next `count` times of all checks by the time at which they may begin, earliest first.

    A paused check is listed with its first times after the pause. Checks that are paused until somebody resumes them
    follow at the end, beyond `count`, so that none is forgotten. A check without a schedule is not listed.
    """
    scheduled = [check for check in checks if check.schedule]
    endless = [check for check in scheduled if _endless(pauses.get(check.name))]
    coming = (_coming(check, pauses.get(check.name), now, count) for check in scheduled if check not in endless)
    stopped = [Upcoming(check.name, check.timezone, None, None, paused=True) for check in endless]
    return [*islice(merge(*coming, key=_order), count), *sorted(stopped, key=_order)]


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)


def _newest(
    expression: str, timezone: str, after: datetime, until: datetime, skipped: Callable[[datetime], bool]
) -> list[datetime]:
    """Return the newest times, one more than are recorded as missed, looking back no further than that needs."""
    span, found = _DAY, list[datetime]()
    while True:
        begin = max(after, until - span)
        found = [at for at in times(expression, timezone, begin, until) if not skipped(at)][-MOST_MISSED - 1 :]
        if begin == after or len(found) > MOST_MISSED:
            return found
        span *= 4


def _covers(check: Check, pause: Pause | None, at: datetime) -> bool:
    if check.paused_until and at < check.paused_until:
        return True
    return pause is not None and pause.since <= at and (pause.until is None or at < pause.until)


def _entry(check: Check, at: datetime, trigger: Trigger) -> Entry:
    begin = at + jitter_of(check, at)
    return Entry(run_id(check.name, at), check.name, check.placement.account, at, begin, trigger)


def _endless(pause: Pause | None) -> bool:
    return pause is not None and pause.until is None


def _coming(check: Check, pause: Pause | None, now: datetime, count: int) -> list[Upcoming]:
    assert check.schedule  # noqa: S101 - `upcoming` has seen to it
    ends = [end for end in (check.paused_until, pause.until if pause else None) if end and end > now]
    until = max(ends) if ends and _covers(check, pause, now) else None
    after = until - timedelta.resolution if until else now
    ahead = (at for at in times(check.schedule, check.timezone, after, _END) if not _covers(check, pause, at))
    found = [
        Upcoming(check.name, check.timezone, at, at + jitter_of(check, at), until is not None, until)
        for at in islice(ahead, count)
    ]
    return sorted(found, key=_order)


def _order(one: Upcoming) -> tuple[datetime, str]:
    return one.not_before or _END, one.check
