"""The configuration as the rest of the program sees it: validated, with every reference resolved. Reads nothing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from restorecheck.config.addresses import masked
from restorecheck.config.receivers import AnyReceiver, Exports, Notify
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
    budget: Decimal | None = None  # what all restores together may cost in 30 days


@dataclass(frozen=True, slots=True)
class Programs:
    """Directories with programs of database servers, beside those on the PATH: absolute, and there."""

    postgresql: tuple[Path, ...] = ()
    mysql: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class StateBucket:
    """A place in a bucket of the account that restorecheck itself is in."""

    name: str
    prefix: str  # ends in `/`
    region: str | None  # None: that of the process
    endpoint_url: str | None  # an AWS on this machine; None: the real one


@dataclass(frozen=True, slots=True)
class State:
    """Where what must not be forgotten is: a directory of this machine, a PostgreSQL database for all, or a bucket."""

    directory: Path | None  # absolute; perhaps not there yet. None: a database or a bucket
    url: str | None = field(repr=False)  # `postgresql://…`, and perhaps a password in it: show `shown` instead
    key: Path  # the file of the service key; perhaps not there yet: for a bucket that is the rule, it holds one itself
    bucket: StateBucket | None = None

    @property
    def shared(self) -> bool:
        """Whether several machines may work on it."""
        return self.directory is None

    @property
    def store_url(self) -> str:
        """The address of the store. May hold a password. Raises RestorecheckError `config` for a bucket."""
        return self._url or f"sqlite:///{self.directory}/restorecheck.sqlite"

    @property
    def runs_url(self) -> str:
        """The address of the records of durable runs. May hold a password. Raises RestorecheckError as `store_url`."""
        return self._url or f"sqlite:///{self.directory}/runs.sqlite"

    @property
    def shown(self) -> str:
        """What may be shown of it."""
        if self.bucket:
            return f"s3://{self.bucket.name}/{self.bucket.prefix.rstrip('/')}"
        return masked(self.url) if self.url else str(self.directory)

    @property
    def _url(self) -> str | None:
        if self.bucket:
            raise RestorecheckError(
                f"no process can work on the state in {self.shown}: it is fetched and put back as a whole",
                "it is for the functions on AWS Lambda, and `restorecheck run --detach` leaves a run to them; "
                'for a process, write state = "state", or state = "postgresql://…"',
                kind="config",
            )
        return self.url


@dataclass(frozen=True, slots=True)
class Service:
    """How the service works."""

    runs: int = 40  # at once, over all scratch accounts
    late: timedelta = timedelta(minutes=10)  # what begins later than this was missed
    heartbeat: timedelta = timedelta(seconds=5)
    takeover: timedelta = timedelta(minutes=1)  # a replica not heard of for so long is dead
    sweep: timedelta = timedelta(hours=1)  # how often
    sweep_most: int = 10  # more expired than this: delete nothing
    sweep_share: float = 0.5  # a larger share of what the sweep sees expired: delete nothing
    keep: timedelta = timedelta(days=400)  # finished runs
    evidence_keep: timedelta = timedelta(days=30)  # keys of rows, as evidence
    drain: timedelta = timedelta(seconds=20)  # what a stopping process gives to steps in flight
    listen: str = "127.0.0.1:9780"
    reload: bool = False  # POST /-/reload

    @property
    def host(self) -> str:
        """The host to listen on, an IPv6 address without its brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0: any that is free."""
        return int(self.listen.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that an operator declared."""

    path: Path  # config.toml
    state: State
    source_accounts: tuple[SourceAccount, ...]
    scratch_accounts: tuple[ScratchAccount, ...]
    checks: tuple[Check, ...]  # by name
    endpoint_url: str | None = None  # an AWS on this machine; None: the real one
    ca_bundle: Path | None = None  # PEM; None: the certificates of RDS that restorecheck ships
    prices: Prices | None = None
    service: Service = field(default_factory=Service)
    programs: Programs = field(default_factory=Programs)
    own_workplace: Path | None = None  # absolute; None: as `workplace` says
    evidence: Path | None = None  # absolute; perhaps not there yet. None: none is kept
    receivers: tuple[AnyReceiver, ...] = ()  # by name
    notify: Notify = field(default_factory=Notify)
    exports: Exports = field(default_factory=Exports)

    @property
    def workplace(self) -> Path:
        """Where dumps, and files that are asked, lie while a run needs them; perhaps not there yet."""
        beside = self.state.directory or self.path.parent
        return self.own_workplace or beside / "work"

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
