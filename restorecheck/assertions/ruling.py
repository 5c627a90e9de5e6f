"""What the comparison of one answer came to, and the words for answers that cannot be compared at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from restorecheck.assertions import words
from restorecheck.model import Assertion, Cell, Outcome


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a comparison came to, before the severity counts."""

    outcome: Outcome
    observed: str
    message: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an assertion is judged by, besides its answer."""

    assertion: Assertion
    backup_time: datetime
    asked_at: datetime
    salt: str


def passed(observed: str) -> Ruling:
    """The expectation holds."""
    return Ruling(Outcome.PASS, observed)


def failed(observed: str, message: str) -> Ruling:
    """The expectation does not hold: the backup is to blame."""
    return Ruling(Outcome.FAIL, observed, message, "assertion-failed")


def error(observed: str, message: str, kind: str = "question") -> Ruling:
    """There was nothing to compare; `kind` says whose fault that is."""
    return Ruling(Outcome.ERROR, observed, message, kind)


def incomparable(cell: Cell, limit: Cell | None) -> Ruling:
    """The answer is of a type that is not compared with anything, or not with `limit`."""
    held = words.KIND.get(cell.kind) or f"of type {cell.text or 'unknown'}"
    meant = f" and cannot be compared with {words.KIND[limit.kind]}" if limit else " and cannot be compared"
    return error("a value that cannot be compared", f"the answer is {held}{meant}: cast it in the query")


def mismatch(found: str, meant: str) -> Ruling:
    """The answer is of one type and the expectation of another."""
    return error(found, f"the answer is {found} where {meant} is expected: cast it in the query")


def finite(cell: Cell) -> bool:
    """Say whether a cell is a value that can be compared: not NaN, not an infinity of any type."""
    if cell.kind in ("number", "duration"):
        return Decimal(cell.text).is_finite()
    return not (cell.kind in ("time", "date") and cell.text.lstrip("-") == "infinity")
