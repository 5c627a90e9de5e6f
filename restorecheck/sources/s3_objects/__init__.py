"""Objects of a versioned bucket: those that were current at a time, copied into a scratch bucket, and back to nothing.

`points` finds what was current and takes its fingerprint, `restoring` copies, `examining` compares and reads, `asking`
puts the questions, `removal` goes back. `comparison`, `matching` and `destinations` are pure; `reach` names
the two buckets for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.model import Answers, Leftover, Plan, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_objects import examining, points, removal
from restorecheck.sources.s3_objects.reach import Asker, Reach, World
from restorecheck.sources.s3_objects.restoring import Restoring

__all__ = ["Asker", "S3Objects", "World"]


class S3Objects:
    """The Source of one plan. Keeps no fact that a listing does not give again; what is in flight dies with it.

    `imagined` is for plan mode, which sends no write: nothing is there, and nothing is waited for.
    """

    def __init__(self, plan: Plan, world: World, *, imagined: bool = False) -> None:
        self._reach = Reach(plan, world)
        self._restoring = Restoring(self._reach)
        self._imagined = imagined

    def find(self) -> RecoveryPoint:
        """See Source.find."""
        return points.find(self._reach)

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        """See Source.stages."""
        return self._restoring.stages(point)

    def examine(self, point: RecoveryPoint) -> Answers:
        """See Source.examine."""
        return examining.examine(self._reach, point)

    def teardown(self, point: RecoveryPoint) -> Sequence[Stage]:
        """See Source.teardown."""
        del point
        if self._imagined:  # what a run deletes is what a listing shows then; there is none to show
            return ()
        return removal.stages(self._reach, self._restoring)

    def leftovers(self) -> Sequence[Leftover]:
        """See Source.leftovers."""
        return removal.leftovers(self._reach)
