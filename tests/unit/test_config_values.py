"""Single values of the configuration: durations, what expectations compare with, and the shapes of names."""

import tomllib
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.config import addresses, names, values
from restorecheck.model import Cell


# --- durations and cells --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("25h", 90_000),
        ("7d", 604_800),
        ("1h30m", 5_400),
        ("2w", 1_209_600),
        ("0.05s", 0.05),
        ("1d1s", 86_401),
    ],
)
def test_durations(text, seconds):
    assert values.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("15 minutes", "15m"),
        ("1 day", "24h"),
        ("4 days", "4d"),
        ("1.5h", "1h30m"),
        ("PT15M", "15m"),
        ("P7D", "7d"),
        ("2 weeks", "14d"),
        ("90 min", "1h30m"),
        ("1h 30m", "1h30m"),
        ("30m1h", "1h30m"),
        ("10 secs", "10s"),
        ("15M", "15m"),
        ("15m\n", "15m"),
    ],
)
def test_what_was_meant_by_what_is_not_a_duration(text, meant):
    with pytest.raises(ValueError, match=f'did you mean "{meant}"'):
        values.duration(text)


@pytest.mark.parametrize(
    "text", ["", "15", "-5m", "m", "1 fortnight", "15ms", "\u0665m", "0 minutes", "99999999999 days", "5m!", "1e3s"]
)
def test_what_is_no_duration_at_all(text):
    with pytest.raises(ValueError, match="is not a duration; write whole numbers with the units"):
        values.duration(text)


@given(st.integers(1, int(values.LONGEST.total_seconds())))
def test_a_duration_survives_being_spoken(seconds):
    length = timedelta(seconds=seconds)
    assert values.duration(values.spoken(length)) == length


def test_spoken_durations():
    said = [
        values.spoken(timedelta(**{unit: n})) for unit, n in (("hours", 25), ("hours", 72), ("days", 8), ("seconds", 0))
    ]
    assert said == ["25h", "72h", "8d", "0s"]


@pytest.mark.parametrize(
    ("toml", "cell"),
    [
        ("1_000_000", Cell("number", "1000000")),
        ("0.10", Cell("number", "0.1")),
        ("-0.0", Cell("number", "0")),
        ("1e3", Cell("number", "1000")),
        ("100", Cell("number", "100")),
        ("0.1234567890123456789", Cell("number", "0.1234567890123456789")),
        ('"15m"', Cell("duration", "900")),
        ('"0s"', Cell("duration", "0")),
        ('"0.5s"', Cell("duration", "0.5")),
        ("2026-01-01", Cell("date", "2026-01-01")),
        ("2026-01-01T02:00:00+02:00", Cell("time", "2026-01-01T00:00:00+00:00")),
        ("2026-01-01T02:00:00", Cell("time", "2026-01-01T02:00:00", naive=True)),
    ],
)
def test_bounds(toml, cell):
    assert values.bound(tomllib.loads(f"x = {toml}", parse_float=Decimal)["x"]) == cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("15m", Cell("text", "15m")),
        (True, Cell("bool", "true")),
        (False, Cell("bool", "false")),
        (5, Cell("number", "5")),
    ],
)
def test_exact_values(value, cell):
    assert values.exact(value) == cell


@pytest.mark.parametrize(
    ("toml", "price"),
    [
        ("0.065", "0.065"),
        ("0.0650", "0.065"),
        ("5", "5"),
        ("1e2", "100"),
        ("0", "0"),
        ("-0.0", "0"),
        ("0e500", "0"),
        ("0.000000001", "0.000000001"),
        ("9_999_999_999", "9999999999"),
    ],
)
def test_prices(toml, price):
    read = values.price(tomllib.loads(f"x = {toml}", parse_float=Decimal)["x"])
    assert (type(read), f"{read:f}") == (Decimal, price)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('" 0.065 "', '" 0.065 " is text; write the number without quotes: 0.065'),
        ('"0.065 USD"', '"0.065 USD" is not a price; write a number, for example 0.065'),
        ('""', '"" is not a price; write a number, for example 0.065'),
        ("true", "true is not a price; write a number, for example 0.065"),
        ("[0.065]", "a list is not a price; write a number, for example 0.065"),
        ("{}", 'a table is not a price; write a number, and a class in quotes: "db.t4g.medium" = 0.065'),
        ("nan", "nan is not a price; write a number, for example 0.065"),
        ("inf", "inf is not a price; write a number, for example 0.065"),
        ("-inf", "-inf is not a price; write a number, for example 0.065"),
        ("-0.065", "is below zero, and AWS pays nobody; write 0 or more"),
        ("10_000_000_000", "is too large or too small for a price; write it as in the price list, for example 0.065"),
        ("1e-10", "is too large or too small for a price; write it as in the price list, for example 0.065"),
    ],
)
def test_what_is_no_price(toml, message):
    with pytest.raises(ValueError, match="; ") as caught:
        values.price(tomllib.loads(f"x = {toml}", parse_float=Decimal)["x"])
    assert str(caught.value) == message


