-- group: indexes
-- question: select count(*) from geo where p <@ box '((0,0),(100,100))'
-- answer: 100

create table geo (id serial primary key, p point, bx box, ip inet, w text, r int4range, n int, at timestamptz);

insert into geo (p, bx, ip, w, r, n, at) select point(g, g % 17), box(point(g, g), point(g + 1, g + 2)),
    ('10.0.' || g % 250 || '.1')::inet, 'word' || g, int4range(g, g + 3), g,
    '2025-01-01Z'::timestamptz + g * interval '1 s' from generate_series(1, 2000) g;

create index on geo using gist (p);

create index on geo using gist (bx);

create index on geo using gist (ip inet_ops);

create index on geo using spgist (p);

create index on geo using spgist (p kd_point_ops);

create index on geo using spgist (w);

create index on geo using spgist (r);

create index on geo using spgist (ip);

create index on geo using hash (w);

create index on geo using hash (n);

create index on geo using brin (at) with (pages_per_range = 4, autosummarize = on);

create index on geo using brin (n int4_bloom_ops);

create index on geo using brin (n int4_minmax_multi_ops, w);

create table held (during tsrange, exclude using gist (during with &&));

insert into held select tsrange(date '2025-01-01' + g, date '2025-01-01' + g + 1) from generate_series(1, 200) g;
