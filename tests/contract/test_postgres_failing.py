"""What happens when a query takes too long, the server breaks off, or is gone."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import chain, repeat

import psycopg
import pytest
from postgres_server import Server, embedded, server
from postgres_shop import CANARY, open_shop
from severing import severing

from restorecheck.databases import postgres as module
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE, LATER, connect
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.databases.watchdog import Watchdog
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Cell, Expectation

VALUE = Expectation(at_least=Cell("number", "0"))
NO_ROWS = Expectation(no_rows=True)
HOUR = timedelta(hours=1)
SLEEP = "select pg_sleep(3600)"
SLEEP_ONCE = "select pg_sleep(case when exists (select from empty) then 0 else 3600 end), 1"
"""Sleeps until it is ended by whoever leaves a row behind, and answers when it is asked again."""


def question(sql, expect=NO_ROWS, *, name="a", timeout=60.0):
    return Assertion(name, sql, expect, timeout=timedelta(seconds=timeout))


def ask(reader, *questions, within=HOUR, database=None):
    return (database or Postgres()).ask(reader, questions, "salt", within)


def test_a_query_has_its_own_timeout(reader):
    (answer,) = ask(reader, question(SLEEP, timeout=0.5))
    assert (answer.kind, answer.sqlstate) == ("timeout", "57014")
    assert answer.error == "the query took longer than its timeout of 0.5 s"
    assert 0.5 <= answer.seconds < 30


@pytest.mark.parametrize(
    "sql",
    [
        "select pg_sleep(3600) where freed()",  # an immutable function: runs while the cursor is declared
        "select set_config('statement_timeout', '0', false), pg_sleep(3600)",
    ],
)
def test_a_query_that_switches_the_server_s_timeout_off_is_cancelled_all_the_same(reader, sql):
    (answer,) = ask(reader, question(sql, timeout=0.5))
    assert (answer.kind, answer.error) == ("timeout", "the query took longer than its timeout of 0.5 s")
    assert answer.seconds < 30


def test_all_questions_have_a_deadline(reader):
    times = chain(repeat(0.0, 5), repeat(100.0))  # no time goes by until the first question is put
    first, second = ask(
        reader, question(SLEEP, timeout=600), question("select 1", name="b"), within=timedelta(seconds=0.7),
        database=Postgres(monotonic=lambda: next(times)),
    )  # fmt: skip
    assert first.kind == "timeout"
    assert "the time allowed for all questions was over" in first.error
    assert (second.name, second.kind) == ("b", "timeout")
    assert second.error == "not asked: the 0.7 s allowed for all questions were over"


def test_a_query_that_somebody_cancels_is_not_called_slow(running, reader):
    def cancel(pid: int) -> None:
        with running.superuser() as connection:
            connection.execute("SELECT pg_cancel_backend(%s)", [pid])

    with meanwhile(running, cancel):
        (answer,) = ask(reader, question(SLEEP))
    assert answer.kind == "timeout"
    assert "was cancelled on the server after" in answer.error


def test_a_lock_is_not_waited_for_for_ever(running, reader, monkeypatch):
    monkeypatch.setitem(SETTINGS, "lock_timeout", "50")
    with running.superuser("shop") as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE public.empty IN ACCESS EXCLUSIVE MODE")
        (answer,) = ask(reader, question("select n from empty"))
        holder.execute("ROLLBACK")
    assert (answer.kind, answer.sqlstate) == ("timeout", "55P03")


def test_a_server_that_does_not_obey_is_cut_off(running, reader):
    """A stopped process hears no cancel: only the cut socket frees the waiting client."""
    connection = connect(reader, BUNDLE, {})
    (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    os.kill(pid, signal.SIGSTOP)
    try:
        with Watchdog(connection, 0.1, grace=0.3) as watchdog, pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        assert watchdog.bit
        assert connection.closed
    finally:
        os.kill(pid, signal.SIGCONT)
        connection.close()


def test_a_watchdog_that_is_not_needed_does_nothing(reader):
    connection = connect(reader, BUNDLE, {})
    with Watchdog(connection, 60.0) as watchdog:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not watchdog.bit
    assert connection.execute("SELECT 2").fetchone() == (2,)
    connection.close()


# --- a server that breaks off ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fragile() -> Iterator[Server]:
    """A server of its own, for tests that crash it."""
    with server(embedded()) as made:
        open_shop(made)
        yield made


@pytest.fixture(scope="module")
def its_reader(fragile: Server) -> Login:
    login = fragile.login("restorecheck_reader_1", "another-password", "shop")
    Postgres().prepare(fragile.master(), login)
    return login


def test_a_query_that_reads_from_another_server_is_no_damage_of_this_one(fragile, its_reader):
    with fragile.superuser("shop") as connection:
        for statement in (
            "CREATE SCHEMA elsewhere",
            "CREATE EXTENSION postgres_fdw SCHEMA elsewhere",
            "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'x')",
            "CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'u', password 'p')",
            "CREATE FOREIGN TABLE elsewhere.rate (n int) SERVER far",
            "CREATE VIEW elsewhere.priced AS SELECT n FROM elsewhere.rate",
        ):
            connection.execute(statement)
        asked = [question(f"select count(*) from elsewhere.{n}", VALUE, name=n) for n in ("rate", "priced")]
        try:
            answers = ask(its_reader, *asked)
        finally:
            connection.execute("DROP SCHEMA elsewhere CASCADE")
    assert [(a.kind, a.sqlstate) for a in answers] == [("question", "42704"), ("question", "08001")]
    assert all("reads from another server" in a.error for a in answers)


@contextmanager
def meanwhile(running: Server, act: Callable[[int], None], times: int = 1) -> Iterator[None]:
    """Do something to the process of every `pg_sleep` that is seen, so many times, while the body runs."""
    over = threading.Event()
    trouble: list[BaseException] = []

    def watch() -> None:
        seen: set[int] = set()
        deadline = time.monotonic() + 120
        while len(seen) < times and not over.is_set() and time.monotonic() < deadline:
            try:
                with running.superuser() as connection:
                    row = connection.execute(
                        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename LIKE 'restorecheck%'"
                    ).fetchone()
                if row and row[0] not in seen:
                    seen.add(row[0])
                    act(row[0])
            except psycopg.OperationalError:
                pass  # the server is starting again
            except BaseException as e:  # noqa: BLE001 - told by the test's own thread
                trouble.append(e)
                return
            over.wait(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not trouble


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def once(fragile: Server) -> Iterator[Callable[[Callable[[int], None]], Callable[[int], None]]]:
    """Makes of an act one that leaves a row first, so that nobody sleeps again."""

    def leaving(act: Callable[[int], None]) -> Callable[[int], None]:
        def left(pid: int) -> None:
            with fragile.superuser("shop") as connection:
                connection.execute("SET synchronous_commit = on")  # it outlasts a crash
                connection.execute("INSERT INTO public.empty VALUES (1)")
            act(pid)

        return left

    yield leaving
    with fragile.superuser("shop") as connection:
        connection.execute("DELETE FROM public.empty")


def test_a_connection_that_breaks_off_once_is_tried_again(fragile, its_reader, once):
    with meanwhile(fragile, once(kill)):
        first, second = ask(its_reader, question(SLEEP_ONCE), question("select 1", VALUE, name="b"))
    assert (first.error, first.rows) == ("", 1)
    assert second.cells == (Cell("number", "1"),)


def test_a_connection_that_breaks_off_twice_accuses_the_backup(fragile, its_reader):
    with meanwhile(fragile, kill, times=2):
        first, second = ask(its_reader, question(SLEEP), question("select 1", VALUE, name="b"))
    assert first.kind == "connection-lost"
    assert first.error.startswith("the server broke off while it answered, twice")
    assert second.cells == (Cell("number", "1"),)


def test_an_administrator_s_command_is_asked_again_and_accuses_nobody(fragile, its_reader, once):
    def terminate(pid: int) -> None:
        with fragile.superuser() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    with meanwhile(fragile, once(terminate)):
        (answer,) = ask(its_reader, question(SLEEP_ONCE))
    assert (answer.error, answer.rows) == ("", 1)
    with meanwhile(fragile, terminate, times=2):
        (answer,) = ask(its_reader, question(SLEEP))
    assert (answer.kind, answer.sqlstate) == ("interfered", "57P01")
    assert answer.error.startswith("an administrator's command")


def test_a_line_that_is_cut_twice_is_a_lost_connection(reader):
    with severing(reader.port, b"FETCH") as port:
        (answer,) = ask(replace(reader, port=port), question("select 1", VALUE))
    assert (answer.kind, answer.cells) == ("connection-lost", ())


def test_a_knock_that_is_cut_off_may_be_tried_again(reader):
    with severing(reader.port, b"current_setting") as port, pytest.raises(QueryError, match="broke off") as refused:
        Postgres().knock(replace(reader, port=port))
    assert (refused.value.kind, refused.value.retryable) == ("database-unreachable", True)


@pytest.mark.parametrize("limit", LATER)
def test_a_session_that_ends_before_its_time_limits_are_off_is_opened_without_any(running, reader, limit):
    """The server's last words are often lost with the line; the second try says it before anything is said."""
    before = running.log.stat().st_size
    with severing(reader.port, f"SET SESSION {limit}".encode()) as port:
        connection = connect(replace(reader, port=port), BUNDLE, {})
        major = connection.info.server_version // 10_000
        there = [name for name, since in LATER.items() if major >= since]
        assert [connection.execute(f"SHOW {name}").fetchone() for name in there] == [("0",)] * len(there)
        connection.close()
    with running.log.open() as log:
        log.seek(before)
        assert f"SET SESSION {limit}" not in log.read()


