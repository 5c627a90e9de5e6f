"""The only maker of AWS sessions: assumes the roles, proves whose account it is in, hangs the guard in.

A Hand that cannot prove by STS that it is in the account it was asked for is not given out.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import botocore.credentials
import botocore.exceptions
import botocore.loaders
import botocore.session

from restorecheck.errors import RefusedError, SourceError
from restorecheck.fence.answers import of_no_answer
from restorecheck.fence.decision import Permit, ResourceKind, Target
from restorecheck.fence.guard import Guard, Mode, PlannedCall
from restorecheck.fence.hand import CONFIG, Hand
from restorecheck.fence.table import Role


@dataclass(frozen=True, slots=True)
class Entrance:
    """How one account is entered."""

    account: str
    role_arn: str
    external_id: str = ""


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
        # Shared by all sessions, because reading the models of RDS and EC2 takes most of the time of making a client;
        # and botocore's own only, because a model in ~/.aws/models could give an operation another meaning.
        self._models = botocore.loaders.Loader(
            extra_search_paths=[botocore.loaders.Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
        )

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
        """Make the permit of one run (or, without a run id, of a sweep). Raises SourceError for an unknown region."""
        try:
            partition = botocore.session.get_session().get_partition_for_region(region)
        except botocore.exceptions.BotoCoreError as e:
            raise of_no_answer(e, "looking up the region", source_account or scratch_account) from e
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
            partition=partition,
            borrowed=borrowed,
            instance=instance,
        )

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account. Without a permit the Hand only reads. Raises RefusedError, AwsError, SourceError."""
        entrance = self._entrances.get(role, {}).get(account)
        if entrance is None:
            raise RefusedError(f"account {account} is not configured as a {role} account")
        ours = tuple(frozenset(self._entrances[side]) for side in (Role.SOURCE, Role.SCRATCH))
        if permit is not None and (permit.source_accounts, permit.scratch_accounts) != ours:
            raise RefusedError("the permit was not made for the accounts that are configured here")
        session = botocore.session.Session()
        session.register_component("data_loader", self._models)
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
                Guard(Role.BASE, "", region, None, _describes_nothing).hang(base.get_component("event_emitter"))
                try:
                    source = base.get_credentials()
                except botocore.exceptions.BotoCoreError as e:
                    raise of_no_answer(e, f"entering as {role}", entrance.account) from e
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
                        config=CONFIG,
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
        actual = hand.call("sts", "GetCallerIdentity").get("Account")
        if actual != hand.account:
            raise RefusedError(f"the {hand.role} role of account {hand.account} leads into account {actual}")
        self._proven.add(key)


def _describes_nothing(kind: ResourceKind, name: str) -> Target:
    raise RefusedError(f"the base identity may not look at {kind} {name}")
