-- group: tables
-- question: select count(*) from totals
-- answer: 200

create view rich as select c.name, sum(p.cents) as cents from customer c join purchase p on p.customer = c.id group by 1;

create view richest (who, cents) with (security_barrier) as select * from rich where cents > 1000;

create materialized view totals as select name, cents from rich with data;

create unique index on totals (name);

create materialized view above as select count(*) as n from totals;

create view on_top as select * from totals union all select 'x', n from above;

create recursive view nums (n) as values (1) union all select n + 1 from nums where n < 5;

create view editable as select id, name from customer where id > 0 with check option;

create view broken_later as select 1 / (id - id) as n from customer;

create function stop() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;

create trigger no_writes instead of insert on rich for each row execute function stop();

create rule quiet as on insert to on_top do instead nothing;

create table log (n int);

create rule keep as on delete to log do instead nothing;

insert into log select generate_series(1, 10);
