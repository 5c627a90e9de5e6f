"""What a run would hold in AWS at once, and what that costs, as `restorecheck plan` says it. Pure.

Must never call free what is only not counted: what no price of the configuration covers is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from restorecheck import costs, holding
from restorecheck.assertions.words import count
from restorecheck.config import Prices
from restorecheck.fence import PlannedCall
from restorecheck.holding import Held
from restorecheck.model import Plan, RecoveryPoint

REQUESTS = "requests to S3 and what is read from it are not priced here."
STORED = "requests to S3, what is read from it, and what lies in the scratch bucket meanwhile are not priced here."
"""Of sources in S3: what they cost is so many requests, which no key of config.toml prices."""

_COPIES = frozenset({"CopyDBSnapshot", "CopyDBClusterSnapshot"})


def held(
    made: Plan, point: RecoveryPoint, calls: Sequence[PlannedCall], prices: Prices | None, longest: timedelta
) -> Held | None:
    """Return what a run holds for at most `longest`; None for one that restores into no database of AWS."""
    copies = sum(call.operation in _COPIES for call in calls)
    return holding.held(made.check, point, copies, prices, longest)


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
