"""The probes of PostgreSQL's catalogue: nothing is said of a healthy database, and everything of a broken one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from postgres_catalogue import BROKEN, BROKEN_18, HEALTHY, LOOKS, ORDINARY, Place, fill, told
from postgres_server import Server
from psycopg import sql

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_probes import foreign_keys
from restorecheck.databases.postgres_probes.sight import GaveUpError
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.model import Probe

NAMES = ("healthy_one", "broken_one", "blank_one")


@pytest.fixture(scope="module")
def place(running: Server, reader: Login) -> Iterator[Place]:
    """A healthy database, a broken one, and an empty one."""
    made = Place(running, reader)
    fill(running, "healthy_one", HEALTHY)
    made.do("postgres", *ORDINARY.format(name="healthy_one").strip().split("\n"))
    fill(running, "broken_one", BROKEN)
    if made.major >= 18:
        made.do("broken_one", BROKEN_18)
    fill(running, "blank_one", "")
    yield made
    with running.superuser() as connection:
        for name in NAMES:
            connection.execute(f"DROP DATABASE {name} (FORCE)")


# --- a healthy database ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("schema", 100),
        ("foreign_keys", 12),
        ("sequences", 8),
        ("indexes", 20),
        ("constraints", 30),
        ("collations", 2),
        ("extensions", 2),
        ("databases", 4),
    ],
)
def test_nothing_is_wrong_with_a_healthy_database_of_every_shape(place: Place, name: str, at_least: int):
    found = place.look(name, "healthy_one")
    assert found.flaws == ()
    assert found.flawed == 0
    assert found.owed == 0, found.unseen
    assert found.count >= at_least


@pytest.mark.parametrize("name", ["foreign_keys", "sequences", "indexes", "constraints", "schema"])
def test_of_an_empty_database_nothing_is_examined(place: Place, name: str):
    assert place.look(name, "blank_one").count == 0


@pytest.mark.parametrize("name", ["foreign_keys", "sequences", "indexes", "constraints", "schema"])
def test_a_pattern_that_names_nothing_is_no_look(place: Place, name: str):
    with pytest.raises(GaveUpError, match=r"'app\.lost'") as raised:
        place.look(name, "healthy_one", tables=("app.orders", "app.lost"))
    assert raised.value.kind == "question"


@pytest.mark.parametrize("name", ["foreign_keys", "sequences", "indexes", "constraints", "schema"])
def test_what_the_patterns_leave_out_is_counted(place: Place, name: str):
    every = place.look(name, "healthy_one")
    some = place.look(name, "healthy_one", tables=("app.*",), exclude=("app.o*", "app.shown"))
    assert 0 < some.count < every.count
    assert some.left_out > 0
    assert every.left_out == 0


def test_a_catalogue_that_cannot_be_read_is_no_pass(place: Place):
    over = replace(place.sight(Probe("indexes"), "healthy_one"), deadline=0.0)
    for look in LOOKS.values():
        with pytest.raises(GaveUpError) as raised:
            look(over)
        assert raised.value.kind == "could-not-look"


# --- foreign keys ---------------------------------------------------------------------------------------------------


def test_rows_that_reference_nothing_are_counted(place: Place):
    found = place.look("foreign_keys", "broken_one")
    assert told(found) == {
        "public.bought.bought_good_fkey": "2 of 101 rows reference nothing in public.goods",
        "public.bought.all_or_none": "1 of 101 rows hold a part of the key only, which is MATCH FULL",
        "public.of_old.since_then": "1 of 2 rows reference nothing in public.goods (the key is declared NOT VALID)",
        "public.parted.parted_good_fkey": "1 of 2 rows reference nothing in public.goods",
        "Ünï code.It's.to goods": "1 of 2 rows reference nothing in public.goods",
    }
    assert [flaw.message for flaw in found.flaws if flaw.object == "public.bought.all_or_none"] == [
        "2 of 101 rows reference nothing in public.goods",
        "1 of 101 rows hold a part of the key only, which is MATCH FULL",
    ]
    assert (found.count, found.flawed, found.rows) == (5, 8, 208)
    assert found.owed == 0


def test_neither_side_is_read_by_an_index(place: Place):
    """As planned by PostgreSQL, an index that still holds what the table lost would answer for it."""
    place.do(
        "broken_one",
        "CREATE TABLE kept (id integer PRIMARY KEY)",
        "CREATE TABLE refers (id integer PRIMARY KEY REFERENCES kept)",
        "INSERT INTO kept SELECT generate_series(1, 500)",
        "INSERT INTO refers SELECT generate_series(1, 500)",
        "VACUUM (FREEZE) kept, refers",
    )
    try:
        plans = []
        sight = place.sight(Probe("foreign_keys", tables=("public.refers",)), "broken_one")

        class Explained(psycopg.Cursor[Any]):
            def execute(self, query: Any, *rest: Any, **more: Any) -> Any:
                if isinstance(query, sql.Composed) and "tableoid" in query.as_string(None):
                    super().execute(sql.SQL("EXPLAIN ") + query)
                    plans.append("\n".join(row[0] for row in self.fetchall()))
                return super().execute(query, *rest, **more)

        def opened(login: Login) -> psycopg.Connection[Any]:
            connection = connect(login, BUNDLE, SETTINGS)
            connection.cursor_factory = Explained
            return connection

        assert foreign_keys.look(replace(sight, connect=opened)).flawed == 0
        assert len(plans) == 1
        assert "Index" not in plans[0]
        assert plans[0].count("Seq Scan") == 2
    finally:
        place.do("broken_one", "DROP TABLE refers, kept")


def test_a_table_that_row_security_hides_is_owed(place: Place):
    place.do(
        "broken_one",
        "CREATE TABLE hidden (good integer REFERENCES goods)",
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
    )
    try:
        found = place.look("foreign_keys", "broken_one", tables=("public.hidden",))
    finally:
        place.do("broken_one", "DROP TABLE hidden")
    assert (found.count, found.owed, found.flawed) == (0, 1, 0)
    assert found.unseen[0].object == "public.hidden.hidden_good_fkey"


def test_a_table_that_cannot_be_read_is_damage_of_what_needs_it(place: Place):
    copied = "CREATE DATABASE torn_one TEMPLATE broken_one STRATEGY file_copy"  # nothing of it is in memory
    place.do("postgres", copied)
    try:
        with place.running.superuser("torn_one") as connection:
            tables = "SELECT pg_relation_filepath(t::regclass) FROM unnest(ARRAY['parted_1', 'tickets']) t"
            paths = [place.running.data / row[0] for row in connection.execute(tables).fetchall()]
        for path in paths:
            path.write_bytes(b"\xee" * len(path.read_bytes()))
        sequences = place.look("sequences", "torn_one", tables=("public.tickets",))
        found = place.look("foreign_keys", "torn_one", tables=("public.parted", "public.of_old"))
    finally:
        place.do("postgres", "DROP DATABASE torn_one (FORCE)")
    assert [(flaw.object, flaw.kind) for flaw in found.flaws] == [
        ("public.parted.parted_good_fkey", "data-damaged"),
        ("public.of_old.since_then", "assertion-failed"),
    ]
    assert (found.count, found.flawed) == (2, 2)
    assert [(flaw.object, flaw.kind) for flaw in sequences.flaws] == [
        (name, "data-damaged") for name in ("public.ticket", "public.tickets_own_seq", "public.tickets_owner_seq")
    ]
    assert sequences.count == 3


# --- sequences ------------------------------------------------------------------------------------------------------


def test_a_sequence_behind_its_column_is_named(place: Place):
    found = place.look("sequences", "broken_one")
    behind = "the sequence is behind {}: it will give values again"
    assert told(found) == {
        "public.ticket": behind.format("public.tickets.id"),
        "public.tickets_owner_seq": behind.format("public.tickets.owner"),
        "public.down": behind.format("public.downs.id"),
        "Ünï code.mails_id_seq": behind.format("Ünï code.mails.id"),
    }
    assert (found.count, found.flawed) == (5, 4)


def test_of_partitions_alone_each_is_read(place: Place):
    found = place.look("sequences", "broken_one", tables=("Ünï code.mails_any",))
    assert (found.count, list(told(found))) == (1, ["Ünï code.mails_id_seq"])


def test_what_a_sequence_cannot_be_compared_with_is_told(place: Place):
    unseen = {one.object: one.reason for one in place.look("sequences", "healthy_one").unseen}
    assert unseen == {
        "app.round": "it begins again by itself when it is used up",
        "app.worded": "app.words.id does not take what it gives as it is",
        "app.left_behind": "app.moved.id does not take what it gives as it is",
        "app.unused": "no column is known that it feeds",
    }


def test_a_sequence_whose_table_cannot_be_read_is_owed(place: Place):
    place.do("broken_one", "CREATE TABLE hidden (id serial)", "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY")
    try:
        found = place.look("sequences", "broken_one", tables=("public.hidden",))
    finally:
        place.do("broken_one", "DROP TABLE hidden")
    assert (found.count, found.owed) == (0, 1)


# --- indexes and constraints ----------------------------------------------------------------------------------------


def test_indexes_that_nothing_uses_are_named(place: Place):
    assert told(place.look("indexes", "broken_one")) == {
        "public.parted_good": "an index of public.parted, to which no index of its partition public.parted_1 and 1 more"
        " is attached",
        "public.bought_good": "an index of public.bought that is not valid: no query uses it",
        "public.bought_a": "an index of public.bought that is not ready: rows are inserted without it",
        "public.bought_b": "an index of public.bought that is being dropped: nothing uses it",
    }


def test_a_partition_whose_index_is_not_attached_is_named(place: Place):
    place.do("broken_one", "CREATE INDEX part_1 ON parted_1 (good)", "ALTER INDEX parted_good ATTACH PARTITION part_1")
    try:
        message = told(place.look("indexes", "broken_one"))["public.parted_good"]
    finally:
        place.do("broken_one", "DROP INDEX parted_good", "CREATE INDEX parted_good ON ONLY parted (good)")
    assert message == "an index of public.parted, to which no index of its partition public.parted_2 is attached"


def test_constraints_that_do_not_hold_for_every_row_are_named(place: Place):
    found = told(place.look("constraints", "broken_one"))
    never = "it is NOT VALID: it was never checked on the rows that were there"
    expected = {
        "public.bought.positive": never,
        "public.of_old.since_then": never,
        "public.small.below": never,
        "public.never": "a materialized view that was never filled: it cannot be queried",
    }
    if place.major >= 18:
        expected["public.loose.in_name_only"] = "it is NOT ENFORCED: rows may break it"
        expected["public.loose.there"] = never
    assert found == expected


def test_a_key_that_is_not_enforced_is_not_counted(place: Place):
    if place.major < 18:
        return
    found = place.look("foreign_keys", "broken_one", tables=("public.loose",))
    assert (found.count, found.flawed, found.owed, found.unseen_count) == (0, 0, 0, 1)
    assert found.unseen[0].reason.startswith("it is declared NOT ENFORCED")


def test_a_key_over_time_is_told_as_not_seen(place: Place):
    if place.major < 18:
        return
    place.do(
        "broken_one",
        "CREATE EXTENSION btree_gist",
        "CREATE TABLE stays (id integer, during tstzrange, PRIMARY KEY (id, during WITHOUT OVERLAPS))",
        "CREATE TABLE guests (id integer, during tstzrange,"
        " FOREIGN KEY (id, PERIOD during) REFERENCES stays (id, PERIOD during))",
    )
    try:
        found = place.look("foreign_keys", "broken_one", tables=("public.guests",))
    finally:
        place.do("broken_one", "DROP TABLE guests, stays", "DROP EXTENSION btree_gist")
    assert (found.count, found.owed, found.unseen_count) == (0, 0, 1)
    assert "period of time" in found.unseen[0].reason
