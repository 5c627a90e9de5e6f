-- group: values
-- question: select count(*) from image
-- answer: 40

create table image (id serial primary key, data oid not null);

insert into image (data) select lo_from_bytea(0, convert_to(repeat('x' || g, 5000), 'UTF8')) from generate_series(1, 40) g;

select lo_from_bytea(0, '\x');

do $$ begin perform lo_put(data, 40000, '\xdeadbeef') from image where id = 1; end $$;

create index on image (data);
