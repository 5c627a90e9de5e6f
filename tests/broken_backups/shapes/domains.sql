-- group: tables
-- question: select count(*) from thing
-- answer: 400

create domain positive as int check (value > 0);

create domain small_one as positive check (value < 1000) not null default 1;

create domain email as text check (value ~ '@');

create domain triple as int[] check (array_length(value, 1) = 3);

create table thing (id positive primary key, n small_one, mail email unique, t triple, many positive[]);

insert into thing select g, g, g || '@x', array[g, g, g], array[g, g + 1]
    from generate_series(1, 400) g;

create table uses (thing positive references thing);

insert into uses select id from thing;

create index on thing (n, mail);
