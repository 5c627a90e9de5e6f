"""What an operator asks of the service through its store: `next`, `status`, `cancel`, `pause`, `resume`.

None of them talks to a process: what they write is heard by whichever process runs the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from restorecheck.cli import exits, standing, stores
from restorecheck.cli import upcoming as listing
from restorecheck.cli.moments import moment
from restorecheck.cli.output import emit, err, errors
from restorecheck.config import Config, load
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Check, Entry, Replica, RunState
from restorecheck.replica import living
from restorecheck.state import bucket_state, locks
from restorecheck.store import Store
from restorecheck.timetable import consider


def upcoming(config: Path, count: int, *, as_json: bool) -> None:
    """List what comes when."""
    with errors("next", as_json=as_json):
        loaded, now = load(config), WallClock().now()
        with stores.opened(loaded) as store:
            pauses = store.pauses.all()
    listing.render(loaded, pauses, now, count, as_json=as_json)


def status(config: Path, *, as_json: bool) -> None:
    """Show who serves, what runs, what waits, and how each check stands."""
    with errors("status", as_json=as_json):
        loaded, now = load(config), WallClock().now()
        with stores.opened(loaded) as store:
            seen = standing.look(loaded, store, now)
    standing.render(seen, now, as_json=as_json)


def cancel(run_id: str, config: Path, *, as_json: bool) -> None:
    """Ask a run to tear down and end."""
    with errors("cancel", as_json=as_json):
        loaded = load(config)
        entry, alive = stores.changed(loaded, lambda store: _cancelled(run_id, loaded, store))
        if loaded.state.bucket is not None:
            _hears(run_id, loaded)
    if as_json:
        emit("cancel", exits.PASSED, run=run_id)
        return
    err.print(f"{run_id} tears down and ends as unproven: cancelled", markup=False)
    if not any(replica.id == entry.owner or replica.role == "serve" for replica in alive):
        err.print(f"  nobody serves now: it does so as soon as {_who(loaded)} takes it up")


def _cancelled(run_id: str, loaded: Config, store: Store) -> tuple[Entry, list[Replica]]:
    entry = store.ledger.cancel(run_id)
    if entry is None:
        raise RestorecheckError(
            f"there is no run {run_id!r}", "`restorecheck status` lists those under way", kind="config"
        )
    if entry.state is RunState.ENDED:
        raise RestorecheckError(
            f"{run_id} has ended already", f"`restorecheck show {run_id}` shows its proof", kind="config"
        )
    return entry, living(store.replicas.all(), locks(loaded.state), loaded.service.takeover)


def _hears(run_id: str, loaded: Config) -> None:
    """Leave the word where the run itself looks. The next tick does so, too, so it is no failure if this fails."""
    with TemporaryDirectory(prefix="restorecheck-state-") as directory, suppress(StoreError):
        bucket_state(loaded.state, Path(directory)).cancel(run_id)


def _who(loaded: Config) -> str:
    return "a tick of the functions on Lambda" if loaded.state.bucket else "`restorecheck serve` or `run`"


def pause(checks: Sequence[str], until: str | None, config: Path, *, as_json: bool) -> None:
    """Let checks not run on their schedules."""
    with errors("pause", as_json=as_json):
        loaded, now = load(config), WallClock().now()
        named = [loaded.check(name) for name in dict.fromkeys(checks)]
        ends = {check.name: moment(until, check.timezone) if until else None for check in named}
        for name, end in ends.items():
            if end is not None and end <= now:
                raise RestorecheckError(
                    f"--until {until} is over already for {name}", "write a time to come", kind="config"
                )
        stores.changed(loaded, lambda store: _paused(store, ends, now))
    if as_json:
        emit("pause", exits.PASSED, paused={name: end.isoformat() if end else None for name, end in ends.items()})
        return
    for name, end in ends.items():
        err.print(f"{name} is paused until {f'{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC' if end else 'it is resumed'}")
    err.print("  a run under way goes on; `restorecheck run` runs a paused check all the same")


def _paused(store: Store, ends: Mapping[str, datetime | None], now: datetime) -> None:
    for name, end in ends.items():
        store.pauses.pause(name, now, end)


def resume(checks: Sequence[str], config: Path, *, as_json: bool) -> None:
    """Let paused checks run again."""
    with errors("resume", as_json=as_json):
        loaded, now = load(config), WallClock().now()
        named = [loaded.check(name) for name in dict.fromkeys(checks)]
        were = stores.changed(loaded, lambda store: {c.name: _resumed(store, c, loaded, now) for c in named})
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
