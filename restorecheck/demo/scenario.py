"""Databases, buckets and their backups on the demo AWS, and the files that point restorecheck at them.

Built with plain boto3 and psycopg, as anybody would who has accounts of his own: a course platform on Aurora with a
good backup, a shop whose orders vanished before the snapshot was taken, a billing database whose scratch account is
full, and buckets (`buckets`). Knows the shape of restorecheck's files (`declared`) and nothing of its code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from restorecheck.demo.aws.process import REGION, DemoAws
from restorecheck.demo.buckets import FORUM, SCRATCH, WIKI, Buckets
from restorecheck.demo.declared import ANSWERS, CHECKS

PRODUCTION, LAB, FULL, SERVICE = "111111111111", "222222222222", "333333333333", "444444444444"
EXTERNAL_ID = "restorecheck-demo"
MASTER, PASSWORD = "owner", "a-master-password"
TIMINGS = {"create": 2.0, "snapshot": 0.2, "copy": 1.0, "delete": 1.0, "password": 0.5}

COURSES = f"""
create table course (id int primary key, title text not null);
insert into course select g, 'course ' || g from generate_series(1, 12) g;
create table answer (id int primary key, course_id int not null, score int not null, given_at timestamptz not null);
insert into answer
    select g, 1 + g % 12, g % 101, now() - (({ANSWERS} - g) || ' seconds')::interval
    from generate_series(1, {ANSWERS}) g;
