"""From nothing to a proved backup, by the templates alone: stacks, config.toml from their outputs, doctor, one run.

The demo AWS enforces policies meanwhile, so what a template does not grant cannot be done.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo_world import MASTER, PASSWORD, SCRATCH, SOURCE, aws, connect, instance_in, snapshot_in
from deploy.stacks import GROUPS, SKIPPED, TEMPLATES, Stacks, template
from product import ROOT

from restorecheck.config import load
from restorecheck.demo.aws.process import DemoAws

__all__ = ["aws"]

EXTERNAL_ID = "a-word-of-our-own"
BUCKET = "shop-exports"
ORDERS = "create table orders as select g as id, 'customer ' || g as customer from generate_series(1, 500) g"
CHECKS = {
    "shop-db": """
[check]
name = "shop-db"
rpo  = "25h"
rto  = "2h"

[source]
type     = "rds"
account  = "production"
region   = "us-east-1"
instance = "shop"
database = "shop"

[scratch]
account         = "lab"
parameter_group = "restorecheck-postgres17"

[[assert]]
name   = "orders"
sql    = "select count(*) from orders"
expect = { equals = 500 }
""",
    "exports": """
[check]
name = "exports"
rpo  = "25h"
rto  = "2h"

[source]
type    = "s3-objects"
account = "production"
region  = "us-east-1"
bucket  = "shop-exports"

[scratch]
account = "lab"

