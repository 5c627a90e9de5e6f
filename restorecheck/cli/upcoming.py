"""`restorecheck next`: which runs come when, by the schedules, the pauses and the jitter. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.table import Table
from rich.text import Text

from restorecheck.assertions.words import count as counted
from restorecheck.cli import exits, human
from restorecheck.cli.output import emit, err, out
from restorecheck.config import Config
from restorecheck.model import Check, Pause
from restorecheck.timetable import Upcoming
from restorecheck.timetable import upcoming as coming


def render(config: Config, pauses: Mapping[str, Pause], now: datetime, count: int, *, as_json: bool) -> None:
    """Print the next `count` runs of all checks; `pauses` are the operators', by check."""
    found = coming(config.checks, pauses, now, count)
    if as_json:
        emit("next", exits.PASSED, next=[plain(one) for one in found])
        return
    if found:
        out.print(table(found, now))
    by_hand = [check for check in config.checks if not check.schedule]
    if by_hand:
        err.print(_by_hand(by_hand), markup=False, soft_wrap=True)


def plain(one: Upcoming) -> dict[str, Any]:
    """Return one upcoming run for a program. Times are ISO 8601: `local` in the check's zone, the others in UTC."""
    at = one.scheduled_for
    return {
        "check": one.check,
        "scheduled_for": _iso(at),
        "not_before": _iso(one.not_before),
        "timezone": one.timezone,
        "local": _iso(at.astimezone(ZoneInfo(one.timezone)) if at else None),
        "paused": one.paused,
        "paused_until": _iso(one.paused_until),
    }


def table(found: Sequence[Upcoming], now: datetime) -> Table:
    """Return one row per upcoming run."""
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("check", "local time", "zone", "UTC", "in", "jitter", "paused"):
        result.add_column(name, overflow="fold", no_wrap=name in {"check", "local time", "UTC"})
    for one in found:
        result.add_row(*_row(one, now), Text(_paused(one), style="yellow"))
    return result


def _row(one: Upcoming, now: datetime) -> tuple[str, ...]:
    if one.scheduled_for is None or one.not_before is None:
        return one.check, "-", one.timezone, "-", "-", "-"
    local = one.scheduled_for.astimezone(ZoneInfo(one.timezone))
    jitter = (one.not_before - one.scheduled_for).total_seconds()
    return (
        one.check,
        f"{local:%a %Y-%m-%d %H:%M}",
        one.timezone,
        f"{one.scheduled_for:%Y-%m-%d %H:%M}",
        human.duration((one.not_before - now).total_seconds()),
        f"+ {human.duration(jitter)}" if jitter else "",
    )


def _paused(one: Upcoming) -> str:
    if not one.paused:
        return ""
    return f"until {human.moment(one.paused_until)}" if one.paused_until else "until it is resumed"


def _by_hand(checks: Sequence[Check]) -> str:
    names = ", ".join(check.name for check in checks)
    return f"{counted(len(checks), 'check')} without a schedule, run by hand only: {names}"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
