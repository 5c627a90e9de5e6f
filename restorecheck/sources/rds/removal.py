"""From whatever a run has made back to nothing, and the look that proves it.

Removes only what carries this run's tags; the fence, which describes again, has the last word. What carries the run's
name without its tags is somebody else's: it is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.durable import Look
from restorecheck.errors import AwsError
from restorecheck.fence import TAG_RUN
from restorecheck.model import Leftover, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds.describing import Described, tolerate
from restorecheck.sources.rds.reach import Reach, Side


def stages(reach: Reach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs back, in the order that AWS allows: instance, scratch copy, share, source copy."""
    limit = reach.limits.teardown
    drop_instance = reach.begun(lambda: _drop_instance(reach))
    legs = [Stage("drop instance", drop_instance, lambda: _look_instance(reach), limit)]
    if point.encrypted:
        legs.append(_drop_copy(reach, "drop import", "scratch"))
    if reach.exports(point) or reach.borrows(point):
        legs.append(Stage("unshare", lambda: _unshare(reach, point), lambda: _look_unshared(reach, point), limit))
    if reach.exports(point):
        legs.append(_drop_copy(reach, "drop export", "source"))
    return legs


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


def _going(reach: Reach, sighted: Described | None) -> bool:
    """Say whether a shared listing shows it on its way out. Then there is nothing to do; all else is asked afresh."""
    if sighted is None or not reach.ours(sighted):
        return False
    return "deleting" in {sighted.get("DBInstanceStatus"), sighted.get("Status")}


def _look_instance(reach: Reach) -> Look:
    if _going(reach, reach.sighted_instance()):
        return Look(done=False, status="deleting")
    _drop_instance(reach)  # AWS may have refused it in the state that it was in; by now it may allow it
    instance = reach.instance()
    if instance is None or not reach.ours(instance):
        return Look(done=True, status="gone")
    return Look(done=False, status=instance.get("DBInstanceStatus", "unknown"))


def _drop_copy(reach: Reach, name: str, side: Side) -> Stage:
    def drop() -> None:
        if not reach.ours(reach.snapshot(side)):
            return
        try:
            reach.hand(side).call("rds", "DeleteDBSnapshot", DBSnapshotIdentifier=reach.name)
        except AwsError as e:
            tolerate(e, "DBSnapshotNotFound", "InvalidDBSnapshotState")

    def look() -> Look:
        if _going(reach, reach.sighted_snapshot(side)):
            return Look(done=False, status="deleting")
        drop()
        snapshot = reach.snapshot(side)
        if snapshot is None or not reach.ours(snapshot):
            return Look(done=True, status="gone")
        return Look(done=False, status=snapshot.get("Status", "unknown"))

    return Stage(name, reach.begun(drop), look, reach.limits.teardown)


def _unshare(reach: Reach, point: RecoveryPoint) -> None:
    if reach.exports(point) and not reach.ours(reach.snapshot("source")):
        return
    try:
        reach.sharing_hand(point).call(
            "rds",
            "ModifyDBSnapshotAttribute",
            DBSnapshotIdentifier=reach.shareable(point),
            AttributeName="restore",
            ValuesToRemove=[reach.placement.account],
        )
    except AwsError as e:
        tolerate(e, "DBSnapshotNotFound")


def _look_unshared(reach: Reach, point: RecoveryPoint) -> Look:
    if reach.exports(point) and not reach.ours(reach.snapshot("source")):
        return Look(done=True, status="gone")
    try:
        shared = reach.shared(reach.shareable(point))
    except AwsError as e:
        tolerate(e, "DBSnapshotNotFound")
        shared = False
    if shared:
        _unshare(reach, point)
    return Look(not shared, "still shared" if shared else "not shared")


def leftovers(reach: Reach) -> Sequence[Leftover]:
    """List what carries this run's name or tag in either account: from AWS, not from our notes."""
    listings = (
        (
            reach.hand("scratch").pages("rds", "DescribeDBInstances", "DBInstances"),
            "DBInstanceIdentifier",
            "DBInstanceArn",
        ),
        (reach.manual_snapshots("scratch"), "DBSnapshotIdentifier", "DBSnapshotArn"),
        (reach.manual_snapshots("source"), "DBSnapshotIdentifier", "DBSnapshotArn"),
    )
    left = []
    for listing, name, arn in listings:
        for described in listing:
            tagged = reach.tags_of(described).get(TAG_RUN) == reach.plan.run_id
            if tagged or described[name] == reach.name:
                reason = "" if reach.ours(described) else "it has this run's name or tag, but was not made by this run"
                left.append(Leftover(described[arn], reason))
    return left
