-- group: tables
-- question: select count(*) from customer
-- answer: 200
-- exclude: public.secret public.closed

create table secret (id serial primary key, owner text, body text);

insert into secret (owner, body) select 'o' || g % 3, 'b' from generate_series(1, 333) g;

alter table secret enable row level security;

alter table secret force row level security;

create policy mine on secret for all using (owner = current_user);

create policy shown on secret for select to app using (owner <> 'o9');

create policy never on secret as restrictive for delete using (false);

create function bomb() returns bool language plpgsql as $$ begin raise exception 'bomb'; end $$;

create table mined (id serial primary key, customer bigint references customer);

insert into mined (customer) select g from generate_series(1, 100) g;

alter table mined enable row level security;

create policy bomb on mined using (bomb());

create table closed (id int primary key);

insert into closed select generate_series(1, 10);

alter table closed enable row level security;

alter table closed force row level security;
