"""A real MariaDB for tests: in a directory of its own, on 127.0.0.1, as `nobody` where we are root; with a shop in it.

Only the process that was started here is stopped, by its id.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ports import free_port
from requirements import need_mariadb
from requirements import program as found

from restorecheck.databases.interface import Login

ROOT = "root-only-for-tests"
MASTER = Login("127.0.0.1", 0, "master", "only-for-tests", "shop")
_NOBODY = 65534

_SHOP = """
CREATE DATABASE shop;
CREATE DATABASE other;
USE shop;
CREATE TABLE orders (id BIGINT PRIMARY KEY, total DECIMAL(10,2), note VARCHAR(200), made TIMESTAMP NULL, day DATE,
    at DATETIME(3), took TIME(3), kind ENUM('new','old'), flag BOOLEAN, share DOUBLE, raw BLOB, bits BIT(3));
INSERT INTO orders VALUES
    (1, 10.50, 'for Grace Hopper', '2026-11-20 01:02:03', '2026-11-20', '2026-11-20 01:02:03.5', '01:30:00.250', 'new',
     true, 1e20, x'00ff', b'101'),
    (2, 4.50, NULL, NULL, NULL, NULL, '-00:00:01', 'old', false, 1.5e-7, NULL, NULL);
CREATE TABLE touched (n INTEGER);
CREATE VIEW totals AS SELECT sum(total) AS total FROM orders;
CREATE VIEW broken AS SELECT n FROM touched;
CREATE FUNCTION secret() RETURNS INTEGER DETERMINISTIC RETURN 7;
CREATE PROCEDURE touch() INSERT INTO shop.touched VALUES (1);
CREATE USER 'master'@'%' IDENTIFIED BY 'only-for-tests';
GRANT ALL ON *.* TO 'master'@'%' WITH GRANT OPTION;
"""


@dataclass
class Server:
    """One running server."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def master(self) -> Login:
        return Login("127.0.0.1", self.port, MASTER.user, MASTER.password, "shop")

    def login(self, user: str = "restorecheck_reader_0a1b", database: str = "shop", password: str = "pw") -> Login:
        return Login("127.0.0.1", self.port, user, password, database)

    def run(self, sql: str, database: str = "shop") -> tuple[tuple[Any, ...], ...]:
        """Run one statement as the master user."""
        import pymysql  # noqa: PLC0415

        master = self.master()
        connection = pymysql.connect(
            host=master.host, port=master.port, user=master.user, password=master.password, database=database,
            autocommit=True, ssl_disabled=True,
        )  # fmt: skip
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def start(self, program: str) -> None:
        """Start, and return once somebody listens."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    program, "--no-defaults", f"--datadir={self.directory / 'data'}", f"--port={self.port}",
                    "--bind-address=127.0.0.1", f"--socket={self.directory / 's'}", "--innodb-buffer-pool-size=16M",
                    "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--event-scheduler=OFF",
                    "--default-time-zone=+05:30", f"--tmpdir={self.directory}", f"--pid-file={self.directory / 'pid'}",
                    f"--init-file={self.directory / 'init.sql'}", "--secure-file-priv=",
                ],
                stdout=log, stderr=log, cwd=self.directory, **_as_nobody(),
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(Exception):
                self.run("SELECT 1")
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text()[-2000:])
            time.sleep(0.1)

    def restart(self, program: str = "") -> None:
        """Start again what was stopped, without making the shop anew."""
        (self.directory / "init.sql").write_text("")
        self.start(program or str(found("mariadbd")))

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def __post_init__(self) -> None:
        (self.directory / "init.sql").write_text("")


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    """Yield a server that holds the shop."""
    need_mariadb()
    with tempfile.TemporaryDirectory(prefix="rc-maria-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if os.geteuid() == 0:
            os.chown(directory, _NOBODY, _NOBODY)
        subprocess.run(
            [
                str(found("mariadb-install-db")), "--no-defaults", f"--datadir={directory / 'data'}", "--skip-test-db",
                "--auth-root-authentication-method=normal", f"--tmpdir={directory}",
            ],
            check=True, capture_output=True, cwd=directory, **_as_nobody(),
        )  # fmt: skip
        server = Server(directory, free_port())
        statements = [part.replace("\n", " ").strip() for part in _SHOP.split(";\n")]
        (directory / "init.sql").write_text("".join(f"{part};\n" for part in statements if part))
        try:
            server.start(str(found("mariadbd")))
            yield server
        finally:
            server.stop()
