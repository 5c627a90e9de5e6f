-- group: values
-- question: select count(*) from wide
-- answer: 350

do $$ begin
    execute 'create table wide (id serial primary key, ' || (select string_agg('c' || n || ' '
        || (array['int', 'text', 'bool', 'smallint'])[1 + n % 4], ', ' order by n) from generate_series(0, 599) n) || ')';
    execute 'create table widest (' || (select string_agg('c' || n || ' bool', ', ' order by n)
        from generate_series(0, 1599) n) || ')';
end $$;

insert into wide (c0, c1, c2, c3, c599) select g, 'x' || g, true, 1, 2 from generate_series(1, 300) g;

do $$ begin
    execute 'insert into wide (' || (select string_agg('c' || n, ', ' order by n) from generate_series(0, 599, 4) n)
        || ') select ' || repeat('g, ', 149) || 'g from generate_series(1, 50) g';
end $$;

create index on wide (c1, c0, c596, c597);

insert into widest (c1599) select true from generate_series(1, 20);

do $$ begin
    execute 'create index on wide (' || (select string_agg('c' || n, ', ' order by n)
        from generate_series(0, 127, 4) n) || ')';
end $$;