def test_values_are_shown_short_and_as_in_the_file():
    shown = [values.shown(value) for value in (True, False, [1], {"a": 1}, 'a "b"', date(2026, 1, 1), Decimal("1.50"))]
    assert shown == ["true", "false", "a list", "a table", '"a \\"b\\""', "2026-01-01", "1.50"]
    assert len(values.shown("x" * 1000)) == 58


# --- names ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("read", "right"),
    [
        (
            names.region,
            ["eu-central-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-5"],
        ),
        (names.role, ["arn:aws:iam::111111111111:role/a", "arn:aws-cn:iam::111111111111:role/path/to/a+b=c,d.e@f-g"]),
        (names.key, ["arn:aws-us-gov:kms:us-gov-west-1:111111111111:key/mrk-0123456789abcdef0123456789abcdef"]),
        (names.instance_class, ["db.t4g.medium", "db.r6gd.16xlarge", "db.r5.4xlarge.tpc2.mem2x", "db.m5d.24xlarge"]),
        (names.security_group, ["sg-01234567", "sg-0123456789abcdef0"]),
        (names.subnet_group, ["restorecheck", "Scratch subnets", "defaults_of_ours", "a.b-c"]),
        (names.option_group, ["ours", "o-1"]),
        (names.instance, ["a", "orders-prod", "a" * 63]),
        (names.database, ["orders", "Größe", "with space"]),
        (names.assertion_name, ["a", "orders_present", "a-b_c", "2nd"]),
        (names.external_id, ["ab", "arn:aws/x_y+=,.@-"]),
        (names.loopback_url, ["http://127.0.0.1:5555", "https://127.8.9.10", "http://[::1]:80/"]),
        (names.currency, ["USD", "EUR", "JPY"]),
        (names.url, ["https://wiki.example.org", "http://a/b?c#d"]),
    ],
)
def test_right_names(read, right):
    for text in right:
        assert read(text) == text


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (names.account_id, ["", "1" * 11, "1" * 13, "1" * 12 + "\n", "\u0661" * 12, " 111111111111"]),
        (names.region, ["eu", "EU-central-1", "eu-central", "eu-central-1a", "eu-central-1\n", "global"]),
        (
            names.role,
            ["arn:aws:iam::111111111111:user/a", "arn:aws:iam::1:role/a", "arn:aws:iam::111111111111:role/", "role/a"],
        ),
        (names.instance, ["", "-a", "a-", "1a", "a" * 64, "a_b", "ORDERS_PROD", "a\n"]),
        (names.database, ["", "a\x00b", "ü" * 32, "a\nb"]),
        (names.security_group, ["sg-", "sg-0123456", "SG-01234567", "restorecheck", "sg-0123456789abcdefg"]),
        (names.subnet_group, ["default", "Default", "default-vpc-1", "", "-x"]),
        (names.assertion_name, ["", "A", "a--b", "-a", "a" * 64, "ä"]),
        (
            names.loopback_url,
            [
                "http://localhost:5555",
                "http://127.0.0.1.example.org",
                "http://127.0.0.1:5555@example.org",
                "http://10.0.0.1",
                "http://127.0.0.1:5555/x",
                "http://127.0.0.1\n",
                "ftp://127.0.0.1",
                "http://127.0.0.999",
                "http://[::2]",
                "http://0.0.0.0",
            ],
        ),
        (names.currency, ["", "usd", "US", "USDT", "$", "USD\n", "U5D"]),
        (names.url, ["wiki", "https://", "ftp://a", "https://a b"]),
    ],
)
def test_wrong_names(read, wrong):
    for text in wrong:
        with pytest.raises(ValueError, match="; "):
            read(text)


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("state", "state"),
        ("/var/lib/restorecheck", "/var/lib/restorecheck"),
        ("postgresql://db/restorecheck", "postgresql://db/restorecheck"),
        ("postgres://u:p%40ss@db:5432/r?sslmode=require", "postgresql://u:p%40ss@db:5432/r?sslmode=require"),
        ("POSTGRESQL:///r?host=/run/postgresql", "postgresql:///r?host=/run/postgresql"),
        ("postgresql://u@[::1]:5432/r", "postgresql://u@[::1]:5432/r"),
    ],
)
def test_where_the_state_may_be(text, read):
    assert addresses.state(text) == read


