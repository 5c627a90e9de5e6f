-- group: tables
-- question: select count(*) from archive.book
-- answer: 90

create role librarian nologin;

create role clerk login password 'not-used-at-all' in role librarian;

grant librarian to current_user;

create schema archive authorization librarian;

create table archive.book (isbn text primary key, title text, price money);

insert into archive.book select 'i' || g, 't', g from generate_series(1, 90) g;

alter table archive.book owner to librarian;

revoke all on schema archive from public;

alter default privileges in schema archive grant select on tables to clerk;

grant select (isbn) on archive.book to app;

grant usage on schema archive to app;

create table own (id serial primary key);

insert into own select from generate_series(1, 4);

revoke all on own from public;

create function only_mine() returns int language sql as 'select 1';

revoke execute on function only_mine() from public;
