-- group: tables
-- question: select count(*) from part
-- answer: 2000

create table part (id int primary key, word text, n int) partition by hash (id);

create table part_0 partition of part for values with (modulus 4, remainder 0);

create table part_1 partition of part for values with (modulus 4, remainder 1);

create table part_2 partition of part for values with (modulus 4, remainder 2);

create table part_3 (gone int, n int, word text, id int not null);

alter table part_3 drop column gone;

alter table part_3 add primary key (id);

alter table part attach partition part_3 for values with (modulus 4, remainder 3);

create index on part (word);

create unique index part_unique on only part (id, n);

create unique index part_unique_0 on part_0 (id, n);

create unique index part_unique_1 on part_1 (id, n);

create unique index part_unique_2 on part_2 (id, n);

create unique index part_unique_3 on part_3 (id, n);

alter index part_unique attach partition part_unique_0;

alter index part_unique attach partition part_unique_1;

alter index part_unique attach partition part_unique_2;

alter index part_unique attach partition part_unique_3;

insert into part select g, md5(g::text), g % 7 from generate_series(1, 2000) g;

create table empty_parent (id int, at date) partition by list (id);
