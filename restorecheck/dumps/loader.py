"""From the files of a PostgreSQL dump to a database that can be asked: look at it, choose the programs, load, listen.

One loader serves one run. It writes below its own workplace only, and `close` ends every process and removes all of it.
What makes the loading impossible is raised; what the loading met comes back as observations.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE
from restorecheck.databases.scratch_postgres import Locale, ScratchPostgres, account
from restorecheck.dumps import completeness
from restorecheck.dumps.beside import Beside, Early
from restorecheck.dumps.complaints import Complaint, Sort, classified
from restorecheck.dumps.header import Header, recognise
from restorecheck.dumps.programs import Installation, chosen, installations
from restorecheck.dumps.restoring import Contents, contents, restore_archive, restore_script, server_version
from restorecheck.dumps.running import Limits
from restorecheck.dumps.script import encoding
from restorecheck.dumps.unpacking import Layer, decrypted, layers, read, recognised
from restorecheck.errors import SourceError
from restorecheck.model import Observation
from restorecheck.sources.s3_dump.loads import Described, Loaded, Stop

TABLE = "toc.dat"

EARLY = timedelta(minutes=5)
"""How long a server may take that is made before it is needed."""
UTF8 = Locale()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the check says of the dump and of its restore."""

    database: str  # what it shall be called
    form: str = "file"  # or "directory", "parts" (which come as one file)
    roles: tuple[str, ...] = ()
    decrypt: tuple[str, ...] = ()
    jobs: int | None = None
    programs: tuple[Path, ...] = ()  # declared directories
    roots: Path = BUNDLE  # certificates that a declared server off this machine must be signed by


@dataclass(frozen=True, slots=True)
class Inspected:
    """A dump that was looked at, and how it will be restored."""

    header: Header
    files: tuple[Path, ...]
    outer: tuple[Layer, ...]  # compressions around it
    installation: Installation
    archive: Path | None = None  # what pg_restore gets; None: a script, which is streamed
    contents: Contents | None = None
    locale: Locale = UTF8


@dataclass(frozen=True, slots=True)
class _Here:
    """The PostgreSQL installations on this machine, and sentences about those that cannot be used."""

    found: tuple[Installation, ...]
    unusable: Sequence[str]

    def chosen(self, header: Header) -> Installation:
        """Return the one for a dump. Raises SourceError `environment`."""
        try:
            return chosen(self.found, header)
        except SourceError as e:
            raise SourceError("; ".join((e.message, *self.unusable)), e.hint, kind=e.kind) from None


