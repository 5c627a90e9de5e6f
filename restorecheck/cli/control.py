"""What an operator asks of the service through its store: `next`, `status`, `cancel`, `pause`, `resume`.

None of them talks to a process: what they write is heard by whichever process runs the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from restorecheck.cli import exits, standing
from restorecheck.cli import upcoming as listing
from restorecheck.cli.moments import moment
from restorecheck.cli.output import emit, err, errors
from restorecheck.config import Config, load
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.model import Check, RunState
from restorecheck.replica import living
from restorecheck.state import locks, open_store
from restorecheck.store import Store
from restorecheck.timetable import consider


@contextmanager
def _opened(config: Path) -> Iterator[tuple[Config, Store, datetime]]:
    loaded = load(config)
    store = open_store(loaded.state)
    try:
        yield loaded, store, WallClock().now()
    finally:
        store.close()


def upcoming(config: Path, count: int, *, as_json: bool) -> None:
    """List what comes when."""
    with errors("next", as_json=as_json), _opened(config) as (loaded, store, now):
        pauses = store.pauses.all()
    listing.render(loaded, pauses, now, count, as_json=as_json)


def status(config: Path, *, as_json: bool) -> None:
    """Show who serves, what runs, what waits, and how each check stands."""
    with errors("status", as_json=as_json), _opened(config) as (loaded, store, now):
        seen = standing.look(loaded, store, now)
    standing.render(seen, now, as_json=as_json)


def cancel(run_id: str, config: Path, *, as_json: bool) -> None:
    """Ask a run to tear down and end."""
    with errors("cancel", as_json=as_json), _opened(config) as (loaded, store, _now):
        entry = store.ledger.cancel(run_id)
        if entry is None:
            raise RestorecheckError(
                f"there is no run {run_id!r}", "`restorecheck status` lists those under way", kind="config"
            )
        if entry.state is RunState.ENDED:
            raise RestorecheckError(
                f"{run_id} has ended already", f"`restorecheck show {run_id}` shows its proof", kind="config"
            )
        alive = living(store.replicas.all(), locks(loaded.state), loaded.service.takeover)
    if as_json:
        emit("cancel", exits.PASSED, run=run_id)
        return
    err.print(f"{run_id} tears down and ends as unproven: cancelled", markup=False)
    if not any(replica.id == entry.owner or replica.role == "serve" for replica in alive):
        err.print("  nobody serves now: it does so as soon as `restorecheck serve` or `run` takes it up")


def pause(checks: Sequence[str], until: str | None, config: Path, *, as_json: bool) -> None:
    """Let checks not run on their schedules."""
    with errors("pause", as_json=as_json), _opened(config) as (loaded, store, now):
        named = [loaded.check(name) for name in dict.fromkeys(checks)]
        ends = {check.name: moment(until, check.timezone) if until else None for check in named}
        for name, end in ends.items():
            if end is not None and end <= now:
                raise RestorecheckError(
                    f"--until {until} is over already for {name}", "write a time to come", kind="config"
                )
        for name, end in ends.items():
            store.pauses.pause(name, now, end)
    if as_json:
        emit("pause", exits.PASSED, paused={name: end.isoformat() if end else None for name, end in ends.items()})
        return
    for name, end in ends.items():
        err.print(f"{name} is paused until {f'{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC' if end else 'it is resumed'}")
    err.print("  a run under way goes on; `restorecheck run` runs a paused check all the same")


def resume(checks: Sequence[str], config: Path, *, as_json: bool) -> None:
    """Let paused checks run again."""
    with errors("resume", as_json=as_json), _opened(config) as (loaded, store, now):
        named = [loaded.check(name) for name in dict.fromkeys(checks)]
        were = {check.name: _resumed(store, check, loaded, now) for check in named}
    if as_json:
        emit("resume", exits.PASSED, resumed=[name for name, was in were.items() if was])
        return
    for check in named:
        err.print(f"{check.name} {'runs on schedule again' if were[check.name] else 'was not paused'}")
        if check.paused_until and check.paused_until > now:
            err.print(
                f"  but its file says paused_until = {check.paused_until:%Y-%m-%d %H:%M}: change that, and reload"
            )


def _resumed(store: Store, check: Check, config: Config, now: datetime) -> bool:
    """End a pause. What it covered is looked at before it is forgotten, or it would be taken for missed."""
    before, pause = store.ledger.considered().get(check.name), store.pauses.all().get(check.name)
    if before is not None and pause is not None:
        found = consider(check, before, now, late=config.service.late, pause=pause, waiting=False)
        store.ledger.schedule(check.name, found.until, found.due, found.missed)
    return store.pauses.resume(check.name)
