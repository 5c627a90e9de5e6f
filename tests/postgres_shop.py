"""A small shop in PostgreSQL with traps in it, and the fingerprint that tells whether anything in it changed."""

from __future__ import annotations

import psycopg
from postgres_server import Server, make_master

CANARY = "4111-1111-1111-1111"
"""A value of a row. It may be in no answer, in no finding, in no log line."""

SHOP = f"""
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TABLE orders (
    id integer PRIMARY KEY, code char(4), total numeric(12, 2), created_at timestamptz, local_time timestamp,
    day date, card text, feeling mood, pieces positive, lasting interval
);
INSERT INTO orders
SELECT n, (ARRAY['CZ', 'DE', 'SK'])[n % 3 + 1], n * 1.10, '2026-11-21 03:00+00'::timestamptz - n * interval '1 min',
       '2026-11-21 03:00', '2026-11-21', '{CANARY}', 'glad', n, interval '36 hours'
FROM generate_series(1, 1000) n;
CREATE TABLE empty (n integer);
CREATE TABLE many AS SELECT n FROM generate_series(1, 20000) n;
CREATE TABLE hidden (n integer);
INSERT INTO hidden VALUES (1), (2);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE TABLE touched (n integer);
CREATE SEQUENCE numbers;
CREATE FUNCTION touch() RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched VALUES (1); RETURN 1; END $$;
CREATE FUNCTION burst() RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN EXECUTE 'SET TRANSACTION READ WRITE'; INSERT INTO touched VALUES (2); RETURN 1; END $$;
CREATE FUNCTION burst_by_name(setting text) RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN PERFORM set_config(setting, 'off', false); INSERT INTO touched VALUES (3); RETURN 1; END $$;
CREATE PROCEDURE commits() LANGUAGE plpgsql
    AS $$ BEGIN COMMIT; INSERT INTO touched VALUES (4); END $$;
CREATE MATERIALIZED VIEW codes AS SELECT DISTINCT code FROM orders;
CREATE FUNCTION tell(state text) RETURNS integer LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = state, MESSAGE = 'card {CANARY} is "{CANARY}"',
        DETAIL = '{CANARY}', HINT = '{CANARY}', SCHEMA = '{CANARY}'; END $$;
CREATE FUNCTION freed() RETURNS boolean IMMUTABLE LANGUAGE plpgsql
    AS $$ BEGIN PERFORM set_config('statement_timeout', '0', false); RETURN true; END $$;
CREATE FUNCTION shout() RETURNS integer LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE '{CANARY}'; RAISE WARNING '{CANARY}'; RETURN 1; END $$;
ALTER DATABASE shop SET search_path = nowhere;
ALTER DATABASE shop SET timezone = 'Asia/Tokyo';
ALTER DATABASE shop SET row_security = on;
ALTER DATABASE shop SET default_transaction_read_only = off;
CREATE SCHEMA archive;
CREATE TABLE archive.orders AS TABLE orders;
"""


def fingerprint(running: Server) -> list[object]:
    """Return what must not change: every row of every table, the roles, the databases, what lies around."""
    with running.superuser("shop") as connection:
        connection.execute("SET search_path = public")
        found: list[object] = []
        tables = connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace::regnamespace::text "
            "IN ('public', 'archive') ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            found.append((table, connection.execute(f"SELECT md5(string_agg(t::text, '|')) FROM {table} t").fetchone()))
        catalogues = (
            "SELECT oid, rolname, rolpassword FROM pg_authid ORDER BY 1",
            "SELECT oid, datname, datacl::text FROM pg_database ORDER BY 1",
            "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2",
            "SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'S', 'i') AND oid >= 16384 ORDER BY 1",
            "SELECT last_value, is_called FROM numbers",
            "SELECT oid, proname FROM pg_proc WHERE oid >= 16384 ORDER BY 1",
            "SELECT oid FROM pg_largeobject_metadata",
            "SELECT slot_name FROM pg_replication_slots",
            "SELECT gid FROM pg_prepared_xacts",
            "SELECT pg_ls_dir('pg_snapshots')",
            "SELECT * FROM pg_locks WHERE locktype = 'advisory'",
        )
        found.extend(connection.execute(catalogue).fetchall() for catalogue in catalogues)
    return found


def open_shop(running: Server) -> None:
    """Make the master user and the shop, as the master would; the database's own settings are traps."""
    make_master(running)
    master = running.master()
    with psycopg.connect(
        host=master.host, port=master.port, user=master.user, password=master.password, dbname="shop"
    ) as connection:
        connection.execute("SET search_path = public")
        connection.execute(SHOP)
    with running.superuser("shop") as connection:
        connection.execute("SET search_path = public")
        for (name,) in connection.execute(
            "SELECT name FROM pg_available_extensions WHERE name IN ('dblink', 'adminpack')"
        ).fetchall():
            connection.execute(f"CREATE EXTENSION {name}")
