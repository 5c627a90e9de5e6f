"""A deadline for a session of MySQL or MariaDB that holds from outside of it: what it does is killed from another one.

The server's own timeouts are settings, bound some statements only, and let SLEEP() answer as if nothing was.
"""

from __future__ import annotations

import contextlib
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pymysql

from restorecheck.databases.interface import Login
from restorecheck.databases.mysql_connection import connect
from restorecheck.errors import QueryError

GRACE = 5.0
"""Seconds that a server has to obey a KILL before the connection is given up."""


class Watchdog:
    """Around the use of one connection: after `seconds`, kills what it does from another. `bit`: the deadline came.

    A server that does not obey is given up by the connection's own read timeout, GRACE later.
    """

    def __init__(self, connection: pymysql.Connection[Any], login: Login, roots: Path, seconds: float) -> None:
        self.bit = False
        self._id = int(connection.thread_id())  # type: ignore[no-untyped-call]  # its stubs lack it
        self._login = replace(login, database="")
        self._roots = roots
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._kill)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def _kill(self) -> None:
        self.bit = True
        with contextlib.suppress(QueryError, pymysql.MySQLError, OSError):  # then the read timeout must do
            other = connect(self._login, self._roots, patience=GRACE)
            with closing(other), other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {self._id:d}")
