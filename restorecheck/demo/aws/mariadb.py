"""One MariaDB server on one data directory: make, start, set a password, back up, crash, stop.

It stands in for engines mariadb, mysql and aurora-mysql, where `mariadbd` is installed. What survives a crash of the
server need not survive one of the machine. Only processes that were started here are signalled. Knows nothing of AWS.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restorecheck.demo.aws.binaries import User
from restorecheck.demo.aws.postgres import ATTEMPTS, START_SECONDS, PostgresError, free_port

SUPERUSER = "rdsadmin"
"""As on RDS: there is no root; the master user may much, rdsadmin everything."""

_SECRET = "demo-only-and-over-the-socket"  # the account is of this machine alone

_PLACES = ("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")

SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "",
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "2",  # what is committed is in the file, if not on the disk
    "innodb-use-native-aio": "0",  # the machine's asynchronous requests are few, and databases many
    "skip-log-bin": "",
    "event-scheduler": "OFF",
    "max-connections": "60",
}

MASTERS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, "
    "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
)
"""What a master user may: the RDS user guide, "Master user account privileges". Not SUPER, not FILE."""

_ACCOUNTS = f"""\
FLUSH PRIVILEGES;
CREATE OR REPLACE USER '{SUPERUSER}'@'localhost' IDENTIFIED BY '{_SECRET}';
GRANT ALL PRIVILEGES ON *.* TO '{SUPERUSER}'@'localhost' WITH GRANT OPTION;
DELETE FROM mysql.global_priv WHERE User NOT IN ('{SUPERUSER}', 'mariadb.sys');
"""


class MariadbError(PostgresError):
    """A server did not start, or a program of MariaDB failed; the text holds its last words."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one installation."""

    server: Path
    installer: Path
    user: User
    version: str
    """Such as 10.11.6."""


