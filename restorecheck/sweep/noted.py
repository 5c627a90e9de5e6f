"""What is kept of a sweep until the next one: what it saw, and since when each place has not been seen whole. Pure.

A place that could not be looked at must not look clean: what was left there stays until a sweep has seen that it went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from restorecheck.sweep.swept import Swept


def noted(swept: Swept, at: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the note of a sweep; `at` is when it was, in ISO 8601, and `before` the note of the one before it.

    It is `Swept.to_json` and `at`, and every place has `seen_whole` (when a sweep last saw all of it, or None) and
    `left`: how many of each kind should not be there any more.
    """
    blind = {(one.place.account, one.place.region) for one in swept.blind}
    earlier = {(one["account"], one["region"]): one for one in (before or {}).get("places", ())}
    left: dict[tuple[str, str], Counter[str]] = {}
    for piece in swept.left:
        left.setdefault((piece.place.account, piece.place.region), Counter())[piece.target.kind] += 1
    plain = swept.to_json()
    for one in plain["places"]:
        place = one["account"], one["region"]
        old, now = earlier.get(place, {}), left.get(place, Counter[str]())
        one["seen_whole"] = old.get("seen_whole") if place in blind else at
        one["left"] = dict(now | Counter(old.get("left", {})) if place in blind else now)  # | takes the greater count
    return {"at": at, **plain}
