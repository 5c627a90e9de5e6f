"""Ways out of a question that only reads: each with its name, its text and what must become of it. SQL and words only.

What is refused never runs, or fails where it writes. What is harmless may answer or fail, and leaves nothing. What is
cut off would run for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Escape:
    """One way out."""

    name: str
    sql: str
    ends: Literal["refused", "harmless", "cut off"]


DATABASE = "escapes"

SECRET = "4012-8888-8888-1881"

SETUP = f"""
SET search_path = public;
CREATE TABLE ledger (n integer PRIMARY KEY, secret text);
INSERT INTO ledger VALUES (1, '{SECRET}'), (2, '{SECRET}'), (3, '{SECRET}');
CREATE SEQUENCE tickets;
CREATE TYPE letter AS ENUM ('a', 'b');
CREATE FUNCTION writes() RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.ledger VALUES (99); RETURN 1; END $$;
CREATE FUNCTION swallows() RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.ledger VALUES (98); RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 2; END $$;
CREATE FUNCTION untied() RETURNS integer SECURITY DEFINER LANGUAGE plpgsql SET statement_timeout = 0
    AS $$ BEGIN PERFORM pg_sleep(30); RETURN 1; END $$;
CREATE FUNCTION runs(statement text) RETURNS integer SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN EXECUTE statement; RETURN 1; END $$;
CREATE FUNCTION runs_as_caller(statement text) RETURNS integer LANGUAGE plpgsql
    AS $$ BEGIN EXECUTE statement; RETURN 1; END $$;
CREATE FUNCTION planned() RETURNS boolean IMMUTABLE SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.ledger VALUES (96); RETURN true; END $$;
CREATE FUNCTION sleeps_when_planned() RETURNS boolean IMMUTABLE LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(30); RETURN true; END $$;
CREATE FUNCTION stubborn() RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN FOR i IN 1..20 LOOP
        BEGIN PERFORM pg_sleep(30); EXCEPTION WHEN query_canceled THEN NULL; END;
    END LOOP; RETURN 1; END $$;
