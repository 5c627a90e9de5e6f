"""What the doctor says: one line about one thing, and how it comes about from a look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.failures import kind
from restorecheck.fence import Role

Outcome = Literal["pass", "fail", "could not look"]
Described = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    subject: str  # the account and region, or the check
    name: str  # what was looked at
    outcome: Outcome
    detail: str
    fix: str = ""  # what to do; empty when it passed


class Hand(Protocol):
    """What the doctor needs of a guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a listing."""


class Gate(Protocol):
    """What the doctor needs of the fence."""

    def hand(self, role: Role, account: str, region: str) -> Hand:
        """Enter an account."""


class Ill(RestorecheckError):  # noqa: N818 - not an error of ours: what was found is wrong
    """What was looked at will not do; `hint` says what would."""


def examined(subject: str, name: str, look: Callable[[], str]) -> Diagnosis:
    """Look, and say what came of it: the sentence that `look` returned, what is Ill, or why one could not look."""
    try:
        return Diagnosis(subject, name, "pass", look())
    except Ill as e:
        return Diagnosis(subject, name, "fail", e.message, e.hint)
    except RestorecheckError as e:
        return Diagnosis(subject, name, "could not look", e.message, e.hint or _fix(e))


def _fix(error: RestorecheckError) -> str:
    if error.kind == "permission":
        return "give the role this read; docs/fence.md lists all that it needs"
    return kind(error.kind).hint


def said(described: Described, key: str, what: str) -> Any:
    """Return a part of an answer. Raises SourceError if AWS left it out: then nothing is known, and nothing passes."""
    if described.get(key) is None:
        raise SourceError(f"AWS does not say {key} of {what}", kind="unknown-answer")
    return described[key]
