"""One guarded role in one account and region: every AWS call of the product is made by a Hand.

Its errors arrive as AwsError or SourceError with a failure kind. It decides nothing: the guard in its session does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.session

from restorecheck import __version__
from restorecheck.errors import RefusedError, SourceError
from restorecheck.fence.answers import of_client_error, of_no_answer
from restorecheck.fence.decision import Permit, ResourceKind, Target
from restorecheck.fence.guard import Guard
from restorecheck.fence.table import TABLE, Role

CONFIG = botocore.config.Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 6},
    user_agent_extra=f"restorecheck/{__version__}",
)


class Hand:
    """One guarded role in one account and region. Every AWS call of the product goes through `call` or `pages`."""

    def __init__(
        self,
        session: botocore.session.Session,
        role: Role,
        account: str,
        region: str,
        permit: Permit | None = None,
        *,
        endpoint_url: str | None = None,
    ) -> None:
        self.role, self.account, self.region = role, account, region
        self.guard = Guard(role, account, region, permit, self.describe)
        self._session, self._endpoint_url = session, endpoint_url
        self._clients: dict[str, Any] = {}
        self.guard.hang(session.get_component("event_emitter"))

    def client(self, service: str) -> Any:
        """Return the guarded client of a service; it refuses whatever the table does not have."""
        if service not in TABLE[self.role]:
            raise RefusedError(f"the {self.role} role may not call {service}")
        if service not in self._clients:
            self._clients[service] = self._session.create_client(
                service, region_name=self.region, endpoint_url=self._endpoint_url, config=CONFIG
            )
        return self._clients[service]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call. Raises AwsError, SourceError (network, credentials), RefusedError, PlannedError."""
        try:
            method = getattr(self.client(service), botocore.xform_name(operation))
            answer: dict[str, Any] = method(**params)
        except botocore.exceptions.ClientError as e:
            raise of_client_error(e, operation, self.account) from e
        except botocore.exceptions.BotoCoreError as e:
            raise of_no_answer(e, operation, self.account) from e
        return answer

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a paginated listing: one that breaks off raises, it never ends early."""
        marker: dict[str, str] = {}
        while True:
            page = self.call(service, operation, **params, **marker)
            if key not in page:
                raise SourceError(
                    f"{operation} in account {self.account} answered without {key}", kind="unknown-answer"
                )
            yield from page[key]
            following = {name: page[name] for name in ("Marker", "NextToken") if page.get(name)}
            if not following:
                return
            if following == marker:
                raise SourceError(f"{operation} in account {self.account} answers in a circle", kind="unknown-answer")
            marker = following

    def describe(self, kind: ResourceKind, name: str) -> Target:
        """Describe one resource now, for the guard. Raises AwsError when AWS does not know it."""
        if kind == "db":
            found = self.call("rds", "DescribeDBInstances", DBInstanceIdentifier=name)["DBInstances"]
        else:
            found = self.call("rds", "DescribeDBSnapshots", DBSnapshotIdentifier=name)["DBSnapshots"]
        if len(found) != 1:
            raise SourceError(f"AWS described {len(found)} of {kind} {name}", kind="unknown-answer")
        return (target_of_instance if kind == "db" else target_of_snapshot)(found[0], self.account)


def _tags(described: Mapping[str, Any]) -> dict[str, str] | None:
    tags = described.get("TagList")
    return None if tags is None else {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def target_of_instance(described: Mapping[str, Any], account: str) -> Target:
    """Return what the fence needs to know of an instance in a DescribeDBInstances answer."""
    replicas = described.get("ReadReplicaDBInstanceIdentifiers")
    clusters = described.get("ReadReplicaDBClusterIdentifiers") or []
    return Target(
        kind="db",
        account=account,
        name=described.get("DBInstanceIdentifier", ""),
        arn=described.get("DBInstanceArn"),
        tags=_tags(described),
        status=described.get("DBInstanceStatus"),
        created=described.get("InstanceCreateTime"),
        deletion_protection=described.get("DeletionProtection"),
        replicas=None if replicas is None else len(replicas) + len(clusters),
    )


def target_of_snapshot(described: Mapping[str, Any], account: str) -> Target:
    """Return what the fence needs to know of a snapshot in a DescribeDBSnapshots answer."""
    return Target(
        kind="snapshot",
        account=account,
        name=described.get("DBSnapshotIdentifier", ""),
        arn=described.get("DBSnapshotArn"),
        tags=_tags(described),
        status=described.get("Status"),
        created=described.get("SnapshotCreateTime"),
        snapshot_type=described.get("SnapshotType"),
        instance=described.get("DBInstanceIdentifier"),
    )
