"""The errors that restorecheck raises on purpose.

Every one says what is wrong in a sentence and, where something can be done, what to do (`hint`).
Only the composition roots catch them broadly and print them. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RestorecheckError(Exception):
    """Base of all our errors: one sentence, perhaps a hint, and the failure kind that it stands for.

    `kind` is a key of `failures.KINDS`; `retryable` says whether trying the same again may help.
    """

    kind = "internal"

    def __init__(self, message: str, hint: str = "", *, kind: str | None = None, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind or type(self).kind
        self.retryable = retryable


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a configuration file, where, and what would be right."""

    path: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.path}:{self.line}: {self.key}: {self.message}"
            if self.key
            else (f"{self.path}:{self.line}: {self.message}")
        )


class ConfigError(RestorecheckError):
    """The configuration cannot be used; carries all problems that were found, not only the first."""

    kind = "config"

    def __init__(self, problems: Sequence[Problem], hint: str = "") -> None:
        super().__init__("\n".join(str(p) for p in problems), hint)
        self.problems = tuple(problems)


class SourceError(RestorecheckError):
    """AWS, or what it holds, did not do what a run needs; `kind` says what that means for the verdict."""

    kind = "unknown-answer"


class QueryError(RestorecheckError):
    """The restored database could not be opened or asked."""

    kind = "database-unreachable"


class RefusedError(RestorecheckError):
    """The fence refused a call before anything was sent. Never retried; exit code 4."""

    kind = "refused"


class StepFailedError(RestorecheckError):
    """How a failed step arrives in the workflow, the same on every engine: as data, never as the original class."""

    def __init__(self, step: str, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint, kind=kind)
        self.step = step


class AwsError(SourceError):
    """An AWS API answered with an error. `code` is the wire code; the kind comes from `failures.AWS_ERRORS`."""

    def __init__(self, code: str, message: str, hint: str = "", *, kind: str, retryable: bool) -> None:
        super().__init__(message, hint, kind=kind, retryable=retryable)
        self.code = code


class PlannedError(RestorecheckError):
    """A write that the fence, in plan mode, noted instead of sending."""

    kind = "refused"


class StoreError(RestorecheckError):
    """The store cannot be reached or written. Trying again may help, unless it says otherwise."""

    kind = "store"

    def __init__(self, message: str, hint: str = "", *, retryable: bool = True) -> None:
        super().__init__(message, hint, retryable=retryable)
