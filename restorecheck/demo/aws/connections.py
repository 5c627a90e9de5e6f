"""Lost connections on demand: ends the server process of clients that run a query containing a given text.

A watcher looks at pg_stat_activity every few milliseconds while such a fault is in force, so a query that takes less
time than that may escape; a connection that is idle in the transaction of such a query does not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any

import psycopg

from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.faults import Call, Fault
from restorecheck.demo.aws.instances import Instance
from restorecheck.demo.aws.postgres import SUPERUSER, Server

EVERY = 0.005
"""Seconds between two looks while a fault is in force."""
IDLE = 0.1
"""Seconds between two looks for such a fault."""

FIND = """
select pid from pg_stat_activity
where backend_type = 'client backend' and usename <> %s and state in ('active', 'idle in transaction')
  and position(lower(%s) in lower(query)) > 0
"""


class Watcher:
    """One thread, for all databases."""

    def __init__(self, estate: Estate) -> None:
        self._estate, self._stop = estate, threading.Event()
        self._connections: dict[Server, psycopg.Connection[Any]] = {}
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
                        self._look(fault, instance.server)
            if not killers:
                self._forget()
            self._stop.wait(EVERY if killers else IDLE)
        self._forget()

    def _look(self, fault: Fault, server: Server) -> None:
        try:
            if server not in self._connections:
                self._connections[server] = server.connect()
            connection = self._connections[server]
            for (pid,) in connection.execute(FIND, (SUPERUSER, fault.kill_query)).fetchall():
                if not self._estate.faults.killed(fault):
                    continue
                if fault.crash:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                else:
                    connection.execute("select pg_terminate_backend(%s, 1000)", (pid,))
        except psycopg.Error:
            self._connections.pop(server, None)  # it was stopped, or crashed as it was told to

    def _forget(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


def _as_call(instance: Instance, fault: Fault) -> Call:
    """A query is no call to AWS: only account and name count."""
    return Call(fault.service, fault.operation, instance.account, fault.role, (instance.identifier, instance.arn))
