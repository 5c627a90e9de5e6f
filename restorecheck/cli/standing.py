"""`restorecheck status`: who serves, what runs, what waits, how each check stands. Reads the store and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from restorecheck.alerts.episodes import is_quiet
from restorecheck.assertions.words import count
from restorecheck.cli import exits, human
from restorecheck.cli.output import emit, err, out
from restorecheck.config import Config
from restorecheck.durable import encode
from restorecheck.model import Entry, Miss, Pause, Replica, Verdict
from restorecheck.replica import living
from restorecheck.state import locks
from restorecheck.store import Pending, Store
from restorecheck.store.bucket import REBUILT
from restorecheck.timetable import Upcoming, upcoming

_COLOURS = {Verdict.PASSED: "green", Verdict.BROKEN: "bold red", Verdict.UNPROVEN: "yellow"}

ANEW = timedelta(days=30)
"""For how long it is shown that a working copy was made anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store and the configuration say now."""

    checks: tuple[str, ...]
    replicas: list[Replica]  # that live
    running: list[Entry]
    waiting: list[Entry]
    begun: dict[str, datetime]  # by run id
    newest: dict[str, tuple[datetime, Verdict]]  # by check
    pauses: dict[str, Pause]
    following: dict[str, Upcoming]  # by check
    missed: dict[str, Miss]  # the newest of each check
    sweep: dict[str, Any] | None
    untold: dict[str, Pending]  # by receiver
    troubles: int  # that last
    functions: bool  # the state is in a bucket: functions on Lambda serve, and no process can
    rebuilt: dict[str, Any] | None  # when and why the working copy in the bucket was made anew


def look(config: Config, store: Store, now: datetime) -> Standing:
    """Read everything once. Raises StoreError."""
    pauses = store.pauses.all()
    following = {coming.check: coming for check in config.checks for coming in upcoming([check], pauses, now, 1)}
    return Standing(
        checks=tuple(check.name for check in config.checks),
        replicas=living(store.replicas.all(), locks(config.state), config.service.takeover),
        running=store.ledger.running(),
        waiting=store.ledger.waiting(),
        begun=store.ledger.begun(),
        newest=store.proofs.newest(),
        pauses=pauses,
        following=following,
        missed={miss.check: miss for miss in sorted(store.ledger.missed(), key=lambda m: m.scheduled_for)},
        sweep=store.notes.get("sweep"),
        untold=store.notices.pending(),
        troubles=sum(not is_quiet(episode) for episode in store.notices.episodes()),
        functions=config.state.bucket is not None,
        rebuilt=store.notes.get(REBUILT),
    )


def render(seen: Standing, now: datetime, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        emit("status", exits.PASSED, status=_plain(seen))
        return
    _print_processes(seen)
    out.print(_table(seen, now))
    if seen.sweep:
        out.print(f"last sweep {seen.sweep['at'][:16].replace('T', ' ')} UTC: {seen.sweep['summary']}", markup=False)
    if seen.rebuilt and now - datetime.fromisoformat(seen.rebuilt["at"]) < ANEW:
        at, why, runs = seen.rebuilt["at"][:16].replace("T", " "), seen.rebuilt["why"], seen.rebuilt["runs"]
        said = f"the working copy {why}, and was made anew at {at} UTC from the records of {count(runs, 'run')}"
        out.print(f"{said}: docs/state-in-s3.md says what is gone", markup=False, style="red", soft_wrap=True)
    _print_notices(seen, now)


def _print_processes(seen: Standing) -> None:
    for replica in seen.replicas:
        held = sum(entry.owner == replica.id for entry in seen.running)
        does = "serves" if replica.role == "serve" else "runs checks by hand"
        out.print(f"{replica.host} process {replica.pid} {does}, {held} under way", markup=False)
    if not any(replica.role == "serve" for replica in seen.replicas):
        until = "the functions tick again" if seen.functions else "`restorecheck serve` is started"
        err.print(f"nobody serves: nothing runs on schedule until {until}", style="bold red")


def _print_notices(seen: Standing, now: datetime) -> None:
    for name, waiting in seen.untold.items():
        some = f"{count(waiting.count, 'notice')} wait{'s' if waiting.count == 1 else ''} for {name}"
        age = human.duration(max((now - waiting.oldest).total_seconds(), 0.0))
        out.print(f"{some}, the oldest for {age}: `restorecheck notify` shows more", markup=False, style="red")
    if seen.troubles:
        lasts = "1 trouble lasts" if seen.troubles == 1 else f"{count(seen.troubles, 'trouble')} last"
        out.print(f"{lasts}: `restorecheck notify` shows since when, and who was told", markup=False)


def _table(seen: Standing, now: datetime) -> Table:
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("check", "last", "verdict", "now", "next"):
        result.add_column(name, overflow="fold", no_wrap=name in {"check", "verdict"})
    for check in seen.checks:
        last = seen.newest.get(check)
        result.add_row(
            check,
            f"{human.duration((now - last[0]).total_seconds())} ago" if last else "never",
            Text(str(last[1]), style=_COLOURS[last[1]]) if last else Text(""),
            _now(check, seen, now),
            _next(check, seen, now),
        )
    return result


def _now(check: str, seen: Standing, now: datetime) -> str:
    for entry in seen.running:
        if entry.check == check:
            began = seen.begun.get(entry.run_id)
            since = f" for {human.duration((now - began).total_seconds())}" if began else ""
            how = "tears down, cancelled" if entry.cancelled else "runs"
            if entry.owner not in {replica.id for replica in seen.replicas}:
                how = "waits to be taken up"
            return f"{how}{since}: {entry.run_id}"
    for entry in seen.waiting:
        if entry.check == check:
            return f"waits for its turn: {entry.run_id}"
    return ""


def _next(check: str, seen: Standing, now: datetime) -> str:
    following = seen.following.get(check)
    if pause := seen.pauses.get(check):
        if pause.until is None:
            return "paused until it is resumed"
        if pause.until > now:
            return f"paused until {pause.until:%Y-%m-%d %H:%M} UTC"
    if following is None or following.not_before is None:
        return "has no schedule"
    return f"in {human.duration((following.not_before - now).total_seconds())}"


def _following(check: str, seen: Standing) -> str | None:
    coming = seen.following.get(check)
    return coming.scheduled_for.isoformat() if coming and coming.scheduled_for else None


def _plain(seen: Standing) -> dict[str, Any]:
    return {
        "replicas": [encode(replica, Replica) for replica in seen.replicas],
        "running": [
            encode(e, Entry) | {"began": seen.begun[e.run_id].isoformat() if e.run_id in seen.begun else None}
            for e in seen.running
        ],
        "waiting": [encode(entry, Entry) for entry in seen.waiting],
        "paused": [encode(pause, Pause) for pause in seen.pauses.values()],
        "checks": [
            {
                "check": check,
                "last_started": seen.newest[check][0].isoformat() if check in seen.newest else None,
                "last_verdict": str(seen.newest[check][1]) if check in seen.newest else None,
                "last_missed": seen.missed[check].scheduled_for.isoformat() if check in seen.missed else None,
                "next": _following(check, seen),
            }
            for check in seen.checks
        ],
        "sweep": seen.sweep,
        "untold": [
            {"receiver": name, "waiting": waiting.count, "oldest": waiting.oldest.isoformat()}
            for name, waiting in seen.untold.items()
        ],
        "troubles": seen.troubles,
        "rebuilt": seen.rebuilt,
    }