"""
ORDERS = """
create table orders (id int primary key, total numeric not null, created_at timestamptz not null);
insert into orders select g, g * 1.5, now() - (g || ' minutes')::interval from generate_series(1, 20000) g;
"""
INVOICES = """
create table invoice (id int primary key, amount numeric not null);
insert into invoice select g, g from generate_series(1, 500) g;
"""


class Scenario:
    """The accounts and databases; `home` holds config.toml and checks/ once it is built."""

    def __init__(self, aws: DemoAws, home: Path) -> None:
        self.aws, self.home = aws, home
        self._rds = aws.client("rds", PRODUCTION)
        self._making = threading.Lock()  # boto3's default session is not made for threads

    def build(self) -> None:
        """Make everything, side by side where that is faster, and write the files."""
        key = self.aws.client("kms", PRODUCTION).create_key(Description="backups")["KeyMetadata"]["Arn"]
        roles = {name: self._role(account, "restorecheck-scratch") for name, account in (("lab", LAB), ("full", FULL))}
        buckets = Buckets(self.aws, PRODUCTION, LAB, roles["lab"])
        with ThreadPoolExecutor(3) as pool:
            made = [
                pool.submit(self._cluster, "courses-prod", "courses", key, COURSES),
                pool.submit(self._database, "orders-prod", "shop", key, ORDERS),
                pool.submit(self._database, "billing-prod", "billing", key, INVOICES),
            ]
            labs = {name: self._scratch(account) for name, account in (("lab", LAB), ("full", FULL))}
            buckets.build()
            for one in made:
                one.result()
        self.aws.automated_cluster_snapshot(PRODUCTION, "courses-prod")
        self._statement("orders-prod", "shop", "delete from orders where id > 41")  # nobody noticed
        for instance in ("orders-prod", "billing-prod"):
            self._rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=f"{instance}-weekly")
        self._until(self._cluster_snapshot_ready)
        for instance in ("orders-prod", "billing-prod"):
            self._until(partial(self._snapshots_ready, instance))
        buckets.dump(self._community(), self.aws.state()["postgres_bin"])
        self.aws.quota(FULL, instances=1)
        self._write(labs, roles)

    def environment(self) -> dict[str, str]:
        """Return what the environment of restorecheck must hold: who it is, as its roles know it."""
        keys = self.aws.credentials(SERVICE)
        return {
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def resources(self) -> set[str]:
        """List every instance, cluster, snapshot and bucket's number of versions in all three accounts."""
        found = {
            f"{account} {kind} {name}"
            for account, regions in self.aws.digest([PRODUCTION, LAB, FULL]).items()
            for kinds in regions.values()
            for kind, names in kinds.items()
            if kind in {"instances", "clusters", "snapshots", "cluster-snapshots"}
            for name in names
        }
        return found | {f"{LAB} {SCRATCH} {kind} {n}" for kind, n in self.aws.objects(LAB, SCRATCH).items()}

    # --- production --------------------------------------------------------------------------------------------------

    def _database(self, instance: str, database: str, key: str, sql: str) -> None:
        with self._making:
            self._rds.create_db_instance(
                DBInstanceIdentifier=instance,
                DBInstanceClass="db.t4g.medium",
                Engine="postgres",
                AllocatedStorage=20,
                MasterUsername=MASTER,
                MasterUserPassword=PASSWORD,
                DBName=database,
                StorageEncrypted=True,
                KmsKeyId=key,
                DeletionProtection=True,
                Tags=[{"Key": "env", "Value": "production"}],
            )
        self._until(lambda: self._instance(instance)["DBInstanceStatus"] == "available")
        self._statement(instance, database, sql)

    def _cluster(self, cluster: str, database: str, key: str, sql: str) -> None:
        """Make a cluster and its one instance, which has the same name, and fill a database in it."""
        tags = [{"Key": "env", "Value": "production"}]
        with self._making:
            self._rds.create_db_cluster(
                DBClusterIdentifier=cluster,
                Engine="aurora-postgresql",
                MasterUsername=MASTER,
                MasterUserPassword=PASSWORD,
                StorageEncrypted=True,
                KmsKeyId=key,
                DeletionProtection=True,
                Tags=tags,
            )
        self._until(lambda: self._cluster_of(cluster)["Status"] == "available")
        with self._making:
            self._rds.create_db_instance(
                DBInstanceIdentifier=cluster,
                DBInstanceClass="db.t4g.medium",
                Engine="aurora-postgresql",
                DBClusterIdentifier=cluster,
                Tags=tags,
            )
        self._until(lambda: self._instance(cluster)["DBInstanceStatus"] == "available")
        self._statement(cluster, "postgres", f"create database {database}")
        self._statement(cluster, database, sql)
        self._statement(cluster, database, "vacuum analyze")  # as a database is that has lived for a while

    def _community(self) -> dict[str, Any]:
        """Make the two databases that are dumped at night, and return where they are."""
        where = self._instance("courses-prod")["Endpoint"]
        for database, sql in (("wiki", WIKI), ("forum", FORUM)):
            self._statement("courses-prod", "postgres", f"create database {database}")
            self._statement("courses-prod", database, sql)
        return {"host": where["Address"], "port": where["Port"], "user": MASTER, "password": PASSWORD}

    def _cluster_of(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
        return found

    def _cluster_snapshot_ready(self) -> bool:
        found = self._rds.describe_db_cluster_snapshots(DBClusterIdentifier="courses-prod")["DBClusterSnapshots"]
        return bool(found) and all(s["Status"] == "available" for s in found)

    def _instance(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return found

    def _snapshots_ready(self, instance: str) -> bool:
        found = self._rds.describe_db_snapshots(DBInstanceIdentifier=instance)["DBSnapshots"]
        return bool(found) and all(s["Status"] == "available" for s in found)

    def _statement(self, instance: str, database: str, sql: str) -> None:
        where = self._instance(instance)["Endpoint"]
        with psycopg.connect(
            host=where["Address"],
            port=where["Port"],
            user=MASTER,
            password=PASSWORD,
            dbname=database,
            autocommit=sql.startswith(("create database", "vacuum")),
        ) as connection:
            connection.execute(sql.encode())

    @staticmethod
    def _until(probe: Callable[[], bool], at_most: float = 60.0) -> None:
        deadline = time.monotonic() + at_most
        while not probe():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the demo AWS was not ready within {at_most:.0f} s")
            time.sleep(0.05)

    # --- scratch -----------------------------------------------------------------------------------------------------

    def _scratch(self, account: str) -> dict[str, str]:
        """Furnish a scratch account: a network without a way out, a key, and in the full one an instance."""
        with self._making:
            ec2, rds = self.aws.client("ec2", account), self.aws.client("rds", account)
            kms = self.aws.client("kms", account)
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=REGION + zone)["Subnet"]
            for n, zone in enumerate("ab")
        ]
        group = ec2.create_security_group(GroupName="restorecheck", Description="no way out", VpcId=vpc)["GroupId"]
        port = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[port])
        rds.create_db_subnet_group(
            DBSubnetGroupName="restorecheck",
            DBSubnetGroupDescription="no way out",
            SubnetIds=[s["SubnetId"] for s in subnets],
        )
        if account == FULL:
            rds.create_db_instance(
                DBInstanceIdentifier="somebody-elses",
                DBInstanceClass="db.t4g.micro",
                Engine="postgres",
                AllocatedStorage=20,
                MasterUsername=MASTER,
                MasterUserPassword=PASSWORD,
                DBSubnetGroupName="restorecheck",
                VpcSecurityGroupIds=[group],
            )
        return {"account": account, "group": group, "key": kms.create_key()["KeyMetadata"]["Arn"]}

    # --- files -------------------------------------------------------------------------------------------------------

    def _write(self, labs: dict[str, dict[str, str]], roles: dict[str, str]) -> None:
        source_role = self._role(PRODUCTION, "restorecheck-source")
        parts = [
            f'endpoint_url = "{self.aws.url}"',
            (
                f'[source_accounts.production]\nid = "{PRODUCTION}"\nrole = "{source_role}"\n'
                f'external_id = "{EXTERNAL_ID}"\nregions = ["{REGION}"]'
            ),
        ]
        parts += [self._lab(name, lab, roles[name]) for name, lab in labs.items()]
        (self.home / "checks").mkdir(parents=True, exist_ok=True)
        (self.home / "config.toml").write_text("\n\n".join(parts) + "\n")
        for name, text in CHECKS.items():
            (self.home / "checks" / f"{name}.toml").write_text(text)

    def _role(self, account: str, name: str) -> str:
        return self.aws.role(account, name, trusted=[SERVICE], external_id=EXTERNAL_ID)

    @staticmethod
    def _lab(name: str, lab: dict[str, str], role: str) -> str:
        bucket = f'\nbucket = "{SCRATCH}"' if name == "lab" else ""
        return (
            f'[scratch_accounts.{name}]\nid = "{lab["account"]}"\nrole = "{role}"\nexternal_id = "{EXTERNAL_ID}"\n'
            f'[scratch_accounts.{name}.limits]\npoll = "0.2s"\n'
            f'[scratch_accounts.{name}.regions.{REGION}]\nsubnet_group = "restorecheck"\n'
            f'security_groups = ["{lab["group"]}"]\nkey = "{lab["key"]}"\ninstance_class = "db.t4g.medium"'
            f"{bucket}"
        )
