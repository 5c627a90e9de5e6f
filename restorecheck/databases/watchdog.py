"""A deadline that holds from outside the server: cancel the query, then cut the socket.

statement_timeout is a setting, and the query that it bounds may change it. This does not ask the session.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any, Self

import psycopg

GRACE = 5.0
"""Seconds that a server has to obey the cancel before the socket is cut."""


class Watchdog:
    """Around the use of one connection: after `seconds`, cancels what it does; `GRACE` later, cuts its socket.

    `bit` says that the deadline came. Cutting shuts the socket down under libpq, which then reports a lost connection
    in the thread that waits for it; closing the connection from here would pull it away from under that thread.
    """

    def __init__(self, connection: psycopg.Connection[Any], seconds: float, grace: float = GRACE) -> None:
        self.bit = False
        self._connection = connection
        self._seconds = seconds
        self._grace = grace
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="restorecheck-watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._socket = socket.socket(fileno=os.dup(self._connection.fileno()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._socket.close()

    def _watch(self) -> None:
        if self._done.wait(self._seconds):
            return
        self.bit = True
        with contextlib.suppress(psycopg.Error):  # no cancel came through: the socket is cut all the same
            self._connection.cancel_safe(timeout=self._grace)
        if not self._done.wait(self._grace):
            with contextlib.suppress(OSError):  # it is gone already
                self._socket.shutdown(socket.SHUT_RDWR)
