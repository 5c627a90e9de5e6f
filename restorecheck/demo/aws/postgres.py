"""One PostgreSQL server on one data directory: make, start, ask as superuser, back up, stop.

fsync is off: what survives a crash of PostgreSQL need not survive one of the machine. Only processes that were
started here are signalled. It knows nothing of AWS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from restorecheck.demo.aws import master
from restorecheck.demo.aws.binaries import Binaries

SUPERUSER = master.SUPERUSER

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "replica",  # pg_basebackup needs it
    "max_wal_senders": "4",
    "max_replication_slots": "0",
    "min_wal_size": "2MB",
    "max_wal_size": "64MB",
    "logging_collector": "off",
    "track_activity_query_size": "16kB",  # faults look for a text in running queries
    "jit": "off",
    "huge_pages": "off",
}

HBA = f"""\
local all {SUPERUSER} trust
local replication {SUPERUSER} trust
host all {SUPERUSER} 0.0.0.0/0 reject
host all all 127.0.0.1/32 scram-sha-256
"""

START_SECONDS = 60
ATTEMPTS = 5


class PostgresError(Exception):
    """A server did not start, or a program of PostgreSQL failed; the text holds its last words."""


def initialise(binaries: Binaries, data: Path, *, checksums: bool) -> None:
    """Make an empty data directory (initdb). The segment size of 1 MB shrinks it from 38 to 27 MiB."""
    options = ["--no-sync", "--wal-segsize=1", "--encoding=UTF8", "--locale=C", "--auth=trust", "-U", SUPERUSER]
    if checksums:
        options.append("--data-checksums")
    elif binaries.major >= 18:  # before, no checksums was the default and had no option
        options.append("--no-data-checksums")
    run(binaries, "initdb", "-D", str(data), *options)
    (data / "pg_hba.conf").write_text(HBA)


def run(binaries: Binaries, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs to its end. Raises PostgresError."""
    done = subprocess.run(
        [binaries.command(program), *arguments],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",  # the caller's may be a directory that `nobody` cannot enter
        **binaries.user.popen,
    )
    if done.returncode:
        raise PostgresError(f"{program} ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def free_port() -> int:
    """Return a port that nobody uses now; somebody else may still be faster."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Server:
    """A running postgres on a port of its own. `sockets` is a directory whose path is short."""

    def __init__(self, binaries: Binaries, data: Path, sockets: Path) -> None:
        self.binaries, self.data, self._sockets = binaries, data, sockets
        self.log = data.parent / "postgres.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, port: int | None = None) -> Server:
        """Start and wait until it answers; on a port that was taken meanwhile, try another. Raises PostgresError."""
        attempt = 0
        while True:
            attempt += 1
            self.port = port if port and attempt == 1 else free_port()
            before = self.log.stat().st_size if self.log.exists() else 0
            self._launch()
            words = self._wait(before)
            if words is None:
                return self
            if "Address already in use" not in words or attempt == ATTEMPTS:
                raise PostgresError(f"postgres did not start: {words.strip()[-800:]}")

    def _launch(self) -> None:
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._sockets)}
        if self.binaries.extensions is not None:
            settings["extension_control_path"] = f"{self.binaries.extensions}:$system"
        command = [self.binaries.command("postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the server, which then stops its postgres in order
                **self.binaries.user.popen,
            )

    def _wait(self, log_offset: int) -> str | None:
        """Wait for the first answer: None, or the last words of a server that gave up."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.pid is None:
                with self.log.open("rb") as log:
                    log.seek(log_offset)
                    return log.read().decode(errors="replace")
            try:
                self.execute(sql.SQL("select 1"))
                return None
            except psycopg.OperationalError as e:
                if time.monotonic() > deadline:
                    self.stop()
                    return f"no answer within {START_SECONDS} s: {e}"
                time.sleep(0.02)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as the superuser, over the unix socket."""
        return psycopg.connect(
            host=str(self._sockets),
            port=self.port,
            user=SUPERUSER,
            dbname=database,
            hostaddr="",  # PGHOSTADDR in the environment would lead elsewhere
            autocommit=True,
            connect_timeout=5,
        )

    def execute(self, *statements: sql.SQL | sql.Composed) -> None:
        """Run statements as the superuser."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def found(self, user: str, password: str, database: str | None) -> None:
        """Make the roles of RDS, the master user, and the first database if one is asked for."""
        self.execute(*master.made(self.binaries.major, user, password, database))

    def new_password(self, user: str, password: str) -> None:
        """Change the master user's password; a server that was stopped meanwhile keeps the old one."""
        with contextlib.suppress(psycopg.Error):
            self.execute(master.new_password(user, password))

    def base_backup(self, target: Path) -> None:
        """Copy the data directory as it is now; starting the copy runs crash recovery, as on a snapshot of RDS."""
        where = ["-h", str(self._sockets), "-p", str(self.port), "-U", SUPERUSER]
        how = ["--wal-method=fetch", "--checkpoint=fast", "--no-sync", "--no-manifest"]
        run(self.binaries, "pg_basebackup", *where, "-D", str(target), *how)

    def crash(self) -> None:
        """Let one of its processes die: it throws everybody out, which is waited for, then recovers and goes on.

        Raises psycopg.Error where nobody can connect.
        """
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        witness = contextlib.closing(self.connect())
        with contextlib.suppress(psycopg.OperationalError, ProcessLookupError), witness as connection:
            os.kill(int(children[0]), signal.SIGKILL)
            connection.execute("select pg_sleep(%s)", (START_SECONDS,))  # until then, who connects may still be served

    def stop(self) -> None:
        """Stop at once (an immediate shutdown); its data directory stays."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGQUIT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
