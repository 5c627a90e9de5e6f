"""The durable engine of the service and the command line: DBOS Transact over SQLite or PostgreSQL.

DBOS records steps here and nothing else. Who runs what is decided by the ledger; a process then takes a run by putting
it into its own queue, which nobody else listens to. Runs are coroutines, so one that waits costs no thread; what blocks
gets one for as long as it does. Everything that DBOS stores is plain JSON: no pickle is ever read back.

This is the only module that imports DBOS. The SDK is one per process, so an engine is, too.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import Serializer as DbosSerializer

from restorecheck.durable import Clock, Durable, Json, Listener, bug, decode, encode
from restorecheck.engines.inline import RecordingDurable, never
from restorecheck.engines.records import CONNECTIONS, connect, of_database, passes, records, told
from restorecheck.engines.taking import BrokenOff, Taken
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Report

STEPS = "verify-1"
"""Version of the step sequence of `verify`. A run begun under another version is never replayed into this one, so this
changes exactly when the sequence changes, and not with every release."""

WORKFLOW = "restorecheck.verify"

Verify = Callable[[Durable], Awaitable[Report]]
T = TypeVar("T")


class _PlainJson(DbosSerializer):
    """What crosses a step is JSON already; what is not (an exception of the SDK) is stored as its text."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "restorecheck_json"


