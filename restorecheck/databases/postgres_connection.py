"""How a connection to a restored PostgreSQL is made: where the login says, verified, and by no setting of ours alone.

TLS is always `verify-full` against the shipped RDS bundle, except to this machine itself. No PG* variable of the
environment and no service file may change where or how we connect: every option of libpq is given.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import AdaptContext

from restorecheck.databases import postgres_errors
from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError

BUNDLE = Path(__file__).with_name("rds-global-bundle.pem")
"""Amazon's root certificates for RDS, of all regions that the bundle knows."""

CONNECT_TIMEOUT = 10  # seconds, for each address of the host

LATER = {"transaction_timeout": 17, "idle_session_timeout": 14}
"""Limits of time that a backup may have brought along, and since which major version: older servers refuse them as
options, so they cannot stand among the settings of a session."""

_HOST = re.compile(r"[A-Za-z0-9._:%-]+")  # no socket directory (`/…`, `@…`), no list, no empty host: none has TLS

_PREAMBLE = re.compile(r"^connection (failed|is bad): (connection to server .*?, port \d+ failed: )?(FATAL: +)?")


def is_this_machine(host: str) -> bool:
    """Say whether a host is literally loopback, so that nothing lies between: 127.0.0.0/8, ::1 or localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parameters(login: Login, roots: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return every option that this libpq knows, so that none is left to the environment.

    `settings` are server settings that must hold from the first moment on. Raises QueryError `config` for a host that
    is not one host name or address.
    """
    if not _HOST.fullmatch(login.host):
        raise QueryError(f"{login.host!r} is not a host name or an address", kind="config")
    given = {
        "host": login.host,
        "port": str(login.port),
        "user": login.user,
        "password": login.password,
        "dbname": login.database,
        "application_name": "restorecheck",
        "client_encoding": "UTF8",
        "connect_timeout": str(CONNECT_TIMEOUT),
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "keepalives": "1",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "gssencmode": "disable",
        "min_protocol_version": "3.0",  # these three cannot be given as empty
        "max_protocol_version": "3.0",
        "require_auth": "scram-sha-256,md5,password,none",  # `password` is how PAM asks; inside verified TLS
        "sslcertmode": "disable",  # no certificate out of somebody's home directory
        "sslmode": "prefer" if is_this_machine(login.host) else "verify-full",
        "sslrootcert": "" if is_this_machine(login.host) else str(roots),
    }
    known = pq.Conninfo.get_defaults()
    rest = {o.keyword.decode(): (o.compiled or b"").decode() for o in known if o.envvar}
    rest.pop("service", None)  # cannot be given as "none"; `connect` refuses the variable instead
    names = {o.keyword.decode() for o in known}
    return {name: value for name, value in {**rest, **given}.items() if name in names}


def connect(
    login: Login, roots: Path, settings: dict[str, str], context: AdaptContext | None = None
) -> psycopg.Connection[Any]:
    """Return an open connection in autocommit mode.

    Raises QueryError: `database-unreachable` and `login-failed` (retryable), `tls`, `missing-object` (no such
    database), `data-damaged` (the server cannot read its own catalogue), `config`.
    """
    if "PGSERVICE" in os.environ:
        raise QueryError(
            "PGSERVICE is set in the environment, which changes how every PostgreSQL client connects",
            "unset PGSERVICE for restorecheck; a service can be named in a connection URL",
            kind="config",
        )
    try:
        connection = _opened(login, roots, settings, context)
    except psycopg.Error as e:
        if "transaction timeout" not in str(e):
            raise refused(login, str(e)) from None
        limits = list(LATER)  # a server that says so has both
    else:
        major = connection.info.server_version // 10_000
        limits = [name for name, since in LATER.items() if major >= since]
        try:
            for name in limits:
                connection.execute(f"SET SESSION {name} = 0".encode())
        except psycopg.Error:  # often without a word: the session is over before the answer is read
            connection.close()
        else:
            return connection
    try:  # a limit of milliseconds ended the session before it could be taken off
        return _opened(login, roots, settings | dict.fromkeys(limits, "0"), context)
    except psycopg.Error as e:
        raise refused(login, str(e)) from None


def _opened(
    login: Login, roots: Path, settings: dict[str, str], context: AdaptContext | None
) -> psycopg.Connection[Any]:
    options: dict[str, Any] = dict(parameters(login, roots, settings))  # options of libpq are all texts
    return psycopg.connect(**options, autocommit=True, prepare_threshold=None, context=context)


def refused(login: Login, message: str) -> QueryError:
    """Return the error for a connection that did not come about; `message` is libpq's, and holds names only."""
    kind, retryable = postgres_errors.connecting(message)
    reason = message.splitlines()[0] if message else "no reason was given"
    reason = _PREAMBLE.sub("", reason)[:300]
    place = f"{login.host}:{login.port}, database {login.database!r}, as {login.user!r}"
    return QueryError(f"could not connect to {place}: {reason}", kind=kind, retryable=retryable)
