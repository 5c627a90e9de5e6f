"""Who makes an RDS call, where, and what its answer has to wait for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from restorecheck.demo.aws.estate import Estate, Region
from restorecheck.demo.aws.faults import Call


@dataclass
class Scope:
    """Who calls, where, and what the call has to wait for."""

    estate: Estate
    account: str
    region_name: str
    call: Call
    wait_for: list[Future[Any]] = field(default_factory=list)

    @property
    def region(self) -> Region:
        """RDS of the caller's account and region."""
        return self.estate.region(self.account, self.region_name)

    @property
    def now(self) -> float:
        """The estate's clock."""
        return self.estate.clock()

    @property
    def today(self) -> datetime:
        """The time of day, as the estate tells it."""
        return self.estate.today()