class Halt:
    """Counts what is in flight, and lets nothing new begin once it is thrown: of a process that is about to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy, self._thrown = 0, False

    def throw(self) -> None:
        """From now on nothing begins."""
        self._thrown = True

    @property
    def busy(self) -> int:
        """How many calls are in flight."""
        return self._busy

    @property
    def thrown(self) -> bool:
        """Whether the process is about to end."""
        return self._thrown

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one call."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1


class DbosDurable(RecordingDurable):
    """A Durable whose steps DBOS records; made inside a workflow."""

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        listener: Listener,
        cancelled: Callable[[], bool],
        *,
        threads: Executor,
        halt: Halt,
        lapsed: Callable[[], bool] = never,
    ) -> None:
        super().__init__(run_id, clock, listener, cancelled)
        self._threads, self._halt, self._lapsed = threads, halt, lapsed

    async def _record(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        async def recorded() -> Json:
            await self._still_ours()
            envelope = await act()
            await self._still_ours()  # else the record is whoever's who took the run over
            return envelope

        return await DBOS.run_step_async({"name": name}, recorded)

    async def _still_ours(self) -> None:
        """Return if this process may go on with the run; if others may have it by now, never."""
        if self._lapsed():
            await asyncio.Event().wait()

    async def _call(self, fn: Callable[[], T]) -> T:
        if self._halt.thrown:
            await asyncio.Event().wait()  # for ever: the process ends, and whoever takes the run begins this step
        await self._still_ours()

        def counted() -> T:
            with self._halt.counted():
                return fn()

        here = contextvars.copy_context()  # which check and run the lines of a log belong to
        return await asyncio.get_running_loop().run_in_executor(self._threads, here.run, counted)


class DbosEngine:
    """Runs `verify` durably. `take` a run, and it goes on in this process until it ends or the process does."""

    def __init__(
        self,
        database_url: str,
        verify: Verify,
        clock: Clock,
        listener: Listener,
        *,
        name: str,
        shown: str = "",
        threads: int = 64,
        every: float = 0.1,
        lapsed: Callable[[], bool] = never,
    ) -> None:
        """`name` is the process's own; no other may ever have had it. `every` is how often it looks into its queue.

        `shown` is the address as a person may see it: in the url itself there may be a password. Once `lapsed` says
        that others may have the runs of this process, none of them does anything here any more.
        """
        self._shown = shown or "the state directory"
        self._url, self._verify, self._clock, self._listener = database_url, verify, clock, listener
        self._name, self._queue, self._every, self._lapsed = name, f"replica-{name}", every, lapsed
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="step")
        self._workflow: Callable[[str], Any] | None = None
        self._cancelled: set[str] = set()
        self._here: dict[str, BrokenOff | None] = {}
        self.halt = Halt()

    def start(self) -> None:
        """Open the records. Raises StoreError while they cannot be reached, RestorecheckError `config` else."""
        config: DBOSConfig = {
            "name": "restorecheck",
            "system_database_url": self._url,
            "application_version": STEPS,
            "executor_id": self._name,  # unlike any other process: nothing is recovered behind our back
            "serializer": _PlainJson(),
            "log_level": "CRITICAL",  # what it raises is reported by us, once and without a traceback
            "console_log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": self._every,  # how long its thread keeps us from ending
            "use_listen_notify": False,  # nothing of it is used, and it would hold one connection more
        }
        if not self._url.startswith("sqlite:"):
            config["sys_db_pool_size"] = CONNECTIONS
            config["db_engine_kwargs"] = {"connect_args": connect(self._url), "hide_parameters": True}
        DBOS(config=config)
        DBOS.listen_queues([self._queue])

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        async def workflow(run_id: str) -> Json:
            return await self._run(run_id)

        self._workflow = workflow
        try:
            DBOS.launch()
            DBOS.register_queue(self._queue, polling_interval_sec=self._every, on_conflict="always_update")
        except Exception as e:  # whatever the SDK or the database raises, there is one thing to say about it
            DBOS.destroy(destroy_registry=True)
            self._threads.shutdown(wait=False)
            raise self._unopened(e) from e

    async def _run(self, run_id: str) -> Json:
        durable = DbosDurable(
            run_id,
            self._clock,
            self._listener,
            lambda: run_id in self._cancelled,
            threads=self._threads,
            halt=self.halt,
            lapsed=self._lapsed,
        )
        try:
            return encode(await self._verify(durable), Report)
        except Exception as e:
            store = of_database(e) or isinstance(e, StoreError)
            self._here[run_id] = BrokenOff(bug(e), store)
            # Not the workflow's own: a run that ends in an error is over for DBOS and lost for us. What cannot be
            # recorded (a full disk, a bug) leaves it unfinished, so that it can be taken again.
            raise asyncio.CancelledError from e
        finally:
            if self._here.get(run_id) is None:
                self._here.pop(run_id, None)
            self._cancelled.discard(run_id)

    def _unopened(self, error: Exception) -> RestorecheckError:
        local = self._url.startswith("sqlite:")
        said = f"the records of runs in {self._shown} cannot be opened: {str(error) if local else told(error)}"
        if passes(error):
            return StoreError(said, "see that the database is up and has room; it is tried again")
        mend = "put a good copy back, or move it away: then run `restorecheck sweep` for what runs under way had made"
        let = "let the user create the schema `dbos` in this database, or make it and give it to the user"
        return RestorecheckError(said, mend if local else let, kind="config")

    def take(self, run_id: str) -> Taken:
        """Begin a run here, or go on with it: finished steps are not run again. The caller owns it in the ledger."""
        assert self._workflow is not None, "the engine was not started"  # noqa: S101 - a mistake of ours alone
        if self._lapsed():
            raise StoreError("this process was not heard of for too long: others may have its runs")
        with records():
            status = DBOS.get_workflow_status(run_id)
            if status is None:
                with SetWorkflowID(run_id):
                    DBOS.enqueue_workflow(self._queue, self._workflow, run_id)
                self._here[run_id] = None
                return Taken.BEGUN
            if status.status == "SUCCESS":
                return Taken.ENDED
            if status.status == "ERROR":
                return Taken.FAILED
            if status.app_version != STEPS:
                return Taken.FOREIGN
            DBOS.resume_workflow(run_id, queue_name=self._queue)
            self._here[run_id] = None
            return Taken.RESUMED

    def here(self) -> set[str]:
        """Return the runs that go on, or are about to, in this process."""
        return {run for run, broken in list(self._here.items()) if broken is None}

    def broken_off(self, run_id: str) -> BrokenOff | None:
        """Return, once, why a run broke off in this process, if it did."""
        found = self._here.get(run_id)
        if found is not None:
            del self._here[run_id]
        return found

    def report(self, run_id: str) -> Report | None:
        """Return the report of a run that ended, as its records have it."""
        with records():
            status = DBOS.get_workflow_status(run_id)
        if status is None or status.status != "SUCCESS":
            return None
        report: Report = decode(status.output, Report)
        return report

    def cancel(self, run_id: str) -> None:
        """Ask a run in this process to tear down and end."""
        self._cancelled.add(run_id)

    def forget(self, run_id: str) -> None:
        """Give up a run that nobody can go on with: it is never taken up again."""
        with records():
            DBOS.cancel_workflow(run_id)

    def bury(self, name: str) -> None:
        """Delete the queue of a process that is dead."""
        with records():
            DBOS.delete_queue(f"replica-{name}")

    def prune(self, before: datetime, under_way: Collection[str]) -> int:
        """Delete the records of runs that were begun before and are over, and return how many.

        `under_way` are the runs that are not. What DBOS itself says is not enough: a process that is killed between the
        report and the end of its run leaves records that nobody takes up again.
        """
        with records():
            listed = DBOS.list_workflows(end_time=before.isoformat(), limit=1000, load_input=False, load_output=False)
            found = [status.workflow_id for status in listed if status.workflow_id not in under_way]
            if found:
                DBOS.delete_workflows(found)
        return len(found)

    def close(self) -> None:
        """Stop; what still runs stays unfinished and can be resumed."""
        try:
            with suppress(StoreError), records():  # whoever finds that we are dead deletes it
                DBOS.delete_queue(self._queue)
        finally:
            DBOS.destroy(destroy_registry=True)
            self._threads.shutdown(wait=False, cancel_futures=True)
