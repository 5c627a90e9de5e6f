"""The working copy as an object: one SQLite file, packed. How it is taken out of a store, and how it is looked at.

A copy that is damaged is told from one that a newer release wrote: only the former may be made anew. Files of processes
that died are removed: a function that is killed leaves its disk, which is small, to the next call.
"""

from __future__ import annotations

import gzip
import secrets
import shutil
import sqlite3
import zlib
from contextlib import closing
from io import BytesIO
from pathlib import Path

from restorecheck.errors import StoreError
from restorecheck.store.store import Store

_LEVEL = 3
"""Of gzip. 6 makes a copy a tenth smaller, and takes twice as long at every tick."""

_PIECE = 1 << 20
_MAGIC = b"SQLite format 3\0"


_NAMED = "copy-"
_BESIDE = ("", "-wal", "-shm", "-journal")  # the database, and what SQLite puts beside it
_MINE: set[Path] = set()
"""What this process works with. Everything else of that name in its directory is of one that is gone."""


class DamagedError(ValueError):
    """These bytes are no working copy."""


def new_path(directory: Path) -> Path:
    """Return where a copy can be put, in a directory that is for this process alone. Raises StoreError."""
    path = directory.absolute() / f"{_NAMED}{secrets.token_hex(8)}.sqlite"
    _MINE.add(path)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = {one.name + end for one in list(_MINE) for end in _BESIDE}
        for file in directory.glob(f"{_NAMED}*"):
            if file.name not in mine:
                file.unlink(missing_ok=True)
    except OSError as e:
        _MINE.discard(path)
        raise StoreError(f"{directory} cannot be made: {e.strerror}") from e
    return path


def remove(path: Path) -> None:
    """Remove a copy, and give its path back."""
    clear(path)
    _MINE.discard(path)


def clear(path: Path) -> None:
    """Remove a copy and what lies beside it, so that another one can be put there."""
    for end in _BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)


def packed(store: Store, beside: Path) -> bytes:
    """Return a store as it is now, whatever its log still holds. `beside` is a new path, and is free again after."""
    try:
        store.copy_to(beside)
        body = BytesIO()  # a twentieth of the file, which itself may not fit into a function's memory
        with beside.open("rb") as file, gzip.GzipFile("", "wb", _LEVEL, body, mtime=0) as packing:
            shutil.copyfileobj(file, packing, _PIECE)
        return body.getvalue()
    finally:
        remove(beside)


def unpack(body: bytes, path: Path) -> None:
    """Write a working copy to a file. Raises DamagedError, and then the file is not to be used; StoreError."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as packed, path.open("wb") as file:
            shutil.copyfileobj(packed, file, _PIECE)
    except (OSError, EOFError, zlib.error) as e:
        if isinstance(e, OSError) and not isinstance(e, gzip.BadGzipFile):  # the disk is full
            raise StoreError(f"the working copy cannot be written to {path.parent}: {e.strerror}") from e
        raise DamagedError("it cannot be unpacked") from e
    with path.open("rb") as file:
        begins = file.read(len(_MAGIC))
    if begins != _MAGIC:  # SQLite takes an empty file for a new database, and we would begin anew in silence
        raise DamagedError("it is no database")
    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as e:
        raise DamagedError("it is no database") from e
    if not tables:
        raise DamagedError("it is the database of something else")
    if said != "ok":
        raise DamagedError("SQLite finds it damaged")
