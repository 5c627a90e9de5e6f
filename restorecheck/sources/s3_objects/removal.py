"""From whatever a run has put into the scratch bucket back to nothing, and the look that proves it.

Removes only what is below the run's own prefix, and only while the lease there is this run's; the fence, which looks at
the lease again with each call, has the last word. What somebody else holds there is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.durable import Look
from restorecheck.model import Leftover
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_objects.reach import Reach
from restorecheck.sources.s3_objects.restoring import Restoring
from restorecheck.sources.versions.clearing import Prefix, clear, held
from restorecheck.workplace import Workplace, left


def stages(reach: Reach, restoring: Restoring) -> Sequence[Stage]:
    """Return the one leg back."""

    def begin() -> None:
        restoring.close()  # nothing of this process may come after what is removed
        Workplace(reach.world.workplace(reach.run_id), reach.run_id).remove()

    return [Stage("drop objects", begin, lambda: _look(reach), reach.limits.teardown)]


def _place(reach: Reach) -> Prefix:
    return Prefix(reach.placement.bucket, reach.placement.account, reach.prefix, reach.lease)


def _look(reach: Reach) -> Look:
    """Remove a slice. Done only when a listing shows nothing that is this run's."""
    place, hand = _place(reach), reach.hand("scratch")
    ours = reach.leased()
    if ours is False:
        return Look(done=True, status="not this run's")  # the leftovers say so
    if ours is None:
        found = held(hand, place)
        # Without a lease nobody can prove whose it is: the fence would refuse, and the leftovers say so.
        left = bool(found.versions or found.uploads)
        return Look(done=True, status=f"left alone: {found.told}, and no lease" if left else "gone")
    until = reach.world.monotonic() + reach.world.slice
    cleared = clear(hand, place, lambda: reach.world.monotonic() >= until)
    if cleared.refused:
        said, count = max(cleared.refused.items(), key=lambda item: item[1])
        return Look(done=False, status=f"{sum(cleared.refused.values()):,} not deleted; {count:,}: {said}")
    return Look(done=False, status=f"{cleared.removed:,} deleted", again=cleared.removed > 0)


def leftovers(reach: Reach) -> Sequence[Leftover]:
    """List what is below this run's prefix: from S3, not from our notes."""
    place, here = _place(reach), reach.world.workplace(reach.run_id)
    files = [] if (why := left(here, reach.run_id)) is None else [Leftover(f"file://{here}", why)]
    found = held(reach.hand("scratch"), place)
    if not found.versions and not found.uploads:
        return files
    arn = f"arn:{reach.permit().partition}:s3:::{place.bucket}/{place.prefix}"
    ours = reach.leased()
    whose = {
        True: "does the bucket have Object Lock, or may the scratch role not delete versions?",
        False: "it was not made by this run",
        None: "there is no lease, so nobody can prove whose it is",
    }[ours]
    return [*files, Leftover(arn, f"{found.told} are left; {whose}")]
