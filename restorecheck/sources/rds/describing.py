"""One question to AWS about one resource of one name, asked now. Says None only when AWS says that it knows none."""

from __future__ import annotations

from typing import Any, Protocol

from restorecheck.errors import AwsError
from restorecheck.sources.rds.naming import OF_INSTANCES, Snapshots

Described = dict[str, Any]


class Asks(Protocol):
    """What is needed of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""


def instance(hand: Asks, name: str) -> Described | None:
    """Describe an instance, or return None if AWS knows none of this name. Raises AwsError, SourceError."""
    return _first(hand, "DescribeDBInstances", "DBInstances", DBInstanceIdentifier=name)


def cluster(hand: Asks, name: str) -> Described | None:
    """Describe a cluster, or return None if AWS knows none of this name. Raises AwsError, SourceError."""
    return _first(hand, "DescribeDBClusters", "DBClusters", DBClusterIdentifier=name)


def snapshot(hand: Asks, name: str, kind: Snapshots = OF_INSTANCES) -> Described | None:
    """Describe a snapshot, or return None if AWS knows none of this name. Raises AwsError, SourceError."""
    return _first(hand, kind.describe, kind.key, **{kind.identifier: name})


def tolerate(error: AwsError, *codes: str) -> None:
    """Raise the error again unless its code is one of these."""
    if error.code not in codes:
        raise error


_UNKNOWN = ("DBInstanceNotFound", "DBSnapshotNotFound", "DBClusterNotFoundFault", "DBClusterSnapshotNotFoundFault")


def _first(hand: Asks, operation: str, key: str, **params: str) -> Described | None:
    try:
        found: list[Described] = hand.call("rds", operation, **params)[key]
    except AwsError as e:
        tolerate(e, *_UNKNOWN)
        return None
    return found[0] if found else None
