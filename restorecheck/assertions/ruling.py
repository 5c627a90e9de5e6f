"""What the comparison of one answer came to, and the words for answers that cannot be compared at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from restorecheck.assertions import words
from restorecheck.assertions.baselines import same_question
from restorecheck.failures import KINDS
from restorecheck.model import Assertion, Cell, Known, Measured, Outcome, Verdict


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
    known: Known | None = None  # what the answer is held against, if it is against another time


@dataclass(frozen=True, slots=True)
class Other:
    """What was measured at another time, and what that is called."""

    measured: Measured
    name: str
    differs: str  # the failure kind of an answer that is not the same
    lacks: str  # the failure kind of what was not measured then, or cannot be compared with


def passed(observed: str) -> Ruling:
    """The expectation holds."""
    return Ruling(Outcome.PASS, observed)


def failed(observed: str, message: str, kind: str = "assertion-failed") -> Ruling:
    """The expectation does not hold: the backup is to blame."""
    return Ruling(Outcome.FAIL, observed, message, kind)


def learning(observed: str, message: str) -> Ruling:
    """There is nothing yet to compare with, and there will be."""
    return Ruling(Outcome.LEARNING, observed, message, "learning")


def other(around: Circumstances, observed: str) -> Other | Ruling:
    """Return what the answer is to be held against; if there is nothing, what that comes to.

    A baseline that is not there yet will be; a reference that is not there was not written, and waiting does not help.
    """
    expect, known = around.assertion.expect, around.known
    against = expect.of or expect.same_as
    if known is not None and known.measured is not None and same_question(around.assertion, known.measured):
        reference = known.against.kind == "reference"
        return Other(
            known.measured,
            words.of_known(known),
            "reference-differs" if reference else "assertion-failed",
            "no-reference" if reference else "no-baseline",
        )
    if against is not None and against.kind == "reference":
        if known is None or known.error:
            why = known.error if known else f"the reference {against.reference} recorded nothing of this"
        else:
            why = f"{words.of_known(known)} recorded the answer to another question, or none"
        return error(observed, why, _open_kind(known.kind if known else ""))
    if known is not None and known.error:
        return error(observed, known.error, "no-baseline")
    if against is not None and against.kind == "accepted":
        return learning(observed, "nothing was accepted yet; `restorecheck accept` accepts what a run measured")
    return learning(observed, "no earlier run can be compared with yet")


def _open_kind(kind: str) -> str:
    """Return the kind of a reference that could not be read: whatever it is, the backup is not to blame for it."""
    return kind if kind in KINDS and KINDS[kind].verdict is Verdict.UNPROVEN else "no-reference"


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
