"""`readable` and `row_counts` on real servers: shapes that are healthy, and data that is not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from postgres_server import Server, embedded, make_master, server

from restorecheck.databases import postgres as module
from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_probes import crew, inventory, readable, reading
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight, Task
from restorecheck.model import Assertion, Cell, Expectation, Probe

NOTHING_WRONG = Expectation(equals=Cell("number", "0"))

SHAPES = """
    CREATE DOMAIN positive AS integer CHECK (value > 0); CREATE DOMAIN more AS positive;
    CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN feeling AS mood;
    CREATE TYPE pair AS (x integer, y text); CREATE DOMAIN paired AS pair; CREATE DOMAIN numbers AS integer[];
    CREATE TABLE shapes (
        id integer, a positive, b more, c mood, d pair, e integer[], f jsonb, g json, h xml, i tsvector, j char(5),
        k name, l "char", m money, n bit(3), o varbit, p point, q int4range, r int4multirange, s interval, t numeric,
        u inet, v macaddr, w regclass, x oid, y bytea, z uuid, aa mood[], ab pair[], ac feeling, ad paired, ae timetz,
        af float8, ag pg_lsn, ah text[], ai more[], ak text, al numbers, am varchar(9), an timestamptz, ao boolean,
        ap bigint, aq date, gone text, doubled integer GENERATED ALWAYS AS (id * 2) STORED
    );
    ALTER TABLE shapes DROP COLUMN gone;
"""
FIRST = """
    (1, 2, 3, 'glad', ROW(1, 'x'), '{1,2}', '{"a": 1}', '{"a":  1}', NULL, 'fat:1', 'ab', 'nm', 'c', '1.5', '101', '1',
    '(1,2)', '[1,3)', '{[1,2)}', '1 mon', 1.50, '10.0.0.1', '08:00:2b:01:02:03', 'pg_class', 7, '\\x00',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{glad}', ARRAY[ROW(1, 'q')::pair], 'sad', ROW(1, 'z'), '10:00+01', 'NaN',
    '0/1', '{x}', '{3}', 'Größe', '{1}', 'v', '2026-01-01 00:00+00', true, 5, '2026-01-01')
