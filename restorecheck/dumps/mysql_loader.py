"""From a dump of MySQL or MariaDB to a database that can be asked: `Loads` of the dump source, for their scripts.

A script is a program for the client, and the client can run others. So it is fed in binary mode, in which the client
knows two commands only, DELIMITER and charset, and has no file, no password and nothing of ours in its environment.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from restorecheck.databases.guardian import bound
from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_mysql import MysqlPrograms, ScratchMysql
from restorecheck.databases.scratch_postgres import account
from restorecheck.dumps import completeness, mysql_programs
from restorecheck.dumps.complaints import MOST, Complaint, Sort, classified
from restorecheck.dumps.header import Header
from restorecheck.dumps.loader import Wanted
from restorecheck.dumps.mysql_errors import complaint
from restorecheck.dumps.running import Limits, run
from restorecheck.dumps.unpacking import Layer, decrypted, layers, read, recognised
from restorecheck.errors import SourceError
from restorecheck.model import Observation
from restorecheck.sources.s3_dump.loads import SERVERS, Described, Loaded, Stop

DASHES = "--------------"
"""How a line begins that the client puts before and after a statement that failed."""


@dataclass(frozen=True, slots=True)
class _Inspected:
    header: Header
    files: tuple[Path, ...]
    outer: tuple[Layer, ...]
    programs: MysqlPrograms


class MysqlLoader:
    """Restores scripts of mysqldump and mariadb-dump into a server that is started here."""

    def __init__(
        self,
        wanted: Wanted,
        workplace: Path,
        *,
        path: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`path` is where programs are looked for, as PATH; None: that of the environment."""
        self._wanted, self._workplace, self._path = wanted, workplace, path
        self._monotonic, self._wait = monotonic, wait
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._server: ScratchMysql | None = None
        self._inspected: _Inspected | None = None

    def foresee(self, first: bytes, password: str) -> None:
        """Make nothing ready: which server it takes is not known before the end of the header."""
        del first, password

    def inspect(self, files: Sequence[Path], within: timedelta, stop: Stop) -> Described:
        """See Loads.inspect."""
        limits = self._limits(within, stop)
        outer, first, blocks = layers(self._raw(files, limits))
        header = recognised(first, blocks, by_command=bool(self._wanted.decrypt))
        if header.engine != "mysql":
            raise SourceError(f"this is a dump of PostgreSQL ({header.format}), not of MySQL", kind="wrong-database")
        programs = mysql_programs.chosen(mysql_programs.programs_here(self._wanted.programs, self._path), header)
        self._inspected = _Inspected(header, tuple(files), outer, programs)
        form = f"script of {mysql_programs.flavour_of(header)} {header.server}".strip()
        form = ", ".join([form, *(f"in {layer.name}" for layer in outer)])
        return Described(form, header.database, header.server, unprovable=completeness.unprovable(header, outer))

    def load(self, password: str, within: timedelta, stop: Stop) -> Loaded:
        """See Loads.load."""
        inspected, limits = self._inspected, self._limits(within, stop)
        if inspected is None:
            raise SourceError("nothing was inspected", kind="internal")
        began = self._monotonic()
        server = self._started(inspected, password, limits)
        login = server.login(self._wanted.database)
        alike = mysql_programs.same(inspected.programs, inspected.header)
        complaints = self._restored(inspected, login, limits, alike)
        if not server.alive():
            complaints.append(Complaint(Sort.TROUBLE, "the scratch server ended while the dump was loaded"))
        elif shutil.disk_usage(server.directory).free < 1 << 20:
            complaints.append(Complaint(Sort.FULL, "there is no room left on the disk of the scratch server"))
        seen = classified(complaints, other_locale=not alike, seconds=self._monotonic() - began)
        whole = "the script's last words are there, and the client came to its end"
        end = Observation("dump-complete", "the whole dump is there", whole)
        programs = inspected.programs
        proven = [f"restored with {programs.flavour} {programs.version}"]
        if not alike:
            of = f"{mysql_programs.flavour_of(inspected.header)} {inspected.header.server}"
            proven.append(f"it was dumped from {of}: that it restores there as well is not proven")
        return Loaded(login, programs.version, (seen, end), tuple(proven))

    def close(self) -> None:
        """See Loads.close."""
        self._closed.set()
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()

    def _started(self, inspected: _Inspected, password: str, limits: Limits) -> ScratchMysql:
        with self._lock:
            if self._closed.is_set():
                raise SourceError("stopped before the scratch server was made", kind="cancelled")
            self._server = server = ScratchMysql(
                inspected.programs,
                self._workplace / SERVERS,
                password=password,
                monotonic=self._monotonic,
                wait=self._wait,
                stop=limits.stop,
            )
        return server.start(self._wanted.database, limits.left())

    def _restored(self, inspected: _Inspected, login: Login, limits: Limits, alike: bool) -> list[Complaint]:
        """Feed the script to the client, hear all of its errors, and see that nothing swallowed the script's end."""
        _, _, blocks = layers(self._raw(inspected.files, limits))
        found: list[Complaint] = []
        key, last = f"end-{secrets.token_hex(16)}", b""

        repeating = False  # before an error, the client repeats its statement between two lines of dashes

        def said(line: str) -> None:
            nonlocal repeating
            if line.startswith(DASHES):
                repeating = not repeating
            elif (one := complaint(line, same=alike)) is not None and (one.sqlstate or not repeating):
                found.append(one)  # an error is heard also within what looks like a statement

        def wrote(data: bytes) -> None:
            nonlocal last
            last = (last + data)[-256:]

        code = run(
            bound(_client(inspected.programs, login), account()),
            {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "MYSQL_PWD": login.password},
            limits,
            said=said,
            wrote=wrote,
            feed=_whole(blocks, key),
            enough=lambda: len(found) > MOST,
        )
        if len(found) > MOST:
            return found
        trouble = any(c.sort in (Sort.TROUBLE, Sort.FULL) for c in found)
        if code not in (0, 1) and not trouble:  # it was killed, or could not begin: the script has no part in that
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            found.append(Complaint(Sort.UNKNOWN, f"the client {ended} before the script did"))
        elif code and not found:
            found.append(Complaint(Sort.UNKNOWN, f"the client ended with {code} and gave no reason"))
        elif key.encode() not in last and not trouble:
            found.append(Complaint(Sort.DAMAGE, "a statement of the script has no end: what came after it is lost"))
        return found

    def _raw(self, files: Sequence[Path], limits: Limits) -> Iterator[bytes]:
        blocks = _heeding(read(files), limits)
        if self._wanted.decrypt:
            return decrypted(self._wanted.decrypt, blocks, deadline=limits.left, stop=limits.stop)
        return blocks

    def _limits(self, within: timedelta, stop: Stop) -> Limits:
        until = self._monotonic() + within.total_seconds()
        return Limits(lambda: until - self._monotonic(), lambda: stop() or self._closed.is_set())


def _client(programs: MysqlPrograms, login: Login) -> list[str]:
    """Return the command that reads a script. All errors are heard (`--force`), none is the end."""
    return [
        str(programs.client),
        "--no-defaults",
        "--protocol=tcp",
        f"--host={login.host}",
        f"--port={login.port}",
        f"--user={login.user}",
        "--batch",
        "--force",
        "--binary-mode",
        "--skip-column-names",
        "--local-infile=0",
        "--max-allowed-packet=1G",
        "--default-character-set=utf8mb4",
        f"--database={login.database}",
    ]


def _whole(blocks: Iterator[bytes], key: str) -> Iterator[bytes]:
    """Yield a script and then a question of ours. Raises SourceError `dump-damaged` if the script has no end."""
    tail = b""
    for block in blocks:
        tail = (tail + block)[-completeness.TAIL :]
        yield block
    completeness.script_end("mysql", tail)
    yield f"\nSELECT '{key}';\n".encode()


def _heeding(blocks: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    for block in blocks:
        limits.heed("the dump was read")
        yield block
