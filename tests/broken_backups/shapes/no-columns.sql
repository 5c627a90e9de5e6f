-- group: values
-- question: select (select count(*) from nothing) + (select count(*) from nulls where a is null)
-- answer: 1005

create table nothing ();

insert into nothing select from generate_series(1, 5);

create table nulls (a int, b text, c jsonb, d int[]);

insert into nulls select from generate_series(1, 1000);

create index on nulls (a, b);

create index on nulls (b desc nulls last);

create unique index on nulls (c);

create table one_bit (yes bool);

insert into one_bit select g % 2 = 0 from generate_series(1, 3000) g;

create index on one_bit (yes);

create table blanks (t text primary key);

insert into blanks values (''), (' '), ('  '), (E'\n'), (E'\t'), ('NULL');
