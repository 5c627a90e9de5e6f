"""Ways out of a question to a real MariaDB whose database means ill: refused, harmless or cut off."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pymysql
import pytest
from mariadb_server import Server, mariadb

from restorecheck.databases import mysql_server
from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.mysql import MySQL
from restorecheck.model import Against, Answer, Assertion, Cell, Expectation, Probe

pytestmark = pytest.mark.long  # every one is a question to a real server

SECRET = "4012-8888-8888-1881"
VALUE = Expectation(at_least=Cell("number", "0"))
ROWS = Expectation(no_rows=True)
EXPECTATIONS = {
    "value": VALUE,
    "rows": ROWS,
    "same": Expectation(same_as=Against("accepted")),
    "exist": Expectation(exist_in="files"),
}
KEYS = Beside({"files": lambda: [b"a", b"b"]})

SETUP = f"""
CREATE DATABASE hostile;
CREATE TABLE hostile.ledger (n INT PRIMARY KEY, secret VARCHAR(40));
INSERT INTO hostile.ledger VALUES (1, '{SECRET}'), (2, '{SECRET}'), (3, '{SECRET}');
CREATE TABLE hostile.touched (n INT) ENGINE=MyISAM;
CREATE SEQUENCE hostile.tickets;
CREATE FUNCTION hostile.writes() RETURNS INT SQL SECURITY DEFINER
    BEGIN INSERT INTO hostile.touched VALUES (1); RETURN 1; END;
CREATE FUNCTION hostile.unties() RETURNS INT SQL SECURITY DEFINER
    BEGIN SET max_statement_time = 0; RETURN SLEEP(30); END;
CREATE FUNCTION hostile.count() RETURNS INT SQL SECURITY DEFINER
    BEGIN INSERT INTO hostile.touched VALUES (2); RETURN 9; END;
CREATE FUNCTION hostile.md5(t TEXT) RETURNS TEXT SQL SECURITY DEFINER
    BEGIN INSERT INTO hostile.touched VALUES (3); RETURN ''; END;
