"""The accounts of config.toml: rules between their keys, and the accounts that come out of them.

What keeps a run away from production begins here: a source account is never a scratch account, and nothing of a
placement belongs to another account or region.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from restorecheck.config import names, placements, shape
from restorecheck.config.complaints import of_account, once
from restorecheck.config.document import Document
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.config.shape import ConfigFile
from restorecheck.config.table import Path
from restorecheck.config.values import spoken
from restorecheck.model import Limits

INSTANCES = 5
"""Scratch instances at once unless the account says otherwise: far below RDS's default quota of 40."""

LEGS = {"rds": 4, "aurora": 5, "s3-objects": 1, "s3-dump": 1}
"""Waits that a teardown may have, each with the whole limit: instance, (cluster,) import, share and export."""


def sources(document: Document[ConfigFile]) -> dict[str, SourceAccount]:
    """Return the source accounts by name, as far as they are right, and complain about the rest."""
    found = {}
    for name, account in (document.tree.source_accounts or {}).items():
        at = ("source_accounts", name)
        _same_account(document, at, account)
        regions = _regions(document, at, account.regions or [])
        for region, key in (account.share_key or {}).items():
            place = (*at, "share_key", region)
            of_account(document, place, key, account.id, region)
            if regions and region not in regions:
                document.wrong(
                    place, f"{region} is not among the account's regions; add it there or leave this key out"
                )
        if account.id and account.role and regions:
            keys = MappingProxyType(dict(account.share_key or {}))
            found[name] = SourceAccount(name, account.id, account.role, regions, account.external_id, keys)
    _some(document, "source_accounts")
    return found


def scratches(document: Document[ConfigFile]) -> dict[str, ScratchAccount]:
    """Return the scratch accounts by name, as far as they are right, and complain about the rest."""
    found = {}
    for name, account in (document.tree.scratch_accounts or {}).items():
        at = ("scratch_accounts", name)
        _same_account(document, at, account)
        places = [
            placements.of_region(document, (*at, "regions", region), placement, account.id, region)
            for region, placement in (account.regions or {}).items()
        ]
        if account.regions == {} and not document.unclear(*at, "regions"):
            document.wrong((*at, "regions"), f"is empty; add a table [scratch_accounts.{name}.regions.<region>]")
        limits = merged(document, (*at, "limits"), Limits(), account.limits, least_poll=least_poll(document))
        if account.id and account.role:
            found[name] = ScratchAccount(
                name,
                account.id,
                account.role,
                tuple(place for place in places if place),
                limits,
                (account.limits and account.limits.instances) or INSTANCES,
                account.external_id,
            )
    _some(document, "scratch_accounts")
    return found


def apart(document: Document[ConfigFile]) -> None:
    """Complain about accounts and buckets that stand twice: on both sides, that would put scratch into production."""
    placements.apart(document)
    sides = (("source_accounts", document.tree.source_accounts), ("scratch_accounts", document.tree.scratch_accounts))
    seen: dict[str, tuple[str, str]] = {}
    for side, accounts in sides:
        for name, account in (accounts or {}).items():
            if not account.id:
                continue
            first_side, first = seen.setdefault(account.id, (side, name))
            if first_side != side:
                document.wrong(
                    (side, name, "id"),
                    f"{account.id} is also the source account {first}; restore into an account that holds no source",
                )
            elif first != name:
                document.wrong(
                    (side, name, "id"), f"{account.id} is already the account {first}; name each account once"
                )


def least_poll(document: Document[ConfigFile]) -> timedelta:
    """Return how often AWS may be asked at most: an AWS on this machine throttles nobody."""
    local = document.tree.endpoint_url or document.unclear("endpoint_url")
    return timedelta(milliseconds=50) if local else timedelta(seconds=1)


def vague(document: Document[Any], at: Path) -> bool:
    """Return whether one of the durations of a table of limits could not be read."""
    return any(document.unclear(*at, key) for key in shape.Limits.keys())  # noqa: SIM118 - not a dict


def merged(
    document: Document[Any],
    at: Path,
    base: Limits,
    said: shape.Limits | None,
    *,
    least_poll: timedelta,
    legs: int = LEGS["rds"],
) -> Limits:
    """Return `base` with what a table says instead, and complain if the whole does not fit together.

    `legs` is of how many waits the teardown consists.
    """
    own = said.model_dump(by_alias=True, exclude_none=True, exclude={"instances"}) if said else {}
    limits = replace(base, **own)
    if not vague(document, at):
        _fitting(document, at, limits, own)
        _lasting(document, at, base, limits, legs)
    if said and said.poll and said.poll < least_poll:
        document.wrong(
            (*at, "poll"),
            f'is {spoken(said.poll)}, and AWS throttles who asks so often; write "{spoken(least_poll)}" or more',
        )
    return limits


def _fitting(document: Document[Any], at: Path, limits: Limits, own: dict[str, timedelta]) -> None:
    """Complain about phases that the whole run leaves no room for."""
    for phase in ("copy", "restore", "open", "examine"):
        if own.get(phase, timedelta()) > limits.run:
            document.wrong(
                (*at, phase),
                f"is {spoken(own[phase])}, longer than the {spoken(limits.run)} that run allows all phases together; "
                f'shorten it, or write run = "{spoken(own[phase])}" or more',
            )


def _lasting(document: Document[Any], at: Path, base: Limits, limits: Limits, legs: int) -> None:
    """Complain about a lease that ends before its run may, unless the limits that these build on did so already."""
    whole = _with_teardown(limits, legs)
    times = f"{legs} times " if legs > 1 else ""
    if limits.lease <= whole and base.lease > _with_teardown(base, LEGS["rds"]):
        document.wrong(
            (*at, "lease"),
            f"is {spoken(limits.lease)}, but a run may take {spoken(limits.run)} and then "
            f"{times}{spoken(limits.teardown)} to tear down, and the sweep would delete scratch that is in use; "
            f'write lease = "{spoken(_above(whole))}" or more, or shorten run or teardown',
        )


def _with_teardown(limits: Limits, legs: int) -> timedelta:
    return limits.run + legs * limits.teardown


def _above(length: timedelta) -> timedelta:
    """Return the next full hour."""
    return timedelta(hours=length // timedelta(hours=1) + 1)


def _some(document: Document[ConfigFile], side: str) -> None:
    if not document.raw.get(side) and not document.unclear(side):
        document.wrong((side,), f"is empty; add a table [{side}.<a name of yours>]")


def _same_account(
    document: Document[ConfigFile], at: Path, account: shape.SourceAccount | shape.ScratchAccount
) -> None:
    if account.id and account.role and names.account_of(account.role) != account.id:
        document.wrong(
            (*at, "role"),
            f"is a role of account {names.account_of(account.role)}; write one of account {account.id}, as id says",
        )


def _regions(document: Document[ConfigFile], at: Path, regions: list[str]) -> tuple[str, ...]:
    if not regions and not document.unclear(*at, "regions"):
        document.wrong((*at, "regions"), 'is empty; write for example regions = ["eu-central-1"]')
    once(document, (*at, "regions"), regions)
    return tuple(dict.fromkeys(regions))
