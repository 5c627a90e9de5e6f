"""Figures of AWS accounts: what sweeps saw there, and what restores may cost. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from restorecheck.config import Config
from restorecheck.metrics.catalogue import LEFTOVERS
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Kept

_CALLED = {"db": "instance"}
"""The fence's kinds of resource that the catalogue calls otherwise; what neither knows is `other`."""


def put(figures: Figures, config: Config, kept: Kept) -> None:
    """Put in the figures of all accounts."""
    note: Mapping[str, Any] = kept.sweep or {}
    figures.put("sweep_tripped", bool(note.get("tripped")))
    seen = {(p["account"], p["region"]): p for p in note.get("places", ()) if "left" in p}
    for place in _places(config):
        swept = seen.get(place, {})
        left = Counter[str]()
        for kind, count in swept.get("left", {}).items():
            left[_resource(kind)] += count
        for resource in LEFTOVERS:
            figures.put("leaked_resources", left[resource], *place, resource)
        if swept:
            figures.put("sweep_last_success_timestamp_seconds", _instant(swept.get("seen_whole")), *place)
    if config.prices and config.prices.currency == "USD" and config.prices.budget is not None:
        figures.put("cost_budget_usd", float(config.prices.budget))


def _places(config: Config) -> list[tuple[str, str]]:
    """Return the account and region of every place that is swept."""
    sources = [(account.id, region) for account in config.source_accounts for region in account.regions]
    scratch = [(account.id, region) for account in config.scratch_accounts for region in account.regions]
    return list(dict.fromkeys(sources + scratch))


def _resource(kind: str) -> str:
    called = _CALLED.get(kind, kind)
    return called if called in LEFTOVERS else "other"


def _instant(text: str | None) -> float:
    """Return a time of the note; 0 if there was none: then somebody has to look."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
