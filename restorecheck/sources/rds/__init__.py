"""RDS instance snapshots, from a source account into a scratch account and back to nothing.

    automated, AWS Backup's, or any under aws/rds ── export (our manual copy) ── share ──┐
    manual, under a customer managed key ─────────────────────────────────────── share ──┤
    shared with the scratch account by its owner ────────────────────────────────────────┤
                                   import (our copy under the scratch key, if encrypted) ┤
                                                                              restore ── open

`points` picks the recovery point, `journey` goes there, `removal` goes back, `reach` talks to AWS for all of them; what
waits looks at `sightings`, which all runs of an account share, and asks for one name by `describing`.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.model import Answers, Leftover, Plan, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import journey, points, removal
from restorecheck.sources.rds.reach import ImaginedReach, Reach, World

__all__ = ["RdsSnapshots", "World"]


class RdsSnapshots:
    """The Source of one plan. Keeps no fact: everything is asked of AWS when it is needed.

    `imagined` is for plan mode, which sends no write: it behaves as if all that the run would make were there.
    """

    def __init__(self, plan: Plan, world: World, *, imagined: bool = False) -> None:
        self._reach = (ImaginedReach if imagined else Reach)(plan, world)

    def find(self) -> RecoveryPoint:
        """See Source.find."""
        return points.find(self._reach)

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        """See Source.stages."""
        return journey.stages(self._reach, point)

    def examine(self, point: RecoveryPoint) -> Answers:
        """See Source.examine."""
        return journey.examine(self._reach, point)

    def teardown(self, point: RecoveryPoint) -> Sequence[Stage]:
        """See Source.teardown."""
        return removal.stages(self._reach, point)

    def leftovers(self) -> Sequence[Leftover]:
        """See Source.leftovers."""
        return removal.leftovers(self._reach)
