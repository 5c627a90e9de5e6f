-- group: indexes
-- question: select count(*) from seat
-- answer: 53

create table org (id int primary key, parent int references org deferrable initially deferred, code text unique);

insert into org select g, nullif(g / 2, 0), 'o' || g from generate_series(1, 200) g;

create table unit (org int, nr smallint, name text, primary key (org, nr));

insert into unit select g, h, 'u' from generate_series(1, 50) g, generate_series(1, 4) h;

create table seat (id serial primary key, org bigint, nr int, foreign key (org, nr) references unit);

insert into seat (org, nr) select g, 1 + g % 4 from generate_series(1, 50) g;

insert into seat (org, nr) values (null, 1), (999, null), (null, null);

create table strict (org int, nr smallint, foreign key (org, nr) references unit match full);

insert into strict values (1, 1), (null, null);

create table by_code (code varchar(9) references org (code) on update cascade on delete set null);

insert into by_code select code from org;

create table x (id int primary key, y int);

create table y (id int primary key, x int references x deferrable);

alter table x add foreign key (y) references y deferrable initially deferred;

begin; insert into x select g, g from generate_series(1, 20) g; insert into y select g, g from generate_series(1, 20) g; commit;

create table m (id numeric primary key);

insert into m values (1.0), (2.00);

create table n (m numeric references m);

insert into n values (1), (2.000);

create table partly (org int, nr smallint, d int default 0,
    foreign key (org, nr) references unit on delete set null (nr));

insert into partly (org, nr) select 1, 1;
