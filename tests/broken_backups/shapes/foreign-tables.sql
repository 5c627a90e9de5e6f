-- group: indexes
-- question: select count(*) from sales_here
-- answer: 100

create table sales (id int, at date) partition by range (at);

create table sales_here partition of sales for values from ('2025-01-01') to ('2026-01-01');

insert into sales select g, date '2025-01-01' + g from generate_series(1, 100) g;

-- by: root

create extension postgres_fdw;

create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1', dbname 'x');

create user mapping for public server elsewhere options (user 'x', password 'y');

create foreign table far (id int, word text) server elsewhere options (table_name 'far');

create foreign table sales_far partition of public.sales for values from ('2024-01-01') to ('2025-01-01') server elsewhere;
