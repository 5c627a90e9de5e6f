-- group: values
-- question: select count(*) from wear where price @> 10
-- answer: 7

create type size as enum ('s', 'xl');

alter type size add value 'm' before 'xl';

alter type size add value 'Ü''s';

create type address as (street text, number int, tags text[]);

create type person as (name text, home address, born date);

create type floats as range (subtype = float8, subtype_diff = float8mi);

create table wear (id serial primary key, s size, who person, price int4range, seen tstzmultirange, f floats, all_sizes size[]);

insert into wear (s, who, price, seen, f, all_sizes) select (enum_range(null::size))[1 + g % 4],
    row('n' || g, row('st', g, array['a']), date '1970-01-01' + g)::person, int4range(g, g + 5, '[]'),
    tstzmultirange(tstzrange('2025-01-01Z', '2025-01-02Z'), tstzrange('2025-02-01Z', null)),
    floats(g, g + 0.5), enum_range(null::size) from generate_series(1, 300) g;

insert into wear (price, who) values ('empty', null), (int4range(null, null), row(null, null, null));

create index on wear (s, price);

create index on wear (who);

create index on wear using gist (price);

create index on wear ((((who).home).number));

alter type address drop attribute tags;

alter type address add attribute country text;

insert into wear (who) values (row('later', row('st', 1, 'de'), '2000-01-01')::person);