CREATE VIEW hostile.looking AS SELECT hostile.writes() AS n;
CREATE SQL SECURITY INVOKER VIEW hostile.asking AS SELECT hostile.writes() AS n;
CREATE VIEW hostile.sleeping AS SELECT SLEEP(30) AS n;
CREATE VIEW hostile.counting AS SELECT NEXTVAL(hostile.tickets) AS n;
CREATE PROCEDURE hostile.acts() SQL SECURITY DEFINER INSERT INTO hostile.touched VALUES (4);
CREATE TABLE hostile.computed (n INT, m INT AS (n + 1) VIRTUAL, CHECK (n > 0));
INSERT INTO hostile.computed (n) VALUES (1);
CREATE TRIGGER hostile.t AFTER INSERT ON hostile.computed FOR EACH ROW INSERT INTO hostile.touched VALUES (5);
CREATE EVENT hostile.e ON SCHEDULE EVERY 1 SECOND DO INSERT INTO hostile.touched VALUES (6)
"""

REFUSED = {
    "a function with its owner's rights": "select writes()",
    "a function of another database": "select hostile.writes()",
    "a function that undoes its own timeout": "select unties()",
    "a view with the rights of who asks": "select n from asking",
    "a procedure": "call acts()",
    "a sequence": "select nextval(tickets)",
    "a sequence, as a value for": "select next value for tickets",
    "a sequence that is set": "select setval(tickets, 99)",
    "an insert that returns": "insert into ledger values (9, 'x') returning n",
    "a delete that returns": "delete from ledger returning n",
    "a write in WITH": "with x as (delete from ledger returning n) select n from x",
    "a file": "select * from ledger into outfile '{outside}'",
    "a file in a subquery": "select (select secret from ledger limit 1 into outfile '{outside}')",
    "a file before FROM": "select secret into dumpfile '{outside}' from ledger limit 1",
    "a variable": "select n into @x from ledger limit 1",
    "a variable of the procedure that it is not": "select n into x from ledger limit 1",
    "doing": "do sleep(1)",
    "a handler": "handler ledger open as h",
    "a lock of rows": "select n from ledger for update",
    "a temporary table": "create temporary table t as select 1",
    "a setting": "set session max_statement_time = 0",
    "a setting for one statement": "set statement max_statement_time = 0 for select sleep(30)",
    "a setting of the server": "set global general_log_file = '{outside}'",
    "another role": "set role all",
    "another user": "set password for 'master'@'%' = password('x')",
    "ending a session": "kill query 1",
    "ending the server": "shutdown",
    "changing the database": "use mysql",
    "a second statement": "select 1; delete from ledger",
    "a second statement behind a comment": "select 1 -- \n; delete from ledger",
    "a delimiter": "delimiter //\nselect 1//",
    "a comment that runs": "select 1 /*! into outfile '{outside}' */",
    "a comment that runs for MariaDB": "select 1 /*M! into outfile '{outside}' */",
    "a statement that runs in a comment": "/*! delete from ledger */",
    "analyzing a write": "analyze delete from ledger",
    "a block": "begin not atomic delete from ledger; end",
    "preparing": "prepare p from 'delete from ledger'",
    "executing at once": "execute immediate 'delete from ledger'",
    "our own prepared statement": "execute restorecheck",
    "a table's own lock": "lock tables ledger write",
    "giving up": "commit and chain",
    "XA": "xa start 'x'",
    "a savepoint": "savepoint x",
    "flushing": "flush tables with read lock",
    "reading a file into a table": "load data infile '/etc/passwd' into table touched",
    "reading our file into a table": "load data local infile '/etc/passwd' into table touched",
    "a plugin": "install plugin x soname 'x.so'",
    "a federated table": "create table far (n int) engine=federated connection='mysql://a:b@127.0.0.1:{port}/x/y'",
    "a server elsewhere": "create server far foreign data wrapper mysql options (host '127.0.0.1', port {port})",
    "replication": "change master to master_host='127.0.0.1', master_port={port}",
    "closing the parentheses": "select 1) union (select 2",
    "closing and commenting": "select 1) -- ",
    "closing and writing": "select 1); delete from ledger; -- ",
    "closing the other wrapper": "select 'a') select 1; delete from ledger; -- ",
    "a relation behind the wrapper": "select 'a') , x as (select 2",
    "an open comment": "select 1 /*",
    "an open comment that runs": "select 1 /*!",
    "an open quote": "select 'a",
    "an open name": "select 1 as `a",
    "one parenthesis too many": "select 1)",
    "one too few": "select (1",
    "nothing at all": " ",
    "nothing but a comment": "-- nothing",
    "a backslash before the end": "select 'a\\",
}

HARMLESS = {
    "a shared lock of rows": "select n from ledger lock in share mode",
    "a file that is read": "select load_file('/etc/passwd')",
    "a lock by name": "select get_lock('x', 0)",
    "all locks by name": "select release_all_locks()",
    "a variable in an expression": "select @restorecheck := 'delete from ledger'",
    "a variable of ours": "select @restorecheck",
    "password hashes": "select authentication_string from mysql.global_priv limit 1",
    "sessions of others": "select info from information_schema.processlist limit 1",
    "a value in an error": "select cast(secret as decimal) / 0 from ledger",
    "a value in an XML error": "select extractvalue(1, concat('~', (select secret from ledger limit 1)))",
    "a value in an XML update": "select updatexml(1, concat('~', (select secret from ledger limit 1)), 1)",
    "a value in a duplicate key": "select count(*), concat(secret, floor(rand(0) * 2)) x from ledger group by x",
    "a value in a geometry": "select st_geomfromtext(secret) from ledger",
    "a value in a name": "select json_extract('{}', (select secret from ledger limit 1))",
    "the last id": "select last_insert_id(7)",
    "another time": "select now() from ledger limit 1",
    "a quoted end": "select ') as x; delete from ledger; -- '",
    "an end in a name": "select 1 as `) as x; delete from ledger; -- `",
    "an escaped quote": "select 'a\\') as x; delete from ledger; -- '",
    "a comment at the end": "select 1 -- ) delete from ledger",
    "a hash at the end": "select 1 # )",
    "a semicolon at the end": "select 1;  ",
    "braces and percent signs": "select '{0} {} %s %(x)s %%'",
    "our own name": "with restorecheck as (select 1 as k) select k from restorecheck",
    "a procedure of analysis": "select n from ledger procedure analyse()",
    "a sequence that is read": "select previous value for tickets",
    "the name of a function": "select count(*) from ledger",
    "one large value": "select repeat('x', 12000000)",
}

CUT_OFF = {
    "sleeping": "select sleep(30)",
    "sleeping beside every row": "select n from ledger where sleep(30)",
    "sleeping in a subquery": "select * from (select sleep(30)) x",
    "counting for ever": "select benchmark(1000000000000, md5('x'))",
    "a product without an end": "select count(*) from seq_1_to_1000000 a, seq_1_to_1000000 b, seq_1_to_1000000 c",
    "a recursion without an end": "with recursive r(n) as (select 1 union all select n + 1 from r where n < 1e15) "
    "select count(*) from r a, r b, r c",
    "waiting for a lock by name": "select get_lock('held', 30)",
    "a regular expression": "select count(*) from seq_1_to_1000000 "
    "where concat(repeat('a', 3000), seq) rlike '^(a?){30}a{30}(.*)*$'",
}


@dataclass
class Outside:
    """What would show that something came out."""

    file: Path
    port: int = 0
    calls: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with mariadb() as made:
        for statement in SETUP.split(";\n"):
            made.run(statement)
        yield made


@pytest.fixture(scope="module")
def outside(running: Server) -> Iterator[Outside]:
    """A file in a directory that the server may write to, and a port where every call is noted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Outside(Path(running.directory) / "escaped", listening.getsockname()[1])

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
def asked(running: Server) -> Login:
    reader = running.login("restorecheck_reader_out", database="hostile")
    MySQL().prepare(running.master(), reader)
    return reader


