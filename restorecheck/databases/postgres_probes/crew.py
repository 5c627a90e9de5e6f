"""Several sessions at work on the pieces of one probe: who does what, and what an error or a lost connection means.

Every piece runs in a read-only transaction of its own, which is rolled back. A backend that crashes takes all other
sessions of the server down with it, so every piece that lost its session is done again, alone: only what breaks the
server off when nothing else runs is accused. Nothing is begun, and nothing goes on, after the deadline.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import errors

from restorecheck.databases import postgres_errors
from restorecheck.databases.asking import LOST_TWICE, LostError
from restorecheck.databases.interface import Login
from restorecheck.databases.pace import Pace
from restorecheck.databases.postgres_probes.sight import Done, GaveUpError, Sight, Task
from restorecheck.databases.watchdog import Watchdog
from restorecheck.errors import QueryError
from restorecheck.model import Flaw, Unseen

T = TypeVar("T")

MOST_CRASHES = 5
"""After so many, nothing more is tried: each costs a recovery, and the backup is known to be broken by then."""

OVER = "the time allowed for this probe was over"

_BEGIN = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; "
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL statement_timeout = {:d}; SELECT 1"
)
"""In one message. After `SELECT 1` the transaction cannot be made read-write; the sessions are the parallelism."""

_LONGEST = 2**31 - 1  # milliseconds that statement_timeout can hold


def run(sight: Sight, tasks: Sequence[Task[T]]) -> list[Done[T]]:
    """Do all tasks, at most `sight.at_once` at a time, the heaviest first; return what became of each, in their order.

    A task's transaction is repeatable read and read only, with `search_path = pg_catalog`, no JIT and no parallel
    workers. What a task raises beside psycopg.Error (GaveUpError, say) ends all and is raised here. Raises QueryError
    if no session could be opened at all.
    """
    return _Crew(sight, tasks).run()


def one(sight: Sight, what: str, look: Callable[[psycopg.Connection[Any]], T], *, as_prober: bool = False) -> T:
    """Do the one thing that a probe cannot go on without, such as reading the catalogue, and return its value.

    Raises GaveUpError of kind `data-damaged`, `connection-lost` or `could-not-look`, QueryError.
    """
    (done,) = run(sight, [Task(what, look, as_prober=as_prober)])
    if done.flaw is not None:
        raise GaveUpError(done.flaw.kind, f"{what}: {done.flaw.message}")
    if done.unseen is not None:
        raise GaveUpError("could-not-look", f"{what}: {done.unseen.reason}")
    return done.value  # type: ignore[return-value]  # neither flaw nor unseen: it is the value, which may be None


class _Crew(Generic[T]):
    """The tasks of one `run`, and how far they are."""

    def __init__(self, sight: Sight, tasks: Sequence[Task[T]]) -> None:
        self._sight = sight
        self._tasks = tasks
        self._done: dict[int, Done[T]] = {}
        self._waiting = deque(sorted(range(len(tasks)), key=lambda i: -tasks[i].weight))
        self._lost: list[int] = []  # tasks whose session ended under them
        self._refused: QueryError | None = None  # why no session could be opened
        self._raised: BaseException | None = None
        self._lock = threading.Lock()  # of all of the above
        self._pace = Pace(sight.probe.name, [(t.object, t.weight) for t in tasks], sight.monotonic, sight.tell)

    def run(self) -> list[Done[T]]:
        crashes = 0
        while self._waiting and crashes < MOST_CRASHES:
            self._together()
            if self._raised is not None:
                raise self._raised
            lost, self._lost = self._lost, []
            if not lost:
                break  # all is done, or there is no session to be had
            crashes += 1
            for i in lost:
                if crashes < MOST_CRASHES and self._refused is None:
                    crashes += self._alone(i)
                else:
                    self._waiting.append(i)
        self._give_up()
        return [self._done[i] for i in range(len(self._tasks))]

    def _together(self) -> None:
        """Work until nothing waits, or until a session is lost: then what runs is ended, and nothing more begun."""
        crew = min(self._sight.at_once, len(self._waiting))
        threads = [
            threading.Thread(target=self._work, name=f"restorecheck-probe-{n}", daemon=True) for n in range(1, crew)
        ]
        for thread in threads:
            thread.start()
        self._work()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        sessions = _Sessions(self._sight)
        try:
            while (i := self._next()) is not None:
                try:
                    done = sessions.outcome(self._tasks[i])
                except LostError:
                    with self._lock:
                        self._lost.append(i)
                    return
                except QueryError as e:  # others may have a session, and take it over
                    with self._lock:
                        self._refused = e
                        self._waiting.appendleft(i)
                    return
                self._finish(i, done)
        except BaseException as e:  # noqa: BLE001 - raised by `run`, in the thread that called it
            with self._lock:
                self._raised = self._raised or e
        finally:
            sessions.close()

    def _next(self) -> int | None:
        with self._lock:
            stop = self._lost or self._raised or not self._waiting
            return None if stop else self._waiting.popleft()

    def _finish(self, i: int, done: Done[T]) -> None:
        with self._lock:
            self._done[i] = done
            self._pace.done(self._tasks[i].object, self._tasks[i].weight)

    def _alone(self, i: int) -> int:
        """Do a task again while nothing else runs; return how often the server broke off at that: 0 or 1."""
        task, sessions = self._tasks[i], _Sessions(self._sight)
        try:
            self._finish(i, sessions.outcome(task))
            return 0
        except LostError as e:
            if e.kind == "interfered":
                self._finish(i, Done(task, unseen=Unseen(task.object, LOST_TWICE[e.kind])))
            else:
                message = f"the server broke off while it read {task.object}, twice"
                self._finish(i, Done(task, flaw=Flaw(task.object, message, "connection-lost")))
            return 1
        except QueryError as e:
            self._refused = e
            reason = f"the server broke off while this was read, and did not come back: {e.message}"
            self._finish(i, Done(task, unseen=Unseen(task.object, reason)))
            return 0
        finally:
            sessions.close()

    def _give_up(self) -> None:
        """Say of everything that was not done why it was not. Raises QueryError if nothing was done at all."""
        if not self._waiting:
            return
        if self._refused is None:
            reason = f"the server broke off {MOST_CRASHES} times: nothing more was tried"
        elif self._done:
            reason = self._refused.message
        else:
            raise self._refused
        for i in self._waiting:
            self._finish(i, Done(self._tasks[i], unseen=Unseen(self._tasks[i].object, reason)))


class _Sessions:
    """The sessions of one thread: one as each role that is needed, kept as long as nothing fails in it."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._open: dict[Login, psycopg.Connection[Any]] = {}

    def close(self) -> None:
        for login in list(self._open):
            self._drop(login)

    def outcome(self, task: Task[T]) -> Done[T]:
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

    def _login(self, task: Task[T]) -> Login:
        if task.as_deputy and self._sight.deputy is not None:
            return self._sight.deputy
        return self._sight.prober if task.as_prober else self._sight.reader

    def _session(self, login: Login) -> psycopg.Connection[Any]:
        if login not in self._open:
            self._open[login] = self._sight.connect(login)
        return self._open[login]

    def _drop(self, login: Login) -> None:
        with contextlib.suppress(psycopg.Error):
            self._open.pop(login).close()


def _understood(task: Task[T], error: psycopg.Error, lost: bool) -> Done[T]:
    """Return what an error that ended a task means. Raises LostError for a session that ended."""
    state = error.sqlstate or ""
    message = error.diag.message_primary or ""
    if not state and not lost:
        return Done(task, unseen=Unseen(task.object, f"the client failed: {type(error).__name__}"))
    kind = postgres_errors.kind_of(state, message) if state else "connection-lost"
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


def _undecoded(task: Task[T], utf8: bool) -> Done[T]:
    """Return what it means that the server sent bytes which are not UTF-8."""
    if utf8:
        return Done(task, flaw=Flaw(task.object, "the server sent bytes that are not UTF-8", "data-damaged"))
    return Done(task, unseen=Unseen(task.object, "the server sent a name that is not UTF-8, in another encoding"))
