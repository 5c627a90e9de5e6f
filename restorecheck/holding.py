"""What a run holds in AWS, before it is run and after, and what that costs by the configured prices. Pure.

Must never call free what is only not counted: what no price covers makes the whole amount unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from restorecheck import costs
from restorecheck.config import Prices
from restorecheck.costs import Cost, Holding
from restorecheck.model import AuroraSource, Check, Phase, Placement, RdsSource, RecoveryPoint, Report

_COPIES = ("export", "import")
"""Stages that make a copy of the snapshot, in the source account and in the scratch account."""

_MAKES_NOTHING = frozenset({"plan", "find", "prove", "record"})
"""Steps during which a run holds nothing, or nothing that is its doing."""

_WAIT = ": wait"


@dataclass(frozen=True, slots=True)
class Held:
    """What a run holds, what that costs, and what is not counted in it."""

    holding: Holding
    cost: Cost
    hours: Decimal
    not_counted: tuple[str, ...] = ()


def held(check: Check, point: RecoveryPoint, copies: int, prices: Prices | None, longest: timedelta) -> Held | None:
    """Return what a run holds for at most `longest`; None for one that restores into no database of AWS."""
    source, place = check.source, check.placement
    if not isinstance(source, RdsSource | AuroraSource):
        return None
    cluster = isinstance(source, AuroraSource)
    size = point.size_gib or None  # 0: AWS left it out
    what = Holding(
        instance_class=place.instance_class, storage_gib=0 if cluster else size, copies=copies, copy_gib=size
    )
    hours = Decimal(longest // timedelta(seconds=1)) / 3600
    left_out = ["storage and I/O of the cluster"] if cluster else []
    left_out += ["provisioned IOPS"] if point.storage_type in {"io1", "io2"} and not cluster else []
    return Held(what, costs.estimate(what, _priced(prices, place), hours), hours, tuple(left_out))


def cost_of(report: Report, check: Check, prices: Prices | None) -> Decimal | None:
    """Return what a run that ended has cost, about; None: it held nothing in AWS, or a price or a size is not known.

    Instances count from the restore on, copies from the first of them, both until the teardown had ended. The check is
    as it is declared now: one that was given another class meanwhile is priced by that.
    """
    point = report.point
    began = {phase.name.removesuffix(_WAIT): phase for phase in reversed(report.phases)}  # the first of each name
    holding = [phase for phase in report.phases if phase.name not in _MAKES_NOTHING]
    if point is None or not holding or not isinstance(check.source, RdsSource | AuroraSource):
        return None
    over = max(phase.ended for phase in holding)
    total = Decimal(0)
    copied = [began[name] for name in _COPIES if name in began]
    spans: list[tuple[int, int, Phase]] = [(0, 1, phase) for phase in copied]
    spans += [(1, 0, began["restore"])] if "restore" in began else []
    for instances, copies, phase in spans:
        made = held(check, point, copies, prices, over - phase.started)
        assert made is not None  # noqa: S101 - its source is one of AWS, as was seen above
        what = replace(made.holding, instances=instances)
        amount = costs.estimate(what, _priced(prices, check.placement), made.hours).total
        if amount is None:
            return None
        total += amount
    return total


def _priced(prices: Prices | None, place: Placement) -> Prices | None:
    """Return the prices with that of the whole instance where it is said per ACU: at most as many as it may have."""
    if prices is None or place.capacity is None or place.instance_class not in prices.instance_hour:
        return prices
    most = Decimal(str(place.capacity[1]))
    of_class: Mapping[str, Decimal] = prices.instance_hour
    return replace(prices, instance_hour={**of_class, place.instance_class: of_class[place.instance_class] * most})
