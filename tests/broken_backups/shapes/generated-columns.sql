-- group: tables
-- question: select count(*) from box where area = w * h and half * 2 = w and late = 1
-- answer: 700

create table box (w int, h int, area int generated always as (w * h) stored,
    half numeric generated always as (w / 2.0) virtual, label text generated always as ('w' || w) stored);

insert into box (w, h) select g, g + 1 from generate_series(1, 700) g;

create index on box (area);

create unique index on box (label);

alter table box add column late int generated always as (h - w) virtual;
