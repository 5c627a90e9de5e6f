"""The crew of a probe of PostgreSQL: in which transaction a piece is read, as whom, and what an error of it means.

Every piece runs in a read-only transaction of its own, which is rolled back. Nothing is begun, and nothing goes on,
after the deadline. Who does what, and what a lost connection means, is the same for every engine: `databases.crew`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import errors

from restorecheck.databases import postgres_errors
from restorecheck.databases.asking import LOST_TWICE, LostError
from restorecheck.databases.crew import OVER, Crew, Done, the_value
from restorecheck.databases.crew import Task as AnyTask
from restorecheck.databases.interface import Login
from restorecheck.databases.pace import Pace
from restorecheck.databases.postgres_probes.sight import Sight, Task
from restorecheck.databases.watchdog import Watchdog
from restorecheck.model import Flaw, Unseen

T = TypeVar("T")

Session: TypeAlias = psycopg.Connection[Any]

_BEGIN = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; "
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL statement_timeout = {:d}; SELECT 1"
)
"""In one message. After `SELECT 1` the transaction cannot be made read-write; the sessions are the parallelism."""

_LONGEST = 2**31 - 1  # milliseconds that statement_timeout can hold


def run(sight: Sight, tasks: Sequence[Task[T]]) -> list[Done[Session, T]]:
    """Do all tasks, at most `sight.at_once` at a time, the heaviest first; return what became of each, in their order.

    A task's transaction is repeatable read and read only, with `search_path = pg_catalog`, no JIT and no parallel
    workers. What a task raises beside psycopg.Error (GaveUpError, say) ends all and is raised here. Raises QueryError
    if no session could be opened at all.
    """
    pace = Pace(sight.probe.name, [(t.object, t.weight) for t in tasks], sight.monotonic, sight.tell)
    return Crew(tasks, sight.at_once, lambda: _Sessions(sight), pace).run()


def one(sight: Sight, what: str, look: Callable[[Session], T], *, as_prober: bool = False) -> T:
    """Do the one thing that a probe cannot go on without, such as reading the catalogue, and return its value.

    Raises GaveUpError of kind `data-damaged`, `connection-lost` or `could-not-look`, QueryError.
    """
    (done,) = run(sight, [Task(what, look, as_prober=as_prober)])
    return the_value(done)


class _Sessions:
    """The sessions of one thread: one as each role that is needed, kept as long as nothing fails in it."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._open: dict[Login, Session] = {}

    def close(self) -> None:
        for login in list(self._open):
            self._drop(login)

    def outcome(self, task: AnyTask[Session, T]) -> Done[Session, T]:
        """Do one task. Raises LostError if its session ended under it, QueryError if there is none to be had."""
        if task.closed:
            return Done(task, unseen=Unseen(task.object, task.closed))
        if self._left() <= 0:
            return Done(task, unseen=Unseen(task.object, OVER))
        login = self._login(task)
        connection = self._session(login)
        left = max(self._left(), 0.001)
        failed: psycopg.Error | UnicodeDecodeError | None = None
        value: T | None = None
        with Watchdog(connection, left + 1.0) as watchdog:  # the server's own timeout should come first
            try:
                connection.execute(_BEGIN.format(min(int(left * 1000) or 1, _LONGEST)).encode())
                value = task.run(connection)
                connection.execute("ROLLBACK")
            except (psycopg.Error, UnicodeDecodeError) as e:
                failed = e
        if failed is None:
            if watchdog.bit:  # a cancel that comes late would hit what is next
                self._drop(login)
            return Done(task, value=value)
        lost = connection.closed
        if isinstance(failed, UnicodeDecodeError):
            utf8 = connection.info.parameter_status("server_encoding") == "UTF8"
            self._drop(login)
            return _undecoded(task, utf8)
        self._drop(login)
        cancelled = failed.sqlstate == errors.QueryCanceled.sqlstate and self._left() <= 0
        if watchdog.bit or cancelled:
            return Done(task, unseen=Unseen(task.object, OVER))
        return _understood(task, failed, lost)

    def _left(self) -> float:
        return self._sight.deadline - self._sight.monotonic()

    def _login(self, task: AnyTask[Session, T]) -> Login:
        if task.as_deputy and self._sight.deputy is not None:
            return self._sight.deputy
        return self._sight.prober if task.as_prober else self._sight.reader

    def _session(self, login: Login) -> Session:
        if login not in self._open:
            self._open[login] = self._sight.connect(login)
        return self._open[login]

    def _drop(self, login: Login) -> None:
        with contextlib.suppress(psycopg.Error):
            self._open.pop(login).close()


def _understood(task: AnyTask[Session, T], error: psycopg.Error, lost: bool) -> Done[Session, T]:
    """Return what an error that ended a task means. Raises LostError for a session that ended."""
    state = error.sqlstate or ""
    message = error.diag.message_primary or ""
    if not state and not lost:
        return Done(task, unseen=Unseen(task.object, f"the client failed: {type(error).__name__}"))
    kind = postgres_errors.kind_of(state, message, lost=lost) if state else "connection-lost"
    if kind in LOST_TWICE:
        raise LostError(kind, state)
    told = told_of(error)
    if kind == "data-damaged":
        return Done(task, flaw=Flaw(task.object, told, kind))
    return Done(task, unseen=Unseen(task.object, told))


def told_of(error: psycopg.Error) -> str:
    """Return one sentence about an error that the server gave, without row values."""
    state = error.sqlstate or ""
    try:
        condition = errors.lookup(state).__name__
    except KeyError:
        condition = ""
    return postgres_errors.sentence(state, condition, error.diag.message_primary or "", None)


def _undecoded(task: AnyTask[Session, T], utf8: bool) -> Done[Session, T]:
    """Return what it means that the server sent bytes which are not UTF-8."""
    if utf8:
        return Done(task, flaw=Flaw(task.object, "the server sent bytes that are not UTF-8", "data-damaged"))
    return Done(task, unseen=Unseen(task.object, "the server sent a name that is not UTF-8, in another encoding"))