def state(running: Server) -> dict[str, Any]:
    """Return what must not change: rows, definitions, users, rights and settings of the server."""
    queries = [
        "SELECT * FROM hostile.ledger",
        "SELECT * FROM hostile.touched",
        "SELECT * FROM hostile.computed",
        "SELECT next_not_cached_value FROM hostile.tickets",
        "SELECT table_schema, table_name, engine FROM information_schema.tables ORDER BY 1, 2",
        "SELECT routine_schema, routine_name, routine_definition FROM information_schema.routines ORDER BY 1, 2",
        "SELECT * FROM mysql.global_priv ORDER BY user, host",
        "SELECT * FROM mysql.db ORDER BY user, host, db",
        "SELECT * FROM mysql.servers",
        "SELECT * FROM information_schema.global_variables WHERE variable_name NOT LIKE '%gtid%'",
        "SELECT plugin_name FROM information_schema.plugins ORDER BY 1",
    ]
    seen: dict[str, Any] = {query: sorted(running.run(query), key=repr) for query in queries}
    data = Path(running.directory) / "data"
    seen["files"] = sorted(str(p.relative_to(data)) for p in data.rglob("*") if not p.name.startswith(("ib", "aria")))
    return seen


@pytest.fixture(scope="module", autouse=True)
def unchanged(running: Server, asked: Login) -> Iterator[None]:
    """Whatever the tests of this module try, all of it is afterwards as it was."""
    before = state(running)
    yield
    after = state(running)
    assert {k: (before[k], after[k]) for k in before if before[k] != after[k]} == {}


def ask(asked: Login, sql: str, expect: Expectation, timeout: float = 5.0, outside: Outside | None = None) -> Answer:
    if outside is not None:
        sql = sql.replace("{outside}", str(outside.file)).replace("{port}", str(outside.port))
    question = Assertion("a", sql, expect, timeout=timedelta(seconds=timeout))
    (answer,) = MySQL().ask(asked, [question], "salt", timedelta(seconds=60), KEYS)
    return answer


