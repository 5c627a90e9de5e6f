"""Every way out of a read-only transaction that we know of, tried through `ask`: refused, or provably harmless."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from postgres_shop import fingerprint

from restorecheck.databases.postgres import Postgres
from restorecheck.model import Against, Assertion, Cell, Expectation

pytestmark = pytest.mark.parametrize("running", ["18", pytest.param("15", marks=pytest.mark.long)], indirect=True)
"""The older server in the long suite: what it refuses it refuses in the same way."""

VALUE = Expectation(at_least=Cell("number", "0"))
NO_ROWS = Expectation(no_rows=True)
SAME = Expectation(same_as=Against("accepted"))
EVERY = (VALUE, NO_ROWS, SAME)

REFUSED_TO_EVERYBODY = [
    "insert into touched values (9)",
    "insert into touched values (9) returning n",
    "update orders set total = 0",
    "delete from orders",
    "truncate orders",
    "merge into touched t using (values (1)) s(n) on t.n = s.n when not matched then insert values (9)",
    "with x as (insert into touched values (9) returning n) select n from x",
    "with x as (delete from orders returning id) select count(*) from x",
    "select touch()",
    "select burst()",
    "select burst_by_name('transaction_read_only')",
    "select burst_by_name('default_transaction_read_only')",
    "do $$ begin insert into touched values (9); end $$",
    "call commits()",
    "create table t (n integer)",
    "create temporary table t (n integer)",
    "create table t as select 1",
    "drop table orders",
    "alter table orders add column x integer",
    "select 1 into t",
    "select id from orders for update",
    "select id from orders for share",
    "select nextval('numbers')",
    "select setval('numbers', 99)",
    "copy touched from stdin",
    "copy touched to stdout",
    "grant all on orders to public",
    "refresh materialized view codes",
    "explain analyze insert into touched values (9)",
    "explain select 1",
    "vacuum orders",
    "comment on table orders is 'x'",
    "create extension amcheck",
]

FOR_SUPERUSERS = [
    "copy (select 1) to program 'touch /tmp/restorecheck-escaped'",
    "copy (select 1) to '/tmp/restorecheck-escaped'",
    "select pg_read_file('PG_VERSION')",
    "select pg_ls_dir('.')",
    "select lo_export(1, '/tmp/restorecheck-escaped')",
    "select lo_import('/etc/hostname')",
    "select pg_file_write('restorecheck-escaped', 'x', false)",
    "select * from dblink('dbname=shop', 'insert into touched values (9) returning n') as t(n integer)",
    "select dblink_exec('host=localhost port={port} dbname=shop user={user} password={password}', 'truncate many')",
    "load 'auto_explain'",
    "reindex table orders",
    "cluster orders using orders_pkey",
    "checkpoint",
    "lock table orders in access exclusive mode",
    "select pg_switch_wal()",
    "select pg_create_restore_point('x')",
    "select pg_create_physical_replication_slot('x', true)",
    "select pg_create_logical_replication_slot('x', 'pgoutput')",
    "select pg_reload_conf()",
    "set role master",
    "set session authorization postgres",
    "select set_config('role', 'master', false)",
    "select pg_stat_reset()",
    "select pg_promote()",
]

STATEMENTS_THAT_NO_CURSOR_TAKES = [
    "set transaction read write",
    "begin",
    "commit",
    "rollback",
    "commit; insert into touched values (9)",
    "rollback; insert into touched values (9)",
    "select 1; select 2",
    "select 1; insert into touched values (9)",
    "select 1); insert into touched values (9); select (1",
    "select 1; commit; begin read write; insert into touched values (9); commit",
    "notify somebody, 'x'",
    "listen somebody",
    "analyze",
    "set statement_timeout = 0",
    "set session characteristics as transaction read write",
    "reset all",
    "discard all",
    "alter role current_user set statement_timeout = 0",
    "alter role current_user password 'x'",
    "lock table orders in access share mode",
    "declare x cursor with hold for select 1",
    "prepare x as insert into touched values (9)",
    "execute x",
    "savepoint x",
    "prepare transaction 'x'",
    "show all",
    "fetch 1 from restorecheck",
    "close restorecheck",
    "deallocate all",
    "security label on table orders is 'x'",
    "import foreign schema public from server s into public",
]

ALLOWED_BUT_HARMLESS = [
    "select lo_create(0)",  # before PostgreSQL 16, and gone with the rollback
    "select lo_from_bytea(0, 'x')",
    "select pg_advisory_lock(42)",
    "select pg_advisory_xact_lock(43)",
    "select pg_notify('somebody', 'x')",
    "select pg_logical_emit_message(false, 'x', 'y')",
    "select pg_logical_emit_message(true, 'x', 'y')",
    "select pg_current_xact_id()",
    "select pg_export_snapshot()",
    "select set_config('default_transaction_read_only', 'off', false)",
    "select set_config('transaction_read_only', 'off', false)",
    "select set_config('statement_timeout', '0', false)",
    "select set_config('row_security', 'on', false)",
    "select set_config('session_replication_role', 'replica', false)",
    "select pg_cancel_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()",
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()",
    "select rolpassword from pg_authid where rolname = 'master'",
    "select query_to_xml('insert into touched values (9) returning n', true, true, '')",
    "select query_to_xml('set transaction read write', true, true, '')",
    "select cursor_to_xml('restorecheck', 1, true, true, '')",
    "select table_to_xml('orders', true, true, '')",
    "select ts_stat('select 1::text::tsvector')",
    "select lo_unlink(1)",
    "select gen_random_uuid()",
    "select pg_sleep(0.01)",
    "select count(*) from pg_stat_activity",
]


@pytest.fixture(scope="module")
def before(running, reader):
    """What every test here must find as it was."""
    return fingerprint(running)


@pytest.fixture
def bystander(running):
    with running.superuser("shop") as connection:
        connection.execute("LISTEN somebody")
        yield connection


def _tried(reader, sql, expect):
    if "{port}" in sql:
        sql = sql.format(port=reader.port, user=reader.user, password=reader.password)
    (answer,) = Postgres().ask(reader, [Assertion("a", sql, expect)], "salt", timedelta(seconds=30))
    return answer


@pytest.mark.parametrize("sql", [*REFUSED_TO_EVERYBODY, *FOR_SUPERUSERS, *STATEMENTS_THAT_NO_CURSOR_TAKES])
def test_what_would_change_something_is_refused(running, reader, before, sql):
    for expect in EVERY:
        answer = _tried(reader, sql, expect)
        assert answer.error, answer
        assert answer.kind in ("question", "missing-object"), answer
        assert answer.sqlstate
    assert fingerprint(running) == before
    assert not Path("/tmp/restorecheck-escaped").exists()
    assert not (running.data / "restorecheck-escaped").exists()


@pytest.mark.parametrize("sql", ALLOWED_BUT_HARMLESS)
def test_what_the_server_allows_leaves_nothing_behind(running, reader, before, bystander, sql):
    for expect in EVERY:
        answer = _tried(reader, sql, expect)
        assert answer.kind in ("", "question", "missing-object"), answer
        assert "SCRAM" not in repr(answer)
    assert fingerprint(running) == before
    assert bystander.execute("SELECT 1").fetchone() == (1,)
    assert list(bystander.notifies(timeout=0)) == []


def test_the_attempts_would_have_worked_without_the_protection(running):
    """The fingerprint sees what the attempts above try; else they would prove nothing."""
    before = fingerprint(running)
    with running.superuser("shop") as connection:
        connection.execute("SET search_path = public")
        connection.execute("BEGIN READ ONLY")
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute("SELECT touch()")
        connection.execute("COMMIT")
        assert fingerprint(running) != before
        connection.execute("DELETE FROM touched")
        assert fingerprint(running) == before
        connection.execute("SELECT pg_advisory_lock(42)")
        assert fingerprint(running) != before
