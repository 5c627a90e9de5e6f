"""What a probe of MySQL or MariaDB is given, what it gives back, and how it gives up. No connection is made here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from pymysql import Connection

from restorecheck.databases import crew
from restorecheck.databases.crew import GaveUpError
from restorecheck.databases.interface import DatabaseSeen
from restorecheck.model import Examined, Flaw, Probe, Unseen

T = TypeVar("T")

__all__ = ["Bite", "Done", "GaveUpError", "Look", "Sight", "Task", "first", "some"]

MOST_TOLD = 20
"""So many flaws, and so many unseen things, are kept by name; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Task(crew.Task["Connection[Any]", T]):
    """A piece of a probe. In a read-only snapshot."""


Done: TypeAlias = crew.Done["Connection[Any]", T]


class Bite(Protocol):
    """Whether a deadline came while a session was used."""

    @property
    def bit(self) -> bool:
        """Whether it came."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One probe on its way: what it is asked, how it gets in, and until when."""

    probe: Probe
    deadline: float  # on the clock that only goes forward
    monotonic: Callable[[], float]
    connect: Callable[[], Connection[Any]]
    """Opens a session in the database to look at, with our settings on, outside a transaction; waits a while for a
    server that recovers. Raises QueryError."""
    guard: Callable[[Connection[Any], float], AbstractContextManager[Bite]]
    """Around the use of a session: ends what it does after so many seconds."""
    databases: Callable[[], tuple[DatabaseSeen, ...]]  # of the server; raises QueryError
    tell: Callable[[str], object]  # how far it is: one short line
    at_once: int = 4  # sessions
    user: str = ""  # as whom it gets in
    prober: Sight | None = None
    """The same as the prober, who sees triggers and events, and reads no table. There may be no such user."""


class Look(Protocol):
    """One probe."""

    def __call__(self, sight: Sight) -> Examined:
        """Look, and say what was examined. Raises GaveUpError, QueryError."""


def first(flaws: Sequence[Flaw]) -> tuple[Flaw, ...]:
    """Return the flaws that are kept by name."""
    return tuple(flaws[:MOST_TOLD])


def some(unseen: Sequence[Unseen]) -> tuple[Unseen, ...]:
    """Return the unseen that are kept by name: what should have been looked at before known limits."""
    return tuple(sorted(unseen, key=lambda one: not one.owed)[:MOST_TOLD])
