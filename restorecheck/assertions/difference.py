"""What is not the same in two measurements of one assertion, as lines for a person. Pure; names and numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from restorecheck.assertions import words
from restorecheck.model import Measure, Measured

SHOWN = 40
"""Lines that are shown before the rest is only counted."""


def difference(before: Measured | None, after: Measured) -> tuple[str, ...]:
    """Return what changed from one measurement to a later one; `before` None: there was none.

    A line of a definition that is gone begins with `-`, one that is new with `+`, a changed measure with `~`.
    """
    lines = list(_lines(before or Measured(after.assertion), after))
    if before is None:
        lines = [f"{len(lines):,} entries; there was nothing to compare with before"] if len(lines) > SHOWN else lines
    rest = len(lines) - SHOWN
    return (*lines[:SHOWN], f"… and {rest:,} more") if rest > 0 else tuple(lines)


def _lines(before: Measured, after: Measured) -> Iterator[str]:
    if before.value != after.value:
        yield f"~ {_number(before.value)} → {_number(after.value)}"
    if before.fingerprint != after.fingerprint:
        yield f"~ rows {before.fingerprint[:12] or 'unknown'} → {after.fingerprint[:12] or 'unknown'}"
    was, now = set(before.lines), set(after.lines)
    yield from (f"- {line}" for line in before.lines if line not in now)
    yield from (f"+ {line}" for line in after.lines if line not in was)
    old, new = ({m.object: m for m in side.measures} for side in (before, after))
    yield from (f"- {name}" for name in old if name not in new)
    for name, measure in new.items():
        if name not in old:
            yield f"+ {name}: {_measure(measure)}"
        elif old[name] != measure:
            yield f"~ {name}: {_measure(old[name])} → {_measure(measure)}"


def _number(value: str | None) -> str:
    return "unknown" if value is None else words.number(Decimal(value))


def _measure(measure: Measure) -> str:
    rows = "" if measure.rows is None else words.count(measure.rows, "row")
    return " ".join(part for part in (rows, measure.fingerprint[:12]) if part) or "nothing"
