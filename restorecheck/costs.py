"""What it costs to hold the scratch of a run, from prices that the operator configured. Pure.

It must never take what is not known for free: an amount that lacks a price or a quantity is None, and what it lacks is
named. No price is written here: AWS changes them, and each region has its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Protocol

MONTH = Decimal(730)
"""Hours of a month in AWS's price list."""

LEAST_MINUTES = 10
"""What RDS bills at least for an instance and its storage; after that it bills by the second.

Source: the RDS user guide, "DB instance billing for Amazon RDS". A snapshot has no such minimum.
"""


class PriceList(Protocol):
    """Prices as `config.Prices` holds them; None, or a class that is not there, is a price that nobody told."""

    @property
    def currency(self) -> str:
        """ISO 4217."""

    @property
    def storage_gib_month(self) -> Decimal | None:
        """Of an instance's storage."""

    @property
    def snapshot_gib_month(self) -> Decimal | None:
        """Of a snapshot."""

    @property
    def instance_hour(self) -> Mapping[str, Decimal]:
        """By class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a run has at once. A size that is None is not known."""

    instance_class: str
    instances: int = 1
    storage_gib: int | None  # of each instance; 0: it has none of its own, as in a cluster
    copies: int  # of the snapshot
    copy_gib: int | None  # of each; the full size is the upper bound, because AWS may store less


@dataclass(frozen=True, slots=True)
class Cost:
    """Amounts, not rounded, and why one of them is None. What one has to configure is named as in config.toml."""

    currency: str | None  # None: no prices at all
    per_hour: Decimal | None  # of everything
    minimum: Decimal | None  # of instances and storage, however soon they are gone
    total: Decimal | None  # for the hours that were asked for
    unpriced: tuple[str, ...] = ()  # keys of config.toml that are not there
    unmeasured: bool = False  # a size is not known


def estimate(holding: Holding, prices: PriceList | None, hours: Decimal) -> Cost:
    """Return what it costs to hold this: for an hour, at least, and for so many hours."""
    instance = prices.instance_hour.get(holding.instance_class) if prices else None
    storage = prices.storage_gib_month if prices else None
    stored = holding.instances if holding.storage_gib != 0 else 0  # instances with storage
    snapshot = prices.snapshot_gib_month if prices else None
    instances = _sum(_product(holding.instances, instance), _hourly(_product(stored, holding.storage_gib, storage)))
    copies = _hourly(_product(holding.copies, holding.copy_gib, snapshot))
    needed = (
        (holding.instances, instance, f"prices.instance_hour.{json.dumps(holding.instance_class)}"),
        (stored, storage, "prices.storage_gib_month"),
        (holding.copies, snapshot, "prices.snapshot_gib_month"),
    )
    minimum = None if instances is None else instances * LEAST_MINUTES / 60
    return Cost(
        currency=prices.currency if prices else None,
        per_hour=_sum(instances, copies),
        minimum=minimum,
        total=_sum(minimum if hours * 60 < LEAST_MINUTES else _product(hours, instances), _product(hours, copies)),
        unpriced=tuple(key for count, price, key in needed if count and price is None),
        unmeasured=None in (stored and holding.storage_gib, holding.copies and holding.copy_gib),
    )


def sentence(cost: Cost) -> str:
    """Return the cost for a person, and what is missing to know all of it."""
    known = []
    if cost.per_hour is not None and cost.currency:
        known.append(f"about {_round(cost.per_hour)} {cost.currency} an hour")
    if cost.minimum is not None and cost.currency:
        known.append(f"at least {_round(cost.minimum, ROUND_DOWN)} {cost.currency}")
    said = [f"{', '.join(known)} (prices from config.toml)"] if known else []
    if cost.unpriced:
        whose = "the rest of its price" if known else "its price"
        said.append(f"{whose} is not configured: set {_listed(cost.unpriced)} in config.toml")
    if cost.unmeasured:
        said.append("a size is not known, and so neither is the whole price")
    return "; ".join(said) or "nothing that has a price"


def _listed(keys: tuple[str, ...]) -> str:
    *most, last = keys
    return f"{', '.join(most)} and {last}" if most else last


def _product(count: int | Decimal, *factors: int | Decimal | None) -> Decimal | None:
    """Return the product. None of a thing costs nothing, whatever its price; else what is unknown stays unknown."""
    product = Decimal(count)
    for factor in factors if count else ():
        if factor is None:
            return None
        product *= factor
    return product


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


def _hourly(monthly: Decimal | None) -> Decimal | None:
    return None if monthly is None else monthly / MONTH


def _round(amount: Decimal, rounding: str = ROUND_HALF_UP) -> str:
    """Return an amount to the hundredth, or with two digits that are not zero: a price is never rounded away."""
    digits = min(-2, amount.adjusted() - 1) if amount else -2
    return f"{amount.quantize(Decimal((0, (1,), digits)), rounding):f}"
