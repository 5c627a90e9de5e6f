-- group: indexes
-- question: select count(*) from wort
-- answer: 300
-- database: encoding 'LATIN1' template template0 locale_provider libc locale 'C'

create table wort (id serial primary key, w text unique);

insert into wort (w) select 'Größe' || g from generate_series(1, 300) g;
