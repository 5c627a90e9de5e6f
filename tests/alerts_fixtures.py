"""Notices as tests need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from restorecheck.model import About, Notice, Symptom, Turn, Verdict

AT = datetime(2026, 11, 21, 3, 20, tzinfo=UTC)


def notice(turn: Turn = Turn.FIRING, number: int = 1, **more: Any) -> Notice:
    """A check that is broken; `number` tells notices of one key apart."""
    fields: dict[str, Any] = {
        "id": f"orders-db-20261121t0300z:{turn}:{number}",
        "key": "restorecheck/run/orders-db",
        "about": About.RUN,
        "turn": turn,
        "severity": "critical",
        "title": "orders-db is broken: 41 rows were counted where at least 1000 were expected",
        "at": AT,
        "since": AT - timedelta(minutes=20),
        "check": "orders-db",
        "run_id": "orders-db-20261121t0300z",
        "verdict": Verdict.BROKEN,
        "kind": "assertion-failed",
        "hint": "restore an older recovery point by hand",
        "symptoms": (Symptom("orders", "at least 1000", "41"),),
        "recovery_point": "rds:orders-2026-11-21",
        "recovery_point_at": AT - timedelta(hours=5),
        "again": "restorecheck run orders-db",
        "runbook": "https://runbooks.example.org/RestoreCheckFailed",
        "link": "https://restorecheck.example.org/",
        "owner": "team-payments",
        "hold": timedelta(hours=27),
    }
    return Notice(**{**fields, **more})
