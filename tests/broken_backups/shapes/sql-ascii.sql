-- group: indexes
-- question: select count(*) from raw
-- answer: 100
-- database: encoding 'SQL_ASCII' template template0 locale_provider libc locale 'C'

create table raw (id serial primary key, w text unique);

set client_encoding = 'SQL_ASCII';

insert into raw (w) select convert_from('\xff'::bytea || convert_to(g::text, 'SQL_ASCII'), 'SQL_ASCII') from generate_series(1, 100) g;
