"""`restorecheck init` on the demo AWS: what it finds, what it writes, that it runs; and what people do wrong."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from demo_world import EXTERNAL_ID, REGION, SCRATCH, SOURCE, SUBNET_GROUP, World, until
from product import Product

from restorecheck.config import load

pytestmark = pytest.mark.long

BUCKETS = ("shop-exports", "shop-dumps", "plain", "empty")
LAB = "restorecheck-lab"


@pytest.fixture
def estate(shop: World, tmp_path: Path) -> Product:
    """Instances, a cluster and buckets, of which some can be tested; and restorecheck without any configuration."""
    aws = shop.aws
    shop.source_rds.modify_db_instance(DBInstanceIdentifier="shop", BackupRetentionPeriod=7)
    aws.automated_snapshot(SOURCE, "shop")
    shop.database("hidden", "create table t (a int primary key)", "insert into t values (1)", StorageEncrypted=True)
    shop.snapshot("hidden", "hidden-by-hand")
    shop.database("never-saved")
    rows = ("create table basket (id int primary key)", "insert into basket select generate_series(1, 500)")
    shop.cluster("baskets", *rows, StorageEncrypted=True, KmsKeyId=shop.source_key, BackupRetentionPeriod=7)
    aws.automated_cluster_snapshot(SOURCE, "baskets")
    for name in BUCKETS:
        shop.bucket(name, versioning="" if name == "plain" else "Enabled")
    shop.bucket(LAB, SCRATCH)
    then = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    aws.history(SOURCE, "shop-exports", [{"key": f"a/{n}.csv", "body": "a\n1\n", "at": then} for n in range(20)])
    aws.client("s3", SOURCE).put_object(Bucket="shop-dumps", Key="shop/shop-2026-11-21.dump", Body=dumped(shop))
    (tmp_path / "home").mkdir()
    aws.client("ec2", SCRATCH).authorize_security_group_ingress(
        GroupId=shop.security_group, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="10.77.0.0/16"
    )
    return Product(shop, tmp_path / "home")


def dumped(world: World) -> bytes:
    """Dump the shop's database."""
    where = world.source_rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["Endpoint"]
    place = {"PGHOST": where["Address"], "PGPORT": str(where["Port"]), "PGUSER": "shopkeeper", "PGDATABASE": "shop"}
    return subprocess.run(
        [f"{world.aws.state()['postgres_bin']}/pg_dump", "--format", "custom"],
        env={**place, "PGPASSWORD": "a-master-password", "LC_ALL": "C"},
        capture_output=True,
        check=True,
    ).stdout


def flags(product: Product, **more: str) -> list[str]:
    """Return what `init` has to be told of this world."""
    world = product.world
    said = {
        "source-role": world.source_role, "source-external-id": EXTERNAL_ID, "scratch-role": world.scratch_role,
        "scratch-external-id": EXTERNAL_ID, "region": REGION, "subnet-group": SUBNET_GROUP,
        "security-group": world.security_group, "scratch-key": world.scratch_key, "bucket": LAB,
        "endpoint-url": world.aws.url, "database": "shop-dump=shop",
    } | {name.replace("_", "-"): value for name, value in more.items()}  # fmt: skip
    return [part for name, value in said.items() for part in (f"--{name}", value)]


def test_what_is_there_is_written_down_and_runs(estate: Product):
    dry = estate.run("init", *flags(estate), "--dry-run", "--json")
    assert (dry.code, list(estate.home.iterdir())) == (0, [])
    made = estate.run("init", *flags(estate), "--json")
    assert made.code == 0, made.err
    assert made.json["written"] == sorted(dry.json["files"])
    assert sorted(one["name"] for one in made.json["checks"]) == ["baskets", "shop", "shop-dump", "shop-exports"]
    left = {one["source"].rsplit(",", 1)[0].split(" ", 1)[1]: one["reason"] for one in made.json["left_out"]}
    assert set(left) == {"instance hidden", "instance never-saved", "instance baskets-1", "empty", "plain"}
    assert "aws/rds" in left["instance hidden"]
    assert "THERE IS NO BACKUP" in left["instance never-saved"]
    assert estate.run("check-config").code == 0
    assert estate.run("doctor").code == 0
    told = estate.run("run", "shop-dump", "--json").report["failure"]  # as its note says: once by hand
    assert (told["kind"], "shopkeeper" in told["message"]) == ("environment", True)
    dump = estate.home / "checks" / "shop-dump.toml"
    dump.write_text(dump.read_text().replace('# roles  = ["app"]', 'roles = ["shopkeeper"]'))
    ran = estate.run("run", "--all", "--json")
    verdicts = {one["check"]: (one["verdict"], one.get("failure")) for one in ran.json["reports"]}
    assert verdicts == dict.fromkeys(("baskets", "shop", "shop-dump", "shop-exports"), ("passed", None))
    again = estate.run("run", "--all", "--json")  # and what learned yesterday compares today
    found = [one for report in again.json["reports"] for one in report["findings"]]
    assert again.code == 0
    assert {one["outcome"] for one in found} == {"pass"}

    merged = estate.run("init", "--merge", "--json")
    assert (merged.code, merged.json["written"]) == (0, [])
    (estate.home / "checks" / "shop.toml").unlink()
    config = estate.home / "config.toml"
    share = f'[source_accounts.production.share_key]\n{REGION} = "{estate.world.source_key}"\n'
    config.write_text(f"{config.read_text()}\n{share}")
    merged = estate.run("init", "--merge", "--json")
    assert merged.json["written"] == ["checks/hidden.toml", "checks/shop.toml"]
    assert estate.run("run", "hidden", "--json").report["verdict"] == "passed"


