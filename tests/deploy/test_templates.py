"""The CloudFormation templates: what linters say, whose policies they hold, and what must never be in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.policies import TEMPLATES, template_with_policies
from deploy.stacks import template
from deploy.test_terraform import CHECKOV, WHY, checkov
from requirements import need

from restorecheck.fence.table import TABLE, Role
from restorecheck.metrics import emf
from restorecheck.schedule import PREFIX

NAMES = ("identity", "source", "scratch", "service-ecs", "service-lambda")
OF_PEOPLE = {"signin", "sso", "sso-oidc"}
"""Services that a person's login calls, and no service does."""


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_those_of_the_fence(name: str):
    path = TEMPLATES / f"{name}.yaml"
    wanted = template_with_policies(path)
    if os.environ.get("REGENERATE"):
        path.write_text(wanted)
    assert path.read_text() == wanted, "REGENERATE=1 writes it"


def test_every_template_is_looked_at():
    assert {path.stem for path in TEMPLATES.glob("*.yaml")} == set(NAMES)


def lint(path: Path, *regions: str) -> list[str]:
    from cfnlint import ManualArgs  # noqa: PLC0415 - takes a second, in every process that collects tests
    from cfnlint.api import lint_file  # noqa: PLC0415

    return [str(one) for one in lint_file(path, config=ManualArgs(regions=list(regions)))]


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_finds_nothing(name: str):
    assert lint(TEMPLATES / f"{name}.yaml", "us-east-1", "eu-central-1") == []


@pytest.mark.long
def test_cfn_lint_would_find_something(tmp_path: Path):
    text = (TEMPLATES / "scratch.yaml").read_text()
    (tmp_path / "scratch.yaml").write_text(text.replace("EnableKeyRotation", "EnableKeyRoatation"))
    assert lint(tmp_path / "scratch.yaml", "us-east-1")


@pytest.mark.long
def test_checkov_finds_nothing_and_every_suppression_has_a_reason():
    need(CHECKOV, WHY)
    told = checkov("cloudformation", TEMPLATES)
    assert told["failed"] == []
    assert told["passed"] > 100
    assert all(len(reason) > 20 for reason in told["skipped"])


# --- what must hold, and no linter knows ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    return {name: template(name) for name in NAMES}


