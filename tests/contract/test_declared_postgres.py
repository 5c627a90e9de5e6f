"""A declared server, real: what a run makes there is marked, and nothing else is ever dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from postgres_probing import looked
from postgres_server import MASTER, PASSWORD, SUPERUSER, Server, embedded, make_master, server

from restorecheck.databases.declared_postgres import DeclaredPostgres, mark_of
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.errors import QueryError, SourceError
from restorecheck.model import Assertion, Expectation

RUN = "orders-dump-20261121t0300z"
NAME = "restorecheck_orders_dump_20261121t0300z"
MINUTE = timedelta(minutes=1)
READER = "restorecheck_reader_0123abcd"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server(embedded()) as one:
        make_master(one)
        yield one


@pytest.fixture
def declared(running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeclaredPostgres]:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"127.0.0.1:{running.port}:*:{SUPERUSER}:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    yield DeclaredPostgres(f"postgresql://{SUPERUSER}@127.0.0.1:{running.port}")
    with running.superuser() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME}")
        connection.execute(f"DROP ROLE IF EXISTS {READER}")


def names(running: Server) -> set[str]:
    with running.superuser() as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'"
        ).fetchall()
        return {name for (name,) in rows}


def reader(login: Login) -> Login:
    return Login(login.host, login.port, READER, "secret-of-the-reader", NAME)


def test_what_a_run_makes_is_read_by_its_reader_alone_and_gone_afterwards(running: Server, declared: DeclaredPostgres):
    before = names(running)
    login = declared.make(NAME, RUN)
    assert (login.user, login.password, login.database) == (SUPERUSER, PASSWORD, NAME)
    with running.superuser(NAME) as connection:
        connection.execute("CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 1 AS n; CREATE SEQUENCE s")
    declared.admit(reader(login), RUN)
    declared.admit(reader(login), RUN)  # again, after a crash
    question = Assertion("n", "SELECT n FROM app.t", Expectation(no_rows=True))
    [answer] = Postgres().ask(reader(login), [question], "salt", within=MINUTE)
    assert (answer.rows, answer.error) == (1, "")
    assert declared.left(NAME, RUN, READER) == f"the database {NAME} is there; the role {READER} is there"
    shop = Login("127.0.0.1", running.port, READER, "secret-of-the-reader", "shop")
    with running.superuser("shop") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS precious AS SELECT 1 AS n")
    [answer] = Postgres().ask(shop, [Assertion("n", "SELECT n FROM precious", Expectation())], "salt", within=MINUTE)
    assert answer.sqlstate == "42501"
    declared.drop(NAME, RUN, READER)
    declared.drop(NAME, RUN, READER)
    assert declared.left(NAME, RUN, READER) is None
    assert names(running) == before


def test_what_probes_need_is_made_for_the_run_and_gone_with_it(running: Server, declared: DeclaredPostgres):
    before = names(running)
    login = declared.make(NAME, RUN)
    with running.superuser(NAME) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    for _ in range(2):
        declared.admit(reader(login), RUN, ("amcheck", "pg_visibility"))
    assert looked("amcheck", reader(login)).count == 1
    assert looked("visibility", reader(login)).count == 1
    prober = f"{READER}_prober"
    told = f"the database {NAME} is there; the role {READER} is there; the role {prober} is there"
    assert declared.left(NAME, RUN, READER) == told
    declared.drop(NAME, RUN, READER)
    assert declared.left(NAME, RUN, READER) is None
    assert names(running) == before


def test_a_prober_of_anybody_else_is_neither_used_nor_dropped(running: Server, declared: DeclaredPostgres):
    login = declared.make(NAME, RUN)
    with running.superuser() as connection:
        connection.execute(f"CREATE ROLE {READER}_prober")
    try:
        with pytest.raises(SourceError, match="that this run did not make"):
            declared.admit(reader(login), RUN, ("amcheck",))
        declared.drop(NAME, RUN, READER)
        assert f"{READER}_prober" in names(running)
    finally:
        with running.superuser() as connection:
            connection.execute(f"DROP ROLE {READER}_prober")


def test_a_database_of_this_run_is_made_anew_after_a_crash(running: Server, declared: DeclaredPostgres):
    declared.make(NAME, RUN)
    with running.superuser(NAME) as connection:
        connection.execute("CREATE TABLE half()")
        declared.make(NAME, RUN)  # whoever is connected is cut off
    with running.superuser(NAME) as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


@pytest.mark.parametrize("comment", [None, mark_of("another-20261121t0300z"), "restorecheck"])
def test_what_does_not_carry_the_mark_is_neither_used_nor_dropped(
    running: Server, declared: DeclaredPostgres, comment: str | None
):
    with running.superuser() as connection:
        connection.execute(f"CREATE DATABASE {NAME}")
        connection.execute(f"CREATE ROLE {READER}")
        if comment:
            connection.execute(f"COMMENT ON DATABASE {NAME} IS '{comment}'")
            connection.execute(f"COMMENT ON ROLE {READER} IS '{comment}'")
    login = Login("127.0.0.1", running.port, SUPERUSER, PASSWORD, NAME)
    with pytest.raises(SourceError, match="did not make") as e:
        declared.make(NAME, RUN)
    assert e.value.kind == "taken"
    with pytest.raises(SourceError, match="did not make") as e:
        declared.admit(reader(login), RUN)
    assert e.value.kind == "taken"
    declared.drop(NAME, RUN, READER)
    assert {NAME, READER} <= names(running)
    assert "does not carry this run's mark" in (declared.left(NAME, RUN, READER) or "")


def test_a_user_without_the_rights_is_told_so(
    running: Server, declared: DeclaredPostgres, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PGPASSFILE")
    monkeypatch.setenv("PGPASSWORD", MASTER.password)
    with running.superuser() as connection:
        connection.execute(f"ALTER ROLE {MASTER.user} NOCREATEDB")
    try:
        weak = DeclaredPostgres(f"postgresql://{MASTER.user}@127.0.0.1:{running.port}/shop")
        with pytest.raises(QueryError, match="may not do on 127") as e:
            weak.make(NAME, RUN)
        assert e.value.kind == "permission"
    finally:
        with running.superuser() as connection:
            connection.execute(f"ALTER ROLE {MASTER.user} CREATEDB")


def test_a_master_that_is_no_superuser_is_enough(
    running: Server, declared: DeclaredPostgres, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGPASSWORD", MASTER.password)
    master = DeclaredPostgres(f"postgresql://{MASTER.user}@127.0.0.1:{running.port}/shop")
    login = master.make(NAME, RUN)
    with psycopg.connect(host=login.host, port=login.port, user=login.user, password=login.password, dbname=NAME) as c:
        c.execute("CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 1 AS n")
    with running.superuser(NAME) as connection:  # `public` is the bootstrap superuser's
        connection.execute("DROP SCHEMA public")
    master.admit(reader(login), RUN)
    master.drop(NAME, RUN, READER)
    assert master.left(NAME, RUN, READER) is None


def test_a_server_that_is_not_there_or_refuses_is_told(running: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(QueryError) as e:
        DeclaredPostgres(f"postgresql://{SUPERUSER}@127.0.0.1:{running.port}").left(NAME, RUN, READER)
    assert e.value.kind == "login-failed"
    with pytest.raises(QueryError) as e:
        DeclaredPostgres(f"postgresql://{SUPERUSER}@127.0.0.1:1").left(NAME, RUN, READER)
    assert e.value.kind == "database-unreachable"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:p@h", "and not password"),
        ("postgresql://u@h/d?sslmode=disable", "and not sslmode"),
        ("postgresql://u@/d", "a host and a user"),
        ("postgresql://h/d", "a host and a user"),
        ("postgresql://u@a:1,b:2/d", "one host"),
        ("nonsense", "not a URL"),
    ],
)
def test_a_url_names_one_server_and_no_secret(url: str, said: str):
    with pytest.raises(SourceError, match=said) as e:
        DeclaredPostgres(url)
    assert e.value.kind == "config"
