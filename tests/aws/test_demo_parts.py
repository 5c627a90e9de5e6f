"""The pure parts of the demo AWS, and the points at which it holds on to moto."""

import math

import pytest

from restorecheck.demo.aws import patches, wire
from restorecheck.demo.aws.errors import ControlError
from restorecheck.demo.aws.faults import Call, Faults
from restorecheck.demo.aws.timeline import Timeline, Timings
from restorecheck.demo.aws.trust import Caller, lets_in

ROLE = "arn:aws:iam::333333333333:role/service"


def test_every_point_at_which_moto_is_changed_exists() -> None:
    patches.check()
    assert patches.missing() == []


def test_a_point_that_moto_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "POINTS", ("moto.rds.models:rds_backends", "moto.rds.models:Gone", "moto.gone:x"))
    assert patches.missing() == ["moto.rds.models:Gone", "moto.gone:x"]
    with pytest.raises(RuntimeError, match=r"needs moto 5\.2\.5"):
        patches.check()


def test_a_timeline_walks_by_the_clock() -> None:
    way = Timeline(100.0, (("creating", 2.0), ("backing-up", 1.0)), "available")
    walk = [(100, "creating", 0), (101.9, "creating", 63), (102, "backing-up", 66), (103, "available", 100)]
    assert [(now, way.at(now), way.progress(now)) for now, _, _ in walk] == walk
    assert way.delayed(5).at(106.9) == "creating"
    assert way.delayed(math.inf).at(1e9) == "creating"
    assert Timeline(0, (), "available").at(0) == "available"
    assert Timeline(0, (), "available").progress(0) == 100


@pytest.mark.parametrize("seconds", [-1, math.inf, "1", True])
def test_timings_are_seconds(seconds: object) -> None:
    with pytest.raises(ValueError, match="timing delete"):
        Timings(delete=seconds)  # type: ignore[arg-type]  # what a control call may bring


def statement(**other: object) -> dict[str, object]:
    base = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [base | other]}


EXTERNAL = {"Condition": {"StringEquals": {"sts:ExternalId": "x"}}}


@pytest.mark.parametrize(
    ("document", "external_id", "expected"),
    [
        (statement(), None, True),
        (statement(Principal={"AWS": "333333333333"}), None, True),
        (statement(Principal={"AWS": ["arn:aws:iam::333333333333:root"]}), None, True),
        (statement(Principal="*"), None, True),
        (statement(Principal={"AWS": "arn:aws:iam::444444444444:root"}), None, False),
        (statement(Principal={"Service": "ec2.amazonaws.com"}), None, False),
        (statement(Action="sts:*"), None, True),
        (statement(Action="sts:TagSession"), None, False),
        (statement(**EXTERNAL), "x", True),
        (statement(**EXTERNAL), "y", False),
        (statement(**EXTERNAL), None, False),
        (statement(Condition={"StringLike": {"sts:ExternalId": "a*"}}), "abc", True),
        (statement(Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::333333333333:role/*"}}), None, True),
        (statement(Condition={"DateGreaterThan": {"aws:CurrentTime": "2020"}}), None, False),  # not understood: no
        (statement(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), None, False),
        ({"Statement": [*statement()["Statement"], *statement(Effect="Deny")["Statement"]]}, None, False),  # type: ignore[misc]  # lists
        ({}, None, False),
    ],
)
def test_trust_policies(document: dict[str, object], external_id: str | None, expected: bool) -> None:
    assert lets_in(document, Caller("333333333333", ROLE, external_id)) is expected


def test_an_unknown_condition_does_not_weaken_a_deny() -> None:
    deny = statement(Effect="Deny", Condition={"DateGreaterThan": {"aws:CurrentTime": "2020"}})["Statement"]
    both = {"Statement": [*statement()["Statement"], *deny]}  # type: ignore[misc]  # lists
    assert not lets_in(both, Caller("333333333333", ROLE))


def test_faults_strike_in_the_order_given_and_only_for_their_effect() -> None:
    faults, call = Faults(), Call("rds", "CopyDBSnapshot", "1", "r", ("rds:a", "b"))
    faults.add({"operation": "copydbsnapshot", "code": "First"})
    faults.add({"operation": "Copy*", "name": "b", "code": "Second", "times": None})
    faults.add({"slow_boot": 3})
    codes = [fault.code for fault in (faults.strike(call, ["code"]) for _ in range(3)) if fault]
    assert codes == ["First", "Second", "Second"]
    slow = faults.strike(call, ["slow_boot"])
    assert slow is not None
    assert slow.slow_boot == 3
    assert faults.strike(call, ["slow_boot"]) is None
    faults.clear("2")
    assert [f["id"] for f in faults.describe()] == ["1", "3"]
    with pytest.raises(ControlError, match="unknown field 'id'"):
        faults.add({"id": "7", "code": "X"})


def request(body: bytes, **headers: str) -> wire.Request:
    key = "AWS4-HMAC-SHA256 Credential=KEY/20261121/eu-west-1/rds/aws4_request, SignedHeaders=host"
    return wire.read({"HTTP_AUTHORIZATION": key, "REQUEST_METHOD": "POST", "PATH_INFO": "/"} | headers, body)


def test_requests_are_read_in_every_protocol() -> None:
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}
    query = request(b"Action=CopyDBSnapshot&Version=2014-10-31&SourceDBSnapshotIdentifier=a&Tags.1.Key=k", **form)
    assert (query.operation, query.region, query.access_key) == ("CopyDBSnapshot", "eu-west-1", "KEY")
    assert query.parameters == {"SourceDBSnapshotIdentifier": "a", "Tags.1.Key": "k"}
    json = request(b'{"KeyId": "x"}', HTTP_X_AMZ_TARGET="TrentService.DescribeKey")
    assert (json.protocol, json.operation, json.parameters) == ("json", "DescribeKey", {"KeyId": "x"})
    assert request(b"not json", HTTP_X_AMZ_TARGET="A.B").parameters == {}
    assert request(b"").operation == "POST /"
    call = wire.call("rds", "X", "1", "r", {"DBInstanceIdentifier": "a", "MasterUserPassword": "b", "Tags.1.Key": "c"})
    assert call.names == ("a",)


@pytest.mark.parametrize("protocol", ["query", "ec2", "json", "rest-xml"])
def test_errors_read_back_as_they_were_written(protocol: str) -> None:
    kind, body = wire.error(protocol, "Throttling", "<slow> & steady")
    assert wire.error_code(400, {}, body) == "Throttling"
    assert wire.error_code(200, {}, body) is None
    assert ("json" in kind) == (protocol == "json")
