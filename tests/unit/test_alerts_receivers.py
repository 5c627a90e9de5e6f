"""What each receiver is sent, and what its answer means: against a server that records."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alerts_fixtures import AT, notice
from monitoring import Catcher, Reply, catching, nobody

from restorecheck.alerts import wording
from restorecheck.alerts.http import Http
from restorecheck.alerts.receivers import alertmanager as am
from restorecheck.alerts.receivers import apprise as ap
from restorecheck.alerts.receivers import heartbeat as hb
from restorecheck.alerts.receivers import sns as topics
from restorecheck.alerts.receivers import webhook as wh
from restorecheck.alerts.receivers.choosing import receiver_of
from restorecheck.alerts.receivers.interface import DeliveryError, Receiver, Sent, Standing, cut, cut_bytes
from restorecheck.alerts.receivers.labels import annotations_of, identity_of, labels_of, stamp
from restorecheck.config import receivers as declared
from restorecheck.config.receivers import Secret
from restorecheck.errors import AwsError, RefusedError, RestorecheckError, SourceError
from restorecheck.model import About, Notice, Turn, Verdict

TOKEN = "s3cr3t"
NOW = AT + timedelta(minutes=1)
OPEN = (Turn.FIRING, Turn.REPEATED)


@pytest.fixture(scope="module")
def server() -> Iterator[Catcher]:
    with catching() as catcher:
        yield catcher


@pytest.fixture
def catcher(server: Catcher) -> Catcher:
    server.posts.clear()
    server.behave = lambda path, body: Reply()
    return server


def made(of: declared.AnyReceiver, fence: Any = None) -> Receiver:
    http = Http(now=lambda: NOW, deadline=30)
    return receiver_of(of, lambda: fence, http=http, now=lambda: NOW)


def failing(receiver: Receiver, one: Notice) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        receiver.send(one)
    assert TOKEN not in raised.value.message + raised.value.hint + repr(raised.value)
    return raised.value


# --- labels ----------------------------------------------------------------------------------------------------------


def test_the_labels_of_a_failed_check():
    assert labels_of(notice()) == {
        "alertname": "RestoreCheckFailed",
        "check": "orders-db",
        "verdict": "broken",
        "severity": "critical",
        "owner": "team-payments",
        "reporter": "restorecheck",
    }


def test_what_is_empty_is_no_label_and_a_failing_receiver_is_named():
    one = notice(about=About.RECEIVER, key="restorecheck/receiver/pager", check="", verdict=None, owner="", run_id="")
    assert labels_of(one) == {
        "alertname": "RestoreCheckNotificationsFailing",
        "receiver": "pager",
        "severity": "critical",
        "reporter": "restorecheck",
    }


@pytest.mark.parametrize("about", list(About))
def test_everything_that_can_be_told_has_an_alert_name(about: About):
    assert labels_of(notice(about=about))["alertname"].startswith("RestoreCheck")


def test_whatever_a_text_holds_it_is_printable_and_cut():
    wild = "a\nb\x00c\u202e\x1b[31m" + "x" * 100_000
    one = notice(title=wild, hint=wild, owner=wild, check=wild, recovery_point=wild, id=wild, run_id=wild)
    texts = [*labels_of(one).values(), *annotations_of(one).values()]
    assert all(line.isprintable() for text in texts for line in text.split("\n"))
    assert all(len(text) <= 8192 for text in texts)
    assert all(len(text) <= 128 and "\n" not in text for text in labels_of(one).values())
    assert (cut("abc", 3), cut("abcd", 3)) == ("abc", "ab…")
    assert (cut_bytes("ab", 9), cut_bytes("aéé", 4), cut_bytes("\ud800", 9)) == (b"ab", "aé".encode(), b"?")


def test_what_a_person_reads_is_all_there():
    found = annotations_of(replace(notice(), last_pass=AT - timedelta(days=1)))
    assert found["summary"] == notice().title
    assert found["recovery_point"] == "rds:orders-2026-11-21 of 2026-11-20T22:20:00.000Z"
    assert found["last_pass"] == "2026-11-20T03:20:00.000Z"
    assert found["again"] == "restorecheck run orders-db"
    assert found["runbook_url"] == "https://runbooks.example.org/RestoreCheckFailed"
    assert "at least 1000" in found["description"]
    assert "recovery_point" not in annotations_of(notice(recovery_point="", recovery_point_at=None))


# --- Alertmanager ----------------------------------------------------------------------------------------------------


def pager(*urls: str, token: bool = False) -> Receiver:
    return made(declared.Alertmanager("pager", urls, Secret(TOKEN) if token else None))


@pytest.mark.parametrize(
    ("turn", "ends"),
    [
        (Turn.FIRING, NOW + timedelta(hours=27)),
        (Turn.REPEATED, NOW + timedelta(hours=27)),
        (Turn.TOLD, NOW + timedelta(hours=1)),
        (Turn.RESOLVED, AT),
    ],
)
def test_an_alert_stands_until_the_next_run_should_have_said_otherwise(turn: Turn, ends: Any):
    alert = am.alert_of(notice(turn), NOW)
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-21T03:00:00.000Z", stamp(ends))
    assert alert["generatorURL"] == "https://restorecheck.example.org/"


def test_no_alert_ends_before_it_starts_and_a_clock_that_is_behind_ends_it_now():
    strange = notice(Turn.RESOLVED, since=NOW + timedelta(hours=1), link="")
    alert = am.alert_of(strange, NOW)
    assert alert["startsAt"] == alert["endsAt"]
    assert "generatorURL" not in alert
    assert am.alert_of(notice(Turn.RESOLVED), AT - timedelta(minutes=5))["endsAt"] == stamp(AT - timedelta(minutes=5))


def test_every_replica_is_told_and_one_that_takes_it_is_enough(catcher: Catcher):
    gone = nobody()
    sent = pager(gone, catcher.url + "/", token=True).send(notice())
    assert sent.said == f"{gone} refused the connection"
    post = catcher.posts[0]
    assert (post.method, post.path) == ("POST", "/api/v2/alerts")
    assert post.headers["authorization"] == f"Bearer {TOKEN}"
    assert [alert["labels"] for alert in post.json] == [labels_of(notice())]
    with catching() as second:
        assert pager(catcher.url, second.url).send(notice()).said == ""
        assert [p.method for p in second.posts] == ["POST", "GET"]


def test_a_notice_that_no_replica_takes_has_not_arrived(catcher: Catcher):
    catcher.behave = lambda path, body: Reply(429, headers={"Retry-After": "60"})
    error = failing(pager(nobody(), catcher.url), notice())
    assert error.reason == "rate-limited"
    assert error.retry_after is None  # the other one did not say how long
    assert failing(pager(catcher.url), notice()).retry_after == 60.0
    catcher.behave = lambda path, body: Reply(400)
    assert failing(pager(catcher.url), notice()).reason == "rejected"
    assert failing(pager(catcher.url, nobody()), notice()).reason == "refused"  # this may go away by itself


def test_replicas_that_take_all_the_time_leave_none_for_the_next(catcher: Catcher, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(am, "ENOUGH", -1.0)
    assert failing(pager(catcher.url), notice()).reason == "timeout"
    assert catcher.posts == []


def holding(catcher: Catcher, *alerts: Any) -> None:
    def behave(path: str, body: bytes) -> Reply:
        return Reply(200, b"" if body else json.dumps(alerts).encode())

    catcher.behave = behave


def held(one: Notice, **changes: str) -> dict[str, Any]:
    return {"labels": {**labels_of(one), **changes}, "annotations": annotations_of(one)}


def test_it_is_acknowledged_when_the_alert_is_shown(catcher: Catcher):
    one = notice()
    holding(catcher, held(one))
    assert pager(catcher.url).send(one) == Sent(acknowledged=True)
    holding(catcher)
    assert pager(catcher.url).send(one) == Sent(acknowledged=False)
    holding(catcher, held(notice(number=2)))  # an older one of the same trouble
    assert pager(catcher.url).send(one) == Sent(acknowledged=False)


def test_a_resolve_is_acknowledged_when_the_alert_is_gone(catcher: Catcher):
    over = notice(Turn.RESOLVED)
    holding(catcher, held(notice()))
    assert pager(catcher.url).send(over) == Sent(acknowledged=False)
    holding(catcher)
    assert pager(catcher.url).send(over) == Sent(acknowledged=True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"labels": 1}]',
        b'[{"labels": {"a": 1}}]',
        b"[{}]",
        b"\xff",
        pytest.param(b"[" * 50_000, id="deep"),
        b'[{"labels": {}, "annotations": []}]',
    ],
)
def test_what_cannot_be_read_shows_nothing(catcher: Catcher, body: bytes):
    catcher.behave = lambda path, sent: Reply(200, b"" if sent else body)
    assert pager(catcher.url).send(notice()) == Sent(acknowledged=False)
    catcher.behave = lambda path, sent: Reply(200) if sent else Reply(500)
    assert pager(catcher.url).send(notice()) == Sent(acknowledged=False)
    assert {p.method for p in catcher.posts} == {"POST", "GET"}


def test_it_asks_for_its_own_alerts_only(catcher: Catcher):
    one = notice(check='or"ders\\', key="restorecheck/run/x")
    assert am.matchers([one]) == [
        'alertname="RestoreCheckFailed"',
        'check="or\\"ders\\\\"',
        'reporter="restorecheck"',
    ]
    assert am.matchers([one, notice()]) == ['reporter="restorecheck"']


def test_a_verdict_that_changed_ends_the_alert_that_it_was(catcher: Catcher):
    before, now = notice(verdict=Verdict.UNPROVEN, severity="warning"), notice()
    holding(catcher, held(before), held(now))
    assert pager(catcher.url).send(now).acknowledged
    assert [p.method for p in catcher.posts] == ["POST", "GET", "POST"]
    assert catcher.posts[2].json == [{"labels": labels_of(before), "endsAt": stamp(AT)}]


def test_that_it_could_not_be_ended_does_not_mean_that_the_notice_did_not_arrive(catcher: Catcher):
    before, now = notice(verdict=Verdict.UNPROVEN), notice()
    answers = iter([Reply(), Reply(200, json.dumps([held(before), held(now)]).encode()), Reply(500)])
    catcher.behave = lambda path, body: next(answers)
    assert pager(catcher.url).send(now) == Sent(acknowledged=True)


@pytest.mark.parametrize(
    "stranger",
    [
        held(notice(check="users-db", verdict=Verdict.UNPROVEN)),
        held(notice(verdict=Verdict.UNPROVEN), reporter="prometheus"),
        held(notice(verdict=Verdict.UNPROVEN), cluster="eu"),
        held(notice(about=About.MISSED)),
    ],
)
def test_nothing_else_is_ever_ended(stranger: dict[str, Any]):
    for turn in Turn:
        assert am.ended([notice(turn)], [stranger], NOW) == []


def test_what_was_read_a_moment_ago_does_not_end_what_another_replica_told_since():
    was, now = notice(verdict=Verdict.UNPROVEN), notice(count=2)
    assert am.ended([was], [held(now)], NOW) == []
    assert len(am.ended([now], [held(was)], NOW)) == 1
    again = {**held(notice(verdict=Verdict.UNPROVEN)), "startsAt": stamp(AT + timedelta(seconds=9))}
    assert am.ended([notice(Turn.RESOLVED)], [again], NOW) == []
    before = {**again, "startsAt": stamp(AT - timedelta(seconds=9))}
    assert len(am.ended([notice(Turn.RESOLVED)], [before], NOW)) == 1


def test_what_is_told_once_ends_nothing():
    assert am.ended([notice(Turn.TOLD)], [held(notice(severity="info"))], NOW) == []
    assert len(am.ended([notice(Turn.RESOLVED)], [held(notice(severity="info"))], NOW)) == 1


def test_very_much_that_stands_is_told_some_at_a_time_and_what_is_too_much_keeps_nothing_else_from_it(catcher: Catcher):
    many = [notice(check=f"db-{n}", key=f"restorecheck/run/db-{n}") for n in range(am.AT_ONCE * 2 + 1)]
    holding(catcher, *(held(one) for one in many))
    receiver = pager(catcher.url)
    assert isinstance(receiver, Standing)
    assert receiver.resend(many) == Sent(acknowledged=True)
    sizes = [len(p.json) for p in catcher.posts if p.method == "POST"]
    assert sizes == [am.AT_ONCE, am.AT_ONCE, 1]
    catcher.posts.clear()
    catcher.behave = lambda path, body: Reply(413 if b"db-0" in body else 200)
    with pytest.raises(DeliveryError):
        receiver.resend(many)
    assert [len(p.json) for p in catcher.posts if p.method == "POST"] == sizes
    catcher.posts.clear()
    catcher.behave = lambda path, body: Reply(429)
    with pytest.raises(DeliveryError):
        receiver.resend(many)
    assert len(catcher.posts) == 1


def test_all_that_stands_is_told_in_one_post(catcher: Catcher):
    one, other = notice(), notice(check="users-db", key="restorecheck/run/users-db")
    holding(catcher, held(one), held(other))
    receiver = pager(catcher.url)
    assert isinstance(receiver, Standing)
    assert receiver.resend([one, other]) == Sent(acknowledged=True)
    assert [len(p.json) for p in catcher.posts if p.method == "POST"] == [2]
    catcher.posts.clear()
    assert receiver.resend([]) == Sent(acknowledged=False)
    assert catcher.posts == []


@pytest.mark.parametrize("turn", [Turn.BEGAN, Turn.PASSED])
def test_runs_that_begin_and_pass_are_the_business_of_heartbeats(catcher: Catcher, turn: Turn):
    others = (
        pager(catcher.url),
        hook(catcher.url),
        made(declared.Sns("topic", TOPIC)),
        made(declared.Apprise("chat", Secret("json://127.0.0.1"))),
    )
    for receiver in others:
        assert not receiver.send(notice(turn)).acknowledged
    assert catcher.posts == []


# --- webhook ---------------------------------------------------------------------------------------------------------


def hook(url: str, token: Secret | None = None) -> Receiver:
    return made(declared.Webhook("hook", Secret(url), token))


def test_a_webhook_gets_one_alert_and_the_id_of_the_notice(catcher: Catcher):
    hook(f"{catcher.url}/x?key=1", Secret(TOKEN)).send(notice())
    [post] = catcher.posts
    assert (post.path, post.key) == ("/x?key=1", notice().id)
    assert post.headers["authorization"] == f"Bearer {TOKEN}"
    assert post.headers["content-type"] == "application/json"
    message = post.json
    [alert] = message["alerts"]
    assert (message["version"], message["status"], message["receiver"]) == ("4", "firing", "hook")
    assert message["groupKey"] == '{}:{alertname="RestoreCheckFailed", check="orders-db"}'
    assert message["groupLabels"] == {"alertname": "RestoreCheckFailed", "check": "orders-db"}
    assert message["commonLabels"] == alert["labels"] == labels_of(notice())
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-21T03:00:00.000Z", wh.FOREVER)


def test_a_trouble_has_one_fingerprint_also_when_its_verdict_changes():
    first, then, over = (
        wh.message_of(one, "hook")
        for one in (notice(verdict=Verdict.UNPROVEN), notice(), notice(Turn.RESOLVED, verdict=Verdict.PASSED))
    )
    prints = {m["alerts"][0]["fingerprint"] for m in (first, then, over)}
    assert len(prints) == 1
    assert len({m["groupKey"] for m in (first, then, over)}) == 1
    assert over["status"] == over["alerts"][0]["status"] == "resolved"
    assert over["alerts"][0]["endsAt"] == stamp(AT)
    other = wh.message_of(notice(key="restorecheck/missed/orders-db", about=About.MISSED), "hook")
    assert other["alerts"][0]["fingerprint"] not in prints


def test_what_is_told_once_says_when_it_is_over():
    assert wh.message_of(notice(Turn.TOLD), "hook")["alerts"][0]["endsAt"] == stamp(AT + timedelta(hours=1))


@pytest.mark.parametrize(
    ("body", "acknowledged"),
    [
        (json.dumps({"acknowledged": notice().id}).encode(), True),
        (b'{"acknowledged": "another"}', False),
        (b'{"acknowledged": true}', False),
        (b'["acknowledged"]', False),
        pytest.param(b"[" * 60_000, False, id="deep"),
        (b"OK", False),
        (b"", False),
    ],
)
def test_a_webhook_acknowledges_by_the_id(catcher: Catcher, body: bytes, acknowledged: bool):
    catcher.behave = lambda path, sent: Reply(200, body)
    assert hook(catcher.url).send(notice()) == Sent(acknowledged)


def test_a_secret_in_a_file_is_read_when_it_is_sent_and_one_that_is_missing_is_said(catcher: Catcher, tmp_path: Path):
    file = tmp_path / "url"
    receiver = made(declared.Webhook("hook", Secret(file=file)))
    assert failing(receiver, notice()).reason == "configuration"
    file.write_text(f"{catcher.url}/{TOKEN}\n")
    receiver.send(notice())
    assert [p.path for p in catcher.posts] == [f"/{TOKEN}"]
    file.write_text(f"gopher://{TOKEN}\n")
    assert failing(receiver, notice()).reason == "configuration"


# --- heartbeat -------------------------------------------------------------------------------------------------------


def heart(url: str) -> Receiver:
    return made(declared.Heartbeat("heart", Secret(url)))


RID = str(hb.run_uuid("orders-db-20261121t0300z"))


@pytest.mark.parametrize(
    ("turn", "path"),
    [
        (Turn.BEGAN, f"/ping/start?rid={RID}"),
        (Turn.PASSED, f"/ping?rid={RID}"),
        (Turn.FIRING, f"/ping/fail?rid={RID}"),
        (Turn.REPEATED, f"/ping/fail?rid={RID}"),
    ],
)
def test_a_heartbeat_is_told_of_every_run(catcher: Catcher, turn: Turn, path: str):
    catcher.behave = lambda asked, body: Reply(200, b"OK")
    assert heart(f"{catcher.url}/ping").send(notice(turn)) == Sent(acknowledged=True)
    [post] = catcher.posts
    assert (post.method, post.path) == ("POST", path)
    assert post.body.decode() == (wording.text(notice(turn)) if turn in OPEN else "")


@pytest.mark.parametrize("one", [notice(Turn.RESOLVED), notice(Turn.TOLD), notice(about=About.TEST)])
def test_nothing_else_is_sent_to_it(catcher: Catcher, one: Notice):
    assert not heart(catcher.url).send(one).acknowledged
    assert catcher.posts == []


def test_start_and_end_of_a_run_are_a_pair_and_two_runs_are_not():
    assert uuid.UUID(RID).version == 5
    assert hb.run_uuid("orders-db-20261121t0300z") == uuid.UUID(RID)
    assert hb.run_uuid("orders-db-20261122t0300z") != uuid.UUID(RID)


def test_the_address_keeps_what_it_asks_for_and_names_the_check():
    at = hb.address_of("https://hc.example.org/key/{check}/?create=1", notice(check="or/ders?x"), "/fail")
    assert at == f"https://hc.example.org/key/or%2Fders%3Fx/fail?create=1&rid={RID}"
    service = notice(Turn.PASSED, check="", run_id="")
    assert hb.address_of("https://hc.example.org/key", service, "") == "https://hc.example.org/key"


def test_an_address_for_checks_is_none_for_the_service():
    with pytest.raises(DeliveryError) as raised:
        hb.address_of("https://hc.example.org/{check}", notice(check=""), "")
    assert raised.value.reason == "configuration"
    with pytest.raises(DeliveryError) as raised:
        hb.address_of("https://[hc.example.org/", notice(), "")
    assert raised.value.reason == "configuration"


def test_a_long_text_is_cut_where_the_server_would(catcher: Catcher):
    heart(catcher.url).send(notice(title="é" * 20_000))
    assert 9_990 <= len(catcher.posts[0].body) <= 10_000
    catcher.posts[0].body.decode()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404, b"not found"), "rejected"),
        (Reply(409, b"ambiguous slug"), "rejected"),
        (Reply(200, b"OK (not found)"), "rejected"),
        (Reply(200, b"OK (rate limited)"), "rate-limited"),
        (Reply(429), "rate-limited"),
    ],
)
def test_a_server_that_does_not_know_us(catcher: Catcher, reply: Reply, reason: str):
    catcher.behave = lambda path, body: reply
    assert failing(heart(f"{catcher.url}/{TOKEN}"), notice()).reason == reason


def test_another_answer_is_no_acknowledgement(catcher: Catcher):
    catcher.behave = lambda path, body: Reply(200, b"<html>welcome</html>")
    assert heart(catcher.url).send(notice()) == Sent(acknowledged=False)


# --- SNS -------------------------------------------------------------------------------------------------------------

TOPIC = "arn:aws:sns:eu-central-1:111111111111:backups"


class FakeFence:
    """Takes what is published, or refuses it."""

    def __init__(self, answer: dict[str, Any] | RestorecheckError) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def notifier(self, topic: str) -> FakeFence:
        self.calls.append((topic,))
        return self

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.calls.append((service, operation, params))
        if isinstance(self.answer, RestorecheckError):
            raise self.answer
        return self.answer


def test_a_topic_gets_a_subject_a_text_and_what_can_be_filtered():
    fence = FakeFence({"MessageId": "1"})
    assert made(declared.Sns("topic", TOPIC), fence).send(notice()) == Sent(acknowledged=True)
    (named, (service, operation, params)) = fence.calls
    assert (named, service, operation) == ((TOPIC,), "sns", "Publish")
    assert (params["TopicArn"], params["Message"]) == (TOPIC, wording.text(notice()))
    assert {k: v["StringValue"] for k, v in params["MessageAttributes"].items()} == {
        "check": "orders-db",
        "verdict": "broken",
        "severity": "critical",
        "turn": "firing",
    }
    assert "MessageGroupId" not in params
    made(declared.Sns("topic", TOPIC), FakeFence({})).send(notice())


def test_without_an_id_it_is_not_acknowledged():
    assert made(declared.Sns("topic", TOPIC), FakeFence({})).send(notice()) == Sent(acknowledged=False)


def test_a_subject_is_short_plain_and_on_one_line_and_a_long_text_is_cut():
    wild = notice(title=" é\n" + "x" * 300_000, verdict=None)
    message = topics.message_of(wild, TOPIC)
    assert len(message["Subject"]) <= 99
    assert message["Subject"].isascii()
    assert message["Subject"].isprintable()
    assert message["Subject"].strip() == message["Subject"] != ""
    assert len(message["Message"].encode()) <= 200 * 1024
    assert "verdict" not in message["MessageAttributes"]


def test_a_fifo_topic_keeps_the_order_of_a_trouble_and_takes_nothing_twice():
    first, again, other = (
        topics.message_of(one, TOPIC + ".fifo") for one in (notice(), notice(), notice(Turn.RESOLVED))
    )
    assert first["MessageDeduplicationId"] == again["MessageDeduplicationId"] != other["MessageDeduplicationId"]
    assert first["MessageGroupId"] == other["MessageGroupId"]
    assert len(first["MessageGroupId"]) == 64


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AwsError("Throttled", TOKEN, kind="throttled", retryable=True), "rate-limited"),
        (AwsError("InternalError", TOKEN, kind="aws-unavailable", retryable=True), "server-error"),
        (AwsError("AuthorizationError", TOKEN, kind="unknown-answer", retryable=False), "rejected"),
        (AwsError("NotFound", TOKEN, kind="unknown-answer", retryable=False), "rejected"),
        (AwsError("AccessDenied", TOKEN, kind="permission", retryable=False), "rejected"),
        (SourceError(TOKEN, kind="aws-unavailable", retryable=True), "refused"),
        (SourceError(TOKEN, kind="credentials"), "configuration"),
        (SourceError(TOKEN, kind="unknown-answer"), "rejected"),
        (RefusedError(TOKEN), "configuration"),
    ],
)
def test_why_a_topic_took_nothing(error: RestorecheckError, reason: str):
    assert failing(made(declared.Sns("topic", TOPIC), FakeFence(error)), notice()).reason == reason


# --- apprise ---------------------------------------------------------------------------------------------------------


LIBRARY = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""The library loads all of its plugins at once, and one of them an old module."""