def every(found: dict[str, dict[str, Any]], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in found.items():
        for logical, resource in one["Resources"].items():
            if resource["Type"] == kind:
                yield f"{name}.{logical}", resource


def test_no_network_has_a_way_out(templates: dict[str, dict[str, Any]]):
    types = {resource["Type"] for one in templates.values() for resource in one["Resources"].values()}
    leads_out = (
        "InternetGateway",
        "NatGateway",
        "VPCPeering",
        "TransitGateway",
        "EC2::Route",
        "VPNGateway",
        "EC2::EIP",
    )
    assert not {kind for kind in types if kind.endswith(leads_out)}
    groups = dict(every(templates, "AWS::EC2::SecurityGroup"))
    assert groups["scratch.DatabaseGroup"]["Properties"]["SecurityGroupEgress"] == [
        {"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nowhere"}
    ]
    assert "SecurityGroupIngress" not in groups["scratch.DatabaseGroup"]["Properties"]
    rules = [one["Properties"] for _, one in every(templates, "AWS::EC2::SecurityGroupIngress")]
    into = [one for one in rules if one["GroupId"] == {"Ref": "DatabaseGroup"}]
    assert sorted(one["FromPort"] for one in into) == [3306, 5432]
    assert all(one["SourceSecurityGroupId"] == {"Ref": "ServiceGroup"} and "CidrIp" not in one for one in into)


def test_the_service_has_a_way_to_everything_that_the_fence_lets_it_call(templates: dict[str, dict[str, Any]]):
    ways = {
        one["Properties"]["ServiceName"]["Fn::Sub"].rpartition("${AWS::Region}.")[2]
        for _, one in every(templates, "AWS::EC2::VPCEndpoint")
    }
    called = {service for role in Role for service in TABLE[role]} - OF_PEOPLE
    assert called <= ways
    assert ways - called == {"logs", "secretsmanager", "ecr.api", "ecr.dkr"}  # for the task itself


def test_parameter_groups_start_nothing(templates: dict[str, dict[str, Any]]):
    kinds = ("AWS::RDS::DBParameterGroup", "AWS::RDS::DBClusterParameterGroup")
    groups = [one["Properties"] for kind in kinds for _, one in every(templates, kind)]
    assert len(groups) == 15
    for group in groups:
        name = group.get("DBParameterGroupName") or group["DBClusterParameterGroupName"]
        assert name == PREFIX + group["Family"].replace(".", "-")
        if "postgres" in group["Family"]:
            assert "cron" not in group["Parameters"]["shared_preload_libraries"]
            assert group["Parameters"]["max_logical_replication_workers"] == "0"
        else:
            assert group["Parameters"]["event_scheduler"] == "OFF"


def test_what_is_worth_keeping_is_kept_and_scratch_is_not(templates: dict[str, dict[str, Any]]):
    kept = {
        f"{name}.{logical}"
        for name, one in templates.items()
        for logical, resource in one["Resources"].items()
        if resource.get("DeletionPolicy") in {"Retain", "Snapshot"}
    }
    assert kept == {
        "source.ShareKey",
        *(f"service-ecs.{one}" for one in ("State", "StatePassword", "ServiceKey", "Log")),
        *(f"service-lambda.{one}" for one in ("StateBucket", "StateBucketPolicy", "RunVersion")),
        *(f"service-lambda.{one}Log" for one in ("Run", "Tick", "Sweep")),
    }
    for name, one in every(templates, "AWS::S3::Bucket"):
        assert "ObjectLockEnabled" not in one["Properties"]
        assert ("VersioningConfiguration" in one["Properties"]) is (name == "service-lambda.StateBucket")
        assert set(one["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    for _, one in every(templates, "AWS::RDS::DBInstance"):
        assert not str(one["Properties"]["DBInstanceIdentifier"]).startswith(PREFIX)


def test_alarms_ask_for_metrics_that_are_written(templates: dict[str, dict[str, Any]]):
    written = {shown.name for shown in emf.OF_ALL}
    for service in ("service-ecs", "service-lambda"):
        alarms = [one["Properties"] for _, one in every({service: templates[service]}, "AWS::CloudWatch::Alarm")]
        ours = [one for one in alarms if one["Namespace"] == {"Ref": "MetricsNamespace"}]
        assert len(ours) == (6 if service == "service-ecs" else 7)
        assert {one["MetricName"] for one in ours} <= written
        assert all(one["TreatMissingData"] in {"breaching", "ignore"} for one in ours)
    executions = [
        one["Properties"]["MetricName"]
        for _, one in every({"": templates["service-lambda"]}, "AWS::CloudWatch::Alarm")
        if one["Properties"].get("Dimensions") == [{"Name": "FunctionName", "Value": {"Ref": "Run"}}]
    ]
    # What an invocation ends in says nothing of a run, which Lambda goes on with. [Lambda guide, durable-monitoring]
    assert executions == ["DurableExecutionFailed", "DurableExecutionTimedOut"]
    [ticks] = [
        one["Properties"] for name, one in every(templates, "AWS::CloudWatch::Alarm") if name.endswith("TicksAlarm")
    ]
    assert ticks["TreatMissingData"] == "breaching"


def test_the_durable_function_is_called_by_its_alias_and_the_others_by_schedule(templates: dict[str, dict[str, Any]]):
    functions = {name: one["Properties"] for name, one in every(templates, "AWS::Lambda::Function")}
    assert {name.rpartition(".")[2] for name, one in functions.items() if "DurableConfig" in one} == {"Run"}
    # A tick that fails once is no letter that lies there until somebody removes it: three in a row are an alarm.
    assert {name.rpartition(".")[2] for name, one in functions.items() if "DeadLetterConfig" in one} == {"Run"}
    for one in functions.values():
        assert one["Environment"]["Variables"]["RESTORECHECK_RUN_FUNCTION"] == {"Fn::Sub": "${Name}-run:live"}
        handler = one["Handler"]["Fn::If"][2]
        module, _, function = handler.rpartition(".")
        assert hasattr(__import__(module, fromlist=[function]), function)
    schedules = [one["Properties"]["Target"]["Arn"] for _, one in every(templates, "AWS::Scheduler::Schedule")]
    assert schedules == [{"Fn::GetAtt": ["Tick", "Arn"]}, {"Fn::GetAtt": ["Sweep", "Arn"]}]


def test_texts_that_aws_takes_in_ascii_only_are(templates: dict[str, dict[str, Any]]):
    for path in TEMPLATES.glob("*.yaml"):
        assert path.read_text().isascii()
