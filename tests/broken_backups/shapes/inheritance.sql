-- group: tables
-- question: select count(*) from place
-- answer: 118

create table place (id serial primary key, name text, people int check (people >= 0) no inherit);

create table city (mayor text, check (people <> 13)) inherits (place);

create table capital (state char(2) unique) inherits (city);

insert into place (name, people) select 'p' || g, g from generate_series(1, 50) g;

insert into city (name, people, mayor) select 'c' || g, -g, 'm' from generate_series(1, 60) g where g <> 13;

insert into capital (name, people, state) select 'k' || g, 100 + g, 'S' || g from generate_series(1, 9) g;

create table stop (place int references place);

insert into stop select id from only place;
