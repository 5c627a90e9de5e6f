"""The durable engine of Lambda: AWS Lambda durable functions, for the same `verify` as everywhere.

The SDK records steps and ends the invocation at every wait; the next one replays the records. It is synchronous: so the
workflow is driven without an event loop, only what happens inside a step has one, and an end of the invocation unwinds
through the workflow as an exception that nobody catches.

Beside `lambda_entry`, this alone imports the SDK. Whatever happens, an execution must not end before the teardown: what
AWS would stop without a word (an invocation that outlives its time, a record that is too large, an operation too many)
ends here by name, as the failure of one step. It talks to nobody but the SDK and never touches a file.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import Duration, StepConfig, StepSemantics
from aws_durable_execution_sdk_python.exceptions import DurableOperationError, StepInterruptedError
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext
from aws_durable_execution_sdk_python.types import StepContext, WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from restorecheck.durable import Clock, Durable, Json, Listener, Look, encode, waiting
from restorecheck.engines.inline import RecordingDurable, never
from restorecheck.engines.invocation import Invocation, beside
from restorecheck.engines.rounds import ELSEWHERE, UNSEEN, Rounds, failure, fitting, moment
from restorecheck.errors import RestorecheckError
from restorecheck.model import Report

T = TypeVar("T")
Verify = Callable[[Durable], Coroutine[Any, Any, Report]]

LIVES = 3
"""How many invocations may die in one step. AWS itself counts none, and begins the step again and again."""


class _PlainJson(SerDes[Json]):
    def serialize(self, value: Json, serdes_context: SerDesContext) -> str:
        del serdes_context
        return json.dumps(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Json:
        del serdes_context
        return json.loads(data)


_PLAIN = _PlainJson()


class _AfreshError(Exception):
    """Too little of this invocation is left: the step begins in the next one."""


def _end_process() -> NoReturn:
    os._exit(1)


class LambdaDurable(RecordingDurable):
    """A Durable whose steps the SDK records; made anew in every invocation."""

    def __init__(
        self,
        context: DurableContext,
        run_id: str,
        clock: Clock,
        listener: Listener | None,
        cancelled: Callable[[], bool],
        *,
        invocation: Invocation,
        die: Callable[[], NoReturn] = _end_process,
    ) -> None:
        super().__init__(run_id, clock, listener, cancelled)
        self._context, self._invocation, self._die = context, invocation, die
        self._operations = 1  # the execution itself is one
        self._greedy = False

    # --- steps -------------------------------------------------------------------------------------------------------

    async def step(
        self,
        name: str,
        fn: Callable[[], T],
        of: type[T],
        attempts: int = 1,
        *,
        by: datetime | None = None,
        abandon: bool = False,
    ) -> T:
        """See Durable.step. What may be abandoned may also need long: it begins in an invocation of its own."""
        self._greedy = abandon
        return await super().step(name, fn, of, attempts, by=by, abandon=abandon)

    async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        invocation, greedy = self._invocation, self._greedy

        async def acted() -> Json:
            return await act()

        def once(step: StepContext) -> Json:
            if step.attempt == 1 and not (invocation.fresh if greedy else invocation.roomy):
                raise _AfreshError
            return {**fitting(asyncio.run(acted())), "operations": step.attempt}

        # At most once: only so does the SDK notice that an invocation died in here, and asks whether to begin again.
        config = StepConfig(_again, StepSemantics.AT_MOST_ONCE_PER_RETRY, _PLAIN)
        try:
            envelope = self._context.step(once, name=name, config=config)
        except DurableOperationError as e:
            envelope = self._given_up(name, e)
        self._operations += envelope.get("operations", 1)
        return envelope

    def _given_up(self, name: str, error: DurableOperationError) -> Json:
        """Record that a step has no envelope, because none of its lives came to write one."""
        hint = f"look at the function's log; give it more memory, {ELSEWHERE}"
        if error.error_type.endswith(StepInterruptedError.__name__):
            message = f"{LIVES} invocations died in this step, of its 15 minutes or of the function's memory"
            kind = "deadline"
        else:
            kind, message = "internal", f"the engine failed: {error.error_type}"

        def now(_: StepContext) -> Json:
            return {**failure(kind, message, hint, self._clock.now()), "operations": LIVES + 1}

        envelope: Json = self._context.step(now, name=f"{name}: given up", config=StepConfig(_again, serdes=_PLAIN))
        return envelope

    async def _abandonable(self, fn: Callable[[], T], by: datetime | None) -> T:
        task = beside(fn)
        while not task.done():
            await moment(task, self._invocation)
            try:
                self._heed_end(task, by)
            except RestorecheckError:
                task.cancel()
                raise
        return task.result()

    def _heed_end(self, task: asyncio.Future[T], by: datetime | None) -> None:
        if task.done():
            return
        self._heed(by)
        if self._invocation.left <= 0:
            message = "this was not done when the invocation ended: one step on Lambda has 15 minutes"
            raise RestorecheckError(message, ELSEWHERE, kind="deadline")

    # --- waits -------------------------------------------------------------------------------------------------------

    async def until(
        self,
        name: str,
        probe: Callable[[], Look],
        every: timedelta,
        at_most: timedelta,
        *,
        by: datetime | None = None,
    ) -> None:
        """See Durable.until. One operation and one more for every look that ends its invocation.

        Between invocations only the time of day tells how long it was; inside of one, the clock that goes forward.
        """
        rounds = Rounds(
            waiting(self._phases[-1].ended, every, at_most, by),
            self._invocation,
            self._clock,
            forward=by is not None,
            used=self._operations,
            heed=self._heed_cancel if by is not None else _nothing,
            started=lambda: self._listener.started(self._run_id, name),
            saw=lambda status: self._listener.looked(self._run_id, name, status),
        )
        self._taken(name, self._waited(name, rounds, probe), type(None))

    def _waited(self, name: str, rounds: Rounds, probe: Callable[[], Look]) -> Json:
        def check(state: Json, of: WaitForConditionCheckContext) -> Json:
            return rounds.round(state, of.attempt, probe)

        config: WaitForConditionConfig[Json] = WaitForConditionConfig(_decide, UNSEEN, _PLAIN)
        try:
            envelope: Json = self._context.wait_for_condition(check, config, name=name)["envelope"]
        except DurableOperationError as e:
            envelope = self._given_up(name, e)
        except BaseException:  # the end of this invocation: by a wait, or because nothing can be recorded any more
            if rounds.overran:
                # Its thread may still write, and would be thawed with this process beside whoever tears down. What
                # comes next is another process, whether it was recorded that it overran or not.
                self._die()
            raise
        self._operations += envelope["operations"]
        return envelope


def execute(
    context: DurableContext,
    run_id: str,
    verify: Verify,
    clock: Clock,
    listener: Listener | None = None,
    *,
    cancelled: Callable[[], bool] = never,
    remaining: Callable[[], float] | None = None,
    die: Callable[[], NoReturn] = _end_process,
) -> Json:
    """Go on with a run as far as this invocation gets, and return its report, encoded, once it has ended.

    `remaining` gives the seconds that are left of this invocation; by default, what Lambda says. `die` ends this
    process when a thread of it must not live on. Raises what the SDK raises to end an invocation: let it pass.
    """
    # What it raises ends in a report of ours; that a step begins afresh is no error, and it says so with a traceback.
    logging.getLogger("aws_durable_execution_sdk_python").setLevel(logging.CRITICAL)
    invocation = Invocation(remaining or _told_by(context))
    durable = LambdaDurable(context, run_id, clock, listener, cancelled, invocation=invocation, die=die)
    return encode(driven(verify(durable)), Report)


def driven(workflow: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that awaits nothing outside of its steps to its end, without an event loop."""
    try:
        workflow.send(None)
    except StopIteration as e:
        value: T = e.value
        return value
    workflow.close()
    raise AssertionError("the workflow awaited something outside of a step, which no replay could repeat")


def _told_by(context: DurableContext) -> Callable[[], float]:
    function = context.lambda_context
    if function is None:
        raise RestorecheckError("the SDK gave no Lambda context, so nobody knows how much time is left")
    return lambda: function.get_remaining_time_in_millis() / 1000


# --- decisions: pure ---------------------------------------------------------------------------------------------


def _again(error: Exception, attempt: int) -> RetryDecision:
    """Begin a step again that found too little time, or whose invocation died. All else `perform` has tried."""
    if isinstance(error, _AfreshError) or (isinstance(error, StepInterruptedError) and attempt < LIVES):
        return RetryDecision.retry(Duration(1))
    return RetryDecision.no_retry()


def _decide(state: Json, attempt: int) -> WaitForConditionDecision:
    del attempt  # the SDK's own strategy stops after 60
    if state["envelope"] is not None:
        return WaitForConditionDecision.stop_polling()
    return WaitForConditionDecision.continue_waiting(Duration(state["nap"]))


def _nothing() -> None:
    """Heed nobody."""