"""
CHANGES = (
    "a = 3", "b = 4", "c = 'sad'", "d = ROW(1, 'y')", "e = '{2,1}'", "f = '{\"a\": 2}'", "g = '{\"a\": 1}'",
    "i = 'fat:2'", "j = 'ba'", "k = 'mn'", "l = 'd'", "m = '1.6'", "n = '100'", "o = '11'", "p = '(2,1)'",
    "q = '[1,4)'", "r = '{[1,3)}'", "s = '30 days'", "t = 1.5", "u = '10.0.0.1/31'", "v = '08:00:2b:01:02:04'",
    "w = 'pg_type'", "x = 8", "y = '\\x01'", "z = 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "aa = '{sad}'",
    "ab = NULL", "ac = 'glad'", "ad = ROW(NULL, NULL)", "ae = '10:00+02'", "af = 1", "ag = '0/2'", "ah = '{\"\"}'",
    "ai = '{4}'", "ak = 'Grosse'", "al = '{}'", "am = ''", "an = '2026-01-01 00:00:00.000001+00'", "ao = false",
    "ap = NULL", "aq = '2026-01-02'", "id = 9",
)  # fmt: skip


def look(reader: Login, probe: Probe, *, database="shop", timeout=60.0, beside=None, postgres=None):
    question = Assertion("a", "", NOTHING_WRONG, probe=probe, database=database, timeout=timedelta(seconds=timeout))
    (answer,) = (postgres or Postgres()).ask(reader, [question], "salt", timedelta(hours=1), beside or Beside())
    return answer


def examined(reader: Login, probe: Probe, **more):
    answer = look(reader, probe, **more)
    assert not answer.error, answer
    assert answer.examined
    return answer.examined


def measured(found):
    return {m.object: (m.rows, m.fingerprint) for m in found.measures}


@pytest.fixture(scope="module")
def shapes(running: Server, reader: Login) -> Iterator[str]:
    """A database of healthy tables of many kinds."""
    with running.superuser() as connection:
        connection.execute("CREATE DATABASE shapes")
    with running.superuser("shapes") as connection:
        connection.execute(SHAPES)
        connection.execute(f"INSERT INTO shapes VALUES {FIRST}; INSERT INTO shapes DEFAULT VALUES")
        connection.execute(
            """
            CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; CREATE TABLE empty (n integer);
            CREATE SCHEMA "Ünï.q"; CREATE TABLE "Ünï.q"."my ""t%s" ("c;%s" text);
            INSERT INTO "Ünï.q"."my ""t%s" VALUES ('x');
            CREATE UNLOGGED TABLE quick AS SELECT 1 AS n;
            CREATE TABLE parent (n integer); CREATE TABLE child () INHERITS (parent);
            INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);
            CREATE TABLE events (n integer) PARTITION BY RANGE (n);
            CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (n);
            CREATE TABLE events_1a PARTITION OF events_1 FOR VALUES FROM (0) TO (5);
            CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
            INSERT INTO events VALUES (1), (11), (12);
            CREATE MATERIALIZED VIEW filled AS SELECT 1 AS n;
            CREATE MATERIALIZED VIEW hollow AS SELECT 1 AS n WITH NO DATA;
            CREATE VIEW seen AS SELECT 1 AS n;
            CREATE FOREIGN DATA WRAPPER none; CREATE SERVER far FOREIGN DATA WRAPPER none;
            CREATE FOREIGN TABLE away (n integer) SERVER far;
            CREATE TABLE long (n integer, t text); ALTER TABLE long ALTER t SET STORAGE EXTERNAL;
            INSERT INTO long SELECT n, repeat(n::text, 5000) FROM generate_series(1, 50) n;
            SELECT lo_from_bytea(4711, 'a large object');
            CREATE TEMPORARY TABLE mine (n integer);
            """
        )
        yield "shapes"


def test_everything_that_holds_rows_is_read_and_everything_else_is_told(reader, shapes):
    found = examined(reader, Probe("readable"), database=shapes)
    assert {name: rows for name, (rows, _) in measured(found).items()} == {
        "large objects": 1, "public.shapes": 2, "public.nothing": 1, "public.empty": 0, '"Ünï.q"."my ""t%s"': 1,
        "public.parent": 1, "public.child": 2, "public.events_1a": 1, "public.events_2": 2,
        "public.filled": 1, "public.long": 50,
    }  # fmt: skip
    assert (found.count, found.flawed, found.owed, found.left_out, found.rows) == (12, 0, 0, 0, 63)
    assert found.bytes > 50 * 5000
    assert [(u.object, u.owed) for u in found.unseen] == [("public.away", False), ("public.hollow", False)]
    assert "1 unlogged table(s) come back empty from every physical backup" in found.remarks
    assert [m.object for m in found.measures] == sorted(m.object for m in found.measures)


def test_rows_are_counted_without_any_index(running, reader, shapes):
    found = examined(reader, Probe("row_counts", tables=("public.events", "public.nothing")), database=shapes)
    assert measured(found) == {"public.events_1a": (1, ""), "public.events_2": (2, ""), "public.nothing": (1, "")}
    assert (found.count, found.left_out, found.rows) == (3, 8, 4)
    with running.superuser("shop") as connection:
        connection.execute("SET enable_seqscan = off")
        (many,) = inventory.tables(connection, Probe("row_counts", tables=("public.orders",))).tables
        for query in (reading.counting, reading.hashing):
            plan = connection.execute(b"EXPLAIN " + query(reading.pieces(many)[0]).as_bytes(connection)).fetchall()
            assert any("Tid Range Scan on orders" in line for (line,) in plan), plan


def test_every_changed_value_changes_the_fingerprint_and_the_order_of_rows_does_not(running, reader, shapes):
    only = Probe("readable", tables=("public.shapes",))
    before = measured(examined(reader, only, database=shapes))
    with running.superuser(shapes) as connection:
        for change in CHANGES:
            connection.execute("BEGIN")
            connection.execute(f"UPDATE shapes SET {change} WHERE id = 1".encode())
            assert fingerprint(connection, only) != before["public.shapes"][1], change
            connection.execute("ROLLBACK")
        connection.execute("UPDATE shapes SET a = a WHERE id = 1")  # now behind the other row
    assert measured(examined(reader, only, database=shapes)) == before


def fingerprint(connection, probe):
    (table,) = inventory.tables(connection, probe).tables
    ((rows, total, xor),) = connection.execute(reading.hashing(reading.pieces(table)[0])).fetchall()
    return reading.Sums(rows, int(total), xor).fingerprint


def test_pieces_come_to_the_same_as_the_whole(reader, shapes, monkeypatch):
    only = Probe("readable", tables=("public.long",))
    whole = measured(examined(reader, only, database=shapes))
    monkeypatch.setattr(reading, "PIECE", 8192)
    assert measured(examined(reader, only, database=shapes)) == whole


def test_what_is_left_out_is_counted(reader, shapes):
    found = examined(reader, Probe("readable", exclude=("public.events", "no.such")), database=shapes)
    assert (found.count, found.left_out) == (10, 2)
    assert "no table is called like 'no.such', which is to be left out" in found.remarks
    found = examined(reader, Probe("readable", tables=("large objects",)), database=shapes)
    assert (found.count, found.left_out) == (1, 11)
    found = examined(reader, Probe("readable", tables=("public.empty",)), database=shapes)
    assert (found.count, found.left_out) == (1, 11)  # the large objects among them


def test_a_pattern_that_names_nothing_is_a_wrong_question(reader, shapes):
    answer = look(reader, Probe("readable", tables=("public.empty", "public.ordres")), database=shapes)
    assert (answer.kind, answer.error) == ("question", "no table is called like 'public.ordres'")


def test_rows_that_a_policy_would_hide_were_not_read(running, reader):
    found = examined(reader, Probe("readable", tables=("public.hidden", "public.many")))
    (unseen,) = found.unseen
    assert (unseen.object, unseen.owed) == ("public.hidden", True)
    assert unseen.reason == "row security is on it: nobody here may read all of it"
    assert found.count == 1


def test_time_that_is_over_is_told_of_every_table(reader, shapes):
    answer = look(reader, Probe("readable"), database=shapes, timeout=0.0)
    assert (answer.kind, answer.error) == ("could-not-look", f"the list of tables: {crew.OVER}")


def test_progress_is_told(reader, shapes):
    class Clock:
        now = 0.0

        def __call__(self):
            self.now += 0.5
            return self.now

    lines = []
    examined(
        reader, Probe("readable"), database=shapes, timeout=600, beside=Beside(tell=lines.append),
        postgres=Postgres(monotonic=Clock()),
    )  # fmt: skip
    assert any(line.startswith("readable: ") and " of 12 tables" in line for line in lines)


# --- hostile, damaged, crashing: a server of its own -----------------------------------------------------------------


@pytest.fixture(scope="module")
def fragile() -> Iterator[Server]:
    with server(embedded()) as made:
        make_master(made)
        yield made


@pytest.fixture(scope="module")
def its_reader(fragile: Server) -> Login:
    login = fragile.login("restorecheck_reader_1", "another-password", "shop")
    Postgres().prepare(fragile.master(), login)
    return login


def fresh(running: Server, name: str, script: str, options: str = "") -> str:
    with running.superuser() as connection:
        connection.execute(f"CREATE DATABASE {name} {options}".encode())
    with running.superuser(name) as connection:
        connection.execute("SET client_encoding = 'UTF8'")
        connection.execute(script.encode())
    return name


def test_a_database_that_imitates_the_system_is_read_all_the_same(fragile, its_reader):
    healthy = """
        CREATE TYPE pair AS (x integer); CREATE TABLE t (n integer, s text, p pair);
        INSERT INTO t VALUES (1, 'x', ROW(1));
        """
    hostile = (
        healthy
        + """
        CREATE FUNCTION public.convert_to(text, name) RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea';
        CREATE FUNCTION public.hash_record_extended(record, integer) RETURNS bigint LANGUAGE plpgsql
            AS 'BEGIN RETURN 0; END';
        CREATE FUNCTION public.count() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
        CREATE FUNCTION public.lies(pair) RETURNS text LANGUAGE sql AS $$SELECT 'lie'$$;
        CREATE CAST (pair AS text) WITH FUNCTION public.lies(pair) AS IMPLICIT;
        CREATE FUNCTION public.never(tid, tid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR public.>= (LEFTARG = tid, RIGHTARG = tid, FUNCTION = public.never);
        CREATE TABLE public.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;
        ALTER DATABASE hostile SET search_path = public, pg_catalog; ALTER DATABASE hostile SET enable_tidscan = off;
        ALTER DATABASE hostile SET bytea_output = 'escape'; ALTER DATABASE hostile SET extra_float_digits = -15;
        """
    )
    only = Probe("readable", tables=("public.t",))
    plain = measured(examined(its_reader, only, database=fresh(fragile, "plain", healthy)))
    assert measured(examined(its_reader, only, database=fresh(fragile, "hostile", hostile))) == plain
    assert plain["public.t"][0] == 1


@pytest.mark.parametrize(
    ("encoding", "word", "remark"),
    [("LATIN1", "Größe", "every byte is a character"), ("SQL_ASCII", "plain", "no encoding"), ("EUC_JP", "語", "")],
)
def test_a_database_of_another_encoding_is_read(fragile, its_reader, encoding, word, remark):
    name = fresh(
        fragile,
        f"in_{encoding.lower()}",
        f"CREATE TABLE t (s text, c char(9), j json); INSERT INTO t VALUES ('{word}', '{word}', '[\"{word}\"]')",
        f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0",
    )
    found = examined(its_reader, Probe("readable"), database=name)
    assert (found.count, found.flawed, found.owed) == (1, 0, 0)
    assert len(found.remarks) == bool(remark)
    assert remark in "".join(found.remarks)


def test_settings_that_hide_damage_are_told(fragile, its_reader):
    name = fresh(
        fragile,
        "blind",
        "CREATE TABLE t (n integer); ALTER DATABASE blind SET zero_damaged_pages = on",
    )
    found = examined(its_reader, Probe("readable"), database=name)
    assert found.owed == found.unseen_count == 1
    assert "zero_damaged_pages is on" in found.unseen[0].reason


def test_of_an_extension_s_tables_only_those_for_data_of_users_are_read(fragile, its_reader):
    name = fresh(
        fragile,
        "extended",
        """
        CREATE EXTENSION lo; CREATE TABLE config (n integer); CREATE TABLE internal (n integer);
        CREATE TABLE jobs (n integer); ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
        ALTER EXTENSION lo ADD TABLE config; ALTER EXTENSION lo ADD TABLE internal; ALTER EXTENSION lo ADD TABLE jobs;
        UPDATE pg_extension SET extconfig = ARRAY['config'::regclass, 'jobs'::regclass]::oid[] WHERE extname = 'lo'
        """,
    )
    found = examined(its_reader, Probe("readable"), database=name)
    assert measured(found).keys() == {"public.config"}
    assert [(u.object, u.owed) for u in found.unseen] == [("public.jobs", False)]
    assert (found.owed, found.left_out) == (0, 0)


def test_a_session_that_cannot_be_set_up_is_an_answer(its_reader, monkeypatch):
    monkeypatch.setattr(module, "FORMATS", "SET no_such_setting = 1")
    answer = look(its_reader, Probe("readable"), postgres=Postgres(patience=timedelta(0)))
    assert answer.kind == "database-unreachable"
    assert answer.error.startswith("the server did not answer: the server refused with SQLSTATE 42704")


def test_a_table_that_the_catalogue_lost_is_damage(fragile, its_reader):
    name = fresh(
        fragile,
        "lost",
        "CREATE TABLE t (n integer); CREATE TABLE gone (n integer); DELETE FROM pg_class WHERE relname = 'gone'",
    )
    found = examined(its_reader, Probe("readable"), database=name)
    assert (found.count, found.flawed, found.flaws[0].kind) == (1, 1, "data-damaged")
    assert found.flaws[0].message.startswith("1 relation(s) have columns in the catalogue")


def test_a_server_without_checksums_says_what_reading_does_not_show():
    assert readable._remarks("UTF8", checksums=True) == []
    assert "page checksums are off" in readable._remarks("UTF8", checksums=False)[0]


def test_values_that_are_not_what_their_type_allows_are_damage(fragile, its_reader):
    """Bytes of no encoding, in a text and inside others, and an enum label that is gone: all pass count(*)."""
    name = fresh(
        fragile,
        "wrong",
        """
        CREATE CAST (bytea AS text) WITHOUT FUNCTION;
        CREATE TYPE mood AS ENUM ('glad', 'sad');
        CREATE TABLE in_text AS SELECT '\\x4142ff43'::bytea::text AS t;
        CREATE TABLE in_array AS SELECT ARRAY['\\x4142ff43'::bytea::text] AS t;
        CREATE TABLE in_domain (t varchar(9)); INSERT INTO in_domain SELECT t FROM in_text;
        CREATE TABLE in_char (t char(9)); INSERT INTO in_char SELECT t FROM in_text;
        CREATE TABLE in_enum AS SELECT 'sad'::mood AS m; DELETE FROM pg_enum WHERE enumlabel = 'sad';
        CREATE TABLE right_one AS SELECT 'fine'::text AS t;
        """,
    )
    found = examined(its_reader, Probe("readable"), database=name)
    assert sorted(flaw.object for flaw in found.flaws) == [
        "public.in_array", "public.in_char", "public.in_domain", "public.in_enum", "public.in_text",
    ]  # fmt: skip
    assert {flaw.kind for flaw in found.flaws} == {"data-damaged"}
    assert not any("41" in flaw.message or "AB" in flaw.message for flaw in found.flaws)
    assert measured(found).keys() == {"public.right_one"}
    assert examined(its_reader, Probe("row_counts"), database=name).flawed == 0


def test_damaged_pages_are_named_and_the_rest_is_read(fragile, its_reader, monkeypatch):
    name = fresh(
        fragile,
        "torn",
        """
        CREATE TABLE wide AS SELECT n, repeat('x', 1000) AS t FROM generate_series(1, 140) n;
        CREATE TABLE long (t text); ALTER TABLE long ALTER t SET STORAGE EXTERNAL;
        INSERT INTO long SELECT repeat('y', 6000) FROM generate_series(1, 10);
        CREATE TABLE fine AS SELECT 1 AS n; CHECKPOINT
        """,
    )
    with fragile.superuser(name) as connection:
        ((wide, toast),) = connection.execute(
            "SELECT pg_relation_filepath('wide'), pg_relation_filepath(reltoastrelid) "
            "FROM pg_class WHERE relname = 'long'"
        ).fetchall()
    fragile.stop()
    for path, size in ((wide, 64), (toast, 8192)):
        with (fragile.data / path).open("r+b") as file:
            file.seek(8192 * 7)
            file.write((b"\xff" if size == 64 else b"\0") * size)
    fragile.start()
    monkeypatch.setattr(reading, "PIECE", 5 * 8192)
    found = examined(its_reader, Probe("readable"), database=name)
    by_name = {flaw.object: flaw for flaw in found.flaws}
    assert by_name.keys() == {"public.wide", "public.long"}
    assert by_name["public.wide"].message.endswith("(blocks 5 to 9)")
    assert "missing chunk number" in by_name["public.long"].message or "XX00" in by_name["public.long"].message
    assert measured(found).keys() == {"public.fine"}
    assert 100 < found.rows < 151  # what is in the other pieces was read
    assert [f.object for f in examined(its_reader, Probe("row_counts"), database=name).flaws] == ["public.wide"]


def sight_of(login: Login, at_once: int) -> Sight:
    sessions = Postgres(wait=lambda _: time.sleep(0.1))
    until = time.monotonic() + 60

    def connect(who):
        return sessions._asking.reached(lambda: sessions._session(who), until, 30.0)

    return Sight(Probe("readable"), login, login, until, time.monotonic, time.sleep, connect, print, at_once)


def test_a_backend_that_crashes_while_it_reads_is_damage_and_its_neighbours_are_read(fragile, its_reader):
    at_work = threading.Event()

    def crash(connection):
        assert at_work.wait(20)
        os.kill(connection.info.backend_pid, signal.SIGSEGV)
        return connection.execute("SELECT pg_sleep(30)").fetchone()

    tries = iter(range(9))

    def neighbour(connection):
        if next(tries) == 0:
            at_work.set()
            connection.execute("SELECT pg_sleep(30)")
        return connection.execute("SELECT 1").fetchone()

    tasks = [Task("public.bad", crash, 3), Task("public.good", neighbour, 2), Task("public.later", lambda _: (1,))]
    bad, good, later = crew.run(sight_of(its_reader, 2), tasks)
    assert bad.flaw
    assert (bad.flaw.kind, bad.flaw.message) == (
        "connection-lost", "the server broke off while it read public.bad, twice",
    )  # fmt: skip
    assert (good.value, later.value) == ((1,), (1,))


def test_the_transaction_of_a_task_cannot_write(fragile, its_reader):
    def write(connection):
        connection.execute("SET TRANSACTION READ WRITE")

    (done,) = crew.run(sight_of(its_reader, 1), [Task("a", write)])
    assert done.unseen
    assert "25001" in done.unseen.reason


def test_a_probe_that_cannot_list_the_tables_gives_up(fragile, its_reader):
    name = fresh(fragile, "listless", "CREATE TABLE t (n integer)")
    with fragile.superuser(name) as connection:
        connection.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        sight = sight_of(Login(its_reader.host, its_reader.port, its_reader.user, its_reader.password, name), 1)
        with pytest.raises(GaveUpError) as gave_up:
            crew.one(sight, "a lock", lambda c: c.execute("SET LOCAL lock_timeout = 50; SELECT count(*) FROM public.t"))
    assert gave_up.value.kind == "could-not-look"
    assert "55P03" in gave_up.value.message
