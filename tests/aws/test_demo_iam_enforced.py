"""Policies that are enforced: what a caller is told, what the call log shows, and that by default none is."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import boto3
import botocore.exceptions
import pytest
from demo_world import BASE, REGION, SCRATCH, SOURCE

from restorecheck.demo.aws.process import DemoAws, DemoAwsError

ROLE = f"arn:aws:sts::{SCRATCH}:assumed-role/lab/trial"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource} | more


class Lab:
    """A role in the scratch account, and what it is given."""

    def __init__(self, aws: DemoAws) -> None:
        self.aws, self.iam = aws, aws.client("iam", SCRATCH)
        self.arn = aws.role(SCRATCH, "lab", trusted=[SCRATCH])
        sts = aws.client("sts", SCRATCH)
        got = sts.assume_role(RoleArn=self.arn, RoleSessionName="trial")["Credentials"]
        self._session = boto3.Session(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"], REGION)

    def client(self, service: str) -> Any:
        make: Any = self._session.client
        return make(service, endpoint_url=self.aws.url)

    def may(self, *statements: dict[str, Any]) -> None:
        """Give the role these statements in place of others, and enforce them."""
        statements = statements or (allow("iam:GetUser"),)  # IAM takes no policy that says nothing
        self.iam.put_role_policy(RoleName="lab", PolicyName="own", PolicyDocument=document(*statements))
        self.aws.enforce()

    def decisions(self) -> list[dict[str, Any]]:
        return [d for call in self.aws.calls() for d in call.get("decisions", ())]


@pytest.fixture
def lab(fresh_aws: DemoAws) -> Lab:
    return Lab(fresh_aws)


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**parameters)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_it_is_off_by_default_and_after_a_reset_and_never_binds_an_administrator(lab: Lab) -> None:
    rds = lab.client("rds")
    assert rds.describe_db_instances()["DBInstances"] == []
    assert lab.decisions() == []
    lab.aws.enforce()
    assert refused(rds.describe_db_instances)[0] == "AccessDenied"
    assert lab.aws.client("rds", SCRATCH).describe_db_instances()["DBInstances"] == []
    lab.aws.enforce(False)
    assert rds.describe_db_instances()["DBInstances"] == []
    lab.aws.enforce()
    lab.aws.reset()
    again = Lab(lab.aws)
    assert again.client("rds").describe_db_instances()["DBInstances"] == []


@pytest.mark.long
def test_every_service_refuses_in_its_own_words(lab: Lab) -> None:
    lab.aws.client("s3", SCRATCH).create_bucket(Bucket="a-bucket")
    key = lab.aws.client("kms", SCRATCH).create_key()["KeyMetadata"]["Arn"]
    topic = lab.aws.client("sns", SCRATCH).create_topic(Name="a-topic")["TopicArn"]
    lab.aws.enforce()

    def said(action: str, resource: str = "") -> str:
        on = f" on resource: {resource}" if resource else ""
        because = f"because no identity-based policy allows the {action} action"
        return f"User: {ROLE} is not authorized to perform: {action}{on} {because}"

    db = f"arn:aws:rds:{REGION}:{SCRATCH}:db:a"
    assert refused(lab.client("rds").delete_db_instance, DBInstanceIdentifier="a", SkipFinalSnapshot=True) == (
        "AccessDenied",
        said("rds:DeleteDBInstance", db),
    )
    assert refused(lab.client("s3").get_object, Bucket="a-bucket", Key="k") == (
        "AccessDenied",
        said("s3:GetObject", "arn:aws:s3:::a-bucket/k"),
    )
    assert refused(lab.client("s3").head_object, Bucket="a-bucket", Key="k")[0] == "403"
    assert refused(lab.client("kms").describe_key, KeyId=key) == (
        "AccessDeniedException",
        said("kms:DescribeKey", key),
    )
    assert refused(lab.client("sns").publish, TopicArn=topic, Message="m") == (
        "AuthorizationError",
        said("sns:Publish", topic),
    )
    code, message = refused(lab.client("ec2").describe_subnets)
    assert code == "UnauthorizedOperation"
    assert message == f"You are not authorized to perform this operation. {said('ec2:DescribeSubnets')}"
    other = f"arn:aws:iam::{BASE}:role/other"
    assert refused(lab.client("sts").assume_role, RoleArn=other, RoleSessionName="trial") == (
        "AccessDenied",
        said("sts:AssumeRole", other),
    )
    function = f"arn:aws:lambda:{REGION}:{SCRATCH}:function:f:live"
    assert refused(lab.client("lambda").invoke, FunctionName="f", Qualifier="live") == (
        "AccessDeniedException",
        said("lambda:InvokeFunction", function),
    )
    assert lab.client("sts").get_caller_identity()["Account"] == SCRATCH  # which nothing can forbid


@pytest.mark.long
def test_the_call_log_shows_each_decision_and_the_statements_that_made_it(lab: Lab) -> None:
    target = f"arn:aws:rds:{REGION}:{SCRATCH}:db:restorecheck-a"
    tagged = {"StringEquals": {"aws:RequestTag/team": "lab"}}
    makes = allow("rds:CreateDBInstance", resource=f"arn:aws:rds:{REGION}:{SCRATCH}:db:restorecheck-*", Sid="Make")
    lab.may(makes | {"Condition": tagged}, allow("rds:AddTagsToResource", Sid="Tag"))
    lab.aws.clear_calls()
    code, message = refused(
        lab.client("rds").create_db_instance,
        DBInstanceIdentifier="restorecheck-a",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        Tags=[{"Key": "team", "Value": "lab"}],
    )
    assert code == "AccessDenied"
    assert "rds:CreateDBInstance on resource: " in message
    assert ":subgrp:default because" in message
    assert [(d["action"], d["resource"], d["by"]) for d in lab.decisions()][:2] == [
        ("rds:CreateDBInstance", target, ["own: Make"]),
        ("rds:AddTagsToResource", target, ["own: Tag"]),
    ]
    assert [d["allowed"] for d in lab.decisions()] == [True, True, False]


@pytest.mark.long
def test_a_key_of_another_account_needs_both_sides_and_rds_does_not_say_what_is_missing(lab: Lab) -> None:
    kms = lab.aws.client("kms", SOURCE)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    lab.may(allow("kms:DescribeKey"))
    assert refused(lab.client("kms").describe_key, KeyId=key)[1].endswith(
        "because no resource-based policy allows the kms:DescribeKey action"
    )
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:root"}, "Action": "kms:*", "Resource": "*"}
    theirs = own | {"Principal": {"AWS": lab.arn}, "Action": "kms:DescribeKey", "Sid": "Lab"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(own, theirs))
    assert lab.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    assert lab.decisions()[-1]["by"] == ["own: statement 0", f"key {key}: Lab"]
    lab.may()  # the key's word alone is not enough from another account
    assert "no identity-based policy" in refused(lab.client("kms").describe_key, KeyId=key)[1]

    lab.may(allow("rds:*"))
    mine = lab.aws.client("kms", SCRATCH).create_key()["KeyMetadata"]["Arn"]
    code, message = refused(
        lab.client("rds").create_db_instance,
        DBInstanceIdentifier="a",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        StorageEncrypted=True,
        KmsKeyId=mine,
    )
    assert code == "KMSKeyNotAccessibleFault"
    assert mine in message
    assert "kms:" not in message.replace(mine, "")


@pytest.mark.long
def test_buckets_are_judged_by_both_policies_and_a_missing_key_is_hidden(lab: Lab) -> None:
    s3, owner = lab.client("s3"), lab.aws.client("s3", SOURCE)
    owner.create_bucket(Bucket="theirs")
    owner.put_object(Bucket="theirs", Key="k", Body=b"x")
    lab.may(allow("s3:GetObject", "s3:DeleteObject"))
    assert "no resource-based policy" in refused(s3.get_object, Bucket="theirs", Key="k")[1]
    reads = allow("s3:GetObject", "s3:DeleteObject", resource="arn:aws:s3:::theirs/*", Principal={"AWS": lab.arn})
    owner.put_bucket_policy(Bucket="theirs", Policy=document(reads))
    assert s3.get_object(Bucket="theirs", Key="k")["Body"].read() == b"x"
    assert refused(s3.get_object, Bucket="theirs", Key="missing") == ("AccessDenied", "Access Denied")
    lab.may()
    answer = s3.delete_objects(Bucket="theirs", Delete={"Objects": [{"Key": "k"}]})
    [error] = answer["Errors"]
    assert (error["Key"], error["Code"]) == ("k", "AccessDenied")
    assert "s3:DeleteObject on resource: arn:aws:s3:::theirs/k" in error["Message"]
    assert owner.get_object(Bucket="theirs", Key="k")["Body"].read() == b"x"


@pytest.mark.long
def test_a_service_control_policy_holds_its_own_account_alone(lab: Lab) -> None:
    lab.may(allow("rds:*", "s3:*"))
    never = allow("rds:Describe*", Sid="Never") | {"Effect": "Deny"}
    lab.aws.enforce(scps={SCRATCH: [json.loads(document(never))]})
    assert refused(lab.client("rds").describe_db_instances)[1].endswith("explicit deny in a service control policy")
    lab.aws.enforce(scps={SOURCE: [json.loads(document(never))]})
    assert lab.client("rds").describe_db_instances()["DBInstances"] == []


@pytest.mark.long
def test_what_cannot_be_judged_is_an_error_of_its_own(lab: Lab) -> None:
    lab.may(allow("rds:*", "iam:*"))
    code, message = refused(lab.client("iam").list_users)
    assert code == "NotImplemented"
    assert "which permissions iam:ListUsers needs" in message
    assert refused(lab.client("rds").describe_db_parameter_groups)[0] == "NotImplemented"
    lab.may(allow("rds:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    code, message = refused(lab.client("rds").describe_db_instances)
    assert code == "NotImplemented"
    assert "condition operator IpAddress" in message
    with pytest.raises(DemoAwsError, match="NotPrincipal"):
        lab.aws.enforce(scps={SCRATCH: [{"Statement": [{"Effect": "Deny", "NotPrincipal": "*", "Action": "*"}]}]})
    request = urllib.request.Request(f"{lab.aws.url}/demo/iam", data=b'{"enforced": true}')
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    with raised.value as answer:
        assert "known are on, scps" in json.load(answer)["error"]
