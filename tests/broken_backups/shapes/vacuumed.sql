-- group: indexes
-- question: select count(*) from again
-- answer: 1600

create table frozen (id int primary key, word text);

insert into frozen select g, 'w' || g from generate_series(1, 3000) g;

create index on frozen (word);

vacuum (freeze, analyze) frozen;

create table again (id int primary key, word text);

insert into again select g, 'w' || g from generate_series(1, 3000) g;

delete from again where id > 1500;

vacuum again;

insert into again select g, 'n' from generate_series(1501, 1600) g;

create table repacked (id int primary key, word text);

insert into repacked select g, 'w' || g from generate_series(1, 2000) g;

delete from repacked where id % 2 = 0;

vacuum full repacked;

reindex table repacked;

vacuum (index_cleanup off) frozen;
