"""The probes of who gets in, and of what the server must have: roles, databases, extensions, collations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from postgres_catalogue import Place, fill, told
from postgres_server import Server

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE, connect
from restorecheck.databases.postgres_probes import databases
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.errors import QueryError
from restorecheck.model import Probe

ROLES = """
CREATE ROLE the_app LOGIN;
CREATE ROLE the_readers;
CREATE ROLE the_member LOGIN IN ROLE the_readers;
CREATE ROLE the_forgotten LOGIN;
CREATE ROLE the_shut NOLOGIN CONNECTION LIMIT 0 VALID UNTIL '2020-01-01';
CREATE ROLE "The Ünï" LOGIN;
"""

RIGHTS = """
CREATE SCHEMA app;
CREATE SCHEMA closed;
CREATE TABLE app.orders (id integer);
CREATE TABLE app.invoices (id integer);
CREATE TABLE app.guarded (id integer);
CREATE TABLE app.half_guarded (id integer);
CREATE TABLE closed.secrets (id integer);
CREATE VIEW app.shown AS SELECT 1 AS n;
ALTER TABLE app.guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.half_guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY these ON app.half_guarded FOR SELECT TO the_readers USING (id = 1);
CREATE POLICY less ON app.guarded AS RESTRICTIVE FOR SELECT TO the_readers USING (true);
CREATE POLICY added ON app.guarded FOR INSERT TO the_readers WITH CHECK (true);
GRANT USAGE ON SCHEMA app TO the_app, the_readers, "The Ünï";
GRANT SELECT ON app.orders, app.shown TO the_app, the_readers;
GRANT SELECT ON app.guarded, app.half_guarded TO the_readers;
GRANT SELECT ON app.orders TO "The Ünï";
GRANT SELECT ON closed.secrets TO "The Ünï";
CREATE OPERATOR public.= (leftarg = name, rightarg = text, function = namenetext);
"""

SORTED = """
CREATE SCHEMA app;
CREATE COLLATION app.plain (provider = libc, locale = 'C');
CREATE COLLATION app.unused FROM "C";
CREATE TABLE sorted (a text COLLATE app.plain UNIQUE, b text COLLATE app.plain);
"""

NAMES = ("rights_one", "empty_one", "shut_one", "half_one", "mould_one")
WHO = ("the_app", "the_member", "the_readers", "the_forgotten", "the_shut", '"The Ünï"')


@pytest.fixture(scope="module")
def place(running: Server, reader: Login) -> Iterator[Place]:
    """A database with roles and rights, and others that cannot be entered, or are empty."""
    made = Place(running, reader)
    made.do("postgres", ROLES)
    fill(running, "rights_one", RIGHTS)
    for name in NAMES[1:]:
        fill(running, name, "")
    made.do("postgres", "ALTER DATABASE shut_one ALLOW_CONNECTIONS false",
            "ALTER DATABASE mould_one ALLOW_CONNECTIONS false IS_TEMPLATE true",
            "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_one'")  # fmt: skip
    yield made
    made.do("postgres", "ALTER DATABASE mould_one IS_TEMPLATE false", *(f"DROP DATABASE {n} (FORCE)" for n in NAMES),
            *(f"DROP ROLE {who}" for who in WHO))  # fmt: skip


# --- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "required"),
    [
        ("the_app", ()),
        ("the_app", ("app.orders", "app.shown")),
        ("the_member", ("app.orders", "app.half_*")),
        ("postgres", ("app.*", "closed.*")),
    ],
)
def test_a_role_that_reads_what_it_must_is_fine(place: Place, role: str, required: tuple[str, ...]):
    found = place.look("roles", "rights_one", role=role, required=required)
    assert found.flaws == ()
    assert found.count >= 4


def test_a_role_that_is_missing_is_named(place: Place):
    found = place.look("roles", "rights_one", role="the_lost", required=("app.orders",))
    assert (told(found), found.count) == ({"the_lost": "there is no such role"}, 1)


def test_a_role_that_does_not_get_in_says_every_reason(place: Place):
    place.do("postgres", f"GRANT CONNECT ON DATABASE rights_one TO {place.reader.user}",
             "REVOKE CONNECT ON DATABASE rights_one FROM public")  # fmt: skip
    try:
        found = place.look("roles", "rights_one", role="the_shut", required=("app.orders",))
    finally:
        place.do("postgres", "GRANT CONNECT ON DATABASE rights_one TO public")
    assert [flaw.message for flaw in found.flaws if flaw.object == "the_shut"] == [
        "it may not log in",
        "it may have no session at all (CONNECTION LIMIT 0)",
        "its password has expired (VALID UNTIL)",
        "it may not connect to this database",
    ]


def test_what_a_role_may_not_read_is_named_with_its_reason(place: Place):
    found = place.look("roles", "rights_one", role="the_member", required=("app.*", "closed.*", "app.lost"))
    assert told(found) == {
        "app.lost": "it is required, and no table or view is called so",
        "app.invoices": "the role has no SELECT on it",
        "app.guarded": "row security hides every row of it from the role: no policy is for it",
        "closed.secrets": "the role has no USAGE on the schema closed",
    }
    assert found.count == 2 + 6 + 1


def test_a_grant_that_cannot_be_reached_is_named_without_being_required(place: Place):
    found = place.look("roles", "rights_one", role="The Ünï")
    assert told(found) == {"closed.secrets": "SELECT was granted, but no USAGE on the schema closed"}


def test_a_role_without_any_grant_is_what_a_dump_leaves_of_it(place: Place):
    found = place.look("roles", "rights_one", role="the_forgotten")
    assert told(found) == {"the_forgotten": "it may read no table at all"}


# --- databases ------------------------------------------------------------------------------------------------------


def test_databases_that_nobody_can_enter_are_named(place: Place):
    found = place.look("databases", "rights_one")
    assert told(found) == {
        "shut_one": "it allows no connection",
        "half_one": "it was half dropped when the backup was made: nobody can connect to it",
    }
    assert {"rights_one", "empty_one", "postgres", "mould_one"} < set(found.lines)
    assert "template1" not in found.lines
    assert found.count == len(found.lines)


def test_a_required_database_must_be_there_and_hold_a_table(place: Place):
    found = place.look("databases", "rights_one", required=("rights_one", "empty_one", "lost_one", "shut_one"))
    assert told(found) == {
        "shut_one": "it allows no connection",
        "half_one": "it was half dropped when the backup was made: nobody can connect to it",
        "lost_one": "it is required, and is not there",
        "empty_one": "it is required, and holds no table",
    }
    assert found.owed == 0


@pytest.mark.parametrize(("kind", "flawed", "owed"), [("data-damaged", 3, 0), ("login-failed", 2, 1)])
def test_a_required_database_that_does_not_open_is_damaged_or_owed(place: Place, kind: str, flawed: int, owed: int):
    def opened(login: Login) -> psycopg.Connection:
        if login.database == "empty_one":
            raise QueryError("it does not open", kind=kind)
        return connect(login, BUNDLE, SETTINGS)

    sight = place.sight(Probe("databases", required=("empty_one",)), "rights_one")
    found = databases.look(replace(sight, connect=opened))
    assert (found.flawed, found.owed) == (flawed, owed)


# --- extensions -----------------------------------------------------------------------------------------------------


def test_extensions_that_are_missing_here_or_there_are_named(place: Place):
    fill(place.running, "extended_one", "CREATE EXTENSION hstore; CREATE SCHEMA restorecheck_probes;"
         "CREATE EXTENSION pageinspect SCHEMA restorecheck_probes;")  # fmt: skip
    try:
        found = place.look("extensions", "extended_one", required=("hstore", "plpgsql"))
        assert (found.flaws, found.count) == ((), 2)
        assert [one.split()[0] for one in found.lines] == ["hstore", "plpgsql"]
        place.do("extended_one", "UPDATE pg_extension SET extname = 'lost_one', extversion = '7' "
                 "WHERE extname = 'hstore'")  # fmt: skip
        found = place.look("extensions", "extended_one", required=("hstore", "plpgsql"))
    finally:
        place.do("postgres", "DROP DATABASE extended_one (FORCE)")
    assert told(found) == {
        "lost_one": "the database uses it in version 7, and this server does not have it",
        "hstore": "it is required, and the database does not have it",
    }
    assert found.count == 3


# --- collations -----------------------------------------------------------------------------------------------------


def test_text_that_was_sorted_under_another_version_is_named(place: Place):
    fill(place.running, "sorted_one", SORTED)
    elsewhere = (
        "UPDATE pg_collation SET collcollate = 'xx_YY', collversion = '0.1' WHERE collname IN ('plain', 'unused')"
    )
    try:
        place.do("sorted_one", elsewhere)
        found = place.look("collations", "sorted_one")
        place.do("sorted_one", "UPDATE pg_collation SET collversion = NULL WHERE collname = 'plain'")
        unknown = place.look("collations", "sorted_one")
    finally:
        place.do("postgres", "DROP DATABASE sorted_one (FORCE)")
    (name, message), *others = told(found).items()
    assert (name, others, found.flawed) == ("app.plain", [], 1)
    assert message.startswith("sorted under version 0.1, and this server has ")
    assert "(3 columns and index keys use it): text indexes may miss rows; run the probes" in message
    assert (unknown.flawed, unknown.owed, unknown.unseen_count) == (0, 0, 1)
    assert unknown.unseen[0].object == "app.plain"
    assert unknown.count == found.count - 1
    assert unknown.remarks == ("of 1 collation(s) it cannot be told whether they still sort as they did",)


def test_the_databases_own_collation_is_compared(place: Place):
    if place.major >= 18:  # the wheel has no ICU
        return
    fill(place.running, "icu_one", "", "LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C' TEMPLATE template0")
    try:
        assert place.look("collations", "icu_one").flaws == ()
        place.do("postgres", "UPDATE pg_database SET datcollversion = '0.1' WHERE datname = 'icu_one'")
        found = place.look("collations", "icu_one")
    finally:
        place.do("postgres", "DROP DATABASE icu_one (FORCE)")
    assert list(told(found)) == ["the database's own"]


def test_a_version_that_this_server_does_not_know_is_told(place: Place):
    if place.major < 18:
        return
    shapes = "CREATE COLLATION sorts (provider = libc, locale = 'C'); CREATE TABLE t (a text COLLATE sorts)"
    fill(place.running, "sorted_one", shapes)
    try:
        place.do("sorted_one", "UPDATE pg_collation SET collprovider = 'i', colllocale = 'de', collversion = '153.1' "
                 "WHERE collname = 'sorts'")  # fmt: skip
        found = place.look("collations", "sorted_one")
    finally:
        place.do("postgres", "DROP DATABASE sorted_one (FORCE)")
    assert (found.flawed, found.owed, found.count) == (0, 0, 1)
    assert found.unseen[0].reason == "this server knows no version of it; 153.1 was recorded"
