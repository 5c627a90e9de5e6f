"""`restorecheck notify`: who is told, what waits to be told, what lasts; and with `--test`, whether notices arrive.

A trial goes the way that every notice goes, through the store, so it proves that way. Heartbeats are not tried: a ping
that says "failed" would be a false alarm.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from restorecheck.alerts.sender import Sender
from restorecheck.alerts.telling import trials
from restorecheck.cli import exits, human
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import Config, load
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.model import Episode, Turn
from restorecheck.ports import fence_of
from restorecheck.replica import new_name
from restorecheck.state import open_store
from restorecheck.store import Fate, Routed, Store

PATIENCE = 45.0
"""Seconds that a trial waits for all receivers: each may take ten seconds, and is tried twice at least."""


def notify(names: Sequence[str], config: Path, *, test: bool, as_json: bool) -> None:
    """Try receivers and exit with 0 if all took the notice, 3 if not; without `test`, show how telling stands."""
    with errors("notify", as_json=as_json):
        loaded = load(config)
        _known(loaded, names)
        store = open_store(loaded.state)
        try:
            if test:
                fates = _tried(loaded, store, names)
            else:
                _show(loaded, store, names, as_json=as_json)
                return
        finally:
            store.close()
    code = exits.PASSED if all(fate.arrived for fate in fates) else exits.UNPROVEN
    _told(loaded, fates, names, code, as_json=as_json)
    raise SystemExit(code)


def _known(config: Config, names: Sequence[str]) -> None:
    known = {receiver.name for receiver in config.receivers}
    if not known:
        raise RestorecheckError(
            "no receiver is declared, so nobody is told anything",
            "add [receivers.…] to config.toml; docs/notifications.md shows each kind",
            kind="config",
        )
    for name in names:
        if name not in known:
            raise RestorecheckError(
                f"there is no receiver named {name}", f"there is {', '.join(sorted(known))}", kind="config"
            )


# --- a trial ---------------------------------------------------------------------------------------------------------


def _tried(config: Config, store: Store, names: Sequence[str]) -> list[Fate]:
    clock = WallClock()
    drafts = trials(config, clock.now(), names)
    if not drafts:
        raise RestorecheckError(
            "heartbeats are not tried: a ping that says that something failed would be a false alarm",
            "the ping of the next run proves them; name another receiver",
            kind="config",
        )
    store.notices.route(lambda *_: Routed(deliveries=drafts))
    ids = [draft.notice.id for draft in drafts if draft.notice.turn is Turn.FIRING]
    sender = Sender(store, clock, new_name(), _untold, lambda: fence_of(config))
    end = clock.monotonic() + PATIENCE
    while True:
        sender.round(config)
        sender.settle(max(0.1, end - clock.monotonic()))
        fates = store.notices.fates(ids)
        if all(fate.ended or fate.reason for fate in fates) or clock.monotonic() >= end:
            return fates
        threading.Event().wait(0.1)  # a service that runs beside us may be sending it


def _untold(event: str, **facts: object) -> None:
    """What becomes of each receiver is shown at the end."""
    del event, facts


def _told(config: Config, fates: Sequence[Fate], names: Sequence[str], code: int, *, as_json: bool) -> None:
    kinds = {receiver.name: receiver.type for receiver in config.receivers}
    if as_json:
        tried = [
            {
                "receiver": fate.receiver,
                "type": kinds[fate.receiver],
                "arrived": fate.arrived,
                "acknowledged": fate.acknowledged,
                "reason": fate.reason,
                "why": fate.why,
            }
            for fate in fates
        ]
        emit("notify", code, tried=tried)
        return
    table = Table("receiver", "type", "arrived", "what it said", box=box.SIMPLE_HEAD, show_edge=False)
    for fate in fates:
        arrived = "[green]yes[/]" if fate.arrived else "[bold red]no[/]"
        table.add_row(fate.receiver, kinds[fate.receiver], arrived, _said(fate))
    out.print(table)
    wanted = set(names) or set(kinds)
    for name in sorted(wanted - {fate.receiver for fate in fates}):
        err.print(f"{name} is a heartbeat: the ping of the next run proves it", markup=False)
    err.print("that the trial is over is told in 5 minutes, by whoever serves; what did not arrive is tried again")


def _said(fate: Fate) -> str:
    if fate.arrived:
        return "acknowledged" if fate.acknowledged else "took it; it shows nothing of its own"
    return f"{fate.reason}: {fate.why}" if fate.reason else "no answer yet"


# --- how telling stands ----------------------------------------------------------------------------------------------


def _show(config: Config, store: Store, names: Sequence[str], *, as_json: bool) -> None:
    now = WallClock().now()
    pending, proven, episodes = store.notices.pending(), store.notices.proven(), store.notices.episodes()
    rows: list[dict[str, Any]] = []
    for receiver in config.receivers:
        if names and receiver.name not in names:
            continue
        waiting = pending.get(receiver.name)
        rows.append(
            {
                "receiver": receiver.name,
                "type": receiver.type,
                "waiting": waiting.count if waiting else 0,
                "oldest": waiting.oldest if waiting else None,
                "proven": proven.get(receiver.name),
            }
        )
    if as_json:
        plain = [{k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} for row in rows]
        emit("notify", exits.PASSED, receivers=plain, troubles=[_object(one) for one in episodes])
        return
    table = Table("receiver", "type", "waits", "last acknowledged", box=box.SIMPLE_HEAD, show_edge=False)
    for row in rows:
        waits = "nothing"
        if row["waiting"]:
            waits = f"[red]{row['waiting']}, for {human.duration((now - row['oldest']).total_seconds())}[/]"
        proof = f"{human.duration((now - row['proven']).total_seconds())} ago" if row["proven"] else "never"
        table.add_row(row["receiver"], row["type"], waits, proof)
    out.print(table)
    out.print()
    for one in episodes:
        age = human.duration((now - one.since).total_seconds())
        out.print(f"since {age}: {one.notice.title} (told: {', '.join(one.receivers) or 'nobody'})", markup=False)
    if not episodes:
        out.print("no trouble lasts", markup=False)


def _object(one: Episode) -> dict[str, Any]:
    return {
        "key": one.key,
        "about": str(one.about),
        "check": one.check,
        "since": one.since.isoformat(),
        "count": one.count,
        "told": one.told.isoformat(),
        "receivers": list(one.receivers),
        "escalated": one.escalated,
        "title": one.notice.title,
    }
