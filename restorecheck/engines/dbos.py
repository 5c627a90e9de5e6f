"""The durable engine of the container and the command line: DBOS Transact over SQLite (or PostgreSQL).

Each check has a queue of its own, and a process listens only to the queues of the checks that it holds; so a run that
was killed is taken up by exactly one process, and never by one that is about to end. Everything that DBOS stores is
plain JSON: no pickle is ever read back.

This is the only module that imports DBOS. The SDK is one per process, so an engine is, too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import Serializer as DbosSerializer

from restorecheck.durable import Clock, Durable, Json, Listener, decode, encode
from restorecheck.engines.inline import RecordingDurable, never
from restorecheck.errors import RestorecheckError
from restorecheck.model import Report

STEPS = "verify-1"
"""Version of the step sequence of `verify`. A run begun under another version is never replayed into this one, so this
changes exactly when the sequence changes, and not with every release."""

WORKFLOW = "restorecheck.verify"

Verify = Callable[[Durable], Report]


class _PlainJson(DbosSerializer):
    """What crosses a step is JSON already; what is not (an exception of the SDK) is stored as its text."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "restorecheck_json"


class DbosDurable(RecordingDurable):
    """A Durable whose steps DBOS records; made inside a workflow."""

    def _record(self, name: str, act: Callable[[], Json]) -> Json:
        return DBOS.run_step({"name": name}, act)


class Handle:
    """One run that this process has in hand."""

    def __init__(self, run_id: str, handle: Any) -> None:
        self.run_id, self._handle = run_id, handle

    def report(self) -> Report:
        """Wait for the run's proof."""
        report: Report = decode(self._handle.get_result(polling_interval_sec=0.1), Report)
        return report

    def running(self) -> bool:
        """Say whether the run still goes on."""
        return self._handle.get_status().status not in {"SUCCESS", "ERROR", "CANCELLED"}


class DbosEngine:
    """Runs `verify` durably. `start` with the names of the checks that this process holds, then `begin` or `resume`."""

    def __init__(
        self,
        database_url: str,
        verify: Verify,
        clock: Clock,
        listener: Listener,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._url, self._verify, self._clock = database_url, verify, clock
        self._listener, self._cancelled = listener, cancelled
        self._workflow: Callable[[str], Json] | None = None

    def start(self, checks: Sequence[str]) -> None:
        """Open the database and listen for runs of these checks."""
        config: DBOSConfig = {
            "name": "restorecheck",
            "system_database_url": self._url,
            "application_version": STEPS,
            "executor_id": uuid.uuid4().hex,  # unlike any other process: nothing is recovered behind our back
            "serializer": _PlainJson(),
            "log_level": "CRITICAL",  # what it raises is reported by us, once and without a traceback
            "console_log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": 0.1,
        }
        DBOS(config=config)
        DBOS.listen_queues([_queue(check) for check in checks])

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        def workflow(run_id: str) -> Json:
            durable = DbosDurable(run_id, self._clock, self._listener, self._cancelled)
            return encode(self._verify(durable), Report)

        self._workflow = workflow
        try:
            DBOS.launch()
        except Exception as e:  # whatever the SDK or the database raises, there is one thing to say about it
            DBOS.destroy(destroy_registry=True)
            raise RestorecheckError(
                f"the records of runs in {self._url} cannot be opened: {e}",
                "put a good copy back, or move it away: then run `restorecheck sweep` for what runs under way had made",
                kind="config",
            ) from e
        for check in checks:
            DBOS.register_queue(
                _queue(check), worker_concurrency=1, polling_interval_sec=0.1, on_conflict="always_update"
            )

    def unfinished(self, check: str) -> list[str]:
        """Return the ids of this check's runs that began and did not end, oldest first.

        A run of another step sequence is not among them: nobody could replay it, and the sweep removes its scratch.
        """
        found = DBOS.list_workflows(
            workflow_id_prefix=f"{check}-", status=["PENDING", "ENQUEUED"], load_input=False, load_output=False
        )
        return [w.workflow_id for w in found if w.queue_name == _queue(check) and w.app_version == STEPS]

    def begin(self, check: str, run_id: str) -> Handle:
        """Begin a run, or return the one that has this id already."""
        assert self._workflow is not None, "the engine was not started"  # noqa: S101 - a mistake of ours alone
        with SetWorkflowID(run_id):
            return Handle(run_id, DBOS.enqueue_workflow(_queue(check), self._workflow, run_id))

    def resume(self, check: str, run_id: str) -> Handle:
        """Take up a run whose process is dead: finished steps are not run again. The caller holds the check's lock."""
        return Handle(run_id, DBOS.resume_workflow(run_id, queue_name=_queue(check)))

    def close(self) -> None:
        """Stop; what still runs stays unfinished and can be resumed."""
        DBOS.destroy(destroy_registry=True)


def _queue(check: str) -> str:
    return f"check-{check}"
