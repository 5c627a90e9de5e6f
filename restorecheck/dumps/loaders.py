"""Who restores which dump: one loader for each engine, made for one run's directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE
from restorecheck.dumps.loader import Loader, Wanted
from restorecheck.dumps.mysql_loader import MysqlLoader
from restorecheck.model import S3DumpSource
from restorecheck.sources.s3_dump.loads import Loads


@dataclass(frozen=True, slots=True)
class DumpLoaders:
    """Makes loaders. `programs` are declared directories of database programs, looked into before all others.

    `roots` are the certificates that declared servers must be signed by.
    """

    programs: tuple[Path, ...] = ()
    roots: Path = BUNDLE

    def __call__(self, source: S3DumpSource, directory: Path, server: Callable[[], Login] | None) -> Loads:
        """Return who restores the dumps of a source below `directory`, or into what `server` makes."""
        wanted = Wanted(
            database=source.database,
            form=source.form,
            roles=source.roles,
            decrypt=source.decrypt,
            jobs=source.jobs,
            programs=self.programs,
            roots=self.roots,
        )
        if source.engine == "mysql":
            return MysqlLoader(wanted, directory)
        return Loader(wanted, directory, server=server)
