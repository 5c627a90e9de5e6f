"""`restorecheck plan`: the fence in plan mode. Reads as a run would, notes what it would write, sends no write."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from restorecheck import costs
from restorecheck.assertions.words import count
from restorecheck.cli import exits, human
from restorecheck.cli.output import emit, errors, out
from restorecheck.config import load
from restorecheck.costs import Cost, Holding
from restorecheck.durable import encode
from restorecheck.engines.clock import WallClock
from restorecheck.errors import PlannedError
from restorecheck.fence import Mode, PlannedCall
from restorecheck.model import Plan, RecoveryPoint
from restorecheck.ports import LivePorts
from restorecheck.schedule import run_id, scratch_name
from restorecheck.state import make_state


def plan(check: str, config: Path, *, as_json: bool) -> None:
    """Print the plan of one check."""
    with errors("plan", as_json=as_json):
        loaded = load(config)
        name = loaded.check(check).name
        make_state(loaded.state)
        clock = WallClock()
        ports = LivePorts(loaded, clock, None, Mode.PLAN)
        made = ports.plan(run_id(name, clock.now()))
        source = ports.imagined(made)
        point = source.find()
        stages = (*source.stages(point), *source.teardown(point))
        for stage in stages:
            _noted(stage.begin)
        calls = ports.fence.planned
        held = _holding(made, point, calls)
        longest = made.check.limits.examine + sum((stage.at_most for stage in stages), timedelta())
        hours = Decimal(longest // timedelta(seconds=1)) / 3600
        cost = costs.estimate(held, loaded.prices, hours)
    if as_json:
        emit(
            "plan",
            exits.PASSED,
            plan=encode(made, Plan),
            recovery_point=encode(point, RecoveryPoint),
            calls=[_plain(call) for call in calls],
            cost=_plain_cost(cost, held, hours),
        )
    else:
        _print(made, point, calls, held, cost)


def _noted(begin: Callable[[], None]) -> None:
    with suppress(PlannedError):  # which is how a write ends in plan mode: noted by the fence
        begin()


def _plain(call: PlannedCall) -> dict[str, Any]:
    return {
        "account": call.account,
        "region": call.region,
        "call": f"{call.service}:{call.operation}",
        "parameters": dict(call.params),
    }


def _holding(made: Plan, point: RecoveryPoint, calls: list[PlannedCall]) -> Holding:
    size = point.size_gib or None  # 0: AWS left it out
    copies = sum(call.operation == "CopyDBSnapshot" for call in calls)
    return Holding(instance_class=made.check.placement.instance_class, storage_gib=size, copies=copies, copy_gib=size)


def _plain_cost(cost: Cost, held: Holding, hours: Decimal) -> dict[str, Any]:
    return {
        "currency": cost.currency,
        "per_hour": _plain_number(cost.per_hour),
        "minimum": _plain_number(cost.minimum),
        "total": _plain_number(cost.total),
        "hours": _plain_number(hours),
        "unpriced": list(cost.unpriced),
        **asdict(held),
    }


def _plain_number(number: Decimal | None) -> str | None:
    """As text: a program that reads it as a binary fraction would not have the same amount."""
    return None if number is None else f"{number:.6f}"


def _print(made: Plan, point: RecoveryPoint, calls: list[PlannedCall], held: Holding, cost: Cost) -> None:
    place, age = made.check.placement, (made.now - point.created).total_seconds()
    out.print(
        f"{made.check.name}: would restore {point.id} ({point.kind}, {human.duration(age)} old, "
        f"{point.engine} {point.engine_version}, {point.size_gib} GiB)\n"
        f"  as {scratch_name(made.run_id)}\n"
        f"  in account {place.account}, {place.region}, {place.instance_class}, subnet group {place.subnet_group}\n"
        f"  and ask {count(len(made.check.assertions), 'question')} of database {made.check.source.database}\n",
        markup=False,
        soft_wrap=True,
    )
    for call in calls:
        names = [str(v) for k, v in call.params.items() if k.endswith("Identifier")]
        out.print(
            f"  {call.account}  {call.service}:{call.operation:<32} {' -> '.join(names)}", markup=False, soft_wrap=True
        )
    size = f"{held.storage_gib} GiB" if held.storage_gib else "an unknown amount of storage"
    extra = f" and {point.iops} provisioned IOPS (not priced)" if point.storage_type in {"io1", "io2"} else ""
    out.print(
        f"\nto hold while it runs: one {place.instance_class} with {size}{extra}"
        f" (billed by the second, ten minutes at least), {held.copies} snapshot copies of up to {size} each:\n"
        f"  {costs.sentence(cost)}.\nnothing was written.",
        markup=False,
        soft_wrap=True,
    )
