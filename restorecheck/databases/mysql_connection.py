"""How a connection to a restored MySQL or MariaDB is made: verified, without a file of options, and one statement each.

TLS is always verified against the shipped RDS bundle, except to this machine itself, where it is used if the server has
it. Several statements in one text are not switched on, nor are files of ours (`LOAD DATA LOCAL`).
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import pymysql

from restorecheck.databases import mysql_errors
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE, is_this_machine
from restorecheck.errors import QueryError

CONNECT_TIMEOUT = 10  # seconds
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
_NO_TLS_HERE = 2026


def connect(login: Login, roots: Path = BUNDLE, *, patience: float = 60.0) -> pymysql.Connection[Any]:
    """Return an open connection in autocommit mode, whose values come as bytes. `patience`: seconds of one read.

    An empty database in the login is none. Raises QueryError: `database-unreachable` and `login-failed` (retryable),
    `tls`, `missing-object` (no such database), `config`.
    """
    if not _HOST.fullmatch(login.host):
        raise QueryError(f"{login.host!r} is not a host name or an address", kind="config")
    here = is_this_machine(login.host)
    try:
        return _opened(login, _unverified() if here else ssl.create_default_context(cafile=str(roots)), patience)
    except QueryError as e:
        if not here or e.kind != "tls":
            raise
    return _opened(login, None, patience)


def _unverified() -> ssl.SSLContext:
    """Return TLS as it is good enough where nothing lies between: a server makes its own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _opened(login: Login, context: ssl.SSLContext | None, patience: float) -> pymysql.Connection[Any]:
    try:
        return pymysql.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password,
            database=login.database or None,
            charset="utf8mb4",
            use_unicode=False,
            conv={},
            autocommit=True,
            local_infile=False,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=patience,
            write_timeout=patience,
            program_name="restorecheck",
            ssl=context,
            ssl_disabled=context is None,
        )
    except pymysql.MySQLError as e:
        number = e.args[0] if e.args and isinstance(e.args[0], int) else 0
        verified = isinstance(e.__cause__ or e.__context__, ssl.SSLError)
        raise refused(login, _NO_TLS_HERE if verified else number, str(e.args[-1]) if e.args else "") from None
    except (RuntimeError, OSError) as e:  # a way to authenticate that needs a library more, or TLS
        raise refused(login, _NO_TLS_HERE if isinstance(e, ssl.SSLError) else 1251, type(e).__name__) from None


def refused(login: Login, number: int, message: str) -> QueryError:
    """Return the error for a connection that did not come about; its message holds names only."""
    kind, retryable = mysql_errors.connecting(number)
    known = f"{login.host} {login.port} {login.database} {login.user} @ mysql server connect on to yes using"
    reason = mysql_errors.sentence(number, message, known)
    place = f"{login.host}:{login.port}, database {login.database!r}, as {login.user!r}"
    return QueryError(f"could not connect to {place}: {reason}", kind=kind, retryable=retryable)


def parts(error: BaseException) -> tuple[int, str]:
    """Return number and message of an error of a session; number 0 for one that says nothing, 2013 for a lost line."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if not isinstance(error, pymysql.MySQLError):
        return 2013, ""
    return number, str(error.args[-1]) if error.args else ""
