"""Dumps of a database in a versioned bucket, restored on this machine, or into a declared server, and back to nothing.

    the newest version at T ── download (read, compared with what was recorded) ── restore ── drop server

`keys` and `choosing` say which objects are a dump and which dump is taken, `points` lists; `download` brings it here,
`checksums` compares; `work` does both in a thread, with who restores (`loads`); `journey` and `removal` look at it.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.durable import Look
from restorecheck.model import Answers, Leftover, Plan, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_dump import journey, points, removal
from restorecheck.sources.s3_dump.reach import Reach, World

__all__ = ["S3Dump", "World"]


class S3Dump:
    """The Source of one plan. `imagined` is for plan mode: it finds, and downloads and restores nothing."""

    def __init__(self, plan: Plan, world: World, *, imagined: bool = False) -> None:
        self._reach, self._imagined = Reach(plan, world), imagined

    def find(self) -> RecoveryPoint:
        """See Source.find."""
        return points.find(self._reach)

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        """See Source.stages."""
        return self._seen(journey.stages(self._reach, point))

    def examine(self, point: RecoveryPoint) -> Answers:
        """See Source.examine."""
        return journey.examine(self._reach, point)

    def teardown(self, point: RecoveryPoint) -> Sequence[Stage]:
        """See Source.teardown."""
        del point
        return self._seen(removal.stages(self._reach))

    def leftovers(self) -> Sequence[Leftover]:
        """See Source.leftovers."""
        return removal.leftovers(self._reach)

    def _seen(self, legs: Sequence[Stage]) -> Sequence[Stage]:
        if not self._imagined:
            return legs
        return [Stage(leg.name, _nothing, _done, leg.at_most) for leg in legs]


def _nothing() -> None:
    """Begin nothing."""


def _done() -> Look:
    return Look(done=True, status="imagined")
