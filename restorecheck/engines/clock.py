"""The wall clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class WallClock:
    """The Clock of real runs."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)
