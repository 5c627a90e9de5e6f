"""Lambda on this machine: the SDK's local runner around a body, on the tests' clock, and able to kill invocations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from aws_durable_execution_sdk_python import DurableContext, durable_execution, state
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.lambda_service import OperationStatus, OperationType
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from journal import Edge, Killed, SkipClock

from restorecheck.durable import Json, Listener
from restorecheck.engines.aws_lambda import Verify, execute
from restorecheck.engines.inline import never

WHOLE = 900.0

# How long the SDK's own thread takes to notice that an invocation ended: 100 ms, a thousand times in a suite.
state._STOP_SIGNAL_POLL_SECONDS = 0.002  # type: ignore[attr-defined]


class Timed:
    """What one invocation has left, on the tests' clock."""

    def __init__(self, clock: SkipClock, whole: float = WHOLE) -> None:
        self._clock, self._end = clock, clock.monotonic() + whole

    def __call__(self) -> float:
        return self._end - self._clock.monotonic()


@dataclass
class Kill:
    """Where an invocation dies: at which operation, counted over the whole execution, and at which of its edges."""

    place: int = -1
    edge: Edge = "before"
    times: int = 1


class Context:
    """A durable context on the tests' clock: the time that AWS would let pass passes there."""

    def __init__(self, real: DurableContext, clock: SkipClock, kill: Kill) -> None:
        self._real, self._clock, self._kill = real, clock, kill
        self._place = -1
        self.lambda_context = real.lambda_context

    def step(self, func: Callable[[Any], Any], name: str, config: Any) -> Any:
        self._place += 1
        retry = config.retry_strategy

        def again(error: Exception, attempt: int) -> Any:
            decision = retry(error, attempt)
            if decision.should_retry:
                self._clock.skip(decision.delay_seconds)
            return decision

        made = type(config)(again, config.step_semantics, config.serdes)
        found = self._real.step(self._mortal(func), name=name, config=made)
        self._strike("after")
        return found

    def wait_for_condition(self, check: Callable[[Any, Any], Any], config: Any, name: str) -> Any:
        self._place += 1

        def decide(state: Any, attempt: int) -> WaitForConditionDecision:
            decision = config.wait_strategy(state, attempt)
            if decision.should_continue:
                self._clock.skip(decision.delay_seconds)
            return decision

        made = WaitForConditionConfig(decide, config.initial_state, config.serdes)
        found = self._real.wait_for_condition(self._mortal(check), made, name=name)
        self._strike("after")
        return found

    def wait(self, seconds: int, name: str) -> None:
        self._real.wait(Duration(seconds), name=name)

    def _mortal(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any) -> Any:
            self._strike("before")
            found = act(*args)
            self._strike("unrecorded")
            return found

        return mortal

    def _strike(self, edge: Edge) -> None:
        if (self._place, edge) == (self._kill.place, self._kill.edge) and self._kill.times:
            self._kill.times -= 1
            raise Killed(f"{edge} operation {self._place}")


@dataclass
class Lived:
    """What came of an execution."""

    report: Json | None
    error: str
    invocations: int
    operations: list[str]  # names, in order
    payloads: list[str] = field(default_factory=list, repr=False)
    attempts: int = 0  # of all steps and waits, those that succeeded among them
    deaths: list[str] = field(default_factory=list)  # of invocations that ended as no handler ends


@contextmanager
def closing(runner: DurableFunctionTestRunner) -> Iterator[DurableFunctionTestRunner]:
    """Close a runner whole at the end; until then it does not wait in real time."""
    # It waits five real seconds before it begins an invocation again that died.
    runner._executor.RETRY_BACKOFF_SECONDS = 0
    runner._executor.MAX_CONSECUTIVE_FAILED_ATTEMPTS = 50
    try:
        yield runner
    finally:
        runner.close()
        runner._scheduler._loop.close()  # which it forgets


def lived(
    run_id: str,
    verify: Verify,
    clock: SkipClock,
    listener: Listener | None = None,
    cancelled: Callable[[], bool] = never,
    *,
    kill: Kill | None = None,
    remaining: Callable[[], Callable[[], float]] | None = None,
    at_most: int = 60,
) -> Lived:
    """Run a whole execution, in as many invocations as it takes. `remaining` is made anew for each."""
    killing, begun = kill or Kill(), [0]
    deaths: list[str] = []

    def die() -> NoReturn:
        raise Killed("the process ended itself")

    def body(event: Any, context: DurableContext) -> Json:
        del event
        left = remaining() if remaining else Timed(clock)
        mine = Context(context, clock, killing)
        return execute(mine, run_id, verify, clock, listener, cancelled=cancelled, remaining=left, die=die)  # type: ignore[arg-type]

    durable = durable_execution(body)

    def handler(event: Any, context: Any) -> Any:
        begun[0] += 1
        try:
            return durable(event, context)
        except Killed as e:  # as Lambda tells it: the sandbox is gone, and nobody wrote anything any more
            deaths.append(str(e))
            raise RuntimeError(f"Runtime exited: {e}") from e

    with closing(DurableFunctionTestRunner(handler)) as runner:
        arn = runner.run_async(input="{}", execution_timeout=at_most, execution_name=run_id)
        result = runner.wait_for_result(arn, timeout=at_most)
        operations = runner._store.load(arn).operations
    details = [one for one in operations if one.operation_type is not OperationType.EXECUTION]
    assert all(one.status in {OperationStatus.SUCCEEDED, OperationStatus.FAILED} for one in details)
    steps = [one.step_details for one in details if one.step_details]
    return Lived(
        json.loads(result.result) if result.result else None,
        str(result.error.message) if result.error else "",
        begun[0],
        [one.name or "" for one in details],
        [step.result or "" for step in steps],
        sum(step.attempt for step in steps),
        deaths,
    )
