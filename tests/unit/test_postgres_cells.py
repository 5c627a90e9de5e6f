from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.assertions import canonical, sealed
from restorecheck.databases.postgres_cells import BUILT_IN, cell, clear_cell, own_type
from restorecheck.databases.postgres_question import _type_name
from restorecheck.model import Cell

SALT = "salt"
TYPES = st.sampled_from([*BUILT_IN.values(), "jsonb", "record"])


@given(st.none() | st.binary(max_size=40), TYPES, st.booleans())
def test_whatever_a_server_sends_is_a_cell_and_no_text_in_clear(raw, type_name, seal):
    found = cell(raw, type_name, SALT, seal=seal)
    assert (found.kind == "null") == (raw is None)
    assert found.kind != "text"
    if seal:
        assert found.kind in ("null", "digest", "other")
    if found.kind not in ("null", "digest", "other") and found.text.lower().lstrip("-") not in ("infinity", "nan"):
        assert canonical(found)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**60), max_value=10**60))
def test_numbers_are_exact(number):
    assert Decimal(cell(f"{number:f}".encode(), "numeric", SALT).text) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_what_was_printed(number):
    assert float(cell(repr(number).encode(), "float8", SALT).text) == number


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.sampled_from(["+00", "-03:30"]))  # noqa: DTZ001
def test_times_are_exact(moment, zone):
    text = moment.isoformat(" ")
    naive = cell(text.encode(), "timestamp", SALT)
    assert (naive.kind, naive.naive, datetime.fromisoformat(naive.text)) == ("time", True, moment)
    aware = cell(f"{text}{zone}".encode(), "timestamptz", SALT)
    assert datetime.fromisoformat(aware.text) == datetime.fromisoformat(f"{text}{zone}")
    assert aware.text.endswith("+00:00")


@given(st.dates())
def test_dates_are_exact(day):
    assert date.fromisoformat(cell(day.isoformat().encode(), "date", SALT).text) == day


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("timestamptz", "21.11.2026 03:00:00 UTC"),  # DateStyle German
        ("timestamptz", "11/21/2026 03:00:00 UTC"),  # SQL
        ("timestamptz", "Sat Nov 21 03:00:00 2026 UTC"),  # Postgres
        ("timestamptz", "2026-11-21 03:00:00"),  # no zone
        ("timestamp", "2026-11-21 03:00:00+00"),
        ("timestamptz", "0001-01-01 00:00:00+14"),  # before year 1 in UTC
        ("timestamp", "2026-13-21 03:00:00"),
        ("date", "20261121"),
        ("date", "2026-W47-6"),
        ("interval", "1 day 02:00:00"),  # another IntervalStyle
        ("interval", ""),
        ("numeric", "1_000"),
        ("numeric", " 1"),
        ("numeric", "\u0661"),  # a digit, but not one of PostgreSQL's
        ("numeric", "9" * 1001),
        ("float8", "1e9999"),
        ("bool", "true"),
        ("bool", ""),
    ],
)
def test_what_has_not_the_form_that_was_asked_for_cannot_be_compared(type_name, text):
    found = cell(text.encode(), type_name, SALT)
    assert found == Cell("other", f"{type_name}, with a value beyond what can be compared")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT0S", "0"), ("P1D", "86400"), ("P-1DT-2H-3M-4.5S", "-93784.5"), ("PT36H", "129600"), ("P1DT-2H", "79200")],
)
def test_intervals_are_seconds_with_days_of_24_hours(text, seconds):
    assert cell(text.encode(), "interval", SALT) == Cell("duration", seconds)


@pytest.mark.parametrize("type_name", ["interval", "timestamp", "timestamptz", "date"])
def test_infinities_keep_their_kind_and_are_never_sealed_as_a_value(type_name):
    kind = {"interval": "duration", "date": "date"}.get(type_name, "time")
    assert cell(b"-infinity", type_name, SALT) == Cell(kind, "-infinity", naive=type_name == "timestamp")


class Forgetful:
    """A connection that finds no row."""

    def execute(self, _query):
        return self

    def fetchone(self):
        return None


def test_a_type_that_has_gone_is_unknown():
    assert _type_name(Forgetful(), 99999) == "unknown"
    assert cell(b"x", "unknown", SALT) == Cell("other", "unknown")


@pytest.mark.parametrize("text", ["P1M", "P1Y", "P1Y2M3DT4H", "P-1M"])
def test_a_month_has_no_length(text):
    assert cell(text.encode(), "interval", SALT) == Cell("other", "interval with months")


def test_texts_are_digests_also_damaged_ones():
    assert cell(b"CZ", "varchar", SALT) == sealed(Cell("text", "CZ"), SALT)
    assert cell(b"CZ  ", "bpchar", SALT) == sealed(Cell("text", "CZ"), SALT)
    assert cell(b"CZ  ", "text", SALT) != sealed(Cell("text", "CZ"), SALT)
    assert cell(b"\xff\xfe", "text", SALT).kind == "digest"


def test_types_of_the_database_itself():
    assert own_type("e", "E", "mood") == "text"
    assert own_type("b", "S", "citext") == "text"
    assert own_type("b", "U", "geometry") == "geometry"


@pytest.mark.parametrize(
    ("raw", "type_name", "expected"),
    [
        (None, "text", Cell("null")),
        (b"a", "text", Cell("text", "a")),
        (b"1.50", "numeric", Cell("number", "1.5")),
        (b"{}", "jsonb", Cell("other", "jsonb\0{}")),
        (b"P1M", "interval", Cell("other", "interval\0P1M")),
        (b"0044-03-15 BC", "date", Cell("other", "date\x000044-03-15 BC")),
    ],
)
def test_a_cell_for_a_fingerprint_is_in_clear_and_never_without_its_value(raw, type_name, expected):
    assert clear_cell(raw, type_name) == expected
