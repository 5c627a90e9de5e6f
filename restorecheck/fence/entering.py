"""The only maker of AWS sessions: assumes the roles, proves whose account it is in, keeps one passage for each.

A passage that cannot prove by STS that it is in the account it was asked for is not given out. Nothing here knows which
accounts are configured, nor any permit: whoever asks has decided that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

import botocore.credentials
import botocore.exceptions
import botocore.loaders
import botocore.session

from restorecheck.errors import RefusedError, SourceError
from restorecheck.fence.answers import of_no_answer
from restorecheck.fence.decision import ResourceKind, Target
from restorecheck.fence.guard import Guard, Mode, PlannedCall
from restorecheck.fence.passage import CONFIG, Passage
from restorecheck.fence.table import Role
from restorecheck.fence.traffic import Traffic
from restorecheck.model import Entrance

_ITSELF = frozenset({Role.BASE, Role.NOTIFIER, Role.KEEPER, Role.STARTER})
"""Who enters no role."""

_PERHAPS_ITSELF = frozenset({Role.RECORDER, Role.SURVEYOR})
"""Who enters a role if one is named."""

_UNASKED = frozenset({Role.BASE, Role.NOTIFIER, Role.STARTER})
"""Of whom STS is not asked whose account they are in: a topic and a function are named in full."""


class Passages:
    """Every way into an account that was entered, and the credentials that refresh themselves. Safe in many threads."""

    def __init__(self, *, endpoint_url: str | None, mode: Mode, now: Callable[[], datetime]) -> None:
        self._endpoint_url, self._mode = endpoint_url, mode
        self._lock = threading.Lock()
        self._passages: dict[tuple[Role, Entrance, str], Passage] = {}
        self._credentials: dict[tuple[Role, Entrance], botocore.credentials.Credentials] = {}
        self._proven: set[tuple[Role, Entrance]] = set()
        self._partitions: dict[str, str] = {}
        self._own = ""
        self.planned: list[PlannedCall] = []
        self.traffic = Traffic(now)
        # Shared by all sessions, because reading the models of RDS and EC2 takes most of the time of making a client;
        # and botocore's own only, because a model in ~/.aws/models could give an operation another meaning.
        self._models = botocore.loaders.Loader(
            extra_search_paths=[botocore.loaders.Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
        )

    def partition(self, region: str) -> str:
        """Return the partition of a region, such as `aws`. Raises botocore's error if it does not know the region."""
        with self._lock:
            if region not in self._partitions:
                self._partitions[region] = self._session().get_partition_for_region(region)
            return self._partitions[region]

    def own_account(self, region: str) -> str:
        """Return the account that this process is in, as STS says it. Raises AwsError, SourceError."""
        with self._lock:
            found = self._own
        if not found:
            base = self.enter(Role.BASE, Entrance("", ""), region)
            found = str(base.call(None, "sts", "GetCallerIdentity", {}).get("Account") or "")
            if not found:
                raise SourceError("STS does not say which account this process is in", kind="unknown-answer")
            with self._lock:
                self._own = found
        return found

    def enter(self, role: Role, entrance: Entrance, region: str) -> Passage:
        """Return the way into an account. Raises RefusedError, AwsError, SourceError."""
        key = (role, entrance, region)
        with self._lock:
            if key not in self._passages:
                self._passages[key] = self._made(role, entrance, region)
            passage = self._passages[key]
        if role not in _UNASKED and (role, entrance) not in self._proven:
            self._prove(passage)  # may take minutes when AWS does not answer: nobody else waits for it
            self._proven.add((role, entrance))
        return passage

    def _session(self) -> botocore.session.Session:
        session = botocore.session.Session()
        session.register_component("data_loader", self._models)
        return session

    def _made(self, role: Role, entrance: Entrance, region: str) -> Passage:
        session = self._session()
        # botocore's own way to give a session credentials that refresh themselves: a restore outlives the hour
        # that a chained role is granted.
        session._credentials = self._credentials_for(role, entrance, region)  # type: ignore[attr-defined] # noqa: SLF001
        self.traffic.hang(session.get_component("event_emitter"), role, entrance.account, region)
        return Passage(
            session,
            role,
            entrance.account,
            region,
            endpoint_url=self._endpoint_url,
            mode=self._mode,
            planned=self.planned,
            traffic=self.traffic,
        )

    def _credentials_for(self, role: Role, entrance: Entrance, region: str) -> botocore.credentials.Credentials:
        if (role, entrance) not in self._credentials:
            base = self._session()
            events = base.get_component("event_emitter")
            refused = partial(self.traffic.refused, Role.BASE, "")
            Guard(Role.BASE, "", region, _describes_nothing, refused=refused).hang(events)
            self.traffic.hang(events, Role.BASE, "", region)
            try:
                source = base.get_credentials()
            except botocore.exceptions.BotoCoreError as e:
                raise of_no_answer(e, f"entering as {role}", entrance.account) from e
            if source is None:
                raise SourceError("there are no AWS credentials in the environment", kind="credentials")
            if role in _ITSELF or (role in _PERHAPS_ITSELF and not entrance.role_arn):
                self._credentials[role, entrance] = source  # it is who it is
                return source
            extra = {"RoleSessionName": "restorecheck"}
            if entrance.external_id:
                extra["ExternalId"] = entrance.external_id
            fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
                partial(
                    base.create_client,
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=CONFIG,
                ),
                source,
                entrance.role_arn,
                extra_args=extra,
            )
            self._credentials[role, entrance] = botocore.credentials.DeferredRefreshableCredentials(
                refresh_using=fetcher.fetch_credentials, method="assume-role"
            )
        return self._credentials[role, entrance]

    @staticmethod
    def _prove(passage: Passage) -> None:
        """Ask STS whose account this is, once for each set of credentials."""
        actual = passage.call(None, "sts", "GetCallerIdentity", {}).get("Account")
        if actual != passage.account:
            raise RefusedError(f"the {passage.role} role of account {passage.account} leads into account {actual}")


def _describes_nothing(kind: ResourceKind, name: str) -> Target:
    raise RefusedError(f"the base identity may not look at {kind} {name}")
