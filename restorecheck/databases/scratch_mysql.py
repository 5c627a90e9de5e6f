"""A MariaDB or MySQL server of our own, made to load one dump into, asked, and thrown away.

As the PostgreSQL one: on 127.0.0.1 alone, a password for everybody, tuned to forget, ended with the service by a
guardian. What a dump says it can do to files or plug-ins of this machine finds an empty directory.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from restorecheck.databases.guardian import Guarded
from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_postgres import account, place
from restorecheck.errors import SourceError

OWNER = "restorecheck_owner"
"""Ours alone. `root` is there too, because dumps name it as the definer of views, but nobody can log in as it."""

SETTINGS = {
    "bind-address": "127.0.0.1",
    "socket": "socket",  # in the data directory, which nobody else can enter; it cannot be left out
    "skip-name-resolve": "",
    "local-infile": "0",
    "event-scheduler": "OFF",  # no event of the dump runs
    # nothing need survive a crash
    "skip-log-bin": "",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "0",
    "loose-debug-no-sync": "",
    "innodb-buffer-pool-size": "256M",
    "max-allowed-packet": "1G",
    "max-connections": "50",
}

_START = 60.0  # seconds
_ATTEMPTS = 5  # ports
_SIGKILL = 9
_READY = re.compile(r"ready for connections")
_SAFE = re.compile(r"[A-Za-z0-9_]+")
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True, slots=True)
class MysqlPrograms:
    """The programs of one installation."""

    server: Path
    client: Path
    installer: Path | None  # MariaDB's; MySQL's server makes its data directory itself
    flavour: str  # "MariaDB" or "MySQL"
    version: str

    @property
    def release(self) -> tuple[int, ...]:
        """Such as (10, 11)."""
        return tuple(int(n) for n in re.findall(r"\d+", self.version)[:2])


class ScratchMysql:
    """One server; `start` it, `close` it."""

    def __init__(
        self,
        programs: MysqlPrograms,
        inside: Path,
        *,
        password: str,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """`password` is the owner's, of letters and digits."""
        self._programs, self._password = programs, password
        self._monotonic, self._wait, self._stop = monotonic, wait, stop
        self._guarded = Guarded(place(inside), account(), monotonic=monotonic)
        self.port = 0

    @property
    def directory(self) -> Path:
        """Where it lives; removed by `close`."""
        return self._guarded.directory

    def login(self, database: str) -> Login:
        """Return how the owner gets into a database."""
        return Login("127.0.0.1", self.port, OWNER, self._password, database)

    def alive(self) -> bool:
        """Say whether the server still runs."""
        try:
            return self.port != 0 and self._guarded.ended() is None
        except (SourceError, ValueError):
            return False

    def start(self, database: str, within: float = 300.0) -> ScratchMysql:
        """Make the server with one empty database, and wait until it lets the owner in.

        Raises SourceError: `environment` (with the server's own words), `scratch-full`, `deadline`, `cancelled`.
        """
        nothing, script = self.directory / "nothing", self.directory / "init.sql"
        nothing.mkdir(mode=0o700)
        self._guarded.account.give(nothing)
        self._initialise(within)
        with os.fdopen(os.open(script, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(_first_words(database, self._password))
        self._guarded.account.give(script)
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = _free_port()
            words = self._launch(nothing, script, within)
            if words is None:
                script.unlink()
                return self
            if "Address already in use" not in words or attempt == _ATTEMPTS:
                raise _not_started(words)
        raise AssertionError

    def close(self) -> None:
        """Stop the server at once and remove its directory; may be called again."""
        self._guarded.close()

    def _initialise(self, within: float) -> None:
        data, programs = f"--datadir={self.directory / 'data'}", self._programs
        if programs.installer is not None:
            options = ["--no-defaults", data, f"--basedir={programs.installer.parent.parent}", "--skip-test-db"]
            options += ["--skip-name-resolve", "--auth-root-authentication-method=normal", f"--tmpdir={self.directory}"]
            command = [str(programs.installer), *options]
        else:
            command = [str(programs.server), "--no-defaults", "--initialize-insecure", data]
        done = self._guarded.run(command, _ENVIRONMENT, within, self._stop)
        if done.code:
            raise _not_started(done.words)

    def _launch(self, nothing: Path, script: Path, within: float) -> str | None:
        """Start the server and wait for it: None, or the last words of one that gave up."""
        self._guarded.serve(self._command(nothing, script), _ENVIRONMENT, _SIGKILL)
        until = self._monotonic() + min(_START, within)
        while not self._ready():
            if (ended := self._guarded.ended()) is not None:
                return ended.words
            if self._stop():
                raise SourceError("stopped while the scratch server started", kind="cancelled")
            if self._monotonic() > until:
                raise SourceError("the scratch server did not answer in time", kind="deadline")
            self._wait(0.02)
        return None

    def _command(self, nothing: Path, script: Path) -> list[str]:
        settings = SETTINGS | {
            "datadir": str(self.directory / "data"),
            "port": str(self.port),
            "tmpdir": str(self.directory),
            "init-file": str(script),  # run before anybody is let in
            "secure-file-priv": str(nothing),
            "plugin-dir": str(nothing),
        }
        if self._programs.flavour == "MySQL":
            settings["loose-mysqlx"] = "OFF"
            del settings["plugin-dir"]  # its own components live there
        options = [f"--{name}={value}" if value else f"--{name}" for name, value in settings.items()]
        return [str(self._programs.server), "--no-defaults", *options]

    def _ready(self) -> bool:
        try:
            return bool(_READY.search(self._guarded.log.read_text(errors="replace")))
        except OSError:
            return False


def _first_words(database: str, password: str) -> str:
    """Return what the server runs before it lets anybody in. One statement a line: that is all it can read."""
    if not _SAFE.fullmatch(password):
        raise SourceError("a password of a scratch server is made of letters and digits", kind="internal")
    name = database.replace("`", "``")
    if "\n" in name or "\r" in name:
        raise SourceError("the name of the database has more than one line", kind="config")
    return (
        f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}r';\n"
        f"CREATE USER '{OWNER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO '{OWNER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        f"CREATE DATABASE `{name}`;\n"
    )


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _not_started(words: str) -> SourceError:
    full = "No space left on device" in words
    lines = [line.strip() for line in words.splitlines() if "ERROR" in line or "rror:" in line] or words.splitlines()
    return SourceError(
        f"the scratch MySQL did not start: {' / '.join(lines[-3:])[-500:] or 'it said nothing'}",
        kind="scratch-full" if full else "environment",
    )
