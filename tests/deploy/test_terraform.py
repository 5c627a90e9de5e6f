"""The Terraform modules as Terraform reads them: formatted, valid, planned, applied, not destroyed by accident.

The provider is a stand-in with the schema of AWS's own (`terraform/provider.py`): arguments, types, references and
cycles are judged by Terraform itself, and no call to AWS is made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.policies import module_policies
from requirements import need

from restorecheck.config import load

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "deploy" / "terraform"
HERE = Path(__file__).parent / "terraform"
CHECKOV = os.environ.get("RESTORECHECK_CHECKOV", "")
WHY = "RESTORECHECK_CHECKOV is what tests/checkov.sh prints; terraform lies beside it"
EXAMPLE = {
    "production_account_id": "111111111111",
    "scratch_account_id": "222222222222",
    "external_id": "a-word",
    "alarm_email": "platform@example.org",
}
CHECK = """
[check]
name     = "shop-db"
rpo      = "25h"
rto      = "2h"
restores = true

[source]
type     = "rds"
account  = "production"
region   = "eu-central-1"
instance = "shop"
database = "shop"

[scratch]
account         = "lab"
parameter_group = "restorecheck-postgres17"
"""

PACKAGE = {
    "ecs": {"image_uri": "222222222222.dkr.ecr.eu-central-1.amazonaws.com/restorecheck@sha256:0"},
    "lambda": {"code": '{ bucket = "packages", key = "restorecheck-lambda.zip" }'},
}


@pytest.mark.parametrize("path", sorted(module_policies()), ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_policies_are_those_of_the_fence(path: Path):
    wanted = module_policies()[path]
    if os.environ.get("REGENERATE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted)
    assert path.read_text() == wanted, "REGENERATE=1 writes it"


def test_no_policy_is_there_that_nobody_makes():
    assert set(TERRAFORM.rglob("*.tftpl")) == set(module_policies())


class Terraform:
    """A copy of the modules, and Terraform beside the provider that stands in."""

    def __init__(self, work: Path, socket: Path, pid: int) -> None:
        shutil.copytree(TERRAFORM, work / "terraform")
        (work / "empty.tfrc").touch()
        self.modules, self.example = work / "terraform", work / "terraform" / "examples" / "complete"
        plugin = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": pid,
            "Test": True,
            "Addr": {"Network": "unix", "String": str(socket)},
        }
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "AWS_"))} | {
            "TF_REATTACH_PROVIDERS": json.dumps({"registry.terraform.io/hashicorp/aws": plugin}),
            "TF_CLI_CONFIG_FILE": str(work / "empty.tfrc"),
            "CHECKPOINT_DISABLE": "1",
        }

    def run(self, *arguments: str, at: Path | None = None, code: int | None = 0) -> str:
        """Run a command in the example, or elsewhere, and return what it said."""
        done = subprocess.run(
            [str(Path(CHECKOV).with_name("terraform")), *arguments],
            cwd=at or self.example,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of what was applied."""
        return {name: one["value"] for name, one in json.loads(self.run("output", "-json")).items()}

    def planned(self, runs_on: str) -> list[str]:
        """Return the arguments that every plan of the example needs."""
        said = EXAMPLE | {"runs_on": runs_on} | PACKAGE[runs_on]
        return ["-input=false", "-no-color", *(f"-var={name}={value}" for name, value in said.items())]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    need(CHECKOV, WHY)
    work = tmp_path_factory.mktemp("terraform")
    socket = work / "provider.sock"
    serving = [
        str(Path(CHECKOV).with_name("python")),
        str(HERE / "provider.py"),
        str(HERE / "schema.json"),
        str(socket),
    ]
    with subprocess.Popen(serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdin
        assert provider.stdout
        assert provider.stdout.readline() == "serving\n"
        made = Terraform(work, socket, provider.pid)
        made.run("init", "-backend=false", "-input=false", "-no-color")
        yield made
        provider.stdin.close()


@pytest.mark.long
def test_files_are_as_terraform_writes_them(terraform: Terraform):
    assert terraform.run("fmt", "-check", "-diff", "-recursive", at=terraform.modules) == ""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", sorted(path.name for path in (TERRAFORM / "modules").iterdir()))
def test_each_module_is_valid_by_itself(terraform: Terraform, module: str):
    directory = terraform.modules / "modules" / module
    terraform.run("init", "-backend=false", "-input=false", "-no-color", at=directory)
    told = json.loads(terraform.run("validate", "-json", at=directory))
    assert told["diagnostics"] == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (("name                 = var.role_name", "nome = var.role_name"), "Unsupported argument"),
        (("enable_key_rotation     = true", 'enable_key_rotation = "perhaps"'), "Incorrect attribute value type"),
        (("aws_kms_key.this.key_id", "aws_kms_key.that.key_id"), "Reference to undeclared resource"),
        (("  family      = each.key\n", ""), "Missing required argument"),
    ],
    ids=["argument", "type", "reference", "required"],
)
def test_what_is_wrong_is_seen(terraform: Terraform, tmp_path: Path, break_it: tuple[str, str], told: str):
    directory = tmp_path / "scratch-account"
    shutil.copytree(TERRAFORM / "modules" / "scratch-account", directory)
    text = (directory / "main.tf").read_text()
    assert break_it[0] in text
    (directory / "main.tf").write_text(text.replace(*break_it, 1))
    terraform.run("init", "-backend=false", "-input=false", "-no-color", at=directory)
    assert told in terraform.run("validate", "-no-color", at=directory, code=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("runs_on", ["lambda", "ecs"])
def test_the_example_is_applied_and_its_outputs_are_a_configuration(terraform: Terraform, tmp_path: Path, runs_on: str):
    (terraform.example / "terraform.tfstate").unlink(missing_ok=True)
    terraform.run("apply", "-auto-approve", *terraform.planned(runs_on))
    outputs = terraform.outputs()
    _is_loaded(outputs["config_toml"], tmp_path)
    assert json.loads(outputs["bucket_policy_statements"])[0]["Resource"] == ["arn:aws:s3:::shop-exports/exports/*"]

    state = json.loads((terraform.example / "terraform.tfstate").read_text())
    whole = json.dumps(state)
    assert "a-password" not in whole  # what is ephemeral is in no file
    policies = [
        json.loads(instance["attributes"]["policy"])
        for resource in state["resources"]
        for instance in resource["instances"]
        if resource["type"] in {"aws_iam_policy", "aws_iam_role_policy"}
    ]
    assert len(policies) >= 5
    assert all(one.get("Resource") for policy in policies for one in policy["Statement"])
    [entered] = [one for policy in policies for one in policy["Statement"] if one.get("Sid") == "EnterRoles"]
    assert sorted(entered["Resource"]) == [
        "arn:aws:iam::222222222222:role/restorecheck-scratch",
        "arn:aws:iam::222222222222:role/restorecheck-source",
    ]

    refused = terraform.run("plan", "-destroy", *terraform.planned(runs_on), code=1)
    assert "Instance cannot be destroyed" in refused


def _is_loaded(text: str, home: Path) -> None:
    """Load the lines as a configuration, with names of the form that AWS gives where the stand-in gives others."""
    group = "sg-0123456789abcdef0"
    key = "1234abcd-12ab-34cd-56ef-1234567890ab"
    said = text.replace("aws_security_group-id", group).replace(":aws_kms_key", f":key/{key}")
    head, _, scratch = said.partition("[source_accounts.production]")
    source, _, rest = scratch.partition("[scratch_accounts.lab]")
    source = source.replace("222222222222", "111111111111")  # the stand-in is in one account for all
    (home / "checks").mkdir()
    (home / "checks" / "shop-db.toml").write_text(CHECK)
    whole = f"{head}[source_accounts.production]{source}[scratch_accounts.lab]{rest}"
    (home / "config.toml").write_text(whole.replace("aws_db_instance-address", "state.example.org"))
    config = load(home / "config.toml")
    [place] = config.scratch_accounts[0].placements
    assert (place.subnet_group, place.security_groups) == ("restorecheck", (group,))
    assert config.source_accounts[0].share_keys == {"eu-central-1": f"arn:aws:kms:eu-central-1:111111111111:key/{key}"}


@pytest.mark.long
def test_checkov_finds_nothing_and_every_suppression_has_a_reason():
    need(CHECKOV, WHY)
    told = checkov("terraform", TERRAFORM)
    assert told["failed"] == []
    assert told["passed"] > 100
    assert all(len(reason) > 20 for reason in told["skipped"])


def checkov(framework: str, directory: Path) -> dict[str, Any]:
    """Run checkov, offline, and return what failed, the reasons of what was skipped, and how much passed."""
    # From within: a long path looks to it like a secret, of every function in the file.
    done = subprocess.run(
        [CHECKOV, "-d", ".", "--framework", framework, "-o", "json", "--quiet", "--skip-download"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    said = json.loads(done.stdout)
    results = said["results"]
    return {
        "failed": [f"{one['check_id']} {one['resource']} {one['check_name']}" for one in results["failed_checks"]],
        "skipped": [one["check_result"]["suppress_comment"] for one in results.get("skipped_checks", ())],
        "passed": said["summary"]["passed"],
    }
