-- So that no probe finds nothing at all to look at.

create table customer (
    id bigint generated always as identity primary key, name text not null,
    email text unique check (email like '%@%'));

insert into customer (name, email) select 'c-' || g, 'c' || g || '@example.org' from generate_series(1, 200) g;

create table purchase (
    id serial primary key, customer bigint not null references customer,
    cents int check (cents >= 0), at timestamptz not null default now());

insert into purchase (customer, cents) select 1 + g % 200, g from generate_series(1, 500) g;

create index on purchase (customer);

grant select on customer, purchase to app;
