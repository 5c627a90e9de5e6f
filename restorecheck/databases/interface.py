"""What a kind of database must be able to do: be prepared, knocked at, looked over and asked. One module per engine.

All calls open a connection of their own and close it; nothing survives a call, and no password is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Protocol

from restorecheck.model import Answer, Assertion


@dataclass(frozen=True, slots=True)
class Login:
    """Where to connect and as whom. Lives inside one step only and is never recorded; its repr hides the password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


SYSTEM = frozenset({"template0", "template1", "rdsadmin"})
"""Databases that come with a server and hold nobody's data: they are neither counted nor expected."""


@dataclass(frozen=True, slots=True)
class DatabaseSeen:
    """One database of a server: its name and how much it holds, never what."""

    name: str
    tables: int | None  # of users: not of the catalogue, nor of an extension; None: it was not looked into
    bytes: int | None = None
    error: str = ""  # why it was not looked into: one sentence without row values
    kind: str = ""  # the failure kind of that


NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
"""No extension in any database."""


Keep = Callable[[str, Sequence[Mapping[str, str | None]]], int]
"""Keeps the keys of rows, by the names of their columns, as evidence of an assertion, by its name, and returns of how
many rows. Raises RestorecheckError if it cannot."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What questions may need that the server does not have."""

    keys: Mapping[str, Callable[[], Iterable[bytes]]] = field(default_factory=dict)
    """By the name of an [objects.…]: every key there at the backup's time, in UTF-8 and ascending by bytes. May raise
    RestorecheckError."""
    tell: Callable[[str], object] = lambda _: None
    """Is told how far a long look has come. From any thread; must not raise or block."""
    evidence: Keep | None = None
    """Keeps the keys that `samples` of an assertion names; None: nobody does."""


ALONE = Beside()
"""Nothing beside the server."""


class Database(Protocol):
    """A restored server, seen by a run."""

    def prepare(self, master: Login, reader: Login, needs: Mapping[str, tuple[str, ...]] = NEEDS) -> None:
        """Make, or adopt, the read-only roles of this copy, and what probes need.

        `needs` are extensions by database; a database without one is there because rows are read in it. What cannot be
        made is no error here: the probe says that it could not look. Beside this, a run writes nothing in a restored
        database. Raises QueryError: `database-unreachable` and `login-failed` (both retryable), `tls`.
        """

    def knock(self, reader: Login) -> str:
        """Return the server's version once a query answers. Raises QueryError as `prepare` does."""

    def databases(self, reader: Login) -> tuple[DatabaseSeen, ...]:
        """Return every database but those of `SYSTEM`, by name, and how many tables of users each holds.

        One that cannot be looked into is returned with its error. Raises QueryError if they cannot be listed.
        """

    def ask(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        beside: Beside = ALONE,
    ) -> tuple[Answer, ...]:
        """Ask every question, each in a session of its own, and return one answer for each, in order.

        Never raises for what a server answers: an error is an Answer with `error` and `kind`. `within` bounds the
        whole; what is not asked by then is answered with kind `timeout`. `salt` makes the digests of this run. A probe
        is a question like others: it may use several sessions at once.
        """
