-- group: indexes
-- question: select count(*) from by_case
-- answer: 500

create schema ext;

create extension hstore schema ext;

create extension citext;

create extension pg_trgm;

create extension ltree;

create extension unaccent;

create extension fuzzystrmatch;

create table word (id serial primary key, w text, c citext unique, h ext.hstore, path ltree);

insert into word (w, c, h, path) select 'Word' || g, 'Case' || g, ext.hstore('k' || g, null),
    ('a.b' || g % 10)::ltree from generate_series(1, 500) g;

create index on word using gin (w gin_trgm_ops);

create index on word using gist (w gist_trgm_ops);

create index on word using gin (h);

create index on word using gist (path);

create index on word (path);

create index on word (h);

create table by_case (c citext references word (c));

insert into by_case select upper(c::text) from word;
