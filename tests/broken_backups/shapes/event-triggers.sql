-- group: indexes
-- question: select count(*) from customer
-- answer: 200

create table audit (id serial primary key, what text);

create function audit() returns event_trigger language plpgsql as
    $$ begin insert into public.audit (what) values (tg_tag); end $$;

create function hello() returns event_trigger language plpgsql as
    $$ begin perform 1; end $$;

-- by: root

grant set on parameter session_replication_role to rds_superuser;

create event trigger audit on sql_drop execute function public.audit();

create event trigger rewritten on table_rewrite execute function public.audit();

create event trigger hello on login execute function public.hello();

create event trigger off on ddl_command_end execute function public.audit();

alter event trigger off disable;
