-- group: values
-- question: select max(length(external)) from scan
-- answer: 11200000

create table scan (id serial primary key, plain text, external text, main text, small text, b bytea);

alter table scan alter plain set storage plain, alter external set storage external, alter main set storage main;

alter table scan set (toast_tuple_target = 128);

insert into scan (plain, external, main, small, b) select repeat('p', 100), repeat('external ' || g, 2000),
    repeat('main ' || g, 900), repeat('small', 50), decode(string_agg(md5(g::text || h), ''), 'hex')
    from generate_series(1, 40) g, generate_series(1, 300) h group by g;

insert into scan (external, main) values (repeat('0123456789abcdef', 700000), repeat('y', 9000000));

insert into scan (b) select decode(string_agg(md5(h::text), ''), 'hex') from generate_series(1, 200000) h;

update scan set small = 'touched' where id % 3 = 0;

delete from scan where id % 7 = 0;
