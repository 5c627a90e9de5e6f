"""A PostgreSQL server of our own, made to load one dump into, asked, and thrown away.

It listens on 127.0.0.1 alone, on a port that nobody else has, and asks everybody for a password. It is tuned to forget:
nothing in it need survive a crash, because the dump is still there. A guardian ends it with the service.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import errors, sql

from restorecheck.databases.guardian import Account, Guarded, sweep
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import LATER
from restorecheck.databases.scratch_disarming import disarm
from restorecheck.errors import SourceError

SUPERUSER = "restorecheck_owner"
"""Ours alone: what a dump brings along is owned by other roles, or fell to us because its owner is missing."""

ALWAYS = ("postgres",)
"""Roles that every server has by custom, and that dumps therefore speak of without anybody noticing."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    # nothing need survive a crash
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",  # COPY into a table of the same transaction then writes no log at all
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    # large enough to build indexes in; measured: more than 512 MB of shared buffers is slower
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "jit": "off",
    # what it says is read by us
    "lc_messages": "C",
    "log_min_messages": "error",
    "log_min_error_statement": "panic",  # no statement, and so no row, goes to the log
    "logging_collector": "off",
    "timezone": "UTC",
}

LIMITS = {"statement_timeout": 0, "lock_timeout": 0, "idle_in_transaction_session_timeout": 0} | LATER
"""Settings that a database brings along, and that would end what the superuser does in it; since which major version.

A session's own options outrank ALTER DATABASE from its first moment; SET comes too late for a limit of milliseconds.
"""

_START = 60.0  # seconds
_ATTEMPTS = 5  # ports
_SIGQUIT = 3  # an immediate shutdown
_SAFE = re.compile(r"[A-Za-z0-9_.@=/,-]*")


@dataclass(frozen=True, slots=True)
class Locale:
    """How a database sorts and spells, as `pg_dump --create` writes it."""

    encoding: str = "UTF8"
    provider: str = ""  # "libc", "icu", "builtin"; empty: not said
    collate: str = "C"
    ctype: str = "C"
    name: str = ""  # of an ICU or builtin locale


