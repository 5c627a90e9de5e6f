-- group: values
-- question: select sum(e2) from grown
-- answer: 2807

create table grown (a int, b text, c int, d numeric(10,2), e text);

insert into grown select g, 'b' || g, g, g, 'e' from generate_series(1, 400) g;

alter table grown drop column a, drop column d;

alter table grown add column f int not null default 7;

alter table grown add column g text default 'added later ' || 'as a constant';

alter table grown add column h timestamptz not null default '2020-01-01Z';

insert into grown (b) values ('new');

alter table grown alter c type bigint;

alter table grown drop column e;

alter table grown add column e text;

alter table grown add primary key (b);

alter table grown drop column g;

alter table grown rename column f to e2;

create table all_dropped (a int, b int);

insert into all_dropped select g, g from generate_series(1, 20) g;

alter table all_dropped drop column a, drop column b;
