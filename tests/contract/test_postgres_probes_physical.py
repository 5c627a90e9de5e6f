"""Changed bytes of tables and indexes, and which physical probe finds them; healthy shapes, and none finds anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from postgres_probing import PAGE, change, file_of, garbage, item, item_bytes, looked, prepared, zero
from postgres_server import Server, embedded, server

from restorecheck.databases.postgres_probes import amcheck, counts_agree
from restorecheck.databases.postgres_probes.sight import GaveUpError
from restorecheck.model import Examined

PROBES = ("counts_agree", "visibility", "amcheck")

HEALTHY = """
CREATE SCHEMA "Täglich";
CREATE TABLE "Täglich"."Pořadí ""x"" y" ("Číslo" int PRIMARY KEY, "from" text UNIQUE);
INSERT INTO "Täglich"."Pořadí ""x"" y" SELECT g, 'ž' || g FROM generate_series(1, 50) g;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TABLE shapes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone int, a int, b text, c numeric, d timestamptz, e bool,
    f mood, g positive, h int[], i jsonb, j "char", k name, l bytea, m uuid, n inet, o varchar(20), p bpchar(8),
    q float8, r date, s interval, t bit(4), u int4range, v money, w text COLLATE "POSIX", x tsvector, y point, z time
);
INSERT INTO shapes (gone, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z)
SELECT 1, n % 7, CASE WHEN n % 5 > 0 THEN 'text ' || n % 11 END, n * 1.10, now() - n * interval '1 min', n % 2 = 0,
    'glad', n, ARRAY[n, NULL], jsonb_build_object('n', n % 3, 'z', 1.0), 'x', 'name' || n, decode('ff', 'hex'),
    gen_random_uuid(), '10.0.0.1', 'v' || n, 'p', n / 3.0, '2026-11-21', '1 day', B'1010', int4range(1, n), n, 'w' || n,
    'a b', '(1,2)', '03:00'
