"""What all waiting runs of one account and region see of their instances, clusters and copies, by one listing for all.

For waiting only. A listing is believed if it was read to its end and begun late enough for whoever asks; a name that
is not in it is asked for directly, because a listing may lag behind. Nothing is decided, adopted, examined, deleted or
proven gone by what is seen here: that is always asked of AWS afresh.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from restorecheck.errors import SourceError
from restorecheck.fence import Permit, Role
from restorecheck.schedule import PREFIX
from restorecheck.sources.rds import describing
from restorecheck.sources.rds.describing import Described
from restorecheck.sources.rds.naming import OF_CLUSTERS, OF_INSTANCES, Snapshots


class Hand(Protocol):
    """What is needed of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a listing."""


class Gate(Protocol):
    """What is needed of the fence."""

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of listing."""

    operation: str
    key: str
    name: str
    params: Mapping[str, str]
    describe: Callable[[Hand, str], Described | None]


_INSTANCES = _Kind("DescribeDBInstances", "DBInstances", "DBInstanceIdentifier", {}, describing.instance)
_CLUSTERS = _Kind("DescribeDBClusters", "DBClusters", "DBClusterIdentifier", {}, describing.cluster)
_SNAPSHOTS = {
    of: _Kind(of.describe, of.key, of.identifier, {"SnapshotType": "manual"}, partial(describing.snapshot, kind=of))
    for of in (OF_INSTANCES, OF_CLUSTERS)
}


@dataclass(frozen=True, slots=True)
class _Listing:
    """A listing that was read to its end: what has our name, by name. It may lack what was made after `begun`."""

    begun: float
    found: Mapping[str, Described]


@dataclass(slots=True)
class _Board:
    """The last listing of one kind in one place, and the one that is being read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    last: _Listing | None = None
    flight: tuple[float, Future[_Listing]] | None = None  # when it was begun


class Sightings:
    """The shared listings of one fence. Safe to use from many threads; one listing of a kind and place at a time."""

    def __init__(self, fence: Gate, monotonic: Callable[[], float]) -> None:
        self._fence, self.monotonic = fence, monotonic
        self._boards: dict[tuple[str, Role, str, str], _Board] = {}
        self._lock = threading.Lock()

    def instance(
        self, role: Role, account: str, region: str, name: str, *, since: float, every: float
    ) -> Described | None:
        """Return an instance as a listing shows it that was begun at `since` or later, and is younger than `every`.

        `since` is a time of `monotonic`; `every` is in seconds, and in so many there is no more than one listing. What
        it does not show, or was begun too early for, is described directly: None means that AWS knows none of this
        name. Raises AwsError or SourceError, also if the listing failed that somebody else was reading.
        """
        return self._seen(_INSTANCES, (role, account, region), name, since, every)

    def cluster(
        self, role: Role, account: str, region: str, name: str, *, since: float, every: float
    ) -> Described | None:
        """Return a cluster, as `instance` does an instance."""
        return self._seen(_CLUSTERS, (role, account, region), name, since, every)

    def snapshot(
        self,
        role: Role,
        account: str,
        region: str,
        name: str,
        kind: Snapshots = OF_INSTANCES,
        *,
        since: float,
        every: float,
    ) -> Described | None:
        """Return a manual snapshot, as `instance` does an instance."""
        return self._seen(_SNAPSHOTS[kind], (role, account, region), name, since, every)

    def _seen(
        self, kind: _Kind, place: tuple[Role, str, str], name: str, since: float, every: float
    ) -> Described | None:
        hand = self._fence.hand(*place)
        with self._lock:
            board = self._boards.setdefault((kind.operation, *place), _Board())
        listing = self._listing(board, kind, hand, since, every)
        found = listing.found.get(name) if listing else None
        return kind.describe(hand, name) if found is None else found

    def _listing(self, board: _Board, kind: _Kind, hand: Hand, since: float, every: float) -> _Listing | None:
        """Return the listing that will do, or None if the newest was begun too early and it is too soon for another."""
        with board.lock:
            now, last = self.monotonic(), board.last
            mine = board.flight is None and (last is None or now - last.begun >= every)
            if mine:
                board.flight = (now, Future())
            if board.flight is None:
                return last if last and last.begun >= since else None
            begun, flight = board.flight
        if mine:
            self._read(board, kind, hand, begun, flight)
        return flight.result() if begun >= since else None

    @staticmethod
    def _read(board: _Board, kind: _Kind, hand: Hand, begun: float, flight: Future[_Listing]) -> None:
        """Read a listing to its end, for all who wait for it. One that breaks off is no listing, and is not kept."""
        try:
            items = hand.pages("rds", kind.operation, kind.key, **kind.params)
            listing = _Listing(begun, {i[kind.name]: i for i in items if i.get(kind.name, "").startswith(PREFIX)})
        except BaseException as e:
            with board.lock:
                board.flight = None
            ours = isinstance(e, Exception)  # an interrupt of this thread is nobody else's
            flight.set_exception(
                e if ours else SourceError("the listing was broken off", kind="aws-unavailable", retryable=True)
            )
            raise
        with board.lock:
            board.last, board.flight = listing, None
        flight.set_result(listing)