def chat(url: str, deadline: float = 10.0) -> Receiver:
    return ap.Apprise(declared.Apprise("chat", Secret(url)), deadline)


@LIBRARY
def test_apprise_hands_it_to_a_service(catcher: Catcher):
    url = catcher.url.replace("http://", "json://") + "/x"
    assert chat(url).send(notice()) == Sent(acknowledged=False)
    [post] = catcher.posts
    assert post.json["title"] == wording.subject(notice())
    assert post.json["message"].strip() == wording.text(notice()).strip()
    assert post.json["type"] == "failure"


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (notice(), "failure"),
        (notice(Turn.REPEATED), "failure"),
        (notice(severity="warning"), "warning"),
        (notice(Turn.RESOLVED), "success"),
        (notice(Turn.TOLD), "info"),
        (notice(about=About.TEST), "info"),
    ],
)
def test_the_kinds_of_notices_that_apprise_knows(one: Notice, kind: str):
    assert ap.type_of(one) == kind


@LIBRARY
def test_a_service_that_does_not_take_it_and_one_that_is_not_there(catcher: Catcher):
    catcher.behave = lambda path, body: Reply(500)
    assert failing(chat(catcher.url.replace("http://", "json://") + f"/{TOKEN}"), notice()).reason == "refused"
    assert failing(chat(nobody().replace("http://", "json://") + f"/{TOKEN}"), notice()).reason == "refused"


