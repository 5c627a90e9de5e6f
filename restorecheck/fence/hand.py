"""One permit on the shared way into one account: every AWS call of the product is made by a Hand.

Its errors arrive as AwsError or SourceError with a failure kind. It decides nothing: the guard in the session does.
A Hand is a few words of memory and may be made for every run; what is large is the Passage, and that is shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from restorecheck.errors import SourceError
from restorecheck.fence.decision import Permit
from restorecheck.fence.passage import Passage
from restorecheck.fence.table import Role


class Hand:
    """One guarded role in one account and region, with the permit of one run or with none: then it only reads."""

    __slots__ = ("_passage", "_permit")

    def __init__(self, passage: Passage, permit: Permit | None = None) -> None:
        self._passage, self._permit = passage, permit

    @property
    def role(self) -> Role:
        """In whose name it calls."""
        return self._passage.role

    @property
    def account(self) -> str:
        """The account that it is in."""
        return self._passage.account

    @property
    def region(self) -> str:
        """The region that it is in."""
        return self._passage.region

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call. Raises AwsError, SourceError (network, credentials), RefusedError, PlannedError."""
        return self._passage.call(self._permit, service, operation, params)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a paginated listing: one that breaks off raises, it never ends early."""
        marker: dict[str, str] = {}
        while True:
            page = self.call(service, operation, **params, **marker)
            if key not in page:
                raise SourceError(
                    f"{operation} in account {self.account} answered without {key}", kind="unknown-answer"
                )
            yield from page[key]
            following = {name: page[name] for name in ("Marker", "NextToken") if page.get(name)}
            if not following:
                return
            if following == marker:
                raise SourceError(f"{operation} in account {self.account} answers in a circle", kind="unknown-answer")
            marker = following
