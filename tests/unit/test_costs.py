"""What it costs to hold the scratch of a run: exact amounts, and nothing that is not known taken for free."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.config import Prices
from restorecheck.costs import Cost, Holding, estimate, sentence

HELD = Holding(instance_class="db.t4g.medium", storage_gib=100, copies=2, copy_gib=100)
PRICES = Prices("USD", Decimal("0.73"), Decimal("7.3"), {"db.t4g.medium": Decimal("0.06"), "db.r6g.large": Decimal(9)})
CLASS = 'prices.instance_hour."db.t4g.medium"'
STORAGE, SNAPSHOT = "prices.storage_gib_month", "prices.snapshot_gib_month"
HOUR = Decimal(1)


def test_amounts_are_exact():
    """0.06 + 100 * 0.73 / 730 for the instance, 2 * 100 * 7.3 / 730 for its copies."""
    assert estimate(HELD, PRICES, Decimal("2.5")) == Cost(
        "USD", per_hour=Decimal("2.16"), minimum=Decimal("0.16") / 6, total=Decimal("5.4")
    )


@pytest.mark.parametrize(
    ("minutes", "total"),
    [
        (0, "0.1"),  # ten minutes of the instance, and no time of the copies
        (5, "1.1"),
        (9, "1.9"),
        (10, "2.1"),
        (20, "4.2"),
        (60, "12.6"),
    ],
)
def test_ten_minutes_of_an_instance_are_billed_at_least_and_no_more_of_a_copy_than_it_lived(minutes, total):
    held = replace(HELD, storage_gib=540, copies=1, copy_gib=1200)  # 0.6 an hour and 12 an hour
    cost = estimate(held, PRICES, Decimal(minutes) / 60)
    assert (cost.per_hour, cost.minimum) == (Decimal("12.6"), Decimal("0.1"))
    assert cost.total == pytest.approx(Decimal(total), abs=Decimal("1e-20"))


def test_every_instance_has_its_storage():
    one, three = (estimate(replace(HELD, instances=n, copies=0), PRICES, HOUR) for n in (1, 3))
    assert (one.per_hour, three.per_hour) == (Decimal("0.16"), Decimal("0.48"))


@pytest.mark.parametrize(
    ("prices", "unpriced", "known"),
    [
        (None, (CLASS, STORAGE, SNAPSHOT), ()),
        (Prices("USD"), (CLASS, STORAGE, SNAPSHOT), ()),
        (replace(PRICES, instance_hour={"db.r6g.large": Decimal(9)}), (CLASS,), ()),
        (replace(PRICES, storage_gib_month=None), (STORAGE,), ()),
        (replace(PRICES, snapshot_gib_month=None), (SNAPSHOT,), ("minimum",)),
    ],
)
def test_what_has_no_price_is_unknown_and_named(prices, unpriced, known):
    cost = estimate(HELD, prices, HOUR)
    assert cost.unpriced == unpriced
    assert {name for name in ("per_hour", "minimum", "total") if getattr(cost, name) is not None} == set(known)
    assert cost.currency == (prices and "USD")


def test_what_is_not_held_needs_no_price():
    no_copies = estimate(replace(HELD, copies=0, copy_gib=None), replace(PRICES, snapshot_gib_month=None), HOUR)
    assert (no_copies.per_hour, no_copies.unpriced, no_copies.unmeasured) == (Decimal("0.16"), (), False)
    only_copies = estimate(
        replace(HELD, instances=0, storage_gib=None), Prices("USD", snapshot_gib_month=Decimal("7.3")), HOUR
    )
    assert (only_copies.per_hour, only_copies.unpriced, only_copies.unmeasured) == (Decimal(2), (), False)


def test_a_price_of_zero_is_a_price():
    free = Prices("USD", Decimal(0), Decimal(0), {"db.t4g.medium": Decimal(0)})
    assert estimate(HELD, free, HOUR) == Cost("USD", Decimal(0), Decimal(0), Decimal(0))


@pytest.mark.parametrize("prices", [PRICES, Prices("USD", Decimal(0), Decimal(0), {"db.t4g.medium": Decimal(0)})])
def test_an_unknown_size_is_never_taken_for_nothing(prices):
    cost = estimate(replace(HELD, storage_gib=None, copy_gib=None), prices, HOUR)
    assert (cost.per_hour, cost.minimum, cost.total, cost.unmeasured) == (None, None, None, True)
    copies = estimate(replace(HELD, copy_gib=None), prices, HOUR)
    assert (copies.per_hour, copies.total, copies.unmeasured) == (None, None, True)
    assert copies.minimum is not None


@given(
    st.builds(
        Holding,
        instance_class=st.sampled_from(["db.t4g.medium", "db.t4g.large"]),
        instances=st.integers(0, 3),
        storage_gib=st.none() | st.integers(1, 65_536),
        copies=st.integers(0, 3),
        copy_gib=st.none() | st.integers(1, 65_536),
    ),
    st.none() | st.just(PRICES) | st.just(replace(PRICES, snapshot_gib_month=None)),
    st.decimals(0, 1000, places=3),
)
def test_an_amount_is_unknown_exactly_when_something_is_missing(held, prices, hours):
    cost = estimate(held, prices, hours)
    assert (cost.per_hour is None) == bool(cost.unpriced or cost.unmeasured)
    if cost.total is not None:
        assert cost.minimum is not None
        assert cost.total >= cost.minimum
        assert (cost.total == 0) == (held.instances == 0 and (held.copies == 0 or hours == 0))
    assert "None" not in sentence(cost)


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (
            Cost("USD", Decimal("0.0807"), Decimal("0.0139"), Decimal(1)),
            "about 0.081 USD an hour, at least 0.013 USD (prices from config.toml)",
        ),
        (
            Cost("EUR", Decimal("12.345"), Decimal("2.059"), Decimal(1)),
            "about 12.35 EUR an hour, at least 2.05 EUR (prices from config.toml)",
        ),
        (
            Cost("USD", Decimal("0.00001299"), Decimal("0.00000216"), Decimal(1)),
            "about 0.000013 USD an hour, at least 0.0000021 USD (prices from config.toml)",
        ),
        (
            Cost("USD", Decimal(0), Decimal(0), Decimal(0)),
            "about 0.00 USD an hour, at least 0.00 USD (prices from config.toml)",
        ),
        (Cost(None, Decimal(0), Decimal(0), Decimal(0)), "nothing that has a price"),
        (Cost("USD", None, None, None, (CLASS,)), f"its price is not configured: set {CLASS} in config.toml"),
        (
            Cost(None, None, None, None, (CLASS, STORAGE, SNAPSHOT)),
            f"its price is not configured: set {CLASS}, {STORAGE} and {SNAPSHOT} in config.toml",
        ),
        (
            Cost("USD", None, Decimal("0.16"), None, (SNAPSHOT,)),
            (
                "at least 0.16 USD (prices from config.toml); "
                f"the rest of its price is not configured: set {SNAPSHOT} in config.toml"
            ),
        ),
        (Cost("USD", None, None, None, (), unmeasured=True), "a size is not known, and so neither is the whole price"),
        (
            Cost(None, None, None, None, (CLASS,), unmeasured=True),
            (
                f"its price is not configured: set {CLASS} in config.toml; "
                "a size is not known, and so neither is the whole price"
            ),
        ),
    ],
)
def test_what_a_person_reads(cost, said):
    assert sentence(cost) == said
