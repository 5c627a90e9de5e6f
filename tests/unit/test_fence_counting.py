"""What the fence counts of its calls: tries that failed and why, refusals; and that counting changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from fence_cases import BEGAN, DELETE_SNAPSHOT, EXPIRES, PASSWORD, REGION, RUN, RUN_PERMIT, SCRATCH, SOURCE
from object_server import Answered, serving
from object_server import error as object_error
from recorder import Recorder, assumed, error, identity, instances, plain_environment, recording

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.failures import AWS_ERRORS, KINDS
from restorecheck.fence import Calls, Counted, Effect, Entrance, Fence, Mode, Role
from restorecheck.fence.answers import reason_of
from restorecheck.fence.courier import Courier
from restorecheck.fence.guard import Guard
from restorecheck.fence.object_requests import Reply
from restorecheck.fence.passage import Passage
from restorecheck.fence.traffic import Traffic
from restorecheck.fence.wire import Flight
from restorecheck.metrics.aws import figures_of
from restorecheck.sources.versions.interface import Place, Read

PLACE = (Role.SCRATCH, SCRATCH, REGION)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain_environment(monkeypatch, tmp_path)


@pytest.fixture
def aws() -> Iterator[Recorder]:
    with recording() as recorder:
        recorder.answer("AssumeRole", assumed(SCRATCH))
        recorder.answer("GetCallerIdentity", identity(SCRATCH))
        yield recorder


def entrance(account: str) -> Entrance:
    return Entrance(account, f"arn:aws:iam::{account}:role/restorecheck")


def fence_of(aws: Recorder, mode: Mode = Mode.ACT) -> Fence:
    return Fence({SOURCE: entrance(SOURCE)}, {SCRATCH: entrance(SCRATCH)}, endpoint_url=aws.url, mode=mode)


# --- what AWS answers ----------------------------------------------------------------------------------------------


def test_every_try_that_failed_is_counted_by_its_kind_and_every_try_that_was_sent(aws: Recorder):
    hand = (fence := fence_of(aws)).hand(Role.SCRATCH, SCRATCH, REGION)
    before = fence.counted()
    assert before == Counted({"sts:AssumeRole": 1, "sts:GetCallerIdentity": 1}, {})
    aws.answer(
        "DescribeDBInstances",
        error("Throttling", "Rate exceeded"),
        error("Oops", status=500),
        (502, ""),
        instances(),
        error("DBInstanceNotFound", status=404),
    )
    hand.call("rds", "DescribeDBInstances")
    with pytest.raises(AwsError):
        hand.call("rds", "DescribeDBInstances")
    assert fence.counted() == Counted(
        {**before.sent, "rds:DescribeDBInstances": 5},
        {
            ("rds:DescribeDBInstances", "throttled"): 1,
            ("rds:DescribeDBInstances", "aws-unavailable"): 2,
            ("rds:DescribeDBInstances", "interfered"): 1,
        },
    )
    assert before == Counted({"sts:AssumeRole": 1, "sts:GetCallerIdentity": 1}, {})  # what was given away stays


def test_what_is_none_of_awss_answers_failed(aws: Recorder):
    hand = (fence := fence_of(aws)).hand(Role.SCRATCH, SCRATCH, REGION)
    aws.answer("DescribeDBInstances", (200, "<html>please log in</html"))
    with pytest.raises(SourceError):
        hand.call("rds", "DescribeDBInstances")
    assert fence.counted().failed == {("rds:DescribeDBInstances", "aws-unavailable"): 1}


def test_nobody_there_is_a_failure_of_every_try():
    fence = Fence({SOURCE: entrance(SOURCE)}, {}, endpoint_url="http://127.0.0.1:1")
    with pytest.raises(SourceError, match="Could not connect"):
        fence.hand(Role.SOURCE, SOURCE, REGION)
    assert fence.counted() == Counted({"sts:AssumeRole": 6}, {("sts:AssumeRole", "aws-unavailable"): 6})


def test_who_may_not_enter_has_no_credentials(aws: Recorder):
    aws.answer("AssumeRole", error("AccessDenied", status=403))
    fence = fence_of(aws)
    with pytest.raises(AwsError) as raised:
        fence.hand(Role.SCRATCH, SCRATCH, REGION)
    assert fence.counted().failed == {("sts:AssumeRole", raised.value.kind): 1}
    assert raised.value.kind == "credentials"


def test_a_reason_is_always_one_of_the_failure_kinds():
    for code in (*AWS_ERRORS, "", "Unknown", "x" * 999):
        for status in (301, 400, 500):
            for operation in ("AssumeRole", "DescribeDBInstances"):
                assert reason_of(code, status, operation) in KINDS
    assert reason_of("AccessDenied", 403, "DescribeDBInstances") == "permission"


RECEIVED = "response-received.s3.CopyObject"


def received(traffic: Traffic, status: int, parsed: Any, exception: Exception | None = None) -> None:
    answer = None if exception else {"status_code": status}
    traffic._received(PLACE, event_name=RECEIVED, response_dict=answer, parsed_response=parsed, exception=exception)


@pytest.mark.parametrize(
    ("status", "parsed", "kind"),
    [
        (200, {"ResponseMetadata": {"HTTPStatusCode": 200}}, ""),
        (200, {}, ""),
        (200, {"Errors": [{"Code": "AccessDenied"}], "ResponseMetadata": {"HTTPStatusCode": 200}}, ""),
        (200, {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "throttled"),
        (200, {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "aws-unavailable"),
        (301, {"Error": {"Code": "PermanentRedirect"}}, "settings"),
        (404, {"Error": {"Code": "404"}}, "unknown-answer"),
        (403, None, "unknown-answer"),
    ],
)
def test_s3_may_answer_with_200_and_an_error_below_it(status: int, parsed: Any, kind: str):
    traffic = Traffic(lambda: BEGAN)
    received(traffic, status, parsed)
    assert traffic.calls.counted().failed == ({("s3:CopyObject", kind): 1} if kind else {})


def test_an_answer_that_cannot_be_counted_breaks_nothing():
    traffic = Traffic(lambda: BEGAN)
    received(traffic, 200, {"ResponseMetadata": None})
    received(traffic, 200, {"ResponseMetadata": {"HTTPStatusCode": "500"}})
    assert traffic.calls.counted().failed == {}


# --- what the fence refuses ----------------------------------------------------------------------------------------


def test_a_refusal_is_counted_and_nothing_was_sent(aws: Recorder):
    hand = (fence := fence_of(aws)).hand(Role.SCRATCH, SCRATCH, REGION)
    sent = len(aws.asked)
    for service, operation, params in (
        ("rds", "DeleteDBSnapshot", DELETE_SNAPSHOT),  # without a permit
        ("rds", "StopDBInstance", {"DBInstanceIdentifier": "x"}),  # in no table
        ("ec2", "TerminateInstances", {"InstanceIds": ["x"]}),
        ("lambda", "Invoke", {}),  # a service that is in no table
    ):
        with pytest.raises(RefusedError):
            hand.call(service, operation, **params)
    assert len(aws.asked) == sent
    assert fence.counted().failed == {
        ("rds:DeleteDBSnapshot", "refused"): 1,
        ("rds:StopDBInstance", "refused"): 1,
        ("ec2:TerminateInstances", "refused"): 1,
        ("lambda:Invoke", "refused"): 1,
    }
    assert set(fence.counted().sent) == {"sts:AssumeRole", "sts:GetCallerIdentity"}


def test_what_the_base_identity_may_not_is_counted(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    fence = fence_of(aws)
    monkeypatch.setattr(
        "restorecheck.fence.guard.effect_of", lambda role, *call: None if role is Role.BASE else Effect.READ
    )
    with pytest.raises(RefusedError, match="the base role may not call sts:AssumeRole"):
        fence.hand(Role.SCRATCH, SCRATCH, REGION)
    assert fence.counted() == Counted({}, {("sts:AssumeRole", "refused"): 1})


def test_what_is_planned_is_neither_sent_nor_failed(aws: Recorder):
    fence = fence_of(aws, Mode.PLAN)
    permit = fence.permit(
        source_account=SOURCE, scratch_account=SCRATCH, region=REGION, began=BEGAN, expires=EXPIRES, run_id=RUN
    )
    with pytest.raises(PlannedError):
        fence.hand(Role.SCRATCH, SCRATCH, REGION, permit).call("rds", "ModifyDBInstance", **PASSWORD)
    assert fence.counted().failed == {}


class Told:
    """A counter; one that is `broken` raises."""

    def __init__(self, *, broken: bool = False) -> None:
        self.calls: list[str] = []
        self.broken = broken

    def __call__(self, service: str, operation: str) -> None:
        self.calls.append(f"{service}:{operation}")
        if self.broken:
            raise ZeroDivisionError


def model_of(service: str, operation: str) -> Any:
    return botocore.session.Session().get_service_model(service).operation_model(operation)


def nobody(kind: str, name: str) -> Any:
    raise AssertionError("nothing is described")


@pytest.mark.parametrize("told", [Told(), Told(broken=True), None])
def test_a_counter_that_breaks_lets_nothing_through_and_holds_nothing_back(told: Told | None):
    guard = Guard(Role.SCRATCH, SCRATCH, REGION, nobody, refused=told)
    context: dict[str, Any] = {"client_region": REGION}
    with pytest.raises(RefusedError, match="no permit was given"):
        guard(DELETE_SNAPSHOT, model_of("rds", "DeleteDBSnapshot"), context)
    assert "restorecheck-judged" not in context
    with pytest.raises(RefusedError, match="without being judged"):
        guard.seal({}, model_of("rds", "DeleteDBSnapshot"), context)
    with pytest.raises(RefusedError, match="may be sent through botocore alone"):
        guard.judge("rds", "DeleteDBSnapshot", DELETE_SNAPSHOT, RUN_PERMIT)
    guard({}, model_of("rds", "DescribeDBInstances"), context)
    guard.judge("s3", "GetObject", {"Bucket": "b", "Key": "k"}, None)
    assert context["restorecheck-judged"] == {}
    assert told is None or told.calls == ["rds:DeleteDBSnapshot"] * 3


# --- objects in bulk -----------------------------------------------------------------------------------------------


def passage_of(url: str = "http://127.0.0.1:1") -> Passage:
    session = botocore.session.Session()
    session.set_credentials("AKIATEST", "secret", "token")
    return Passage(session, Role.SCRATCH, SCRATCH, REGION, endpoint_url=url)


@pytest.mark.parametrize(
    ("reply", "cut", "kind"),
    [
        (Reply(200), {}, ""),
        (Reply(206), {}, ""),
        (Reply(404, body=b"<Error><Code>NoSuchKey</Code></Error>"), {}, "snapshot-state"),
        (Reply(403), {}, "permission"),
        (Reply(503, body=b"<Error><Code>SlowDown</Code></Error>"), {}, "throttled"),
        (Reply(500), {}, "aws-unavailable"),
        (Reply(broken="lost"), {}, "aws-unavailable"),
        (Reply(broken="nothing came for 60 s"), {"why": "nothing came for 60 s"}, "aws-unavailable"),
        (Reply(broken="the reader stopped"), {"why": "the reader stopped", "unwanted": True}, ""),
        (Reply(body=None), {}, ""),  # type: ignore[arg-type] - whatever cannot be counted
    ],
)
def test_requests_beside_botocore_are_counted_alike(reply: Reply, cut: dict[str, Any], kind: str):
    passage, ended = passage_of(), []
    flight = Flight(lambda r: True, None, lambda f: None)
    if cut:
        flight.cut(**cut)
    flight.reply = reply
    Courier(passage, RUN_PERMIT)._landed("GetObject", ended.append, flight)
    assert ended == [flight]  # whoever waits is told in any case
    assert passage.traffic.calls.counted().failed == ({("s3:GetObject", kind): 1} if kind else {})


def test_what_really_fails_on_the_wire_is_counted_and_what_nobody_wants_is_not():
    landed: list[str] = []

    def stops(piece: bytes) -> None:
        raise ValueError("enough")

    class Watched(Courier):
        def _landed(self, operation: str, done: Any, flight: Flight) -> None:
            super()._landed(operation, done, flight)
            landed.append(flight.reply.broken)

    with serving() as s3:
        passage = passage_of(s3.url)
        s3.keep("src/x", b"x" * 3_000_000)
        place = Place("src", "x", SOURCE, "v1")
        seen = list(Watched(passage, RUN_PERMIT).read([Read(place, stops)], 1))
        assert seen[0].error is not None
        assert "the reader stopped" in landed[0]
        assert passage.traffic.calls.counted() == Counted({"s3:GetObject": 1}, {})
        results = Watched(passage, RUN_PERMIT).read([Read(place, lambda piece: None) for _ in range(2)], 2)
        waits = threading.Event()
        s3.once(Answered(200, wait=waits))
        next(results)
        results.close()  # while the other is under way
        waits.set()
        until = time.monotonic() + 60
        while len(landed) < 3:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert passage.traffic.calls.counted() == Counted({"s3:GetObject": 3}, {})
        s3.once(object_error("SlowDown", 503))
        waits.clear()
        s3.once(Answered(200, wait=waits))
        quick = Watched(passage, RUN_PERMIT, hurry=0.001, stall=0.2)
        assert [one.error for one in quick.read([Read(place)], 1)] == [None]
        waits.set()
        assert passage.traffic.calls.counted() == Counted(
            {"s3:GetObject": 6}, {("s3:GetObject", "throttled"): 1, ("s3:GetObject", "aws-unavailable"): 1}
        )


def test_what_failed_before_nobody_wanted_it_has_failed():
    flight = Flight(lambda r: True, None, lambda f: None)
    flight.cut("nothing came for 60 s")
    flight.cut("nobody wants it any more", unwanted=True)
    assert (flight.cut_off, flight.unwanted) == ("nothing came for 60 s", False)


def test_a_request_beside_botocore_that_is_refused_is_counted():
    passage = passage_of()
    send = SimpleNamespace(operation="DeleteBucket", params={"Bucket": "b"}, accept=lambda r: True)
    with pytest.raises(RefusedError):
        Courier(passage).launch(send, lambda f: None, None)  # type: ignore[arg-type]
    assert passage.traffic.calls.counted() == Counted({}, {("s3:DeleteBucket", "refused"): 1})


# --- whose counts they are -----------------------------------------------------------------------------------------


def test_a_wider_fence_counts_with_the_first(aws: Recorder):
    fence = fence_of(aws)
    wider = fence.with_entrances(entrance("333333333333"), entrance("444444444444"))
    wider.hand(Role.SCRATCH, SCRATCH, REGION).call("rds", "DescribeDBInstances")
    assert fence.counted() == wider.counted()
    assert fence.counted().sent["rds:DescribeDBInstances"] == 1


def test_counting_loses_nothing_among_many_threads():
    calls = Calls()
    called = (Role.SCRATCH, SCRATCH, "rds", "DescribeDBInstances")
    reading = threading.Event()

    def read() -> None:
        while not reading.is_set():
            calls.counted()

    with ThreadPoolExecutor(9) as pool:
        pool.submit(read)
        done = [pool.submit(lambda: [calls.fail(called, "throttled") for _ in range(500)]) for _ in range(8)]
        for one in done:
            one.result()
        reading.set()
    assert calls.counted().failed == {("rds:DescribeDBInstances", "throttled"): 4000}


def test_counts_of_roles_and_accounts_are_one_figure():
    calls = Calls()
    for role, account in ((Role.SCRATCH, SCRATCH), (Role.SOURCE, SOURCE)):
        calls.count((role, account, "rds", "DescribeDBInstances"))
        calls.fail((role, account, "rds", "DescribeDBInstances"), "throttled")
    calls.fail((Role.SOURCE, SOURCE, "rds", "DeleteDBInstance"), "refused")
    counted = calls.counted()
    figures = figures_of(counted.sent, counted.failed)
    assert figures.of("aws_api_requests") == {("rds:DescribeDBInstances",): 2, ("rds:DeleteDBInstance",): 0}
    assert figures.of("aws_api_request_failures") == {
        ("rds:DescribeDBInstances", "throttled"): 2,
        ("rds:DeleteDBInstance", "refused"): 1,
    }
    assert list(figures_of({}, {})) == []
