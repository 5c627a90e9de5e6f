"""Lost connections on demand: ends the server process of clients that run a query containing a given text.

A watcher looks at pg_stat_activity every few milliseconds while such a fault is in force, so a query that takes less
time than that may escape; a connection that is idle in the transaction of such a query does not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Protocol

from restorecheck.demo.aws import mariadb, postgres
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.faults import Call, Fault
from restorecheck.demo.aws.instances import Instance
from restorecheck.demo.aws.servers import Server

EVERY = 0.005
"""Seconds between two looks while a fault is in force."""
IDLE = 0.1
"""Seconds between two looks for such a fault."""

FIND = """
select pid from pg_stat_activity
where backend_type = 'client backend' and usename <> %s and state in ('active', 'idle in transaction')
  and position(lower(%s) in lower(query)) > 0
"""


class Eye(Protocol):
    """Looks at one server. Each call raises the errors of its client library."""

    def find(self, text: str) -> list[int]:
        """Return the connections that run a query with this text."""

    def end(self, number: int) -> None:
        """End one connection."""

    def crash(self, number: int) -> None:
        """Let the process of this connection die, and with it all others."""

    def close(self) -> None:
        """Look no more."""


class PostgresEye:
    """An Eye for PostgreSQL."""

    def __init__(self, server: postgres.Server) -> None:
        """Raises psycopg.Error."""
        self._connection = server.connect()

    def find(self, text: str) -> list[int]:
        """See Eye."""
        return [pid for (pid,) in self._connection.execute(FIND, (postgres.SUPERUSER, text)).fetchall()]

    def end(self, number: int) -> None:
        """See Eye."""
        self._connection.execute("select pg_terminate_backend(%s, 1000)", (number,))

    def crash(self, number: int) -> None:
        """See Eye."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)

    def close(self) -> None:
        """See Eye."""
        self._connection.close()


def _eye(server: Server) -> Eye:
    if isinstance(server, mariadb.Server):
        return mariadb.Eye(server)
    assert isinstance(server, postgres.Server)  # there is no third kind
    return PostgresEye(server)


class Watcher:
    """One thread, for all databases."""

    def __init__(self, estate: Estate) -> None:
        self._estate, self._stop = estate, threading.Event()
        self._eyes: dict[Server, Eye] = {}
        self._thread = threading.Thread(target=self._run, name="demo-aws-connections", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.is_set():
            killers = self._estate.faults.killers()
            for fault in killers:
                for instance in self._estate.all_instances():
                    if instance.server and fault.matches(_as_call(instance, fault)):
                        self._look(fault, instance, instance.server)
            if not killers:
                self._forget()
            self._stop.wait(EVERY if killers else IDLE)
        self._forget()

    def _look(self, fault: Fault, instance: Instance, server: Server) -> None:
        try:
            if server not in self._eyes:
                self._eyes[server] = _eye(server)
            eye = self._eyes[server]
            for number in eye.find(str(fault.kill_query)):
                if not self._estate.faults.killed(fault):
                    continue
                if fault.event:
                    self._estate.happened(instance, fault.event, fault.category)
                if fault.crash:
                    eye.crash(number)
                else:
                    eye.end(number)
        except Exception:  # noqa: BLE001 - of either client library: it was stopped, or crashed as it was told to
            self._eyes.pop(server, None)

    def _forget(self) -> None:
        for eye in self._eyes.values():
            eye.close()
        self._eyes.clear()


def _as_call(instance: Instance, fault: Fault) -> Call:
    """A query is no call to AWS: only account and name count."""
    return Call(fault.service, fault.operation, instance.account, fault.role, (instance.identifier, instance.arn))
