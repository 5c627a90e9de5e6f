"""One question to AWS about one resource of one name, asked now. Says None only when AWS says that it knows none."""

from __future__ import annotations

from typing import Any, Protocol

from restorecheck.errors import AwsError

Described = dict[str, Any]


class Asks(Protocol):
    """What is needed of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""


def instance(hand: Asks, name: str) -> Described | None:
    """Describe an instance, or return None if AWS knows none of this name. Raises AwsError, SourceError."""
    return _first(hand, "DescribeDBInstances", "DBInstances", DBInstanceIdentifier=name)


def snapshot(hand: Asks, name: str) -> Described | None:
    """Describe an instance snapshot, or return None if AWS knows none of this name. Raises AwsError, SourceError."""
    return _first(hand, "DescribeDBSnapshots", "DBSnapshots", DBSnapshotIdentifier=name)


def tolerate(error: AwsError, *codes: str) -> None:
    """Raise the error again unless its code is one of these."""
    if error.code not in codes:
        raise error


def _first(hand: Asks, operation: str, key: str, **params: str) -> Described | None:
    try:
        found: list[Described] = hand.call("rds", operation, **params)[key]
    except AwsError as e:
        tolerate(e, "DBInstanceNotFound", "DBSnapshotNotFound")
        return None
    return found[0] if found else None
