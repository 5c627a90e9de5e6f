"""The database under the records of runs: how it is connected to, and what its errors mean.

Never passes on what an error says of a statement or an address: of a server's errors only its own sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from restorecheck.errors import StoreError

CONNECTIONS = 5
"""To PostgreSQL, of the SDK's own. A record takes milliseconds, so many runs share few."""

_DEFAULTS = {
    "application_name": "restorecheck-runs",
    "connect_timeout": 5,
    # a server that vanished without a word is noticed within half a minute, also while a statement is under way
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # no prepared statements: a pooler in between may give the next transaction to another server process
    "prepare_threshold": None,
}

_FROZEN = "-c idle_in_transaction_session_timeout=10s"
"""A process that is frozen in the middle of a transaction must not hold its locks against those that take over."""


def connect(url: str) -> dict[str, Any]:
    """Return how to connect to PostgreSQL, as far as the address does not say so itself."""
    said = parse_qs(urlsplit(url).query)
    arguments = {key: value for key, value in _DEFAULTS.items() if key not in said}
    return arguments | {"options": f"{' '.join(said.get('options', []))} {_FROZEN}".strip()}


def passes(error: Exception) -> bool:
    """Say whether the database could not be reached, or had no room: then nobody has to do anything here."""
    if not of_database(error):
        return False
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in {5, 6, 10, 13}  # BUSY, LOCKED, IOERR, FULL [sqlite.org/rescode.html]
    return type(error).__name__ in {"OperationalError", "InterfaceError", "InternalError", "TimeoutError"}


def told(error: Exception) -> str:
    """Return what may be shown of an error of a server: what it said itself, and never the address."""
    said = getattr(getattr(error, "orig", None), "diag", None)
    return getattr(said, "message_primary", None) or type(error).__name__


def of_database(error: Exception) -> bool:
    """Say whether a database, or its driver, raised this."""
    return type(error).__module__.partition(".")[0] in {"sqlalchemy", "psycopg", "sqlite3"}


@contextmanager
def records() -> Iterator[None]:
    """Turn what the database says into a StoreError."""
    try:
        yield
    except Exception as e:
        if of_database(e):
            raise StoreError(f"the records of runs cannot be read or written: {type(e).__name__}") from e
        raise