def test_what_takes_too_long_or_breaks_is_left_alone():
    release = threading.Event()
    with pytest.raises(DeliveryError, match="did not answer within") as raised:
        ap._within(0.05, "json", lambda: release.wait(30))
    release.set()
    assert raised.value.reason == "timeout"

    def broken() -> bool:
        raise ValueError(TOKEN)

    with pytest.raises(DeliveryError, match="failed with ValueError") as raised:
        ap._within(5, "json", broken)
    assert TOKEN not in raised.value.message


@LIBRARY
@pytest.mark.parametrize("url", ["", "nothing", f"unknown://{TOKEN}", "mailto://", "json://a, json://b,json://"])
def test_what_apprise_does_not_know_is_a_matter_of_the_configuration(url: str, catcher: Catcher):
    error = failing(chat(url, 3), notice())
    assert error.reason in {"configuration", "refused"}


@pytest.mark.parametrize("schema", sorted(ap.LOCAL | set(ap.AWS)))
def test_services_of_this_machine_and_ways_past_the_fence_are_refused(schema: str):
    for url in (f"{schema}://{TOKEN}", f"{schema.upper()}://{TOKEN}"):
        error = failing(chat(url), notice())
        assert error.reason == "configuration"
        assert schema in error.message


@LIBRARY
def test_every_service_that_runs_programs_or_speaks_to_a_bus_is_among_them():
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - slow to load

    manager = NotificationManager()
    manager.load_modules()
    local = set()
    for schema in manager.schemas():
        source = Path(sys.modules[manager[schema].__module__].__file__ or "").read_text()
        if any(
            word in source
            for word in ("import subprocess", "from dbus", "import gi\n", "import win32", "import syslog")
        ):
            local.add(schema)
    assert {"dbus", "macosx", "syslog", "windows"} <= local
    assert local <= ap.LOCAL
    aws = {s for s in manager.schemas() if "AWS4-HMAC" in Path(sys.modules[manager[s].__module__].__file__).read_text()}
    assert aws == set(ap.AWS)


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    error = failing(chat("json://127.0.0.1"), notice())
    assert (error.reason, error.hint) == ("configuration", "pip install 'restorecheck[apprise]'")


def test_identities_of_different_troubles_differ():
    some = [
        notice(),
        notice(check="users-db"),
        notice(about=About.MISSED),
        notice(about=About.RECEIVER, check="", key="restorecheck/receiver/a"),
        notice(about=About.RECEIVER, check="", key="restorecheck/receiver/b"),
        notice(about=About.TEST, check="", key="restorecheck/test/a"),
    ]
    assert len({tuple(identity_of(one).items()) for one in some}) == len(some)