[[assert]]
name   = "count"
sql    = "select count(*) from objects"
expect = { equals = 3 }
""",
}


class Deployed:
    """Accounts that the templates furnished, with something in production to prove."""

    def __init__(self, aws: DemoAws, home: Path) -> None:
        self.aws, self.home = aws, home
        stacks = Stacks(aws)
        role = "arn:aws:iam::{}:role/restorecheck-{}"
        objects = {"SourceObjectArns": f"arn:aws:s3:::{BUCKET}/*"}
        roles = ",".join((role.format(SOURCE, "source"), role.format(SCRATCH, "scratch")))
        self.service = stacks.make(SCRATCH, "identity", RunsOn="ecs-tasks", RoleArns=roles)["ServiceRoleArn"]
        known = {"ServiceRoleArn": self.service, "ExternalId": EXTERNAL_ID}
        self.scratch = stacks.make(SCRATCH, "scratch", SourceAccountId=SOURCE, **known, **objects)
        self.source = stacks.make(
            SOURCE,
            "source",
            ScratchAccountId=SCRATCH,
            SourceBucketArns=f"arn:aws:s3:::{BUCKET}",
            **known,
            **objects,
        )

    def fill(self) -> None:
        """Make a database with an automated backup under AWS's own key, and a versioned bucket."""
        rds = self.aws.client("rds", SOURCE)
        rds.create_db_instance(
            DBInstanceIdentifier="shop",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername=MASTER,
            MasterUserPassword=PASSWORD,
            DBName="shop",
            StorageEncrypted=True,
        )
        with connect(instance_in(rds, "shop")) as connection:
            connection.execute(ORDERS)
        snapshot_in(rds, self.aws.automated_snapshot(SOURCE, "shop"), SnapshotType="automated")
        s3 = self.aws.client("s3", SOURCE)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        policy = {"Version": "2012-10-17", "Statement": json.loads(self.source["BucketPolicyStatements"])}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
        for name in ("a", "b", "c"):
            s3.put_object(Bucket=BUCKET, Key=f"exports/{name}", Body=name.encode())

    def configure(self) -> None:
        """Write config.toml from nothing but the outputs, and the address of the demo AWS."""
        limits = '[scratch_accounts.lab.limits]\npoll = "0.1s"\n'
        parts = [f'endpoint_url = "{self.aws.url}"', self.source["ConfigToml"], self.scratch["ConfigToml"], limits]
        (self.home / "config.toml").write_text("\n\n".join(parts))
        (self.home / "checks").mkdir()
        for name, text in CHECKS.items():
            (self.home / "checks" / f"{name}.toml").write_text(text)

    def environment(self) -> dict[str, str]:
        """Be the role of the service, as a task of ECS is; an administrator, standing in for ECS, lets us in."""
        iam, sts = self.aws.client("iam", SCRATCH), self.aws.client("sts", SCRATCH)
        name = self.service.rpartition("/")[2]
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        assert trust["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        us = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SCRATCH}:root"}, "Action": "sts:AssumeRole"}
        widened = {**trust, "Statement": [*trust["Statement"], us]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
        got = sts.assume_role(RoleArn=self.service, RoleSessionName="task")["Credentials"]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return kept | {
            "PYTHONPATH": str(ROOT),
            "AWS_ACCESS_KEY_ID": got["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"],
            "AWS_SESSION_TOKEN": got["SessionToken"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "COLUMNS": "200",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of restorecheck as the service."""
        command = [sys.executable, "-m", "restorecheck", *arguments]
        return subprocess.run(
            command, cwd=self.home, env=self.environment(), capture_output=True, text=True, timeout=150, check=False
        )

    def control_policy(self) -> dict[str, Any]:
        """Return the service control policy that `restorecheck iam` prints for the scratch account."""
        printed = self.run("iam", "--only", "scratch.scp", "--service", self.service)
        assert printed.returncode == 0, printed.stderr
        found: dict[str, Any] = json.loads(printed.stdout)
        return found

    def left(self) -> list[str]:
        """Return what runs have left in RDS and in the scratch bucket."""
        found = [
            f"{account} {kind} {name}"
            for account, regions in self.aws.digest([SOURCE, SCRATCH]).items()
            for kinds in regions.values()
            for kind, names in kinds.items()
            if kind in {"instances", "snapshots"}
            for name in names
            if name.startswith("restorecheck-")
        ]
        listed = self.aws.client("s3", SCRATCH).list_object_versions(Bucket=self.scratch["ScratchBucket"])
        return found + [one["Key"] for one in listed.get("Versions", ())]


@pytest.fixture
def deployed(aws: DemoAws, tmp_path: Path) -> Deployed:
    aws.reset()
    return Deployed(aws, tmp_path)


@pytest.mark.long
def test_the_first_night_on_what_the_templates_made(deployed: Deployed):
    deployed.fill()
    deployed.configure()
    deployed.aws.enforce(scps={SCRATCH: [deployed.control_policy()]})  # it holds for the service too, which is there

    well = deployed.run("doctor", "--json")
    looks = json.loads(well.stdout)
    assert [one for one in looks["diagnoses"] if one["outcome"] != "pass"] == []
    assert well.returncode == 0

    night = deployed.run("run", "--all", "--json")
    verdicts = {one["check"]: one["verdict"] for one in json.loads(night.stdout)["reports"]}
    assert verdicts == {"shop-db": "passed", "exports": "passed"}, night.stdout + night.stderr
    assert night.returncode == 0
    assert deployed.left() == []
    assert deployed.run("sweep").returncode == 0


@pytest.mark.long
def test_without_a_policy_of_the_stack_nothing_is_restored(deployed: Deployed):
    deployed.fill()
    deployed.configure()
    deployed.aws.enforce()
    iam = deployed.aws.client("iam", SCRATCH)
    for policy in iam.list_attached_role_policies(RoleName="restorecheck-scratch")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="restorecheck-scratch", PolicyArn=policy["PolicyArn"])
    assert deployed.run("doctor").returncode != 0
    night = deployed.run("run", "shop-db", "--json")
    [report] = json.loads(night.stdout)["reports"]
    assert (report["verdict"], report["failure"]["kind"]) == ("unproven", "permission")
    assert night.returncode == 3


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("service-ecs", {"ImageUri": "restorecheck@sha256:0"}),
        ("service-lambda", {"ImageUri": "restorecheck@sha256:0", "Release": "1"}),
    ],
)
def test_a_service_stack_stands_on_that_of_the_scratch_account(
    deployed: Deployed, name: str, package: dict[str, str], tmp_path: Path
):
    where = {
        "ServiceRoleArn": deployed.service,
        "SubnetIds": deployed.scratch["ServiceSubnetIds"],
        "SecurityGroupId": deployed.scratch["ServiceSecurityGroupId"],
    }
    if name == "service-ecs":
        where["VpcId"] = deployed.scratch["VpcId"]
    made = Stacks(deployed.aws).make(SCRATCH, name, **where, **package)
    text = "\n".join((made["ConfigToml"], deployed.source["ConfigToml"], deployed.scratch["ConfigToml"]))
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "shop-db.toml").write_text(CHECKS["shop-db"])
    config = load(tmp_path / "config.toml")
    assert config.exports.emf == "restorecheck"
    assert [receiver.name for receiver in config.receivers] == ["topic"]
    if name == "service-ecs":
        assert config.state.shared
        ecs = deployed.aws.client("ecs", SCRATCH)
        [task] = ecs.list_task_definitions()["taskDefinitionArns"]
        [container] = ecs.describe_task_definition(taskDefinition=task)["taskDefinition"]["containerDefinitions"]
        assert container["readonlyRootFilesystem"]
        assert container["healthCheck"]["command"] == ["CMD", "restorecheck", "healthy"]
        return
    assert config.state.bucket
    bucket = config.state.bucket.name
    functions = deployed.aws.client("lambda", SCRATCH).list_functions()["Functions"]
    assert {one["FunctionName"] for one in functions} == {f"restorecheck-{one}" for one in ("run", "tick", "sweep")}
    for one in functions:
        said = one["Environment"]["Variables"]
        assert said["RESTORECHECK_CONFIG"] == f"s3://{bucket}/config/"


@pytest.mark.long
def test_what_moto_leaves_out_is_known():
    model = importlib.import_module("moto.cloudformation.parsing")
    known = set(model.get_model_map()) | set(model.NULL_MODELS)
    names = [path.stem for path in TEMPLATES.glob("*.yaml")]
    used = {one["Type"] for name in names for one in template(name)["Resources"].values()}
    assert used - known - set(GROUPS) == SKIPPED
