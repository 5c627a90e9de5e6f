"""One probe of PostgreSQL asked directly, and changed bytes for it to find."""

from __future__ import annotations

import importlib
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_probes.sight import Look, Sight
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.databases.postgres_role import deputy_of, prober_of
from restorecheck.errors import QueryError
from restorecheck.model import Examined, Probe

PAGE = 8192
EXTENSIONS = ("amcheck", "pg_visibility")


def prepared(running: Server, database: str, extensions: tuple[str, ...] = EXTENSIONS) -> Login:
    """Make the reader and the prober, and the extensions in one database, as a superuser; return the reader there."""
    reader = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", database)
    Postgres().prepare(running.login(SUPERUSER, PASSWORD, database), reader, {database: extensions})
    return reader


def looked(name: str, reader: Login, *, at_once: int = 2, seconds: float = 60, **keys: tuple[str, ...]) -> Examined:
    """Look with one probe, as that reader and its prober."""
    look: Look = importlib.import_module(f"restorecheck.databases.postgres_probes.{name}").look
    monotonic = time.monotonic
    return look(
        Sight(
            Probe(name, **keys),
            reader,
            prober_of(reader),
            monotonic() + seconds,
            monotonic,
            time.sleep,
            _connected,
            lambda _: None,
            at_once,
            deputy_of(reader),
        )
    )


def _connected(login: Login) -> psycopg.Connection[Any]:
    """Open a session, and wait for a server that recovers."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return connect(login, BUNDLE, SETTINGS)
        except QueryError as e:
            if e.kind != "database-unreachable" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def file_of(running: Server, database: str, relation: str) -> Path:
    """Return the first file of a relation."""
    with running.superuser(database) as connection:
        row = connection.execute("SELECT pg_relation_filepath(%s)", [relation]).fetchone()
    assert row
    return running.data / str(row[0])


def change(path: Path, page: int, how: Callable[[bytearray], object]) -> None:
    """Change one page of a file."""
    content = bytearray(path.read_bytes())
    part = content[page * PAGE : (page + 1) * PAGE]
    how(part)
    assert len(part) == PAGE
    content[page * PAGE : (page + 1) * PAGE] = part
    path.write_bytes(content)


def zero(page: bytearray) -> None:
    """As a page that was never written."""
    page[:] = bytes(PAGE)


def garbage(page: bytearray) -> None:
    """As a page of something else."""
    page[:] = bytes(range(1, 252)) * 32 + bytes(160)


def item(number: int, flags: int | None = None) -> Callable[[bytearray], None]:
    """Change the line pointer of one item, from 1: to these flags (3 is dead), or to an unused one."""

    def how(page: bytearray) -> None:
        at = 24 + 4 * (number - 1)
        (pointer,) = struct.unpack_from("<I", page, at)
        assert pointer
        struct.pack_into("<I", page, at, 0 if flags is None else pointer & ~(3 << 15) | flags << 15)

    return how


def item_bytes(number: int, offset: int, value: bytes) -> Callable[[bytearray], None]:
    """Overwrite bytes of what one item, from 1, points to."""

    def how(page: bytearray) -> None:
        (pointer,) = struct.unpack_from("<I", page, 24 + 4 * (number - 1))
        at = (pointer & 0x7FFF) + offset
        page[at : at + len(value)] = value

    return how
