"""One sweep of all places, on a schedule of its own: what executions left that were stopped, timed out or failed.

It looks for as long as the call has, and reports what it did not get to as not looked at, never as empty. What is too
much at once is left alone, as everywhere (`sweep`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from restorecheck.config import Config
from restorecheck.durable import Clock
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.fence import Fence, Hand, Permit, Role
from restorecheck.functions.keeping import Keeping
from restorecheck.store.bucket import ConflictError
from restorecheck.sweep import Swept, sweep
from restorecheck.upkeep import keep_sweep, places

TRIES = 5
"""How often what a sweep came to is written, because somebody else changed the state meanwhile."""

MARGIN = 30.0
"""Seconds of a call that are kept to write down what came of it."""


class TimedGate:
    """The fence of a sweep, for as long as there is time: then it lets nobody in any more. See sweep.Gate."""

    def __init__(self, fence: Fence, left: Callable[[], float]) -> None:
        self._fence, self._left = fence, left

    def permit(
        self,
        *,
        source_account: str,
        scratch_account: str,
        region: str,
        began: datetime,
        expires: datetime,
        bucket: str = "",
    ) -> Permit:
        """See Gate.permit."""
        return self._fence.permit(
            source_account=source_account,
            scratch_account=scratch_account,
            region=region,
            began=began,
            expires=expires,
            bucket=bucket,
        )

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> Hand:
        """See Gate.hand. Raises RestorecheckError `deadline` when the time is up."""
        if self._left() <= 0:
            raise RestorecheckError("the time of this call was up", "the next sweep goes on", kind="deadline")
        return self._fence.hand(role, account, region, permit)


def swept(
    config: Config,
    fence: Fence,
    keeping: Keeping,
    *,
    clock: Clock,
    left: Callable[[], float],
    tell: Callable[..., Any],
) -> Swept:
    """Sweep, keep what came of it, and return it. Raises RestorecheckError if it cannot be kept."""
    now, service = clock.now(), config.service
    gate = TimedGate(fence, lambda: left() - MARGIN)
    found = sweep(gate, places(config), now, act=True, most=service.sweep_most, share=service.sweep_share)
    tell("sweep.done", summary=found.summary)
    for _ in range(TRIES):
        keep_sweep(keeping.open(), found, now.isoformat())
        try:
            keeping.commit()
        except ConflictError as e:
            tell("tick.again", why=e.message)
            continue
        return found
    raise StoreError("others changed the state each time that this sweep was to be written down")
