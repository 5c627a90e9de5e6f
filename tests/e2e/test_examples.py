"""Every example in checks/, run as it stands on the demo AWS: green while the data is healthy, red once it is not.

What has to differ from the files: the region, the accounts' ids and keys, how often AWS is asked, and three things that
are not on every machine (age, pgcrypto, and a generous amount of time). Everything else is what an operator copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_world import BASE, EXTERNAL_ID, MASTER, PASSWORD, REGION, SCRATCH, SOURCE, SUBNET_GROUP, World
from example_sources import EXAMPLES, Databases, told
from product import ROOT, Product
from requirements import need, program

from restorecheck.config import review

GROUPS = {
    "parameter": ("restorecheck-postgres17", "restorecheck-postgres16", "restorecheck-mysql80"),
    "cluster": ("restorecheck-aurora-postgresql17", "restorecheck-aurora-postgresql16"),
}
LAB = "restorecheck-lab-222222222222"


def test_there_are_ten_and_more_and_nothing_is_to_be_remarked_on_them():
    config, remarks = review(ROOT / "config.example.toml")
    assert remarks == []
    assert {check.name for check in config.checks} == set(EXAMPLES)
    assert len(EXAMPLES) >= 10


def configuration(world: World) -> str:
    """Return config.example.toml, pointed at the demo AWS, and telling nobody."""
    text = (ROOT / "config.example.toml").read_text()
    before, rest = text.split("[receivers.pager]")
    text = before + "[metrics]" + rest.split("[metrics]")[1]
    for said, meant in {
        '# endpoint_url = "http://127.0.0.1:5555"': f'endpoint_url = "{world.aws.url}"',
        'receivers = ["pager", "topic", "deadman"]': "receivers = []",
        "critical  = true": "critical  = false",
        "eu-central-1": REGION,
        "arn:aws:iam::111111111111:role/restorecheck-source": world.source_role,
        "arn:aws:iam::222222222222:role/restorecheck-scratch": world.scratch_role,
        "restorecheck-4f1c2e": EXTERNAL_ID,
        "restorecheck-9b27d0": EXTERNAL_ID,
        f"arn:aws:kms:{REGION}:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab": world.source_key,
        f"arn:aws:kms:{REGION}:222222222222:key/0987dcba-09fe-87dc-65ba-ab0987654321": world.scratch_key,
        'subnet_group    = "restorecheck"': f'subnet_group    = "{SUBNET_GROUP}"',
        "sg-0123456789abcdef0": world.security_group,
        'poll      = "30s"': 'poll      = "0.1s"',
    }.items():
        assert said in text, said
        text = text.replace(said, meant)
    return text


def check_file(name: str) -> str:
    """Return an example, with what this machine has in place of age and of pgcrypto."""
    text = (ROOT / "checks" / f"{name}.toml").read_text()
    text = text.replace('["age", "-d", "-i", "/etc/restorecheck/age.key"]', '["base64", "-d"]')
    return text.replace('required = ["pgcrypto"]', 'required = ["amcheck"]').replace("eu-central-1", REGION)


@pytest.fixture
def scratch(world: World) -> Iterator[World]:
    """The scratch account has what config.example.toml names."""
    rds = world.scratch_rds
    for name in GROUPS["parameter"]:
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres17", Description=name)
    for name in GROUPS["cluster"]:
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=name, DBParameterGroupFamily="aurora-postgresql17", Description=name
        )
    world.bucket(LAB, SCRATCH, versioning="")
    return world


class Ran:
    """One run of an example."""

    def __init__(self, product: Product, name: str) -> None:
        done = product.run("run", name, "--json")
        assert '"reports"' in done.out, (done.out, done.err)
        self.report = done.report
        self.verdict = str(self.report["verdict"])
        self.outcomes = {str(one["name"]): str(one["outcome"]) for one in self.report["findings"]}


def recorded(product: Product, made: Databases, name: str) -> None:
    """Record beside the backup, as an operator does, what the reference of the example is compared with."""
    where, world = made.instance["Endpoint"], made.world
    role = world.aws.role(SOURCE, "recorder", trusted=[BASE])
    url = f"postgresql://{MASTER}@{where['Address']}:{where['Port']}/ledger"
    command = ("record", name, "--reference", "replica", "--from", url, "--role", role, "--json")
    process = product.popen(*command, RESTORECHECK_RECORD_PASSWORD=PASSWORD)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.long
def test_an_example_is_green_and_turns_red(name: str, scratch: World, tmp_path: Path):
    example = EXAMPLES[name]
    need(not example.programs or program(example.programs), "MariaDB is not there (apt: mariadb-server)")
    (tmp_path / "checks").mkdir()
    (tmp_path / "config.toml").write_text(configuration(scratch))
    (tmp_path / "checks" / f"{name}.toml").write_text(check_file(name))
    product = Product(scratch, tmp_path)
    made = example.build(scratch)
    if name == "ledger-db":
        recorded(product, made, name)
        made.backup()

    healthy = Ran(product, name)
    assert healthy.verdict == "passed", told(healthy.report)
    assert {healthy.outcomes[red] for red in example.red} <= {"pass"}
    assert not {"fail", "error"} & set(healthy.outcomes.values()), told(healthy.report)
    if "learning" in healthy.outcomes.values():  # what learned is compared by the next run, or once it was accepted
        asked = [one for one, outcome in healthy.outcomes.items() if outcome == "learning"]
        accepted = product.run("accept", name, *asked, "--reason", "as it was meant", "--json")
        assert accepted.code == 0, accepted.out
        again = Ran(product, name)
        assert set(again.outcomes.values()) <= {"pass", "warn", "learning"}, told(again.report)
        assert again.verdict == "passed", told(again.report)

    example.spoil(made)
    spoiled = Ran(product, name)
    assert spoiled.verdict == "broken", told(spoiled.report)
    assert {spoiled.outcomes[red] for red in example.red} <= {"fail", "error"}, told(spoiled.report)
