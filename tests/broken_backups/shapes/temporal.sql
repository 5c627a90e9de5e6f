-- group: indexes
-- question: select count(*) from booked
-- answer: 100

create extension btree_gist;

create table rate (id int, valid daterange, cents int, primary key (id, valid without overlaps));

insert into rate select 1 + g % 10, daterange('2025-01-01'::date + g, '2025-01-01'::date + g + 1), g from generate_series(1, 100) g;

create table booked (id serial primary key, rate int, valid daterange, foreign key (rate, period valid) references rate (id, period valid));

insert into booked (rate, valid) select id, valid from rate;

create table lease (id int, valid tsrange, unique (id, valid without overlaps));

insert into lease select g, 'empty' from generate_series(1, 0) g;
