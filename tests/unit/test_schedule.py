from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.schedule import MAX_NAME, PREFIX, check_of, run_id, scratch_name, time_of, why_not_name

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def test_a_run_id_is_the_name_and_the_time_in_utc():
    assert run_id("orders-db", AT) == "orders-db-20261121t0300z"
    assert run_id("orders-db", AT.astimezone(timezone(timedelta(hours=9)))) == "orders-db-20261121t0300z"
    assert run_id("orders-db", AT.replace(second=7)) == "orders-db-20261121t030007z"


@pytest.mark.parametrize("name", ["a", "orders-db", "a1-b2", "x" * MAX_NAME])
def test_good_names(name: str):
    assert why_not_name(name) is None


@pytest.mark.parametrize(
    "name", ["", "Orders", "1st", "a--b", "a-", "-a", "a_b", "a.b", "ä", "a b", "x" * (MAX_NAME + 1)]
)
def test_bad_names(name: str):
    assert why_not_name(name)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,2}", fullmatch=True).filter(lambda n: len(n) <= MAX_NAME)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@given(NAMES, TIMES)
def test_a_run_id_fits_every_place_that_it_must_go_and_can_be_read_back(name: str, at: datetime):
    run = run_id(name, at)
    assert check_of(run) == name
    assert time_of(run) == at.replace(microsecond=0)
    assert len(scratch_name(run)) <= 63  # RDS
    assert len(run) <= 64  # DurableExecutionName
    assert why_not_name("x") is None
    assert scratch_name(run).startswith(PREFIX)
    assert "--" not in scratch_name(run)


@pytest.mark.parametrize(
    "text", ["", "orders", "orders-20261121", "Orders-20261121t0300z", "orders-20261121t0300", "a--b-20261121t0300z"]
)
def test_what_is_not_a_run_id_is_none(text: str):
    assert check_of(text) is None


@pytest.mark.parametrize("text", ["", "orders-99999999t0300z", "orders-20261121t9900z", "orders"])
def test_a_time_that_is_none_is_none(text: str):
    assert time_of(text) is None
