"""How every server is asked: one question after another, all by one deadline, each once more if its session broke off.

What a session is, and how one question is put, the engine's own module knows. Nothing here connects or sends anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion

C = TypeVar("C")

EVERY = 2.0
"""Seconds between two attempts to connect."""

LOST_TWICE = {
    "connection-lost": "the server broke off while it answered, twice: "
    "a damaged page can crash the process that reads it",
    "interfered": "an administrator's command ended the session while the server answered, twice",
}
"""What is said when asking once more did not help; one loss alone may be a restart or the network."""


class LostError(Exception):
    """The session ended while the server answered: it broke off, or was ended by somebody's command."""

    def __init__(self, kind: str, sqlstate: str = "") -> None:
        super().__init__(kind)
        self.kind, self.sqlstate = kind, sqlstate


@dataclass(frozen=True, slots=True)
class Question:
    """One assertion on its way: whom to ask, and until when on the monotonic clock."""

    assertion: Assertion
    login: Login
    salt: str
    deadline: float  # of all questions
    patience: float  # seconds to wait for the server


@dataclass(frozen=True, slots=True)
class Asking:
    """The time by which a server is asked."""

    monotonic: Callable[[], float]
    wait: Callable[[float], object]
    patience: float  # seconds that a server which is not there is waited for

    def all(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        attempt: Callable[[Question], Answer],
    ) -> tuple[Answer, ...]:
        """Ask every question, and return one answer for each, in order.

        `attempt` puts one question in a session of its own; it raises QueryError, and LostError if that session was
        ended. A server that is gone is waited for once, not once for each question.
        """
        deadline, patience = self.monotonic() + within.total_seconds(), self.patience
        answers: list[Answer] = []
        for assertion in assertions:
            login = replace(reader, database=assertion.database or reader.database)
            answer = self._one(Question(assertion, login, salt, deadline, patience), within, attempt)
            patience = 0.0 if answer.kind == "database-unreachable" else self.patience
            answers.append(answer)
        return tuple(answers)

    def _one(self, question: Question, within: timedelta, attempt: Callable[[Question], Answer]) -> Answer:
        name, started = question.assertion.name, self.monotonic()
        if started >= question.deadline:
            message = f"not asked: the {within.total_seconds():g} s allowed for all questions were over"
            return Answer(name, error=message, kind="timeout")
        answer = Answer(name)
        for _ in range(2):
            try:
                answer = attempt(question)
                break
            except LostError as e:
                answer = Answer(name, error=LOST_TWICE[e.kind], kind=e.kind, sqlstate=e.sqlstate)
            except QueryError as e:
                answer = Answer(name, error=e.message, kind=e.kind)
                break
        return replace(answer, seconds=self.monotonic() - started)

    def reached(self, connect: Callable[[], C], deadline: float, patience: float) -> C:
        """Connect, and try again for `patience` seconds while the server cannot be reached: it may be recovering."""
        until = min(self.monotonic() + patience, deadline)
        while True:
            try:
                return connect()
            except QueryError as e:
                if e.kind != "database-unreachable" or self.monotonic() + EVERY > until:
                    raise
            self.wait(EVERY)


def timed_out(assertion: Assertion, took: float, allowed: float, sqlstate: str = "") -> Answer:
    """Return the answer of a query that was cut off, in the words of who cut it off."""
    if took < allowed * 0.9:
        message = f"the query was cancelled on the server after {took:.1f} s, before its timeout"
    elif allowed < assertion.timeout.total_seconds():
        message = f"the query was cut off after {took:.1f} s: the time allowed for all questions was over"
    else:
        message = f"the query took longer than its timeout of {assertion.timeout.total_seconds():g} s"
    return Answer(assertion.name, error=message, kind="timeout", sqlstate=sqlstate)
