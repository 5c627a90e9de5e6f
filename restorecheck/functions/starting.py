"""Executions of the one durable function that runs checks, through the fence. Starts them and looks; stops none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from restorecheck.engines.lambda_fleet import UNDER_WAY, Execution
from restorecheck.errors import AwsError, RestorecheckError
from restorecheck.fence import Hand

NAMED = "name:alias"
_STARTED = "DurableExecutionAlreadyStartedException"


def function_arn(invoked: str, function: str) -> str:
    """Return the ARN of the function that runs checks: `name:alias`, beside the one that was invoked by its ARN.

    Raises RestorecheckError `config`.
    """
    parts, said = invoked.split(":"), function.split(":")
    if len(said) != 2 or not all(said):
        raise RestorecheckError(
            f"RESTORECHECK_RUN_FUNCTION is {function!r}, not the name and the alias of the function that runs checks",
            f"write {NAMED}: an execution that names neither version nor alias is refused by Lambda",
            kind="config",
        )
    if len(parts) < 7 or parts[2] != "lambda":
        raise RestorecheckError(f"{invoked!r} is no ARN of a function", kind="config")
    return ":".join([*parts[:6], *said])


class NoStarter:
    """A Starter where nothing can be started or looked at, because of what was wrong when it was made."""

    def __init__(self, error: RestorecheckError) -> None:
        self._error = error

    def start(self, run_id: str) -> None:
        """See Starter.start."""
        del run_id
        raise self._error

    def running(self) -> set[str]:
        """See Starter.running."""
        raise self._error

    def status(self, run_id: str) -> Execution | None:
        """See Starter.status."""
        del run_id
        raise self._error


class LambdaStarter:
    """See engines.lambda_fleet.Starter. `function` is the ARN that the Hand may start."""

    def __init__(self, hand: Hand, function: str) -> None:
        self._hand, self._function = hand, function
        self._every_version = function.rpartition(":")[0]  # a run goes on in the version that it began with

    def start(self, run_id: str) -> None:
        """See Starter.start."""
        try:
            self._hand.call(
                "lambda",
                "Invoke",
                FunctionName=self._function,
                InvocationType="Event",
                DurableExecutionName=run_id,
                Payload=json.dumps({"run": run_id}).encode(),
            )
        except AwsError as e:
            if e.code != _STARTED:
                raise

    def running(self) -> set[str]:
        """See Starter.running."""
        found = self._listed(Statuses=sorted(UNDER_WAY))
        return {str(one["DurableExecutionName"]) for one in found}

    def status(self, run_id: str) -> Execution | None:
        """See Starter.status. Of several of one name, which Lambda forgets after a while, the newest counts."""
        found = [one for one in self._listed(DurableExecutionName=run_id) if one["DurableExecutionName"] == run_id]
        if not found:
            return None
        newest = max(found, key=lambda one: one["StartTimestamp"])
        arn = newest["DurableExecutionArn"]
        return _execution(self._hand.call("lambda", "GetDurableExecution", DurableExecutionArn=arn))

    def _listed(self, **which: Any) -> Iterator[dict[str, Any]]:
        """Yield a listing to its end: one that breaks off raises."""
        marker: dict[str, str] = {}
        while True:
            answer = self._hand.call(
                "lambda", "ListDurableExecutionsByFunction", FunctionName=self._every_version, **which, **marker
            )
            yield from answer.get("DurableExecutions") or ()
            following = answer.get("NextMarker")
            if not following:
                return
            if following == marker.get("Marker"):
                raise RestorecheckError("Lambda lists executions in a circle", kind="unknown-answer")
            marker = {"Marker": following}


def _execution(answer: Mapping[str, Any]) -> Execution:
    error = answer.get("Error") or {}
    return Execution(
        status=str(answer["Status"]),
        started=answer["StartTimestamp"],
        ended=answer.get("EndTimestamp"),
        result=answer.get("Result"),
        error=str(error.get("ErrorType") or ""),
    )
