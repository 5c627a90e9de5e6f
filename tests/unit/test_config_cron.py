"""Schedules: what is one, and how long it may leave nothing to run."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from restorecheck.config import cron

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("expression", "zone", "gap"),
    [
        ("0 3 * * *", "UTC", 24 * HOUR),
        ("0 3 * * *", "Europe/Berlin", 25 * HOUR),
        ("30 2 * * *", "Europe/Berlin", 25 * HOUR),  # the first of two, then the next day
        ("0 3 * * mon", "UTC", 7 * 24 * HOUR),
        ("0 3 * * mon-fri", "UTC", 3 * 24 * HOUR),
        ("0 0 1 * *", "UTC", 31 * 24 * HOUR),
        ("0 3 1 1 *", "UTC", 366 * 24 * HOUR),
        ("0 0 29 2 *", "UTC", 1461 * 24 * HOUR),
        ("* * * * *", "America/Havana", timedelta(minutes=1)),
        ("*/15 8-17 * * *", "UTC", 14.25 * HOUR),
        ("30 0 * * *", "Asia/Beirut", 25 * HOUR),  # the clocks skip midnight
        ("0 0 * * *", "Europe/Berlin", 25 * HOUR),
        ("*/10 * * * *", "America/New_York", timedelta(minutes=10)),
        ("0 0,6 * * *", "Asia/Tokyo", 18 * HOUR),
        ("0 12 last * *", "UTC", 31 * 24 * HOUR),
    ],
)
def test_the_longest_gap(expression, zone, gap):
    assert cron.longest_gap(expression, zone) == gap


def every_run(expression, zone):
    """The slow way: ask for one run after the other, four years long."""
    trigger = CronTrigger.from_crontab(expression, ZoneInfo(zone))
    runs = [trigger.get_next_fire_time(None, datetime(2025, 1, 1, tzinfo=ZoneInfo(zone))).astimezone(UTC)]
    while runs[-1] < datetime(2029, 1, 1, tzinfo=UTC):
        runs.append(trigger.get_next_fire_time(None, runs[-1] + timedelta(seconds=1)).astimezone(UTC))
    return runs


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=2),
    hours=st.sets(st.integers(4, 22), min_size=1, max_size=3),  # at night CronTrigger itself errs when clocks change
    days=st.sampled_from(["*", "1", "*/10", "28-30"]),
    months=st.sampled_from(["*", "3,10", "apr-nov"]),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut"]
    ),
)
def test_the_longest_gap_is_the_one_that_the_scheduler_leaves(minutes, hours, days, months, zone):
    expression = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} {days} {months} *"
    runs = every_run(expression, zone)
    longest = max(later - run for run, later in pairwise(runs))
    assert cron.longest_gap(expression, zone) == longest


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ("0", "sun"),
        ("7", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("0,3", "sun,wed"),
        ("5-1", "mon,wed,fri"),
        ("*/2", "mon,wed,fri"),
    ],
)
def test_numbered_days_are_refused_with_their_names(numbers, named):
    with pytest.raises(ValueError, match=f'write names: "0 3 \\* \\* {named}"'):
        cron.trigger(f"0 3 * * {numbers}")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("europe/berlin", '"Europe/Berlin"'),
        ("New York", '"America/New_York"'),
        ("utc ", '"UTC"'),
        ("", "for example"),
        ("../etc/passwd", "for example"),
        ("Somewhere", "for example"),
        ("a\0b", "for example"),
    ],
)  # fmt: skip
def test_time_zones_that_are_none(name, right):
    with pytest.raises(ValueError, match=right):
        cron.zone(name)
