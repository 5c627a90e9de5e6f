-- group: tables
-- question: select count(*) from "customer"
-- answer: 200
-- called: Bücher & "Söhne" 'x' \ %s $1 ?a=b

create table "Band" (id serial primary key, "Titel" text);

insert into "Band" ("Titel") select 'T' || g from generate_series(1, 60) g;
