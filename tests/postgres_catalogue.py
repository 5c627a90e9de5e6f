"""A healthy database in every shape that a look at the catalogue must leave in peace, and one that is broken in each.

The healthy one is hostile too: it holds tables, functions and operators that are named like PostgreSQL's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from postgres_server import Server

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_probes import (
    collations,
    constraints,
    databases,
    extensions,
    foreign_keys,
    indexes,
    roles,
    schema,
    sequences,
)
from restorecheck.databases.postgres_probes.sight import Sight
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.model import Examined, Probe

HEALTHY = """
SET check_function_bodies = off;
CREATE EXTENSION hstore;
CREATE SCHEMA app;
CREATE SCHEMA "Ünï code";
CREATE TYPE app.mood AS ENUM ('glad', 'it''s sad');
CREATE TYPE app.pair AS (a integer, b text COLLATE "C");
CREATE DOMAIN app.positive AS integer DEFAULT 1 CHECK (value > 0);
CREATE DOMAIN app.key AS bigint;
CREATE TYPE app.floatrange AS RANGE (subtype = float8);
CREATE COLLATION app.plain (provider = libc, locale = 'C');
CREATE FUNCTION app.f(a integer, b text DEFAULT 'x') RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT a';
CREATE FUNCTION app.on_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app.on_event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE app.nothing() LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE app.sum_of(integer) (sfunc = int4pl, stype = integer, initcond = '0');

CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(20) NOT NULL CHECK (name IN ('a', 'b', 'c''d')),
    code char(2) CHECK (code IN ('aa', 'bb')), mood app.mood UNIQUE DEFAULT 'glad', many app.positive,
    tags hstore, plain text COLLATE app.plain UNIQUE, dropped integer,
    twice bigint GENERATED ALWAYS AS (1 + 1) STORED, list integer[] UNIQUE, both_of app.pair UNIQUE,
    UNIQUE (name, code), EXCLUDE USING btree (code WITH =)
);
ALTER TABLE app.customers DROP COLUMN dropped;
INSERT INTO app.customers (name, code, mood, plain, list, both_of)
VALUES ('a', 'aa', 'glad', 'one', '{1}', (1, 'x')), ('b', 'bb', 'it''s sad', 'two', '{2}', (NULL, NULL));
CREATE TABLE app.everything (
    domain_key app.key REFERENCES app.customers, small integer REFERENCES app.customers (id),
    mood app.mood REFERENCES app.customers (mood), plain text COLLATE "default" REFERENCES app.customers (plain),
    list integer[] REFERENCES app.customers (list), both_of app.pair REFERENCES app.customers (both_of),
    name varchar(20), code char(2), FOREIGN KEY (name, code) REFERENCES app.customers (name, code) MATCH FULL
);
INSERT INTO app.everything VALUES
    (1, 2, 'glad', 'one', '{1}', (NULL, NULL), 'a', 'aa'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE app.simple (
    name varchar(20), code char(2), own integer PRIMARY KEY, up integer REFERENCES app.simple,
    FOREIGN KEY (name, code) REFERENCES app.customers (name, code)
);
INSERT INTO app.simple VALUES ('nobody', NULL, 1, NULL), ('a', 'aa', 2, 1);

CREATE TABLE app.orders (id serial, customer bigint REFERENCES app.customers, at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.o1 PARTITION OF app.orders FOR VALUES FROM ('2026-01-01 UTC') TO ('2026-07-01 UTC');
CREATE TABLE app.o2 PARTITION OF app.orders DEFAULT PARTITION BY LIST (id);
CREATE TABLE app.o2a PARTITION OF app.o2 DEFAULT;
CREATE INDEX ON app.orders (customer DESC NULLS LAST) WHERE customer IS NOT NULL;
INSERT INTO app.orders (customer, at) VALUES (1, '2026-03-01 UTC'), (2, '2026-09-01 UTC');
CREATE TABLE app.lines (o integer, at timestamptz, FOREIGN KEY (o, at) REFERENCES app.orders (id, at));
INSERT INTO app.lines SELECT id, at FROM app.orders;
CREATE INDEX lines_expression ON app.lines (app.f(o), (o + 1)) INCLUDE (at) WITH (fillfactor = 70);
CREATE STATISTICS app.of_lines (dependencies) ON o, at FROM app.lines;
CREATE TRIGGER on_row BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.on_row();
ALTER TABLE app.o1 DISABLE TRIGGER on_row;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON app.lines DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.on_row();
CREATE EVENT TRIGGER on_event ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION app.on_event();

CREATE TABLE parent (a integer PRIMARY KEY, b integer CHECK (b > 0), ref integer REFERENCES parent);
CREATE TABLE child (c integer) INHERITS (parent);
INSERT INTO parent VALUES (1, 1, 1);
INSERT INTO child VALUES (7, 1, 99, 1);
CREATE UNLOGGED TABLE scratch (a integer[]) WITH (fillfactor = 50, autovacuum_enabled = false);
CREATE TABLE "Ünï code"."Quoted "" table" ("a.b" serial PRIMARY KEY, "select" text, up integer
    REFERENCES "Ünï code"."Quoted "" table");
INSERT INTO "Ünï code"."Quoted "" table" (up) VALUES (1);
CREATE VIEW app.shown WITH (security_barrier) AS SELECT id, name AS "new  name", 'two  spaces' AS t,
    CASE WHEN name IN ('a', 'b') THEN 1 END AS c FROM app.customers c WHERE c.name = ANY (ARRAY['a', 'b']);
CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) FROM app.customers;
CREATE RULE kept AS ON DELETE TO parent DO INSTEAD NOTHING;
CREATE TABLE app.guarded (id integer);
ALTER TABLE app.guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_all ON app.guarded AS RESTRICTIVE FOR SELECT TO public USING (id > 1);
CREATE CAST (app.mood AS text) WITH INOUT AS ASSIGNMENT;
CREATE FOREIGN DATA WRAPPER far;
CREATE SERVER away FOREIGN DATA WRAPPER far OPTIONS (password 'only-a-secret');
CREATE FOREIGN TABLE app.elsewhere (a integer) SERVER away;
CREATE TEXT SEARCH CONFIGURATION app.words (COPY = pg_catalog.english);
CREATE TEXT SEARCH DICTIONARY app.plainly (template = pg_catalog.simple, stopwords = english);
SET client_min_messages = error;
CREATE PUBLICATION of_lines FOR TABLE app.lines;
RESET client_min_messages;

CREATE SEQUENCE app.free;
CREATE SEQUENCE app.unused;
CREATE SEQUENCE app.round MINVALUE 1 MAXVALUE 3 CYCLE;
CREATE TABLE app.rounds (id integer DEFAULT nextval('app.round'));
INSERT INTO app.rounds SELECT nextval('app.round') FROM generate_series(1, 7);
CREATE SEQUENCE app.down INCREMENT -1 START -1 MINVALUE -100 MAXVALUE -1;
CREATE TABLE app.downs (id numeric DEFAULT nextval('app.down'));
INSERT INTO app.downs DEFAULT VALUES;
CREATE SEQUENCE app.tenth INCREMENT 10 START 1;
CREATE TABLE app.tenths (id app.key DEFAULT nextval('app.tenth'));
INSERT INTO app.tenths VALUES (1), (2), (502);
SELECT setval('app.tenth', 1);
CREATE SEQUENCE app.worded;
CREATE TABLE app.words (id text DEFAULT 'A' || nextval('app.worded'), n integer);
ALTER SEQUENCE app.worded OWNED BY app.words.n;
INSERT INTO app.words (n) VALUES (50);
CREATE SEQUENCE app.left_behind;
CREATE TABLE app.moved (id integer DEFAULT nextval('app.free'));
ALTER SEQUENCE app.left_behind OWNED BY app.moved.id;
INSERT INTO app.moved DEFAULT VALUES;
CREATE TABLE app.untouched (id smallserial PRIMARY KEY);
CREATE SEQUENCE app.spent AS bigint;
CREATE TABLE app.spends (id bigint DEFAULT nextval('app.spent'));
INSERT INTO app.spends VALUES (9223372036854775807);
SELECT setval('app.spent', 9223372036854775807);

CREATE OPERATOR public.= (leftarg = name, rightarg = name, function = namene);
CREATE OPERATOR public.=== (leftarg = integer, rightarg = integer, function = int4eq);
CREATE OPERATOR public.>= (leftarg = integer, rightarg = integer, function = int4lt);
CREATE FUNCTION public.concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT ''not ours''';
CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 99::bigint';
CREATE TABLE public.pg_class (oid integer);
CREATE TABLE public.pg_constraint (oid integer);
"""

ORDINARY = """
ALTER DATABASE {name} SET search_path = public, pg_catalog;
ALTER DATABASE {name} SET enable_seqscan = off;
ALTER DATABASE {name} SET datestyle = 'SQL, DMY';
ALTER DATABASE {name} SET quote_all_identifiers = on;
"""

BROKEN = """
CREATE SCHEMA "Ünï code";
CREATE TABLE goods (id integer PRIMARY KEY, part integer, UNIQUE (id, part));
INSERT INTO goods SELECT n, n FROM generate_series(1, 100) n;
CREATE TABLE bought (good integer REFERENCES goods, a integer, b integer,
    CONSTRAINT all_or_none FOREIGN KEY (a, b) REFERENCES goods (id, part) MATCH FULL);
INSERT INTO bought SELECT n, n, n FROM generate_series(1, 100) n;
CREATE TABLE "Ünï code"."It's" ("a.b" integer CONSTRAINT "to goods" REFERENCES goods);
INSERT INTO "Ünï code"."It's" VALUES (1), (100);
CREATE TABLE parted (id integer, good integer REFERENCES goods) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted VALUES (1, 1), (2, 100);
CREATE TABLE of_old (good integer);
INSERT INTO of_old VALUES (555), (1);
ALTER TABLE of_old ADD CONSTRAINT since_then FOREIGN KEY (good) REFERENCES goods NOT VALID;
SET session_replication_role = replica;
DELETE FROM goods WHERE id > 98;
INSERT INTO bought VALUES (1, 1, NULL);
RESET session_replication_role;

CREATE SEQUENCE ticket;
CREATE TABLE tickets (id integer DEFAULT nextval('ticket'), owner serial, own integer GENERATED BY DEFAULT AS IDENTITY);
INSERT INTO tickets SELECT FROM generate_series(1, 12);
SELECT setval('ticket', 1, false), setval('tickets_owner_seq', 11), setval('tickets_own_seq', 12);
CREATE TABLE "Ünï code".mails (id serial) PARTITION BY LIST (id);
CREATE TABLE "Ünï code".mails_any PARTITION OF "Ünï code".mails DEFAULT;
INSERT INTO "Ünï code".mails DEFAULT VALUES;
SELECT setval('"Ünï code".mails_id_seq', 1, false);
CREATE SEQUENCE down INCREMENT -2 START -1 MINVALUE -100 MAXVALUE -1;
CREATE TABLE downs (id numeric DEFAULT nextval('down')::integer);
INSERT INTO downs VALUES (-1), (-9);
SELECT setval('down', -7);

CREATE INDEX parted_good ON ONLY parted (good);
CREATE INDEX bought_good ON bought (good);
CREATE INDEX bought_a ON bought (a);
CREATE INDEX bought_b ON bought (b);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bought_good'::regclass;
UPDATE pg_index SET indisready = false WHERE indexrelid = 'bought_a'::regclass;
UPDATE pg_index SET indislive = false WHERE indexrelid = 'bought_b'::regclass;

ALTER TABLE bought ADD CONSTRAINT positive CHECK (a > 1) NOT VALID;
CREATE DOMAIN small AS integer;
CREATE TABLE smalls (n small);
ALTER DOMAIN small ADD CONSTRAINT below CHECK (value < 10) NOT VALID;
CREATE MATERIALIZED VIEW never AS SELECT 1 AS n WITH NO DATA;
"""

BROKEN_18 = """
CREATE TABLE loose (good integer CONSTRAINT in_name_only REFERENCES goods NOT ENFORCED, n integer);
INSERT INTO loose VALUES (999, NULL);
ALTER TABLE loose ADD CONSTRAINT there NOT NULL n NOT VALID;
CREATE TABLE rooms (id integer, during tstzrange, EXCLUDE USING btree (id WITH =));
"""

LOOKS: dict[str, Callable[[Sight], Examined]] = {
    "schema": schema.look,
    "foreign_keys": foreign_keys.look,
    "sequences": sequences.look,
    "indexes": indexes.look,
    "constraints": constraints.look,
    "collations": collations.look,
    "extensions": extensions.look,
    "roles": roles.look,
    "databases": databases.look,
}


@dataclass(frozen=True)
class Place:
    """A server with databases in it, and whoever looks."""

    running: Server
    reader: Login

    @property
    def major(self) -> int:
        with self.running.superuser() as connection:
            return connection.info.server_version // 10_000

    def sight(self, probe: Probe, database: str) -> Sight:
        login = replace(self.reader, database=database)
        return Sight(
            probe, login, login, time.monotonic() + 60, time.monotonic, time.sleep,
            lambda whom: connect(whom, BUNDLE, SETTINGS), lambda _: None, 2,
        )  # fmt: skip

    def look(self, name: str, database: str, **keys: Any) -> Examined:
        return LOOKS[name](self.sight(Probe(name, **keys), database))

    def do(self, database: str, *statements: str) -> None:
        with self.running.superuser(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def fill(running: Server, name: str, statements: str, options: str = "") -> None:
    with running.superuser() as connection:
        connection.execute(f"CREATE DATABASE {name} {options}".encode())
    with running.superuser(name) as connection:
        connection.execute(statements.encode())


def told(found: Examined) -> dict[str, str]:
    """Return the last message about each object."""
    return {flaw.object: flaw.message for flaw in found.flaws}
