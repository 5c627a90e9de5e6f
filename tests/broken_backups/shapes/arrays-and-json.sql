-- group: values
-- question: select count(*) from doc where body ? 'n'
-- answer: 600

create table doc (id serial primary key, tags text[], grid int[][], body jsonb, raw json, path jsonpath,
    odd int[]);

insert into doc (tags, grid, body, raw, path, odd) select array['a' || g, null, ''], array[[g, 1], [2, null]],
    jsonb_build_object('n', g, 'ü', array['x', null], 'deep', jsonb_build_object('k', g::text)),
    ('{"a": 1, "a": 2,  "b": "' || g || '"}')::json, '$.a[*] ? (@ > 1)', '[0:2]={1,2,3}'
    from generate_series(1, 600) g;

insert into doc (tags, body, raw) values ('{}', 'null', 'null'), (null, '[]', '[]'), ('{NULL}', '1e400', '0');

create index on doc using gin (tags);

create index on doc using gin (body jsonb_path_ops);

create index on doc ((body ->> 'n'));

create index on doc (tags);
