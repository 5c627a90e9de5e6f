"""The guarded way into one account and region as one role: one session and its clients, shared by all runs.

Shared, because a session and its clients are large, and so that the limiter of botocore's adaptive retries slows down
everybody in an account that AWS throttles, and not each run for itself. It holds no permit: that comes with a call.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.parsers
import botocore.session

from restorecheck import __version__
from restorecheck.errors import RefusedError, SourceError
from restorecheck.fence import raw_pages
from restorecheck.fence.answers import of_client_error, of_no_answer
from restorecheck.fence.decision import Permit, ResourceKind, Target
from restorecheck.fence.described import (
    target_of_cluster,
    target_of_cluster_snapshot,
    target_of_instance,
    target_of_objects,
    target_of_snapshot,
)
from restorecheck.fence.guard import Guard, Mode, PlannedCall
from restorecheck.fence.object_parameters import LEASE
from restorecheck.fence.table import TABLE, Role
from restorecheck.fence.traffic import Traffic
from restorecheck.fence.wire import Wires

CONFIG = botocore.config.Config(
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,  # kept open for use again; a call that finds none free opens one more
    retries={"mode": "adaptive", "total_max_attempts": 6},
    user_agent_extra=f"restorecheck/{__version__}",
)

_QUICK = CONFIG.merge(
    botocore.config.Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})
)
"""For a notifier: a notice is tried again by whoever sends it, and meanwhile others wait to be sent."""

_DESCRIBED: Mapping[ResourceKind, tuple[str, Callable[[Mapping[str, Any], str], Target]]] = {
    "db": ("DBInstance", target_of_instance),
    "cluster": ("DBCluster", target_of_cluster),
    "snapshot": ("DBSnapshot", target_of_snapshot),
    "cluster-snapshot": ("DBClusterSnapshot", target_of_cluster_snapshot),
}
"""Kind of a resource of RDS → what AWS calls it in `Describe…s`, and how its description is read."""


class Passage:
    """One guarded session and its clients. Safe to use from many threads; permits of different calls never meet."""

    def __init__(
        self,
        session: botocore.session.Session,
        role: Role,
        account: str,
        region: str,
        *,
        endpoint_url: str | None = None,
        mode: Mode = Mode.ACT,
        planned: list[PlannedCall] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        traffic: Traffic | None = None,
    ) -> None:
        self.role, self.account, self.region = role, account, region
        self.traffic = traffic or Traffic(lambda: datetime.now(UTC))
        self.wires = Wires()
        self._guard = Guard(
            role,
            account,
            region,
            self.describe,
            mode=mode,
            planned=planned,
            monotonic=monotonic,
            refused=partial(self.traffic.refused, role, account),
        )
        self._session, self._endpoint_url = session, endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._guard.hang(session.get_component("event_emitter"))

    def client(self, service: str) -> Any:
        """Return the guarded client of a service. Called directly it only reads, and only what the table has."""
        if service not in TABLE[self.role]:
            raise RefusedError(f"the {self.role} role may not call {service}")
        config = _QUICK if self.role is Role.NOTIFIER else CONFIG
        with self._lock:  # clients may be used by many threads at once, but a session may not make two at once
            if service not in self._clients:
                self._clients[service] = self._session.create_client(
                    service, region_name=self.region, endpoint_url=self._endpoint_url, config=config
                )
                if service == "s3":
                    raw_pages.hang(self._clients[service])
            return self._clients[service]

    def call(self, permit: Permit | None, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call under a permit, or under none. Raises what Hand.call raises."""
        if service not in TABLE[self.role]:  # which `client` refuses, and does not know for what
            self.traffic.refused(self.role, self.account, service, operation)
        try:
            method = getattr(self.client(service), botocore.xform_name(operation))
            with self._guard.allow(service, operation, permit):
                answer: dict[str, Any] = method(**params)
        except botocore.exceptions.ClientError as e:
            raise of_client_error(e, operation, self.account, self.role) from e
        except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError) as e:
            raise of_no_answer(e, operation, self.account) from e
        return answer

    def judge(self, service: str, operation: str, params: Mapping[str, Any], permit: Permit | None) -> None:
        """Judge a call that a courier is about to send. Raises RefusedError, PlannedError."""
        self._guard.judge(service, operation, params, permit)

    @property
    def place(self) -> tuple[Role, str, str]:
        """Role, account and region."""
        return self.role, self.account, self.region

    @property
    def trust(self) -> str:
        """The file of certificates that servers are believed by, or empty: those that botocore comes with."""
        said = self._session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        return str(said or "")

    def credentials(self) -> Any:
        """Return the credentials of this moment, renewed if they are about to end. Raises botocore's errors."""
        found = self._session.get_credentials()
        return None if found is None else found.get_frozen_credentials()

    def describe(self, kind: ResourceKind, name: str) -> Target:
        """Describe one resource now, for the guard. Raises AwsError when AWS does not know it."""
        if kind == "objects":
            return self._lease(name)
        word, target_of = _DESCRIBED[kind]
        found = self.call(None, "rds", f"Describe{word}s", {f"{word}Identifier": name})[f"{word}s"]
        if len(found) != 1:
            raise SourceError(f"AWS described {len(found)} of {kind} {name}", kind="unknown-answer")
        return target_of(found[0], self.account)

    def _lease(self, name: str) -> Target:
        """Describe what lies below a prefix of the scratch bucket, by its lease."""
        bucket, _, prefix = name.partition("/")
        asked = {"Bucket": bucket, "Key": f"{prefix}/{LEASE}", "ExpectedBucketOwner": self.account}
        partition = self._session.get_partition_for_region(self.region)
        return target_of_objects(self.call(None, "s3", "HeadObject", asked), self.account, name, partition)
