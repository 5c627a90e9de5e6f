"""Which runs may begin now: the limit of each scratch account, the limit over all, and turns. Pure.

Never decides by how long a check takes: a check has at most one run under way, so a slow one holds one place and no
more, and every other check's turn comes in the order in which they fell due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from restorecheck.model import Entry


def admit(
    waiting: Sequence[Entry],
    running: Sequence[Entry],
    *,
    now: datetime,
    places: Mapping[str, int],
    overall: int,
    share: int,
) -> list[str]:
    """Return the ids of the runs that may begin, in order.

    `places` says how many runs each scratch account has room for (an account that is not in it has room for one, which
    then fails by name in its plan); `overall` is the limit over all accounts, and `share` how many this process may
    begin now. A cancelled run needs no place: all it does is to say that it was cancelled.
    """
    held = Counter(entry.account for entry in running)
    busy = {entry.check for entry in running}
    free = min(overall - len(running), share)
    begins: list[str] = []
    candidates = sorted(waiting, key=lambda e: (e.not_before, e.scheduled_for, e.check))
    for entry in candidates:
        if entry.cancelled and entry.check not in busy:
            busy.add(entry.check)
            begins.append(entry.run_id)
    pending = [e for e in candidates if not e.cancelled and e.not_before <= now and e.check not in busy]
    while free > 0 and pending:
        # Of the runs that are due longest, first the one whose account is emptiest: one account's long queue does not
        # keep the places that another has.
        fits = [e for e in pending if held[e.account] < places.get(e.account, 1)]
        if not fits:
            break
        oldest = fits[0].not_before
        entry = min((e for e in fits if e.not_before == oldest), key=lambda e: held[e.account])
        pending = [e for e in pending if e.check != entry.check]
        held[entry.account] += 1
        free -= 1
        begins.append(entry.run_id)
    return begins
