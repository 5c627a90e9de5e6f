-- group: values
-- question: select count(*) from keeps where (whole).a = (cust).id
-- answer: 100

create type pair as (a int, b text);

create table typed of pair (primary key (a));

insert into typed select g, 'b' || g from generate_series(1, 100) g;

create table keeps (id serial primary key, whole typed, several typed[], cust customer);

insert into keeps (whole, several, cust) select t, array[t, t], c from typed t
    join customer c on c.id = t.a;

alter table typed not of;

create index on keeps (whole);

create table nested (n keeps);

insert into nested select k from keeps k limit 20;
