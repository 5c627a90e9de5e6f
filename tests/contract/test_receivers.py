"""Receivers as they really are: Alertmanager itself, and SNS behind the fence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from alerts_fixtures import notice
from monitoring import Alertmanager, Catcher, Posted, catching, nobody, start_alertmanager, to_webhook
from moto.server import ThreadedMotoServer

from restorecheck.alerts import wording
from restorecheck.alerts.http import Http
from restorecheck.alerts.receivers.alertmanager import Alertmanager as Pager
from restorecheck.alerts.receivers.choosing import receiver_of
from restorecheck.alerts.receivers.interface import DeliveryError
from restorecheck.alerts.receivers.webhook import message_of
from restorecheck.config import receivers as declared
from restorecheck.config.receivers import Secret
from restorecheck.fence import Fence
from restorecheck.model import About, Notice, Turn, Verdict

# --- Alertmanager ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hook() -> Iterator[Catcher]:
    with catching() as catcher:
        yield catcher


@pytest.fixture(scope="module")
def manager(hook: Catcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    config = to_webhook(f"{hook.url}/hook", **{"global": {"resolve_timeout": "1s"}})
    with start_alertmanager(tmp_path_factory.mktemp("alertmanager") / "am", config) as running:
        yield running


def wall() -> datetime:
    return datetime.now(UTC)


def pager(manager: Alertmanager, *more: str) -> Pager:
    return Pager(declared.Alertmanager("pager", (manager.url, *more)), Http(now=wall, deadline=30), wall)


def fresh(check: str, turn: Turn = Turn.FIRING, **more: Any) -> Notice:
    """A notice of a check of its own, of a minute ago."""
    now = datetime.now(UTC)
    fields = {"key": f"restorecheck/run/{check}", "check": check, "at": now, "since": now - timedelta(minutes=1)}
    return notice(turn, **{"id": f"{check}:{turn}:{now}", **fields, **more})


def posts_of(hook: Catcher, check: str, status: str = "") -> list[Posted]:
    found = (p for p in hook.posts if p.json["groupLabels"].get("check") == check)
    return [p for p in found if status in {"", p.json["status"]}]


def test_it_fires_is_told_again_and_resolves(manager: Alertmanager, hook: Catcher):
    receiver, firing = pager(manager), fresh("orders-db")
    assert receiver.send(firing).acknowledged
    hook.wait(lambda _: len(posts_of(hook, "orders-db")) == 1)
    [held] = manager.alerts('check="orders-db"')
    assert held["annotations"]["notice_id"] == firing.id
    assert receiver.resend([firing]).acknowledged
    repeated = fresh("orders-db", Turn.REPEATED, since=firing.since, count=2)
    assert receiver.send(repeated).acknowledged
    assert len(manager.alerts('check="orders-db"')) == 1
    over = fresh("orders-db", Turn.RESOLVED, since=firing.since)
    assert receiver.send(over).acknowledged
    assert manager.alerts('check="orders-db"') == []
    hook.wait(lambda _: posts_of(hook, "orders-db", "resolved") != [])
    assert receiver.resend([over]).acknowledged  # said again, and nothing comes of it
    assert [p.json["status"] for p in posts_of(hook, "orders-db")] == ["firing", "resolved"]


def test_when_we_die_nothing_is_resolved_until_the_next_run_should_have_said_so(manager: Alertmanager, hook: Catcher):
    receiver = pager(manager)
    receiver.send(fresh("lasting", hold=timedelta(hours=27)))
    for seconds in (2, 8, 32):  # on a busy machine it may be over before it arrives, and then is never posted
        receiver.send(fresh("passing", hold=timedelta(seconds=seconds)))
        with suppress(AssertionError):
            hook.wait(lambda _: posts_of(hook, "passing") != [], seconds)
            break
    hook.wait(lambda _: posts_of(hook, "passing", "resolved") != [])  # so this is how it would look
    assert posts_of(hook, "lasting", "resolved") == []
    assert len(manager.alerts('check="lasting"')) == 1


def test_a_verdict_that_changes_leaves_one_alert_and_its_resolve_leaves_none(manager: Alertmanager, hook: Catcher):
    receiver = pager(manager)
    first = fresh("users-db", verdict=Verdict.UNPROVEN, severity="warning")
    assert receiver.send(first).acknowledged
    assert receiver.send(fresh("users-db", since=first.since, owner="somebody-else")).acknowledged
    assert [a["labels"]["verdict"] for a in manager.alerts('check="users-db"')] == ["broken"]
    over = fresh("users-db", Turn.RESOLVED, since=first.since, verdict=Verdict.PASSED, severity="info")
    receiver.send(over)  # neither its verdict nor its severity is that of the alert
    manager.wait(lambda found: found == [], 'check="users-db"')
    hook.wait(lambda _: posts_of(hook, "users-db", "resolved") != [])


def test_alerts_that_are_not_ours_stay(manager: Alertmanager):
    from urllib.request import Request, urlopen  # noqa: PLC0415 - used here alone

    rule = {"alertname": "RestoreCheckFailed", "check": "shared", "verdict": "broken", "severity": "critical"}
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = json.dumps([{"labels": rule, "endsAt": ends}]).encode()
    asked = Request(f"{manager.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    with urlopen(asked) as answer:
        assert answer.status == 200
    receiver = pager(manager)
    receiver.send(fresh("shared", verdict=Verdict.UNPROVEN))
    assert len(manager.alerts('check="shared"')) == 2
    receiver.send(fresh("shared", Turn.RESOLVED))
    assert [a["labels"] for a in manager.alerts('check="shared"')] == [rule]


def test_whatever_a_text_holds_an_alertmanager_takes_it(manager: Alertmanager):
    wild = 'a"b\\c\n\x00\u202e{{ .x }}é' + "x" * 100_000
    one = replace(fresh('or"d\\ers', owner=wild), title=wild, hint=wild, recovery_point=wild, run_id=wild)
    assert pager(manager).send(one).acknowledged


@pytest.mark.parametrize("about", list(About))
def test_everything_that_can_be_told_is_taken(manager: Alertmanager, about: About):
    check = "" if about in {About.LEAKED, About.SWEEP, About.RECEIVER} else "every"
    turn = Turn.TOLD if about in {About.ACCEPTED, About.PAUSED, About.REMOVED} else Turn.FIRING
    one = replace(fresh("every", turn, about=about, verdict=None), check=check, key=f"restorecheck/{about}/one")
    assert pager(manager, nobody()).send(one).acknowledged


def test_a_notice_to_a_webhook_looks_as_if_an_alertmanager_had_posted_it(manager: Alertmanager, hook: Catcher):
    one = fresh("alike")
    pager(manager).send(one)
    hook.wait(lambda _: posts_of(hook, "alike") != [])
    theirs, ours = posts_of(hook, "alike")[0].json, message_of(one, "hook")
    assert set(ours) == set(theirs)
    assert set(ours["alerts"][0]) == set(theirs["alerts"][0])
    same = ("receiver", "status", "groupLabels", "commonLabels", "commonAnnotations", "version", "groupKey")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert [type(value) for _, value in sorted(ours.items())] == [type(value) for _, value in sorted(theirs.items())]
    begin = [datetime.fromisoformat(message["alerts"][0]["startsAt"]) for message in (ours, theirs)]
    assert begin[0] == begin[1]
    for name in ("status", "labels", "annotations", "endsAt", "generatorURL"):
        assert ours["alerts"][0][name] == theirs["alerts"][0][name]
    assert len(ours["alerts"][0]["fingerprint"]) == len(theirs["alerts"][0]["fingerprint"])


# --- SNS -------------------------------------------------------------------------------------------------------------

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def received(aws: str, name: str, send: Any, **attributes: str) -> list[dict[str, Any]]:
    """Make a topic with a queue behind it, let `send` publish to it, and return what the queue has."""
    sns, sqs = (boto3.client(service, region_name=REGION, endpoint_url=aws) for service in ("sns", "sqs"))
    topic = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    queue = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    fence = Fence({}, {}, topics=[topic], endpoint_url=aws)
    send(receiver_of(declared.Sns("topic", topic), lambda: fence, now=wall))
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def test_a_topic_takes_a_notice_through_the_fence(aws: str):
    one = notice()
    [message] = received(aws, "backups", lambda receiver: _acknowledged(receiver.send(one)))
    assert (message["Subject"], message["Message"]) == (wording.subject(one), wording.text(one))
    assert message["MessageAttributes"]["verdict"] == {"Type": "String", "Value": "broken"}


def test_a_topic_that_is_a_queue_takes_a_notice_once(aws: str):
    def twice(receiver: Any) -> None:
        _acknowledged(receiver.send(notice()))
        _acknowledged(receiver.send(notice()))

    assert len(received(aws, "backups.fifo", twice, FifoTopic="true", FifoQueue="true")) == 1


def test_a_topic_that_is_not_there_is_said(aws: str):
    topic = f"arn:aws:sns:{REGION}:123456789012:nothing"
    fence = Fence({}, {}, topics=[topic], endpoint_url=aws)
    with pytest.raises(DeliveryError, match="SNS answered NotFound") as raised:
        receiver_of(declared.Sns("topic", topic), lambda: fence, now=wall).send(notice())
    assert raised.value.reason == "rejected"


def _acknowledged(sent: Any) -> None:
    assert sent.acknowledged


# --- a webhook that is a secret --------------------------------------------------------------------------------------


def test_a_receiver_that_is_declared_is_the_one_that_is_told(hook: Catcher):
    made = receiver_of(declared.Webhook("mine", Secret(f"{hook.url}/mine")), lambda: pytest.fail("no topic"), now=wall)
    made.send(fresh("mine"))
    assert posts_of(hook, "mine")[0].json["receiver"] == "mine"
