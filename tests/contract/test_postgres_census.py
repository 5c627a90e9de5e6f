"""Which databases a server has, and how many tables each: by its catalogue, not by what came in a backup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from postgres_server import Server

from restorecheck.databases import postgres as module
from restorecheck.databases.interface import DatabaseSeen, Login
from restorecheck.databases.postgres import Postgres
from restorecheck.errors import QueryError

TABLES = """
    CREATE SCHEMA elsewhere;
    CREATE TABLE plain (n integer);
    CREATE TABLE elsewhere.parts (n integer) PARTITION BY RANGE (n);
    CREATE TABLE elsewhere.part PARTITION OF elsewhere.parts FOR VALUES FROM (0) TO (9);
    CREATE MATERIALIZED VIEW seen AS SELECT 1 AS n;
    CREATE VIEW no_table AS SELECT 1 AS n;
    CREATE SEQUENCE neither;
    CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 99::bigint';
    ALTER DATABASE full_one SET search_path = public, pg_catalog;
"""


@pytest.fixture(scope="module")
def several(running: Server) -> Iterator[Server]:
    """The server with a full database, an empty one, one that nobody may connect to, and one with an extension."""
    names = ("full_one", "empty_one", "shut_one", "extended_one")
    with running.superuser() as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
        connection.execute("ALTER DATABASE shut_one ALLOW_CONNECTIONS false")
    with running.superuser("full_one") as connection:
        connection.execute(TABLES)
    with running.superuser("extended_one") as connection:
        connection.execute("CREATE TABLE of_extension (n integer)")
        connection.execute("CREATE EXTENSION pg_trgm")
        connection.execute("ALTER EXTENSION pg_trgm ADD TABLE of_extension")
    yield running
    with running.superuser() as connection:
        for name in names:
            connection.execute(f"DROP DATABASE {name} (FORCE)")


def by_name(reader: Login, **settings: object) -> dict[str, DatabaseSeen]:
    return {seen.name: seen for seen in Postgres(**settings).databases(reader)}  # type: ignore[arg-type]


def test_every_database_is_there_with_its_tables_and_those_of_the_server_are_left_out(several: Server, reader: Login):
    seen = by_name(reader)
    assert set(seen) == {"postgres", "shop", "full_one", "empty_one", "shut_one", "extended_one"}
    assert seen["full_one"].tables == 4  # plain, the partitioned one, its part, and the materialised view
    assert seen["empty_one"].tables == 0
    assert (seen["shop"].tables or 0) > 3
    assert (seen["full_one"].bytes or 0) > 1_000_000
    assert {one.kind for one in seen.values() if one.name != "shut_one"} == {""}


def test_tables_of_an_extension_are_not_data(several: Server, reader: Login):
    assert by_name(reader)["extended_one"].tables == 0


def test_a_database_that_allows_no_connection_is_named(several: Server, reader: Login):
    one = by_name(reader)["shut_one"]
    assert (one.tables, one.error, one.kind) == (None, "it allows no connection", "database-unreachable")


def test_a_database_that_was_half_dropped_is_named(several: Server, reader: Login):
    with several.superuser() as connection:
        connection.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'empty_one'")
        try:
            assert by_name(reader)["empty_one"].error == "it was half dropped when the backup was made"
        finally:
            connection.execute("UPDATE pg_database SET datconnlimit = -1 WHERE datname = 'empty_one'")


def test_a_database_that_the_reader_may_not_enter_stops_no_other(several: Server, reader: Login):
    with several.superuser() as connection:
        connection.execute("REVOKE CONNECT ON DATABASE empty_one FROM public")
        try:
            seen = by_name(reader)
        finally:
            connection.execute("GRANT CONNECT ON DATABASE empty_one TO public")
    assert (seen["empty_one"].tables, seen["empty_one"].kind) == (None, "login-failed")
    assert seen["full_one"].tables == 4


def test_a_count_that_the_server_refuses_is_said_by_its_kind(
    several: Server, reader: Login, monkeypatch: pytest.MonkeyPatch
):
    def refuse(connection: object, name: str) -> DatabaseSeen:
        raise psycopg.errors.DataCorrupted

    monkeypatch.setattr(module, "counted", refuse)
    one = by_name(reader)["shop"]
    assert (one.tables, one.kind) == (None, "data-damaged")


def test_a_list_that_the_server_refuses_is_an_error(several: Server, reader: Login, monkeypatch: pytest.MonkeyPatch):
    def refuse(error: psycopg.Error) -> object:
        def listed(connection: object) -> list[tuple[str, str]]:
            raise error

        return listed

    for error, kind in ((psycopg.errors.DataCorrupted(), "data-damaged"), (psycopg.OperationalError(), "database-unr")):
        monkeypatch.setattr(module, "listed", refuse(error))
        with pytest.raises(QueryError, match="the databases could not be listed") as raised:
            by_name(reader)
        assert raised.value.kind.startswith(kind)


def test_a_server_that_is_gone_is_an_error(several: Server, reader: Login):
    with pytest.raises(QueryError) as raised:
        by_name(replace(reader, port=1), patience=timedelta(0))
    assert raised.value.kind == "database-unreachable"


def test_what_is_not_looked_into_in_time_is_said(several: Server, reader: Login):
    times = iter([0.0, 0.0])
    seen = by_name(reader, monotonic=lambda: next(times, 1000.0))
    assert {one.kind for one in seen.values() if one.name != "shut_one"} == {"timeout"}
    assert seen["shop"].error == "the 300 s allowed for all databases were over"