def find(user: User) -> Programs | None:
    """Return the MariaDB that is installed here, or None; also without PyMySQL, which asks it."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_PLACES])
    server, installer = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if not server or not installer or importlib.util.find_spec("pymysql") is None:
        return None
    told = subprocess.run([server, "--version"], check=False, capture_output=True, text=True, cwd="/", **user.popen)
    version = re.search(r"\d+\.\d+\.\d+", told.stdout)
    return Programs(Path(server), Path(installer), user, version.group()) if version else None


def holds(data: Path) -> bool:
    """Say whether a data directory is one of MariaDB, also a damaged one."""
    return (data / "ibdata1").exists() or (data / "aria_log_control").exists()


def initialise(programs: Programs, data: Path) -> None:
    """Make an empty data directory, with rdsadmin as the only user. Raises MariadbError."""
    accounts = data.with_name(f"{data.name}.sql")
    accounts.write_text(_ACCOUNTS)
    programs.user.give(accounts)
    command = [str(programs.installer), "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve"]
    command += ["--auth-root-authentication-method=normal", f"--tmpdir={data}", f"--extra-file={accounts}"]
    command += [f"--innodb-log-file-size={SETTINGS['innodb-log-file-size']}", "--innodb-use-native-aio=0"]
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        **programs.user.popen,
    )
    accounts.unlink()
    if done.returncode:
        words = " / ".join(line for line in done.stdout.splitlines() if "ERROR" in line) or done.stdout.strip()
        raise MariadbError(f"mariadb-install-db ended with {done.returncode}: {words[-500:]}")


class Server:
    """A running mariadbd on a port of its own. `sockets` is a directory whose path is short."""

    def __init__(self, programs: Programs, data: Path, sockets: Path) -> None:
        self._programs, self.data = programs, data
        self._socket = sockets / f"m{data.parent.name[-16:]}"
        self.log = data.parent / "mariadb.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self, port: int | None = None) -> Server:
        """Start and wait until it answers; on a port that was taken meanwhile, try another. Raises MariadbError."""
        self._stopped = False
        with self._lock:
            return self._begin(port)

    def _begin(self, port: int | None) -> Server:
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
                raise MariadbError(f"mariadbd did not start: {words.strip()[-800:]}")

    def _launch(self) -> None:
        settings = SETTINGS | {"datadir": str(self.data), "port": str(self.port), "socket": str(self._socket)}
        settings |= {"tmpdir": str(self.data.parent), "pid-file": str(self.data.parent / "pid")}
        options = [f"--{name}={value}" if value else f"--{name}" for name, value in settings.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs.server), "--no-defaults", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the demo, which then stops its databases in order
                **self._programs.user.popen,
            )

    def _wait(self, log_offset: int) -> str | None:
        """Wait until it is ready: None, or the last words of a server that gave up."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            running = self.pid is not None
            with self.log.open("rb") as log:
                log.seek(log_offset)
                words = log.read().decode(errors="replace")
            if "ready for connections" in words and running:
                return None
            if not running:
                return words
            if time.monotonic() > deadline:
                self.stop()
                return f"no answer within {START_SECONDS} s: {words}"
            time.sleep(0.02)

    def connect(self) -> Any:
        """Connect as the superuser, over the unix socket. Raises pymysql.MySQLError."""
        import pymysql  # noqa: PLC0415 - only who has MariaDB needs it

        return pymysql.connect(
            unix_socket=str(self._socket), user=SUPERUSER, password=_SECRET, autocommit=True, ssl_disabled=True
        )

    def execute(self, statements: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Run statements as the superuser."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement, values in statements:
                cursor.execute(statement, values)

    # --- the users ---------------------------------------------------------------------------------------------------

    def found(self, user: str, password: str, database: str | None) -> None:
        """Make the master user, and the first database if one is asked for."""
        statements: list[tuple[str, tuple[str, ...]]] = [
            ("CREATE USER %s@'%%' IDENTIFIED BY %s", (user, password)),
            (f"GRANT {MASTERS} ON *.* TO %s@'%%' WITH GRANT OPTION", (user,)),
        ]
        if database:
            statements.append((f"CREATE DATABASE `{database.replace('`', '``')}`", ()))
        self.execute(statements)

    def new_password(self, user: str, password: str) -> None:
        """Change the master user's password. A server that was stopped meanwhile, or cannot, keeps the old one."""
        import pymysql  # noqa: PLC0415

        with contextlib.suppress(pymysql.MySQLError, OSError):
            self.execute([("ALTER USER %s@'%%' IDENTIFIED BY %s", (user, password))])

    # --- its end, and what survives it -------------------------------------------------------------------------------

    def base_backup(self, target: Path) -> None:
        """Copy the data directory while the server is held still: the copy is what a crash would leave."""
        with self._lock:
            process = self._process if self.pid is not None else None
            if process:
                import pymysql  # noqa: PLC0415

                with contextlib.suppress(pymysql.MySQLError, OSError):
                    self.execute([("FLUSH TABLES", ())])
                process.send_signal(signal.SIGSTOP)
            try:
                subprocess.run(["cp", "-a", "--reflink=auto", str(self.data), str(target)], check=True)
            finally:
                if process:
                    process.send_signal(signal.SIGCONT)

    def crash(self) -> None:
        """Die as a server does of a fault in it, and come up again on the same port. Raises MariadbError."""
        with self._lock:
            port = self.port
            self._kill()
            if not self._stopped:
                self._begin(port)
        if self._stopped:  # somebody stopped it meanwhile, and must not find it running
            self._kill()

    def stop(self) -> None:
        """Stop at once; its data directory stays, and the next start recovers."""
        self._stopped = True
        self._kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


class Eye:
    """Looks who runs a query that contains a text, and ends him."""

    FIND = (
        "SELECT ID FROM information_schema.PROCESSLIST WHERE USER <> %s AND COMMAND <> 'Sleep'"
        " AND LOCATE(LOWER(%s), LOWER(CONVERT(INFO USING utf8mb4))) > 0"
    )

    def __init__(self, server: Server) -> None:
        """Raises pymysql.MySQLError."""
        self._server, self._connection = server, server.connect()

    def find(self, text: str) -> list[int]:
        """Return the connections that run such a query."""
        with self._connection.cursor() as cursor:
            cursor.execute(self.FIND, (SUPERUSER, text))
            return [int(row[0]) for row in cursor.fetchall()]

    def end(self, number: int) -> None:
        """End one connection."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"KILL {number:d}")

    def crash(self, number: int) -> None:
        """Let the server die of this query: it is one process, so all others are thrown out as well."""
        del number
        self._server.crash()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(Exception):
            self._connection.close()
