"""The crew of a probe of MySQL or MariaDB: in which snapshot a piece is read, and what an error of it means.

Every piece runs in a read-only snapshot of its own, which is rolled back. Nothing is begun, and nothing goes on, after
the deadline. Who does what, and what a lost connection means, is the same for every engine: `databases.crew`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import pymysql

from restorecheck.databases import mysql_errors
from restorecheck.databases.asking import LOST_TWICE, LostError
from restorecheck.databases.crew import OVER, Crew, Done, the_value
from restorecheck.databases.crew import Task as AnyTask
from restorecheck.databases.mysql_connection import parts
from restorecheck.databases.mysql_probes.sight import Sight, Task
from restorecheck.databases.pace import Pace
from restorecheck.model import Flaw, Unseen

T = TypeVar("T")

Session: TypeAlias = "pymysql.Connection[Any]"  # not subscriptable at run time


def run(sight: Sight, tasks: Sequence[Task[T]]) -> list[Done[Session, T]]:
    """Do all tasks, at most `sight.at_once` at a time, the heaviest first; return what became of each, in their order.

    What a task raises beside an error of the server ends all and is raised here. Raises QueryError if no session could
    be opened at all.
    """
    pace = Pace(sight.probe.name, [(t.object, t.weight) for t in tasks], sight.monotonic, sight.tell)
    return Crew(tasks, sight.at_once, lambda: _Session(sight), pace).run()


def one(sight: Sight, what: str, look: Callable[[Session], T]) -> T:
    """Do the one thing that a probe cannot go on without, such as reading the catalogue, and return its value.

    Raises GaveUpError of kind `data-damaged`, `connection-lost` or `could-not-look`, QueryError.
    """
    (done,) = run(sight, [Task(what, look)])
    return the_value(done)


class _Session:
    """The session of one thread, kept as long as nothing fails in it."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._open: Session | None = None

    def close(self) -> None:
        """Close it; a session that is gone already is closed, too."""
        connection, self._open = self._open, None
        if connection is not None:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                connection.close()

    def outcome(self, task: AnyTask[Session, T]) -> Done[Session, T]:
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
            self.close()
        if dog.bit:  # whatever came back: what is cut off may answer as if nothing was
            return Done(task, unseen=Unseen(task.object, OVER))
        return Done(task, value=value) if failed is None else self._understood(task, failed)

    def _left(self) -> float:
        return self._sight.deadline - self._sight.monotonic()

    def _understood(self, task: AnyTask[Session, T], error: pymysql.MySQLError | OSError) -> Done[Session, T]:
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
