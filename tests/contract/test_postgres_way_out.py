"""Escapes through functions, wrappers and time, by whoever may do everything: nothing in the copy or here changes.

The database belongs to a master user who is no superuser, and everything in it is granted to everybody. What a password
inside the database lets it reach is a matter of the network, and shown as such.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
from postgres_escapes import DATABASE, FLOODS, FUNCTIONS, SECRET, SETUP, TIMES, WRAPPERS, Escape
from postgres_probing import looked
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.databases import postgres as module
from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.watchdog import GRACE, Watchdog
from restorecheck.model import Against, Answer, Assertion, Cell, Expectation, Probe

pytestmark = pytest.mark.parametrize("running", ["18", pytest.param("15", marks=pytest.mark.long)], indirect=True)
"""The older server in the long suite: what it refuses it refuses in the same way."""

EXPECTATIONS = {
    "value": Expectation(at_least=Cell("number", "0")),
    "rows": Expectation(no_rows=True),
    "same": Expectation(same_as=Against("accepted")),
    "exist": Expectation(exist_in="files"),
    "covers": Expectation(covers="files"),
}
KEYS = Beside({"files": lambda: [b"a", b"b"]})
VALUE, ROWS = EXPECTATIONS["value"], EXPECTATIONS["rows"]


@dataclass
class Outside:
    """What would show that something came out: a file's place, and a port that nobody has reason to call."""

    file: Path
    port: int = 0
    calls: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def outside(running: Server) -> Iterator[Outside]:
    """A file where the server may write one, and a port where every call is noted and hung up on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Outside(running.directory / "escaped", listening.getsockname()[1])

        def note() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = listening.accept()
                    made.calls.append(time.monotonic())
                    caller.close()

        threading.Thread(target=note, daemon=True).start()
        yield made
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def asked(running: Server, reader: Login) -> Login:
    """The reader, in a database where everybody may do everything."""
    with running.superuser() as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER master")
    with running.superuser(DATABASE) as connection:
        connection.execute("ALTER SCHEMA public OWNER TO master")
    master = running.master(DATABASE)
    with psycopg.connect(
        host=master.host, port=master.port, user=master.user, password=master.password, dbname=DATABASE
    ) as connection:
        connection.execute(SETUP)
    return replace(reader, database=DATABASE)


def ask(
    asked: Login, sql: str, expect: Expectation = VALUE, timeout: float = 20.0, outside: Outside | None = None
) -> Answer:
    if outside is not None:
        sql = sql.replace("{outside}", str(outside.file)).replace("{port}", str(outside.port))
    question = Assertion("a", sql, expect, timeout=timedelta(seconds=timeout))
    (answer,) = Postgres().ask(asked, [question], "salt", timedelta(seconds=60), KEYS)
    return answer


def state(running: Server, asked: Login) -> dict[str, object]:
    """Return what must not change: the catalogue, every row, roles, settings, files that are no data."""
    seen: dict[str, object] = {}
    for probe in ("readable", "schema"):
        found = looked(probe, asked)
        seen[probe] = (found.measures, found.lines, found.flaws)
    with running.superuser(DATABASE) as connection:
        for query in (
            "SELECT oid, rolname, rolpassword, rolsuper FROM pg_authid ORDER BY 1",
            "SELECT roleid, member FROM pg_auth_members ORDER BY 1, 2",
            "SELECT oid, datname, datacl::text FROM pg_database ORDER BY 1",
            "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2",
            "SELECT name, setting FROM pg_settings WHERE source <> 'client' ORDER BY 1",
            "SELECT oid, relname, relkind, relfilenode, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY 1",
            "SELECT oid, proname, prosrc, proacl::text FROM pg_proc WHERE oid >= 16384 ORDER BY 1",
            "SELECT oid, extname FROM pg_extension ORDER BY 1",
            "SELECT last_value, is_called FROM public.tickets",
            "SELECT * FROM public.ledger ORDER BY 1",
            "SELECT oid FROM pg_largeobject_metadata",
            "SELECT slot_name FROM pg_replication_slots",
            "SELECT gid FROM pg_prepared_xacts",
            "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND objid <> 4711",
            "SELECT subname FROM pg_subscription",
        ):
            seen[query] = connection.execute(query).fetchall()
    apart = (
        "base",
        "global",
        "pg_wal",
        "pg_xact",
        "pg_subtrans",
        "pg_multixact",
        "pg_stat",
        "pg_stat_tmp",
        "pg_notify",
    )
    seen["files"] = sorted(
        str(path.relative_to(running.data))
        for path in running.data.rglob("*")
        if path.relative_to(running.data).parts[0] not in apart
    )
    return seen


@pytest.fixture(scope="module", autouse=True)
def unchanged(running: Server, asked: Login, outside: Outside) -> Iterator[None]:
    """Whatever the tests of this module try, all of it is afterwards as it was."""
    before = state(running, asked)
    yield
    after = state(running, asked)
    assert {k: (before[k], after[k]) for k in before if before[k] != after[k]} == {}
    assert SECRET not in repr(before["readable"])


@contextlib.contextmanager
def nothing_comes_of(running: Server, asked: Login, outside: Outside) -> Iterator[None]:
    """Around one escape: the rows are as they were, nothing came out, and the next question is answered as ever."""
    calls = len(outside.calls)
    yield
    answer = ask(asked, "select sum(n) from ledger", timeout=30)
    assert (answer.error, [c.text for c in answer.cells]) == ("", ["6"])
    with running.superuser(DATABASE) as connection:
        ledger = "SELECT count(*), (SELECT count(*) FROM public.written_through) FROM public.ledger"
        assert connection.execute(ledger).fetchone() == (3, 0)
    assert not outside.file.exists()
    assert len(outside.calls) == calls


def held(escape: Escape, answer: Answer) -> None:
    """Hold one answer to what must become of the escape."""
    assert SECRET not in repr(answer)
    assert "SCRAM" not in repr(answer)
    if escape.ends == "refused":
        assert answer.error, answer
        assert answer.kind in ("question", "missing-object"), answer
        assert not answer.rows
    elif escape.ends == "harmless":
        assert answer.kind in ("", "question", "missing-object"), answer
    else:
        assert answer.kind == "timeout", answer


@pytest.mark.parametrize("escape", FUNCTIONS, ids=lambda e: e.name)
def test_nothing_that_the_database_brings_along_lets_a_question_out(running, asked, outside, escape):
    with nothing_comes_of(running, asked, outside):
        for expect in (VALUE, ROWS):
            held(escape, ask(asked, escape.sql, expect, outside=outside))


@pytest.mark.parametrize("escape", WRAPPERS, ids=lambda e: e.name)
def test_no_text_gets_out_of_what_it_is_wrapped_in(running, asked, outside, escape):
    with nothing_comes_of(running, asked, outside):
        for expect in EXPECTATIONS.values():
            held(escape, ask(asked, escape.sql, expect, outside=outside))


@pytest.mark.parametrize("escape", TIMES, ids=lambda e: e.name)
def test_no_question_takes_longer_than_it_may(running, asked, outside, escape, monkeypatch):
    monkeypatch.setattr(module, "Watchdog", partial(Watchdog, grace=60.0))  # the line is not cut
    with running.superuser(DATABASE) as holder, nothing_comes_of(running, asked, outside):
        holder.execute("SELECT pg_advisory_lock(4711)")
        began = time.monotonic()
        held(escape, ask(asked, escape.sql, ROWS, timeout=0.1))
        assert time.monotonic() - began < 25


@pytest.mark.parametrize("escape", FLOODS, ids=lambda e: e.name)
def test_no_answer_is_larger_than_it_may_be(running, asked, outside, escape):
    with nothing_comes_of(running, asked, outside):
        for expect in (VALUE, ROWS, Expectation(members=(Cell("number", "1"),))):
            answer = ask(asked, escape.sql, expect)
            held(escape, answer)
            assert answer.rows <= 10_000
            assert len(answer.cells) <= 10_000


@pytest.mark.long
def test_a_function_that_hears_no_cancel_is_hung_up_on(running, asked, outside):
    """It goes on in the server until the copy is thrown away; nobody waits for it."""
    began = time.monotonic()
    with nothing_comes_of(running, asked, outside):
        answer = ask(asked, "select stubborn()", timeout=0.2)
        assert answer.kind == "timeout"
        assert time.monotonic() - began < 0.2 + 1.0 + GRACE + 20.0
    with running.superuser() as connection:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
        connection.execute(ended, [asked.user])


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_question_that_ends_its_own_session_accuses_no_backup(running, asked, outside, how):
    with nothing_comes_of(running, asked, outside):
        assert ask(asked, f"select {how}(pg_backend_pid())").kind in ("interfered", "timeout")


def test_with_a_superuser_s_rights_only_the_server_s_own_account_stops_a_function(running, asked, outside):
    """RDS and Aurora have no superuser. A server of ours has, and is disarmed before: `test_scratch_postgres`."""
    with running.superuser(DATABASE) as connection:
        connection.execute("CREATE FUNCTION public.of_a_superuser(p text) RETURNS integer SECURITY DEFINER "
                           "LANGUAGE plpgsql AS $$ BEGIN EXECUTE format("
                           "'COPY (SELECT 1) TO PROGRAM %L', 'cat > ' || p); RETURN 1; END $$")  # fmt: skip
        try:
            answer = ask(asked, "select of_a_superuser('{outside}')", outside=outside)
            assert answer.error == ""
            assert outside.file.exists()
            assert outside.file.stat().st_uid == running.data.stat().st_uid  # whom the server runs as
        finally:
            outside.file.unlink(missing_ok=True)
            connection.execute("DROP FUNCTION public.of_a_superuser(text)")


# --- the network ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wired(running: Server, asked: Login, outside: Outside) -> Iterator[str]:
    """A database with dblink and foreign tables, whose mappings are there for everybody."""
    name = "wired"
    with running.superuser() as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER master")
    with running.superuser(name) as connection:
        connection.execute("SET search_path = public")
        for extension in ("dblink", "postgres_fdw"):
            connection.execute(f"CREATE EXTENSION {extension}")
        for server, options in (("bare", ""), ("keyed", ", password 'one of production'")):
            connection.execute(
                f"CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw "
                f"OPTIONS (host '127.0.0.1', port '{outside.port}', dbname 'production')"
            )
            connection.execute(f"CREATE USER MAPPING FOR PUBLIC SERVER {server} OPTIONS (user 'app'{options})")
            connection.execute(f"CREATE FOREIGN TABLE far_{server} (n integer) SERVER {server}")
        connection.execute("CREATE TABLE near (n integer)")
        connection.execute("INSERT INTO near VALUES (1)")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC")
    yield name
    with running.superuser() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


NO_CALL = [
    "select n from far_bare",
    "select * from dblink('host=127.0.0.1 port={port} user=app dbname=production', 'select 1') as t(n integer)",
    "select dblink_connect('x', 'host=127.0.0.1 port={port} user=app')",
    "select dblink_exec('host=127.0.0.1 port={port} user=app', 'drop table orders')",
    "select * from dblink('bare', 'select 1') as t(n integer)",
    "select dblink_connect_u('host=127.0.0.1 port={port} user=app')",
    "insert into far_keyed values (1)",
    "with x as (delete from far_keyed returning n) select n from x",
]

CALLS = [
    "select n from far_keyed",
    "select * from dblink('host=127.0.0.1 port={port} user=app password=x', 'select 1') as t(n integer)",
]


@pytest.mark.parametrize("sql", NO_CALL)
def test_without_a_password_nobody_is_called(asked, outside, wired, sql):
    before = len(outside.calls)
    answer = ask(replace(asked, database=wired), sql, outside=outside)
    assert answer.kind in ("question", "missing-object"), answer
    assert len(outside.calls) == before


@pytest.mark.parametrize("sql", CALLS)
def test_with_a_password_that_came_along_only_the_network_can_stop_a_call(asked, outside, wired, sql):
    """Shown so that nobody believes otherwise; docs/assertions.md says it. A run is not green for it."""
    before = len(outside.calls)
    answer = ask(replace(asked, database=wired), sql, timeout=5, outside=outside)
    assert answer.error
    assert "one of production" not in repr(answer)
    assert len(outside.calls) > before


def test_no_probe_calls_anybody(running, asked, outside, wired):
    own = replace(asked, user="restorecheck_reader_wired", database=wired)
    Postgres().prepare(running.login(SUPERUSER, PASSWORD, wired), own, {wired: ("amcheck", "pg_visibility")})
    before = len(outside.calls)
    names = ("readable", "row_counts", "counts_agree", "amcheck", "visibility", "schema", "foreign_keys", "sequences",
             "indexes", "constraints", "collations", "extensions", "databases")  # fmt: skip
    nothing = Expectation(equals=Cell("number", "0"))
    questions = [Assertion(name, "", nothing, probe=Probe(name)) for name in names]
    try:
        answers = Postgres().ask(own, questions, "salt", timedelta(seconds=60))
    finally:
        with running.superuser(wired) as connection:
            made = connection.execute("SELECT rolname FROM pg_roles WHERE rolname ~ ('^' || %s)", [own.user]).fetchall()
            for (role,) in made:
                connection.execute(f"DROP OWNED BY {role}")
                connection.execute(f"DROP ROLE {role}")
    assert {a.name: a.error for a in answers if a.error} == {}
    assert len(outside.calls) == before
    readable = answers[0].examined
    assert readable
    assert [m.object for m in readable.measures] == ["public.near"]
    assert {u.object for u in readable.unseen} == {"public.far_bare", "public.far_keyed"}