@contextlib.contextmanager
def nothing_comes_of(running: Server, asked: Login, outside: Outside) -> Iterator[None]:
    """Around one escape: rows as they were, nothing came out, and the next question is answered as ever."""
    calls = len(outside.calls)
    yield
    answer = ask(asked, "select sum(n) from ledger", VALUE, timeout=30)
    assert (answer.error, [c.text for c in answer.cells]) == ("", ["6"])
    assert running.run("SELECT count(*) FROM hostile.touched") == ((0,),)
    assert not outside.file.exists()
    assert len(outside.calls) == calls


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED.keys())
def test_what_would_change_something_is_refused(running, asked, outside, sql):
    with nothing_comes_of(running, asked, outside):
        for expect in EXPECTATIONS.values():
            answer = ask(asked, sql, expect, outside=outside)
            assert answer.error, answer
            assert answer.kind in ("question", "missing-object"), answer
            assert SECRET not in repr(answer)


@pytest.mark.parametrize("sql", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_the_server_allows_leaves_nothing_behind_and_tells_no_value(running, asked, outside, sql):
    with nothing_comes_of(running, asked, outside):
        for expect in EXPECTATIONS.values():
            answer = ask(asked, sql, expect, timeout=1.0, outside=outside)
            assert answer.kind in ("", "question", "missing-object", "timeout"), answer
            assert SECRET not in repr(answer)
            assert "*" not in repr(answer.cells)  # how a hash of a password begins
            assert len(answer.cells) <= 10_000


@pytest.mark.parametrize("sql", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_no_question_takes_longer_than_it_may(running, asked, outside, sql, monkeypatch):
    monkeypatch.setattr(mysql_server, "GRACE", 60.0)  # it is not the reading that gives up
    master = running.master()
    holder = pymysql.connect(
        host=master.host, port=master.port, user=master.user, password=master.password, ssl_disabled=True
    )
    with contextlib.closing(holder), nothing_comes_of(running, asked, outside):
        holder.cursor().execute("SELECT GET_LOCK('held', 0)")
        began = time.monotonic()
        answer = ask(asked, sql, ROWS, timeout=0.2)
        assert (answer.kind, answer.cells) == ("timeout", ()), answer
        assert time.monotonic() - began < 25


def test_the_escapes_would_have_worked_without_the_protection(running):
    """The state sees what is tried above; else it would prove nothing."""
    before = state(running)
    running.run("SELECT hostile.writes()")
    running.run("SELECT n FROM hostile.looking")
    assert state(running) != before
    running.run("DELETE FROM hostile.touched")
    assert state(running) == before


def test_a_view_with_its_owner_s_rights_cannot_write(running, asked, outside):
    """A view runs with the rights of who made it, also its functions. Here the snapshot is what is left to refuse."""
    with nothing_comes_of(running, asked, outside):
        for view in ("looking", "counting"):
            for expect in EXPECTATIONS.values():
                answer = ask(asked, f"select n from {view}", expect)
                assert answer.kind in ("question", "missing-object"), answer
        assert ask(asked, "select n from sleeping", ROWS, timeout=0.2).kind == "timeout"


def test_no_probe_runs_what_the_database_brings_along(running, asked, outside):
    names = ("readable", "row_counts", "check_table", "schema", "foreign_keys", "databases")
    nothing = Expectation(equals=Cell("number", "0"))
    questions = [Assertion(name, "", nothing, probe=Probe(name)) for name in names]
    with nothing_comes_of(running, asked, outside):
        answers = MySQL().ask(asked, questions, "salt", timedelta(seconds=60))
        assert {a.name: a.error for a in answers if a.error and a.kind != "nothing-examined"} == {}
        counted = answers[1].examined
        assert counted
        rows = {m.object: m.rows for m in counted.measures}
        assert {name: rows[name] for name in ("hostile.ledger", "hostile.computed")} == {
            "hostile.ledger": 3, "hostile.computed": 1,
        }  # fmt: skip
        assert SECRET not in repr(answers)


def test_a_session_of_another_question_holds_no_lock_and_no_variable(asked):
    first = ask(asked, "select get_lock('mine', 0)", VALUE)
    assert [c.text for c in first.cells] == ["1"]
    free = ask(replace(asked), "select is_free_lock('mine')", VALUE)
    assert [c.text for c in free.cells] == ["1"]
    assert [c.kind for c in ask(asked, "select @left_behind", VALUE).cells] == ["null"]
