-- group: indexes
-- question: select count(*) from t
-- answer: 2728

create table t (id serial primary key, a int, b text, c int, d timestamptz, e bool);

insert into t (a, b, c, d, e) select nullif(g % 50, 7), case when g % 9 > 0 then 'b' || g % 30 end, g,
    '2025-01-01Z'::timestamptz + g * interval '1 min', g % 2 = 0 from generate_series(1, 3000) g;

create index on t (a desc nulls last, b);

create index on t (a desc, b asc nulls first, c desc);

create index on t (b) where a is not null;

create index on t (lower(b));

create index on t (lower(b), a) where e;

create index on t ((a + c), (b || 'x'));

create unique index on t (c) include (a, b);

create unique index on t (c, (a is null));

create table u (a int, b int, unique nulls not distinct (a, b));

insert into u select g, null from generate_series(1, 100) g;

create index on t (b text_pattern_ops);

create index on t (b collate "POSIX", a);

create index on t (a) with (fillfactor = 50, deduplicate_items = off);

create index on t (e);

create index on t (d, e) where d > '2025-01-01 10:00Z';

alter table u add constraint later unique (a) deferrable initially deferred;

cluster t using t_c_a_b_idx;

update t set a = a + 1 where c % 10 = 0;

delete from t where c % 11 = 0;
