"""What AWS calls snapshots of instances and snapshots of clusters: two of everything, in lists that never meet.

`DescribeDBSnapshots` does not list a snapshot of a cluster, nor the other way round. Only names are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Snapshots:
    """One of the two kinds, as the RDS API names it: from `word` follow its operations, parameters and fields."""

    kind: Literal["snapshot", "cluster-snapshot"]  # in an ARN, and in our tags
    noun: str
    word: str
    of: str  # the field that says of what it is
    encrypted: str  # the field that says whether it is
    unknown: str  # error code: AWS knows none of this name
    exists: str  # error code: the name is taken
    busy: str  # error code: not in this state

    @property
    def identifier(self) -> str:
        """The field of its name, and the parameter that names it."""
        return f"{self.word}Identifier"

    @property
    def arn(self) -> str:
        """The field of its ARN."""
        return f"{self.word}Arn"

    @property
    def describe(self) -> str:
        """The operation that lists them."""
        return f"Describe{self.word}s"

    @property
    def key(self) -> str:
        """The part of an answer that holds the list."""
        return f"{self.word}s"


OF_INSTANCES = Snapshots(
    "snapshot",
    "snapshot",
    "DBSnapshot",
    "DBInstanceIdentifier",
    "Encrypted",
    "DBSnapshotNotFound",
    "DBSnapshotAlreadyExists",
    "InvalidDBSnapshotState",
)
OF_CLUSTERS = Snapshots(
    "cluster-snapshot",
    "cluster snapshot",
    "DBClusterSnapshot",
    "DBClusterIdentifier",
    "StorageEncrypted",
    "DBClusterSnapshotNotFoundFault",
    "DBClusterSnapshotAlreadyExistsFault",
    "InvalidDBClusterSnapshotStateFault",
)