def test_a_wrong_external_id(estate: Product):
    made = estate.run("init", "--directory", "here", *flags(estate, source_external_id="a-wrong-one"))
    assert (made.code, (estate.home / "here").exists()) == (3, False)
    assert "AssumeRole" in made.err
    assert "hint: " in made.err


def test_the_roles_swapped(estate: Product):
    world = estate.world
    made = estate.run("init", *flags(estate, source_role=world.scratch_role, scratch_role=world.source_role))
    assert made.code == 2, made.out
    assert "scratch-key" in made.err or "key" in made.err
    assert not (estate.home / "config.toml").exists()


def test_the_wrong_region(estate: Product):
    key = estate.world.scratch_key.replace(REGION, "eu-west-1")
    made = estate.run("init", *flags(estate, region="eu-west-1", scratch_key=key))
    assert made.code == 3
    assert "which was not asked for" in made.out
    assert "there is nothing to write" in made.out
    assert list(estate.home.iterdir()) == []


def test_as_myself_no_role_is_entered(estate: Product):
    aws = estate.world.aws
    keys = {name.upper(): value for name, value in aws.credentials(SOURCE).items()}
    aws.clear_calls()
    made = estate.run("init", *flags(estate), "--as-myself", "--dry-run", "--json", **keys)
    assert made.out, made.err
    assert (made.code, len(made.json["checks"])) == (0, 4)
    assert "AssumeRole" not in {call["operation"] for call in aws.calls()}
    elsewhere = estate.run("init", *flags(estate), "--as-myself")  # the service's own account
    assert (elsewhere.code, SOURCE in elsewhere.err) == (4, True)


def test_twice(estate: Product):
    assert estate.run("init", *flags(estate)).code == 0
    before = {path: path.read_text() for path in estate.home.rglob("*.toml")}
    made = estate.run("init", *flags(estate))
    assert (made.code, "--merge" in made.err) == (2, True)
    assert {path: path.read_text() for path in estate.home.rglob("*.toml")} == before


@pytest.mark.parametrize(
    "operation", ["DescribeDBSnapshots", "DescribeDBClusters", "DescribeKey", "ListBuckets", "GetBucketVersioning"]
)
def test_a_permission_that_is_missing(estate: Product, operation: str):
    estate.world.aws.fault(operation, account=SOURCE, role="*", code="AccessDenied", times=None)
    made = estate.run("init", *flags(estate))
    assert made.code == 3
    assert f"could not look: {operation}" in made.err
    assert load(estate.home / "config.toml").checks


def test_at_a_terminal(estate: Product):
    """Everything that no option says is asked, and a slip is asked again."""
    world, (ours, theirs) = estate.world, pty.openpty()
    said = [
        "not-an-arn", world.source_role, EXTERNAL_ID, world.scratch_role, EXTERNAL_ID, REGION, SUBNET_GROUP,
        world.security_group, world.scratch_key, "", LAB, "",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "restorecheck", "init", "--endpoint-url", world.aws.url],
        cwd=estate.home,
        env=estate.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, "".join(f"{line}\n" for line in said).encode())
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0, err
    assert "'not-an-arn' is not the ARN of an IAM role" in err or '"not-an-arn" is not the ARN' in err
    assert "wrote " in out
    assert load(estate.home / "config.toml").check("shop").placement.instance_class == "db.t4g.medium"


def test_a_terminal_that_is_left(estate: Product):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "restorecheck", "init"],
        cwd=estate.home,
        env=estate.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    until(lambda: process.poll() is not None or os.write(ours, b"\x04"))
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 130
    assert "nothing was written" in err
