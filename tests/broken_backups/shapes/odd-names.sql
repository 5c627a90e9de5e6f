-- group: tables
-- question: select count(*) from "Straße ""links"" "."Größe €"
-- answer: 120

create schema "Straße ""links"" ";

create table "Straße ""links"" "."Größe €" ("select" int primary key, "ü.ö" text, "a%s%%" int, "🐘" text);

insert into "Straße ""links"" "."Größe €" select g, 'x', g, '🐘' from generate_series(1, 120) g;

create index "Index mit ""Quotes"" und %" on "Straße ""links"" "."Größe €" ("ü.ö", "🐘");

create table "a.b" ("c.d" int primary key, " " text);

insert into "a.b" select g from generate_series(1, 10) g;

create table "line
break" (id int generated always as identity primary key);

insert into "line
break" select from generate_series(1, 5);

create table "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" ("ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" int primary key);

create table "Fälle" (id serial primary key, "FK zu" int references "a.b");

insert into "Fälle" ("FK zu") select g from generate_series(1, 10) g;

create table "user" ("order" text, "group" text, "table" int, unique ("order", "group"));

insert into "user" select 'o' || g, 'g', g from generate_series(1, 30) g;

create table "it's" ("col'umn" text default 'it''s', "back\slash" int);

insert into "it's" ("back\slash") values (1), (2);

create table "$1" ("%(name)s" int, "{}" int, "?" int);

insert into "$1" values (1, 2, 3);

create function "Straße ""links"" "."Funktion €"(int) returns int language sql as 'select 1';

create sequence "Folge";

create type "Ampel" as enum ('rot', 'Grün "hell"');

create table "mit Ampel" (a "Ampel" default 'rot', id int default nextval('"Folge"') primary key);

insert into "mit Ampel" select from generate_series(1, 8);
