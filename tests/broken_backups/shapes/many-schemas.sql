-- group: tables
-- question: select count(*) from s60.item
-- answer: 60

do $$ begin
    for n in 1..60 loop
        execute format('create schema s%s', n);
        execute format('create table s%s.item (id serial primary key, word text)', n);
        execute format('insert into s%s.item (word) select ''w'' || g from generate_series(1, %s) g', n, n);
    end loop;
end $$;
