"""Fixtures of the tests of the store; a plugin, so that one server serves all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from postgres_server import Server, embedded, server
from store_places import Place, postgres_place, sqlite_place

from restorecheck.store import Store
from restorecheck.store.tables import METADATA


@pytest.fixture(scope="session")
def store_server() -> Iterator[Server]:
    with server(embedded()) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        made = sqlite_place(tmp_path)
    else:
        made = postgres_place(request.getfixturevalue("store_server"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def store_kept(store_server: Server) -> Place:
    """A place on PostgreSQL that was opened once, and whose rows go before every test that uses it."""
    made = postgres_place(store_server)
    made.open()
    made.close()
    return made


@pytest.fixture(scope="session")
def store_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that was opened once and has no rows."""
    directory = tmp_path_factory.mktemp("store")
    made = sqlite_place(directory)
    made.open()
    made.close()
    (file,) = directory.iterdir()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """What `place` gives, with its tables made: much quicker, for tests that leave the tables as they are."""
    if request.param == "sqlite":
        copy(request.getfixturevalue("store_file"), tmp_path)
        made = sqlite_place(tmp_path)
    else:
        made = Place(request.getfixturevalue("store_kept").url)
        made.sql(*(f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables)))
    yield made
    made.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
