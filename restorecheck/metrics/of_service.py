"""Figures of the service itself: the process that is asked, all that serve, and what waits to be told. Pure."""

from __future__ import annotations

from datetime import datetime

from restorecheck.config import Config
from restorecheck.config.receivers import AnyReceiver
from restorecheck.metrics.catalogue import REASONS
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Facts, Kept

_ACKNOWLEDGE = ("alertmanager", "sns")
"""Types that show what they hold, whenever they hold it."""


def put_process(figures: Figures, facts: Facts) -> None:
    """Put in what is known without the store."""
    figures.put("build_info", 1, facts.version)
    figures.put("store_up", facts.kept is not None)
    if (process := facts.process) is None:
        return
    if process.ticked is not None:
        figures.put("scheduler_last_tick_timestamp_seconds", process.ticked.timestamp())
    figures.put("config_last_reload_successful", process.reload_worked)
    figures.put("config_last_reload_success_timestamp_seconds", process.loaded.timestamp())


def put(figures: Figures, config: Config, kept: Kept) -> None:
    """Put in what the store says of the service; of receivers, those that are configured."""
    figures.put("replicas", kept.replicas)
    figures.put("run_queue_length", kept.queued)
    tried, failed = kept.counters.get("notifications", {}), kept.counters.get("notifications_failed", {})
    for receiver in config.receivers:
        name = receiver.name
        waits = kept.pending.get(name)
        figures.put("notifications_pending", waits.count if waits else 0, name)
        since = waits.oldest.timestamp() if waits else 0
        figures.put("notification_oldest_pending_timestamp_seconds", since, name)
        if at := _proven(receiver, kept):
            figures.put("notification_last_proven_timestamp_seconds", at.timestamp(), name)
        figures.put("notifications", tried.get((name,), 0), name)
        for reason in REASONS:
            figures.put("notifications_failed", failed.get((name, reason), 0), name, reason)


def _proven(receiver: AnyReceiver, kept: Kept) -> datetime | None:
    """Return when it was last proved that a receiver is reached, at least when it was first configured; None: never.

    Whoever can acknowledge must; of others, that they took a notice is all that can be known. A heartbeat has no such
    time: it is the receiver itself that calls somebody when it is not reached, and a monthly check is pinged monthly.
    """
    name = receiver.name
    if receiver.type == "heartbeat":
        return None
    strict = receiver.type in _ACKNOWLEDGE or name in kept.acknowledged  # who did once is held to it
    last = (kept.acknowledged if strict else kept.arrived).get(name)
    times = [at for at in (last, kept.receivers_seen.get(name)) if at]  # one that left and came back starts anew
    return max(times, default=None)