SECRET = "hunter2"
ADDRESSES = [
    f"mysql://u:{SECRET}@db/r",
    f"postgresql+psycopg://u:{SECRET}@db/r",
    f"postgresql://u:{SECRET}@db",
    f"postgresql://u:{SECRET}@db/",
    f"postgresql://u:{SECRET}@db/a/b",
    f"postgresql://u:{SECRET}@db:port/r",
    f"postgresql://u:{SECRET}@db:99999/r",
    f"postgresql://u:{SECRET}#1@db/r",
    f"postgresql://u:{SECRET}?1@db/r",
    f"postgresql://u:{SECRET}/1@db/r",
    f"postgresql://u:{SECRET}@1@db:x/r",
    f"postgresql://u:{SECRET} 1@db/r",
    f"postgresql://u:{SECRET}\n1@db/r",
    f"postgresql://u:1:{SECRET}@[db/r",
    f"postgresql://db:5432?password={SECRET}@1",
    f"postgresql://db/r/?sslpassword={SECRET}&user=a@b",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_a_wrong_address_is_refused_and_its_password_never_told(text):
    with pytest.raises(ValueError, match="; write ") as caught:
        addresses.state(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://u:{SECRET}@db/r", "postgresql://u:***@db/r"),
        (f"postgresql://u:{SECRET}@x@db/r", "postgresql://u:***@db/r"),
        (f"postgresql://u@db/r?password={SECRET}&sslmode=require", "postgresql://u@db/r?password=***&sslmode=require"),
        (
            f"postgresql://db/r?sslmode=require&sslpassword={SECRET}",
            "postgresql://db/r?sslmode=require&sslpassword=***",
        ),
        (f"postgresql://db:1/r?password={SECRET}@x", "postgresql://***"),
        ("postgresql://u@db:5432/r", "postgresql://u@db:5432/r"),
    ],
)
def test_passwords_are_masked(text, shown):
    assert addresses.masked(text) == shown


@pytest.mark.parametrize("text", ["127.0.0.1:9780", "[::1]:0", "localhost:65535", "0.0.0.0:1"])
def test_where_one_may_listen(text):
    assert addresses.listen(text) == text


@pytest.mark.parametrize("text", ["", "9780", ":9780", "localhost", "::1:9780", "a:65536", "a:9780\n", "a b:1", "a:-1"])
def test_where_one_may_not_listen(text):
    with pytest.raises(ValueError, match="; write for example"):
        addresses.listen(text)


# --- delays, moments and shares -------------------------------------------------------------------------------------


def test_a_delay_may_be_zero():
    assert (values.delay("0s"), values.delay("15m")) == (timedelta(), timedelta(minutes=15))
    with pytest.raises(ValueError, match="is not a duration"):
        values.delay(0)


@pytest.mark.parametrize(("toml", "share"), [("1", 1.0), ("0.5", 0.5), ("1e-3", 0.001)])
def test_shares(toml, share):
    assert values.share(tomllib.loads(f"x = {toml}", parse_float=Decimal)["x"]) == share


@pytest.mark.parametrize("toml", ["0", "-0.5", "1.01", "nan", "inf", "true", '"0.5"'])
def test_what_is_no_share(toml):
    with pytest.raises(ValueError, match="is not a share; write a number"):
        values.share(tomllib.loads(f"x = {toml}", parse_float=Decimal)["x"])
