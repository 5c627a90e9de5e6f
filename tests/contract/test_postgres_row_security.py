"""Tables with row security: read whole by a role of their own, where that can be had, and owed where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from postgres_probing import looked
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.databases.declared_postgres import DeclaredPostgres
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_deputy import make_deputy
from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.guards import FORCED, NOBODY
from restorecheck.databases.postgres_probes.sight import Sight, Task
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.databases.postgres_role import SETTINGS_OF_MASTER, deputy_name, deputy_of, view_name
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Examined, Expectation, Probe

MASTERS = """
    CREATE TABLE public.touched (n int);
    CREATE FUNCTION public.writes() RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
        $$ BEGIN INSERT INTO public.touched VALUES (1); RETURN true; END $$;
    CREATE FUNCTION public.raises() RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
        $$ BEGIN RAISE EXCEPTION 'data_corrupted' USING ERRCODE = 'XX001'; END $$;
    CREATE TABLE public.plain (id int PRIMARY KEY, note text);
    CREATE TABLE public.walled (id int PRIMARY KEY, note text);
    CREATE TABLE public.parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
    CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE public.member (id serial PRIMARY KEY, "of" int REFERENCES public.walled, part int REFERENCES parts);
    INSERT INTO public.plain SELECT n, 'note ' || n FROM generate_series(1, 500) n;
    INSERT INTO public.walled TABLE public.plain; INSERT INTO public.parts TABLE public.plain;
    INSERT INTO public.member ("of", part) SELECT n, n FROM generate_series(1, 500) n;
"""
OF_APP = """
    CREATE SCHEMA app;
    CREATE TABLE app.walled (id int PRIMARY KEY, note text);
    INSERT INTO app.walled SELECT n, 'note ' || n FROM generate_series(1, 500) n;
    ALTER TABLE app.walled ENABLE ROW LEVEL SECURITY;
    CREATE POLICY none ON app.walled USING (public.writes() AND public.raises())
"""
WALLED = ("public.walled", "public.parts", "public.parts_1", "public.member")
GREEN = {"app.walled", "public.member", "public.parts_1", "public.plain", "public.touched", "public.walled"}
READER = "restorecheck_reader_cafe"
MASTER = "master"


_AS_IT_WAS = f"""
    DROP EVENT TRIGGER IF EXISTS starts, ends; DROP FUNCTION IF EXISTS public.fire;
    DROP SCHEMA IF EXISTS restorecheck_probes CASCADE;
    DROP ROLE IF EXISTS {READER}; DROP ROLE IF EXISTS {deputy_name(READER)};
    ALTER TABLE public.walled NO FORCE ROW LEVEL SECURITY; ALTER TABLE app.walled NO FORCE ROW LEVEL SECURITY;
    ALTER ROLE walled_app NOCREATEROLE; REVOKE pg_signal_backend FROM walled_app;
    INSERT INTO public.walled SELECT * FROM public.plain ON CONFLICT DO NOTHING;
    SELECT setval('public.member_id_seq', 500); DELETE FROM public.touched
