"""A server with a shop to ask, and a reader, shared by the contract tests of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore_models import remember
from bucket_server import emptied, furnished, serving
from postgres_server import Server, debian, embedded, server
from postgres_shop import open_shop

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres

__all__ = ["emptied", "furnished", "serving"]

remember()


@pytest.fixture(scope="session", params=["18", pytest.param("15", marks=pytest.mark.long)])
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that holds the shop; PostgreSQL 18 from the wheel, and Debian's 15."""
    with server(embedded() if request.param == "18" else debian()) as made:
        open_shop(made)
        yield made


@pytest.fixture(scope="session")
def reader(running: Server) -> Login:
    """The role of this copy, made by the master user."""
    login = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", "shop")
    Postgres().prepare(running.master(), login)
    return login
