"""Times as an operator types them."""

from datetime import UTC, datetime, timedelta

import pytest

from restorecheck.cli.moments import moment, since
from restorecheck.errors import RestorecheckError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-12-01", "UTC", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01", "Europe/Berlin", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        (" 2026-12-01T06:00 ", "Europe/Berlin", datetime(2026, 12, 1, 5, tzinfo=UTC)),
        ("2026-12-01T06:00+05:30", "Europe/Berlin", datetime(2026, 12, 1, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_date_or_a_time_is_meant_in_the_zone_of_the_check(text: str, zone: str, at: datetime):
    assert moment(text, zone) == at


@pytest.mark.parametrize(("text", "ago"), [("90m", timedelta(minutes=90)), ("36h", timedelta(hours=36))])
def test_how_long_ago(text: str, ago: timedelta):
    assert since(text, NOW) == NOW - ago
    assert since("7d", NOW) == since("1w", NOW) == NOW - timedelta(weeks=1)
    assert since("2026-11-01", NOW) == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "7", "-3d", "", "3 days", "2026-13-01"])
def test_what_is_no_time_is_refused_with_an_example(text: str):
    with pytest.raises(RestorecheckError, match="is not a time") as e:
        since(text, NOW)
    assert "36h" in e.value.hint
    assert e.value.kind == "config"
    with pytest.raises(RestorecheckError, match="is not a time"):
        moment(text)
