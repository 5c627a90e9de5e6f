"""What AWS says happened to the instance while it was asked, and what that makes of a connection that was lost.

A connection that is lost while data is read is damage: that is how a server dies of a page that it cannot bear. Only
AWS's own event that something was done to the instance says otherwise, and only towards "we could not tell": an event
never makes anything green. No event, an unknown one, or events that cannot be read: it stays damage.

`DescribeEvents` tells an event's categories and text, not its number, so the texts are what is known here; they are
those of the RDS and Aurora user guides, "Amazon RDS event categories and event messages".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from restorecheck.errors import SourceError
from restorecheck.model import Answer
from restorecheck.sources import losses

LONGEST = 300
"""Characters of an event's text that are repeated."""


class Hand(Protocol):
    """What is needed of a guarded role."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterable[dict[str, Any]]:
        """Yield every item of a listing."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of an instance or of its cluster, in AWS's own words."""

    at: datetime
    source: str  # the instance or cluster
    categories: frozenset[str]
    message: str

    def __str__(self) -> str:
        return f"“{self.message}” ({self.source}, {self.at:%Y-%m-%d %H:%M:%S} UTC)"


Named = tuple[str, str]
"""A SourceType of DescribeEvents, and the name of one of that type."""


def read(hand: Hand, of: Iterable[Named], began: datetime, ended: datetime) -> list[Happened]:
    """Return what happened to these from `began` to `ended`, the earliest first. Raises SourceError."""
    found = []
    for kind, name in of:
        times = {"StartTime": began, "EndTime": ended}
        for event in hand.pages("rds", "DescribeEvents", "Events", SourceType=kind, SourceIdentifier=name, **times):
            at, message = event.get("Date"), event.get("Message")
            if not isinstance(at, datetime) or not isinstance(message, str):
                raise SourceError(f"AWS described an event of {name} without time or text", kind="unknown-answer")
            said = "".join(c if c.isprintable() else " " for c in message)[:LONGEST]
            categories = frozenset(event.get("EventCategories") or ())
            found.append(Happened(at, event.get("SourceIdentifier") or name, categories, said))
    return sorted(found, key=lambda event: event.at)


# --- what an event means: pure ----------------------------------------------------------------------------------------

_ENDS_CONNECTIONS: dict[str, str] = {
    # Announcements ("a minor version upgrade is available", "the pre-check started") end nothing and are not here.
    "maintenance": r"applying off-?line patches|starting offline patches|instance patched|has been patched"
    r"|upgrade is in progress|downtime started|version upgrade (started|finished|failed)|has been upgraded"
    r"|operating system upgrade (starting|completed)|will replace the host",
    # Of a Multi-AZ instance. Those of clusters are looked at by name, in `_moved`.
    "failover": r"multi-az .*(failover|activation)|recovered from partial failover",
    "deletion": r"(instance|cluster) deleted",
    # Resetting the master's password is what the run itself does, and ends no connection.
    "configuration change": r"modification to (database|db) instance class|storage configuration upgrade"
    r"|dedicated log volume|renamed",
    "low storage": r"storage has been exhausted",
    "availability": r"storage-full threshold, and the database has been shut ?down|unable to access the KMS",
    "failure": r"unable to access the KMS",
    # Short of memory, an engine is killed for what the questions take, not for what the data is.
    "notification": r"(instance|cluster) stopped|critically low on memory|volume replacement|renamed"
    r"|replac\w+ .*\bhost|\bhost .*replac|underlying (host|hardware)",
}
"""Category → what the text of an event says that ends connections and is not the engine's own doing."""

_SHUTDOWN = re.compile(r"instance shut ?down", re.IGNORECASE)
_RECOVERY = re.compile(r"recovery of the db instance has started", re.IGNORECASE)
_FAILOVER_TO = re.compile(r"failover to DB instance: ?(\S+?)\.?$", re.IGNORECASE)


def cause(events: Sequence[Happened], instance: str) -> Happened | None:
    """Return the first event that ended connections and was not the engine dying by itself, or None.

    `instance` is the one that the run made. What does not count, and why:

    - "DB instance restarted" alone: AWS says it after every start, so also after the engine died of damage;
    - "Recovery of the DB instance has started": the same, the engine recovers after a crash;
    - "DB instance shutdown" counts, it is a controlled one (somebody's reboot or stop) - unless a recovery follows it,
      because after a controlled shutdown there is nothing to recover;
    - a failover to the very instance that was there: a cluster of one has nowhere else to go after a crash.
    """
    for event in events:
        if _outside(event) or _moved(event, instance):
            return event
        if "availability" in event.categories and _SHUTDOWN.search(event.message):
            recovers = any("recovery" in e.categories and _RECOVERY.search(e.message) for e in events)
            if not recovers:
                return event
    return None


def _outside(event: Happened) -> bool:
    patterns = (_ENDS_CONNECTIONS[category] for category in event.categories if category in _ENDS_CONNECTIONS)
    return any(re.search(pattern, event.message, re.IGNORECASE) for pattern in patterns)


def _moved(event: Happened, instance: str) -> bool:
    to = _FAILOVER_TO.search(event.message) if "failover" in event.categories else None
    return to is not None and to[1].lower() != instance.lower()


def exonerated(answers: Iterable[Answer], by: Happened) -> tuple[Answer, ...]:
    """Return the answers as they are to be taken if this event ended the connections: as not given."""
    return losses.not_given(answers, lambda _: f"the connection was lost, and AWS says of it: {by}", "interfered")
