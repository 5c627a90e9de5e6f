"""The configuration as the rest of the program sees it: validated, with every reference resolved. Reads nothing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from restorecheck.errors import RestorecheckError
from restorecheck.model import Check, Limits, Placement


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """An account whose backups are tested."""

    name: str
    id: str
    role: str
    regions: tuple[str, ...]
    external_id: str | None = None
    share_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # by region


@dataclass(frozen=True, slots=True)
class ScratchAccount:
    """An account in which backups are restored."""

    name: str
    id: str
    role: str
    placements: tuple[Placement, ...]  # one for each region
    limits: Limits
    instances: int  # how many scratch instances may exist at once
    external_id: str | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions in which this account has a place for scratch."""
        return tuple(placement.region for placement in self.placements)


@dataclass(frozen=True, slots=True)
class Prices:
    """What AWS asks, as the operator read it in the price list. None, or a class that is not there: unknown."""

    currency: str  # ISO 4217
    storage_gib_month: Decimal | None = None  # of an instance
    snapshot_gib_month: Decimal | None = None
    instance_hour: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))  # by class


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that an operator declared."""

    path: Path  # config.toml
    state: Path  # absolute; perhaps not there yet
    source_accounts: tuple[SourceAccount, ...]
    scratch_accounts: tuple[ScratchAccount, ...]
    checks: tuple[Check, ...]  # by name
    endpoint_url: str | None = None  # an AWS on this machine; None: the real one
    ca_bundle: Path | None = None  # PEM; None: the certificates of RDS that restorecheck ships
    prices: Prices | None = None

    def check(self, name: str) -> Check:
        """Return the check of this name. Raises RestorecheckError of kind `config`."""
        for check in self.checks:
            if check.name == name:
                return check
        known = [check.name for check in self.checks]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the checks are {', '.join(known)}"
        raise RestorecheckError(f"there is no check named {name}", hint, kind="config")

    def source_account(self, account_id: str) -> SourceAccount:
        """Return the source account of this id. Raises RestorecheckError of kind `config`."""
        for account in self.source_accounts:
            if account.id == account_id:
                return account
        raise _gone("source", account_id)

    def scratch_account(self, account_id: str) -> ScratchAccount:
        """Return the scratch account of this id. Raises RestorecheckError of kind `config`."""
        for account in self.scratch_accounts:
            if account.id == account_id:
                return account
        raise _gone("scratch", account_id)


def _gone(side: str, account_id: str) -> RestorecheckError:
    """A run that began under an older configuration may name an account that this one lacks."""
    return RestorecheckError(
        f"the configuration has no {side} account {account_id}", f"add it to [{side}_accounts.…] again", kind="config"
    )
