"""What probes need in a restored database: made where it can be, by nobody else's code, and told where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from postgres_probing import EXTENSIONS, looked
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_probes import extension
from restorecheck.databases.postgres_probes.sight import GaveUpError
from restorecheck.databases.postgres_role import prober_name, prober_of
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Expectation, Probe

NEEDS = {"probed": EXTENSIONS}


@pytest.fixture(scope="session")
def probed(running: Server) -> Server:
    """The server with one more database, `probed`."""
    with running.superuser() as connection:
        connection.execute("CREATE DATABASE probed OWNER master")
    with running.superuser("probed") as connection:
        connection.execute("CREATE TABLE public.things (id int PRIMARY KEY); INSERT INTO things VALUES (1), (2)")
    return running


_AS_IT_WAS = """
    DROP EVENT TRIGGER IF EXISTS fires; DROP FUNCTION IF EXISTS public.fire; DROP TABLE IF EXISTS public.touched;
    DROP EXTENSION IF EXISTS amcheck, pg_visibility; DROP SCHEMA IF EXISTS restorecheck_probes, "its own" CASCADE;
    ALTER TABLE public.things OWNER TO postgres; REVOKE CREATE ON DATABASE probed FROM master;
    GRANT CONNECT, TEMPORARY ON DATABASE probed TO PUBLIC