class Loader:
    """Restores PostgreSQL dumps; `Loads` of the dump source."""

    def __init__(
        self,
        wanted: Wanted,
        workplace: Path,
        *,
        server: Callable[[], Login] | None = None,
        path: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`server` makes an empty database on a declared server and returns its owner; None: a server is started here.

        `path` is where programs are looked for, as PATH; None: that of the environment.
        """
        self._wanted, self._workplace, self._declared = wanted, workplace, server
        self._path, self._monotonic, self._wait = path, monotonic, wait
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._server: ScratchPostgres | None = None
        self._inspected: Inspected | None = None
        self._early: Early | None = None

    # --- looking ahead ------------------------------------------------------------------------------------------------

    def foresee(self, first: bytes, password: str) -> None:
        """Begin to make the server that a dump which begins so will need; see the port."""
        if self._declared is not None or self._wanted.decrypt or self._early is not None:
            return
        try:
            here = _Here(*installations(self._wanted.programs, self._path))
            _, head, _ = layers(iter((first,)))
            programs = here.chosen(recognise(head, table=self._wanted.form == "directory"))
        except SourceError:  # encrypted, damaged, or nothing here can restore it: `inspect` will say so
            return
        self._early = Early(programs, lambda: self._started(programs, password, self._limits(EARLY, lambda: False)))

    # --- looking ------------------------------------------------------------------------------------------------------

    def inspect(self, files: Sequence[Path], within: timedelta, stop: Stop) -> Described:
        """Read what the dump says of itself, and decide how it is restored.

        Raises SourceError: `dump-damaged`, `environment` (encrypted, no fitting PostgreSQL, a library that is missing),
        `scratch-full`, `deadline`, `cancelled`.
        """
        limits = self._limits(within, stop)
        here = _Here(*installations(self._wanted.programs, self._path))
        if self._wanted.form == "directory":
            inspected = self._directory(tuple(files), here, limits)
        else:
            inspected = self._file(tuple(files), here, limits)
        self._inspected = inspected
        header = inspected.header
        return Described(
            described(header, inspected.outer),
            header.database,
            header.server,
            header.created,
            completeness.unprovable(header, inspected.outer),
        )

    def _directory(self, files: tuple[Path, ...], here: _Here, limits: Limits) -> Inspected:
        table = next((path for path in files if path.name == TABLE), None)
        if table is None:
            raise SourceError("the dump has no toc.dat", kind="dump-damaged")
        with table.open("rb") as file:
            header = recognise(file.read(completeness.TAIL), table=True)
        draft = Inspected(header, files, (), here.chosen(header), table.parent)
        return self._archive(draft, here, limits)

    def _file(self, files: tuple[Path, ...], here: _Here, limits: Limits) -> Inspected:
        outer, first, blocks = layers(self._raw(files, limits))
        header = recognised(first, blocks, by_command=bool(self._wanted.decrypt))
        if header.engine != "postgresql":
            raise SourceError(f"this is a dump of {header.flavour}, not of PostgreSQL", kind="wrong-database")
        programs = here.chosen(header)
        if header.format == "plain":
            return Inspected(header, files, outer, programs, locale=Locale(encoding(first)))
        packed = outer or self._wanted.decrypt or len(files) > 1
        archive = self._unpacked(blocks, limits) if packed else files[0]
        if header.format == "tar":
            completeness.tar_members(archive)  # before pg_restore sees it: it would hang
        return self._archive(Inspected(header, files, outer, programs, archive), here, limits)

    def _archive(self, draft: Inspected, here: _Here, limits: Limits) -> Inspected:
        """Read the table of contents, and prefer programs that have the extensions in it."""
        archive = draft.archive or draft.files[0]
        listed = contents(draft.installation, archive, limits)
        programs = chosen(here.found, draft.header, listed.extensions)
        return replace(draft, installation=programs, contents=listed, locale=locale_of(listed.database))

    def _raw(self, files: Sequence[Path], limits: Limits) -> Iterator[bytes]:
        """Yield the dump as it was before it was encrypted."""
        blocks = _heeding(read(files), limits, "the dump was read")
        if self._wanted.decrypt:
            return decrypted(self._wanted.decrypt, blocks, deadline=limits.left, stop=limits.stop)
        return blocks

    def _unpacked(self, blocks: Iterator[bytes], limits: Limits) -> Path:
        """Write what was inside to one file: pg_restore needs to jump about in it."""
        self._workplace.mkdir(parents=True, exist_ok=True)
        path = self._workplace / "unpacked"
        try:
            with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                for block in _heeding(blocks, limits, "the dump was unpacked"):
                    file.write(block)
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SourceError("no room to unpack the dump", kind="scratch-full") from None
            raise
        return path

    # --- loading ------------------------------------------------------------------------------------------------------

    def load(self, password: str, within: timedelta, stop: Stop) -> Loaded:
        """Restore what was inspected; `password` is that of the superuser of a server that is started here.

        Raises SourceError: `dump-damaged` for a dump of which a part is missing, `environment`, `scratch-full`,
        `database-unreachable`, `deadline`, `cancelled`.
        """
        inspected, limits = self._inspected, self._limits(within, stop)
        if inspected is None:
            raise SourceError("nothing was inspected", kind="internal")
        began = self._monotonic()
        with Beside(lambda: self._complete(inspected, limits)) as beside:
            watching = Limits(limits.left, lambda: limits.stop() or beside.failed())
            try:
                login, version, remarks = self._opened(inspected, password, watching)
                complaints = self._restored(inspected, login, watching)
            except SourceError:
                if beside.failed():  # what is missing of the dump says more than how the restore took it
                    beside.result()
                raise
            beside.result()
        self._disarmed(login, complaints)
        # neither a script nor a database that was made elsewhere says how the dumped one sorted texts
        other = bool(remarks) or inspected.archive is None or self._declared is not None
        observation = classified(complaints, other_locale=other, seconds=self._monotonic() - began)
        if not observation.kind or observation.kind == "environment":
            self._analyzed(login)
        end = Observation("dump-complete", "the whole dump is there", _end(inspected))
        proven = (f"restored with PostgreSQL {inspected.installation.version}", *remarks)
        proven += completeness.unprovable(inspected.header, inspected.outer)
        return Loaded(login, version, (observation, end), proven)

    def close(self) -> None:
        """End everything and remove what was made; from any thread, as often as one likes."""
        self._closed.set()
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()
        (self._workplace / "unpacked").unlink(missing_ok=True)

    def _complete(self, inspected: Inspected, limits: Limits) -> None:
        """Look whether all of an archive is there, while it is being restored."""
        if inspected.archive is not None and inspected.contents is not None:
            completeness.check(
                inspected.header.format,
                inspected.archive,
                inspected.contents.listing,
                lambda: limits.heed("the dump was read"),
            )

    def _opened(self, inspected: Inspected, password: str, limits: Limits) -> tuple[Login, str, tuple[str, ...]]:
        """Return the login of the server, its version and remarks."""
        if self._declared is not None:
            login = self._declared()
            version = server_version(inspected.installation, login, limits, self._wanted.roots)
            if int(version.split(".")[0] or 0) < inspected.header.major:
                raise SourceError(
                    f"the declared server is PostgreSQL {version}, and the dump is of {inspected.header.major}",
                    "declare a newer one, or none",
                    kind="environment",
                )
            return login, version, ()
        server = self._foreseen(inspected.installation) or self._started(inspected.installation, password, limits)
        remarks = server.create(self._wanted.database, inspected.locale, self._wanted.roles)
        return server.login(self._wanted.database), server.version, remarks

    def _foreseen(self, programs: Installation) -> ScratchPostgres | None:
        """Return the server that was begun early, if it is the one that is needed and was made."""
        early, self._early = self._early, None
        if early is None:
            return None
        early.join()
        with self._lock:
            server = self._server
            if server is None or (early.made and early.programs == programs):
                return server
            self._server = None
        server.close()
        return None

    def _started(self, programs: Installation, password: str, limits: Limits) -> ScratchPostgres:
        """Make a server and start it. Raises SourceError."""
        with self._lock:
            if self._closed.is_set():
                raise SourceError("stopped before the scratch server was made", kind="cancelled")
            self._server = server = ScratchPostgres(
                programs.bin,
                programs.major,
                self._workplace / "server",
                password=password,
                monotonic=self._monotonic,
                wait=self._wait,
                stop=limits.stop,
            )
        return server.start(limits.left())

    def _restored(self, inspected: Inspected, login: Login, limits: Limits) -> list[Complaint]:
        if inspected.archive is None:
            _, _, blocks = layers(self._raw(inspected.files, limits))
            found, _ = restore_script(
                inspected.installation, blocks, login, account(), limits, roots=self._wanted.roots
            )
        else:
            jobs = 1 if inspected.header.format == "tar" else self._wanted.jobs or len(os.sched_getaffinity(0))
            found, _ = restore_archive(
                inspected.installation, inspected.archive, login, jobs, limits, roots=self._wanted.roots
            )
        server = self._server
        if server is not None and not server.alive():
            found.append(Complaint(Sort.TROUBLE, "the scratch server ended while the dump was loaded"))
        elif server is not None and shutil.disk_usage(server.directory).free < 1 << 20:
            found.append(Complaint(Sort.FULL, "there is no room left on the disk of the scratch server"))
        return found

    def _disarmed(self, login: Login, complaints: Sequence[Complaint]) -> None:
        """Make what the dump brought along harmless. A server that is in trouble already is ended, and not asked."""
        if (server := self._server) is None:
            return
        try:
            server.disarm(login.database)
        except SourceError:
            if all(complaint.sort is not Sort.TROUBLE for complaint in complaints):
                raise
            server.close()

    def _analyzed(self, login: Login) -> None:
        """Let the planner know the tables: nothing else will, and a plan without that can take for ever."""
        if self._server is not None:
            self._server.analyze(login.database)

    def _limits(self, within: timedelta, stop: Stop) -> Limits:
        until = self._monotonic() + within.total_seconds()
        return Limits(lambda: until - self._monotonic(), lambda: stop() or self._closed.is_set())


def described(header: Header, outer: Sequence[Layer]) -> str:
    """Say what a dump is, such as `custom format of pg_dump 17.11, zstd`."""
    program = header.program.split(" ")[0] or "an unknown version"
    inside = [] if header.compression == "none" else [header.compression]
    return ", ".join(
        [f"{header.format} format of pg_dump {program}", *inside, *(f"in {layer.name}" for layer in outer)]
    )


def locale_of(options: Mapping[str, str]) -> Locale:
    """Return how a database sorts and spells, from the options of its CREATE DATABASE."""
    name = options.get("LOCALE", "C")
    provider = options.get("LOCALE_PROVIDER", "")
    own = options.get("ICU_LOCALE") or options.get("BUILTIN_LOCALE") or (name if provider in ("icu", "builtin") else "")
    return Locale(
        options.get("ENCODING", "UTF8"),
        provider,
        options.get("LC_COLLATE", name),
        options.get("LC_CTYPE", name),
        own,
    )


def _heeding(blocks: Iterator[bytes], limits: Limits, what: str) -> Iterator[bytes]:
    for block in blocks:
        limits.heed(what)
        yield block


def _end(inspected: Inspected) -> str:
    ends = {
        "plain": "the script's last words are there, and psql came to its end",
        "tar": "every member and the end mark of the tar file are there",
        "directory": "every file that the table of contents names is there to its end",
        "custom": "pg_restore found every block that the table of contents names",
    }
    return ends[inspected.header.format]
