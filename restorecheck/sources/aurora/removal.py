"""From whatever a run has made of a cluster back to nothing, and the look that proves it.

AWS deletes a cluster only after its instances; so the cluster waits until it has none. Removes only what carries this
run's tags; what carries the run's name without its tags is somebody else's: it is left alone and reported.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from restorecheck.durable import Look
from restorecheck.errors import AwsError
from restorecheck.model import Leftover, RecoveryPoint
from restorecheck.schedule import FINAL
from restorecheck.sources.aurora.reach import ClusterReach
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds import copies
from restorecheck.sources.rds.describing import tolerate
from restorecheck.sources.rds.removal import drop_instance, instances, left, snapshots


def stages(reach: ClusterReach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs back, in the order that AWS allows: instance, cluster, scratch copy, share, source copy."""
    drop_cluster = Stage(
        "drop cluster",
        reach.begun(lambda: _drop_cluster(reach)),
        lambda: _look_at_cluster(reach),
        reach.limits.teardown,
    )
    return [drop_instance(reach), drop_cluster, *copies.removal(reach, point)]


def _drop_cluster(reach: ClusterReach) -> None:
    cluster = reach.cluster()
    if cluster is None or not reach.ours(cluster) or cluster.get("Status") == "deleting":
        return
    if cluster.get("DBClusterMembers") != []:  # its instance is not gone yet, or somebody put one there
        return
    try:
        reach.hand("scratch").call(
            "rds",
            "DeleteDBCluster",
            DBClusterIdentifier=reach.name,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=True,
        )
    except AwsError as e:
        tolerate(e, "DBClusterNotFoundFault", "InvalidDBClusterStateFault")


def _look_at_cluster(reach: ClusterReach) -> Look:
    if copies.going(reach, reach.sighted_cluster()):
        return Look(done=False, status="deleting")
    _drop_cluster(reach)  # AWS may have refused it in the state that it was in; by now it may allow it
    cluster = reach.cluster()
    if cluster is None or not reach.ours(cluster):
        return Look(done=True, status="gone")
    held = len(cluster.get("DBClusterMembers") or ())
    status = cluster.get("Status", "unknown")
    return Look(done=False, status=f"{status}, still has {held} instances" if held else status)


def leftovers(reach: ClusterReach) -> Sequence[Leftover]:
    """List what carries this run's name or tag in either account, and what Aurora made of its cluster."""
    hand = reach.hand("scratch")
    clusters = hand.pages("rds", "DescribeDBClusters", "DBClusters"), "DBClusterIdentifier", "DBClusterArn"
    found = left(reach, [instances(reach), clusters, *snapshots(reach)])
    final = list(_final(reach))
    return [*(one for one in found if one.arn not in {other.arn for other in final}), *final]


def _final(reach: ClusterReach) -> Iterator[Leftover]:
    """Yield the last snapshots that Aurora made of this run's cluster. Never deleted: no tag proves whose they are."""
    for snapshot in reach.manual_snapshots("scratch"):
        name = snapshot["DBClusterSnapshotIdentifier"]
        if name.startswith(FINAL) and snapshot.get("DBClusterIdentifier") == reach.name:
            command = (
                f"aws rds delete-db-cluster-snapshot --region {reach.source.region}"
                f" --db-cluster-snapshot-identifier {shlex.quote(name)}"
            )
            reason = (
                "Aurora made it when an upgrade of the run's cluster failed, and no tag proves whose it is; if nobody"
                f" needs it, run this in account {reach.placement.account}: {command}"
            )
            yield Leftover(snapshot["DBClusterSnapshotArn"], reason)
