"""Who restores a dump into a server: what the dump source needs of it, whichever engine the dump is of.

Raises RestorecheckError with a failure kind when it cannot begin; what a restore met on its way comes back observed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from restorecheck.databases.interface import Login
from restorecheck.model import Observation, S3DumpSource

SERVERS = "server"
"""Where below a run's directory a server is made, with a guardian."""

Stop = Callable[[], bool]
"""Says whether the work is not wanted any more; asked every second or so."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a dump says of itself, before it is restored."""

    form: str  # in words, such as "custom format of pg_dump 17.2, gzip"
    database: str = ""  # that was dumped, as the dump names it; empty: it does not say
    server_version: str = ""  # of the server that was dumped
    created: datetime | None = None  # when it was begun, in the local time of whoever wrote it: it names no zone
    unprovable: tuple[str, ...] = ()  # what a restore of this form does not notice


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dump that was restored as far as it could be."""

    login: Login  # of the server's master user, in the database that was restored
    server_version: str
    observations: tuple[Observation, ...] = ()
    proven: tuple[str, ...] = ()


Loaders = Callable[[S3DumpSource, Path, "Callable[[], Login] | None"], "Loads"]
"""Makes who restores the dumps of a source, for the directory of one run. The last is None, or makes an empty database
on a declared server and returns its owner."""


class Loads(Protocol):
    """One run's way from files to a database. Made for one directory; used by one thread, but for `close`."""

    def foresee(self, first: bytes, password: str) -> None:
        """Make ready what a dump that begins so will probably need, while the rest of it arrives. Never raises.

        What was foreseen wrongly is thrown away; `password` is the one that `load` will be given.
        """

    def inspect(self, files: Sequence[Path], within: timedelta, stop: Stop) -> Described:
        """Read what the dump says of itself. Raises RestorecheckError `dump-damaged`, `environment`."""

    def load(self, password: str, within: timedelta, stop: Stop) -> Loaded:
        """Restore what was inspected. Raises RestorecheckError, also `scratch-full` and `deadline`."""

    def close(self) -> None:
        """End every process and remove what was made; from any thread, at any time, as often as one likes."""


class Server(Protocol):
    """A server that the operator declared: of all that is on it, a run may touch what it made itself."""

    def make(self, name: str, run_id: str) -> Login:
        """Make an empty database of this name, marked with the run, and return how its owner logs in.

        One of this run that is there already is dropped first; one of anybody else is refused: SourceError `taken`.
        """

    def admit(self, reader: Login, run_id: str, needs: tuple[str, ...] | None = None) -> None:
        """Make the reader's role, marked with the run, and let it read the restored database and no other.

        `needs` are the extensions that probes need there, None if none looks; see `Database.prepare`.
        """

    def drop(self, name: str, run_id: str, reader: str) -> None:
        """Drop the run's database and its reader, if they are there and marked with the run."""

    def left(self, name: str, run_id: str, reader: str) -> str | None:
        """Say what is still there under these names, as far as known; None: nothing."""
