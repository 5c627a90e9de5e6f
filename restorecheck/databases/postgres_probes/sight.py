"""What a probe of PostgreSQL is given, what it gives back, and how it gives up. No connection is made here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import psycopg

from restorecheck.databases import crew
from restorecheck.databases.crew import GaveUpError
from restorecheck.databases.interface import Login
from restorecheck.model import Examined, Probe

T = TypeVar("T")

__all__ = ["Done", "GaveUpError", "Look", "Sight", "Task"]


@dataclass(frozen=True, slots=True)
class Task(crew.Task[psycopg.Connection[Any], T]):
    """A piece of a probe. In a read-only, repeatable-read transaction that has run its first query."""


Done: TypeAlias = crew.Done[psycopg.Connection[Any], T]


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


class Look(Protocol):
    """One probe."""

    def __call__(self, sight: Sight) -> Examined:
        """Look, and say what was examined. Raises GaveUpError, QueryError."""
