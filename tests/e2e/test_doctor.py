"""The doctor's round through the demo AWS: a world that is well, and one that somebody has opened to the internet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from demo_world import REGION, SCRATCH, SOURCE
from product import Product

from restorecheck.config import load
from restorecheck.doctor import Diagnosis, diagnose
from restorecheck.ports import fence_of


@pytest.fixture
def ec2(product: Product) -> Any:
    """EC2 as the administrator of the scratch account; the placement lets in its own VPC."""
    client = product.world.aws.client("ec2", SCRATCH)
    client.authorize_security_group_ingress(
        GroupId=product.world.security_group, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="10.77.0.0/16"
    )
    product.world.snapshot("shop", "weekly")
    return client


def round_of(product: Product, monkeypatch: pytest.MonkeyPatch) -> dict[str, Diagnosis]:
    for name, value in product.environment.items():
        monkeypatch.setenv(name, value)
    config = load(product.home / "config.toml")
    before = product.estate()
    found = diagnose(config, fence_of(config), datetime.now(UTC))
    assert product.estate() == before  # it only reads
    return {f"{d.subject}: {d.name}": d for d in found}


@pytest.mark.long
def test_a_world_that_is_well(product: Product, ec2: Any, monkeypatch: pytest.MonkeyPatch):
    found = round_of(product, monkeypatch)
    assert [f"{name}: {d.outcome}: {d.detail}" for name, d in found.items() if d.outcome != "pass"] == []
    assert len(found) == 12
    assert found["shop-db: recovery points"].detail.startswith("1 recovery point")


@pytest.mark.long
def test_a_world_that_is_not(product: Product, ec2: Any, monkeypatch: pytest.MonkeyPatch):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=product.world.vpc)
    [main] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [product.world.vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.authorize_security_group_ingress(
        GroupId=product.world.security_group, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="0.0.0.0/0"
    )
    product.world.aws.client("kms", SOURCE).disable_key(KeyId=product.world.source_key)
    product.configure(instance_class="db.x9.gigantic")
    product.check("bills-db", "bills")
    found = round_of(product, monkeypatch)
    lab, production = f"lab ({SCRATCH}) {REGION}", f"production ({SOURCE}) {REGION}"
    failed = {name for name, d in found.items() if d.outcome == "fail"}
    assert failed == {
        f"{production}: share key",
        f"{lab}: routes",
        f"{lab}: security groups",
        "shop-db: key of the backup",
        "shop-db: instance class",
        "bills-db: recovery points",
    }
    assert found["bills-db: engine version"].outcome == "could not look"
    assert all(d.fix for d in found.values() if d.outcome != "pass")


def test_a_role_that_lets_nobody_in(product: Product, ec2: Any, monkeypatch: pytest.MonkeyPatch):
    config = product.home / "config.toml"
    config.write_text(config.read_text().replace('external_id = "restorecheck-demo"', 'external_id = "a-wrong-one"'))
    found = round_of(product, monkeypatch)
    assert {d.outcome for name, d in found.items() if "identity" in name} == {"fail"}
    assert {d.outcome for name, d in found.items() if "identity" not in name} == {"could not look"}
