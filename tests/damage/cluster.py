"""A small shop on a real PostgreSQL whose files are damaged: made once with and once without page checksums.

Most of it is settled, as in a backup of a database that is mostly read: vacuumed, all pages visible. One row was
changed after that. Files from before the last changes are kept, so that a lost write can be staged.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from postgres_server import Server, own, server
from requirements import need

ANSWERS, DOCUMENTS = 97_000, 120

_LOAD = """
    CREATE TABLE submission (id int PRIMARY KEY, title text NOT NULL);
    CREATE TABLE answer (id bigint PRIMARY KEY, submission_id int NOT NULL REFERENCES submission, correct boolean
        NOT NULL, body text NOT NULL, given_at timestamptz NOT NULL);
    CREATE INDEX answer_by_submission ON answer (submission_id);
    CREATE INDEX answer_by_time ON answer (given_at, id);
    CREATE TABLE plain_document (id int PRIMARY KEY, body text NOT NULL);
    CREATE TABLE pglz_document (id int PRIMARY KEY, body text NOT NULL);
    CREATE TABLE lz4_document (id int PRIMARY KEY, body text NOT NULL);
    ALTER TABLE plain_document ALTER body SET STORAGE EXTERNAL;
    ALTER TABLE pglz_document ALTER body SET COMPRESSION pglz;
    ALTER TABLE lz4_document ALTER body SET COMPRESSION lz4;
    INSERT INTO submission SELECT n, 'submission ' || n FROM generate_series(1, 9000) n;
    INSERT INTO answer SELECT n, 1 + n % 8000, n % 3 = 0, 'answer number ' || n || ' of a student',
        '2026-01-01'::timestamptz + n * interval '1 second' FROM generate_series(1, {answers}) n;
    INSERT INTO plain_document SELECT n, (SELECT string_agg(md5((n * 1000 + k)::text), ' ') FROM
        generate_series(1, 250) k) FROM generate_series(1, {documents}) n;
    INSERT INTO pglz_document SELECT n, (SELECT string_agg(md5((n * 1000 + k / 3)::text), ' ') FROM
        generate_series(1, 900) k) FROM generate_series(1, {documents}) n;
    INSERT INTO lz4_document SELECT id, body FROM pglz_document;
"""
_LATER = """
    INSERT INTO answer SELECT n, 1 + n % 8000, n % 3 = 0, 'answer number ' || n || ' of a student',
        '2026-01-01'::timestamptz + n * interval '1 second' FROM generate_series({answers} + 1, {answers} + 3000) n;
    DELETE FROM answer WHERE id % 50 = 7;
    UPDATE answer SET body = body || '!' WHERE id BETWEEN 2000 AND 2500;
"""
_UNSETTLED = "UPDATE answer SET given_at = given_at + interval '1 day' WHERE id = {answers} + 2999"

FILES = (
    "answer", "answer_pkey", "answer_by_submission", "answer_by_time", "submission", "plain_document", "pglz_document",
    "lz4_document",
)  # fmt: skip


@dataclass
class Cluster:
    """A data directory that no server runs on, and where its relations lie."""

    server: Server
    paths: dict[str, Path] = field(default_factory=dict)  # relative to the data directory; TOAST as `toast of …`
    stale: dict[str, bytes] = field(default_factory=dict)  # as they were before the last changes
    committed: int = 0  # a transaction id that has committed

    def file(self, relation: str, fork: str = "") -> Path:
        path = self.server.data / self.paths[relation]
        return path.with_name(path.name + fork)

    @contextlib.contextmanager
    def copy(self) -> Iterator[Cluster]:
        """Yield a copy that may be damaged."""
        directory = self.server.directory.with_name(self.server.directory.name + "-damaged")
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run(["cp", "-a", self.server.directory, directory], check=True)
        copied = replace(self.server, directory=directory, process=None)
        try:
            yield replace(self, server=copied)
        finally:
            copied.stop()
            shutil.rmtree(directory, ignore_errors=True)


def binaries() -> Path:
    """Return the programs of a PostgreSQL with contrib and lz4."""
    named = os.environ.get("RESTORECHECK_POSTGRES_17")
    need(named, "RESTORECHECK_POSTGRES_17 names no PostgreSQL 17 (tests/postgres17.sh DIR makes one)")
    return Path(named or "")


@contextlib.contextmanager
def cluster(*, checksums: bool) -> Iterator[Cluster]:
    """Make the shop, stop its server, and yield it."""
    settings = {"max_wal_size": "4GB", "wal_level": "minimal", "max_wal_senders": "0", "log_statement": "none",
                "log_min_messages": "fatal", "synchronous_commit": "local"}  # fmt: skip
    with server(binaries(), settings) as running:
        if not checksums:
            running.stop()
            subprocess.run(
                [running.binaries / "pg_checksums", "--disable", "--no-sync", "-D", running.data],
                check=True, capture_output=True, **_as_owner(),
            )  # fmt: skip
            running.start()
        with running.superuser() as connection:
            connection.execute("CREATE DATABASE shop")
        made = Cluster(running)
        _fill(made, _LOAD)
        _locate(made)
        running.stop()
        made.stale = {name: made.file(name).read_bytes() for name in FILES}
        running.start()
        _fill(made, _LATER)
        with running.superuser("shop") as connection:
            connection.execute(_UNSETTLED.format(answers=ANSWERS))
            made.committed = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0]
            connection.execute("CHECKPOINT")
        running.stop()
        yield made


def _as_owner() -> dict[str, object]:
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def _fill(made: Cluster, statements: str) -> None:
    with made.server.superuser("shop") as connection:
        connection.execute(statements.format(answers=ANSWERS, documents=DOCUMENTS))
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _locate(made: Cluster) -> None:
    with made.server.superuser("shop") as connection:
        for name in (*FILES, "pg_attribute"):
            toast = (
                "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = %s::regclass"
                " AND reltoastrelid <> 0"
            )
            made.paths[name] = Path(connection.execute("SELECT pg_relation_filepath(%s)", (name,)).fetchone()[0])
            if row := connection.execute(toast, (name,)).fetchone():
                made.paths[f"toast of {name}"] = Path(row[0])
                index = connection.execute(
                    "SELECT pg_relation_filepath(indexrelid) FROM pg_index WHERE indrelid ="
                    " (SELECT reltoastrelid FROM pg_class WHERE oid = %s::regclass)", (name,),
                ).fetchone()  # fmt: skip
                made.paths[f"toast index of {name}"] = Path(index[0])


__all__ = ["Cluster", "cluster", "own"]
