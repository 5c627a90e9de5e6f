"""The only maker of AWS sessions and clients: assumes the roles, proves whose account it is in, hangs the guard in.

A `Hand` is one role in one account and region, for one run. Its errors arrive as AwsError with a failure kind, so
nobody else needs botocore. A Hand that cannot prove by STS that it is in the account it was asked for is not given out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session

from restorecheck import __version__
from restorecheck.errors import AwsError, RefusedError, SourceError
from restorecheck.failures import RETRYABLE_KINDS, of_aws_error
from restorecheck.fence.decision import Permit, ResourceKind, Target
from restorecheck.fence.guard import Guard, Mode, PlannedCall
from restorecheck.fence.table import Role

_CONFIG = botocore.config.Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 6},
    user_agent_extra=f"restorecheck/{__version__}",
)


@dataclass(frozen=True, slots=True)
class Entrance:
    """How one account is entered."""

    account: str
    role_arn: str
    external_id: str = ""


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
        # Last, so that no other handler can change the parameters after they were judged.
        session.get_component("event_emitter").register_last("before-parameter-build", self.guard)

    def client(self, service: str) -> Any:
        """Return the guarded client of a service; it refuses whatever the table does not have."""
        if service not in self._clients:
            self._clients[service] = self._session.create_client(
                service, region_name=self.region, endpoint_url=self._endpoint_url, config=_CONFIG
            )
        return self._clients[service]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call. Raises AwsError, SourceError (network, credentials), RefusedError, PlannedError."""
        client = self.client(service)
        method = getattr(client, botocore.xform_name(operation))
        try:
            answer: dict[str, Any] = method(**params)
        except botocore.exceptions.ClientError as e:
            raise _aws_error(e, operation, self.account) from e
        except botocore.exceptions.BotoCoreError as e:
            raise _no_answer(e, operation, self.account) from e
        return answer

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a paginated listing: one that breaks off raises, it never ends early."""
        marker: dict[str, str] = {}
        while True:
            page = self.call(service, operation, **params, **marker)
            yield from page[key]
            if not page.get("Marker"):
                return
            marker = {"Marker": page["Marker"]}

    def describe(self, kind: ResourceKind, name: str) -> Target:
        """Describe one resource now, for the guard. Raises AwsError when AWS does not know it."""
        if kind == "db":
            found = self.call("rds", "DescribeDBInstances", DBInstanceIdentifier=name)["DBInstances"]
            return target_of_instance(found[0], self.account)
        found = self.call("rds", "DescribeDBSnapshots", DBSnapshotIdentifier=name)["DBSnapshots"]
        return target_of_snapshot(found[0], self.account)


def _tags(described: Mapping[str, Any]) -> dict[str, str] | None:
    tags = described.get("TagList")
    return None if tags is None else {tag["Key"]: tag["Value"] for tag in tags}


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


def _aws_error(error: botocore.exceptions.ClientError, operation: str, account: str) -> AwsError:
    details = error.response.get("Error", {})
    code = details.get("Code", "") or "Unknown"
    kind = of_aws_error(code)
    if kind == "unknown-answer" and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        kind = "aws-unavailable"
    message = f"{operation} in account {account}: {code}: {details.get('Message', '')}".rstrip(": ")
    return AwsError(code, message, kind=kind, retryable=kind in RETRYABLE_KINDS)


def _no_answer(error: botocore.exceptions.BotoCoreError, operation: str, account: str) -> SourceError:
    ours = (botocore.exceptions.ParamValidationError, botocore.exceptions.NoRegionError)
    identity = (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.CredentialRetrievalError,
    )
    if isinstance(error, ours):
        return SourceError(f"{operation} in account {account}: {error}", kind="settings")
    if isinstance(error, identity):
        return SourceError(f"{operation} in account {account}: {error}", kind="credentials")
    return SourceError(f"{operation} in account {account}: {error}", kind="aws-unavailable", retryable=True)


class Fence:
    """Gives out Hands. Knows which accounts are which, and holds the credentials that refresh themselves."""

    def __init__(
        self,
        sources: Mapping[str, Entrance],
        scratches: Mapping[str, Entrance],
        *,
        endpoint_url: str | None = None,
        mode: Mode = Mode.ACT,
    ) -> None:
        self._entrances = {Role.SOURCE: dict(sources), Role.SCRATCH: dict(scratches)}
        self._endpoint_url, self._mode = endpoint_url, mode
        self._lock = threading.RLock()
        self._credentials: dict[tuple[Role, str], botocore.credentials.RefreshableCredentials] = {}
        self._proven: set[tuple[Role, str]] = set()
        self.planned: list[PlannedCall] = []

    def permit(
        self,
        *,
        source_account: str,
        scratch_account: str,
        region: str,
        began: datetime,
        expires: datetime,
        run_id: str = "",
        check: str = "",
        borrowed: str = "",
        instance: str = "",
    ) -> Permit:
        """Make the permit of one run (or, without a run id, of a sweep)."""
        return Permit(
            source_accounts=frozenset(self._entrances[Role.SOURCE]),
            scratch_accounts=frozenset(self._entrances[Role.SCRATCH]),
            source_account=source_account,
            scratch_account=scratch_account,
            region=region,
            began=began,
            expires=expires,
            run_id=run_id,
            check=check,
            partition=botocore.session.get_session().get_partition_for_region(region),
            borrowed=borrowed,
            instance=instance,
        )

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account. Without a permit the Hand only reads. Raises RefusedError, AwsError, SourceError."""
        entrance = self._entrances.get(role, {}).get(account)
        if entrance is None:
            raise RefusedError(f"account {account} is not configured as a {role} account")
        session = botocore.session.Session()
        # botocore's own way to give a session credentials that refresh themselves: a restore outlives the hour
        # that a chained role is granted.
        session._credentials = self._credentials_for(role, entrance, region)  # type: ignore[attr-defined] # noqa: SLF001
        hand = Hand(session, role, account, region, permit, endpoint_url=self._endpoint_url)
        hand.guard.mode, hand.guard.planned = self._mode, self.planned
        self._prove(hand)
        return hand

    def _credentials_for(
        self, role: Role, entrance: Entrance, region: str
    ) -> botocore.credentials.RefreshableCredentials:
        with self._lock:
            if (role, entrance.account) not in self._credentials:
                base = botocore.session.Session()
                guard = Guard(Role.BASE, "", region, None, _describes_nothing)
                base.get_component("event_emitter").register_last("before-parameter-build", guard)
                source = base.get_credentials()
                if source is None:
                    raise SourceError("there are no AWS credentials in the environment", kind="credentials")
                extra = {"RoleSessionName": "restorecheck"}
                if entrance.external_id:
                    extra["ExternalId"] = entrance.external_id
                fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
                    partial(
                        base.create_client,
                        region_name=region,
                        endpoint_url=self._endpoint_url,
                        config=_CONFIG,
                    ),
                    source,
                    entrance.role_arn,
                    extra_args=extra,
                )
                self._credentials[role, entrance.account] = botocore.credentials.DeferredRefreshableCredentials(
                    refresh_using=fetcher.fetch_credentials, method="assume-role"
                )
            return self._credentials[role, entrance.account]

    def _prove(self, hand: Hand) -> None:
        """Ask STS whose account this is, once for each set of credentials."""
        key = (hand.role, hand.account)
        if key in self._proven:
            return
        try:
            actual = hand.call("sts", "GetCallerIdentity")["Account"]
        except AwsError as e:
            if e.kind == "permission":
                raise AwsError(e.code, e.message, kind="credentials", retryable=False) from e
            raise
        if actual != hand.account:
            raise RefusedError(f"the {hand.role} role of account {hand.account} leads into account {actual}")
        self._proven.add(key)


def _describes_nothing(kind: ResourceKind, name: str) -> Target:
    raise RefusedError(f"the base identity may not look at {kind} {name}")
