"""The times of a schedule, above all where the clocks change, and what becomes due or is missed between two looks."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from restorecheck import timetable
from restorecheck.cli import human
from restorecheck.cli import upcoming as listing
from restorecheck.config import Config, State, cron
from restorecheck.model import Check, Limits, Miss, Pause, Placement, RdsSource, Trigger
from restorecheck.timetable import Considered, consider, jitter_of, next_times, times, upcoming

PAGE = Path(__file__).parents[2] / "docs/schedule.md"
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # back for Ramadan
    "Asia/Kolkata",
    "Pacific/Apia",
    "Asia/Beirut",  # at midnight
    "America/Havana",
    "America/Scoresbysund",  # from 23:00 to 00:00 of the next day, and back
)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATE = 10 * MINUTE
NOW = datetime(2026, 11, 21, 3, 0, 20, tzinfo=UTC)
TODAY = datetime(2026, 11, 21, 3, tzinfo=UTC)
CHECK = Check(
    name="orders-db",
    source=RdsSource("111111111111", "eu-central-1", "orders-prod", "orders"),
    placement=Placement("222222222222", "eu-central-1", "restorecheck", ("sg-1",), "key", "db.t4g.medium"),
    limits=Limits(),
    assertions=(),
    rpo=25 * HOUR,
    rto=HOUR,
    schedule="0 3 * * *",
)


def on(zone: str, day: str, expression: str) -> list[str]:
    """The times of a schedule from noon of the day before to noon after it, as `local time = UTC`."""
    where = ZoneInfo(zone)
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=where)
    found = times(expression, zone, (noon - DAY).astimezone(UTC), noon.astimezone(UTC))
    return [f"{at.astimezone(where):%H:%M %Z} = {at:%H:%M}" for at in found]


def look(check: Check = CHECK, considered: datetime | None = NOW - DAY, now: datetime = NOW, **more) -> Considered:
    return consider(check, considered, now, **({"late": LATE, "pause": None, "waiting": False} | more))


def due(found: Considered) -> list[tuple[str, str]]:
    return [(entry.run_id, str(entry.trigger)) for entry in found.due]


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["03:30 CEST = 01:30"]),  # 02:30 is skipped
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["02:30 CEST = 00:30"]),  # the first of two
        ("30 2,3 * * *", "Europe/Berlin", "2026-03-29", ["03:30 CEST = 01:30"]),  # both are the same instant
        ("0 3 * * *", "Europe/Berlin", "2026-03-29", ["03:00 CEST = 01:00"]),
        ("30 2 * * *", "America/New_York", "2026-03-08", ["03:30 EDT = 07:30"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["01:30 EDT = 05:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["02:45 +11 = 15:45"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["01:45 +11 = 14:45"]),
        ("30 0 * * *", "Asia/Beirut", "2026-03-29", ["01:30 EEST = 22:30"]),  # midnight itself is skipped
        ("0 0 * * *", "Asia/Beirut", "2026-03-29", ["01:00 EEST = 22:00"]),
        ("30 23 28 3 *", "America/Scoresbysund", "2026-03-29", ["00:30 -01 = 01:30"]),  # of the 28th, on the 29th
        ("0 */3 * * *", "Europe/Berlin", "2026-03-29", [
            "15:00 CET = 14:00", "18:00 CET = 17:00", "21:00 CET = 20:00", "00:00 CET = 23:00",
            "03:00 CEST = 01:00", "06:00 CEST = 04:00", "09:00 CEST = 07:00", "12:00 CEST = 10:00",
        ]),
        ("30 */2 25 10 *", "Europe/Berlin", "2026-10-25", [
            "00:30 CEST = 22:30", "02:30 CEST = 00:30", "02:30 CET = 01:30", "04:30 CET = 03:30",
            "06:30 CET = 05:30", "08:30 CET = 07:30", "10:30 CET = 09:30",
        ]),
    ],
)  # fmt: skip
def test_where_the_clocks_change(expression, zone, day, expected):
    assert on(zone, day, expression) == expected


@pytest.mark.parametrize("expression", ["0 * * * *", "*/20 * * * *", "0 */1 * * *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "America/Scoresbysund", "Asia/Beirut"])
def test_an_hour_of_any_kind_follows_elapsed_time(expression, zone):
    found = list(times(expression, zone, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
    assert len({later - run for run, later in pairwise(found)}) == 1
    assert len(found) == 365 * 24 * (3 if "/20" in expression else 1)


def test_a_day_that_a_country_skipped_is_run_with_the_next_one():
    found = list(
        times("0 3 * * *", "Pacific/Apia", datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC))
    )
    local = [at.astimezone(ZoneInfo("Pacific/Apia")) for at in found]
    assert [f"{at:%d %H:%M}" for at in local] == ["29 03:00", "31 03:00", "01 03:00", "02 03:00"]


def slow_times(expression, zone, after, until):
    """The rule of the documentation, minute by minute."""
    where, calendar = ZoneInfo(zone), cron.calendar(expression, zone)
    found = set()
    day = after.date() - 3 * DAY
    while day <= until.date() + 3 * DAY:
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a day of the calendar
        if calendar.matches(midnight):
            for minute in calendar.minutes:
                shown = midnight + minute * MINUTE
                first, second = (shown.replace(tzinfo=where, fold=fold) for fold in (0, 1))
                there = first.astimezone(UTC).astimezone(where).replace(tzinfo=None, fold=0) == shown
                if there or not calendar.elapsed:
                    found.add(first.astimezone(UTC))
                if there and calendar.elapsed:
                    found.add(second.astimezone(UTC))
        day += DAY
    return sorted(at for at in found if after < at <= until)


EXPRESSIONS = st.builds(
    lambda minutes, hour, day, month: f"{','.join(map(str, sorted(minutes)))} {hour} {day} {month} *",
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.one_of(
        st.sampled_from(["*", "*/2", "*/5", "0-4", "*/3,2"]),
        st.sets(st.integers(0, 23), min_size=1, max_size=3).map(lambda hours: ",".join(map(str, sorted(hours)))),
    ),
    st.sampled_from(["*", "1", "*/7", "28-30", "last"]),
    st.sampled_from(["*", "3,10", "apr-nov"]),
)


@settings(max_examples=40, deadline=None)
@given(
    expression=EXPRESSIONS,
    zone=st.sampled_from(ZONES),
    after=st.integers(0, 365 * 24 * 3600).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + seconds * SECOND),
    length=st.timedeltas(timedelta(), 90 * DAY),
)
def test_times_are_those_of_the_slow_way(expression, zone, after, length):
    assert list(times(expression, zone, after, after + length)) == slow_times(expression, zone, after, after + length)


@pytest.mark.long
@settings(max_examples=10, deadline=None)
@given(expression=EXPRESSIONS, zone=st.sampled_from(ZONES))
@example(expression="0 */2 1 apr-nov *", zone="Africa/Casablanca")
def test_the_gaps_are_those_between_times(expression, zone):
    end = datetime(2029, 1, 1, tzinfo=UTC)
    begin = datetime(2025, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) - MINUTE
    found = list(times(expression, zone, begin, end))
    found += next_times(expression, zone, end, 1)
    gaps = {later - run for run, later in pairwise(found)}
    assert cron.longest_gap(expression, zone) == max(gaps)
    assert cron.shortest_gap(expression, zone) <= min(gaps)
    if zone != "Africa/Casablanca":  # its clocks follow the moon: later decades have gaps that these years do not show
        many = [*found, *next_times(expression, zone, found[-1], 2000)]
        assert cron.shortest_gap(expression, zone) == min(later - run for run, later in pairwise(many))


@settings(max_examples=20, deadline=None)
@given(expression=EXPRESSIONS, zone=st.sampled_from(ZONES), cuts=st.lists(st.integers(0, 60 * 24 * 200), max_size=12))
def test_looking_often_finds_what_looking_once_finds(expression, zone, cuts):
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    looks = [begin, *(begin + minute * MINUTE for minute in sorted(cuts)), begin + 200 * DAY]
    parts = [at for one, other in pairwise(looks) for at in times(expression, zone, one, other)]
    assert parts == list(times(expression, zone, begin, begin + 200 * DAY))


def test_the_first_time_is_after_and_the_last_may_be_until():
    assert list(times("0 3 * * *", "UTC", TODAY, TODAY + DAY)) == [TODAY + DAY]
    assert list(times("0 3 * * *", "UTC", TODAY - timedelta.resolution, TODAY)) == [TODAY]
    assert list(times("0 3 * * *", "UTC", TODAY, TODAY)) == []
    assert list(times("0 3 * * *", "UTC", TODAY + DAY, TODAY)) == []


def test_a_leap_day_is_found_years_ahead():
    leap = [date(2028, 2, 29), date(2032, 2, 29), date(2036, 2, 29)]
    assert [at.date() for at in next_times("0 3 29 2 *", "UTC", NOW, 3)] == leap


@pytest.mark.parametrize(
    ("expression", "zone", "gap"),
    [
        ("0 3 * * *", "UTC", DAY),
        ("0 3 * * *", "Europe/Berlin", 23 * HOUR),
        ("0 2,3 * * *", "Australia/Lord_Howe", 30 * MINUTE),  # 02:00 is at 02:30 once a year
        ("*/10 * * * *", "America/New_York", 10 * MINUTE),
        ("0 0,6 * * *", "Asia/Tokyo", 6 * HOUR),
    ],
)
def test_the_shortest_gap(expression, zone, gap):
    assert cron.shortest_gap(expression, zone) == gap


# --- jitter ---------------------------------------------------------------------------------------------------------


def test_jitter_is_below_its_bound_whole_and_always_the_same():
    check = replace(CHECK, jitter=timedelta(minutes=30))
    found = [jitter_of(check, TODAY + day * DAY) for day in range(300)]
    assert found == [jitter_of(check, TODAY + day * DAY) for day in range(300)]
    assert all(timedelta() <= jitter < check.jitter and not jitter.microseconds for jitter in found)
    assert len(set(found)) > 200
    assert min(found) < 2 * MINUTE
    assert max(found) > 28 * MINUTE


def test_jitter_differs_between_checks_and_is_none_without_a_bound():
    one, other = (replace(CHECK, name=name, jitter=6 * HOUR) for name in ("one", "other"))
    assert jitter_of(one, TODAY) != jitter_of(other, TODAY)
    assert jitter_of(CHECK, TODAY) == timedelta()
    assert jitter_of(replace(CHECK, jitter=timedelta(seconds=0.5)), TODAY) == timedelta()


def test_a_due_run_begins_with_its_jitter():
    check = replace(CHECK, jitter=6 * HOUR)
    (entry,) = look(check).due
    assert (entry.scheduled_for, entry.not_before) == (TODAY, TODAY + jitter_of(check, TODAY))
    assert entry.not_before > entry.scheduled_for


# --- what is due ----------------------------------------------------------------------------------------------------


def test_a_check_is_due_once_at_its_time():
    found = look(considered=NOW - MINUTE)
    (entry,) = found.due
    assert (entry.run_id, entry.check, entry.account) == ("orders-db-20261121t0300z", "orders-db", "222222222222")
    assert (entry.trigger, entry.owner, entry.cancelled) == (Trigger.SCHEDULE, None, False)
    assert (found.until, found.missed) == (NOW, ())
    assert look(considered=found.until, now=NOW + MINUTE) == Considered(NOW + MINUTE)


def test_a_check_that_is_seen_for_the_first_time_owes_nothing():
    assert look(considered=None) == Considered(NOW)


def test_a_check_without_a_schedule_is_never_due():
    assert look(replace(CHECK, schedule=None)) == Considered(NOW)


def test_a_run_that_was_missed_while_down_is_caught_up_once():
    found = look(considered=NOW - 3 * DAY, now=NOW + HOUR)
    assert due(found) == [("orders-db-20261121t0300z", "catch-up")]
    assert found.missed == tuple(
        Miss("orders-db", TODAY - back * DAY, "down", "orders-db-20261121t0300z") for back in (2, 1, 0)
    )
    assert look(considered=found.until, now=NOW + 2 * HOUR).due == ()


def test_without_catch_up_a_miss_is_only_recorded():
    found = look(replace(CHECK, catch_up=False), NOW - 2 * DAY, NOW + HOUR)
    assert found.due == ()
    assert found.missed == (Miss("orders-db", TODAY - DAY, "down"), Miss("orders-db", TODAY, "down"))


def test_the_run_that_is_on_time_makes_up_for_older_ones():
    found = look(considered=NOW - 2 * DAY)
    assert due(found) == [("orders-db-20261121t0300z", "schedule")]
    assert found.missed == (Miss("orders-db", TODAY - DAY, "down", "orders-db-20261121t0300z"),)
    kept = look(replace(CHECK, catch_up=False), NOW - 2 * DAY)
    assert (due(kept), kept.missed) == (due(found), (Miss("orders-db", TODAY - DAY, "down"),))


@pytest.mark.parametrize(("after", "trigger"), [(LATE, "schedule"), (LATE + timedelta.resolution, "catch-up")])
def test_late_is_a_bound(after, trigger):
    assert due(look(considered=TODAY - MINUTE, now=TODAY + after)) == [("orders-db-20261121t0300z", trigger)]


def test_a_run_that_has_not_begun_is_not_joined_by_a_second():
    found = look(waiting=True)
    assert (found.due, found.missed) == ((), (Miss("orders-db", TODAY, "overlapped"),))
    later = look(considered=NOW - 2 * DAY, now=NOW + HOUR, waiting=True)
    assert later.due == ()
    assert later.missed == (Miss("orders-db", TODAY - DAY, "down"), Miss("orders-db", TODAY, "overlapped"))
    never = look(replace(CHECK, catch_up=False), now=NOW + HOUR, waiting=True)
    assert never.missed == (Miss("orders-db", TODAY, "down"),)


def test_times_that_came_together_overlap():
    found = look(replace(CHECK, schedule="* * * * *"), TODAY - 2 * MINUTE)
    assert due(found) == [("orders-db-20261121t0300z", "schedule")]
    assert found.missed == (Miss("orders-db", TODAY - MINUTE, "overlapped"),)


# --- pauses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pause",
    [
        Pause("orders-db", NOW - HOUR),
        Pause("orders-db", TODAY),
        Pause("orders-db", NOW - HOUR, NOW + HOUR),
        Pause("orders-db", NOW - HOUR, TODAY + timedelta(seconds=1)),
    ],
)
def test_what_an_operator_paused_is_neither_due_nor_missed(pause):
    assert look(pause=pause) == Considered(NOW)


@pytest.mark.parametrize("pause", [Pause("orders-db", NOW - HOUR, TODAY), Pause("orders-db", NOW + MINUTE)])
def test_a_pause_covers_no_more_than_its_time(pause):
    assert due(look(pause=pause)) == [("orders-db-20261121t0300z", "schedule")]


def test_what_the_file_pauses_is_neither_due_nor_missed():
    assert look(replace(CHECK, paused_until=TODAY + MINUTE)) == Considered(NOW)
    assert len(look(replace(CHECK, paused_until=TODAY)).due) == 1


def test_times_before_and_after_a_pause_count():
    found = look(considered=NOW - 4 * DAY, pause=Pause("orders-db", NOW - 3 * DAY, NOW - DAY))
    assert due(found) == [("orders-db-20261121t0300z", "schedule")]
    assert [miss.scheduled_for for miss in found.missed] == [TODAY - 3 * DAY]


def test_nothing_is_begun_while_a_check_is_paused():
    """A pause that began after the time, but before we looked, must not be answered with a run."""
    paused = look(pause=Pause("orders-db", TODAY + timedelta(seconds=10)))
    assert paused == Considered(NOW)
    down = look(considered=NOW - DAY, now=NOW + 2 * HOUR, pause=Pause("orders-db", NOW + HOUR))
    assert (down.due, down.missed) == ((), (Miss("orders-db", TODAY, "down"),))
    assert look(waiting=True, pause=Pause("orders-db", TODAY + timedelta(seconds=10))).missed == ()


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_owes_nothing():
    for back in (timedelta(seconds=1), timetable.WRONG_CLOCK):
        assert look(considered=NOW + back) == Considered(NOW + back)


def test_a_clock_that_had_been_wrong_is_believed_again():
    assert look(considered=NOW + timetable.WRONG_CLOCK + timedelta(seconds=1)) == Considered(NOW)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_clock_that_jumps_by_years_cannot_fill_the_store(zone):
    check = replace(CHECK, schedule="*/5 * * * *", timezone=zone)
    found = look(check, NOW - 20 * 365 * DAY)
    assert len(found.missed) == timetable.MOST_MISSED
    assert found.missed[-1].scheduled_for == TODAY - 5 * MINUTE
    assert found.missed[0].scheduled_for == TODAY - timetable.MOST_MISSED * 5 * MINUTE
    assert due(found) == [("orders-db-20261121t0300z", "schedule")]
    assert len(look(check, NOW - 20 * 365 * DAY, NOW + HOUR, waiting=True).missed) == timetable.MOST_MISSED


@settings(max_examples=60, deadline=None)
@given(
    looks=st.lists(st.integers(1, 40 * 24 * 60), min_size=1, max_size=25),
    schedule=st.sampled_from(["30 2 * * *", "0 */2 * * *", "15 1,2,3 * * *", "0 3 * * sun"]),
    zone=st.sampled_from(ZONES),
    catch_up=st.booleans(),
)
def test_whatever_the_looks_every_time_is_due_or_missed_exactly_once(looks, schedule, zone, catch_up):
    check = replace(CHECK, schedule=schedule, timezone=zone, catch_up=catch_up)
    begin = considered = datetime(2026, 3, 1, tzinfo=UTC)
    answered: list[datetime] = []
    for minutes in sorted(set(looks)):
        now = begin + minutes * MINUTE
        found = look(check, considered, now)
        ran = [entry.scheduled_for for entry in found.due]
        caught = [entry.scheduled_for for entry in found.due if entry.trigger is Trigger.CATCH_UP]
        missed = [miss.scheduled_for for miss in found.missed]
        assert len(ran) <= 1
        assert catch_up or not caught
        assert set(caught) <= set(missed)
        answered += sorted({*ran, *missed})
        assert len(ran) + len(missed) - len(caught) == len({*ran, *missed})
        considered = found.until
    assert answered == list(times(schedule, zone, begin, considered))


# --- what comes -----------------------------------------------------------------------------------------------------


def test_what_comes_is_sorted_over_all_checks():
    other = replace(CHECK, name="billing-db", schedule="30 4 * * sun", timezone="Europe/Berlin")
    by_hand = replace(CHECK, name="by-hand", schedule=None)
    found = upcoming([CHECK, other, by_hand], {}, NOW, 3)
    assert [(one.check, one.scheduled_for) for one in found] == [
        ("orders-db", TODAY + DAY),
        ("billing-db", TODAY + DAY + 30 * MINUTE),
        ("orders-db", TODAY + 2 * DAY),
    ]
    assert not any(one.paused or one.paused_until for one in found)


def test_what_comes_is_sorted_by_when_it_may_begin():
    checks = [replace(CHECK, name=f"check-{n}", jitter=6 * HOUR) for n in range(20)]
    found = upcoming(checks, {}, NOW, 20)
    begins = [one.not_before for one in found]
    assert begins == sorted(begins)
    assert all(one.not_before == TODAY + DAY + jitter_of(replace(CHECK, name=one.check, jitter=6 * HOUR), TODAY + DAY)
               for one in found)  # fmt: skip


def test_a_paused_check_comes_after_its_pause():
    pause = Pause("orders-db", NOW - HOUR, TODAY + 2 * DAY)
    (one,) = upcoming([CHECK], {"orders-db": pause}, NOW, 1)
    assert (one.scheduled_for, one.paused, one.paused_until) == (TODAY + 2 * DAY, True, TODAY + 2 * DAY)
    both = replace(CHECK, paused_until=TODAY + 4 * DAY)
    (one,) = upcoming([both], {"orders-db": pause}, NOW, 1)
    assert (one.scheduled_for, one.paused_until) == (TODAY + 4 * DAY, TODAY + 4 * DAY)


def test_a_pause_that_is_over_changes_nothing():
    over = Pause("orders-db", NOW - DAY, NOW - HOUR)
    (one,) = upcoming([replace(CHECK, paused_until=NOW)], {"orders-db": over}, NOW, 1)
    assert (one.scheduled_for, one.paused, one.paused_until) == (TODAY + DAY, False, None)


def test_a_check_that_is_paused_without_end_is_not_forgotten():
    other = replace(CHECK, name="wiki-db")
    found = upcoming([other, CHECK], {"wiki-db": Pause("wiki-db", NOW - DAY)}, NOW, 2)
    assert [(one.check, one.scheduled_for, one.paused) for one in found] == [
        ("orders-db", TODAY + DAY, False),
        ("orders-db", TODAY + 2 * DAY, False),
        ("wiki-db", None, True),
    ]


def configured(*checks: Check) -> Config:
    return Config(Path("config.toml"), State(Path("state"), None, Path("state/service.key")), (), (), checks)


def test_what_comes_is_a_table_with_local_time_jitter_and_pause():
    late = replace(CHECK, name="late-db", jitter=6 * HOUR, timezone="Asia/Kolkata")
    paused = replace(CHECK, name="paused-db", paused_until=TODAY + 2 * DAY)
    console = Console(width=160, file=StringIO())
    stopped = {"orders-db": Pause("orders-db", NOW - HOUR)}
    console.print(listing.table(upcoming([CHECK, late, paused], stopped, NOW, 3), NOW))
    rows = [re.split(r" {2,}", line.strip()) for line in console.file.getvalue().splitlines()[2:]]
    at = datetime(2026, 11, 21, 21, 30, tzinfo=UTC)
    jitter = jitter_of(late, at)
    assert rows[0] == [
        "late-db", "Sun 2026-11-22 03:00", "Asia/Kolkata", "2026-11-21 21:30",
        human.duration((at + jitter - NOW).total_seconds()), f"+ {human.duration(jitter.total_seconds())}",
    ]  # fmt: skip
    assert rows[2] == [
        "paused-db", "Mon 2026-11-23 03:00", "UTC", "2026-11-23 03:00", "47 h 59 min", "until 2026-11-23 03:00 UTC"
    ]  # fmt: skip
    assert rows[3] == ["orders-db", "-", "UTC", "-", "-", "-", "until it is resumed"]


def test_checks_that_no_schedule_runs_are_named(capsys):
    by_hand = replace(CHECK, name="by-hand-db", schedule=None)
    listing.render(configured(CHECK, by_hand), {}, NOW, 3, as_json=False)
    printed = capsys.readouterr()
    assert "orders-db" in printed.out
    assert "by-hand-db" not in printed.out
    assert printed.err == "1 check without a schedule, run by hand only: by-hand-db\n"


def test_what_comes_is_one_object_for_a_program(capsys):
    listing.render(configured(CHECK), {}, NOW, 1, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["command"], said["exit_code"]) == ("next", 0)
    assert said["next"] == [
        {
            "check": "orders-db",
            "scheduled_for": "2026-11-22T03:00:00+00:00",
            "not_before": "2026-11-22T03:00:00+00:00",
            "timezone": "UTC",
            "local": "2026-11-22T03:00:00+00:00",
            "paused": False,
            "paused_until": None,
        }
    ]
    listing.render(configured(CHECK), {"orders-db": Pause("orders-db", NOW)}, NOW, 1, as_json=True)
    (one,) = json.loads(capsys.readouterr().out)["next"]
    assert (one["scheduled_for"], one["local"], one["paused"], one["paused_until"]) == (None, None, True, None)


# --- documentation --------------------------------------------------------------------------------------------------

ROW = re.compile(r"^\| `([^`]+)` \| ([A-Z]\w+/\w+) \| (\d{4}-\d\d-\d\d) \| (.+) \|$", re.MULTILINE)


def test_the_change_days_in_the_documentation_are_the_computed_ones():
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) >= 6
    for expression, zone, day, said in rows:
        where = ZoneInfo(zone)
        begin = datetime.fromisoformat(day).replace(tzinfo=where).astimezone(UTC)
        end = (datetime.fromisoformat(day) + DAY).replace(tzinfo=where).astimezone(UTC)
        found = times(expression, zone, begin - timedelta.resolution, end - timedelta.resolution)
        assert said == ", ".join(f"{at.astimezone(where):%H:%M} ({at:%H:%M} UTC)" for at in found), (expression, day)
