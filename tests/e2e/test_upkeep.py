"""`restorecheck sweep` and `restorecheck doctor` as an operator runs them."""

from datetime import UTC, datetime, timedelta

import pytest
from demo_world import SCRATCH, gone, instance_in
from product import Product

from restorecheck.schedule import run_id, scratch_name


def abandoned(product: Product, hours: int) -> str:
    """Make what a run of `hours` ago would have left, had it died for good; its lease was a day."""
    began = datetime.now(UTC) - timedelta(hours=hours)
    run = run_id("shop-db", began)
    name = scratch_name(run)
    arn = f"arn:aws:rds:us-east-1:{SCRATCH}:db:{name}"
    tags = {
        "restorecheck:managed": "true",
        "restorecheck:run": run,
        "restorecheck:check": "shop-db",
        "restorecheck:resource": arn,
        "restorecheck:expires": (began + timedelta(days=1)).isoformat(timespec="seconds"),
    }
    product.world.scratch_instance(name, tags)
    return name


def test_a_sweep_is_dry_until_it_is_told_otherwise(product: Product):
    old, young = abandoned(product, 30), abandoned(product, 2)
    dry = product.run("sweep", left=True)
    assert dry.code == 4  # something is there that should not be
    assert old in dry.out
    assert "this was a dry run" in dry.out
    swept = product.run("sweep", "--no-dry-run", "--json", left=True)
    states = {piece["arn"].split(":")[-1]: piece["state"] for piece in swept.json["swept"]["pieces"]}
    assert states == {old: "asked", young: "leased"}
    assert swept.code == 0
    gone(product.world.scratch_rds, old)
    assert instance_in(product.world.scratch_rds, young)


@pytest.mark.long
def test_a_sweep_that_would_take_too_much_takes_nothing(product: Product):
    names = [abandoned(product, hours) for hours in (30, 31, 32, 33, 34)]
    for limits in (["--most", "3"], ["--share", "0.9"]):
        stopped = product.run("sweep", "--no-dry-run", *limits, left=True)
        assert stopped.code == 4
        assert "NOTHING WAS DELETED" in stopped.err
    assert all(instance_in(product.world.scratch_rds, name) for name in names)
    assert product.run("sweep", "--no-dry-run", "--share", "1", left=True).code == 0


@pytest.mark.long
def test_a_place_that_cannot_be_looked_at_is_not_an_empty_one(product: Product):
    product.world.aws.fault("DescribeDBInstances", code="AccessDenied", times=None)
    ran = product.run("sweep")
    assert ran.code == 3
    assert "could not look at instances of lab" in ran.err
    assert product.run("sweep", "--json").json["swept"]["could_not_look"][0]["what"] == "instances"


@pytest.mark.parametrize("as_json", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_doctor_says_what_is_well_and_what_to_mend(product: Product, as_json: bool):
    product.world.snapshot("shop", "weekly")
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.77.0.0/16"}]}
    ec2 = product.world.aws.client("ec2", SCRATCH)
    ec2.authorize_security_group_ingress(GroupId=product.world.security_group, IpPermissions=[permission])
    well = product.run("doctor", *(["--json"] if as_json else []))
    assert well.code == 0, well.out
    product.configure(subnet_group="not-there")
    ill = product.run("doctor", *(["--json"] if as_json else []))
    assert ill.code == 3
    if as_json:
        outcomes = {d["name"]: d for d in ill.json["diagnoses"]}
        assert outcomes["subnets"]["outcome"] == "fail"
        assert outcomes["subnets"]["fix"]
    else:
        assert "not-there" in ill.out
        assert "fail" in ill.out