CREATE FUNCTION writes_with(a integer, b integer) RETURNS boolean LANGUAGE sql AS 'SELECT public.writes() = 1';
CREATE FUNCTION writes_of(l letter) RETURNS integer LANGUAGE sql AS 'SELECT public.writes()';
CREATE FUNCTION writes_while(n integer) RETURNS boolean LANGUAGE sql AS 'SELECT public.writes() = 1';
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = writes_with);
CREATE CAST (letter AS integer) WITH FUNCTION writes_of(letter) AS IMPLICIT;
CREATE FUNCTION sneaks_on(s integer, n integer) RETURNS integer LANGUAGE sql AS 'SELECT public.writes()';
CREATE AGGREGATE sneaks(integer) (SFUNC = sneaks_on, STYPE = integer, INITCOND = '0');
CREATE DOMAIN checked AS integer CHECK (writes_while(VALUE));
CREATE VIEW harmless_looking AS SELECT public.writes() AS n;
CREATE VIEW barrier WITH (security_barrier) AS SELECT n FROM ledger WHERE writes_while(n);
CREATE TABLE guarded (n integer);
INSERT INTO guarded VALUES (1);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY watching ON guarded USING (writes_while(n));
CREATE VIEW ruled AS SELECT n FROM ledger;
CREATE RULE redirect AS ON UPDATE TO ruled DO INSTEAD INSERT INTO ledger VALUES (95);
CREATE TABLE written_through (n integer);
CREATE TABLE count (n integer);
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
GRANT ALL ON SCHEMA public TO PUBLIC;
GRANT ALL ON DATABASE escapes TO PUBLIC
"""
"""Run by the master user, who owns all of it; everybody may do everything in it."""


def _refused(*pairs: tuple[str, str]) -> list[Escape]:
    return [Escape(name, sql, "refused") for name, sql in pairs]


def _harmless(*pairs: tuple[str, str]) -> list[Escape]:
    return [Escape(name, sql, "harmless") for name, sql in pairs]


def _cut_off(*pairs: tuple[str, str]) -> list[Escape]:
    return [Escape(name, sql, "cut off") for name, sql in pairs]


FUNCTIONS = [
    *_refused(
        ("a function with its owner's rights", "select writes()"),
        ("a view that calls one", "select n from harmless_looking"),
        ("a view with a barrier that calls one", "select n from barrier"),
        ("one beside every row", "select l.n from ledger l, lateral (select writes()) w"),
        ("one that runs when it is planned", "select 1 where planned()"),
        ("an operator", "select 1 === 2"),
        ("a cast", "select 'a'::letter::integer"),
        ("a cast that nobody wrote", "select abs('a'::letter)"),
        ("an aggregate", "select sneaks(n) from ledger"),
        ("a domain's check", "select 1::checked"),
        ("a policy", "select n from guarded"),
        ("a rule", "update ruled set n = 1"),
        (
            "a setting and a write at once",
            "select runs('set local transaction_read_only = off; insert into ledger values (97)')",
        ),
        (
            "read-write by set_config first",
            "select writes() where set_config('transaction_read_only', 'off', true) = 'off'",
        ),
        ("read-write by a statement", "select runs('set transaction read write')"),
        ("a commit in a function", "select runs('commit')"),
        ("DDL", "select runs('drop table ledger')"),
        ("a temporary table", "select runs_as_caller('create temporary table t as select 1')"),
        ("an anonymous block", "select runs('do $x$ begin insert into ledger values (94); end $x$')"),
        ("two-phase commit", "select runs('prepare transaction ''x''')"),
        ("granting itself more", "select runs('grant pg_write_all_data to current_user')"),
        ("its own role's settings", "select runs_as_caller('alter role current_user set statement_timeout = 0')"),
        ("its own password", "select runs_as_caller('alter role current_user password ''x''')"),
        ("another role", "select runs_as_caller('set role master')"),
        ("another session's user", "select runs_as_caller('set session authorization master')"),
        ("a sequence", "select runs('select nextval(''tickets'')')"),
        ("a trigger", "select runs('create trigger t after insert on ledger execute function none()')"),
        ("an untrusted language", "select runs('create extension plpython3u')"),
        ("an event trigger", "select runs('create event trigger e on ddl_command_end execute function none()')"),
        (
            "a subscription",
            "select runs('create subscription s connection ''host=127.0.0.1 port={port}'' publication p')",
        ),
        ("the server's settings", "select runs('alter system set fsync = off')"),
        ("a program", "select runs('copy ledger to program ''touch {outside}''')"),
        ("a file", "select runs('copy ledger to ''{outside}''')"),
        ("a file that is read", "select runs('copy ledger from ''/etc/hostname''')"),
        ("a file that is read by its name", "select runs('select pg_read_file(''/etc/hostname'')')"),
        ("a library", "select runs('load ''auto_explain''')"),
        ("a view with rows of its own", "select runs('refresh materialized view v')"),
        ("copying out of a query", "with x as (copy ledger to stdout) select 1"),
        ("a write in WITH below a view", "with x as (update ruled set n = 1 returning n) select n from x"),
        (
            "writing through a view",
            (
                "with x as (merge into written_through t using ledger l on t.n = l.n "
                "when not matched then insert values (l.n) returning t.n) select n from x"
            ),
        ),
        ("a lock of rows in a subquery", "select (select n from ledger limit 1 for update)"),
        ("explaining a write that runs", "explain (analyze) insert into ledger values (93)"),
    ),
    *_harmless(
        ("an error that is swallowed", "select swallows()"),
        ("a lock that would keep all others out", "select runs('lock table ledger in access exclusive mode')"),
        ("an index made anew", "select runs('reindex index ledger_pkey')"),
        ("a table in another order", "select runs('cluster ledger using ledger_pkey')"),
        ("statistics", "select runs('analyze ledger')"),
        ("a notification", "select runs('notify somebody, ''x''')"),
        ("a cursor that outlives", "select runs('declare x cursor with hold for select 1')"),
        ("a prepared statement", "select runs_as_caller('prepare x as select 1')"),
        ("waiting for notifications", "select runs_as_caller('listen somebody')"),
        ("another role by the same name", "select set_config('role', current_user, false)"),
        ("hiding what is not its own", "select set_config('session_authorization', current_user, false)"),
        ("all settings at once", "select runs_as_caller('reset all')"),
        ("a search path to hostile names", "select set_config('search_path', 'public, pg_catalog', false)"),
        ("a client encoding", "select set_config('client_encoding', 'SQL_ASCII', false)"),
        ("burning transaction ids", "select pg_current_xact_id() from generate_series(1, 100)"),
        ("a message in the log of writes", "select pg_logical_emit_message(false, 'x', repeat('x', 1000))"),
        ("a snapshot for others", "select pg_export_snapshot()"),
        ("many locks by name", "select max(n) from (select n, pg_advisory_lock(n) from generate_series(1, 100) n) x"),
        (
            "ending our other sessions",
            (
                "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                "where usename = current_user and pid <> pg_backend_pid()"
            ),
        ),
        ("password hashes", "select rolpassword from pg_authid where rolname = 'master'"),
        ("a value in an error", "select secret::integer from ledger"),
        ("a value in a division", "select 1 / (length(secret) - length(secret)) from ledger"),
        ("the whole table in one value", "select string_agg(secret, ',') from ledger"),
        ("a table that is named like a function", "select count(n) from count"),
        ("our own cursor's name", "with restorecheck as (select 1 as n) select n from restorecheck"),
    ),
]

WRAPPERS = [
    *_refused(
        ("closing the parentheses", "select 'a') as r(k); drop table ledger; --"),
        ("closing and opening them", "select 'a') as r(k) union all (select 'b'"),
        ("a second relation", "select 'a') as x, (select 'b'"),
        ("a condition behind the alias", "values ('a')) as r(k) where (select writes()) = 1 or (true"),
        ("an open comment", "select 'a' /*"),
        ("an open quote", "select 'a"),
        ("an open name", "select 'a' as \"b"),
        ("an open dollar quote", "select $x$a"),
        ("an open parenthesis", "select ('a'"),
        ("one parenthesis too many", "select 'a')"),
        ("a semicolon behind a comment", "select 'a' -- \n; drop table ledger"),
        ("a semicolon in the middle", "select 'a'; select 'b'"),
        ("an empty statement between", "select 'a';; drop table ledger"),
        ("the end of a dollar quote", "select $x$a$x$); drop table ledger; select ($x$b"),
        (
            "the end of another transaction",
            "select 'a'; rollback; begin read write; insert into ledger values (92); commit",
        ),
        ("nothing but a comment", "-- nothing"),
        ("nothing at all", " "),
        ("the end of our cursor", "select 'a'; close restorecheck; declare restorecheck cursor for select 'b'"),
        ("a meta command", "\\! touch {outside}"),
        ("copying in", "copy ledger from stdin;\n5\tx\n\\."),
        ("a statement name", "table ledger; table ledger"),
        ("into a table", "select 'a' into gone"),
    ),
    *_harmless(
        ("a quoted end", "select ') as r(k); drop table ledger; --'"),
        ("a quoted end with a backslash", "select E'\\') as r(k); drop table ledger; --'"),
        ("a quote in another alphabet", "select U&'\\0027) as r(k); drop table ledger; --'"),
        ("a dollar-quoted end", "select $x$) as r(k); drop table ledger; --$x$"),
        ("an end in a name", "select 'a' as \") as r(k); drop table ledger; --\""),
        ("a comment at the end", "select 'a' -- ) as r(k)"),
        ("comments in comments", "select 'a' /* /* */ ) as r(k); drop table ledger */"),
        ("a semicolon at the end", "select 'a';  "),
        ("two of them", "select 'a' ; ;"),
        ("one before a comment", "select 'a'; -- the end"),
        ("braces", "select '{0} {} {k}'"),
        ("percent signs", "select '%s %(x)s %b'"),
        ("the alias of the wrapper", "select r.k from (select 'a') as r(k)"),
        ("an order of its own", "select 'a' order by 1 limit 1 offset 0"),
    ),
]

TIMES = [
    *_cut_off(
        ("sleeping", "select pg_sleep(30)"),
        ("untied first", "select pg_sleep(30) where set_config('statement_timeout', '0', false) = '0'"),
        ("untied by a function", "select untied()"),
        ("sleeping while it is planned", "select 1 where sleeps_when_planned()"),
        (
            "a recursion without an end",
            ("with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r"),
        ),
        (
            "a product without an end",
            "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b",
        ),
        ("rows that fill the disk first", "select n from generate_series(1, 1000000000000) n"),
        (
            "a sort that fills the disk",
            "select n from (select n from generate_series(1, 1e6) n, generate_series(1, 1e6) order by md5(n::text)) x",
        ),
        (
            "a regular expression",
            (
                "select count(*) from generate_series(1, 100000) n "
                "where repeat('a', 3000) || n ~ '^(a?){25}a{25}(.*)*(x+x+)+y$'"
            ),
        ),
        ("waiting for a lock by name", "select pg_advisory_lock(4711)"),
    ),
]

FLOODS = _harmless(
    ("rows without an end", "select generate_series(1, 1000000000000)"),
    ("one large value", "select repeat('x', 20000000)"),
    ("many columns", "select " + ", ".join(["1"] * 1600)),
    ("a deep query", "select " + "(" * 1000 + "1" + ")" * 1000),
    ("a long query", "select 1 where 1 in (" + ", ".join(["2"] * 50_000) + ")"),
)
