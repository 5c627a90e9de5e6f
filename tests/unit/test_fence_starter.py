"""Starting runs over the wire: what Lambda is asked, through the fence, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from lambda_world import ARN, RUN_ARN
from monitoring import Catcher, Reply, catching

from restorecheck.engines.lambda_fleet import Execution
from restorecheck.errors import AwsError, RefusedError, RestorecheckError
from restorecheck.fence import Fence
from restorecheck.functions.starting import LambdaStarter, function_arn

RUN = "orders-db-20261121t0300z"
BEGAN = datetime(2026, 11, 21, 3, 1, tzinfo=UTC)
EXECUTION = f"{RUN_ARN.removesuffix(':live')}:7/durable-execution/{RUN}/0123"


@pytest.fixture(scope="module")
def lambda_() -> Iterator[Catcher]:
    with catching() as catcher:
        yield catcher


@pytest.fixture
def starter(lambda_: Catcher, monkeypatch: pytest.MonkeyPatch) -> LambdaStarter:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    lambda_.posts.clear()
    return LambdaStarter(Fence({}, {}, endpoint_url=lambda_.url).starter(RUN_ARN), RUN_ARN)


def answers(*pages: object, status: int = 200) -> Callable[[str, bytes], Reply]:
    """Answer with these documents, one after another; the last one again and again."""
    left = list(pages)

    def behave(path: str, body: bytes) -> Reply:
        page = left.pop(0) if len(left) > 1 else left[0]
        return Reply(status, json.dumps(page).encode(), {"Content-Type": "application/json"})

    return behave


def listed(*names: str, started: float = BEGAN.timestamp(), **more: Any) -> dict[str, Any]:
    one = {"DurableExecutionArn": EXECUTION, "FunctionArn": RUN_ARN, "Status": "RUNNING", "StartTimestamp": started}
    return {"DurableExecutions": [{**one, "DurableExecutionName": name} for name in names], **more}


def test_a_run_is_started_as_an_execution_of_its_name_that_nobody_waits_for(starter: LambdaStarter, lambda_: Catcher):
    lambda_.behave = lambda path, body: Reply(202)
    starter.start(RUN)
    [post] = lambda_.posts
    assert unquote(post.path) == f"/2015-03-31/functions/{RUN_ARN}/invocations"
    assert post.json == {"run": RUN}
    assert post.headers["x-amz-invocation-type"] == "Event"
    assert post.headers["x-amz-durable-execution-name"] == RUN


def test_one_that_was_started_before_is_left_as_it_is(starter: LambdaStarter, lambda_: Catcher):
    def again(path: str, body: bytes) -> Reply:
        told = {"X-Amzn-ErrorType": "DurableExecutionAlreadyStartedException"}
        return Reply(409, b'{"Message": "it is there"}', told)

    lambda_.behave = again
    starter.start(RUN)
    assert len(lambda_.posts) == 1


def test_what_lambda_refuses_is_an_error_by_name(starter: LambdaStarter, lambda_: Catcher):
    denied = {"X-Amzn-ErrorType": "AccessDeniedException"}
    lambda_.behave = lambda path, body: Reply(403, b'{"Message": "not authorized"}', denied)
    with pytest.raises(AwsError, match="AccessDeniedException") as found:
        starter.start(RUN)
    assert found.value.kind == "permission"


def test_nothing_but_a_run_is_started(starter: LambdaStarter, lambda_: Catcher):
    with pytest.raises(RefusedError):
        starter.start("no-run")
    assert lambda_.posts == []


def test_executions_of_all_versions_are_listed_to_the_end(starter: LambdaStarter, lambda_: Catcher):
    lambda_.behave = answers(listed(RUN, NextMarker="m1"), listed("users-db-20261121t0300z"))
    assert starter.running() == {RUN, "users-db-20261121t0300z"}
    first, second = [urlsplit(post.path) for post in lambda_.posts]
    function = RUN_ARN.removesuffix(":live")
    assert unquote(first.path) == f"/2025-12-01/functions/{function}/durable-executions"
    assert sorted(parse_qs(first.query)["Statuses"]) == ["PAUSED", "PAUSING", "RUNNING"]
    assert parse_qs(second.query)["Marker"] == ["m1"]


def test_a_listing_that_goes_in_a_circle_is_an_error(starter: LambdaStarter, lambda_: Catcher):
    lambda_.behave = answers(listed(RUN, NextMarker="m1"))
    with pytest.raises(RestorecheckError, match="circle"):
        starter.running()


def test_an_execution_is_described_by_its_name(starter: LambdaStarter, lambda_: Catcher):
    described = {
        "DurableExecutionArn": EXECUTION,
        "DurableExecutionName": RUN,
        "FunctionArn": RUN_ARN,
        "Status": "FAILED",
        "StartTimestamp": BEGAN.timestamp(),
        "EndTimestamp": BEGAN.timestamp() + 60,
        "Error": {"ErrorType": "MemoryError", "ErrorMessage": "row 7 of orders"},
    }
    lambda_.behave = answers(listed(RUN, f"{RUN}x"), described)
    found = starter.status(RUN)
    assert found == Execution("FAILED", BEGAN, BEGAN.replace(minute=2), None, "MemoryError")
    asked, got = [urlsplit(post.path) for post in lambda_.posts]
    assert parse_qs(asked.query)["DurableExecutionName"] == [RUN]
    assert unquote(got.path) == f"/2025-12-01/durable-executions/{EXECUTION}"
    assert "row 7" not in str(found)


def test_a_run_that_was_never_started_has_no_execution(starter: LambdaStarter, lambda_: Catcher):
    lambda_.behave = answers({"DurableExecutions": []})
    assert starter.status(RUN) is None


def test_the_function_of_runs_lies_beside_the_one_that_was_invoked():
    assert function_arn(ARN, "restorecheck-run:live") == RUN_ARN
    assert function_arn(f"{ARN}:3", "restorecheck-run:live") == RUN_ARN  # a tick may be invoked by an alias, too


@pytest.mark.parametrize("said", ["", "restorecheck-run", "restorecheck-run:", ":live", RUN_ARN])
def test_a_function_without_an_alias_is_refused(said: str):
    with pytest.raises(RestorecheckError, match="RESTORECHECK_RUN_FUNCTION") as found:
        function_arn(ARN, said)
    assert "name:alias" in found.value.hint
