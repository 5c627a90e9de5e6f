-- group: indexes
-- question: select pg_catalog.count(*) from public.pg_class
-- answer: 70

create table pg_class (oid int primary key, relname text);

insert into public.pg_class select g, 'fake' from generate_series(1, 70) g;

create table pg_database (datname text);

create table information_schema_tables (a int);

create view pg_attribute as select 1 as attnum;

create function count(int) returns int language sql as 'select -1';

create function lower(customer) returns text language sql as 'select null::text';

create function pg_relation_size(text) returns bigint language sql as 'select 0::bigint';

create function hash_record_extended(anyelement, bigint) returns bigint language sql as 'select 0::bigint';

create function convert_from(bytea, text) returns text language sql as $$ select 'lie' $$;

create function wrong(int, int) returns bool language plpgsql as $$ begin raise exception 'trap'; end $$;

create function wrong(text, text) returns bool language plpgsql as $$ begin raise exception 'trap'; end $$;

create function wrong(bigint, bigint) returns bool language plpgsql as $$ begin raise exception 'trap'; end $$;

create operator = (leftarg = int, rightarg = int, function = wrong);

create operator = (leftarg = text, rightarg = text, function = wrong);

create operator = (leftarg = bigint, rightarg = bigint, function = wrong);

create operator < (leftarg = int, rightarg = int, function = wrong);

create function trap(text) returns int language plpgsql as $$ begin raise exception 'trap'; end $$;

create domain oid as int;

create domain regclass as pg_catalog.text;

create type int8 as enum ('trap');

create aggregate sum(pg_catalog.text) (sfunc = textcat, stype = pg_catalog.text);

create schema information;

create schema "pg-catalog";

create table "pg-catalog".t (id serial primary key);

alter database {database} set search_path = public, pg_catalog;
