-- group: values
-- question: select count(*) from sample
-- answer: 900

create table sample (id serial primary key, a int, b int, c text);

insert into sample (a, b, c) select g % 10, g % 10, 'c' || g % 3 from generate_series(1, 900) g;

create statistics together (ndistinct, dependencies, mcv) on a, b from sample;

create statistics of_expression on (a + b), lower(c) from sample;

alter table sample alter a set statistics 500;

analyze sample;

create publication several for table sample (id, a) where (a > 3);

alter table sample replica identity full;

-- by: root

create publication everything for all tables;

create subscription never connection 'host=127.0.0.1 port=1 dbname=x' publication p with (connect = false, slot_name = none);
