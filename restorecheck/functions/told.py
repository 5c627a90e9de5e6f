"""What became of notices that were sent beside a copy of the state that did not count in the end.

A tick commits who is to be told, sends, and commits what came of it. If somebody else changed the state in between, it
opens the new copy and notes there, by their ids, what it has sent: else the next tick would send it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from restorecheck.alerts.sender import LEASE
from restorecheck.store import Due, Store

_AT_ONCE = 100


class Outcomes:
    """Hears what a Sender tells, and can note it again in another copy of the store. From any thread."""

    def __init__(self) -> None:
        self._heard: list[tuple[str, dict[str, Any]]] = []

    def hear(self, event: str, **facts: Any) -> None:
        """Remember an event of a Sender, if it tells what became of a delivery."""
        if event in {"notice.sent", "notice.failed", "notice.dead"}:
            self._heard.append((event, facts))

    def note(self, store: Store, me: str) -> None:
        """Note in this copy what was heard, as far as it still waits there. Raises StoreError."""
        last = {(facts["receiver"], facts["notice"]): (event, facts) for event, facts in list(self._heard)}
        for receiver in sorted({receiver for receiver, _ in last}):
            for due in _claimed(store, receiver, me):
                if (outcome := last.get((receiver, due.notice.id))) is not None:
                    _note(store, due, me, *outcome)


def _claimed(store: Store, receiver: str, me: str) -> Iterator[Due]:
    """Claim all that waits for a receiver; what is not noted stays ours for a moment, and is sent by the next tick."""
    while found := store.notices.claim(receiver, me, LEASE, limit=_AT_ONCE):
        yield from found


def _note(store: Store, due: Due, me: str, event: str, facts: dict[str, Any]) -> None:
    why = {"reason": facts.get("reason", ""), "why": facts.get("why", "")}
    if event == "notice.sent":
        store.notices.delivered(due.id, me, acknowledged=facts["acknowledged"])
    elif event == "notice.failed":
        store.notices.failed(due.id, me, **why, after=facts["again_in"])
    else:
        store.notices.give_up(due.id, me, **why)