FROM generate_series(1, 1500) n;
ALTER TABLE shapes DROP COLUMN gone;
CREATE INDEX ON shapes (a, b DESC NULLS LAST, c);
CREATE INDEX ON shapes (a DESC);
CREATE INDEX ON shapes (a) WHERE e AND b LIKE 'text 1%';
CREATE INDEX ON shapes (lower(b));
CREATE INDEX ON shapes (b text_pattern_ops);
CREATE INDEX ON shapes (c) INCLUDE (b, y);
CREATE INDEX ON shapes (d DESC NULLS LAST); CREATE INDEX ON shapes (e, f); CREATE INDEX ON shapes (g);
CREATE INDEX ON shapes (h); CREATE INDEX ON shapes (i); CREATE INDEX ON shapes (j); CREATE INDEX ON shapes (k);
CREATE INDEX ON shapes (l); CREATE INDEX ON shapes (m); CREATE INDEX ON shapes (n); CREATE INDEX ON shapes (o);
CREATE INDEX ON shapes (p); CREATE INDEX ON shapes (q); CREATE INDEX ON shapes (r); CREATE INDEX ON shapes (s);
CREATE INDEX ON shapes (t); CREATE INDEX ON shapes (u); CREATE INDEX ON shapes (v); CREATE INDEX ON shapes (w);
CREATE INDEX ON shapes (z); CREATE INDEX ON shapes (b COLLATE "C", a); CREATE INDEX ON shapes USING gin (i);
CREATE INDEX ON shapes USING gist (u); CREATE INDEX ON shapes USING brin (a); CREATE INDEX ON shapes USING hash (a);
CREATE UNIQUE INDEX nulls_apart ON shapes (id, b) NULLS NOT DISTINCT;
CREATE TABLE never_vacuumed (id int PRIMARY KEY, n int, body text);
INSERT INTO never_vacuumed SELECT g, 0, 'body' FROM generate_series(1, 500) g;
CREATE TABLE "empty" (id int PRIMARY KEY);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE TABLE parted (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO parted SELECT g, '2026-01-01'::date + g FROM generate_series(0, 50) g;
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1), (2);
CREATE TABLE long_values (id int PRIMARY KEY, body text);
ALTER TABLE long_values ALTER body SET STORAGE EXTERNAL;
INSERT INTO long_values SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 20) g;
CREATE MATERIALIZED VIEW seen AS SELECT a, count(*) FROM shapes GROUP BY a;
CREATE UNIQUE INDEX ON seen (a);
CREATE TABLE wrapped (a text);
INSERT INTO wrapped VALUES ('a');
CREATE FUNCTION own(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
CREATE INDEX wrapped_own ON wrapped (own(a)); CREATE INDEX wrapped_part ON wrapped (a) WHERE own(a) = 'a';
CREATE FUNCTION own_order(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT pg_catalog.btint4cmp($1, $2)';
CREATE OPERATOR CLASS own_ops FOR TYPE int USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 own_order(int, int);
CREATE TABLE own_sorted (a int); CREATE INDEX own_sorted_1 ON own_sorted (a own_ops);
INSERT INTO own_sorted SELECT generate_series(1, 300);
CREATE TABLE twice (a int); CREATE INDEX twice_1 ON twice (a); CREATE INDEX twice_2 ON twice (a);
INSERT INTO twice VALUES (1);
CREATE TABLE broken_unique (a int); INSERT INTO broken_unique VALUES (1), (1);
CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION count(int) RETURNS bigint LANGUAGE sql AS 'SELECT 66::bigint';
CREATE FUNCTION hashint4extended(int, int) RETURNS bigint LANGUAGE sql AS 'SELECT 66::bigint';
"""

DAMAGED = {
    "zeroed_page": "one page of the table is zeros",
    "vanished_row": "the line pointer of a row is unused",
    "cut_short": "the table's file lost its end",
    "cut_to_nothing": "the table's file is empty",
    "gone": "the table's file is not there",
    "garbage_page": "one page of the table is something else",
    "future_row": "a row comes from a transaction that never was",
    "changed_key": "a key in the table is another",
    "dead_entry": "an entry of the index is marked as dead",
    "zeroed_leaf": "one page of the index is zeros",
    "changed_entry": "a key in the index is another",
    "stale_index": "the index is that of an earlier time",
    "wrong_mark": "the visibility map is that of an earlier time",
}

FOUND = {
    "counts_agree": set(DAMAGED) - {"future_row"},
    "visibility": {"future_row", "wrong_mark", "gone", "garbage_page"},
    "amcheck": set(DAMAGED) - {"zeroed_page", "vanished_row", "wrong_mark", "cut_short", "cut_to_nothing"},
}
"""What each probe finds; the rest is not for it."""


_SETTINGS = {
    "ignore_checksum_failure": "on",  # as if there were none
    "synchronous_commit": "local",  # only rows whose commit is on disk are marked as seen by all
}


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[Server, dict[str, Examined], dict[str, Examined]]]:
    """A server with checksums that only warn, and what each probe finds in its healthy and in its damaged database."""
    with server(embedded(), _SETTINGS) as running:
        with running.superuser() as connection:
            connection.execute("CREATE DATABASE healthy")
            connection.execute("CREATE DATABASE damaged")
        with running.superuser("healthy") as connection:
            connection.execute(HEALTHY)
            with pytest.raises(Exception, match="could not create unique index"):
                connection.execute("CREATE UNIQUE INDEX CONCURRENTLY not_valid ON broken_unique (a)")
            connection.execute("VACUUM (FREEZE, ANALYZE) shapes")
            connection.execute("UPDATE never_vacuumed SET n = n + 1 WHERE id % 3 = 0")
            connection.execute("UPDATE never_vacuumed SET id = id + 1000 WHERE id % 10 = 0")
            connection.execute("DELETE FROM never_vacuumed WHERE id % 7 = 0")
        with running.superuser("damaged") as connection:
            for table in DAMAGED:
                connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, body text)")
                connection.execute(
                    f"INSERT INTO {table} SELECT g, 'secret' || repeat('x', 30) FROM generate_series(1, 2000) g"
                )
            connection.execute("VACUUM (FREEZE, ANALYZE)")
            connection.execute("CHECKPOINT")
        healthy_reader, reader = prepared(running, "healthy"), prepared(running, "damaged")
        healthy = {name: looked(name, healthy_reader) for name in PROBES}
        before = {name: looked(name, reader) for name in PROBES}
        assert not any(found.flaws for found in before.values())
        _damage(running)
        yield running, healthy, {name: looked(name, reader) for name in PROBES}


def _damage(running: Server) -> None:
    """Change the bytes of a stopped server."""
    heap = {table: file_of(running, "damaged", table) for table in DAMAGED}
    index = {table: file_of(running, "damaged", f"{table}_pkey") for table in DAMAGED}
    old_index = running.directory / "index"
    old_map = running.directory / "map"
    wrong_map = heap["wrong_mark"].with_name(heap["wrong_mark"].name + "_vm")
    shutil.copy(index["stale_index"], old_index)
    shutil.copy(wrong_map, old_map)
    with running.superuser("damaged") as connection:
        connection.execute("DELETE FROM stale_index WHERE id > 1900")
        connection.execute("INSERT INTO stale_index SELECT g, 'new' FROM generate_series(3000, 3200) g")
        connection.execute("DELETE FROM wrong_mark WHERE id < 10")
        connection.execute("VACUUM (FREEZE) stale_index")
        connection.execute("CHECKPOINT")
    running.stop()
    index["stale_index"].write_bytes(old_index.read_bytes())
    wrong_map.write_bytes(old_map.read_bytes())
    change(heap["zeroed_page"], 3, zero)
    change(heap["vanished_row"], 2, item(5))
    heap["cut_short"].write_bytes(heap["cut_short"].read_bytes()[: -4 * PAGE])
    heap["cut_to_nothing"].write_bytes(b"")
    heap["gone"].unlink()
    change(heap["garbage_page"], 1, garbage)
    # a row's header: xmin, xmax, field3, ctid (6), infomask2, infomask: 0 is neither frozen nor known
    change(heap["future_row"], 1, item_bytes(3, 0, (4_000_000).to_bytes(4, "little")))
    change(heap["future_row"], 1, item_bytes(3, 20, (0x0802).to_bytes(2, "little")))
    change(heap["changed_key"], 1, item_bytes(4, 24, (999_999).to_bytes(4, "little")))
    change(index["dead_entry"], 1, item(7, flags=3))
    change(index["zeroed_leaf"], 1, zero)
    change(index["changed_entry"], 1, item_bytes(9, 8, (999_999).to_bytes(4, "little")))
    running.start()


@pytest.mark.parametrize("probe", PROBES)
def test_nothing_is_found_where_nothing_is_wrong(lab, probe):
    _, healthy, _ = lab
    found = healthy[probe]
    assert (found.flaws, found.flawed, found.owed) == ((), 0, 0)
    assert found.count > 5
    assert found.bytes > 100_000


@pytest.mark.parametrize("probe", PROBES)
def test_each_damage_is_found_by_the_probes_it_is_for(lab, probe):
    _, _, damaged = lab
    found = damaged[probe]
    names = {
        table for table in DAMAGED for flaw in found.flaws if flaw.object.removeprefix("public.").startswith(table)
    }
    assert names == FOUND[probe], "\n".join(f"{flaw.object}: {flaw.message}" for flaw in found.flaws)
    assert {flaw.kind for flaw in found.flaws} == {"data-damaged"}
    assert found.flawed >= len(found.flaws)


def test_no_message_holds_what_is_in_a_row(lab):
    _, _, damaged = lab
    told = " ".join(flaw.message for found in damaged.values() for flaw in found.flaws)
    assert told
    assert not any(secret in told for secret in ("secret", "xxx", "999999", "999,999", "4000000"))


def test_what_a_probe_cannot_look_at_is_told_and_owed_to_nobody(lab):
    _, healthy, _ = lab
    told = {name: {unseen.object: unseen.reason for unseen in found.unseen} for name, found in healthy.items()}
    assert told["visibility"] == {}
    counts, structures = told["counts_agree"], told["amcheck"]
    assert counts["public.shapes_lower_idx"] == "an index on an expression cannot be counted"
    assert counts["public.shapes_i_idx1"] == "an index of kind gin cannot be counted"
    assert counts["public.wrapped_part"] == "its predicate calls functions that did not come with the server"
    assert len({"public.twice_1", "public.twice_2"} & set(counts)) == 1
    assert "public.shapes_i_idx1" not in structures  # amcheck of PostgreSQL 18 knows GIN
    assert structures["public.wrapped_own"].startswith("not compared with its table")
    assert structures["public.own_sorted_1"].startswith("it is sorted by functions of the database itself")
    for reasons in (counts, structures):
        assert reasons["public.not_valid"] == "the index is not valid, and nobody reads it"
        assert {"public.shapes_a_idx2", "public.shapes_a_idx3", "public.shapes_u_idx1"} <= set(reasons)


def test_the_catalogue_is_verified_too_but_is_no_table_of_users(lab):
    running, healthy, _ = lab
    assert "catalogue" in healthy["amcheck"].remarks[-1]
    reader = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", "healthy")
    one = looked("amcheck", reader, tables=("public.twice",))
    assert (one.count, one.remarks) == (3, ())
    assert one.left_out > 5


def test_pages_that_are_not_settled_are_told(lab):
    _, healthy, _ = lab
    assert "public.never_vacuumed" not in str(healthy["visibility"].remarks)
    assert "is not missed where its page is not marked" in healthy["counts_agree"].remarks[-1]


def test_what_was_not_reached_in_time_is_owed(lab):
    running, _, _ = lab
    reader = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", "healthy")
    for name in PROBES:
        with pytest.raises(GaveUpError, match="time allowed") as gave_up:
            looked(name, reader, seconds=-1)
        assert gave_up.value.kind == "could-not-look"


def test_a_table_that_hides_its_rows_is_owed(lab):
    running, _, _ = lab
    reader = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", "healthy")
    with running.superuser("healthy") as connection:
        connection.execute("CREATE TABLE walled (id int PRIMARY KEY); ALTER TABLE walled ENABLE ROW LEVEL SECURITY")
        found = looked("counts_agree", reader, tables=("public.walled", "public.twice"))
        connection.execute("DROP TABLE walled")
    assert (found.count, found.owed, found.flaws) == (1, 1, ())
    assert found.unseen[0].object == "public.walled_pkey"


def test_amcheck_asks_for_less_where_somebody_writes(lab, monkeypatch):
    running, _, _ = lab
    monkeypatch.setattr(amcheck, "LOCK_WAIT", "50ms")
    reader = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", "healthy")
    with running.superuser("healthy") as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE public.twice IN ROW EXCLUSIVE MODE")
        found = looked("amcheck", reader, tables=("public.twice",))
    assert (found.count, found.owed, found.flaws) == (3, 0, ())


def test_a_difference_between_two_moments_is_none(lab, monkeypatch):
    """The sides of an index are read in different transactions: what changed between them is no damage."""
    running, _, _ = lab
    reader = running.login("restorecheck_reader_0a1b2c3d", "a-password-of-the-reader", "healthy")
    real = counts_agree._from_index

    def later(connection, table, index):
        with running.superuser("healthy") as writer:
            writer.execute("INSERT INTO twice VALUES (2)")
        return real(connection, table, index)

    monkeypatch.setattr(counts_agree, "_from_index", later)
    found = looked("counts_agree", reader, tables=("public.twice",), at_once=1)
    assert (found.flaws, found.count) == ((), 1)
