"""What is one read query, and what is not."""

import logging

import pytest
import sqlglot

from restorecheck.config import question


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "select 1;",
        "SELECT 1 ; -- done",
        "(select 1) union (select 2)",
        "values (1), (2)",
        "table orders",
        "table only orders",
        "with a as (select 1) select * from a",
        "with recursive a(n) as (select 1 union all select n + 1 from a where n < 9) table a",
        "/* a /* nested */ comment; */ select ';' as a, $x$ ; $x$ as b, \";\" from t",
        r"select E'\'; delete from x; --'",
        "select data ? 'key', data @> '{}', data #>> '{a}', list[1:2] from t",
        "select s.nextval, lo_count from s",
        "with lo_totals(a) as (select 1) select * from lo_totals",
        "select 'pg_sleep(1)', 'delete from x'",
        "select version(), current_setting('server_version'), pg_database_size('x')",
        "select * from t, lateral (select 1) s",
        "select count(*) filter (where x) over (partition by y) from t",
        "select invoke(1)",
        "select pg_size_pretty(1)",
        "select 1 from a tablesample system (1)",
        "select json_agg(t) from t",
        "select bt_index_check('a')",
    ],
)
def test_read_queries(sql):
    assert question.why_not(sql) is None


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("", "holds no statement"),
        (";;", "holds no statement"),
        ("select 1; drop table x", "holds 2 statements"),
        ("select 1; ;; select 2", "holds 2 statements"),
        ("merge into x using y on true when matched then delete", 'begins with "merge"'),
        ("copy x to stdout", 'begins with "copy"'),
        ("set role admin", 'begins with "set"'),
        ("with a as (update x set y = 1 returning *) select 1", "contains UPDATE"),
        ("select * from (select * from x for share) y", "locks rows"),
        ("select 1 where :since < now()", "placeholder"),
        ("select 1 from x where exists (select pg_advisory_lock(1))", "takes or frees locks"),
        ('select "pg_sleep"(1)', "only waits"),
        ("select public.lo_unlink(1)", "large objects"),
        ("select a, pg_read_file('x') from b", "files of the server"),
        ("select txid_current()", "transaction id"),
        ("select * from aws_s3.table_import_from_s3('x')", "calls aws_s3.table_import_from_s3(), which calls AWS"),
        ("select pg_drop_replication_slot('x')", "runs the server"),
        ("'select 1'", "begins with"),
        ("create table x as select 'not closed", "begins with"),
    ],
)
def test_what_is_not_one_read_query(sql, why):
    assert why in question.why_not(sql)


@pytest.mark.parametrize(
    "sql", ["select @ -5", "select 'not closed", "select ((", "select " + "(" * 5000 + "1" + ")" * 5000]
)
def test_what_only_postgresql_understands_is_left_to_it(sql):
    assert question.why_not(sql) is None


def test_the_parser_warns_nobody(capfd):
    logging.getLogger("sqlglot").handlers.clear()
    assert question.why_not("values (1)") is None
    assert question._parsed("explain select 1 as nobody_parsed_this", "postgres") is not None
    assert capfd.readouterr() == ("", "")
    assert not logging.getLogger("sqlglot").disabled


def test_a_tree_of_an_unknown_kind_is_refused(monkeypatch):
    """An allow-list of roots: what our parser may learn to read one day is not a read query because of that."""
    monkeypatch.setattr(question, "_parsed", lambda sql, dialect: sqlglot.parse_one("notify orders", read="postgres"))
    assert question.why_not("select 1") == "is not a read query; write select, with, values or table"


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("select max(created_at) from x", "created_at"),
        ("select min(x.beat_at) as oldest from x", "beat_at"),
        ("select created_at from x", "created_at"),
        ("select max(created_at)::interval from x", None),
        ("select now() - max(created_at) from x", None),
        ("select max(lag) from x", None),
        ("select created_at, 1 from x", None),
        ("select count(*) from x", None),
        ("select 1 union select 2", None),
        ("select ((", None),
    ],
)
def test_columns_that_look_like_a_time(sql, column):
    assert question.time_column(sql) == column


@pytest.mark.parametrize(
    ("sql", "counts"),
    [
        ("select count(*) from x", True),
        ("select count(distinct a) as n from x", True),
        ("select count(*) - 5 from x", False),
        ("select count(*), 1 from x", False),
        ("select a from x", False),
    ],
)
def test_queries_that_answer_with_a_count(sql, counts):
    assert question.counts(sql) is counts


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("duckdb", "from orders select count(*)"),
        ("duckdb", "select count(*) from objects where key like '%.parquet'"),
        ("duckdb", "select * from range(10)"),
        ("duckdb", "select * exclude (id) from orders"),
        ("mysql", "select `order`.id from `order`"),
        ("mysql", "select count(*) from t -- done"),
        ("mysql", "select 1 into outfile 'x'"),  # which our parser does not know; the server's grants refuse it
    ],
)
def test_read_queries_of_other_databases(dialect, sql):
    assert question.why_not(sql, dialect) is None


@pytest.mark.parametrize(
    ("dialect", "sql", "why"),
    [
        ("postgres", "from orders", 'begins with "from"'),
        ("duckdb", "pivot x on y", 'begins with "pivot"'),
        ("duckdb", "select * from read_parquet('x')", "calls read_parquet(), which reads files"),
        ("duckdb", "select * from read_csv_auto('x')", "reads files by their paths"),
        ("duckdb", "select * from glob('*')", "reads files by their paths"),
        ("duckdb", "select getenv('HOME')", "reads the environment"),
        ("duckdb", "select * from query('select 1')", "runs a text as SQL"),
        ("duckdb", "select $1", "placeholder"),
        ("mysql", "select sleep(10)", "only waits"),
        ("mysql", "select get_lock('a', 1)", "takes or frees locks"),
        ("mysql", "select load_file('/etc/passwd')", "reads files of the server"),
        ("mysql", "select 1 from t for update", "locks rows"),
    ],
)
def test_what_is_not_one_read_query_of_other_databases(dialect, sql, why):
    assert why in question.why_not(sql, dialect)


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select 1", set()),
        ("select * from Orders o join lines using (id)", {"orders", "lines"}),
        ("with o as (select * from orders) select * from o, unnest(o.items), range(3)", {"orders"}),
        ("from orders", {"orders"}),
        ("select * from 'x.parquet'", {"x.parquet"}),
        ("select * from information_schema.tables", set()),
        ("select ((", set()),
    ],
)
def test_the_tables_that_a_query_names(sql, names):
    assert question.relations(sql, "duckdb") == names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select id from t", ["id"]),
        ("select t.id, n + 1 as m from t", ["id", "m"]),
        ("select * from t", None),
        ("select t.* from t", None),
        ("select id, count(*) from t", None),
        ("select id from t union select n from u", None),
        ("table t", None),
        ("select (((", None),
    ],
)
def test_the_names_of_columns_are_known_only_where_they_can_be_seen(sql, names):
    assert question.names(sql) == names
