"""What a run would hold in AWS at once, and what that costs, for `restorecheck plan`. Pure.

Must never call free what is only not counted: what no price of the configuration covers is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from restorecheck import costs
from restorecheck.assertions.words import count
from restorecheck.config import Prices
from restorecheck.costs import Cost, Holding
from restorecheck.fence import PlannedCall
from restorecheck.model import AuroraSource, Placement, Plan, RdsSource, RecoveryPoint

REQUESTS = "requests to S3 and what is read from it are not priced here."
STORED = "requests to S3, what is read from it, and what lies in the scratch bucket meanwhile are not priced here."
"""Of sources in S3: what they cost is so many requests, which no key of config.toml prices."""

_COPIES = frozenset({"CopyDBSnapshot", "CopyDBClusterSnapshot"})


@dataclass(frozen=True, slots=True)
class Held:
    """What a run holds, what that costs, and what is not counted in it."""

    holding: Holding
    cost: Cost
    hours: Decimal
    not_counted: tuple[str, ...] = ()


def held(
    made: Plan, point: RecoveryPoint, calls: Sequence[PlannedCall], prices: Prices | None, longest: timedelta
) -> Held | None:
    """Return what a run holds for at most `longest`; None for one that restores into no database of AWS."""
    source, place = made.check.source, made.check.placement
    if not isinstance(source, RdsSource | AuroraSource):
        return None
    cluster = isinstance(source, AuroraSource)
    size = point.size_gib or None  # 0: AWS left it out
    copies = sum(call.operation in _COPIES for call in calls)
    what = Holding(
        instance_class=place.instance_class, storage_gib=0 if cluster else size, copies=copies, copy_gib=size
    )
    hours = Decimal(longest // timedelta(seconds=1)) / 3600
    left_out = ["storage and I/O of the cluster"] if cluster else []
    left_out += ["provisioned IOPS"] if point.storage_type in {"io1", "io2"} and not cluster else []
    return Held(what, costs.estimate(what, _priced(prices, place), hours), hours, tuple(left_out))


def _priced(prices: Prices | None, place: Placement) -> Prices | None:
    """Return the prices with that of the whole instance where it is said per ACU: at most as many as it may have."""
    if prices is None or place.capacity is None or place.instance_class not in prices.instance_hour:
        return prices
    most = Decimal(str(place.capacity[1]))
    of_class: Mapping[str, Decimal] = prices.instance_hour
    return replace(prices, instance_hour={**of_class, place.instance_class: of_class[place.instance_class] * most})


def plain(it: Held) -> dict[str, Any]:
    """Return it for a program."""
    return {
        "currency": it.cost.currency,
        "per_hour": _number(it.cost.per_hour),
        "minimum": _number(it.cost.minimum),
        "total": _number(it.cost.total),
        "hours": _number(it.hours),
        "unpriced": list(it.cost.unpriced),
        "not_counted": list(it.not_counted),
        **asdict(it.holding),
    }


def _number(number: Decimal | None) -> str | None:
    """As text: a program that reads it as a binary fraction would not have the same amount."""
    return None if number is None else f"{number:.6f}"


def sentence(it: Held, point: RecoveryPoint) -> str:
    """Return it for a person."""
    what = it.holding
    size = f"{what.copy_gib} GiB" if what.copy_gib else "an unknown amount of storage"
    storage = "" if what.storage_gib == 0 else f" with {size}"
    if "provisioned IOPS" in it.not_counted:
        storage += f" and {point.iops} provisioned IOPS"
    copies = (
        f"{count(what.copies, 'snapshot copy', 'snapshot copies')} of up to {size} each"
        if what.copies
        else "no snapshot copy"
    )
    left_out = f" (not priced: {', '.join(it.not_counted)})" if it.not_counted else ""
    return (
        f"to hold while it runs: one {what.instance_class}{storage}"
        f" (billed by the second, ten minutes at least), {copies}:\n  {costs.sentence(it.cost)}{left_out}."
    )
