-- group: tables
-- question: select (select count(*) from queue) + (select count(*) from was_full) + (select count(*) from truncated)
-- answer: 0

create table queue (id bigserial primary key, payload jsonb, customer bigint references customer);

create index on queue using gin (payload);

create index on queue (customer) where customer is not null;

create table was_full (id serial primary key, word text);

insert into was_full (word) select md5(g::text) from generate_series(1, 2000) g;

delete from was_full;

vacuum was_full;

create table truncated (id serial primary key, word text);

insert into truncated (word) select md5(g::text) from generate_series(1, 500) g;

truncate truncated restart identity;

create table untouched (a int, b text, c bytea);

create materialized view nothing as select * from queue;
