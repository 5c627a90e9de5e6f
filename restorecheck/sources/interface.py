"""What a source must be able to do, and how: the contract that every kind of backup fulfils.

A source never blocks: what takes time is a `Stage` with a `begin` and a `look`, each one short call. Every `begin` may
be called again after a crash and must then adopt what it made the first time, and refuse what somebody else made
under that name. Names follow from the run id alone, so a teardown needs nothing that a crash could have lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from restorecheck.durable import Look
from restorecheck.model import Answers, Leftover, RecoveryPoint


@dataclass(frozen=True, slots=True)
class Stage:
    """One leg of a restore or of a teardown: begin it, then look until it is done."""

    name: str
    begin: Callable[[], None]
    look: Callable[[], Look]
    at_most: timedelta


class Source(Protocol):
    """Everything that a run does with one source; made for one plan."""

    def find(self) -> RecoveryPoint:
        """Pick the recovery point. Raises SourceError `no-recovery-point` only after a complete, permitted listing."""

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        """Return the legs from the recovery point to a database that answers a query; decided by the point alone."""

    def examine(self, point: RecoveryPoint) -> Answers:
        """Open the restored copy read-only, ask every assertion's question, close. Never raises for a bad answer."""

    def teardown(self, point: RecoveryPoint) -> Sequence[Stage]:
        """Return the legs that remove every piece on both sides; each works whether or not the piece exists.

        A `look` asks again for what its `begin` could not bring about: it is taken also after a begin that failed.
        """

    def leftovers(self) -> Sequence[Leftover]:
        """Look at AWS, not at our notes: what still carries this run's name or tags, in either account."""
