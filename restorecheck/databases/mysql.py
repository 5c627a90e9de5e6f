"""The Database port for MySQL and MariaDB, where PyMySQL is installed; where it is not, what to install.

The work is done in `mysql_server`, which is imported when it is needed: the client library is an optional dependency.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from restorecheck.databases.interface import ALONE, NEEDS, Beside, DatabaseSeen, Login
from restorecheck.databases.postgres_connection import BUNDLE
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion

if TYPE_CHECKING:
    from restorecheck.databases.mysql_server import Server

PATIENCE = timedelta(seconds=60)
"""How long a server that broke off, or that does not let us in any more, is waited for."""


class MySQL:
    """The Database port for MySQL 5.7 and MariaDB 10.4, and later."""

    def __init__(
        self,
        *,
        roots: Path = BUNDLE,
        wait: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        patience: timedelta = PATIENCE,
    ) -> None:
        """`roots` are the certificates that a server off this machine must be signed by; the rest is time."""
        self._roots = roots
        self._wait = wait
        self._monotonic = monotonic
        self._patience = patience

    def prepare(self, master: Login, reader: Login, needs: Mapping[str, tuple[str, ...]] = NEEDS) -> None:
        """Make, or adopt, the reader and the prober; see `mysql_role`. There are no extensions here.

        Raises QueryError: `database-unreachable` and `login-failed` (both retryable), `tls`, `taken`, `permission`,
        `environment`.
        """
        self._server().prepare(master, reader, needs)

    def knock(self, reader: Login) -> str:
        """Return the server's version, such as `10.11.6-MariaDB`. Raises QueryError as `prepare` does."""
        return self._server().knock(reader)

    def databases(self, reader: Login) -> tuple[DatabaseSeen, ...]:
        """Return every database but the server's own, and how many tables each holds. Raises QueryError."""
        return self._server().databases(reader)

    def ask(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        beside: Beside = ALONE,
    ) -> tuple[Answer, ...]:
        """Ask every question; see the port."""
        try:
            server = self._server()
        except QueryError as e:
            return tuple(Answer(a.name, error=e.message, kind=e.kind) for a in assertions)
        return server.ask(reader, assertions, salt, within, beside)

    def _server(self) -> Server:
        try:
            from restorecheck.databases.mysql_server import Server  # noqa: PLC0415 - needs PyMySQL
        except ImportError:
            raise QueryError(
                "PyMySQL, which asks MySQL and MariaDB, is not installed",
                "pip install 'restorecheck[dumps]'",
                kind="environment",
            ) from None
        return Server(self._roots, self._wait, self._monotonic, self._patience.total_seconds())
