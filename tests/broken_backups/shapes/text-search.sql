-- group: values
-- question: select count(*) from page where words @@ to_tsquery('english', 'fox & jump')
-- answer: 500

create text search configuration english_plus (copy = english);

create text search dictionary plain_dict (template = simple, stopwords = english);

alter text search configuration english_plus alter mapping for asciiword with plain_dict, english_stem;

create table page (id serial primary key, body text,
    words tsvector generated always as (to_tsvector('english', coalesce(body, ''))) stored);

insert into page (body) select 'the quick brown fox number ' || g || ' jumps' from generate_series(1, 500) g;

create index on page using gin (words);

create index on page using gist (words);

create index on page using gin (to_tsvector('simple', body));
