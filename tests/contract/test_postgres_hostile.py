"""A restored database that means ill: nothing of it runs with the master's rights, nothing bends what a probe says.

Two databases hold the same tables with the same faults. In one, everything that our own SQL might be made to call is
also named like the server's: functions, operators, casts, relations, a schema for our own user.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.databases.postgres_role import SETTINGS_OF_MASTER
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion, Cell, Examined, Expectation, Probe

pytestmark = pytest.mark.parametrize("running", ["18", pytest.param("15", marks=pytest.mark.long)], indirect=True)
"""The older server in the long suite: what it refuses it refuses in the same way."""

USER = "restorecheck_reader_hostile"
NEEDS = ("amcheck", "pg_visibility")
TABLES = ("public.orders", "public.lines", "public.odd")
PROBES = (
    "readable", "row_counts", "counts_agree", "amcheck", "visibility", "foreign_keys", "sequences", "indexes",
    "constraints",
)  # fmt: skip

FAULTY = """
CREATE TABLE orders (id integer PRIMARY KEY, code text, total numeric(12, 2), at timestamptz, feeling letter);
INSERT INTO orders SELECT n, 'c' || n, n * 1.1, '2026-11-21 03:00+00'::timestamptz + n * interval '1 min', 'a'
    FROM generate_series(1, 500) n;
