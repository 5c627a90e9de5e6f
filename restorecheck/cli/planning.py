"""`restorecheck plan`: the fence in plan mode. Reads as a run would, notes what it would write, sends no write."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from restorecheck.cli import exits, human
from restorecheck.cli.output import emit, errors, out
from restorecheck.config import load
from restorecheck.durable import encode
from restorecheck.engines.clock import WallClock
from restorecheck.errors import PlannedError
from restorecheck.fence import Mode, PlannedCall
from restorecheck.model import Plan, RecoveryPoint
from restorecheck.runner import LivePorts, make_state
from restorecheck.schedule import run_id, scratch_name


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
        begins = [stage.begin for stage in (*source.stages(point), *source.teardown(point))]
        for begin in begins:
            _noted(begin)
        calls = ports.fence.planned
    if as_json:
        emit(
            "plan",
            exits.PASSED,
            plan=encode(made, Plan),
            recovery_point=encode(point, RecoveryPoint),
            calls=[_plain(call) for call in calls],
        )
    else:
        _print(made, point, calls)


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


def _print(made: Plan, point: RecoveryPoint, calls: list[PlannedCall]) -> None:
    place, age = made.check.placement, (made.now - point.created).total_seconds()
    copies = sum(call.operation == "CopyDBSnapshot" for call in calls)
    out.print(
        f"{made.check.name}: would restore {point.id} ({point.kind}, {human.duration(age)} old, "
        f"{point.engine} {point.engine_version}, {point.size_gib} GiB)\n"
        f"  as {scratch_name(made.run_id)}\n"
        f"  in account {place.account}, {place.region}, {place.instance_class}, subnet group {place.subnet_group}\n"
        f"  and ask {len(made.check.assertions)} questions of database {made.check.source.database}\n",
        markup=False,
        soft_wrap=True,
    )
    for call in calls:
        names = [str(v) for k, v in call.params.items() if k.endswith("Identifier")]
        out.print(
            f"  {call.account}  {call.service}:{call.operation:<32} {' -> '.join(names)}", markup=False, soft_wrap=True
        )
    out.print(
        f"\nto hold while it runs: one {place.instance_class} with {point.size_gib} GiB"
        f" (billed by the second, ten minutes at least), {copies} snapshot copies of up to {point.size_gib} GiB each."
        "\nnothing was written.",
        markup=False,
        soft_wrap=True,
    )
