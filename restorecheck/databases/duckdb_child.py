"""The program of a child process: reads restored files as views of a locked DuckDB, and answers one question.

Started by `duckdb_process` with an empty environment; the job comes on standard input, and one JSON object a line goes
out. It must never hold a credential, open a connection, or print a value of a file: values leave it as cells.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from restorecheck.databases import duckdb_views
from restorecheck.databases.duckdb_cells import cell, projection, type_name
from restorecheck.databases.duckdb_confinement import confine
from restorecheck.databases.duckdb_errors import Stage, kind_of, sentence
from restorecheck.databases.duckdb_streams import CutOffError, NoZstandardError, read_through
from restorecheck.model import Answer, Cell

if TYPE_CHECKING:
    import duckdb

ROWS = 10_000
"""At most so many rows are counted, or compared with a set: as of a PostgreSQL."""

BYTES = 8 * 1024 * 1024
"""At most so many bytes of values are taken."""

ALWAYS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "temp_directory": "''",
    "max_temp_directory_size": "'0B'",
    "timezone": "'UTC'",
    "enable_progress_bar": "false",
}
"""Settings before anything is read. Nothing is fetched, nothing is written, no variable of ours is a table."""

Say = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class View:
    """One view of a job: its files, and whether they are read through before the question."""

    name: str
    paths: tuple[Path, ...]
    columns: tuple[tuple[str, str], ...]
    read: bool


@dataclass(frozen=True, slots=True)
class Job:
    """What one child does. Sizes in bytes, times in seconds."""

    name: str
    sql: str
    no_rows: bool
    members: bool
    salt: str
    timeout: float
    memory: int
    threads: int
    views: tuple[View, ...]
    objects: Path | None

    @staticmethod
    def of(document: dict[str, Any]) -> Job:
        """Return a job out of its JSON form. Raises KeyError or TypeError for what is none."""
        views = tuple(
            View(v["name"], tuple(map(Path, v["paths"])), tuple((n, t) for n, t in v["columns"]), v["read"])
            for v in document["views"]
        )
        objects = Path(document["objects"]) if document["objects"] else None
        return Job(**{**document, "views": views, "objects": objects})


class _ToldError(Exception):
    """What was wrong has been said already."""


def run(job: Job, say: Say) -> None:
    """Do a job, and say how it went: `stage` before each part, `view` with its rows, then one `answer` or `error`."""
    import duckdb  # noqa: PLC0415 - after the process has confined itself

    said: dict[str, Any] = {"stage": "open", "view": ""}

    def told(message: dict[str, Any]) -> None:
        said.update({"view": "", **message})
        say(message)

    try:
        _do(job, told, duckdb)
    except _ToldError:
        pass
    except (duckdb.Error, MemoryError, RuntimeError) as e:
        # what DuckDB throws without a class of its own arrives as RuntimeError
        stage: Stage = said["stage"]
        name, message = type(e).__name__, str(e)
        paths = next((v.paths for v in job.views if v.name == said["view"]), ())
        file = next((str(p) for p in paths if str(p) in message), str(paths[0]) if len(paths) == 1 else "")
        ours = stage != "ask" and said["view"] in ("", "objects")
        kind = "internal" if ours else kind_of(name, message, stage)
        say({"error": sentence(name, message, stage, job.sql), "kind": kind, "view": said["view"], "file": file})


def _do(job: Job, say: Say, duckdb: Any) -> None:
    with duckdb.connect(":memory:") as connection:
        for name, value in ALWAYS.items():
            connection.execute(f"SET {name} = {value}")
        connection.execute(f"SET memory_limit = '{job.memory:d}B'")
        connection.execute(f"SET threads = {job.threads:d}")
        for view in job.views:
            say({"stage": "open", "view": view.name})
            relation = _relation(connection, view, say)
            connection.execute(f"CREATE VIEW {duckdb_views.identifier(view.name)} AS {relation}")
        if job.objects:
            say({"stage": "open", "view": "objects"})
            connection.execute(f"CREATE VIEW objects AS {duckdb_views.listing(job.objects)}")
        _lock(connection, [path for view in job.views for path in view.paths] + ([job.objects] if job.objects else []))
        for view in job.views:
            if view.read:
                say({"stage": "read", "view": view.name})
                say({"stage": "read", "view": view.name, "rows": _read(connection, view)})
        say({"stage": "ask"})
        say({"answer": asdict(_bounded(connection, job, duckdb))})


def _relation(connection: duckdb.DuckDBPyConnection, view: View, say: Say) -> str:
    """Return the SQL of a view, after its compressed files were proven whole."""
    formats = {format_ for path in view.paths if (format_ := duckdb_views.format_of(path.name))}
    kinds = {format_.kind for format_ in formats}
    if not view.paths:
        return duckdb_views.nothing(view.columns)
    if len(kinds) != 1 or not all(duckdb_views.format_of(path.name) for path in view.paths):
        say({"error": "its files are not all of one format that can be read", "kind": "question", "view": view.name})
        raise _ToldError
    form = next(iter(formats))
    if view.columns and form.kind == "parquet":
        say({"error": "Parquet files declare their own columns", "kind": "question", "view": view.name})
        raise _ToldError
    for path in view.paths if view.read else ():
        _whole(path, view, say)
    if view.columns and form.kind in ("csv", "tsv"):
        names = [name for name, _ in view.columns]
        dialects = {}
        for path in view.paths:
            for (line,) in connection.execute(duckdb_views.first_line(path)).fetchall():
                dialects[path] = duckdb_views.dialect_of(line or "", names, form)
        return duckdb_views.declared_csv(dialects, view.columns) if dialects else duckdb_views.nothing(view.columns)
    return duckdb_views.sniffed(view.paths, form, view.columns)


def _whole(path: Path, view: View, say: Say) -> None:
    """Say so, and stop, if a compressed file does not decompress to its end."""
    format_ = duckdb_views.format_of(path.name)
    error: dict[str, Any] = {"view": view.name, "file": str(path)}
    try:
        read_through(path, format_.packed if format_ else "")
    except CutOffError:
        say({"error": "it does not decompress to its end", "kind": "data-damaged", **error})
    except NoZstandardError:
        say({"error": "zstandard, which reads it, is not installed", "kind": "environment", **error})
    except OSError:
        say({"error": "our own copy of it could not be opened", "kind": "internal", **error})
    else:
        return
    raise _ToldError


def _lock(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Let nothing be opened from now on but these files, for reading, and no setting be changed: in this order."""
    connection.execute("SET allowed_paths = " + f"[{', '.join(duckdb_views.literal(str(p)) for p in paths)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _read(connection: duckdb.DuckDBPyConnection, view: View) -> int:
    """Decode every value of a view, and return the number of its rows. `count(*)` alone reads no value of Parquet."""
    name = duckdb_views.identifier(view.name)
    every = "count(*), bit_xor(hash(*COLUMNS(*)))"  # not a name for the row: a column may have that name
    [(rows, _)] = connection.execute(f"SELECT {every} FROM {name}").fetchall()  # noqa: S608 - quoted
    return int(rows)


def _bounded(connection: duckdb.DuckDBPyConnection, job: Job, duckdb: Any) -> Answer:
    """Ask, and interrupt what takes longer than it may. Whoever started this process kills what does not obey."""
    timer = threading.Timer(job.timeout, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        return _asked(connection, job, duckdb)
    finally:
        timer.cancel()


def _asked(connection: duckdb.DuckDBPyConnection, job: Job, duckdb: Any) -> Answer:
    """Take from the question what its expectation needs, and no more."""
    statements = connection.extract_statements(job.sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        return Answer(job.name, error="it is not exactly one SELECT", kind="question")
    if statements[0].named_parameters:
        return Answer(job.name, error="it has a placeholder, which nothing fills in", kind="question")
    relation = connection.sql(statements[0])
    columns = len(relation.columns)
    if job.no_rows:
        [(rows,)] = relation.limit(ROWS + 1).aggregate("count(*)").fetchall()
        return Answer(job.name, min(rows, ROWS), rows > ROWS, columns)
    if columns > 1:  # not taken at all: the judge refuses it
        return Answer(job.name, columns=columns)
    name = type_name(relation.types[0].id, str(relation.types[0]))
    cap = ROWS if job.members else 1
    texts = relation.limit(cap + 1).project(projection(name))
    cells: list[Cell] = []
    size = 0
    for (text,) in texts.fetchall():  # of whatever size: the address space is the limit
        size += len(text or "")
        if size > BYTES:
            too_much = f"the answer is larger than {BYTES // 1024 // 1024} MiB: ask for less"
            return Answer(job.name, columns=1, error=too_much, kind="question")
        cells.append(cell(text, name, job.salt, seal=job.members))
    return Answer(job.name, min(len(cells), cap), len(cells) > cap, 1, tuple(cells[:cap]))


def main(
    stdin: TextIO = sys.stdin, stdout: TextIO = sys.stdout, confined: Callable[[int, int], object] = confine
) -> None:
    """Confine this process, do the job on standard input, and say on standard output how it went."""
    document = json.load(stdin)
    confined(document.pop("address_space"), document.pop("cpu_seconds"))

    def say(message: dict[str, Any]) -> None:
        stdout.write(json.dumps(message) + "\n")
        stdout.flush()

    run(Job.of(document), say)
