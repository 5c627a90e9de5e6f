"""`restorecheck notify`: who is told, what waits to be told, what lasts; and with `--test`, whether notices arrive.

A trial goes the way that every notice goes, through the store, so it proves that way. Heartbeats are not tried: a ping
that says "failed" would be a false alarm. What came from outside is printed as it is, and never as markup.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from restorecheck.alerts.sender import Sender
from restorecheck.alerts.telling import trials
from restorecheck.cli import exits, human, stores
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import Config, load
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.model import Episode, Turn
from restorecheck.ports import fence_of
from restorecheck.replica import living, new_name
from restorecheck.state import locks
from restorecheck.store import Fate, Pending, Routed, Store

PATIENCE = 45.0
"""Seconds that a trial waits for what receivers say: each may take ten, apprise thirty."""

PATIENCE_WITH_TICKS, BETWEEN_LOOKS = 600.0, 5.0
"""Seconds that a trial waits where functions on Lambda send: they begin every few minutes."""

_NOBODY = "no receiver is declared, so nobody is told anything"
_NOBODY_HINT = "add [receivers.…] to config.toml; docs/notifications.md shows each kind"

GIVEN_UP = timedelta(days=7)
"""How far back what was given up is shown."""


def notify(names: Sequence[str], config: Path, *, test: bool, as_json: bool) -> None:
    """Show how telling stands. With `test`, try receivers: exit with 0 if all took the notice, with 3 if not."""
    with errors("notify", as_json=as_json):
        loaded = load(config)
        _known(loaded, names, test=test)
        if not test:
            with stores.opened(loaded) as store:
                _show(loaded, store, names, as_json=as_json)
            return
        if loaded.state.bucket is not None:
            served, fates = True, _tried_by_functions(loaded, names)
        else:
            with stores.opened(loaded) as store:
                served = _is_served(loaded, store)
                fates = _tried(loaded, store, names, served=served)
    code = exits.PASSED if all(fate.arrived for fate in fates) else exits.UNPROVEN
    _told(loaded, fates, names, code, served=served, as_json=as_json)
    raise SystemExit(code)


def _known(config: Config, names: Sequence[str], *, test: bool) -> None:
    known = {receiver.name for receiver in config.receivers}
    if not known and (test or names):
        raise RestorecheckError(_NOBODY, _NOBODY_HINT, kind="config")
    for name in names:
        if name not in known:
            raise RestorecheckError(
                f"there is no receiver named {name}", f"there is {', '.join(sorted(known))}", kind="config"
            )


# --- a trial ---------------------------------------------------------------------------------------------------------


def _is_served(config: Config, store: Store) -> bool:
    found = living(store.replicas.all(), locks(config.state), config.service.takeover)
    return any(replica.role == "serve" for replica in found)


def _routed(config: Config, store: Store, names: Sequence[str], *, served: bool) -> list[str]:
    """Have receivers tried, and return the ids of what is sent."""
    drafts = trials(config, WallClock().now(), names)
    if not drafts:
        raise RestorecheckError(
            "heartbeats are not tried: a ping that says that something failed would be a false alarm",
            "the ping of the next run proves them; name another receiver",
            kind="config",
        )
    if not served:  # nobody would tell the end in time: it would come at night, with what the next run tells
        drafts = tuple(draft for draft in drafts if draft.notice.turn is Turn.FIRING)
    keys = tuple(sorted({draft.notice.key for draft in drafts}))  # or this trial would wait for the end of the last
    store.notices.route(lambda *_: Routed(deliveries=drafts, replaced=keys))
    return [draft.notice.id for draft in drafts if draft.notice.turn is Turn.FIRING]


def _tried_by_functions(config: Config, names: Sequence[str]) -> list[Fate]:
    """Leave the trial to the next tick, which is who sends every notice, and wait for what it tells."""

    def routed(store: Store) -> list[str]:
        if not _is_served(config, store):
            raise RestorecheckError(
                "no tick was heard of in the last minutes, so nobody would send it",
                "see that the functions tick (docs/lambda.md)",
                kind="config",
            )
        return _routed(config, store, names, served=True)

    ids = stores.changed(config, routed)
    err.print("the next tick of the functions sends it", markup=False)
    end = WallClock().monotonic() + PATIENCE_WITH_TICKS
    while True:
        with stores.opened(config) as store:
            fates = store.notices.fates(ids)
        if all(fate.ended or fate.reason for fate in fates) or WallClock().monotonic() >= end:
            return fates
        threading.Event().wait(BETWEEN_LOOKS)


def _tried(config: Config, store: Store, names: Sequence[str], *, served: bool) -> list[Fate]:
    clock = WallClock()
    ids = _routed(config, store, names, served=served)
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


def _told(
    config: Config, fates: Sequence[Fate], names: Sequence[str], code: int, *, served: bool, as_json: bool
) -> None:
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
        arrived = Text("yes", "green") if fate.arrived else Text("no", "bold red")
        table.add_row(fate.receiver, kinds[fate.receiver], arrived, Text(_said(fate)))
    out.print(table)
    wanted = set(names) or set(kinds)
    for name in sorted(wanted - {fate.receiver for fate in fates}):
        err.print(f"{name} is a heartbeat: the ping of the next run proves it", markup=False)
    err.print(
        "in 5 minutes the service tells that the trial is over" if served else "nobody serves, so its end is not told"
    )
    if code != exits.PASSED:
        err.print("what did not arrive is tried again, by the service or by the next run; a new trial replaces it")


def _said(fate: Fate) -> str:
    if fate.arrived:
        return "acknowledged" if fate.acknowledged else "took it; it shows nothing of its own"
    if fate.reason:
        return f"{fate.reason}: {fate.why}"
    return "another trial took its place" if fate.ended else "no answer yet"


# --- how telling stands ----------------------------------------------------------------------------------------------


def _show(config: Config, store: Store, names: Sequence[str], *, as_json: bool) -> None:
    now = WallClock().now()
    rows, episodes = _rows(config, store, names, now), store.notices.episodes()
    if as_json:
        plain = [{k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} for row in rows]
        emit("notify", exits.PASSED, receivers=plain, troubles=[_object(one) for one in episodes])
        return
    if not rows:
        err.print(f"{_NOBODY}\n  hint: {_NOBODY_HINT}", markup=False, soft_wrap=True)
    columns = ("receiver", "type", "waits", "given up", "last took one", "last acknowledged")
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False)
    for row in rows:
        waits, given_up = Text("nothing"), Text("nothing")
        if row["waiting"]:
            waits = Text(f"{row['waiting']}, for {_age(row['oldest'], now)}", "red")
        if row["given_up"]:
            given_up = Text(f"{row['given_up']} in 7 days", "red")
        ages = [f"{_age(row[key], now)} ago" if row[key] else "never" for key in ("arrived", "proven")]
        table.add_row(Text(row["receiver"]), row["type"] or "not configured", waits, given_up, *ages)
    if rows:
        out.print(table)
        out.print()
    for one in episodes:
        told = ", ".join(one.receivers) or "nobody yet"
        out.print(f"since {_age(one.since, now)}: {one.notice.title} (told: {told})", markup=False)
    if not episodes:
        out.print("no trouble lasts", markup=False)


def _rows(config: Config, store: Store, names: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """Return how each receiver stands, and each that left the configuration while something waits for it."""
    pending, arrived, proven = store.notices.pending(), store.notices.arrived(), store.notices.proven()
    given_up = Counter(one.receiver for one in store.notices.dead(now - GIVEN_UP))
    types: dict[str, str | None] = {receiver.name: receiver.type for receiver in config.receivers}
    types |= dict.fromkeys(sorted(pending.keys() - types.keys()))
    nothing = Pending(0, now)
    return [
        {
            "receiver": name,
            "type": type_,
            "waiting": pending.get(name, nothing).count,
            "oldest": pending[name].oldest if name in pending else None,
            "given_up": given_up[name],
            "arrived": arrived.get(name),
            "proven": proven.get(name),
        }
        for name, type_ in types.items()
        if not names or name in names
    ]


def _age(since: datetime, now: datetime) -> str:
    return human.duration(max((now - since).total_seconds(), 0.0))


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
