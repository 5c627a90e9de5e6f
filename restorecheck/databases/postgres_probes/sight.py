"""What a probe of PostgreSQL is given, what it gives back, and how it gives up. No connection is made here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import psycopg

from restorecheck.databases.interface import Login
from restorecheck.model import Examined, Flaw, Probe, Unseen

T = TypeVar("T")


class GaveUpError(Exception):
    """The whole probe could not look: `kind` is a failure kind, the message one sentence without row values."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


@dataclass(frozen=True, slots=True)
class Sight:
    """One probe on its way: what it is asked, as whom it may look, and until when."""

    probe: Probe
    reader: Login  # may read every table (`pg_read_all_data`); its database is the one to look at
    prober: Login  # may run the functions of the extensions that probes need, and read no table
    deadline: float  # on the clock that only goes forward
    monotonic: Callable[[], float]
    wait: Callable[[float], object]
    connect: Callable[[Login], psycopg.Connection[Any]]
    """Opens a session with our settings on, outside a transaction; waits a while for a server that recovers. Raises
    QueryError."""
    tell: Callable[[str], object]  # how far it is: one short line
    at_once: int = 4  # sessions
    deputy: Login | None = None
    """May read every row of tables with row security. For the probes' own queries; None: there is nobody who may."""


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """A piece of a probe: one table, a range of its pages, one index."""

    object: str  # what it looks at, as findings name it: `public.orders`
    run: Callable[[psycopg.Connection[Any]], T]
    """Called in a read-only, repeatable-read transaction that has run its first query; may be called again, in another
    session, if that one was lost. psycopg.Error is for the crew to understand."""
    weight: int = 1  # bytes to be read, about: the heaviest begin first, and progress is told by it
    as_prober: bool = False
    as_deputy: bool = False
    closed: str = ""  # why it is known that this cannot be done: then it is not begun


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What became of a task: exactly one of the three."""

    task: Task[T]
    value: T | None = None
    flaw: Flaw | None = None  # damage was met: an error of class XX or 58, bytes of no encoding, a server that crashed
    unseen: Unseen | None = None  # it could not be looked at: time, permission, a lock, a server that stayed away


class Look(Protocol):
    """One probe."""

    def __call__(self, sight: Sight) -> Examined:
        """Look, and say what was examined. Raises GaveUpError, QueryError."""