"""


@pytest.fixture
def fresh(probed: Server) -> Iterator[Login]:
    """A reader of the database `probed`; whatever a test makes there is gone after it."""
    reader = probed.login("restorecheck_reader_ffff", "a-password-of-the-reader", "probed")
    yield reader
    with probed.superuser("probed") as connection:
        for statement in _AS_IT_WAS.split(";"):
            connection.execute(statement)
        for user in (reader.user, prober_of(reader).user):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user]).fetchone():
                connection.execute(f"DROP OWNED BY {user}")
                connection.execute(f"DROP ROLE {user}")


def _superuser(running: Server) -> Login:
    return running.login(SUPERUSER, PASSWORD, "probed")


def _rows(running: Server, query: str, database: str = "probed") -> list[tuple[object, ...]]:
    with running.superuser(database) as connection:
        return connection.execute(query).fetchall()


def test_the_prober_runs_the_extension_s_functions_and_reads_nothing(running, fresh):
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    Postgres().prepare(_superuser(running), fresh, NEEDS)  # and again, as after a crash
    assert looked("amcheck", fresh).count == 2
    assert looked("visibility", fresh).count == 1
    assert looked("counts_agree", fresh).count == 1
    prober = prober_of(fresh)
    assert prober.password == fresh.password
    with psycopg.connect(
        host=prober.host, port=prober.port, user=prober.user, password=prober.password, dbname="probed", autocommit=True
    ) as connection:
        for query in ("SELECT * FROM public.things", "CREATE TABLE public.mine ()", "CREATE SCHEMA mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(query)
    where = "SELECT extname, extnamespace::regnamespace::text FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
    assert _rows(running, where) == [(name, "restorecheck_probes") for name in EXTENSIONS]


def test_physical_probes_are_asked_like_any_question(running, fresh):
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    names = ("counts_agree", "visibility", "amcheck")
    asked = [Assertion(name, "", Expectation(), probe=Probe(name)) for name in names]
    answers = Postgres().ask(fresh, asked, "salt", within=timedelta(seconds=60))
    assert [(a.error, a.examined.count if a.examined else 0) for a in answers] == [("", 1), ("", 1), ("", 2)]


def test_without_a_need_nothing_is_made(running, fresh):
    Postgres().prepare(running.master("probed"), fresh, {"probed": ()})
    assert _rows(running, "SELECT FROM pg_roles WHERE rolname LIKE '%prober'") == []
    assert _rows(running, "SELECT FROM pg_namespace WHERE nspname = 'restorecheck_probes'") == []


def test_only_extensions_that_are_known_are_made(running, fresh):
    Postgres().prepare(_superuser(running), fresh, {"probed": ("dblink", "amcheck")})
    assert _rows(running, "SELECT extname FROM pg_extension ORDER BY 1") == [("amcheck",), ("plpgsql",)]


def test_a_database_that_is_not_there_is_the_question_s_to_tell(running, fresh):
    Postgres().prepare(_superuser(running), fresh, {"nowhere": EXTENSIONS, **NEEDS})
    assert looked("visibility", fresh).count == 1


def test_an_extension_that_came_with_the_backup_is_used_where_it_is(running, fresh):
    with running.superuser("probed") as connection:
        connection.execute('CREATE SCHEMA "its own"; CREATE EXTENSION amcheck SCHEMA "its own"')
        connection.execute("CREATE FUNCTION \"its own\".mine(regclass) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.execute('REVOKE ALL ON FUNCTION "its own".mine FROM PUBLIC')
        connection.execute('ALTER EXTENSION amcheck ADD FUNCTION "its own".mine(regclass)')
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    assert looked("amcheck", fresh).count == 2
    may = f"SELECT has_function_privilege('{prober_of(fresh).user}', '\"its own\".mine(regclass)', 'EXECUTE')"
    assert _rows(running, may) == [(False,)]


def test_a_master_that_may_create_no_extension_leaves_the_probe_blind(running, fresh):
    Postgres().prepare(running.master("probed"), fresh, NEEDS)
    for probe, name in (("amcheck", "amcheck"), ("visibility", "pg_visibility")):
        with pytest.raises(GaveUpError, match=f"{name} is not in probed, and the master user could not") as gave_up:
            looked(probe, fresh)
        assert gave_up.value.kind == "could-not-look"


def test_functions_that_the_master_may_not_hand_on_leave_the_probe_blind(running, fresh):
    with running.superuser("probed") as connection:
        connection.execute("CREATE EXTENSION amcheck")
    Postgres().prepare(running.master("probed"), fresh, NEEDS)
    with pytest.raises(GaveUpError, match="may not let another role run its functions"):
        looked("amcheck", fresh)


def test_functions_that_the_master_may_hand_on_are_enough(running, fresh):
    with running.superuser("probed") as connection:
        connection.execute("CREATE EXTENSION amcheck")
        connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO master WITH GRANT OPTION")
    Postgres().prepare(running.master("probed"), fresh, NEEDS)
    assert looked("amcheck", fresh).count == 2


def test_the_role_that_may_look_at_statistics_is_enough_for_visibility(running, fresh):
    with running.superuser("probed") as connection:
        connection.execute("CREATE EXTENSION pg_visibility")
        connection.execute("GRANT pg_stat_scan_tables TO master WITH ADMIN OPTION")
    try:
        Postgres().prepare(running.master("probed"), fresh, NEEDS)
        Postgres().prepare(running.master("probed"), fresh, NEEDS)
        assert looked("visibility", fresh).count == 1
    finally:
        with running.superuser() as connection:
            connection.execute("REVOKE pg_stat_scan_tables FROM master CASCADE")


_TRIGGER = """
    CREATE TABLE touched (n int);
    CREATE FUNCTION fire() RETURNS event_trigger LANGUAGE plpgsql
        AS $$ BEGIN INSERT INTO public.touched VALUES (1); END $$;
    CREATE EVENT TRIGGER fires ON ddl_command_end EXECUTE FUNCTION fire();
    ALTER EVENT TRIGGER fires ENABLE {};
