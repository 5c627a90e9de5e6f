"""Aurora cluster snapshots, from a source account into a scratch account and back to nothing.

    automated, AWS Backup's, or any under aws/rds ── export (our manual copy) ── share ──┐
    manual, under a customer managed key ─────────────────────────────────────── share ──┤
    shared with the scratch account by its owner ────────────────────────────────────────┤
                                 [ import (our copy in the scratch account, if wanted) ] ┤
                                                    restore (a cluster) ── instance ── open

A shared cluster snapshot can be restored as it is, encrypted or not; a copy in the scratch account is made only if the
check says `copy`. What is the same as for instances is in `sources.rds`; what differs is here.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.model import Answers, Leftover, Plan, RecoveryPoint
from restorecheck.sources.aurora import journey, removal
from restorecheck.sources.aurora.reach import ClusterReach, ImaginedClusterReach
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import points
from restorecheck.sources.rds.reach import World

__all__ = ["AuroraSnapshots", "World"]


class AuroraSnapshots:
    """The Source of one plan. Keeps no fact: everything is asked of AWS when it is needed.

    `imagined` is for plan mode, which sends no write: it behaves as if all that the run would make were there.
    """

    def __init__(self, plan: Plan, world: World, *, imagined: bool = False) -> None:
        self._reach = (ImaginedClusterReach if imagined else ClusterReach)(plan, world)

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
