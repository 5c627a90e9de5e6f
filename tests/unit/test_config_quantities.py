"""Sizes, portions, capacities, points in time, and the names of things in S3: what is read, and what is refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from restorecheck.config import addresses, keys, quantities
from restorecheck.model import Portion


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (1, 1),
        ("512 B", 512),
        ("10 MB", 10_000_000),
        ("10MB", 10_000_000),
        ("500 GiB", 500 * 2**30),
        ("1.5 KiB", 1536),
        ("2 kB", 2000),
        ("2 KB", 2000),
        ("3 TiB", 3 * 2**40),
        ("1 PB", 10**15),
    ],
)
def test_sizes(said, size):
    assert quantities.size(said) == size


@pytest.mark.parametrize(
    "said", [0, -1, True, 1.5, Decimal("1.5"), None, "", "10", "10 mb", "GiB", "1 GB\n", "2000 PiB", "0 MB", [1], 2**61]
)
def test_what_is_no_size(said):
    with pytest.raises(ValueError, match='"500 GiB" or "10 MB"'):
        quantities.size(said)


@pytest.mark.parametrize(
    ("said", "portion"),
    [
        ("all", Portion()),
        ("100%", Portion()),
        (1000, Portion(count=1000)),
        ("1%", Portion(share=0.01)),
        ("0.5 %", Portion(share=0.005)),
    ],
)
def test_portions(said, portion):
    assert quantities.portion(said) == portion


@pytest.mark.parametrize("said", [0, -1, True, "0%", "0.00%", "101%", "some", "", "1", "1%\n", Decimal("0.5"), None])
def test_what_is_no_portion(said):
    with pytest.raises(ValueError, match="; write "):
        quantities.portion(said)


def test_a_sample_is_not_all():
    assert quantities.sample("1%") == Portion(share=0.01)
    for said in ("all", "100%"):
        with pytest.raises(ValueError, match='write mode = "all"'):
            quantities.sample(said)


@pytest.mark.parametrize(
    ("said", "point"),
    [
        ("now", timedelta()),
        ("1h30m", timedelta(minutes=90)),
        (datetime(2026, 11, 21, 3, tzinfo=UTC), datetime(2026, 11, 21, 3, tzinfo=UTC)),
        (datetime(2026, 11, 21, 3, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 11, 21, 2, tzinfo=UTC)),
    ],
)
def test_points_in_time(said, point):
    found = quantities.point(said)
    assert found == point
    assert isinstance(found, timedelta) or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (date(2026, 11, 21), "write it with an offset: 2026-11-21T00:00:00Z"),
        (datetime(2026, 11, 21, 3), "write it with an offset: 2026-11-21T03:00:00Z"),  # noqa: DTZ001 - that is it
        ("2026-11-21", "without quotes: 2026-11-21"),
        ("0s", "a duration longer than zero"),
        ("later", 'write "now", an age such as "1h"'),
        (5, 'write "now", an age such as "1h"'),
        (None, 'write "now", an age such as "1h"'),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "between the years 1 and 9999"),
    ],
)
def test_what_is_no_point_in_time(said, right):
    with pytest.raises(ValueError, match=right):
        quantities.point(said)


def test_capacities():
    assert quantities.capacity([0, 1]) == (0.0, 1.0)
    assert quantities.capacity([Decimal("0.5"), 256]) == (0.5, 256.0)


@pytest.mark.parametrize(
    "said",
    [
        4,
        [],
        [1],
        [1, 2, 3],
        [True, 2],
        ["1", 2],
        [Decimal("0.3"), 1],
        [-1, 1],
        [0, 257],
        [4, 2],
        [0, Decimal("0.5")],
        [0, Decimal("nan")],
    ],
)
def test_what_is_no_capacity(said):
    with pytest.raises(ValueError, match="; write "):
        quantities.capacity(said)


@pytest.mark.parametrize("name", ["abc", "a.b-c.d", "a--b", "1a.2", "a" * 63])
def test_buckets(name):
    assert keys.bucket(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", ".ab", "a..b", "10.0.0.1", "xn--abc", "sthree-abc", "abc-s3alias",
     "abc--x-s3", "abc--ol-s3", "abc\n", "s3://abc", "arn:aws:s3:::abc"],
)  # fmt: skip
def test_what_is_no_bucket(name):
    with pytest.raises(ValueError, match="; write "):
        keys.bucket(name)


@pytest.mark.parametrize("said", ["x", "daily/*.dump", "a//b", "../x", "**", "\N{SNOWMAN}", "a\nb"])
def test_patterns_of_keys(said):
    assert keys.pattern(said) == said


@pytest.mark.parametrize("said", ["", "/x", "s3://bucket/x", "x" * 1025, "\N{SNOWMAN}" * 342])
def test_what_is_no_pattern_of_keys(said):
    with pytest.raises(ValueError, match="; write "):
        keys.pattern(said)


@pytest.mark.parametrize("said", ["DATE", "DECIMAL(18, 2)", "decimal(9,3)", "TIMESTAMP WITH TIME ZONE", "VARCHAR[]"])
def test_types_of_columns(said):
    assert keys.column_type(said) == said


@pytest.mark.parametrize("said", ["", "INT; drop", "INT)", "a'b", "INT\n", "STRUCT(a INT)", "9"])
def test_what_is_no_type_of_a_column(said):
    with pytest.raises(ValueError, match="is not a type"):
        keys.column_type(said)


@pytest.mark.parametrize(
    "url",
    ["postgresql://me@db/postgres", "postgres://me@db", "postgresql://me@[::1]:5433/x?sslmode=verify-full"],
)
def test_servers(url):
    assert addresses.server(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://me:hunter2@db/x", "holds a password"),
        ("postgresql://me:@db/x", "holds a password"),
        ("postgresql://me@db/x?password=hunter2", "holds a password"),
        ("postgresql://db/x", "is not the address of a server"),
        ("mysql://me@db/x", "is not the address of a server"),
        ("db", "is not the address of a server"),
        ("postgresql://me@db/x\n", "is not the address of a server"),
        ("postgresql://me@db:99999/x", "has no port that can be"),
    ],
)
def test_what_is_no_server(url, why):
    with pytest.raises(ValueError, match=why) as caught:
        addresses.server(url)
    assert "hunter2" not in str(caught.value)
