"""The probe `schema`: the same lines wherever a database was restored, and others for whatever was changed in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from postgres_catalogue import HEALTHY, ORDINARY, Place, fill
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_probes.schema import read
from restorecheck.databases.postgres_probes.schema_text import LONGEST, ascending, line, of_users


@pytest.fixture(scope="module")
def place(running: Server, reader: Login) -> Iterator[Place]:
    """A database of every shape, with settings of its own."""
    made = Place(running, reader)
    fill(running, "drawn_one", HEALTHY)
    made.do("postgres", *ORDINARY.format(name="drawn_one").strip().split("\n"))
    yield made
    made.do("postgres", "DROP DATABASE drawn_one (FORCE)")


def program(place: Place, name: str, database: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        [place.running.binaries / name, "-h", "127.0.0.1", "-p", str(place.running.port), "-U", SUPERUSER, database],
        input=given, env={"PGPASSWORD": PASSWORD, "PGCLIENTENCODING": "UTF8"}, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_dump_that_was_restored_has_the_same_schema(place: Place):
    before = place.look("schema", "drawn_one")
    dump = program(place, "pg_dump", "drawn_one")
    fill(place.running, "loaded_one", "CREATE SCHEMA restorecheck_probes; CREATE TABLE restorecheck_probes.ours ()")
    try:
        program(place, "psql", "loaded_one", dump)
        after = place.look("schema", "loaded_one")
    finally:
        place.do("postgres", "DROP DATABASE loaded_one (FORCE)")
    assert set(before.lines) ^ set(after.lines) == set()
    assert before.lines == after.lines
    assert before.count == len(before.lines) - 3  # the schema public, and the extension plpgsql with its version


def test_a_line_reads_as_the_definition_does(place: Place):
    lines = place.look("schema", "drawn_one").lines
    assert list(lines) == sorted(lines)
    for expected in (
        "column app.customers.name character varying(20) not null",
        "column app.customers.mood app.mood default 'glad'::app.mood",
        "column app.customers.plain text collate app.plain",
        "column app.customers.twice bigint generated stored (1 + 1)",
        "column app.customers.id bigint not null generated always as identity",
        'column Ünï code.Quoted " table.a.b integer not null default nextval(\'"Ünï code".',
        "domain app.positive integer default 1",
        "constraint app.positive.positive_check CHECK ((VALUE > 0))",
        "extension hstore",
        "index app.o2a_customer_idx CREATE INDEX o2a_customer_idx ON app.o2a USING btree (customer DESC NULLS LAST)",
        "policy app.guarded.of_all restrictive for select to public using ((id > 1))",
        "sequence app.down bigint start -1 increment -1 minimum -100 maximum -1 cache 1",
        "sequence app.orders_id_seq integer start 1 increment 1 minimum 1 maximum 2147483647 cache 1 owned by app",
        "table app.customers (id, name, code, mood, many, tags, plain, twice, list, both_of)",
        "table app.guarded (id) row security forced row security",
        "table app.o1 (id, customer, at) partition of app.orders FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (",
        "table public.child (a, b, ref, c) inherits public.parent",
        "trigger app.o1.on_row CREATE TRIGGER on_row BEFORE INSERT ON app.o1 FOR EACH ROW EXECUTE FUNCTION app.o",
        "type app.mood enum ('glad', 'it''s sad')",
        "type app.pair composite (a integer, b text collate pg_catalog.C)",
        "unlogged table public.scratch (a) with (autovacuum_enabled=false, fillfactor=50)",
        "foreign server away wrapper far",
    ):
        assert any(one.startswith(expected) for one in lines), expected
    whole = "\n".join(lines)
    assert "only-a-secret" not in whole
    assert "hstore_in" not in whole  # an extension's own functions
    assert "not ours" not in whole
    assert '"new  name"' in whole  # spaces in a name or a text are no layout
    assert "'two  spaces'" in whole


CHANGES = [
    # what is changed; how a line begins that is gone then; how one begins that is new
    ("ALTER TABLE app.simple DROP COLUMN up", "column app.simple.up integer", "table app.simple (name, code, own)"),
    ("ALTER TABLE app.words ALTER n TYPE bigint", "column app.words.n integer", "column app.words.n bigint"),
    ("ALTER TABLE app.tenths ALTER id SET NOT NULL", "", "column app.tenths.id app.key not null"),
    ("ALTER TABLE app.words ALTER id DROP DEFAULT", "column app.words.id text default", "column app.words.id text"),
    ("ALTER TABLE app.simple DROP CONSTRAINT simple_pkey CASCADE", "constraint app.simple.simple_pkey", ""),
    ("ALTER TABLE app.lines DISABLE TRIGGER later", "trigger app.lines.later", "trigger app.lines.later"),
    ("DROP INDEX app.lines_expression", "index app.lines_expression", ""),
    ("DROP TRIGGER on_row ON app.orders", "trigger app.orders.on_row", ""),
    ("ALTER TABLE app.guarded DISABLE ROW LEVEL SECURITY", "table app.guarded", "table app.guarded"),
    ("DROP POLICY of_all ON app.guarded", "policy app.guarded.of_all", ""),
    ("ALTER TYPE app.mood RENAME VALUE 'glad' TO 'mad'", "type app.mood", "type app.mood enum ('mad'"),
    ("ALTER DOMAIN app.positive DROP CONSTRAINT positive_check", "constraint app.positive", ""),
    ("ALTER TYPE app.pair ADD ATTRIBUTE c text", "type app.pair", "type app.pair composite (a integer"),
    (
        "CREATE OR REPLACE FUNCTION app.f(a integer, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT  a'",
        "function app.f(a integer, b text) returns integer language sql",
        "function app.f(a integer, b text) returns integer language sql",
    ),
    ("DROP AGGREGATE app.sum_of(integer)", "aggregate app.sum_of(integer) returns integer", ""),
    ("DROP PROCEDURE app.nothing()", "procedure app.nothing()", ""),
    ("DROP MATERIALIZED VIEW app.counted", "materialized view app.counted", ""),
    ("DROP VIEW app.shown; CREATE VIEW app.shown AS SELECT 1 AS n", "view app.shown", "view app.shown as SELECT 1"),
    ("DROP EVENT TRIGGER on_event", "event trigger on_event", ""),
    ("DROP RULE kept ON parent", "rule public.parent.kept", ""),
    ("ALTER SEQUENCE app.free INCREMENT 5", "sequence app.free bigint", "sequence app.free bigint"),
    ("DROP STATISTICS app.of_lines", "statistics app.of_lines", ""),
    ("DROP EXTENSION hstore CASCADE", "extension hstore", ""),
    ("DROP CAST (app.mood AS text)", "cast app.mood as text", ""),
    ("DROP PUBLICATION of_lines", "publication of_lines of app.lines", ""),
    ("TRUNCATE app.lines; ALTER TABLE app.orders DETACH PARTITION app.o1", "table app.o1", "table app.o1"),
    ("DROP OPERATOR public.===(integer, integer)", "operator public.===(integer,integer)", ""),
    ("DROP TEXT SEARCH DICTIONARY app.plainly", "text search dictionary app.plainly", ""),
]


def test_every_change_of_a_definition_is_a_difference(place: Place):
    before = set(place.look("schema", "drawn_one").lines)
    with place.running.superuser("drawn_one") as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("BEGIN")
        for change, _, _ in CHANGES:
            connection.execute(change.encode())
        connection.execute("SET LOCAL search_path = pg_catalog")
        after = {one for _, one in read(connection)[1]}
        connection.execute("ROLLBACK")
    lost, new = before - after, after - before
    missed = [
        change
        for change, gone, come in CHANGES
        if (gone and not any(one.startswith(gone) for one in lost))
        or (come and not any(one.startswith(come) for one in new))
    ]
    assert missed == [], lost | new


def test_an_order_of_columns_that_differs_is_a_difference(place: Place):
    fill(place.running, "turned_one", "CREATE TABLE t (gone integer, b integer, a integer); ALTER TABLE t DROP gone")
    try:
        lines = place.look("schema", "turned_one").lines
    finally:
        place.do("postgres", "DROP DATABASE turned_one (FORCE)")
    assert "table public.t (b, a)" in lines


def test_patterns_hold_for_whatever_has_a_schema_and_partitions_go_with_their_table(place: Place):
    lines = place.look("schema", "drawn_one", tables=("app.orders",)).lines
    assert any(one.startswith("table app.o2a ") for one in lines)
    assert not any(one.startswith(("extension", "table app.customers", "schema")) for one in lines)
    without = place.look("schema", "drawn_one", exclude=("app.orders", "app.f")).lines
    assert not any(one.startswith(("table app.o2a ", "function app.f(")) for one in without)
    assert "extension hstore" in without


# --- lines, without a server ----------------------------------------------------------------------------------------


def test_layout_outside_of_quotes_is_no_difference():
    assert line("view v", " SELECT 'a  b',\n    \"c  d\"  FROM t;") == "view v SELECT 'a  b', \"c  d\" FROM t;"


def test_a_line_is_one_line():
    assert line("view v", "SELECT 'a\nb\\n'") == "view v SELECT 'a\\nb\\\\n'"


def test_a_list_of_texts_reads_as_it_does_after_a_restore():
    first = "((x)::text = ANY ((ARRAY['a'::character varying, 'b''c'::character varying])::text[]))"
    again = "((x)::text = ANY (ARRAY[('a'::character varying)::text, ('b''c'::character varying)::text]))"
    assert line("c", first) == line("c", again) == f"c {again}"


def test_a_body_is_kept_as_a_digest_letter_by_letter():
    assert line("function f()", None, "SELECT 1") != line("function f()", None, "SELECT  1")
    assert "SELECT" not in line("function f()", None, "SELECT 1")


def test_a_long_definition_is_cut_and_stays_distinct():
    one, other = line("view v", "x" * 5000 + "1"), line("view v", "x" * 5000 + "2")
    assert one != other
    assert max(len(one), len(other)) <= LONGEST
    assert "5,008 characters" in one


def test_what_every_new_database_has_is_not_counted():
    lines = ascending(["schema public", "schema app", "extension plpgsql", "extension plpgsql version 1.0"])
    assert of_users(lines) == 1
