"""A real MariaDB, asked as a run asks it: exact answers, nothing changed, no value in an error, every deadline held."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pymysql
import pytest
from mariadb_server import Server, mariadb
from severing import severing

from restorecheck.assertions.digest import digest
from restorecheck.databases import mysql_server
from restorecheck.databases.interface import Login
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.mysql_connection import connect
from restorecheck.databases.mysql_watchdog import Watchdog
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion, Cell, Expectation

SALT = "a salt of this run"
ONE = Expectation(equals=Cell("number", "1"))
NO_ROWS = Expectation(no_rows=True)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with mariadb() as made:
        yield made


@pytest.fixture(scope="module")
def reader(running: Server) -> Login:
    login = running.login()
    MySQL().prepare(running.master(), login)
    return login


def ask(
    reader: Login, sql: str, expect: Expectation = ONE, *, timeout: float = 30, within: float = 60, database: str = ""
) -> Answer:
    assertion = Assertion("one", sql, expect, timeout=timedelta(seconds=timeout), database=database or None)
    [answer] = MySQL().ask(reader, [assertion], SALT, timedelta(seconds=within))
    return answer


def fingerprint(running: Server) -> object:
    tables = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('shop', 'other')"
    return (
        running.run(tables),
        running.run("SELECT * FROM shop.orders"),
        running.run("SELECT * FROM shop.touched"),
        running.run("SELECT user, host, authentication_string FROM mysql.user"),
        running.run("SHOW GLOBAL VARIABLES WHERE variable_name NOT LIKE '%gtid%'"),
    )


# --- the reader -----------------------------------------------------------------------------------------------------


def test_the_reader_may_read_and_nothing_else_and_is_adopted(running: Server, reader: Login) -> None:
    MySQL().prepare(running.master(), reader)
    grants = running.run(f"SHOW GRANTS FOR '{reader.user}'@'%'")
    assert len(grants) == 1
    assert grants[0][0].startswith("GRANT SELECT, SHOW VIEW ON *.* TO")


@pytest.mark.parametrize(
    "made",
    [
        "CREATE USER 'came_with_it'@'%'; GRANT INSERT ON shop.* TO 'came_with_it'@'%'",
        "CREATE USER 'came_with_it'@'localhost'",
        "CREATE USER 'came_with_it'@'%'; GRANT SELECT, SHOW VIEW ON *.* TO 'came_with_it'@'%' WITH GRANT OPTION",
        "CREATE USER 'came_with_it'@'%' IDENTIFIED BY 'x'; GRANT USAGE ON *.* TO 'came_with_it'@'%' WITH GRANT OPTION",
    ],
)
def test_a_user_that_came_with_the_backup_is_not_adopted(running: Server, made: str) -> None:
    host = "localhost" if "localhost" in made else "%"
    for statement in made.split("; "):
        running.run(statement)
    try:
        with pytest.raises(QueryError) as e:
            MySQL().prepare(running.master(), running.login("came_with_it"))
        assert e.value.kind == "taken"
    finally:
        running.run(f"DROP USER 'came_with_it'@'{host}'")


def test_a_name_that_could_be_sql_is_no_user(running: Server) -> None:
    with pytest.raises(QueryError) as e:
        MySQL().prepare(running.master(), running.login("a'b"))
    assert e.value.kind == "config"


def test_a_password_is_what_it_is(running: Server) -> None:
    login = running.login("odd_password", password="a'b\\\"%s;--")
    MySQL().prepare(running.master(), login)
    assert MySQL().knock(login).startswith("1")


def test_who_may_not_make_users_is_told_so(running: Server, reader: Login) -> None:
    with pytest.raises(QueryError) as e:
        MySQL().prepare(reader, running.login("another"))
    assert e.value.kind == "permission"


def test_a_wrong_password_may_be_tried_again(running: Server) -> None:
    with pytest.raises(QueryError) as e:
        MySQL().knock(running.login(password="wrong"))
    assert (e.value.kind, e.value.retryable) == ("login-failed", True)


def test_a_database_that_is_not_there_is_something_missing(running: Server, reader: Login) -> None:
    assert ask(reader, "select 1", database="nope").kind == "missing-object"


def test_the_version_and_the_databases_are_told(running: Server, reader: Login) -> None:
    assert MySQL().knock(reader).endswith("-MariaDB")
    seen = MySQL().databases(reader)
    assert [(one.name, one.tables) for one in seen] == [("other", 0), ("shop", 2)]


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count(*) from orders", Cell("number", "2")),
        ("select count(*) from orders;", Cell("number", "2")),
        ("with a as (select sum(total) s from orders) select s from a", Cell("number", "15")),
        ("values (7)", Cell("number", "7")),
        ("(select 7)", Cell("number", "7")),
        ("select total from orders where id = 1 -- a remark", Cell("number", "10.5")),
        ("select share from orders where id = 1", Cell("number", "100000000000000000000")),
        ("select flag from orders where id = 1", Cell("number", "1")),
        ("select max(day) from orders", Cell("date", "2026-11-20")),
        ("select max(at) from orders", Cell("time", "2026-11-20T01:02:03.500000", naive=True)),
        ("select made from orders where id = 1", Cell("time", "2026-11-19T19:32:03+00:00")),
        ("select took from orders where id = 1", Cell("duration", "5400.25")),
        ("select kind from orders where id = 1", Cell("digest", digest("text", "new", SALT))),
        ("select note from orders where id = 1", Cell("digest", digest("text", "for Grace Hopper", SALT))),
        ("select note from orders where id = 2", Cell("null")),
        ("select bits from orders where id = 1", Cell("other", "bit")),
        ("select '100%' like '100\\%'", Cell("number", "1")),
    ],
)
def test_an_answer_is_exact(reader: Login, sql: str, expected: Cell) -> None:
    answer = ask(reader, sql)
    assert (answer.error, answer.cells) == ("", (expected,))


def test_a_set_comes_as_digests_up_to_a_cap(reader: Login) -> None:
    members = Expectation(members=(Cell("number", "1"),))
    answer = ask(reader, "select id from orders", members)
    assert [c.kind for c in answer.cells] == ["digest", "digest"]
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select a.i from n a, n b"
    many = ask(reader, numbers + " limit 500000", members)
    assert (many.rows, many.more) == (10_000, True)


def test_rows_are_counted_and_several_columns_are_not_taken(reader: Login) -> None:
    counted = ask(reader, "select o.id, p.id from orders o, orders p", NO_ROWS)
    assert (counted.rows, counted.more, counted.columns, counted.cells) == (4, False, 2, ())
    assert ask(reader, "select id, note from orders").columns == 2
    assert ask(reader, "select id from orders").more


def test_an_answer_that_is_too_large_is_refused(reader: Login) -> None:
    assert ask(reader, "select repeat('x', 9000000)").kind == "question"


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("select 1 from refunds", "missing-object", "Table 'shop.refunds' does not exist"),
        ("select nope from orders", "missing-object", "1054"),
        ("selec 1", "question", "one SELECT"),
        ("select secret()", "question", "runs no function"),
        ("select n from broken", "question", "rights of a user"),
    ],
)
def test_an_error_has_its_kind(reader: Login, sql: str, kind: str, said: str) -> None:
    answer = ask(reader, sql)
    assert answer.kind == kind
    assert said in answer.error


ESCAPES = [
    "insert into touched values (9)",
    "update orders set total = 0",
    "delete from orders",
    "replace into touched values (9)",
    "truncate orders",
    "drop table orders",
    "create table t (n integer)",
    "create temporary table t (n integer)",
    "alter table orders add column x integer",
    "call touch()",
    "do sleep(0)",
    "begin not atomic insert into touched values (9); end",
    "select 1; insert into touched values (9)",
    "select 1) as x; insert into touched values (9); -- ",
    "commit",
    "set session max_statement_time = 0",
    "set global max_connections = 7",
    "set password = password('x')",
    "alter user current_user() identified by 'x'",
    "flush tables",
    "lock tables orders write",
    "kill 1",
    "shutdown",
    "handler orders open",
    "load data local infile '/etc/passwd' into table touched",
    "load data infile '/etc/passwd' into table touched",
    "select * from orders into outfile '{outside}'",
    "select note from orders limit 1 into dumpfile '{outside}'",
    "select id into @x from orders limit 1",
    "prepare p from 'select 1'",
    "execute restorecheck",
    "explain select 1",
    "show tables",
    "analyze table orders",
    "grant all on *.* to current_user",
    "install soname 'x'",
    "create function f returns integer soname 'x.so'",
    "select nextval(orders)",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_an_escape_is_refused_and_leaves_nothing(running: Server, reader: Login, sql: str) -> None:
    outside = Path(running.directory) / "outside"
    before = fingerprint(running)
    answer = ask(reader, sql.replace("{outside}", str(outside)), NO_ROWS)
    assert answer.error, answer
    assert answer.kind == "question"
    assert fingerprint(running) == before
    assert not outside.exists()


def test_a_file_of_the_server_reads_as_nothing(reader: Login) -> None:
    assert ask(reader, "select load_file('/etc/passwd')").cells == (Cell("null"),)


# --- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", ["select sleep(30)", "select benchmark(100000000000, md5('x'))"])
def test_a_query_that_is_too_slow_is_ended(reader: Login, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_server, "GRACE", 60.0)  # it is not the reading that gives up
    began = time.monotonic()
    answer = ask(reader, sql, timeout=0.5)
    assert (answer.kind, answer.error) == ("timeout", "the query took longer than its timeout of 0.5 s")
    assert time.monotonic() - began < 25


def test_the_time_for_all_questions_cuts_one_off(reader: Login) -> None:
    answer = ask(reader, "select sleep(30)", timeout=20, within=0.5)
    assert answer.kind == "timeout"
    assert "allowed for all questions" in answer.error


def test_a_statement_cannot_untie_its_own_timeout(reader: Login) -> None:
    # MariaDB lets one statement have settings of its own, which outrank the session's
    answer = ask(reader, "set statement max_statement_time = 0 for select sleep(30)", timeout=20)
    assert answer.kind == "question"


def test_a_deadline_holds_where_the_servers_own_timeout_does_not(reader: Login) -> None:
    began = time.monotonic()
    with (
        contextlib.closing(connect(reader)) as connection,
        connection.cursor() as cursor,
        Watchdog(connection, reader, Path("unused"), 0.3) as dog,
    ):
        cursor.execute("select benchmark(100000000000, md5('x'))")  # cut off, and it answers all the same
    assert dog.bit
    assert time.monotonic() - began < 30  # of the sixty seconds that a read may take


def test_an_answer_of_a_query_that_was_cut_off_is_none(reader: Login) -> None:
    clock = [0.0]

    def later() -> float:  # the server's timeout is in its own time, and this one runs ahead
        clock[0] += 0.7
        return clock[0]

    assertion = Assertion("one", "select sleep(0)", ONE, timeout=timedelta(seconds=1.5))
    [answer] = MySQL(monotonic=later).ask(reader, [assertion], SALT, timedelta(hours=1))
    assert (answer.kind, answer.cells) == ("timeout", ())


def test_rows_that_come_in_after_the_deadline_are_not_waited_for(reader: Login) -> None:
    clock = iter([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *[100.0] * 50])
    assertion = Assertion("one", "select id from orders", ONE, timeout=timedelta(seconds=30))
    [answer] = MySQL(monotonic=lambda: next(clock)).ask(reader, [assertion], SALT, timedelta(hours=1))
    assert answer.kind == "timeout"


def test_a_connection_that_breaks_off_twice_is_lost(running: Server, reader: Login) -> None:
    with severing(running.port, b"from orders") as port:
        answer = ask(replace(reader, port=port), "select id from orders")
    assert (answer.kind, answer.cells) == ("connection-lost", ())


@pytest.mark.parametrize("marker", [b"VERSION()", b"schemata"])
def test_a_server_that_breaks_off_under_our_own_queries_may_be_asked_again(
    running: Server, reader: Login, marker: bytes
) -> None:
    with severing(running.port, marker) as port:
        database = MySQL()
        with pytest.raises(QueryError) as e:
            (database.knock if marker == b"VERSION()" else database.databases)(replace(reader, port=port))
    assert (e.value.kind, e.value.retryable) == ("database-unreachable", True)


@pytest.mark.parametrize("marker", [b"CREATE USER", b"GRANT TRIGGER"])
def test_a_preparation_that_breaks_off_may_be_tried_again(running: Server, marker: bytes) -> None:
    with severing(running.port, marker) as port, pytest.raises(QueryError) as e:
        MySQL().prepare(replace(running.master(), port=port), running.login("half_made"))
    assert (e.value.kind, e.value.retryable) == ("database-unreachable", True)


@pytest.mark.parametrize(("how", "kind"), [("KILL", "interfered"), ("KILL QUERY", "timeout")])
def test_somebodys_command_ends_a_session(running: Server, reader: Login, how: str, kind: str) -> None:
    done = threading.Event()
    find = f"SELECT id FROM information_schema.processlist WHERE user = '{reader.user}' AND info LIKE '%sleep(31)%'"

    def killing() -> None:
        while not done.wait(0.05):
            for (number,) in running.run(find):
                with contextlib.suppress(pymysql.MySQLError):  # it ended meanwhile
                    running.run(f"{how} {number}")

    thread = threading.Thread(target=killing)
    thread.start()
    try:
        answer = ask(reader, "select sleep(31)", timeout=20)
    finally:
        done.set()
        thread.join()
    assert answer.kind in ((kind, "connection-lost") if how == "KILL" else (kind,))
    assert answer.error
