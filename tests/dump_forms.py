"""One small database, dumped in every form that pg_dump and the usual compressors make of it.

The dumps are made once for each set of programs and kept for the session; a test copies what it damages.
"""

from __future__ import annotations

import gzip
import lzma
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import lz4.frame
import psycopg
import zstandard
from postgres_server import PASSWORD, SUPERUSER, Server, server
from requirements import need

from restorecheck.databases.interface import Login
from restorecheck.dumps import Loader, Wanted
from restorecheck.sources.s3_dump.loads import Described, Loaded

LONG = timedelta(minutes=3)
ROLES = ("app",)
MATERIAL = """
    CREATE ROLE app;
    CREATE EXTENSION citext;
    CREATE TABLE users (id serial PRIMARY KEY, email text UNIQUE, n int CHECK (n > 0), name citext);
    INSERT INTO users (email, n, name) SELECT 'u' || g || '@example.org', g, 'Name' || g FROM generate_series(1, 300) g;
    CREATE TABLE orders (id bigserial PRIMARY KEY, u int NOT NULL REFERENCES users (id), body text);
    INSERT INTO orders (u, body) SELECT 1 + g % 300, md5(g::text) || md5((g * 7)::text) FROM generate_series(1, 3000) g;
    CREATE TABLE nothing (id int);
    ALTER TABLE users OWNER TO app;
    CREATE VIEW v AS SELECT * FROM users;
    CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
    SELECT lo_from_bytea(0, 'a large object');
"""
DIGEST = """
    SELECT (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY id), '')) FROM public.users t),
           (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY id), '')) FROM public.orders t)
"""

ARCHIVES = {
    "custom-gzip": ("-Fc", "gzip"),
    "custom-none": ("-Fc", "none"),
    "directory-gzip": ("-Fd", "gzip"),
    "directory-none": ("-Fd", "none"),
    "tar": ("-Ft", "none"),
}
NEWER_ARCHIVES = {
    "custom-zstd": ("-Fc", "zstd"),
    "custom-lz4": ("-Fc", "lz4"),
    "directory-zstd": ("-Fd", "zstd"),
    "directory-lz4": ("-Fd", "lz4"),
}
SCRIPTS = ("plain", "plain-gz", "plain-zst", "plain-lz4", "plain-xz")


def postgres17() -> Path:
    """Return the programs of a PostgreSQL 17 with zstd and lz4; see tests/postgres17.sh."""
    named = os.environ.get("RESTORECHECK_POSTGRES_17", "")
    need(named and (Path(named) / "pg_restore").exists(), "RESTORECHECK_POSTGRES_17 names no PostgreSQL 17")
    return Path(named)


@dataclass(frozen=True)
class Forms:
    """The dumps of one database."""

    binaries: Path
    directory: Path
    running: Server
    digest: tuple[str, str]

    def __getitem__(self, name: str) -> Path:
        path = self.directory / name
        if not path.exists():
            self._make(name, path)
        return path

    def dump(self, *options: str) -> None:
        environment = {
            "PGHOST": "127.0.0.1", "PGPORT": str(self.running.port), "PGUSER": SUPERUSER, "PGPASSWORD": PASSWORD,
        }  # fmt: skip
        subprocess.run([str(self.binaries / "pg_dump"), *options, "shop"], check=True, env=environment)

    def _make(self, name: str, path: Path) -> None:
        if found := {**ARCHIVES, **NEWER_ARCHIVES}.get(name):
            self.dump(found[0], *([] if name == "tar" else ["-Z", found[1]]), "-f", str(path))
        elif name == "plain":
            self.dump("-f", str(path))
        else:
            data = self["plain"].read_bytes()
            pack = {
                "plain-gz": gzip.compress,
                "plain-xz": lzma.compress,
                "plain-zst": zstandard.ZstdCompressor(write_checksum=True).compress,
                "plain-lz4": lz4.frame.compress,
            }
            path.write_bytes(pack[name](data))


def forms(binaries: Path, directory: Path) -> Iterator[Forms]:
    """Run a server, fill it, yield its dumps; for a session fixture."""
    with server(binaries) as running:
        with running.superuser() as connection:
            connection.execute("CREATE DATABASE shop")
        with running.superuser("shop") as connection:
            connection.execute(MATERIAL)
            row = connection.execute(DIGEST).fetchone()
        assert row
        yield Forms(binaries, directory, running, row)


@dataclass
class Came:
    """What came of loading one dump."""

    kind: str  # empty: nothing to complain of
    message: str
    digest: tuple[str, str] | None = None
    described: Described | None = None
    loaded: Loaded | None = None


def loader(workplace: Path, binaries: Path, form: str = "file", **wanted: object) -> Loader:
    """Return a loader that knows these programs alone."""
    values = {"roles": ROLES, "programs": (binaries,), "jobs": 2, **wanted}
    return Loader(Wanted("shop", form, **values), workplace, path="")  # type: ignore[arg-type]


def files_of(dump: Path) -> tuple[Path, ...]:
    return tuple(sorted(dump.iterdir())) if dump.is_dir() else (dump,)


def digest_of(login: Login) -> tuple[str, str] | None:
    """Return the digest of the rows that were restored, None if there are none to be read."""
    with psycopg.connect(
        host=login.host, port=login.port, user=login.user, password=login.password, dbname=login.database
    ) as connection:
        try:
            return connection.execute(DIGEST).fetchone()
        except psycopg.Error:
            return None
