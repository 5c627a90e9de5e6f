"""Fixtures of the tests of the store; a plugin, so that one server serves all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import Server, embedded, server
from store_places import Place, postgres_place, sqlite_place

from restorecheck.store import Store


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


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