def account() -> Account:
    """Return the user that a server runs as: `nobody` if we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return Account()
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def place(workplace: Path) -> Path:
    """Return a directory in which a server may be made: `workplace`, or one that `nobody` can reach.

    A state directory lets nobody in but its owner, and under root the server is somebody else. Raises SourceError.
    """
    workplace.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or all(p.stat().st_mode & stat.S_IXOTH for p in (workplace, *workplace.resolve().parents)):
        return workplace
    other = Path(tempfile.gettempdir()) / "restorecheck-scratch-servers"
    with contextlib.suppress(FileExistsError):
        other.mkdir(mode=0o711)
        other.chmod(0o711)
    seen = other.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise SourceError(f"{other} is not ours", "remove it, or do not run as root", kind="environment")
    return other


class ScratchPostgres:
    """One server; `start` it, `create` a database, `close` it. A context manager closes it."""

    def __init__(
        self,
        programs: Path,
        major: int,
        inside: Path,
        *,
        password: str,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """`programs` is a bin directory of PostgreSQL `major`; `password` is the superuser's."""
        self._programs, self._major, self._password = programs, major, password
        self._monotonic, self._wait, self._stop = monotonic, wait, stop
        self._guarded = Guarded(place(inside), account(), monotonic=monotonic)
        self.port = 0
        self.version = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """Where it lives; removed by `close`."""
        return self._guarded.directory

    def start(self, within: float = 300.0) -> ScratchPostgres:
        """Make the server and wait until it answers.

        Raises SourceError: `environment` (with the server's own words), `scratch-full`, `deadline`, `cancelled`.
        """
        self._initialise(within)
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = _free_port()
            words = self._launch(within)
            if words is None:
                return self
            if "Address already in use" not in words or attempt == _ATTEMPTS:
                raise _not_started(words)
        raise AssertionError

    def login(self, database: str) -> Login:
        """Return how the superuser gets into a database."""
        return Login("127.0.0.1", self.port, SUPERUSER, self._password, database)

    def alive(self) -> bool:
        """Say whether the server still runs."""
        try:
            return self.port != 0 and self._guarded.ended() is None
        except (SourceError, ValueError):
            return False

    def create(self, database: str, locale: Locale, roles: Sequence[str]) -> tuple[str, ...]:
        """Make roles and an empty database; returns remarks on what could not be as the dump wants it.

        A locale that is not on this machine is replaced by C.UTF-8 or C; the encoding never is.
        """
        with self.connect("postgres") as connection:
            for role in dict.fromkeys((*ALWAYS, *roles)):
                with contextlib.suppress(errors.DuplicateObject):
                    attributes = "SUPERUSER NOLOGIN" if role in ALWAYS else "LOGIN"  # without a password nobody can
                    connection.execute(sql.SQL(f"CREATE ROLE {{}} {attributes}").format(sql.Identifier(role)))
            problem = ""
            for options in _wishes(locale, self._major):
                command = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} " + options).format(
                    sql.Identifier(database), sql.Literal(locale.encoding)
                )
                try:
                    connection.execute(command)
                except errors.DuplicateDatabase:
                    raise SourceError(f"the name {database!r} is the server's own", kind="environment") from None
                except psycopg.Error as e:
                    problem = problem or _line(e)
                else:
                    return (f"the locale of the dump is not on this machine: {problem}",) if problem else ()
        raise SourceError(f"a database as the dump wants it cannot be made here: {problem}", kind="environment")

    def disarm(self, database: str) -> None:
        """Let nothing that came with the dump act as a superuser, or outside the database. Raises SourceError."""
        try:
            with self.connect(database) as connection:
                disarm(connection)
        except psycopg.Error as e:
            said = f"what the dump brought along could not be made harmless, so it is not asked: {_line(e)}"
            raise SourceError(said, kind="environment") from None

    def analyze(self, database: str) -> None:
        """Let the planner know the tables: nothing else will, and a plan made without that can take for ever.

        A tenth of the usual sample is enough to tell a large table from a small one, and costs a tenth of the time.
        """
        with contextlib.suppress(psycopg.Error), self.connect(database) as connection:
            connection.execute("SET default_statistics_target = 10")
            connection.execute("ANALYZE")  # a question that takes long without it says so itself

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """Return a connection of the superuser, in autocommit mode. Raises psycopg.Error."""
        options = ["-c search_path=pg_catalog", *(f"-c {n}=0" for n, since in LIMITS.items() if self._major >= since)]
        return psycopg.connect(
            host="127.0.0.1",
            hostaddr="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self._password,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
            sslmode="disable",
            gssencmode="disable",
            options=" ".join(options),
            application_name="restorecheck",
        )

    def close(self) -> None:
        """Stop the server at once and remove its directory; may be called again."""
        self._guarded.close()

    def _initialise(self, within: float) -> None:
        secret = self.directory / "password"
        with os.fdopen(os.open(secret, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(self._password + "\n")
        self._guarded.account.give(secret)
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"]
        options += ["--no-instructions", "-U", SUPERUSER]
        if self._major >= 18:  # before, none was the default and had no option; damage of our own disk is not the topic
            options.append("--no-data-checksums")
        command = [str(self._programs / "initdb"), "-D", str(self.directory / "data"), *options]
        done = self._guarded.run(command, {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, within, self._stop)
        secret.unlink()
        if done.code:
            raise _not_started(done.words)
        (self.directory / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")

    def _launch(self, within: float) -> str | None:
        """Start the server and wait for it: None, or the last words of one that gave up."""
        free = shutil.disk_usage(self.directory).free >> 20  # MB
        settings = SETTINGS | {"port": str(self.port), "max_wal_size": f"{max(64, min(16384, free // 4))}MB"}
        if self._major >= 17:  # those of a dump would run as the superuser, at every login too
            settings["event_triggers"] = "off"
        command = [str(self._programs / "postgres"), "-D", str(self.directory / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._guarded.serve(command, {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, _SIGQUIT)
        until = self._monotonic() + min(_START, within)
        while True:
            if (ended := self._guarded.ended()) is not None:
                return ended.words
            if self._ready():
                break
            if self._stop():
                raise SourceError("stopped while the scratch server started", kind="cancelled")
            if self._monotonic() > until:
                raise SourceError("the scratch server did not answer in time", kind="deadline")
            self._wait(0.01)
        try:
            with self.connect("postgres") as connection:
                row = connection.execute("SELECT current_setting('server_version')").fetchone()
        except psycopg.Error as e:
            return _line(e)
        self.version = str(row[0]).split()[0] if row else ""
        return None

    def _ready(self) -> bool:
        """Read what the postmaster says of itself: it answers before anybody may connect, and costs no connection."""
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[3] == str(self.port) and lines[7].strip() == "ready"


def _wishes(locale: Locale, major: int) -> Iterator[str]:
    """Yield the locale clauses of CREATE DATABASE to be tried: the dump's own, then the nearest that is at hand."""
    if all(_SAFE.fullmatch(text) for text in (locale.provider, locale.collate, locale.ctype, locale.name)):
        clause = f"LC_COLLATE '{locale.collate}' LC_CTYPE '{locale.ctype}'"
        if locale.provider == "icu" and major >= 15:
            yield f"LOCALE_PROVIDER icu ICU_LOCALE '{locale.name}' {clause}"
        elif locale.provider == "builtin" and major >= 17:
            yield f"LOCALE_PROVIDER builtin BUILTIN_LOCALE '{locale.name}' {clause}"
        else:
            yield ("LOCALE_PROVIDER libc " if major >= 15 else "") + clause
    if locale.encoding == "UTF8":
        if major >= 17:  # sorts as C does, and knows every letter's case
            yield "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'"
        yield "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    yield "LC_COLLATE 'C' LC_CTYPE 'C'"


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _line(error: psycopg.Error) -> str:
    """Return what a server said of a name, a locale, a connection: no row has been in it yet."""
    return (error.diag.message_primary or str(error)).splitlines()[0][:200]


def _not_started(words: str) -> SourceError:
    full = "No space left on device" in words
    last = [line.strip() for line in words.strip().splitlines() if line.strip()][-3:]
    return SourceError(
        f"the scratch PostgreSQL did not start: {' / '.join(last)[-500:] or 'it said nothing'}",
        kind="scratch-full" if full else "environment",
    )


__all__ = ["ALWAYS", "SETTINGS", "SUPERUSER", "Locale", "ScratchPostgres", "account", "place", "sweep"]