CREATE INDEX by_code ON orders (code, id);
CREATE UNIQUE INDEX by_feeling ON orders (feeling, id);
CREATE TABLE lines (id serial PRIMARY KEY, order_id integer, pieces bigint);
INSERT INTO lines (order_id, pieces) SELECT n, n FROM generate_series(1, 510) n;
ALTER TABLE lines ADD CONSTRAINT to_order FOREIGN KEY (order_id) REFERENCES orders (id) NOT VALID;
SELECT setval('lines_id_seq', 7);
CREATE TABLE odd (n integer, t text);
INSERT INTO odd VALUES (1, 'x'), (2, NULL);
ALTER TABLE odd ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
"""
"""Ten lines without their order, a sequence that is behind, a constraint and a foreign key that nobody validated."""

LIES = """
CREATE FUNCTION touch() RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.touched VALUES (1); RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 0; END $$;
CREATE FUNCTION lied(bigint, anyelement) RETURNS bigint LANGUAGE sql AS 'SELECT 42::bigint + public.touch()';
CREATE FUNCTION count_next(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 42::bigint + public.touch()';
CREATE AGGREGATE count(*) (SFUNC = count_next, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE count(anyelement) (SFUNC = lied, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE sum(bigint) (SFUNC = lied, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE bit_xor(bigint) (SFUNC = lied, STYPE = bigint, INITCOND = '0');
CREATE FUNCTION hash_record_extended(record, bigint) RETURNS bigint LANGUAGE plpgsql
    AS $$ BEGIN RETURN public.touch(); END $$;
CREATE FUNCTION hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT public.touch()::bigint';
CREATE FUNCTION hashint4extended(integer, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT public.touch()::bigint';
CREATE FUNCTION pg_relation_size(oid, text) RETURNS bigint LANGUAGE sql AS 'SELECT public.touch()::bigint';
CREATE FUNCTION pg_relation_size(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT public.touch()::bigint';
CREATE FUNCTION getdatabaseencoding() RETURNS name LANGUAGE sql AS 'SELECT (''LATIN'' || public.touch())::name';
CREATE FUNCTION convert_to(text, name) RETURNS bytea LANGUAGE sql AS 'SELECT (''x'' || public.touch())::bytea';
CREATE FUNCTION current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT public.touch()::text';
CREATE FUNCTION pg_get_expr(pg_node_tree, oid) RETURNS text LANGUAGE sql AS 'SELECT public.touch()::text';
CREATE FUNCTION has_function_privilege(oid, text) RETURNS boolean LANGUAGE sql
    AS 'SELECT public.touch() OPERATOR(pg_catalog.=) 1';
CREATE FUNCTION has_database_privilege(text, oid, text) RETURNS boolean LANGUAGE sql
    AS 'SELECT public.touch() OPERATOR(pg_catalog.=) 1';
CREATE FUNCTION bt_index_check(regclass, boolean) RETURNS void LANGUAGE sql AS 'SELECT public.touch()';
CREATE FUNCTION verify_heapam(regclass) RETURNS SETOF integer LANGUAGE sql AS 'SELECT public.touch()';
CREATE FUNCTION same(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT public.touch() OPERATOR(pg_catalog.=) 1';
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.touch() OPERATOR(pg_catalog.=) 1';
CREATE FUNCTION same(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT public.touch() OPERATOR(pg_catalog.=) 1';
CREATE FUNCTION later(tid, tid) RETURNS boolean LANGUAGE sql AS 'SELECT public.touch() OPERATOR(pg_catalog.=) 1';
CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = integer, RIGHTARG = integer, FUNCTION = same);
CREATE OPERATOR <> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = same);
CREATE OPERATOR >= (LEFTARG = tid, RIGHTARG = tid, FUNCTION = later);
CREATE TABLE pg_class (oid oid, relname name); CREATE TABLE pg_namespace (oid oid);
CREATE TABLE pg_roles (rolname name);
CREATE TABLE pg_index (indexrelid oid); CREATE TABLE pg_constraint (oid oid); CREATE VIEW pg_sequence AS SELECT touch();
CREATE VIEW pg_attribute AS SELECT touch() AS attrelid; CREATE VIEW pg_extension AS SELECT touch() AS oid;
CREATE FUNCTION told(letter) RETURNS text LANGUAGE sql AS 'SELECT ''lie'' || public.touch()';
CREATE CAST (letter AS text) WITH FUNCTION told(letter) AS ASSIGNMENT;
"""

TRAPS = """
CREATE FUNCTION sorted(integer) RETURNS integer IMMUTABLE SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN IF pg_catalog.current_setting('application_name') OPERATOR(pg_catalog.=) 'restorecheck'
        THEN PERFORM public.touch(); END IF; RETURN $1; END $$;
CREATE TABLE trapped (n integer, doubled integer GENERATED ALWAYS AS (sorted(n) * 2) STORED);
INSERT INTO trapped (n) SELECT n FROM generate_series(1, 50) n;
CREATE INDEX on_expression ON trapped (sorted(n));
CREATE INDEX on_part ON trapped (n) WHERE sorted(n) > 10;
CREATE UNIQUE INDEX on_both ON trapped (sorted(n)) WHERE sorted(n) > 10;
CREATE STATISTICS of_expression ON sorted(n), n FROM trapped;
CREATE DOMAIN wary AS integer CHECK (sorted(VALUE) > 0);
CREATE TABLE wary_ones (n wary, many wary[]);
INSERT INTO wary_ones VALUES (1, '{1,2}');
CREATE INDEX on_wary ON wary_ones (n);
CREATE TABLE hidden_ones (n integer);
INSERT INTO hidden_ones VALUES (1);
ALTER TABLE hidden_ones ENABLE ROW LEVEL SECURITY;
ALTER TABLE hidden_ones FORCE ROW LEVEL SECURITY;
CREATE POLICY watching ON hidden_ones USING (sorted(n) > 0);
CREATE TABLE policed (n integer, doubled integer GENERATED ALWAYS AS (sorted(n) * 2) STORED);
INSERT INTO policed (n) VALUES (1), (2);
ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
CREATE POLICY hiding ON policed USING (sorted(n) > 1);
CREATE FUNCTION triggered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.touch(); RETURN NEW; END $$;
CREATE TRIGGER t AFTER UPDATE ON orders EXECUTE FUNCTION triggered();
CREATE MATERIALIZED VIEW kept AS SELECT sorted(n) AS n FROM trapped;
CREATE VIEW looking AS SELECT touch() AS n;
CREATE TABLE partitioned (n integer) PARTITION BY RANGE (sorted(n));
CREATE TABLE part PARTITION OF partitioned FOR VALUES FROM (0) TO (1000);
INSERT INTO partitioned VALUES (5);
"""

OPEN = "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; GRANT ALL ON SCHEMA public TO PUBLIC"


@pytest.fixture(scope="module")
def honest_and_hostile(running: Server) -> Iterator[tuple[Login, Login]]:
    """Readers of two databases with the same tables; the second one means ill."""
    for name in ("honest", "hostile"):
        with running.superuser() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER master")
        with running.superuser(name) as connection:
            connection.execute("ALTER SCHEMA public OWNER TO master")
        master = running.master(name)
        with psycopg.connect(
            host=master.host, port=master.port, user=master.user, password=master.password, dbname=name
        ) as connection:
            connection.execute("SET search_path = public; CREATE TYPE letter AS ENUM ('a', 'b')")
            connection.execute(FAULTY)
            if name == "hostile":
                connection.execute("CREATE TABLE touched (n integer)")
                connection.execute(LIES + TRAPS + OPEN)
                connection.execute(f"CREATE SCHEMA {USER}; CREATE TABLE {USER}.orders (id integer)")
                connection.execute(f"CREATE VIEW {USER}.pg_class AS SELECT public.touch() AS oid")
                connection.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
        with running.superuser(name) as connection:
            connection.execute("VACUUM (FREEZE, ANALYZE)")
    with running.superuser("hostile") as connection:
        connection.execute("TRUNCATE public.touched")
    readers = []
    for name in ("honest", "hostile"):
        readers.append(running.login(USER, "a-password-of-the-reader", name))
        prepared_by = running.login(SUPERUSER, PASSWORD, name)
        Postgres().prepare(prepared_by, readers[-1], {name: NEEDS})
    yield readers[0], readers[1]
    for name in ("honest", "hostile"):
        with running.superuser() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    forget(running, USER)


def forget(running: Server, user: str) -> None:
    """Drop a reader and the roles beside it."""
    with running.superuser() as connection:
        roles = connection.execute("SELECT rolname FROM pg_roles WHERE rolname ~ ('^' || %s)", [user]).fetchall()
        for (role,) in roles:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


def probed(reader: Login, name: str, **keys: tuple[str, ...]) -> Answer:
    nothing = Expectation(equals=Cell("number", "0"))
    question = Assertion(name, "", nothing, probe=Probe(name, **keys), timeout=timedelta(seconds=60))
    (answer,) = Postgres().ask(reader, [question], "salt", timedelta(seconds=60))
    assert answer.error == "", answer
    assert answer.examined
    return answer


def looked(reader: Login, name: str, **keys: tuple[str, ...]) -> Examined:
    found = probed(reader, name, **keys).examined
    assert found
    return found


def touched(running: Server, database: str = "hostile") -> int:
    with running.superuser(database) as connection:
        row = connection.execute("SELECT pg_catalog.count(*)::int4 FROM public.touched").fetchone()
    assert row
    return int(row[0])


def test_the_traps_would_go_off(running, honest_and_hostile):
    """Called by its name and writable, each of them writes; else the tests here would prove nothing."""
    with running.superuser("hostile") as connection:
        connection.execute("SET search_path = public, pg_catalog; SET application_name = 'restorecheck'")
        for query in (
            "SELECT count(*) FROM orders",
            "SELECT pg_relation_size('orders'::regclass)",
            "SELECT current_setting('x')",
            "SELECT 'a'::letter::text",
            "SELECT id FROM orders WHERE id = 1",
            "UPDATE orders SET id = id",
            "SELECT sorted(1)",
            "REINDEX INDEX on_part",
            "INSERT INTO wary_ones VALUES (1)",
        ):
            connection.execute(query)
            assert touched(running) > 0, query
            connection.execute("TRUNCATE touched")
        connection.execute("DELETE FROM wary_ones WHERE many IS NULL")


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_says_the_same_of_the_same_tables_whatever_is_named_like_the_server_s(
    running, honest_and_hostile, name
):
    honest, hostile = (looked(reader, name, tables=TABLES) for reader in honest_and_hostile)
    assert honest.count
    assert (hostile.unit, hostile.count, hostile.flawed, hostile.flaws, hostile.rows) == (
        honest.unit, honest.count, honest.flawed, honest.flaws, honest.rows,
    )  # fmt: skip
    assert hostile.measures == honest.measures
    assert [u.object for u in hostile.unseen] == [u.object for u in honest.unseen]
    assert touched(running) == 0


def test_the_faults_are_seen(honest_and_hostile):
    _, hostile = honest_and_hostile
    seen = {name: looked(hostile, name, tables=TABLES).flawed for name in ("foreign_keys", "sequences", "constraints")}
    assert seen == {"foreign_keys": 10, "sequences": 1, "constraints": 2}


@pytest.mark.parametrize("name", [*PROBES, "schema", "collations", "extensions", "databases", "roles"])
def test_no_probe_runs_what_would_write(running, honest_and_hostile, name):
    _, hostile = honest_and_hostile
    keys: dict[str, tuple[str, ...]] = {"required": ("public.orders",)} if name == "roles" else {}
    if name == "roles":
        nothing = Expectation(equals=Cell("number", "0"))
        question = Assertion(name, "", nothing, probe=Probe(name, role="master", **keys))
        (answer,) = Postgres().ask(hostile, [question], "salt", timedelta(seconds=60))
        assert answer.examined, answer
    else:
        found = looked(hostile, name)
        assert not [f for f in found.flaws if f.kind != "assertion-failed"], found.flaws
        owed = [u for u in found.unseen if u.owed]
        assert {u.object for u in owed} <= {"public.hidden_ones"}, owed  # its policy keeps even a reader out
    assert touched(running) == 0


@pytest.mark.parametrize("name", ["readable", "row_counts"])
def test_a_policy_hides_no_row_from_a_probe_and_is_not_run(running, honest_and_hostile, name):
    _, hostile = honest_and_hostile
    found = looked(hostile, name, tables=("public.policed",))
    assert [(m.object, m.rows) for m in found.measures] == [("public.policed", 2)]
    assert touched(running) == 0


def test_a_question_reads_the_tables_of_the_application_and_not_those_of_a_schema_named_like_our_role(
    honest_and_hostile,
):
    _, hostile = honest_and_hostile
    question = Assertion(
        "a", "select pg_catalog.count(id) from public.orders", Expectation(at_least=Cell("number", "1"))
    )
    (answer,) = Postgres().ask(hostile, [question], "salt", timedelta(seconds=30))
    assert [c.text for c in answer.cells] == ["500"]


# --- what fires by itself -------------------------------------------------------------------------------------------


@pytest.fixture
def firing(running: Server) -> Iterator[Login]:
    """A reader of a database whose event triggers write, and which is gone after the test."""
    with running.superuser() as connection:
        connection.execute("CREATE DATABASE firing OWNER master")
    with running.superuser("firing") as connection:
        connection.execute("CREATE TABLE public.touched (n integer); GRANT ALL ON public.touched TO PUBLIC")
        connection.execute(
            "CREATE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql "
            "AS $$ BEGIN INSERT INTO public.touched VALUES (1); END $$"
        )
    reader = running.login("restorecheck_reader_firing", "a-password-of-the-reader", "firing")
    yield reader
    with running.superuser() as connection:
        connection.execute("DROP DATABASE firing WITH (FORCE)")
    forget(running, reader.user)


@pytest.mark.parametrize(
    ("event", "enabled", "who"),
    [
        ("ddl_command_start", "ENABLE ALWAYS", "superuser"),
        ("ddl_command_start", "ENABLE", "master"),
        ("ddl_command_end", "ENABLE", "superuser"),
        ("ddl_command_end", "ENABLE REPLICA", "superuser"),
        ("ddl_command_end", "ENABLE ALWAYS", "master"),
    ],
)
def test_no_event_trigger_fires_while_the_extensions_are_made(running, firing, event, enabled, who):
    with running.superuser("firing") as connection:
        connection.execute(f"CREATE EVENT TRIGGER fires ON {event} EXECUTE FUNCTION public.fire()")
        connection.execute(f"ALTER EVENT TRIGGER fires {enabled}")
        connection.execute("TRUNCATE public.touched")
    login = running.master("firing") if who == "master" else running.login(SUPERUSER, PASSWORD, "firing")
    Postgres().prepare(login, firing, {"firing": NEEDS})
    assert touched(running, "firing") == 0


@pytest.mark.parametrize("who", ["master", "superuser"])
def test_a_login_trigger_writes_nothing_with_the_master_s_rights(running, firing, who):
    """A database whose login trigger must write lets nobody in who only reads: a run is unproven, and says why."""
    with running.superuser("firing") as connection:
        if connection.info.server_version < 170_000:  # they came with PostgreSQL 17
            with pytest.raises(psycopg.Error, match="login"):
                connection.execute("CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION public.fire()")
            return
        connection.execute("CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION public.fire()")
        connection.execute("ALTER EVENT TRIGGER greets ENABLE ALWAYS")
        connection.execute("TRUNCATE public.touched")
    login = running.master("firing") if who == "master" else running.login(SUPERUSER, PASSWORD, "firing")
    with pytest.raises(QueryError, match="read-only transaction") as refused:
        Postgres().prepare(login, firing, {"firing": NEEDS})
    assert (refused.value.kind, refused.value.retryable) == ("login-failed", False)
    assert _rows_without_login(running) == 0


def test_a_time_limit_that_the_database_brought_along_ends_no_session_of_ours(running, firing):
    """Of 20 ms, and where a login takes longer, so that it would be over before it could be taken off."""
    limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
    with running.superuser("firing") as connection:
        if connection.info.server_version >= 170_000:  # so are login triggers and transaction_timeout
            limits.append("transaction_timeout")
            connection.execute(
                "CREATE OR REPLACE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM pg_sleep(0.1); END $$"
            )
            connection.execute("CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION public.fire()")
            connection.execute("ALTER EVENT TRIGGER greets ENABLE ALWAYS")
        for name in limits:
            connection.execute(f"ALTER DATABASE firing SET {name} = '20ms'")
    if len(limits) == 5:
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            running.superuser("firing")
    Postgres().prepare(running.master("firing"), firing, {"firing": NEEDS})
    assert looked(firing, "readable").count == 1
    for settings, login in ((SETTINGS, firing), (SETTINGS_OF_MASTER, running.master("firing"))):
        with connect(login, BUNDLE, settings) as connection:
            assert {connection.execute(f"SHOW {n}").fetchone() for n in limits} <= {("1min",), ("10s",), ("0",)}


def test_a_login_trigger_that_only_reads_disturbs_nothing(running, firing):
    with running.superuser("firing") as connection:
        if connection.info.server_version < 170_000:  # they came with PostgreSQL 17
            with pytest.raises(psycopg.Error, match="login"):
                connection.execute("CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION public.fire()")
            return
        connection.execute(
            "CREATE OR REPLACE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM set_config('statement_timeout', '0', false), set_config('search_path', 'public', false), "
            "set_config('default_transaction_read_only', 'off', false), set_config('row_security', 'on', false); END $$"
        )
        connection.execute("CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION public.fire()")
        connection.execute("ALTER EVENT TRIGGER greets ENABLE ALWAYS")
    Postgres().prepare(running.master("firing"), firing, {"firing": NEEDS})
    assert looked(firing, "readable").count == 1
    began = time.monotonic()
    slow = Assertion("a", "select pg_sleep(60)", Expectation(no_rows=True), timeout=timedelta(seconds=0.2))
    write = Assertion("b", "select nextval('none')", Expectation(no_rows=True))
    first, _ = Postgres().ask(firing, [slow, write], "salt", timedelta(seconds=60))
    assert first.kind == "timeout"
    assert time.monotonic() - began < 30


def _rows_without_login(running: Server) -> int:
    """Count without firing the trigger once more."""
    with psycopg.connect(
        host="127.0.0.1", port=running.port, user=SUPERUSER, password=PASSWORD, dbname="firing",
        options="-c event_triggers=off",
    ) as connection:  # fmt: skip
        row = connection.execute("SELECT count(*) FROM public.touched").fetchone()
    return int(row[0]) if row else -1
