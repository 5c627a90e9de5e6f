"""A small world on the demo AWS: a source account, a scratch account, and who may go where.

A test directory offers the fixtures by `from demo_world import aws, fresh_aws, world  # noqa: F401` in its conftest.py.
Everything is built with plain boto3; nothing here knows restorecheck but the child process's own module.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import pytest

from restorecheck.demo.aws.process import FAST, REGION, DemoAws

SOURCE, SCRATCH, BASE = "111111111111", "222222222222", "333333333333"
"""The accounts; BASE is where the service itself runs, and may only assume the roles in the other two."""
EXTERNAL_ID = "restorecheck-demo"
SUBNET_GROUP = "restorecheck-scratch"
MASTER, PASSWORD, DATABASE = "shopkeeper", "a-master-password", "shop"
LONG = 3600.0
"""Seconds of a phase that is to be seen, however busy the machine is; then `aws.skip(LONG)` ends it."""

T = TypeVar("T")


def until(probe: Callable[[], T | None], at_most: float = 60.0) -> T:
    """Return the first true answer of the probe; fail after `at_most` seconds."""
    deadline = time.monotonic() + at_most
    while True:
        if answer := probe():
            return answer
        assert time.monotonic() < deadline, f"not within {at_most} s"
        time.sleep(0.02)


def instance_of(rds: Any, name: str) -> dict[str, Any] | None:
    """Describe an instance; None when there is none."""
    try:
        return dict(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])
    except rds.exceptions.DBInstanceNotFoundFault:
        return None


def instance_in(rds: Any, name: str, status: str = "available", at_most: float = 60.0) -> dict[str, Any]:
    """Wait for a status of an instance, and describe it."""

    def probe() -> dict[str, Any] | None:
        found = instance_of(rds, name)
        assert found is not None, f"{name} is gone"
        return found if found["DBInstanceStatus"] == status else None

    return until(probe, at_most)


def snapshot_in(rds: Any, name: str, status: str = "available", **kind: str) -> dict[str, Any]:
    """Wait for a status of a snapshot, and describe it."""

    def probe() -> dict[str, Any] | None:
        found = rds.describe_db_snapshots(DBSnapshotIdentifier=name, **kind)["DBSnapshots"][0]
        return dict(found) if found["Status"] == status else None

    return until(probe)


def gone(rds: Any, name: str) -> None:
    """Wait until AWS does not know an instance any more."""
    until(lambda: instance_of(rds, name) is None)


def connect(
    instance: dict[str, Any], *, user: str = MASTER, password: str = PASSWORD, database: str = DATABASE
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to an instance as DescribeDBInstances describes it. Use it as a context manager."""
    where = instance["Endpoint"]
    return psycopg.connect(
        host=where["Address"],
        port=where["Port"],
        user=user,
        password=password,
        dbname=database,
        autocommit=True,
        connect_timeout=10,
    )


