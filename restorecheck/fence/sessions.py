"""The fence itself: knows which accounts are which, makes permits, gives out Hands.

An account is entered in the role for which it is configured, and in no other; a permit counts only in a fence that
knows the same accounts as the one that made it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import botocore.exceptions

from restorecheck.errors import RefusedError
from restorecheck.fence.answers import of_no_answer
from restorecheck.fence.courier import Courier
from restorecheck.fence.decision import Permit
from restorecheck.fence.entering import Passages
from restorecheck.fence.function_parameters import place_of as function_place
from restorecheck.fence.guard import Mode, PlannedCall
from restorecheck.fence.hand import Hand
from restorecheck.fence.passage import Passage
from restorecheck.fence.state_parameters import is_place
from restorecheck.fence.table import Role
from restorecheck.fence.topic_parameters import place_of
from restorecheck.fence.traffic import Calls, Counted, Outage
from restorecheck.model import Entrance
from restorecheck.sources.versions.interface import Objects


def _wall() -> datetime:
    return datetime.now(UTC)


class Fence:
    """Gives out Hands. One for each configuration; safe to use from many threads."""

    def __init__(
        self,
        sources: Mapping[str, Entrance],
        scratches: Mapping[str, Entrance],
        *,
        topics: Iterable[str] = (),
        endpoint_url: str | None = None,
        mode: Mode = Mode.ACT,
        now: Callable[[], datetime] = _wall,
    ) -> None:
        self._topics = frozenset(topics)
        self._entrances = {Role.SOURCE: dict(sources), Role.SCRATCH: dict(scratches)}
        self._passages = Passages(endpoint_url=endpoint_url, mode=mode, now=now)

    @property
    def planned(self) -> list[PlannedCall]:
        """The writes that plan mode noted, in order."""
        return self._passages.planned

    @property
    def calls(self) -> Calls:
        """What was sent to AWS so far."""
        return self._passages.traffic.calls

    def counted(self) -> Counted:
        """Return what was sent to AWS since this process began, and what of it failed, for metrics."""
        return self.calls.counted()

    def outages(self) -> list[Outage]:
        """Return which services give no answer now, the longest first. Empty before anything was asked."""
        return self._passages.traffic.outages()

    def with_entrances(self, source: Entrance, scratch: Entrance) -> Fence:
        """Return this fence with leave to enter the two accounts of a run that was planned under another configuration.

        What is configured now counts more: an account that still is entered as it is configured now. Sessions, calls
        and outages are shared. Raises RefusedError if an account would be on both sides.
        """
        sides = {Role.SOURCE: source, Role.SCRATCH: scratch}
        if source.account == scratch.account:
            raise RefusedError(f"account {source.account} cannot be source and scratch account of one run")
        for role, entrance in sides.items():
            other = Role.SCRATCH if role is Role.SOURCE else Role.SOURCE
            if not entrance.account or not entrance.role_arn:
                raise RefusedError(f"it is not known how the {role} account of this run was entered")
            if entrance.account in self._entrances[other]:
                raise RefusedError(
                    f"account {entrance.account} is configured as a {other} account now, so it is not entered as the"
                    f" {role} account that it was when this run was planned"
                )
        wider = copy.copy(self)  # and so with the same passages
        wider._entrances = {role: {e.account: e, **self._entrances[role]} for role, e in sides.items()}  # noqa: SLF001
        return wider

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
        cluster: str = "",
        bucket: str = "",
        source_bucket: str = "",
    ) -> Permit:
        """Make the permit of one run (or, without a run id, of a sweep). Raises SourceError for an unknown region."""
        try:
            partition = self._passages.partition(region)
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
            cluster=cluster,
            bucket=bucket,
            source_bucket=source_bucket,
        )

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """Enter an account. Without a permit the Hand only reads. Raises RefusedError, AwsError, SourceError."""
        return Hand(self._passage(role, account, region, permit), permit)

    def recorder(
        self, account: str, region: str, manifest: tuple[str, str], began: datetime, role_arn: str = ""
    ) -> Hand:
        """Enter a source account to write one manifest (bucket and key), as a role or as who this process is.

        Raises RefusedError (the account is not a source account, or these credentials are not of it), AwsError,
        SourceError.
        """
        if account not in self._entrances[Role.SOURCE]:
            raise RefusedError(f"account {account} is not configured as a {Role.SOURCE} account")
        permit = self.permit(source_account=account, scratch_account="", region=region, began=began, expires=began)
        passage = self._passages.enter(Role.RECORDER, Entrance(account, role_arn), region)
        return Hand(passage, replace(permit, manifest=manifest))

    def notifier(self, topic: str) -> Hand:
        """Return who publishes to one topic (its ARN), as who this process is: no role is entered, nobody is asked.

        Raises RefusedError (the topic is not configured, or is none), SourceError.
        """
        place = place_of(topic)
        if topic not in self._topics or place is None:
            raise RefusedError("the topic is not one that is configured")
        at = _wall()
        permit = Permit(frozenset(), frozenset(), "", "", place.region, began=at, expires=at, topic=topic)
        passage = self._passages.enter(Role.NOTIFIER, Entrance(place.account, ""), place.region)
        return Hand(passage, permit)

    def keeper(self, bucket: str, prefix: str, region: str) -> Hand:
        """Return who keeps the state of the service below `prefix`, which ends in `/`, as who this process is.

        The bucket must belong to the account that this process is in. Raises RefusedError (that is no bucket and
        prefix, or the bucket is one in which backups are restored), AwsError, SourceError.
        """
        if not is_place(bucket, prefix):
            raise RefusedError(f"{bucket}/{prefix} is not a place for the state")
        account = self._passages.own_account(region)
        at = _wall()
        permit = Permit(frozenset(), frozenset(), "", "", region, began=at, expires=at, kept=(bucket, prefix))
        return Hand(self._passages.enter(Role.KEEPER, Entrance(account, ""), region), permit)

    def starter(self, function: str) -> Hand:
        """Return who starts runs, as executions of one function (its ARN with a version or an alias).

        Raises RefusedError (it is none), SourceError.
        """
        place = function_place(function)
        if place is None:
            raise RefusedError("the function that runs checks is not named by an ARN with a version or an alias")
        at = _wall()
        permit = Permit(frozenset(), frozenset(), "", "", place.region, began=at, expires=at, function=function)
        return Hand(self._passages.enter(Role.STARTER, Entrance(place.account, ""), place.region), permit)

    def surveyor(self, entrance: Entrance, region: str) -> Hand:
        """Return who looks what there is in a source account, and only reads.

        Without a role it is who this process is, which must be in that account. Raises RefusedError, AwsError,
        SourceError.
        """
        if entrance.account in self._entrances[Role.SCRATCH]:
            raise RefusedError(f"account {entrance.account} is configured as a {Role.SCRATCH} account")
        return Hand(self._passages.enter(Role.SURVEYOR, entrance, region))

    def objects(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Objects:
        """Enter an account for objects in bulk. Without a permit they are only read. Raises what `hand` raises."""
        return Courier(self._passage(role, account, region, permit), permit)

    def _passage(self, role: Role, account: str, region: str, permit: Permit | None) -> Passage:
        entrance = self._entrances.get(role, {}).get(account)
        if entrance is None or entrance.account != account:
            raise RefusedError(f"account {account} is not configured as a {role} account")
        ours = tuple(frozenset(self._entrances[side]) for side in (Role.SOURCE, Role.SCRATCH))
        if permit is not None and (permit.source_accounts, permit.scratch_accounts) != ours:
            raise RefusedError("the permit was not made for the accounts that are configured here")
        return self._passages.enter(role, entrance, region)
