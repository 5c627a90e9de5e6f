"""The role of a restored copy: what it may, what it may not, and whose it must be."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from postgres_shop import fingerprint

from restorecheck.databases import postgres as module
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_role import SETTINGS_OF_MASTER
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Expectation

PASSWORD = "a-password-that-nobody-may-see"

pytestmark = pytest.mark.parametrize("running", ["18", "15"], indirect=True)  # what a role may differs between them


@contextmanager
def role(running, name, *statements):
    """Make a role, as if it had come with the backup, and remove it again."""
    with running.superuser("shop") as connection:
        connection.execute(f"CREATE ROLE {name}")
        for statement in statements:
            connection.execute(statement)
        yield
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


@pytest.fixture
def fresh(running):
    """A login whose role does not exist yet, and is gone after the test."""
    login = running.login("restorecheck_reader_fresh", PASSWORD, "shop")
    yield login
    with running.superuser("shop") as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.user]).fetchone():
            connection.execute(f"DROP OWNED BY {login.user}")
            connection.execute(f"DROP ROLE {login.user}")


def _what(running, user):
    with running.superuser() as connection:
        return connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin, rolconfig, "
            "ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r "
            "WHERE rolname = %s",
            [user],
        ).fetchone()


def test_the_role_is_a_reader_and_nothing_more(running, fresh):
    Postgres().prepare(running.master(), fresh)
    assert _what(running, fresh.user) == (False, False, False, False, False, True, None, ["pg_read_all_data"])
    assert Postgres().knock(fresh)


def test_nothing_else_changes(running, fresh):
    before = fingerprint(running)
    Postgres().prepare(running.master(), fresh)
    after = fingerprint(running)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 1  # the list of roles
    roles = {row[0]: row for row in changed[0][0]}
    assert [row[1] for row in changed[0][1] if roles.get(row[0]) != row] == [fresh.user]


def test_a_second_attempt_adopts_the_role_and_sets_the_password_again(running, fresh):
    Postgres().prepare(running.master(), replace(fresh, password="of-an-attempt-that-died"))
    Postgres().prepare(running.master(), fresh)
    assert Postgres().knock(fresh)
    with pytest.raises(QueryError, match="password authentication failed"):
        Postgres().knock(replace(fresh, password="of-an-attempt-that-died"))


def test_no_password_reaches_the_server_s_log(running, fresh):
    Postgres().prepare(running.master(), fresh)
    log = running.log.read_text()
    assert f'ALTER ROLE "{fresh.user}" LOGIN PASSWORD \'SCRAM-SHA-256$' in log
    assert PASSWORD not in log
    assert PASSWORD not in repr(fresh)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE {} SUPERUSER",
        "ALTER ROLE {} CREATEROLE",
        "ALTER ROLE {} CREATEDB",
        "ALTER ROLE {} REPLICATION",
        "ALTER ROLE {} BYPASSRLS",
        "ALTER ROLE {} SET statement_timeout = 0",
        "GRANT pg_write_all_data TO {}",
        "GRANT master TO {}",
        "CREATE TABLE public.its_own (n integer); ALTER TABLE public.its_own OWNER TO {}",
        "GRANT INSERT ON public.orders TO {}",
        "GRANT CREATE ON SCHEMA archive TO {}",
    ],
)
def test_a_role_of_that_name_that_came_with_the_backup_is_refused(running, fresh, statement):
    with role(running, fresh.user, statement.format(fresh.user)):
        before = fingerprint(running)
        with pytest.raises(QueryError, match="came with the backup") as refused:
            Postgres().prepare(running.master(), fresh)
        assert refused.value.kind == "taken"
        assert not refused.value.retryable
        assert fingerprint(running) == before


def test_a_database_that_is_closed_to_the_public_is_opened_if_the_master_may(running, fresh):
    with running.superuser() as connection:
        connection.execute("CREATE DATABASE closed OWNER master")
        connection.execute("CREATE DATABASE rdsadmin")
        connection.execute("REVOKE ALL ON DATABASE closed, rdsadmin FROM PUBLIC")
    try:
        Postgres().prepare(running.master(), fresh)
        Postgres().prepare(running.master(), fresh)  # also with the grant there
        assert Postgres().knock(replace(fresh, database="closed"))
        with pytest.raises(QueryError, match="permission denied for database") as refused:
            Postgres().knock(replace(fresh, database="rdsadmin"))
        assert (refused.value.kind, refused.value.retryable) == ("login-failed", False)
    finally:
        with running.superuser() as connection:
            connection.execute("DROP DATABASE closed")
            connection.execute("DROP DATABASE rdsadmin")


def test_functions_of_the_backup_do_not_run_with_the_master_s_rights(running, fresh):
    with running.superuser("shop") as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        connection.execute(
            "CREATE FUNCTION public.has_database_privilege(text, oid, text) RETURNS boolean LANGUAGE plpgsql "
            "AS $$ BEGIN INSERT INTO public.touched VALUES (66); RETURN true; END $$"
        )
        try:
            Postgres().prepare(running.master(), fresh)
            assert connection.execute("SELECT count(*) FROM public.touched").fetchone() == (0,)
        finally:
            connection.execute("DROP FUNCTION public.has_database_privilege(text, oid, text)")


def test_a_master_that_may_not_grant_says_so(running, fresh):
    with role(running, "weak", "ALTER ROLE weak LOGIN PASSWORD 'weak'"):
        with pytest.raises(QueryError, match="permission denied to create role") as refused:
            Postgres().prepare(running.login("weak", "weak", "shop"), fresh)
        assert (refused.value.kind, refused.value.retryable) == ("permission", False)
        assert "grant pg_read_all_data" in refused.value.hint


def test_a_role_that_is_made_at_this_moment_by_the_same_run_is_waited_for(running, fresh, monkeypatch):
    monkeypatch.setitem(SETTINGS_OF_MASTER, "lock_timeout", "100")
    with psycopg.connect(
        host="127.0.0.1", port=running.port, user="master", password=running.master().password, dbname="shop"
    ) as twin:
        twin.execute(f"CREATE ROLE {fresh.user}")  # not committed: the other one waits for it
        with pytest.raises(QueryError, match="lock not available") as refused:
            Postgres().prepare(running.master(), fresh)
        twin.rollback()
    assert refused.value.retryable
    assert refused.value.kind == "database-unreachable"


def test_a_role_that_is_changed_at_this_moment_by_the_same_run_is_tried_again(running, fresh):
    """PostgreSQL calls it an internal error, and internal errors are damage elsewhere."""
    Postgres().prepare(running.master(), fresh)
    with (
        ThreadPoolExecutor(1) as pool,
        running.superuser() as watching,
        psycopg.connect(
            host="127.0.0.1", port=running.port, user="master", password=running.master().password, dbname="shop"
        ) as twin,
    ):
        twin.execute(f"ALTER ROLE {fresh.user} LOGIN")  # not committed
        other = pool.submit(Postgres().prepare, running.master(), fresh)
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER ROLE%'"
        deadline = time.monotonic() + 30
        while not watching.execute(waits).fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        twin.commit()
        error = other.exception()
    assert isinstance(error, QueryError)
    assert "SQLSTATE XX000" in error.message
    assert (error.kind, error.retryable) == ("database-unreachable", True)


def test_an_engine_without_the_reading_role_is_refused(running, fresh, monkeypatch):
    monkeypatch.setattr(module, "OLDEST", 99)
    with pytest.raises(QueryError, match="has no role pg_read_all_data") as refused:
        Postgres().prepare(running.master(), fresh)
    assert (refused.value.kind, refused.value.retryable) == ("question", False)


@pytest.mark.parametrize(
    ("change", "kind", "retryable"),
    [
        ({"password": "wrong"}, "login-failed", True),
        ({"user": "nobody"}, "login-failed", True),
        ({"database": "nowhere"}, "missing-object", False),
        ({"port": 1}, "database-unreachable", True),
        ({"host": "nowhere.invalid"}, "database-unreachable", True),
        ({"host": "/tmp"}, "config", False),
        ({"host": ""}, "config", False),
        ({"host": "127.0.0.1,example.org"}, "config", False),
        ({"host": "@abstract"}, "config", False),
    ],
)
def test_a_connection_that_does_not_come_about_has_a_name(running, change, kind, retryable):
    for call in (
        lambda login: Postgres().prepare(login, login),
        lambda login: Postgres().knock(login),
    ):
        with pytest.raises(QueryError) as refused:
            call(replace(running.master(), **change))
        assert (refused.value.kind, refused.value.retryable) == (kind, retryable)
        assert running.master().password not in str(refused.value)
        assert refused.value.__cause__ is None


def test_no_session_outlives_its_call(running, reader):
    Postgres().knock(reader)
    Postgres().ask(reader, [Assertion("a", "select 1", Expectation(no_rows=True))], "s", timedelta(seconds=5))
    deadline = time.monotonic() + 20
    with running.superuser() as connection:  # a backend takes a moment to notice that its client has gone
        sessions = "SELECT pid, state, wait_event, query FROM pg_stat_activity WHERE usename = %s"
        while left := connection.execute(sessions, [reader.user]).fetchall():
            assert time.monotonic() < deadline, left