@dataclass(frozen=True)
class World:
    """The accounts, furnished: roles, placement and keys, but no database yet."""

    aws: DemoAws
    source_role: str
    scratch_role: str
    source_key: str
    """A customer managed key in the source account, such as one may share."""
    scratch_key: str
    vpc: str
    """In the scratch account: no internet gateway."""
    security_group: str
    source_rds: Any
    """RDS as the administrator of the source account."""
    scratch_rds: Any

    def assume(self, role: str, *, external_id: str | None = EXTERNAL_ID, account: str = BASE) -> dict[str, str]:
        """Assume a role as the service does; returns arguments for boto3.Session."""
        extra = {"ExternalId": external_id} if external_id is not None else {}
        sts = self.aws.client("sts", account)
        got = sts.assume_role(RoleArn=role, RoleSessionName="test", **extra)["Credentials"]
        return {
            "aws_access_key_id": got["AccessKeyId"],
            "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }

    def database(self, name: str, *sql: str, **settings: Any) -> dict[str, Any]:
        """Make an instance in the source account, run statements in its database, and describe it.

        Settings are CreateDBInstance's, in place of these defaults.
        """
        defaults = {
            "DBInstanceClass": "db.t4g.micro",
            "Engine": "postgres",
            "AllocatedStorage": 20,
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
            "DBName": DATABASE,
            "BackupRetentionPeriod": 0,
        }
        self.source_rds.create_db_instance(DBInstanceIdentifier=name, **(defaults | settings))
        instance = instance_in(self.source_rds, name)
        if sql:
            with connect(instance) as connection:
                for statement in sql:
                    connection.execute(statement.encode())
        return instance

    def snapshot(self, instance: str, name: str, **settings: Any) -> dict[str, Any]:
        """Take a manual snapshot in the source account, and describe it."""
        self.source_rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name, **settings)
        return snapshot_in(self.source_rds, name)

    def cluster(self, name: str, *sql: str, **settings: Any) -> dict[str, Any]:
        """Make a cluster of one instance in the source account, run statements in its database, and describe it.

        The instance is called as the cluster is, with `-1` after it. Settings are CreateDBCluster's.
        """
        rds = self.source_rds
        defaults = {
            "Engine": "aurora-postgresql",
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
            "DatabaseName": DATABASE,
        }
        rds.create_db_cluster(DBClusterIdentifier=name, **(defaults | settings))
        engine = settings.get("Engine", defaults["Engine"])
        until(lambda: rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"] == "available")
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-1",
            DBClusterIdentifier=name,
            DBInstanceClass="db.r6g.large",
            Engine=engine,
        )
        instance = instance_in(rds, f"{name}-1")
        if sql:
            with connect(instance) as connection:
                for statement in sql:
                    connection.execute(statement.encode())
        found: dict[str, Any] = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
        return found

    def cluster_snapshot(self, cluster: str, name: str, **settings: Any) -> None:
        """Take a manual snapshot of a cluster in the source account, and wait for it."""
        rds = self.source_rds
        rds.create_db_cluster_snapshot(DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier=name, **settings)

        def done() -> bool:
            [found] = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"]
            return bool(found["Status"] == "available")

        until(done)

    def share_cluster(self, snapshot: str, account: str = SCRATCH) -> None:
        """Share a manual snapshot of a cluster of the source account."""
        self.source_rds.modify_db_cluster_snapshot_attribute(
            DBClusterSnapshotIdentifier=snapshot, AttributeName="restore", ValuesToAdd=[account]
        )

    def bucket(self, name: str, account: str = SOURCE, *, versioning: str = "Enabled") -> Any:
        """Make a bucket and return S3 as that account's administrator; an empty `versioning` leaves it without."""
        s3 = self.aws.client("s3", account)
        s3.create_bucket(Bucket=name)
        if versioning:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
        return s3

    def readable(self, bucket: str) -> None:
        """Let the scratch role read the objects of a bucket of the source account."""
        allowed = {
            "Effect": "Allow",
            "Principal": {"AWS": self.scratch_role},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self.aws.client("s3", SOURCE).put_bucket_policy(Bucket=bucket, Policy=policy)

    def held(self, bucket: str, account: str = SCRATCH) -> dict[str, list[str]]:
        """Return what a bucket holds, by key: the versions, markers and unfinished uploads."""
        s3 = self.aws.client("s3", account)
        found: dict[str, list[str]] = {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for kind in ("Versions", "DeleteMarkers"):
                for one in page.get(kind, ()):
                    told = f"{kind} {one['VersionId']} {one['LastModified']} {one.get('ETag', '')}"
                    found.setdefault(one["Key"], []).append(told)
        for one in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            found.setdefault(one["Key"], []).append(f"upload {one['UploadId']}")
        return found

    def scratch_instance(self, name: str, tags: dict[str, str]) -> dict[str, Any]:
        """Make an instance in the scratch account that no run made, and describe it."""
        self.scratch_rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="other",
            MasterUserPassword=PASSWORD,
            DBSubnetGroupName=SUBNET_GROUP,
            PubliclyAccessible=False,
            BackupRetentionPeriod=0,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return instance_in(self.scratch_rds, name)

    def share(self, snapshot: str, account: str = SCRATCH) -> None:
        """Share a manual snapshot of the source account."""
        self.source_rds.modify_db_snapshot_attribute(
            DBSnapshotIdentifier=snapshot, AttributeName="restore", ValuesToAdd=[account]
        )

    def placement(self) -> dict[str, Any]:
        """Return where restores go: arguments for RestoreDBInstanceFromDBSnapshot."""
        return {"DBSubnetGroupName": SUBNET_GROUP, "VpcSecurityGroupIds": [self.security_group]}


def furnish(aws: DemoAws) -> World:
    """Build the accounts on an empty demo AWS."""
    ec2, rds = aws.client("ec2", SCRATCH), aws.client("rds", SCRATCH)
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{n}.0/24", AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="restorecheck", Description="from the service only", VpcId=vpc)
    rds.create_db_subnet_group(DBSubnetGroupName=SUBNET_GROUP, DBSubnetGroupDescription="no way out", SubnetIds=subnets)
    return World(
        aws=aws,
        source_role=aws.role(SOURCE, "restorecheck-source", trusted=[BASE], external_id=EXTERNAL_ID),
        scratch_role=aws.role(SCRATCH, "restorecheck-scratch", trusted=[BASE], external_id=EXTERNAL_ID),
        source_key=aws.client("kms", SOURCE).create_key()["KeyMetadata"]["Arn"],
        scratch_key=aws.client("kms", SCRATCH).create_key()["KeyMetadata"]["Arn"],
        vpc=vpc,
        security_group=group["GroupId"],
        source_rds=aws.client("rds", SOURCE),
        scratch_rds=rds,
    )


@pytest.fixture(scope="session")
def aws() -> Iterator[DemoAws]:
    """One demo AWS for the whole session of a worker, with fast timings."""
    with DemoAws.start(timings=FAST) as running:
        yield running


@pytest.fixture
def fresh_aws(aws: DemoAws) -> DemoAws:
    """The demo AWS with all accounts empty and no faults in force."""
    aws.reset()
    return aws


@pytest.fixture
def world(fresh_aws: DemoAws) -> World:
    """Furnished accounts, without any database."""
    return furnish(fresh_aws)
