"""The dispatcher's engine on Lambda: every run is a durable execution of one function, named after the run.

Nothing is begun when the dispatcher takes a run: it is only noted, and `start` begins it once the ledger that says so
is kept where it cannot be forgotten. A start that was made and forgotten is made again, and Lambda starts nothing
twice under one name. An execution that ended without a report ends its run as unproven, by the name of what happened.

`look` and `start` call AWS; what the dispatcher asks in between is answered from what `look` saw. It holds nothing that
the next one needs: each tick has its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from restorecheck.durable import Json, bug, decode
from restorecheck.engines.taking import BrokenOff, Taken
from restorecheck.errors import RestorecheckError
from restorecheck.failures import kind
from restorecheck.model import Failure, Report, Verdict
from restorecheck.schedule import check_of, time_of

UNDER_WAY = frozenset({"RUNNING", "PAUSING", "PAUSED"})
"""Statuses of an execution that goes on. [Lambda API, GetDurableExecution]"""

PATIENCE = 5
"""Ticks in a row that may fail to start a run before it ends, with what AWS answered."""

LEFT = "what the run had made is deleted by the sweep, once its lease has expired"

_ENDS = {
    "TIMED_OUT": ("deadline", "Lambda ended it: it lasted longer than an execution of this function may"),
    "STOPPED": ("cancelled", "somebody stopped it in Lambda"),
    "FAILED": ("internal", "it failed"),
}


@dataclass(frozen=True, slots=True)
class Execution:
    """What Lambda says of one execution."""

    status: str
    started: datetime
    ended: datetime | None = None
    result: str | None = None  # JSON
    error: str = ""  # the type of the error that it failed with; never its message


class Starter(Protocol):
    """What starts runs as executions, and knows how they are."""

    def start(self, run_id: str) -> None:
        """Start the execution of a run; one that was started before is left as it is. Raises RestorecheckError."""

    def running(self) -> set[str]:
        """Return the runs whose execution goes on. Raises RestorecheckError."""

    def status(self, run_id: str) -> Execution | None:
        """Return the execution of a run; None: there is none. Raises RestorecheckError."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Starts of one run that failed: how many in a row, and what the last one met."""

    times: int
    kind: str
    message: str
    at: str  # ISO 8601


class Fleet:
    """All runs of the functions, for one tick. See dispatch.Engine."""

    def __init__(
        self,
        starter: Starter,
        *,
        kept: Callable[[str], Report | None],
        settle: Callable[[Report], Report],
        cancel: Callable[[str], None],
        tried: Mapping[str, Tried],
    ) -> None:
        """`kept` returns the report that a run itself kept, `settle` keeps one for a run that could not.

        `settle` returns the one that counts. `cancel` makes an execution hear of its end; `tried` are failed starts.
        """
        self._starter, self._tried = starter, tried
        self._kept, self._settle, self._cancel = kept, settle, cancel
        self._running: set[str] = set()
        self._ended: dict[str, Execution] = {}
        self._wanted: dict[str, None] = {}  # in the order in which they were taken
        self._cancelled: set[str] = set()

    def look(self, owned: Iterable[str]) -> None:
        """Ask Lambda how the runs are that should go on. Raises RestorecheckError: then nothing is known of them."""
        running, ended = self._starter.running(), dict[str, Execution]()
        for run in owned:
            if run not in running and (found := self._starter.status(run)) is not None:
                if found.status in UNDER_WAY:  # it began between the two questions
                    running.add(run)
                else:
                    ended[run] = found
        self._running, self._ended = running, ended

    def start(self) -> dict[str, RestorecheckError]:
        """Begin what was taken, and return what failed, by run."""
        return _each(self._wanted, self._starter.start)

    def tell_cancelled(self) -> dict[str, RestorecheckError]:
        """Make cancelled runs hear of it, and return what failed, by run."""
        return _each(sorted(self._cancelled), self._cancel)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The runs that `start` is to begin."""
        return tuple(self._wanted)

    # --- dispatch.Engine

    def take(self, run_id: str) -> Taken:
        """See dispatch.Engine. Raises nothing and calls nobody."""
        if run_id in self._running:
            return Taken.RESUMED
        given_up = run_id in self._tried and self._tried[run_id].times >= PATIENCE
        if run_id in self._ended or given_up:
            return Taken.ENDED
        # An execution that the ledger does not know, because the state was made anew while it ran: the run is taken,
        # begins with the first tick that finds its check alone, and is asked for again by each until then.
        if check_of(run_id) not in {check_of(other) for other in self._running}:
            self._wanted[run_id] = None
        return Taken.BEGUN

    def here(self) -> set[str]:
        """See dispatch.Engine."""
        return self._running | self._wanted.keys()

    def broken_off(self, run_id: str) -> BrokenOff | None:
        """See dispatch.Engine. An execution does not: Lambda invokes it again, or ends it."""
        del run_id
        return None

    def report(self, run_id: str) -> Report | None:
        """See dispatch.Engine. What the run itself kept comes first; what is said here is the same every time."""
        return self._kept(run_id) or self._settle(self._said(run_id))

    def cancel(self, run_id: str) -> None:
        """See dispatch.Engine. It is heard once `tell_cancelled` was called."""
        self._cancelled.add(run_id)

    def forget(self, run_id: str) -> None:
        """See dispatch.Engine. Nothing is held here."""
        self._wanted.pop(run_id, None)

    def bury(self, name: str) -> None:
        """See dispatch.Engine. A process that died left nothing in Lambda."""
        del name

    def _said(self, run_id: str) -> Report:
        execution = self._ended.get(run_id)
        if execution is None:
            return _never_began(run_id, self._tried[run_id])
        if execution.status == "SUCCEEDED":
            return _decoded(run_id, execution.result) or _unproven(
                run_id, execution, "internal", "it ended, and what it returned is no report"
            )
        why, said = _ENDS.get(execution.status, ("unknown-answer", f"Lambda says that it is {execution.status}"))
        return _unproven(run_id, execution, why, f"{said}: {execution.error}" if execution.error else said)


def _each(runs: Iterable[str], act: Callable[[str], None]) -> dict[str, RestorecheckError]:
    failed: dict[str, RestorecheckError] = {}
    for run in runs:
        try:
            act(run)
        except RestorecheckError as e:
            failed[run] = e
        except Exception as e:  # noqa: BLE001 - a bug that one run meets does not keep those behind it from beginning
            failed[run] = RestorecheckError(bug(e), "this is a bug: please report it with the log")
    return failed


def _decoded(run_id: str, result: str | None) -> Report | None:
    """Return the report that an execution returned; None: that is none, or not one of this run."""
    try:
        found: Json = json.loads(result or "null")
        report: Report = decode(found, Report)
    except ValueError:  # pydantic's error is one
        return None
    return report if report.run_id == run_id and report.check == check_of(run_id) else None


def _unproven(run_id: str, execution: Execution, why: str, message: str) -> Report:
    ended = execution.ended or execution.started
    failure = Failure(why, "execution", message, kind(why).hint)
    return _ended(run_id, failure, execution.started, ended)


def _never_began(run_id: str, tried: Tried) -> Report:
    at = datetime.fromisoformat(tried.at)
    message = f"it could not be started in {tried.times} ticks: {tried.message}"
    started = min(time_of(run_id) or at, at)
    return _ended(run_id, Failure(tried.kind, "start", message, kind(tried.kind).hint), started, at)


def _ended(run_id: str, failure: Failure, started: datetime, ended: datetime) -> Report:
    check = check_of(run_id) or run_id
    return Report(run_id, check, Verdict.UNPROVEN, started, ended, failure, notes=(LEFT,))
