"""Writes down what became due and what was missed since one last looked, for every declared check.

The service does it every second, a tick on Lambda every few minutes. What is due follows from the schedule alone
(`timetable`), and a time has one outcome, so to look twice, or two at once, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from restorecheck.config import Config
from restorecheck.store import Store
from restorecheck.timetable import consider

RECONSIDER = timedelta(minutes=5)
"""How often it is written down that nothing was due: what the next process need not look at again."""


def note_due(store: Store, config: Config, now: datetime, tell: Callable[..., Any]) -> None:
    """Look at every schedule up to now. Tells `run.due` of each run that is new. Raises StoreError."""
    considered, pauses = store.ledger.considered(), store.pauses.all()
    waiting = {entry.check for entry in store.ledger.waiting()}
    for check in config.checks:
        before, pause = considered.get(check.name), pauses.get(check.name)
        late, waits = config.service.late, check.name in waiting
        found = consider(check, before, now, late=late, pause=pause, waiting=waits)
        if before is None or found.due or found.missed or abs(found.until - before) > RECONSIDER:
            new = store.ledger.schedule(check.name, found.until, found.due, found.missed)
            for entry in found.due:
                if entry.run_id in new:
                    tell("run.due", check=check.name, run=entry.run_id, trigger=str(entry.trigger))
