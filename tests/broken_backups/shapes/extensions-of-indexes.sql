-- group: indexes
-- question: select count(*) from room
-- answer: 300

-- by: root

create extension vector;

-- by: master

create extension btree_gist;

create extension btree_gin;

create extension cube;

create extension seg;

create extension intarray;

create extension isn;

create extension tablefunc;

create table room (id int, during tstzrange, c cube, s seg, n int, isbn isbn13, exclude using gist (id with =, during with &&));

insert into room select g % 5, tstzrange(at, at + interval '1 h'), cube(g, g + 1), (g || '.5')::seg, g, null
    from (select g, '2025-01-01Z'::timestamptz + g * interval '2 h' as at from generate_series(1, 300) g) x;

create index on room using gin (n, id);

create index on room using gist (c);

create index on room using gist (s);

create index on room (c);

create index on room (s);

create table near (id int, e vector(3));

insert into near select g, array[g, g % 7, 1]::vector from generate_series(1, 200) g;

create index on near using hnsw (e vector_l2_ops);

create index on near using ivfflat (e vector_cosine_ops) with (lists = 4);

create table ints (a int[]);

insert into ints select array[g, g + 1] from generate_series(1, 200) g;

create index on ints using gin (a gin__int_ops);

create index on ints using gist (a gist__int_ops);
