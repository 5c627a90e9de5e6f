"""`restorecheck plan`: the fence in plan mode. Reads as a run would, notes what it would write, sends no write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from restorecheck.assertions.words import count
from restorecheck.cli import exits, holding, human, proofs
from restorecheck.cli.holding import REQUESTS, STORED
from restorecheck.cli.output import emit, errors, out
from restorecheck.config import load
from restorecheck.durable import encode
from restorecheck.engines.clock import WallClock
from restorecheck.errors import PlannedError
from restorecheck.fence import Mode, PlannedCall
from restorecheck.holding import Held
from restorecheck.model import (
    AuroraSource,
    Check,
    Placement,
    Plan,
    RdsSource,
    RecoveryPoint,
    S3DumpSource,
    S3ObjectsSource,
)
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
        longest = made.check.limits.examine + sum((stage.at_most for stage in stages), timedelta())
        held = holding.held(made, point, calls, loaded.prices, longest)
    if as_json:
        emit(
            "plan",
            exits.PASSED,
            plan=encode(made, Plan),
            recovery_point=encode(point, RecoveryPoint),
            calls=[_plain(call) for call in calls],
            cost=holding.plain(held) if held else None,
        )
    else:
        _print(made, point, calls, held)


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


def _print(made: Plan, point: RecoveryPoint, calls: list[PlannedCall], held: Held | None) -> None:
    for line in (*_what(made, point), ""):
        out.print(line, markup=False, soft_wrap=True)
    for call in calls:
        out.print(f"  {call.account}  {call.service}:{call.operation:<32} {_named(call)}", markup=False, soft_wrap=True)
    for line in _each(made, point):
        out.print(line, markup=False, soft_wrap=True)
    stored = STORED if isinstance(made.check.source, S3ObjectsSource) else REQUESTS
    cost = holding.sentence(held, point) if held else stored
    out.print(f"\n{cost}\nnothing was written.", markup=False, soft_wrap=True)


def _each(made: Plan, point: RecoveryPoint) -> Iterator[str]:
    """Yield the writes that are so many that no list would be read: one for each object."""
    source, place = made.check.source, made.check.placement
    if isinstance(source, S3ObjectsSource):
        call = "CopyObject" if source.transfer == "copy" else "PutObject"
        below = f"{place.bucket}/{scratch_name(made.run_id)}/k/…"
        yield f"  {place.account}  s3:{call:<32} {below}, {count(point.picked, 'time')}, above 5 GiB in parts"
        yield f"  {place.account}  s3:{'DeleteObjects':<32} {place.bucket}/{scratch_name(made.run_id)}/, at the end"


def _named(call: PlannedCall) -> str:
    """Return what a call is about: the names in it, or the object."""
    if call.service == "s3":
        return "/".join(str(call.params[part]) for part in ("Bucket", "Key") if part in call.params)
    return " -> ".join(str(v) for k, v in call.params.items() if k.endswith("Identifier"))


def _what(made: Plan, point: RecoveryPoint) -> Iterator[str]:
    """Yield what would be restored, where, and what would be asked."""
    check, source, place = made.check, made.check.source, made.check.placement
    age = human.duration((made.now - point.created).total_seconds())
    asked = count(len(check.assertions), "question")
    where = f"in account {place.account}, {place.region}"
    if isinstance(source, S3ObjectsSource):
        yield f"{check.name}: would restore {proofs.of_objects(point)},"
        yield f"  as they were at {human.moment(point.created)} in {point.id}"
        yield f"  to s3://{place.bucket}/{scratch_name(made.run_id)}/ {where}"
        yield f"  and ask {asked} of them"
    elif isinstance(source, S3DumpSource):
        yield f"{check.name}: would restore {point.id} ({point.kind}, {age} old, {proofs.of_dump(point)})"
        yield f"  into {source.server or 'a server that is started on this machine, as'} {scratch_name(made.run_id)}"
        yield f"  and ask {asked} of database {source.database}"
    else:
        yield (
            f"{check.name}: would restore {point.id} ({point.kind}, {age} old, "
            f"{point.engine} {point.engine_version}, {point.size_gib} GiB)"
        )
        yield f"  as {scratch_name(made.run_id)}"
        yield f"  {where}, {_class(place)}, subnet group {place.subnet_group}"
        yield f"  and ask {asked} of {_databases(check, source)}"
    for remark in point.remarks:
        yield f"  note: {remark}"


def _class(place: Placement) -> str:
    if place.capacity is None:
        return place.instance_class
    low, high = place.capacity
    return f"{place.instance_class} of {low:g} to {high:g} ACU"


def _databases(check: Check, source: RdsSource | AuroraSource) -> str:
    named = {assertion.database or source.database for assertion in check.assertions} or {source.database}
    names = sorted(name for name in named if name)
    return f"{'database' if len(names) == 1 else 'databases'} {', '.join(names)}" if names else "no database by name"
