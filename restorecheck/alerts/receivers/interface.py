"""What every receiver can do, and how it says that something did not arrive.

No message here may hold an address, a token, or what was sent: a receiver is named by its scheme and host at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from restorecheck.config.receivers import Secret
from restorecheck.errors import RestorecheckError
from restorecheck.model import Notice


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice that arrived. `acknowledged`: the receiver itself showed that it has it, beyond a polite answer."""

    acknowledged: bool
    said: str = ""  # what went wrong beside it, such as a replica that could not be reached


class DeliveryError(RestorecheckError):
    """A notice did not arrive, or nobody knows that it did.

    `reason` is a word of `metrics.catalogue.REASONS`; `retry_after` is how many seconds the receiver wants to be left
    alone, None if it did not say.
    """

    kind = "environment"

    def __init__(self, reason: str, message: str, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message, hint, retryable=True)
        self.reason, self.retry_after = reason, retry_after


class Receiver(Protocol):
    """Somebody who is told."""

    def send(self, notice: Notice) -> Sent:
        """Tell one notice. Returns within a minute. Raises DeliveryError."""


@runtime_checkable
class Standing(Protocol):
    """A receiver that forgets what it is not told again and again."""

    def resend(self, notices: Sequence[Notice]) -> Sent:
        """Tell all that still holds, at once. Raises DeliveryError if nobody took it."""


def text_of(secret: Secret) -> str:
    """Return a secret. Raises DeliveryError `configuration` if its file cannot be read."""
    try:
        return secret.read()
    except RestorecheckError as e:
        raise DeliveryError("configuration", e.message, e.hint) from e


def cut(text: str, longest: int) -> str:
    """Return a text on one line, of printable characters, and not longer than a receiver takes."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def cut_bytes(text: str, most: int) -> bytes:
    """Return a text in UTF-8, cut between two characters so that it has at most so many bytes."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").encode()
