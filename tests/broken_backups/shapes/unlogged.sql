-- group: values
-- question: select count(*) from customer
-- answer: 200

create unlogged table cache (id int generated always as identity primary key, body text unique);

insert into cache (body) select md5(g::text) from generate_series(1, 500) g;

create unlogged table cache_of (id bigserial primary key, cache int references cache);

insert into cache_of (cache) select id from cache;

create index on cache_of using hash (cache);

create unlogged sequence scratch_numbers;

select nextval('scratch_numbers');
