"""From whatever a run has made back to nothing, and the look that proves it.

Removes only what carries this run's tags; the fence, which describes again, has the last word. What carries the run's
name without its tags is somebody else's: it is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from restorecheck.durable import Look
from restorecheck.errors import AwsError
from restorecheck.fence import TAG_RUN
from restorecheck.model import Leftover, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import copies
from restorecheck.sources.rds.describing import Described, tolerate
from restorecheck.sources.rds.reach import Reach

Listing = tuple[Iterable[Described], str, str]
"""What a listing shows, and the fields of name and ARN in it."""


def stages(reach: Reach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs back, in the order that AWS allows: instance, scratch copy, share, source copy."""
    return [drop_instance(reach), *copies.removal(reach, point)]


def drop_instance(reach: Reach) -> Stage:
    """Return the leg that removes the instance."""
    begin = reach.begun(lambda: _drop_instance(reach))
    return Stage("drop instance", begin, lambda: _look_instance(reach), reach.limits.teardown)


def _drop_instance(reach: Reach) -> None:
    instance = reach.instance()
    if instance is None or not reach.ours(instance) or instance.get("DBInstanceStatus") == "deleting":
        return
    try:
        reach.hand("scratch").call(
            "rds",
            "DeleteDBInstance",
            DBInstanceIdentifier=reach.name,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=True,
        )
    except AwsError as e:
        tolerate(e, "DBInstanceNotFound", "InvalidDBInstanceState")


def _look_instance(reach: Reach) -> Look:
    if copies.going(reach, reach.sighted_instance()):
        return Look(done=False, status="deleting")
    _drop_instance(reach)  # AWS may have refused it in the state that it was in; by now it may allow it
    instance = reach.instance()
    if instance is None or not reach.ours(instance):
        return Look(done=True, status="gone")
    return Look(done=False, status=instance.get("DBInstanceStatus", "unknown"))


def leftovers(reach: Reach) -> Sequence[Leftover]:
    """List what carries this run's name or tag in either account: from AWS, not from our notes."""
    return left(reach, [instances(reach), *snapshots(reach)])


def instances(reach: Reach) -> Listing:
    """Return the listing of instances of the scratch account."""
    pages = reach.hand("scratch").pages("rds", "DescribeDBInstances", "DBInstances")
    return pages, "DBInstanceIdentifier", "DBInstanceArn"


def snapshots(reach: Reach) -> list[Listing]:
    """Return the listings of manual snapshots of both accounts."""
    kept = reach.kept
    return [(reach.manual_snapshots(side), kept.identifier, kept.arn) for side in ("scratch", "source")]


def left(reach: Reach, listings: Iterable[Listing]) -> list[Leftover]:
    """Return what in these listings carries this run's name or tag."""
    found = []
    for listing, name, arn in listings:
        for described in listing:
            tagged = reach.tags_of(described).get(TAG_RUN) == reach.plan.run_id
            if tagged or described[name] == reach.name:
                reason = "" if reach.ours(described) else "it has this run's name or tag, but was not made by this run"
                found.append(Leftover(described[arn], reason))
    return found
