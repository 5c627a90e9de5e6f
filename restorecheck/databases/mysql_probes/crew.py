"""Several sessions at work on the pieces of one probe: who does what, and what an error or a lost connection means.

Every piece runs in a read-only snapshot of its own, which is rolled back. A server that crashes takes all its sessions
down, so every piece that lost its session is done again, alone: only what breaks the server off when nothing else runs
is accused. Nothing is begun, and nothing goes on, after the deadline.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import pymysql

from restorecheck.databases import mysql_errors
from restorecheck.databases.asking import LOST_TWICE, LostError
from restorecheck.databases.mysql_connection import parts
from restorecheck.databases.mysql_probes.sight import Done, GaveUpError, Sight, Task
from restorecheck.databases.pace import Pace
from restorecheck.errors import QueryError
from restorecheck.model import Flaw, Unseen

T = TypeVar("T")

MOST_CRASHES = 5
"""After so many, nothing more is tried: each costs a recovery, and the backup is known to be broken by then."""

OVER = "the time allowed for this probe was over"


def run(sight: Sight, tasks: Sequence[Task[T]]) -> list[Done[T]]:
    """Do all tasks, at most `sight.at_once` at a time, the heaviest first; return what became of each, in their order.

    What a task raises beside an error of the server ends all and is raised here. Raises QueryError if no session could
    be opened at all.
    """
    return _Crew(sight, tasks).run()


def one(sight: Sight, what: str, look: Callable[[pymysql.Connection[Any]], T]) -> T:
    """Do the one thing that a probe cannot go on without, such as reading the catalogue, and return its value.

    Raises GaveUpError of kind `data-damaged`, `connection-lost` or `could-not-look`, QueryError.
    """
    (done,) = run(sight, [Task(what, look)])
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
            lost = self._broken_off()
            if not lost:
                break  # all is done, or there is no session to be had
            crashes += 1
            for i in lost:
                if crashes < MOST_CRASHES and self._refused is None:
                    crashes += self._alone(i)
                else:
                    self._waiting.append(i)
            if self._refused is not None:
                break
        self._give_up()
        return [self._done[i] for i in range(len(self._tasks))]

    def _broken_off(self) -> list[int]:
        """Return the tasks whose sessions ended. Who was not let in then met a server that was down: it may be back."""
        lost, self._lost = self._lost, []
        if lost:
            self._refused = None
        return lost

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
        session = _Session(self._sight)
        try:
            while (i := self._next()) is not None:
                try:
                    done = session.outcome(self._tasks[i])
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
            session.drop()

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
        task, session = self._tasks[i], _Session(self._sight)
        try:
            self._finish(i, session.outcome(task))
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
            session.drop()

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


class _Session:
    """The session of one thread, kept as long as nothing fails in it."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._open: pymysql.Connection[Any] | None = None

    def drop(self) -> None:
        """Close it; a session that is gone already is closed, too."""
        connection, self._open = self._open, None
        if connection is not None:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                connection.close()

    def outcome(self, task: Task[T]) -> Done[T]:
        """Do one task. Raises LostError if its session ended under it, QueryError if there is none to be had."""
        if self._left() <= 0:
            return Done(task, unseen=Unseen(task.object, OVER))
        if self._open is None:
            self._open = self._sight.connect()
        connection, value = self._open, None
        failed: pymysql.MySQLError | OSError | None = None
        with self._sight.guard(connection, max(self._left(), 0.001) + 1.0) as dog:  # after the server's own timeout
            try:
                with connection.cursor() as cursor:
                    cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
                value = task.run(connection)
                connection.rollback()
            except (pymysql.MySQLError, OSError) as e:
                failed = e
        if dog.bit or failed is not None:
            self.drop()
        if dog.bit:  # whatever came back: what is cut off may answer as if nothing was
            return Done(task, unseen=Unseen(task.object, OVER))
        return Done(task, value=value) if failed is None else self._understood(task, failed)

    def _left(self) -> float:
        return self._sight.deadline - self._sight.monotonic()

    def _understood(self, task: Task[T], error: pymysql.MySQLError | OSError) -> Done[T]:
        """Return what an error that ended a task means. Raises LostError for a session that ended."""
        number, message = parts(error)
        kind = mysql_errors.kind_of(number, message) if number else "connection-lost"
        if kind == "timeout" and self._left() <= 0:
            return Done(task, unseen=Unseen(task.object, OVER))
        if kind in LOST_TWICE:
            raise LostError(kind)
        told = mysql_errors.sentence(number, message, None, task.object)
        if kind in ("data-damaged", "missing-object"):  # listed a moment ago, and nobody else is here to drop it
            return Done(task, flaw=Flaw(task.object, told, "data-damaged"))
        return Done(task, unseen=Unseen(task.object, told))
