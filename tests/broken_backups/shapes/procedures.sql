-- group: tables
-- question: select count(*) from ledger where note = 'by trigger'
-- answer: 250

create table ledger (id serial primary key, debit int, credit int, note text);

create function stamp() returns trigger language plpgsql as
    $$ begin new.note := coalesce(new.note, 'by trigger'); return new; end $$;

create trigger stamp before insert or update on ledger for each row execute function stamp();

create function balanced() returns trigger language plpgsql as
    $$ begin if new.debit <> new.credit then raise exception 'unbalanced'; end if; return null; end $$;

create constraint trigger balanced after insert on ledger deferrable initially deferred
    for each row execute function balanced();

insert into ledger (debit, credit) select g, g from generate_series(1, 250) g;

alter table ledger disable trigger balanced;

create procedure tidy(inout n int) language plpgsql as $$ begin n := n + 1; end $$;

create function paired(a int, out b int, out c text) language sql immutable as $$ select a, a::text $$;

create function many(variadic int[]) returns setof ledger language sql stable as $$ select * from ledger $$;

create aggregate mul(int) (sfunc = int4mul, stype = int, initcond = '1');

create function near(int, int) returns bool language sql immutable as $$ select abs($1 - $2) < 2 $$;

create operator ~~~ (leftarg = int, rightarg = int, function = near, commutator = ~~~);

create type mood as enum ('low', 'high');

create function to_mood(int) returns mood language sql immutable as $$ select case when $1 > 0 then 'high'::public.mood else 'low'::public.mood end $$;

create cast (int as mood) with function to_mood(int);

create index on ledger (to_mood(debit));

create function who() returns text language sql security definer set search_path = '' as $$ select current_user::text $$;

comment on function who() is 'it''s a comment';
