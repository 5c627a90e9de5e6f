"""RDS as it answers on the wire: the operations on clusters and their snapshots."""

from __future__ import annotations

from moto.core.responses import ActionResult

from restorecheck.demo.aws import rds_cluster_snapshots, rds_clusters, rds_sharing, rds_snapshots
from restorecheck.demo.aws.clusters import Cluster
from restorecheck.demo.aws.rds_call import RdsCall
from restorecheck.demo.aws.snapshots import OF_CLUSTERS, Snapshot


class ClusterApi(RdsCall):
    """One call to RDS about clusters."""

    def create_db_cluster(self) -> ActionResult:
        """CreateDBCluster."""
        return self._cluster(rds_clusters.create(self.scope, self.asked()))

    def restore_db_cluster_from_snapshot(self) -> ActionResult:
        """RestoreDBClusterFromSnapshot."""
        return self._cluster(rds_clusters.restore(self.scope, self.asked()))

    def modify_db_cluster(self) -> ActionResult:
        """ModifyDBCluster."""
        return self._cluster(rds_clusters.modify(self.scope, self.asked()))

    def delete_db_cluster(self) -> ActionResult:
        """DeleteDBCluster."""
        return self._cluster(rds_clusters.delete(self.scope, self.asked()))

    def describe_db_clusters(self) -> ActionResult:
        """DescribeDBClusters."""
        now, today = self.scope.now, self.scope.today
        found = rds_clusters.describe(self.scope, self.asked())
        return self.pages("DBClusters", "DBClusterArn", [c.describe(now, today) for c in found])

    def _cluster(self, cluster: Cluster) -> ActionResult:
        return ActionResult({"DBCluster": cluster.describe(self.scope.now, self.scope.today)})

    def create_db_cluster_snapshot(self) -> ActionResult:
        """CreateDBClusterSnapshot."""
        return self._cluster_snapshot(rds_cluster_snapshots.create(self.scope, self.asked()))

    def copy_db_cluster_snapshot(self) -> ActionResult:
        """CopyDBClusterSnapshot."""
        return self._cluster_snapshot(rds_snapshots.copy(self.scope, self.asked(), OF_CLUSTERS))

    def delete_db_cluster_snapshot(self) -> ActionResult:
        """DeleteDBClusterSnapshot."""
        return self._cluster_snapshot(rds_snapshots.delete(self.scope, self.asked(), OF_CLUSTERS))

    def describe_db_cluster_snapshots(self) -> ActionResult:
        """DescribeDBClusterSnapshots."""
        scope, found = self.scope, rds_sharing.describe(self.scope, self.asked(), OF_CLUSTERS)
        described = [s.describe(scope.now, scope.account) for s in found]
        return self.pages("DBClusterSnapshots", "DBClusterSnapshotArn", described)

    def modify_db_cluster_snapshot_attribute(self) -> ActionResult:
        """ModifyDBClusterSnapshotAttribute."""
        return ActionResult(rds_sharing.attributes(rds_sharing.share(self.scope, self.asked(), OF_CLUSTERS)))

    def describe_db_cluster_snapshot_attributes(self) -> ActionResult:
        """DescribeDBClusterSnapshotAttributes."""
        return ActionResult(rds_sharing.attributes(rds_sharing.own(self.scope, self.asked(), OF_CLUSTERS)))

    def _cluster_snapshot(self, snapshot: Snapshot) -> ActionResult:
        return ActionResult({"DBClusterSnapshot": snapshot.describe(self.scope.now)})
