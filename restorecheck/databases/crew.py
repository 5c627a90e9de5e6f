"""Several sessions at work on the pieces of one probe: who does what, and what a lost connection means. For any engine.

A server that crashes takes all its sessions down, so every piece that lost its session is done again, alone: only what
breaks the server off when nothing else runs is accused. What an error of the server means, the engine's own sessions
say. Nothing here connects or sends anything.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from restorecheck.databases.asking import LOST_TWICE, LostError
from restorecheck.databases.pace import Pace
from restorecheck.errors import QueryError
from restorecheck.model import Flaw, Unseen

C = TypeVar("C")
T = TypeVar("T")

MOST_CRASHES = 5
"""After so many, nothing more is tried: each costs a recovery, and the backup is known to be broken by then."""

OVER = "the time allowed for this probe was over"


class GaveUpError(Exception):
    """The whole probe could not look: `kind` is a failure kind, the message one sentence without row values."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


@dataclass(frozen=True, slots=True)
class Task(Generic[C, T]):
    """A piece of a probe: one table, a range of its pages or keys, one index. `C` is the client library's session."""

    object: str  # what it looks at, as findings name it: `public.orders`
    run: Callable[[C], T]
    """Called in a read-only snapshot; may be called again, in another session, if that one was lost. The client
    library's errors are for the sessions to understand."""
    weight: int = 1  # bytes to be read, about: the heaviest begin first, and progress is told by it
    as_prober: bool = False  # as whom, where an engine has several to look as; else as the reader
    as_deputy: bool = False
    closed: str = ""  # why it is known that this cannot be done: then it is not begun


@dataclass(frozen=True, slots=True)
class Done(Generic[C, T]):
    """What became of a task: exactly one of the three."""

    task: Task[C, T]
    value: T | None = None
    flaw: Flaw | None = None  # damage was met: an error that says so, or a server that breaks off
    unseen: Unseen | None = None  # it could not be looked at: time, permission, a lock, a server that stayed away


class Sessions(Protocol[C]):
    """The sessions of one thread, kept as long as nothing fails in them."""

    def outcome(self, task: Task[C, T]) -> Done[C, T]:
        """Do one task. Raises LostError if its session ended under it, QueryError if there is none to be had."""

    def close(self) -> None:
        """Close what is open; a session that is gone already is closed, too."""


class Crew(Generic[C, T]):
    """The tasks of one look, and how far they are."""

    def __init__(
        self, tasks: Sequence[Task[C, T]], at_once: int, sessions: Callable[[], Sessions[C]], pace: Pace
    ) -> None:
        self._tasks, self._at_once, self._sessions, self._pace = tasks, at_once, sessions, pace
        self._done: dict[int, Done[C, T]] = {}
        self._waiting = deque(sorted(range(len(tasks)), key=lambda i: -tasks[i].weight))
        self._lost: list[int] = []  # tasks whose session ended under them
        self._refused: QueryError | None = None  # why no session could be opened
        self._raised: BaseException | None = None
        self._unsettled = False  # the server broke off a moment ago: who got in just then is thrown out once more
        self._lock = threading.Lock()  # of all of the above

    def run(self) -> list[Done[C, T]]:
        """Do all tasks, the heaviest first, and return what became of each, in their order.

        What a task raises beside an error of the server ends all and is raised here. Raises QueryError if no session
        could be opened at all.
        """
        crashes = 0
        while self._waiting and crashes < MOST_CRASHES:
            self._together()
            if self._raised is not None:
                raise self._raised
            lost = self._broken_off()
            if not lost:
                break  # all is done, or there is no session to be had
            crashes += 1
            self._unsettled = True
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
        crew = min(self._at_once, len(self._waiting))
        threads = [
            threading.Thread(target=self._work, name=f"restorecheck-probe-{n}", daemon=True) for n in range(1, crew)
        ]
        for thread in threads:
            thread.start()
        self._work()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        sessions = self._sessions()
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

    def _finish(self, i: int, done: Done[C, T]) -> None:
        with self._lock:
            self._done[i] = done
            self._pace.done(self._tasks[i].object, self._tasks[i].weight)

    def _alone(self, i: int) -> int:
        """Do a task again while nothing else runs; return how often the server broke off at that: 0, 1 or 2."""
        task, sessions = self._tasks[i], self._sessions()
        try:
            self._finish(i, sessions.outcome(task))
            self._unsettled = False
            return 0
        except LostError as e:
            if self._unsettled:
                self._unsettled = False
                return 1 + self._alone(i)
            self._unsettled = True
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


def the_value(done: Done[C, T]) -> T:
    """Return the value of the one thing that a probe cannot go on without, such as reading the catalogue.

    Raises GaveUpError of kind `data-damaged`, `connection-lost` or `could-not-look`.
    """
    what = done.task.object
    if done.flaw is not None:
        raise GaveUpError(done.flaw.kind, f"{what}: {done.flaw.message}")
    if done.unseen is not None:
        raise GaveUpError("could-not-look", f"{what}: {done.unseen.reason}")
    return done.value  # type: ignore[return-value]  # neither flaw nor unseen: it is the value, which may be None
