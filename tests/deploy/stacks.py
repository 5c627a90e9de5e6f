"""The CloudFormation templates as stacks of the demo AWS, whose CloudFormation is moto's.

What moto cannot do is done here in its place, from the template's own properties, and never in the template:

- The default of a list is taken for a text: every default is passed as a parameter.
- `Ref` of a subnet group or of a parameter group is no name: the name that the template gives it stands in its place.
- Parameter groups get made-up names, and those of clusters are not made at all: they are made by the API of RDS.
- The policy of a key is kept as what it was parsed to, on which moto's KMS stumbles: it is put once more, as text.
- An instance of the service's own (its state) is not made: the demo's instances are no objects of moto's.
- Types in `SKIPPED` are left out. Nothing that a run needs is among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restorecheck.demo.aws.process import DemoAws

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "deploy" / "cloudformation"

GROUPS = {
    "AWS::RDS::DBParameterGroup": "db_parameter_group",
    "AWS::RDS::DBClusterParameterGroup": "db_cluster_parameter_group",
}
SUBNETS = "AWS::RDS::DBSubnetGroup"
DATABASE = "AWS::RDS::DBInstance"
ADDRESS = "state.example.org"
SKIPPED = {
    "AWS::CloudWatch::Alarm",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SecretsManager::Secret",
}
"""Types of these templates that moto does not know."""


def template(name: str) -> dict[str, Any]:
    """Return a template as CloudFormation reads it, with the long names of its functions."""
    from cfnlint.decode.cfn_yaml import load  # noqa: PLC0415 - takes a second, in every process that collects tests

    found: dict[str, Any] = json.loads(json.dumps(load(str(TEMPLATES / f"{name}.yaml"))))
    return found


def resources(found: dict[str, Any], *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources of some types, by their logical names."""
    for name, resource in found["Resources"].items():
        if resource["Type"] in types:
            yield name, resource.get("Properties", {})


class Stacks:
    """Stacks in accounts of a demo AWS."""

    def __init__(self, aws: DemoAws) -> None:
        self._aws = aws

    def make(self, account: str, name: str, **parameters: str) -> dict[str, str]:
        """Create a stack as an administrator of the account would, and return its outputs."""
        found = template(name)
        said = {key: str(one["Default"]) for key, one in found["Parameters"].items() if "Default" in one}
        missing = set(found["Parameters"]) - set(said) - set(parameters)
        assert not missing, f"{name} asks for {missing}"
        names: dict[str, str] = {}
        for logical, properties in resources(found, SUBNETS):
            names[logical] = properties.setdefault("DBSubnetGroupName", f"restorecheck-{logical.lower()}")
        for logical, _ in list(resources(found, DATABASE)):
            names[f"{logical}.Endpoint.Address"] = ADDRESS
            del found["Resources"][logical]
        for kind in GROUPS:
            for logical, properties in list(resources(found, kind)):
                names[logical] = self._group(account, kind, properties)
                del found["Resources"][logical]
        client = self._aws.client("cloudformation", account)
        client.create_stack(
            StackName=f"restorecheck-{name}",
            TemplateBody=json.dumps(_named(found, names)),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (said | parameters).items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        [stack] = client.describe_stacks(StackName=f"restorecheck-{name}")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        kms = self._aws.client("kms", account)
        for key in kms.list_keys()["Keys"]:
            policy = kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
            text = policy if isinstance(policy, str) else json.dumps(policy)
            kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=text)
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"] if "OutputValue" in one}

    def _group(self, account: str, kind: str, properties: dict[str, Any]) -> str:
        """Make a parameter group with the properties of the template, and return its name."""
        rds = self._aws.client("rds", account)
        call, called = GROUPS[kind], kind.rpartition("::")[2] + "Name"
        name: str = properties[called]
        getattr(rds, f"create_{call}")(
            **{called: name},
            DBParameterGroupFamily=properties["Family"],
            Description=properties["Description"],
        )
        getattr(rds, f"modify_{call}")(
            **{called: name},
            Parameters=[
                {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
                for key, value in properties["Parameters"].items()
            ],
        )
        return name


def _named(value: Any, names: dict[str, str]) -> Any:
    """Return a template in which names stand where moto would put none."""
    if isinstance(value, dict):
        if value.get("Ref") in names and len(value) == 1:
            return names[value["Ref"]]
        if ".".join(value.get("Fn::GetAtt", ())) in names:
            return names[".".join(value["Fn::GetAtt"])]
        return {key: _named(held, names) for key, held in value.items()}
    if isinstance(value, list):
        return [_named(held, names) for held in value]
    if isinstance(value, str):
        for logical, name in names.items():
            value = value.replace(f"${{{logical}}}", name)
    return value