"""


@pytest.mark.parametrize("how", ["", "ALWAYS", "REPLICA"])
def test_an_event_trigger_of_the_backup_never_runs(running, fresh, how):
    with running.superuser("probed") as connection:
        for statement in _TRIGGER.format(how).split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("TRUNCATE touched")
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    assert _rows(running, "SELECT count(*) FROM touched") == [(0,)]
    with running.superuser("probed") as connection:
        newer = connection.info.server_version >= 170_000
    if how == "ALWAYS" and not newer:
        with pytest.raises(GaveUpError, match="an event trigger of the database would have run"):
            looked("amcheck", fresh)
    else:
        assert looked("amcheck", fresh).count == 3


def test_an_event_trigger_that_the_master_cannot_switch_off_leaves_the_probe_blind(running, fresh):
    with running.superuser("probed") as connection:
        for statement in _TRIGGER.format("").split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("TRUNCATE touched")
        connection.execute("GRANT CREATE ON DATABASE probed TO master")
    Postgres().prepare(running.master("probed"), fresh, NEEDS)
    assert _rows(running, "SELECT count(*) FROM touched") == [(0,)]
    with pytest.raises(GaveUpError, match="an event trigger of the database would have run"):
        looked("amcheck", fresh)


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE SCHEMA restorecheck_probes AUTHORIZATION master",
        "CREATE SCHEMA restorecheck_probes; GRANT CREATE ON SCHEMA restorecheck_probes TO PUBLIC",
        "CREATE SCHEMA restorecheck_probes; CREATE TABLE restorecheck_probes.pg_class ()",
    ],
)
def test_a_schema_of_our_name_that_came_with_the_backup_is_not_used(running, fresh, theirs):
    with running.superuser("probed") as connection:
        connection.execute(theirs)
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    with pytest.raises(GaveUpError, match="could not create it there"):
        looked("amcheck", fresh)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE {} CREATEDB",
        "GRANT pg_read_all_data TO {}",
        "ALTER ROLE {} SET statement_timeout = 0",
        "GRANT SELECT ON public.things TO {}",
        "ALTER TABLE public.things OWNER TO {}",
    ],
)
def test_a_prober_that_came_with_the_backup_and_is_more_is_refused(running, fresh, statement):
    prober = prober_of(fresh).user
    with running.superuser("probed") as connection:
        connection.execute(f"CREATE ROLE {prober}")
        connection.execute(statement.format(prober))
    with pytest.raises(QueryError, match="came with the backup") as refused:
        Postgres().prepare(_superuser(running), fresh, NEEDS)
    assert refused.value.kind == "taken"


def test_a_database_that_is_closed_to_the_public_is_opened_for_the_prober(running, fresh):
    with running.superuser() as connection:
        connection.execute("REVOKE ALL ON DATABASE probed FROM PUBLIC")
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    assert looked("amcheck", fresh).count == 2


def test_a_prober_that_was_never_made_is_no_finding_about_the_backup(running, fresh, monkeypatch):
    Postgres().prepare(_superuser(running), fresh)
    with pytest.raises(GaveUpError, match="the role that runs amcheck could not log in") as gave_up:
        looked("amcheck", fresh)
    assert gave_up.value.kind == "could-not-look"


def test_an_extension_that_the_server_does_not_have_is_told_so(running, fresh, monkeypatch):
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    real = extension.functions
    monkeypatch.setattr(
        "restorecheck.databases.postgres_probes.amcheck.functions", lambda sight, _: real(sight, "none")
    )
    with pytest.raises(GaveUpError, match="none is not available on this server"):
        looked("amcheck", fresh)


def test_an_extension_of_an_older_version_verifies_what_it_can(running, fresh):
    with running.superuser("probed") as connection:
        connection.execute("CREATE EXTENSION amcheck VERSION '1.2'")
    Postgres().prepare(_superuser(running), fresh, NEEDS)
    found = looked("amcheck", fresh, tables=("public.things",))
    assert (found.count, found.owed) == (1, 1)
    assert "amcheck 1.2 cannot verify tables" in found.unseen[0].reason


def test_the_name_of_a_prober_fits_and_is_one_of_a_reader():
    assert prober_name("restorecheck_reader_0a1b") == "restorecheck_reader_0a1b_prober"
    long = prober_name("r" * 60)
    assert len(long.encode()) <= 63
    assert long != prober_name("r" * 61)
    assert long == prober_name("r" * 60)
