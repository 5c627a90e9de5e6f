"""What happened to instances and clusters, as DescribeEvents tells it. Keeps and finds; decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from restorecheck.demo.aws.errors import AwsError

INSTANCE, CLUSTER = "db-instance", "db-cluster"
LONGEST = timedelta(days=14)
TYPES = frozenset(
    {
        *("db-instance", "db-parameter-group", "db-security-group", "db-snapshot", "db-cluster"),
        *("db-cluster-snapshot", "custom-engine-version", "db-proxy", "blue-green-deployment"),
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one resource."""

    at: datetime
    number: int
    place: tuple[str, str]
    """Account and region."""
    source_type: str
    identifier: str
    message: str
    categories: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Return what DescribeEvents says; `_Key` orders the pages and is not sent."""
        account, region = self.place
        kind = "db" if self.source_type == INSTANCE else "cluster"
        return {
            "SourceIdentifier": self.identifier,
            "SourceType": self.source_type,
            "Message": self.message,
            "EventCategories": list(self.categories),
            "Date": self.at,
            "SourceArn": f"arn:aws:rds:{region}:{account}:{kind}:{self.identifier}",
            "_Key": f"{self.at.isoformat()} {self.number:09d}",
        }


class Events:
    """All events of all accounts. Safe to use from any thread."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def note(
        self, at: datetime, place: tuple[str, str], source_type: str, identifier: str, message: str, *categories: str
    ) -> None:
        """Keep an event."""
        with self._lock:
            number = len(self._events)
            self._events.append(Event(at, number, place, source_type, identifier, message, categories))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._events.clear()

    def find(self, place: tuple[str, str], asked: dict[str, Any], today: datetime) -> Iterable[Event]:
        """Return what DescribeEvents is asked for. Raises the errors of RDS."""
        kind, name = asked.get("SourceType"), asked.get("SourceIdentifier")
        if name and not kind:
            raise AwsError("InvalidParameterCombination", "SourceType is required if SourceIdentifier is provided.")
        if kind not in {None, *TYPES}:
            raise AwsError("InvalidParameterValue", f"Invalid source type: {kind}")
        end = _utc(asked.get("EndTime")) or today
        begin = _utc(asked.get("StartTime")) or end - timedelta(minutes=asked.get("Duration") or 60)
        if today - begin > LONGEST:
            raise AwsError("InvalidParameterValue", "StartTime must be within the last 14 days.")
        wanted = set(asked.get("EventCategories") or ())
        with self._lock:
            events = list(self._events)
        return [
            event
            for event in events
            if event.place == place
            and kind in {None, event.source_type}
            and (name is None or name.lower() == event.identifier)
            and begin <= event.at <= end
            and (not wanted or wanted & set(event.categories))
        ]


def _utc(time: datetime | None) -> datetime | None:
    """Return a time of a call, which is in UTC and may not say so."""
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
