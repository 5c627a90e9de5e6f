"""When a notice is tried again: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.alerts.backoff import GIVEN_UP, LONGEST, wait
from restorecheck.metrics.catalogue import REASONS

reasons = st.sampled_from(REASONS)
attempts = st.integers(min_value=1, max_value=100_000)
draws = st.floats(min_value=0, max_value=1)


@pytest.mark.parametrize(("tried", "bound"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (50, 300)])
def test_the_bound_doubles_from_five_seconds_to_five_minutes(tried: int, bound: float):
    assert wait(tried, "timeout", 0, 1.0) == bound
    assert wait(tried, "server-error", 0, 0.5) == bound / 2


def test_what_only_a_person_mends_is_tried_every_five_minutes():
    for reason in ("rejected", "configuration"):
        assert {wait(n, reason, 0, draw) for n in (1, 9) for draw in (0.0, 1.0)} == {300.0}


def test_a_receiver_that_says_how_long_it_wants_is_left_alone_for_so_long():
    assert wait(1, "rate-limited", 0, 0.0, 1234.0) == 1234.0
    assert wait(9, "rate-limited", 0, 1.0, 2.0) == LONGEST  # our own wait is longer


@given(attempts, reasons, st.floats(min_value=0, max_value=GIVEN_UP - 0.001), draws)
def test_for_a_day_there_is_always_a_next_try_neither_at_once_nor_much_later(n: int, why: str, age: float, draw: float):
    after = wait(n, why, age, draw)
    assert after is not None
    assert 1.0 <= after <= LONGEST


@given(attempts, reasons, st.floats(min_value=GIVEN_UP, max_value=1e9), draws)
def test_after_a_day_there_is_none(n: int, why: str, age: float, draw: float):
    assert wait(n, why, age, draw) is None
