"""When a notice that did not arrive is tried again, and when nobody tries any more. Pure.

Never gives up because of an answer: a person may mend an address that was rejected, within the day.
"""

from __future__ import annotations

FIRST, LONGEST = 5.0, 300.0
"""Seconds. Waits are drawn between nothing and a bound that doubles from the first to the longest: so replicas and
notices that failed together do not come back together."""

SHORTEST = 1.0

GIVEN_UP = 24 * 3600.0
"""Seconds after which a notice that did not arrive is dead: what it told of has been told again since, or is over."""

FOR_A_PERSON = frozenset({"rejected", "configuration"})
"""Reasons that only a person mends: there is no use in hurrying."""


def wait(attempts: int, reason: str, age: float, draw: float, retry_after: float | None = None) -> float | None:
    """Return after how many seconds the next try may be made, or None: none is.

    `attempts` tries have failed, the first of them counted; `age` is how many seconds ago the notice was kept; `draw`
    is drawn evenly between 0 and 1.
    """
    if age >= GIVEN_UP:
        return None
    bound = min(LONGEST, FIRST * 2 ** min(max(attempts, 1) - 1, 16))
    seconds = LONGEST if reason in FOR_A_PERSON else max(SHORTEST, draw * bound)
    return max(seconds, retry_after or 0.0)
