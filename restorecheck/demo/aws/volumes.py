"""The storage of a cluster: one data directory, and one server on it while the cluster has an instance.

All instances of a cluster share the server, so a reader of the demo is no more read-only than its writer. The port
stays the same as long as nobody takes it in between: while no server runs, connections to it are refused.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

from restorecheck.demo.aws.dataplane import DataPlane
from restorecheck.demo.aws.instances import Dead
from restorecheck.demo.aws.servers import Server


class Volume:
    """One cluster's data. `laid` is the work that makes its data directory."""

    def __init__(self, data: DataPlane, laid: Future[Path]) -> None:
        self._data, self.laid = data, laid
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._waiting: tuple[str, str] | None = None  # the master user and his new password
        self._parked = Dead(hang=False)

    @property
    def port(self) -> int:
        """The port, whether or not a server answers there."""
        server = self._server
        return server.port if server else self._parked.port

    def start(self) -> Server:
        """Return the server, started if none runs. Raises PostgresError."""
        with self._lock:
            if self._server is None:
                data, port = self.laid.result(), self._parked.port
                self._parked.close()
                try:
                    self._server = self._data.serve(data, port)
                except BaseException:
                    self._parked = Dead(hang=False, port=port)
                    raise
                waiting, self._waiting = self._waiting, None
                if waiting:
                    self._server.new_password(*waiting)
            return self._server

    def stop(self) -> None:
        """Stop the server, if one runs; the data stays."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server:
            self._data.halt(server)
            self._parked = Dead(hang=False, port=server.port)

    def new_password(self, user: str, password: str) -> None:
        """Change the master user's password: now, or as soon as a server runs."""
        with self._lock:
            if self._server is None:
                self._waiting = (user, password)
            else:
                self._server.new_password(user, password)

    @property
    def server(self) -> Server | None:
        """The server, if one runs."""
        return self._server

    def backup(self, target: Path) -> None:
        """Copy the data as it is now."""
        with self._lock:
            if self._server:
                self._server.base_backup(target)
            else:
                self._data.copy(self.laid.result(), target)

    def erase(self) -> None:
        """Stop the server and remove the data."""
        with self._lock:
            self._stop()
            if self.laid.exception() is None:
                self._data.erase(self.laid.result())
            self._parked.close()

    def close(self) -> None:
        """Give the port back; somebody else sees to the data."""
        with self._lock:
            self._server = None
            self._parked.close()