def test_a_preparation_that_is_cut_off_may_be_tried_again_and_leaves_nothing(running, reader):
    login = replace(reader, user="restorecheck_reader_cut")
    with severing(running.port, b"COMMIT") as port, pytest.raises(QueryError, match="broke off") as refused:
        Postgres().prepare(replace(running.master(), port=port), login)
    assert (refused.value.kind, refused.value.retryable) == ("database-unreachable", True)
    with running.superuser() as connection:
        assert connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.user]).fetchone() is None


def test_an_error_of_the_client_library_is_ours(reader, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise psycopg.InterfaceError(CANARY)

    monkeypatch.setattr(module, "taken", broken)
    (answer,) = ask(reader, question("select 1"))
    assert (answer.kind, answer.error) == ("internal", "the client failed: InterfaceError")


def test_a_login_trigger_of_the_backup_changes_nothing(fragile, its_reader):
    """PostgreSQL 17 and later run them for every session, before we can say anything but our startup options."""
    with fragile.superuser("shop") as connection:
        connection.execute(
            "CREATE FUNCTION public.meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM set_config(n, v, false) FROM (VALUES ('row_security', 'on'), ('timezone', 'Asia/Tokyo'), "
            "('datestyle', 'German'), ('intervalstyle', 'postgres'), ('extra_float_digits', '-10'), "
            "('search_path', 'nowhere'), ('statement_timeout', '0'), ('client_encoding', 'LATIN1')) s(n, v); "
            "BEGIN INSERT INTO public.touched VALUES (77); EXCEPTION WHEN read_only_sql_transaction THEN NULL; END; "
            "END $$"
        )
        connection.execute("CREATE EVENT TRIGGER meddle ON login EXECUTE FUNCTION public.meddle()")
        connection.execute("ALTER EVENT TRIGGER meddle ENABLE ALWAYS")
    try:
        sleep, hidden, day, number, span = ask(
            its_reader,
            question(SLEEP, timeout=0.3),
            question("select count(*) from hidden", VALUE, name="hidden"),
            question("select '2026-11-21 20:00+00'::timestamptz::date from orders limit 1", VALUE, name="day"),
            question("select 0.1::float8 + 0.2::float8", VALUE, name="number"),
            question("select max(lasting) from orders", VALUE, name="span"),
        )
    finally:
        with fragile.superuser("shop") as connection:
            connection.execute("DROP EVENT TRIGGER meddle")
            connection.execute("DELETE FROM public.touched")  # a superuser's sessions are triggered as well
    assert (sleep.kind, sleep.seconds < 30) == ("timeout", True)
    assert hidden.sqlstate == "42501"
    assert [a.cells[0].text for a in (day, number, span)] == ["2026-11-21", "0.30000000000000004", "129600"]


class FakeTime:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


def test_a_server_that_is_gone_is_waited_for_once_and_accuses_nobody(fragile, its_reader):
    clock = FakeTime()
    database = Postgres(wait=clock.wait, monotonic=clock.monotonic)
    fragile.stop()
    try:
        answers = ask(its_reader, *(question("select 1", name=n) for n in "abc"), database=database)
    finally:
        fragile.start()
    assert [a.kind for a in answers] == ["database-unreachable"] * 3
    assert all("Connection refused" in a.error for a in answers)
    assert clock.waits == [2.0] * 30


def test_a_server_that_comes_back_is_asked(fragile, its_reader):
    clock = FakeTime()

    def wait(seconds: float) -> None:
        clock.wait(seconds)
        if len(clock.waits) == 3:
            fragile.start()

    fragile.stop()
    (answer,) = ask(its_reader, question("select 1", VALUE), database=Postgres(wait=wait, monotonic=clock.monotonic))
    assert answer.cells == (Cell("number", "1"),)
    assert len(clock.waits) == 3


def test_a_page_that_cannot_be_read_is_damage(fragile, its_reader):
    """Bytes of a real page are destroyed under a server with checksums."""
    with fragile.superuser("shop") as connection:
        connection.execute("SET search_path = public")
        connection.execute("CREATE TABLE damaged AS SELECT n, repeat('x', 100) AS t FROM generate_series(1, 1000) n")
        connection.execute("CHECKPOINT")
        (path,) = connection.execute("SELECT pg_relation_filepath('damaged')").fetchone()
    fragile.stop()
    with (fragile.data / path).open("r+b") as file:
        file.seek(8192 * 2 + 4000)
        file.write(b"\xff" * 64)
    fragile.start()
    value, rows = ask(
        its_reader, question("select sum(length(t)) from damaged", VALUE), question("select t from damaged", name="b")
    )
    for answer in (value, rows):
        assert (answer.kind, answer.sqlstate) == ("data-damaged", "XX001")
        assert re.search(r'invalid page in block 2 of relation "?base/\d+/\d+"?$', answer.error)
