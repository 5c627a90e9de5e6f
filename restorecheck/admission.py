"""Which runs may begin now: the limit of each scratch account, the limit over all, turns, who is in whose way. Pure.

Never decides by how long a check takes: a check has at most one run under way, so a slow one holds one place and no
more, and every other check's turn comes in the order in which they fell due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from restorecheck.model import AuroraSource, Check, Entry, S3DumpSource, S3ObjectsSource, SnapshotKind


@dataclass(frozen=True, slots=True)
class Use:
    """How a check uses its source. A run that borrows shares the owner's own snapshot and takes the share back.

    Another that came to count on that share meanwhile would lose it, so the two do not run at once.
    """

    source: str  # of one instance, cluster or bucket
    borrows: bool  # may share a manual snapshot of the owner's
    counts_on_shares: bool  # may take one that is shared


def use_of(check: Check) -> Use:
    """Return how a check uses its source."""
    source = check.source
    if isinstance(source, S3ObjectsSource | S3DumpSource):  # what is only read is in nobody's way
        return Use(f"{source.account}/{source.region}/s3/{source.bucket}", borrows=False, counts_on_shares=False)
    name = source.cluster if isinstance(source, AuroraSource) else source.instance
    borrows = SnapshotKind.MANUAL in source.snapshots
    place = f"{source.account}/{source.region}/{source.type}/{name}"
    return Use(place, borrows, borrows or SnapshotKind.SHARED in source.snapshots)


class _Sources:
    """Which sources are in use, and how."""

    def __init__(self, uses: Mapping[str, Use], running: Sequence[Entry]) -> None:
        self._uses = uses
        self._borrowed: Counter[str] = Counter()
        self._counted_on: Counter[str] = Counter()
        for entry in running:
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Note that a run begins."""
        if use := self._uses.get(entry.check):
            self._borrowed[use.source] += use.borrows
            self._counted_on[use.source] += use.counts_on_shares

    def free(self, entry: Entry) -> bool:
        """Say whether nobody is in the way of a run, nor it in anybody's."""
        use = self._uses.get(entry.check)
        if use is None:
            return True
        hindered = use.counts_on_shares and self._borrowed[use.source]
        return not hindered and not (use.borrows and self._counted_on[use.source])


def admit(
    waiting: Sequence[Entry],
    running: Sequence[Entry],
    *,
    now: datetime,
    places: Mapping[str, int],
    overall: int,
    share: int,
    uses: Mapping[str, Use],
) -> list[str]:
    """Return the ids of the runs that may begin, in order.

    `places` says how many runs each scratch account has room for (an account that is not in it has room for one, which
    then fails by name in its plan); `overall` is the limit over all accounts, and `share` how many this process may
    begin now; `uses` is by check. A cancelled run needs no place: all it does is to say that it was cancelled.
    """
    held = Counter(entry.account for entry in running)
    busy = {entry.check for entry in running}
    sources = _Sources(uses, running)
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
        fits = [e for e in pending if held[e.account] < places.get(e.account, 1) and sources.free(e)]
        if not fits:
            break
        oldest = fits[0].not_before
        entry = min((e for e in fits if e.not_before == oldest), key=lambda e: held[e.account])
        pending = [e for e in pending if e.check != entry.check]
        held[entry.account] += 1
        sources.take(entry)
        free -= 1
        begins.append(entry.run_id)
    return begins