"""


@pytest.fixture(scope="module")
def made(running: Server) -> Iterator[Server]:
    """A server with a database `walled`: tables of the master user, and of a role that the master made."""
    with running.superuser() as connection:
        connection.execute("CREATE DATABASE walled OWNER master")
    try:
        with closing(connect(running.master("walled"), BUNDLE, {})) as connection:
            connection.execute(MASTERS)
            for table in WALLED:
                connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())
                connection.execute(f"CREATE POLICY none ON {table} USING (writes() AND raises())".encode())
            connection.execute("CREATE ROLE walled_app LOGIN PASSWORD 'only-for-tests-3'")
            connection.execute("GRANT CREATE ON DATABASE walled TO walled_app")
        with closing(connect(running.login("walled_app", "only-for-tests-3", "walled"), BUNDLE, {})) as connection:
            connection.execute(OF_APP)
        with running.superuser("walled") as connection:
            connection.execute("VACUUM ANALYZE")
        yield running
    finally:
        with running.superuser() as connection:
            connection.execute("DROP DATABASE walled WITH (FORCE)")
            connection.execute("DROP ROLE IF EXISTS walled_app")


@pytest.fixture
def walled(made: Server) -> Iterator[Server]:
    """The same for one test: whatever it makes there is gone after it."""
    yield made
    do(made, *_AS_IT_WAS.split(";"))


@pytest.fixture
def reader(walled: Server) -> Login:
    return walled.login(READER, "a-password-of-the-reader", "walled")


def do(running: Server, *statements: str, database: str = "walled") -> None:
    with running.superuser(database) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def rows(running: Server, query: str, database: str = "walled") -> list[tuple[object, ...]]:
    with running.superuser(database) as connection:
        return connection.execute(query.encode()).fetchall()


def prepare(running: Server, reader: Login, whose: str = MASTER) -> None:
    login = running.master("walled") if whose == MASTER else running.login(SUPERUSER, PASSWORD, "walled")
    for _ in range(2):  # and again, as after a crash
        Postgres().prepare(login, reader, {"walled": ()})


def sight(reader: Login, deputy: Login | None) -> Sight:
    def connected(login: Login) -> psycopg.Connection:
        return connect(login, BUNDLE, SETTINGS)

    return Sight(Probe("readable"), reader, reader, 60.0, lambda: 0.0, lambda _: None, connected, print, 2, deputy)


def owed(found: Examined) -> dict[str, str]:
    return {unseen.object: unseen.reason for unseen in found.unseen if unseen.owed}


@pytest.mark.parametrize("whose", [MASTER, SUPERUSER])
def test_every_row_behind_policies_is_read_and_no_policy_runs(walled: Server, reader: Login, whose: str):
    prepare(walled, reader, whose)
    for name in ("readable", "row_counts"):
        found = looked(name, reader)
        assert (owed(found), found.flaws) == ({}, ())
        assert {m.object: m.rows for m in found.measures} == dict.fromkeys(GREEN, 500) | {"public.touched": 0}
    fingerprints = {m.object: m.fingerprint for m in looked("readable", reader).measures}
    alike = ("app.walled", "public.parts_1", "public.walled")
    assert {fingerprints[name] for name in alike} == {fingerprints["public.plain"]}
    agree = looked("counts_agree", reader)
    assert (agree.count, agree.flaws, agree.unseen) == (5, (), ())
    keys = looked("foreign_keys", reader)
    assert (keys.count, keys.flaws, keys.unseen, keys.rows) == (2, (), (), 1000)
    sequences = looked("sequences", reader)
    assert (sequences.count, sequences.flaws, sequences.unseen) == (1, (), ())
    assert rows(walled, "SELECT * FROM public.touched") == []


@pytest.mark.parametrize("whose", [MASTER, SUPERUSER])
def test_what_is_wrong_behind_policies_is_found(walled: Server, reader: Login, whose: str):
    do(
        walled,
        "SET session_replication_role = replica; DELETE FROM public.walled WHERE id <= 3; RESET ALL",
        "SELECT setval('public.member_id_seq', 1)",
    )
    prepare(walled, reader, whose)
    (flaw,) = looked("foreign_keys", reader).flaws
    assert flaw.message == "3 of 500 rows reference nothing in public.walled"
    assert [f.object for f in looked("sequences", reader).flaws] == ["public.member_id_seq"]
    counts = {m.object: m.rows for m in looked("row_counts", reader).measures}
    assert (counts["public.walled"], counts["app.walled"]) == (497, 500)


def test_row_security_that_is_forced_is_owed_unless_nobody_is_held_by_policies(walled: Server, reader: Login):
    do(walled, *(f"ALTER TABLE {t} FORCE ROW LEVEL SECURITY" for t in ("public.walled", "app.walled")))
    prepare(walled, reader)
    for name in ("readable", "row_counts", "counts_agree"):
        assert set(owed(looked(name, reader)).values()) == {FORCED}
    assert owed(looked("readable", reader)) == {"public.walled": FORCED, "app.walled": FORCED}
    assert owed(looked("foreign_keys", reader)) == {"public.member.member_of_fkey": f"public.walled: {FORCED}"}
    do(walled, "DROP SCHEMA IF EXISTS restorecheck_probes CASCADE", f"DROP ROLE {deputy_name(READER)}")
    prepare(walled, reader, SUPERUSER)
    assert owed(looked("readable", reader)) == {}
    assert rows(walled, "SELECT * FROM public.touched") == []


def test_a_master_user_whom_no_policy_holds_gives_that_away_where_the_server_allows_it(walled: Server, reader: Login):
    do(walled, "ALTER TABLE app.walled FORCE ROW LEVEL SECURITY", "ALTER ROLE master BYPASSRLS")
    try:
        prepare(walled, reader)
    finally:
        do(walled, "ALTER ROLE master NOBYPASSRLS")
    ((version,),) = rows(walled, "SELECT current_setting('server_version_num')::int4")
    expected = {} if int(str(version)) >= 160_000 else {"app.walled": FORCED}
    assert owed(looked("readable", reader)) == expected


def test_an_owner_who_is_more_than_that_lends_nobody_its_rights(walled: Server, reader: Login):
    do(walled, "ALTER ROLE walled_app CREATEROLE")
    prepare(walled, reader)
    assert owed(looked("readable", reader)) == {"app.walled": NOBODY}
    do(walled, "ALTER ROLE walled_app NOCREATEROLE; GRANT pg_signal_backend TO walled_app")
    prepare(walled, reader)
    assert owed(looked("readable", reader)) == {"app.walled": NOBODY}
    memberships = f"""
        SELECT m.roleid::regrole::text FROM pg_auth_members m
        WHERE m.member = '{deputy_name(READER)}'::regrole ORDER BY 1
    """
    assert rows(walled, memberships) == [("pg_read_all_data",)]
    do(walled, "REVOKE pg_signal_backend FROM walled_app")
    prepare(walled, reader)
    assert owed(looked("readable", reader)) == {}
    assert rows(walled, memberships) == [("pg_read_all_data",), ("walled_app",)]


@pytest.mark.parametrize("whose", [MASTER, SUPERUSER])
def test_the_deputy_changes_nothing_through_the_crew(walled: Server, reader: Login, whose: str):
    prepare(walled, reader, whose)
    tries = (
        "INSERT INTO public.touched VALUES (2)",
        "UPDATE app.walled SET note = 'changed'",
        "DELETE FROM app.walled",
        "CREATE TABLE app.mine ()",
        "SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SELECT nextval('public.member_id_seq')",
    )
    tasks = [Task(t, lambda c, t=t: c.execute(t.encode()), as_deputy=True) for t in tries]
    place = sight(reader, deputy_of(reader))
    assert [d.unseen is not None for d in crew.run(place, tasks)] == [True] * len(tries)
    shows = "SELECT current_user, current_setting('row_security'), current_setting('search_path'), \
        current_setting('transaction_read_only'), current_setting('default_transaction_read_only')"
    (done,) = crew.run(place, [Task("me", lambda c: c.execute(shows).fetchone(), as_deputy=True)])
    assert done.value == (deputy_name(READER), "off", "pg_catalog", "on", "on")
    assert rows(walled, "SELECT count(*) FROM app.walled WHERE note = 'changed'") == [(0,)]


def test_the_operator_s_own_query_is_still_the_reader_s(walled: Server, reader: Login):
    prepare(walled, reader, SUPERUSER)
    for table in ("public.walled", "app.walled"):
        question = Assertion("n", f"SELECT count(*) FROM {table}", Expectation())
        [answer] = Postgres().ask(reader, [question], "salt", within=timedelta(seconds=60))
        assert answer.sqlstate == "42501"
    probe = Assertion("all", "", Expectation(), probe=Probe("readable"))
    [answer] = Postgres().ask(reader, [probe], "salt", within=timedelta(seconds=60))
    assert answer.examined
    assert answer.examined.owed == 0


def test_nothing_is_made_where_no_table_has_row_security(running: Server):
    reader = running.login(READER, "a-password-of-the-reader", "calm")
    do(running, "CREATE DATABASE calm OWNER master", database="postgres")
    try:
        Postgres().prepare(running.master("calm"), reader, {"calm": ()})
        assert rows(running, f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{READER}%'", "calm") == [(READER,)]
        assert rows(running, "SELECT FROM pg_namespace WHERE nspname = 'restorecheck_probes'", "calm") == []
    finally:
        do(running, "DROP DATABASE calm WITH (FORCE)", f"DROP ROLE {READER}", database="postgres")


def test_no_code_of_the_backup_runs_while_the_deputy_is_made(walled: Server, reader: Login):
    do(
        walled,
        "CREATE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO public.touched VALUES (9); END $$",
        "CREATE EVENT TRIGGER starts ON ddl_command_start EXECUTE FUNCTION public.fire()",
        "CREATE EVENT TRIGGER ends ON ddl_command_end EXECUTE FUNCTION public.fire()",
    )
    do(walled, "DELETE FROM public.touched")
    prepare(walled, reader)
    assert rows(walled, "SELECT * FROM public.touched WHERE n = 9") == []
    assert rows(walled, "SELECT FROM pg_namespace WHERE nspname = 'restorecheck_probes'") == []
    assert set(owed(looked("readable", reader))) == {"public.walled", "public.parts_1", "public.member"}


def test_a_role_of_that_name_from_the_backup_is_refused(walled: Server, reader: Login):
    for more in ("CREATEDB", "SUPERUSER"):
        do(walled, f"CREATE ROLE {deputy_name(READER)} {more}")
        with pytest.raises(QueryError, match="came with the backup") as e:
            prepare(walled, reader)
        assert e.value.kind == "taken"
        do(walled, f"DROP ROLE {deputy_name(READER)}")


def test_a_view_of_that_name_from_the_backup_is_refused(walled: Server, reader: Login):
    ((oid,),) = rows(walled, "SELECT 'public.walled'::regclass::oid::int8")
    name = view_name(deputy_name(READER), int(str(oid)))
    do(walled, "CREATE SCHEMA restorecheck_probes", f"CREATE VIEW restorecheck_probes.{name} AS SELECT 1 AS id")
    with pytest.raises(QueryError, match="came with the backup") as e:
        prepare(walled, reader)
    assert e.value.kind == "taken"


def test_a_database_that_is_closed_to_the_public_is_opened_to_the_deputy(walled: Server, reader: Login):
    do(walled, "REVOKE CONNECT ON DATABASE walled FROM PUBLIC")
    try:
        prepare(walled, reader)
        assert owed(looked("readable", reader)) == {}
    finally:
        do(walled, "GRANT CONNECT ON DATABASE walled TO PUBLIC", f"DROP OWNED BY {READER}, {deputy_name(READER)}")


def test_a_deputy_that_may_bypass_policies_is_adopted(walled: Server, reader: Login):
    master = walled.login(SUPERUSER, PASSWORD, "walled")
    do(walled, f"CREATE ROLE {deputy_name(READER)} BYPASSRLS")
    with closing(connect(master, BUNDLE, SETTINGS_OF_MASTER)) as connection:
        make_deputy(connection, deputy_of(reader))
    assert rows(walled, f"SELECT rolbypassrls FROM pg_roles WHERE rolname = '{deputy_name(READER)}'") == [(True,)]


def test_without_a_deputy_what_row_security_hides_is_owed(walled: Server, reader: Login):
    Postgres().prepare(walled.master("walled"), reader)
    names = {"app.walled", "public.walled", "public.parts_1", "public.member"}
    assert owed(looked("readable", reader)) == dict.fromkeys(names, NOBODY)


def test_a_declared_server_has_its_deputy_too_and_it_is_gone_with_the_run(
    running: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    declared = DeclaredPostgres(f"postgresql://{SUPERUSER}@127.0.0.1:{running.port}/postgres")
    _restored(running, declared, forced=True)


def test_a_declared_server_without_a_superuser_reads_through_views(running: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGPASSWORD", running.master().password)
    declared = DeclaredPostgres(f"postgresql://master@127.0.0.1:{running.port}/postgres")
    _restored(running, declared, forced=False)


def _restored(running: Server, declared: DeclaredPostgres, *, forced: bool) -> None:
    name, run, user = "restorecheck_run_1", "run-1", f"{READER}_declared"
    login = declared.make(name, run)
    try:
        with closing(connect(login, BUNDLE, {})) as connection:
            connection.execute(MASTERS)
            connection.execute("ALTER TABLE public.walled ENABLE ROW LEVEL SECURITY")
            if forced:
                connection.execute("ALTER TABLE public.walled FORCE ROW LEVEL SECURITY")
        reader = Login(login.host, login.port, user, "a-password-of-the-reader", name)
        declared.admit(reader, run)
        assert deputy_name(user) not in str(declared.left(name, run, user))
        for _ in range(2):
            declared.admit(reader, run, ())
        assert f"the role {deputy_name(user)} is there" in str(declared.left(name, run, user))
        for probe, count in (("readable", 5), ("row_counts", 5), ("counts_agree", 4), ("foreign_keys", 2)):
            found = looked(probe, reader)
            assert (found.count, owed(found), found.flaws) == (count, {}, ())
        others = rows(running, f"SELECT has_table_privilege('{deputy_name(user)}', 'public.orders', 'SELECT')", "shop")
        assert others == [(False,)]
    finally:
        declared.drop(name, run, user)
    assert declared.left(name, run, user) is None
