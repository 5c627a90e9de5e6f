"""Files of restored objects for the tests of DuckDB: whole ones in every format, and how to ask about them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import duckdb
import zstandard

from restorecheck.databases.duckdb import ObjectQueries
from restorecheck.model import Answer, Assertion, Cell, Expectation, FileView

SALT = "a salt of this run"
ORDERS = (("id", "BIGINT"), ("name", "VARCHAR"), ("total", "DECIMAL(12,2)"), ("made", "TIMESTAMP"))
ROWS = 5000
FORMS = ("parquet", "csv", "csv.gz", "csv.zst", "tsv", "jsonl", "jsonl.gz", "jsonl.zst", "json")
ONE = Expectation(equals=Cell("number", "1"))


def orders(directory: Path, form: str, rows: int = ROWS) -> Path:
    """Write a file of orders in one form, whole, and return it."""
    path = directory / f"00000001.{form}"
    plain = directory / "plain"
    source = (
        "select i as id, 'name ' || hash(i) as name, (i * 1.5)::decimal(12,2) as total, "
        f"timestamp '2026-01-01' + interval (i) minute as made from range({rows}) t(i)"
    )
    kind, _, packed = form.partition(".")
    options = {"parquet": "format parquet", "csv": "format csv", "tsv": "format csv, delim '\t'"}.get(
        kind, "format json"
    )
    with duckdb.connect() as connection:
        connection.execute(f"copy ({source}) to '{plain}' ({options})")
    content = plain.read_bytes()
    plain.unlink()
    pack = {"gz": gzip.compress, "zst": zstandard.compress, "": bytes}[packed]
    path.write_bytes(pack(content))
    return path


def listing(directory: Path, objects: Sequence[dict[str, object]]) -> Path:
    """Write the list of objects and return its path."""
    path = directory / "objects.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def view(name: str = "orders", *, columns: tuple[tuple[str, str], ...] = (), empty: bool = False) -> FileView:
    return FileView(name, "exports/*", columns, empty)


@dataclass
class Asker:
    """Asks one question at a time, and keeps what was told."""

    queries: ObjectQueries = field(default_factory=ObjectQueries)
    told: list[str] = field(default_factory=list)

    def __call__(
        self,
        sql: str,
        files: dict[FileView, tuple[Path, ...]] | None = None,
        *,
        expect: Expectation = ONE,
        timeout: float = 60,
        within: float = 100,
        objects: Path | None = None,
        names: dict[Path, str] | None = None,
    ) -> Answer:
        files = files or {}
        assertion = Assertion("question", sql, expect, timeout=timedelta(seconds=timeout), files=tuple(files))
        by_view = {"question": {one.name: paths for one, paths in files.items()}}
        [answer] = self.queries.ask(
            [assertion], by_view, objects, SALT, timedelta(seconds=within), names=names, tell=self.told.append
        )
        return answer


def number(answer: Answer) -> str:
    """Return the one number of an answer."""
    assert not answer.error, answer.error
    [one] = answer.cells
    assert one.kind == "number"
    return one.text
