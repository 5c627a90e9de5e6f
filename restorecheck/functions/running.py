"""One invocation of one run: the world for `verify`, and who may end it. The engine records, the workflow decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from restorecheck import logs, workplace
from restorecheck.config import Config
from restorecheck.durable import Clock, Durable, Json, Listener, bug
from restorecheck.engines.aws_lambda import execute
from restorecheck.engines.lambda_entry import again, durable
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Fence
from restorecheck.functions.keeping import Keeping
from restorecheck.model import Report
from restorecheck.ports import LivePorts
from restorecheck.schedule import check_of
from restorecheck.verify import verify

__all__ = ["Asked", "again", "durable", "go_on", "run_of"]

EVERY = 10.0
"""Seconds between two looks whether somebody wants the end of a run. Each is a call to the state."""


class Asked:
    """Whether somebody asked for the end of a run; asked of the state now and then, however often this is asked.

    A state that does not answer says nothing: the run goes on, and a cancel that was heard is never forgotten.
    """

    def __init__(self, cancelled: Callable[[], bool], monotonic: Callable[[], float], every: float = EVERY) -> None:
        self._cancelled, self._monotonic, self._every = cancelled, monotonic, every
        self._asked, self._heard = float("-inf"), False
        self._log = logs.get("run")

    def __call__(self) -> bool:
        """Say what is known."""
        if not self._heard and self._monotonic() >= self._asked + self._every:
            self._asked = self._monotonic()
            try:
                self._heard = self._cancelled()
            except RestorecheckError as e:
                self._log.warning("run.not-asked", why=e.message)
        return self._heard


def run_of(event: Any) -> str:
    """Return the run that an event asks for. Raises RestorecheckError `config`."""
    run = event.get("run") if isinstance(event, dict) else None
    if not isinstance(run, str) or check_of(run) is None:
        raise RestorecheckError('the event names no run: it is {"run": "<check>-<time>"}', kind="config")
    return run


def go_on(
    context: Any,
    run: str,
    config: Config,
    keeping: Keeping,
    *,
    clock: Clock,
    listener: Listener,
    fence: Fence,
) -> Json:
    """Go on with a run as far as this invocation gets; return its report once it has ended. Raises the SDK's own."""
    _tidy(config, run)
    ports = LivePorts(config, clock, keeping.keep, fence=fence, knows=keeping.known, tells=listener.looked)

    async def workflow(durably: Durable) -> Report:
        return await verify(durably, ports)

    cancelled = Asked(lambda: keeping.cancelled(run), clock.monotonic)
    with logs.bound(run=run):
        return execute(context, run, workflow, clock, listener, cancelled=cancelled)


def _tidy(config: Config, run: str) -> None:
    """Remove what invocations left here that died: nobody else works on this machine.

    What cannot be removed is only told. An error would be one outside of a step, and end the run before its teardown.
    """
    try:
        if config.workplace.is_dir():
            workplace.sweep(config.workplace, {run})
    except (RestorecheckError, OSError) as e:
        logs.get("run").warning("workplace.not-tidied", why=bug(e))
