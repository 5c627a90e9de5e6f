-- group: indexes
-- question: select count(*) from hot
-- answer: 2770

create table hot (id int primary key, n int, word text) with (fillfactor = 70);

insert into hot select g, 0, 'w' || g from generate_series(1, 3000) g;

update hot set n = 2 where id % 2 = 0;

update hot set n = 3 where id % 3 = 0;

update hot set n = 5 where id % 5 = 0;

update hot set word = word || '!' where id % 4 = 0;

create index on hot (word);

delete from hot where id % 13 = 0;

begin; insert into hot select g, 1, 'aborted' from generate_series(5001, 6000) g; rollback;

begin; savepoint s; update hot set n = -1; rollback to s; update hot set n = 9 where id < 10; commit;

create table all_dead (id serial primary key);

insert into all_dead select from generate_series(1, 1000);

delete from all_dead;

create table locked (id int primary key);

insert into locked select generate_series(1, 100);

begin; select * from locked for update; commit;

begin; select * from locked for key share; savepoint a; select * from locked for update; commit;
