"""The notifier: one call, to a topic that is configured, and nothing else whatever anybody asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from fence_cases import BEGAN, OTHER, REGION, RUN_PERMIT, SCRATCH, SOURCE, SWEEP_PERMIT
from hypothesis import given
from hypothesis import strategies as st
from recorder import Recorder, error, recording, result

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.fence import TABLE, Effect, Entrance, Fence, Hand, Mode, Permit, Role
from restorecheck.fence.decision import why_not_place
from restorecheck.fence.passage import CONFIG, Passage
from restorecheck.fence.topic_parameters import ALLOWED, TopicPlace, place_of, why_not_publish

LOADER = botocore.session.Session().get_component("data_loader")
TOPIC = f"arn:aws:sns:{REGION}:{OTHER}:backups"
ELSEWHERE = f"arn:aws:sns:us-east-1:{SOURCE}:backups.fifo"
PERMIT = Permit(frozenset(), frozenset(), "", "", REGION, BEGAN, BEGAN, topic=TOPIC)
PUBLISH: dict[str, Any] = {
    "TopicArn": TOPIC,
    "Subject": "orders-db is broken",
    "Message": "41 rows",
    "MessageAttributes": {"check": {"DataType": "String", "StringValue": "orders-db"}},
}


@pytest.fixture(scope="module")
def world() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def aws(world: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    world.asked.clear()
    world.script.clear()
    world.answer("Publish", result("Publish", "<MessageId>94f20ce6</MessageId>"))
    return world


def hand_of(aws: Recorder, permit: Permit | None = PERMIT, role: Role = Role.NOTIFIER, account: str = OTHER) -> Hand:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("AKIATEST", "secret")
    return Hand(Passage(session, role, account, REGION, endpoint_url=aws.url), permit)


def fence_of(aws: Recorder, *topics: str, **more: Any) -> Fence:
    sides = [{a: Entrance(a, f"arn:aws:iam::{a}:role/restorecheck", "id")} for a in (SOURCE, SCRATCH)]
    return Fence(sides[0], sides[1], topics=topics, endpoint_url=aws.url, **more)


def why(permit: Permit = PERMIT, account: str = OTHER, region: object = REGION, **changes: Any) -> str | None:
    params = {k: v for k, v in {**PUBLISH, **changes}.items() if v is not ...}
    return why_not_publish("Publish", params, permit, account, region)


# --- what may be said ------------------------------------------------------------------------------------------------


def test_a_notifier_may_do_one_thing():
    assert TABLE[Role.NOTIFIER] == {"sns": {"Publish": Effect.CREATE}}
    assert [role for role, services in TABLE.items() if "sns" in services] == [Role.NOTIFIER]


def test_a_notice_to_the_topic_of_its_permit_may_be_published():
    assert why() is None
    assert why(MessageAttributes=..., Subject=...) is None


def test_no_other_parameter_may_be_carried():
    service = botocore.session.get_session().get_service_model("sns")
    members = set(service.operation_model("Publish").input_shape.members)
    assert members > ALLOWED
    assert {"PhoneNumber", "TargetArn", "MessageStructure"} <= members - ALLOWED
    for name in members - ALLOWED:
        assert f"its parameters {name} are not among" in str(why(**{name: "x"}))


@pytest.mark.parametrize("operation", ["PublishBatch", "Subscribe", "CreateTopic", "DeleteTopic", "publish", ""])
def test_no_other_operation_publishes(operation: str):
    assert why_not_publish(operation, PUBLISH, PERMIT, OTHER, REGION) == "a notifier calls Publish alone"


@pytest.mark.parametrize("topic", [..., None, "", TOPIC + "x", TOPIC[:-1], TOPIC.upper(), ELSEWHERE, TOPIC.encode()])
def test_no_other_topic_gets_it(topic: object):
    assert "another topic than that of its permit" in str(why(TopicArn=topic))


@pytest.mark.parametrize("message", [..., None, b"bytes", 1])
def test_what_says_nothing_is_not_sent(message: object):
    assert why(Message=message) == "it says nothing"


@pytest.mark.parametrize("attributes", [{"AWS.SNS.SMS.SenderID": {}}, {"check": {}, "x": {}}, None, "check", ["check"]])
def test_no_other_attribute_may_be_carried(attributes: object):
    assert "its attributes are not among" in str(why(MessageAttributes=attributes))


@pytest.mark.parametrize(
    "permit",
    [
        replace(PERMIT, topic=""),
        replace(PERMIT, topic="backups"),
        replace(PERMIT, run_id=RUN_PERMIT.run_id),
        replace(PERMIT, manifest=("b", "k")),
        RUN_PERMIT,
        SWEEP_PERMIT,
        replace(RUN_PERMIT, topic=TOPIC),
    ],
)
def test_a_permit_for_no_topic_is_for_nothing(permit: Permit):
    assert why(permit, TopicArn=permit.topic) == "the permit is for no topic"


@pytest.mark.parametrize(
    ("permit", "account", "region"),
    [
        (PERMIT, SOURCE, REGION),
        (PERMIT, "", REGION),
        (PERMIT, OTHER, "us-east-1"),
        (PERMIT, OTHER, None),
        (replace(PERMIT, region="us-east-1"), OTHER, REGION),
    ],
)
def test_it_counts_in_its_own_place_alone(permit: Permit, account: str, region: object):
    assert why(permit, account, region) == "the topic is in another account or region"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NOTIFIER])
def test_the_permit_of_a_notifier_counts_for_no_other_role(role: Role):
    whole = replace(SWEEP_PERMIT, topic=TOPIC, manifest=("b", "k") if role is Role.RECORDER else None)
    assert "the permit of a notifier does not count" in str(why_not_place(role, SOURCE, REGION, whole))


def test_no_permit_of_another_counts_for_a_notifier():
    for permit in (RUN_PERMIT, SWEEP_PERMIT, replace(SWEEP_PERMIT, manifest=("b", "k"))):
        assert why_not_place(Role.NOTIFIER, SOURCE, REGION, permit) is not None


# --- what a topic is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        (TOPIC, TopicPlace("aws", REGION, OTHER)),
        (ELSEWHERE, TopicPlace("aws", "us-east-1", SOURCE)),
        (f"arn:aws-us-gov:sns:us-gov-west-1:{OTHER}:a_B-9", TopicPlace("aws-us-gov", "us-gov-west-1", OTHER)),
        (f"arn:aws-cn:sns:cn-north-1:{OTHER}:a", TopicPlace("aws-cn", "cn-north-1", OTHER)),
    ],
)
def test_the_arn_of_a_topic_says_where_it_is(topic: str, place: TopicPlace):
    assert place_of(topic) == place


@pytest.mark.parametrize(
    "topic",
    [
        "", None, 7, "backups", TOPIC + "\n", TOPIC + ":6b0e71bd-7e97-4d97-80ce-4a0994e55286", "+15551234567",
        f"arn:aws:sqs:{REGION}:{OTHER}:backups", f"arn:aws:sns:{REGION}:{OTHER}:", f"arn:aws:sns::{OTHER}:backups",
        f"arn:aws:sns:{REGION}:1234:backups", f"arn:aws:sns:{REGION}:{OTHER}:app/GCM/x",
        f"arn:aws:sns:evil.example.org/{REGION}:{OTHER}:b", f"arn:aws:sns:{REGION}:{OTHER}:b?x", TOPIC + ".fifo.fifo",
        f"arn:evil:sns:{REGION}:{OTHER}:backups", f" {TOPIC}", f"arn:aws:sns:{REGION}:{'٣' * 12}:b",
    ],
)  # fmt: skip
def test_what_is_no_topic_is_nowhere(topic: object):
    assert place_of(topic) is None
    assert why(replace(PERMIT, topic=topic), TopicArn=topic) == "the permit is for no topic"  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_whatever_the_topic_only_the_permits_own_passes(topic: str):
    assert (why(TopicArn=topic) is None) is (topic == TOPIC)


# --- through botocore ------------------------------------------------------------------------------------------------


def test_it_is_sent_as_it_was_judged(aws: Recorder):
    answer = hand_of(aws).call("sns", "Publish", **PUBLISH)
    assert answer["MessageId"] == "94f20ce6"
    [sent] = aws.asked
    assert (sent["Action"], sent["TopicArn"], sent["Message"]) == ("Publish", TOPIC, "41 rows")
    assert sent["MessageAttributes.entry.1.Name"] == "check"


@pytest.mark.parametrize(
    "change",
    [{"PhoneNumber": "+15551234567"}, {"TargetArn": TOPIC}, {"TopicArn": ELSEWHERE}, {"MessageStructure": "json"}],
)
def test_what_may_not_be_said_is_not_sent(aws: Recorder, change: dict[str, str]):
    with pytest.raises(RefusedError, match="was not sent"):
        hand_of(aws).call("sns", "Publish", **{**PUBLISH, **change})
    assert aws.asked == []


def test_a_text_message_instead_of_a_topic_is_not_sent(aws: Recorder):
    with pytest.raises(RefusedError, match="PhoneNumber"):
        hand_of(aws).call("sns", "Publish", PhoneNumber="+15551234567", Message="x")
    assert aws.asked == []


def test_without_a_permit_with_anothers_and_as_another_nothing_is_published(aws: Recorder):
    for hand, reason in (
        (hand_of(aws, None), "this call may only read"),
        (hand_of(aws, RUN_PERMIT), "the permit is for no topic"),
        (hand_of(aws, PERMIT, Role.SCRATCH, SCRATCH), "the scratch role may not call sns"),
        (hand_of(aws, PERMIT, Role.BASE, ""), "the base role may not call sns"),
    ):
        with pytest.raises(RefusedError, match=reason):
            hand.call("sns", "Publish", **PUBLISH)
    assert aws.asked == []


def test_a_permit_is_gone_after_its_call_and_a_bare_client_has_none(aws: Recorder):
    hand = hand_of(aws)
    hand.call("sns", "Publish", **PUBLISH)
    with pytest.raises(RefusedError, match="no permit was given"):
        hand._passage.client("sns").publish(**PUBLISH)
    assert aws.actions == ["Publish"]


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PublishBatch", {"TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": "1", "Message": "x"}]}),
        ("Subscribe", {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "a@example.org"}),
        ("CreateTopic", {"Name": "x"}),
        ("DeleteTopic", {"TopicArn": TOPIC}),
        ("SetTopicAttributes", {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": "{}"}),
        ("ListTopics", {}),
        ("GetTopicAttributes", {"TopicArn": TOPIC}),
    ],
)
def test_it_neither_reads_nor_makes_nor_deletes(aws: Recorder, operation: str, params: dict[str, Any]):
    with pytest.raises(RefusedError, match=f"the notifier role may not call sns:{operation}"):
        hand_of(aws).call("sns", operation, **params)
    assert aws.asked == []


@pytest.mark.parametrize("service", ["rds", "s3", "sts", "kms", "sqs"])
def test_it_knows_no_other_service(aws: Recorder, service: str):
    with pytest.raises(RefusedError, match=f"the notifier role may not call {service}"):
        hand_of(aws).call(service, "GetCallerIdentity")
    assert aws.asked == []


def test_a_courier_could_not_carry_it(aws: Recorder):
    with pytest.raises(RefusedError, match="through botocore alone"):
        hand_of(aws)._passage.judge("sns", "Publish", PUBLISH, PERMIT)


def test_it_tries_once_and_not_for_long(aws: Recorder):
    aws.answer("Publish", error("InternalError", status=500))
    with pytest.raises(AwsError):
        hand_of(aws).call("sns", "Publish", **PUBLISH)
    assert aws.actions == ["Publish"]
    config = hand_of(aws)._passage.client("sns").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert CONFIG.read_timeout == 60  # everybody else's is as it was
    assert CONFIG.retries == {"mode": "adaptive", "total_max_attempts": 6}


# --- who it is -------------------------------------------------------------------------------------------------------


def test_it_is_who_this_process_is_and_nobody_is_asked(aws: Recorder):
    hand = fence_of(aws, TOPIC).notifier(TOPIC)
    assert (hand.role, hand.account, hand.region, aws.asked) == (Role.NOTIFIER, OTHER, REGION, [])
    assert hand._passage.credentials().access_key == "AKIABASE"
    assert replace(hand._permit, began=BEGAN, expires=BEGAN) == PERMIT
    assert hand._permit.expires - hand._permit.began == timedelta(0)
    hand.call("sns", "Publish", **PUBLISH)
    assert aws.actions == ["Publish"]


def test_each_topic_has_its_own_permit(aws: Recorder):
    near = TOPIC + "-2"
    fence = fence_of(aws, TOPIC, near)
    one, other = fence.notifier(TOPIC), fence.notifier(near)
    assert one._passage is other._passage
    with pytest.raises(RefusedError, match="another topic"):
        other.call("sns", "Publish", **PUBLISH)
    assert aws.asked == []


def test_a_topic_of_a_region_that_is_far_is_published_there(aws: Recorder):
    hand = fence_of(aws, ELSEWHERE).notifier(ELSEWHERE)
    assert (hand.account, hand.region) == (SOURCE, "us-east-1")
    hand.call("sns", "Publish", TopicArn=ELSEWHERE, Message="x", MessageGroupId="g", MessageDeduplicationId="d")
    assert aws.asked[0]["MessageGroupId"] == "g"


@pytest.mark.parametrize("topic", [ELSEWHERE, "", "backups", "+15551234567", TOPIC + "x"])
def test_a_topic_that_is_not_configured_is_refused(aws: Recorder, topic: str):
    with pytest.raises(RefusedError, match="not one that is configured"):
        fence_of(aws, TOPIC).notifier(topic)
    with pytest.raises(RefusedError, match="not one that is configured"):
        fence_of(aws).notifier(topic)
    assert aws.asked == []


def test_what_is_configured_and_no_topic_is_refused(aws: Recorder):
    with pytest.raises(RefusedError, match="not one that is configured"):
        fence_of(aws, "+15551234567").notifier("+15551234567")


def test_it_needs_no_accounts_to_be_configured(aws: Recorder):
    Fence({}, {}, topics=[TOPIC], endpoint_url=aws.url).notifier(TOPIC).call("sns", "Publish", **PUBLISH)
    assert aws.actions == ["Publish"]


def test_a_run_that_was_planned_before_changes_nothing_of_it(aws: Recorder):
    roles = [Entrance(a, f"arn:aws:iam::{a}:role/r", "") for a in (SOURCE, SCRATCH)]
    assert fence_of(aws, TOPIC).with_entrances(*roles).notifier(TOPIC).account == OTHER


def test_nobody_is_let_in_as_a_notifier_in_another_way(aws: Recorder):
    fence = fence_of(aws, TOPIC)
    for permit in (None, PERMIT):
        with pytest.raises(RefusedError, match="is not configured as a notifier account"):
            fence.hand(Role.NOTIFIER, OTHER, REGION, permit)
    with pytest.raises(RefusedError, match="not made for the accounts"):
        fence.hand(Role.SCRATCH, SCRATCH, REGION, PERMIT)
    assert aws.asked == []


def test_without_credentials_it_is_nobody(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(SourceError, match="no AWS credentials") as raised:
        fence_of(aws, TOPIC).notifier(TOPIC)
    assert raised.value.kind == "credentials"


def test_in_plan_mode_it_is_noted_and_not_sent(aws: Recorder):
    fence = fence_of(aws, TOPIC, mode=Mode.PLAN)
    with pytest.raises(PlannedError):
        fence.notifier(TOPIC).call("sns", "Publish", **PUBLISH)
    assert ([call.operation for call in fence.planned], aws.asked) == (["Publish"], [])
