"""The data behind the control plane: templates, snapshots' copies and running servers, all below one directory.

    ROOT/lock  ROOT/template-…/  ROOT/instances/<id>/data  ROOT/snapshots/<id>/   and sockets in a short path

Slow work runs in a pool, so that API calls answer at once. Nothing outside ROOT is ever changed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

from restorecheck.demo.aws import binaries, catalog, mariadb, orphans, postgres
from restorecheck.demo.aws.servers import Family, Server

T = TypeVar("T")
LONGEST_SOCKET_DIRECTORY = 80
"""A unix socket's path may have 107 bytes; `/.s.PGSQL.65535` needs 16 of them."""


class DataPlane:
    """All database servers and snapshot copies of one demo AWS."""

    def __init__(self, directory: Path | None, programs: Path | None, *, checksums: bool) -> None:
        self._keep, self._checksums = directory is not None, checksums
        self.root = _root(directory)
        self._lock_file = orphans.claim(self.root)
        self._watchdog = orphans.watch(self.root, keep=self._keep)
        self.user = binaries.User.suitable()
        try:
            self._enterable()
            self.binaries = binaries.find(programs, self.root, self.user)
            self.mariadb = mariadb.find(self.user)
            self.engines = catalog.engines(self.binaries.version, self.mariadb.version if self.mariadb else None)
            self._directories()
        except BaseException:
            self.close()
            raise
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="demo-aws")
        self._template_lock = threading.Lock()
        self._running: set[Server] = set()
        self._running_lock = threading.Lock()

    def _enterable(self) -> None:
        """Raises NoPostgresError if PostgreSQL's user cannot reach the directory."""
        enter = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$0"', str(self.root)], check=False, capture_output=True, **self.user.popen
        )
        if enter.returncode:
            raise binaries.NoPostgresError(
                f"user id {self.user.uid}, whom PostgreSQL runs as, cannot enter {self.root}; "
                "choose a data directory below one that everybody may pass through, such as /tmp"
            )

    def _directories(self) -> None:
        for name in ("instances", "snapshots"):
            shutil.rmtree(self.root / name, ignore_errors=True)  # of an earlier server in a chosen directory
            self.user.directory(self.root / name)
        self._sockets_elsewhere = len(str(self.root)) > LONGEST_SOCKET_DIRECTORY - len("/sockets")
        shutil.rmtree(self.root / "sockets", ignore_errors=True)
        if self._sockets_elsewhere:
            self.sockets = Path(tempfile.mkdtemp(prefix="rc-demo-", dir="/tmp"))
            self.user.give(self.sockets)
        else:
            self.sockets = self.user.directory(self.root / "sockets")

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do work in the pool. Work may wait for work submitted before it, never for later work."""
        return self._pool.submit(work)

    # --- instances -----------------------------------------------------------------------------------------------

    def boot(self, name: str, source: Path | Family) -> Server:
        """Start a server on a copy of `source`, or on an empty data directory of a family. Raises PostgresError."""
        return self.serve(self.lay(name, source))

    def lay(self, name: str, source: Path | Family) -> Path:
        """Make a data directory that nobody serves yet: a copy of `source`, or an empty one. Returns it."""
        home = self.user.directory(self.root / "instances" / name)
        _clone(source if isinstance(source, Path) else self._template(source), home / "data")
        return home / "data"

    def _server(self, data: Path) -> Server:
        if self.mariadb and mariadb.holds(data):
            return mariadb.Server(self.mariadb, data, self.sockets)
        return postgres.Server(self.binaries, data, self.sockets)

    def serve(self, data: Path, port: int | None = None) -> Server:
        """Start a server on a data directory that is there, on this port if it is free. Raises PostgresError."""
        server = self._server(data)
        with self._running_lock:
            self._running.add(server)  # before it starts, so that whoever closes meanwhile stops it
        try:
            return server.start(port)
        except BaseException:
            self.halt(server)
            raise

    def halt(self, server: Server) -> None:
        """Stop a server; its data stays."""
        server.stop()
        with self._running_lock:
            self._running.discard(server)

    def destroy(self, server: Server) -> None:
        """Stop a server and remove its data."""
        self.halt(server)
        self.erase(server.data)

    @staticmethod
    def erase(data: Path) -> None:
        """Remove a data directory that nobody serves any more."""
        shutil.rmtree(data.parent, ignore_errors=True)

    def running(self) -> list[Server]:
        """Return the servers that run."""
        with self._running_lock:
            return [server for server in self._running if server.pid is not None]

    def _template(self, family: Family) -> Path:
        """Return an empty, initialised data directory of a family, made once."""
        name = f"template-{self.binaries.version}{'-checksums' if self._checksums else ''}"
        if family == "mysql" and self.mariadb:
            name = f"template-mariadb-{self.mariadb.version}"
        with self._template_lock:
            if not (self.root / name).exists():
                making = self.user.directory(self.root / f"{name}-{uuid.uuid4().hex}")
                if family == "mysql" and self.mariadb:
                    mariadb.initialise(self.mariadb, making)
                else:
                    postgres.initialise(self.binaries, making, checksums=self._checksums)
                making.rename(self.root / name)
        return self.root / name

    # --- snapshots -----------------------------------------------------------------------------------------------

    def new_copy(self) -> Path:
        """Return where the next snapshot's data directory goes; it is not there yet."""
        return self.root / "snapshots" / uuid.uuid4().hex[:16]

    @staticmethod
    def copy(source: Path, target: Path) -> None:
        """Copy a snapshot's data: damage to one never damages the other."""
        _clone(source, target)

    @staticmethod
    def remove(directory: Path) -> None:
        """Remove a snapshot's data."""
        shutil.rmtree(directory, ignore_errors=True)

    # --- the end -------------------------------------------------------------------------------------------------

    def empty(self, pending: Sequence[Future[Any]] = ()) -> None:
        """Stop every server and remove all data; the template stays. `pending` is work that may still be under way."""
        for work in pending:
            work.cancel()
        for server in self.running():
            server.stop()  # boots and backups under way then end soon
        wait(pending)
        with self._running_lock:
            servers, self._running = self._running, set()
        for server in servers:
            server.stop()
        for name in ("instances", "snapshots"):
            for path in (self.root / name).iterdir():
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Stop everything; the directory goes too, unless it was chosen."""
        if pool := getattr(self, "_pool", None):
            for server in self.running():
                server.stop()  # first: boots in the pool then end soon
            pool.shutdown(wait=True, cancel_futures=True)
            self.empty()
        if getattr(self, "_sockets_elsewhere", False):
            shutil.rmtree(self.sockets, ignore_errors=True)
        if not self._keep:
            shutil.rmtree(self.root, ignore_errors=True)
        self._lock_file.close()
        self._watchdog.communicate()  # closes its stdin: it finds nothing left to do, and ends


def _root(directory: Path | None) -> Path:
    if directory is None:
        made = Path(tempfile.mkdtemp(prefix=orphans.PREFIX, dir=orphans.parent()))
    else:
        made = directory.absolute()
        made.mkdir(parents=True, exist_ok=True)
    made.chmod(0o711)  # `nobody` must be able to go through; the directories below are closed to others
    return made


def _clone(source: Path, target: Path) -> None:
    """Copy a data directory that nobody writes to; instant where the file system can share blocks."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, capture_output=True)
