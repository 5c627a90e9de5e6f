-- group: indexes
-- question: select count(*) from w where lower(a) like 'ä%'
-- answer: 300
-- database: encoding 'UTF8' template template0 locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'

create table w (id serial primary key, a text unique, b text collate "pg_c_utf8", c text collate "C.utf8", d text collate "C", e text collate "pg_unicode_fast");

insert into w (a, b, c, d, e) select 'Ä' || g, 'ß' || g, 'é' || g, 'd', 'ﬁ' || g from generate_series(1, 300) g;

create index on w (b, c desc, d, e);

create index on w (lower(b));

create index on w (e);
